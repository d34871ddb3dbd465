/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of a request to the admin API: one flat JSON object (RFC 8259) of strings, booleans and whole
 * numbers. Anything else is refused: what asks for a replay should mean it. Doubts every byte. [any] */
#ifndef HTTP_JSON_H
#define HTTP_JSON_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <stdbool.h>

enum { HTTP_JSON_KEY_MAX_CHARS = 31, HTTP_JSON_TEXT_MAX_CHARS = 1407 };

enum http_json_type { HTTP_JSON_STRING, HTTP_JSON_BOOLEAN, HTTP_JSON_NUMBER };

struct http_json_member {
    char key[HTTP_JSON_KEY_MAX_CHARS + 1];
    enum http_json_type type;
    char text[HTTP_JSON_TEXT_MAX_CHARS + 1]; /* of a string, unescaped, NUL-terminated, without NUL in it */
    bool flag;
    int64_t number;
};

struct http_json {
    struct hr_bytes text;
    size_t at;
    bool has_begun;
};

struct http_json http_json_over(struct hr_bytes text);
/* The next member. HR_CLOSED: the object has ended, and nothing but space stands behind it. HR_MALFORMED: not
 * such an object, or a key or string that is too long; no more members can be had. */
HR_MUST_USE struct hr_status http_json_next(struct http_json *json, struct http_json_member *out);

#endif
