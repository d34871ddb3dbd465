/* SPDX-License-Identifier: Apache-2.0
 *
 * The seven market operators, their zones, and their market days: 23, 24 or 25 hours from local midnight to
 * local midnight, and the 5-, 15-, 30- and 60-minute intervals in them, in UTC. [any] */
#ifndef NORM_MARKET_H
#define NORM_MARKET_H

#include "aggregator/normalize/calendar/zone.h"

enum norm_iso {
    NORM_CAISO,
    NORM_MISO,
    NORM_SPP,
    NORM_PJM,
    NORM_ERCOT,
    NORM_ISONE,
    NORM_NYISO,
    NORM_ISO_COUNT
};

enum norm_zone_id {
    NORM_ZONE_PACIFIC, /* America/Los_Angeles: CAISO */
    NORM_ZONE_CENTRAL, /* America/Chicago: SPP, ERCOT */
    NORM_ZONE_EASTERN, /* America/New_York: PJM, ISO-NE, NYISO */
    NORM_ZONE_EST,     /* UTC-5 in summer too, no file: MISO */
    NORM_ZONE_COUNT
};

/* Filled by zoneinfo_load. About 16 KB; static storage of the program. */
struct norm_zones {
    struct norm_zone by_id[NORM_ZONE_COUNT];
};

/* Of what they say, so that another tzdata has another one when it says something else of these zones; the
 * same on every machine. */
uint64_t norm_zones_digest(const struct norm_zones *zones);

/* The name as events carry it (iso_timezone): the IANA name, and "EST" for MISO. Static storage. */
const char *norm_zone_id_name(enum norm_zone_id id);

/* "caiso", "miso", "spp", "pjm", "ercot", "isone", "nyiso"; static storage. */
const char *norm_iso_code(enum norm_iso iso);

/* The operator of that code. HR_NOT_FOUND: there is none; *iso is as it was. */
HR_MUST_USE struct hr_status norm_iso_of_code(struct hr_bytes code, enum norm_iso *iso);

enum norm_zone_id norm_iso_zone_id(enum norm_iso iso);

/* The zone of the operator's market day; borrowed from `zones`. */
const struct norm_zone *norm_iso_zone(const struct norm_zones *zones, enum norm_iso iso);

/* ---- days ---- */

struct norm_interval {
    int64_t start_utc_s;
    int64_t end_utc_s; /* not in it */
};

struct norm_market_day {
    const struct norm_zone *zone; /* borrowed */
    int32_t day;
    int64_t start_utc_s;  /* local midnight */
    int64_t end_utc_s;    /* the next one */
    uint8_t n_hours;      /* 23, 24 or 25 */
    int8_t repeated_hour; /* the local hour, 0 to 23, that comes twice; -1: none */
    int8_t skipped_hour;  /* the local hour that is missing; -1: none */
};

/* HR_MALFORMED: the day lies outside the calendar, its midnight is not told by the zone's clock exactly once,
 * or its length is not 23, 24 or 25 whole hours with at most one hour repeated or skipped. No day of the four
 * zones above since 1970 fails. *market_day is as it was. */
HR_MUST_USE struct hr_status norm_market_day_of(const struct norm_zone *zone, int32_t day,
                                                struct norm_market_day *market_day);

/* The market day in which an instant lies. Fails likewise. */
HR_MUST_USE struct hr_status norm_market_day_at(const struct norm_zone *zone, int64_t utc_s,
                                                struct norm_market_day *market_day);

/* How many intervals of that length the day has: 276 to 300 of 5 minutes, 92 to 100 of 15, 23 to 25 of 60.
 * interval_min is a divisor of 60; likewise below. */
uint32_t norm_day_intervals(const struct norm_market_day *market_day, uint32_t interval_min);

/* The nth interval, from 0, in order of time. HR_NOT_FOUND: the day has not so many; *interval is as it was.
 */
HR_MUST_USE struct hr_status norm_day_interval(const struct norm_market_day *market_day,
                                               uint32_t interval_min, uint32_t nth,
                                               struct norm_interval *interval);

/* The number, from 0, of the interval in which an instant lies. HR_NOT_FOUND: it is of another day. */
HR_MUST_USE struct hr_status norm_day_interval_at(const struct norm_market_day *market_day,
                                                  uint32_t interval_min, int64_t utc_s, uint32_t *nth);

/* Settlement periods of the market days from first_day to last_day, both in it: the sum of
 * norm_day_intervals. At most 366,000 days. Fails as norm_market_day_of, and HR_MALFORMED when last_day is
 * before first_day. */
HR_MUST_USE struct hr_status norm_settlement_periods(const struct norm_zone *zone, int32_t first_day,
                                                     int32_t last_day, uint32_t interval_min,
                                                     uint32_t *n_periods);

#endif
