/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/embedded.h"
#include "aggregator/schema_registry/schema.h"

#include <stdio.h>
#include <string.h>

struct hr_status schema_text(const char *name, struct hr_bytes *out)
{
    for (const struct schema_embedded *schema = schema_embedded; schema->name != NULL; schema++) {
        if (strcmp(schema->name, name) == 0) {
            *out = schema->text;
            return hr_ok();
        }
    }
    return hr_status_of(HR_NOT_FOUND);
}

bool schema_nth(size_t nth, const char **name, struct hr_bytes *text)
{
    for (size_t i = 0; schema_embedded[i].name != NULL; i++) {
        if (i == nth) {
            *name = schema_embedded[i].name;
            *text = schema_embedded[i].text;
            return true;
        }
    }
    return false;
}

struct hr_status schema_offline_id(const char *name, uint32_t version, uint32_t *schema_id)
{
    for (const struct schema_offline *known = schema_offline; known->name != NULL; known++) {
        if (known->version == version && strcmp(known->name, name) == 0) {
            *schema_id = known->id;
            return hr_ok();
        }
    }
    return hr_status_of(HR_NOT_FOUND);
}

/* The text of an older version has the name "<schema>.<version>"; the newest has the schema's. */
static const char *text_name_of(const struct schema_offline *known)
{
    char old[96];

    (void)snprintf(old, sizeof(old), "%s.%u", known->name, (unsigned)known->version);
    for (const struct schema_embedded *schema = schema_embedded; schema->name != NULL; schema++) {
        if (strcmp(schema->name, old) == 0) {
            return schema->name;
        }
    }
    return known->name;
}

struct hr_status schema_offline_name(uint32_t schema_id, const char **name)
{
    for (const struct schema_offline *known = schema_offline; known->name != NULL; known++) {
        if (known->id == schema_id) {
            *name = text_name_of(known);
            return hr_ok();
        }
    }
    return hr_status_of(HR_NOT_FOUND);
}
