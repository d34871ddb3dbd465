/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/zone.h"
#include "aggregator/normalize/calendar/rule.h"

#include <string.h>

static int64_t within_calendar(int64_t utc_s)
{
    if (utc_s < NORM_TIME_MIN_S) {
        return NORM_TIME_MIN_S;
    }
    return utc_s > NORM_TIME_MAX_S ? NORM_TIME_MAX_S : utc_s;
}

static bool is_in_calendar(int64_t time_s)
{
    return time_s == within_calendar(time_s);
}

/* How many transitions lie at or before the instant. */
static uint32_t transitions_before(const struct norm_zone *zone, int64_t utc_s)
{
    uint32_t low = 0;
    uint32_t high = zone->n_transitions;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (zone->at_s[middle] <= utc_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct norm_zone_type *norm_zone_at(const struct norm_zone *zone, int64_t utc_s)
{
    utc_s = within_calendar(utc_s);
    uint32_t n_before = transitions_before(zone, utc_s);

    if (zone->has_rule && n_before == zone->n_transitions) {
        return norm_rule_at(zone, utc_s);
    }
    return &zone->types[n_before == 0 ? 0 : zone->type[n_before - 1]];
}

int64_t norm_zone_local(const struct norm_zone *zone, int64_t utc_s)
{
    utc_s = within_calendar(utc_s);
    return utc_s + norm_zone_at(zone, utc_s)->offset_s;
}

/* ---- from wall clock to instant ---- */

/* The instants found so far, rising; of more than two the earliest two are kept. */
struct found {
    uint32_t n;
    int64_t *utc_s;
};

static void found_put(struct found *found, int64_t utc_s)
{
    uint32_t at = 0;

    while (at < found->n && found->utc_s[at] < utc_s) {
        at++;
    }
    if (at == 2 || (at < found->n && found->utc_s[at] == utc_s)) {
        return;
    }
    if (at == 0 && found->n > 0) {
        found->utc_s[1] = found->utc_s[0];
    }
    found->utc_s[at] = utc_s;
    found->n = found->n == 2 ? 2 : found->n + 1;
}

/* An offset that the zone has at some time gives one instant, and it is one if the offset holds there. */
static void offset_try(const struct norm_zone *zone, const struct norm_zone_type *type, int64_t local_s,
                       struct found *found)
{
    int64_t utc_s = local_s - type->offset_s;

    if (norm_zone_at(zone, utc_s)->offset_s == type->offset_s) {
        found_put(found, utc_s);
    }
}

uint32_t norm_zone_instants(const struct norm_zone *zone, int64_t local_s, int64_t utc_s[2])
{
    struct found found = {0, utc_s};

    if (!is_in_calendar(local_s)) {
        return 0;
    }
    for (uint32_t i = 0; i < zone->n_types; i++) {
        offset_try(zone, &zone->types[i], local_s, &found);
    }
    if (zone->has_rule) {
        offset_try(zone, &zone->standard, local_s, &found);
    }
    if (zone->rule_has_dst) {
        offset_try(zone, &zone->daylight, local_s, &found);
    }
    return found.n;
}

const char *norm_fault_name(enum norm_fault fault)
{
    static const char *const names[] = {
        [NORM_FAULT_NONE] = "none",           [NORM_FAULT_NONEXISTENT] = "nonexistent",
        [NORM_FAULT_AMBIGUOUS] = "ambiguous", [NORM_FAULT_NOT_REPEATED] = "not_repeated",
        [NORM_FAULT_LABEL] = "label",
    };

    return names[fault];
}

static struct hr_status fail(enum norm_fault why, enum norm_fault *fault)
{
    *fault = why;
    return hr_status_of(HR_MALFORMED);
}

static struct hr_status succeed(int64_t found_s, int64_t *utc_s, enum norm_fault *fault)
{
    *utc_s = found_s;
    *fault = NORM_FAULT_NONE;
    return hr_ok();
}

struct hr_status norm_zone_utc(const struct norm_zone *zone, int64_t local_s, enum norm_fold fold,
                               int64_t *utc_s, enum norm_fault *fault)
{
    int64_t instants[2] = {0, 0};
    uint32_t n = norm_zone_instants(zone, local_s, instants);

    if (n == 0) {
        return fail(is_in_calendar(local_s) ? NORM_FAULT_NONEXISTENT : NORM_FAULT_LABEL, fault);
    }
    if (n == 1 && fold == NORM_FOLD_SECOND) {
        return fail(NORM_FAULT_NOT_REPEATED, fault);
    }
    if (n == 2 && fold == NORM_FOLD_UNKNOWN) {
        return fail(NORM_FAULT_AMBIGUOUS, fault);
    }
    return succeed(instants[fold == NORM_FOLD_SECOND ? 1 : 0], utc_s, fault);
}

struct hr_status norm_zone_utc_after(const struct norm_zone *zone, int64_t local_s, int64_t after_utc_s,
                                     int64_t *utc_s, enum norm_fault *fault)
{
    int64_t instants[2] = {0, 0};
    uint32_t n = norm_zone_instants(zone, local_s, instants);

    if (n == 0) {
        return fail(is_in_calendar(local_s) ? NORM_FAULT_NONEXISTENT : NORM_FAULT_LABEL, fault);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (instants[i] > after_utc_s) {
            return succeed(instants[i], utc_s, fault);
        }
    }
    return fail(NORM_FAULT_NOT_REPEATED, fault);
}

struct hr_status norm_zone_utc_named(const struct norm_zone *zone, int64_t local_s,
                                     struct hr_bytes abbreviation, int64_t *utc_s, enum norm_fault *fault)
{
    int64_t instants[2] = {0, 0};
    uint32_t n = norm_zone_instants(zone, local_s, instants);

    if (n == 0) {
        return fail(is_in_calendar(local_s) ? NORM_FAULT_NONEXISTENT : NORM_FAULT_LABEL, fault);
    }
    for (uint32_t i = 0; i < n; i++) {
        const char *name = norm_zone_at(zone, instants[i])->abbreviation;

        if (strlen(name) == abbreviation.len_bytes &&
            memcmp(name, abbreviation.data, abbreviation.len_bytes) == 0) {
            return succeed(instants[i], utc_s, fault);
        }
    }
    return fail(NORM_FAULT_NOT_REPEATED, fault);
}
