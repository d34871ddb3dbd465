/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX_CHARS = 40 };

void schema_json_raw(struct schema_json *out, const char *chars, size_t len_bytes)
{
    if (out->full || out->capacity_bytes - out->at < len_bytes) {
        out->full = true;
        return;
    }
    memcpy(out->data + out->at, chars, len_bytes);
    out->at += len_bytes;
}

void schema_json_text(struct schema_json *out, const char *chars)
{
    schema_json_raw(out, chars, strlen(chars));
}

static void escaped(struct schema_json *out, uint8_t byte)
{
    char escape[8];

    if (byte == '"' || byte == '\\') {
        escape[0] = '\\';
        escape[1] = (char)byte;
        schema_json_raw(out, escape, 2);
        return;
    }
    (void)snprintf(escape, sizeof(escape), "\\u%04x", byte);
    schema_json_raw(out, escape, 6);
}

void schema_json_string(struct schema_json *out, struct hr_bytes utf8)
{
    const char *chars = (const char *)utf8.data;
    size_t plain_from = 0;

    schema_json_text(out, "\"");
    for (size_t i = 0; i < utf8.len_bytes; i++) {
        uint8_t byte = utf8.data[i];

        if (byte < 0x20 || byte == '"' || byte == '\\') {
            schema_json_raw(out, chars + plain_from, i - plain_from);
            escaped(out, byte);
            plain_from = i + 1;
        }
    }
    if (plain_from < utf8.len_bytes) {
        schema_json_raw(out, chars + plain_from, utf8.len_bytes - plain_from);
    }
    schema_json_text(out, "\"");
}

void schema_json_hex(struct schema_json *out, struct hr_bytes bytes)
{
    schema_json_text(out, "\"");
    for (size_t i = 0; i < bytes.len_bytes; i++) {
        char pair[2] = {"0123456789abcdef"[bytes.data[i] >> 4], "0123456789abcdef"[bytes.data[i] & 15]};

        schema_json_raw(out, pair, sizeof(pair));
    }
    schema_json_text(out, "\"");
}

void schema_json_long(struct schema_json *out, int64_t number)
{
    char text[NUMBER_MAX_CHARS];

    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    schema_json_text(out, text);
}

void schema_json_real(struct schema_json *out, double real)
{
    char text[NUMBER_MAX_CHARS];

    if (!isfinite(real)) {
        schema_json_text(out, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, real);
        if (strtod(text, NULL) == real) {
            break;
        }
    }
    schema_json_text(out, text);
}
