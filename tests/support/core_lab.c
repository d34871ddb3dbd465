/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/core_lab.h"

#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t utc_ms(void *ctx)
{
    return 1700000000000 + (int64_t)((struct core_lab *)ctx)->now_ms;
}

static uint64_t monotonic_us(void *ctx)
{
    return ((struct core_lab *)ctx)->now_ms * 1000;
}

static void keep_answer(void *ctx, const struct source_answer *answer)
{
    struct core_lab *lab = ctx;
    uint64_t ticket = answer->ticket.id;
    assert_true(ticket < lab->n_tickets);
    assert_false(lab->is_answered[ticket]);
    uint8_t bytes[WIRE_ACK_BYTES];
    wire_ack_encode(&answer->ack, bytes); /* asserts that it can be sent */
    lab->is_answered[ticket] = true;
    lab->answers[ticket] = *answer;
    lab->n_answers++;
}

static void take_back(void *ctx, struct agg_batch *batch)
{
    struct core_lab *lab = ctx;
    struct lab_slot *slot = batch->owner;
    assert_true(slot->is_lent);
    /* Its request is answered before its memory goes. */
    assert_true(lab->is_answered[batch->ticket.id]);
    memset(slot->bytes, 0xEE, sizeof slot->bytes);
    slot->is_lent = false;
}

static void key_added(void *ctx, uint64_t device_id, const struct ledger_key *key)
{
    struct core_lab *lab = ctx;
    assert_int_equal(key->spki_len_bytes, LEDGER_SPKI_MAX_BYTES);
    lab->n_keys_added++;
    if (lab->keyring != NULL) {
        assert_ok(verify_keyring_put(lab->keyring, device_id, key->epoch,
                                     hr_bytes_of(key->spki, key->spki_len_bytes)));
    }
}

static void key_dropped(void *ctx, uint64_t device_id, uint16_t epoch)
{
    struct core_lab *lab = ctx;
    lab->n_keys_dropped++;
    if (lab->keyring != NULL) {
        verify_keyring_drop(lab->keyring, device_id, epoch);
    }
}

static bool proof_holds(void *ctx, struct hr_bytes spki, struct hr_bytes message,
                        const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    (void)ctx;
    return verify_proof_holds(spki, message, signature);
}

static void keep_event(void *ctx, const struct agg_event *event)
{
    struct core_lab *lab = ctx;
    lab->events[lab->n_events++ % LAB_MAX_EVENTS] = *event;
}

/* Stands before the ledger's own, so that a disk that can't be read can be played. */
static struct hr_status (*real_find_digest)(void *ctx, uint64_t device_id, uint32_t stream, uint32_t seq,
                                            uint8_t digest[WIRE_DIGEST_BYTES]);
static bool fails_find_digest;

static struct hr_status find_digest(void *ctx, uint64_t device_id, uint32_t stream, uint32_t seq,
                                    uint8_t digest[WIRE_DIGEST_BYTES])
{
    return fails_find_digest ? hr_status_of(HR_IO) : real_find_digest(ctx, device_id, stream, seq, digest);
}

static void print_log(void *ctx, const char *text)
{
    (void)ctx;
    if (getenv("HEADRACE_TEST_VERBOSE") != NULL) {
        (void)fprintf(stderr, "ledger: %s\n", text);
    }
}

static void start(struct core_lab *lab)
{
    struct ledger_sqlite_config config = {.path = lab->path, .vfs = FAULT_VFS_NAME, .log = print_log};
    assert_ok(ledger_sqlite_open(&config, &lab->ledger));
    real_find_digest = lab->ledger.find_digest;
    lab->ledger.find_digest = find_digest;
    fails_find_digest = false;
    struct agg_ports ports = {.clock = {.utc_ms = utc_ms, .monotonic_us = monotonic_us, .ctx = lab},
                              .hash = test_hash(),
                              .answers = {.answer = keep_answer, .ctx = lab},
                              .ledger = &lab->ledger,
                              .release = take_back,
                              .key_added = key_added,
                              .key_dropped = key_dropped,
                              .proof_holds = proof_holds,
                              .event = keep_event,
                              .ctx = lab};
    lab->core = agg_core_place(lab->memory, &lab->limits, &ports);
    assert_ok(agg_core_load(lab->core));
}

void core_lab_open(struct core_lab *lab, const struct agg_limits *limits)
{
    memset(lab, 0, sizeof *lab);
    lab->limits = *limits;
    lab->now_ms = 1000;
    lab->memory = malloc(agg_core_bytes(limits));
    lab->answers = calloc(LAB_MAX_TICKETS, sizeof *lab->answers);
    lab->is_answered = calloc(LAB_MAX_TICKETS, sizeof *lab->is_answered);
    lab->slots = calloc(LAB_MAX_SLOTS, sizeof *lab->slots);
    assert_true(lab->memory != NULL && lab->answers != NULL && lab->is_answered != NULL &&
                lab->slots != NULL);
    fault_vfs_reset();
    temp_folder_make(&lab->folder);
    (void)temp_folder_file(&lab->folder, "ledger.db", lab->path);
    start(lab);
}

void core_lab_crash(struct core_lab *lab)
{
    lab->ledger.close(lab->ledger.ctx);
    for (uint32_t i = 0; i < LAB_MAX_SLOTS; i++) {
        lab->slots[i].is_lent = false;
    }
    memset(lab->memory, 0xDD, agg_core_bytes(&lab->limits));
    start(lab);
}

/* Fills `to` with what is in `from`; false: there is no such file. */
static bool copy_file(const char *from, const char *to)
{
    static char bytes[1 << 20];
    FILE *source = fopen(from, "rb");
    if (source == NULL) {
        return false;
    }
    const size_t len_bytes = fread(bytes, 1, sizeof bytes, source);
    assert_true(len_bytes < sizeof bytes && fclose(source) == 0);
    FILE *target = fopen(to, "wb");
    HR_ASSERT(target != NULL);
    assert_true(fwrite(bytes, 1, len_bytes, target) == len_bytes && fclose(target) == 0);
    return true;
}

void core_lab_blank(struct core_lab *lab)
{
    char blank[2 * TEMP_PATH_CHARS];
    (void)temp_folder_file(&lab->folder, "blank.db", blank);
    lab->ledger.close(lab->ledger.ctx);
    if (!copy_file(blank, lab->path)) {
        (void)remove(lab->path);
        start(lab); /* makes the tables, which takes longer than all that a short test does with them */
        lab->ledger.close(lab->ledger.ctx);
        assert_true(copy_file(lab->path, blank));
    }
    for (uint32_t i = 0; i < LAB_MAX_SLOTS; i++) {
        lab->slots[i].is_lent = false;
    }
    memset(lab->is_answered, 0, lab->n_tickets * sizeof *lab->is_answered);
    lab->n_tickets = lab->n_answers = 0;
    lab->now_ms = 1000;
    start(lab);
}

void core_lab_close(struct core_lab *lab)
{
    agg_core_drain(lab->core);
    for (uint32_t i = 0; i < LAB_MAX_SLOTS; i++) {
        assert_false(lab->slots[i].is_lent);
    }
    assert_int_equal(agg_batches_held_now(lab->core), 0);
    lab->ledger.close(lab->ledger.ctx);
    temp_folder_remove(&lab->folder);
    free(lab->memory);
    free(lab->answers);
    free(lab->is_answered);
    free(lab->slots);
}

struct ledger_device core_lab_entry(uint64_t device_id, enum ledger_device_state state, uint32_t revision)
{
    struct ledger_device entry = {.device_id = device_id,
                                  .name = "gw",
                                  .tenant = "t",
                                  .state = state,
                                  .revision = revision,
                                  .n_keys = 1};
    entry.keys[0] = (struct ledger_key){
        .epoch = 1, .spki_len_bytes = LEDGER_SPKI_MAX_BYTES, .to_stream = UINT32_MAX, .to_seq = UINT32_MAX};
    memset(entry.keys[0].spki, (int)device_id, LEDGER_SPKI_MAX_BYTES);
    return entry;
}

void core_lab_enrol(struct core_lab *lab, uint64_t device_id)
{
    struct ledger_device entry = core_lab_entry(device_id, LEDGER_DEVICE_ACTIVE, 1);
    assert_ok(agg_register(lab->core, &entry));
    assert_ok(core_lab_flush(lab));
}

static struct lab_slot *free_slot(struct core_lab *lab)
{
    uint32_t at = 0;
    while (at < LAB_MAX_SLOTS && lab->slots[at].is_lent) {
        at++;
    }
    assert_true(at < LAB_MAX_SLOTS);
    return &lab->slots[at];
}

uint64_t core_lab_post_verdict(struct core_lab *lab, const struct made_batch *made,
                               enum wire_ack_status verdict)
{
    if (agg_group_is_full(lab->core)) {
        assert_ok(core_lab_flush(lab));
    }
    fails_find_digest = lab->fails_find_digest;
    struct lab_slot *slot = free_slot(lab);
    memcpy(slot->bytes, made->bytes, made->len_bytes);
    slot->is_lent = true;
    slot->batch = (struct agg_batch){.ticket = {lab->n_tickets},
                                     .certified_device_id = made->header.device_id,
                                     .received_utc_ms = utc_ms(lab),
                                     .verdict = verdict,
                                     .envelope = hr_bytes_of(slot->bytes, made->len_bytes),
                                     .owner = slot};
    slot->batch.has_parts = hr_is_ok(wire_envelope_split(slot->batch.envelope, &slot->batch.parts));
    memcpy(slot->batch.digest, made->digest, WIRE_DIGEST_BYTES);
    assert_true(lab->n_tickets < LAB_MAX_TICKETS);
    uint64_t ticket = lab->n_tickets++;
    agg_submit(lab->core, &slot->batch);
    return ticket;
}

uint64_t core_lab_post(struct core_lab *lab, const struct made_batch *batch)
{
    return core_lab_post_verdict(lab, batch, WIRE_ACK_OK);
}

uint64_t core_lab_head(struct core_lab *lab, uint64_t device_id, uint32_t stream)
{
    uint64_t ticket = lab->n_tickets++;
    agg_head(lab->core, (struct source_ticket){ticket}, device_id, stream);
    return ticket;
}

struct hr_status core_lab_flush(struct core_lab *lab)
{
    struct hr_status status = hr_ok();
    uint64_t n_answers = lab->n_answers;
    uint32_t n_waiting = agg_group_waiting(lab->core);
    const struct ledger_commit *change = agg_group_take(lab->core);
    if (change != NULL) {
        status = lab->ledger.commit(lab->ledger.ctx, change);
        assert_int_equal(lab->n_answers, n_answers); /* never before the settle */
    }
    if (change != NULL || n_waiting > 0) {
        agg_group_settle(lab->core, status);
    }
    return status;
}

const struct source_answer *core_lab_answer(const struct core_lab *lab, uint64_t ticket)
{
    return lab->is_answered[ticket] ? &lab->answers[ticket] : NULL;
}

struct wire_ack core_lab_ask(struct core_lab *lab, const struct made_batch *batch)
{
    uint64_t ticket = core_lab_post(lab, batch);
    hr_ignore(core_lab_flush(lab)); /* the answer tells what came of it */
    assert_true(lab->is_answered[ticket]);
    return lab->answers[ticket].ack;
}

void core_lab_assert_ack(struct wire_ack ack, enum wire_ack_status status, const struct made_batch *cum)
{
    static const uint8_t zeros[WIRE_ACK_DIGEST_BYTES];
    assert_int_equal(ack.status, status);
    if (cum == NULL) {
        assert_int_equal(ack.cum_seq, WIRE_SEQ_NONE);
        assert_memory_equal(ack.cum_digest, zeros, WIRE_ACK_DIGEST_BYTES);
    } else {
        assert_int_equal(ack.stream, cum->header.stream);
        assert_int_equal(ack.cum_seq, cum->header.batch_seq);
        assert_memory_equal(ack.cum_digest, cum->digest, WIRE_ACK_DIGEST_BYTES);
    }
}

uint32_t core_lab_events(const struct core_lab *lab, enum agg_event_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < LAB_MAX_EVENTS && i < lab->n_events; i++) {
        n += lab->events[i].kind == kind ? 1 : 0;
    }
    return n;
}

uint64_t core_lab_size(const struct core_lab *lab)
{
    uint64_t n_leaves = 0;
    assert_ok(lab->ledger.size(lab->ledger.ctx, &n_leaves));
    return n_leaves;
}

struct stream_search {
    struct ledger_stream wanted;
    bool is_found;
};

static void match_stream(void *ctx, const struct ledger_stream *stream)
{
    struct stream_search *search = ctx;
    if (stream->device_id == search->wanted.device_id && stream->stream == search->wanted.stream) {
        search->wanted = *stream;
        search->is_found = true;
    }
}

bool core_lab_stream(const struct core_lab *lab, uint64_t device_id, uint32_t stream,
                     struct ledger_stream *out)
{
    struct stream_search search = {.wanted = {.device_id = device_id, .stream = stream}};
    assert_ok(lab->ledger.load_streams(lab->ledger.ctx, match_stream, &search));
    *out = search.wanted;
    return search.is_found;
}

struct device_search {
    struct ledger_device wanted;
    bool is_found;
};

static void match_device(void *ctx, const struct ledger_device *device)
{
    struct device_search *search = ctx;
    if (device->device_id == search->wanted.device_id) {
        search->wanted = *device;
        search->is_found = true;
    }
}

struct ledger_device core_lab_device(const struct core_lab *lab, uint64_t device_id)
{
    struct device_search search = {.wanted = {.device_id = device_id}};
    assert_ok(lab->ledger.load_devices(lab->ledger.ctx, match_device, &search));
    assert_true(search.is_found);
    return search.wanted;
}

static void count_conflict(void *ctx, const struct ledger_conflict *row)
{
    assert_true(row->envelope.len_bytes >= WIRE_PREFIX_BYTES);
    (*(uint32_t *)ctx)++;
}

uint32_t core_lab_n_conflicts(const struct core_lab *lab, uint64_t device_id)
{
    uint32_t n = 0;
    assert_ok(lab->ledger.conflicts(lab->ledger.ctx, device_id, count_conflict, &n));
    return n;
}

static void count_loss(void *ctx, const struct ledger_loss *row)
{
    assert_true(row->envelope.len_bytes >= WIRE_PREFIX_BYTES);
    (*(uint32_t *)ctx)++;
}

uint32_t core_lab_n_losses(const struct core_lab *lab, uint64_t device_id)
{
    uint32_t n = 0;
    assert_ok(lab->ledger.losses(lab->ledger.ctx, device_id, count_loss, &n));
    return n;
}
