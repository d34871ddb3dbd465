/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/block.h"
#include "aggregator/normalize/calendar/label.h"
#include "aggregator/zoneinfo/zoneinfo.h"
#include "tests/support/calendar_utc.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

static struct norm_zones zones;

static int set_up(void **state)
{
    char message[ZONEINFO_MESSAGE_CHARS];

    (void)state;
    return hr_is_ok(zoneinfo_load(NULL, &zones, message)) ? 0 : -1;
}

static struct norm_market_day market_day(enum norm_iso iso, int year, int month, int day)
{
    struct norm_market_day of = {0};

    assert_ok(norm_market_day_of(norm_iso_zone(&zones, iso), utc_day(year, month, day), &of));
    return of;
}

/* ---- days and their intervals ---- */

static void each_iso_has_its_hours_on_both_days_of_changed_clocks(void **state)
{
    static const struct {
        enum norm_iso iso;
        int midnight_winter; /* UTC hour of local midnight */
        int changes;
    } isos[] = {{NORM_CAISO, 8, 1}, {NORM_MISO, 5, 0},  {NORM_SPP, 6, 1},  {NORM_PJM, 5, 1},
                {NORM_ERCOT, 6, 1}, {NORM_ISONE, 5, 1}, {NORM_NYISO, 5, 1}};
    static const struct {
        int year;
        int spring; /* day of March */
        int autumn; /* day of November */
    } years[] = {{2007, 11, 4}, {2016, 13, 6}, {2023, 12, 5}, {2024, 10, 3}, {2025, 9, 2}, {2026, 8, 1}};

    (void)state;
    for (size_t i = 0; i < NORM_ISO_COUNT; i++) {
        for (size_t y = 0; y < sizeof(years) / sizeof(years[0]); y++) {
            int winter = isos[i].midnight_winter;
            int summer = winter - isos[i].changes;
            struct norm_market_day spring = market_day(isos[i].iso, years[y].year, 3, years[y].spring);
            struct norm_market_day autumn = market_day(isos[i].iso, years[y].year, 11, years[y].autumn);

            assert_int_equal(spring.n_hours, 24 - isos[i].changes);
            assert_int_equal(spring.start_utc_s, utc(years[y].year, 3, years[y].spring, winter, 0));
            assert_int_equal(spring.end_utc_s, utc(years[y].year, 3, years[y].spring + 1, summer, 0));
            assert_int_equal(spring.skipped_hour, isos[i].changes == 1 ? 2 : -1);
            assert_int_equal(spring.repeated_hour, -1);
            assert_int_equal(autumn.n_hours, 24 + isos[i].changes);
            assert_int_equal(autumn.start_utc_s, utc(years[y].year, 11, years[y].autumn, summer, 0));
            assert_int_equal(autumn.end_utc_s, utc(years[y].year, 11, years[y].autumn + 1, winter, 0));
            assert_int_equal(autumn.repeated_hour, isos[i].changes == 1 ? 1 : -1);
            assert_int_equal(autumn.skipped_hour, -1);
        }
    }
}

static void intervals_of_a_day_leave_no_gap_and_no_overlap(void **state)
{
    static const int dates[][3] = {{2024, 3, 10}, {2024, 7, 4}, {2024, 11, 3}};
    static const uint32_t lengths[] = {5, 15, 30, 60};

    (void)state;
    for (size_t d = 0; d < 3; d++) {
        struct norm_market_day of = market_day(NORM_ERCOT, dates[d][0], dates[d][1], dates[d][2]);

        for (size_t l = 0; l < 4; l++) {
            uint32_t n = norm_day_intervals(&of, lengths[l]);
            int64_t at_s = of.start_utc_s;
            struct norm_interval interval = {-1, -1};
            uint32_t nth = 0;

            assert_int_equal(n, of.n_hours * 60U / lengths[l]);
            for (uint32_t i = 0; i < n; i++) {
                assert_ok(norm_day_interval(&of, lengths[l], i, &interval));
                assert_int_equal(interval.start_utc_s, at_s);
                at_s += lengths[l] * 60;
                assert_int_equal(interval.end_utc_s, at_s);
                assert_ok(norm_day_interval_at(&of, lengths[l], interval.end_utc_s - 1, &nth));
                assert_int_equal(nth, i);
            }
            assert_int_equal(at_s, of.end_utc_s);
            assert_code(norm_day_interval(&of, lengths[l], n, &interval), HR_NOT_FOUND);
            assert_int_equal(interval.end_utc_s, of.end_utc_s);
            assert_code(norm_day_interval_at(&of, lengths[l], of.end_utc_s, &nth), HR_NOT_FOUND);
            assert_code(norm_day_interval_at(&of, lengths[l], of.start_utc_s - 1, &nth), HR_NOT_FOUND);
        }
    }
}

static void a_day_that_is_no_market_day_is_refused(void **state)
{
    struct norm_market_day of = {.n_hours = 77};
    char message[ZONEINFO_MESSAGE_CHARS];
    static struct norm_zone zone;
    uint32_t n = 77;

    (void)state;
    assert_code(norm_market_day_of(&zones.by_id[NORM_ZONE_EST], INT32_MAX, &of), HR_MALFORMED);
    /* Clocks there were changed by half an hour, and at midnight. */
    assert_ok(zoneinfo_read(NULL, "Australia/Lord_Howe", &zone, message));
    assert_code(norm_market_day_of(&zone, utc_day(2024, 4, 7), &of), HR_MALFORMED);
    assert_ok(zoneinfo_read(NULL, "America/Sao_Paulo", &zone, message));
    assert_code(norm_market_day_of(&zone, utc_day(2018, 11, 4), &of), HR_MALFORMED);
    assert_int_equal(of.n_hours, 77);
    assert_code(norm_settlement_periods(&zones.by_id[NORM_ZONE_EST], 10, 9, 5, &n), HR_MALFORMED);
    assert_code(norm_settlement_periods(&zones.by_id[NORM_ZONE_EST], 0, 400000, 5, &n), HR_MALFORMED);
    assert_int_equal(n, 77);
}

static void settlement_periods_count_what_the_clocks_leave(void **state)
{
    const struct norm_zone *central = &zones.by_id[NORM_ZONE_CENTRAL];
    uint32_t n = 0;

    (void)state;
    assert_ok(norm_settlement_periods(central, utc_day(2024, 3, 1), utc_day(2024, 3, 31), 15, &n));
    assert_int_equal(n, 2972);
    assert_ok(norm_settlement_periods(central, utc_day(2024, 11, 1), utc_day(2024, 11, 30), 15, &n));
    assert_int_equal(n, 2884);
    assert_ok(norm_settlement_periods(central, utc_day(2024, 1, 1), utc_day(2024, 12, 31), 5, &n));
    assert_int_equal(n, 366 * 288);
}

/* ---- labels ---- */

static void hour_is(const struct norm_market_day *of, enum norm_hours hours, uint32_t number,
                    enum norm_fold fold, int64_t start_utc_s)
{
    struct norm_interval hour = {0, 0};
    enum norm_fault fault = NORM_FAULT_LABEL;

    assert_ok(norm_hour_ending(of, hours, number, fold, &hour, &fault));
    assert_int_equal(fault, NORM_FAULT_NONE);
    assert_int_equal(hour.start_utc_s, start_utc_s);
    assert_int_equal(hour.end_utc_s, start_utc_s + 3600);
    assert_ok(norm_hour_beginning(of, hours, number - 1, fold, &hour, &fault));
    assert_int_equal(hour.start_utc_s, start_utc_s);
}

static void hour_fails(const struct norm_market_day *of, enum norm_hours hours, uint32_t number,
                       enum norm_fold fold, enum norm_fault expected)
{
    struct norm_interval hour = {-7, -7};
    enum norm_fault fault = NORM_FAULT_NONE;

    assert_code(norm_hour_ending(of, hours, number, fold, &hour, &fault), HR_MALFORMED);
    assert_string_equal(norm_fault_name(fault), norm_fault_name(expected));
    assert_int_equal(hour.start_utc_s, -7);
}

static void ercot_flag_means_the_second_pass_not_daylight_time(void **state)
{
    struct norm_market_day autumn = market_day(NORM_ERCOT, 2025, 11, 2);
    struct norm_market_day spring = market_day(NORM_ERCOT, 2025, 3, 9);
    enum norm_fold fold = NORM_FOLD_UNKNOWN;
    struct norm_interval hour = {utc(2025, 11, 2, 7, 0), utc(2025, 11, 2, 8, 0)};
    struct norm_interval part = {0, 0};
    enum norm_fault fault = NORM_FAULT_NONE;

    (void)state;
    assert_ok(norm_fold_of_flag(hr_bytes_of("N ", 2), &fold));
    hour_is(&autumn, NORM_HOURS_CLOCK, 2, fold, utc(2025, 11, 2, 6, 0));
    assert_ok(norm_fold_of_flag(hr_bytes_of("Y", 1), &fold));
    hour_is(&autumn, NORM_HOURS_CLOCK, 2, fold, utc(2025, 11, 2, 7, 0));
    hour_fails(&autumn, NORM_HOURS_CLOCK, 3, fold, NORM_FAULT_NOT_REPEATED);
    hour_fails(&autumn, NORM_HOURS_CLOCK, 2, NORM_FOLD_UNKNOWN, NORM_FAULT_AMBIGUOUS);
    hour_is(&autumn, NORM_HOURS_CLOCK, 24, NORM_FOLD_FIRST, utc(2025, 11, 3, 5, 0));
    hour_fails(&spring, NORM_HOURS_CLOCK, 3, NORM_FOLD_FIRST, NORM_FAULT_NONEXISTENT);
    hour_is(&spring, NORM_HOURS_CLOCK, 4, NORM_FOLD_FIRST, utc(2025, 3, 9, 8, 0));
    hour_is(&autumn, NORM_HOURS_IN_ORDER, 25, NORM_FOLD_UNKNOWN, utc(2025, 11, 3, 5, 0));
    hour_fails(&spring, NORM_HOURS_IN_ORDER, 24, NORM_FOLD_UNKNOWN, NORM_FAULT_NONEXISTENT);

    assert_ok(norm_hour_part(&hour, 15, 4, &part, &fault));
    assert_int_equal(part.start_utc_s, utc(2025, 11, 2, 7, 45));
    assert_int_equal(part.end_utc_s, hour.end_utc_s);
    assert_code(norm_hour_part(&hour, 15, 5, &part, &fault), HR_MALFORMED);
    assert_int_equal(fault, NORM_FAULT_LABEL);
    assert_code(norm_hour_part(&hour, 15, 0, &part, &fault), HR_MALFORMED);
}

static void caiso_hour_25_is_the_repeated_one(void **state)
{
    struct norm_market_day autumn = market_day(NORM_CAISO, 2024, 11, 3);
    struct norm_market_day usual = market_day(NORM_CAISO, 2024, 11, 4);

    (void)state;
    hour_is(&autumn, NORM_HOURS_25_IS_REPEATED, 2, NORM_FOLD_UNKNOWN, utc(2024, 11, 3, 8, 0));
    hour_is(&autumn, NORM_HOURS_25_IS_REPEATED, 25, NORM_FOLD_UNKNOWN, utc(2024, 11, 3, 9, 0));
    hour_is(&autumn, NORM_HOURS_25_IS_REPEATED, 3, NORM_FOLD_UNKNOWN, utc(2024, 11, 3, 10, 0));
    hour_is(&autumn, NORM_HOURS_25_IS_REPEATED, 24, NORM_FOLD_UNKNOWN, utc(2024, 11, 4, 7, 0));
    hour_fails(&usual, NORM_HOURS_25_IS_REPEATED, 25, NORM_FOLD_UNKNOWN, NORM_FAULT_NOT_REPEATED);
    hour_fails(&usual, NORM_HOURS_25_IS_REPEATED, 26, NORM_FOLD_UNKNOWN, NORM_FAULT_LABEL);
    hour_fails(&usual, NORM_HOURS_25_IS_REPEATED, 0, NORM_FOLD_UNKNOWN, NORM_FAULT_LABEL);
}

static void miso_has_24_hours_whatever_its_neighbours_clocks_do(void **state)
{
    struct norm_market_day autumn = market_day(NORM_MISO, 2024, 11, 3);
    struct norm_market_day spring = market_day(NORM_MISO, 2024, 3, 10);

    (void)state;
    hour_is(&autumn, NORM_HOURS_CLOCK, 2, NORM_FOLD_UNKNOWN, utc(2024, 11, 3, 6, 0));
    hour_is(&spring, NORM_HOURS_CLOCK, 3, NORM_FOLD_UNKNOWN, utc(2024, 3, 10, 7, 0));
    hour_fails(&spring, NORM_HOURS_CLOCK, 25, NORM_FOLD_UNKNOWN, NORM_FAULT_LABEL);
}

static void isone_x_marks_the_repeated_hour(void **state)
{
    static const struct {
        const char *text;
        bool marks;
        enum hr_code code;
        uint32_t number;
        enum norm_fold fold;
    } labels[] = {
        {"02", true, HR_OK, 2, NORM_FOLD_FIRST},
        {"02X", true, HR_OK, 2, NORM_FOLD_SECOND},
        {" 2x ", true, HR_OK, 2, NORM_FOLD_SECOND},
        {"24", true, HR_OK, 24, NORM_FOLD_FIRST},
        {"HE 1", false, HR_OK, 1, NORM_FOLD_UNKNOWN},
        {"HE24", false, HR_OK, 24, NORM_FOLD_UNKNOWN},
        {"01:00", false, HR_OK, 1, NORM_FOLD_UNKNOWN},
        {"1:00", false, HR_OK, 1, NORM_FOLD_UNKNOWN},
        {"25", false, HR_OK, 25, NORM_FOLD_UNKNOWN},
        {"02X", false, HR_MALFORMED, 0, NORM_FOLD_UNKNOWN},
        {"26", true, HR_MALFORMED, 0, 0},
        {"1:30", true, HR_MALFORMED, 0, 0},
        {"", true, HR_MALFORMED, 0, 0},
        {"HE", true, HR_MALFORMED, 0, 0},
        {"100", true, HR_MALFORMED, 0, 0},
        {"2XX", true, HR_MALFORMED, 0, 0},
    };
    struct norm_market_day autumn = market_day(NORM_ISONE, 2025, 11, 2);

    (void)state;
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        struct hr_bytes text = hr_bytes_of(labels[i].text, strlen(labels[i].text));
        uint32_t number = 0;
        enum norm_fold fold = NORM_FOLD_UNKNOWN;

        assert_code(norm_hour_label_read(text, labels[i].marks, &number, &fold), labels[i].code);
        assert_int_equal(number, labels[i].number);
        assert_int_equal(fold, labels[i].fold);
    }
    hour_is(&autumn, NORM_HOURS_CLOCK, 2, NORM_FOLD_FIRST, utc(2025, 11, 2, 5, 0));
    hour_is(&autumn, NORM_HOURS_CLOCK, 2, NORM_FOLD_SECOND, utc(2025, 11, 2, 6, 0));
}

static void flags_are_read_as_the_operators_write_them(void **state)
{
    static const struct {
        const char *text;
        enum norm_fold fold;
    } flags[] = {{"Y", NORM_FOLD_SECOND}, {"N", NORM_FOLD_FIRST},      {"true", NORM_FOLD_SECOND},
                 {"1", NORM_FOLD_SECOND}, {" False", NORM_FOLD_FIRST}, {"  ", NORM_FOLD_UNKNOWN}};
    enum norm_fold fold = NORM_FOLD_UNKNOWN;

    (void)state;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        assert_ok(norm_fold_of_flag(hr_bytes_of(flags[i].text, strlen(flags[i].text)), &fold));
        assert_int_equal(fold, flags[i].fold);
    }
    fold = NORM_FOLD_SECOND;
    assert_code(norm_fold_of_flag(hr_bytes_of("DST", 3), &fold), HR_MALFORMED);
    assert_int_equal(fold, NORM_FOLD_SECOND);
}

static void label_is(enum norm_iso iso, enum norm_label label, int64_t local_s, uint32_t interval_min,
                     enum norm_fold fold, int64_t start_utc_s)
{
    struct norm_interval interval = {0, 0};
    enum norm_fault fault = NORM_FAULT_LABEL;

    assert_ok(norm_label_interval(norm_iso_zone(&zones, iso), label, local_s, interval_min, fold, &interval,
                                  &fault));
    assert_int_equal(interval.start_utc_s, start_utc_s);
    assert_int_equal(interval.end_utc_s, start_utc_s + interval_min * 60);
}

static void spp_end_labels_and_d_files_are_of_the_interval_s_start(void **state)
{
    const struct norm_zone *central = norm_iso_zone(&zones, NORM_SPP);
    struct norm_interval interval = {-7, -7};
    enum norm_fault fault = NORM_FAULT_NONE;

    (void)state;
    /* "02:00" stands twice, behind both passes of the hour; a `d` in the file's name is the second. */
    label_is(NORM_SPP, NORM_LABEL_ENDING, utc(2025, 11, 2, 2, 0), 60, NORM_FOLD_FIRST,
             utc(2025, 11, 2, 6, 0));
    label_is(NORM_SPP, NORM_LABEL_ENDING, utc(2025, 11, 2, 2, 0), 60, NORM_FOLD_SECOND,
             utc(2025, 11, 2, 7, 0));
    label_is(NORM_SPP, NORM_LABEL_ENDING, utc(2025, 11, 2, 1, 5), 5, NORM_FOLD_SECOND,
             utc(2025, 11, 2, 7, 0));
    label_is(NORM_SPP, NORM_LABEL_ENDING, utc(2025, 11, 3, 0, 0), 5, NORM_FOLD_FIRST,
             utc(2025, 11, 3, 5, 55));
    assert_code(norm_label_interval(central, NORM_LABEL_ENDING, utc(2025, 11, 2, 2, 0), 60, NORM_FOLD_UNKNOWN,
                                    &interval, &fault),
                HR_MALFORMED);
    assert_int_equal(fault, NORM_FAULT_AMBIGUOUS);
    assert_code(norm_label_interval(central, NORM_LABEL_ENDING, utc(2025, 3, 9, 3, 0), 60, NORM_FOLD_FIRST,
                                    &interval, &fault),
                HR_MALFORMED);
    assert_int_equal(fault, NORM_FAULT_NONEXISTENT);
    assert_code(
        norm_label_interval(central, NORM_LABEL_ENDING, INT64_MIN, 60, NORM_FOLD_FIRST, &interval, &fault),
        HR_MALFORMED);
    assert_int_equal(fault, NORM_FAULT_LABEL);
    assert_int_equal(interval.start_utc_s, -7);
}

static void labels_of_a_beginning_and_of_an_end_clock_differ_when_clocks_change(void **state)
{
    (void)state;
    label_is(NORM_PJM, NORM_LABEL_BEGINNING, utc(2025, 11, 2, 1, 0), 60, NORM_FOLD_SECOND,
             utc(2025, 11, 2, 6, 0));
    /* The interval before the change ends on a clock that was turned back, or forward, just then. */
    label_is(NORM_NYISO, NORM_LABEL_END_CLOCK, utc(2025, 11, 2, 1, 0), 5, NORM_FOLD_SECOND,
             utc(2025, 11, 2, 5, 55));
    label_is(NORM_NYISO, NORM_LABEL_END_CLOCK, utc(2025, 3, 9, 3, 0), 5, NORM_FOLD_UNKNOWN,
             utc(2025, 3, 9, 6, 55));
}

static void an_instant_gets_the_label_that_leads_back_to_it(void **state)
{
    static const int dates[][3] = {{2025, 3, 9}, {2025, 6, 1}, {2025, 11, 2}};

    (void)state;
    for (size_t d = 0; d < 3; d++) {
        struct norm_market_day of = market_day(NORM_CAISO, dates[d][0], dates[d][1], dates[d][2]);

        for (int hours = NORM_HOURS_CLOCK; hours <= NORM_HOURS_IN_ORDER; hours++) {
            for (int64_t utc_s = of.start_utc_s; utc_s < of.end_utc_s; utc_s += 3600) {
                uint32_t number = 0;
                enum norm_fold fold = NORM_FOLD_UNKNOWN;

                assert_ok(norm_hour_ending_at(&of, (enum norm_hours)hours, utc_s + 1800, &number, &fold));
                hour_is(&of, (enum norm_hours)hours, number, fold, utc_s);
            }
        }
    }
}

static void codes_and_names_lead_back(void **state)
{
    enum norm_iso iso = NORM_CAISO;

    (void)state;
    for (int i = 0; i < NORM_ISO_COUNT; i++) {
        const char *code = norm_iso_code((enum norm_iso)i);

        assert_ok(norm_iso_of_code(hr_bytes_of(code, strlen(code)), &iso));
        assert_int_equal(iso, i);
        assert_string_equal(norm_iso_zone(&zones, iso)->name, norm_zone_id_name(norm_iso_zone_id(iso)));
    }
    assert_code(norm_iso_of_code(hr_bytes_of("CAISO", 5), &iso), HR_NOT_FOUND);
    assert_string_equal(norm_block_name(NORM_BLOCK_5X16), "5x16");
    assert_int_equal(norm_peak_zone_id(NORM_PEAK_WESTERN), NORM_ZONE_PACIFIC);
}

/* What a log says of the tzdata by which it was published. */
static void another_law_in_one_zone_is_another_digest(void **state)
{
    static struct norm_zones changed;
    uint64_t digest = norm_zones_digest(&zones);
    (void)state;
    changed = zones;
    assert_true(norm_zones_digest(&changed) == digest);
    struct norm_zone *zone = &changed.by_id[NORM_ZONE_CENTRAL];
    zone->at_s[zone->n_transitions - 1] += 3600;
    assert_true(norm_zones_digest(&changed) != digest);
    zone->at_s[zone->n_transitions - 1] -= 3600;
    assert_true(zone->has_rule && zone->rule_has_dst);
    zone->to_standard.week = zone->to_standard.week == 1 ? 2 : 1;
    assert_true(norm_zones_digest(&changed) != digest);
    zone->to_standard = zones.by_id[NORM_ZONE_CENTRAL].to_standard;
    zone->at_s[zone->n_transitions] = 1; /* beyond what it holds */
    assert_true(norm_zones_digest(&changed) == digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_law_in_one_zone_is_another_digest),
        cmocka_unit_test(each_iso_has_its_hours_on_both_days_of_changed_clocks),
        cmocka_unit_test(intervals_of_a_day_leave_no_gap_and_no_overlap),
        cmocka_unit_test(a_day_that_is_no_market_day_is_refused),
        cmocka_unit_test(settlement_periods_count_what_the_clocks_leave),
        cmocka_unit_test(ercot_flag_means_the_second_pass_not_daylight_time),
        cmocka_unit_test(caiso_hour_25_is_the_repeated_one),
        cmocka_unit_test(miso_has_24_hours_whatever_its_neighbours_clocks_do),
        cmocka_unit_test(isone_x_marks_the_repeated_hour),
        cmocka_unit_test(flags_are_read_as_the_operators_write_them),
        cmocka_unit_test(spp_end_labels_and_d_files_are_of_the_interval_s_start),
        cmocka_unit_test(labels_of_a_beginning_and_of_an_end_clock_differ_when_clocks_change),
        cmocka_unit_test(an_instant_gets_the_label_that_leads_back_to_it),
        cmocka_unit_test(codes_and_names_lead_back),
    };

    return cmocka_run_group_tests_name("market calendar", tests, set_up, NULL);
}
