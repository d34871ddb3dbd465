/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/nor.h"

#include "boards/family/board.h"
#include "boards/family/cut.h"
#include "proto/base/assert.h"

#include <string.h>

enum { BLANK = 0xFF, TORN_BITS_KEPT = 0xA5 };

static uint32_t n_operations;

uint32_t board_flash_operations(void)
{
    return n_operations;
}

static struct hr_status outcome(bool done)
{
    return hr_status_of(done ? HR_OK : HR_IO);
}

static uint32_t total_bytes(const struct board_nor *nor)
{
    return nor->port.sector_bytes * nor->port.n_sectors;
}

static struct hr_status nor_read(void *ctx, uint32_t address, void *out, uint32_t len_bytes)
{
    const struct board_nor *nor = ctx;
    HR_ASSERT(address <= total_bytes(nor) && len_bytes <= total_bytes(nor) - address);
    board_watchdog_work();
    return outcome(nor->medium->read(address, out, len_bytes));
}

/* Every byte of the range reads FF. */
static bool reads_blank(const struct board_nor *nor, uint32_t address, uint32_t len_bytes)
{
    uint8_t bytes[BOARD_NOR_UNIT_MAX_BYTES];
    while (len_bytes > 0) {
        uint32_t n = len_bytes < sizeof bytes ? len_bytes : (uint32_t)sizeof bytes;
        if (!nor->medium->read(address, bytes, n)) {
            return false;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (bytes[i] != BLANK) {
                return false;
            }
        }
        address += n;
        len_bytes -= n;
    }
    return true;
}

/* Half of the units, and of the next one half of the bytes and some bits of the others. */
static bool write_torn(const struct board_nor *nor, uint32_t address, const uint8_t *data, uint32_t len_bytes)
{
    uint32_t unit_bytes = nor->port.program_unit_bytes;
    uint32_t whole_bytes = len_bytes / unit_bytes / 2 * unit_bytes;
    uint8_t unit[BOARD_NOR_UNIT_MAX_BYTES];
    for (uint32_t i = 0; i < unit_bytes; i++) {
        uint8_t byte = data[whole_bytes + i];
        unit[i] = i < unit_bytes / 2 ? byte : (uint8_t)(byte | TORN_BITS_KEPT);
    }
    return nor->medium->write(address, data, whole_bytes) &&
           nor->medium->write(address + whole_bytes, unit, unit_bytes);
}

static struct hr_status nor_program(void *ctx, uint32_t address, const void *data, uint32_t len_bytes)
{
    const struct board_nor *nor = ctx;
    uint32_t unit_bytes = nor->port.program_unit_bytes;
    HR_ASSERT(len_bytes > 0 && address % unit_bytes == 0 && len_bytes % unit_bytes == 0);
    HR_ASSERT(address <= total_bytes(nor) && len_bytes <= total_bytes(nor) - address);
    HR_ASSERT(address / nor->port.sector_bytes == (address + len_bytes - 1) / nor->port.sector_bytes);
    board_watchdog_work();
    /* Not blank is a caller's fault or the medium's: nothing here can tell which, and nothing is written. */
    if (!reads_blank(nor, address, len_bytes)) {
        return outcome(false);
    }
    enum board_cut cut = board_cut_at(++n_operations);
    bool done =
        cut == BOARD_CUT_BEFORE || (cut == BOARD_CUT_TORN ? write_torn(nor, address, data, len_bytes)
                                                          : nor->medium->write(address, data, len_bytes));
    if (cut != BOARD_CUT_NONE) {
        board_cut_power();
    }
    return outcome(done);
}

/* The first half of the sector is blank; behind it some bits of BOARD_NOR_FILL_BYTES have gone up. */
static bool fill_torn(const struct board_nor *nor, uint32_t sector)
{
    uint32_t half_bytes = nor->port.sector_bytes / 2;
    uint32_t address = sector * nor->port.sector_bytes;
    bool done = nor->medium->fill(address, half_bytes);
    address += half_bytes;
    for (uint32_t at = 0; done && at < BOARD_NOR_FILL_BYTES; at += BOARD_NOR_UNIT_MAX_BYTES) {
        uint8_t bytes[BOARD_NOR_UNIT_MAX_BYTES];
        done = nor->medium->read(address + at, bytes, sizeof bytes);
        for (uint32_t i = 0; i < sizeof bytes; i++) {
            bytes[i] |= TORN_BITS_KEPT;
        }
        done = done && nor->medium->write(address + at, bytes, sizeof bytes);
    }
    return done;
}

static struct hr_status nor_erase(void *ctx, uint32_t sector)
{
    const struct board_nor *nor = ctx;
    HR_ASSERT(sector < nor->port.n_sectors);
    board_watchdog_work();
    enum board_cut cut = board_cut_at(++n_operations);
    uint32_t sector_bytes = nor->port.sector_bytes;
    bool done = cut == BOARD_CUT_BEFORE ||
                (cut == BOARD_CUT_TORN ? fill_torn(nor, sector)
                                       : nor->medium->fill(sector * sector_bytes, sector_bytes));
    if (cut != BOARD_CUT_NONE) {
        board_cut_power();
    }
    return outcome(done && reads_blank(nor, sector * sector_bytes, sector_bytes));
}

static struct hr_status nor_sync(void *ctx)
{
    (void)ctx;
    return hr_ok();
}

void board_nor_start(struct board_nor *nor)
{
    HR_ASSERT(nor->port.program_unit_bytes <= BOARD_NOR_UNIT_MAX_BYTES);
    HR_ASSERT(nor->port.sector_bytes % (2 * BOARD_NOR_FILL_BYTES) == 0);
    nor->port.read = nor_read;
    nor->port.program = nor_program;
    nor->port.erase = nor_erase;
    nor->port.sync = nor_sync;
    nor->port.ctx = nor;
}
