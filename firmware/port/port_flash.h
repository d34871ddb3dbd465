/* SPDX-License-Identifier: Apache-2.0
 *
 * Flash under NOR rules: an erase sets a sector to FF, each program unit is programmed at most once between
 * two erases, and a cut may leave any operation half done. A gateway's port keeps the same rules over a file.
 */
#ifndef PORT_FLASH_H
#define PORT_FLASH_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <stdbool.h>

struct port_flash {
    uint32_t sector_bytes;       /* erase granularity; a multiple of program_unit_bytes */
    uint32_t n_sectors;          /* at least 4 */
    uint32_t program_unit_bytes; /* 1, 2, 4, 8, 16 or 32 */
    /* True when a unit that reads erased is erased (files). False for raw cells, where a half-programmed unit
     * may read FF now and not later: the spool then never appends behind an unclean tail. */
    bool erased_reads_are_true;

    /* Fills out. HR_IO: the range can't be read (an ECC error, a bad block); out is undefined. [loop] */
    HR_MUST_USE struct hr_status (*read)(void *ctx, uint32_t address, void *out, uint32_t len_bytes);
    /* Programs whole units that are erased; address and length are multiples of the unit. It need not be
     * durable before sync. HR_IO: units of the range may hold anything. [loop] */
    HR_MUST_USE struct hr_status (*program)(void *ctx, uint32_t address, const void *data,
                                            uint32_t len_bytes);
    /* Sets one whole sector to FF. HR_IO: the sector may hold anything. [loop] */
    HR_MUST_USE struct hr_status (*erase)(void *ctx, uint32_t sector);
    /* When it returns HR_OK everything programmed and erased before survives a power cut. HR_IO: none of it
     * may be relied on, and the caller must not act as if a retry could tell (fsyncgate). May block. [loop]
     */
    HR_MUST_USE struct hr_status (*sync)(void *ctx);
    void *ctx;
};

#endif
