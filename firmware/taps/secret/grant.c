/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/secret/grant.h"

#include "firmware/taps/secret/json.h"
#include "proto/base/assert.h"
#include "proto/base/wipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 200, NUMBER_CAPACITY = 24 };

void secret_grant_init(struct secret_grant *grant, const struct secret_grant_config *config)
{
    *grant = (struct secret_grant){.config = *config};
}

void secret_grant_close(struct secret_grant *grant)
{
    hr_wipe(grant->token, sizeof grant->token);
    grant->gone_ms = 0;
}

uint64_t secret_grant_due_ms(const struct secret_grant *grant)
{
    return grant->is_under_way ? UINT64_MAX : grant->due_ms;
}

/* ---- what is asked ---- */

struct form {
    char *out;
    size_t capacity_bytes;
    size_t len;
    bool is_full;
};

static void put(struct form *form, char c)
{
    if (form->len + 1 >= form->capacity_bytes) {
        form->is_full = true;
        return;
    }
    form->out[form->len++] = c;
    form->out[form->len] = '\0';
}

/* application/x-www-form-urlencoded; every byte but the unreserved ones of RFC 3986 as %XX. */
static void add(struct form *form, const char *name, const char *value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    static const char digits[] = "0123456789ABCDEF";
    if (form->len > 0) {
        put(form, '&');
    }
    for (; *name != '\0'; name++) {
        put(form, *name);
    }
    put(form, '=');
    for (; *value != '\0'; value++) {
        if (strchr(plain, *value) != NULL) {
            put(form, *value);
            continue;
        }
        put(form, '%');
        put(form, digits[(uint8_t)*value >> 4]);
        put(form, digits[(uint8_t)*value & 15u]);
    }
}

struct hr_status secret_grant_next(struct secret_grant *grant, const char *username, const char *password,
                                   uint64_t now_ms, struct secret_request *out)
{
    if (secret_grant_due_ms(grant) > now_ms) {
        return hr_status_of(HR_AGAIN);
    }
    *out = (struct secret_request){.step = SECRET_STEP_GRANT, .is_post = true};
    struct form form = {out->body, sizeof out->body, 0, false};
    add(&form, "grant_type", "password");
    add(&form, "response_type", grant->config.answer);
    add(&form, "client_id", grant->config.client_id);
    add(&form, "scope", grant->config.scope);
    add(&form, "username", username);
    add(&form, "password", password);
    if (form.is_full) {
        hr_wipe(out, sizeof *out);
        secret_grant_fail(grant, now_ms, 0);
        return hr_status_of(HR_FULL);
    }
    (void)snprintf(out->url, sizeof out->url, "%s", grant->config.url);
    grant->is_under_way = true;
    grant->asked_ms = now_ms;
    return hr_ok();
}

/* ---- what is answered ---- */

void secret_grant_fail(struct secret_grant *grant, uint64_t now_ms, uint32_t chance)
{
    grant->due_ms = now_ms + secret_pause_ms(grant->failures, chance);
    grant->failures += grant->failures < UINT32_MAX ? 1 : 0;
    grant->failed++;
    grant->is_settled = true;
}

bool secret_grant_take(struct secret_grant *grant, uint32_t status, struct hr_bytes body, uint64_t now_ms,
                       uint32_t chance)
{
    char text[NUMBER_CAPACITY];
    char token[SECRET_VALUE_CAPACITY];
    const char *const answer[] = {grant->config.answer, NULL};
    static const char *const expires[] = {"expires_in", NULL};
    HR_ASSERT(grant->is_under_way);
    grant->is_under_way = false;
    bool is_good = status == OK && hr_is_ok(secret_json_find(body, expires, text, sizeof text)) &&
                   hr_is_ok(secret_json_find(body, answer, token, sizeof token)) && token[0] != '\0';
    unsigned long long seconds = is_good && text[0] != '-' ? strtoull(text, NULL, 10) : 0;
    seconds = seconds < SECRET_GRANT_LONGEST_S ? seconds : SECRET_GRANT_LONGEST_S;
    if (seconds == 0) {
        hr_wipe(token, sizeof token);
        secret_grant_fail(grant, now_ms, chance);
        return false;
    }
    memcpy(grant->token, token, sizeof grant->token);
    hr_wipe(token, sizeof token);
    /* Its time began when it was asked for, at the latest. */
    grant->gone_ms = grant->asked_ms + seconds * 1000;
    grant->due_ms = grant->asked_ms + seconds * 900;
    grant->failures = 0;
    grant->granted++;
    grant->is_settled = true;
    return true;
}

bool secret_grant_is_settled(const struct secret_grant *grant)
{
    return grant->is_settled;
}

struct hr_status secret_grant_get(const struct secret_grant *grant, uint64_t now_ms,
                                  char out[SECRET_VALUE_CAPACITY])
{
    if (grant->token[0] == '\0' || now_ms >= grant->gone_ms) {
        return hr_status_of(HR_NOT_FOUND);
    }
    memcpy(out, grant->token, SECRET_VALUE_CAPACITY);
    return hr_ok();
}

void secret_grant_doubt(struct secret_grant *grant, uint64_t now_ms)
{
    uint64_t again_ms = grant->asked_ms + SECRET_GRANT_DOUBT_MS;
    again_ms = again_ms > now_ms ? again_ms : now_ms;
    grant->due_ms = again_ms < grant->due_ms ? again_ms : grant->due_ms;
}
