/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules that a row answers alone. Private to the room. */
#ifndef NORM_QUALITY_ROW_H
#define NORM_QUALITY_ROW_H

#include "aggregator/normalize/quality/quality.h"

/* Whether the row has the field at all. */
bool norm_quality_has(const struct norm_iso_row *row, enum feeds_field field);
/* False: the row has no such number. field is below FEEDS_FIELD_FIRST_TEXT. */
bool norm_quality_number(const struct norm_iso_row *row, enum feeds_field field, double *out);
/* Empty: the row has no such text. field is from FEEDS_FIELD_FIRST_TEXT to FEEDS_FIELD_CONTINGENCY. */
struct hr_bytes norm_quality_text(const struct norm_iso_row *row, enum feeds_field field);
bool norm_quality_is_allowed(const struct feeds_allowed *allowed, struct hr_bytes text);

/* A short text put together; what finds no room is left out. */
struct quality_text {
    char chars[NORM_QUALITY_TEXT_CHARS];
    size_t len;
};
void norm_quality_put(struct quality_text *text, const char *chars);
/* With `decimals` (0 to 3) digits behind the point, rounded; "beyond 10^12" for what is that far. */
void norm_quality_put_number(struct quality_text *text, double number, uint8_t decimals);

#endif
