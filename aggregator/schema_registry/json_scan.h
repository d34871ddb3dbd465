/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding one member of a JSON object, for the short answers of a registry. Doubts every byte. Private to the
 * room. */
#ifndef SCHEMA_JSON_SCAN_H
#define SCHEMA_JSON_SCAN_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

/* The raw text of the value of the top-level member `name` (no escapes in it), quotes included when it is a
 * string. HR_NOT_FOUND: no such member. HR_MALFORMED: not an object, or cut off before the member. */
HR_MUST_USE struct hr_status schema_json_member(struct hr_bytes object, const char *name,
                                                struct hr_bytes *raw);

/* A raw value as a whole number of 32 bits. HR_MALFORMED: it is none. */
HR_MUST_USE struct hr_status schema_json_u32(struct hr_bytes raw, uint32_t *number);

/* A raw string without quotes and escapes, as UTF-8. HR_MALFORMED: not a string, or a bad escape. HR_FULL. */
HR_MUST_USE struct hr_status schema_json_unquote(struct hr_bytes raw, char *out, size_t capacity_bytes,
                                                 size_t *len_bytes);

#endif
