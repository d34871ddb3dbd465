/* SPDX-License-Identifier: Apache-2.0
 *
 * What a feed's rows must be: the `rules:` of schemas/feeds/<name>.yaml. A row that breaks one is told, never
 * dropped; aggregator/normalize/quality looks. Everything is by value. [any] */
#ifndef FEEDS_RULES_H
#define FEEDS_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FEEDS_RULES_MAX_REQUIRED = 8,
    FEEDS_RULES_MAX_RANGES = 6,
    FEEDS_RULES_MAX_ALLOWED = 4,
    FEEDS_RULES_MAX_VALUES = 12, /* of one field */
    FEEDS_FIELD_CHARS = 16,      /* of a field's name, with its NUL */
    FEEDS_VALUE_CHARS = 24,      /* of an allowed value, with its NUL */
    FEEDS_RULES_MAX_LOCATIONS = 4,
};

/* Fields of a row, as its event has them: numbers, then texts, then instants and counts. */
enum feeds_field {
    FEEDS_FIELD_VALUE,
    FEEDS_FIELD_ENERGY,
    FEEDS_FIELD_CONGESTION,
    FEEDS_FIELD_LOSS,
    FEEDS_FIELD_GHG,
    FEEDS_FIELD_LIMIT,
    FEEDS_FIELD_MARKET,
    FEEDS_FIELD_LOCATION_TYPE,
    FEEDS_FIELD_LOCATION_ID,
    FEEDS_FIELD_LOCATION_NAME,
    FEEDS_FIELD_REGION,
    FEEDS_FIELD_SUBJECT,
    FEEDS_FIELD_CURVE_ROLE,
    FEEDS_FIELD_UNIT,
    FEEDS_FIELD_CONTINGENCY,
    FEEDS_FIELD_PUBLISHED,
    FEEDS_FIELD_VERSION,
    FEEDS_FIELD_COUNT, /* also: no field */
};

#define FEEDS_FIELD_FIRST_TEXT FEEDS_FIELD_MARKET

/* "value", "location_type" ...; static storage. */
const char *feeds_field_name(enum feeds_field field);
/* FEEDS_FIELD_COUNT: there is no field of that name. */
enum feeds_field feeds_field_of(const char *name);

struct feeds_range {
    enum feeds_field field; /* a number */
    double min;             /* both in it */
    double max;
};

struct feeds_allowed {
    uint32_t nth_text; /* the field is FEEDS_FIELD_FIRST_TEXT + this */
    uint32_t n_values;
    char values[FEEDS_RULES_MAX_VALUES][FEEDS_VALUE_CHARS]; /* one that ends in * allows what begins so */
};

struct feeds_rules {
    uint32_t n_required;
    char required[FEEDS_RULES_MAX_REQUIRED][FEEDS_FIELD_CHARS]; /* names of fields */
    uint32_t n_ranges;
    struct feeds_range ranges[FEEDS_RULES_MAX_RANGES];
    uint32_t n_allowed;
    struct feeds_allowed allowed[FEEDS_RULES_MAX_ALLOWED];
    bool is_monotone; /* the rows of a series don't go back in time within a document */
    struct {
        uint32_t
            every_ms;    /* 0: no such rule. A document has each interval of its market day in each series, */
        bool is_growing; /* or, of a day that isn't over, each up to the newest that the document has */
    } complete;
    struct {
        double floor; /* the least spread that is assumed, in the unit of value; 0: no statistics */
        uint32_t n_locations;
        char locations[FEEDS_RULES_MAX_LOCATIONS][FEEDS_FIELD_CHARS]; /* types that are watched; none: all */
    } statistics;
};

#endif
