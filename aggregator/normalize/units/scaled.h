/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact results on their way back to a decimal. Within units only. [any] */
#ifndef NORM_SCALED_H
#define NORM_SCALED_H

#include "aggregator/normalize/units/decimal.h"
#include "aggregator/normalize/units/wide.h"

/* wide / 10^scale, with its sign. */
struct norm_scaled {
    struct norm_wide wide;
    uint32_t scale;
    bool is_negative;
};

struct norm_scaled norm_scaled_of(struct norm_decimal value);

/* a + b at the greater scale of the two; both below 2^320 there. */
struct norm_scaled norm_scaled_add(struct norm_scaled a, struct norm_scaled b);

/* The decimal of that number, at its scale or the greatest below it that fits. HR_FULL: none fits exactly. */
HR_MUST_USE struct hr_status norm_scaled_shrink(struct norm_scaled scaled, struct norm_decimal *value);

/* The number twice / 2 with its sign, halves rounded to even, as a decimal of `scale`. `is_whole` tells that
 * nothing was cut off from `twice`. *is_exact may be NULL. HR_FULL: it doesn't fit; nothing is changed. */
HR_MUST_USE struct hr_status norm_scaled_round(struct norm_wide twice, bool is_whole, bool is_negative,
                                               uint8_t scale, struct norm_decimal *value, bool *is_exact);

#endif
