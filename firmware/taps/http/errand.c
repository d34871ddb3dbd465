/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to Vault: one at a time, beside those for documents. */
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
    const char *ca_path = tap->config.vault_ca_path != NULL ? tap->config.vault_ca_path : tap->config.ca_path;
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

/* Neither values nor tokens, nor what Vault says of them. */
static void tell(struct tap_http *tap, enum secret_step step, bool is_good, uint32_t status,
                 const char *fault)
{
    static const char *const steps[] = {"file", "login", "lookup", "renew", "read"};
    PORT_LOG(tap->config.log, is_good ? PORT_LOG_INFO : PORT_LOG_WARN, is_good ? "vault" : "vault_refused",
             {"step", steps[step], 0}, {"status", NULL, status}, {"error", fault, 0});
}

static void take(struct tap_http *tap, uint32_t status)
{
    struct http_errand *errand = &tap->errand;
    enum secret_step step = errand->request.step;
    struct hr_bytes body = hr_bytes_of(errand->answer, errand->len_bytes);
    bool is_good = secret_vault_take(&tap->vault, status, body, http_now(tap).uptime_ms,
                                     port_random_u32(tap->config.random));
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

uint32_t http_errand_pump(struct tap_http *tap)
{
    uint64_t now_ms = http_now(tap).uptime_ms;
    if (!tap->config.has_vault) {
        return POLL_NEVER_MS;
    }
    struct http_errand *errand = &tap->errand;
    struct hr_status status =
        secret_vault_next(&tap->vault, now_ms, port_random_u32(tap->config.random), &errand->request);
    if (hr_is(status, HR_NOT_FOUND)) {
        tell(tap, SECRET_STEP_NONE, false, 0, "a file that the login needs can't be read");
    }
    if (hr_is_ok(status)) {
        errand->easy = tap->curl.easy_init();
        bool is_made = errand->easy != NULL && add_line(tap, "X-Vault-Token", errand->request.token) &&
                       add_line(tap, "X-Vault-Namespace", tap->config.vault.name_space) &&
                       add_line(tap, "X-Vault-Request", "true") && set_options(tap) &&
                       tap->curl.multi_add_handle(tap->multi, errand->easy) == CURLM_OK;
        hr_wipe(errand->request.token, sizeof errand->request.token); /* the header has it */
        if (!is_made) {
            take(tap, 0);
        }
    }
    uint64_t due_ms = secret_vault_due_ms(&tap->vault);
    uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    return wait_ms < POLL_NEVER_MS ? (uint32_t)wait_ms : POLL_NEVER_MS;
}

bool http_errand_blocks(const struct tap_http *tap)
{
    return tap->config.has_vault && !secret_vault_is_settled(&tap->vault);
}

void http_errand_close(struct tap_http *tap)
{
    stop(tap);
    secret_vault_close(&tap->vault);
}
