/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to Vault, and for tokens: one at a time, beside those for documents. */
#include "firmware/taps/http/http_internal.h"
#include "proto/base/wipe.h"

#include <stdio.h>
#include <string.h>

enum { CONNECT_TIMEOUT_MS = 10000, TIMEOUT_MS = 20000 };

static size_t on_answer(char *data, size_t size, size_t n, void *ctx)
{
    struct http_errand *errand = ctx;
    size_t len_bytes = size * n;
    if (len_bytes > sizeof errand->answer - errand->len_bytes) {
        return 0; /* libcurl gives the request up */
    }
    memcpy(errand->answer + errand->len_bytes, data, len_bytes);
    errand->len_bytes += len_bytes;
    return len_bytes;
}

static bool add_line(struct tap_http *tap, const char *name, const char *value)
{
    char line[SECRET_FILE_CAPACITY + 64];
    if (value[0] == '\0') {
        return true;
    }
    (void)snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *longer = tap->curl.slist_append(tap->errand.headers, line);
    hr_wipe(line, sizeof line);
    tap->errand.headers = longer != NULL ? longer : tap->errand.headers;
    return longer != NULL;
}

#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (tap->curl.easy_setopt(errand->easy, (option), (value)) != CURLE_OK) {                            \
            return false;                                                                                    \
        }                                                                                                    \
    } while (0)

static bool set_options(struct tap_http *tap)
{
    struct http_errand *errand = &tap->errand;
    const char *url = errand->request.url;
    bool is_own = errand->grant == NULL && tap->config.vault_ca_path != NULL;
    const char *ca_path = is_own ? tap->config.vault_ca_path : tap->config.ca_path;
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, strncmp(url, "https:", 6) == 0 ? "https" : "http");
    SET(CURLOPT_HTTPHEADER, errand->headers);
    SET(CURLOPT_USERAGENT, tap->config.user_agent);
    SET(CURLOPT_FOLLOWLOCATION, 0L); /* a redirect would take the token along */
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    SET(CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (ca_path != NULL) {
        SET(CURLOPT_CAINFO, ca_path);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (tap->connect_to != NULL) {
        SET(CURLOPT_CONNECT_TO, tap->connect_to);
    }
    if (errand->request.is_post) {
        SET(CURLOPT_POSTFIELDS, errand->request.body); /* not copied: it stays until the end */
    }
    SET(CURLOPT_ERRORBUFFER, errand->fault);
    SET(CURLOPT_WRITEFUNCTION, on_answer);
    SET(CURLOPT_WRITEDATA, (void *)errand);
    SET(CURLOPT_PRIVATE, (void *)errand);
    return true;
}

static void stop(struct tap_http *tap)
{
    struct http_errand *errand = &tap->errand;
    if (errand->easy != NULL) {
        (void)tap->curl.multi_remove_handle(tap->multi, errand->easy);
        tap->curl.easy_cleanup(errand->easy);
    }
    for (struct curl_slist *line = errand->headers; line != NULL; line = line->next) {
        hr_wipe(line->data, strlen(line->data));
    }
    tap->curl.slist_free_all(errand->headers);
    hr_wipe(errand, sizeof *errand);
}

/* Neither values nor tokens, nor what was said of them. */
static void tell(struct tap_http *tap, enum secret_step step, bool is_good, uint32_t status,
                 const char *fault)
{
    static const char *const steps[] = {"file", "login", "lookup", "renew", "read", "token"};
    PORT_LOG(tap->config.log, is_good ? PORT_LOG_INFO : PORT_LOG_WARN, is_good ? "secret" : "secret_refused",
             {"step", steps[step], 0}, {"status", NULL, status}, {"error", fault, 0});
}

static void take(struct tap_http *tap, uint32_t status)
{
    struct http_errand *errand = &tap->errand;
    enum secret_step step = errand->request.step;
    uint64_t now_ms = http_now(tap).uptime_ms;
    uint32_t chance = port_random_u32(tap->config.random);
    struct hr_bytes body = hr_bytes_of(errand->answer, errand->len_bytes);
    bool is_good = errand->grant != NULL ? secret_grant_take(errand->grant, status, body, now_ms, chance)
                                         : secret_vault_take(&tap->vault, status, body, now_ms, chance);
    tell(tap, step, is_good, status, errand->fault);
    stop(tap);
}

/* A service account's token is readable by others where its pod has no user of its own. */
static struct hr_status read_file(void *ctx, enum secret_file file, char out[SECRET_FILE_CAPACITY])
{
    const struct tap_http *tap = ctx;
    return http_secret_file(tap->config.vault_files[file], file != SECRET_FILE_JWT, out,
                            SECRET_FILE_CAPACITY);
}

void http_errand_open(struct tap_http *tap)
{
    tap->config.vault.read = read_file;
    tap->config.vault.ctx = tap;
    secret_vault_init(&tap->vault, &tap->config.vault);
}

bool http_errand_is(const struct tap_http *tap, const void *handle)
{
    return handle == &tap->errand;
}

void http_errand_end(struct tap_http *tap, CURLcode code)
{
    long status = 0;
    (void)tap->curl.easy_getinfo(tap->errand.easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK && tap->errand.fault[0] == '\0') {
        (void)snprintf(tap->errand.fault, sizeof tap->errand.fault, "%s", tap->curl.easy_strerror(code));
    }
    take(tap, code == CURLE_OK && status > 0 ? (uint32_t)status : 0);
}

static void begin(struct tap_http *tap, struct secret_grant *grant)
{
    struct http_errand *errand = &tap->errand;
    const char *name_space = grant == NULL ? tap->config.vault.name_space : "";
    errand->grant = grant;
    errand->easy = tap->curl.easy_init();
    bool is_made = errand->easy != NULL && add_line(tap, "X-Vault-Token", errand->request.token) &&
                   add_line(tap, "X-Vault-Namespace", name_space) &&
                   add_line(tap, "X-Vault-Request", grant == NULL ? "true" : "") && set_options(tap) &&
                   tap->curl.multi_add_handle(tap->multi, errand->easy) == CURLM_OK;
    hr_wipe(errand->request.token, sizeof errand->request.token); /* the header has it */
    if (!is_made) {
        take(tap, 0);
    }
}

static void ask_vault(struct tap_http *tap, uint64_t now_ms)
{
    struct hr_status status =
        secret_vault_next(&tap->vault, now_ms, port_random_u32(tap->config.random), &tap->errand.request);
    if (hr_is(status, HR_NOT_FOUND)) {
        tell(tap, SECRET_STEP_NONE, false, 0, "a file that the login needs can't be read");
    }
    if (hr_is_ok(status)) {
        begin(tap, NULL);
    }
}

static void ask_token(struct tap_http *tap, struct http_grant *from, uint64_t now_ms)
{
    char username[SECRET_CAPACITY];
    char password[SECRET_CAPACITY];
    if (secret_grant_due_ms(&from->grant) > now_ms) {
        return;
    }
    struct hr_status status = http_secret_value(tap, from->token->username, username);
    if (hr_is_ok(status)) {
        status = http_secret_value(tap, from->token->password, password);
    }
    if (hr_is_ok(status)) {
        status = secret_grant_next(&from->grant, username, password, now_ms, &tap->errand.request);
    } else {
        secret_grant_fail(&from->grant, now_ms, port_random_u32(tap->config.random));
    }
    hr_wipe(username, sizeof username);
    hr_wipe(password, sizeof password);
    if (!hr_is_ok(status)) {
        tell(tap, SECRET_STEP_GRANT, false, 0, "there is no name or password for it");
        return;
    }
    begin(tap, &from->grant);
}

static bool vault_blocks(const struct tap_http *tap)
{
    return tap->config.has_vault && !secret_vault_is_settled(&tap->vault);
}

uint32_t http_errand_pump(struct tap_http *tap)
{
    uint64_t now_ms = http_now(tap).uptime_ms;
    uint64_t due_ms = UINT64_MAX;
    if (tap->errand.easy == NULL && tap->config.has_vault) {
        ask_vault(tap, now_ms);
        due_ms = secret_vault_due_ms(&tap->vault);
    }
    for (uint32_t i = 0; i < tap->n_grants && !vault_blocks(tap); i++) {
        if (tap->errand.easy == NULL) {
            ask_token(tap, &tap->grants[i], now_ms);
        }
        uint64_t token_ms = secret_grant_due_ms(&tap->grants[i].grant);
        due_ms = token_ms < due_ms ? token_ms : due_ms;
    }
    if (tap->errand.easy != NULL) {
        return POLL_NEVER_MS; /* its end is what comes next */
    }
    uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    return wait_ms < POLL_NEVER_MS ? (uint32_t)wait_ms : POLL_NEVER_MS;
}

struct hr_status http_errand_add(struct tap_http *tap, const struct feeds_feed *feed)
{
    for (uint32_t i = 0; i < tap->n_grants; i++) {
        if (feed->has_token && strcmp(tap->grants[i].token->credential, feed->token.credential) == 0) {
            return hr_ok();
        }
    }
    if (!feed->has_token) {
        return hr_ok();
    }
    if (tap->n_grants == TAP_HTTP_MAX_TOKENS) {
        return hr_status_of(HR_FULL);
    }
    struct http_grant *added = &tap->grants[tap->n_grants++];
    const struct feeds_token *token = &feed->token;
    const struct secret_grant_config config = {token->url, token->client_id, token->scope, token->answer};
    added->token = token;
    secret_grant_init(&added->grant, &config);
    return hr_ok();
}

void http_errand_doubt(struct tap_http *tap, const struct feeds_feed *feed)
{
    uint64_t now_ms = http_now(tap).uptime_ms;
    if (tap->config.has_vault) {
        secret_vault_doubt(&tap->vault, now_ms);
    }
    for (uint32_t i = 0; i < tap->n_grants; i++) {
        if (feed->has_token && strcmp(tap->grants[i].token->credential, feed->token.credential) == 0) {
            secret_grant_doubt(&tap->grants[i].grant, now_ms);
        }
    }
}

bool http_errand_blocks(const struct tap_http *tap)
{
    bool blocks = vault_blocks(tap);
    for (uint32_t i = 0; i < tap->n_grants; i++) {
        blocks = blocks || !secret_grant_is_settled(&tap->grants[i].grant);
    }
    return blocks;
}

void http_errand_close(struct tap_http *tap)
{
    stop(tap);
    secret_vault_close(&tap->vault);
    for (uint32_t i = 0; i < tap->n_grants; i++) {
        secret_grant_close(&tap->grants[i].grant);
    }
}
