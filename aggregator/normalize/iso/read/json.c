/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON (RFC 8259) token by token over the window: a tree of a document that a peer sent may be any size, and
 * all that is wanted of it is one record at a time. */
#include "aggregator/normalize/iso/read/layout.h"

#include <string.h>

struct level {
    size_t path_before; /* path length to go back to when its value ends */
    bool is_array;
    bool is_record;
    uint16_t index; /* of the next element */
};

struct json {
    struct norm_reader *reader;
    const struct norm_layout *layout;
    const struct norm_row_sink *sink;
    struct level levels[NORM_DEPTH_MAX];
    size_t depth;
    struct hr_bytes token; /* of the last scalar or key; in the window until the next token */
    size_t names_path_len;
};

/* The byte at window->at, which stays unused. HR_CLOSED: the end. */
static struct hr_status look(struct json *json, uint8_t *out)
{
    struct norm_window *window = &json->reader->window;
    if (window->at == window->end) {
        HR_TRY(norm_window_more(window));
    }
    *out = window->bytes[window->at];
    return hr_ok();
}

static struct hr_status skip_space(struct json *json, uint8_t *next)
{
    for (;;) {
        HR_TRY(look(json, next));
        if (*next != ' ' && *next != '\n' && *next != '\r' && *next != '\t') {
            return hr_ok();
        }
        json->reader->window.at++;
    }
}

static struct hr_status next_is(struct json *json, uint8_t *next)
{
    struct hr_status status = skip_space(json, next);
    return status.code == HR_CLOSED ? hr_status_of(HR_MALFORMED) : status;
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    uint8_t letter = (uint8_t)(c | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static bool take_hex4(const uint8_t *at, const uint8_t *end, uint32_t *out)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = at + i < end ? hex_of(at[i]) : -1;
        if (digit < 0) {
            return false;
        }
        code = code << 4 | (uint32_t)digit;
    }
    *out = code;
    return true;
}

static uint8_t *put_utf8(uint8_t *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (uint8_t)code;
    } else if (code < 0x800) {
        *out++ = (uint8_t)(0xC0 | code >> 6);
        *out++ = (uint8_t)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = (uint8_t)(0xE0 | code >> 12);
        *out++ = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (code & 0x3F));
    } else {
        *out++ = (uint8_t)(0xF0 | code >> 18);
        *out++ = (uint8_t)(0x80 | (code >> 12 & 0x3F));
        *out++ = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (code & 0x3F));
    }
    return out;
}

/* \uXXXX, and the second half of a pair. A half alone becomes U+FFFD, as does U+0000, which no text of ours
 * holds. *at is behind "\u". */
static bool take_code(const uint8_t **at, const uint8_t *end, uint32_t *code)
{
    uint32_t low = 0;
    if (!take_hex4(*at, end, code)) {
        return false;
    }
    *at += 4;
    if (*code >= 0xD800 && *code < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' &&
        take_hex4(*at + 2, end, &low) && low >= 0xDC00 && low < 0xE000) {
        *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
        *at += 6;
    }
    if (*code == 0 || (*code >= 0xD800 && *code < 0xE000)) {
        *code = 0xFFFD;
    }
    return true;
}

/* Undoes escapes where they stand: no escape is shorter than what it means. */
static struct hr_status unescape(uint8_t *begin, const uint8_t *end, struct hr_bytes *out)
{
    static const char ESCAPED[] = "\"\\/bfnrt";
    static const char MEANT[] = "\"\\/\b\f\n\r\t";
    uint8_t *to = begin;
    for (const uint8_t *at = begin; at < end;) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        at++;
        const char *known = at < end && *at != 0 ? strchr(ESCAPED, *at) : NULL;
        uint32_t code = 0;
        if (known != NULL) {
            *to++ = (uint8_t)MEANT[known - ESCAPED];
            at++;
        } else if (at < end && *at == 'u') {
            at++;
            if (!take_code(&at, end, &code)) {
                return hr_status_of(HR_MALFORMED);
            }
            to = put_utf8(to, code);
        } else {
            return hr_status_of(HR_MALFORMED);
        }
    }
    *out = hr_bytes_of(begin, (size_t)(to - begin));
    return hr_ok();
}

/* window->at stands on the opening quote. */
static struct hr_status take_string(struct json *json)
{
    struct norm_window *window = &json->reader->window;
    bool has_escape = false;
    for (size_t i = 1;; i++) {
        while (window->at + i >= window->end) {
            struct hr_status more = norm_window_more(window);
            HR_TRY(more.code == HR_CLOSED ? hr_status_of(HR_MALFORMED) : more);
        }
        uint8_t *begin = window->bytes + window->at;
        if (begin[i] == '"') {
            window->at += i + 1;
            json->token = hr_bytes_of(begin + 1, i - 1);
            return has_escape ? unescape(begin + 1, begin + i, &json->token) : hr_ok();
        }
        if (begin[i] < 0x20) {
            return hr_status_of(HR_MALFORMED);
        }
        if (begin[i] == '\\') {
            has_escape = true;
            i++;
        }
    }
}

/* A number, true, false or null: its bytes as they stand. */
static struct hr_status take_word(struct json *json, bool *is_null)
{
    struct norm_window *window = &json->reader->window;
    size_t i = 0;
    for (;; i++) {
        if (window->at + i >= window->end) {
            struct hr_status more = norm_window_more(window);
            if (more.code == HR_CLOSED) {
                break;
            }
            HR_TRY(more);
        }
        uint8_t c = window->bytes[window->at + i];
        if (strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", c) == NULL || c == 0) {
            break;
        }
    }
    const uint8_t *begin = window->bytes + window->at;
    json->token = hr_bytes_of(begin, i);
    window->at += i;
    *is_null = i == 4 && memcmp(begin, "null", 4) == 0;
    bool is_word =
        *is_null || (i == 4 && memcmp(begin, "true", 4) == 0) || (i == 5 && memcmp(begin, "false", 5) == 0);
    bool is_number = i > 0 && (begin[0] == '-' || (begin[0] >= '0' && begin[0] <= '9'));
    return hr_status_of(is_word || is_number ? HR_OK : HR_MALFORMED);
}

/* ---- what a value means ---- */

static bool path_is_names(const struct json *json)
{
    const struct norm_reader *reader = json->reader;
    return json->layout->names != NULL && reader->path_len == json->names_path_len &&
           memcmp(reader->path, json->layout->names, json->names_path_len) == 0;
}

static struct hr_status scalar(struct json *json)
{
    struct norm_reader *reader = json->reader;
    if (!reader->is_in_record && path_is_names(json)) {
        if (reader->n_named == NORM_CSV_FIELDS_MAX) {
            return hr_status_of(HR_FULL);
        }
        reader->column_of[reader->n_named++] = norm_column_by_header(json->layout, json->token);
        return hr_ok();
    }
    const struct level *level = json->depth > 0 ? &json->levels[json->depth - 1] : NULL;
    if (reader->is_in_record && level != NULL && level->is_record && level->is_array) {
        uint8_t column = level->index < reader->n_named ? reader->column_of[level->index] : NORM_COLUMNS_MAX;
        return column < NORM_COLUMNS_MAX ? norm_record_put(reader, column, json->token) : hr_ok();
    }
    return norm_record_value(reader, json->layout, json->token);
}

static struct hr_status open_level(struct json *json, bool is_array)
{
    struct norm_reader *reader = json->reader;
    if (json->depth == NORM_DEPTH_MAX) {
        return hr_status_of(HR_FULL);
    }
    bool is_in_array = json->depth > 0 && json->levels[json->depth - 1].is_array;
    struct level *level = &json->levels[json->depth++];
    *level = (struct level){.is_array = is_array};
    bool may_be_record = json->layout->names == NULL ? !is_array : is_array && is_in_array;
    level->is_record = may_be_record && norm_record_begin(reader, json->layout);
    if (level->is_record && is_array && !norm_columns_are_there(reader, json->layout)) {
        return hr_status_of(HR_NOT_FOUND);
    }
    return hr_ok();
}

static void close_level(struct json *json)
{
    const struct level *level = &json->levels[--json->depth];
    if (level->is_record) {
        norm_record_end(json->reader, json->layout, json->sink);
    }
}

/* A value begins at `next`. A container is entered; *is_done says that the value ended. */
static struct hr_status take_value(struct json *json, uint8_t next, bool *is_done)
{
    *is_done = next != '{' && next != '[';
    if (!*is_done) {
        json->reader->window.at++;
        return open_level(json, next == '[');
    }
    bool is_null = false;
    HR_TRY(next == '"' ? take_string(json) : take_word(json, &is_null));
    return is_null ? hr_ok() : scalar(json);
}

/* Behind a value: back to the path of what holds it. */
static void end_value(struct json *json)
{
    if (json->depth > 0) {
        struct level *level = &json->levels[json->depth - 1];
        json->reader->path_len = level->is_array ? json->reader->path_len : level->path_before;
        level->index = level->index < UINT16_MAX ? (uint16_t)(level->index + 1) : UINT16_MAX;
    }
}

/* The next member or element of the innermost container, up to its value; or its end. */
static struct hr_status step_in(struct json *json, bool *has_closed, uint8_t *next)
{
    struct norm_window *window = &json->reader->window;
    struct level *level = &json->levels[json->depth - 1];
    uint8_t close = level->is_array ? ']' : '}';
    HR_TRY(next_is(json, next));
    *has_closed = *next == close;
    if (*has_closed) {
        window->at++;
        close_level(json);
        return hr_ok();
    }
    if (level->index > 0) {
        if (*next != ',') {
            return hr_status_of(HR_MALFORMED);
        }
        window->at++;
        HR_TRY(next_is(json, next));
    }
    if (level->is_array) {
        return hr_ok();
    }
    if (*next != '"') {
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(take_string(json));
    HR_TRY(norm_path_push(json->reader, json->token, &level->path_before));
    HR_TRY(next_is(json, next));
    if (*next != ':') {
        return hr_status_of(HR_MALFORMED);
    }
    window->at++;
    return next_is(json, next);
}

static void skip_bom(struct json *json)
{
    static const uint8_t BOM[3] = {0xEF, 0xBB, 0xBF};
    struct norm_window *window = &json->reader->window;
    uint8_t next = 0;
    if (hr_is_ok(look(json, &next)) && window->end - window->at >= sizeof BOM &&
        memcmp(window->bytes + window->at, BOM, sizeof BOM) == 0) {
        window->at += sizeof BOM;
    }
}

struct hr_status norm_json_read(struct norm_reader *reader, const struct norm_layout *layout,
                                const struct norm_row_sink *sink)
{
    struct json json = {.reader = reader, .layout = layout, .sink = sink};
    json.names_path_len = layout->names != NULL ? strlen(layout->names) : 0;
    uint8_t next = 0;
    bool is_done = false;
    skip_bom(&json);
    HR_TRY(next_is(&json, &next));
    HR_TRY(take_value(&json, next, &is_done));
    while (json.depth > 0) {
        bool has_closed = false;
        HR_TRY(step_in(&json, &has_closed, &next));
        if (!has_closed) {
            HR_TRY(take_value(&json, next, &is_done));
        }
        if (has_closed || is_done) {
            end_value(&json);
        }
    }
    struct hr_status rest = skip_space(&json, &next);
    return hr_status_of(rest.code == HR_CLOSED ? HR_OK : HR_MALFORMED);
}
