/* SPDX-License-Identifier: Apache-2.0
 *
 * Time zones: an IANA zone read from the bytes of a TZif file (RFC 9636, versions 2 to 4 with the POSIX rule
 * of their footer, version 1 without), or an offset that never changes. A zone is plain data of the caller's:
 * it is filled once and read by any number of threads. Neither TZ, localtime nor any other state of the
 * process is looked at. Files are found by aggregator/zoneinfo. [any] */
#ifndef NORM_ZONE_H
#define NORM_ZONE_H

#include "aggregator/normalize/calendar/date.h"
#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum {
    NORM_ZONE_NAME_CHARS = 40,        /* with the NUL; the longest name in tzdata has 32 characters */
    NORM_ZONE_ABBREVIATION_CHARS = 8, /* with the NUL */
    NORM_ZONE_TRANSITIONS = 400,      /* the longest file of tzdata has 246 */
    NORM_ZONE_TYPES = 24,             /* the longest file of tzdata has 20 */
};

struct norm_zone_type {
    int32_t offset_s; /* local time is UTC plus this; below 26 hours either way */
    bool is_dst;
    char abbreviation[NORM_ZONE_ABBREVIATION_CHARS];
};

enum norm_turn {
    NORM_TURN_MONTH,  /* Mm.w.d: a weekday of a week of a month */
    NORM_TURN_JULIAN, /* Jn: a day of the year that 29 February doesn't move */
    NORM_TURN_DAY,    /* n: a day of the year, from 0 */
};

/* When the rule of a footer begins or ends daylight time, each year. */
struct norm_zone_turn {
    enum norm_turn kind;
    uint16_t day;  /* JULIAN: 1 to 365; DAY: 0 to 365; MONTH: weekday, 0 is Sunday */
    uint8_t month; /* MONTH: 1 to 12 */
    uint8_t week;  /* MONTH: 1 to 5, 5 is the last */
    int32_t at_s;  /* the wall clock of the turn, from that day's midnight; -167 to 167 hours */
};

/* Opaque to its users; its fields are what tests look at. */
struct norm_zone {
    char name[NORM_ZONE_NAME_CHARS];
    uint16_t n_transitions;
    uint8_t n_types; /* at least 1 */
    bool has_rule;   /* what holds after the last transition; without it, the last type does */
    bool rule_has_dst;
    struct norm_zone_type standard;
    struct norm_zone_type daylight;
    struct norm_zone_turn to_daylight;
    struct norm_zone_turn to_standard;
    struct norm_zone_type types[NORM_ZONE_TYPES];
    int64_t at_s[NORM_ZONE_TRANSITIONS]; /* UTC, rising */
    uint8_t type[NORM_ZONE_TRANSITIONS]; /* the type that begins there */
};

/* Reads a TZif file. `name` is kept in the zone, and must be shorter than NORM_ZONE_NAME_CHARS.
 *   HR_MALFORMED  the bytes are no TZif file, are cut short, or contradict themselves
 *   HR_FULL       more transitions or types, or longer abbreviations, than a zone holds; or leap seconds
 *                 ("right/" files), which Unix time has not
 * On failure *zone is as it was. */
HR_MUST_USE struct hr_status norm_zone_parse(struct hr_bytes tzif, const char *name, struct norm_zone *zone);

/* A zone without daylight time, such as MISO's EST: -5 * NORM_HOUR_S. Name and abbreviation must fit. */
void norm_zone_fixed(const char *name, const char *abbreviation, int32_t offset_s, struct norm_zone *zone);

/* What holds at an instant; borrowed from the zone. Instants outside NORM_TIME_MIN_S to NORM_TIME_MAX_S are
 * taken for the nearer of these. */
const struct norm_zone_type *norm_zone_at(const struct norm_zone *zone, int64_t utc_s);

/* What a wall clock of the zone shows at an instant; instants as above. */
int64_t norm_zone_local(const struct norm_zone *zone, int64_t utc_s);

/* ---- from wall clock to instant ---- */

/* Which pass of an hour that a clock shows twice. */
enum norm_fold {
    NORM_FOLD_UNKNOWN, /* the source doesn't say: an error in the repeated hour, and nowhere else */
    NORM_FOLD_FIRST,   /* the first, or the source's flag says "not repeated"; right in every hour of the year
                        */
    NORM_FOLD_SECOND,  /* the second; an error in an hour that isn't repeated */
};

/* What can be wrong with a local time. Every function that may fail this way fills a *fault, also on success.
 */
enum norm_fault {
    NORM_FAULT_NONE,
    NORM_FAULT_NONEXISTENT,  /* no clock of the zone ever shows it: the hour that daylight time skips */
    NORM_FAULT_AMBIGUOUS,    /* shown twice, and nothing says which one is meant */
    NORM_FAULT_NOT_REPEATED, /* said to be the second pass of an hour that has one */
    NORM_FAULT_LABEL,        /* not a label of that style or day at all: hour 26, minute 61, 30 February */
};

/* "none", "nonexistent", "ambiguous", "not_repeated", "label"; static storage. */
const char *norm_fault_name(enum norm_fault fault);

/* The instants at which a clock of the zone shows local_s, in rising order: 0, 1 or 2 of them. None for a
 * local_s outside NORM_TIME_MIN_S to NORM_TIME_MAX_S. */
uint32_t norm_zone_instants(const struct norm_zone *zone, int64_t local_s, int64_t utc_s[2]);

/* The one instant that is meant.
 *   HR_MALFORMED  *fault says why; *utc_s is as it was */
HR_MUST_USE struct hr_status norm_zone_utc(const struct norm_zone *zone, int64_t local_s, enum norm_fold fold,
                                           int64_t *utc_s, enum norm_fault *fault);

/* The same for files that tell repeated hours only by the order of their rows (NYISO, PJM's _ept): the
 * earliest instant after after_utc_s, which is that of the row before of the same series, or NORM_TIME_MIN_S
 * for its first row.
 *   HR_MALFORMED  NONEXISTENT; or NOT_REPEATED: the clock shows it at or before after_utc_s only */
HR_MUST_USE struct hr_status norm_zone_utc_after(const struct norm_zone *zone, int64_t local_s,
                                                 int64_t after_utc_s, int64_t *utc_s, enum norm_fault *fault);

/* The same for files that print the zone's abbreviation beside the time ("EST", "EDT").
 *   HR_MALFORMED  NONEXISTENT; or NOT_REPEATED: the clock shows it, but not under this abbreviation */
HR_MUST_USE struct hr_status norm_zone_utc_named(const struct norm_zone *zone, int64_t local_s,
                                                 struct hr_bytes abbreviation, int64_t *utc_s,
                                                 enum norm_fault *fault);

#endif
