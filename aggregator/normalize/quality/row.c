/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/quality/row.h"

#include "aggregator/normalize/units/decimal.h"
#include "proto/base/assert.h"

#include <math.h>
#include <string.h>

static struct hr_bytes chars_of(const char *text)
{
    return hr_bytes_of(text, strlen(text));
}

bool norm_quality_number(const struct norm_iso_row *row, enum feeds_field field, double *out)
{
    const struct {
        uint32_t bit;
        double value;
    } numbers[FEEDS_FIELD_FIRST_TEXT] = {
        [FEEDS_FIELD_VALUE] = {NORM_ISO_HAS_VALUE, row->value},
        [FEEDS_FIELD_ENERGY] = {NORM_ISO_HAS_ENERGY, row->energy},
        [FEEDS_FIELD_CONGESTION] = {NORM_ISO_HAS_CONGESTION, row->congestion},
        [FEEDS_FIELD_LOSS] = {NORM_ISO_HAS_LOSS, row->loss},
        [FEEDS_FIELD_GHG] = {NORM_ISO_HAS_GHG, row->ghg},
        [FEEDS_FIELD_LIMIT] = {NORM_ISO_HAS_LIMIT, row->limit_mw},
    };
    HR_ASSERT((size_t)field < HR_ARRAY_LEN(numbers));
    if ((row->has & numbers[field].bit) == 0) {
        return false;
    }
    *out = numbers[field].value;
    return true;
}

struct hr_bytes norm_quality_text(const struct norm_iso_row *row, enum feeds_field field)
{
    switch ((int)field) {
    case FEEDS_FIELD_MARKET:
        return row->market;
    case FEEDS_FIELD_LOCATION_TYPE:
        return chars_of(norm_iso_location_name(row->location_type));
    case FEEDS_FIELD_LOCATION_ID:
        return row->location_id;
    case FEEDS_FIELD_LOCATION_NAME:
        return row->location_name;
    case FEEDS_FIELD_REGION:
        return row->region;
    case FEEDS_FIELD_SUBJECT:
        return chars_of(row->subject);
    case FEEDS_FIELD_CURVE_ROLE:
        return chars_of(row->curve_role);
    case FEEDS_FIELD_UNIT:
        return chars_of(row->unit);
    default:
        HR_ASSERT(field == FEEDS_FIELD_CONTINGENCY);
        return row->contingency;
    }
}

bool norm_quality_has(const struct norm_iso_row *row, enum feeds_field field)
{
    double number = 0;
    if (field == FEEDS_FIELD_PUBLISHED) {
        return (row->has & NORM_ISO_HAS_PUBLISHED) != 0;
    }
    if (field == FEEDS_FIELD_VERSION) {
        return (row->has & NORM_ISO_HAS_VERSION) != 0;
    }
    return field < FEEDS_FIELD_FIRST_TEXT ? norm_quality_number(row, field, &number)
                                          : norm_quality_text(row, field).len_bytes > 0;
}

bool norm_quality_is_allowed(const struct feeds_allowed *allowed, struct hr_bytes text)
{
    for (uint32_t i = 0; i < allowed->n_values; i++) {
        size_t len = strlen(allowed->values[i]);
        bool is_beginning = len > 0 && allowed->values[i][len - 1] == '*';
        len -= is_beginning ? 1 : 0;
        bool fits = is_beginning ? text.len_bytes >= len : text.len_bytes == len;
        if (fits && (len == 0 || memcmp(allowed->values[i], text.data, len) == 0)) {
            return true;
        }
    }
    return false;
}

void norm_quality_put(struct quality_text *text, const char *chars)
{
    for (; *chars != '\0' && text->len + 1 < sizeof text->chars; chars++) {
        text->chars[text->len++] = *chars;
    }
    text->chars[text->len] = '\0';
}

void norm_quality_put_number(struct quality_text *text, double number, uint8_t decimals)
{
    static const double SCALES[] = {1, 10, 100, 1000};
    char digits[NORM_DECIMAL_CHARS];
    HR_ASSERT(decimals < HR_ARRAY_LEN(SCALES));
    if (!(fabs(number) < 1e12)) {
        norm_quality_put(text, number < 0 ? "beyond -10^12" : "beyond 10^12");
        return;
    }
    (void)norm_decimal_print(norm_decimal_of(llround(number * SCALES[decimals]), decimals), digits);
    norm_quality_put(text, digits);
}
