/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers are those of Vault's API documentation, cut to what is read. */
#include "firmware/taps/secret/json.h"
#include "firmware/taps/secret/vault.h"
#include "proto/base/assert.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

static struct hr_bytes text(const char *json)
{
    return hr_bytes_of((const uint8_t *)json, strlen(json));
}

/* ---- JSON ---- */

static void values_are_found_by_their_path(void **state)
{
    (void)state;
    static const char json[] =
        " {\"a\\u0062\": [1, {\"c\": \"no\"}, \"]\"], \"data\": {\"data\": {\"key\":\"q\\\"\\\\\\n\","
        "\"n\" : -12.5e3 , \"t\":true, \"e\":{}, \"key\":\"second\"}}, \"z\": null } ";
    static const struct {
        const char *path[4];
        const char *value;
    } cases[] = {{{"data", "data", "key"}, "q\"\\\n"},
                 {{"data", "data", "n"}, "-12.5e3"},
                 {{"data", "data", "t"}, "true"},
                 {{"z"}, "null"}};
    char out[16];
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        assert_ok(secret_json_find(text(json), cases[i].path, out, sizeof out));
        assert_string_equal(out, cases[i].value);
    }
    const char *const absent[][4] = {{"ab"},     {"c"},   {"data", "data", "e"}, {"data", "data", "e", "f"},
                                     {"z", "y"}, {"data"}};
    for (size_t i = 0; i < HR_ARRAY_LEN(absent); i++) {
        const char *path[5] = {absent[i][0], absent[i][1], absent[i][2], absent[i][3]};
        assert_code(secret_json_find(text(json), path, out, sizeof out), HR_NOT_FOUND);
    }
    const char *const key[] = {"data", "data", "key", NULL};
    assert_code(secret_json_find(text(json), key, out, 4), HR_FULL);
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"x\":1,",
        "{\"x\":1 \"a\":2}",
        "{\"x\":\"",
        "{\"x\":\"\\q\",\"a\":1}",
        "{\"x\":]}",
        "{\"a\":\"\\u00e9\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\u12",
        "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"a\":1}"};
    static const char *const path[] = {"a", NULL};
    char out[16];
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        assert_code(secret_json_find(text(wrong[i]), path, out, sizeof out), HR_MALFORMED);
    }
}

/* ---- Vault ---- */

struct lab {
    struct secret_vault vault;
    struct secret_request request;
    const char *files[4];
};

static struct hr_status read_file(void *ctx, enum secret_file file, char out[SECRET_FILE_CAPACITY])
{
    const struct lab *lab = ctx;
    if (lab->files[file] == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    (void)snprintf(out, SECRET_FILE_CAPACITY, "%s", lab->files[file]);
    return hr_ok();
}

static void open_lab(struct lab *lab, enum secret_auth auth)
{
    const struct secret_vault_config config = {.address = "https://vault:8200",
                                               .mount = "secret",
                                               .path = "headrace/iso",
                                               .name_space = "",
                                               .auth_mount = auth == SECRET_AUTH_APPROLE ? "approle" : "k8s",
                                               .role = "collector",
                                               .auth = auth,
                                               .refresh_ms = 300000,
                                               .read = read_file,
                                               .ctx = lab};
    static const char *const files[] = {"t0", "role-1", "se\"cret", "j.w.t"};
    memcpy(lab->files, files, sizeof files);
    secret_vault_init(&lab->vault, &config);
}

/* The request that is due must be this one; its answer. */
static bool answer(struct lab *lab, uint64_t now_ms, enum secret_step step, uint32_t status, const char *json)
{
    assert_ok(secret_vault_next(&lab->vault, now_ms, 0, &lab->request));
    assert_int_equal(lab->request.step, step);
    assert_int_equal(secret_vault_due_ms(&lab->vault), UINT64_MAX);
    return secret_vault_take(&lab->vault, status, text(json), now_ms, 0);
}

#define VALUES(key)                                                                                          \
    "{\"lease_id\":\"\",\"lease_duration\":0,\"data\":{\"data\":{\"pjm_key\":\"" key                         \
    "\"},\"metadata\":{\"version\":3}}}"
#define LOGIN(token, seconds)                                                                                \
    "{\"auth\":{\"client_token\":\"" token "\",\"lease_duration\":" seconds ",\"renewable\":true}}"

static void assert_value(struct lab *lab, uint64_t now_ms, const char *value)
{
    char out[SECRET_VALUE_CAPACITY];
    assert_ok(secret_vault_get(&lab->vault, "pjm_key", now_ms, out));
    assert_string_equal(out, value);
}

static void an_approle_logs_in_reads_renews_and_reads_again(void **state)
{
    (void)state;
    struct lab lab;
    char out[SECRET_VALUE_CAPACITY];
    open_lab(&lab, SECRET_AUTH_APPROLE);
    assert_true(answer(&lab, 0, SECRET_STEP_LOGIN, 200, LOGIN("s.1", "600")));
    assert_string_equal(lab.request.url, "https://vault:8200/v1/auth/approle/login");
    assert_string_equal(lab.request.body, "{\"role_id\":\"role-1\",\"secret_id\":\"se\\\"cret\"}");
    assert_true(lab.request.is_post && lab.request.token[0] == '\0');
    assert_false(secret_vault_is_settled(&lab.vault));
    assert_code(secret_vault_get(&lab.vault, "pjm_key", 0, out), HR_NOT_FOUND);

    assert_true(answer(&lab, 10, SECRET_STEP_READ, 200, VALUES("k1")));
    assert_string_equal(lab.request.url, "https://vault:8200/v1/secret/data/headrace/iso");
    assert_string_equal(lab.request.token, "s.1");
    assert_false(lab.request.is_post);
    assert_true(secret_vault_is_settled(&lab.vault));
    assert_value(&lab, 10, "k1");
    assert_code(secret_vault_get(&lab.vault, "other", 10, out), HR_NOT_FOUND);

    assert_int_equal(secret_vault_due_ms(&lab.vault), 300010);
    assert_code(secret_vault_next(&lab.vault, 300009, 0, &lab.request), HR_AGAIN);
    assert_true(answer(&lab, 300010, SECRET_STEP_READ, 200, VALUES("k2")));
    assert_value(&lab, 300010, "k2");
    /* Two thirds of the token's 600 s. */
    assert_int_equal(secret_vault_due_ms(&lab.vault), 400000);
    assert_true(answer(&lab, 400000, SECRET_STEP_RENEW, 200, LOGIN("s.1", "600")));
    assert_string_equal(lab.request.url, "https://vault:8200/v1/auth/token/renew-self");
    assert_int_equal(secret_vault_due_ms(&lab.vault), 600010);
    assert_true(answer(&lab, 600010, SECRET_STEP_READ, 200, VALUES("k2")));
    /* The end of the longest life: what is left is worth no renewal. */
    assert_true(answer(&lab, 800000, SECRET_STEP_RENEW, 200, LOGIN("s.1", "60")));
    assert_true(answer(&lab, 800000, SECRET_STEP_LOGIN, 200, LOGIN("s.2", "600")));
    assert_true(answer(&lab, 800000, SECRET_STEP_READ, 200, VALUES("k2")));
    assert_string_equal(lab.request.token, "s.2");
}

static void a_token_that_is_refused_is_replaced_and_values_stay_meanwhile(void **state)
{
    (void)state;
    struct lab lab;
    open_lab(&lab, SECRET_AUTH_KUBERNETES);
    assert_true(answer(&lab, 0, SECRET_STEP_LOGIN, 200, LOGIN("s.1", "0")));
    assert_string_equal(lab.request.url, "https://vault:8200/v1/auth/k8s/login");
    assert_string_equal(lab.request.body, "{\"role\":\"collector\",\"jwt\":\"j.w.t\"}");
    assert_true(answer(&lab, 0, SECRET_STEP_READ, 200, VALUES("k1")));
    assert_false(answer(&lab, 300000, SECRET_STEP_READ, 403, "{\"errors\":[\"permission denied\"]}"));
    assert_value(&lab, 300000, "k1");
    uint64_t due_ms = secret_vault_due_ms(&lab.vault);
    assert_true(due_ms >= 300500 && due_ms <= 301000);
    /* Away: it is tried less and less often, and the value stays. */
    uint64_t pause_ms = 0;
    for (uint32_t i = 0; i < 20; i++) {
        assert_false(answer(&lab, due_ms, SECRET_STEP_LOGIN, i % 2 == 0 ? 0 : 503, ""));
        pause_ms = secret_vault_due_ms(&lab.vault) - due_ms;
        assert_true(pause_ms >= 500 && pause_ms <= 60000);
        due_ms += pause_ms;
    }
    assert_int_equal(pause_ms, 30000);
    assert_value(&lab, due_ms, "k1");
    lab.files[SECRET_FILE_JWT] = "rotated";
    assert_true(answer(&lab, due_ms, SECRET_STEP_LOGIN, 200, LOGIN("s.2", "0")));
    assert_non_null(strstr(lab.request.body, "rotated"));
    assert_true(answer(&lab, due_ms, SECRET_STEP_READ, 200, VALUES("k2")));
    assert_value(&lab, due_ms, "k2");
}

static void a_token_of_a_file_is_looked_up_and_its_lease_kept(void **state)
{
    (void)state;
    struct lab lab;
    open_lab(&lab, SECRET_AUTH_TOKEN);
    lab.files[SECRET_FILE_TOKEN] = NULL;
    assert_code(secret_vault_next(&lab.vault, 0, 0, &lab.request), HR_NOT_FOUND);
    assert_true(secret_vault_is_settled(&lab.vault));
    lab.files[SECRET_FILE_TOKEN] = "t1";
    uint64_t at_ms = secret_vault_due_ms(&lab.vault);
    assert_true(answer(&lab, at_ms, SECRET_STEP_LOOKUP, 200, "{\"data\":{\"ttl\":90,\"renewable\":false}}"));
    assert_string_equal(lab.request.token, "t1");
    assert_true(answer(&lab, at_ms, SECRET_STEP_READ, 200, VALUES("k1")));
    /* It can't be renewed: the file may have a new one by then. */
    assert_int_equal(secret_vault_due_ms(&lab.vault), at_ms + 60000);
    lab.files[SECRET_FILE_TOKEN] = "t2";
    at_ms += 60000;
    assert_true(answer(&lab, at_ms, SECRET_STEP_LOOKUP, 200, "{\"data\":{\"ttl\":0,\"renewable\":false}}"));
    assert_string_equal(lab.request.token, "t2");
    assert_true(answer(&lab, at_ms, SECRET_STEP_READ, 200, VALUES("k1")));
    assert_int_equal(secret_vault_due_ms(&lab.vault), at_ms + 300000);
}

static void leased_values_are_gone_with_their_lease(void **state)
{
    (void)state;
    struct lab lab;
    char out[SECRET_VALUE_CAPACITY];
    open_lab(&lab, SECRET_AUTH_APPROLE);
    assert_true(answer(&lab, 0, SECRET_STEP_LOGIN, 200, LOGIN("s.1", "0")));
    assert_true(answer(
        &lab, 0, SECRET_STEP_READ, 200,
        "{\"lease_duration\":30,\"data\":{\"data\":{\"pjm_key\":\"k\"},\"metadata\":{\"version\":1}}}"));
    assert_int_equal(secret_vault_due_ms(&lab.vault), 20000);
    assert_false(answer(&lab, 20000, SECRET_STEP_READ, 500, ""));
    assert_value(&lab, 29999, "k");
    assert_code(secret_vault_get(&lab.vault, "pjm_key", 30000, out), HR_NOT_FOUND);
}

static void a_doubt_reads_again_soon_but_not_at_each_refusal(void **state)
{
    (void)state;
    struct lab lab;
    open_lab(&lab, SECRET_AUTH_APPROLE);
    assert_true(answer(&lab, 0, SECRET_STEP_LOGIN, 200, LOGIN("s.1", "0")));
    assert_true(answer(&lab, 1000, SECRET_STEP_READ, 200, VALUES("k1")));
    secret_vault_doubt(&lab.vault, 1001);
    assert_int_equal(secret_vault_due_ms(&lab.vault), 3000);
    assert_true(answer(&lab, 3000, SECRET_STEP_READ, 200, VALUES("k2")));
    secret_vault_doubt(&lab.vault, 100000);
    assert_int_equal(secret_vault_due_ms(&lab.vault), 100000);
    /* A version that was deleted is no answer; nor is a page of something in between. */
    assert_false(answer(&lab, 100000, SECRET_STEP_READ, 404,
                        "{\"data\":{\"data\":null,\"metadata\":{\"version\":4}}}"));
    assert_value(&lab, 100000, "k2");
    assert_false(answer(&lab, 200000, SECRET_STEP_READ, 200, "<html>"));
    assert_value(&lab, 200000, "k2");
    secret_vault_close(&lab.vault);
    char out[SECRET_VALUE_CAPACITY];
    assert_code(secret_vault_get(&lab.vault, "pjm_key", 200000, out), HR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_their_path),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(an_approle_logs_in_reads_renews_and_reads_again),
        cmocka_unit_test(a_token_that_is_refused_is_replaced_and_values_stay_meanwhile),
        cmocka_unit_test(a_token_of_a_file_is_looked_up_and_its_lease_kept),
        cmocka_unit_test(leased_values_are_gone_with_their_lease),
        cmocka_unit_test(a_doubt_reads_again_soon_but_not_at_each_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
