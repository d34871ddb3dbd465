/* SPDX-License-Identifier: Apache-2.0
 *
 * Holes and their Loss records: what moves a stream, what does not, and what is counted as lost. */
#include "tests/support/core_lab.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { DEVICE = 7 };

static const uint8_t zeros[WIRE_DIGEST_BYTES];

/* Batches 0 to 9 are plain, three records each; batch 10 carries the test's Loss records; 11 to 14 are plain.
 */
struct fixture {
    struct core_lab lab;
    struct batch_maker maker;
    struct made_batch made[15];
};

enum { CARRIER = 10 };

static int set_up(void **state)
{
    static struct fixture fixture;
    core_lab_open(&fixture.lab, &(struct agg_limits){.max_devices = 8, .max_held = 12, .retry_after_s = 30});
    core_lab_enrol(&fixture.lab, DEVICE);
    fixture.maker = (struct batch_maker){.sign = NULL};
    batch_maker_start(&fixture.maker, DEVICE, 0, zeros);
    for (uint32_t i = 0; i < CARRIER; i++) {
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

/* Seals the carrier with these Loss records, and the batches after it. */
static void carry(struct fixture *fixture, const struct edge_record *losses, uint16_t n_losses)
{
    batch_maker_next(&fixture->maker, losses, n_losses, WIRE_FLAG_LOSS, &fixture->made[CARRIER]);
    for (uint32_t i = CARRIER + 1; i < 15; i++) {
        batch_maker_plain(&fixture->maker, 3, 0, &fixture->made[i]);
    }
}

static void carry_hole(struct fixture *fixture, uint32_t from, uint32_t to)
{
    struct edge_record loss = batch_maker_loss(&fixture->made[from], &fixture->made[to]);
    carry(fixture, &loss, 1);
}

static void commit(struct fixture *fixture, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last; i++) {
        core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[i]), WIRE_ACK_OK, &fixture->made[i]);
    }
}

static void assert_lost(const struct fixture *fixture, uint64_t batches, uint64_t records, uint32_t n_rows)
{
    struct ledger_stream row;
    bool is_known = core_lab_stream(&fixture->lab, DEVICE, 0, &row);
    assert_true(is_known || batches == 0);
    assert_int_equal(is_known ? row.lost_batches : 0, batches);
    assert_int_equal(is_known ? row.lost_records : 0, records);
    assert_int_equal(core_lab_n_losses(&fixture->lab, DEVICE), n_rows);
}

static void a_loss_ahead_of_its_gap_moves_the_stream_durably_without_its_batch(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 3);
    carry_hole(fixture, 3, 6);
    uint64_t ticket = core_lab_post(lab, &fixture->made[CARRIER]);
    assert_null(core_lab_answer(lab, ticket)); /* not before it is durable */
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, ticket)->ack, WIRE_ACK_GAP, &fixture->made[6]);
    assert_int_equal(core_lab_size(lab), 3);
    assert_lost(fixture, 4, 12, 1);
    core_lab_crash(lab);
    commit(fixture, 7, 12);
    assert_lost(fixture, 4, 12, 1); /* the carrier in its order changes nothing more */
    assert_int_equal(core_lab_size(lab), 3 + 5);
}

static void a_loss_sent_twice_is_applied_once(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 3);
    carry_hole(fixture, 3, 6);
    for (int i = 0; i < 2; i++) {
        (void)core_lab_post(&fixture->lab, &fixture->made[CARRIER]);
    }
    assert_ok(core_lab_flush(&fixture->lab));
    assert_lost(fixture, 4, 12, 1);
    commit(fixture, 7, 9);
    assert_lost(fixture, 4, 12, 1);
}

static void only_what_is_missing_here_counts_as_lost(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 5); /* the acks of 3 and 4 never reached the device */
    carry_hole(fixture, 3, 6);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[CARRIER]), WIRE_ACK_GAP,
                        &fixture->made[6]);
    assert_lost(fixture, 2, 6, 1);
}

static void a_loss_of_what_is_committed_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 8);
    carry_hole(fixture, 3, 6);
    uint64_t ticket = core_lab_post(&fixture->lab, &fixture->made[CARRIER]);
    assert_ok(core_lab_flush(&fixture->lab));
    assert_null(core_lab_answer(&fixture->lab, ticket)); /* held as any batch ahead of a gap */
    commit(fixture, 8, 9);
    assert_int_equal(core_lab_ask(&fixture->lab, &fixture->made[9]).status, WIRE_ACK_OK);
    core_lab_assert_ack(core_lab_answer(&fixture->lab, ticket)->ack, WIRE_ACK_OK, &fixture->made[CARRIER]);
    assert_lost(fixture, 0, 0, 0);
    assert_int_equal(core_lab_size(&fixture->lab), 11);
}

static void a_loss_beyond_a_further_gap_waits(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 2);
    carry_hole(fixture, 3, 6); /* batch 2 is missing and in no Loss */
    assert_null(core_lab_answer(&fixture->lab, core_lab_post(&fixture->lab, &fixture->made[CARRIER])));
    assert_lost(fixture, 0, 0, 0);
    commit(fixture, 2, 3);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[CARRIER]), WIRE_ACK_GAP,
                        &fixture->made[6]);
    assert_lost(fixture, 4, 12, 1);
}

static void a_carrier_right_behind_its_hole_is_committed_at_once(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 3);
    carry_hole(fixture, 3, 9);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[CARRIER]), WIRE_ACK_OK,
                        &fixture->made[CARRIER]);
    assert_lost(fixture, 7, 21, 1);
    assert_int_equal(core_lab_size(&fixture->lab), 4);
    commit(fixture, 11, 13);
}

static void a_hole_at_the_start_of_an_unknown_stream_is_moved_over(void **state)
{
    struct fixture *fixture = *state;
    carry_hole(fixture, 0, 4);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[CARRIER]), WIRE_ACK_GAP,
                        &fixture->made[4]);
    assert_lost(fixture, 5, 15, 1);
    core_lab_crash(&fixture->lab);
    commit(fixture, 5, 12);
}

static void holes_that_follow_each_other_are_moved_over_together(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 2);
    struct edge_record losses[2] = {batch_maker_loss(&fixture->made[2], &fixture->made[3]),
                                    batch_maker_loss(&fixture->made[4], &fixture->made[7])};
    carry(fixture, losses, 2);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[CARRIER]), WIRE_ACK_GAP,
                        &fixture->made[7]);
    assert_lost(fixture, 6, 18, 2);
    commit(fixture, 8, 13);
}

static void held_batches_go_on_behind_the_hole(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 3);
    carry_hole(fixture, 3, 6);
    uint64_t seventh = core_lab_post(lab, &fixture->made[7]);
    uint64_t eighth = core_lab_post(lab, &fixture->made[8]);
    uint64_t lost = core_lab_post(lab, &fixture->made[5]); /* in the hole, all the same it came */
    uint64_t carrier = core_lab_post(lab, &fixture->made[CARRIER]);
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, seventh)->ack, WIRE_ACK_OK, &fixture->made[8]);
    core_lab_assert_ack(core_lab_answer(lab, eighth)->ack, WIRE_ACK_OK, &fixture->made[8]);
    core_lab_assert_ack(core_lab_answer(lab, lost)->ack, WIRE_ACK_DUPLICATE, &fixture->made[8]);
    core_lab_assert_ack(core_lab_answer(lab, carrier)->ack, WIRE_ACK_GAP, &fixture->made[8]);
    assert_int_equal(core_lab_size(lab), 5);
    assert_lost(fixture, 4, 12, 1);
}

static void a_batch_that_comes_after_its_loss_is_a_duplicate(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 3);
    carry_hole(fixture, 3, 6);
    (void)core_lab_ask(lab, &fixture->made[CARRIER]);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[4]), WIRE_ACK_DUPLICATE, &fixture->made[6]);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[6]), WIRE_ACK_DUPLICATE, &fixture->made[6]);
    assert_int_equal(core_lab_size(lab), 3);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_LATE_AFTER_LOSS), 1); /* the digest of 6 is known */
}

static void another_content_than_the_loss_named_is_equivocation(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 3);
    carry_hole(fixture, 3, 6);
    (void)core_lab_ask(&fixture->lab, &fixture->made[CARRIER]);
    struct made_batch other = fixture->made[6];
    other.header.base_uptime_ms++;
    batch_maker_seal(&fixture->maker, &other);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &other), WIRE_ACK_EQUIVOCATION, &fixture->made[6]);
    assert_int_equal(core_lab_device(&fixture->lab, DEVICE).state, LEDGER_DEVICE_QUARANTINED);
}

static void a_loss_that_contradicts_its_carrier_moves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 3);
    struct edge_record right = batch_maker_loss(&fixture->made[3], &fixture->made[6]);
    struct edge_record behind = batch_maker_loss(&fixture->made[3], &fixture->made[9]);
    struct edge_record wrong[6] = {right, right, right, right, behind, right};
    wrong[0].as.loss.to_seq = CARRIER;     /* itself */
    wrong[1].as.loss.to_seq = CARRIER + 5; /* what is to come */
    wrong[2].as.loss.n_records = 1000;     /* ends behind the carrier's first record */
    wrong[3].as.loss.n_records = 0;        /* ends before what is committed */
    wrong[3].as.loss.first_record_seq = 2;
    wrong[4].as.loss.n_records--; /* the last batch before the carrier, and ends before it begins */
    wrong[5] = behind;
    wrong[5].as.loss.last_digest[0] ^= 1; /* not what the carrier links to */
    struct batch_maker at_carrier = fixture->maker;
    for (uint32_t i = 0; i < 6; i++) {
        fixture->maker = at_carrier;
        carry(fixture, &wrong[i], 1);
        uint64_t ticket = core_lab_post(lab, &fixture->made[CARRIER]);
        assert_ok(core_lab_flush(lab));
        assert_lost(fixture, 0, 0, 0);
        lab->now_ms += AGG_HOLD_DROP_MS; /* so that the next one is not its twin */
        agg_tick(lab->core);
        core_lab_assert_ack(core_lab_answer(lab, ticket)->ack, WIRE_ACK_GAP, &fixture->made[2]);
    }
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_LOSSES_REFUSED), 6);
    assert_int_equal(core_lab_device(lab, DEVICE).state, LEDGER_DEVICE_ACTIVE);
}

static void a_loss_without_the_flag_moves_nothing(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 3);
    struct edge_record loss = batch_maker_loss(&fixture->made[3], &fixture->made[6]);
    batch_maker_next(&fixture->maker, &loss, 1, 0, &fixture->made[CARRIER]);
    assert_null(core_lab_answer(&fixture->lab, core_lab_post(&fixture->lab, &fixture->made[CARRIER])));
    assert_lost(fixture, 0, 0, 0);
}

static void the_link_over_a_hole_is_checked(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 3);
    struct edge_record loss = batch_maker_loss(&fixture->made[3], &fixture->made[6]);
    loss.as.loss.last_digest[5] ^= 1; /* the carrier is further on and can't tell */
    carry(fixture, &loss, 1);
    assert_int_equal(core_lab_ask(&fixture->lab, &fixture->made[CARRIER]).status, WIRE_ACK_GAP);
    assert_int_equal(core_lab_ask(&fixture->lab, &fixture->made[7]).status, WIRE_ACK_FORK);
}

#define LOSS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOSS_TEST(a_loss_ahead_of_its_gap_moves_the_stream_durably_without_its_batch),
        LOSS_TEST(a_loss_sent_twice_is_applied_once),
        LOSS_TEST(only_what_is_missing_here_counts_as_lost),
        LOSS_TEST(a_loss_of_what_is_committed_changes_nothing),
        LOSS_TEST(a_loss_beyond_a_further_gap_waits),
        LOSS_TEST(a_carrier_right_behind_its_hole_is_committed_at_once),
        LOSS_TEST(a_hole_at_the_start_of_an_unknown_stream_is_moved_over),
        LOSS_TEST(holes_that_follow_each_other_are_moved_over_together),
        LOSS_TEST(held_batches_go_on_behind_the_hole),
        LOSS_TEST(a_batch_that_comes_after_its_loss_is_a_duplicate),
        LOSS_TEST(another_content_than_the_loss_named_is_equivocation),
        LOSS_TEST(a_loss_that_contradicts_its_carrier_moves_nothing),
        LOSS_TEST(a_loss_without_the_flag_moves_nothing),
        LOSS_TEST(the_link_over_a_hole_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
