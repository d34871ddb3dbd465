/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/block.h"
#include "aggregator/zoneinfo/zoneinfo.h"
#include "tests/support/calendar_utc.h"
#include "tests/support/test_cmocka.h"

static struct norm_zones zones;

static int set_up(void **state)
{
    char message[ZONEINFO_MESSAGE_CHARS];

    (void)state;
    return hr_is_ok(zoneinfo_load(NULL, &zones, message)) ? 0 : -1;
}

static void nerc_holidays_are_those_that_were_published(void **state)
{
    static const int published[][4] = {
        /* year, then month * 100 + day of the three that move with Sundays */
        {2010, 101, 705, 1225}, {2011, 101, 704, 1226}, {2012, 102, 704, 1225}, {2016, 101, 704, 1226},
        {2017, 102, 704, 1225}, {2021, 101, 705, 1225}, {2022, 101, 704, 1226}, {2023, 102, 704, 1225},
    };
    static const int moving[][4] = {{2010, 531, 906, 1125}, {2011, 530, 905, 1124}, {2012, 528, 903, 1122},
                                    {2016, 530, 905, 1124}, {2017, 529, 904, 1123}, {2021, 531, 906, 1125},
                                    {2022, 530, 905, 1124}, {2023, 529, 904, 1123}};

    static const enum norm_holiday fixed_names[] = {NORM_HOLIDAY_NEW_YEAR, NORM_HOLIDAY_INDEPENDENCE,
                                                    NORM_HOLIDAY_CHRISTMAS};
    static const enum norm_holiday moving_names[] = {NORM_HOLIDAY_MEMORIAL, NORM_HOLIDAY_LABOR,
                                                     NORM_HOLIDAY_THANKSGIVING};

    (void)state;
    for (size_t y = 0; y < sizeof(published) / sizeof(published[0]); y++) {
        int year = published[y][0];
        uint32_t n_holidays = 0;

        for (size_t i = 1; i < 4; i++) {
            int fixed = published[y][i];
            int floating = moving[y][i];

            assert_int_equal(norm_nerc_holiday(utc_day(year, fixed / 100, fixed % 100)), fixed_names[i - 1]);
            assert_int_equal(norm_nerc_holiday(utc_day(year, floating / 100, floating % 100)),
                             moving_names[i - 1]);
        }
        for (int32_t day = utc_day(year, 1, 1); day <= utc_day(year, 12, 31); day++) {
            n_holidays += norm_nerc_holiday(day) == NORM_HOLIDAY_NONE ? 0 : 1;
        }
        assert_int_equal(n_holidays, 6);
    }
}

static void blocks_have_the_hours_that_contracts_are_settled_on(void **state)
{
    static const struct {
        enum norm_peak peak;
        enum norm_block block;
        int year;
        int month;
        int days;
        uint32_t n_hours;
    } months[] = {
        {NORM_PEAK_EASTERN, NORM_BLOCK_5X16, 2024, 1, 31, 352},
        {NORM_PEAK_EASTERN, NORM_BLOCK_OFF_PEAK, 2024, 1, 31, 392},
        {NORM_PEAK_CENTRAL, NORM_BLOCK_5X16, 2024, 3, 31, 336},
        {NORM_PEAK_CENTRAL, NORM_BLOCK_2X16, 2024, 3, 31, 160},
        {NORM_PEAK_CENTRAL, NORM_BLOCK_7X8, 2024, 3, 31, 247},
        {NORM_PEAK_CENTRAL, NORM_BLOCK_7X8, 2024, 11, 30, 241},
        {NORM_PEAK_MISO, NORM_BLOCK_7X8, 2024, 11, 30, 240},
        {NORM_PEAK_WESTERN, NORM_BLOCK_HLH, 2024, 7, 31, 416},
        {NORM_PEAK_WESTERN, NORM_BLOCK_LLH, 2024, 7, 31, 328},
        {NORM_PEAK_WESTERN, NORM_BLOCK_ON_PEAK, 2024, 7, 31, 416},
        {NORM_PEAK_WESTERN, NORM_BLOCK_7X24, 2024, 11, 30, 721},
    };
    uint32_t n_hours = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(months) / sizeof(months[0]); i++) {
        assert_ok(norm_block_hours(&zones, months[i].peak, months[i].block,
                                   utc_day(months[i].year, months[i].month, 1),
                                   utc_day(months[i].year, months[i].month, months[i].days), &n_hours));
        assert_int_equal(n_hours, months[i].n_hours);
    }
    n_hours = 77;
    assert_code(norm_block_hours(&zones, NORM_PEAK_MISO, NORM_BLOCK_7X24, 2, 1, &n_hours), HR_MALFORMED);
    assert_int_equal(n_hours, 77);
}

/* MISO's tariff is an hour earlier in winter than how its hubs are traded, and the same in summer. */
static void miso_peak_hours_are_in_est(void **state)
{
    int64_t winter_s = utc(2024, 1, 10, 11, 0); /* HE 7 EST */
    int64_t summer_s = utc(2024, 7, 10, 11, 0); /* HE 7 EST, HE 8 EDT */

    (void)state;
    assert_int_equal(norm_iso_peak(NORM_MISO), NORM_PEAK_MISO);
    assert_true(norm_block_has(&zones, NORM_PEAK_MISO, NORM_BLOCK_5X16, winter_s));
    assert_false(norm_block_has(&zones, NORM_PEAK_EASTERN, NORM_BLOCK_5X16, winter_s));
    assert_true(norm_block_has(&zones, NORM_PEAK_MISO, NORM_BLOCK_5X16, summer_s));
    assert_true(norm_block_has(&zones, NORM_PEAK_EASTERN, NORM_BLOCK_5X16, summer_s));
    assert_false(norm_block_has(&zones, NORM_PEAK_MISO, NORM_BLOCK_5X16, winter_s - 1));
}

static void the_16_hours_begin_and_end_by_each_rule_s_own_clock(void **state)
{
    static const struct {
        enum norm_peak peak;
        int winter; /* UTC hour at which they begin on a Wednesday of January, and of July */
        int summer;
    } rules[] = {{NORM_PEAK_EASTERN, 12, 11},
                 {NORM_PEAK_MISO, 11, 11},
                 {NORM_PEAK_CENTRAL, 12, 11},
                 {NORM_PEAK_WESTERN, 14, 13}};

    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const int64_t starts[] = {utc(2024, 1, 10, rules[i].winter, 0), utc(2024, 7, 10, rules[i].summer, 0)};

        for (size_t s = 0; s < 2; s++) {
            int64_t end_s = starts[s] + (int64_t)16 * NORM_HOUR_S;

            assert_false(norm_block_has(&zones, rules[i].peak, NORM_BLOCK_ON_PEAK, starts[s] - 1));
            assert_true(norm_block_has(&zones, rules[i].peak, NORM_BLOCK_ON_PEAK, starts[s]));
            assert_true(norm_block_has(&zones, rules[i].peak, NORM_BLOCK_ON_PEAK, end_s - 1));
            assert_false(norm_block_has(&zones, rules[i].peak, NORM_BLOCK_ON_PEAK, end_s));
        }
    }
}

static void business_days_leave_out_weekends_and_holidays(void **state)
{
    int32_t before = utc_day(2023, 12, 29); /* a Friday; Monday 1 January is a holiday */

    (void)state;
    assert_int_equal(norm_business_day_add(before, 1), utc_day(2024, 1, 2));
    assert_int_equal(norm_business_day_add(utc_day(2024, 1, 2), -1), before);
    assert_int_equal(norm_business_day_add(utc_day(2023, 12, 30), 0), utc_day(2024, 1, 2));
    assert_int_equal(norm_business_day_add(before, 0), before);
    assert_int_equal(norm_business_days(utc_day(2024, 1, 1), utc_day(2024, 12, 31)), 256);
    assert_int_equal(norm_business_days(5, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nerc_holidays_are_those_that_were_published),
        cmocka_unit_test(blocks_have_the_hours_that_contracts_are_settled_on),
        cmocka_unit_test(miso_peak_hours_are_in_est),
        cmocka_unit_test(the_16_hours_begin_and_end_by_each_rule_s_own_clock),
        cmocka_unit_test(business_days_leave_out_weekends_and_holidays),
    };

    return cmocka_run_group_tests_name("block", tests, set_up, NULL);
}
