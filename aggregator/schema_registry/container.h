/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of an object container file: "Obj" 0x01, a map of metadata, a sync marker. Private to the room.
 */
#ifndef SCHEMA_CONTAINER_H
#define SCHEMA_CONTAINER_H

#include "aggregator/schema_registry/schema.h"

struct schema_container {
    uint8_t *bytes;         /* owned: schema_container_free */
    struct hr_bytes schema; /* into bytes */
    size_t len_bytes;       /* of the header, sync marker included */
    uint8_t sync[SCHEMA_SYNC_BYTES];
};

/* Reads the header from the start of the file. HR_CORRUPT: not a container, or of a codec other than "null".
 * HR_IO: the file can't be read. */
HR_MUST_USE struct hr_status schema_container_read(int fd, struct schema_container *out);
void schema_container_free(struct schema_container *header);

#endif
