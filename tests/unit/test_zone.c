/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/zoneinfo/zoneinfo.h"
#include "tests/support/calendar_utc.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FILE_MAX_BYTES = 65536, PATH_CHARS = 256 };

static struct norm_zone eastern;
static struct norm_zone est;
static struct norm_zone zone;
static struct norm_zone before;
static uint8_t bytes[FILE_MAX_BYTES];

static int set_up(void **state)
{
    char message[ZONEINFO_MESSAGE_CHARS];

    (void)state;
    norm_zone_fixed("EST", "EST", -5 * NORM_HOUR_S, &est);
    return hr_is_ok(zoneinfo_read(NULL, "America/New_York", &eastern, message)) ? 0 : -1;
}

static size_t file_read(const char *path)
{
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof(bytes), file);

    (void)fclose(file);
    return len;
}

static void days_are_those_of_the_gregorian_calendar(void **state)
{
    (void)state;
    assert_int_equal(norm_day_of((struct norm_date){1970, 1, 1}), 0);
    assert_int_equal(norm_day_of((struct norm_date){1, 1, 1}), NORM_DAY_MIN);
    assert_int_equal(norm_day_of((struct norm_date){9999, 12, 31}), NORM_DAY_MAX);
    for (int32_t day = -200000; day < 200000; day += 97) {
        time_t seconds = (time_t)day * NORM_DAY_S;
        struct tm fields;
        struct norm_date date = norm_date_of(day);

        (void)gmtime_r(&seconds, &fields);
        assert_int_equal(date.year, fields.tm_year + 1900);
        assert_int_equal(date.month, fields.tm_mon + 1);
        assert_int_equal(date.day, fields.tm_mday);
        assert_int_equal(norm_weekday_of(day) % 7, fields.tm_wday);
        assert_int_equal(norm_day_of(date), day);
    }
    assert_true(norm_date_is_valid((struct norm_date){2000, 2, 29}));
    assert_false(norm_date_is_valid((struct norm_date){2100, 2, 29}));
    assert_false(norm_date_is_valid((struct norm_date){2024, 2, 30}));
    assert_false(norm_date_is_valid((struct norm_date){2024, 13, 1}));
    assert_false(norm_date_is_valid((struct norm_date){2024, 1, 0}));
    assert_false(norm_date_is_valid((struct norm_date){0, 1, 1}));
}

static void clocks_before_1970_count_backwards(void **state)
{
    struct norm_clock clock = norm_clock_of(-1);

    (void)state;
    assert_int_equal(norm_local_day(-1), -1);
    assert_int_equal(norm_local_second(-1), NORM_DAY_S - 1);
    assert_int_equal(norm_local_day(-NORM_DAY_S), -1);
    assert_int_equal(clock.date.year, 1969);
    assert_int_equal(clock.hour, 23);
    assert_int_equal(clock.minute, 59);
    assert_int_equal(clock.second, 59);
}

/* What each file of the fuzzer's corpus is, told by its name. */
static void each_kind_of_broken_file_gets_its_code_and_changes_nothing(void **state)
{
    static const struct {
        const char *name;
        enum hr_code code;
    } files[] = {
        {"rule_alone", HR_OK},
        {"fixed", HR_OK},
        {"transitions_and_rule", HR_OK},
        {"transitions_without_rule", HR_OK},
        {"standard_and_ut_flags", HR_OK},
        {"version_1", HR_OK},
        {"big_bang", HR_OK},
        {"daylight_all_year", HR_OK},
        {"negative_daylight", HR_OK},
        {"turn_before_midnight", HR_OK},
        {"quoted_quarter_hours", HR_OK},
        {"julian_days", HR_OK},
        {"days_of_the_year", HR_OK},
        {"leap_seconds", HR_FULL},
        {"many_types", HR_FULL},
        {"many_transitions", HR_FULL},
        {"cut_in_header", HR_MALFORMED},
        {"cut_in_transitions", HR_MALFORMED},
        {"cut_footer", HR_MALFORMED},
        {"bytes_behind_footer", HR_MALFORMED},
        {"rule_contradicts", HR_MALFORMED},
        {"rule_without_turns", HR_MALFORMED},
        {"times_not_rising", HR_MALFORMED},
        {"type_out_of_range", HR_MALFORMED},
        {"name_out_of_range", HR_MALFORMED},
        {"name_without_end", HR_MALFORMED},
        {"offset_of_two_days", HR_MALFORMED},
        {"daylight_flag_2", HR_MALFORMED},
        {"no_types", HR_MALFORMED},
        {"counts_that_overflow", HR_MALFORMED},
        {"wrong_magic", HR_MALFORMED},
        {"version_letter", HR_MALFORMED},
        {"empty", HR_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[PATH_CHARS];

        (void)snprintf(path, sizeof(path), "tests/fuzz/corpus/tzif/%s", files[i].name);
        size_t len = file_read(path);

        memset(&zone, 0xA5, sizeof(zone));
        memset(&before, 0xA5, sizeof(before));
        struct hr_status status = norm_zone_parse(hr_bytes_of(bytes, len), "test", &zone);

        if (status.code != files[i].code) {
            fail_msg("%s: %s", files[i].name, hr_code_name(status.code));
        }
        assert_int_equal(memcmp(&zone, &before, sizeof(zone)) != 0, files[i].code == HR_OK);
    }
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    size_t len = file_read(ZONEINFO_FOLDER "/America/New_York");

    (void)state;
    assert_ok(norm_zone_parse(hr_bytes_of(bytes, len), "whole", &zone));
    for (size_t cut = 0; cut < len; cut++) {
        assert_code(norm_zone_parse(hr_bytes_of(bytes, cut), "cut", &zone), HR_MALFORMED);
    }
    assert_string_equal(zone.name, "whole");
}

static void a_rule_goes_on_for_ever(void **state)
{
    (void)state;
    assert_string_equal(norm_zone_at(&eastern, utc(2399, 7, 1, 12, 0))->abbreviation, "EDT");
    assert_string_equal(norm_zone_at(&eastern, utc(2399, 12, 31, 12, 0))->abbreviation, "EST");
    assert_int_equal(norm_zone_at(&est, utc(2024, 7, 1, 12, 0))->offset_s, -18000);
    /* Daylight time all year: each year's ends when the next begins. */
    assert_ok(norm_zone_parse(hr_bytes_of(bytes, file_read("tests/fuzz/corpus/tzif/daylight_all_year")),
                              "all", &zone));
    for (int64_t utc_s = utc(2024, 12, 30, 0, 0); utc_s < utc(2025, 1, 3, 0, 0); utc_s += NORM_MINUTE_S) {
        assert_int_equal(norm_zone_at(&zone, utc_s)->offset_s, -4 * NORM_HOUR_S);
    }
}

static void turns_at_before(const char *path, int64_t utc_s, int32_t before_s, int32_t after_s)
{
    assert_ok(norm_zone_parse(hr_bytes_of(bytes, file_read(path)), "turns", &zone));
    assert_int_equal(norm_zone_at(&zone, utc_s - 1)->offset_s, before_s);
    assert_int_equal(norm_zone_at(&zone, utc_s)->offset_s, after_s);
}

/* No zone of today's tzdata has such rules, but RFC 9636 does. */
static void days_of_the_year_are_counted_with_and_without_29_february(void **state)
{
    const char *julian = "tests/fuzz/corpus/tzif/julian_days";       /* EST5EDT,J60,J300 */
    const char *counted = "tests/fuzz/corpus/tzif/days_of_the_year"; /* EST5EDT4:30:15,59/3,365/-167 */

    (void)state;
    turns_at_before(julian, utc(2023, 3, 1, 7, 0), -18000, -14400);
    turns_at_before(julian, utc(2024, 3, 1, 7, 0), -18000, -14400);
    turns_at_before(julian, utc(2023, 10, 27, 6, 0), -14400, -18000);
    turns_at_before(julian, utc(2024, 10, 27, 6, 0), -14400, -18000);
    turns_at_before(counted, utc(2023, 3, 1, 8, 0), -18000, -16215);
    turns_at_before(counted, utc(2024, 2, 29, 8, 0), -18000, -16215);
    turns_at_before(counted, utc(2023, 12, 25, 5, 30) + 15, -16215, -18000);
    turns_at_before(counted, utc(2024, 12, 24, 5, 30) + 15, -16215, -18000);
}

static void the_system_s_files_are_found_by_name_only(void **state)
{
    static const char *const no_names[] = {
        "",         "/etc/passwd", "../zoneinfo/EST",
        "America/", "No/Such",     "A/Name/That/Is/Longer/Than/A/Zone/Holds/Ever"};
    char message[ZONEINFO_MESSAGE_CHARS];
    char path[2 * TEMP_PATH_CHARS];
    struct temp_folder folder;

    (void)state;
    for (size_t i = 0; i < sizeof(no_names) / sizeof(no_names[0]); i++) {
        message[0] = '\0';
        assert_code(zoneinfo_read(NULL, no_names[i], &zone, message), HR_NOT_FOUND);
        assert_string_not_equal(message, "");
    }
    assert_code(zoneinfo_read(NULL, "America", &zone, message), HR_IO); /* a folder */

    temp_folder_make(&folder);
    FILE *file = fopen(temp_folder_file(&folder, "Bad", path), "wb");

    assert_non_null(file);
    assert_int_equal(fputs("no TZif", file) >= 0, 1);
    (void)fclose(file);
    assert_code(zoneinfo_read(folder.path, "Bad", &zone, message), HR_MALFORMED);
    assert_non_null(strstr(message, "/Bad: not a TZif file"));

    file = fopen(path, "wb");
    assert_non_null(file);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
    assert_int_equal(fputc('x', file), 'x');
    (void)fclose(file);
    assert_code(zoneinfo_read(folder.path, "Bad", &zone, message), HR_FULL);

    static struct norm_zones zones;

    assert_code(zoneinfo_load(folder.path, &zones, message), HR_NOT_FOUND);
    temp_folder_remove(&folder);
}

/* ---- from wall clock to instant ---- */

static void utc_is(const struct norm_zone *of, int64_t local_s, enum norm_fold fold, int64_t expected_s)
{
    enum norm_fault fault = NORM_FAULT_LABEL;
    int64_t utc_s = 0;

    assert_ok(norm_zone_utc(of, local_s, fold, &utc_s, &fault));
    assert_int_equal(fault, NORM_FAULT_NONE);
    assert_int_equal(utc_s, expected_s);
}

static void utc_fails(const struct norm_zone *of, int64_t local_s, enum norm_fold fold,
                      enum norm_fault expected)
{
    enum norm_fault fault = NORM_FAULT_NONE;
    int64_t utc_s = -77;

    assert_code(norm_zone_utc(of, local_s, fold, &utc_s, &fault), HR_MALFORMED);
    assert_string_equal(norm_fault_name(fault), norm_fault_name(expected));
    assert_int_equal(utc_s, -77);
}

static void a_skipped_hour_is_an_error_whatever_the_flag_says(void **state)
{
    (void)state;
    utc_is(&eastern, utc(2024, 3, 10, 1, 59), NORM_FOLD_UNKNOWN, utc(2024, 3, 10, 6, 59));
    utc_fails(&eastern, utc(2024, 3, 10, 2, 0), NORM_FOLD_UNKNOWN, NORM_FAULT_NONEXISTENT);
    utc_fails(&eastern, utc(2024, 3, 10, 2, 59), NORM_FOLD_FIRST, NORM_FAULT_NONEXISTENT);
    utc_fails(&eastern, utc(2024, 3, 10, 2, 30), NORM_FOLD_SECOND, NORM_FAULT_NONEXISTENT);
    utc_is(&eastern, utc(2024, 3, 10, 3, 0), NORM_FOLD_UNKNOWN, utc(2024, 3, 10, 7, 0));
    utc_is(&est, utc(2024, 3, 10, 2, 30), NORM_FOLD_UNKNOWN, utc(2024, 3, 10, 7, 30));
}

static void a_repeated_hour_is_an_error_without_a_flag(void **state)
{
    (void)state;
    utc_fails(&eastern, utc(2024, 11, 3, 1, 0), NORM_FOLD_UNKNOWN, NORM_FAULT_AMBIGUOUS);
    utc_fails(&eastern, utc(2024, 11, 3, 1, 59), NORM_FOLD_UNKNOWN, NORM_FAULT_AMBIGUOUS);
    utc_is(&eastern, utc(2024, 11, 3, 1, 0), NORM_FOLD_FIRST, utc(2024, 11, 3, 5, 0));
    utc_is(&eastern, utc(2024, 11, 3, 1, 0), NORM_FOLD_SECOND, utc(2024, 11, 3, 6, 0));
    utc_is(&eastern, utc(2024, 11, 3, 0, 59), NORM_FOLD_UNKNOWN, utc(2024, 11, 3, 4, 59));
    utc_is(&eastern, utc(2024, 11, 3, 2, 0), NORM_FOLD_UNKNOWN, utc(2024, 11, 3, 7, 0));
    utc_fails(&eastern, utc(2024, 11, 3, 2, 0), NORM_FOLD_SECOND, NORM_FAULT_NOT_REPEATED);
    utc_fails(&est, utc(2024, 11, 3, 1, 0), NORM_FOLD_SECOND, NORM_FAULT_NOT_REPEATED);
    utc_fails(&eastern, INT64_MAX, NORM_FOLD_FIRST, NORM_FAULT_LABEL);
}

/* NYISO: only the order of rows tells the passes apart. */
static void nyiso_repeated_hour_is_told_by_the_order_of_rows(void **state)
{
    static const int shown[] = {0, 1, 1, 2};
    int64_t last_s = NORM_TIME_MIN_S;
    enum norm_fault fault = NORM_FAULT_LABEL;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_ok(norm_zone_utc_after(&eastern, utc(2025, 11, 2, shown[i], 0), last_s, &last_s, &fault));
        assert_int_equal(last_s, utc(2025, 11, 2, 4 + i, 0));
    }
    assert_code(norm_zone_utc_after(&eastern, utc(2025, 11, 2, 1, 0), last_s, &last_s, &fault), HR_MALFORMED);
    assert_int_equal(fault, NORM_FAULT_NOT_REPEATED);
    assert_code(norm_zone_utc_after(&eastern, utc(2025, 3, 9, 2, 0), NORM_TIME_MIN_S, &last_s, &fault),
                HR_MALFORMED);
    assert_int_equal(fault, NORM_FAULT_NONEXISTENT);
    assert_int_equal(last_s, utc(2025, 11, 2, 7, 0));
}

static void nyiso_time_zone_column_tells_the_pass(void **state)
{
    enum norm_fault fault = NORM_FAULT_LABEL;
    int64_t utc_s = 0;
    int64_t local_s = utc(2025, 11, 2, 1, 5);

    (void)state;
    assert_ok(norm_zone_utc_named(&eastern, local_s, hr_bytes_of("EDT", 3), &utc_s, &fault));
    assert_int_equal(utc_s, utc(2025, 11, 2, 5, 5));
    assert_ok(norm_zone_utc_named(&eastern, local_s, hr_bytes_of("EST", 3), &utc_s, &fault));
    assert_int_equal(utc_s, utc(2025, 11, 2, 6, 5));
    assert_code(norm_zone_utc_named(&eastern, utc(2025, 7, 1, 0, 0), hr_bytes_of("EST", 3), &utc_s, &fault),
                HR_MALFORMED);
    assert_int_equal(fault, NORM_FAULT_NOT_REPEATED);
    assert_code(norm_zone_utc_named(&eastern, utc(2025, 3, 9, 2, 0), hr_bytes_of("EST", 3), &utc_s, &fault),
                HR_MALFORMED);
    assert_int_equal(fault, NORM_FAULT_NONEXISTENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_those_of_the_gregorian_calendar),
        cmocka_unit_test(clocks_before_1970_count_backwards),
        cmocka_unit_test(each_kind_of_broken_file_gets_its_code_and_changes_nothing),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_rule_goes_on_for_ever),
        cmocka_unit_test(days_of_the_year_are_counted_with_and_without_29_february),
        cmocka_unit_test(the_system_s_files_are_found_by_name_only),
        cmocka_unit_test(a_skipped_hour_is_an_error_whatever_the_flag_says),
        cmocka_unit_test(a_repeated_hour_is_an_error_without_a_flag),
        cmocka_unit_test(nyiso_repeated_hour_is_told_by_the_order_of_rows),
        cmocka_unit_test(nyiso_time_zone_column_tells_the_pass),
    };

    return cmocka_run_group_tests_name("zone", tests, set_up, NULL);
}
