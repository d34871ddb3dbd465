/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/window.h"
#include "aggregator/http/json.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

#define NOW_MS INT64_C(1795231496789) /* 2026-11-21T03:24:56.789Z */

static char why[APP_WHY_CHARS];

static struct hr_status parse(const char *body, struct feed_replay *out)
{
    why[0] = '\0';
    return app_window_parse(hr_bytes_of(body, strlen(body)), NOW_MS, out, why);
}

/* Numbers by GNU date: date -u -d TIME +%s. */
static void times_are_utc_of_the_gregorian_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t utc_ms;
    } rows[] = {
        {"1970-01-01", 0},
        {"2026-11-21", INT64_C(1795219200000)},
        {"2026-11-21T04:04Z", INT64_C(1795233840000)},
        {"2026-11-21T04:04:56Z", INT64_C(1795233896000)},
        {"2026-11-21T04:04:56.789Z", INT64_C(1795233896789)},
        {"2024-02-29T23:59:59Z", INT64_C(1709251199000)},
        {"2000-02-29", INT64_C(951782400000)},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t utc_ms = -1;
        assert_true(app_time_parse(rows[i].text, &utc_ms));
        assert_true(utc_ms == rows[i].utc_ms);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "now",
        "2026",
        "2026-1-01",
        "2026-13-01",
        "2026-00-10",
        "2026-02-29",
        "2100-02-29",
        "1969-12-31",
        "2026-11-31",
        "2026-11-21T",
        "2026-11-21T24:00Z",
        "2026-11-21T23:60Z",
        "2026-11-21T23:59:60Z",
        "2026-11-21T23:59",
        "2026-11-21T23:59+01:00",
        "2026-11-21T23:59:00.1Z",
        "2026-11-21T23:59:00Z ",
        " 2026-11-21",
        "2026-11-21Z",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t utc_ms = -7;
        assert_false(app_time_parse(rows[i], &utc_ms));
        assert_true(utc_ms == -7);
    }
}

static void a_window_is_read_with_its_feed(void **state)
{
    (void)state;
    struct feed_replay replay;
    assert_ok(
        parse(" {\"to\" : \"now\",\r\n\"feed\":\"marine.ais.raw\", \"from\": \"2026-11-20\"} ", &replay));
    assert_string_equal(replay.feed, "marine.ais.raw");
    assert_true(replay.from_ms == INT64_C(1795132800000) && replay.to_ms == NOW_MS);
    assert_true(replay.asked_ms == NOW_MS && !replay.dry_run && replay.id == 0);
    assert_int_equal(replay.state, FEED_PENDING);
    assert_ok(
        parse("{\"feed\":\"x\",\"from\":\"2026-11-20\",\"to\":\"2026-11-20T00:00:00.001Z\",\"dry_run\":true}",
              &replay));
    assert_true(replay.dry_run && replay.to_ms == replay.from_ms + 1);
}

static void a_request_that_is_not_clear_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *why;
    } rows[] = {
        {"", "no JSON object"},
        {"[]", "no JSON object"},
        {"{", "no JSON object"},
        {"{}", "feed is missing"},
        {"{}x", "no JSON object"},
        {"{\"feed\":\"x\",\"to\":\"now\"}", "from is missing"},
        {"{\"feed\":\"x\",\"from\":\"2026-11-20\"}", "to is missing"},
        {"{\"feed\":\"x\",\"from\":\"2026-11-20\",\"to\":\"now\"", "no JSON object"},
        {"{\"feed\":\"x\",\"from\":\"2026-11-20\",\"to\":\"now\"} {}", "no JSON object"},
        {"{\"feed\":\"x\",\"from\":\"2026-11-20\",\"to\":\"now\",}", "no JSON object"},
        {"{\"feed\":\"x\",\"from\":\"2026-11-20\",\"to\":\"2026-11-20\"}", "the window is empty"},
        {"{\"feed\":\"x\",\"from\":\"2027-01-01\",\"to\":\"now\"}", "the window is empty"},
        {"{\"feed\":\"x\",\"from\":\"now\",\"to\":\"now\"}", "from is a time"},
        {"{\"feed\":\"x\",\"from\":1795132800,\"to\":\"now\"}", "from is a time"},
        {"{\"feed\":\"x\",\"from\":\"2026-11-20\",\"to\":\"later\"}", "to is a time"},
        {"{\"feed\":\"x\",\"from\":\"2026-11-20\",\"to\":\"now\",\"dry_run\":\"yes\"}", "dry_run is true or"},
        {"{\"feed\":\"x\",\"from\":\"2026-11-20\",\"to\":\"now\",\"dryrun\":true}", "dryrun is no key"},
        {"{\"feed\":\"x\",\"feed\":\"y\",\"from\":\"2026-11-20\",\"to\":\"now\"}", "feed stands there twice"},
        {"{\"feed\":{\"a\":1},\"from\":\"2026-11-20\",\"to\":\"now\"}", "no JSON object"},
        {"{\"feed\":\"0123456789012345678901234567890123456789012345678901234567890123\",\"from\":\"2026-11-"
         "20\","
         "\"to\":\"now\"}",
         "feed is the name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct feed_replay replay = {.id = 77};
        assert_code(parse(rows[i].body, &replay), HR_MALFORMED);
        assert_int_equal(replay.id, 77);
        if (strstr(why, rows[i].why) == NULL) {
            fail_msg("%s: '%s', not '%s'", rows[i].body, why, rows[i].why);
        }
    }
}

static void members_are_read_as_rfc_8259_says(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":\"q\\\"b\\\\s\\/n\\nt\\t\",\"b\":true,\"c\":false,\"d\":-12,\"e\":0,"
                               "\"f\":1000000000000000,\"g\":9223372036854775807,\"h\":-9223372036854775807}";
    struct http_json json = http_json_over(hr_bytes_of(text, sizeof text - 1));
    struct http_json_member member;
    assert_ok(http_json_next(&json, &member));
    assert_string_equal(member.key, "a");
    assert_string_equal(member.text, "q\"b\\s/n\nt\t");
    assert_ok(http_json_next(&json, &member));
    assert_true(member.type == HTTP_JSON_BOOLEAN && member.flag);
    assert_ok(http_json_next(&json, &member));
    assert_true(member.type == HTTP_JSON_BOOLEAN && !member.flag);
    assert_ok(http_json_next(&json, &member));
    assert_true(member.type == HTTP_JSON_NUMBER && member.number == -12);
    assert_ok(http_json_next(&json, &member));
    assert_true(member.type == HTTP_JSON_NUMBER && member.number == 0);
    assert_ok(http_json_next(&json, &member));
    assert_true(member.type == HTTP_JSON_NUMBER && member.number == INT64_C(1000000000000000));
    assert_ok(http_json_next(&json, &member));
    assert_true(member.type == HTTP_JSON_NUMBER && member.number == INT64_MAX);
    assert_ok(http_json_next(&json, &member));
    assert_true(member.type == HTTP_JSON_NUMBER && member.number == -INT64_MAX);
    assert_code(http_json_next(&json, &member), HR_CLOSED);
    assert_code(http_json_next(&json, &member), HR_MALFORMED);
}

static void what_is_no_plain_member_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"a\":01}",
        "{\"a\":1.5}",
        "{\"a\":1e3}",
        "{\"a\":-}",
        "{\"a\":9223372036854775808}",
        "{\"a\":-9223372036854775808}",
        "{\"a\":9999999999999999999}",
        "{\"a\":12345678901234567890}",
        "{\"a\":18446744073709551617}",
        "{\"a\":null}",
        "{\"a\":[1]}",
        "{\"a\":\"\\u0041\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"",
        "{\"a\":\"\x01\"}",
        "{\"a\":tru}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\"}",
        "{,\"a\":1}",
        "{\"01234567890123456789012345678901\":1}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_json json = http_json_over(hr_bytes_of(rows[i], strlen(rows[i])));
        struct http_json_member member;
        assert_code(http_json_next(&json, &member), HR_MALFORMED);
        assert_code(http_json_next(&json, &member), HR_MALFORMED);
    }
    char many[HTTP_JSON_TEXT_MAX_CHARS + 16];
    (void)snprintf(many, sizeof many, "{\"a\":\"%0*d\"}", HTTP_JSON_TEXT_MAX_CHARS + 1, 0);
    struct http_json json = http_json_over(hr_bytes_of(many, strlen(many)));
    struct http_json_member member;
    assert_code(http_json_next(&json, &member), HR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_utc_of_the_gregorian_calendar),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(a_window_is_read_with_its_feed),
        cmocka_unit_test(a_request_that_is_not_clear_is_refused_with_the_reason),
        cmocka_unit_test(members_are_read_as_rfc_8259_says),
        cmocka_unit_test(what_is_no_plain_member_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
