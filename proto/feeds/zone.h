/* SPDX-License-Identifier: Apache-2.0
 *
 * Local time by a rule as POSIX.1-2017 (8.3, TZ) writes it and as the last line of a TZif file (RFC 8536,
 * section 3.3) has it: EST5EDT,M3.2.0,M11.1.0. It tells what holds since the rule began, in the USA since
 * 2007, and that is as far back as feeds go. Only rules by month, week and weekday are taken. [any] */
#ifndef FEEDS_ZONE_H
#define FEEDS_ZONE_H

#include "proto/base/status.h"

#include <stdint.h>

struct feeds_zone_change {
    uint8_t month;   /* 1 to 12 */
    uint8_t week;    /* 1 to 4, 5: the last */
    uint8_t weekday; /* 0: Sunday */
    int32_t at_s;    /* of the day, by the clock that ends */
};

struct feeds_zone {
    int32_t standard_s; /* east of UTC */
    int32_t summer_s;
    bool has_summer;
    struct feeds_zone_change begins; /* summer time */
    struct feeds_zone_change ends;
};

struct feeds_local {
    int32_t year;
    uint8_t month; /* 1 to 12 */
    uint8_t day;
    uint8_t hour;
    uint8_t minute;
    uint8_t second;
    bool is_repeated; /* the clock has shown this time before */
};

/* HR_MALFORMED: not such a rule; *out is as before. */
HR_MUST_USE struct hr_status feeds_zone_parse(const char *rule, struct feeds_zone *out);

/* Years 1970 to 9999. */
struct feeds_local feeds_zone_local(const struct feeds_zone *zone, int64_t utc_ms);

/* The first moment of the local day that `utc_ms` is in, and of the day after it. Clocks change in the night
 * but never at midnight, which feeds_zone_parse makes sure of. */
int64_t feeds_zone_day_start_ms(const struct feeds_zone *zone, int64_t utc_ms);
int64_t feeds_zone_next_day_ms(const struct feeds_zone *zone, int64_t utc_ms);

/* Unix milliseconds of a date and time in UTC. */
int64_t feeds_utc_ms(int32_t year, uint32_t month, uint32_t day, uint32_t second_of_day);

#endif
