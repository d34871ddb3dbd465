/* SPDX-License-Identifier: Apache-2.0
 *
 * Named types of one schema. Private to the room. */
#ifndef SCHEMA_COMPAT_NAMES_H
#define SCHEMA_COMPAT_NAMES_H

#include "aggregator/schema_registry/compat/compat.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

enum { COMPAT_NAME_CHARS = 192 };

struct compat_name {
    char full[COMPAT_NAME_CHARS]; /* with its namespace */
    const cJSON *type;
};

struct compat_schema {
    cJSON *root;
    size_t n_names;
    struct compat_name names[SCHEMA_COMPAT_NAMES_MAX];
};

/* Parses the text and finds its named types. HR_MALFORMED, HR_FULL as schema_compat_check. root is the
 * caller's to delete, also when it failed. */
HR_MUST_USE struct hr_status schema_compat_open(struct hr_bytes text, struct compat_schema *out);

/* The definition that a reference stands for; the node itself for anything else. */
const cJSON *schema_compat_resolve(const struct compat_schema *schema, const cJSON *node);
/* "record", "union", "long" ...; NULL: no type. The node is resolved. */
const char *schema_compat_kind(const cJSON *node);
/* The full name of a named type; "" for others. */
const char *schema_compat_name(const struct compat_schema *schema, const cJSON *type);
/* The member of that name as a string; NULL: none. */
const char *schema_compat_text(const cJSON *object, const char *member);

/* Whether two type names are the same, or one of the reader's aliases is the writer's. */
bool schema_compat_is_same_name(const struct compat_schema *readers, const cJSON *reader,
                                const struct compat_schema *writers, const cJSON *writer);

#endif
