/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that the processor sees as RAM and that outlives it: QEMU keeps the PSRAM of an MPS2 in a file. It
 * stands for raw NOR flash, so what reads blank is not taken for erased. */
#include "boards/family/board.h"
#include "boards/family/nor.h"
#include "boards/family/psram.h"

#include <string.h>

static bool psram_read(uint32_t address, void *out, uint32_t len_bytes)
{
    memcpy(out, board_psram + address, len_bytes);
    return true;
}

static bool psram_write(uint32_t address, const void *data, uint32_t len_bytes)
{
    memcpy(board_psram + address, data, len_bytes);
    /* Whoever hears that it is written must find it there, even when the emulator is killed. */
    __asm volatile("dsb" ::: "memory");
    return true;
}

static bool psram_fill(uint32_t address, uint32_t len_bytes)
{
    memset(board_psram + address, 0xFF, len_bytes);
    __asm volatile("dsb" ::: "memory");
    return true;
}

static const struct board_nor_medium psram = {.read = psram_read, .write = psram_write, .fill = psram_fill};

enum { SECTOR_BYTES = 4096, UNIT_BYTES = 8 };

const struct port_flash *board_flash(void)
{
    static struct board_nor nor = {.medium = &psram};
    nor.port.sector_bytes = SECTOR_BYTES;
    nor.port.n_sectors = board_psram_bytes / SECTOR_BYTES;
    nor.port.program_unit_bytes = UNIT_BYTES;
    board_nor_start(&nor);
    return &nor.port;
}
