/* SPDX-License-Identifier: Apache-2.0
 *
 * An SD card over SPI (SD Physical Layer Simplified Specification, chapter 7): blocks of 512 bytes. Every
 * wait ends: with a card that does not answer after at most half a second, with one that
 * does not wake after a second. All [loop]. */
#ifndef BOARD_SD_CARD_H
#define BOARD_SD_CARD_H

#include <stdbool.h>
#include <stdint.h>

enum { BOARD_SD_BLOCK_BYTES = 512 };

/* Wakes the card, also one that was awake and failed. False: there is none, or it is not understood. */
bool board_sd_start(uint32_t *n_blocks);
/* False: the card failed; out may hold anything. */
bool board_sd_read(uint32_t block, uint8_t out[BOARD_SD_BLOCK_BYTES]);
/* When it returns true the card has the block in its own flash. False: the block may hold anything. */
bool board_sd_write(uint32_t block, const uint8_t data[BOARD_SD_BLOCK_BYTES]);

#endif
