/* SPDX-License-Identifier: Apache-2.0
 *
 * What a collector as small as a microcontroller's has to hold. */
#include "firmware/taps/ais/tap_ais.h"
#include "tests/support/uplink_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct uplink_lab lab;

static void a_message_of_the_tap_is_sealed_as_its_record_would_be(void **state)
{
    (void)state;
    struct edge_record record;
    struct edge_ais ais = {.payload_chars = 28, .channel = 'B', .talker = {'A', 'I'}};
    memset(ais.payload, 0x5A, 21);
    lab_start(&lab, 42, LAB_MAX_SECTORS);
    assert_true(hr_is_ok(fw_collector_offer_ais(&lab.collector, &ais, lab.now_ms + 300)));
    assert_true(lab_find_record(&lab, 1, EDGE_AIS, &record));
    assert_int_equal(record.as.ais.channel, 'B');
    assert_int_equal(record.as.ais.payload_chars, 28);
    assert_memory_equal(record.as.ais.payload, ais.payload, sizeof ais.payload);
    assert_int_equal(lab.collector.counters.records, 1);

    struct edge_record same = {.kind = EDGE_AIS, .as.ais = ais};
    assert_true(hr_is_ok(fw_collector_offer(&lab.collector, &same, lab.now_ms + 300)));
    uint8_t by_message[LAB_ENVELOPE_MAX_BYTES];
    uint8_t by_record[LAB_ENVELOPE_MAX_BYTES];
    uint32_t message_bytes = 0;
    uint32_t record_bytes = 0;
    assert_true(hr_is_ok(fw_spool_read(&lab.spool, 1, by_message, sizeof by_message, &message_bytes)));
    assert_true(hr_is_ok(fw_spool_read(&lab.spool, 2, by_record, sizeof by_record, &record_bytes)));
    assert_int_equal(message_bytes, record_bytes);
    assert_memory_equal(by_message + WIRE_PREFIX_BYTES, by_record + WIRE_PREFIX_BYTES,
                        message_bytes - WIRE_PREFIX_BYTES);
}

static void a_message_that_is_out_of_range_is_dropped_and_counted(void **state)
{
    (void)state;
    struct edge_ais ais = {.payload_chars = 0, .channel = 'B', .talker = {'A', 'I'}};
    lab_start(&lab, 42, LAB_MAX_SECTORS);
    assert_true(hr_is(fw_collector_offer_ais(&lab.collector, &ais, lab.now_ms), HR_MALFORMED));
    assert_int_equal(lab.collector.counters.records_dropped, 1);
    assert_int_equal(lab_spool(&lab).next_batch_seq, 1);
}

/* A Stats record that fits no batch would be an assert on a device in the field, after years of counting. */
static void stats_fit_an_envelope_however_far_they_have_counted(void **state)
{
    (void)state;
    enum { ROOM_BYTES = WIRE_MCU_ENVELOPE_MAX_BYTES - WIRE_PREFIX_BYTES - 2 };
    static struct edge_record record = {.dt_ms = UINT32_MAX, .kind = EDGE_STATS};
    static struct tap_ais tap;
    uint8_t bytes[ROOM_BYTES];
    size_t len_bytes = 0;
    lab_start(&lab, 42, LAB_MAX_SECTORS);
    for (uint32_t i = 0; i < lab.collector.n_sources; i++) {
        memset(&lab.collector.counters, 0xFF, sizeof lab.collector.counters);
        memset(&lab.collector.uplink.counters, 0xFF, sizeof lab.collector.uplink.counters);
        const struct fw_stats_source *source = &lab.collector.sources[i];
        source->stats(source->ctx, &record.as.stats);
        assert_true(record.as.stats.n_counters > 0);
        assert_true(hr_is_ok(edge_record_encode(&record, bytes, sizeof bytes, &len_bytes)));
    }
    memset(tap.counter, 0xFF, sizeof tap.counter);
    tap_ais_stats(&tap, &record.as.stats);
    assert_int_equal(record.as.stats.n_counters, TAP_AIS_N_COUNTERS);
    assert_true(hr_is_ok(edge_record_encode(&record, bytes, sizeof bytes, &len_bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_of_the_tap_is_sealed_as_its_record_would_be),
        cmocka_unit_test(a_message_that_is_out_of_range_is_dropped_and_counted),
        cmocka_unit_test(stats_fit_an_envelope_however_far_they_have_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
