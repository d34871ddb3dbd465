/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/sections.h"

static const struct conf_field rotation_fields[] = {
    {.key = "record_key_max_age",
     .type = CONF_DURATION,
     CONF_AT(struct config_rotation, record_key_max_age_ms),
     .fallback = "0",
     .help = "A device whose record key is that old, or up to a tenth less, is asked for another; 0: never. "
             "730d is two years."},
};

const struct conf_table config_rotation_table = {CONF_FIELDS(rotation_fields)};
