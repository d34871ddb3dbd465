/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/config/internal.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { FIRST_NODES = 64 };

/* A tree while it is built: the maps and lists that are open, outermost first, each with its newest child. */
struct builder {
    struct conf_tree *tree;
    struct conf_report *report;
    struct {
        uint32_t node;
        uint32_t last_child;
        uint32_t n_children;
    } open[CONF_MAX_DEPTH];
    uint32_t depth;
    uint32_t n_documents;
};

static struct hr_status refuse(struct conf_report *report, size_t line_from_0, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static struct hr_status refuse(struct conf_report *report, size_t line_from_0, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    conf_report_add(report, (uint32_t)line_from_0 + 1, "", format, arguments);
    va_end(arguments);
    return hr_status_of(HR_MALFORMED);
}

/* Most files are short, and a registry has thousands of them: room for the longest, cleared, took most of the
 * time of reading one. */
static bool make_room(struct conf_tree *tree)
{
    if (tree->n_nodes < tree->capacity_nodes) {
        return true;
    }
    uint32_t capacity_nodes = 2 * tree->capacity_nodes;
    struct conf_node *nodes = realloc(tree->nodes, capacity_nodes * sizeof *nodes);
    if (nodes == NULL) {
        return false;
    }
    tree->nodes = nodes;
    tree->capacity_nodes = capacity_nodes;
    return true;
}

/* Makes a node and hangs it under the innermost open one. */
static struct hr_status add_node(struct builder *builder, enum conf_node_kind kind, const yaml_event_t *event,
                                 uint32_t *index)
{
    struct conf_tree *tree = builder->tree;
    if (tree->n_nodes == CONF_MAX_NODES) {
        return refuse(builder->report, event->start_mark.line, "more than %d values in one file",
                      CONF_MAX_NODES);
    }
    if (!make_room(tree)) {
        return hr_status_of(HR_IO);
    }
    *index = tree->n_nodes++;
    tree->nodes[*index] = (struct conf_node){.kind = kind, .line = (uint32_t)event->start_mark.line + 1};
    if (builder->depth == 0) {
        return hr_ok();
    }
    uint32_t parent = builder->open[builder->depth - 1].node;
    uint32_t last = builder->open[builder->depth - 1].last_child;
    bool is_key =
        tree->nodes[parent].kind == CONF_NODE_MAP && builder->open[builder->depth - 1].n_children % 2 == 0;
    if (is_key && kind != CONF_NODE_SCALAR) {
        return refuse(builder->report, event->start_mark.line, "a key must be a plain word");
    }
    if (last == 0) {
        tree->nodes[parent].child = *index;
    } else {
        tree->nodes[last].next = *index;
    }
    builder->open[builder->depth - 1].last_child = *index;
    builder->open[builder->depth - 1].n_children++;
    return hr_ok();
}

static struct hr_status open_node(struct builder *builder, enum conf_node_kind kind,
                                  const yaml_event_t *event, const yaml_char_t *tag)
{
    uint32_t index = 0;
    if (tag != NULL) {
        return refuse(builder->report, event->start_mark.line, "YAML tags are not used here");
    }
    if (builder->depth == CONF_MAX_DEPTH) {
        return refuse(builder->report, event->start_mark.line, "nested deeper than %d levels",
                      CONF_MAX_DEPTH);
    }
    HR_TRY(add_node(builder, kind, event, &index));
    builder->open[builder->depth].node = index;
    builder->open[builder->depth].last_child = 0;
    builder->open[builder->depth].n_children = 0;
    builder->depth++;
    return hr_ok();
}

static struct hr_status add_scalar(struct builder *builder, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len_bytes = event->data.scalar.length;
    uint32_t index = 0;
    if (event->data.scalar.tag != NULL) {
        return refuse(builder->report, event->start_mark.line, "YAML tags are not used here");
    }
    if (strlen(value) != len_bytes) {
        return refuse(builder->report, event->start_mark.line, "a NUL character stands in the value");
    }
    HR_TRY(add_node(builder, CONF_NODE_SCALAR, event, &index));
    struct conf_node *node = &builder->tree->nodes[index];
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = strdup(value);
    return node->text == NULL ? hr_status_of(HR_IO) : hr_ok();
}

static struct hr_status take_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return add_scalar(builder, event);
    case YAML_MAPPING_START_EVENT:
        return open_node(builder, CONF_NODE_MAP, event, event->data.mapping_start.tag);
    case YAML_SEQUENCE_START_EVENT:
        return open_node(builder, CONF_NODE_LIST, event, event->data.sequence_start.tag);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        HR_ASSERT(builder->depth > 0);
        builder->depth--;
        return hr_ok();
    case YAML_ALIAS_EVENT:
        return refuse(builder->report, event->start_mark.line, "YAML aliases (*name) are not used here");
    case YAML_DOCUMENT_START_EVENT:
        builder->n_documents++;
        return builder->n_documents == 1
                   ? hr_ok()
                   : refuse(builder->report, event->start_mark.line, "a second document starts here");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return hr_ok();
}

static struct hr_status read_events(yaml_parser_t *parser, struct builder *builder)
{
    for (bool more = true; more;) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            size_t line = parser->problem_mark.line;
            return refuse(builder->report, line, "not valid YAML: %s%s%s",
                          parser->problem == NULL ? "unreadable" : parser->problem,
                          parser->context == NULL ? "" : " ", parser->context == NULL ? "" : parser->context);
        }
        struct hr_status status = take_event(builder, &event);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        HR_TRY(status);
    }
    return hr_ok();
}

struct hr_status conf_tree_read(struct hr_bytes text, struct conf_tree *tree, struct conf_report *report)
{
    struct builder builder = {.tree = tree, .report = report};
    yaml_parser_t parser;
    *tree = (struct conf_tree){
        .nodes = calloc(FIRST_NODES, sizeof *tree->nodes), .n_nodes = 1, .capacity_nodes = FIRST_NODES};
    if (tree->nodes == NULL || yaml_parser_initialize(&parser) == 0) {
        conf_tree_free(tree);
        return refuse(report, 0, "out of memory");
    }
    yaml_parser_set_input_string(&parser, text.data, text.len_bytes);
    struct hr_status status = read_events(&parser, &builder);
    yaml_parser_delete(&parser);
    if (!hr_is_ok(status)) {
        conf_tree_free(tree);
        return hr_is(status, HR_IO) ? refuse(report, 0, "out of memory") : status;
    }
    return hr_ok();
}

void conf_tree_free(struct conf_tree *tree)
{
    for (uint32_t i = 1; tree->nodes != NULL && i < tree->n_nodes; i++) {
        free(tree->nodes[i].text);
    }
    free(tree->nodes);
    *tree = (struct conf_tree){0};
}
