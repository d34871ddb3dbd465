/* SPDX-License-Identifier: Apache-2.0
 *
 * The second part: streams, devices, anchors, hints, evidence, and that a change is one. */
#include "tests/support/ledger_lab.h"

#include "proto/base/assert.h"
#include "tests/support/test_random.h"

#include <string.h>

static struct ledger *const ledger = &ledger_lab.ledger;
static struct ledger_batch *const batches = ledger_lab.batches;

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
    assert_ok(ledger->commit(ledger->ctx, &change));
    rows[1].cum_seq = 4;
    change.streams = rows;
    change.n_streams = 2;
    assert_ok(ledger->commit(ledger->ctx, &change));
    ledger_lab_reopen();
    n_streams_seen = 0;
    assert_ok(ledger->load_streams(ledger->ctx, see_stream, NULL));
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
                                   .n_keys = n_keys,
                                   .wants_key = n_keys > 0,
                                   .wants_transport =
                                       n_keys > 0 ? LEDGER_TRANSPORT_OF_ANY : LEDGER_TRANSPORT_NOT};
    for (uint16_t i = 0; i < n_keys; i++) {
        device.keys[i] = (struct ledger_key){.epoch = (uint16_t)(i + 1),
                                             .spki_len_bytes = LEDGER_SPKI_MAX_BYTES,
                                             .from_stream = i,
                                             .from_seq = 10u + i,
                                             .to_stream = UINT32_MAX,
                                             .to_seq = UINT32_MAX - i,
                                             .revoked = i == 1,
                                             .since_utc_ms = 1700000000000 + i};
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
    assert_ok(ledger->commit(ledger->ctx, &change));
    ledger_lab_reopen();
    n_devices_seen = 0;
    assert_ok(ledger->load_devices(ledger->ctx, see_device, NULL));
    assert_int_equal(n_devices_seen, 2);
    const struct ledger_device *full = &devices_seen[devices_seen[0].device_id == 5 ? 1 : 0];
    assert_true(full->device_id == UINT64_MAX);
    assert_string_equal(full->name, "gw1");
    assert_string_equal(full->tenant, "harbour");
    assert_string_equal(full->reason, "fork");
    assert_int_equal(full->state, LEDGER_DEVICE_QUARANTINED);
    assert_int_equal(full->revision, 9);
    assert_int_equal(full->n_keys, LEDGER_DEVICE_MAX_KEYS);
    assert_true(full->wants_key && full->wants_transport == LEDGER_TRANSPORT_OF_ANY);
    assert_false(devices_seen[devices_seen[0].device_id == 5 ? 0 : 1].wants_key);
    assert_false(devices_seen[devices_seen[0].device_id == 5 ? 0 : 1].wants_transport);
    for (uint32_t i = 0; i < LEDGER_DEVICE_MAX_KEYS; i++) {
        assert_memory_equal(&full->keys[i].spki, &rows[1].keys[i].spki, LEDGER_SPKI_MAX_BYTES);
        assert_int_equal(full->keys[i].epoch, rows[1].keys[i].epoch);
        assert_int_equal(full->keys[i].from_stream, rows[1].keys[i].from_stream);
        assert_int_equal(full->keys[i].from_seq, rows[1].keys[i].from_seq);
        assert_int_equal(full->keys[i].to_stream, rows[1].keys[i].to_stream);
        assert_int_equal(full->keys[i].to_seq, rows[1].keys[i].to_seq);
        assert_int_equal(full->keys[i].revoked, rows[1].keys[i].revoked);
        assert_int_equal(full->keys[i].since_utc_ms, rows[1].keys[i].since_utc_ms);
        assert_true(full->keys[i].since_utc_ms != 0);
    }
    assert_int_equal(devices_seen[devices_seen[0].device_id == 5 ? 0 : 1].n_keys, 0);
}

static struct hr_status commit_anchor(uint32_t seq, uint32_t boot_id, uint64_t utc_ms)
{
    batches[0] = ledger_suite_batch(3, 0, seq, ledger_lab.envelopes[0], LAB_ENVELOPE_BYTES);
    struct ledger_anchor anchor = {
        .device_id = 3,
        .anchor = {.boot_id = boot_id, .uptime_ms = 10, .utc_ms = utc_ms, .err_ms = 25, .source = 2}};
    struct ledger_commit change = {.batches = batches, .n_batches = 1, .anchors = &anchor, .n_anchors = 1};
    return ledger->commit(ledger->ctx, &change);
}

struct stream_seen {
    uint32_t n;
    uint32_t seqs[128];
    bool is_other;
};

static void see_of_stream(void *ctx, const struct ledger_batch *batch)
{
    struct stream_seen *seen = ctx;
    seen->is_other = seen->is_other || batch->device_id != 3 || batch->stream != 0 ||
                     batch->envelope.len_bytes != LAB_ENVELOPE_BYTES;
    seen->seqs[seen->n++] = batch->seq;
}

static void a_stream_is_read_by_range(void **state)
{
    (void)state;
    const struct ledger_range range = {.device_id = 3, .stream = 0, .from_seq = 1, .to_seq = 99};
    const struct ledger_range nothing = {.device_id = 9, .stream = 0, .from_seq = 0, .to_seq = 99};
    struct stream_seen seen = {0};
    for (uint32_t seq = 0; seq < 110; seq++) {
        if (seq != 50) { /* lost */
            assert_ok(ledger_lab_commit(3, 0, seq, 1));
            assert_ok(ledger_lab_commit(4, 0, seq, 1));
        }
    }
    assert_ok(ledger->read_stream(ledger->ctx, &range, see_of_stream, &seen));
    assert_int_equal(seen.n, 98);
    for (uint32_t i = 0; i < seen.n; i++) {
        assert_int_equal(seen.seqs[i], i < 49 ? i + 1 : i + 2);
    }
    assert_false(seen.is_other);
    assert_ok(ledger->read_stream(ledger->ctx, &nothing, see_of_stream, &seen));
    assert_int_equal(seen.n, 98);
}

static void the_newest_anchor_up_to_a_leaf_is_found(void **state)
{
    (void)state;
    assert_ok(commit_anchor(0, 1, 1000));     /* leaf 0 */
    assert_ok(ledger_lab_commit(3, 0, 1, 2)); /* leaves 1, 2 */
    assert_ok(commit_anchor(3, 1, 4000));     /* leaf 3 */
    assert_ok(commit_anchor(4, 2, 5000));     /* leaf 4, another boot */
    struct edge_time_anchor anchor;
    assert_ok(ledger->anchor_at(ledger->ctx, 3, 1, 0, &anchor));
    assert_int_equal(anchor.utc_ms, 1000);
    assert_ok(ledger->anchor_at(ledger->ctx, 3, 1, 2, &anchor));
    assert_int_equal(anchor.utc_ms, 1000);
    assert_ok(ledger->anchor_at(ledger->ctx, 3, 1, 100, &anchor));
    assert_int_equal(anchor.utc_ms, 4000);
    assert_int_equal(anchor.boot_id, 1);
    assert_int_equal(anchor.uptime_ms, 10);
    assert_int_equal(anchor.err_ms, 25);
    assert_int_equal(anchor.source, 2);
    assert_code(ledger->anchor_at(ledger->ctx, 3, 2, 3, &anchor), HR_NOT_FOUND);
    assert_code(ledger->anchor_at(ledger->ctx, 4, 1, 100, &anchor), HR_NOT_FOUND);
}

/* What the ledger must say of anchors, kept beside it. */
enum { N_ANCHORED = 150, ANCHOR_DEVICES = 3, ANCHOR_BOOTS = 2 };

static struct ledger_anchor anchors_made[N_ANCHORED]; /* batch_index: the leaf */
static uint32_t n_anchors_made;

static const struct edge_time_anchor *anchor_wanted(uint64_t device_id, uint32_t boot_id, uint64_t leaf)
{
    const struct edge_time_anchor *newest = NULL;
    for (uint32_t i = 0; i < n_anchors_made && anchors_made[i].batch_index <= leaf; i++) {
        bool is_it = anchors_made[i].device_id == device_id && anchors_made[i].anchor.boot_id == boot_id;
        newest = is_it ? &anchors_made[i].anchor : newest;
    }
    return newest;
}

/* As a publisher asks, of the batch's own device, and of all others. */
static void ask_for_all_anchors(void *ctx, const struct ledger_batch *batch)
{
    for (uint64_t device_id = 1; device_id <= ANCHOR_DEVICES; device_id++) {
        for (uint32_t boot_id = 1; boot_id <= ANCHOR_BOOTS; boot_id++) {
            struct edge_time_anchor got = {0};
            const struct edge_time_anchor *want = anchor_wanted(device_id, boot_id, batch->leaf);
            assert_code(ledger->anchor_at(ledger->ctx, device_id, boot_id, batch->leaf, &got),
                        want == NULL ? HR_NOT_FOUND : HR_OK);
            assert_true(want == NULL || (got.utc_ms == want->utc_ms && got.boot_id == boot_id));
        }
    }
    *(uint64_t *)ctx = batch->leaf + 1;
}

static void anchors_are_right_for_each_batch_wherever_a_reader_begins(void **state)
{
    (void)state;
    struct test_random random = test_random_start(31);
    n_anchors_made = 0;
    for (uint32_t leaf = 0; leaf < N_ANCHORED; leaf++) {
        uint64_t device_id = 1 + test_random_below(&random, ANCHOR_DEVICES);
        batches[0] = ledger_suite_batch(device_id, 0, leaf, ledger_lab.envelopes[0], LAB_ENVELOPE_BYTES);
        struct ledger_anchor anchor = {
            .device_id = device_id,
            .anchor = {.boot_id = 1 + test_random_below(&random, ANCHOR_BOOTS), .utc_ms = 1000 + leaf}};
        bool has_anchor = test_random_below(&random, 4) == 0;
        struct ledger_commit change = {
            .batches = batches, .n_batches = 1, .anchors = &anchor, .n_anchors = has_anchor ? 1 : 0};
        assert_ok(ledger->commit(ledger->ctx, &change));
        anchors_made[n_anchors_made] = anchor;
        anchors_made[n_anchors_made].batch_index = leaf;
        n_anchors_made += has_anchor ? 1 : 0;
    }
    for (uint32_t i = 0; i < 40; i++) {
        uint64_t next = test_random_below(&random, N_ANCHORED);
        uint64_t end = next + test_random_below(&random, N_ANCHORED);
        while (next < N_ANCHORED && next < end) {
            /* Bounded by bytes, too: then a reader has seen more than it handed out. */
            size_t max_bytes = LAB_ENVELOPE_BYTES * (1 + (size_t)test_random_below(&random, 50));
            assert_ok(ledger->read(ledger->ctx, next, 1 + test_random_below(&random, 60), max_bytes,
                                   ask_for_all_anchors, &next));
        }
    }
}

static void a_hint_is_kept_for_each_sink(void **state)
{
    (void)state;
    assert_ok(ledger->set_hint(ledger->ctx, "kafka", 17));
    assert_ok(ledger->set_hint(ledger->ctx, "files", 4));
    assert_ok(ledger->set_hint(ledger->ctx, "kafka", 18));
    uint64_t next_leaf = 0;
    assert_ok(ledger->get_hint(ledger->ctx, "kafka", &next_leaf));
    assert_int_equal(next_leaf, 18);
    ledger_lab_reopen();
    assert_ok(ledger->get_hint(ledger->ctx, "kafka", &next_leaf));
    assert_int_equal(next_leaf, 18);
    assert_ok(ledger->get_hint(ledger->ctx, "files", &next_leaf));
    assert_int_equal(next_leaf, 4);
    assert_code(ledger->get_hint(ledger->ctx, "other", &next_leaf), HR_NOT_FOUND);
}

static void a_change_is_all_or_nothing(void **state)
{
    (void)state;
    assert_ok(ledger_lab_commit(1, 0, 0, 1));
    for (uint32_t i = 0; i < 3; i++) {
        batches[i] = ledger_suite_batch(2, 0, i == 2 ? 1 : i, ledger_lab.envelopes[i],
                                        LAB_ENVELOPE_BYTES); /* 1 twice */
    }
    struct ledger_stream row = {.device_id = 2, .cum_seq = 1};
    struct ledger_device device = device_with_keys(2, 1);
    struct ledger_commit change = {.batches = batches,
                                   .n_batches = 3,
                                   .streams = &row,
                                   .n_streams = 1,
                                   .devices = &device,
                                   .n_devices = 1};
    assert_code(ledger->commit(ledger->ctx, &change), HR_IO);
    ledger_lab_reopen();
    assert_int_equal(ledger_lab_size(), 1);
    n_streams_seen = n_devices_seen = 0;
    assert_ok(ledger->load_streams(ledger->ctx, see_stream, NULL));
    assert_ok(ledger->load_devices(ledger->ctx, see_device, NULL));
    assert_int_equal(n_streams_seen + n_devices_seen, 0);
    struct edge_time_anchor anchor;
    assert_code(ledger->anchor_at(ledger->ctx, 2, 1, 100, &anchor), HR_NOT_FOUND);
    uint8_t digest[WIRE_DIGEST_BYTES];
    assert_code(ledger->find_digest(ledger->ctx, 2, 0, 0, digest), HR_NOT_FOUND);
}

static void see_and_ask(void *ctx, const struct ledger_batch *batch)
{
    struct edge_time_anchor anchor;
    assert_ok(ledger->anchor_at(ledger->ctx, 3, 1, batch->leaf, &anchor));
    (*(uint32_t *)ctx)++;
}

static void an_anchor_may_be_asked_for_while_reading(void **state)
{
    (void)state;
    assert_ok(commit_anchor(0, 1, 1000));
    assert_ok(commit_anchor(1, 1, 2000));
    uint32_t n = 0;
    assert_ok(ledger->read(ledger->ctx, 0, 10, 100000, see_and_ask, &n));
    assert_int_equal(n, 2);
}

static struct hr_bytes evidence(void)
{
    memset(ledger_lab.envelopes[0], 0x42, LAB_ENVELOPE_BYTES);
    return hr_bytes_of(ledger_lab.envelopes[0], LAB_ENVELOPE_BYTES);
}

static void see_conflict(void *ctx, const struct ledger_conflict *row)
{
    assert_string_equal(row->kind, "fork");
    assert_true(row->device_id == 1);
    assert_int_equal(row->stream, 2);
    assert_int_equal(row->seq, 3);
    assert_true(row->received_utc_ms == 4);
    assert_int_equal(row->known_digest[31], 0xEE);
    assert_int_equal(row->envelope.len_bytes, LAB_ENVELOPE_BYTES);
    assert_memory_equal(row->envelope.data, ledger_lab.envelopes[0], LAB_ENVELOPE_BYTES);
    (*(uint32_t *)ctx)++;
}

static void see_loss(void *ctx, const struct ledger_loss *row)
{
    assert_true(row->device_id == 1);
    assert_int_equal(row->stream, 2);
    assert_int_equal(row->loss.from_seq, 5);
    assert_int_equal(row->loss.to_seq, 9);
    assert_true(row->loss.first_record_seq == UINT64_C(1) << 40);
    assert_int_equal(row->loss.n_records, 77);
    assert_int_equal(row->loss.reason, EDGE_LOSS_DAMAGED);
    assert_int_equal(row->loss.last_digest[0], 0xDD);
    assert_int_equal(row->envelope.len_bytes, LAB_ENVELOPE_BYTES);
    (*(uint32_t *)ctx)++;
}

static void evidence_is_kept_and_read_by_device(void **state)
{
    (void)state;
    struct ledger_conflict conflict = {
        .device_id = 1, .stream = 2, .seq = 3, .kind = "fork", .received_utc_ms = 4, .envelope = evidence()};
    conflict.known_digest[31] = 0xEE;
    struct ledger_loss loss = {.device_id = 1,
                               .stream = 2,
                               .loss = {.from_seq = 5,
                                        .to_seq = 9,
                                        .first_record_seq = UINT64_C(1) << 40,
                                        .n_records = 77,
                                        .reason = EDGE_LOSS_DAMAGED},
                               .envelope = evidence()};
    loss.loss.last_digest[0] = 0xDD;
    struct ledger_commit change = {.conflicts = &conflict, .n_conflicts = 1, .losses = &loss, .n_losses = 1};
    assert_ok(ledger->commit(ledger->ctx, &change));
    ledger_lab_reopen();
    uint32_t n = 0;
    assert_ok(ledger->conflicts(ledger->ctx, 1, see_conflict, &n));
    assert_ok(ledger->conflicts(ledger->ctx, 0, see_conflict, &n));
    assert_ok(ledger->conflicts(ledger->ctx, 2, see_conflict, &n));
    assert_ok(ledger->losses(ledger->ctx, 1, see_loss, &n));
    assert_ok(ledger->losses(ledger->ctx, 2, see_loss, &n));
    assert_int_equal(n, 3);
}

int ledger_suite_run_state(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(the_last_state_of_a_stream_is_loaded),
        SUITE_TEST(devices_are_loaded_with_all_their_keys),
        SUITE_TEST(a_stream_is_read_by_range),
        SUITE_TEST(the_newest_anchor_up_to_a_leaf_is_found),
        SUITE_TEST(an_anchor_may_be_asked_for_while_reading),
        SUITE_TEST(anchors_are_right_for_each_batch_wherever_a_reader_begins),
        SUITE_TEST(a_hint_is_kept_for_each_sink),
        SUITE_TEST(a_change_is_all_or_nothing),
        SUITE_TEST(evidence_is_kept_and_read_by_device),
    };
    return cmocka_run_group_tests_name("ledger suite, state", tests, NULL, NULL);
}
