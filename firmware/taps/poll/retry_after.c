/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/poll/limit.h"
#include "proto/base/assert.h"
#include "proto/feeds/zone.h"

#include <stddef.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_number(const char **at, uint32_t digits_max, uint32_t *out)
{
    uint32_t value = 0;
    uint32_t n = 0;
    for (; n < digits_max && is_digit(**at); n++, (*at)++) {
        value = value * 10 + (uint32_t)(**at - '0');
    }
    *out = value;
    return n > 0;
}

static bool take(const char **at, const char *text)
{
    size_t len = strlen(text);
    bool is_there = strncmp(*at, text, len) == 0;
    *at += is_there ? len : 0;
    return is_there;
}

static bool take_month(const char **at, uint32_t *out)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (uint32_t i = 0; i < 12; i++) {
        if (strncmp(*at, names + (size_t)3 * i, 3) == 0) {
            *at += 3;
            *out = i + 1;
            return true;
        }
    }
    return false;
}

static bool take_time(const char **at, uint32_t *second_of_day)
{
    uint32_t hour = 0;
    uint32_t minute = 0;
    uint32_t second = 0;
    bool is_time = take_number(at, 2, &hour) && take(at, ":") && take_number(at, 2, &minute) &&
                   take(at, ":") && take_number(at, 2, &second);
    *second_of_day = hour * 3600 + minute * 60 + second;
    return is_time && hour < 24 && minute < 60 && second <= 60;
}

static void skip_spaces(const char **at)
{
    while (**at == ' ') {
        (*at)++;
    }
}

/* Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT; Sun Nov  6 08:49:37 1994 */
static bool read_date(const char *at, int64_t *out_ms)
{
    uint32_t day = 0;
    uint32_t month = 0;
    uint32_t year = 0;
    uint32_t second_of_day = 0;
    at += strcspn(at, ", ");
    bool is_asctime = *at == ' ';
    at += *at == ',' ? 1 : 0;
    skip_spaces(&at);
    if (is_asctime) {
        if (!take_month(&at, &month)) {
            return false;
        }
        skip_spaces(&at);
        if (!take_number(&at, 2, &day) || !take(&at, " ") || !take_time(&at, &second_of_day) ||
            !take(&at, " ") || !take_number(&at, 4, &year) || *at != '\0') {
            return false;
        }
    } else {
        if (!take_number(&at, 2, &day)) {
            return false;
        }
        bool is_old = take(&at, "-");
        if ((!is_old && !take(&at, " ")) || !take_month(&at, &month) || !take(&at, is_old ? "-" : " ") ||
            !take_number(&at, 4, &year) || !take(&at, " ") || !take_time(&at, &second_of_day) ||
            !take(&at, " GMT") || *at != '\0') {
            return false;
        }
        /* Two digits: this century, as servers live in it. */
        year += is_old && year < 100 ? 2000 : 0;
    }
    if (day < 1 || day > 31 || year < 1970) {
        return false;
    }
    *out_ms = feeds_utc_ms((int32_t)year, month, day, second_of_day);
    return true;
}

bool poll_retry_after_ms(const char *value, int64_t utc_ms, uint32_t *out_ms)
{
    const char *at = value;
    skip_spaces(&at);
    int64_t wait_ms = 0;
    int64_t date_ms = 0;
    if (is_digit(*at)) {
        for (; is_digit(*at); at++) {
            wait_ms =
                wait_ms > POLL_RETRY_AFTER_MAX_MS ? wait_ms : wait_ms * 10 + (int64_t)(*at - '0') * 1000;
        }
        skip_spaces(&at);
        if (*at != '\0') {
            return false;
        }
    } else if (read_date(at, &date_ms)) {
        wait_ms = date_ms > utc_ms ? date_ms - utc_ms : 0;
    } else {
        return false;
    }
    *out_ms = (uint32_t)(wait_ms < POLL_RETRY_AFTER_MAX_MS ? wait_ms : POLL_RETRY_AFTER_MAX_MS);
    return true;
}
