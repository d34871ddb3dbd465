/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/feeds.h"

#include "proto/base/assert.h"

const char *feeds_iso_name(enum feeds_iso iso)
{
    static const char *const names[] = {"caiso", "miso", "spp", "pjm", "ercot", "isone", "nyiso"};
    HR_ASSERT((size_t)iso < HR_ARRAY_LEN(names));
    return names[iso];
}

const char *feeds_product_name(enum feeds_product product)
{
    static const char *const names[] = {"rt_lmp",   "da_lmp",     "da_schedule", "load",
                                        "fuel_mix", "wind_solar", "outage",      "constraint"};
    HR_ASSERT((size_t)product < HR_ARRAY_LEN(names));
    return names[product];
}
