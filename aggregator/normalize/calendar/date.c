/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/date.h"
#include "proto/base/assert.h"

/* Years are counted from 1 March of the year 0, so that a leap day is the last of its year. */
enum { DAYS_TO_1970 = 719468, DAYS_A_CYCLE = 146097, YEARS_A_CYCLE = 400 };

static bool is_leap(int32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % YEARS_A_CYCLE == 0);
}

uint8_t norm_days_in_month(int32_t year, uint8_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    HR_ASSERT(month >= 1 && month <= 12);
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

bool norm_date_is_valid(struct norm_date date)
{
    return date.year >= 1 && date.year <= 9999 && date.month >= 1 && date.month <= 12 && date.day >= 1 &&
           date.day <= norm_days_in_month(date.year, date.month);
}

int32_t norm_day_of(struct norm_date date)
{
    HR_ASSERT(norm_date_is_valid(date));
    int32_t year = date.month <= 2 ? date.year - 1 : date.year;
    int32_t month = date.month <= 2 ? date.month + 9 : date.month - 3; /* 0 is March */
    int32_t of_year = (153 * month + 2) / 5 + date.day - 1;

    return year * 365 + year / 4 - year / 100 + year / YEARS_A_CYCLE + of_year - DAYS_TO_1970;
}

struct norm_date norm_date_of(int32_t day)
{
    HR_ASSERT(day >= NORM_DAY_MIN && day <= NORM_DAY_MAX);
    int32_t since = day + DAYS_TO_1970;
    int32_t cycle = since / DAYS_A_CYCLE;
    int32_t of_cycle = since % DAYS_A_CYCLE;
    int32_t year = (of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / 146096) / 365;
    int32_t of_year = of_cycle - (365 * year + year / 4 - year / 100);
    int32_t month = (5 * of_year + 2) / 153;

    year += cycle * YEARS_A_CYCLE + (month >= 10 ? 1 : 0);
    return (struct norm_date){
        .year = year,
        .month = (uint8_t)(month < 10 ? month + 3 : month - 9),
        .day = (uint8_t)(of_year - (153 * month + 2) / 5 + 1),
    };
}

enum norm_weekday norm_weekday_of(int32_t day)
{
    HR_ASSERT(day >= NORM_DAY_MIN && day <= NORM_DAY_MAX);
    int32_t from_first = (day - NORM_DAY_MIN) % 7; /* 0001-01-01 was a Monday */

    return (enum norm_weekday)(from_first + NORM_MONDAY);
}

int64_t norm_local_of(int32_t day, int32_t second_of_day)
{
    HR_ASSERT(day >= NORM_DAY_MIN && day <= NORM_DAY_MAX);
    HR_ASSERT(second_of_day >= 0 && second_of_day <= NORM_DAY_S);
    return (int64_t)day * NORM_DAY_S + second_of_day;
}

int32_t norm_local_day(int64_t local_s)
{
    int64_t day = local_s / NORM_DAY_S - (local_s % NORM_DAY_S < 0 ? 1 : 0);

    HR_ASSERT(day >= NORM_DAY_MIN && day <= NORM_DAY_MAX);
    return (int32_t)day;
}

int32_t norm_local_second(int64_t local_s)
{
    int32_t second = (int32_t)(local_s % NORM_DAY_S);

    return second < 0 ? second + NORM_DAY_S : second;
}

struct norm_clock norm_clock_of(int64_t local_s)
{
    int32_t second = norm_local_second(local_s);

    return (struct norm_clock){
        .date = norm_date_of(norm_local_day(local_s)),
        .hour = (uint8_t)(second / NORM_HOUR_S),
        .minute = (uint8_t)(second % NORM_HOUR_S / NORM_MINUTE_S),
        .second = (uint8_t)(second % NORM_MINUTE_S),
    };
}
