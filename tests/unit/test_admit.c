/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core decides about a batch, row by row, with what is stored afterwards: over a real ledger. */
#include "tests/support/core_lab.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { DEVICE = 7 };

static const uint8_t zeros[WIRE_DIGEST_BYTES];

struct fixture {
    struct core_lab lab;
    struct batch_maker maker;
    struct made_batch made[40];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.maker = (struct batch_maker){.sign = NULL};
    core_lab_open(&fixture.lab, &(struct agg_limits){.max_devices = 8, .max_held = 12, .retry_after_s = 30});
    core_lab_enrol(&fixture.lab, DEVICE);
    batch_maker_start(&fixture.maker, DEVICE, 0, zeros);
    for (uint32_t i = 0; i < 40; i++) {
        batch_maker_plain(&fixture.maker, 3, 0, &fixture.made[i]);
    }
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    core_lab_close(&((struct fixture *)*state)->lab);
    return 0;
}

/* Posts batches first to last - 1 and commits them. */
static void commit(struct fixture *fixture, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last; i++) {
        assert_int_equal(core_lab_ask(&fixture->lab, &fixture->made[i]).status, WIRE_ACK_OK);
    }
}

static void assert_cum(const struct fixture *fixture, uint32_t stream, uint32_t cum_seq)
{
    struct ledger_stream row;
    assert_true(core_lab_stream(&fixture->lab, DEVICE, stream, &row));
    assert_int_equal(row.cum_seq, cum_seq);
}

/* ---- in order ---- */

static void a_first_batch_is_answered_after_its_commit_and_makes_the_device_active(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    assert_int_equal(core_lab_device(lab, DEVICE).state, LEDGER_DEVICE_ENROLLED);
    uint64_t ticket = core_lab_post(lab, &fixture->made[0]);
    assert_null(core_lab_answer(lab, ticket));
    assert_int_equal(agg_group_waiting(lab->core), 1);
    assert_ok(core_lab_flush(lab));
    const struct source_answer *answer = core_lab_answer(lab, ticket);
    core_lab_assert_ack(answer->ack, WIRE_ACK_OK, &fixture->made[0]);
    assert_int_equal(answer->max_age_s, 0);
    assert_true(answer->ack.server_utc_ms == 1700000001000);
    struct ledger_stream row;
    assert_true(core_lab_stream(lab, DEVICE, 0, &row));
    assert_int_equal(row.cum_seq, 0);
    assert_memory_equal(row.cum_digest, fixture->made[0].digest, WIRE_DIGEST_BYTES);
    assert_int_equal(row.next_record_seq, 3);
    assert_int_equal(row.key_epoch, 1);
    assert_int_equal(core_lab_device(lab, DEVICE).state, LEDGER_DEVICE_ACTIVE);
    assert_int_equal(core_lab_size(lab), 1);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_BATCHES_COMMITTED), 1);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_RECORDS_COMMITTED), 3);
    assert_int_equal(agg_answered(lab->core, WIRE_ACK_OK), 1);
}

static void batches_of_one_group_are_all_answered_with_the_newest_cum(void **state)
{
    struct fixture *fixture = *state;
    uint64_t tickets[5];
    for (uint32_t i = 0; i < 5; i++) {
        tickets[i] = core_lab_post(&fixture->lab, &fixture->made[i]);
    }
    assert_ok(core_lab_flush(&fixture->lab));
    for (uint32_t i = 0; i < 5; i++) {
        core_lab_assert_ack(core_lab_answer(&fixture->lab, tickets[i])->ack, WIRE_ACK_OK, &fixture->made[4]);
    }
    assert_int_equal(core_lab_size(&fixture->lab), 5);
    assert_cum(fixture, 0, 4);
}

static void a_stream_goes_on_after_a_restart(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 3);
    core_lab_crash(&fixture->lab);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[2]), WIRE_ACK_DUPLICATE,
                        &fixture->made[2]);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[3]), WIRE_ACK_OK, &fixture->made[3]);
    assert_int_equal(core_lab_size(&fixture->lab), 4);
}

/* ---- duplicates ---- */

static void a_durable_duplicate_is_answered_at_once_and_stored_no_second_time(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 4);
    for (uint32_t i = 0; i < 4; i++) {
        struct made_batch twin = fixture->made[i];
        twin.bytes[WIRE_HEADER_BYTES + 40] ^= 0x55; /* another signature, the same batch */
        uint64_t ticket = core_lab_post(&fixture->lab, &twin);
        assert_non_null(core_lab_answer(&fixture->lab, ticket));
        core_lab_assert_ack(core_lab_answer(&fixture->lab, ticket)->ack, WIRE_ACK_DUPLICATE,
                            &fixture->made[3]);
    }
    assert_int_equal(core_lab_size(&fixture->lab), 4);
}

static void a_duplicate_of_a_staged_batch_waits_for_its_commit(void **state)
{
    struct fixture *fixture = *state;
    (void)core_lab_post(&fixture->lab, &fixture->made[0]);
    (void)core_lab_post(&fixture->lab, &fixture->made[1]);
    uint64_t older = core_lab_post(&fixture->lab, &fixture->made[0]);
    uint64_t newest = core_lab_post(&fixture->lab, &fixture->made[1]);
    assert_null(core_lab_answer(&fixture->lab, older));
    assert_null(core_lab_answer(&fixture->lab, newest));
    assert_ok(core_lab_flush(&fixture->lab));
    core_lab_assert_ack(core_lab_answer(&fixture->lab, older)->ack, WIRE_ACK_DUPLICATE, &fixture->made[1]);
    core_lab_assert_ack(core_lab_answer(&fixture->lab, newest)->ack, WIRE_ACK_DUPLICATE, &fixture->made[1]);
    assert_int_equal(core_lab_size(&fixture->lab), 2);
}

static void a_duplicate_that_the_ledger_cannot_judge_is_unavailable(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 3);
    fixture->lab.fails_find_digest = true;
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[0]), WIRE_ACK_UNAVAILABLE,
                        &fixture->made[2]);
    assert_int_equal(agg_counter(fixture->lab.core, AGG_COUNT_LEDGER_READ_ERRORS), 1);
}

/* ---- contradictions ---- */

/* A batch like this one with other records: what a clone of the device would make. */
static struct made_batch other_content(const struct made_batch *batch)
{
    struct batch_maker maker = {.device_id = batch->header.device_id,
                                .stream = batch->header.stream,
                                .key_epoch = batch->header.key_epoch,
                                .boot_id = batch->header.boot_id,
                                .next_seq = batch->header.batch_seq,
                                .next_record_seq = batch->header.first_record_seq};
    memcpy(maker.last_digest, batch->header.prev_digest, WIRE_DIGEST_BYTES);
    struct made_batch other;
    batch_maker_plain(&maker, batch->header.n_records, 99, &other);
    return other;
}

static void assert_quarantined(struct fixture *fixture, uint32_t n_conflicts)
{
    struct ledger_device device = core_lab_device(&fixture->lab, DEVICE);
    assert_int_equal(device.state, LEDGER_DEVICE_QUARANTINED);
    assert_int_equal(core_lab_n_conflicts(&fixture->lab, DEVICE), n_conflicts);
    assert_int_equal(agg_counter(fixture->lab.core, AGG_COUNT_DEVICES_QUARANTINED), 1);
}

static void a_second_content_for_a_committed_place_is_equivocation_and_quarantine(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 3);
    struct made_batch other = other_content(&fixture->made[1]);
    core_lab_assert_ack(core_lab_ask(lab, &other), WIRE_ACK_EQUIVOCATION, &fixture->made[2]);
    assert_quarantined(fixture, 1);
    assert_string_equal(core_lab_device(lab, DEVICE).reason, "equivocation");
    /* What is committed stays; nothing new comes in, before and after a restart. */
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[3]), WIRE_ACK_QUARANTINED, &fixture->made[2]);
    core_lab_crash(lab);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[3]), WIRE_ACK_QUARANTINED, &fixture->made[2]);
    assert_int_equal(core_lab_size(lab), 3);
    assert_int_equal(core_lab_n_conflicts(lab, DEVICE), 1);
}

static void a_second_content_for_the_newest_place_is_equivocation(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 3);
    struct made_batch other = other_content(&fixture->made[2]);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &other), WIRE_ACK_EQUIVOCATION, &fixture->made[2]);
    assert_quarantined(fixture, 1);
}

static void a_second_content_in_the_same_group_is_equivocation(void **state)
{
    struct fixture *fixture = *state;
    struct made_batch other = other_content(&fixture->made[0]);
    uint64_t first = core_lab_post(&fixture->lab, &fixture->made[0]);
    uint64_t second = core_lab_post(&fixture->lab, &fixture->made[1]);
    uint64_t twin = core_lab_post(&fixture->lab, &other);
    uint64_t later = core_lab_post(&fixture->lab, &fixture->made[2]);
    assert_ok(core_lab_flush(&fixture->lab));
    core_lab_assert_ack(core_lab_answer(&fixture->lab, first)->ack, WIRE_ACK_OK, &fixture->made[1]);
    core_lab_assert_ack(core_lab_answer(&fixture->lab, second)->ack, WIRE_ACK_OK, &fixture->made[1]);
    core_lab_assert_ack(core_lab_answer(&fixture->lab, twin)->ack, WIRE_ACK_EQUIVOCATION, &fixture->made[1]);
    core_lab_assert_ack(core_lab_answer(&fixture->lab, later)->ack, WIRE_ACK_QUARANTINED, &fixture->made[1]);
    assert_quarantined(fixture, 1);
    assert_int_equal(core_lab_size(&fixture->lab), 2);
}

static void a_next_batch_that_does_not_link_is_a_fork(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 2);
    struct made_batch other = fixture->made[2];
    other.header.prev_digest[0] ^= 1;
    batch_maker_seal(&fixture->maker, &other);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &other), WIRE_ACK_FORK, &fixture->made[1]);
    assert_quarantined(fixture, 1);
    assert_int_equal(core_lab_size(&fixture->lab), 2);
    assert_int_equal(core_lab_events(&fixture->lab, AGG_EVENT_FORK), 1);
}

static void records_that_do_not_go_on_are_malformed_and_no_fork(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 2);
    for (int change = -1; change <= 1; change += 2) {
        struct made_batch wrong = fixture->made[2];
        wrong.header.first_record_seq = (uint64_t)((int64_t)wrong.header.first_record_seq + change);
        batch_maker_seal(&fixture->maker, &wrong);
        core_lab_assert_ack(core_lab_ask(&fixture->lab, &wrong), WIRE_ACK_MALFORMED, &fixture->made[1]);
    }
    assert_int_equal(core_lab_n_conflicts(&fixture->lab, DEVICE), 0);
    commit(fixture, 2, 3);
}

static void the_first_of_stream_flag_is_for_batch_zero_alone(void **state)
{
    struct fixture *fixture = *state;
    struct made_batch wrong = fixture->made[0];
    wrong.header.flags = 0;
    batch_maker_seal(&fixture->maker, &wrong);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &wrong), WIRE_ACK_MALFORMED, NULL);
    commit(fixture, 0, 1);
    wrong = fixture->made[1];
    wrong.header.flags = WIRE_FLAG_FIRST_OF_STREAM;
    batch_maker_seal(&fixture->maker, &wrong);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &wrong), WIRE_ACK_MALFORMED, &fixture->made[0]);
    commit(fixture, 1, 2);
}

/* ---- ahead of a gap ---- */

static void batches_ahead_of_a_gap_are_held_and_committed_in_order_when_it_fills(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 1);
    uint64_t third = core_lab_post(lab, &fixture->made[3]);
    uint64_t second = core_lab_post(lab, &fixture->made[2]);
    assert_ok(core_lab_flush(lab));
    assert_null(core_lab_answer(lab, second));
    assert_int_equal(agg_batches_held_now(lab->core), 2);
    uint64_t first = core_lab_post(lab, &fixture->made[1]);
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, first)->ack, WIRE_ACK_OK, &fixture->made[3]);
    core_lab_assert_ack(core_lab_answer(lab, second)->ack, WIRE_ACK_OK, &fixture->made[3]);
    core_lab_assert_ack(core_lab_answer(lab, third)->ack, WIRE_ACK_OK, &fixture->made[3]);
    assert_int_equal(core_lab_size(lab), 4);
    assert_cum(fixture, 0, 3);
}

static void a_held_batch_is_answered_gap_after_two_seconds_and_dropped_after_thirty(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 1);
    uint64_t ticket = core_lab_post(lab, &fixture->made[2]);
    uint64_t further = core_lab_post(lab, &fixture->made[5]);
    lab->now_ms += AGG_HOLD_ANSWER_MS - 1;
    agg_tick(lab->core);
    assert_null(core_lab_answer(lab, ticket));
    lab->now_ms += 1;
    agg_tick(lab->core);
    core_lab_assert_ack(core_lab_answer(lab, ticket)->ack, WIRE_ACK_GAP, &fixture->made[0]);
    assert_int_equal(core_lab_answer(lab, ticket)->ack.sack,
                     1u << 0 | 1u << 3); /* 2 and 5, cum + 2 is bit 0 */
    core_lab_assert_ack(core_lab_answer(lab, further)->ack, WIRE_ACK_GAP, &fixture->made[0]);
    /* Still held: the gap fills, both go in, and nobody is answered a second time. */
    commit(fixture, 1, 2);
    assert_int_equal(core_lab_size(lab), 3);
    assert_cum(fixture, 0, 2);
    assert_int_equal(agg_batches_held_now(lab->core), 1);
    lab->now_ms += AGG_HOLD_DROP_MS;
    agg_tick(lab->core);
    assert_int_equal(agg_batches_held_now(lab->core), 0);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_HELD_EXPIRED), 1);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[3]), WIRE_ACK_OK, &fixture->made[3]);
}

static void no_more_is_held_than_the_bounds_allow(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    for (uint32_t i = 1; i <= AGG_HELD_PER_DEVICE; i++) {
        assert_null(core_lab_answer(lab, core_lab_post(lab, &fixture->made[i])));
    }
    const struct source_answer *answer = core_lab_answer(lab, core_lab_post(lab, &fixture->made[20]));
    core_lab_assert_ack(answer->ack, WIRE_ACK_GAP, NULL);
    assert_int_equal(answer->ack.sack, 0xFF);
    /* 12 places in all: four are left for the next device. */
    core_lab_enrol(lab, 8);
    struct batch_maker maker = {.sign = NULL};
    struct made_batch batch;
    batch_maker_start(&maker, 8, 0, zeros);
    batch_maker_plain(&maker, 1, 0, &batch);
    for (uint32_t i = 0; i < 5; i++) {
        batch_maker_plain(&maker, 1, 0, &batch);
        uint64_t ticket = core_lab_post(lab, &batch);
        assert_int_equal(core_lab_answer(lab, ticket) != NULL, i == 4);
    }
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_HOLD_FULL), 2);
    assert_int_equal(agg_batches_held_now(lab->core), 12);
}

static void what_no_sack_bit_can_tell_of_is_not_held(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 1);
    assert_null(core_lab_answer(lab, core_lab_post(lab, &fixture->made[33]))); /* cum + 33: bit 31 */
    const struct source_answer *answer = core_lab_answer(lab, core_lab_post(lab, &fixture->made[34]));
    core_lab_assert_ack(answer->ack, WIRE_ACK_GAP, &fixture->made[0]);
    assert_int_equal(answer->ack.sack, 1u << 31);
}

static void a_twin_of_a_held_batch_is_answered_gap_or_equivocation(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 1);
    uint64_t held = core_lab_post(lab, &fixture->made[2]);
    uint64_t same = core_lab_post(lab, &fixture->made[2]);
    core_lab_assert_ack(core_lab_answer(lab, same)->ack, WIRE_ACK_GAP, &fixture->made[0]);
    assert_int_equal(core_lab_answer(lab, same)->ack.sack, 1);
    struct made_batch other = other_content(&fixture->made[2]);
    uint64_t twin = core_lab_post(lab, &other);
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, held)->ack, WIRE_ACK_EQUIVOCATION, &fixture->made[0]);
    core_lab_assert_ack(core_lab_answer(lab, twin)->ack, WIRE_ACK_EQUIVOCATION, &fixture->made[0]);
    assert_quarantined(fixture, 2); /* each is evidence against the other */
}

static void a_held_batch_that_does_not_link_forks_when_its_turn_comes(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 1);
    struct made_batch other = other_content(&fixture->made[1]);
    uint64_t ahead = core_lab_post(lab, &fixture->made[2]);
    uint64_t further = core_lab_post(lab, &fixture->made[3]);
    uint64_t filling = core_lab_post(lab, &other);
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, filling)->ack, WIRE_ACK_OK, &other);
    core_lab_assert_ack(core_lab_answer(lab, ahead)->ack, WIRE_ACK_FORK, &other);
    core_lab_assert_ack(core_lab_answer(lab, further)->ack, WIRE_ACK_QUARANTINED, &other);
    assert_quarantined(fixture, 1);
}

static void what_was_held_is_lost_in_a_crash_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 1);
    (void)core_lab_post(&fixture->lab, &fixture->made[2]);
    core_lab_crash(&fixture->lab);
    commit(fixture, 1, 3);
    assert_int_equal(core_lab_size(&fixture->lab), 3);
}

/* ---- streams ---- */

/* The first batch of a stream whose anchor is over `former`. */
static struct made_batch start_stream(struct batch_maker *maker, uint32_t stream, const uint8_t former[])
{
    struct made_batch batch;
    batch_maker_start(maker, DEVICE, stream, former);
    batch_maker_plain(maker, 2, 0, &batch);
    return batch;
}

static void a_new_stream_is_taken_whatever_its_anchor_and_the_doubt_is_counted(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 3);
    struct batch_maker maker = {.sign = NULL};
    struct made_batch known = start_stream(&maker, 1, fixture->made[2].digest);
    core_lab_assert_ack(core_lab_ask(lab, &known), WIRE_ACK_OK, &known);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_ANCHORS_ZERO), 0);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_ANCHORS_OTHER), 0);
    struct made_batch zero = start_stream(&maker, 4, zeros);
    core_lab_assert_ack(core_lab_ask(lab, &zero), WIRE_ACK_OK, &zero);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_ANCHORS_ZERO), 1);
    struct made_batch other = start_stream(&maker, 5, fixture->made[9].digest);
    core_lab_assert_ack(core_lab_ask(lab, &other), WIRE_ACK_OK, &other);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_ANCHORS_OTHER), 1);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_STREAMS_STARTED), 4);
    assert_int_equal(core_lab_size(lab), 6);
}

static void a_stream_that_was_left_takes_nothing_new(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 3);
    struct batch_maker maker = {.sign = NULL};
    struct made_batch first = start_stream(&maker, 1, fixture->made[2].digest);
    core_lab_assert_ack(core_lab_ask(lab, &first), WIRE_ACK_OK, &first);
    /* What it has committed is still a duplicate. */
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[1]), WIRE_ACK_DUPLICATE, &fixture->made[2]);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[3]), WIRE_ACK_FORK, &fixture->made[2]);
    assert_quarantined(fixture, 1);
}

static void a_stream_number_that_was_skipped_is_never_taken(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct batch_maker maker = {.sign = NULL};
    struct made_batch second = start_stream(&maker, 2, zeros);
    core_lab_assert_ack(core_lab_ask(lab, &second), WIRE_ACK_OK, &second);
    struct made_batch first = start_stream(&maker, 1, zeros);
    assert_int_equal(core_lab_ask(lab, &first).status, WIRE_ACK_FORK);
    assert_quarantined(fixture, 1);
}

static void a_duplicate_of_a_stream_long_left_is_found_in_the_ledger(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 2);
    struct batch_maker maker = {.sign = NULL};
    for (uint32_t stream = 1; stream <= AGG_DEVICE_STREAMS_KEPT + 1; stream++) {
        struct made_batch first = start_stream(&maker, stream, zeros);
        core_lab_assert_ack(core_lab_ask(lab, &first), WIRE_ACK_OK, &first);
    }
    for (int restarts = 0; restarts < 2; restarts++) {
        assert_int_equal(core_lab_ask(lab, &fixture->made[1]).status, WIRE_ACK_DUPLICATE);
        core_lab_crash(lab);
    }
    struct made_batch other = other_content(&fixture->made[1]);
    assert_int_equal(core_lab_ask(lab, &other).status, WIRE_ACK_EQUIVOCATION);
}

static void a_duplicate_that_is_older_than_what_is_kept_accuses_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 3);
    struct batch_maker maker = {.sign = fixture->maker.sign};
    struct made_batch last = {.len_bytes = 0};
    for (uint32_t stream = 1; stream <= AGG_DEVICE_STREAMS_KEPT + 1; stream++) {
        last = start_stream(&maker, stream, zeros);
        core_lab_assert_ack(core_lab_ask(lab, &last), WIRE_ACK_OK, &last);
    }
    const struct ledger_prune limits = {.below_leaf = 3, .before_ms = INT64_MAX, .max_batches = 10};
    uint64_t n_deleted = 0;
    assert_ok(lab->ledger.prune(lab->ledger.ctx, &limits, &n_deleted));
    assert_int_equal(n_deleted, 3);
    assert_int_equal(core_lab_ask(lab, &fixture->made[1]).status, WIRE_ACK_DUPLICATE);
    assert_int_equal(core_lab_n_conflicts(lab, DEVICE), 0);
    /* What never was there is a fork all the same. */
    assert_int_equal(core_lab_ask(lab, &fixture->made[3]).status, WIRE_ACK_FORK);
}

static void two_streams_may_start_in_one_group(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct batch_maker maker = {.sign = NULL};
    struct made_batch batch[4];
    uint64_t ticket[4];
    for (uint32_t i = 0; i < 4; i++) { /* more than are kept in memory */
        batch[i] = start_stream(&maker, i, i == 0 ? zeros : batch[i - 1].digest);
        ticket[i] = core_lab_post(lab, &batch[i]);
    }
    assert_ok(core_lab_flush(lab));
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(core_lab_answer(lab, ticket[i])->ack.status, WIRE_ACK_OK);
        assert_cum(fixture, i, 0);
    }
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_ANCHORS_OTHER), 0);
}

/* ---- time anchors ---- */

static void time_anchors_of_a_committed_batch_are_stored_with_its_leaf(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct batch_maker maker = {.sign = NULL};
    batch_maker_start(&maker, DEVICE, 1, zeros);
    struct edge_record records[3] = {
        {.kind = EDGE_TIME_ANCHOR,
         .as.time_anchor = {.boot_id = 1, .uptime_ms = 5, .utc_ms = 1000, .source = 1}},
        {.dt_ms = 300, .kind = EDGE_SAMPLE, .as.sample = {.channel = 2, .value = -3}},
        {.kind = EDGE_TIME_ANCHOR,
         .as.time_anchor = {.boot_id = 1, .uptime_ms = 9, .utc_ms = 1004, .source = 1}}};
    struct made_batch plain;
    struct made_batch batch;
    batch_maker_plain(&maker, 4, 0, &plain);
    batch_maker_next(&maker, records, 3, 0, &batch);
    assert_int_equal(core_lab_ask(lab, &plain).status, WIRE_ACK_OK);
    assert_int_equal(core_lab_ask(lab, &batch).status, WIRE_ACK_OK);
    struct edge_time_anchor anchor;
    assert_code(lab->ledger.anchor_at(lab->ledger.ctx, DEVICE, 1, 0, &anchor), HR_NOT_FOUND);
    assert_ok(lab->ledger.anchor_at(lab->ledger.ctx, DEVICE, 1, 1, &anchor));
    assert_int_equal(anchor.uptime_ms, 9); /* the last one of the batch */
    assert_int_equal(anchor.utc_ms, 1004);
}

static void a_record_that_does_not_parse_is_committed_and_counted(void **state)
{
    struct fixture *fixture = *state;
    struct batch_maker maker = {.sign = NULL};
    batch_maker_start(&maker, DEVICE, 1, zeros);
    struct edge_record record = {.kind = EDGE_SAMPLE, .as.sample = {.channel = 2, .value = 70000}};
    struct made_batch batch;
    batch_maker_next(&maker, &record, 1, 0, &batch);
    memset(batch.bytes + WIRE_PREFIX_BYTES + 1, 0xFF, batch.len_bytes - WIRE_PREFIX_BYTES - 1);
    assert_int_equal(core_lab_ask(&fixture->lab, &batch).status, WIRE_ACK_OK);
    assert_int_equal(agg_counter(fixture->lab.core, AGG_COUNT_RECORDS_UNDECODABLE), 1);
}

#define ADMIT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ADMIT_TEST(a_first_batch_is_answered_after_its_commit_and_makes_the_device_active),
        ADMIT_TEST(batches_of_one_group_are_all_answered_with_the_newest_cum),
        ADMIT_TEST(a_stream_goes_on_after_a_restart),
        ADMIT_TEST(a_durable_duplicate_is_answered_at_once_and_stored_no_second_time),
        ADMIT_TEST(a_duplicate_of_a_staged_batch_waits_for_its_commit),
        ADMIT_TEST(a_duplicate_that_the_ledger_cannot_judge_is_unavailable),
        ADMIT_TEST(a_second_content_for_a_committed_place_is_equivocation_and_quarantine),
        ADMIT_TEST(a_second_content_for_the_newest_place_is_equivocation),
        ADMIT_TEST(a_second_content_in_the_same_group_is_equivocation),
        ADMIT_TEST(a_next_batch_that_does_not_link_is_a_fork),
        ADMIT_TEST(records_that_do_not_go_on_are_malformed_and_no_fork),
        ADMIT_TEST(the_first_of_stream_flag_is_for_batch_zero_alone),
        ADMIT_TEST(batches_ahead_of_a_gap_are_held_and_committed_in_order_when_it_fills),
        ADMIT_TEST(a_held_batch_is_answered_gap_after_two_seconds_and_dropped_after_thirty),
        ADMIT_TEST(no_more_is_held_than_the_bounds_allow),
        ADMIT_TEST(what_no_sack_bit_can_tell_of_is_not_held),
        ADMIT_TEST(a_twin_of_a_held_batch_is_answered_gap_or_equivocation),
        ADMIT_TEST(a_held_batch_that_does_not_link_forks_when_its_turn_comes),
        ADMIT_TEST(what_was_held_is_lost_in_a_crash_and_nothing_else),
        ADMIT_TEST(a_new_stream_is_taken_whatever_its_anchor_and_the_doubt_is_counted),
        ADMIT_TEST(a_stream_that_was_left_takes_nothing_new),
        ADMIT_TEST(a_stream_number_that_was_skipped_is_never_taken),
        ADMIT_TEST(a_duplicate_of_a_stream_long_left_is_found_in_the_ledger),
        ADMIT_TEST(a_duplicate_that_is_older_than_what_is_kept_accuses_nobody),
        ADMIT_TEST(two_streams_may_start_in_one_group),
        ADMIT_TEST(time_anchors_of_a_committed_batch_are_stored_with_its_leaf),
        ADMIT_TEST(a_record_that_does_not_parse_is_committed_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
