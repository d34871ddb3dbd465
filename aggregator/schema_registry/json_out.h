/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON into a buffer of known size. What doesn't fit sets `full` and writes nothing more. Private to the
 * room. */
#ifndef SCHEMA_JSON_OUT_H
#define SCHEMA_JSON_OUT_H

#include "proto/base/bytes.h"

#include <stdbool.h>

struct schema_json {
    char *data;
    size_t capacity_bytes;
    size_t at;
    bool full;
};

void schema_json_raw(struct schema_json *out, const char *chars, size_t len_bytes);
void schema_json_text(struct schema_json *out, const char *chars); /* NUL-terminated, as it stands */
void schema_json_string(struct schema_json *out,
                        struct hr_bytes utf8); /* quoted and escaped (RFC 8259 section 7) */
void schema_json_hex(struct schema_json *out, struct hr_bytes bytes); /* quoted lower-case hex */
void schema_json_long(struct schema_json *out, int64_t number);
void schema_json_real(struct schema_json *out,
                      double real); /* the shortest text that reads back equal; null if not finite */

#endif
