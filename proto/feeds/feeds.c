/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/feeds.h"

#include "proto/base/assert.h"

#include <string.h>

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

const char *feeds_expect_name(enum feeds_expect expect)
{
    static const char *const names[] = {"any", "zip", "json", "csv", "xml"};
    HR_ASSERT((size_t)expect < HR_ARRAY_LEN(names));
    return names[expect];
}

/* The first byte behind white space and a byte order mark; 0: there is none. */
static uint8_t first_of(const uint8_t *bytes, size_t len_bytes)
{
    size_t at = len_bytes >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (at < len_bytes && (bytes[at] == ' ' || (bytes[at] >= '\t' && bytes[at] <= '\r'))) {
        at++;
    }
    return at < len_bytes ? bytes[at] : 0;
}

bool feeds_body_is(enum feeds_expect expect, const void *body, size_t len_bytes)
{
    uint8_t first = expect == FEEDS_ANY ? 0 : first_of(body, len_bytes);
    switch (expect) {
    case FEEDS_ANY:
        return true;
    case FEEDS_ZIP:
        return len_bytes >= 4 && memcmp(body, "PK", 2) == 0;
    case FEEDS_JSON:
        return first == '{' || first == '[';
    case FEEDS_CSV:
        return first != 0 && first != '<' && first != '{' && first != '[';
    case FEEDS_XML:
        break;
    }
    return first == '<';
}
