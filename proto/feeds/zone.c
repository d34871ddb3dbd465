/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/zone.h"

#include <stddef.h>
#include <string.h>

enum { DAY_S = 86400, HOUR_S = 3600, MIN_NAME_CHARS = 3 };

/* ---- dates: the proleptic Gregorian calendar, days from 1970-01-01 ---- */

static int64_t days_of(int32_t year, uint32_t month, uint32_t day)
{
    /* Years from March, so that the leap day is the last of its year. */
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t month_from_march = (int64_t)((month + 9) % 12);
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static void date_of(int64_t days, struct feeds_local *out)
{
    int64_t from_march_0 = days + 719468;
    int64_t era = from_march_0 / 146097;
    int64_t day_of_era = from_march_0 % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    out->day = (uint8_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->month = (uint8_t)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    out->year = (int32_t)(year_of_era + era * 400 + (out->month <= 2 ? 1 : 0));
}

int64_t feeds_utc_ms(int32_t year, uint32_t month, uint32_t day, uint32_t second_of_day)
{
    return (days_of(year, month, day) * DAY_S + (int64_t)second_of_day) * 1000;
}

/* ---- the rule ---- */

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool skip_name(const char **at)
{
    const char *start = *at;
    if (*start == '<') {
        const char *end = strchr(start, '>');
        *at = end == NULL ? start : end + 1;
        return end != NULL;
    }
    while (is_letter(**at)) {
        (*at)++;
    }
    return *at - start >= MIN_NAME_CHARS;
}

static bool read_number(const char **at, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    const char *start = *at;
    for (; is_digit(**at) && value <= max; (*at)++) {
        value = value * 10 + (uint32_t)(**at - '0');
    }
    *out = value;
    return *at != start && value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(const char **at, int32_t *out_s)
{
    bool is_negative = **at == '-';
    *at += **at == '-' || **at == '+' ? 1 : 0;
    uint32_t hours = 0;
    uint32_t parts[2] = {0, 0};
    if (!read_number(at, 24, &hours)) {
        return false;
    }
    for (uint32_t i = 0; i < 2 && **at == ':'; i++) {
        (*at)++;
        if (!read_number(at, 59, &parts[i])) {
            return false;
        }
    }
    int32_t total_s = (int32_t)(hours * HOUR_S + parts[0] * 60 + parts[1]);
    *out_s = is_negative ? -total_s : total_s;
    return true;
}

static bool skip(const char **at, char wanted)
{
    bool found = **at == wanted;
    *at += found ? 1 : 0;
    return found;
}

/* ,Mm.w.d[/time] */
static bool read_change(const char **at, struct feeds_zone_change *out)
{
    uint32_t month = 0;
    uint32_t week = 0;
    uint32_t weekday = 0;
    if (!skip(at, ',') || !skip(at, 'M') || !read_number(at, 12, &month) || !skip(at, '.') ||
        !read_number(at, 5, &week) || !skip(at, '.') || !read_number(at, 6, &weekday) || month == 0 ||
        week == 0) {
        return false;
    }
    *out = (struct feeds_zone_change){(uint8_t)month, (uint8_t)week, (uint8_t)weekday, 2 * HOUR_S};
    return !skip(at, '/') || read_time(at, &out->at_s);
}

struct hr_status feeds_zone_parse(const char *rule, struct feeds_zone *out)
{
    struct feeds_zone zone = {.has_summer = false};
    const char *at = rule;
    int32_t west_s = 0;
    if (!skip_name(&at) || !read_time(&at, &west_s)) {
        return hr_status_of(HR_MALFORMED);
    }
    zone.standard_s = -west_s;
    zone.summer_s = zone.standard_s;
    if (*at != '\0') {
        zone.has_summer = true;
        zone.summer_s = zone.standard_s + HOUR_S;
        if (!skip_name(&at)) {
            return hr_status_of(HR_MALFORMED);
        }
        if (*at != ',') {
            if (!read_time(&at, &west_s)) {
                return hr_status_of(HR_MALFORMED);
            }
            zone.summer_s = -west_s;
        }
        if (!read_change(&at, &zone.begins) || !read_change(&at, &zone.ends) || *at != '\0') {
            return hr_status_of(HR_MALFORMED);
        }
        bool by_night = zone.begins.at_s >= HOUR_S && zone.ends.at_s > HOUR_S && zone.begins.at_s < DAY_S &&
                        zone.ends.at_s < DAY_S && zone.summer_s == zone.standard_s + HOUR_S &&
                        zone.begins.month < zone.ends.month;
        if (!by_night) {
            return hr_status_of(HR_MALFORMED);
        }
    }
    *out = zone;
    return hr_ok();
}

/* ---- local time ---- */

/* The moment of a change of that year, by a clock that stands offset_s east of UTC. */
static int64_t change_s(const struct feeds_zone_change *change, int32_t year, int32_t offset_s)
{
    int64_t first = days_of(year, change->month, 1);
    int64_t weekday_of_first = (first + 4) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = first + (change->weekday + 7 - weekday_of_first) % 7 + (int64_t)7 * (change->week - 1);
    int64_t next_month = change->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, change->month + 1u, 1);
    day -= day >= next_month ? 7 : 0;
    return day * DAY_S + change->at_s - offset_s;
}

static int64_t seconds_of(int64_t utc_ms)
{
    return utc_ms / 1000;
}

struct feeds_local feeds_zone_local(const struct feeds_zone *zone, int64_t utc_ms)
{
    int64_t utc_s = seconds_of(utc_ms);
    int32_t offset_s = zone->standard_s;
    struct feeds_local local = {.year = 0};
    date_of((utc_s + zone->standard_s) / DAY_S, &local);
    if (zone->has_summer) {
        int64_t begins_s = change_s(&zone->begins, local.year, zone->standard_s);
        int64_t ends_s = change_s(&zone->ends, local.year, zone->summer_s);
        bool is_summer = utc_s >= begins_s && utc_s < ends_s;
        offset_s = is_summer ? zone->summer_s : zone->standard_s;
        local.is_repeated = utc_s >= ends_s && utc_s < ends_s + (zone->summer_s - zone->standard_s);
    }
    int64_t local_s = utc_s + offset_s;
    date_of(local_s / DAY_S, &local);
    int64_t of_day = local_s % DAY_S;
    local.hour = (uint8_t)(of_day / HOUR_S);
    local.minute = (uint8_t)(of_day / 60 % 60);
    local.second = (uint8_t)(of_day % 60);
    return local;
}

/* The moment at which the local clock shows midnight of that day. */
static int64_t midnight_ms(const struct feeds_zone *zone, int64_t day)
{
    int64_t at_standard_ms = (day * DAY_S - zone->standard_s) * 1000;
    int64_t at_summer_ms = (day * DAY_S - zone->summer_s) * 1000;
    struct feeds_local local = feeds_zone_local(zone, at_summer_ms);
    return local.hour == 0 ? at_summer_ms : at_standard_ms;
}

int64_t feeds_zone_day_start_ms(const struct feeds_zone *zone, int64_t utc_ms)
{
    struct feeds_local local = feeds_zone_local(zone, utc_ms);
    return midnight_ms(zone, days_of(local.year, local.month, local.day));
}

int64_t feeds_zone_next_day_ms(const struct feeds_zone *zone, int64_t utc_ms)
{
    struct feeds_local local = feeds_zone_local(zone, utc_ms);
    return midnight_ms(zone, days_of(local.year, local.month, local.day) + 1);
}
