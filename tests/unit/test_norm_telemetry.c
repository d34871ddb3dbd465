/* SPDX-License-Identifier: Apache-2.0
 *
 * What the samples of a plant say as events. The expected values are computed by hand from the registers'
 * meaning in "SunSpec Device Information Model Specification" 1.1 and the definitions of its models. */
#include "aggregator/normalize/telemetry/channel_table.h"
#include "aggregator/normalize/telemetry/symbol.h"
#include "proto/base/assert.h"
#include "tests/support/telemetry_lab.h"
#include "tests/support/test_cmocka.h"

#include <stdlib.h>
#include <string.h>

static const struct norm_site north_field = {.collector = TELEMETRY_LAB_DEVICE,
                                             .name = "north field",
                                             .has_node = true,
                                             .iso = NORM_CAISO,
                                             .node = "NF_1_N001",
                                             .inverter_fuel = "solar"};

#define assert_field(index, field, expected)                                                                 \
    assert_string_equal(telemetry_lab_text((index), (field)), (expected))

static int begin(void **state)
{
    return telemetry_lab_setup(state, &north_field);
}

static void a_sample_is_scaled_and_named_as_its_channel_says(void **state)
{
    const struct edge_time_anchor anchor = {.boot_id = 1, .utc_ms = 1700000000000, .err_ms = 20};
    struct edge_record records[] = {telemetry_lab_channel(5, 103, "W", EDGE_CHANNEL_MEASUREMENT),
                                    telemetry_lab_sample(5, -1234, EDGE_QUALITY_GOOD)};
    memcpy(records[0].as.channel.unit, "W", 2);
    records[0].as.channel.scale = -1;
    records[0].as.channel.dead_band = 50;
    records[1].dt_ms = 1500;
    telemetry_lab_seal(records, 2);
    telemetry_lab.anchor = &anchor;
    telemetry_lab_take(*state, 0);
    assert_int_equal(telemetry_lab.n_events, 1);
    assert_field(0, "schema", "plant_telemetry");
    assert_field(0, "site", "north field");
    assert_field(0, "device", "inverter-1");
    assert_field(0, "model", "103");
    assert_field(0, "model_name", "inverter_three_phase");
    assert_field(0, "point", "W");
    assert_field(0, "channel", "5");
    assert_field(0, "kind", "measurement");
    assert_field(0, "value", "-123.40000000000001"); /* the double nearest to -123.4 */
    assert_field(0, "unit", "W");
    assert_field(0, "quality", "good");
    assert_field(0, "symbol", "null");
    assert_field(0, "delta", "null");
    assert_field(0, "dead_band", "5");
    assert_field(0, "raw_value", "-1234");
    assert_field(0, "scale", "-1");
    assert_field(0, "tenant_id", "acme");
    assert_field(0, "time_quality", "anchored");
    assert_field(0, "time_error_ms", "21"); /* 20 and 100 ppm of 2.5 s, rounded up */
    assert_field(0, "occurred_at", "1700000002500000");
    assert_field(0, "producer", "headrace/plant/1");
}

static void each_value_of_a_poll_is_an_event_of_its_channel(void **state)
{
    struct edge_record records[4] = {telemetry_lab_channel(7, 103, "A", EDGE_CHANNEL_MEASUREMENT),
                                     telemetry_lab_channel(8, 103, "V", EDGE_CHANNEL_MEASUREMENT),
                                     telemetry_lab_channel(11, 103, "Hz", EDGE_CHANNEL_MEASUREMENT)};
    records[3].kind = EDGE_SAMPLES;
    records[3].as.samples = (struct edge_samples){
        .first_channel = 7, .n_values = 3, .skip = {0, 0, 2}, .value = {1, 2, 3}, .quality = {0, 1, 4}};
    telemetry_lab_seal(records, 4);
    telemetry_lab_take(*state, 0);
    assert_int_equal(telemetry_lab.n_events, 3);
    assert_field(0, "point", "A");
    assert_field(1, "point", "V");
    assert_field(2, "point", "Hz");
    assert_field(0, "value", "1");
    assert_field(1, "value", "2");
    assert_field(1, "quality", "stale");
    assert_field(2, "value", "null");
    assert_field(2, "quality", "out_of_range");
    assert_field(2, "raw_value", "3");
    char first_id[64] = "";
    strncat(first_id, telemetry_lab_text(0, "event_id"), sizeof first_id - 1);
    assert_string_not_equal(first_id, telemetry_lab_text(1, "event_id"));
}

static void every_quality_has_its_name_and_only_those_of_a_reading_have_a_value(void **state)
{
    static const struct {
        uint8_t quality;
        const char *name;
        const char *value;
    } cases[] = {{0, "good", "17"},        {1, "stale", "17"},          {2, "not_implemented", "null"},
                 {3, "comms_error", "17"}, {4, "out_of_range", "null"}, {200, "other", "null"}};
    struct edge_record records[1 + HR_ARRAY_LEN(cases)] = {
        telemetry_lab_channel(1, 0, "level", EDGE_CHANNEL_MEASUREMENT)};
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        records[1 + i] = telemetry_lab_sample(1, 17, cases[i].quality);
    }
    telemetry_lab_seal(records, HR_ARRAY_LEN(records));
    telemetry_lab_take(*state, 0);
    assert_int_equal(telemetry_lab.n_events, HR_ARRAY_LEN(cases));
    for (uint32_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        assert_field(i, "quality", cases[i].name);
        assert_field(i, "value", cases[i].value);
        assert_field(i, "model", "null");
        assert_field(i, "model_name", "null");
    }
    const struct norm_telemetry *telemetry = *state;
    assert_int_equal(telemetry->counts.samples, 6);
    assert_int_equal(telemetry->counts.bad, 5);
}

static void the_one_sample_of_a_former_collector_is_read_too(void **state)
{
    const struct edge_record records[] = {telemetry_lab_channel(70, 802, "SoC", EDGE_CHANNEL_MEASUREMENT),
                                          {.kind = EDGE_SAMPLE, .as.sample = {.channel = 70, .value = 88}}};
    telemetry_lab_seal(records, 2);
    telemetry_lab_take(*state, 0);
    assert_int_equal(telemetry_lab.n_events, 1);
    assert_field(0, "value", "88");
    assert_field(0, "model_name", "battery");
}

static void values_are_the_nearest_double_at_every_scale(void **state)
{
    (void)state;
    assert_true(norm_telemetry_scaled(1, 0, false) == 1.0);
    assert_true(norm_telemetry_scaled(123, -2, false) == 1.23);
    assert_true(norm_telemetry_scaled(-1, -18, false) == -1e-18);
    assert_true(norm_telemetry_scaled(7, 3, false) == 7000.0);
    assert_true(norm_telemetry_scaled(9007199254740993, -3, false) == 9007199254740.993);
    assert_true(norm_telemetry_scaled(INT64_MIN, 0, false) == -9223372036854775808.0);
    assert_true(norm_telemetry_scaled(-1, 0, true) == 18446744073709551615.0);
    assert_true(norm_telemetry_scaled(INT64_MAX, 18, false) > 9.22e36);
    assert_true(norm_telemetry_scaled(0, 18, true) == 0.0);
}

static void an_accumulator_says_how_far_it_went(void **state)
{
    static const struct {
        int64_t value;
        uint8_t quality;
        const char *delta;
        const char *kind;
    } steps[] = {
        {100, 0, "null", "null"},                                /* the first one */
        {150, 0, "500", "steady"},       {0, 3, "null", "null"}, /* not answered: no reading */
        {150, 0, "0", "steady"},         {4294967290, 0, "42949671400", "steady"},
        {4, 0, "100", "wrapped"}, /* 6 to the end of 32 bits, 4 behind */
        {1000, 0, "9960", "steady"},     {30, 0, "300", "reset"},
        {4294967296, 0, "null", "null"}, /* beyond 32 bits: nobody's count */
        {40, 0, "null", "null"},         {41, 0, "10", "steady"},
    };
    struct edge_record records[1 + HR_ARRAY_LEN(steps)] = {
        telemetry_lab_channel(2, 103, "WH", EDGE_CHANNEL_ACCUMULATOR)};
    records[0].as.channel.scale = 1;
    for (size_t i = 0; i < HR_ARRAY_LEN(steps); i++) {
        records[1 + i] = telemetry_lab_sample(2, steps[i].value, steps[i].quality);
    }
    telemetry_lab_seal(records, HR_ARRAY_LEN(records));
    telemetry_lab_take(*state, 0);
    for (uint32_t i = 0; i < HR_ARRAY_LEN(steps); i++) {
        assert_field(i, "delta", steps[i].delta);
        assert_field(i, "delta_kind", steps[i].kind);
    }
}

static void accumulators_wrap_where_their_width_ends(void **state)
{
    uint64_t delta = 0;
    (void)state;
    assert_int_equal(norm_telemetry_delta(16, 65530, 5, &delta), NORM_TELEMETRY_WRAPPED);
    assert_int_equal(delta, 11);
    assert_int_equal(norm_telemetry_delta(64, UINT64_MAX, 0, &delta), NORM_TELEMETRY_WRAPPED);
    assert_int_equal(delta, 1);
    assert_int_equal(norm_telemetry_delta(32, 65530, 5, &delta), NORM_TELEMETRY_RESET);
    assert_int_equal(delta, 5);
    assert_int_equal(norm_telemetry_delta(1, 0, 1, &delta), NORM_TELEMETRY_STEADY);
    assert_int_equal(norm_telemetry_delta(16, 65536, 5, &delta), NORM_TELEMETRY_NO_STEP);
    assert_int_equal(norm_telemetry_delta(16, 5, 65536, &delta), NORM_TELEMETRY_NO_STEP);
}

/* The names are those of the definitions. */
static void enumerations_and_bitfields_have_names(void **state)
{
    static const struct {
        uint32_t model;
        const char *point;
        uint32_t kind;
        int64_t value;
        const char *symbol;
    } cases[] = {
        {103, "St", EDGE_CHANNEL_ENUMERATION, 4, "MPPT"},
        {103, "St", EDGE_CHANNEL_ENUMERATION, 9, "null"},
        {103, "St", EDGE_CHANNEL_ENUMERATION, -4, "null"},
        {103, "StVnd", EDGE_CHANNEL_ENUMERATION, 4, "null"}, /* the vendor's own */
        {103, "Evt1", EDGE_CHANNEL_BITFIELD, 0, ""},
        {103, "Evt1", EDGE_CHANNEL_BITFIELD, 0x8001, "GROUND_FAULT,HW_TEST_FAILURE"},
        {103, "Evt1", EDGE_CHANNEL_BITFIELD, 0x10080, "OVER_TEMP,bit 16"},
        {160, "module[2].DCSt", EDGE_CHANNEL_ENUMERATION, 9, "TEST"},
        {160, "module.DCSt", EDGE_CHANNEL_ENUMERATION, 9, "TEST"},
        {160, "modul[2].DCSt", EDGE_CHANNEL_ENUMERATION, 9, "null"},
        {160, "module[2.DCSt", EDGE_CHANNEL_ENUMERATION, 9, "null"},
        {160, "module[2].", EDGE_CHANNEL_ENUMERATION, 9, "null"},
        {160, "DCSt", EDGE_CHANNEL_ENUMERATION, 9, "null"}, /* a group's, not the model's */
        {64001, "St", EDGE_CHANNEL_ENUMERATION, 4, "null"}, /* a model of nobody's */
        {103, "Evt2", EDGE_CHANNEL_BITFIELD, INT64_MIN, "bit 63"},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        const struct edge_record records[] = {
            telemetry_lab_channel(1, cases[i].model, cases[i].point, cases[i].kind),
            telemetry_lab_sample(1, cases[i].value, EDGE_QUALITY_GOOD)};
        telemetry_lab_seal(records, 2);
        telemetry_lab_take(*state, (uint32_t)i);
        assert_field(0, "symbol", cases[i].symbol);
    }
}

static void a_register_map_brings_its_own_names(void **state)
{
    static const struct {
        const char *symbols;
        uint32_t kind;
        int64_t value;
        const char *symbol;
    } cases[] = {
        {"0=off;1=on", EDGE_CHANNEL_ENUMERATION, 0, "off"},
        {"0=off;1=on", EDGE_CHANNEL_ENUMERATION, 1, "on"},
        {"0=off;1=on", EDGE_CHANNEL_ENUMERATION, 2, "null"},
        {"3=low;5=high", EDGE_CHANNEL_BITFIELD, 0x28, "low,high"},
        {";=x;1;99999999999999999999=y;1=", EDGE_CHANNEL_ENUMERATION, 1, "null"},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct edge_record records[] = {telemetry_lab_channel(1, 0, "state", cases[i].kind),
                                        telemetry_lab_sample(1, cases[i].value, EDGE_QUALITY_GOOD)};
        memcpy(records[0].as.channel.symbols, cases[i].symbols, strlen(cases[i].symbols) + 1);
        telemetry_lab_seal(records, 2);
        telemetry_lab_take(*state, (uint32_t)i);
        assert_field(0, "symbol", cases[i].symbol);
    }
}

/* 64 bits with the longest names that fit a Channel, and every bit of a model. */
static void names_of_many_bits_stay_within_their_room(void **state)
{
    char out[NORM_SYMBOL_CHARS];
    struct edge_record record = telemetry_lab_channel(1, 103, "Evt1", EDGE_CHANNEL_BITFIELD);
    (void)state;
    size_t len = norm_symbol(&record.as.channel, -1, out);
    assert_true(len > 400 && len <= NORM_SYMBOL_CHARS);
    assert_memory_equal(out, "GROUND_FAULT,DC_OVER_VOLT,", 26);
    assert_true(out[len - 1] != ',');
}

static void a_sample_without_a_dictionary_is_one_finding(void **state)
{
    struct edge_record records[] = {telemetry_lab_channel(1, 103, "W", EDGE_CHANNEL_MEASUREMENT),
                                    {.kind = EDGE_SAMPLES}};
    records[1].as.samples = (struct edge_samples){
        .first_channel = 1, .n_values = 3, .value = {5, -6, INT64_MIN}, .quality = {0, 1, 0}};
    telemetry_lab_seal(records, 2);
    telemetry_lab_take(*state, 0);
    assert_int_equal(telemetry_lab.n_events, 3);
    assert_field(0, "schema", "plant_telemetry");
    for (uint32_t i = 1; i < 3; i++) {
        assert_field(i, "schema", "data_quality_anomaly");
        assert_field(i, "feed", "plant_telemetry");
        assert_field(i, "finding", "unknown_channel");
    }
    assert_field(1, "text", "no dictionary in reach explains channel 2: value -6, quality 1");
    assert_field(2, "text",
                 "no dictionary in reach explains channel 3: value -9223372036854775808, quality 0");
    const struct norm_telemetry *telemetry = *state;
    assert_int_equal(telemetry->counts.unknown, 2);
}

/* Inverters, a battery and a meter over the end of five minutes; by hand: 1.5 MW + 250 kW, -40 kW, 1.2 MW. */
static void a_site_has_a_total_for_each_technology_at_the_end_of_five_minutes(void **state)
{
    /* Batch 0 begins at an uptime of 1 s: 22:04:50. */
    const struct edge_time_anchor anchor = {.boot_id = 1, .uptime_ms = 1000, .utc_ms = 1699999490000};
    struct edge_record records[] = {
        telemetry_lab_channel(1, 103, "W", EDGE_CHANNEL_MEASUREMENT),
        telemetry_lab_channel(2, 101, "W", EDGE_CHANNEL_MEASUREMENT),
        telemetry_lab_channel(3, 802, "W", EDGE_CHANNEL_MEASUREMENT),
        telemetry_lab_channel(4, 203, "W", EDGE_CHANNEL_MEASUREMENT),
        telemetry_lab_channel(5, 103, "VA", EDGE_CHANNEL_MEASUREMENT),
        telemetry_lab_channel(6, 113, "W", EDGE_CHANNEL_MEASUREMENT),
        {.kind = EDGE_SAMPLES},
        telemetry_lab_sample(6, 77, EDGE_QUALITY_COMMS_ERROR),
        telemetry_lab_sample(5, 1, EDGE_QUALITY_GOOD),
    };
    records[0].as.channel.scale = 3;
    records[6].as.samples = (struct edge_samples){
        .first_channel = 1, .n_values = 5, .value = {1500, 250000, -40000, 1200000, 99}};
    records[7].dt_ms = 9999; /* 22:04:59.999 */
    records[8].dt_ms = 10000;
    telemetry_lab_seal(records, HR_ARRAY_LEN(records));
    telemetry_lab.anchor = &anchor;
    telemetry_lab_take(*state, 0);
    assert_int_equal(telemetry_lab.n_events, 5 + 1 + 1 + 3);
    static const struct {
        const char *subject, *quarantine;
        double value_mw;
    } totals[] = {{"generation.solar", "incomplete", 1.75},
                  {"generation.battery", "null", -0.04},
                  {"net.meter", "null", 1.2}};
    for (uint32_t i = 0; i < 3; i++) {
        assert_field(7 + i, "schema", "iso_telemetry");
        assert_field(7 + i, "iso_subject", totals[i].subject);
        assert_field(7 + i, "quarantine", totals[i].quarantine);
        assert_field(7 + i, "feed", "plant_total");
        assert_field(7 + i, "iso_code", "caiso");
        assert_field(7 + i, "iso_location_type", "node");
        assert_field(7 + i, "iso_location_id", "NF_1_N001");
        assert_field(7 + i, "iso_location_name", "north field");
        assert_field(7 + i, "iso_unit", "MW");
        assert_field(7 + i, "iso_interval_minutes", "5");
        assert_field(7 + i, "interval_start", "1699999200000000");
        assert_field(7 + i, "interval_end", "1699999500000000");
        assert_true(strtod(telemetry_lab_text(7 + i, "value"), NULL) == totals[i].value_mw);
    }
    assert_string_not_equal(telemetry_lab_text(7, "observation_key"), "");
}

/* Five streams of as many channels as there may be: four of them fit. */
static void a_full_table_forgets_the_stream_that_was_not_used_for_longest(void **state)
{
    struct norm_telemetry *telemetry = *state;
    struct norm_channels *channels = telemetry->channels;
    struct edge_record record = telemetry_lab_channel(1, 103, "W", EDGE_CHANNEL_MEASUREMENT);
    static const uint64_t used_at[] = {5, 1, 4, 3, 6};
    for (uint32_t i = 0; i < HR_ARRAY_LEN(used_at); i++) {
        channels->streams[i].is_loaded = true;
        channels->streams[i].used_at = used_at[i];
        for (uint32_t number = 1; number <= EDGE_CHANNEL_MAX; number++) {
            record.as.channel.channel = number;
            norm_channel_define(channels, &channels->streams[i], i, &record.as.channel);
        }
    }
    for (uint32_t i = 0; i < HR_ARRAY_LEN(used_at); i++) {
        bool is_kept = i != 1;
        assert_int_equal(channels->streams[i].is_loaded, is_kept);
        for (uint32_t number = 1; number <= EDGE_CHANNEL_MAX; number += 97) {
            const struct norm_channel *entry = norm_channel_entry_at(channels, i, number);
            assert_int_equal(entry != NULL, is_kept);
            assert_true(entry == NULL || (entry->what.channel == number && entry->what_seq == i));
        }
    }
    norm_channel_clear(channels, &channels->streams[0]);
    assert_null(norm_channel_entry_at(channels, 0, 1));
    assert_non_null(norm_channel_entry_at(channels, 2, 1));
}

static void other_sites_with_a_node_are_another_version(void **state)
{
    struct norm_site sites[] = {norm_site_of(1, "a", "caiso", "N1", "solar"),
                                norm_site_of(2, "b", "miso", "N2", "wind"),
                                norm_site_of(3, "c", NULL, "", "solar")};
    (void)state;
    assert_int_equal(sites[0].iso, NORM_CAISO);
    assert_true(sites[1].has_node && !sites[2].has_node);
    assert_int_equal(norm_site_version(NULL, 0), 0);
    assert_int_equal(norm_site_version(&sites[2], 1), 0);
    uint32_t version = norm_site_version(sites, 3);
    assert_int_equal(norm_site_version(sites, 2), version);
    const struct norm_site turned[] = {sites[1], sites[0]};
    assert_int_equal(norm_site_version(turned, 2), version);
    sites[0].node = "N3";
    assert_int_not_equal(norm_site_version(sites, 3), version);
    sites[0].node = "N1";
    sites[1].collector = 4;
    assert_int_not_equal(norm_site_version(sites, 3), version);
    assert_int_not_equal(norm_site_version(sites, 1), 0);
}

static void a_total_needs_a_clock_and_a_former_sample(void **state)
{
    const struct edge_time_anchor of_another_boot = {.boot_id = 2, .utc_ms = 1699999490000};
    struct edge_record records[] = {telemetry_lab_channel(1, 103, "W", EDGE_CHANNEL_MEASUREMENT),
                                    telemetry_lab_sample(1, 5, EDGE_QUALITY_GOOD),
                                    telemetry_lab_sample(1, 6, EDGE_QUALITY_GOOD)};
    records[2].dt_ms = 3600000;
    telemetry_lab_seal(records, HR_ARRAY_LEN(records));
    telemetry_lab.anchor = &of_another_boot;
    telemetry_lab_take(*state, 0);
    assert_int_equal(telemetry_lab.n_events, 2);
    const struct norm_telemetry *telemetry = *state;
    assert_int_equal(telemetry->counts.totals, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sample_is_scaled_and_named_as_its_channel_says, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(each_value_of_a_poll_is_an_event_of_its_channel, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(every_quality_has_its_name_and_only_those_of_a_reading_have_a_value,
                                        begin, telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(the_one_sample_of_a_former_collector_is_read_too, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test(values_are_the_nearest_double_at_every_scale),
        cmocka_unit_test_setup_teardown(an_accumulator_says_how_far_it_went, begin, telemetry_lab_teardown),
        cmocka_unit_test(accumulators_wrap_where_their_width_ends),
        cmocka_unit_test_setup_teardown(enumerations_and_bitfields_have_names, begin, telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(a_register_map_brings_its_own_names, begin, telemetry_lab_teardown),
        cmocka_unit_test(names_of_many_bits_stay_within_their_room),
        cmocka_unit_test_setup_teardown(a_sample_without_a_dictionary_is_one_finding, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(a_site_has_a_total_for_each_technology_at_the_end_of_five_minutes,
                                        begin, telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(a_full_table_forgets_the_stream_that_was_not_used_for_longest, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test(other_sites_with_a_node_are_another_version),
        cmocka_unit_test_setup_teardown(a_total_needs_a_clock_and_a_former_sample, begin,
                                        telemetry_lab_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
