/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a schema can read what an older one wrote (Avro 1.11 specification, "Schema Resolution"): what a
 * registry calls BACKWARD. Each break is told with the field and the rule, by the names that registries and
 * Avro's own checkers use. This part of the room owns cJSON. */
#ifndef SCHEMA_COMPAT_H
#define SCHEMA_COMPAT_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum {
    SCHEMA_COMPAT_PATH_CHARS = 128, /* of a field, with its NUL */
    SCHEMA_COMPAT_TEXT_CHARS = 160, /* of an explanation, with its NUL */
    SCHEMA_COMPAT_DEPTH_MAX = 32,   /* of types in each other */
    SCHEMA_COMPAT_NAMES_MAX = 64,   /* records, enums and fixed types in one schema */
};

enum schema_rule {
    SCHEMA_RULE_NAME,         /* NAME_MISMATCH: another record, enum or fixed type, and no alias */
    SCHEMA_RULE_TYPE,         /* TYPE_MISMATCH: no promotion leads from the one to the other */
    SCHEMA_RULE_BRANCH,       /* MISSING_UNION_BRANCH: a branch was written that the reader hasn't */
    SCHEMA_RULE_DEFAULT,      /* READER_FIELD_MISSING_DEFAULT_VALUE: a new field without a default */
    SCHEMA_RULE_SYMBOLS,      /* MISSING_ENUM_SYMBOLS: an enum without default lost symbols */
    SCHEMA_RULE_FIXED_SIZE,   /* FIXED_SIZE_MISMATCH */
    SCHEMA_RULE_LOGICAL_TYPE, /* LOGICAL_TYPE_MISMATCH: the same bytes now mean something else. Avro would
                               * read them; registries don't look */
    SCHEMA_RULE_COUNT,
};

/* "TYPE_MISMATCH", ...; static storage. */
const char *schema_rule_name(enum schema_rule rule);

/* Borrowed during the call. */
struct schema_break {
    enum schema_rule rule;
    const char *field; /* "iso_rt_lmp.value"; of a union's branch or an element with its place behind it */
    const char *text;  /* for a person */
};

/* Tells each break; *n_breaks counts them. Aliases of the reader's types and fields count. A type that holds
 * itself is compared once.
 *   HR_MALFORMED  one of the texts is no Avro schema
 *   HR_FULL       more names or deeper than the bounds above
 * *n_breaks is then not to be trusted. Allocates and frees. */
HR_MUST_USE struct hr_status schema_compat_check(struct hr_bytes reader, struct hr_bytes writer,
                                                 void (*tell)(void *ctx, const struct schema_break *found),
                                                 void *ctx, uint32_t *n_breaks);

#endif
