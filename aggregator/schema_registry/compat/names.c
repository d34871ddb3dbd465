/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/compat/names.h"

#include <stdio.h>
#include <string.h>

static const char *const primitives[] = {"null",  "boolean", "int",    "long",
                                         "float", "double",  "string", "bytes"};
static const char *const complexes[] = {"record", "error", "enum", "fixed", "array", "map"};

const char *schema_compat_text(const cJSON *object, const char *member)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, member));
}

static const char *known(const char *const *names, size_t n_names, const char *name)
{
    for (size_t i = 0; i < n_names; i++) {
        if (strcmp(names[i], name) == 0) {
            return names[i];
        }
    }
    return NULL;
}

const char *schema_compat_kind(const cJSON *node)
{
    const char *name = cJSON_IsString(node) ? node->valuestring : schema_compat_text(node, "type");
    if (cJSON_IsArray(node)) {
        return "union";
    }
    if (name == NULL) {
        return NULL;
    }
    const char *primitive = known(primitives, sizeof primitives / sizeof primitives[0], name);
    return primitive != NULL || cJSON_IsString(node)
               ? primitive
               : known(complexes, sizeof complexes / sizeof complexes[0], name);
}

/* A name with dots is full already; one without takes the namespace. */
static bool full_name(const char *name, const char *space, char out[COMPAT_NAME_CHARS])
{
    bool is_full = strchr(name, '.') != NULL || space == NULL || space[0] == '\0';
    int len = is_full ? snprintf(out, COMPAT_NAME_CHARS, "%s", name)
                      : snprintf(out, COMPAT_NAME_CHARS, "%s.%s", space, name);
    return len > 0 && len < COMPAT_NAME_CHARS;
}

/* The namespace that a full name stands in. */
static void space_of(const char *full, char out[COMPAT_NAME_CHARS])
{
    const char *dot = strrchr(full, '.');
    size_t len = dot == NULL ? 0 : (size_t)(dot - full);
    memcpy(out, full, len);
    out[len] = '\0';
}

static const struct compat_name *find(const struct compat_schema *schema, const char *full)
{
    for (size_t i = 0; i < schema->n_names; i++) {
        if (strcmp(schema->names[i].full, full) == 0) {
            return &schema->names[i];
        }
    }
    return NULL;
}

const char *schema_compat_name(const struct compat_schema *schema, const cJSON *type)
{
    for (size_t i = 0; i < schema->n_names; i++) {
        if (schema->names[i].type == type) {
            return schema->names[i].full;
        }
    }
    return "";
}

const cJSON *schema_compat_resolve(const struct compat_schema *schema, const cJSON *node)
{
    /* {"type": {...}} wraps a type. */
    for (int depth = 0; depth < SCHEMA_COMPAT_DEPTH_MAX && cJSON_IsObject(node); depth++) {
        const cJSON *inner = cJSON_GetObjectItemCaseSensitive(node, "type");
        if (!cJSON_IsObject(inner) && !cJSON_IsArray(inner)) {
            break;
        }
        node = inner;
    }
    const char *name = cJSON_IsString(node) ? node->valuestring : NULL;
    if (cJSON_IsObject(node) && schema_compat_kind(node) == NULL) {
        name = schema_compat_text(node, "type"); /* {"type": "a.name"} */
    }
    const struct compat_name *found = name == NULL ? NULL : find(schema, name);
    return found != NULL ? found->type : node;
}

static struct hr_status walk(struct compat_schema *schema, cJSON *node, const char *space, int depth);

static struct hr_status walk_each(struct compat_schema *schema, cJSON *list, const char *member,
                                  const char *space, int depth)
{
    cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        cJSON *type = member == NULL ? item : cJSON_GetObjectItemCaseSensitive(item, member);
        HR_TRY(walk(schema, type, space, depth));
    }
    return hr_ok();
}

static struct hr_status add_name(struct compat_schema *schema, const cJSON *node, const char *space,
                                 char inner_space[COMPAT_NAME_CHARS])
{
    const char *name = schema_compat_text(node, "name");
    const char *own = schema_compat_text(node, "namespace");
    if (schema->n_names == SCHEMA_COMPAT_NAMES_MAX) {
        return hr_status_of(HR_FULL);
    }
    struct compat_name *added = &schema->names[schema->n_names];
    if (name == NULL || name[0] == '\0' || !full_name(name, own != NULL ? own : space, added->full) ||
        find(schema, added->full) != NULL) {
        return hr_status_of(HR_MALFORMED);
    }
    added->type = node;
    schema->n_names++;
    space_of(added->full, inner_space);
    return hr_ok();
}

/* A reference by a short name is written out in full, so that resolving needs no namespace. */
static struct hr_status walk_reference(struct compat_schema *schema, cJSON *node, const char *space)
{
    char full[COMPAT_NAME_CHARS];
    if (schema_compat_kind(node) != NULL) {
        return hr_ok();
    }
    bool is_known = (full_name(node->valuestring, space, full) && find(schema, full) != NULL) ||
                    (full_name(node->valuestring, NULL, full) && find(schema, full) != NULL);
    return is_known && cJSON_SetValuestring(node, full) != NULL ? hr_ok() : hr_status_of(HR_MALFORMED);
}

static struct hr_status walk_object(struct compat_schema *schema, cJSON *node, const char *space, int depth)
{
    char inner_space[COMPAT_NAME_CHARS];
    const char *kind = schema_compat_kind(node);
    cJSON *fields = cJSON_GetObjectItemCaseSensitive(node, "fields");
    cJSON *type = cJSON_GetObjectItemCaseSensitive(node, "type");
    if (kind == NULL) {
        return walk(schema, type, space, depth + 1);
    }
    if (strcmp(kind, "array") == 0 || strcmp(kind, "map") == 0) {
        const char *member = kind[0] == 'a' ? "items" : "values";
        return walk(schema, cJSON_GetObjectItemCaseSensitive(node, member), space, depth + 1);
    }
    bool is_record = strcmp(kind, "record") == 0 || strcmp(kind, "error") == 0;
    if (!is_record && strcmp(kind, "enum") != 0 && strcmp(kind, "fixed") != 0) {
        return hr_ok();
    }
    HR_TRY(add_name(schema, node, space, inner_space));
    if (!is_record) {
        return hr_ok();
    }
    return cJSON_IsArray(fields) ? walk_each(schema, fields, "type", inner_space, depth + 1)
                                 : hr_status_of(HR_MALFORMED);
}

/* As deep as SCHEMA_COMPAT_DEPTH_MAX at most. */
static struct hr_status walk(struct compat_schema *schema, cJSON *node, const char *space, int depth)
{
    if (depth > SCHEMA_COMPAT_DEPTH_MAX) {
        return hr_status_of(HR_FULL);
    }
    if (cJSON_IsString(node)) {
        return walk_reference(schema, node, space);
    }
    if (cJSON_IsArray(node)) {
        return walk_each(schema, node, NULL, space, depth + 1);
    }
    return cJSON_IsObject(node) ? walk_object(schema, node, space, depth) : hr_status_of(HR_MALFORMED);
}

struct hr_status schema_compat_open(struct hr_bytes text, struct compat_schema *out)
{
    out->n_names = 0;
    out->root = cJSON_ParseWithLength((const char *)text.data, text.len_bytes);
    return out->root == NULL ? hr_status_of(HR_MALFORMED) : walk(out, out->root, "", 0);
}

bool schema_compat_is_same_name(const struct compat_schema *readers, const cJSON *reader,
                                const struct compat_schema *writers, const cJSON *writer)
{
    char space[COMPAT_NAME_CHARS];
    char alias[COMPAT_NAME_CHARS];
    const char *ours = schema_compat_name(readers, reader);
    const char *theirs = schema_compat_name(writers, writer);
    const cJSON *item = NULL;
    if (strcmp(ours, theirs) == 0) {
        return true;
    }
    space_of(ours, space);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(reader, "aliases"))
    {
        if (cJSON_IsString(item) && full_name(item->valuestring, space, alias) &&
            strcmp(alias, theirs) == 0) {
            return true;
        }
    }
    return false;
}
