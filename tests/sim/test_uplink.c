/* SPDX-License-Identifier: Apache-2.0
 *
 * What a batch is answered: each row of the table of answers (proto/SPEC.md section 4), and the state after
 * it. */
#include "proto/base/assert.h"
#include "tests/support/uplink_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS (UINT64_C(60) * 1000)
#define HOUR_MS   (60 * MINUTE_MS)

/* ---- the way it goes when all is well ---- */

static void a_session_starts_with_the_head_and_sends_oldest_first_in_its_window(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 1, LAB_MAX_SECTORS);
    lab_offer(lab, 9);
    assert_int_equal(lab->n_posts, 0);
    lab_up(lab);
    assert_int_equal(lab->n_heads, 1);
    assert_int_equal(lab->n_posts, 0);
    assert_int_equal(lab_head(lab)->stream, 0);
    lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    assert_int_equal(lab_n_waiting(lab), 4);
    for (uint32_t seq = 0; seq < 4; seq++) {
        assert_non_null(lab_post(lab, seq));
    }
}

static void ok_frees_what_it_covers_and_the_next_batch_goes(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(8);
    lab_answer_post(lab, 0, WIRE_ACK_OK, 2);
    assert_int_equal(lab_spool(lab).acked_seq, 2);
    assert_non_null(lab_post(lab, 4));
    assert_int_equal(lab->collector.uplink.counters.accepted, 1);
    lab_answer_post(lab, 3, WIRE_ACK_OK, 3);
    assert_int_equal(lab_spool(lab).acked_seq, 3);
}

static void everything_acknowledged_is_drained(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(3);
    assert_false(fw_collector_is_drained(&lab->collector));
    uint32_t last_seq = lab_spool(lab).next_batch_seq - 1; /* the session's time anchor is one more */
    for (uint32_t seq = 0; seq <= last_seq; seq++) {
        lab_answer_post(lab, seq, WIRE_ACK_OK, seq);
    }
    assert_true(fw_collector_is_drained(&lab->collector));
    assert_int_equal(lab_n_waiting(lab), 0);
}

static void a_duplicate_frees_as_ok_does(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab_answer_post(lab, 0, WIRE_ACK_DUPLICATE, 1);
    assert_int_equal(lab_spool(lab).acked_seq, 1);
    assert_int_equal(lab->collector.uplink.counters.duplicates, 1);
}

static void an_ack_that_lost_its_way_is_harmless(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(6);
    struct lab_request late = *lab_post(lab, 1);
    lab_answer_post(lab, 0, WIRE_ACK_OK, 0);
    lab_answer_post(lab, 1, WIRE_ACK_OK, 1);
    lab_answer_post(lab, 2, WIRE_ACK_OK, 2);
    const struct wire_ack old = {.status = WIRE_ACK_OK, .stream = 0, .cum_seq = WIRE_SEQ_NONE};
    lab_answer(lab, &late, &old, 0);
    assert_int_equal(lab_spool(lab).acked_seq, 2);
    lab_answer_post(lab, 3, WIRE_ACK_OK, 3);
    assert_int_equal(lab_spool(lab).acked_seq, 3);
}

/* ---- gaps ---- */

static void a_gap_sends_again_what_is_missing_and_nothing_that_is_under_way(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(8);
    uint32_t n_posts = lab->n_posts;
    lab_answer_post(lab, 1, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    lab_answer_post(lab, 2, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    assert_int_equal(lab->collector.uplink.counters.gaps, 2);
    assert_int_equal(lab->n_posts, n_posts + 2); /* 4 and 5; 0 is under way, and 1 and 2 wait for it */
    assert_non_null(lab_post(lab, 4));
    assert_non_null(lab_post(lab, 5));
    lab_answer_post(lab, 0, WIRE_ACK_OK, 0);
    assert_non_null(lab_post(lab, 1));
    assert_int_equal(lab->collector.uplink.counters.rewinds, 1);
    lab_answer_post(lab, 1, WIRE_ACK_OK, 1);
    assert_non_null(lab_post(lab, 2));
    lab_drain(lab);
}

static void batches_that_the_aggregator_holds_are_not_sent_again(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(8);
    lab_time_out(lab, lab_post(lab, 0));
    struct wire_ack head = lab_ack_of(WIRE_ACK_OK, WIRE_SEQ_NONE);
    head.sack = 1u << 0 | 1u << 1 | 1u << 2; /* 1, 2 and 3 wait for 0 */
    lab_answer(lab, lab_head(lab), &head, 0);
    assert_non_null(lab_post(lab, 0));
    struct wire_ack gap = lab_ack_of(WIRE_ACK_GAP, WIRE_SEQ_NONE);
    gap.sack = 7;
    lab_answer(lab, lab_post(lab, 1), &gap, 0);
    lab_answer(lab, lab_post(lab, 2), &gap, 0);
    lab_answer(lab, lab_post(lab, 3), &gap, 0);
    assert_null(lab_post(lab, 1));
    assert_null(lab_post(lab, 2));
    assert_null(lab_post(lab, 3));
    lab_answer_post(lab, 0, WIRE_ACK_OK, 3);
    assert_int_equal(lab_spool(lab).acked_seq, 3);
}

static void what_the_aggregator_held_and_forgot_goes_again(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    struct wire_ack gap = lab_ack_of(WIRE_ACK_GAP, WIRE_SEQ_NONE);
    gap.sack = 1u << 0;
    lab_answer(lab, lab_post(lab, 1), &gap, 0);
    lab_answer_post(lab, 2, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    lab_answer_post(lab, 3, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    lab_answer_post(lab, 0, WIRE_ACK_OK, 0); /* restarted in between: 1 is not held any more */
    assert_non_null(lab_post(lab, 1));
}

static void a_gap_that_names_the_batch_itself_is_not_asked_again_at_once(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(2);
    lab_answer_post(lab, 0, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    lab_assert_waits(lab, 1000, 1500);
}

/* ---- refusals ---- */

static void malformed_that_is_right_here_goes_once_more_and_is_kept(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab_answer_post(lab, 0, WIRE_ACK_MALFORMED, WIRE_SEQ_NONE);
    assert_int_equal(lab->collector.uplink.mode, FW_UPLINK_RUN);
    lab_answer_post(lab, 0, WIRE_ACK_MALFORMED, WIRE_SEQ_NONE);
    lab_assert_waits(lab, MINUTE_MS, MINUTE_MS * 3 / 2);
    lab_assert_event(lab, FW_EVENT_MALFORMED);
    assert_int_equal(lab_spool(lab).oldest_seq, 0);
    assert_int_equal(lab->collector.uplink.counters.given_up, 0);
}

static void malformed_that_is_wrong_here_becomes_a_loss(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab->signatures_are_sound = false;
    lab_answer_post(lab, 0, WIRE_ACK_MALFORMED, WIRE_SEQ_NONE);
    assert_int_equal(lab->collector.uplink.counters.given_up, 1);
    struct edge_record loss;
    assert_true(lab_find_record(lab, 0, EDGE_LOSS, &loss));
    assert_int_equal(loss.as.loss.from_seq, 0);
    assert_int_equal(loss.as.loss.reason, EDGE_LOSS_DAMAGED);
}

static void a_bad_signature_that_is_right_here_goes_once_more(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab_answer_post(lab, 0, WIRE_ACK_BAD_SIGNATURE, WIRE_SEQ_NONE);
    assert_non_null(lab_post(lab, 0));
    lab_answer_post(lab, 0, WIRE_ACK_OK, 0);
    assert_int_equal(lab_spool(lab).acked_seq, 0);
    assert_int_equal(lab->collector.uplink.counters.given_up, 0);
}

static void refused_twice_while_others_are_accepted(enum wire_ack_status status)
{
    struct uplink_lab *lab = lab_with(5);
    lab_answer_post(lab, 0, WIRE_ACK_OK, 0);
    lab_answer_post(lab, 1, status, 0);
    lab_answer_post(lab, 1, status, 0);
    assert_int_equal(lab->collector.uplink.counters.given_up, 1);
    struct edge_record loss;
    assert_true(lab_find_record(lab, 2, EDGE_LOSS, &loss));
    assert_int_equal(loss.as.loss.from_seq, 1);
    assert_int_equal(loss.as.loss.to_seq, 1);
    assert_int_equal(loss.as.loss.reason, EDGE_LOSS_REFUSED);
    lab_assert_event(lab, FW_EVENT_REFUSED);
    lab_answer_post(lab, 2, WIRE_ACK_GAP, 0);
    lab_answer_post(lab, 3, WIRE_ACK_GAP, 0);
    lab_answer_post(lab, 4, WIRE_ACK_GAP, 0);
    uint32_t carrier_seq = 0;
    assert_true(hr_is_ok(fw_spool_loss_carrier(&lab->spool, 1, &carrier_seq)));
    struct lab_request *carrier = lab_post(lab, carrier_seq);
    HR_ASSERT(carrier != NULL);
    struct wire_ack over = lab_ack_of(WIRE_ACK_GAP, 1);
    memcpy(over.cum_digest, loss.as.loss.last_digest, sizeof over.cum_digest);
    lab_answer(lab, carrier, &over, 0);
    lab_drain(lab);
}

static void a_bad_signature_twice_while_others_are_accepted_becomes_a_loss(void **state)
{
    (void)state;
    refused_twice_while_others_are_accepted(WIRE_ACK_BAD_SIGNATURE);
}

static void a_bad_root_twice_while_others_are_accepted_becomes_a_loss(void **state)
{
    (void)state;
    refused_twice_while_others_are_accepted(WIRE_ACK_BAD_ROOT);
}

static void an_aggregator_that_refuses_every_signature_makes_nothing_lost(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(6);
    for (uint32_t round = 0; round < 3; round++) {
        lab_answer_post(lab, 0, WIRE_ACK_BAD_SIGNATURE, WIRE_SEQ_NONE);
        if (lab->collector.uplink.mode == FW_UPLINK_HOLD) {
            lab_pass(lab, 20 * MINUTE_MS);
            lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
        }
    }
    assert_int_equal(lab->collector.uplink.counters.given_up, 0);
    assert_int_equal(lab_spool(lab).oldest_seq, 0);
    lab_assert_event(lab, FW_EVENT_ALL_REFUSED);
}

static void an_unknown_key_keeps_everything_and_asks_again_later(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab_answer_post(lab, 0, WIRE_ACK_UNKNOWN_KEY, WIRE_SEQ_NONE);
    lab_assert_waits(lab, MINUTE_MS, MINUTE_MS * 3 / 2);
    lab_assert_event(lab, FW_EVENT_UNKNOWN_KEY);
    uint32_t n_posts = lab->n_posts;
    lab_pass(lab, 2 * MINUTE_MS);
    assert_int_equal(lab->n_posts, n_posts);
    lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    assert_true(lab->n_posts > n_posts);
    assert_int_equal(lab_spool(lab).oldest_seq, 0);
}

static void an_unsupported_format_keeps_everything(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab_answer_post(lab, 0, WIRE_ACK_UNSUPPORTED, WIRE_SEQ_NONE);
    lab_assert_waits(lab, MINUTE_MS, MINUTE_MS * 3 / 2);
    lab_assert_event(lab, FW_EVENT_UNSUPPORTED);
    assert_int_equal(lab_spool(lab).oldest_seq, 0);
}

static void a_denied_device_keeps_everything_and_asks_hourly(void **state)
{
    static const enum wire_ack_status denials[] = {WIRE_ACK_REVOKED, WIRE_ACK_QUARANTINED,
                                                   WIRE_ACK_UNKNOWN_DEVICE};
    (void)state;
    for (size_t i = 0; i < sizeof denials / sizeof denials[0]; i++) {
        struct uplink_lab *lab = lab_with(4);
        lab_answer_post(lab, 0, denials[i], WIRE_SEQ_NONE);
        uint32_t n_posts = lab->n_posts;
        for (uint32_t hour = 0; hour < 5; hour++) {
            lab_assert_waits(lab, HOUR_MS * 3 / 4, HOUR_MS * 5 / 4);
            lab_offer(lab, 1);
            lab_pass(lab, HOUR_MS * 5 / 4);
            lab_answer_head(lab, denials[i], WIRE_SEQ_NONE);
        }
        assert_int_equal(lab->n_posts, n_posts);
        assert_int_equal(lab_spool(lab).oldest_seq, 0);
        lab_assert_event(lab, FW_EVENT_DENIED);
    }
}

/* ---- told to wait ---- */

static void waits_as_told(enum wire_ack_status status)
{
    struct uplink_lab *lab = lab_with(3);
    struct wire_ack ack = lab_ack_of(status, WIRE_SEQ_NONE);
    lab_answer(lab, lab_post(lab, 0), &ack, 10);
    lab_assert_waits(lab, 10000, 15000);
    uint64_t least_ms = 20000;
    for (uint32_t repeat = 1; repeat < 12; repeat++) {
        lab_pass(lab, 30 * MINUTE_MS);
        lab_answer(lab, lab_head(lab), &ack, 10);
        uint64_t capped_ms = least_ms < 15 * MINUTE_MS ? least_ms : 15 * MINUTE_MS;
        lab_assert_waits(lab, capped_ms, capped_ms * 3 / 2);
        least_ms *= 2;
    }
    lab_pass(lab, 30 * MINUTE_MS);
    lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    lab_answer_post(lab, 0, WIRE_ACK_OK, 0);
    lab_answer(lab, lab_post(lab, 1), &(struct wire_ack){.status = status, .cum_seq = 0}, 0);
    lab_assert_waits(lab, MINUTE_MS, MINUTE_MS * 3 / 2); /* no Max-Age means 60 s; the doubling began anew */
}

static void slow_down_waits_max_age_and_twice_as_long_each_time(void **state)
{
    (void)state;
    waits_as_told(WIRE_ACK_SLOW_DOWN);
}

static void unavailable_waits_max_age_and_twice_as_long_each_time(void **state)
{
    (void)state;
    waits_as_told(WIRE_ACK_UNAVAILABLE);
}

/* ---- answers that are none ---- */

static void an_answer_without_an_ack_frees_nothing_and_waits(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab_answer_raw(lab, lab_post(lab, 0), 2 * 32 + 4, hr_bytes_of(NULL, 0));
    lab_assert_waits(lab, 10000, 15000);
    assert_int_equal(lab_spool(lab).acked_seq, WIRE_SEQ_NONE);
    assert_int_equal(lab->collector.uplink.counters.bad_answers, 1);
}

static void an_ack_under_the_code_of_a_refusal_frees_nothing(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    struct wire_ack ack = lab_ack_of(WIRE_ACK_OK, 0);
    uint8_t digest[WIRE_DIGEST_BYTES];
    lab_digest(lab, 0, digest);
    memcpy(ack.cum_digest, digest, sizeof ack.cum_digest);
    uint8_t payload[WIRE_ACK_BYTES];
    wire_ack_encode(&ack, payload);
    lab_answer_raw(lab, lab_post(lab, 0), 5 * 32 + 0, hr_bytes_of(payload, sizeof payload));
    assert_int_equal(lab_spool(lab).acked_seq, WIRE_SEQ_NONE);
    assert_int_equal(lab->collector.uplink.counters.bad_answers, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_starts_with_the_head_and_sends_oldest_first_in_its_window),
        cmocka_unit_test(ok_frees_what_it_covers_and_the_next_batch_goes),
        cmocka_unit_test(everything_acknowledged_is_drained),
        cmocka_unit_test(a_duplicate_frees_as_ok_does),
        cmocka_unit_test(an_ack_that_lost_its_way_is_harmless),
        cmocka_unit_test(a_gap_sends_again_what_is_missing_and_nothing_that_is_under_way),
        cmocka_unit_test(batches_that_the_aggregator_holds_are_not_sent_again),
        cmocka_unit_test(what_the_aggregator_held_and_forgot_goes_again),
        cmocka_unit_test(a_gap_that_names_the_batch_itself_is_not_asked_again_at_once),
        cmocka_unit_test(malformed_that_is_right_here_goes_once_more_and_is_kept),
        cmocka_unit_test(malformed_that_is_wrong_here_becomes_a_loss),
        cmocka_unit_test(a_bad_signature_that_is_right_here_goes_once_more),
        cmocka_unit_test(a_bad_signature_twice_while_others_are_accepted_becomes_a_loss),
        cmocka_unit_test(a_bad_root_twice_while_others_are_accepted_becomes_a_loss),
        cmocka_unit_test(an_aggregator_that_refuses_every_signature_makes_nothing_lost),
        cmocka_unit_test(an_unknown_key_keeps_everything_and_asks_again_later),
        cmocka_unit_test(an_unsupported_format_keeps_everything),
        cmocka_unit_test(a_denied_device_keeps_everything_and_asks_hourly),
        cmocka_unit_test(slow_down_waits_max_age_and_twice_as_long_each_time),
        cmocka_unit_test(unavailable_waits_max_age_and_twice_as_long_each_time),
        cmocka_unit_test(an_answer_without_an_ack_frees_nothing_and_waits),
        cmocka_unit_test(an_ack_under_the_code_of_a_refusal_frees_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
