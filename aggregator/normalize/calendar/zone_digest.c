/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/market.h"
#include "proto/base/digest.h"

static uint64_t add_type(uint64_t digest, const struct norm_zone_type *type)
{
    digest = hr_digest_number(digest, (uint64_t)(int64_t)type->offset_s);
    digest = hr_digest_number(digest, type->is_dst);
    return hr_digest_text(digest, type->abbreviation);
}

static uint64_t add_turn(uint64_t digest, const struct norm_zone_turn *turn)
{
    digest = hr_digest_number(digest, (uint64_t)turn->kind);
    digest = hr_digest_number(digest, turn->day);
    digest = hr_digest_number(digest, turn->month);
    digest = hr_digest_number(digest, turn->week);
    return hr_digest_number(digest, (uint64_t)(int64_t)turn->at_s);
}

/* The last transition and the rule stand for all years to come; files that only spell the rule out further
 * ("fat" ones) have another digest, and the same hours. */
static uint64_t add_zone(uint64_t digest, const struct norm_zone *zone)
{
    digest = hr_digest_text(digest, zone->name);
    digest = hr_digest_number(digest, zone->n_types);
    for (uint32_t i = 0; i < zone->n_types; i++) {
        digest = add_type(digest, &zone->types[i]);
    }
    digest = hr_digest_number(digest, zone->n_transitions);
    for (uint32_t i = 0; i < zone->n_transitions; i++) {
        digest = hr_digest_number(digest, (uint64_t)zone->at_s[i]);
        digest = hr_digest_number(digest, zone->type[i]);
    }
    digest = hr_digest_number(digest, zone->has_rule);
    if (!zone->has_rule) {
        return digest;
    }
    digest = add_type(digest, &zone->standard);
    digest = hr_digest_number(digest, zone->rule_has_dst);
    if (zone->rule_has_dst) {
        digest = add_type(digest, &zone->daylight);
        digest = add_turn(digest, &zone->to_daylight);
        digest = add_turn(digest, &zone->to_standard);
    }
    return digest;
}

uint64_t norm_zones_digest(const struct norm_zones *zones)
{
    uint64_t digest = HR_DIGEST_START;
    for (uint32_t id = 0; id < NORM_ZONE_COUNT; id++) {
        digest = add_zone(digest, &zones->by_id[id]);
    }
    return digest;
}
