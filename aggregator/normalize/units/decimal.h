/* SPDX-License-Identifier: Apache-2.0
 *
 * Decimal numbers as the operators print them: no digit is lost between file and check, and sums of price
 * components are exact. [any] */
#ifndef NORM_DECIMAL_H
#define NORM_DECIMAL_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum {
    NORM_DECIMAL_SCALE_MAX = 18,
    NORM_DECIMAL_CHARS = 24, /* sign, 19 digits, point, leading zero, and a NUL */
};

/* The number coefficient / 10^scale. "1.50" is {150, 2}; equal numbers may differ in scale. The coefficient
 * is never INT64_MIN. */
struct norm_decimal {
    int64_t coefficient;
    uint8_t scale; /* 0 to NORM_DECIMAL_SCALE_MAX */
};

static inline struct norm_decimal norm_decimal_of(int64_t coefficient, uint8_t scale)
{
    return (struct norm_decimal){coefficient, scale};
}

/* Reads "-95.48", ".6", "-.37", "+1", "5.", "1.25E-3", blanks around it left out. Zeros at the end of a
 * fraction are kept ("1.50" has scale 2) unless they don't fit. No thousands' commas, no infinity, no NaN.
 *   HR_MALFORMED  no number
 *   HR_FULL       a number with more significant digits or decimals than fit; nothing is ever rounded
 * *value is as it was. */
HR_MUST_USE struct hr_status norm_decimal_read(struct hr_bytes text, struct norm_decimal *value);

/* Writes it with all decimals of its scale and a NUL, such as "-0.37"; the length without NUL. */
size_t norm_decimal_print(struct norm_decimal value, char out[NORM_DECIMAL_CHARS]);

/* Exact, at the greater scale of the two or, if that doesn't fit, the least at which the sum is exact.
 * HR_FULL: it doesn't fit exactly; *sum is as it was. */
HR_MUST_USE struct hr_status norm_decimal_add(struct norm_decimal a, struct norm_decimal b,
                                              struct norm_decimal *sum);
HR_MUST_USE struct hr_status norm_decimal_subtract(struct norm_decimal a, struct norm_decimal b,
                                                   struct norm_decimal *difference);
struct norm_decimal norm_decimal_negate(struct norm_decimal value);

/* Exact product, likewise. */
HR_MUST_USE struct hr_status norm_decimal_multiply(struct norm_decimal a, struct norm_decimal b,
                                                   struct norm_decimal *product);

/* -1, 0 or 1 as a is below, equal to or above b, whatever their scales. */
int norm_decimal_compare(struct norm_decimal a, struct norm_decimal b);

/* True when |a - b| is at most `tolerance` (0 or above). Exact, for any values. */
bool norm_decimal_is_near(struct norm_decimal a, struct norm_decimal b, struct norm_decimal tolerance);

/* The same number at another scale, halves rounded to even. *is_exact (NULL: not asked) tells whether nothing
 * was rounded. HR_FULL: it doesn't fit; nothing is changed. */
HR_MUST_USE struct hr_status norm_decimal_rescale(struct norm_decimal value, uint8_t scale,
                                                  struct norm_decimal *rescaled, bool *is_exact);

/* Without zeros at the end of the fraction. */
struct norm_decimal norm_decimal_shorten(struct norm_decimal value);

/* The double nearest to it, ties to even: what strtod gives for its digits. Only for the Avro field. */
double norm_decimal_real(struct norm_decimal value);

#endif
