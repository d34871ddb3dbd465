/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/units/wide.h"
#include "proto/base/assert.h"

enum { LIMB_BITS = 32, POW10_STEP = 9 };

#define POW10_OF_STEP UINT32_C(1000000000)

struct norm_wide norm_wide_of(uint64_t value)
{
    return (struct norm_wide){{(uint32_t)value, (uint32_t)(value >> LIMB_BITS)}};
}

static bool multiply_limb(struct norm_wide *wide, uint32_t factor)
{
    uint64_t carry = 0;

    for (uint32_t i = 0; i < NORM_WIDE_LIMBS; i++) {
        carry += (uint64_t)wide->limb[i] * factor;
        wide->limb[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
    return carry == 0;
}

bool norm_wide_multiply(struct norm_wide *wide, uint64_t factor)
{
    struct norm_wide high = *wide;

    if (!multiply_limb(wide, (uint32_t)factor) || !multiply_limb(&high, (uint32_t)(factor >> LIMB_BITS))) {
        return false;
    }
    if (high.limb[NORM_WIDE_LIMBS - 1] != 0) {
        return false;
    }
    uint64_t carry = 0;

    for (uint32_t i = 1; i < NORM_WIDE_LIMBS; i++) {
        carry += (uint64_t)wide->limb[i] + high.limb[i - 1];
        wide->limb[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
    return carry == 0;
}

static uint32_t pow10_below_step(uint32_t power)
{
    uint32_t product = 1;

    for (uint32_t i = 0; i < power; i++) {
        product *= 10;
    }
    return product;
}

bool norm_wide_multiply_pow10(struct norm_wide *wide, uint32_t power)
{
    if (norm_wide_is_zero(wide)) {
        return true;
    }
    for (; power >= POW10_STEP; power -= POW10_STEP) {
        if (!multiply_limb(wide, POW10_OF_STEP)) {
            return false;
        }
    }
    return multiply_limb(wide, pow10_below_step(power));
}

struct norm_wide norm_wide_add(const struct norm_wide *a, const struct norm_wide *b)
{
    struct norm_wide sum;
    uint64_t carry = 0;

    for (uint32_t i = 0; i < NORM_WIDE_LIMBS; i++) {
        carry += (uint64_t)a->limb[i] + b->limb[i];
        sum.limb[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
    HR_ASSERT(carry == 0);
    return sum;
}

struct norm_wide norm_wide_subtract(const struct norm_wide *a, const struct norm_wide *b)
{
    struct norm_wide difference;
    uint64_t borrow = 0;

    for (uint32_t i = 0; i < NORM_WIDE_LIMBS; i++) {
        uint64_t taken = (uint64_t)b->limb[i] + borrow;

        borrow = a->limb[i] < taken ? 1 : 0;
        difference.limb[i] = (uint32_t)(a->limb[i] + (borrow << LIMB_BITS) - taken);
    }
    HR_ASSERT(borrow == 0);
    return difference;
}

int norm_wide_compare(const struct norm_wide *a, const struct norm_wide *b)
{
    for (uint32_t i = NORM_WIDE_LIMBS; i-- > 0;) {
        if (a->limb[i] != b->limb[i]) {
            return a->limb[i] < b->limb[i] ? -1 : 1;
        }
    }
    return 0;
}

static uint32_t divide_limb(struct norm_wide *wide, uint32_t divisor)
{
    uint64_t rest = 0;

    for (uint32_t i = NORM_WIDE_LIMBS; i-- > 0;) {
        rest = rest << LIMB_BITS | wide->limb[i];
        wide->limb[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint32_t)rest;
}

uint64_t norm_wide_divide(struct norm_wide *wide, uint64_t divisor)
{
    uint64_t rest = 0;

    HR_ASSERT(divisor > 0 && divisor <= UINT64_C(1) << 63);
    if (divisor <= UINT32_MAX) {
        return divide_limb(wide, (uint32_t)divisor);
    }
    /* One bit at a time: twice the remainder still fits 64 bits. */
    for (uint32_t i = NORM_WIDE_LIMBS; i-- > 0;) {
        uint32_t quotient = 0;

        for (uint32_t bit = LIMB_BITS; bit-- > 0;) {
            rest = rest << 1 | (wide->limb[i] >> bit & 1);
            quotient <<= 1;
            if (rest >= divisor) {
                rest -= divisor;
                quotient |= 1;
            }
        }
        wide->limb[i] = quotient;
    }
    return rest;
}

bool norm_wide_divide_pow10(struct norm_wide *wide, uint32_t power)
{
    bool is_exact = true;

    for (; power >= POW10_STEP && !norm_wide_is_zero(wide); power -= POW10_STEP) {
        is_exact = divide_limb(wide, POW10_OF_STEP) == 0 && is_exact;
    }
    if (norm_wide_is_zero(wide)) {
        return is_exact;
    }
    return divide_limb(wide, pow10_below_step(power)) == 0 && is_exact;
}

bool norm_wide_is_zero(const struct norm_wide *wide)
{
    for (uint32_t i = 0; i < NORM_WIDE_LIMBS; i++) {
        if (wide->limb[i] != 0) {
            return false;
        }
    }
    return true;
}

bool norm_wide_to_63(const struct norm_wide *wide, uint64_t *value)
{
    for (uint32_t i = 2; i < NORM_WIDE_LIMBS; i++) {
        if (wide->limb[i] != 0) {
            return false;
        }
    }
    if (wide->limb[1] > INT32_MAX) {
        return false;
    }
    *value = (uint64_t)wide->limb[1] << LIMB_BITS | wide->limb[0];
    return true;
}
