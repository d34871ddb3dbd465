/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/secret/grant.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

static const struct secret_grant_config config = {"https://login.test/token", "c-1", "openid c-1",
                                                  "id_token"};

static struct hr_bytes text(const char *json)
{
    return hr_bytes_of((const uint8_t *)json, strlen(json));
}

static void a_token_is_asked_for_kept_and_replaced_before_it_ends(void **state)
{
    (void)state;
    struct secret_grant grant;
    struct secret_request request;
    char out[SECRET_VALUE_CAPACITY];
    secret_grant_init(&grant, &config);
    assert_false(secret_grant_is_settled(&grant));
    assert_code(secret_grant_get(&grant, 0, out), HR_NOT_FOUND);
    assert_ok(secret_grant_next(&grant, "me@x.org", "a&b=c d+%\xC3", 1000, &request));
    assert_string_equal(request.url, "https://login.test/token");
    assert_true(request.is_post && request.token[0] == '\0');
    assert_string_equal(request.body,
                        "grant_type=password&response_type=id_token&client_id=c-1&scope=openid%20c-1"
                        "&username=me%40x.org&password=a%26b%3Dc%20d%2B%25%C3");
    assert_int_equal(secret_grant_due_ms(&grant), UINT64_MAX);
    assert_code(secret_grant_next(&grant, "", "", 1000, &request), HR_AGAIN);
    /* Azure AD B2C tells seconds as text. */
    assert_true(secret_grant_take(
        &grant, 200, text("{\"access_token\":\"a\",\"id_token\":\"i.d.t\",\"expires_in\":\"3600\"}"), 3000,
        0));
    assert_true(secret_grant_is_settled(&grant));
    assert_int_equal(secret_grant_due_ms(&grant), 1000 + 3240000);
    assert_ok(secret_grant_get(&grant, 3600999, out));
    assert_string_equal(out, "i.d.t");
    assert_code(secret_grant_get(&grant, 3601000, out), HR_NOT_FOUND);
    /* The old one is used while the server does not give another. */
    assert_ok(secret_grant_next(&grant, "u", "p", 3241000, &request));
    assert_false(secret_grant_take(&grant, 503, text(""), 3242000, 0));
    assert_ok(secret_grant_get(&grant, 3242000, out));
    secret_grant_close(&grant);
    assert_code(secret_grant_get(&grant, 3242000, out), HR_NOT_FOUND);
}

static void what_is_no_token_is_a_failure_and_pauses_grow(void **state)
{
    (void)state;
    static const char *const answers[] = {"{\"error\":\"invalid_grant\"}",
                                          "",
                                          "{\"id_token\":\"t\"}",
                                          "{\"expires_in\":3600}",
                                          "{\"id_token\":\"t\",\"expires_in\":-1}",
                                          "{\"id_token\":\"t\",\"expires_in\":\"soon\"}",
                                          "{\"id_token\":\"\",\"expires_in\":3600}"};
    struct secret_grant grant;
    struct secret_request request;
    uint64_t now_ms = 0;
    secret_grant_init(&grant, &config);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        assert_ok(secret_grant_next(&grant, "u", "p", now_ms, &request));
        assert_false(secret_grant_take(&grant, i == 0 ? 400 : 200, text(answers[i]), now_ms, 0));
        assert_true(secret_grant_is_settled(&grant));
        uint64_t due_ms = secret_grant_due_ms(&grant);
        assert_int_equal(due_ms - now_ms, i < 6 ? UINT64_C(500) << i : 30000);
        now_ms = due_ms;
    }
    secret_grant_fail(&grant, now_ms, 0);
    assert_int_equal(secret_grant_due_ms(&grant), now_ms + 30000);
}

static void a_doubt_asks_again_but_not_at_each_refusal(void **state)
{
    (void)state;
    static char longest[SECRET_VALUE_CAPACITY];
    struct secret_grant grant;
    struct secret_request request;
    secret_grant_init(&grant, &config);
    assert_ok(secret_grant_next(&grant, "u", "p", 1000, &request));
    assert_true(secret_grant_take(&grant, 200, text("{\"id_token\":\"t\",\"expires_in\":600}"), 1000, 0));
    secret_grant_doubt(&grant, 2000);
    secret_grant_doubt(&grant, 3000);
    assert_int_equal(secret_grant_due_ms(&grant), 11000);
    memset(longest, '&', sizeof longest - 1);
    assert_code(secret_grant_next(&grant, longest, "p", 11000, &request), HR_FULL);
    assert_true(secret_grant_due_ms(&grant) > 11000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_asked_for_kept_and_replaced_before_it_ends),
        cmocka_unit_test(what_is_no_token_is_a_failure_and_pauses_grow),
        cmocka_unit_test(a_doubt_asks_again_but_not_at_each_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
