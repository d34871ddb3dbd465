/* SPDX-License-Identifier: Apache-2.0
 *
 * The board's memory on an SD card. A card takes blocks whole; a program changes some bytes of one, and the
 * block that was touched last is kept in RAM. What a block reads is what was written to it, so blank is
 * erased. */
#include "boards/family/board.h"
#include "boards/family/nor.h"
#include "boards/family/sd_card.h"

#include <string.h>

enum { SECTOR_BYTES = 4096, UNIT_BYTES = 8, MAX_BYTES = 1 << 30, NO_BLOCK = -1 };

_Static_assert((int)BOARD_NOR_FILL_BYTES == (int)BOARD_SD_BLOCK_BYTES, "a fill is whole blocks");

static uint8_t cached[BOARD_SD_BLOCK_BYTES];
static int32_t cached_block = NO_BLOCK;
static bool failed; /* board_flash wakes the card before it gives it out again */

static bool load(uint32_t block)
{
    if (cached_block == (int32_t)block) {
        return true;
    }
    cached_block = NO_BLOCK;
    if (!board_sd_read(block, cached)) {
        failed = true;
        return false;
    }
    cached_block = (int32_t)block;
    return true;
}

static bool store(uint32_t block)
{
    cached_block = NO_BLOCK;
    if (!board_sd_write(block, cached)) {
        failed = true;
        return false;
    }
    cached_block = (int32_t)block;
    return true;
}

static bool card_read(uint32_t address, void *out, uint32_t len_bytes)
{
    uint8_t *bytes = out;
    while (len_bytes > 0) {
        uint32_t at = address % BOARD_SD_BLOCK_BYTES;
        uint32_t n = BOARD_SD_BLOCK_BYTES - at < len_bytes ? BOARD_SD_BLOCK_BYTES - at : len_bytes;
        if (!load(address / BOARD_SD_BLOCK_BYTES)) {
            return false;
        }
        memcpy(bytes, cached + at, n);
        address += n;
        bytes += n;
        len_bytes -= n;
    }
    return true;
}

static bool card_write(uint32_t address, const void *data, uint32_t len_bytes)
{
    const uint8_t *bytes = data;
    while (len_bytes > 0) {
        uint32_t at = address % BOARD_SD_BLOCK_BYTES;
        uint32_t n = BOARD_SD_BLOCK_BYTES - at < len_bytes ? BOARD_SD_BLOCK_BYTES - at : len_bytes;
        if (!load(address / BOARD_SD_BLOCK_BYTES)) {
            return false;
        }
        memcpy(cached + at, bytes, n);
        if (!store(address / BOARD_SD_BLOCK_BYTES)) {
            return false;
        }
        address += n;
        bytes += n;
        len_bytes -= n;
    }
    return true;
}

static bool card_fill(uint32_t address, uint32_t len_bytes)
{
    memset(cached, 0xFF, sizeof cached);
    for (uint32_t at = 0; at < len_bytes; at += BOARD_SD_BLOCK_BYTES) {
        if (!store((address + at) / BOARD_SD_BLOCK_BYTES)) {
            return false;
        }
    }
    return true;
}

static const struct board_nor_medium card = {.read = card_read, .write = card_write, .fill = card_fill};

const struct port_flash *board_flash(void)
{
    static struct board_nor nor = {.medium = &card};
    const bool is_new = nor.port.n_sectors == 0;
    if (is_new || failed) {
        uint32_t n_blocks;
        if (!board_sd_start(&n_blocks)) {
            return NULL;
        }
        cached_block = NO_BLOCK;
        failed = false;
        uint32_t max_blocks = MAX_BYTES / BOARD_SD_BLOCK_BYTES;
        uint32_t n_sectors =
            (n_blocks < max_blocks ? n_blocks : max_blocks) / (SECTOR_BYTES / BOARD_SD_BLOCK_BYTES);
        if (!is_new && n_sectors != nor.port.n_sectors) {
            failed = true; /* another card, and what is known of the first one is in use */
            return NULL;
        }
        nor.port.sector_bytes = SECTOR_BYTES;
        nor.port.n_sectors = n_sectors;
        nor.port.program_unit_bytes = UNIT_BYTES;
        nor.port.erased_reads_are_true = true;
        board_nor_start(&nor);
    }
    return &nor.port;
}
