/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of the uplink do again and again in the lab. */
#include "proto/base/assert.h"
#include "tests/support/uplink_lab.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct uplink_lab *lab_of_test(void)
{
    static struct uplink_lab lab;
    return &lab;
}

struct uplink_lab *lab_with(uint32_t n_batches)
{
    struct uplink_lab *lab = lab_of_test();
    lab_start(lab, 42, LAB_MAX_SECTORS);
    lab_offer(lab, n_batches - 1);
    lab_connect(lab);
    return lab;
}

struct wire_ack lab_ack_of(enum wire_ack_status status, uint32_t cum_seq)
{
    return (struct wire_ack){.status = status, .cum_seq = cum_seq, .server_utc_ms = UINT64_C(1763700000000)};
}

static void answer(struct uplink_lab *lab, struct lab_request *request, enum wire_ack_status status,
                   uint32_t cum_seq)
{
    HR_ASSERT(request != NULL);
    struct wire_ack ack = lab_ack_of(status, cum_seq);
    ack.stream = request->stream;
    lab_answer(lab, request, &ack, 0);
}

void lab_answer_post(struct uplink_lab *lab, uint32_t seq, enum wire_ack_status status, uint32_t cum_seq)
{
    answer(lab, lab_post(lab, seq), status, cum_seq);
}

void lab_answer_head(struct uplink_lab *lab, enum wire_ack_status status, uint32_t cum_seq)
{
    answer(lab, lab_head(lab), status, cum_seq);
}

void lab_drain(struct uplink_lab *lab)
{
    for (uint32_t turn = 0; turn < 10000 && !fw_collector_is_drained(&lab->collector); turn++) {
        uint32_t seq = lab_spool(lab).acked_seq + 1;
        lab_answer_post(lab, seq, WIRE_ACK_OK, seq);
    }
    assert_true(fw_collector_is_drained(&lab->collector));
}

void lab_assert_waits(const struct uplink_lab *lab, uint64_t least_ms, uint64_t most_ms)
{
    assert_int_equal(lab->collector.uplink.mode, FW_UPLINK_HOLD);
    assert_in_range(lab->collector.uplink.wake_ms - lab->now_ms, least_ms, most_ms);
}

void lab_assert_event(struct uplink_lab *lab, enum fw_event_code code)
{
    struct edge_record record;
    assert_true(lab_find_record(lab, 0, EDGE_EVENT, &record));
    assert_int_equal(record.as.event.code, code);
    assert_true(record.as.event.text[0] != '\0');
}
