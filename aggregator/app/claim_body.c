/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/claim_body.h"

#include "aggregator/http/json.h"
#include "proto/base/assert.h"
#include "proto/base/text.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum form { FORM_WORD, FORM_LINE, FORM_HEX, FORM_NUMBER, FORM_FLAG };

#define AT(member) offsetof(struct app_claim_text, member), sizeof(((struct app_claim_text *)0)->member)

static const struct member {
    const char *key;
    unsigned bit;
    enum form form;
    size_t offset_bytes;
    size_t size_bytes;
    const char *wants;
} members[] = {
    {"serial", APP_CLAIM_SERIAL, FORM_WORD, AT(enrolling.wanted.serial),
     " is 1 to 63 letters, digits, '.', '-', '_', ':' and '/'"},
    {"name", APP_CLAIM_NAME, FORM_WORD, AT(enrolling.name),
     " is 1 to 63 letters, digits, '.', '-', '_', ':' and '/'"},
    {"site", APP_CLAIM_SITE, FORM_LINE, AT(enrolling.wanted.site),
     " is one line of 1 to 63 ASCII characters"},
    {"tenant", APP_CLAIM_TENANT, FORM_WORD, AT(enrolling.tenant), " is a tenant's name"},
    {"device_id", APP_CLAIM_DEVICE, FORM_NUMBER, AT(enrolling.wanted.device_id), " is a number from 1 on"},
    {"key", APP_CLAIM_KEY, FORM_HEX, AT(enrolling.record_spki), " is a P-256 key of 91 bytes in hexadecimal"},
    {"certificate", APP_CLAIM_CERTIFICATE, FORM_HEX, AT(enrolling.wanted.certificate),
     " is at most 640 bytes in hexadecimal"},
    {"firmware", APP_CLAIM_FIRMWARE, FORM_HEX, AT(enrolling.firmware), " is 32 bytes in hexadecimal"},
    {"epoch", APP_CLAIM_EPOCH, FORM_NUMBER, AT(enrolling.wanted.epoch), " is 1 to 65535"},
    {"signature", APP_CLAIM_SIGNATURE, FORM_HEX, AT(enrolling.signature), " is 64 bytes in hexadecimal"},
    {"proof", APP_CLAIM_PROOF, FORM_HEX, AT(enrolling.proof), " is 64 bytes in hexadecimal"},
    {"dry_run", APP_CLAIM_DRY_RUN, FORM_FLAG, AT(enrolling.dry_run), " is true or false"},
    {"operator", APP_CLAIM_OPERATOR, FORM_WORD, AT(operator_name),
     " is a name of up to 48 letters and digits"},
};

static struct hr_status refuse(char why[APP_DECISION_WHY_CHARS], const char *which, const char *what)
{
    (void)snprintf(why, APP_DECISION_WHY_CHARS, "%.31s%s", which, what);
    return hr_status_of(HR_MALFORMED);
}

static bool is_word(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:/@";
    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

static bool is_line(const char *text)
{
    bool good = text[0] != '\0';
    for (size_t i = 0; text[i] != '\0'; i++) {
        good = good && text[i] >= ' ' && text[i] <= '~';
    }
    return good;
}

static int digit_of(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit != '\0' ? strchr(digits, digit) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* A certificate is as long as it is; everything else fills its place. */
static bool take_hex(const char *text, const struct member *member, struct app_claim_text *out)
{
    const size_t n_bytes = strlen(text) / 2;
    const bool is_certificate = member->bit == APP_CLAIM_CERTIFICATE;
    uint8_t *bytes = (uint8_t *)out + member->offset_bytes;
    if (strlen(text) % 2 != 0 || n_bytes == 0 || n_bytes > member->size_bytes ||
        (!is_certificate && n_bytes != member->size_bytes)) {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        const int high = digit_of(text[2 * i]);
        const int low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (is_certificate) {
        out->enrolling.wanted.certificate_len_bytes = (uint16_t)n_bytes;
    }
    return true;
}

static bool take_number(int64_t number, const struct member *member, struct app_claim_text *out)
{
    if (number < 1 || (member->bit == APP_CLAIM_EPOCH && number > UINT16_MAX)) {
        return false;
    }
    if (member->bit == APP_CLAIM_EPOCH) {
        out->enrolling.wanted.epoch = (uint16_t)number;
    } else {
        out->enrolling.wanted.device_id = (uint64_t)number;
    }
    return true;
}

static bool take_value(const struct http_json_member *given, const struct member *member,
                       struct app_claim_text *out)
{
    char *text = (char *)out + member->offset_bytes;
    if (member->form == FORM_NUMBER) {
        return given->type == HTTP_JSON_NUMBER && take_number(given->number, member, out);
    }
    if (member->form == FORM_FLAG) {
        out->enrolling.dry_run = given->flag;
        return given->type == HTTP_JSON_BOOLEAN;
    }
    if (given->type != HTTP_JSON_STRING) {
        return false;
    }
    if (member->form == FORM_HEX) {
        return take_hex(given->text, member, out);
    }
    if (strlen(given->text) >= member->size_bytes ||
        !(member->form == FORM_WORD ? is_word(given->text) : is_line(given->text))) {
        return false;
    }
    memcpy(text, given->text, strlen(given->text) + 1);
    return true;
}

static struct hr_status take(const struct http_json_member *given, struct app_claim_text *out,
                             char why[APP_DECISION_WHY_CHARS])
{
    for (size_t i = 0; i < HR_ARRAY_LEN(members); i++) {
        const struct member *member = &members[i];
        if (strcmp(member->key, given->key) != 0) {
            continue;
        }
        if ((out->has & member->bit) != 0) {
            return refuse(why, given->key, " stands there twice");
        }
        out->has |= member->bit;
        return take_value(given, member, out) ? hr_ok() : refuse(why, given->key, member->wants);
    }
    return refuse(why, given->key, " is no key here");
}

struct hr_status app_claim_parse(struct hr_bytes body, unsigned needed, struct app_claim_text *out,
                                 char why[APP_DECISION_WHY_CHARS])
{
    struct http_json json = http_json_over(body);
    struct http_json_member given;
    *out = (struct app_claim_text){.has = 0};
    struct hr_status status = http_json_next(&json, &given);
    for (; hr_is_ok(status); status = http_json_next(&json, &given)) {
        HR_TRY(take(&given, out, why));
    }
    if (!hr_is(status, HR_CLOSED)) {
        return refuse(why, "", "the body is no JSON object of plain values");
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(members); i++) {
        if ((needed & ~out->has & members[i].bit) != 0) {
            return refuse(why, members[i].key, " is missing");
        }
    }
    return hr_ok();
}
