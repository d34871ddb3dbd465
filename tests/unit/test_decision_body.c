/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/decision.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

static struct hr_status parse_reason(const char *reason, struct app_decision_text *out)
{
    char body[256];
    char why[APP_DECISION_WHY_CHARS] = "";
    (void)snprintf(body, sizeof body, "{\"decision\": \"revoke\", \"reason\": \"%s\"}", reason);
    struct hr_status status = app_decision_parse(hr_bytes_of(body, strlen(body)), out, why);
    assert_true(hr_is_ok(status) || strstr(why, "reason is one line") != NULL);
    return status;
}

static void a_reason_is_one_line_of_utf8(void **state)
{
    (void)state;
    struct app_decision_text text = {.dry_run = true};
    static const char *const bad[] = {"\xFF", "caf\xE9", "cut \xE2\x82", "\xC2\x85", "\x7F", "a\\nb", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_code(parse_reason(bad[i], &text), HR_MALFORMED);
        assert_true(text.dry_run); /* nothing was written */
    }
    assert_ok(parse_reason("gestohlen in K\xC3\xB6ln, \xE2\x82\xAC 3", &text));
    assert_string_equal(text.reason, "gestohlen in K\xC3\xB6ln, \xE2\x82\xAC 3");
    assert_int_equal(text.kind, AGG_REVOKE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reason_is_one_line_of_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
