/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/units/decimal.h"
#include "aggregator/normalize/units/scaled.h"
#include "proto/base/assert.h"

#include <math.h>

enum { REAL_BITS = 53, HIGH_BIT = 63 };

static uint64_t pow10_of(uint8_t power)
{
    uint64_t product = 1;

    for (uint8_t i = 0; i < power; i++) {
        product *= 10;
    }
    return product;
}

struct norm_decimal norm_decimal_negate(struct norm_decimal value)
{
    HR_ASSERT(value.coefficient != INT64_MIN);
    return norm_decimal_of(-value.coefficient, value.scale);
}

struct hr_status norm_decimal_add(struct norm_decimal a, struct norm_decimal b, struct norm_decimal *sum)
{
    int64_t plain = 0;

    if (a.scale == b.scale && !__builtin_add_overflow(a.coefficient, b.coefficient, &plain) &&
        plain != INT64_MIN) {
        *sum = norm_decimal_of(plain, a.scale); /* the components of one file */
        return hr_ok();
    }
    return norm_scaled_shrink(norm_scaled_add(norm_scaled_of(a), norm_scaled_of(b)), sum);
}

struct hr_status norm_decimal_subtract(struct norm_decimal a, struct norm_decimal b,
                                       struct norm_decimal *difference)
{
    return norm_decimal_add(a, norm_decimal_negate(b), difference);
}

struct hr_status norm_decimal_multiply(struct norm_decimal a, struct norm_decimal b,
                                       struct norm_decimal *product)
{
    struct norm_scaled scaled = norm_scaled_of(a);
    int64_t factor = b.coefficient < 0 ? norm_decimal_negate(b).coefficient : b.coefficient;
    bool fits = norm_wide_multiply(&scaled.wide, (uint64_t)factor);

    HR_ASSERT(fits);
    scaled.scale += b.scale;
    scaled.is_negative = scaled.is_negative != (b.coefficient < 0);
    return norm_scaled_shrink(scaled, product);
}

int norm_decimal_compare(struct norm_decimal a, struct norm_decimal b)
{
    if (a.scale == b.scale) {
        return (a.coefficient > b.coefficient) - (a.coefficient < b.coefficient);
    }
    struct norm_scaled difference =
        norm_scaled_add(norm_scaled_of(a), norm_scaled_of(norm_decimal_negate(b)));

    if (norm_wide_is_zero(&difference.wide)) {
        return 0;
    }
    return difference.is_negative ? -1 : 1;
}

bool norm_decimal_is_near(struct norm_decimal a, struct norm_decimal b, struct norm_decimal tolerance)
{
    HR_ASSERT(tolerance.coefficient >= 0);
    struct norm_scaled beyond = norm_scaled_add(norm_scaled_of(a), norm_scaled_of(norm_decimal_negate(b)));

    beyond.is_negative = false;
    beyond = norm_scaled_add(beyond, norm_scaled_of(norm_decimal_negate(tolerance)));
    return beyond.is_negative || norm_wide_is_zero(&beyond.wide);
}

struct hr_status norm_decimal_rescale(struct norm_decimal value, uint8_t scale, struct norm_decimal *rescaled,
                                      bool *is_exact)
{
    HR_ASSERT(scale <= NORM_DECIMAL_SCALE_MAX);
    struct norm_scaled scaled = norm_scaled_of(value);
    bool is_longer = scale > value.scale;
    bool fits = norm_wide_multiply(&scaled.wide, 2) &&
                norm_wide_multiply_pow10(&scaled.wide, is_longer ? (uint32_t)scale - value.scale : 0);
    bool is_whole = norm_wide_divide_pow10(&scaled.wide, is_longer ? 0 : (uint32_t)value.scale - scale);

    HR_ASSERT(fits);
    return norm_scaled_round(scaled.wide, is_whole, scaled.is_negative, scale, rescaled, is_exact);
}

struct norm_decimal norm_decimal_shorten(struct norm_decimal value)
{
    while (value.scale > 0 && value.coefficient % 10 == 0) {
        value.coefficient /= 10;
        value.scale--;
    }
    return value;
}

double norm_decimal_real(struct norm_decimal value)
{
    HR_ASSERT(value.scale <= NORM_DECIMAL_SCALE_MAX);
    uint64_t divisor = pow10_of(value.scale);
    bool is_negative = value.coefficient < 0;
    uint64_t absolute = (uint64_t)(is_negative ? norm_decimal_negate(value).coefficient : value.coefficient);
    uint64_t bits = absolute / divisor;
    uint64_t rest = absolute % divisor;
    int exponent = 0;

    if (absolute == 0) {
        return 0.0;
    }
    /* Bits of the quotient until the highest stands at the top, then one round to 53 of them, ties to even.
     */
    while ((bits >> HIGH_BIT) == 0) {
        rest <<= 1;
        bits <<= 1;
        exponent--;
        if (rest >= divisor) {
            rest -= divisor;
            bits |= 1;
        }
    }
    uint32_t n_cut = HIGH_BIT + 1 - REAL_BITS;
    uint64_t cut = bits & ((UINT64_C(1) << n_cut) - 1);
    uint64_t half = UINT64_C(1) << (n_cut - 1);

    bits >>= n_cut;
    if (cut > half || (cut == half && (rest != 0 || (bits & 1) != 0))) {
        bits++;
    }
    double real = ldexp((double)bits, exponent + (int)n_cut);

    return is_negative ? -real : real;
}
