/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/block.h"
#include "proto/base/assert.h"

enum { PEAK_HOURS = 16, HOURS_A_DAY = 24, DAYS_MAX = 366000, BUSINESS_DAYS_MAX = 100000 };

/* ---- holidays, business days ---- */

/* A holiday of a fixed date falls on this day, which is no Sunday, or fell on the Sunday before this Monday.
 */
static bool is_fixed(int32_t day, enum norm_weekday weekday, uint8_t month, uint8_t of_month)
{
    struct norm_date date = norm_date_of(day);
    struct norm_date before = norm_date_of(day > NORM_DAY_MIN ? day - 1 : day);
    bool is_it = date.month == month && date.day == of_month && weekday != NORM_SUNDAY;
    bool was_sunday = before.month == month && before.day == of_month && weekday == NORM_MONDAY;

    return is_it || was_sunday;
}

enum norm_holiday norm_nerc_holiday(int32_t day)
{
    struct norm_date date = norm_date_of(day);
    enum norm_weekday weekday = norm_weekday_of(day);

    if (is_fixed(day, weekday, 1, 1)) {
        return NORM_HOLIDAY_NEW_YEAR;
    }
    if (date.month == 5 && weekday == NORM_MONDAY && date.day > 24) {
        return NORM_HOLIDAY_MEMORIAL;
    }
    if (is_fixed(day, weekday, 7, 4)) {
        return NORM_HOLIDAY_INDEPENDENCE;
    }
    if (date.month == 9 && weekday == NORM_MONDAY && date.day <= 7) {
        return NORM_HOLIDAY_LABOR;
    }
    if (date.month == 11 && weekday == NORM_THURSDAY && date.day > 21 && date.day <= 28) {
        return NORM_HOLIDAY_THANKSGIVING;
    }
    return is_fixed(day, weekday, 12, 25) ? NORM_HOLIDAY_CHRISTMAS : NORM_HOLIDAY_NONE;
}

bool norm_is_business_day(int32_t day)
{
    return norm_weekday_of(day) < NORM_SATURDAY && norm_nerc_holiday(day) == NORM_HOLIDAY_NONE;
}

int32_t norm_business_day_add(int32_t day, int32_t n)
{
    int32_t step = n < 0 ? -1 : 1;
    int32_t left = n < 0 ? -n : n;

    HR_ASSERT(n >= -BUSINESS_DAYS_MAX && n <= BUSINESS_DAYS_MAX);
    if (n == 0) {
        while (!norm_is_business_day(day)) {
            day++;
        }
    }
    while (left > 0) {
        day += step;
        left -= norm_is_business_day(day) ? 1 : 0;
    }
    return day;
}

uint32_t norm_business_days(int32_t first_day, int32_t last_day)
{
    uint32_t sum = 0;

    for (int32_t day = first_day; day <= last_day; day++) {
        sum += norm_is_business_day(day) ? 1 : 0;
    }
    return sum;
}

/* ---- peak hours ---- */

static const struct {
    enum norm_zone_id zone;
    uint8_t first_hour; /* of the 16, by its beginning */
    bool has_saturday;
} peaks[NORM_PEAK_COUNT] = {
    [NORM_PEAK_EASTERN] = {NORM_ZONE_EASTERN, 7, false},
    [NORM_PEAK_MISO] = {NORM_ZONE_EST, 6, false},
    [NORM_PEAK_CENTRAL] = {NORM_ZONE_CENTRAL, 6, false},
    [NORM_PEAK_WESTERN] = {NORM_ZONE_PACIFIC, 6, true},
};

enum kind { WEEKDAY, SATURDAY, SUNDAY, KINDS };

struct block {
    const char *name;
    bool has_peak_hours[KINDS];  /* the 16 */
    bool has_other_hours[KINDS]; /* the 8, or 7, or 9 */
};

static const struct block blocks[NORM_BLOCK_COUNT] = {
    [NORM_BLOCK_7X24] = {"7x24", {true, true, true}, {true, true, true}},
    [NORM_BLOCK_5X16] = {"5x16", {true, false, false}, {false, false, false}},
    [NORM_BLOCK_2X16] = {"2x16", {false, true, true}, {false, false, false}},
    [NORM_BLOCK_7X16] = {"7x16", {true, true, true}, {false, false, false}},
    [NORM_BLOCK_7X8] = {"7x8", {false, false, false}, {true, true, true}},
    [NORM_BLOCK_5X8] = {"5x8", {false, false, false}, {true, false, false}},
    [NORM_BLOCK_2X24] = {"2x24", {false, true, true}, {false, true, true}},
    [NORM_BLOCK_6X16] = {"6x16", {true, true, false}, {false, false, false}},
    [NORM_BLOCK_HLH] = {"hlh", {true, true, false}, {false, false, false}},
    [NORM_BLOCK_LLH] = {"llh", {false, false, true}, {true, true, true}},
    /* As five days; where Saturday is one of the rule's days, HLH and LLH stand for these. */
    [NORM_BLOCK_ON_PEAK] = {"on_peak", {true, false, false}, {false, false, false}},
    [NORM_BLOCK_OFF_PEAK] = {"off_peak", {false, true, true}, {true, true, true}},
};

enum norm_peak norm_iso_peak(enum norm_iso iso)
{
    static const enum norm_peak of_iso[NORM_ISO_COUNT] = {
        [NORM_CAISO] = NORM_PEAK_WESTERN, [NORM_MISO] = NORM_PEAK_MISO,     [NORM_SPP] = NORM_PEAK_CENTRAL,
        [NORM_PJM] = NORM_PEAK_EASTERN,   [NORM_ERCOT] = NORM_PEAK_CENTRAL, [NORM_ISONE] = NORM_PEAK_EASTERN,
        [NORM_NYISO] = NORM_PEAK_EASTERN,
    };

    return of_iso[iso];
}

enum norm_zone_id norm_peak_zone_id(enum norm_peak peak)
{
    return peaks[peak].zone;
}

const char *norm_block_name(enum norm_block block)
{
    return blocks[block].name;
}

static const struct block *block_by_rule(enum norm_peak peak, enum norm_block block)
{
    if (peaks[peak].has_saturday && block == NORM_BLOCK_ON_PEAK) {
        return &blocks[NORM_BLOCK_HLH];
    }
    if (peaks[peak].has_saturday && block == NORM_BLOCK_OFF_PEAK) {
        return &blocks[NORM_BLOCK_LLH];
    }
    return &blocks[block];
}

static enum kind kind_of(int32_t day)
{
    enum norm_weekday weekday = norm_weekday_of(day);

    if (weekday == NORM_SUNDAY || norm_nerc_holiday(day) != NORM_HOLIDAY_NONE) {
        return SUNDAY;
    }
    return weekday == NORM_SATURDAY ? SATURDAY : WEEKDAY;
}

bool norm_block_has(const struct norm_zones *zones, enum norm_peak peak, enum norm_block block, int64_t utc_s)
{
    const struct block *rule = block_by_rule(peak, block);
    int64_t local_s = norm_zone_local(&zones->by_id[peaks[peak].zone], utc_s);
    enum kind kind = kind_of(norm_local_day(local_s));
    int32_t hour = norm_local_second(local_s) / NORM_HOUR_S;
    bool is_peak_hour = hour >= peaks[peak].first_hour && hour < peaks[peak].first_hour + PEAK_HOURS;

    return is_peak_hour ? rule->has_peak_hours[kind] : rule->has_other_hours[kind];
}

struct hr_status norm_block_hours(const struct norm_zones *zones, enum norm_peak peak, enum norm_block block,
                                  int32_t first_day, int32_t last_day, uint32_t *n_hours)
{
    const struct block *rule = block_by_rule(peak, block);
    uint32_t sum = 0;

    if (last_day < first_day || (int64_t)last_day - first_day >= DAYS_MAX) {
        return hr_status_of(HR_MALFORMED);
    }
    for (int32_t day = first_day; day <= last_day; day++) {
        struct norm_market_day market_day;

        HR_TRY(norm_market_day_of(&zones->by_id[peaks[peak].zone], day, &market_day));
        enum kind kind = kind_of(day);

        if (market_day.n_hours == HOURS_A_DAY) {
            sum += rule->has_peak_hours[kind] ? PEAK_HOURS : 0;
            sum += rule->has_other_hours[kind] ? HOURS_A_DAY - PEAK_HOURS : 0;
            continue;
        }
        for (uint32_t i = 0; i < market_day.n_hours; i++) {
            int64_t utc_s = market_day.start_utc_s + (int64_t)i * NORM_HOUR_S;

            sum += norm_block_has(zones, peak, block, utc_s) ? 1 : 0;
        }
    }
    *n_hours = sum;
    return hr_ok();
}
