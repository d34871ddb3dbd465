/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/file/rules.h"

#include "proto/feeds/rules.h"

#include <string.h>

/* As the names of rules.c, in the order of enum feeds_field. */
static const char *const numbers[] = {"value", "energy", "congestion", "loss", "ghg", "limit_mw", NULL};
static const char *const texts[] = {"market",  "location_type", "location_id", "location_name", "region",
                                    "subject", "curve_role",    "unit",        "contingency",   NULL};

static const char *check_field(const char *text)
{
    return feeds_field_of(text) != FEEDS_FIELD_COUNT
               ? NULL
               : "is no field of a row: value, energy, congestion, loss, ghg, limit_mw, market, "
                 "location_type, location_id, location_name, region, subject, curve_role, unit, contingency, "
                 "published_at, source_version";
}

static const char *check_value(const char *text)
{
    const char *star = strchr(text, '*');
    return star == NULL || (star[1] == '\0' && star != text) ? NULL
                                                             : "* stands at the end only, behind a beginning";
}

static void check_range(const void *section, struct conf_place *place)
{
    const struct feeds_range *range = section;
    if (range->min > range->max) {
        conf_complain(place, "min", "is above max: no value would do");
    }
}

static void check_complete(const void *section, struct conf_place *place)
{
    const struct feeds_rules *rules = section;
    uint32_t every_ms = rules->complete.every_ms;
    if (every_ms == 0 && rules->complete.is_growing) {
        conf_complain(place, "growing", "needs every: the length of an interval");
    }
    if (every_ms != 0 && (every_ms < 300000 || every_ms % 60000 != 0 || 3600000 % every_ms != 0)) {
        conf_complain(place, "every",
                      "must be whole minutes, at least five, and divide an hour: 5m, 15m, 30m, 1h");
    }
}

static void check_statistics(const void *section, struct conf_place *place)
{
    const struct feeds_rules *rules = section;
    if (rules->statistics.floor < 0) {
        conf_complain(place, "floor", "is below 0");
    }
    if (rules->statistics.n_locations > 0 && !(rules->statistics.floor > 0)) {
        conf_complain(place, "locations", "needs a floor above 0: without it there are no statistics");
    }
}

static void check_rules(const void *section, struct conf_place *place)
{
    const struct feeds_rules *rules = section;
    for (uint32_t i = 0; i < rules->n_ranges; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (rules->ranges[i].field == rules->ranges[j].field) {
                conf_complain(place, "range", "%s has two ranges", feeds_field_name(rules->ranges[i].field));
            }
        }
    }
}

static const struct conf_field range_fields[] = {
    {.key = "field",
     .type = CONF_ENUM,
     CONF_AT(struct feeds_range, field),
     .required = true,
     .names = numbers,
     .help = "A number of the row."},
    {.key = "min",
     .type = CONF_REAL,
     CONF_AT(struct feeds_range, min),
     .required = true,
     .help = "The least that is right."},
    {.key = "max",
     .type = CONF_REAL,
     CONF_AT(struct feeds_range, max),
     .required = true,
     .help = "The greatest that is right."},
};
static const struct conf_table range_table = {CONF_FIELDS(range_fields), .check = check_range};

static const struct conf_field allowed_fields[] = {
    {.key = "field",
     .type = CONF_ENUM,
     CONF_AT(struct feeds_allowed, nth_text),
     .required = true,
     .names = texts,
     .help = "A text of the row."},
    {.key = "values",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct feeds_allowed, values, n_values),
     .required = true,
     .min = 1,
     .check_text = check_value,
     .help = "What it may be; one that ends in * allows what begins so."},
};
static const struct conf_table allowed_table = {CONF_FIELDS(allowed_fields)};

/* Offsets from the start of struct feeds_rules. */
static const struct conf_field complete_fields[] = {
    {.key = "every",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_rules, complete.every_ms),
     .max = 3600000,
     .help = "The length of an interval of the market day."},
    {.key = "growing",
     .type = CONF_BOOL,
     CONF_AT(struct feeds_rules, complete.is_growing),
     .fallback = "false",
     .help = "true: the newest day may go on; up to the newest interval in the document none is missing."},
};
static const struct conf_table complete_table = {CONF_FIELDS(complete_fields), .check = check_complete};

static const struct conf_field statistics_fields[] = {
    {.key = "floor",
     .type = CONF_REAL,
     CONF_AT(struct feeds_rules, statistics.floor),
     .fallback = "0",
     .help = "The least spread of a series, in the unit of value, that is assumed; 0: no statistics."},
    {.key = "locations",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct feeds_rules, statistics.locations, statistics.n_locations),
     .help = "Types of locations that are watched, such as hub; none: all."},
};
static const struct conf_table statistics_table = {CONF_FIELDS(statistics_fields), .check = check_statistics};

static const struct conf_field rules_fields[] = {
    {.key = "required",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct feeds_rules, required, n_required),
     .check_text = check_field,
     .help = "Fields that every row has."},
    {.key = "range",
     .type = CONF_LIST,
     CONF_LIST_AT(struct feeds_rules, ranges, n_ranges),
     .table = &range_table,
     .help = "Between what numbers must be, where they are there."},
    {.key = "allowed",
     .type = CONF_LIST,
     CONF_LIST_AT(struct feeds_rules, allowed, n_allowed),
     .table = &allowed_table,
     .help = "What texts may be."},
    {.key = "monotone",
     .type = CONF_BOOL,
     CONF_AT(struct feeds_rules, is_monotone),
     .fallback = "false",
     .help = "true: the rows of a series don't go back in time within a document."},
    {.key = "complete",
     .type = CONF_SECTION,
     .offset_bytes = 0,
     .size_bytes = sizeof(struct feeds_rules),
     .capacity = 1,
     .count_offset_bytes = CONF_NOWHERE,
     .table = &complete_table,
     .help = "Of each market day in a document each series has all intervals."},
    {.key = "statistics",
     .type = CONF_SECTION,
     .offset_bytes = 0,
     .size_bytes = sizeof(struct feeds_rules),
     .capacity = 1,
     .count_offset_bytes = CONF_NOWHERE,
     .table = &statistics_table,
     .help = "Values far from what their series lets expect are marked."},
};
const struct conf_table feeds_rules_table = {CONF_FIELDS(rules_fields), .check = check_rules};
