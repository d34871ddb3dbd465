/* SPDX-License-Identifier: Apache-2.0
 *
 * Instants and days by the C library, for tests of a calendar that is not to be believed. */
#ifndef CALENDAR_UTC_H
#define CALENDAR_UTC_H

#include <stdint.h>
#include <time.h>

static inline int64_t utc(int year, int month, int day, int hour, int minute)
{
    struct tm fields = {
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};

    return (int64_t)timegm(&fields);
}

/* Days since 1970-01-01. */
static inline int32_t utc_day(int year, int month, int day)
{
    return (int32_t)(utc(year, month, day, 0, 0) / (24 * 60 * 60));
}

#endif
