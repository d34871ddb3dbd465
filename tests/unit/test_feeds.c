/* SPDX-License-Identifier: Apache-2.0
 *
 * Feeds as files, their windows and URLs. Expected times are written by hand from calendars. */
#include "firmware/ports/linux/zone.h"
#include "proto/base/assert.h"
#include "proto/feeds/file/file.h"
#include "proto/feeds/url.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char good[] = "name: caiso_rt_lmp\n"
                           "version: 1\n"
                           "iso: caiso\n"
                           "market: RTM\n"
                           "product: rt_lmp\n"
                           "owner: market-data\n"
                           "timezone: America/Los_Angeles\n"
                           "format: caiso_oasis_lmp\n"
                           "url: \"https://oasis.caiso.com/x?from={start:utc:%Y%m%dT%H:%M}-0000\"\n"
                           "window: {kind: interval, length: 5m}\n"
                           "schedule: {lag: 1m, every: 5m, until: 10m}\n"
                           "quota: {host_every: 5s, requests_per_hour: 36, bytes_per_hour: 64MiB,\n"
                           "        records_per_hour: 1000}\n"
                           "output: {topic: iso.rt.lmp.caiso, schema: iso_rt_lmp}\n"
                           "freshness: 10m\n"
                           "rules:\n"
                           "  required: [value, loss]\n"
                           "  range: [{field: value, min: -150.5, max: 2e3}]\n"
                           "  allowed: [{field: subject, values: [energy, generation.*]}]\n"
                           "  monotone: true\n";

static struct feeds_zone zone_of(const char *rule)
{
    struct feeds_zone zone;
    assert_ok(feeds_zone_parse(rule, &zone));
    return zone;
}

/* ---- files ---- */

static void a_feed_reads_as_it_is_written(void **state)
{
    (void)state;
    struct feeds_feed feed;
    struct conf_report report;
    assert_ok(feeds_file_parse("caiso_rt_lmp.yaml", hr_bytes_of(good, strlen(good)), &feed, &report));
    assert_string_equal(feed.name, "caiso_rt_lmp");
    assert_int_equal(feed.iso, FEEDS_CAISO);
    assert_int_equal(feed.product, FEEDS_RT_LMP);
    assert_true(feed.enabled);
    assert_int_equal(feed.window.length_ms, 300000);
    assert_int_equal(feed.schedule.lag_ms, 60000);
    assert_int_equal(feed.quota.host_every_ms, 5000);
    assert_int_equal(feed.quota.host_burst, 1);
    assert_int_equal(feed.limits.timeout_ms, 60000);
    assert_string_equal(feed.topic, "iso.rt.lmp.caiso");
    assert_int_equal(feed.rules.n_required, 2);
    assert_string_equal(feed.rules.required[1], "loss");
    assert_int_equal(feed.rules.n_ranges, 1);
    assert_true(feed.rules.ranges[0].min == -150.5 && feed.rules.ranges[0].max == 2000);
    assert_int_equal(feed.rules.allowed[0].nth_text, FEEDS_FIELD_SUBJECT - FEEDS_FIELD_FIRST_TEXT);
    assert_string_equal(feed.rules.allowed[0].values[1], "generation.*");
    assert_true(feed.rules.is_monotone);
    assert_int_equal(feed.rules.complete.every_ms, 0);
}

/* Replaces `was` by `now` in the good file; the first message must say `wanted` at `line`. */
static void expect_mistake(const char *was, const char *now, uint32_t line, const char *wanted)
{
    char text[2048];
    const char *at = strstr(good, was);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, now, at + strlen(was));
    struct feeds_feed feed;
    struct conf_report report;
    assert_code(feeds_file_parse("caiso_rt_lmp.yaml", hr_bytes_of(text, strlen(text)), &feed, &report),
                HR_MALFORMED);
    assert_true(report.n_errors > 0);
    assert_non_null(strstr(report.errors[0].message, wanted));
    assert_int_equal(report.errors[0].line, line);
    assert_int_equal(feed.version, 0);
}

static void each_mistake_is_told_with_its_line(void **state)
{
    (void)state;
    expect_mistake("iso: caiso", "iso: caso", 3, "is none of");
    expect_mistake("owner: market-data\n", "owner: x\ncolour: red\n", 7, "unknown key");
    expect_mistake("name: caiso_rt_lmp", "name: pjm_rt_lmp", 1, "does not begin with caiso_");
    expect_mistake("https:", "http:", 9, "is no https:// URL");
    expect_mistake("{start:utc:", "{begin:utc:", 9, "a time begins with");
    expect_mistake("%Y%m%d", "%y", 9, "a pattern knows");
    expect_mistake("-0000\"", "-0000}\"", 9, "a brace is closed that was not opened");
    expect_mistake("?from", "?key=me@example&from", 9, "secrets go into auth");
    expect_mistake("length: 5m", "length: 7m", 10, "must divide an hour");
    expect_mistake("kind: interval, length: 5m", "kind: snapshot", 11, "a snapshot has no lag");
    expect_mistake("lag: 1m,", "lag: 1m, lead: 1m,", 11, "either lag");
    expect_mistake(", until: 10m", "", 11, "every and until go together");
    expect_mistake("requests_per_hour: 36", "requests_per_hour: 35", 12, "make 36");
    expect_mistake("bytes_per_hour: 64MiB", "bytes_per_hour: 63MiB", 12, "one body would exceed it");
    expect_mistake("freshness: 10m\n", "", 1, "is required and missing");
}

static void each_mistake_in_rules_is_told_with_its_line(void **state)
{
    (void)state;
    expect_mistake("[value, loss]", "[value, los]", 17, "is no field of a row: value,");
    expect_mistake("field: value,", "field: subject,", 18, "is none of value, energy");
    expect_mistake("min: -150.5", "min: nan", 18, "is not a decimal number");
    expect_mistake("min: -150.5", "min: 0x10", 18, "is not a decimal number");
    expect_mistake("max: 2e3", "max: 1e999", 18, "is not a decimal number");
    expect_mistake("min: -150.5", "min: 2001", 18, "is above max");
    expect_mistake("min: -150.5, ", "", 18, "is required and missing");
    expect_mistake("max: 2e3}", "max: 2e3}, {field: value, min: 0, max: 1}", 18, "value has two ranges");
    expect_mistake("generation.*", "gen*.wind", 19, "* stands at the end only");
    expect_mistake("[energy, generation.*]", "[]", 19, "");
    expect_mistake("monotone: true", "monotone: yes", 20, "is not true or false");
    expect_mistake("monotone: true", "sorted: true", 20, "unknown key");
    expect_mistake("monotone: true", "complete: {every: 7m}", 20, "divide an hour");
    expect_mistake("monotone: true", "complete: {every: 1m}", 20, "at least five");
    expect_mistake("monotone: true", "complete: {growing: true}", 20, "needs every");
    expect_mistake("monotone: true", "statistics: {floor: -1}", 20, "is below 0");
    expect_mistake("monotone: true", "statistics: {locations: [hub]}", 20, "needs a floor");
    expect_mistake("monotone: true", "complete: {every: 1h}", 16, "is of a market day");
}

static void a_feed_is_named_as_its_file(void **state)
{
    (void)state;
    struct feeds_feed feed;
    struct conf_report report;
    const char *others[] = {"caiso_rt_lmp.yml", "feeds/caiso_rt.yaml", "caiso_rt_lmp_2.yaml"};
    for (size_t i = 0; i < HR_ARRAY_LEN(others); i++) {
        assert_code(feeds_file_parse(others[i], hr_bytes_of(good, strlen(good)), &feed, &report),
                    HR_MALFORMED);
        assert_int_equal(report.n_errors, 1);
    }
    assert_ok(feeds_file_parse("a/b/caiso_rt_lmp.yaml", hr_bytes_of(good, strlen(good)), &feed, &report));
}

static void every_feed_of_the_project_is_right(void **state)
{
    (void)state;
    static struct feeds_paths paths;
    assert_ok(feeds_paths_add(&paths, "schemas/feeds"));
    assert_true(paths.n_paths >= 60);
    bool has_iso[FEEDS_NYISO + 1] = {false};
    for (size_t i = 0; i < paths.n_paths; i++) {
        struct feeds_feed feed;
        struct conf_report report;
        char rule[PORT_LINUX_ZONE_RULE_MAX_CHARS + 1];
        struct hr_status status = feeds_file_load(paths.paths[i], &feed, &report);
        if (!hr_is_ok(status)) {
            conf_report_print(&report, stderr);
        }
        assert_ok(status);
        assert_ok(port_linux_zone_rule(feed.timezone, rule));
        (void)zone_of(rule);
        has_iso[feed.iso] = true;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(has_iso); i++) {
        assert_true(has_iso[i]);
    }
    assert_code(feeds_paths_add(&paths, "schemas/nowhere"), HR_NOT_FOUND);
    struct feeds_paths *one = calloc(1, sizeof *one);
    assert_non_null(one);
    assert_ok(feeds_paths_add(one, "schemas/feeds/caiso_rt_lmp.yaml"));
    assert_int_equal(one->n_paths, 1);
    free(one);
}

/* ---- local time ---- */

static void expect_local(const struct feeds_zone *zone, int64_t utc_ms, int day, int hour, bool is_repeated)
{
    struct feeds_local local = feeds_zone_local(zone, utc_ms);
    assert_int_equal(local.day, day);
    assert_int_equal(local.hour, hour);
    assert_int_equal(local.is_repeated, is_repeated);
}

static void clocks_change_when_the_rule_says(void **state)
{
    (void)state;
    const struct feeds_zone central = zone_of("CST6CDT,M3.2.0,M11.1.0");
    const int64_t hour_ms = 3600000;
    /* 2025-03-09 08:00Z is 03:00 CDT; the second before, 01:59:59 CST. */
    int64_t spring_ms = feeds_utc_ms(2025, 3, 9, 8 * 3600);
    assert_int_equal(spring_ms, INT64_C(1741507200000));
    expect_local(&central, spring_ms, 9, 3, false);
    expect_local(&central, spring_ms - 1000, 9, 1, false);
    /* 2025-11-02 07:00Z is 01:00 CST, for the second time. */
    int64_t fall_ms = feeds_utc_ms(2025, 11, 2, 7 * 3600);
    expect_local(&central, fall_ms - hour_ms, 2, 1, false);
    expect_local(&central, fall_ms, 2, 1, true);
    expect_local(&central, fall_ms + hour_ms - 1000, 2, 1, true);
    expect_local(&central, fall_ms + hour_ms, 2, 2, false);
    const struct feeds_zone miso = zone_of("<-05>5");
    expect_local(&miso, fall_ms, 2, 2, false);
    /* 2028-02-29 exists; 2100-02-29 does not. */
    const struct feeds_zone utc = zone_of("UTC0");
    expect_local(&utc, feeds_utc_ms(2028, 2, 28, 0) + 24 * hour_ms, 29, 0, false);
    expect_local(&utc, feeds_utc_ms(2100, 2, 28, 0) + 24 * hour_ms, 1, 0, false);
}

static void rules_of_another_kind_are_refused(void **state)
{
    (void)state;
    static const char *const rules[] = {"",
                                        "5",
                                        "E5",
                                        "EST",
                                        "EST25",
                                        "EST5EDT",
                                        "EST5EDT,M3.2.0",
                                        "EST5EDT,J60,J300",
                                        "EST5EDT,M13.2.0,M11.1.0",
                                        "EST5EDT,M3.0.0,M11.1.0",
                                        "EST5EDT,M3.2.7,M11.1.0",
                                        "EST5EDT,M3.2.0,M11.1.0x",
                                        "EST5EDT,M3.2.0/0,M11.1.0",
                                        "<-05",
                                        "AEST-10AEDT,M10.1.0,M4.1.0/3"};
    for (size_t i = 0; i < HR_ARRAY_LEN(rules); i++) {
        struct feeds_zone zone = {.standard_s = 77};
        assert_code(feeds_zone_parse(rules[i], &zone), HR_MALFORMED);
        assert_int_equal(zone.standard_s, 77);
    }
    char rule[PORT_LINUX_ZONE_RULE_MAX_CHARS + 1];
    assert_code(port_linux_zone_rule("../../../etc/passwd", rule), HR_NOT_FOUND);
    assert_code(port_linux_zone_rule("America/Atlantis", rule), HR_NOT_FOUND);
    assert_code(port_linux_zone_rule("tzdata.zi", rule), HR_NOT_FOUND);
}

/* ---- windows ---- */

static struct feeds_feed feed_of(enum feeds_window_kind kind, uint32_t length_ms)
{
    struct feeds_feed feed = {.version = 1};
    feed.window.kind = kind;
    feed.window.length_ms = length_ms;
    feed.schedule.every_ms = kind == FEEDS_SNAPSHOT ? 60000 : 0;
    return feed;
}

static void market_days_have_23_24_and_25_hours(void **state)
{
    (void)state;
    const struct feeds_zone pacific = zone_of("PST8PDT,M3.2.0,M11.1.0");
    struct feeds_feed feed = feed_of(FEEDS_DAY, 0);
    struct feeds_window day = feeds_window_at(&feed, &pacific, feeds_utc_ms(2025, 1, 1, 20 * 3600));
    assert_int_equal(day.start_ms, feeds_utc_ms(2025, 1, 1, 8 * 3600));
    uint32_t of_hours[26] = {0};
    for (uint32_t i = 0; i < 365; i++) {
        int64_t hours = (day.end_ms - day.start_ms) / 3600000;
        assert_int_equal((day.end_ms - day.start_ms) % 3600000, 0);
        assert_in_range(hours, 23, 25);
        of_hours[hours]++;
        struct feeds_window next = feeds_window_after(&feed, &pacific, day);
        assert_int_equal(next.start_ms, day.end_ms);
        struct feeds_window back = feeds_window_before(&feed, &pacific, next);
        assert_memory_equal(&back, &day, sizeof day);
        day = next;
    }
    assert_int_equal(of_hours[23], 1);
    assert_int_equal(of_hours[25], 1);
    assert_int_equal(day.start_ms, feeds_utc_ms(2026, 1, 1, 8 * 3600));
}

static void the_newest_window_is_the_last_that_is_due(void **state)
{
    (void)state;
    const struct feeds_zone pacific = zone_of("PST8PDT,M3.2.0,M11.1.0");
    struct feeds_feed late = feed_of(FEEDS_INTERVAL, 300000);
    late.schedule.lag_ms = 420000;
    struct feeds_feed early = feed_of(FEEDS_DAY, 0);
    early.schedule.lead_ms = 11u * 3600000u;
    struct feeds_feed today = feed_of(FEEDS_DAY, 0);
    const struct feeds_feed newest = feed_of(FEEDS_SNAPSHOT, 0);
    const struct feeds_feed *feeds[] = {&late, &early, &today, &newest};
    /* Over both clock changes of 2025, at odd steps. */
    for (size_t f = 0; f < HR_ARRAY_LEN(feeds); f++) {
        for (int64_t now_ms = feeds_utc_ms(2025, 3, 7, 0); now_ms < feeds_utc_ms(2025, 11, 5, 0);
             now_ms += 6131773) {
            struct feeds_window window = feeds_window_newest(feeds[f], &pacific, now_ms);
            struct feeds_window next = feeds_window_after(feeds[f], &pacific, window);
            assert_true(feeds_window_due_ms(feeds[f], window) <= now_ms);
            assert_true(feeds_window_due_ms(feeds[f], next) > now_ms);
        }
    }
}

/* ---- URLs ---- */

static void expect_url(const char *url, int64_t start_ms, int64_t end_ms, const char *wanted)
{
    const struct feeds_zone central = zone_of("CST6CDT,M3.2.0,M11.1.0");
    char out[FEEDS_REQUEST_MAX_CHARS + 1];
    assert_null(feeds_url_expand(url, &central, (struct feeds_window){start_ms, end_ms}, end_ms, out));
    assert_string_equal(out, wanted);
}

static void urls_hold_the_times_of_their_window(void **state)
{
    (void)state;
    int64_t start_ms = feeds_utc_ms(2025, 11, 2, 4 * 3600 + 55 * 60); /* 23:55 CDT of the 1st */
    const char *spp = "https://h/{start:local:%Y/%m}/By_Interval/{start:local:%d}/"
                      "SL-{end:local:%Y%m%d%H%M}{end:repeated:d}.csv";
    expect_url(spp, start_ms, start_ms + 300000, "https://h/2025/11/By_Interval/01/SL-202511020000.csv");
    int64_t fall_ms = feeds_utc_ms(2025, 11, 2, 7 * 3600 + 5 * 60);
    expect_url(spp, fall_ms - 300000, fall_ms, "https://h/2025/11/By_Interval/02/SL-202511020105d.csv");
    expect_url(spp, fall_ms - 3900000, fall_ms - 3600000,
               "https://h/2025/11/By_Interval/02/SL-202511020105.csv");
    expect_url("https://h/?t={start:local:%m/%d/%Y %H:%M}to{last:local:%H:%M:%S}", start_ms,
               start_ms + 300000, "https://h/?t=11/01/2025%2023:55to23:59:59");
    expect_url("https://h/{start:utc:%Y%m%dT%H:%M}-0000/{now:epoch}/{start:hour_ending}", start_ms,
               start_ms + 300000, "https://h/20251102T04:55-0000/1762059600000/24");
}

static void a_url_that_grows_too_long_is_refused(void **state)
{
    (void)state;
    char url[FEEDS_URL_MAX_CHARS + 1];
    memset(url, 'a', sizeof url);
    memcpy(url, "https://", 8);
    url[FEEDS_REQUEST_MAX_CHARS] = '\0';
    assert_null(feeds_url_check(url));
    url[FEEDS_REQUEST_MAX_CHARS] = 'a';
    url[FEEDS_REQUEST_MAX_CHARS + 1] = '\0';
    assert_non_null(feeds_url_check(url));
    assert_non_null(feeds_url_check("https://h/{start:utc:%Y"));
    assert_non_null(feeds_url_check("https://h/{start:epoch:%Y}"));
    assert_non_null(feeds_url_check("https://h/{start}"));
    assert_non_null(feeds_url_check("https://h/a b"));
    assert_non_null(feeds_url_check("http://oasis.caiso.com/"));
    assert_null(feeds_url_check("http://127.0.0.1:8080/x"));
    assert_null(feeds_url_check("http://127.0.0.7:8080/x")); /* simulators of several hosts */
    assert_non_null(feeds_url_check("http://127.0.0.7.example.com:80/"));
    assert_non_null(feeds_url_check("http://127.:80/"));
    char host[32];
    feeds_url_host("http://127.0.0.1:8080/x", host, sizeof host);
    assert_string_equal(host, "127.0.0.1");
    feeds_url_host("https://api.pjm.com?x=1", host, sizeof host);
    assert_string_equal(host, "api.pjm.com");
}

static void a_body_is_told_from_an_error_page_by_its_first_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool is[5]; /* any, zip, json, csv, xml */
    } rows[] = {
        {"", {true, false, false, false, false}},
        {"PK\x03\x04", {true, true, false, true, false}},
        {"\xEF\xBB\xBF {}", {true, false, true, false, false}},
        {"[1]", {true, false, true, false, false}},
        {"\n<html>", {true, false, false, false, true}},
        {"\"Time Stamp\",LBMP", {true, false, false, true, false}},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        for (uint32_t expect = FEEDS_ANY; expect <= FEEDS_XML; expect++) {
            assert_int_equal(feeds_body_is((enum feeds_expect)expect, rows[i].body, strlen(rows[i].body)),
                             rows[i].is[expect]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_feed_reads_as_it_is_written),
        cmocka_unit_test(each_mistake_is_told_with_its_line),
        cmocka_unit_test(each_mistake_in_rules_is_told_with_its_line),
        cmocka_unit_test(a_feed_is_named_as_its_file),
        cmocka_unit_test(every_feed_of_the_project_is_right),
        cmocka_unit_test(clocks_change_when_the_rule_says),
        cmocka_unit_test(rules_of_another_kind_are_refused),
        cmocka_unit_test(market_days_have_23_24_and_25_hours),
        cmocka_unit_test(the_newest_window_is_the_last_that_is_due),
        cmocka_unit_test(urls_hold_the_times_of_their_window),
        cmocka_unit_test(a_url_that_grows_too_long_is_refused),
        cmocka_unit_test(a_body_is_told_from_an_error_page_by_its_first_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
