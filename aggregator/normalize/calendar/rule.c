/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/rule.h"
#include "proto/base/assert.h"

#include <string.h>

enum { ABBREVIATION_MIN = 3, OFFSET_HOURS_MAX = 24, TURN_HOURS_MAX = 167, TURN_DEFAULT_S = 2 * NORM_HOUR_S };

/* ---- reading ---- */

struct text {
    const uint8_t *at;
    const uint8_t *end;
};

static bool is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool next_is(const struct text *text, char c)
{
    return text->at < text->end && *text->at == (uint8_t)c;
}

static bool take(struct text *text, char c)
{
    bool is_there = next_is(text, c);

    text->at += is_there ? 1 : 0;
    return is_there;
}

/* 1 to 3 digits, min to max. */
static struct hr_status take_number(struct text *text, int32_t min, int32_t max, int32_t *number)
{
    int32_t sum = 0;
    uint32_t n_digits = 0;

    while (text->at < text->end && is_digit(*text->at) && n_digits < 3) {
        sum = sum * 10 + (*text->at - '0');
        text->at++;
        n_digits++;
    }
    if (n_digits == 0 || sum < min || sum > max) {
        return hr_status_of(HR_MALFORMED);
    }
    *number = sum;
    return hr_ok();
}

/* [+-]hh[:mm[:ss]] */
static struct hr_status take_hms(struct text *text, int32_t hours_max, int32_t *seconds)
{
    bool is_negative = take(text, '-');
    int32_t hours = 0;
    int32_t minutes = 0;
    int32_t rest = 0;

    if (!is_negative) {
        (void)take(text, '+');
    }
    HR_TRY(take_number(text, 0, hours_max, &hours));
    if (take(text, ':')) {
        HR_TRY(take_number(text, 0, 59, &minutes));
        if (take(text, ':')) {
            HR_TRY(take_number(text, 0, 59, &rest));
        }
    }
    int32_t sum = hours * NORM_HOUR_S + minutes * NORM_MINUTE_S + rest;

    *seconds = is_negative ? -sum : sum;
    return hr_ok();
}

struct hr_status norm_abbreviation_put(struct hr_bytes text, char out[NORM_ZONE_ABBREVIATION_CHARS])
{
    for (size_t i = 0; i < text.len_bytes; i++) {
        uint8_t c = text.data[i];

        if (!is_letter(c) && !is_digit(c) && c != '+' && c != '-') {
            return hr_status_of(HR_MALFORMED);
        }
    }
    if (text.len_bytes < ABBREVIATION_MIN) {
        return hr_status_of(HR_MALFORMED);
    }
    if (text.len_bytes >= NORM_ZONE_ABBREVIATION_CHARS) {
        return hr_status_of(HR_FULL);
    }
    memcpy(out, text.data, text.len_bytes);
    out[text.len_bytes] = '\0';
    return hr_ok();
}

/* Letters, or anything of an abbreviation in angle brackets. */
static struct hr_status take_name(struct text *text, char out[NORM_ZONE_ABBREVIATION_CHARS])
{
    bool is_quoted = take(text, '<');
    const uint8_t *from = text->at;

    while (text->at < text->end && (is_quoted ? *text->at != '>' : is_letter(*text->at))) {
        text->at++;
    }
    struct hr_bytes name = hr_bytes_of(from, (size_t)(text->at - from));

    if (is_quoted && !take(text, '>')) {
        return hr_status_of(HR_MALFORMED);
    }
    return norm_abbreviation_put(name, out);
}

static struct hr_status take_turn(struct text *text, struct norm_zone_turn *turn)
{
    int32_t day = 0;
    int32_t month = 0;
    int32_t week = 0;

    if (!take(text, ',')) {
        return hr_status_of(HR_MALFORMED);
    }
    if (take(text, 'M')) {
        turn->kind = NORM_TURN_MONTH;
        HR_TRY(take_number(text, 1, 12, &month));
        if (!take(text, '.')) {
            return hr_status_of(HR_MALFORMED);
        }
        HR_TRY(take_number(text, 1, 5, &week));
        if (!take(text, '.')) {
            return hr_status_of(HR_MALFORMED);
        }
        HR_TRY(take_number(text, 0, 6, &day));
    } else if (take(text, 'J')) {
        turn->kind = NORM_TURN_JULIAN;
        HR_TRY(take_number(text, 1, 365, &day));
    } else {
        turn->kind = NORM_TURN_DAY;
        HR_TRY(take_number(text, 0, 365, &day));
    }
    turn->day = (uint16_t)day;
    turn->month = (uint8_t)month;
    turn->week = (uint8_t)week;
    turn->at_s = TURN_DEFAULT_S;
    if (take(text, '/')) {
        HR_TRY(take_hms(text, TURN_HOURS_MAX, &turn->at_s));
    }
    return hr_ok();
}

struct hr_status norm_rule_parse(struct hr_bytes bytes, struct norm_zone *zone)
{
    struct text text = {bytes.data, bytes.data + bytes.len_bytes};
    int32_t west_s = 0; /* POSIX counts offsets to the west */

    zone->has_rule = bytes.len_bytes > 0;
    zone->rule_has_dst = false;
    if (!zone->has_rule) {
        return hr_ok();
    }
    zone->standard.is_dst = false;
    HR_TRY(take_name(&text, zone->standard.abbreviation));
    HR_TRY(take_hms(&text, OFFSET_HOURS_MAX, &west_s));
    zone->standard.offset_s = -west_s;
    if (text.at == text.end) {
        return hr_ok();
    }
    zone->rule_has_dst = true;
    zone->daylight.is_dst = true;
    HR_TRY(take_name(&text, zone->daylight.abbreviation));
    zone->daylight.offset_s = zone->standard.offset_s + NORM_HOUR_S;
    if (!next_is(&text, ',')) {
        HR_TRY(take_hms(&text, OFFSET_HOURS_MAX, &west_s));
        zone->daylight.offset_s = -west_s;
    }
    HR_TRY(take_turn(&text, &zone->to_daylight));
    HR_TRY(take_turn(&text, &zone->to_standard));
    return hr_status_of(text.at == text.end ? HR_OK : HR_MALFORMED);
}

/* ---- evaluation ---- */

static int32_t turn_day(const struct norm_zone_turn *turn, int32_t year)
{
    int32_t first_day = norm_day_of((struct norm_date){year, 1, 1});

    if (turn->kind == NORM_TURN_DAY) {
        return first_day + turn->day;
    }
    if (turn->kind == NORM_TURN_JULIAN) {
        bool is_behind_leap_day = turn->day >= 60 && norm_days_in_month(year, 2) == 29;

        return first_day + turn->day - (is_behind_leap_day ? 0 : 1);
    }
    int32_t of_month = norm_day_of((struct norm_date){year, turn->month, 1});
    int32_t weekday = (int32_t)norm_weekday_of(of_month) % 7; /* 0 is Sunday, as in the rule */
    int32_t day = (turn->day - weekday + 7) % 7 + 7 * (turn->week - 1);

    if (day >= norm_days_in_month(year, turn->month)) {
        day -= 7; /* there is no fifth one: the last is the fourth */
    }
    return of_month + day;
}

/* The instant of a turn, whose clock is that of what held before. */
static int64_t turn_utc(const struct norm_zone_turn *turn, int32_t year, int32_t offset_before_s)
{
    return (int64_t)turn_day(turn, year) * NORM_DAY_S + turn->at_s - offset_before_s;
}

const struct norm_zone_type *norm_rule_at(const struct norm_zone *zone, int64_t utc_s)
{
    HR_ASSERT(zone->has_rule);
    if (!zone->rule_has_dst) {
        return &zone->standard;
    }
    /* The last turn at or before the instant decides. A turn may be up to a week from its day, and so in
     * another year: look at three. Of two at the same instant the later year's counts, then daylight time: a
     * rule of daylight time all year ends each year when the next begins. */
    int32_t year = norm_date_of(norm_local_day(utc_s)).year;
    int64_t last_s = INT64_MIN;
    const struct norm_zone_type *type = &zone->standard;

    for (int32_t y = year - 1; y <= year + 1; y++) {
        if (y < 1 || y > 9999) {
            continue;
        }
        int64_t end_s = turn_utc(&zone->to_standard, y, zone->daylight.offset_s);
        int64_t begin_s = turn_utc(&zone->to_daylight, y, zone->standard.offset_s);

        if (end_s <= utc_s && end_s >= last_s) {
            last_s = end_s;
            type = &zone->standard;
        }
        if (begin_s <= utc_s && begin_s >= last_s) {
            last_s = begin_s;
            type = &zone->daylight;
        }
    }
    return type;
}
