/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/secret/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

/* Where a text goes to; without room its characters are only passed over. */
struct writer {
    char *out;
    size_t capacity_bytes;
    size_t len;
    bool is_full;
};

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r')) {
        reader->at++;
    }
}

static bool take(struct reader *reader, char c)
{
    skip_space(reader);
    bool is_there = reader->at < reader->end && *reader->at == (uint8_t)c;
    reader->at += is_there ? 1 : 0;
    return is_there;
}

static void put(struct writer *writer, char c)
{
    if (writer->len + 1 >= writer->capacity_bytes) {
        writer->is_full = true;
        return;
    }
    writer->out[writer->len++] = c;
}

static int32_t digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    uint8_t small = c | 0x20u;
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

static bool take_unicode(struct reader *reader, char *out)
{
    int32_t code = 0;
    for (uint32_t i = 0; i < 4; i++) {
        int32_t digit = reader->at < reader->end ? digit_of(*reader->at) : -1;
        if (digit < 0) {
            return false;
        }
        code = code * 16 + digit;
        reader->at++;
    }
    *out = (char)code;
    return code > 0 && code < 0x80;
}

static bool take_escape(struct reader *reader, char *out)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    if (reader->at == reader->end) {
        return false;
    }
    uint8_t c = *reader->at++;
    if (c == 'u') {
        return take_unicode(reader, out);
    }
    const char *found = c != '\0' ? strchr(escapes, c) : NULL;
    *out = found != NULL ? meant[found - escapes] : '\0';
    return found != NULL;
}

/* Behind its first quote; the second is taken too. */
static bool take_string(struct reader *reader, struct writer *writer)
{
    while (reader->at < reader->end && *reader->at != '"') {
        char c = (char)*reader->at++;
        if ((uint8_t)c < ' ' || (c == '\\' && !take_escape(reader, &c))) {
            return false;
        }
        put(writer, c);
    }
    return take(reader, '"');
}

static bool take_plain(struct reader *reader, struct writer *writer)
{
    static const char letters[] = "+-.0123456789Eaeflnrstu";
    const uint8_t *start = reader->at;
    while (reader->at < reader->end && *reader->at != '\0' && strchr(letters, *reader->at) != NULL) {
        put(writer, (char)*reader->at++);
    }
    return reader->at > start;
}

/* Passes over one value with all that is in it. The brackets that are open stand in a stack of bits. */
static bool skip_value(struct reader *reader)
{
    struct writer nowhere = {.capacity_bytes = 0};
    uint32_t depth = 0;
    while (true) {
        skip_space(reader);
        if (reader->at == reader->end) {
            return false;
        }
        uint8_t c = *reader->at;
        bool is_taken = true;
        if (c == '{' || c == '[') {
            depth++;
            reader->at++;
        } else if (c == '}' || c == ']') {
            is_taken = depth > 0;
            depth -= is_taken ? 1 : 0;
            reader->at++;
        } else if (c == ',' || c == ':') {
            is_taken = depth > 0;
            reader->at++;
        } else if (c == '"') {
            reader->at++;
            is_taken = take_string(reader, &nowhere);
        } else {
            is_taken = take_plain(reader, &nowhere);
        }
        if (!is_taken || depth > SECRET_JSON_MAX_DEPTH) {
            return false;
        }
        if (depth == 0) {
            return true;
        }
    }
}

/* Takes members up to the one with this name; its value is next. */
static struct hr_status find_member(struct reader *reader, const char *name)
{
    char key[64];
    if (!take(reader, '{')) {
        return hr_status_of(HR_NOT_FOUND);
    }
    if (take(reader, '}')) {
        return hr_status_of(HR_NOT_FOUND);
    }
    while (true) {
        struct writer writer = {key, sizeof key, 0, false};
        if (!take(reader, '"') || !take_string(reader, &writer) || !take(reader, ':')) {
            return hr_status_of(HR_MALFORMED);
        }
        key[writer.len] = '\0';
        if (!writer.is_full && strcmp(key, name) == 0) {
            return hr_ok();
        }
        if (!skip_value(reader)) {
            return hr_status_of(HR_MALFORMED);
        }
        if (take(reader, '}')) {
            return hr_status_of(HR_NOT_FOUND);
        }
        if (!take(reader, ',')) {
            return hr_status_of(HR_MALFORMED);
        }
    }
}

struct hr_status secret_json_find(struct hr_bytes text, const char *const *path, char *out,
                                  size_t capacity_bytes)
{
    struct reader reader = {text.data, text.data + text.len_bytes};
    struct writer writer = {out, capacity_bytes, 0, false};
    for (; *path != NULL; path++) {
        HR_TRY(find_member(&reader, *path));
    }
    bool is_text = take(&reader, '"');
    if (!is_text && (reader.at == reader.end || *reader.at == '{' || *reader.at == '[')) {
        return hr_status_of(HR_NOT_FOUND);
    }
    if (!(is_text ? take_string(&reader, &writer) : take_plain(&reader, &writer))) {
        return hr_status_of(HR_MALFORMED);
    }
    if (writer.is_full) {
        return hr_status_of(HR_FULL);
    }
    out[writer.len] = '\0';
    return hr_ok();
}
