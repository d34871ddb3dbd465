/* SPDX-License-Identifier: Apache-2.0
 *
 * A device that is revoked from a place on: what stands before is taken, what stands behind is marked. */
#include "proto/base/assert.h"
#include "tests/support/core_lab.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { DEVICE = 7, N_MADE = 8 };

static const uint8_t zeros[WIRE_DIGEST_BYTES];

struct fixture {
    struct core_lab lab;
    struct batch_maker maker;
    struct made_batch made[N_MADE];
    struct ledger_audit last;
    uint32_t n_audits;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    core_lab_open(&fixture.lab, &(struct agg_limits){.max_devices = 3, .max_held = 12, .retry_after_s = 30});
    core_lab_enrol(&fixture.lab, DEVICE);
    fixture.maker = (struct batch_maker){.sign = NULL};
    batch_maker_start(&fixture.maker, DEVICE, 0, zeros);
    for (uint32_t i = 0; i < N_MADE; i++) {
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

static void see_audit(void *ctx, const struct ledger_audit *row)
{
    struct fixture *fixture = ctx;
    fixture->last = *row;
    fixture->n_audits++;
}

static const struct ledger_audit *last_audit(struct fixture *fixture)
{
    const struct ledger *ledger = &fixture->lab.ledger;
    const struct ledger_page page = {0, 1000};
    fixture->n_audits = 0;
    assert_ok(ledger->list_audits(ledger->ctx, DEVICE, &page, see_audit, fixture));
    return &fixture->last;
}

/* Batches from .. to - 1 are taken. */
static void commit(struct fixture *fixture, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[i]), WIRE_ACK_OK, &fixture->made[i]);
    }
}

static struct hr_status revoke_from(struct fixture *fixture, uint32_t stream, uint32_t seq, bool dry_run,
                                    struct agg_decided *out)
{
    const struct agg_decision decision = {.device_id = DEVICE,
                                          .kind = AGG_REVOKE,
                                          .actor = "maria",
                                          .reason = "taken from its mast",
                                          .dry_run = dry_run,
                                          .has_place = true,
                                          .stream = stream,
                                          .seq = seq};
    return agg_decide(fixture->lab.core, &decision, out);
}

/* The range that the last audit entry marks, and how many batches and records stand in it. */
static void assert_suspect(struct fixture *fixture, uint32_t from_seq, uint32_t to_seq, uint64_t n_batches)
{
    const struct ledger *ledger = &fixture->lab.ledger;
    const struct ledger_audit *row = last_audit(fixture);
    struct ledger_suspect_count count;
    assert_string_equal(row->action, "revoked_from");
    assert_true(row->is_suspect);
    assert_int_equal(row->suspect.from_stream, 0);
    assert_int_equal(row->suspect.from_seq, from_seq);
    assert_int_equal(row->suspect.to_stream, 0);
    assert_int_equal(row->suspect.to_seq, to_seq);
    assert_ok(ledger->count_suspect(ledger->ctx, DEVICE, &row->suspect, &count));
    assert_int_equal(count.n_batches, n_batches);
    assert_int_equal(count.n_records, 3 * n_batches);
    assert_int_equal(count.first_leaf, n_batches > 0 ? from_seq : 0); /* the log has nothing else */
    assert_int_equal(count.last_leaf, n_batches > 0 ? to_seq - 1 : 0);
}

static void what_a_thief_delivered_behind_the_place_is_marked_and_stays(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct agg_decided decided;
    commit(fixture, 0, 5);
    assert_ok(revoke_from(fixture, 0, 3, true, &decided));
    assert_true(decided.is_new);
    assert_int_equal(decided.suspect.to_seq, 5);
    assert_int_equal(decided.cut, LEDGER_CUT_CLOSED);
    assert_int_equal(agg_group_waiting(lab->core), 0);
    assert_ok(revoke_from(fixture, 0, 3, false, &decided));
    /* The next batch of the same group is refused already. */
    uint64_t next = core_lab_post(lab, &fixture->made[5]);
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, next)->ack, WIRE_ACK_REVOKED, &fixture->made[4]);
    assert_false(agg_admits(lab->core, DEVICE));
    assert_int_equal(core_lab_size(lab), 5); /* nothing is deleted */
    assert_suspect(fixture, 3, 5, 2);
    assert_int_equal(fixture->last.leaf, 5);
    core_lab_crash(lab);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[5]), WIRE_ACK_REVOKED, &fixture->made[4]);
    struct ledger_device device = core_lab_device(lab, DEVICE);
    assert_int_equal(device.state, LEDGER_DEVICE_REVOKED);
    assert_int_equal(device.cut, LEDGER_CUT_CLOSED);
    assert_int_equal(device.cut_seq, 3);
    /* Said again, it is there already. */
    assert_ok(revoke_from(fixture, 0, 3, false, &decided));
    assert_false(decided.is_new);
}

static void a_backlog_from_before_the_place_is_taken_up_to_it(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct agg_decided decided;
    commit(fixture, 0, 2);
    uint64_t held = core_lab_post(lab, &fixture->made[3]);
    assert_ok(revoke_from(fixture, 0, 5, false, &decided));
    assert_int_equal(decided.cut, LEDGER_CUT_OPEN);
    assert_int_equal(decided.head_seq, 2);
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, held)->ack, WIRE_ACK_GAP,
                        &fixture->made[1]); /* it comes again */
    assert_suspect(fixture, 5, 5, 0);
    core_lab_crash(lab);
    assert_true(agg_admits(lab->core, DEVICE));
    assert_int_equal(core_lab_answer(lab, core_lab_head(lab, DEVICE, 0))->ack.status, WIRE_ACK_OK);
    /* What stands behind is refused, also when it is ahead of a gap; nothing of it is held. */
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[5]), WIRE_ACK_REVOKED, &fixture->made[1]);
    assert_int_equal(agg_batches_held_now(lab->core), 0);
    commit(fixture, 2, 4);
    assert_true(agg_admits(lab->core, DEVICE));
    commit(fixture, 4, 5);
    assert_string_equal(last_audit(fixture)->action, "cut_reached");
    assert_false(agg_admits(lab->core, DEVICE)); /* it opens no other session */
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[5]), WIRE_ACK_REVOKED, &fixture->made[4]);
    assert_int_equal(core_lab_device(lab, DEVICE).cut, LEDGER_CUT_CLOSED);
    assert_int_equal(core_lab_size(lab), 5);
}

static void held_batches_are_taken_up_to_the_place_and_not_behind_it(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct agg_decided decided;
    assert_ok(revoke_from(fixture, 0, 3, false, &decided));
    assert_ok(core_lab_flush(lab));
    uint64_t tickets[4];
    for (uint32_t i = 0; i < 4; i++) {
        tickets[i] = core_lab_post(lab, &fixture->made[3 - i]);
    }
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, tickets[0])->ack, WIRE_ACK_REVOKED, NULL); /* at once */
    for (uint32_t i = 1; i < 4; i++) {
        core_lab_assert_ack(core_lab_answer(lab, tickets[i])->ack, WIRE_ACK_OK, &fixture->made[2]);
    }
    assert_int_equal(core_lab_size(lab), 3);
    assert_false(agg_admits(lab->core, DEVICE));
}

static void who_forks_before_the_place_ends_the_delivery_and_stays_revoked(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct agg_decided decided;
    commit(fixture, 0, 2);
    assert_ok(revoke_from(fixture, 0, 5, false, &decided));
    assert_ok(core_lab_flush(lab));
    struct made_batch other = fixture->made[1];
    other.header.base_uptime_ms++;
    batch_maker_seal(&fixture->maker, &other);
    assert_int_equal(core_lab_ask(lab, &other).status, WIRE_ACK_EQUIVOCATION);
    struct ledger_device device = core_lab_device(lab, DEVICE);
    assert_int_equal(device.state, LEDGER_DEVICE_REVOKED);
    assert_int_equal(device.cut, LEDGER_CUT_CLOSED);
    assert_string_equal(device.reason, "taken from its mast");
    assert_string_equal(last_audit(fixture)->action, "cut_closed");
    assert_int_equal(core_lab_n_conflicts(lab, DEVICE), 1);
    /* No more evidence can be piled up. */
    other.header.base_uptime_ms++;
    batch_maker_seal(&fixture->maker, &other);
    assert_int_equal(core_lab_ask(lab, &other).status, WIRE_ACK_REVOKED);
    assert_int_equal(core_lab_ask(lab, &fixture->made[2]).status, WIRE_ACK_REVOKED);
    assert_int_equal(core_lab_n_conflicts(lab, DEVICE), 1);
}

static void a_revocation_that_is_refined_marks_more_and_never_less(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct agg_decided decided;
    commit(fixture, 0, 6);
    const struct agg_decision now = {
        .device_id = DEVICE, .kind = AGG_REVOKE, .actor = "maria", .reason = "gone"};
    assert_ok(agg_decide(lab->core, &now, &decided));
    assert_ok(core_lab_flush(lab));
    assert_false(last_audit(fixture)->is_suspect);
    assert_code(revoke_from(fixture, 0, 600, false, &decided), HR_DENIED); /* it would be let in again */
    assert_non_null(decided.why);
    assert_ok(revoke_from(fixture, 0, 4, false, &decided)); /* the moment is known later */
    assert_ok(core_lab_flush(lab));
    assert_suspect(fixture, 4, 6, 2);
    assert_ok(revoke_from(fixture, 0, 1, false, &decided));
    assert_ok(core_lab_flush(lab));
    assert_suspect(fixture, 1, 6, 5);
    assert_code(revoke_from(fixture, 0, 2, false, &decided), HR_DENIED);
    assert_non_null(decided.why);
    assert_int_equal(core_lab_device(lab, DEVICE).cut_seq, 1);
}

static void an_open_cut_is_closed_by_a_revocation_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct agg_decided decided;
    assert_ok(revoke_from(fixture, 0, 5, false, &decided));
    assert_ok(core_lab_flush(lab));
    const struct agg_decision now = {
        .device_id = DEVICE, .kind = AGG_REVOKE, .actor = "maria", .reason = "gone"};
    assert_ok(agg_decide(lab->core, &now, &decided));
    assert_true(decided.is_new);
    assert_ok(core_lab_flush(lab));
    assert_int_equal(core_lab_ask(lab, &fixture->made[0]).status, WIRE_ACK_REVOKED);
    assert_ok(agg_decide(lab->core, &now, &decided));
    assert_false(decided.is_new);
}

static void a_device_that_comes_back_by_the_registry_has_no_cut(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct agg_decided decided;
    commit(fixture, 0, 2);
    assert_ok(revoke_from(fixture, 0, 1, false, &decided));
    assert_ok(core_lab_flush(lab));
    const struct ledger_device entry = core_lab_entry(DEVICE, LEDGER_DEVICE_ACTIVE, 9);
    assert_ok(agg_register(lab->core, &entry));
    assert_ok(core_lab_flush(lab));
    commit(fixture, 2, 4);
    assert_int_equal(core_lab_device(lab, DEVICE).cut, LEDGER_CUT_NONE);
}

static void the_bundle_that_a_device_has_is_noted_and_kept(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    agg_has_bundle(lab->core, DEVICE, 3);
    agg_has_bundle(lab->core, 99, 3); /* of nobody */
    assert_int_equal(agg_group_waiting(lab->core), 1);
    assert_ok(core_lab_flush(lab));
    agg_has_bundle(lab->core, DEVICE, 3);
    assert_int_equal(agg_group_waiting(lab->core), 0);
    assert_int_equal(core_lab_device(lab, DEVICE).bundle, 3);
    commit(fixture, 0, 2);
    core_lab_crash(lab);
    agg_has_bundle(lab->core, DEVICE, 2); /* its memory was rolled back */
    assert_ok(core_lab_flush(lab));
    assert_int_equal(core_lab_device(lab, DEVICE).bundle, 2);
    assert_int_equal(core_lab_device(lab, DEVICE).state, LEDGER_DEVICE_ACTIVE);
}

#define CUT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CUT_TEST(what_a_thief_delivered_behind_the_place_is_marked_and_stays),
        CUT_TEST(a_backlog_from_before_the_place_is_taken_up_to_it),
        CUT_TEST(held_batches_are_taken_up_to_the_place_and_not_behind_it),
        CUT_TEST(who_forks_before_the_place_ends_the_delivery_and_stays_revoked),
        CUT_TEST(a_revocation_that_is_refined_marks_more_and_never_less),
        CUT_TEST(an_open_cut_is_closed_by_a_revocation_at_once),
        CUT_TEST(a_device_that_comes_back_by_the_registry_has_no_cut),
        CUT_TEST(the_bundle_that_a_device_has_is_noted_and_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
