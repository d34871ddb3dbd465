/* SPDX-License-Identifier: Apache-2.0
 *
 * A document as rows of named cells, whether it is CSV, JSON or XML. A layout is data: which columns are
 * wanted, by which spellings, and where the records stand. [any] */
#ifndef NORM_LAYOUT_H
#define NORM_LAYOUT_H

#include "aggregator/normalize/iso/read/source.h"

enum {
    NORM_COLUMNS_MAX = 40,
    NORM_CSV_FIELDS_MAX = 128,
    NORM_CSV_PREAMBLE_MAX = 16,  /* rows before the names of the columns */
    NORM_ROW_TEXT_BYTES = 16384, /* of the wanted cells of one JSON or XML record */
    NORM_OUTER_TEXT_BYTES = 4096,
    NORM_DEPTH_MAX = 24,
    NORM_PATH_CHARS = 512,
};

enum norm_container { NORM_CSV, NORM_JSON, NORM_XML };

/* One wanted column; its place in the table is the place of its cell.
 * CSV: a header that has the same letters and digits, whatever its case, spaces and signs.
 * JSON, XML: the path below the record, names joined by dots ("Location.@LocId"); XML without prefixes.
 * "#2" is the third name of the record's own path. */
struct norm_column {
    const char *names; /* spellings with '|' between */
    bool is_required;  /* CSV and records by position: a document without this column is not of this layout */
    bool is_outer;     /* JSON, XML: the path is the document's; the cell stays for the records behind it */
};

struct norm_layout {
    enum norm_container container;
    const struct norm_column *columns;
    uint8_t n_columns;
    const char *records; /* JSON, XML: path of a record; arrays don't count, so one object and an array of
                            them are the same. '*' is any name, '|' stands between several paths. */
    const char *names;   /* JSON: path of the names of the columns when records are arrays; NULL: objects */
};

struct norm_row_sink {
    /* `cells` has n_columns of them; data is NULL where the record has none (or null). Borrowed until return.
     * `number` counts records from 1. */
    void (*row)(void *ctx, const struct hr_bytes *cells, uint64_t number);
    /* CSV: a row before the names of the columns. NULL: nobody wants to know. */
    void (*preamble)(void *ctx, const struct hr_bytes *fields, size_t n_fields);
    void *ctx;
};

/* What a reader needs besides the stack; about 164 KB, given by the caller for as long as it reads. */
struct norm_reader {
    struct norm_window window;
    uint64_t n_rows;
    uint64_t failed_at; /* byte of the unpacked document, when a reading failed */
    char row_text[NORM_ROW_TEXT_BYTES];
    char outer_text[NORM_OUTER_TEXT_BYTES];
    size_t row_len;
    size_t outer_len;
    struct hr_bytes cells[NORM_COLUMNS_MAX];
    struct hr_bytes outer[NORM_COLUMNS_MAX];
    struct hr_bytes fields[NORM_CSV_FIELDS_MAX];
    uint8_t column_of[NORM_CSV_FIELDS_MAX]; /* by field: its cell, or NORM_COLUMNS_MAX */
    size_t n_named;
    char path[NORM_PATH_CHARS];
    size_t path_len;
    size_t record_path_len;
    bool is_in_record;
};

/* Reads the whole source. Rows before a failure were given. HR_MALFORMED: it ends early, breaks its format,
 * or its packed bytes do. HR_NOT_FOUND: the columns that the layout asks for are not there. HR_FULL: more
 * than max_bytes, a line, token or record beyond its bound, or a zip bomb. */
HR_MUST_USE struct hr_status norm_read(struct norm_reader *reader, const struct norm_layout *layout,
                                       struct norm_source source, uint64_t max_bytes,
                                       const struct norm_row_sink *sink);

/* ---- for the readers themselves ---- */

HR_MUST_USE struct hr_status norm_csv_read(struct norm_reader *reader, const struct norm_layout *layout,
                                           const struct norm_row_sink *sink);
HR_MUST_USE struct hr_status norm_json_read(struct norm_reader *reader, const struct norm_layout *layout,
                                            const struct norm_row_sink *sink);
HR_MUST_USE struct hr_status norm_xml_read(struct norm_reader *reader, const struct norm_layout *layout,
                                           const struct norm_row_sink *sink);

/* The column that a header names, or NORM_COLUMNS_MAX. */
uint8_t norm_column_by_header(const struct norm_layout *layout, struct hr_bytes name);
/* True when every required column was named. */
bool norm_columns_are_there(const struct norm_reader *reader, const struct norm_layout *layout);

/* Adds a name to the path; HR_FULL when it is too deep. Returns the length to go back to by *before. */
HR_MUST_USE struct hr_status norm_path_push(struct norm_reader *reader, struct hr_bytes name, size_t *before);
/* A record begins here when its path says so; true when it does. */
bool norm_record_begin(struct norm_reader *reader, const struct norm_layout *layout);
void norm_record_end(struct norm_reader *reader, const struct norm_layout *layout,
                     const struct norm_row_sink *sink);
/* A value at the present path, or in the cell of that number. HR_FULL: a record's text is too long. */
HR_MUST_USE struct hr_status norm_record_value(struct norm_reader *reader, const struct norm_layout *layout,
                                               struct hr_bytes value);
HR_MUST_USE struct hr_status norm_record_put(struct norm_reader *reader, uint8_t column,
                                             struct hr_bytes value);

#endif
