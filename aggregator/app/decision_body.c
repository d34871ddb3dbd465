/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/decision.h"

#include "aggregator/http/json.h"
#include "proto/base/assert.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

enum {
    HAS_DECISION = 1,
    HAS_REASON = 2,
    HAS_DRY_RUN = 4,
    HAS_OPERATOR = 8,
    HAS_KEY = 16,
    HAS_STREAM = 32,
    HAS_SEQ = 64,
};

static const struct {
    const char *key;
    unsigned bit;
    enum http_json_type type;
    const char *wants;
} keys[] = {
    {"decision", HAS_DECISION, HTTP_JSON_STRING,
     " is quarantine, release, revoke, retire, rotate, rotate_transport or readmit"},
    {"reason", HAS_REASON, HTTP_JSON_STRING, " is one line of 1 to 63 bytes of UTF-8"},
    {"dry_run", HAS_DRY_RUN, HTTP_JSON_BOOLEAN, " is true or false"},
    {"operator", HAS_OPERATOR, HTTP_JSON_STRING,
     " is a name of up to 48 letters, digits, '.', '-', '_' and '@'"},
    {"key", HAS_KEY, HTTP_JSON_STRING, " is a SHA-256 in 64 lower-case hexadecimal digits"},
    {"stream", HAS_STREAM, HTTP_JSON_NUMBER, " is a number from 0 to 4294967294"},
    {"seq", HAS_SEQ, HTTP_JSON_NUMBER, " is a number from 0 to 4294967294"},
};

static struct hr_status refuse(char why[APP_DECISION_WHY_CHARS], const char *which, const char *what)
{
    (void)snprintf(why, APP_DECISION_WHY_CHARS, "%.31s%s", which, what);
    return hr_status_of(HR_MALFORMED);
}

static bool take_kind(const char *text, enum agg_decision_kind *out)
{
    static const char *const names[AGG_N_DECISIONS] = {
        [AGG_QUARANTINE] = "quarantine", [AGG_RELEASE] = "release",
        [AGG_REVOKE] = "revoke",         [AGG_RETIRE] = "retire",
        [AGG_ROTATE] = "rotate",         [AGG_ROTATE_TRANSPORT] = "rotate_transport",
        [AGG_READMIT] = "readmit"};
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum agg_decision_kind)i;
            return true;
        }
    }
    return false;
}

static bool take_line(const char *text, char *out, size_t capacity)
{
    size_t len = strlen(text);
    bool fits = len > 0 && len < capacity && hr_text_ok(hr_bytes_of(text, len));
    memcpy(out, text, fits ? len + 1 : 0);
    return fits;
}

static bool take_digest(const char *text, uint8_t out[WIRE_DIGEST_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    bool fits = strlen(text) == (size_t)2 * WIRE_DIGEST_BYTES && text[strspn(text, digits)] == '\0';
    for (size_t i = 0; fits && i < WIRE_DIGEST_BYTES; i++) {
        const long high = strchr(digits, text[2 * i]) - digits;
        const long low = strchr(digits, text[2 * i + 1]) - digits;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return fits;
}

static bool is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@";
    return text[strspn(text, allowed)] == '\0';
}

static bool take_place(int64_t number, uint32_t *out)
{
    bool fits = number >= 0 && number < UINT32_MAX;
    *out = fits ? (uint32_t)number : 0;
    return fits;
}

static bool take_value(unsigned bit, const struct http_json_member *member, struct app_decision_text *out)
{
    switch (bit) {
    case HAS_DECISION:
        return take_kind(member->text, &out->kind);
    case HAS_REASON:
        return take_line(member->text, out->reason, sizeof out->reason);
    case HAS_OPERATOR:
        return is_name(member->text) &&
               take_line(member->text, out->operator_name, sizeof out->operator_name);
    case HAS_KEY:
        out->has_key = take_digest(member->text, out->key);
        return out->has_key;
    case HAS_STREAM:
        return take_place(member->number, &out->stream);
    case HAS_SEQ:
        return take_place(member->number, &out->seq);
    default:
        out->dry_run = member->flag;
        return true;
    }
}

static struct hr_status take_member(const struct http_json_member *member, unsigned *has,
                                    struct app_decision_text *out, char why[APP_DECISION_WHY_CHARS])
{
    size_t i = 0;
    while (i < HR_ARRAY_LEN(keys) && strcmp(keys[i].key, member->key) != 0) {
        i++;
    }
    if (i == HR_ARRAY_LEN(keys)) {
        return refuse(why, member->key,
                      " is no key here: decision, reason, dry_run, operator, key, stream and seq are");
    }
    if ((*has & keys[i].bit) != 0) {
        return refuse(why, member->key, " stands there twice");
    }
    *has |= keys[i].bit;
    bool good = member->type == keys[i].type && take_value(keys[i].bit, member, out);
    return good ? hr_ok() : refuse(why, member->key, keys[i].wants);
}

struct hr_status app_decision_parse(struct hr_bytes body, struct app_decision_text *out,
                                    char why[APP_DECISION_WHY_CHARS])
{
    struct app_decision_text text = {.dry_run = false};
    struct http_json json = http_json_over(body);
    struct http_json_member member;
    unsigned has = 0;
    struct hr_status status = http_json_next(&json, &member);
    for (; hr_is_ok(status); status = http_json_next(&json, &member)) {
        HR_TRY(take_member(&member, &has, &text, why));
    }
    if (!hr_is(status, HR_CLOSED)) {
        return refuse(why, "", "the body is no JSON object of plain values");
    }
    if ((has & HAS_DECISION) == 0 || (has & HAS_REASON) == 0) {
        return refuse(why, (has & HAS_DECISION) == 0 ? "decision" : "reason", " is missing");
    }
    if ((has & HAS_KEY) != 0 && text.kind != AGG_READMIT) {
        return refuse(why, "key", " is for readmit");
    }
    text.has_place = (has & (HAS_STREAM | HAS_SEQ)) != 0;
    if (text.has_place && (has & HAS_STREAM) == 0) {
        return refuse(why, "seq", " stands together with stream");
    }
    if (text.has_place && ((has & HAS_SEQ) == 0 || text.kind != AGG_REVOKE)) {
        return refuse(why, "stream", " stands together with seq, and only with revoke");
    }
    *out = text;
    return hr_ok();
}
