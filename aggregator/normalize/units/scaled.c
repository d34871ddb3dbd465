/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/units/scaled.h"
#include "proto/base/assert.h"

static struct norm_decimal signed_of(bool is_negative, uint64_t absolute, uint8_t scale)
{
    int64_t coefficient = (int64_t)absolute;

    return norm_decimal_of(is_negative ? -coefficient : coefficient, scale);
}

struct norm_scaled norm_scaled_of(struct norm_decimal value)
{
    HR_ASSERT(value.coefficient != INT64_MIN && value.scale <= NORM_DECIMAL_SCALE_MAX);
    bool is_negative = value.coefficient < 0;
    int64_t absolute = is_negative ? -value.coefficient : value.coefficient;

    return (struct norm_scaled){norm_wide_of((uint64_t)absolute), value.scale, is_negative};
}

static void align(struct norm_scaled *scaled, uint32_t scale)
{
    if (scaled->scale < scale) {
        bool fits = norm_wide_multiply_pow10(&scaled->wide, scale - scaled->scale);

        HR_ASSERT(fits);
        scaled->scale = scale;
    }
}

struct norm_scaled norm_scaled_add(struct norm_scaled a, struct norm_scaled b)
{
    align(&a, b.scale);
    align(&b, a.scale);
    if (a.is_negative == b.is_negative) {
        return (struct norm_scaled){norm_wide_add(&a.wide, &b.wide), a.scale, a.is_negative};
    }
    if (norm_wide_compare(&a.wide, &b.wide) >= 0) {
        return (struct norm_scaled){norm_wide_subtract(&a.wide, &b.wide), a.scale, a.is_negative};
    }
    return (struct norm_scaled){norm_wide_subtract(&b.wide, &a.wide), a.scale, b.is_negative};
}

struct hr_status norm_scaled_shrink(struct norm_scaled scaled, struct norm_decimal *value)
{
    uint64_t absolute = 0;

    while (scaled.scale > NORM_DECIMAL_SCALE_MAX || !norm_wide_to_63(&scaled.wide, &absolute)) {
        if (scaled.scale == 0 || norm_wide_divide(&scaled.wide, 10) != 0) {
            return hr_status_of(HR_FULL);
        }
        scaled.scale--;
    }
    *value = signed_of(scaled.is_negative, absolute, (uint8_t)scaled.scale);
    return hr_ok();
}

struct hr_status norm_scaled_round(struct norm_wide twice, bool is_whole, bool is_negative, uint8_t scale,
                                   struct norm_decimal *value, bool *is_exact)
{
    uint64_t absolute = 0;
    bool has_half = norm_wide_divide(&twice, 2) != 0;

    if (!norm_wide_to_63(&twice, &absolute)) {
        return hr_status_of(HR_FULL);
    }
    if (has_half && (!is_whole || (absolute & 1) != 0)) {
        if (absolute == INT64_MAX) {
            return hr_status_of(HR_FULL);
        }
        absolute++;
    }
    *value = signed_of(is_negative, absolute, scale);
    if (is_exact != NULL) {
        *is_exact = is_whole && !has_half;
    }
    return hr_ok();
}
