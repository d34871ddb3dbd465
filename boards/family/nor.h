/* SPDX-License-Identifier: Apache-2.0
 *
 * port_flash over a medium that could be overwritten at will: the rules of NOR flash are kept here. A
 * caller whose address or length breaks one meets an assert; an erase after which the sector does not read
 * FF, and a program where it does not, are HR_IO and change nothing more. A driver fills the medium and gives
 * out its port. */
#ifndef BOARD_NOR_H
#define BOARD_NOR_H

#include "firmware/port/port_flash.h"

enum { BOARD_NOR_FILL_BYTES = 512, BOARD_NOR_UNIT_MAX_BYTES = 32 };

/* How bytes reach the medium; all return false when it failed. What `write` and `fill` were given is durable
 * when they return. */
struct board_nor_medium {
    bool (*read)(uint32_t address, void *out, uint32_t len_bytes);
    bool (*write)(uint32_t address, const void *data, uint32_t len_bytes);
    /* Sets to FF; both numbers are multiples of BOARD_NOR_FILL_BYTES. */
    bool (*fill)(uint32_t address, uint32_t len_bytes);
};

struct board_nor {
    struct port_flash port; /* geometry by the driver, the rest by board_nor_start */
    const struct board_nor_medium *medium;
};

/* Completes nor->port. */
void board_nor_start(struct board_nor *nor);

#endif
