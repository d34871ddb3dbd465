/* SPDX-License-Identifier: Apache-2.0
 *
 * Unsigned numbers of 384 bits, for products and quotients that are exact before they are rounded once.
 * Within units only. [any] */
#ifndef NORM_WIDE_H
#define NORM_WIDE_H

#include <stdbool.h>
#include <stdint.h>

enum { NORM_WIDE_LIMBS = 12 };

struct norm_wide {
    uint32_t limb[NORM_WIDE_LIMBS]; /* the lowest first */
};

struct norm_wide norm_wide_of(uint64_t value);

/* False: it doesn't fit, and *wide is undefined. */
bool norm_wide_multiply(struct norm_wide *wide, uint64_t factor);
bool norm_wide_multiply_pow10(struct norm_wide *wide, uint32_t power);

/* a + b, which must fit, and a - b for a of at least b. */
struct norm_wide norm_wide_add(const struct norm_wide *a, const struct norm_wide *b);
struct norm_wide norm_wide_subtract(const struct norm_wide *a, const struct norm_wide *b);

/* -1, 0, 1 */
int norm_wide_compare(const struct norm_wide *a, const struct norm_wide *b);

/* Divides and returns the remainder. divisor is 1 to 2^63. */
uint64_t norm_wide_divide(struct norm_wide *wide, uint64_t divisor);

/* Divides by 10^power; true when nothing remained. */
bool norm_wide_divide_pow10(struct norm_wide *wide, uint32_t power);

bool norm_wide_is_zero(const struct norm_wide *wide);

/* False: it has more than 63 bits; *value is as it was. */
bool norm_wide_to_63(const struct norm_wide *wide, uint64_t *value);

#endif
