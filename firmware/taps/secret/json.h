/* SPDX-License-Identifier: Apache-2.0
 *
 * One value out of a JSON text (RFC 8259), by the names of the objects that it is in. [any] */
#ifndef SECRET_JSON_H
#define SECRET_JSON_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <stddef.h>

enum { SECRET_JSON_MAX_DEPTH = 32 };

/* `path` is names from the outermost object on, and NULL; a list is not entered. A string comes without its
 * quotes and escapes, \u escapes of ASCII only; a number, true, false or null as it stands; both with a zero.
 * Of several members with one name the first counts. HR_NOT_FOUND: there is no such value, or it is an object
 * or a list. HR_FULL: it is longer than capacity - 1. HR_MALFORMED: what was read until then is not JSON, too
 * deep, or has an escape beyond ASCII. *out is unspecified then. */
HR_MUST_USE struct hr_status secret_json_find(struct hr_bytes text, const char *const *path, char *out,
                                              size_t capacity_bytes);

#endif
