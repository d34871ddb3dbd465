/* SPDX-License-Identifier: Apache-2.0
 *
 * Days and wall clocks as integers, in the proleptic Gregorian calendar, for the years 1 to 9999. A day is
 * the number of days since 1970-01-01; a wall clock (`local_s`) is the seconds since it showed 1970-01-01
 * 00:00:00, counted as if no zone ever changed. Neither says an instant: calendar/zone.h does. [any] */
#ifndef NORM_DATE_H
#define NORM_DATE_H

#include <stdbool.h>
#include <stdint.h>

enum { NORM_MINUTE_S = 60, NORM_HOUR_S = 3600, NORM_DAY_S = 86400 };

#define NORM_DAY_MIN INT32_C(-719162) /* 0001-01-01 */
#define NORM_DAY_MAX INT32_C(2932896) /* 9999-12-31 */

/* Instants and wall clocks that this room computes with: the two days above, less two days at each end. */
#define NORM_TIME_MIN_S ((int64_t)(NORM_DAY_MIN + 2) * NORM_DAY_S)
#define NORM_TIME_MAX_S ((int64_t)(NORM_DAY_MAX - 2) * NORM_DAY_S)

struct norm_date {
    int32_t year;  /* 1 to 9999 */
    uint8_t month; /* 1 to 12 */
    uint8_t day;   /* 1 to 31 */
};

struct norm_clock {
    struct norm_date date;
    uint8_t hour;   /* 0 to 23 */
    uint8_t minute; /* 0 to 59 */
    uint8_t second; /* 0 to 59 */
};

/* As ISO 8601 numbers them. */
enum norm_weekday {
    NORM_MONDAY = 1,
    NORM_TUESDAY,
    NORM_WEDNESDAY,
    NORM_THURSDAY,
    NORM_FRIDAY,
    NORM_SATURDAY,
    NORM_SUNDAY
};

/* False for a 30 February and the like, and outside the years 1 to 9999. For what comes from a file, before
 * the functions below. */
bool norm_date_is_valid(struct norm_date date);

/* The date must be valid. */
int32_t norm_day_of(struct norm_date date);

/* day within NORM_DAY_MIN and NORM_DAY_MAX; likewise below. */
struct norm_date norm_date_of(int32_t day);
enum norm_weekday norm_weekday_of(int32_t day);

/* 28 to 31; month is 1 to 12. */
uint8_t norm_days_in_month(int32_t year, uint8_t month);

/* The wall clock at second_of_day (0 to 86,400; 86,400 is the next midnight, the "24:00" of many files). */
int64_t norm_local_of(int32_t day, int32_t second_of_day);

/* The day that a wall clock shows, the seconds since its midnight (0 to 86,399), and all in fields. local_s
 * is within NORM_DAY_MIN and NORM_DAY_MAX. */
int32_t norm_local_day(int64_t local_s);
int32_t norm_local_second(int64_t local_s);
struct norm_clock norm_clock_of(int64_t local_s);

#endif
