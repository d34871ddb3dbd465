/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/ledger_suite.h"

#include "proto/base/assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENVELOPE_BYTES = 300, MANY = LEDGER_COMMIT_MAX_BATCHES };

static const struct ledger_suite *suite;
static struct ledger ledger; /* of the running test */
static uint8_t envelopes[MANY][ENVELOPE_BYTES];
static struct ledger_batch batches[MANY];

struct ledger_batch ledger_suite_batch(uint64_t device_id, uint32_t stream, uint32_t seq, uint8_t *envelope,
                                       size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        envelope[i] = (uint8_t)(i * 7 + (size_t)seq * 31 + (size_t)stream * 3 + device_id);
    }
    memcpy(envelope, &device_id, sizeof device_id);
    memcpy(envelope + 8, &stream, sizeof stream);
    memcpy(envelope + 12, &seq, sizeof seq);
    struct ledger_batch batch = {.leaf = UINT64_MAX,
                                 .device_id = device_id,
                                 .stream = stream,
                                 .seq = seq,
                                 .received_utc_ms = 1700000000000 + seq,
                                 .envelope = hr_bytes_of(envelope, len_bytes)};
    wire_sha256(test_hash(), &batch.envelope, 1, batch.digest);
    return batch;
}

static struct hr_status commit_batches(uint64_t device_id, uint32_t stream, uint32_t first_seq, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        batches[i] = ledger_suite_batch(device_id, stream, first_seq + i, envelopes[i], ENVELOPE_BYTES);
    }
    struct ledger_commit change = {.batches = batches, .n_batches = n};
    return ledger.commit(ledger.ctx, &change);
}

static void reopen(void)
{
    ledger.close(ledger.ctx);
    assert_ok(suite->open(suite->ctx, &ledger));
}

static uint64_t size(void)
{
    uint64_t n_leaves = UINT64_MAX;
    assert_ok(ledger.size(ledger.ctx, &n_leaves));
    return n_leaves;
}

static int set_up(void **state)
{
    (void)state;
    suite->make(suite->ctx);
    return hr_is_ok(suite->open(suite->ctx, &ledger)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    ledger.close(ledger.ctx);
    suite->remove(suite->ctx);
    return 0;
}

/* What a read handed out, copied. */
struct seen {
    uint32_t n;
    struct ledger_batch batch[MANY];
    uint8_t envelope[MANY][ENVELOPE_BYTES];
};

static struct seen seen;

static void see(void *ctx, const struct ledger_batch *batch)
{
    struct seen *all = ctx;
    HR_ASSERT(all->n < MANY && batch->envelope.len_bytes <= ENVELOPE_BYTES);
    all->batch[all->n] = *batch;
    memcpy(all->envelope[all->n], batch->envelope.data, batch->envelope.len_bytes);
    all->n++;
}

static struct hr_status read_from(uint64_t from, uint32_t max_batches, size_t max_bytes)
{
    seen.n = 0;
    return ledger.read(ledger.ctx, from, max_batches, max_bytes, see, &seen);
}

static void a_new_ledger_is_empty(void **state)
{
    (void)state;
    assert_int_equal(size(), 0);
    assert_code(read_from(0, 10, 1000000), HR_NOT_FOUND);
    uint8_t digest[WIRE_DIGEST_BYTES];
    assert_code(ledger.find_digest(ledger.ctx, 1, 0, 0, digest), HR_NOT_FOUND);
    struct edge_time_anchor anchor;
    assert_code(ledger.anchor_at(ledger.ctx, 1, 1, 100, &anchor), HR_NOT_FOUND);
    uint64_t next_leaf;
    assert_code(ledger.get_hint(ledger.ctx, "kafka", &next_leaf), HR_NOT_FOUND);
}

static void leaves_are_dense_in_the_order_of_commits_and_across_opens(void **state)
{
    (void)state;
    assert_ok(commit_batches(1, 0, 0, 3));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(batches[i].leaf, i);
    }
    assert_ok(commit_batches(2, 0, 0, 1));
    assert_int_equal(batches[0].leaf, 3);
    reopen();
    assert_int_equal(size(), 4);
    assert_ok(commit_batches(1, 0, 3, MANY));
    assert_int_equal(batches[MANY - 1].leaf, 4 + MANY - 1);
    assert_int_equal(size(), 4 + MANY);
}

static void batches_are_read_back_byte_for_byte(void **state)
{
    (void)state;
    assert_ok(commit_batches(UINT64_MAX, UINT32_MAX, WIRE_SEQ_NONE - 5, 5));
    reopen();
    assert_ok(read_from(0, 100, 1000000));
    assert_int_equal(seen.n, 5);
    for (uint32_t i = 0; i < 5; i++) {
        uint8_t bytes[ENVELOPE_BYTES];
        struct ledger_batch want =
            ledger_suite_batch(UINT64_MAX, UINT32_MAX, WIRE_SEQ_NONE - 5 + i, bytes, sizeof bytes);
        assert_int_equal(seen.batch[i].leaf, i);
        assert_true(seen.batch[i].device_id == UINT64_MAX);
        assert_int_equal(seen.batch[i].stream, UINT32_MAX);
        assert_int_equal(seen.batch[i].seq, want.seq);
        assert_true(seen.batch[i].received_utc_ms == want.received_utc_ms);
        assert_memory_equal(seen.batch[i].digest, want.digest, WIRE_DIGEST_BYTES);
        assert_int_equal(seen.batch[i].envelope.len_bytes, ENVELOPE_BYTES);
        assert_memory_equal(seen.envelope[i], bytes, ENVELOPE_BYTES);
    }
}

static void a_read_stops_at_its_bounds_and_gives_at_least_one(void **state)
{
    (void)state;
    assert_ok(commit_batches(1, 0, 0, 10));
    assert_ok(read_from(2, 3, 1000000));
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.batch[0].leaf, 2);
    assert_ok(read_from(0, 100, ENVELOPE_BYTES + 1));
    assert_int_equal(seen.n, 2);
    assert_ok(read_from(9, 100, 1));
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.batch[0].leaf, 9);
    assert_code(read_from(10, 100, 1000000), HR_NOT_FOUND);
}

static void a_digest_is_found_by_its_place_and_by_no_other(void **state)
{
    (void)state;
    assert_ok(commit_batches(7, 1, 0, 4));
    uint8_t digest[WIRE_DIGEST_BYTES];
    assert_ok(ledger.find_digest(ledger.ctx, 7, 1, 3, digest));
    assert_memory_equal(digest, batches[3].digest, WIRE_DIGEST_BYTES);
    assert_code(ledger.find_digest(ledger.ctx, 7, 1, 4, digest), HR_NOT_FOUND);
    assert_code(ledger.find_digest(ledger.ctx, 7, 0, 3, digest), HR_NOT_FOUND);
    assert_code(ledger.find_digest(ledger.ctx, 8, 1, 3, digest), HR_NOT_FOUND);
    assert_memory_equal(digest, batches[3].digest, WIRE_DIGEST_BYTES);
}

/* That the core never asks for it is the core's promise; that it would not pass is the ledger's. */
static void a_place_is_taken_once(void **state)
{
    (void)state;
    assert_ok(commit_batches(7, 0, 0, 2));
    uint8_t first[WIRE_DIGEST_BYTES];
    assert_ok(ledger.find_digest(ledger.ctx, 7, 0, 1, first));
    assert_code(commit_batches(7, 0, 1, 1), HR_IO);
    assert_code(commit_batches(7, 0, 2, 1), HR_IO); /* nothing more after a commit of unknown outcome */
    reopen();
    assert_int_equal(size(), 2);
    uint8_t digest[WIRE_DIGEST_BYTES];
    assert_ok(ledger.find_digest(ledger.ctx, 7, 0, 1, digest));
    assert_memory_equal(digest, first, WIRE_DIGEST_BYTES);
    assert_ok(commit_batches(7, 0, 2, 1));
    assert_int_equal(batches[0].leaf, 2);
}

static struct ledger_stream streams_seen[8];
static uint32_t n_streams_seen;

static void see_stream(void *ctx, const struct ledger_stream *stream)
{
    (void)ctx;
    HR_ASSERT(n_streams_seen < HR_ARRAY_LEN(streams_seen));
    streams_seen[n_streams_seen++] = *stream;
}

static void the_last_state_of_a_stream_is_loaded(void **state)
{
    (void)state;
    struct ledger_stream rows[2] = {{.device_id = UINT64_MAX - 1,
                                     .stream = 3,
                                     .cum_seq = WIRE_SEQ_NONE - 1,
                                     .next_record_seq = (UINT64_C(1) << 48) + 65535,
                                     .key_epoch = 65535,
                                     .boot_id = UINT32_MAX,
                                     .lost_batches = UINT64_MAX,
                                     .lost_records = UINT64_MAX - 7},
                                    {.device_id = 1, .stream = 0, .cum_seq = WIRE_SEQ_NONE}};
    memset(rows[0].cum_digest, 0xA5, WIRE_DIGEST_BYTES);
    struct ledger_commit change = {.streams = &rows[1], .n_streams = 1};
    assert_ok(ledger.commit(ledger.ctx, &change));
    rows[1].cum_seq = 4;
    change.streams = rows;
    change.n_streams = 2;
    assert_ok(ledger.commit(ledger.ctx, &change));
    reopen();
    n_streams_seen = 0;
    assert_ok(ledger.load_streams(ledger.ctx, see_stream, NULL));
    assert_int_equal(n_streams_seen, 2);
    const struct ledger_stream *wide = &streams_seen[streams_seen[0].device_id == 1 ? 1 : 0];
    assert_true(wide->device_id == rows[0].device_id && wide->lost_batches == UINT64_MAX);
    assert_true(wide->lost_records == UINT64_MAX - 7 && wide->next_record_seq == rows[0].next_record_seq);
    assert_int_equal(wide->cum_seq, rows[0].cum_seq);
    assert_int_equal(wide->stream, 3);
    assert_int_equal(wide->key_epoch, 65535);
    assert_int_equal(wide->boot_id, UINT32_MAX);
    assert_memory_equal(wide->cum_digest, rows[0].cum_digest, WIRE_DIGEST_BYTES);
    assert_int_equal(streams_seen[streams_seen[0].device_id == 1 ? 0 : 1].cum_seq, 4);
}

static struct ledger_device devices_seen[4];
static uint32_t n_devices_seen;

static void see_device(void *ctx, const struct ledger_device *device)
{
    (void)ctx;
    HR_ASSERT(n_devices_seen < HR_ARRAY_LEN(devices_seen));
    devices_seen[n_devices_seen++] = *device;
}

static struct ledger_device device_with_keys(uint64_t device_id, uint16_t n_keys)
{
    struct ledger_device device = {.device_id = device_id,
                                   .name = "gw1",
                                   .tenant = "harbour",
                                   .state = LEDGER_DEVICE_QUARANTINED,
                                   .revision = 9,
                                   .reason = "fork",
                                   .n_keys = n_keys};
    for (uint16_t i = 0; i < n_keys; i++) {
        device.keys[i] = (struct ledger_key){.epoch = (uint16_t)(i + 1),
                                             .spki_len_bytes = LEDGER_SPKI_MAX_BYTES,
                                             .from_stream = i,
                                             .from_seq = 10u + i,
                                             .to_stream = UINT32_MAX,
                                             .to_seq = UINT32_MAX - i,
                                             .revoked = i == 1};
        memset(device.keys[i].spki, 0x30 + i, LEDGER_SPKI_MAX_BYTES);
    }
    return device;
}

static void devices_are_loaded_with_all_their_keys(void **state)
{
    (void)state;
    struct ledger_device rows[2] = {device_with_keys(5, 0),
                                    device_with_keys(UINT64_MAX, LEDGER_DEVICE_MAX_KEYS)};
    struct ledger_commit change = {.devices = rows, .n_devices = 2};
    assert_ok(ledger.commit(ledger.ctx, &change));
    reopen();
    n_devices_seen = 0;
    assert_ok(ledger.load_devices(ledger.ctx, see_device, NULL));
    assert_int_equal(n_devices_seen, 2);
    const struct ledger_device *full = &devices_seen[devices_seen[0].device_id == 5 ? 1 : 0];
    assert_true(full->device_id == UINT64_MAX);
    assert_string_equal(full->name, "gw1");
    assert_string_equal(full->tenant, "harbour");
    assert_string_equal(full->reason, "fork");
    assert_int_equal(full->state, LEDGER_DEVICE_QUARANTINED);
    assert_int_equal(full->revision, 9);
    assert_int_equal(full->n_keys, LEDGER_DEVICE_MAX_KEYS);
    for (uint32_t i = 0; i < LEDGER_DEVICE_MAX_KEYS; i++) {
        assert_memory_equal(&full->keys[i].spki, &rows[1].keys[i].spki, LEDGER_SPKI_MAX_BYTES);
        assert_int_equal(full->keys[i].epoch, rows[1].keys[i].epoch);
        assert_int_equal(full->keys[i].from_stream, rows[1].keys[i].from_stream);
        assert_int_equal(full->keys[i].from_seq, rows[1].keys[i].from_seq);
        assert_int_equal(full->keys[i].to_stream, rows[1].keys[i].to_stream);
        assert_int_equal(full->keys[i].to_seq, rows[1].keys[i].to_seq);
        assert_int_equal(full->keys[i].revoked, rows[1].keys[i].revoked);
    }
    assert_int_equal(devices_seen[devices_seen[0].device_id == 5 ? 0 : 1].n_keys, 0);
}

static struct hr_status commit_anchor(uint32_t seq, uint32_t boot_id, uint64_t utc_ms)
{
    batches[0] = ledger_suite_batch(3, 0, seq, envelopes[0], ENVELOPE_BYTES);
    struct ledger_anchor anchor = {
        .device_id = 3,
        .anchor = {.boot_id = boot_id, .uptime_ms = 10, .utc_ms = utc_ms, .err_ms = 25, .source = 2}};
    struct ledger_commit change = {.batches = batches, .n_batches = 1, .anchors = &anchor, .n_anchors = 1};
    return ledger.commit(ledger.ctx, &change);
}

static void the_newest_anchor_up_to_a_leaf_is_found(void **state)
{
    (void)state;
    assert_ok(commit_anchor(0, 1, 1000));  /* leaf 0 */
    assert_ok(commit_batches(3, 0, 1, 2)); /* leaves 1, 2 */
    assert_ok(commit_anchor(3, 1, 4000));  /* leaf 3 */
    assert_ok(commit_anchor(4, 2, 5000));  /* leaf 4, another boot */
    struct edge_time_anchor anchor;
    assert_ok(ledger.anchor_at(ledger.ctx, 3, 1, 0, &anchor));
    assert_int_equal(anchor.utc_ms, 1000);
    assert_ok(ledger.anchor_at(ledger.ctx, 3, 1, 2, &anchor));
    assert_int_equal(anchor.utc_ms, 1000);
    assert_ok(ledger.anchor_at(ledger.ctx, 3, 1, 100, &anchor));
    assert_int_equal(anchor.utc_ms, 4000);
    assert_int_equal(anchor.boot_id, 1);
    assert_int_equal(anchor.uptime_ms, 10);
    assert_int_equal(anchor.err_ms, 25);
    assert_int_equal(anchor.source, 2);
    assert_code(ledger.anchor_at(ledger.ctx, 3, 2, 3, &anchor), HR_NOT_FOUND);
    assert_code(ledger.anchor_at(ledger.ctx, 4, 1, 100, &anchor), HR_NOT_FOUND);
}

static void a_hint_is_kept_for_each_sink(void **state)
{
    (void)state;
    assert_ok(ledger.set_hint(ledger.ctx, "kafka", 17));
    assert_ok(ledger.set_hint(ledger.ctx, "files", 4));
    assert_ok(ledger.set_hint(ledger.ctx, "kafka", 18));
    uint64_t next_leaf = 0;
    assert_ok(ledger.get_hint(ledger.ctx, "kafka", &next_leaf));
    assert_int_equal(next_leaf, 18);
    reopen();
    assert_ok(ledger.get_hint(ledger.ctx, "kafka", &next_leaf));
    assert_int_equal(next_leaf, 18);
    assert_ok(ledger.get_hint(ledger.ctx, "files", &next_leaf));
    assert_int_equal(next_leaf, 4);
    assert_code(ledger.get_hint(ledger.ctx, "other", &next_leaf), HR_NOT_FOUND);
}

static void the_origin_is_made_once_and_is_its_own(void **state)
{
    (void)state;
    char first[64];
    (void)snprintf(first, sizeof first, "%s", ledger.origin(ledger.ctx));
    assert_int_equal(strlen(first), 32);
    assert_int_equal(strspn(first, "0123456789abcdef"), 32);
    reopen();
    assert_string_equal(ledger.origin(ledger.ctx), first);
    ledger.close(ledger.ctx);
    suite->remove(suite->ctx);
    suite->make(suite->ctx);
    assert_ok(suite->open(suite->ctx, &ledger));
    assert_string_not_equal(ledger.origin(ledger.ctx), first);
}

static void a_writer_that_was_taken_over_commits_nothing_any_more(void **state)
{
    (void)state;
    assert_ok(commit_batches(1, 0, 0, 2));
    suite->take_over(suite->ctx);
    assert_code(commit_batches(1, 0, 2, 1), HR_DENIED);
    assert_true(batches[0].leaf == UINT64_MAX);
    assert_code(commit_batches(1, 0, 2, 1), HR_DENIED);
    assert_int_equal(size(), 2);
    reopen();
    assert_int_equal(size(), 2);
    assert_ok(commit_batches(1, 0, 2, 1));
}

static void a_change_is_all_or_nothing(void **state)
{
    (void)state;
    assert_ok(commit_batches(1, 0, 0, 1));
    for (uint32_t i = 0; i < 3; i++) {
        batches[i] = ledger_suite_batch(2, 0, i == 2 ? 1 : i, envelopes[i], ENVELOPE_BYTES); /* 1 twice */
    }
    struct ledger_stream row = {.device_id = 2, .cum_seq = 1};
    struct ledger_device device = device_with_keys(2, 1);
    struct ledger_commit change = {.batches = batches,
                                   .n_batches = 3,
                                   .streams = &row,
                                   .n_streams = 1,
                                   .devices = &device,
                                   .n_devices = 1};
    assert_code(ledger.commit(ledger.ctx, &change), HR_IO);
    reopen();
    assert_int_equal(size(), 1);
    n_streams_seen = n_devices_seen = 0;
    assert_ok(ledger.load_streams(ledger.ctx, see_stream, NULL));
    assert_ok(ledger.load_devices(ledger.ctx, see_device, NULL));
    assert_int_equal(n_streams_seen + n_devices_seen, 0);
    assert_code(read_from(1, 10, 100000), HR_NOT_FOUND);
}

static void see_and_ask(void *ctx, const struct ledger_batch *batch)
{
    struct edge_time_anchor anchor;
    assert_ok(ledger.anchor_at(ledger.ctx, 3, 1, batch->leaf, &anchor));
    (*(uint32_t *)ctx)++;
}

static void an_anchor_may_be_asked_for_while_reading(void **state)
{
    (void)state;
    assert_ok(commit_anchor(0, 1, 1000));
    assert_ok(commit_anchor(1, 1, 2000));
    uint32_t n = 0;
    assert_ok(ledger.read(ledger.ctx, 0, 10, 100000, see_and_ask, &n));
    assert_int_equal(n, 2);
}

#define SUITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int ledger_suite_run(const struct ledger_suite *which)
{
    suite = which;
    const struct CMUnitTest tests[] = {
        SUITE_TEST(a_new_ledger_is_empty),
        SUITE_TEST(leaves_are_dense_in_the_order_of_commits_and_across_opens),
        SUITE_TEST(batches_are_read_back_byte_for_byte),
        SUITE_TEST(a_read_stops_at_its_bounds_and_gives_at_least_one),
        SUITE_TEST(a_digest_is_found_by_its_place_and_by_no_other),
        SUITE_TEST(a_place_is_taken_once),
        SUITE_TEST(the_last_state_of_a_stream_is_loaded),
        SUITE_TEST(devices_are_loaded_with_all_their_keys),
        SUITE_TEST(the_newest_anchor_up_to_a_leaf_is_found),
        SUITE_TEST(a_hint_is_kept_for_each_sink),
        SUITE_TEST(the_origin_is_made_once_and_is_its_own),
        SUITE_TEST(a_writer_that_was_taken_over_commits_nothing_any_more),
        SUITE_TEST(a_change_is_all_or_nothing),
        SUITE_TEST(an_anchor_may_be_asked_for_while_reading),
    };
    return cmocka_run_group_tests_name(which->name, tests, NULL, NULL);
}
