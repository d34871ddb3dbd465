/* SPDX-License-Identifier: Apache-2.0
 *
 * A number in decimal without stdio, which boards do not have. [any] */
#ifndef HR_DECIMAL_H
#define HR_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

enum { HR_DECIMAL_CHARS = 21 }; /* of the largest number, with its NUL */

/* The digits, NUL-terminated; they stand in `out`, not always at its beginning. */
static inline const char *hr_decimal(uint64_t number, char out[HR_DECIMAL_CHARS])
{
    size_t at = HR_DECIMAL_CHARS - 1;
    out[at] = '\0';
    do {
        out[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return out + at;
}

#endif
