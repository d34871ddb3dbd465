/* SPDX-License-Identifier: Apache-2.0
 *
 * What the three readers share: which cell a name means, the path of a record, and its text. */
#include "aggregator/normalize/iso/read/layout.h"
#include "proto/base/assert.h"

#include <string.h>

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* The same letters and digits: "SETTLEMENT_LOCATION" is "Settlement Location". */
static bool header_is(struct hr_bytes header, const char *name, size_t name_len)
{
    size_t i = 0;
    size_t j = 0;
    for (;;) {
        while (i < header.len_bytes && !is_letter_or_digit(header.data[i])) {
            i++;
        }
        while (j < name_len && !is_letter_or_digit((uint8_t)name[j])) {
            j++;
        }
        if (i == header.len_bytes || j == name_len) {
            return i == header.len_bytes && j == name_len;
        }
        if (lower(header.data[i++]) != lower((uint8_t)name[j++])) {
            return false;
        }
    }
}

static bool path_is(struct hr_bytes path, const char *name, size_t name_len)
{
    return path.len_bytes == name_len && memcmp(path.data, name, name_len) == 0;
}

static bool any_spelling(const char *names, struct hr_bytes given,
                         bool (*is)(struct hr_bytes given, const char *name, size_t name_len))
{
    for (const char *name = names;;) {
        const char *end = strchr(name, '|');
        size_t len = end != NULL ? (size_t)(end - name) : strlen(name);
        if (is(given, name, len)) {
            return true;
        }
        if (end == NULL) {
            return false;
        }
        name = end + 1;
    }
}

uint8_t norm_column_by_header(const struct norm_layout *layout, struct hr_bytes name)
{
    for (uint8_t i = 0; i < layout->n_columns; i++) {
        if (any_spelling(layout->columns[i].names, name, header_is)) {
            return i;
        }
    }
    return NORM_COLUMNS_MAX;
}

bool norm_columns_are_there(const struct norm_reader *reader, const struct norm_layout *layout)
{
    for (uint8_t i = 0; i < layout->n_columns; i++) {
        bool is_there = !layout->columns[i].is_required;
        for (size_t f = 0; f < reader->n_named && !is_there; f++) {
            is_there = reader->column_of[f] == i;
        }
        if (!is_there) {
            return false;
        }
    }
    return true;
}

struct hr_status norm_path_push(struct norm_reader *reader, struct hr_bytes name, size_t *before)
{
    size_t len = reader->path_len;
    if (name.len_bytes + 1 > sizeof reader->path - len) {
        return hr_status_of(HR_FULL);
    }
    *before = len;
    if (len > 0) {
        reader->path[len++] = '.';
    }
    memcpy(reader->path + len, name.data, name.len_bytes);
    reader->path_len = len + name.len_bytes;
    return hr_ok();
}

/* One name of a dotted path; *at moves behind it. */
static struct hr_bytes next_name(const char *path, size_t path_len, size_t *at)
{
    size_t begin = *at;
    size_t end = begin;
    while (end < path_len && path[end] != '.') {
        end++;
    }
    *at = end < path_len ? end + 1 : path_len + 1;
    return hr_bytes_of(path + begin, end - begin);
}

static bool is_path_of(const struct norm_reader *reader, const char *records, size_t len)
{
    if (len == 0 || reader->path_len == 0) {
        return len == reader->path_len;
    }
    size_t at = 0;
    size_t wanted_at = 0;
    while (at <= reader->path_len && wanted_at <= len) {
        struct hr_bytes name = next_name(reader->path, reader->path_len, &at);
        struct hr_bytes wanted = next_name(records, len, &wanted_at);
        bool is_any = wanted.len_bytes == 1 && wanted.data[0] == '*';
        if (!is_any && !path_is(name, (const char *)wanted.data, wanted.len_bytes)) {
            return false;
        }
    }
    return at > reader->path_len && wanted_at > len;
}

static bool is_record_path(const struct norm_reader *reader, const char *records)
{
    for (const char *at = records;;) {
        const char *end = strchr(at, '|');
        size_t len = end != NULL ? (size_t)(end - at) : strlen(at);
        if (is_path_of(reader, at, len)) {
            return true;
        }
        if (end == NULL) {
            return false;
        }
        at = end + 1;
    }
}

static struct hr_status put_path_names(struct norm_reader *reader, const struct norm_layout *layout)
{
    for (uint8_t i = 0; i < layout->n_columns; i++) {
        const char *names = layout->columns[i].names;
        if (names[0] != '#') {
            continue;
        }
        size_t at = 0;
        struct hr_bytes name = next_name(reader->path, reader->path_len, &at);
        for (int wanted = names[1] - '0'; wanted > 0 && at <= reader->path_len; wanted--) {
            name = next_name(reader->path, reader->path_len, &at);
        }
        HR_TRY(norm_record_put(reader, i, name));
    }
    return hr_ok();
}

bool norm_record_begin(struct norm_reader *reader, const struct norm_layout *layout)
{
    if (reader->is_in_record || !is_record_path(reader, layout->records)) {
        return false;
    }
    reader->is_in_record = true;
    reader->record_path_len = reader->path_len;
    reader->row_len = 0;
    memset(reader->cells, 0, sizeof reader->cells);
    return hr_is_ok(put_path_names(reader, layout));
}

void norm_record_end(struct norm_reader *reader, const struct norm_layout *layout,
                     const struct norm_row_sink *sink)
{
    for (uint8_t i = 0; i < layout->n_columns; i++) {
        if (layout->columns[i].is_outer) {
            reader->cells[i] = reader->outer[i];
        }
    }
    reader->is_in_record = false;
    reader->n_rows++;
    sink->row(sink->ctx, reader->cells, reader->n_rows);
}

struct hr_status norm_record_put(struct norm_reader *reader, uint8_t column, struct hr_bytes value)
{
    HR_ASSERT(column < NORM_COLUMNS_MAX);
    if (value.len_bytes > sizeof reader->row_text - reader->row_len) {
        return hr_status_of(HR_FULL);
    }
    char *at = reader->row_text + reader->row_len;
    memcpy(at, value.data, value.len_bytes);
    reader->cells[column] = hr_bytes_of(at, value.len_bytes);
    reader->row_len += value.len_bytes;
    return hr_ok();
}

static struct hr_status put_outer(struct norm_reader *reader, uint8_t column, struct hr_bytes value)
{
    if (value.len_bytes > sizeof reader->outer_text - reader->outer_len) {
        return hr_status_of(HR_FULL);
    }
    char *at = reader->outer_text + reader->outer_len;
    memcpy(at, value.data, value.len_bytes);
    reader->outer[column] = hr_bytes_of(at, value.len_bytes);
    reader->outer_len += value.len_bytes;
    return hr_ok();
}

struct hr_status norm_record_value(struct norm_reader *reader, const struct norm_layout *layout,
                                   struct hr_bytes value)
{
    size_t skip = reader->is_in_record ? reader->record_path_len + (reader->record_path_len > 0 ? 1 : 0) : 0;
    if (skip > reader->path_len) {
        return hr_ok();
    }
    struct hr_bytes path = hr_bytes_of(reader->path + skip, reader->path_len - skip);
    for (uint8_t i = 0; i < layout->n_columns; i++) {
        const struct norm_column *column = &layout->columns[i];
        if (column->is_outer == reader->is_in_record || !any_spelling(column->names, path, path_is)) {
            continue;
        }
        return column->is_outer ? put_outer(reader, i, value) : norm_record_put(reader, i, value);
    }
    return hr_ok();
}

static struct hr_status read_as(struct norm_reader *reader, const struct norm_layout *layout,
                                const struct norm_row_sink *sink)
{
    switch (layout->container) {
    case NORM_CSV:
        return norm_csv_read(reader, layout, sink);
    case NORM_JSON:
        return norm_json_read(reader, layout, sink);
    case NORM_XML:
        break;
    }
    return norm_xml_read(reader, layout, sink);
}

struct hr_status norm_read(struct norm_reader *reader, const struct norm_layout *layout,
                           struct norm_source source, uint64_t max_bytes, const struct norm_row_sink *sink)
{
    HR_ASSERT(layout->n_columns <= NORM_COLUMNS_MAX);
    norm_window_open(&reader->window, source, max_bytes);
    reader->n_rows = 0;
    reader->n_named = 0;
    reader->path_len = 0;
    reader->outer_len = 0;
    reader->row_len = 0;
    reader->is_in_record = false;
    memset(reader->outer, 0, sizeof reader->outer);
    struct hr_status status = read_as(reader, layout, sink);
    const struct norm_window *window = &reader->window;
    reader->failed_at = window->read_bytes - (window->end - window->at);
    return status;
}
