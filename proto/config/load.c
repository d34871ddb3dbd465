/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/config/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_NESTED_VARIANTS = 4,
    MAX_KEYS = 1024, /* in one map of a file */
    SECRET_SUFFIX_CHARS = 5,
};

static const char secret_suffix[SECRET_SUFFIX_CHARS + 1] = "_file";

/* A map while it is read: node 0 stands for one that is absent. */
struct conf_place {
    const struct conf_tree *tree;
    struct conf_report *report;
    uint32_t node;
    uint32_t line;
    char path[CONF_KEY_MAX_CHARS + 1];
    const struct conf_table *tables[MAX_NESTED_VARIANTS + 1]; /* the table and its chosen variants */
    size_t n_tables;
    bool variant_unknown;
};

static void load_map(struct conf_place *place, const struct conf_table *table, uint8_t *base);

static void complain_at(struct conf_place *place, uint32_t line, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void complain_at(struct conf_place *place, uint32_t line, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    conf_report_add(place->report, line, path, format, arguments);
    va_end(arguments);
}

/* Adds text to the end of path, as much as has room. */
static void append(char path[CONF_KEY_MAX_CHARS + 1], const char *text)
{
    size_t at = strlen(path);
    for (; *text != '\0' && at < CONF_KEY_MAX_CHARS; text++) {
        path[at++] = *text;
    }
    path[at] = '\0';
}

/* path = parent.key, or key at the top. */
static void join_path(char path[CONF_KEY_MAX_CHARS + 1], const char *parent, const char *key)
{
    path[0] = '\0';
    append(path, parent);
    append(path, parent[0] == '\0' ? "" : ".");
    append(path, key);
}

/* The key node named `key`, 0 when the map doesn't have it; its value is the next node. */
static uint32_t find_key(const struct conf_place *place, const char *key)
{
    const struct conf_node *nodes = place->tree->nodes;
    uint32_t at = place->node == 0 ? 0 : nodes[place->node].child;
    while (at != 0 && strcmp(nodes[at].text, key) != 0) {
        at = nodes[nodes[at].next].next;
    }
    return at;
}

void conf_complain(struct conf_place *place, const char *key, const char *format, ...)
{
    uint32_t found = key == NULL ? 0 : find_key(place, key);
    char path[CONF_KEY_MAX_CHARS + 1];
    join_path(path, place->path, key == NULL ? "" : key);
    va_list arguments;
    va_start(arguments, format);
    conf_report_add(place->report, found == 0 ? place->line : place->tree->nodes[found].line,
                    key == NULL ? place->path : path, format, arguments);
    va_end(arguments);
}

/* True for `key:`, `key: ~` and `key: null`. */
static bool is_null(const struct conf_node *node)
{
    return node->kind == CONF_NODE_SCALAR && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

static bool is_scalar_type(enum conf_type type)
{
    return type == CONF_STRING || type == CONF_BOOL || type == CONF_UINT || type == CONF_REAL ||
           type == CONF_DURATION || type == CONF_SIZE || type == CONF_ENUM;
}

static void store_count(const struct conf_field *field, uint8_t *base, uint32_t count)
{
    memcpy(base + field->count_offset_bytes, &count, sizeof count);
}

/* Chooses the variant that `table` asks for; NULL when it has none, or none was chosen. */
static const struct conf_table *choose_variant(struct conf_place *place, const struct conf_table *table,
                                               uint8_t *base)
{
    if (table->variant_key == NULL) {
        return NULL;
    }
    char list[CONF_MESSAGE_MAX_CHARS + 1] = "";
    for (size_t i = 0, len = 0; i < table->n_variants; i++) {
        int more =
            snprintf(list + len, sizeof list - len, "%s%s", i == 0 ? "" : ", ", table->variants[i].name);
        len = len + (size_t)more < sizeof list ? len + (size_t)more : sizeof list - 1;
    }
    uint32_t key = find_key(place, table->variant_key);
    place->variant_unknown = true;
    if (key == 0) {
        conf_complain(place, table->variant_key, "is missing; one of %.150s", list);
        return NULL;
    }
    const struct conf_node *value = &place->tree->nodes[place->tree->nodes[key].next];
    for (uint32_t i = 0; value->kind == CONF_NODE_SCALAR && i < table->n_variants; i++) {
        if (strcmp(value->text, table->variants[i].name) == 0) {
            memcpy(base + table->variant_offset_bytes, &i, sizeof i);
            place->variant_unknown = false;
            return table->variants[i].table;
        }
    }
    const char *text = value->kind == CONF_NODE_SCALAR ? value->text : "a map or list";
    conf_complain(place, table->variant_key, "\"%.40s\" is none of %.150s", text, list);
    return NULL;
}

/* Collects the names that this map may have, for the search of unknown ones. */
static void collect_names(const struct conf_place *place, const char *names[CONF_MAX_FIELDS + 1])
{
    size_t n_names = 0;
    for (size_t t = 0; t < place->n_tables; t++) {
        const struct conf_table *table = place->tables[t];
        HR_ASSERT(n_names + table->n_fields + 1 <= CONF_MAX_FIELDS);
        if (table->variant_key != NULL) {
            names[n_names++] = table->variant_key;
        }
        for (size_t f = 0; f < table->n_fields; f++) {
            names[n_names++] = table->fields[f].key;
        }
    }
    names[n_names] = NULL;
}

static bool contains(const char *const *names, const char *key)
{
    while (*names != NULL && strcmp(*names, key) != 0) {
        names++;
    }
    return *names != NULL;
}

/* Finds keys that stand twice and, when `names` is given, keys that are not among them. */
static void check_keys(struct conf_place *place, const char *const *names)
{
    const struct conf_node *nodes = place->tree->nodes;
    uint32_t n_keys = 0;
    for (uint32_t at = nodes[place->node].child; at != 0; at = nodes[nodes[at].next].next) {
        char path[CONF_KEY_MAX_CHARS + 1];
        join_path(path, place->path, nodes[at].text);
        if (++n_keys > MAX_KEYS) {
            complain_at(place, nodes[at].line, place->path, "has more than %d keys", MAX_KEYS);
            return;
        }
        uint32_t first = find_key(place, nodes[at].text);
        if (first != at) {
            complain_at(place, nodes[at].line, path, "stands twice; first in line %u",
                        (unsigned)nodes[first].line);
        } else if (names != NULL && !contains(names, nodes[at].text)) {
            const char *nearest = conf_nearest(nodes[at].text, names);
            complain_at(place, nodes[at].line, path, "unknown key%s%s%s",
                        nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                        nearest == NULL ? "" : "?");
        }
    }
}

static const char *kind_name(enum conf_node_kind kind)
{
    static const char *const names[] = {
        [CONF_NODE_SCALAR] = "a single value", [CONF_NODE_MAP] = "a map", [CONF_NODE_LIST] = "a list"};
    return names[kind];
}

/* True when the node is of the kind, or is null (which is an empty map or list). Complains otherwise. */
static bool has_kind(struct conf_place *place, const struct conf_node *node, enum conf_node_kind wanted,
                     const char *path)
{
    if (node->kind == wanted || (wanted != CONF_NODE_SCALAR && is_null(node))) {
        return true;
    }
    complain_at(place, node->line, path, "is %s, and %s is wanted", kind_name(node->kind), kind_name(wanted));
    return false;
}

static void load_scalar(struct conf_place *place, const struct conf_field *field,
                        const struct conf_node *node, const char *path, uint8_t *to)
{
    char complaint[CONF_COMPLAINT_MAX_CHARS] = "";
    if (!has_kind(place, node, CONF_NODE_SCALAR, path)) {
        return;
    }
    if (is_null(node)) {
        complain_at(place, node->line, path, "has no value");
    } else if (!conf_value_read(field, node->text, to, complaint)) {
        complain_at(place, node->line, path, "%s", complaint);
    }
}

static void load_child_map(struct conf_place *parent, const struct conf_table *table, uint32_t node,
                           const char *path, uint8_t *base)
{
    struct conf_place place = {.tree = parent->tree, .report = parent->report, .line = parent->line};
    if (node != 0) {
        place.line = parent->tree->nodes[node].line;
        place.node = parent->tree->nodes[node].kind == CONF_NODE_MAP ? node : 0;
    }
    (void)snprintf(place.path, sizeof place.path, "%s", path);
    load_map(&place, table, base);
}

/* Lists of maps and of strings. */
static void load_list(struct conf_place *place, const struct conf_field *field, const struct conf_node *list,
                      const char *path, uint8_t *base)
{
    const struct conf_node *nodes = place->tree->nodes;
    struct conf_field element = *field;
    element.min = 1;
    uint32_t count = 0;
    if (!has_kind(place, list, CONF_NODE_LIST, path)) {
        return;
    }
    for (uint32_t at = list->child; at != 0; at = nodes[at].next, count++) {
        char element_path[CONF_KEY_MAX_CHARS + 1];
        (void)snprintf(element_path, sizeof element_path, "%.100s[%u]", path, (unsigned)count);
        if (count == field->capacity) {
            complain_at(place, nodes[at].line, path, "has more than %zu entries", field->capacity);
            return;
        }
        uint8_t *to = base + field->offset_bytes + count * field->size_bytes;
        if (field->type == CONF_STRINGS) {
            load_scalar(place, &element, &nodes[at], element_path, to);
        } else if (has_kind(place, &nodes[at], CONF_NODE_MAP, element_path)) {
            load_child_map(place, field->table, at, element_path, to);
        }
    }
    if (count < field->min) {
        complain_at(place, list->line, path, "needs at least %llu entries", (unsigned long long)field->min);
    }
    store_count(field, base, count);
}

/* Puts the content of a secret's file where its path stood. */
static bool load_secret(struct conf_place *place, const struct conf_node *value, const char *path,
                        struct conf_pair *pair)
{
    char *text = NULL;
    size_t len_bytes = 0;
    const char *reason = "";
    if (!hr_is_ok(conf_file_read(value->text, CONF_PAIR_VALUE_MAX_CHARS, &text, &len_bytes, &reason))) {
        complain_at(place, value->line, path, "%.120s: %s", value->text, reason);
        return false;
    }
    size_t line_end = len_bytes > 0 && text[len_bytes - 1] == '\n' ? 1 : 0;
    line_end += len_bytes > 1 && line_end == 1 && text[len_bytes - 2] == '\r' ? 1 : 0;
    memcpy(pair->value, text, len_bytes - line_end);
    free(text);
    pair->key[strlen(pair->key) - SECRET_SUFFIX_CHARS] = '\0';
    return true;
}

static bool load_pair(struct conf_place *place, const struct conf_node *key, const char *path,
                      struct conf_pair *pair)
{
    const struct conf_node *value = &place->tree->nodes[key->next];
    size_t key_len = strlen(key->text);
    if (!has_kind(place, value, CONF_NODE_SCALAR, path)) {
        return false;
    }
    if (key_len == 0 || key_len > CONF_PAIR_KEY_MAX_CHARS ||
        strlen(value->text) > CONF_PAIR_VALUE_MAX_CHARS) {
        complain_at(place, key->line, path, "keys have 1 to %d characters, values at most %d",
                    CONF_PAIR_KEY_MAX_CHARS, CONF_PAIR_VALUE_MAX_CHARS);
        return false;
    }
    memset(pair, 0, sizeof *pair);
    memcpy(pair->key, key->text, key_len);
    bool is_secret = key_len > SECRET_SUFFIX_CHARS &&
                     strcmp(key->text + key_len - SECRET_SUFFIX_CHARS, secret_suffix) == 0;
    if (is_secret) {
        return load_secret(place, value, path, pair);
    }
    memcpy(pair->value, is_null(value) ? "" : value->text, is_null(value) ? 0 : strlen(value->text));
    return true;
}

static void load_pairs(struct conf_place *parent, const struct conf_field *field, uint32_t map,
                       const char *path, uint8_t *base)
{
    const struct conf_node *nodes = parent->tree->nodes;
    struct conf_place place = {.tree = parent->tree, .report = parent->report, .node = map};
    HR_ASSERT(field->size_bytes == sizeof(struct conf_pair));
    if (!has_kind(parent, &nodes[map], CONF_NODE_MAP, path)) {
        return;
    }
    (void)snprintf(place.path, sizeof place.path, "%s", path);
    check_keys(&place, NULL);
    uint8_t *pairs = base + field->offset_bytes;
    uint32_t count = 0;
    for (uint32_t at = nodes[map].child; at != 0; at = nodes[nodes[at].next].next) {
        char pair_path[CONF_KEY_MAX_CHARS + 1];
        join_path(pair_path, path, nodes[at].text);
        if (count == field->capacity) {
            complain_at(parent, nodes[at].line, path, "has more than %zu entries", field->capacity);
            return;
        }
        struct conf_pair pair;
        if (load_pair(&place, &nodes[at], pair_path, &pair)) {
            memcpy(pairs + count * sizeof pair, &pair, sizeof pair);
            count++;
        }
    }
    store_count(field, base, count);
}

static void load_absent(struct conf_place *place, const struct conf_field *field, const char *path,
                        uint8_t *base)
{
    if (field->required) {
        complain_at(place, place->line, path, "is required and missing");
    } else if (field->type == CONF_SECTION && field->count_offset_bytes == CONF_NOWHERE) {
        load_child_map(place, field->table, 0, path, base + field->offset_bytes);
    } else if ((field->type == CONF_LIST || field->type == CONF_STRINGS) && field->min > 0) {
        complain_at(place, place->line, path, "needs at least %llu entries", (unsigned long long)field->min);
    } else if (field->fallback != NULL) {
        char complaint[CONF_COMPLAINT_MAX_CHARS];
        HR_ASSERT(is_scalar_type(field->type));
        bool valid = conf_value_read(field, field->fallback, base + field->offset_bytes, complaint);
        HR_ASSERT(valid && "the table's default must be one that the file could give");
    }
}

static void load_field(struct conf_place *place, const struct conf_field *field, uint8_t *base)
{
    uint32_t key = find_key(place, field->key);
    char path[CONF_KEY_MAX_CHARS + 1];
    join_path(path, place->path, field->key);
    if (key == 0) {
        load_absent(place, field, path, base);
        return;
    }
    uint32_t value = place->tree->nodes[key].next;
    const struct conf_node *node = &place->tree->nodes[value];
    if (is_scalar_type(field->type)) {
        load_scalar(place, field, node, path, base + field->offset_bytes);
    } else if (field->type == CONF_PAIRS) {
        load_pairs(place, field, value, path, base);
    } else if (field->type != CONF_SECTION) {
        load_list(place, field, node, path, base);
    } else if (has_kind(place, node, CONF_NODE_MAP, path)) {
        const bool given = true;
        if (field->count_offset_bytes != CONF_NOWHERE) {
            memcpy(base + field->count_offset_bytes, &given, sizeof given);
        }
        load_child_map(place, field->table, value, path, base + field->offset_bytes);
    }
}

static void load_map(struct conf_place *place, const struct conf_table *table, uint8_t *base)
{
    uint32_t n_errors_before = place->report->n_errors;
    for (const struct conf_table *next = table; next != NULL; next = choose_variant(place, next, base)) {
        HR_ASSERT(place->n_tables < HR_ARRAY_LEN(place->tables));
        place->tables[place->n_tables++] = next;
    }
    const char *names[CONF_MAX_FIELDS + 1];
    collect_names(place, names);
    if (place->node != 0) {
        /* As long as the variant isn't known, any key may be one of its own. */
        check_keys(place, place->variant_unknown || table->is_open ? NULL : names);
    }
    for (size_t t = 0; t < place->n_tables; t++) {
        for (size_t f = 0; f < place->tables[t]->n_fields; f++) {
            load_field(place, &place->tables[t]->fields[f], base);
        }
    }
    for (size_t t = 0; t < place->n_tables && place->report->n_errors == n_errors_before; t++) {
        if (place->tables[t]->check != NULL) {
            place->tables[t]->check(base, place);
        }
    }
}

struct hr_status conf_parse(const char *name, struct hr_bytes text, const struct conf_table *table, void *out,
                            struct conf_report *report)
{
    struct conf_tree tree;
    memset(out, 0, table->size_bytes);
    memset(report, 0, sizeof *report);
    (void)snprintf(report->file, sizeof report->file, "%s", name);
    HR_TRY(conf_tree_read(text, &tree, report));
    struct conf_place place = {.tree = &tree, .report = report, .line = 1};
    bool empty = tree.n_nodes == 1 || is_null(&tree.nodes[1]);
    if (empty || has_kind(&place, &tree.nodes[1], CONF_NODE_MAP, "")) {
        place.node = empty ? 0 : 1;
        load_map(&place, table, out);
    }
    conf_tree_free(&tree);
    if (report->n_errors == 0) {
        return hr_ok();
    }
    conf_report_sort(report);
    memset(out, 0, table->size_bytes);
    return hr_status_of(HR_MALFORMED);
}

struct hr_status conf_load(const char *path, const struct conf_table *table, void *out,
                           struct conf_report *report)
{
    char *text = NULL;
    size_t len_bytes = 0;
    const char *reason = "";
    struct hr_status status = conf_file_read(path, CONF_FILE_MAX_BYTES, &text, &len_bytes, &reason);
    if (!hr_is_ok(status)) {
        memset(out, 0, table->size_bytes);
        memset(report, 0, sizeof *report);
        (void)snprintf(report->file, sizeof report->file, "%s", path);
        struct conf_place place = {.report = report};
        complain_at(&place, 0, "", "%s", reason);
        return status;
    }
    status = conf_parse(path, hr_bytes_of(text, len_bytes), table, out, report);
    free(text);
    return status;
}
