/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/compat/compat.h"

#include "aggregator/schema_registry/compat/names.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pair of types that is being compared: within it the same pair is taken for right. */
struct pair {
    const cJSON *reader;
    const cJSON *writer;
};

struct check {
    struct compat_schema reader;
    struct compat_schema writer;
    void (*tell)(void *ctx, const struct schema_break *found);
    void *ctx;
    uint32_t n_breaks;
    bool is_quiet; /* trying a union's branches */
    char path[SCHEMA_COMPAT_PATH_CHARS];
    size_t path_len;
    size_t n_pairs;
    struct pair pairs[SCHEMA_COMPAT_DEPTH_MAX];
    enum hr_code code;
};

const char *schema_rule_name(enum schema_rule rule)
{
    static const char *const NAMES[] = {
        [SCHEMA_RULE_NAME] = "NAME_MISMATCH",
        [SCHEMA_RULE_TYPE] = "TYPE_MISMATCH",
        [SCHEMA_RULE_BRANCH] = "MISSING_UNION_BRANCH",
        [SCHEMA_RULE_DEFAULT] = "READER_FIELD_MISSING_DEFAULT_VALUE",
        [SCHEMA_RULE_SYMBOLS] = "MISSING_ENUM_SYMBOLS",
        [SCHEMA_RULE_FIXED_SIZE] = "FIXED_SIZE_MISMATCH",
        [SCHEMA_RULE_LOGICAL_TYPE] = "LOGICAL_TYPE_MISMATCH",
    };
    HR_ASSERT((size_t)rule < HR_ARRAY_LEN(NAMES));
    return NAMES[rule];
}

static void tell(struct check *check, enum schema_rule rule, const char *before, const char *name,
                 const char *after)
{
    char text[SCHEMA_COMPAT_TEXT_CHARS];
    check->n_breaks++;
    if (!check->is_quiet && check->tell != NULL) {
        (void)snprintf(text, sizeof text, "%s%.60s%s", before, name, after);
        check->tell(check->ctx, &(struct schema_break){rule, check->path, text});
    }
}

/* Goes down to a part; the length comes back for path_up. What is too long for the path is left out. */
static size_t path_down(struct check *check, const char *part)
{
    size_t before = check->path_len;
    int len =
        snprintf(check->path + before, sizeof check->path - before, "%s%s", before == 0 ? "" : ".", part);
    size_t room = sizeof check->path - 1 - before;
    check->path_len += len > 0 && (size_t)len < room ? (size_t)len : room;
    return before;
}

static void path_up(struct check *check, size_t before)
{
    check->path[before] = '\0';
    check->path_len = before;
}

static void compare(struct check *check, const cJSON *reader, const cJSON *writer);

/* ---- fields ---- */

static bool has_alias(const cJSON *field, const char *name)
{
    const cJSON *alias = NULL;
    cJSON_ArrayForEach(alias, cJSON_GetObjectItemCaseSensitive(field, "aliases"))
    {
        if (cJSON_IsString(alias) && strcmp(alias->valuestring, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What the writer calls the reader's field; its own name goes before its aliases. */
static const cJSON *written_as(const cJSON *field, const cJSON *writers)
{
    const cJSON *by_alias = NULL;
    const cJSON *written = NULL;
    const char *name = schema_compat_text(field, "name");
    cJSON_ArrayForEach(written, writers)
    {
        const char *other = schema_compat_text(written, "name");
        if (name != NULL && other != NULL && strcmp(name, other) == 0) {
            return written;
        }
        if (other != NULL && by_alias == NULL && has_alias(field, other)) {
            by_alias = written;
        }
    }
    return by_alias;
}

static void compare_fields(struct check *check, const cJSON *reader, const cJSON *writer)
{
    const cJSON *field = NULL;
    const cJSON *writers = cJSON_GetObjectItemCaseSensitive(writer, "fields");
    cJSON_ArrayForEach(field, cJSON_GetObjectItemCaseSensitive(reader, "fields"))
    {
        const char *name = schema_compat_text(field, "name");
        if (name == NULL) {
            check->code = HR_MALFORMED;
            return;
        }
        size_t before = path_down(check, name);
        const cJSON *written = written_as(field, writers);
        if (written != NULL) {
            compare(check, cJSON_GetObjectItemCaseSensitive(field, "type"),
                    cJSON_GetObjectItemCaseSensitive(written, "type"));
        } else if (cJSON_GetObjectItemCaseSensitive(field, "default") == NULL) {
            tell(check, SCHEMA_RULE_DEFAULT, "is new and has no default: what was written before has no ",
                 name, "");
        }
        path_up(check, before);
    }
}

/* ---- other types ---- */

static bool has_symbol(const cJSON *symbols, const char *wanted)
{
    const cJSON *symbol = NULL;
    cJSON_ArrayForEach(symbol, symbols)
    {
        if (cJSON_IsString(symbol) && strcmp(symbol->valuestring, wanted) == 0) {
            return true;
        }
    }
    return false;
}

static void compare_symbols(struct check *check, const cJSON *reader, const cJSON *writer)
{
    const cJSON *symbols = cJSON_GetObjectItemCaseSensitive(reader, "symbols");
    const char *fallback = schema_compat_text(reader, "default");
    const cJSON *symbol = NULL;
    if (fallback != NULL && has_symbol(symbols, fallback)) {
        return;
    }
    cJSON_ArrayForEach(symbol, cJSON_GetObjectItemCaseSensitive(writer, "symbols"))
    {
        if (cJSON_IsString(symbol) && !has_symbol(symbols, symbol->valuestring)) {
            tell(check, SCHEMA_RULE_SYMBOLS, "lacks the symbol ", symbol->valuestring, ", which was written");
        }
    }
}

/* "Schema Resolution": what a reader takes besides its own type. */
static bool is_promoted(const char *reader, const char *writer)
{
    static const struct {
        const char *writer;
        const char *readers; /* each between blanks */
    } PROMOTIONS[] = {{"int", " long float double "},
                      {"long", " float double "},
                      {"float", " double "},
                      {"string", " bytes "},
                      {"bytes", " string "}};
    char word[16];
    (void)snprintf(word, sizeof word, " %.12s ", reader);
    for (size_t i = 0; i < HR_ARRAY_LEN(PROMOTIONS); i++) {
        if (strcmp(PROMOTIONS[i].writer, writer) == 0) {
            return strstr(PROMOTIONS[i].readers, word) != NULL;
        }
    }
    return false;
}

static void compare_named(struct check *check, const char *kind, const cJSON *reader, const cJSON *writer)
{
    if (!schema_compat_is_same_name(&check->reader, reader, &check->writer, writer)) {
        tell(check, SCHEMA_RULE_NAME, "is ", schema_compat_name(&check->reader, reader),
             ", another type than what was written");
        return;
    }
    if (strcmp(kind, "enum") == 0) {
        compare_symbols(check, reader, writer);
    } else if (strcmp(kind, "fixed") == 0) {
        const cJSON *ours = cJSON_GetObjectItemCaseSensitive(reader, "size");
        const cJSON *theirs = cJSON_GetObjectItemCaseSensitive(writer, "size");
        if (!cJSON_Compare(ours, theirs, true)) {
            tell(check, SCHEMA_RULE_FIXED_SIZE, "has another size", "", " than what was written");
        }
    } else {
        compare_fields(check, reader, writer);
    }
}

static void compare_meaning(struct check *check, const cJSON *reader, const cJSON *writer)
{
    const char *ours = schema_compat_text(reader, "logicalType");
    const char *theirs = schema_compat_text(writer, "logicalType");
    const char *our_name = ours == NULL ? "no logical type" : ours;
    if (strcmp(our_name, theirs == NULL ? "no logical type" : theirs) != 0) {
        tell(check, SCHEMA_RULE_LOGICAL_TYPE, "is ", our_name, " now: the same number means something else");
    }
}

static void compare_plain(struct check *check, const cJSON *reader, const cJSON *writer)
{
    const char *ours = schema_compat_kind(reader);
    const char *theirs = schema_compat_kind(writer);
    if (ours == NULL || theirs == NULL) {
        check->code = HR_MALFORMED;
        return;
    }
    if (strcmp(ours, theirs) != 0) {
        if (!is_promoted(ours, theirs)) {
            tell(check, SCHEMA_RULE_TYPE, "can't read ", theirs, ", which was written");
        }
        return;
    }
    compare_meaning(check, reader, writer);
    if (strcmp(ours, "array") == 0 || strcmp(ours, "map") == 0) {
        const char *member = ours[0] == 'a' ? "items" : "values";
        size_t before = path_down(check, member);
        compare(check, cJSON_GetObjectItemCaseSensitive(reader, member),
                cJSON_GetObjectItemCaseSensitive(writer, member));
        path_up(check, before);
    } else if (schema_compat_name(&check->reader, reader)[0] != '\0') {
        compare_named(check, ours, reader, writer);
    }
}

/* ---- unions ---- */

/* Whether some branch reads it; nothing is told. */
static bool some_branch_reads(struct check *check, const cJSON *readers, const cJSON *writer)
{
    const cJSON *branch = NULL;
    bool was_quiet = check->is_quiet;
    uint32_t n_before = check->n_breaks;
    bool is_read = false;
    check->is_quiet = true;
    cJSON_ArrayForEach(branch, readers)
    {
        check->n_breaks = 0;
        compare(check, branch, writer);
        is_read = is_read || check->n_breaks == 0;
    }
    check->is_quiet = was_quiet;
    check->n_breaks = n_before;
    return is_read;
}

static void compare_union(struct check *check, const cJSON *readers, const cJSON *writer)
{
    const cJSON *only = NULL;
    const cJSON *branch = NULL;
    if (some_branch_reads(check, readers, writer)) {
        return;
    }
    /* One branch of the same kind: what is wrong within it says more than that none fits. */
    const char *kind = schema_compat_kind(writer);
    cJSON_ArrayForEach(branch, readers)
    {
        const cJSON *type = schema_compat_resolve(&check->reader, branch);
        const char *ours = schema_compat_kind(type);
        only = ours != NULL && kind != NULL && strcmp(ours, kind) == 0 ? type : only;
    }
    if (only != NULL) {
        compare_plain(check, only, writer);
        return;
    }
    tell(check, SCHEMA_RULE_BRANCH, "has no branch for ", kind == NULL ? "it" : kind, ", which was written");
}

static void compare_types(struct check *check, const cJSON *reader, const cJSON *writer)
{
    if (cJSON_IsArray(writer)) {
        const cJSON *branch = NULL;
        cJSON_ArrayForEach(branch, writer)
        {
            compare(check, reader, branch);
        }
    } else if (cJSON_IsArray(reader)) {
        compare_union(check, reader, writer);
    } else {
        compare_plain(check, reader, writer);
    }
}

static void compare(struct check *check, const cJSON *reader, const cJSON *writer)
{
    const struct pair pair = {schema_compat_resolve(&check->reader, reader),
                              schema_compat_resolve(&check->writer, writer)};
    if (check->code != HR_OK) {
        return;
    }
    for (size_t i = 0; i < check->n_pairs; i++) {
        if (check->pairs[i].reader == pair.reader && check->pairs[i].writer == pair.writer) {
            return;
        }
    }
    if (check->n_pairs == SCHEMA_COMPAT_DEPTH_MAX) {
        check->code = HR_FULL;
        return;
    }
    check->pairs[check->n_pairs++] = pair;
    compare_types(check, pair.reader, pair.writer);
    check->n_pairs--;
}

static struct hr_status run(struct check *check, struct hr_bytes reader, struct hr_bytes writer)
{
    HR_TRY(schema_compat_open(reader, &check->reader));
    HR_TRY(schema_compat_open(writer, &check->writer));
    const char *name = check->reader.n_names > 0 ? check->reader.names[0].full : "schema";
    const char *dot = strrchr(name, '.');
    (void)path_down(check, dot == NULL ? name : dot + 1);
    compare(check, check->reader.root, check->writer.root);
    return hr_status_of(check->code);
}

struct hr_status schema_compat_check(struct hr_bytes reader, struct hr_bytes writer,
                                     void (*tell_break)(void *ctx, const struct schema_break *found),
                                     void *ctx, uint32_t *n_breaks)
{
    struct check *check = calloc(1, sizeof *check);
    if (check == NULL) {
        return hr_status_of(HR_FULL);
    }
    check->tell = tell_break;
    check->ctx = ctx;
    struct hr_status status = run(check, reader, writer);
    *n_breaks = check->n_breaks;
    cJSON_Delete(check->reader.root);
    cJSON_Delete(check->writer.root);
    free(check);
    return status;
}
