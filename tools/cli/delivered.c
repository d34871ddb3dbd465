/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/delivered.h"

#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"
#include "tools/cli/refold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cli_place place_of(const struct cli_delivered *delivered,
                                 const struct cli_delivered_record *record)
{
    return (struct cli_place){.has_leaf = true,
                              .leaf = record->leaf,
                              .topic = delivered->topics[record->topic].name,
                              .partition = record->partition,
                              .offset = record->offset};
}

/* ---- comparing ---- */

static int compare_records(const void *left, const void *right)
{
    const struct cli_delivered_record *a = left;
    const struct cli_delivered_record *b = right;
    if (a->leaf != b->leaf) {
        return a->leaf < b->leaf ? -1 : 1;
    }
    if (a->topic != b->topic) {
        return a->topic < b->topic ? -1 : 1;
    }
    if (a->index != b->index) {
        return a->index < b->index ? -1 : 1;
    }
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static int compare_places(const void *left, const void *right)
{
    const struct cli_delivered_place *a = left;
    const struct cli_delivered_place *b = right;
    if (a->topic != b->topic) {
        return a->topic < b->topic ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

static void want(struct cli_delivered *delivered, const char *topic, uint64_t index)
{
    uint32_t at = 0;
    while (at < delivered->n_topics && strcmp(delivered->topics[at].name, topic) != 0) {
        at++;
    }
    HR_ASSERT(at < delivered->n_topics); /* the topics of all normalizers are listed */
    if (delivered->n_wanted == delivered->wanted_capacity) {
        size_t capacity = delivered->wanted_capacity == 0 ? 64 : 2 * delivered->wanted_capacity;
        void *rows = realloc(delivered->wanted, capacity * sizeof *delivered->wanted);
        if (rows == NULL) {
            delivered->is_out_of_memory = true;
            return;
        }
        delivered->wanted = rows;
        delivered->wanted_capacity = capacity;
    }
    delivered->wanted[delivered->n_wanted++] = (struct cli_delivered_place){at, index};
}

struct emission {
    struct cli_delivered *delivered;
    bool judges_events;
    uint32_t used; /* bit i: normalizer i took a record or had events */
};

static void want_event(void *ctx, const struct norm_event *event)
{
    struct emission *emission = ctx;
    const struct normalizer *const *normalizers = cli_normalizers();
    for (uint32_t i = 0; i < CLI_REFOLD_N_NORMALIZERS; i++) {
        for (uint16_t k = 0; k < normalizers[i]->n_schemas; k++) {
            emission->used |= normalizers[i]->schemas[k] == event->schema ? 1u << i : 0;
        }
    }
    if (emission->judges_events) {
        want(emission->delivered, event->schema->topic,
             ((uint64_t)event->record_index + 1) << 32 | event->output_index);
    }
}

/* The raw topics by the rule of the publisher: of each source with records; a batch with nothing but the
 * device's own goes to the device's. */
static void want_raw(struct cli_delivered *delivered, uint32_t used)
{
    const uint32_t fallback = 1u << (CLI_REFOLD_N_NORMALIZERS - 1u);
    uint32_t wanted = (used & ~fallback) != 0 ? used & ~fallback : fallback;
    for (uint32_t i = 0; i < CLI_REFOLD_N_NORMALIZERS; i++) {
        if ((wanted >> i & 1u) != 0) {
            char topic[SINK_KAFKA_TOPIC_MAX_CHARS + 1];
            (void)snprintf(topic, sizeof topic, "ingestion.%s.raw.v1", cli_normalizers()[i]->source);
            want(delivered, topic, 0);
        }
    }
}

/* Other normalizers may have chosen other topics, so any that has the batch is right. False: none has it. */
static bool want_where_it_is(struct cli_delivered *delivered, uint64_t leaf)
{
    for (size_t i = delivered->at; i < delivered->n_records && delivered->records[i].leaf == leaf; i++) {
        const struct cli_delivered_record *record = &delivered->records[i];
        size_t n = delivered->n_wanted;
        bool is_new = n == 0 || delivered->wanted[n - 1].topic != record->topic;
        if (record->index == 0 && !record->is_revision && is_new) {
            want(delivered, delivered->topics[record->topic].name, 0);
        }
    }
    return delivered->n_wanted > 0;
}

static void tell_missing(struct cli_delivered *delivered, const struct ledger_batch *batch,
                         const struct cli_delivered_place *wanted)
{
    const struct cli_delivered_topic *topic = &delivered->topics[wanted->topic];
    if (batch->leaf >= delivered->cursor) {
        return; /* it may be on its way */
    }
    if (topic->is_there && topic->retention_ms >= 0 &&
        batch->received_utc_ms < delivered->now_ms - topic->retention_ms) {
        delivered->n_expired++;
        return;
    }
    const struct cli_place place = {
        .has_leaf = true, .leaf = batch->leaf, .topic = topic->name, .offset = -1};
    if (wanted->index == 0) {
        cli_find(delivered->findings, CLI_FINDING_MISSING, &place, "the signed batch is not there");
    } else {
        cli_find(delivered->findings, CLI_FINDING_MISSING, &place,
                 "event %" PRIu64 " of record %" PRIu64 " is not there", wanted->index & UINT32_MAX,
                 (wanted->index >> 32) - 1);
    }
}

static void tell_alien(struct cli_delivered *delivered, const struct cli_delivered_record *record,
                       const char *text)
{
    const struct cli_place place = place_of(delivered, record);
    cli_find(delivered->findings, CLI_FINDING_ALIEN, &place, "%s", text);
}

/* A record at a place where one is wanted; true: it is the one. */
static bool judge(struct cli_delivered *delivered, const struct ledger_batch *batch,
                  const struct cli_delivered_record *record, bool is_first)
{
    if (!record->has_digest || memcmp(record->digest, batch->digest, WIRE_DIGEST_BYTES) != 0) {
        tell_alien(delivered, record, "it is of another batch than the one at this leaf");
        return false;
    }
    if (!is_first) {
        const struct cli_place place = place_of(delivered, record);
        cli_find(delivered->findings, CLI_FINDING_DOUBLED, &place, "it stands there once more");
    } else {
        delivered->n_matched++;
    }
    return true;
}

/* What is there of the leaf beside what is wanted; both are in the same order. */
static void merge(struct cli_delivered *delivered, const struct ledger_batch *batch, bool judges_events)
{
    size_t wanted = 0;
    bool is_found = false;
    for (; delivered->at < delivered->n_records && delivered->records[delivered->at].leaf == batch->leaf;
         delivered->at++) {
        const struct cli_delivered_record *record = &delivered->records[delivered->at];
        const struct cli_delivered_place place = {record->topic, record->index};
        if (delivered->has_cursor && record->leaf >= delivered->cursor_end) {
            tell_alien(delivered, record, "it is ahead of the cursor");
            continue;
        }
        if (record->is_revision) {
            delivered->n_revisions++;
            continue;
        }
        if (!judges_events && record->index != 0) {
            delivered->n_not_judged++;
            continue;
        }
        while (wanted < delivered->n_wanted && compare_places(&delivered->wanted[wanted], &place) < 0) {
            if (!is_found) {
                tell_missing(delivered, batch, &delivered->wanted[wanted]);
            }
            wanted++;
            is_found = false;
        }
        if (wanted == delivered->n_wanted || compare_places(&delivered->wanted[wanted], &place) != 0) {
            tell_alien(delivered, record, "the batch at this leaf gives no such record");
            continue;
        }
        is_found = judge(delivered, batch, record, !is_found) || is_found;
    }
    for (; wanted < delivered->n_wanted; wanted++, is_found = false) {
        if (!is_found) {
            tell_missing(delivered, batch, &delivered->wanted[wanted]);
        }
    }
}

void cli_delivered_leaf(struct cli_delivered *delivered, const struct norm_input *input, bool judges_events)
{
    const struct ledger_batch *batch = input->batch;
    for (; delivered->at < delivered->n_records && delivered->records[delivered->at].leaf < batch->leaf;
         delivered->at++) {
        bool is_pruned = delivered->records[delivered->at].leaf < delivered->first_leaf;
        *(is_pruned ? &delivered->n_pruned : &delivered->n_not_judged) += 1;
    }
    struct emission emission = {.delivered = delivered, .judges_events = judges_events};
    const struct norm_emit emit = {want_event, &emission};
    delivered->n_wanted = 0;
    emission.used |= norm_batch(cli_normalizers(), CLI_REFOLD_N_NORMALIZERS, input, &emit).taken;
    if (judges_events || !want_where_it_is(delivered, batch->leaf)) {
        want_raw(delivered, emission.used);
    }
    if (delivered->n_wanted > 0) {
        qsort(delivered->wanted, delivered->n_wanted, sizeof *delivered->wanted, compare_places);
    }
    merge(delivered, batch, judges_events);
}

void cli_delivered_end(struct cli_delivered *delivered, uint64_t size)
{
    static const struct cli_place nowhere;
    for (; delivered->at < delivered->n_records; delivered->at++) {
        const struct cli_delivered_record *record = &delivered->records[delivered->at];
        if (record->leaf >= size) {
            tell_alien(delivered, record, "the log has not come to this leaf");
        } else {
            delivered->n_not_judged++;
        }
    }
    if (!delivered->has_cursor && delivered->n_records > 0) {
        cli_find(delivered->findings, CLI_FINDING_CURSOR, &nowhere,
                 "the topics hold records of this log, and there is no cursor of it");
    }
    if (delivered->cursor_end > size) {
        cli_find(delivered->findings, CLI_FINDING_CURSOR, &nowhere,
                 "the cursor stands at leaf %" PRIu64 ", and the ledger has %" PRIu64, delivered->cursor_end,
                 size);
    }
}

void cli_delivered_free(struct cli_delivered *delivered)
{
    free(delivered->records);
    free(delivered->wanted);
}

void cli_delivered_sort(struct cli_delivered *delivered)
{
    if (delivered->n_records > 0) {
        qsort(delivered->records, delivered->n_records, sizeof *delivered->records, compare_records);
    }
}
