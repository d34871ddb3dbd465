/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers and times as operators print them. [any] */
#ifndef NORM_TEXT_H
#define NORM_TEXT_H

#include "aggregator/normalize/calendar/date.h"
#include "proto/base/bytes.h"
#include "proto/base/status.h"

/* Without blanks around it. */
struct hr_bytes norm_trim(struct hr_bytes text);

/* The same bytes; likewise with A to Z and a to z the same. */
bool norm_text_is(struct hr_bytes text, const char *wanted);
bool norm_text_is_nocase(struct hr_bytes text, const char *wanted);
bool norm_text_begins(struct hr_bytes text, const char *wanted);
bool norm_text_ends(struct hr_bytes text, const char *wanted);
bool norm_text_has(struct hr_bytes text, const char *wanted);

/* A decimal number, also ".6", "-.37" and "1e3", blanks around it left out; the nearest double. HR_MALFORMED:
 * empty, anything else, or no finite number. */
HR_MUST_USE struct hr_status norm_number(struct hr_bytes text, double *out);
/* Digits only, at most 18 of them, with a sign or not. */
HR_MUST_USE struct hr_status norm_integer(struct hr_bytes text, int64_t *out);

/* A date, a time of day or none, and an offset or none. */
struct norm_stamp {
    int64_t local_s;  /* as in calendar/date.h */
    int32_t offset_s; /* local time is UTC plus this; 0 without one */
    bool has_offset;
    bool has_time; /* false: local_s is midnight */
};

/* Reads, in any mixture: 2026-10-02, 10/02/2026, 9/26/2026, 03-10-2025, 02-Oct-2026; then 16:50, 16:50:00,
 * 16:50:00.000, 4:45:00 PM, behind a blank or T; then Z, -00:00, -0600, -05:00. 24:00 is the next midnight.
 * Fractions of a second are cut off. HR_MALFORMED: anything else, or a day or time that no calendar has. */
HR_MUST_USE struct hr_status norm_stamp_read(struct hr_bytes text, struct norm_stamp *out);
/* The date alone that a text begins with, whatever comes behind it. */
HR_MUST_USE struct hr_status norm_day_read(struct hr_bytes text, int32_t *day);
/* The instant that a stamp with an offset, or one that is known to be UTC, means. */
HR_MUST_USE struct hr_status norm_utc_read(struct hr_bytes text, int64_t *utc_s);

#endif
