/* SPDX-License-Identifier: Apache-2.0
 *
 * The poll plan in a board's memory (proto/image/plan.h), read entry by entry, so that of a page of 4 KB none
 * but the entry at hand stands in RAM. [loop] */
#ifndef FW_PLAN_H
#define FW_PLAN_H

#include "firmware/port/port_flash.h"
#include "proto/image/plan.h"

struct fw_plan {
    const struct port_flash *memory; /* kept */
    uint32_t address;                /* of the page */
    struct image_plan_front front;
};

/* Where the next entry begins, and the bytes of the last one, from which its text is borrowed. */
struct fw_plan_cursor {
    uint32_t at; /* from the start of the page */
    uint8_t window[IMAGE_PLAN_ENTRY_MAX_BYTES];
};

/* Finds the first copy that checks, each entry of it included. HR_NOT_FOUND: there is none. HR_CORRUPT: what
 * is there fails its check. HR_MALFORMED: a format or an entry that this firmware does not know. HR_IO. */
HR_MUST_USE struct hr_status fw_plan_find(const struct port_flash *memory,
                                          const struct image_regions *regions, struct fw_plan *out);

/* Stands before the first unit. */
void fw_plan_rewind(struct fw_plan_cursor *cursor);

/* The next unit: front.n_units of them, then front.n_points points. HR_IO or HR_MALFORMED: the memory failed
 * since it was checked. */
HR_MUST_USE struct hr_status fw_plan_unit(const struct fw_plan *plan, struct fw_plan_cursor *cursor,
                                          struct image_plan_unit *out);
HR_MUST_USE struct hr_status fw_plan_point(const struct fw_plan *plan, struct fw_plan_cursor *cursor,
                                           struct image_plan_point *out);

#endif
