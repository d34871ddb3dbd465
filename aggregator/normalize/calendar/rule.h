/* SPDX-License-Identifier: Apache-2.0
 *
 * The POSIX rule in the footer of a TZif file: "PST8PDT,M3.2.0,M11.1.0". Within calendar only. [any] */
#ifndef NORM_RULE_H
#define NORM_RULE_H

#include "aggregator/normalize/calendar/zone.h"

enum { NORM_OFFSET_MIN_S = -89999, NORM_OFFSET_MAX_S = 93599 }; /* RFC 9636 section 3.2 */

/* Fills the zone's rule; an empty text is no rule. HR_MALFORMED: none that RFC 9636 section 3.3 allows, such
 * as daylight time without its turns. HR_FULL: a longer abbreviation than a zone holds. The zone's rule is
 * then undefined. */
HR_MUST_USE struct hr_status norm_rule_parse(struct hr_bytes text, struct norm_zone *zone);

/* What the rule says of an instant. The zone has one. */
const struct norm_zone_type *norm_rule_at(const struct norm_zone *zone, int64_t utc_s);

/* Copies an abbreviation of letters, digits, + and -. HR_MALFORMED, HR_FULL as above. */
HR_MUST_USE struct hr_status norm_abbreviation_put(struct hr_bytes text,
                                                   char out[NORM_ZONE_ABBREVIATION_CHARS]);

#endif
