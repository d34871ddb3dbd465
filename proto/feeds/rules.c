/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/rules.h"

#include "proto/base/assert.h"

#include <string.h>

static const char *const names[FEEDS_FIELD_COUNT] = {
    [FEEDS_FIELD_VALUE] = "value",
    [FEEDS_FIELD_ENERGY] = "energy",
    [FEEDS_FIELD_CONGESTION] = "congestion",
    [FEEDS_FIELD_LOSS] = "loss",
    [FEEDS_FIELD_GHG] = "ghg",
    [FEEDS_FIELD_LIMIT] = "limit_mw",
    [FEEDS_FIELD_MARKET] = "market",
    [FEEDS_FIELD_LOCATION_TYPE] = "location_type",
    [FEEDS_FIELD_LOCATION_ID] = "location_id",
    [FEEDS_FIELD_LOCATION_NAME] = "location_name",
    [FEEDS_FIELD_REGION] = "region",
    [FEEDS_FIELD_SUBJECT] = "subject",
    [FEEDS_FIELD_CURVE_ROLE] = "curve_role",
    [FEEDS_FIELD_UNIT] = "unit",
    [FEEDS_FIELD_CONTINGENCY] = "contingency",
    [FEEDS_FIELD_PUBLISHED] = "published_at",
    [FEEDS_FIELD_VERSION] = "source_version",
};

const char *feeds_field_name(enum feeds_field field)
{
    HR_ASSERT((size_t)field < HR_ARRAY_LEN(names));
    return names[field];
}

enum feeds_field feeds_field_of(const char *name)
{
    enum feeds_field field = FEEDS_FIELD_VALUE;
    while (field < FEEDS_FIELD_COUNT && strcmp(names[field], name) != 0) {
        field++;
    }
    return field;
}
