/* SPDX-License-Identifier: Apache-2.0
 *
 * What a board's memory was given before its first start: who it is, and the seed of its random numbers
 * (proto/image/image.h). Both stand in two copies, and a power cut at any moment leaves one that is whole.
 * [loop] */
#ifndef FW_PROVISION_H
#define FW_PROVISION_H

#include "firmware/port/port_flash.h"
#include "proto/image/image.h"
#include "proto/wire/hash.h"

/* Reads the newest identity that checks; `page` is kept, *out borrows from it. HR_NOT_FOUND: neither copy is
 * there. HR_CORRUPT: what is there fails its check. HR_MALFORMED: a format or a field that this firmware does
 * not know. HR_DENIED: made for memory that is divided otherwise. HR_IO: the memory can't be read. */
HR_MUST_USE struct hr_status fw_identity_read(const struct port_flash *memory,
                                              uint8_t page[IMAGE_IDENTITY_MAX_BYTES],
                                              struct image_identity *out);
/* As it, and tells which copy that is. */
HR_MUST_USE struct hr_status fw_identity_find(const struct port_flash *memory,
                                              uint8_t page[IMAGE_IDENTITY_MAX_BYTES],
                                              struct image_identity *out, uint32_t *copy);
/* Reads one copy, whatever the other is; codes as fw_identity_read. */
HR_MUST_USE struct hr_status fw_identity_read_copy(const struct port_flash *memory, uint32_t copy,
                                                   uint8_t page[IMAGE_IDENTITY_MAX_BYTES],
                                                   struct image_identity *out, uint16_t *len_bytes);

/* Gives a seed that no boot had before and none will have again: what stood in memory is wiped, and its
 * successor, from which it can't be computed, is durable before this returns. Call until it gives one, once a
 * boot. HR_NOT_FOUND: there is none, and nothing may need random numbers. HR_IO: the memory failed, likewise;
 * trying again may help. No copy of a seed stays on the stack; wipe `out` (hr_wipe) after use. */
HR_MUST_USE struct hr_status fw_seed_take(const struct port_flash *memory, const struct wire_hash *hash,
                                          uint8_t out[IMAGE_SEED_BYTES]);

#endif
