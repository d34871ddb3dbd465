/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/market.h"
#include "proto/base/assert.h"

#include <string.h>

enum { HOURS_A_DAY = 24, HOUR_MIN = 60, DAYS_MAX = 366000 };

static const char *const zone_names[NORM_ZONE_COUNT] = {
    [NORM_ZONE_PACIFIC] = "America/Los_Angeles",
    [NORM_ZONE_CENTRAL] = "America/Chicago",
    [NORM_ZONE_EASTERN] = "America/New_York",
    [NORM_ZONE_EST] = "EST",
};

static const struct {
    const char *code;
    enum norm_zone_id zone;
} isos[NORM_ISO_COUNT] = {
    [NORM_CAISO] = {"caiso", NORM_ZONE_PACIFIC}, [NORM_MISO] = {"miso", NORM_ZONE_EST},
    [NORM_SPP] = {"spp", NORM_ZONE_CENTRAL},     [NORM_PJM] = {"pjm", NORM_ZONE_EASTERN},
    [NORM_ERCOT] = {"ercot", NORM_ZONE_CENTRAL}, [NORM_ISONE] = {"isone", NORM_ZONE_EASTERN},
    [NORM_NYISO] = {"nyiso", NORM_ZONE_EASTERN},
};

const char *norm_zone_id_name(enum norm_zone_id id)
{
    return zone_names[id];
}

const char *norm_iso_code(enum norm_iso iso)
{
    return isos[iso].code;
}

struct hr_status norm_iso_of_code(struct hr_bytes code, enum norm_iso *iso)
{
    for (uint32_t i = 0; i < NORM_ISO_COUNT; i++) {
        if (strlen(isos[i].code) == code.len_bytes && memcmp(isos[i].code, code.data, code.len_bytes) == 0) {
            *iso = (enum norm_iso)i;
            return hr_ok();
        }
    }
    return hr_status_of(HR_NOT_FOUND);
}

enum norm_zone_id norm_iso_zone_id(enum norm_iso iso)
{
    return isos[iso].zone;
}

const struct norm_zone *norm_iso_zone(const struct norm_zones *zones, enum norm_iso iso)
{
    return &zones->by_id[isos[iso].zone];
}

/* ---- days ---- */

static struct hr_status midnight(const struct norm_zone *zone, int32_t day, int64_t *utc_s)
{
    int64_t instants[2] = {0, 0};

    if (norm_zone_instants(zone, norm_local_of(day, 0), instants) != 1) {
        return hr_status_of(HR_MALFORMED);
    }
    *utc_s = instants[0];
    return hr_ok();
}

/* Finds the hour that comes twice or not at all, in a day that has one: the clock stands on a full hour after
 * each hour, goes on by one each time, and once by none or two. */
static struct hr_status turned_hour_find(struct norm_market_day *found)
{
    int32_t expected = 0;

    for (uint32_t i = 0; i < found->n_hours; i++) {
        int64_t local_s = norm_zone_local(found->zone, found->start_utc_s + (int64_t)i * NORM_HOUR_S);
        int32_t hour = norm_local_second(local_s) / NORM_HOUR_S;

        if (local_s % NORM_HOUR_S != 0) {
            return hr_status_of(HR_MALFORMED);
        }
        if (hour == expected - 1 && found->repeated_hour < 0) {
            found->repeated_hour = (int8_t)hour;
        } else if (hour == expected + 1 && found->skipped_hour < 0) {
            found->skipped_hour = (int8_t)expected;
        } else if (hour != expected) {
            return hr_status_of(HR_MALFORMED);
        }
        expected = hour + 1;
    }
    bool is_one = found->n_hours > HOURS_A_DAY ? found->repeated_hour >= 0 && found->skipped_hour < 0
                                               : found->skipped_hour >= 0 && found->repeated_hour < 0;

    return hr_status_of(is_one ? HR_OK : HR_MALFORMED);
}

struct hr_status norm_market_day_of(const struct norm_zone *zone, int32_t day,
                                    struct norm_market_day *market_day)
{
    struct norm_market_day found = {.zone = zone, .day = day, .repeated_hour = -1, .skipped_hour = -1};

    if (day < NORM_DAY_MIN + 3 || day > NORM_DAY_MAX - 4) {
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(midnight(zone, day, &found.start_utc_s));
    HR_TRY(midnight(zone, day + 1, &found.end_utc_s));
    int64_t len_s = found.end_utc_s - found.start_utc_s;

    if (len_s % NORM_HOUR_S != 0 || len_s < (HOURS_A_DAY - 1) * (int64_t)NORM_HOUR_S ||
        len_s > (HOURS_A_DAY + 1) * (int64_t)NORM_HOUR_S) {
        return hr_status_of(HR_MALFORMED);
    }
    found.n_hours = (uint8_t)(len_s / NORM_HOUR_S);
    if (found.n_hours != HOURS_A_DAY) {
        HR_TRY(turned_hour_find(&found));
    }
    *market_day = found;
    return hr_ok();
}

struct hr_status norm_market_day_at(const struct norm_zone *zone, int64_t utc_s,
                                    struct norm_market_day *market_day)
{
    struct norm_market_day found;

    HR_TRY(norm_market_day_of(zone, norm_local_day(norm_zone_local(zone, utc_s)), &found));
    if (utc_s < found.start_utc_s || utc_s >= found.end_utc_s) {
        return hr_status_of(HR_MALFORMED);
    }
    *market_day = found;
    return hr_ok();
}

uint32_t norm_day_intervals(const struct norm_market_day *market_day, uint32_t interval_min)
{
    HR_ASSERT(interval_min > 0 && HOUR_MIN % interval_min == 0);
    return market_day->n_hours * (HOUR_MIN / interval_min);
}

struct hr_status norm_day_interval(const struct norm_market_day *market_day, uint32_t interval_min,
                                   uint32_t nth, struct norm_interval *interval)
{
    if (nth >= norm_day_intervals(market_day, interval_min)) {
        return hr_status_of(HR_NOT_FOUND);
    }
    int64_t len_s = (int64_t)interval_min * NORM_MINUTE_S;

    interval->start_utc_s = market_day->start_utc_s + (int64_t)nth * len_s;
    interval->end_utc_s = interval->start_utc_s + len_s;
    return hr_ok();
}

struct hr_status norm_day_interval_at(const struct norm_market_day *market_day, uint32_t interval_min,
                                      int64_t utc_s, uint32_t *nth)
{
    HR_ASSERT(interval_min > 0 && HOUR_MIN % interval_min == 0);
    if (utc_s < market_day->start_utc_s || utc_s >= market_day->end_utc_s) {
        return hr_status_of(HR_NOT_FOUND);
    }
    *nth = (uint32_t)((utc_s - market_day->start_utc_s) / ((int64_t)interval_min * NORM_MINUTE_S));
    return hr_ok();
}

struct hr_status norm_settlement_periods(const struct norm_zone *zone, int32_t first_day, int32_t last_day,
                                         uint32_t interval_min, uint32_t *n_periods)
{
    uint32_t sum = 0;

    if (last_day < first_day || (int64_t)last_day - first_day >= DAYS_MAX) {
        return hr_status_of(HR_MALFORMED);
    }
    for (int32_t day = first_day; day <= last_day; day++) {
        struct norm_market_day market_day;

        HR_TRY(norm_market_day_of(zone, day, &market_day));
        sum += norm_day_intervals(&market_day, interval_min);
    }
    *n_periods = sum;
    return hr_ok();
}
