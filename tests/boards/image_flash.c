/* SPDX-License-Identifier: Apache-2.0
 *
 * The board's memory, as test_flash.py asks for it: do=... on the command line. Each program writes a pattern
 * that tells its operation, so that the host can judge the memory file. */
#include "boards/family/board.h"
#include "boards/family/command.h"
#include "boards/family/nor.h"
#include "boards/family/semihost.h"
#include "boards/family/text.h"
#include "proto/base/assert.h"
#include "proto/image/image.h"

#include <string.h>

enum { CHUNK_BYTES = 64, EXIT_FINE = 0, EXIT_WRONG = 1, EXIT_NO_MEMORY = 2, EXIT_FAULT = 3 };

static bool asked_for(const char *what)
{
    const char *value = board_command_value("do");
    return value != NULL && strncmp(value, what, strlen(what)) == 0;
}

static void need(bool true_thing, const char *what)
{
    if (!true_thing) {
        board_text("wrong: ");
        board_text(what);
        board_text("\r\n");
        board_semihost_exit(EXIT_WRONG);
    }
}

static void tell(const char *name, uint32_t value)
{
    board_text(name);
    board_text(" ");
    board_text_number(value);
    board_text("\r\n");
}

/* Erases, programs and reads back; a unit keeps what was programmed until the next erase. */
static void cycle(const struct port_flash *flash, uint32_t sector)
{
    uint8_t written[CHUNK_BYTES];
    uint8_t read[CHUNK_BYTES];
    uint32_t start = sector * flash->sector_bytes;
    need(hr_is_ok(flash->erase(flash->ctx, sector)), "erase");
    for (uint32_t at = 0; at < flash->sector_bytes; at += sizeof read) {
        need(hr_is_ok(flash->read(flash->ctx, start + at, read, sizeof read)), "read");
        for (uint32_t i = 0; i < sizeof read; i++) {
            need(read[i] == 0xFF, "an erased byte is not FF");
        }
        for (uint32_t i = 0; i < sizeof written; i++) {
            written[i] = (uint8_t)(at / sizeof written + i + sector);
        }
        need(hr_is_ok(flash->program(flash->ctx, start + at, written, sizeof written)), "program");
    }
    for (uint32_t at = 0; at < flash->sector_bytes; at += sizeof read) {
        need(hr_is_ok(flash->read(flash->ctx, start + at, read, sizeof read)), "read");
        for (uint32_t i = 0; i < sizeof read; i++) {
            need(read[i] == (uint8_t)(at / sizeof read + i + sector), "a byte is not what was programmed");
        }
    }
    need(hr_is_ok(flash->sync(flash->ctx)), "sync");
}

/* A bounded run of twelve operations in the first two sectors, for the sweep of cuts. */
static void bounded(const struct port_flash *flash)
{
    uint8_t data[CHUNK_BYTES];
    for (uint32_t sector = 0; sector < 2; sector++) {
        need(hr_is_ok(flash->erase(flash->ctx, sector)), "erase");
        for (uint32_t i = 0; i < 5; i++) {
            memset(data, (int)(0x10 + sector * 5 + i), sizeof data);
            uint32_t len_bytes = i % 2 == 0 ? sizeof data : flash->program_unit_bytes;
            uint32_t address = sector * flash->sector_bytes + i * (uint32_t)sizeof data;
            need(hr_is_ok(flash->program(flash->ctx, address, data, len_bytes)), "program");
        }
    }
    tell("operations", board_flash_operations());
}

/* What is not blank is not programmed. */
static void twice(const struct port_flash *flash)
{
    const uint8_t first[32] = {0x55};
    const uint8_t second[32] = {0x11};
    uint8_t read[32];
    uint32_t unit_bytes = flash->program_unit_bytes;
    need(hr_is_ok(flash->erase(flash->ctx, 0)), "erase");
    need(hr_is_ok(flash->program(flash->ctx, 0, first, unit_bytes)), "program");
    need(hr_is(flash->program(flash->ctx, 0, second, unit_bytes), HR_IO), "the second program");
    need(hr_is_ok(flash->read(flash->ctx, 0, read, unit_bytes)), "read");
    need(memcmp(read, first, unit_bytes) == 0, "what was programmed first");
    board_text("refused\r\n");
}

/* A medium whose erase says that it is done, and changes nothing. */
enum { WORN_BYTES = 4 * BOARD_NOR_FILL_BYTES };
static uint8_t worn_bytes[WORN_BYTES];

static bool worn_read(uint32_t address, void *out, uint32_t len_bytes)
{
    memcpy(out, worn_bytes + address, len_bytes);
    return true;
}

static bool worn_write(uint32_t address, const void *data, uint32_t len_bytes)
{
    memcpy(worn_bytes + address, data, len_bytes);
    return true;
}

static bool worn_fill(uint32_t address, uint32_t len_bytes)
{
    (void)address;
    (void)len_bytes;
    return true;
}

static void worn(void)
{
    static const struct board_nor_medium medium = {worn_read, worn_write, worn_fill};
    static struct board_nor nor = {
        .port = {.sector_bytes = WORN_BYTES / 2, .n_sectors = 2, .program_unit_bytes = 8}, .medium = &medium};
    const uint8_t unit[8] = {0x55};
    board_nor_start(&nor);
    memset(worn_bytes, 0xFF, sizeof worn_bytes);
    need(hr_is_ok(nor.port.erase(&nor, 1)), "the erase of what is blank");
    worn_bytes[sizeof worn_bytes - 1] = 0xFE;
    need(hr_is_ok(nor.port.erase(&nor, 0)), "the erase of the sector before");
    need(hr_is(nor.port.erase(&nor, 1), HR_IO), "the erase of what stays");
    need(hr_is(nor.port.program(&nor, WORN_BYTES - 8, unit, sizeof unit), HR_IO), "the program");
    need(worn_bytes[WORN_BYTES - 8] == 0xFF, "nothing was written");
    board_text("worn out\r\n");
}

/* `headrace device enrol --board` divides the memory by a table of its own (proto/image/boards.c). */
static void compare_with_table(const struct port_flash *flash)
{
    const struct image_board *row = image_board_find(board_info.name);
    need(row != NULL, "the table has no row of this board");
    need(row->sector_bytes == flash->sector_bytes, "the table's sector_bytes");
    need(row->program_unit_bytes == flash->program_unit_bytes, "the table's program_unit_bytes");
    need(row->file_bytes == flash->n_sectors * flash->sector_bytes, "the table's file_bytes");
    need(row->spool_n_sectors == BOARD_SPOOL_MAX_SECTORS, "the table's spool_n_sectors");
    need(image_spool_first_sector(row->sector_bytes) + row->spool_n_sectors <= flash->n_sectors,
         "the table's regions");
    board_text("agreed\r\n");
}

static void break_rule(const struct port_flash *flash)
{
    const uint8_t unit[32] = {0x55};
    uint32_t last = flash->n_sectors - 1;
    need(hr_is_ok(flash->erase(flash->ctx, last)), "erase");
    uint32_t start = last * flash->sector_bytes;
    uint32_t unit_bytes = flash->program_unit_bytes;
    board_text("breaking\r\n");
    if (asked_for("crooked")) {
        hr_ignore(flash->program(flash->ctx, start + 1, unit, unit_bytes));
    } else if (asked_for("across")) {
        hr_ignore(flash->program(flash->ctx, start - unit_bytes, unit, 2 * unit_bytes));
    } else if (asked_for("beyond")) {
        hr_ignore(flash->erase(flash->ctx, flash->n_sectors));
    } else {
        need(false, "do");
    }
    need(false, "a broken rule went unnoticed");
}

int main(void)
{
    board_start();
    if (board_reset_cause() == BOARD_RESET_FAULT) {
        board_semihost_exit(EXIT_FAULT);
    }
    const struct port_flash *flash = board_flash();
    if (flash == NULL) {
        board_semihost_exit(EXIT_NO_MEMORY);
    }
    tell("sectors", flash->n_sectors);
    tell("sector_bytes", flash->sector_bytes);
    tell("unit_bytes", flash->program_unit_bytes);
    if (asked_for("cycle")) {
        cycle(flash, 0);
        cycle(flash, flash->n_sectors - 1);
        cycle(flash, 0);
    } else if (asked_for("bounded")) {
        bounded(flash);
    } else if (asked_for("twice")) {
        twice(flash);
    } else if (asked_for("compare")) {
        compare_with_table(flash);
    } else if (asked_for("worn")) {
        worn();
    } else {
        break_rule(flash);
    }
    board_semihost_exit(EXIT_FINE);
}
