/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share: the tree that libyaml's events become, and the readers of single values.
 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include "proto/config/config.h"

#include <stdarg.h>

enum conf_node_kind { CONF_NODE_SCALAR, CONF_NODE_MAP, CONF_NODE_LIST };

/* A node of the file. The children of a map alternate key and value; keys are scalars. */
struct conf_node {
    enum conf_node_kind kind;
    uint32_t line;  /* from 1 */
    bool plain;     /* a scalar without quotes */
    char *text;     /* of a scalar; NUL-terminated, without NUL inside */
    uint32_t child; /* first child, 0 for none */
    uint32_t next;  /* next sibling, 0 for none */
};

/* nodes[0] is not used, so that 0 can mean none; the root is nodes[1], absent in an empty file. */
struct conf_tree {
    struct conf_node *nodes;
    uint32_t n_nodes;
    uint32_t capacity_nodes;
};

/* Reads text into a tree that conf_tree_free gives back. HR_MALFORMED: no YAML of the kind that config.h
 * allows; the report has the reason. */
HR_MUST_USE struct hr_status conf_tree_read(struct hr_bytes text, struct conf_tree *tree,
                                            struct conf_report *report);
void conf_tree_free(struct conf_tree *tree);

/* Adds an error; beyond CONF_MAX_ERRORS it is only counted. */
void conf_report_add(struct conf_report *report, uint32_t line, const char *key, const char *format,
                     va_list arguments) __attribute__((format(printf, 4, 0)));

/* Puts the errors in the order of their lines; those of one line keep theirs. */
void conf_report_sort(struct conf_report *report);

enum { CONF_COMPLAINT_MAX_CHARS = 200 };

/* Reads the scalar `text` as the field says and stores it at `to`. False: `complaint` tells why, and *to is
 * unchanged. For every scalar type and the elements of CONF_STRINGS. */
bool conf_value_read(const struct conf_field *field, const char *text, void *to,
                     char complaint[CONF_COMPLAINT_MAX_CHARS]);

/* Reads a whole file. Gives its bytes, which the caller frees, NUL-terminated; fails as conf_load does. */
HR_MUST_USE struct hr_status conf_file_read(const char *path, size_t max_bytes, char **text,
                                            size_t *len_bytes, const char **reason);

/* The name out of `names` (ending in NULL) that is meant by `text`, which is none of them; NULL when none is
 * near. */
const char *conf_nearest(const char *text, const char *const *names);

#endif
