/* SPDX-License-Identifier: Apache-2.0
 *
 * For the parsers of the operators: a form of document as a row of a table, and what a parser does with a
 * record. */
#ifndef NORM_FORM_H
#define NORM_FORM_H

#include "aggregator/normalize/iso/join.h"
#include "aggregator/normalize/iso/read/text.h"

enum { NORM_FORM_SIGNS = 4, NORM_FORM_HEAD_BYTES = 4096 };

enum norm_shape { NORM_SHAPE_EMPTY, NORM_SHAPE_TEXT, NORM_SHAPE_JSON, NORM_SHAPE_MARKUP, NORM_SHAPE_BINARY };

struct norm_iso_run;

/* A form is recognized by its shape and by texts that all stand in its first NORM_FORM_HEAD_BYTES (unpacked).
 * Forms are tried in order, so the more telling stand first. */
struct norm_iso_form {
    const char *name;
    enum norm_shape shape;
    enum norm_iso_kind kind;
    const char *signs[NORM_FORM_SIGNS];
    const char *name_has;             /* a text in the document's own name too; NULL: whatever it is called */
    const char *feed;                 /* what it is a document of, when nothing else tells; NULL: nothing */
    enum norm_iso iso;                /* NORM_ISO_COUNT: any */
    uint32_t products;                /* 1 << enum norm_iso_product of the feeds that it may be of */
    const struct norm_layout *layout; /* of NORM_ISO_DATA, and of NORM_ISO_REFERENCE, whose feed is NULL */
    void (*record)(struct norm_iso_run *run, const struct hr_bytes *cells);
    void (*preamble)(struct norm_iso_run *run, const struct hr_bytes *fields, size_t n_fields);
    void (*finish)(struct norm_iso_run *run); /* with keeps_rows: emits them */
    bool is_told;    /* the document says so itself: feeds of another market are refused */
    bool has_join;   /* the join is cleared before it is read */
    bool keeps_rows; /* `record` emits nothing, `finish` does */
};

struct norm_iso_forms {
    const struct norm_iso_form *forms;
    size_t n_forms;
};

extern const struct norm_iso_forms norm_caiso_forms;
extern const struct norm_iso_forms norm_caiso_outlook_forms;
extern const struct norm_iso_forms norm_miso_forms;
extern const struct norm_iso_forms norm_spp_forms;
extern const struct norm_iso_forms norm_spp_power_forms;
extern const struct norm_iso_forms norm_pjm_forms;
extern const struct norm_iso_forms norm_ercot_forms;
extern const struct norm_iso_forms norm_ercot_power_forms;
extern const struct norm_iso_forms norm_isone_forms;
extern const struct norm_iso_forms norm_nyiso_forms;
extern const struct norm_iso_forms norm_other_forms; /* errors and pages of nobody in particular. */

/* The form of a document by its first bytes, unpacked, and its name. */
const struct norm_iso_form *norm_form_of(struct hr_bytes head, struct hr_bytes name);

/* One document on its way. */
struct norm_iso_run {
    const struct norm_iso_document *document;
    const struct norm_iso_feed *feed;
    const struct norm_iso_form *form;
    const struct norm_zone *zone;
    const struct norm_iso_sink *sink;
    struct norm_iso_result *result;
    struct norm_join *join;
    bool is_dry;     /* the first of two readings: nothing is emitted */
    uint64_t record; /* the present one */
    int32_t day;     /* what a preamble said */
    bool has_day;
    bool tells_places; /* of prices and constraints: what the rows are of is told once each */
    bool is_misnamed;  /* told once */
    enum hr_code code; /* what the join refused */
};

/* A row of the run's feed with the interval, everything else empty. */
struct norm_iso_row norm_row_of(const struct norm_iso_run *run, int64_t start_s, int64_t end_s);
/* The same for the length of the feed's intervals, from an instant on or up to it. */
struct norm_iso_row norm_row_from(const struct norm_iso_run *run, int64_t start_s);
struct norm_iso_row norm_row_until(const struct norm_iso_run *run, int64_t end_s);
/* The same for a market day of 23, 24 or 25 hours, by its date. False: no date, the record is rejected. */
bool norm_row_of_day(struct norm_iso_run *run, const char *what, struct hr_bytes cell,
                     struct norm_iso_row *row);
/* When a forecast was made, in UTC or with its offset; an empty cell doesn't say. False: the record is
 * rejected. */
bool norm_row_made(struct norm_iso_run *run, const char *what, struct hr_bytes cell,
                   struct norm_iso_row *row);
/* Where it is. */
void norm_row_place(struct norm_iso_row *row, enum norm_iso_location type, struct hr_bytes id,
                    struct hr_bytes name);
void norm_row_system(struct norm_iso_row *row, const char *name);
/* What it is: a price of energy in USD/MWh, whose numbers the caller fills; a constraint's shadow price in
 * USD/MWh; megawatts. */
void norm_row_price(struct norm_iso_row *row);
void norm_row_shadow_price(struct norm_iso_row *row, double price);
void norm_row_megawatts(struct norm_iso_row *row, const char *subject, const char *role, double value);
/* Counts and gives it to the sink; checks the identity when price and all components are there. */
void norm_row_emit(struct norm_iso_run *run, const struct norm_iso_row *row);
/* The same for forms with a join that may print an observation several times: the first one counts. Keys of
 * some 30,000 rows find room; a document with more fails. */
void norm_row_emit_once(struct norm_iso_run *run, const struct norm_iso_row *row);

/* Counts a place and gives it to the sink. The places of rows are told by norm_row_emit. */
void norm_place_emit(struct norm_iso_run *run, const struct norm_iso_place *place);

/* The present record is rejected: `what` names the column, `cell` is what stood there. */
void norm_run_reject(struct norm_iso_run *run, enum norm_iso_finding finding, const char *what,
                     struct hr_bytes cell);
/* Something to tell that rejects nothing. */
void norm_run_tell(struct norm_iso_run *run, enum norm_iso_finding finding, const char *what,
                   struct hr_bytes cell);

/* True with a number. False: the cell is empty, which is counted, or no number, which rejects the record. */
bool norm_run_number(struct norm_iso_run *run, const char *what, struct hr_bytes cell, double *out);
/* A number that may be absent: false only when the record is rejected. Sets the bit of `has`. */
bool norm_run_optional(struct norm_iso_run *run, const char *what, struct hr_bytes cell, double *out,
                       uint32_t *has, enum norm_iso_has bit);
/* An instant that is printed in UTC or with its offset. False: the record is rejected. */
bool norm_run_utc(struct norm_iso_run *run, const char *what, struct hr_bytes cell, int64_t *utc_s);
/* An instant that the zone's clock shows; the fold is what the record says of repeated hours. */
bool norm_run_local(struct norm_iso_run *run, const char *what, struct hr_bytes cell, enum norm_fold fold,
                    int64_t *utc_s);
/* The same where only the order of a series' rows tells: `series` names what the row belongs to. */
bool norm_run_local_after(struct norm_iso_run *run, const char *what, struct hr_bytes cell,
                          struct hr_bytes series, int64_t *utc_s);
/* A part of an observation that has several records. False: it was there already, which is counted, or told
 * when the values differ; or the join is full, and the document fails (run->code). */
bool norm_run_join(struct norm_iso_run *run, struct hr_bytes name, int64_t start_s, int64_t end_s,
                   unsigned part, double value);

/* "generation." and the fuel in lower case with '_' for what is no letter or digit, "natural_gas". Static
 * storage of the call's own buffer. */
const char *norm_subject_of(const char *prefix, struct hr_bytes name, char out[NORM_ISO_SUBJECT_CHARS]);

#endif
