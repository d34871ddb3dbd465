/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/read/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

struct hr_bytes norm_trim(struct hr_bytes text)
{
    while (text.len_bytes > 0 && is_space(text.data[text.len_bytes - 1])) {
        text.len_bytes--;
    }
    while (text.len_bytes > 0 && is_space(text.data[0])) {
        text = hr_bytes_of(text.data + 1, text.len_bytes - 1);
    }
    return text;
}

bool norm_text_is(struct hr_bytes text, const char *wanted)
{
    return text.len_bytes == strlen(wanted) &&
           (text.len_bytes == 0 || memcmp(text.data, wanted, text.len_bytes) == 0);
}

bool norm_text_is_nocase(struct hr_bytes text, const char *wanted)
{
    if (text.len_bytes != strlen(wanted)) {
        return false;
    }
    for (size_t i = 0; i < text.len_bytes; i++) {
        if (lower(text.data[i]) != lower((uint8_t)wanted[i])) {
            return false;
        }
    }
    return true;
}

bool norm_text_begins(struct hr_bytes text, const char *wanted)
{
    size_t len = strlen(wanted);
    return text.len_bytes >= len && memcmp(text.data, wanted, len) == 0;
}

bool norm_text_ends(struct hr_bytes text, const char *wanted)
{
    size_t len = strlen(wanted);
    return text.len_bytes >= len && memcmp(text.data + text.len_bytes - len, wanted, len) == 0;
}

bool norm_text_has(struct hr_bytes text, const char *wanted)
{
    size_t len = strlen(wanted);
    const uint8_t *at = text.data;
    for (size_t left = text.len_bytes; left >= len && left > 0;) {
        const uint8_t *found = memchr(at, wanted[0], left - len + 1);
        if (found == NULL) {
            return false;
        }
        if (memcmp(found, wanted, len) == 0) {
            return true;
        }
        left -= (size_t)(found + 1 - at);
        at = found + 1;
    }
    return len == 0;
}

/* ---- numbers ---- */

static struct hr_status slow_number(struct hr_bytes text, double *out)
{
    char copy[64];
    if (text.len_bytes >= sizeof copy) {
        return hr_status_of(HR_MALFORMED);
    }
    memcpy(copy, text.data, text.len_bytes);
    copy[text.len_bytes] = '\0';
    if (copy[strspn(copy, "+-.0123456789eE")] != '\0') {
        return hr_status_of(HR_MALFORMED); /* "nan", "inf" and hexadecimal are no prices */
    }
    char *end = NULL;
    double value = strtod(copy, &end);
    if (end == copy || *end != '\0' || !isfinite(value)) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = value;
    return hr_ok();
}

struct hr_status norm_number(struct hr_bytes text, double *out)
{
    /* Up to 15 digits and ten to the 22nd are exact in a double, so one division rounds once. */
    static const double TENS[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    text = norm_trim(text);
    size_t i = 0;
    bool is_negative = text.len_bytes > 0 && text.data[0] == '-';
    i += is_negative;
    uint64_t digits = 0;
    size_t n_digits = 0;
    size_t n_behind = 0;
    bool has_point = false;
    for (; i < text.len_bytes && n_digits < 16; i++) {
        uint8_t c = text.data[i];
        if (is_digit(c)) {
            digits = digits * 10 + (uint64_t)(c - '0');
            n_digits++;
            n_behind += has_point;
        } else if (c == '.' && !has_point) {
            has_point = true;
        } else {
            break;
        }
    }
    if (i < text.len_bytes || n_digits == 0 || n_digits > 15) {
        return slow_number(text, out);
    }
    double value = (double)digits / TENS[n_behind];
    *out = is_negative ? -value : value;
    return hr_ok();
}

struct hr_status norm_integer(struct hr_bytes text, int64_t *out)
{
    text = norm_trim(text);
    bool is_negative = text.len_bytes > 0 && text.data[0] == '-';
    size_t i = is_negative ? 1 : 0;
    int64_t value = 0;
    if (i == text.len_bytes || text.len_bytes - i > 18) {
        return hr_status_of(HR_MALFORMED);
    }
    for (; i < text.len_bytes; i++) {
        if (!is_digit(text.data[i])) {
            return hr_status_of(HR_MALFORMED);
        }
        value = value * 10 + (text.data[i] - '0');
    }
    *out = is_negative ? -value : value;
    return hr_ok();
}

/* ---- times ---- */

struct scan {
    struct hr_bytes text;
    size_t at;
};

static bool peek_is(const struct scan *scan, uint8_t c)
{
    return scan->at < scan->text.len_bytes && scan->text.data[scan->at] == c;
}

static bool take(struct scan *scan, uint8_t c)
{
    bool is_there = peek_is(scan, c);
    scan->at += is_there;
    return is_there;
}

/* At most max_digits digits; 0 of them: none were there. */
static size_t take_digits(struct scan *scan, size_t max_digits, int32_t *out)
{
    size_t n = 0;
    int32_t value = 0;
    while (n < max_digits && scan->at < scan->text.len_bytes && is_digit(scan->text.data[scan->at])) {
        value = value * 10 + (scan->text.data[scan->at++] - '0');
        n++;
    }
    *out = value;
    return n;
}

static bool take_month_name(struct scan *scan, int32_t *month)
{
    static const char NAMES[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (scan->text.len_bytes - scan->at < 3) {
        return false;
    }
    const uint8_t *at = scan->text.data + scan->at;
    for (int32_t m = 0; m < 12; m++) {
        const char *name = NAMES + (size_t)m * 3;
        if (lower(at[0]) == (uint8_t)name[0] && lower(at[1]) == (uint8_t)name[1] &&
            lower(at[2]) == (uint8_t)name[2]) {
            scan->at += 3;
            *month = m + 1;
            return true;
        }
    }
    return false;
}

static bool take_separator(struct scan *scan)
{
    return take(scan, '-') || take(scan, '/');
}

static bool take_date(struct scan *scan, int32_t *day)
{
    int32_t first = 0;
    int32_t second = 0;
    int32_t third = 0;
    size_t n_first = take_digits(scan, 4, &first);
    if (n_first == 0 || !take_separator(scan)) {
        return false;
    }
    bool is_named = take_month_name(scan, &second);
    if ((!is_named && take_digits(scan, 2, &second) == 0) || !take_separator(scan)) {
        return false;
    }
    size_t n_third = take_digits(scan, 4, &third);
    struct norm_date date = {0};
    if (n_first == 4 && n_third >= 1 && n_third <= 2) {
        date = (struct norm_date){first, (uint8_t)second, (uint8_t)third};
    } else if (n_first <= 2 && n_third == 4 && is_named) {
        date = (struct norm_date){third, (uint8_t)second, (uint8_t)first};
    } else if (n_first <= 2 && n_third == 4) {
        date = (struct norm_date){third, (uint8_t)first, (uint8_t)second};
    }
    if (!norm_date_is_valid(date)) {
        return false;
    }
    *day = norm_day_of(date);
    return true;
}

/* " AM" or " PM" behind a time of 12 hours. */
static bool take_half(struct scan *scan, int32_t *hour)
{
    struct scan ahead = *scan;
    (void)take(&ahead, ' ');
    if (ahead.text.len_bytes - ahead.at < 2 || lower(ahead.text.data[ahead.at + 1]) != 'm') {
        return true;
    }
    uint8_t half = lower(ahead.text.data[ahead.at]);
    if ((half != 'a' && half != 'p') || *hour < 1 || *hour > 12) {
        return false;
    }
    *hour = *hour % 12 + (half == 'p' ? 12 : 0);
    scan->at = ahead.at + 2;
    return true;
}

static bool take_time(struct scan *scan, int32_t *second_of_day)
{
    int32_t hour = 0;
    int32_t minute = 0;
    int32_t second = 0;
    if (take_digits(scan, 2, &hour) == 0 || !take(scan, ':') || take_digits(scan, 2, &minute) != 2) {
        return false;
    }
    if (take(scan, ':') && take_digits(scan, 2, &second) != 2) {
        return false;
    }
    if (take(scan, '.')) {
        int32_t fraction = 0;
        (void)take_digits(scan, 9, &fraction);
    }
    if (!take_half(scan, &hour) || minute > 59 || second > 59 || hour > 24 ||
        (hour == 24 && minute + second > 0)) {
        return false;
    }
    *second_of_day = hour * NORM_HOUR_S + minute * NORM_MINUTE_S + second;
    return true;
}

static bool take_offset(struct scan *scan, struct norm_stamp *stamp)
{
    int32_t hours = 0;
    int32_t minutes = 0;
    if (take(scan, 'Z') || take(scan, 'z')) {
        stamp->has_offset = true;
        return true;
    }
    bool is_west = peek_is(scan, '-');
    if (!take(scan, '-') && !take(scan, '+')) {
        return true;
    }
    if (take_digits(scan, 2, &hours) != 2) {
        return false;
    }
    (void)take(scan, ':');
    if (take_digits(scan, 2, &minutes) != 2 || hours > 14 || minutes > 59) {
        return false;
    }
    stamp->offset_s = (is_west ? -1 : 1) * (hours * NORM_HOUR_S + minutes * NORM_MINUTE_S);
    stamp->has_offset = true;
    return true;
}

struct hr_status norm_stamp_read(struct hr_bytes text, struct norm_stamp *out)
{
    struct scan scan = {.text = norm_trim(text)};
    struct norm_stamp stamp = {0};
    int32_t day = 0;
    int32_t second_of_day = 0;
    if (!take_date(&scan, &day)) {
        return hr_status_of(HR_MALFORMED);
    }
    if (take(&scan, 'T') || take(&scan, ' ')) {
        while (take(&scan, ' ')) {
        }
        stamp.has_time = true;
        if (!take_time(&scan, &second_of_day) || !take_offset(&scan, &stamp)) {
            return hr_status_of(HR_MALFORMED);
        }
    }
    if (scan.at < scan.text.len_bytes) {
        return hr_status_of(HR_MALFORMED);
    }
    stamp.local_s = norm_local_of(day, second_of_day);
    *out = stamp;
    return hr_ok();
}

struct hr_status norm_day_read(struct hr_bytes text, int32_t *day)
{
    struct scan scan = {.text = norm_trim(text)};
    return hr_status_of(take_date(&scan, day) ? HR_OK : HR_MALFORMED);
}

struct hr_status norm_utc_read(struct hr_bytes text, int64_t *utc_s)
{
    struct norm_stamp stamp;
    HR_TRY(norm_stamp_read(text, &stamp));
    *utc_s = stamp.local_s - stamp.offset_s;
    return hr_ok();
}
