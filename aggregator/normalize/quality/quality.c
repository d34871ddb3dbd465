/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/quality/quality.h"

#include "aggregator/normalize/quality/row.h"
#include "aggregator/normalize/quality/series.h"
#include "proto/base/assert.h"

struct norm_quality {
    const struct feeds_rules *rules;
    const struct norm_zones *zones;
    const struct norm_quality_sink *sink;
    struct norm_quality_counts *counts;
    enum feeds_field required[FEEDS_RULES_MAX_REQUIRED];
    uint64_t n_rows; /* of the document so far; likewise: */
    uint32_t n_told[NORM_QUALITY_RULE_COUNT];
    struct norm_market_day day; /* of the row before; one without length: none */
    struct quality_table table;
};

size_t norm_quality_bytes(void)
{
    return sizeof(struct norm_quality);
}

struct norm_quality *norm_quality_in(void *memory)
{
    return memory;
}

const char *norm_quality_rule_name(enum norm_quality_rule rule)
{
    static const char *const NAMES[] = {"required", "range", "allowed", "monotone", "complete"};
    HR_ASSERT((size_t)rule < HR_ARRAY_LEN(NAMES));
    return NAMES[rule];
}

void norm_quality_begin(struct norm_quality *quality, const struct feeds_rules *rules,
                        const struct norm_zones *zones, const struct norm_quality_sink *sink,
                        struct norm_quality_counts *counts)
{
    quality->rules = rules;
    quality->zones = zones;
    quality->sink = sink;
    quality->counts = counts;
    quality->n_rows = 0;
    quality->day = (struct norm_market_day){.n_hours = 0};
    quality->table.n_series = 0;
    counts->n_documents++;
    for (size_t i = 0; i < NORM_QUALITY_RULE_COUNT; i++) {
        quality->n_told[i] = 0;
    }
    for (uint32_t i = 0; i < rules->n_required; i++) {
        quality->required[i] = feeds_field_of(rules->required[i]);
    }
}

static void tell(struct norm_quality *quality, const struct norm_quality_breach *breach)
{
    quality->counts->n_breaches[breach->rule]++;
    if (quality->n_told[breach->rule] < NORM_QUALITY_TOLD_MAX && quality->sink->breach != NULL) {
        quality->n_told[breach->rule]++;
        quality->sink->breach(quality->sink->ctx, breach);
    }
}

static void tell_row(struct norm_quality *quality, enum norm_quality_rule rule, enum feeds_field field,
                     const struct norm_iso_row *row, const char *text)
{
    tell(quality, &(struct norm_quality_breach){.rule = rule,
                                                .field = field,
                                                .row = row,
                                                .location = row->location_id,
                                                .nth = quality->n_rows,
                                                .start_s = row->start_s,
                                                .text = text});
}

static void check_required(struct norm_quality *quality, const struct norm_iso_row *row)
{
    for (uint32_t i = 0; i < quality->rules->n_required; i++) {
        enum feeds_field field = quality->required[i];
        if (field != FEEDS_FIELD_COUNT && !norm_quality_has(row, field)) {
            struct quality_text text = {.len = 0};
            norm_quality_put(&text, feeds_field_name(field));
            norm_quality_put(&text, " is missing");
            tell_row(quality, NORM_QUALITY_REQUIRED, field, row, text.chars);
        }
    }
}

static void check_ranges(struct norm_quality *quality, const struct norm_iso_row *row)
{
    for (uint32_t i = 0; i < quality->rules->n_ranges; i++) {
        const struct feeds_range *range = &quality->rules->ranges[i];
        double number = 0;
        if (norm_quality_number(row, range->field, &number) &&
            !(number >= range->min && number <= range->max)) {
            struct quality_text text = {.len = 0};
            norm_quality_put(&text, feeds_field_name(range->field));
            norm_quality_put(&text, " is ");
            norm_quality_put_number(&text, number, 3);
            norm_quality_put(&text, ", right is ");
            norm_quality_put_number(&text, range->min, 3);
            norm_quality_put(&text, " to ");
            norm_quality_put_number(&text, range->max, 3);
            tell_row(quality, NORM_QUALITY_RANGE, range->field, row, text.chars);
        }
    }
}

static void check_allowed(struct norm_quality *quality, const struct norm_iso_row *row)
{
    for (uint32_t i = 0; i < quality->rules->n_allowed; i++) {
        const struct feeds_allowed *allowed = &quality->rules->allowed[i];
        enum feeds_field field = (enum feeds_field)(FEEDS_FIELD_FIRST_TEXT + (int)allowed->nth_text);
        struct hr_bytes found = norm_quality_text(row, field);
        /* What is not there is the business of `required`. */
        if (found.len_bytes > 0 && !norm_quality_is_allowed(allowed, found)) {
            char value[NORM_QUALITY_LOCATION_CHARS];
            size_t len = 0;
            for (; len < found.len_bytes && len + 1 < sizeof value; len++) {
                uint8_t c = found.data[len];
                value[len] = c >= 0x20 && c < 0x7F ? (char)c : '?';
            }
            value[len] = '\0';
            struct quality_text text = {.len = 0};
            norm_quality_put(&text, feeds_field_name(field));
            norm_quality_put(&text, " is none of the allowed: ");
            norm_quality_put(&text, value);
            tell_row(quality, NORM_QUALITY_ALLOWED, field, row, text.chars);
        }
    }
}

/* The market day of an instant. Rows of a day mostly stand together. */
static bool find_day(struct norm_quality *quality, const struct norm_iso_row *row)
{
    const struct norm_market_day *day = &quality->day;
    if (day->n_hours != 0 && row->start_s >= day->start_utc_s && row->start_s < day->end_utc_s) {
        return true;
    }
    return hr_is_ok(
        norm_market_day_at(norm_iso_zone(quality->zones, row->feed->iso), row->start_s, &quality->day));
}

static void see_interval(struct norm_quality *quality, uint64_t name, const struct norm_iso_row *row)
{
    uint32_t every_min = quality->rules->complete.every_ms / 60000;
    struct norm_interval interval;
    uint32_t nth = 0;
    bool is_of_day = find_day(quality, row) &&
                     hr_is_ok(norm_day_interval_at(&quality->day, every_min, row->start_s, &nth)) &&
                     hr_is_ok(norm_day_interval(&quality->day, every_min, nth, &interval)) &&
                     interval.start_utc_s == row->start_s && interval.end_utc_s == row->end_s;
    if (!is_of_day) {
        tell_row(quality, NORM_QUALITY_COMPLETE, FEEDS_FIELD_COUNT, row, "is no interval of its market day");
        return;
    }
    struct quality_series *series =
        norm_quality_find(&quality->table, name, quality->day.day, row, quality->n_rows);
    if (series == NULL) {
        quality->counts->n_unwatched++;
        return;
    }
    norm_quality_see(series, nth);
}

static void check_order(struct norm_quality *quality, uint64_t name, const struct norm_iso_row *row)
{
    struct quality_series *series =
        norm_quality_find(&quality->table, name, QUALITY_NO_DAY, row, quality->n_rows);
    if (series == NULL) {
        quality->counts->n_unwatched++;
        return;
    }
    if (row->start_s < series->last_s) {
        tell_row(quality, NORM_QUALITY_MONOTONE, FEEDS_FIELD_COUNT, row,
                 "goes back in time behind an earlier row of its series");
        return;
    }
    series->last_s = row->start_s;
}

void norm_quality_row(struct norm_quality *quality, const struct norm_iso_row *row)
{
    bool is_complete = quality->rules->complete.every_ms != 0;
    quality->n_rows++;
    quality->counts->n_rows++;
    check_required(quality, row);
    check_ranges(quality, row);
    check_allowed(quality, row);
    uint64_t name = quality->rules->is_monotone || is_complete ? norm_quality_series(row) : 0;
    if (quality->rules->is_monotone) {
        check_order(quality, name, row);
    }
    if (is_complete) {
        see_interval(quality, name, row);
    }
}

/* How far the newest day of a document goes. */
struct reach {
    int32_t day;
    uint32_t newest; /* its latest interval in any series */
};

static struct reach reach_of(const struct quality_table *table)
{
    struct reach reach = {.day = QUALITY_NO_DAY};
    for (uint32_t i = 0; i < table->n_series; i++) {
        const struct quality_series *series = &table->series[i];
        if (series->day > reach.day) {
            reach = (struct reach){series->day, series->newest};
        } else if (series->day == reach.day && series->newest > reach.newest) {
            reach.newest = series->newest;
        }
    }
    return reach;
}

static void check_series(struct norm_quality *quality, const struct quality_series *series,
                         const struct reach *reach)
{
    const uint32_t every_min = quality->rules->complete.every_ms / 60000;
    struct norm_market_day day;
    struct norm_interval missing;
    if (series->day == QUALITY_NO_DAY ||
        !hr_is_ok(norm_market_day_of(quality->day.zone, series->day, &day))) {
        return;
    }
    bool may_go_on = quality->rules->complete.is_growing && series->day == reach->day;
    uint32_t n_expected = may_go_on ? reach->newest + 1 : norm_day_intervals(&day, every_min);
    uint32_t first = norm_quality_first_unseen(series, n_expected);
    if (first == n_expected || !hr_is_ok(norm_day_interval(&day, every_min, first, &missing))) {
        return;
    }
    struct quality_text text = {.len = 0};
    norm_quality_put_number(&text, n_expected - series->n_seen, 0);
    norm_quality_put(&text, " of ");
    norm_quality_put_number(&text, n_expected, 0);
    norm_quality_put(&text, " intervals of its market day are missing, the first is number ");
    norm_quality_put_number(&text, first + 1.0, 0);
    tell(quality,
         &(struct norm_quality_breach){.rule = NORM_QUALITY_COMPLETE,
                                       .field = FEEDS_FIELD_COUNT,
                                       .location = hr_bytes_of(series->location, series->location_len),
                                       .nth = series->first_row,
                                       .start_s = missing.start_utc_s,
                                       .text = text.chars});
}

void norm_quality_end(struct norm_quality *quality)
{
    if (quality->rules->complete.every_ms == 0 || quality->day.n_hours == 0) {
        return;
    }
    const struct reach reach = reach_of(&quality->table);
    for (uint32_t i = 0; i < quality->table.n_series; i++) {
        check_series(quality, &quality->table.series[i], &reach);
    }
}
