/* SPDX-License-Identifier: Apache-2.0
 *
 * schemas/avro as of the build (embed.cmake makes the definitions). Private to the room. */
#ifndef SCHEMA_EMBEDDED_H
#define SCHEMA_EMBEDDED_H

#include "proto/base/bytes.h"

struct schema_embedded {
    const char *name; /* NULL ends the table */
    struct hr_bytes text;
};

struct schema_offline {
    const char *name; /* NULL ends the table */
    uint32_t version;
    uint32_t id;
};

extern const struct schema_embedded schema_embedded[];
extern const struct schema_offline schema_offline[];

#endif
