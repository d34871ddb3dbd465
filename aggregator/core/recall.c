/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/recall.h"

#include "proto/base/assert.h"

#include <stddef.h>
#include <string.h>

enum {
    HOUR_S = 3600,
    FORM_FIRST = 0,   /* name and content of each; all of revision 0 */
    FORM_REVISED = 1, /* and the revision */
    DUE_WAITING = AGG_RECALL_HOURS / 2,
    DUE_BYTES = 1 << 20,
    KNOWN_FULL = 2 * AGG_RECALL_HOUR_MAX, /* one more hour fits */
    N_HOURS = 1 << AGG_RECALL_HOURS_BITS,
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return x ^ x >> 32;
}

/* ---- the tables: places with another round are free ---- */

/* The place of this hour, or the free one where it would be. */
static struct agg_recall_hour *hour_in(struct agg_recall_hour *table, uint32_t round,
                                       const struct norm_subject_key *of)
{
    uint32_t at = (uint32_t)(mix((uint64_t)of->hour ^ (uint64_t)of->family << 32) >> 20) % N_HOURS;
    while (table[at].round == round && (table[at].hour != of->hour || table[at].family != of->family)) {
        at = (at + 1) % N_HOURS; /* half full at most */
    }
    return &table[at];
}

static void take_hour(struct agg_recall_hour *place, uint32_t round, const struct norm_subject_key *of)
{
    *place =
        (struct agg_recall_hour){.hour = of->hour, .family = of->family, .round = round, .end_s = INT64_MIN};
}

static uint32_t slot_of(const struct agg_recall_table *table, uint32_t hour, uint64_t name, uint32_t *place)
{
    uint32_t slot = (uint32_t)(mix(name ^ (uint64_t)hour << 48) >> 16) & (table->n_slots - 1);
    for (;; slot = (slot + 1) & (table->n_slots - 1)) { /* three quarters full at most */
        *place = table->index[slot];
        if (*place >= table->n || table->facts[*place].slot != slot) {
            *place = UINT32_MAX; /* free */
            return slot;
        }
        if (table->facts[*place].name == name && table->facts[*place].hour == hour) {
            return slot;
        }
    }
}

/* NULL: it is not there. */
static struct agg_recall_fact *fact_in(const struct agg_recall_table *table, uint32_t hour, uint64_t name)
{
    uint32_t place = 0;
    (void)slot_of(table, hour, name, &place);
    return place == UINT32_MAX ? NULL : &table->facts[place];
}

/* For one that is not there. */
static struct agg_recall_fact *add_to(struct agg_recall_table *table, uint32_t hour, uint64_t name)
{
    uint32_t place = 0;
    HR_ASSERT(table->facts != NULL && table->n + 1 < table->n_slots);
    uint32_t slot = slot_of(table, hour, name, &place);
    table->index[slot] = table->n;
    struct agg_recall_fact *fact = &table->facts[table->n++];
    *fact = (struct agg_recall_fact){.name = name, .hour = hour, .slot = slot};
    return fact;
}

/* Rounds begin with 1, so that zeroed memory is free; after 2^32 of them the table is cleared. */
static void next_round(uint32_t *round, struct agg_recall_hour *hours)
{
    if (++*round == 0) {
        memset(hours, 0, N_HOURS * sizeof *hours);
        *round = 1;
    }
}

static void forget_known(struct agg_recall *recall, uint64_t leaf)
{
    next_round(&recall->known_round, recall->known_hours);
    recall->known_leaf = leaf;
    recall->known.n = 0;
    recall->n_known_hours = 0;
}

/* ---- loading ---- */

/* Facts of an hour on their way into the table; those of later leaves come later. */
struct load {
    struct agg_recall *recall;
    uint32_t hour;
    bool is_corrupt;
};

static void learn(struct agg_recall *recall, uint32_t hour, const struct norm_said *said, uint64_t name)
{
    struct agg_recall_fact *fact = fact_in(&recall->known, hour, name);
    if (fact == NULL) {
        HR_ASSERT(recall->known.n < AGG_RECALL_KNOWN_MAX);
        fact = add_to(&recall->known, hour, name);
        recall->known_hours[hour].n++;
    }
    fact->content = said->content;
    fact->revision = said->revision;
}

static void load_facts(void *ctx, const struct feed_facts *facts)
{
    struct load *load = ctx;
    struct agg_recall *recall = load->recall;
    struct hr_reader in = hr_reader_over(facts->facts);
    uint8_t form = hr_read_u8(&in);
    load->is_corrupt = load->is_corrupt || form > FORM_REVISED;
    while (hr_reader_left(&in) > 0 && !load->is_corrupt) {
        struct norm_said said;
        uint64_t name = hr_read_u64(&in);
        said.content = hr_read_u64(&in);
        said.revision = form == FORM_REVISED ? hr_read_u32(&in) : 0;
        load->is_corrupt = !hr_reader_ok(&in) || said.content == 0 ||
                           recall->known_hours[load->hour].n > AGG_RECALL_HOUR_MAX;
        if (!load->is_corrupt) {
            learn(recall, load->hour, &said, name);
        }
    }
}

static struct hr_status load_hour(struct agg_recall *recall, const struct norm_subject_key *of,
                                  struct agg_recall_hour *place)
{
    const struct ledger *reader = recall->config.reader;
    const struct feed_facts before = {.family = of->family, .hour = of->hour, .leaf = recall->leaf};
    struct load load = {.recall = recall, .hour = (uint32_t)(place - recall->known_hours)};
    take_hour(place, recall->known_round, of);
    recall->n_known_hours++;
    recall->counts.loads++;
    struct hr_status read =
        reader->feeds->facts(reader->ctx, recall->config.sink, &before, load_facts, &load);
    for (uint32_t i = 0; i < recall->n_waiting; i++) {
        const struct feed_facts *waits = &recall->waiting[i];
        if (waits->family == of->family && waits->hour == of->hour && waits->leaf < recall->leaf) {
            load_facts(&load, waits);
        }
    }
    return hr_is_ok(read) && load.is_corrupt ? hr_status_of(HR_CORRUPT) : read;
}

/* The hour in the table, with its facts. */
static struct hr_status known_hour(struct agg_recall *recall, const struct norm_subject_key *of,
                                   struct agg_recall_hour **out)
{
    if (recall->known_leaf != recall->leaf) {
        forget_known(recall, recall->leaf);
    }
    *out = hour_in(recall->known_hours, recall->known_round, of);
    if ((*out)->round == recall->known_round) {
        return hr_ok();
    }
    if (recall->n_known_hours == AGG_RECALL_HOURS || recall->known.n > KNOWN_FULL) {
        forget_known(recall, recall->leaf);
        *out = hour_in(recall->known_hours, recall->known_round, of);
    }
    struct hr_status loaded = load_hour(recall, of, *out);
    if (!hr_is_ok(loaded)) {
        forget_known(recall, recall->leaf);
    }
    return loaded;
}

/* ---- the batch at hand ---- */

static bool is_forgotten(const struct agg_recall *recall, const struct norm_subject_key *of)
{
    return of->end_s < recall->forgotten_s;
}

static bool last(void *ctx, const struct norm_subject_key *of, struct norm_said *out)
{
    struct agg_recall *recall = ctx;
    *out = (struct norm_said){0};
    if (is_forgotten(recall, of)) {
        return true;
    }
    if (!recall->is_level) {
        recall->status = hr_status_of(HR_AGAIN);
        return false;
    }
    const struct agg_recall_hour *said_hour = hour_in(recall->hours, recall->round, of);
    if (said_hour->round == recall->round) {
        const struct agg_recall_fact *fact =
            fact_in(&recall->said, (uint32_t)(said_hour - recall->hours), of->name);
        if (fact != NULL) {
            *out = (struct norm_said){fact->content, fact->revision};
            return true;
        }
    }
    struct agg_recall_hour *hour = NULL;
    struct hr_status loaded = known_hour(recall, of, &hour);
    if (!hr_is_ok(loaded)) {
        recall->status = hr_is_ok(recall->status) ? loaded : recall->status;
        return false;
    }
    const struct agg_recall_fact *fact =
        fact_in(&recall->known, (uint32_t)(hour - recall->known_hours), of->name);
    if (fact != NULL) {
        *out = (struct norm_said){fact->content, fact->revision};
    }
    return true;
}

/* Is it within what is kept of a batch and of an hour? The hour is loaded, since `last` was asked. */
static bool has_room_for(struct agg_recall *recall, const struct agg_recall_hour *hour,
                         const struct norm_subject_key *of)
{
    const struct agg_recall_hour *known = hour_in(recall->known_hours, recall->known_round, of);
    bool is_loaded = known->round == recall->known_round;
    uint32_t n_known = is_loaded ? known->n : 0;
    uint32_t n_said = hour->round == recall->round ? hour->n : 0;
    bool is_known =
        is_loaded && fact_in(&recall->known, (uint32_t)(known - recall->known_hours), of->name) != NULL;
    return recall->said.n < AGG_RECALL_LEAF_MAX &&
           (hour->round == recall->round || recall->n_hours < AGG_RECALL_HOURS) &&
           (is_known || n_known + n_said < AGG_RECALL_HOUR_MAX);
}

static struct agg_recall_fact *add_fact(struct agg_recall *recall, struct agg_recall_hour *hour,
                                        uint64_t name)
{
    uint32_t place = recall->said.n;
    if (hour->n == 0) {
        hour->first = place;
    } else {
        recall->said_facts[hour->last].next = place;
    }
    hour->last = place;
    hour->n++;
    return add_to(&recall->said, (uint32_t)(hour - recall->hours), name);
}

static void say(void *ctx, const struct norm_subject_key *of, const struct norm_said *said)
{
    struct agg_recall *recall = ctx;
    HR_ASSERT(said->content != 0);
    if (is_forgotten(recall, of)) {
        return;
    }
    struct agg_recall_hour *hour = hour_in(recall->hours, recall->round, of);
    struct agg_recall_fact *fact = hour->round != recall->round
                                       ? NULL
                                       : fact_in(&recall->said, (uint32_t)(hour - recall->hours), of->name);
    if (fact == NULL && !has_room_for(recall, hour, of)) {
        recall->counts.forgotten++;
        return;
    }
    if (hour->round != recall->round) {
        take_hour(hour, recall->round, of);
        recall->said_hours[recall->n_hours++] = (uint32_t)(hour - recall->hours);
    }
    hour->end_s = of->end_s > hour->end_s ? of->end_s : hour->end_s;
    hour->is_revised = hour->is_revised || said->revision > 0;
    fact = fact != NULL ? fact : add_fact(recall, hour, of->name);
    fact->content = said->content;
    fact->revision = said->revision;
}

void agg_recall_init(struct agg_recall *recall, const struct agg_recall_config *config)
{
    memset(recall, 0, offsetof(struct agg_recall, known_index));
    recall->config = *config;
    recall->memory = (struct norm_known){last, say, recall};
    recall->out = hr_writer_over(recall->bytes, sizeof recall->bytes);
    recall->known = (struct agg_recall_table){
        .facts = recall->known_facts, .index = recall->known_index, .n_slots = 1 << AGG_RECALL_KNOWN_BITS};
    recall->said = (struct agg_recall_table){
        .facts = recall->said_facts, .index = recall->said_index, .n_slots = 1 << AGG_RECALL_SAID_BITS};
    recall->round = 1;
    forget_known(recall, 0);
}

const struct norm_known *agg_recall_batch(struct agg_recall *recall, const struct ledger_batch *batch,
                                          bool is_level)
{
    recall->leaf = batch->leaf;
    recall->is_level = is_level;
    recall->forgotten_s = batch->received_utc_ms / 1000 - (int64_t)recall->config.retention_h * HOUR_S;
    recall->status = hr_ok();
    if (recall->said.n > 0) {
        next_round(&recall->round, recall->hours);
    }
    recall->said.n = 0;
    recall->n_hours = 0;
    return &recall->memory;
}

/* ---- what waits to be stored ---- */

static void write_hour(struct agg_recall *recall, const struct agg_recall_hour *hour)
{
    size_t at = recall->out.at;
    uint32_t place = hour->first;
    hr_write_u8(&recall->out, hour->is_revised ? FORM_REVISED : FORM_FIRST);
    for (uint32_t i = 0; i < hour->n; i++) {
        const struct agg_recall_fact *fact = &recall->said_facts[place];
        hr_write_u64(&recall->out, fact->name);
        hr_write_u64(&recall->out, fact->content);
        if (hour->is_revised) {
            hr_write_u32(&recall->out, fact->revision);
        }
        place = fact->next;
    }
    HR_ASSERT(hr_writer_ok(&recall->out) && recall->n_waiting < AGG_RECALL_WAITING); /* has_room was asked */
    recall->waiting[recall->n_waiting++] =
        (struct feed_facts){.family = hour->family,
                            .hour = hour->hour,
                            .leaf = recall->leaf,
                            .end_ms = hour->end_s * 1000,
                            .facts = hr_bytes_of(recall->bytes + at, recall->out.at - at)};
}

/* The table follows, as far as it has the hour. */
static void learn_hour(struct agg_recall *recall, const struct agg_recall_hour *hour)
{
    const struct norm_subject_key of = {.family = hour->family, .hour = hour->hour};
    const struct agg_recall_hour *known = hour_in(recall->known_hours, recall->known_round, &of);
    uint32_t place = hour->first;
    for (uint32_t i = 0; i < hour->n && known->round == recall->known_round; i++) {
        const struct agg_recall_fact *fact = &recall->said_facts[place];
        learn(recall, (uint32_t)(known - recall->known_hours),
              &(struct norm_said){fact->content, fact->revision}, fact->name);
        place = fact->next;
    }
}

void agg_recall_keep(struct agg_recall *recall)
{
    bool is_here = recall->known_leaf == recall->leaf;
    if (is_here && recall->known.n > KNOWN_FULL) {
        forget_known(recall, recall->leaf);
    }
    for (uint32_t i = 0; i < recall->n_hours; i++) {
        const struct agg_recall_hour *hour = &recall->hours[recall->said_hours[i]];
        write_hour(recall, hour);
        if (is_here) {
            learn_hour(recall, hour);
        }
    }
    recall->known_leaf += is_here ? 1 : 0;
    recall->counts.stored += recall->said.n;
}

void agg_recall_begin(struct agg_recall *recall)
{
    recall->open_waiting = recall->n_waiting;
    recall->open_bytes = recall->out.at;
}

void agg_recall_abort(struct agg_recall *recall)
{
    recall->n_waiting = recall->open_waiting;
    recall->out.at = recall->open_bytes;
    forget_known(recall, 0);
}

bool agg_recall_has_room(const struct agg_recall *recall)
{
    return AGG_RECALL_WAITING - recall->n_waiting >= AGG_RECALL_HOURS &&
           sizeof recall->bytes - recall->out.at >= AGG_RECALL_LEAF_BYTES;
}

bool agg_recall_is_due(const struct agg_recall *recall)
{
    return recall->n_waiting > DUE_WAITING || recall->out.at > DUE_BYTES;
}

void agg_recall_stored(struct agg_recall *recall)
{
    recall->n_waiting = 0;
    recall->out.at = 0;
}
