/* SPDX-License-Identifier: Apache-2.0
 *
 * Each row of the table of answers (proto/SPEC.md section 4), and the state after it. */
#include "proto/base/assert.h"
#include "tests/support/uplink_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS (UINT64_C(60) * 1000)
#define HOUR_MS   (60 * MINUTE_MS)

static struct uplink_lab the_lab;

/* A session that is up, an aggregator that knows nothing, and batches 0 (Boot) to n_batches - 1 in the spool.
 */
static struct uplink_lab *lab_with(uint32_t n_batches)
{
    struct uplink_lab *lab = &the_lab;
    lab_start(lab, 42, LAB_MAX_SECTORS);
    lab_offer(lab, n_batches - 1);
    lab_connect(lab);
    return lab;
}

static struct wire_ack ack_of(enum wire_ack_status status, uint32_t cum_seq)
{
    return (struct wire_ack){.status = status, .cum_seq = cum_seq, .server_utc_ms = UINT64_C(1763700000000)};
}

static void answer(struct uplink_lab *lab, uint32_t seq, enum wire_ack_status status, uint32_t cum_seq)
{
    struct lab_request *request = lab_post(lab, seq);
    HR_ASSERT(request != NULL);
    struct wire_ack ack = ack_of(status, cum_seq);
    ack.stream = request->stream;
    lab_answer(lab, request, &ack, 0);
}

static void answer_head(struct uplink_lab *lab, enum wire_ack_status status, uint32_t cum_seq)
{
    struct lab_request *request = lab_head(lab);
    HR_ASSERT(request != NULL);
    struct wire_ack ack = ack_of(status, cum_seq);
    ack.stream = request->stream;
    lab_answer(lab, request, &ack, 0);
}

static void assert_waits_between(const struct uplink_lab *lab, uint64_t least_ms, uint64_t most_ms)
{
    assert_int_equal(lab->collector.uplink.mode, FW_UPLINK_HOLD);
    assert_in_range(lab->collector.uplink.wake_ms - lab->now_ms, least_ms, most_ms);
}

static void assert_event(struct uplink_lab *lab, enum fw_event_code code)
{
    struct edge_record record;
    assert_true(lab_find_record(lab, 0, EDGE_EVENT, &record));
    assert_int_equal(record.as.event.code, code);
    assert_true(record.as.event.text[0] != '\0');
}

static void drain_all(struct uplink_lab *lab)
{
    for (uint32_t turn = 0; turn < 10000 && !fw_collector_is_drained(&lab->collector); turn++) {
        struct fw_spool_state spool = lab_spool(lab);
        struct lab_request *request = lab_post(lab, spool.acked_seq + 1);
        HR_ASSERT(request != NULL);
        answer(lab, request->seq, WIRE_ACK_OK, request->seq);
    }
    assert_true(fw_collector_is_drained(&lab->collector));
}

/* ---- the way it goes when all is well ---- */

static void a_session_starts_with_the_head_and_sends_oldest_first_in_its_window(void **state)
{
    (void)state;
    struct uplink_lab *lab = &the_lab;
    lab_start(lab, 1, LAB_MAX_SECTORS);
    lab_offer(lab, 9);
    assert_int_equal(lab->n_posts, 0);
    lab_up(lab);
    assert_int_equal(lab->n_heads, 1);
    assert_int_equal(lab->n_posts, 0);
    assert_int_equal(lab_head(lab)->stream, 0);
    answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    assert_int_equal(lab_n_waiting(lab), 4);
    for (uint32_t seq = 0; seq < 4; seq++) {
        assert_non_null(lab_post(lab, seq));
    }
}

static void ok_frees_what_it_covers_and_the_next_batch_goes(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(8);
    answer(lab, 0, WIRE_ACK_OK, 2);
    assert_int_equal(lab_spool(lab).acked_seq, 2);
    assert_non_null(lab_post(lab, 4));
    assert_int_equal(lab->collector.uplink.counters.accepted, 1);
    answer(lab, 3, WIRE_ACK_OK, 3);
    assert_int_equal(lab_spool(lab).acked_seq, 3);
}

static void everything_acknowledged_is_drained(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(3);
    assert_false(fw_collector_is_drained(&lab->collector));
    uint32_t last_seq = lab_spool(lab).next_batch_seq - 1; /* the session's time anchor is one more */
    for (uint32_t seq = 0; seq <= last_seq; seq++) {
        answer(lab, seq, WIRE_ACK_OK, seq);
    }
    assert_true(fw_collector_is_drained(&lab->collector));
    assert_int_equal(lab_n_waiting(lab), 0);
}

static void a_duplicate_frees_as_ok_does(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    answer(lab, 0, WIRE_ACK_DUPLICATE, 1);
    assert_int_equal(lab_spool(lab).acked_seq, 1);
    assert_int_equal(lab->collector.uplink.counters.duplicates, 1);
}

static void an_ack_that_lost_its_way_is_harmless(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(6);
    struct lab_request late = *lab_post(lab, 1);
    answer(lab, 0, WIRE_ACK_OK, 0);
    answer(lab, 1, WIRE_ACK_OK, 1);
    answer(lab, 2, WIRE_ACK_OK, 2);
    const struct wire_ack old = {.status = WIRE_ACK_OK, .stream = 0, .cum_seq = WIRE_SEQ_NONE};
    lab_answer(lab, &late, &old, 0);
    assert_int_equal(lab_spool(lab).acked_seq, 2);
    answer(lab, 3, WIRE_ACK_OK, 3);
    assert_int_equal(lab_spool(lab).acked_seq, 3);
}

/* ---- gaps ---- */

static void a_gap_sends_again_what_is_missing_and_nothing_that_is_under_way(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(8);
    uint32_t n_posts = lab->n_posts;
    answer(lab, 1, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    answer(lab, 2, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    assert_int_equal(lab->collector.uplink.counters.gaps, 2);
    assert_int_equal(lab->n_posts, n_posts + 2); /* 4 and 5; 0 is under way, and 1 and 2 wait for it */
    assert_non_null(lab_post(lab, 4));
    assert_non_null(lab_post(lab, 5));
    answer(lab, 0, WIRE_ACK_OK, 0);
    assert_non_null(lab_post(lab, 1));
    assert_int_equal(lab->collector.uplink.counters.rewinds, 1);
    answer(lab, 1, WIRE_ACK_OK, 1);
    assert_non_null(lab_post(lab, 2));
    drain_all(lab);
}

static void batches_that_the_aggregator_holds_are_not_sent_again(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(8);
    lab_time_out(lab, lab_post(lab, 0));
    struct wire_ack head = ack_of(WIRE_ACK_OK, WIRE_SEQ_NONE);
    head.sack = 1u << 0 | 1u << 1 | 1u << 2; /* 1, 2 and 3 wait for 0 */
    lab_answer(lab, lab_head(lab), &head, 0);
    assert_non_null(lab_post(lab, 0));
    struct wire_ack gap = ack_of(WIRE_ACK_GAP, WIRE_SEQ_NONE);
    gap.sack = 7;
    lab_answer(lab, lab_post(lab, 1), &gap, 0);
    lab_answer(lab, lab_post(lab, 2), &gap, 0);
    lab_answer(lab, lab_post(lab, 3), &gap, 0);
    assert_null(lab_post(lab, 1));
    assert_null(lab_post(lab, 2));
    assert_null(lab_post(lab, 3));
    answer(lab, 0, WIRE_ACK_OK, 3);
    assert_int_equal(lab_spool(lab).acked_seq, 3);
}

static void what_the_aggregator_held_and_forgot_goes_again(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    struct wire_ack gap = ack_of(WIRE_ACK_GAP, WIRE_SEQ_NONE);
    gap.sack = 1u << 0;
    lab_answer(lab, lab_post(lab, 1), &gap, 0);
    answer(lab, 2, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    answer(lab, 3, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    answer(lab, 0, WIRE_ACK_OK, 0); /* restarted in between: 1 is not held any more */
    assert_non_null(lab_post(lab, 1));
}

static void a_gap_that_names_the_batch_itself_is_not_asked_again_at_once(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(2);
    answer(lab, 0, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    assert_waits_between(lab, 1000, 1500);
}

/* ---- Loss ---- */

static void an_evicted_hole_is_crossed_by_sending_the_batch_with_its_loss_first(void **state)
{
    (void)state;
    struct uplink_lab *lab = &the_lab;
    lab_start(lab, 3, 4);
    lab_offer(lab, 120); /* more than four sectors hold */
    struct fw_spool_state spool = lab_spool(lab);
    assert_true(spool.oldest_seq > 0);
    struct edge_record loss;
    assert_true(lab_find_record(lab, 0, EDGE_LOSS, &loss));
    lab_up(lab);
    answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);

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

    struct wire_ack over = ack_of(WIRE_ACK_GAP, loss.as.loss.to_seq);
    memcpy(over.cum_digest, loss.as.loss.last_digest, sizeof over.cum_digest);
    lab_answer(lab, carrier, &over, 0);
    assert_int_equal(lab_spool(lab).acked_seq, loss.as.loss.to_seq);
    assert_non_null(lab_post(lab, loss.as.loss.to_seq + 1));
    drain_all(lab);
}

static void a_carrier_that_moves_nothing_is_not_sent_again_at_once(void **state)
{
    (void)state;
    struct uplink_lab *lab = &the_lab;
    lab_start(lab, 3, 4);
    lab_offer(lab, 120);
    lab_up(lab);
    answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    struct lab_request *carrier = NULL;
    for (uint32_t seq = 0; seq < lab_spool(lab).next_batch_seq && carrier == NULL; seq++) {
        carrier = lab_post(lab, seq);
    }
    HR_ASSERT(carrier != NULL);
    answer(lab, carrier->seq, WIRE_ACK_GAP, WIRE_SEQ_NONE);
    assert_waits_between(lab, 1000, 1500);
}

static void a_batch_damaged_in_flash_becomes_a_loss_and_the_rest_arrives(void **state)
{
    (void)state;
    struct uplink_lab *lab = &the_lab;
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
    answer(lab, 0, WIRE_ACK_OK, 0);
    answer(lab, 1, WIRE_ACK_OK, 1);
    struct edge_record loss;
    assert_true(lab_find_record(lab, 3, EDGE_LOSS, &loss));
    assert_int_equal(loss.as.loss.from_seq, 2);
    assert_int_equal(loss.as.loss.to_seq, 2);
    assert_int_equal(loss.as.loss.reason, EDGE_LOSS_DAMAGED);
    assert_event(lab, FW_EVENT_DAMAGED);
}

/* ---- refusals ---- */

static void malformed_that_is_right_here_goes_once_more_and_is_kept(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    answer(lab, 0, WIRE_ACK_MALFORMED, WIRE_SEQ_NONE);
    assert_int_equal(lab->collector.uplink.mode, FW_UPLINK_RUN);
    answer(lab, 0, WIRE_ACK_MALFORMED, WIRE_SEQ_NONE);
    assert_waits_between(lab, MINUTE_MS, MINUTE_MS * 3 / 2);
    assert_event(lab, FW_EVENT_MALFORMED);
    assert_int_equal(lab_spool(lab).oldest_seq, 0);
    assert_int_equal(lab->collector.uplink.counters.given_up, 0);
}

static void malformed_that_is_wrong_here_becomes_a_loss(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab->signatures_are_sound = false;
    answer(lab, 0, WIRE_ACK_MALFORMED, WIRE_SEQ_NONE);
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
    answer(lab, 0, WIRE_ACK_BAD_SIGNATURE, WIRE_SEQ_NONE);
    assert_non_null(lab_post(lab, 0));
    answer(lab, 0, WIRE_ACK_OK, 0);
    assert_int_equal(lab_spool(lab).acked_seq, 0);
    assert_int_equal(lab->collector.uplink.counters.given_up, 0);
}

static void refused_twice_while_others_are_accepted(enum wire_ack_status status)
{
    struct uplink_lab *lab = lab_with(5);
    answer(lab, 0, WIRE_ACK_OK, 0);
    answer(lab, 1, status, 0);
    answer(lab, 1, status, 0);
    assert_int_equal(lab->collector.uplink.counters.given_up, 1);
    struct edge_record loss;
    assert_true(lab_find_record(lab, 2, EDGE_LOSS, &loss));
    assert_int_equal(loss.as.loss.from_seq, 1);
    assert_int_equal(loss.as.loss.to_seq, 1);
    assert_int_equal(loss.as.loss.reason, EDGE_LOSS_REFUSED);
    assert_event(lab, FW_EVENT_REFUSED);
    answer(lab, 2, WIRE_ACK_GAP, 0);
    answer(lab, 3, WIRE_ACK_GAP, 0);
    answer(lab, 4, WIRE_ACK_GAP, 0);
    uint32_t carrier_seq = 0;
    assert_true(hr_is_ok(fw_spool_loss_carrier(&lab->spool, 1, &carrier_seq)));
    struct lab_request *carrier = lab_post(lab, carrier_seq);
    HR_ASSERT(carrier != NULL);
    struct wire_ack over = ack_of(WIRE_ACK_GAP, 1);
    memcpy(over.cum_digest, loss.as.loss.last_digest, sizeof over.cum_digest);
    lab_answer(lab, carrier, &over, 0);
    drain_all(lab);
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
        answer(lab, 0, WIRE_ACK_BAD_SIGNATURE, WIRE_SEQ_NONE);
        if (lab->collector.uplink.mode == FW_UPLINK_HOLD) {
            lab_pass(lab, 20 * MINUTE_MS);
            answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
        }
    }
    assert_int_equal(lab->collector.uplink.counters.given_up, 0);
    assert_int_equal(lab_spool(lab).oldest_seq, 0);
    assert_event(lab, FW_EVENT_ALL_REFUSED);
}

static void an_unknown_key_keeps_everything_and_asks_again_later(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    answer(lab, 0, WIRE_ACK_UNKNOWN_KEY, WIRE_SEQ_NONE);
    assert_waits_between(lab, MINUTE_MS, MINUTE_MS * 3 / 2);
    assert_event(lab, FW_EVENT_UNKNOWN_KEY);
    uint32_t n_posts = lab->n_posts;
    lab_pass(lab, 2 * MINUTE_MS);
    assert_int_equal(lab->n_posts, n_posts);
    answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    assert_true(lab->n_posts > n_posts);
    assert_int_equal(lab_spool(lab).oldest_seq, 0);
}

static void an_unsupported_format_keeps_everything(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    answer(lab, 0, WIRE_ACK_UNSUPPORTED, WIRE_SEQ_NONE);
    assert_waits_between(lab, MINUTE_MS, MINUTE_MS * 3 / 2);
    assert_event(lab, FW_EVENT_UNSUPPORTED);
    assert_int_equal(lab_spool(lab).oldest_seq, 0);
}

static void a_denied_device_keeps_everything_and_asks_hourly(void **state)
{
    static const enum wire_ack_status denials[] = {WIRE_ACK_REVOKED, WIRE_ACK_QUARANTINED,
                                                   WIRE_ACK_UNKNOWN_DEVICE};
    (void)state;
    for (size_t i = 0; i < sizeof denials / sizeof denials[0]; i++) {
        struct uplink_lab *lab = lab_with(4);
        answer(lab, 0, denials[i], WIRE_SEQ_NONE);
        uint32_t n_posts = lab->n_posts;
        for (uint32_t hour = 0; hour < 5; hour++) {
            assert_waits_between(lab, HOUR_MS * 3 / 4, HOUR_MS * 5 / 4);
            lab_offer(lab, 1);
            lab_pass(lab, HOUR_MS * 5 / 4);
            answer_head(lab, denials[i], WIRE_SEQ_NONE);
        }
        assert_int_equal(lab->n_posts, n_posts);
        assert_int_equal(lab_spool(lab).oldest_seq, 0);
        assert_event(lab, FW_EVENT_DENIED);
    }
}

/* ---- told to wait ---- */

static void waits_as_told(enum wire_ack_status status)
{
    struct uplink_lab *lab = lab_with(3);
    struct wire_ack ack = ack_of(status, WIRE_SEQ_NONE);
    lab_answer(lab, lab_post(lab, 0), &ack, 10);
    assert_waits_between(lab, 10000, 15000);
    uint64_t least_ms = 20000;
    for (uint32_t repeat = 1; repeat < 12; repeat++) {
        lab_pass(lab, 30 * MINUTE_MS);
        lab_answer(lab, lab_head(lab), &ack, 10);
        uint64_t capped_ms = least_ms < 15 * MINUTE_MS ? least_ms : 15 * MINUTE_MS;
        assert_waits_between(lab, capped_ms, capped_ms * 3 / 2);
        least_ms *= 2;
    }
    lab_pass(lab, 30 * MINUTE_MS);
    answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    answer(lab, 0, WIRE_ACK_OK, 0);
    lab_answer(lab, lab_post(lab, 1), &(struct wire_ack){.status = status, .cum_seq = 0}, 0);
    assert_waits_between(lab, MINUTE_MS,
                         MINUTE_MS * 3 / 2); /* no Max-Age means 60 s; the doubling began anew */
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
    assert_event(lab, code);
    assert_non_null(lab_head(lab));
    assert_int_equal(lab_head(lab)->stream, stream);
    answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    drain_all(lab);
}

static void a_conflict(enum wire_ack_status status, enum fw_event_code code)
{
    struct uplink_lab *lab = lab_with(6);
    answer(lab, 0, WIRE_ACK_OK, 1);
    uint32_t n_unacked = lab_spool(lab).next_batch_seq - 2;
    answer(lab, 2, status, WIRE_SEQ_NONE);
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
    struct wire_ack ack = ack_of(WIRE_ACK_OK, 0);
    memset(ack.cum_digest, 0x5A, sizeof ack.cum_digest);
    lab_answer(lab, lab_post(lab, 0), &ack, 0);
    assert_new_stream(lab, 1, n_unacked + 1, FW_EVENT_FORK);
}

static void an_aggregator_that_knows_more_of_the_stream_gets_a_new_one(void **state)
{
    (void)state;
    struct uplink_lab *lab = &the_lab;
    lab_start(lab, 9, LAB_MAX_SECTORS);
    lab_offer(lab, 3);
    lab_up(lab);
    struct wire_ack ack = ack_of(WIRE_ACK_OK, 1000);
    memset(ack.cum_digest, 0x5A, sizeof ack.cum_digest);
    lab_answer(lab, lab_head(lab), &ack, 0);
    /* Boot, three records, the anchor of this answer, and the Event. */
    assert_new_stream(lab, 1, 6, FW_EVENT_AGGREGATOR_AHEAD);
}

static void an_aggregator_that_knows_a_later_stream_gets_one_above_it(void **state)
{
    (void)state;
    struct uplink_lab *lab = &the_lab;
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
        answer(lab, seq, WIRE_ACK_OK, seq);
    }
    lab_down(lab, PORT_NET_DOWN_LOST);
    lab_up(lab);
    uint32_t n_unacked = lab_spool(lab).next_batch_seq - 3;
    answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    assert_in_range(lab->collector.counters.carried, n_unacked + 1, n_unacked + 2);
    assert_new_stream(lab, 1, (uint32_t)lab->collector.counters.carried, FW_EVENT_AGGREGATOR_BEHIND);
}

static void answers_about_a_stream_that_was_left_change_nothing(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(6);
    struct lab_request *old = lab_post(lab, 3);
    answer(lab, 0, WIRE_ACK_FORK, WIRE_SEQ_NONE);
    assert_int_equal(lab_spool(lab).stream, 1);
    struct wire_ack ack = ack_of(WIRE_ACK_OK, WIRE_SEQ_NONE);
    ack.stream = 0;
    lab_answer(lab, old, &ack, 0);
    assert_int_equal(lab_spool(lab).acked_seq, WIRE_SEQ_NONE);
    assert_int_equal(lab_spool(lab).stream, 1);
}

/* ---- answers that are none ---- */

static void an_answer_without_an_ack_frees_nothing_and_waits(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    lab_answer_raw(lab, lab_post(lab, 0), 2 * 32 + 4, hr_bytes_of(NULL, 0));
    assert_waits_between(lab, 10000, 15000);
    assert_int_equal(lab_spool(lab).acked_seq, WIRE_SEQ_NONE);
    assert_int_equal(lab->collector.uplink.counters.bad_answers, 1);
}

static void an_ack_under_the_code_of_a_refusal_frees_nothing(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(4);
    struct wire_ack ack = ack_of(WIRE_ACK_OK, 0);
    uint8_t digest[WIRE_DIGEST_BYTES];
    lab_digest(lab, 0, digest);
    memcpy(ack.cum_digest, digest, sizeof ack.cum_digest);
    uint8_t payload[WIRE_ACK_BYTES];
    wire_ack_encode(&ack, payload);
    lab_answer_raw(lab, lab_post(lab, 0), 5 * 32 + 0, hr_bytes_of(payload, sizeof payload));
    assert_int_equal(lab_spool(lab).acked_seq, WIRE_SEQ_NONE);
    assert_int_equal(lab->collector.uplink.counters.bad_answers, 1);
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
    answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
    drain_all(lab);
}

static void a_lost_session_is_had_again_quickly_at_the_same_address(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_with(3);
    answer(lab, 0, WIRE_ACK_OK, 0);
    lab_down(lab, PORT_NET_DOWN_LOST);
    assert_in_range(lab->wait_ms, 0, 250);
    lab_pass(lab, 251);
    assert_true(lab->net_is_open);
    assert_int_equal(lab->address, 0);
}

static void addresses_are_tried_in_turn_and_rounds_come_further_and_further_apart(void **state)
{
    (void)state;
    struct uplink_lab *lab = &the_lab;
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
    answer_head(lab, WIRE_ACK_OK, 1); /* 0 and 1 had arrived; their answers had not */
    assert_int_equal(lab_spool(lab).acked_seq, 1);
    assert_null(lab_post(lab, 1));
    assert_non_null(lab_post(lab, 2));
    drain_all(lab);
}

/* ---- time ---- */

static void the_first_answer_of_a_session_makes_an_anchor_within_half_the_round_trip(void **state)
{
    (void)state;
    struct uplink_lab *lab = &the_lab;
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
    struct uplink_lab *lab = &the_lab;
    lab_start(lab, 12, LAB_MAX_SECTORS);
    lab_up(lab);
    lab_pass(lab, 5001);
    answer_head(lab, WIRE_ACK_OK, WIRE_SEQ_NONE);
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
        answer(lab, seq, WIRE_ACK_OK, seq);
    }
    assert_int_equal(lab->collector.uplink.counters.anchors, 2); /* at 0 s and at 60 s of 90 */
}

/* ---- the collector's own records ---- */

static void boot_is_the_first_record_and_tells_how_the_last_life_ended(void **state)
{
    (void)state;
    struct uplink_lab *lab = &the_lab;
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
    struct uplink_lab *lab = &the_lab;
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

#define ROW(function) cmocka_unit_test(function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_session_starts_with_the_head_and_sends_oldest_first_in_its_window),
        ROW(ok_frees_what_it_covers_and_the_next_batch_goes),
        ROW(everything_acknowledged_is_drained),
        ROW(a_duplicate_frees_as_ok_does),
        ROW(an_ack_that_lost_its_way_is_harmless),
        ROW(a_gap_sends_again_what_is_missing_and_nothing_that_is_under_way),
        ROW(batches_that_the_aggregator_holds_are_not_sent_again),
        ROW(what_the_aggregator_held_and_forgot_goes_again),
        ROW(a_gap_that_names_the_batch_itself_is_not_asked_again_at_once),
        ROW(an_evicted_hole_is_crossed_by_sending_the_batch_with_its_loss_first),
        ROW(a_carrier_that_moves_nothing_is_not_sent_again_at_once),
        ROW(a_batch_damaged_in_flash_becomes_a_loss_and_the_rest_arrives),
        ROW(malformed_that_is_right_here_goes_once_more_and_is_kept),
        ROW(malformed_that_is_wrong_here_becomes_a_loss),
        ROW(a_bad_signature_that_is_right_here_goes_once_more),
        ROW(a_bad_signature_twice_while_others_are_accepted_becomes_a_loss),
        ROW(a_bad_root_twice_while_others_are_accepted_becomes_a_loss),
        ROW(an_aggregator_that_refuses_every_signature_makes_nothing_lost),
        ROW(an_unknown_key_keeps_everything_and_asks_again_later),
        ROW(an_unsupported_format_keeps_everything),
        ROW(a_denied_device_keeps_everything_and_asks_hourly),
        ROW(slow_down_waits_max_age_and_twice_as_long_each_time),
        ROW(unavailable_waits_max_age_and_twice_as_long_each_time),
        ROW(a_fork_starts_a_new_stream_with_all_that_was_not_acknowledged),
        ROW(equivocation_starts_a_new_stream_with_all_that_was_not_acknowledged),
        ROW(an_ack_with_another_digest_frees_nothing_and_starts_a_new_stream),
        ROW(an_aggregator_that_knows_more_of_the_stream_gets_a_new_one),
        ROW(an_aggregator_that_knows_a_later_stream_gets_one_above_it),
        ROW(an_aggregator_that_forgot_what_it_acknowledged_gets_a_new_stream),
        ROW(answers_about_a_stream_that_was_left_change_nothing),
        ROW(an_answer_without_an_ack_frees_nothing_and_waits),
        ROW(an_ack_under_the_code_of_a_refusal_frees_nothing),
        ROW(one_timeout_asks_for_the_head_and_two_make_a_new_session),
        ROW(a_lost_session_is_had_again_quickly_at_the_same_address),
        ROW(addresses_are_tried_in_turn_and_rounds_come_further_and_further_apart),
        ROW(what_was_under_way_in_a_lost_session_is_sent_in_the_next),
        ROW(the_first_answer_of_a_session_makes_an_anchor_within_half_the_round_trip),
        ROW(a_slow_answer_makes_no_anchor),
        ROW(anchors_come_at_most_once_in_their_interval),
        ROW(boot_is_the_first_record_and_tells_how_the_last_life_ended),
        ROW(the_last_seal_holds_the_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
