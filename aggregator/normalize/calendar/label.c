/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/label.h"
#include "proto/base/assert.h"

#include <string.h>

enum { HOURS_A_DAY = 24, HOUR_NUMBER_MAX = 25, HOUR_MIN = 60 };

static struct hr_status fail(enum norm_fault why, enum norm_fault *fault)
{
    *fault = why;
    return hr_status_of(HR_MALFORMED);
}

/* ---- clocks ---- */

struct hr_status norm_label_interval(const struct norm_zone *zone, enum norm_label label, int64_t local_s,
                                     uint32_t interval_min, enum norm_fold fold,
                                     struct norm_interval *interval, enum norm_fault *fault)
{
    HR_ASSERT(interval_min > 0 && HOUR_MIN % interval_min == 0);
    int64_t len_s = (int64_t)interval_min * NORM_MINUTE_S;
    int64_t start_utc_s = 0;

    if (local_s < NORM_TIME_MIN_S || local_s > NORM_TIME_MAX_S) {
        return fail(NORM_FAULT_LABEL, fault);
    }
    HR_TRY(norm_zone_utc(zone, label == NORM_LABEL_ENDING ? local_s - len_s : local_s, fold, &start_utc_s,
                         fault));
    start_utc_s -= label == NORM_LABEL_END_CLOCK ? len_s : 0;
    interval->start_utc_s = start_utc_s;
    interval->end_utc_s = start_utc_s + len_s;
    return hr_ok();
}

/* ---- hours of a market day ---- */

/* A local hour and which pass of it; `has_pass` when the label says which. */
struct pass {
    int32_t hour; /* 0 to 23 */
    bool is_second;
    bool is_known;
};

static struct hr_status nth_of_pass(const struct norm_market_day *day, struct pass pass, uint32_t *nth,
                                    enum norm_fault *fault)
{
    bool is_repeated = pass.hour == day->repeated_hour;

    if (pass.hour == day->skipped_hour) {
        return fail(NORM_FAULT_NONEXISTENT, fault);
    }
    if (pass.is_second && !is_repeated) {
        return fail(NORM_FAULT_NOT_REPEATED, fault);
    }
    if (is_repeated && !pass.is_known) {
        return fail(NORM_FAULT_AMBIGUOUS, fault);
    }
    int32_t n_before = pass.hour;

    n_before += day->repeated_hour >= 0 && (pass.hour > day->repeated_hour || pass.is_second) ? 1 : 0;
    n_before -= day->skipped_hour >= 0 && pass.hour > day->skipped_hour ? 1 : 0;
    *nth = (uint32_t)n_before;
    return hr_ok();
}

/* Hours of the day before the one that is meant. */
static struct hr_status nth_of_number(const struct norm_market_day *day, enum norm_hours hours,
                                      uint32_t hour_ending, enum norm_fold fold, uint32_t *nth,
                                      enum norm_fault *fault)
{
    if (hour_ending < 1 || hour_ending > HOUR_NUMBER_MAX) {
        return fail(NORM_FAULT_LABEL, fault);
    }
    if (hours == NORM_HOURS_IN_ORDER) {
        if (hour_ending > day->n_hours) {
            return fail(hour_ending == HOUR_NUMBER_MAX ? NORM_FAULT_NOT_REPEATED : NORM_FAULT_NONEXISTENT,
                        fault);
        }
        *nth = hour_ending - 1;
        return hr_ok();
    }
    struct pass pass = {.hour = (int32_t)hour_ending - 1, .is_known = true};

    if (hours == NORM_HOURS_CLOCK) {
        pass.is_second = fold == NORM_FOLD_SECOND;
        pass.is_known = fold != NORM_FOLD_UNKNOWN;
    }
    if (hour_ending == HOUR_NUMBER_MAX) {
        if (hours == NORM_HOURS_CLOCK) {
            return fail(NORM_FAULT_LABEL, fault);
        }
        if (day->repeated_hour < 0) {
            return fail(NORM_FAULT_NOT_REPEATED, fault);
        }
        pass = (struct pass){.hour = day->repeated_hour, .is_second = true, .is_known = true};
    }
    return nth_of_pass(day, pass, nth, fault);
}

struct hr_status norm_hour_ending(const struct norm_market_day *market_day, enum norm_hours hours,
                                  uint32_t hour_ending, enum norm_fold fold, struct norm_interval *hour,
                                  enum norm_fault *fault)
{
    uint32_t nth = 0;

    HR_TRY(nth_of_number(market_day, hours, hour_ending, fold, &nth, fault));
    *fault = NORM_FAULT_NONE;
    return norm_day_interval(market_day, HOUR_MIN, nth, hour);
}

struct hr_status norm_hour_beginning(const struct norm_market_day *market_day, enum norm_hours hours,
                                     uint32_t hour_beginning, enum norm_fold fold, struct norm_interval *hour,
                                     enum norm_fault *fault)
{
    if (hour_beginning >= HOUR_NUMBER_MAX) {
        return fail(NORM_FAULT_LABEL, fault);
    }
    return norm_hour_ending(market_day, hours, hour_beginning + 1, fold, hour, fault);
}

struct hr_status norm_hour_part(const struct norm_interval *hour, uint32_t interval_min, uint32_t part,
                                struct norm_interval *interval, enum norm_fault *fault)
{
    HR_ASSERT(interval_min > 0 && HOUR_MIN % interval_min == 0);
    if (part < 1 || part > HOUR_MIN / interval_min) {
        return fail(NORM_FAULT_LABEL, fault);
    }
    int64_t len_s = (int64_t)interval_min * NORM_MINUTE_S;
    int64_t start_utc_s = hour->start_utc_s + (int64_t)(part - 1) * len_s;

    interval->start_utc_s = start_utc_s;
    interval->end_utc_s = start_utc_s + len_s;
    *fault = NORM_FAULT_NONE;
    return hr_ok();
}

struct hr_status norm_hour_ending_at(const struct norm_market_day *market_day, enum norm_hours hours,
                                     int64_t utc_s, uint32_t *hour_ending, enum norm_fold *fold)
{
    uint32_t nth = 0;

    HR_TRY(norm_day_interval_at(market_day, HOUR_MIN, utc_s, &nth));
    int32_t hour = (int32_t)nth;
    bool is_second = market_day->repeated_hour >= 0 && hour == market_day->repeated_hour + 1;

    hour -= market_day->repeated_hour >= 0 && hour > market_day->repeated_hour ? 1 : 0;
    hour += market_day->skipped_hour >= 0 && hour >= market_day->skipped_hour ? 1 : 0;
    *fold = is_second ? NORM_FOLD_SECOND : NORM_FOLD_FIRST;
    if (hours == NORM_HOURS_IN_ORDER) {
        *hour_ending = nth + 1;
    } else if (hours == NORM_HOURS_25_IS_REPEATED && is_second) {
        *hour_ending = HOUR_NUMBER_MAX;
    } else {
        *hour_ending = (uint32_t)hour + 1;
    }
    return hr_ok();
}

/* ---- flags ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct hr_bytes trimmed(struct hr_bytes text)
{
    while (text.len_bytes > 0 && is_blank(text.data[0])) {
        text.data++;
        text.len_bytes--;
    }
    while (text.len_bytes > 0 && is_blank(text.data[text.len_bytes - 1])) {
        text.len_bytes--;
    }
    return text;
}

static uint8_t upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
}

static bool is_word(struct hr_bytes text, const char *word)
{
    if (strlen(word) != text.len_bytes) {
        return false;
    }
    for (size_t i = 0; i < text.len_bytes; i++) {
        if (upper(text.data[i]) != (uint8_t)word[i]) {
            return false;
        }
    }
    return true;
}

struct hr_status norm_fold_of_flag(struct hr_bytes flag, enum norm_fold *fold)
{
    static const struct {
        const char *word;
        enum norm_fold fold;
    } words[] = {
        {"N", NORM_FOLD_FIRST},  {"Y", NORM_FOLD_SECOND},    {"FALSE", NORM_FOLD_FIRST},
        {"NO", NORM_FOLD_FIRST}, {"TRUE", NORM_FOLD_SECOND}, {"YES", NORM_FOLD_SECOND},
        {"F", NORM_FOLD_FIRST},  {"T", NORM_FOLD_SECOND},    {"0", NORM_FOLD_FIRST},
        {"1", NORM_FOLD_SECOND}, {"", NORM_FOLD_UNKNOWN},
    };
    struct hr_bytes word = trimmed(flag);

    for (size_t i = 0; i < HR_ARRAY_LEN(words); i++) {
        if (is_word(word, words[i].word)) {
            *fold = words[i].fold;
            return hr_ok();
        }
    }
    return hr_status_of(HR_MALFORMED);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

struct hr_status norm_hour_label_read(struct hr_bytes text, bool marks_repeated, uint32_t *hour_number,
                                      enum norm_fold *fold)
{
    struct hr_bytes label = trimmed(text);
    uint32_t number = 0;
    size_t at = 0;

    if (label.len_bytes >= 2 && is_word(hr_bytes_of(label.data, 2), "HE")) {
        at = 2;
        while (at < label.len_bytes && is_blank(label.data[at])) {
            at++;
        }
    }
    size_t digits_from = at;

    while (at < label.len_bytes && at - digits_from < 2 && is_digit(label.data[at])) {
        number = number * 10 + (uint32_t)(label.data[at] - '0');
        at++;
    }
    if (at == digits_from || number > HOUR_NUMBER_MAX) {
        return hr_status_of(HR_MALFORMED);
    }
    struct hr_bytes rest = hr_bytes_of(label.data + at, label.len_bytes - at);

    if (rest.len_bytes >= 3 && is_word(hr_bytes_of(rest.data, 3), ":00")) {
        rest = hr_bytes_of(rest.data + 3, rest.len_bytes - 3);
    }
    bool has_mark = is_word(rest, "X");

    if (rest.len_bytes > 0 && !(has_mark && marks_repeated)) {
        return hr_status_of(HR_MALFORMED);
    }
    *hour_number = number;
    *fold = marks_repeated ? NORM_FOLD_FIRST : NORM_FOLD_UNKNOWN;
    *fold = has_mark ? NORM_FOLD_SECOND : *fold;
    return hr_ok();
}
