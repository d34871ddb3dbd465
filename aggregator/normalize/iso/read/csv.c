/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV after RFC 4180, as operators write it: LF or CRLF, quotes in some fields or all, blank lines, a line of
 * names somewhere near the top, and no newline at the end of many files. */
#include "aggregator/normalize/iso/read/layout.h"

#include <string.h>

struct line {
    uint8_t *begin;
    uint8_t *end; /* without its newline */
};

/* Finds the end of the line at window->at. A newline between quotes belongs to its field. */
static struct hr_status take_line(struct norm_window *window, struct line *line)
{
    size_t scanned = 0;
    bool is_quoted = false;
    for (;;) {
        const uint8_t *begin = window->bytes + window->at;
        size_t left = window->end - window->at;
        const uint8_t *newline = memchr(begin + scanned, '\n', left - scanned);
        size_t until = newline != NULL ? (size_t)(newline - begin) : left;
        for (const uint8_t *q = begin + scanned; (q = memchr(q, '"', (size_t)(begin + until - q))) != NULL;
             q++) {
            is_quoted = !is_quoted;
        }
        if (newline != NULL && !is_quoted) {
            *line = (struct line){window->bytes + window->at, window->bytes + window->at + until};
            window->at += until + 1;
            return hr_ok();
        }
        scanned = newline != NULL ? until + 1 : left;
        if (newline != NULL) {
            continue;
        }
        struct hr_status more = norm_window_more(window);
        if (more.code == HR_CLOSED && left > 0) {
            *line = (struct line){window->bytes + window->at, window->bytes + window->end};
            window->at = window->end;
            return hr_status_of(is_quoted ? HR_MALFORMED : HR_OK);
        }
        HR_TRY(more);
    }
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The field that begins with a quote, doubled quotes undone where they stand. *at moves to the separator.
 * False: text behind the closing quote. */
static bool take_quoted(struct line line, uint8_t **at, struct hr_bytes *field)
{
    uint8_t *out = ++*at;
    uint8_t *begin = out;
    for (; *at < line.end; ++*at) {
        if (**at == '"') {
            ++*at;
            if (*at == line.end || **at != '"') {
                break;
            }
        }
        *out++ = **at;
    }
    *field = hr_bytes_of(begin, (size_t)(out - begin));
    while (*at < line.end && is_blank(**at)) {
        ++*at;
    }
    return *at == line.end || **at == ',';
}

static void take_plain(struct line line, uint8_t **at, struct hr_bytes *field)
{
    uint8_t *begin = *at;
    uint8_t *end = begin;
    while (end < line.end && *end != ',') {
        end++;
    }
    *at = end;
    while (end > begin && is_blank(end[-1])) {
        end--;
    }
    *field = hr_bytes_of(begin, (size_t)(end - begin));
}

/* HR_FULL: more fields than a row may have. */
static struct hr_status split(struct norm_reader *reader, struct line line, size_t *n_fields)
{
    size_t n = 0;
    uint8_t *at = line.begin;
    for (;; at++) {
        while (at < line.end && is_blank(*at)) {
            at++;
        }
        if (n == NORM_CSV_FIELDS_MAX) {
            return hr_status_of(HR_FULL);
        }
        struct hr_bytes *field = &reader->fields[n++];
        if (at < line.end && *at == '"') {
            if (!take_quoted(line, &at, field)) {
                return hr_status_of(HR_MALFORMED);
            }
        } else {
            take_plain(line, &at, field);
        }
        if (at >= line.end) {
            break;
        }
    }
    *n_fields = n;
    return hr_ok();
}

static bool is_header(struct norm_reader *reader, const struct norm_layout *layout, size_t n_fields)
{
    reader->n_named = n_fields;
    bool is_named[NORM_COLUMNS_MAX] = {false};
    for (size_t i = 0; i < n_fields; i++) {
        uint8_t column = norm_column_by_header(layout, reader->fields[i]);
        /* The first of two columns of one name counts. */
        bool is_taken = column < NORM_COLUMNS_MAX && is_named[column];
        reader->column_of[i] = is_taken ? NORM_COLUMNS_MAX : column;
        if (column < NORM_COLUMNS_MAX) {
            is_named[column] = true;
        }
    }
    return norm_columns_are_there(reader, layout);
}

static void give_row(struct norm_reader *reader, const struct norm_layout *layout, size_t n_fields,
                     const struct norm_row_sink *sink)
{
    memset(reader->cells, 0, layout->n_columns * sizeof reader->cells[0]);
    size_t n = n_fields < reader->n_named ? n_fields : reader->n_named;
    for (size_t i = 0; i < n; i++) {
        if (reader->column_of[i] < NORM_COLUMNS_MAX) {
            reader->cells[reader->column_of[i]] = reader->fields[i];
        }
    }
    reader->n_rows++;
    sink->row(sink->ctx, reader->cells, reader->n_rows);
}

struct hr_status norm_csv_read(struct norm_reader *reader, const struct norm_layout *layout,
                               const struct norm_row_sink *sink)
{
    static const uint8_t BOM[3] = {0xEF, 0xBB, 0xBF};
    bool has_header = false;
    size_t n_before = 0;
    for (bool is_first = true;; is_first = false) {
        struct line line;
        struct hr_status status = take_line(&reader->window, &line);
        if (status.code == HR_CLOSED) {
            return hr_status_of(has_header ? HR_OK : HR_NOT_FOUND);
        }
        HR_TRY(status);
        if (is_first && line.end - line.begin >= 3 && memcmp(line.begin, BOM, sizeof BOM) == 0) {
            line.begin += sizeof BOM;
        }
        size_t n_fields = 0;
        HR_TRY(split(reader, line, &n_fields));
        if (n_fields == 1 && reader->fields[0].len_bytes == 0) {
            continue; /* a blank line */
        }
        if (has_header) {
            give_row(reader, layout, n_fields, sink);
        } else if (is_header(reader, layout, n_fields)) {
            has_header = true;
        } else if (++n_before > NORM_CSV_PREAMBLE_MAX) {
            return hr_status_of(HR_NOT_FOUND);
        } else if (sink->preamble != NULL) {
            sink->preamble(sink->ctx, reader->fields, n_fields);
        }
    }
}
