/* SPDX-License-Identifier: Apache-2.0
 *
 * The first part: batches, their order, and who may write. */
#include "tests/support/ledger_lab.h"

#include "proto/base/assert.h"
#include "tests/support/test_hash.h"

#include <stdio.h>
#include <string.h>

struct ledger_lab ledger_lab;

static struct ledger *const ledger = &ledger_lab.ledger;
static struct ledger_batch *const batches = ledger_lab.batches;

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

struct hr_status ledger_lab_commit(uint64_t device_id, uint32_t stream, uint32_t first_seq, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        batches[i] =
            ledger_suite_batch(device_id, stream, first_seq + i, ledger_lab.envelopes[i], LAB_ENVELOPE_BYTES);
    }
    struct ledger_commit change = {.batches = batches, .n_batches = n};
    return ledger->commit(ledger->ctx, &change);
}

void ledger_lab_reopen(void)
{
    ledger->close(ledger->ctx);
    assert_ok(ledger_lab.suite->open(ledger_lab.suite->ctx, ledger));
}

uint64_t ledger_lab_size(void)
{
    uint64_t n_leaves = UINT64_MAX;
    assert_ok(ledger->size(ledger->ctx, &n_leaves));
    return n_leaves;
}

int ledger_lab_set_up(void **state)
{
    (void)state;
    const struct ledger_suite *suite = ledger_lab.suite;
    suite->make(suite->ctx);
    return hr_is_ok(suite->open(suite->ctx, ledger)) ? 0 : -1;
}

int ledger_lab_tear_down(void **state)
{
    (void)state;
    ledger->close(ledger->ctx);
    ledger_lab.suite->remove(ledger_lab.suite->ctx);
    return 0;
}

/* What a read handed out, copied. */
struct seen {
    uint32_t n;
    struct ledger_batch batch[LAB_MANY];
    uint8_t envelope[LAB_MANY][LAB_ENVELOPE_BYTES];
};

static struct seen seen;

static void see(void *ctx, const struct ledger_batch *batch)
{
    struct seen *all = ctx;
    HR_ASSERT(all->n < LAB_MANY && batch->envelope.len_bytes <= LAB_ENVELOPE_BYTES);
    all->batch[all->n] = *batch;
    memcpy(all->envelope[all->n], batch->envelope.data, batch->envelope.len_bytes);
    all->n++;
}

static struct hr_status read_from(uint64_t from, uint32_t max_batches, size_t max_bytes)
{
    seen.n = 0;
    return ledger->read(ledger->ctx, from, max_batches, max_bytes, see, &seen);
}

static void a_new_ledger_is_empty(void **state)
{
    (void)state;
    assert_int_equal(ledger_lab_size(), 0);
    assert_code(read_from(0, 10, 1000000), HR_NOT_FOUND);
    uint8_t digest[WIRE_DIGEST_BYTES];
    assert_code(ledger->find_digest(ledger->ctx, 1, 0, 0, digest), HR_NOT_FOUND);
    struct edge_time_anchor anchor;
    assert_code(ledger->anchor_at(ledger->ctx, 1, 1, 100, &anchor), HR_NOT_FOUND);
    uint64_t next_leaf;
    assert_code(ledger->get_hint(ledger->ctx, "kafka", &next_leaf), HR_NOT_FOUND);
}

static void leaves_are_dense_in_the_order_of_commits_and_across_opens(void **state)
{
    (void)state;
    assert_ok(ledger_lab_commit(1, 0, 0, 3));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(batches[i].leaf, i);
    }
    assert_ok(ledger_lab_commit(2, 0, 0, 1));
    assert_int_equal(batches[0].leaf, 3);
    ledger_lab_reopen();
    assert_int_equal(ledger_lab_size(), 4);
    assert_ok(ledger_lab_commit(1, 0, 3, LAB_MANY));
    assert_int_equal(batches[LAB_MANY - 1].leaf, 4 + LAB_MANY - 1);
    assert_int_equal(ledger_lab_size(), 4 + LAB_MANY);
}

static void batches_are_read_back_byte_for_byte(void **state)
{
    (void)state;
    assert_ok(ledger_lab_commit(UINT64_MAX, UINT32_MAX, WIRE_SEQ_NONE - 5, 5));
    ledger_lab_reopen();
    assert_ok(read_from(0, 100, 1000000));
    assert_int_equal(seen.n, 5);
    for (uint32_t i = 0; i < 5; i++) {
        uint8_t bytes[LAB_ENVELOPE_BYTES];
        struct ledger_batch want =
            ledger_suite_batch(UINT64_MAX, UINT32_MAX, WIRE_SEQ_NONE - 5 + i, bytes, sizeof bytes);
        assert_int_equal(seen.batch[i].leaf, i);
        assert_true(seen.batch[i].device_id == UINT64_MAX);
        assert_int_equal(seen.batch[i].stream, UINT32_MAX);
        assert_int_equal(seen.batch[i].seq, want.seq);
        assert_true(seen.batch[i].received_utc_ms == want.received_utc_ms);
        assert_memory_equal(seen.batch[i].digest, want.digest, WIRE_DIGEST_BYTES);
        assert_int_equal(seen.batch[i].envelope.len_bytes, LAB_ENVELOPE_BYTES);
        assert_memory_equal(seen.envelope[i], bytes, LAB_ENVELOPE_BYTES);
    }
}

static void a_read_stops_at_its_bounds_and_gives_at_least_one(void **state)
{
    (void)state;
    assert_ok(ledger_lab_commit(1, 0, 0, 10));
    assert_ok(read_from(2, 3, 1000000));
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.batch[0].leaf, 2);
    assert_ok(read_from(0, 100, LAB_ENVELOPE_BYTES + 1));
    assert_int_equal(seen.n, 2);
    assert_ok(read_from(9, 100, 1));
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.batch[0].leaf, 9);
    assert_code(read_from(10, 100, 1000000), HR_NOT_FOUND);
}

static void a_digest_is_found_by_its_place_and_by_no_other(void **state)
{
    (void)state;
    assert_ok(ledger_lab_commit(7, 1, 0, 4));
    uint8_t digest[WIRE_DIGEST_BYTES];
    assert_ok(ledger->find_digest(ledger->ctx, 7, 1, 3, digest));
    assert_memory_equal(digest, batches[3].digest, WIRE_DIGEST_BYTES);
    assert_code(ledger->find_digest(ledger->ctx, 7, 1, 4, digest), HR_NOT_FOUND);
    assert_code(ledger->find_digest(ledger->ctx, 7, 0, 3, digest), HR_NOT_FOUND);
    assert_code(ledger->find_digest(ledger->ctx, 8, 1, 3, digest), HR_NOT_FOUND);
    assert_memory_equal(digest, batches[3].digest, WIRE_DIGEST_BYTES);
}

/* That the core never asks for it is the core's promise; that it would not pass is the ledger's. */
static void a_place_is_taken_once(void **state)
{
    (void)state;
    assert_ok(ledger_lab_commit(7, 0, 0, 2));
    uint8_t first[WIRE_DIGEST_BYTES];
    assert_ok(ledger->find_digest(ledger->ctx, 7, 0, 1, first));
    assert_code(ledger_lab_commit(7, 0, 1, 1), HR_IO);
    assert_code(ledger_lab_commit(7, 0, 2, 1), HR_IO); /* nothing more after a commit of unknown outcome */
    ledger_lab_reopen();
    assert_int_equal(ledger_lab_size(), 2);
    uint8_t digest[WIRE_DIGEST_BYTES];
    assert_ok(ledger->find_digest(ledger->ctx, 7, 0, 1, digest));
    assert_memory_equal(digest, first, WIRE_DIGEST_BYTES);
    assert_ok(ledger_lab_commit(7, 0, 2, 1));
    assert_int_equal(batches[0].leaf, 2);
}

static void the_origin_is_made_once_and_is_its_own(void **state)
{
    (void)state;
    char first[64];
    (void)snprintf(first, sizeof first, "%s", ledger->origin(ledger->ctx));
    assert_int_equal(strlen(first), 32);
    assert_int_equal(strspn(first, "0123456789abcdef"), 32);
    ledger_lab_reopen();
    assert_string_equal(ledger->origin(ledger->ctx), first);
    ledger->close(ledger->ctx);
    ledger_lab.suite->remove(ledger_lab.suite->ctx);
    ledger_lab.suite->make(ledger_lab.suite->ctx);
    assert_ok(ledger_lab.suite->open(ledger_lab.suite->ctx, ledger));
    assert_string_not_equal(ledger->origin(ledger->ctx), first);
}

static void a_writer_that_was_taken_over_commits_nothing_any_more(void **state)
{
    (void)state;
    assert_ok(ledger_lab_commit(1, 0, 0, 2));
    assert_ok(ledger->is_writer(ledger->ctx));
    ledger_lab.suite->take_over(ledger_lab.suite->ctx);
    assert_code(ledger->is_writer(ledger->ctx), HR_DENIED);
    assert_code(ledger_lab_commit(1, 0, 2, 1), HR_DENIED);
    assert_true(batches[0].leaf == UINT64_MAX);
    assert_code(ledger_lab_commit(1, 0, 2, 1), HR_DENIED);
    assert_int_equal(ledger_lab_size(), 2);
    ledger_lab_reopen();
    assert_int_equal(ledger_lab_size(), 2);
    assert_ok(ledger_lab_commit(1, 0, 2, 1));
}

int ledger_suite_run(const struct ledger_suite *which)
{
    ledger_lab.suite = which;
    const struct CMUnitTest tests[] = {
        SUITE_TEST(a_new_ledger_is_empty),
        SUITE_TEST(leaves_are_dense_in_the_order_of_commits_and_across_opens),
        SUITE_TEST(batches_are_read_back_byte_for_byte),
        SUITE_TEST(a_read_stops_at_its_bounds_and_gives_at_least_one),
        SUITE_TEST(a_digest_is_found_by_its_place_and_by_no_other),
        SUITE_TEST(a_place_is_taken_once),
        SUITE_TEST(the_origin_is_made_once_and_is_its_own),
        SUITE_TEST(a_writer_that_was_taken_over_commits_nothing_any_more),
    };
    return cmocka_run_group_tests_name(which->name, tests, NULL, NULL) + ledger_suite_run_state() +
           ledger_suite_run_feeds() + ledger_suite_run_registry();
}
