/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/json.h"

#include <string.h>

struct http_json http_json_over(struct hr_bytes text)
{
    return (struct http_json){.text = text};
}

/* The next byte without taking it; 0 at the end, and for a NUL, which no rule wants. */
static uint8_t peek(const struct http_json *json)
{
    return json->at < json->text.len_bytes ? json->text.data[json->at] : 0;
}

static void skip_space(struct http_json *json)
{
    while (peek(json) == ' ' || peek(json) == '\t' || peek(json) == '\n' || peek(json) == '\r') {
        json->at++;
    }
}

static bool take(struct http_json *json, char wanted)
{
    skip_space(json);
    if (peek(json) != (uint8_t)wanted) {
        return false;
    }
    json->at++;
    return true;
}

static bool take_word(struct http_json *json, const char *word)
{
    size_t len = strlen(word);
    if (json->text.len_bytes - json->at < len || memcmp(json->text.data + json->at, word, len) != 0) {
        return false;
    }
    json->at += len;
    return true;
}

/* One of the short escapes; \u is not among them: no name or time needs it. */
static bool unescape(uint8_t escaped, char *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *at = escaped == 0 ? NULL : strchr(from, escaped);
    *out = at == NULL ? '\0' : to[at - from];
    return at != NULL;
}

static bool take_string(struct http_json *json, char *out, size_t max_chars)
{
    size_t n = 0;
    if (!take(json, '"')) {
        return false;
    }
    while (peek(json) != '"') {
        uint8_t c = peek(json);
        if (c < 0x20 || n == max_chars) {
            return false;
        }
        json->at++;
        out[n] = (char)c;
        if (c == '\\') {
            if (!unescape(peek(json), &out[n])) {
                return false;
            }
            json->at++;
        }
        n++;
    }
    json->at++;
    out[n] = '\0';
    return true;
}

/* Whole, and not beyond an int64_t on either side of zero. */
static bool take_number(struct http_json *json, int64_t *out)
{
    enum { MAX_DIGITS = 19 }; /* of INT64_MAX; a uint64_t holds them all */
    bool is_negative = peek(json) == '-';
    json->at += is_negative ? 1 : 0;
    uint64_t number = 0;
    size_t n = 0;
    bool begins_with_zero = peek(json) == '0';
    for (; peek(json) >= '0' && peek(json) <= '9' && n < MAX_DIGITS; n++) {
        number = number * 10 + (uint64_t)(peek(json) - '0');
        json->at++;
    }
    uint8_t next = peek(json);
    bool goes_on = (next >= '0' && next <= '9') || next == '.' || next == 'e' || next == 'E';
    if (n == 0 || goes_on || (begins_with_zero && n > 1) || number > INT64_MAX) {
        return false;
    }
    *out = is_negative ? -(int64_t)number : (int64_t)number;
    return true;
}

static bool take_value(struct http_json *json, struct http_json_member *out)
{
    skip_space(json);
    switch (peek(json)) {
    case '"':
        out->type = HTTP_JSON_STRING;
        return take_string(json, out->text, HTTP_JSON_TEXT_MAX_CHARS);
    case 't':
    case 'f':
        out->type = HTTP_JSON_BOOLEAN;
        out->flag = peek(json) == 't';
        return take_word(json, out->flag ? "true" : "false");
    default:
        out->type = HTTP_JSON_NUMBER;
        return take_number(json, &out->number);
    }
}

static struct hr_status end(struct http_json *json)
{
    skip_space(json);
    return hr_status_of(json->at == json->text.len_bytes ? HR_CLOSED : HR_MALFORMED);
}

struct hr_status http_json_next(struct http_json *json, struct http_json_member *out)
{
    struct http_json_member member = {.type = HTTP_JSON_STRING};
    if (!json->has_begun) {
        json->has_begun = true;
        if (!take(json, '{')) {
            return hr_status_of(HR_MALFORMED);
        }
        if (take(json, '}')) {
            return end(json);
        }
    } else if (take(json, '}')) {
        return end(json);
    } else if (!take(json, ',')) {
        return hr_status_of(HR_MALFORMED);
    }
    bool good = take_string(json, member.key, HTTP_JSON_KEY_MAX_CHARS) && take(json, ':') &&
                take_value(json, &member);
    if (!good) {
        json->at = json->text.len_bytes; /* neither a member nor the end comes after this */
        return hr_status_of(HR_MALFORMED);
    }
    *out = member;
    return hr_ok();
}
