/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/json_scan.h"

#include <string.h>

struct scan {
    const uint8_t *at;
    const uint8_t *end;
};

static bool is_one_of(uint8_t byte, const char *set)
{
    return byte != 0 && strchr(set, byte) != NULL;
}

static void space_skip(struct scan *scan)
{
    while (scan->at < scan->end && is_one_of(*scan->at, " \t\r\n")) {
        scan->at++;
    }
}

static bool string_skip(struct scan *scan)
{
    for (scan->at++; scan->at < scan->end; scan->at++) {
        if (*scan->at == '"') {
            scan->at++;
            return true;
        }
        if (*scan->at == '\\') {
            scan->at++;
        }
    }
    return false;
}

/* Skips one value: a string, a run of plain characters, or all between matching brackets. */
static bool value_skip(struct scan *scan)
{
    const uint8_t *start = scan->at;
    uint32_t depth = 0;

    while (scan->at < scan->end) {
        uint8_t byte = *scan->at;

        if (byte == '"') {
            if (!string_skip(scan)) {
                return false;
            }
            if (depth == 0) {
                return true;
            }
            continue;
        }
        if (depth == 0 && is_one_of(byte, ",}] \t\r\n")) {
            return scan->at > start;
        }
        if (byte == '{' || byte == '[') {
            depth++;
        }
        scan->at++;
        if ((byte == '}' || byte == ']') && --depth == 0) {
            return true;
        }
    }
    return false;
}

static bool char_take(struct scan *scan, uint8_t wanted)
{
    space_skip(scan);
    if (scan->at == scan->end || *scan->at != wanted) {
        return false;
    }
    scan->at++;
    space_skip(scan);
    return true;
}

struct hr_status schema_json_member(struct hr_bytes object, const char *name, struct hr_bytes *raw)
{
    struct scan scan = {object.data, object.data + object.len_bytes};
    size_t name_chars = strlen(name);

    if (!char_take(&scan, '{')) {
        return hr_status_of(HR_MALFORMED);
    }
    if (char_take(&scan, '}')) {
        return hr_status_of(HR_NOT_FOUND);
    }
    do {
        const uint8_t *key = scan.at;

        if (scan.at == scan.end || *scan.at != '"' || !string_skip(&scan)) {
            return hr_status_of(HR_MALFORMED);
        }
        bool found = (size_t)(scan.at - key) == name_chars + 2 && memcmp(key + 1, name, name_chars) == 0;

        if (!char_take(&scan, ':')) {
            return hr_status_of(HR_MALFORMED);
        }
        const uint8_t *value = scan.at;

        if (!value_skip(&scan)) {
            return hr_status_of(HR_MALFORMED);
        }
        if (found) {
            *raw = hr_bytes_of(value, (size_t)(scan.at - value));
            return hr_ok();
        }
    } while (char_take(&scan, ','));
    return hr_status_of(char_take(&scan, '}') ? HR_NOT_FOUND : HR_MALFORMED);
}

struct hr_status schema_json_u32(struct hr_bytes raw, uint32_t *number)
{
    uint64_t value = 0;

    if (raw.len_bytes == 0 || raw.len_bytes > 10) {
        return hr_status_of(HR_MALFORMED);
    }
    for (size_t i = 0; i < raw.len_bytes; i++) {
        if (raw.data[i] < '0' || raw.data[i] > '9') {
            return hr_status_of(HR_MALFORMED);
        }
        value = value * 10 + (uint64_t)(raw.data[i] - '0');
    }
    if (value > UINT32_MAX) {
        return hr_status_of(HR_MALFORMED);
    }
    *number = (uint32_t)value;
    return hr_ok();
}

static bool hex4(const struct scan *scan, uint32_t *value)
{
    static const char digits[] = "0123456789abcdef";

    *value = 0;
    if (scan->end - scan->at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        uint8_t lower = scan->at[i] >= 'A' && scan->at[i] <= 'F' ? (uint8_t)(scan->at[i] + 32) : scan->at[i];
        const char *digit = lower == 0 ? NULL : strchr(digits, lower);

        if (digit == NULL) {
            return false;
        }
        *value = *value * 16 + (uint32_t)(digit - digits);
    }
    return true;
}

static size_t utf8_put(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n_bytes = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = n_bytes - 1; i > 0; i--, code >>= 6) {
        out[i] = (char)(0x80 | (code & 0x3F));
    }
    out[0] = (char)((0xF00u >> n_bytes) & 0xF0u) | (char)code;
    return n_bytes;
}

/* The character of an escape, after the backslash; false: not one. */
static bool escape_take(struct scan *scan, uint32_t *code)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    uint8_t letter = scan->at < scan->end ? *scan->at++ : 0;
    const char *plain = letter == 0 ? NULL : strchr(letters, letter);

    if (plain != NULL) {
        *code = (uint32_t)meanings[plain - letters];
        return true;
    }
    if (letter != 'u' || !hex4(scan, code)) {
        return false;
    }
    scan->at += 4;
    if (*code < 0xD800 || *code > 0xDFFF) {
        return true;
    }
    /* A high surrogate wants its low one right behind. */
    uint32_t low;

    if (*code > 0xDBFF || scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u') {
        return false;
    }
    scan->at += 2;
    if (!hex4(scan, &low) || low < 0xDC00 || low > 0xDFFF) {
        return false;
    }
    scan->at += 4;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

struct hr_status schema_json_unquote(struct hr_bytes raw, char *out, size_t capacity_bytes, size_t *len_bytes)
{
    struct scan scan = {raw.data, raw.data + raw.len_bytes};
    size_t at = 0;

    if (raw.len_bytes < 2 || raw.data[0] != '"' || scan.end[-1] != '"') {
        return hr_status_of(HR_MALFORMED);
    }
    scan.at++;
    scan.end--;
    while (scan.at < scan.end) {
        char utf8[4] = {(char)*scan.at};
        size_t n_bytes = 1;
        uint32_t code;

        if (*scan.at++ == '\\') {
            if (!escape_take(&scan, &code)) {
                return hr_status_of(HR_MALFORMED);
            }
            n_bytes = utf8_put(code, utf8);
        }
        if (capacity_bytes - at < n_bytes) {
            return hr_status_of(HR_FULL);
        }
        memcpy(out + at, utf8, n_bytes);
        at += n_bytes;
    }
    *len_bytes = at;
    return hr_ok();
}
