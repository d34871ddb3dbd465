/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/units/decimal.h"
#include "proto/base/assert.h"

enum { EXPONENT_MAX = 100000 };

struct text {
    const uint8_t *at;
    const uint8_t *end;
};

/* What a text says, as coefficient * 10^(n_zeros - n_decimals): zeros at the end are kept apart, because they
 * need no room. */
struct digits {
    uint64_t coefficient;
    int64_t n_zeros;
    int64_t n_decimals; /* digits behind the point, less the exponent */
    bool has_digit;
    bool is_full;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(const struct text *text)
{
    return text->at < text->end && *text->at >= '0' && *text->at <= '9';
}

static bool take(struct text *text, char c)
{
    bool is_there = text->at < text->end && *text->at == (uint8_t)c;

    text->at += is_there ? 1 : 0;
    return is_there;
}

/* False when it has no room; nothing is changed. */
static bool append(uint64_t *coefficient, uint8_t digit)
{
    if (*coefficient > ((uint64_t)INT64_MAX - digit) / 10) {
        return false;
    }
    *coefficient = *coefficient * 10 + digit;
    return true;
}

static void digit_put(struct digits *digits, uint8_t digit)
{
    digits->has_digit = true;
    if (digit == 0) {
        digits->n_zeros += digits->coefficient == 0 ? 0 : 1;
        return;
    }
    for (; digits->n_zeros > 0 && !digits->is_full; digits->n_zeros--) {
        digits->is_full = !append(&digits->coefficient, 0);
    }
    digits->is_full = digits->is_full || !append(&digits->coefficient, digit);
}

static struct hr_status exponent_take(struct text *text, struct digits *digits)
{
    bool is_negative = take(text, '-');
    int64_t exponent = 0;

    if (!is_negative) {
        (void)take(text, '+');
    }
    if (!is_digit(text)) {
        return hr_status_of(HR_MALFORMED);
    }
    for (; is_digit(text); text->at++) {
        exponent = exponent < EXPONENT_MAX ? exponent * 10 + (*text->at - '0') : exponent;
    }
    digits->n_decimals -= is_negative ? -exponent : exponent;
    return hr_ok();
}

static struct hr_status digits_take(struct text *text, struct digits *digits)
{
    for (; is_digit(text); text->at++) {
        digit_put(digits, (uint8_t)(*text->at - '0'));
    }
    if (take(text, '.')) {
        for (; is_digit(text); text->at++) {
            digit_put(digits, (uint8_t)(*text->at - '0'));
            digits->n_decimals++;
        }
    }
    if (!digits->has_digit) {
        return hr_status_of(HR_MALFORMED);
    }
    if (take(text, 'e') || take(text, 'E')) {
        HR_TRY(exponent_take(text, digits));
    }
    return hr_status_of(text->at == text->end ? HR_OK : HR_MALFORMED);
}

/* Gives the number its scale: that of the text, or as near to it as it fits. */
static struct hr_status settle(const struct digits *digits, bool is_negative, struct norm_decimal *value)
{
    uint64_t coefficient = digits->coefficient;
    int64_t wanted = digits->n_decimals < 0 ? 0 : digits->n_decimals;
    int64_t scale = digits->n_decimals - digits->n_zeros; /* at which the coefficient stands now */

    wanted = wanted > NORM_DECIMAL_SCALE_MAX ? NORM_DECIMAL_SCALE_MAX : wanted;
    if (coefficient == 0) {
        *value = norm_decimal_of(0, (uint8_t)wanted);
        return hr_ok();
    }
    if (digits->is_full || scale > NORM_DECIMAL_SCALE_MAX) {
        return hr_status_of(HR_FULL);
    }
    while (scale < wanted && append(&coefficient, 0)) {
        scale++;
    }
    if (scale < 0) {
        return hr_status_of(HR_FULL);
    }
    int64_t absolute = (int64_t)coefficient;

    *value = norm_decimal_of(is_negative ? -absolute : absolute, (uint8_t)scale);
    return hr_ok();
}

struct hr_status norm_decimal_read(struct hr_bytes bytes, struct norm_decimal *value)
{
    struct text text = {bytes.data, bytes.data + bytes.len_bytes};
    struct digits digits = {0};

    while (text.at < text.end && is_blank(*text.at)) {
        text.at++;
    }
    while (text.end > text.at && is_blank(text.end[-1])) {
        text.end--;
    }
    bool is_negative = take(&text, '-');

    if (!is_negative) {
        (void)take(&text, '+');
    }
    HR_TRY(digits_take(&text, &digits));
    return settle(&digits, is_negative, value);
}

size_t norm_decimal_print(struct norm_decimal value, char out[NORM_DECIMAL_CHARS])
{
    HR_ASSERT(value.scale <= NORM_DECIMAL_SCALE_MAX && value.coefficient != INT64_MIN);
    uint64_t left = value.coefficient < 0 ? (uint64_t)-value.coefficient : (uint64_t)value.coefficient;
    char turned[NORM_DECIMAL_CHARS]; /* from the last digit on */
    size_t n_turned = 0;
    size_t len = 0;

    for (uint32_t n_digits = 0; left > 0 || n_digits <= value.scale; n_digits++) {
        if (n_digits == value.scale && value.scale > 0) {
            turned[n_turned++] = '.';
        }
        turned[n_turned++] = (char)('0' + left % 10);
        left /= 10;
    }
    if (value.coefficient < 0) {
        turned[n_turned++] = '-';
    }
    while (n_turned > 0) {
        out[len++] = turned[--n_turned];
    }
    out[len] = '\0';
    return len;
}
