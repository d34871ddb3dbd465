/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the memory of flash_psram.c is: board.c. */
#ifndef BOARD_PSRAM_H
#define BOARD_PSRAM_H

#include <stdint.h>

extern uint8_t *const board_psram;
extern const uint32_t board_psram_bytes;

#endif
