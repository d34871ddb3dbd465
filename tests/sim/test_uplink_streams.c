/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes beyond one batch: holes and their Loss, streams, sessions, time, and the records that the
 * collector makes itself. */
#include "proto/base/assert.h"
#include "tests/support/uplink_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS (UINT64_C(60) * 1000)

/* ---- Loss ---- */

static void an_evicted_hole_is_crossed_by_sending_the_batch_with_its_loss_first(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 3, 4);
    lab_offer(lab, 120); /* more than four sectors hold */
    struct fw_spool_state spool = lab_spool(lab);
    assert_true(spool.oldest_seq > 0);
    struct edge_record loss;
    assert_true(lab_find_record(lab, 0, EDGE_LOSS, &loss));
    lab_up(lab);
    lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);

    assert_int_equal(lab_n_waiting(lab), 1); /* the carrier alone */
    struct lab_request *carrier = NULL;
    for (uint32_t seq = spool.oldest_seq; seq < spool.next_batch_seq && carrier == NULL; seq++) {
        carrier = lab_post(lab, seq);
    }
    HR_ASSERT(carrier != NULL);
    struct wire_envelope envelope;
    assert_true(hr_is_ok(wire_envelope_split(hr_bytes_of(carrier->envelope, carrier->len_bytes), &envelope)));
    assert_true((envelope.header.flags & WIRE_FLAG_LOSS) != 0);
    struct hr_reader payload = hr_reader_over(envelope.payload);
    struct hr_bytes bytes;
    assert_true(hr_is_ok(wire_record_next(&payload, &bytes)));
    assert_true(hr_is_ok(edge_record_decode(bytes, &loss)));
    assert_int_equal(loss.kind, EDGE_LOSS);
    assert_int_equal(loss.as.loss.from_seq, 0);
    assert_int_equal(loss.as.loss.reason, EDGE_LOSS_OVERFLOW);

    struct wire_ack over = lab_ack_of(WIRE_ACK_GAP, loss.as.loss.to_seq);
    memcpy(over.cum_digest, loss.as.loss.last_digest, sizeof over.cum_digest);
    lab_answer(lab, carrier, &over, 0);
    assert_int_equal(lab_spool(lab).acked_seq, loss.as.loss.to_seq);
    assert_non_null(lab_post(lab, loss.as.loss.to_seq + 1));
    lab_drain(lab);
}

static void a_carrier_that_moves_nothing_is_not_sent_again_at_once(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 3, 4);
    lab_offer(lab, 120);
    lab_up(lab);
    lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    struct lab_request *carrier = NULL;
    for (uint32_t seq = 0; seq < lab_spool(lab).next_batch_seq && carrier == NULL; seq++) {
        carrier = lab_post(lab, seq);
    }
    HR_ASSERT(carrier != NULL);
    lab_answer_post(lab, carrier->seq, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    lab_assert_waits(lab, 1000, 1500);
}

static void a_batch_damaged_in_flash_becomes_a_loss_and_the_rest_arrives(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 5, LAB_MAX_SECTORS);
    lab_offer(lab, 7);
    uint8_t envelope[LAB_ENVELOPE_MAX_BYTES];
    uint32_t len_bytes = 0;
    assert_true(hr_is_ok(fw_spool_read(&lab->spool, 2, envelope, sizeof envelope, &len_bytes)));
    /* The signature of batch 2 as it stands in flash. */
    for (size_t at = 0; at + WIRE_SIGNATURE_BYTES < sizeof lab->flash_bytes; at++) {
        if (memcmp(lab->flash_bytes + at, envelope + WIRE_HEADER_BYTES, WIRE_SIGNATURE_BYTES) == 0) {
            lab->flash_bytes[at + 5] ^= 0x40;
        }
    }
    lab_connect(lab);
    lab_answer_post(lab, 0, WIRE_ACK_OK, 0);
    lab_answer_post(lab, 1, WIRE_ACK_OK, 1);
    struct edge_record loss;
    assert_true(lab_find_record(lab, 3, EDGE_LOSS, &loss));
    assert_int_equal(loss.as.loss.from_seq, 2);
    assert_int_equal(loss.as.loss.to_seq, 2);
    assert_int_equal(loss.as.loss.reason, EDGE_LOSS_DAMAGED);
    lab_assert_event(lab, FW_EVENT_DAMAGED);
}

/* ---- chains that differ ---- */

/* The aggregator is asked about the new stream, which has all that was not acknowledged, then Boot. */
static void assert_new_stream(struct uplink_lab *lab, uint32_t stream, uint32_t n_carried,
                              enum fw_event_code code)
{
    assert_int_equal(lab_spool(lab).stream, stream);
    assert_int_equal(lab->collector.counters.carried, n_carried);
    struct edge_record boot;
    assert_true(lab_find_record(lab, n_carried, EDGE_BOOT, &boot));
    assert_int_equal(boot.as.boot.reason, EDGE_BOOT_NEW_STREAM);
    lab_assert_event(lab, code);
    assert_non_null(lab_head(lab));
    assert_int_equal(lab_head(lab)->stream, stream);
    lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    lab_drain(lab);
}

static void a_conflict(enum wire_ack_status status, enum fw_event_code code)
{
    struct uplink_lab *lab = lab_with(6);
    lab_answer_post(lab, 0, WIRE_ACK_OK, 1);
    uint32_t n_unacked = lab_spool(lab).next_batch_seq - 2;
    lab_answer_post(lab, 2, status, WIRE_SEQ_NONE);
    /* The Event was sealed before the stream ended, so it is carried too. */
    assert_new_stream(lab, 1, n_unacked + 1, code);
}

static void a_fork_starts_a_new_stream_with_all_that_was_not_acknowledged(void **state)
{
    (void)state;
    a_conflict(WIRE_ACK_FORK, FW_EVENT_FORK);
}

static void equivocation_starts_a_new_stream_with_all_that_was_not_acknowledged(void **state)
{
    (void)state;
    a_conflict(WIRE_ACK_EQUIVOCATION, FW_EVENT_EQUIVOCATION);
}

static void an_ack_with_another_digest_frees_nothing_and_starts_a_new_stream(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    uint32_t n_unacked = lab_spool(lab).next_batch_seq;
    struct wire_ack ack = lab_ack_of(WIRE_ACK_OK, 0);
    memset(ack.cum_digest, 0x5A, sizeof ack.cum_digest);
    lab_answer(lab, lab_post(lab, 0), &ack, 0);
    assert_new_stream(lab, 1, n_unacked + 1, FW_EVENT_FORK);
}

static void an_aggregator_that_knows_more_of_the_stream_gets_a_new_one(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 9, LAB_MAX_SECTORS);
    lab_offer(lab, 3);
    lab_up(lab);
    struct wire_ack ack = lab_ack_of(WIRE_ACK_OK, 1000);
    memset(ack.cum_digest, 0x5A, sizeof ack.cum_digest);
    lab_answer(lab, lab_head(lab), &ack, 0);
    /* Boot, three records, the anchor of this answer, and the Event. */
    assert_new_stream(lab, 1, 6, FW_EVENT_AGGREGATOR_AHEAD);
}

static void an_aggregator_that_knows_a_later_stream_gets_one_above_it(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 9, LAB_MAX_SECTORS);
    lab_offer(lab, 3);
    lab_up(lab);
    const struct wire_ack ack = {.status = WIRE_ACK_STREAM_AHEAD, .stream = 7, .cum_seq = WIRE_SEQ_NONE};
    lab_answer(lab, lab_head(lab), &ack, 0);
    assert_new_stream(lab, 8, 6, FW_EVENT_AGGREGATOR_AHEAD);
}

static void an_aggregator_that_forgot_what_it_acknowledged_gets_a_new_stream(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(6);
    for (uint32_t seq = 0; seq < 3; seq++) {
        lab_answer_post(lab, seq, WIRE_ACK_OK, seq);
    }
    lab_down(lab, PORT_NET_DOWN_LOST);
    lab_up(lab);
    uint32_t n_unacked = lab_spool(lab).next_batch_seq - 3;
    lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    assert_in_range(lab->collector.counters.carried, n_unacked + 1, n_unacked + 2);
    assert_new_stream(lab, 1, (uint32_t)lab->collector.counters.carried, FW_EVENT_AGGREGATOR_BEHIND);
}

static void answers_about_a_stream_that_was_left_change_nothing(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(6);
    struct lab_request *old = lab_post(lab, 3);
    lab_answer_post(lab, 0, WIRE_ACK_FORK, WIRE_SEQ_NONE);
    assert_int_equal(lab_spool(lab).stream, 1);
    struct wire_ack ack = lab_ack_of(WIRE_ACK_OK, WIRE_SEQ_NONE);
    ack.stream = 0;
    lab_answer(lab, old, &ack, 0);
    assert_int_equal(lab_spool(lab).acked_seq, WIRE_SEQ_NONE);
    assert_int_equal(lab_spool(lab).stream, 1);
}

/* ---- sessions ---- */

static void one_timeout_asks_for_the_head_and_two_make_a_new_session(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab_time_out(lab, lab_post(lab, 2));
    assert_non_null(lab_head(lab));
    assert_true(lab->net_is_open);
    lab_time_out(lab, lab_head(lab));
    assert_false(lab->net_is_open);
    assert_int_equal(lab->n_opens, 1);
    lab_up(lab);
    assert_int_equal(lab->n_opens, 2);
    lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    lab_drain(lab);
}

static void a_lost_session_is_had_again_quickly_at_the_same_address(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(3);
    lab_answer_post(lab, 0, WIRE_ACK_OK, 0);
    lab_down(lab, PORT_NET_DOWN_LOST);
    assert_in_range(lab->wait_ms, 0, 250);
    lab_pass(lab, 251);
    assert_true(lab->net_is_open);
    assert_int_equal(lab->address, 0);
}

static void addresses_are_tried_in_turn_and_rounds_come_further_and_further_apart(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 11, LAB_MAX_SECTORS);
    uint64_t longest_ms = 0;
    for (uint32_t attempt = 0; attempt < 60; attempt++) {
        uint64_t before_ms = lab->now_ms;
        while (!lab->net_is_open) {
            lab_pass(lab, lab->wait_ms < 100 ? lab->wait_ms + 1 : 100);
        }
        assert_int_equal(lab->address, attempt % LAB_MAX_ADDRESSES);
        uint64_t waited_ms = lab->now_ms - before_ms;
        uint32_t round = attempt / LAB_MAX_ADDRESSES;
        if (attempt % LAB_MAX_ADDRESSES != 0 || round == 0) {
            assert_in_range(waited_ms, 0, 400);
        } else {
            uint64_t cap_ms = round > 6 ? MINUTE_MS : UINT64_C(1000) << (round - 1);
            assert_in_range(waited_ms, 0, cap_ms + 100);
        }
        longest_ms = waited_ms > longest_ms ? waited_ms : longest_ms;
        lab_down(lab, PORT_NET_DOWN_UNREACHABLE);
    }
    assert_true(longest_ms > 15000);
    assert_true(longest_ms <= MINUTE_MS + 100);
}

static void what_was_under_way_in_a_lost_session_is_sent_in_the_next(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(5);
    lab_down(lab, PORT_NET_DOWN_LOST);
    lab_up(lab);
    lab_answer_head(lab, WIRE_ACK_OK, 1); /* 0 and 1 had arrived; their answers had not */
    assert_int_equal(lab_spool(lab).acked_seq, 1);
    assert_null(lab_post(lab, 1));
    assert_non_null(lab_post(lab, 2));
    lab_drain(lab);
}

/* ---- time ---- */

static void the_first_answer_of_a_session_makes_an_anchor_within_half_the_round_trip(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 12, LAB_MAX_SECTORS);
    lab_up(lab);
    struct lab_request *head = lab_head(lab);
    lab_pass(lab, 301);
    const struct wire_ack ack = {
        .status = WIRE_ACK_OK, .cum_seq = WIRE_SEQ_NONE, .server_utc_ms = UINT64_C(1763700000000)};
    lab_answer(lab, head, &ack, 0);
    struct edge_record anchor;
    assert_true(lab_find_record(lab, 0, EDGE_TIME_ANCHOR, &anchor));
    assert_int_equal(anchor.as.time_anchor.uptime_ms, lab->now_ms);
    assert_int_equal(anchor.as.time_anchor.utc_ms, UINT64_C(1763700000000) + 150);
    assert_int_equal(anchor.as.time_anchor.err_ms, 152);
    assert_int_equal(anchor.as.time_anchor.source, EDGE_ANCHOR_ACK);
    assert_int_equal(anchor.as.time_anchor.boot_id, lab->collector.boot_id);
}

static void a_slow_answer_makes_no_anchor(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 12, LAB_MAX_SECTORS);
    lab_up(lab);
    lab_pass(lab, 5001);
    lab_answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    struct edge_record anchor;
    assert_false(lab_find_record(lab, 0, EDGE_TIME_ANCHOR, &anchor));
    assert_int_equal(lab->collector.uplink.counters.slow_answers, 1);
}

static void anchors_come_at_most_once_in_their_interval(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(100);
    assert_int_equal(lab->collector.uplink.counters.anchors, 1);
    for (uint32_t seq = 0; seq < 90; seq++) {
        lab_pass(lab, 1000);
        lab_answer_post(lab, seq, WIRE_ACK_OK, seq);
    }
    assert_int_equal(lab->collector.uplink.counters.anchors, 2); /* at 0 s and at 60 s of 90 */
}

/* ---- the collector's own records ---- */

static void boot_is_the_first_record_and_tells_how_the_last_life_ended(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    struct edge_record boot;
    lab_start(lab, 13, LAB_MAX_SECTORS);
    assert_true(lab_find_record(lab, 0, EDGE_BOOT, &boot));
    assert_int_equal(boot.as.boot.reason, EDGE_BOOT_FIRST);
    uint32_t first_boot_id = boot.as.boot.boot_id;
    assert_string_equal(boot.as.boot.version, "test");
    lab_offer(lab, 2);

    uint32_t next_seq = lab_spool(lab).next_batch_seq;
    lab_restart(lab);
    assert_true(lab_find_record(lab, next_seq, EDGE_BOOT, &boot));
    assert_int_equal(boot.as.boot.reason, EDGE_BOOT_UNCLEAN);
    assert_int_equal(boot.as.boot.boot_id, first_boot_id + 1);

    assert_true(hr_is_ok(fw_collector_begin_end(&lab->collector)));
    assert_true(hr_is_ok(fw_collector_end(&lab->collector)));
    next_seq = lab_spool(lab).next_batch_seq;
    lab_restart(lab);
    assert_true(lab_find_record(lab, next_seq, EDGE_BOOT, &boot));
    assert_int_equal(boot.as.boot.reason, EDGE_BOOT_CLEAN);
    assert_int_equal(boot.as.boot.boot_id, first_boot_id + 2);
}

static void the_last_seal_holds_the_counters(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 14, LAB_MAX_SECTORS);
    lab_offer(lab, 5);
    uint32_t next_seq = lab_spool(lab).next_batch_seq;
    assert_true(hr_is_ok(fw_collector_begin_end(&lab->collector)));
    struct edge_record stats;
    assert_true(lab_find_record(lab, next_seq, EDGE_STATS, &stats));
    assert_string_equal(stats.as.stats.source, "collector");
    assert_string_equal(stats.as.stats.counter[0].name, "records");
    assert_int_equal(stats.as.stats.counter[0].value, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_evicted_hole_is_crossed_by_sending_the_batch_with_its_loss_first),
        cmocka_unit_test(a_carrier_that_moves_nothing_is_not_sent_again_at_once),
        cmocka_unit_test(a_batch_damaged_in_flash_becomes_a_loss_and_the_rest_arrives),
        cmocka_unit_test(a_fork_starts_a_new_stream_with_all_that_was_not_acknowledged),
        cmocka_unit_test(equivocation_starts_a_new_stream_with_all_that_was_not_acknowledged),
        cmocka_unit_test(an_ack_with_another_digest_frees_nothing_and_starts_a_new_stream),
        cmocka_unit_test(an_aggregator_that_knows_more_of_the_stream_gets_a_new_one),
        cmocka_unit_test(an_aggregator_that_knows_a_later_stream_gets_one_above_it),
        cmocka_unit_test(an_aggregator_that_forgot_what_it_acknowledged_gets_a_new_stream),
        cmocka_unit_test(answers_about_a_stream_that_was_left_change_nothing),
        cmocka_unit_test(one_timeout_asks_for_the_head_and_two_make_a_new_session),
        cmocka_unit_test(a_lost_session_is_had_again_quickly_at_the_same_address),
        cmocka_unit_test(addresses_are_tried_in_turn_and_rounds_come_further_and_further_apart),
        cmocka_unit_test(what_was_under_way_in_a_lost_session_is_sent_in_the_next),
        cmocka_unit_test(the_first_answer_of_a_session_makes_an_anchor_within_half_the_round_trip),
        cmocka_unit_test(a_slow_answer_makes_no_anchor),
        cmocka_unit_test(anchors_come_at_most_once_in_their_interval),
        cmocka_unit_test(boot_is_the_first_record_and_tells_how_the_last_life_ended),
        cmocka_unit_test(the_last_seal_holds_the_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
