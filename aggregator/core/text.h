/* SPDX-License-Identifier: Apache-2.0
 *
 * Short texts in fixed places, put together without stdio: remarks and names that are stored. They must fit,
 * for what goes in is our own. [any] */
#ifndef AGG_TEXT_H
#define AGG_TEXT_H

#include "proto/base/assert.h"
#include "proto/base/decimal.h"

#include <stdint.h>
#include <string.h>

/* Behind the text that `out`, of capacity bytes with its NUL, holds. */
static inline void agg_text_add(char *out, size_t capacity, const char *text)
{
    size_t at = strlen(out);
    size_t len = strlen(text);
    HR_ASSERT(at + len < capacity);
    memcpy(out + at, text, len + 1);
}

static inline void agg_text_add_number(char *out, size_t capacity, uint64_t number)
{
    char digits[HR_DECIMAL_CHARS];
    agg_text_add(out, capacity, hr_decimal(number, digits));
}

#endif
