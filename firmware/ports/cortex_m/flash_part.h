/* SPDX-License-Identifier: Apache-2.0
 *
 * A run of sectors of a flash as a flash of its own. [loop] */
#ifndef PORT_FLASH_PART_H
#define PORT_FLASH_PART_H

#include "firmware/port/port_flash.h"

struct port_flash_part {
    struct port_flash port;
    const struct port_flash *whole;
    uint32_t first_sector;
};

/* `whole` is kept, and so is the part: port.ctx points to it. Asserts that the sectors are within. */
void port_flash_part_init(struct port_flash_part *part, const struct port_flash *whole, uint32_t first_sector,
                          uint32_t n_sectors);

#endif
