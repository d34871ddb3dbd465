/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/secret/vault.h"

#include "firmware/taps/secret/json.h"
#include "proto/base/assert.h"
#include "proto/base/wipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 200, BAD_REQUEST = 400, FORBIDDEN = 403, NUMBER_CAPACITY = 24, NEVER_SOONER_MS = 1000 };

void secret_vault_init(struct secret_vault *vault, const struct secret_vault_config *config)
{
    *vault = (struct secret_vault){.config = *config, .renew_ms = UINT64_MAX, .gone_ms = UINT64_MAX};
}

static void drop_token(struct secret_vault *vault)
{
    hr_wipe(vault->token, sizeof vault->token);
    vault->is_looked_up = false;
    vault->is_renewable = false;
    vault->lease_ms = 0;
    vault->renew_ms = UINT64_MAX;
}

void secret_vault_close(struct secret_vault *vault)
{
    drop_token(vault);
    hr_wipe(vault->answer, sizeof vault->answer);
    vault->len_bytes = 0;
}

/* ---- what is asked ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t secret_vault_due_ms(const struct secret_vault *vault)
{
    if (vault->step != SECRET_STEP_NONE) {
        return UINT64_MAX;
    }
    bool is_ready = vault->token[0] != '\0' && vault->is_looked_up;
    uint64_t wanted_ms = vault->renew_ms < vault->read_ms ? vault->renew_ms : vault->read_ms;
    /* Without a token everything waits for one, but only once the values are to be read. */
    return later(is_ready ? wanted_ms : vault->read_ms, vault->not_before_ms);
}

uint64_t secret_pause_ms(uint32_t failures, uint32_t chance)
{
    uint32_t doublings = failures < 6 ? failures : 6;
    uint64_t longest_ms = (uint64_t)SECRET_VAULT_FIRST_MS << doublings;
    longest_ms = longest_ms < SECRET_VAULT_LONGEST_MS ? longest_ms : SECRET_VAULT_LONGEST_MS;
    return longest_ms / 2 + (((longest_ms / 2 + 1) * chance) >> 32);
}

static void pause(struct secret_vault *vault, uint64_t now_ms, uint32_t chance)
{
    vault->not_before_ms = now_ms + secret_pause_ms(vault->failures, chance);
    vault->failures += vault->failures < UINT32_MAX ? 1 : 0;
    vault->failed++;
    vault->is_settled = true;
}

/* Text within quotes of a JSON string. What a file holds is printable ASCII. */
static void put_escaped(char *out, size_t capacity_bytes, const char *text)
{
    size_t len = 0;
    for (; *text != '\0' && len + 2 < capacity_bytes; text++) {
        if (*text == '"' || *text == '\\') {
            out[len++] = '\\';
        }
        out[len++] = *text;
    }
    out[len] = '\0';
}

static struct hr_status make_body(struct secret_vault *vault, struct secret_request *out)
{
    char line[SECRET_FILE_CAPACITY] = "";
    char first[SECRET_FILE_CAPACITY] = "";
    char second[SECRET_FILE_CAPACITY] = "";
    bool is_approle = vault->config.auth == SECRET_AUTH_APPROLE;
    struct hr_status status = hr_ok();
    if (is_approle) {
        status = vault->config.read(vault->config.ctx, SECRET_FILE_ROLE_ID, line);
        put_escaped(first, sizeof first, line);
    } else {
        put_escaped(first, sizeof first, vault->config.role);
    }
    if (hr_is_ok(status)) {
        status =
            vault->config.read(vault->config.ctx, is_approle ? SECRET_FILE_SECRET_ID : SECRET_FILE_JWT, line);
        put_escaped(second, sizeof second, line);
    }
    if (hr_is_ok(status)) {
        int len = snprintf(out->body, sizeof out->body,
                           is_approle ? "{\"role_id\":\"%s\",\"secret_id\":\"%s\"}"
                                      : "{\"role\":\"%s\",\"jwt\":\"%s\"}",
                           first, second);
        status = len > 0 && (size_t)len < sizeof out->body ? hr_ok() : hr_status_of(HR_NOT_FOUND);
    }
    hr_wipe(line, sizeof line);
    hr_wipe(first, sizeof first);
    hr_wipe(second, sizeof second);
    return status;
}

static struct hr_status choose(struct secret_vault *vault, uint64_t now_ms, struct secret_request *out)
{
    if (vault->renew_ms <= now_ms && !vault->is_renewable) {
        drop_token(vault);
        vault->read_ms = now_ms;
    }
    if (vault->token[0] == '\0' && vault->config.auth != SECRET_AUTH_TOKEN) {
        out->step = SECRET_STEP_LOGIN;
        return make_body(vault, out);
    }
    if (vault->token[0] == '\0') {
        HR_TRY(vault->config.read(vault->config.ctx, SECRET_FILE_TOKEN, vault->token));
    }
    if (!vault->is_looked_up) {
        out->step = SECRET_STEP_LOOKUP;
    } else {
        out->step = vault->renew_ms <= now_ms ? SECRET_STEP_RENEW : SECRET_STEP_READ;
    }
    memcpy(out->token, vault->token, sizeof out->token);
    return hr_ok();
}

static void make_url(const struct secret_vault *vault, struct secret_request *out)
{
    const struct secret_vault_config *config = &vault->config;
    switch (out->step) {
    case SECRET_STEP_LOGIN:
        (void)snprintf(out->url, sizeof out->url, "%s/v1/auth/%s/login", config->address, config->auth_mount);
        break;
    case SECRET_STEP_LOOKUP:
        (void)snprintf(out->url, sizeof out->url, "%s/v1/auth/token/lookup-self", config->address);
        break;
    case SECRET_STEP_RENEW:
        (void)snprintf(out->url, sizeof out->url, "%s/v1/auth/token/renew-self", config->address);
        (void)snprintf(out->body, sizeof out->body, "{}");
        break;
    case SECRET_STEP_READ:
        (void)snprintf(out->url, sizeof out->url, "%s/v1/%s/data/%s", config->address, config->mount,
                       config->path);
        break;
    case SECRET_STEP_GRANT:
    case SECRET_STEP_NONE:
        HR_ASSERT(false);
    }
    out->is_post = out->step == SECRET_STEP_LOGIN || out->step == SECRET_STEP_RENEW;
}

struct hr_status secret_vault_next(struct secret_vault *vault, uint64_t now_ms, uint32_t chance,
                                   struct secret_request *out)
{
    if (secret_vault_due_ms(vault) > now_ms) {
        return hr_status_of(HR_AGAIN);
    }
    *out = (struct secret_request){.step = SECRET_STEP_NONE};
    if (!hr_is_ok(choose(vault, now_ms, out))) {
        drop_token(vault);
        hr_wipe(out, sizeof *out);
        pause(vault, now_ms, chance);
        return hr_status_of(HR_NOT_FOUND);
    }
    make_url(vault, out);
    vault->step = out->step;
    vault->was_read_ms = out->step == SECRET_STEP_READ ? now_ms : vault->was_read_ms;
    return hr_ok();
}

/* ---- what is answered ---- */

static uint64_t seconds_of(struct hr_bytes body, const char *section, const char *name)
{
    char text[NUMBER_CAPACITY];
    const char *const path[] = {section, name, NULL};
    const char *const top[] = {name, NULL};
    struct hr_status status = secret_json_find(body, section != NULL ? path : top, text, sizeof text);
    unsigned long long seconds = hr_is_ok(status) && text[0] != '-' ? strtoull(text, NULL, 10) : 0;
    return seconds < UINT32_MAX ? seconds : UINT32_MAX;
}

static bool is_true(struct hr_bytes body, const char *section, const char *name)
{
    char text[NUMBER_CAPACITY];
    const char *const path[] = {section, name, NULL};
    return hr_is_ok(secret_json_find(body, path, text, sizeof text)) && strcmp(text, "true") == 0;
}

/* After two thirds, as Vault's own agent does. */
static uint64_t two_thirds_from(uint64_t now_ms, uint64_t lease_ms)
{
    return now_ms + later(lease_ms / 3 * 2, NEVER_SOONER_MS);
}

static void take_lease(struct secret_vault *vault, struct hr_bytes body, const char *section,
                       const char *name, uint64_t now_ms)
{
    vault->is_looked_up = true;
    vault->is_renewable = is_true(body, section, "renewable");
    vault->lease_ms = seconds_of(body, section, name) * 1000;
    vault->renew_ms = vault->lease_ms > 0 ? two_thirds_from(now_ms, vault->lease_ms) : UINT64_MAX;
}

static bool take_login(struct secret_vault *vault, struct hr_bytes body, uint64_t now_ms)
{
    static const char *const path[] = {"auth", "client_token", NULL};
    if (!hr_is_ok(secret_json_find(body, path, vault->token, sizeof vault->token)) ||
        vault->token[0] == '\0') {
        drop_token(vault);
        return false;
    }
    vault->logins++;
    take_lease(vault, body, "auth", "lease_duration", now_ms);
    return true;
}

/* A token near the end of its longest life is renewed for less and less: then a new one is wanted. */
static bool take_renewal(struct secret_vault *vault, struct hr_bytes body, uint64_t now_ms)
{
    uint64_t first_ms = vault->lease_ms;
    uint64_t lease_ms = seconds_of(body, "auth", "lease_duration") * 1000;
    if (lease_ms < first_ms / 3) {
        drop_token(vault);
        vault->read_ms = now_ms;
        return true;
    }
    vault->renew_ms = two_thirds_from(now_ms, lease_ms);
    return true;
}

static bool take_values(struct secret_vault *vault, struct hr_bytes body, uint64_t now_ms)
{
    /* A deleted version has metadata and no data. */
    static const char *const path[] = {"data", "metadata", "version", NULL};
    char text[NUMBER_CAPACITY];
    bool is_secret =
        body.len_bytes <= sizeof vault->answer && hr_is_ok(secret_json_find(body, path, text, sizeof text));
    if (!is_secret) {
        return false;
    }
    uint64_t lease_ms = seconds_of(body, NULL, "lease_duration") * 1000;
    hr_wipe(vault->answer, sizeof vault->answer);
    memcpy(vault->answer, body.data, body.len_bytes);
    vault->len_bytes = body.len_bytes;
    uint64_t refresh_ms = now_ms + vault->config.refresh_ms;
    uint64_t renew_ms = two_thirds_from(now_ms, lease_ms);
    vault->read_ms = lease_ms > 0 && renew_ms < refresh_ms ? renew_ms : refresh_ms;
    vault->gone_ms = lease_ms > 0 ? now_ms + lease_ms : UINT64_MAX;
    vault->reads++;
    vault->is_settled = true;
    return true;
}

static bool take_step(struct secret_vault *vault, enum secret_step step, struct hr_bytes body,
                      uint64_t now_ms)
{
    switch (step) {
    case SECRET_STEP_LOGIN:
        return take_login(vault, body, now_ms);
    case SECRET_STEP_LOOKUP:
        take_lease(vault, body, "data", "ttl", now_ms);
        return true;
    case SECRET_STEP_RENEW:
        return take_renewal(vault, body, now_ms);
    case SECRET_STEP_READ:
        return take_values(vault, body, now_ms);
    case SECRET_STEP_GRANT:
    case SECRET_STEP_NONE:
        break;
    }
    return false;
}

bool secret_vault_take(struct secret_vault *vault, uint32_t status, struct hr_bytes body, uint64_t now_ms,
                       uint32_t chance)
{
    enum secret_step step = vault->step;
    HR_ASSERT(step != SECRET_STEP_NONE);
    vault->step = SECRET_STEP_NONE;
    if (status == OK && take_step(vault, step, body, now_ms)) {
        vault->failures = 0;
        vault->not_before_ms = now_ms;
        return true;
    }
    /* A token that is not taken, or not renewed, is replaced; then the values are read again with it. */
    bool is_refused = status == FORBIDDEN || status == BAD_REQUEST;
    if (is_refused || step == SECRET_STEP_RENEW) {
        drop_token(vault);
        vault->read_ms = now_ms;
    }
    pause(vault, now_ms, chance);
    return false;
}

bool secret_vault_is_settled(const struct secret_vault *vault)
{
    return vault->is_settled;
}

struct hr_status secret_vault_get(const struct secret_vault *vault, const char *name, uint64_t now_ms,
                                  char out[SECRET_VALUE_CAPACITY])
{
    const char *const path[] = {"data", "data", name, NULL};
    if (vault->len_bytes == 0 || now_ms >= vault->gone_ms) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct hr_status status =
        secret_json_find(hr_bytes_of(vault->answer, vault->len_bytes), path, out, SECRET_VALUE_CAPACITY);
    return hr_is_ok(status) && out[0] != '\0' ? hr_ok() : hr_status_of(HR_NOT_FOUND);
}

void secret_vault_doubt(struct secret_vault *vault, uint64_t now_ms)
{
    uint64_t again_ms = later(now_ms, vault->was_read_ms + SECRET_VAULT_DOUBT_MS);
    vault->read_ms = again_ms < vault->read_ms ? again_ms : vault->read_ms;
}
