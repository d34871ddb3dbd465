/* SPDX-License-Identifier: Apache-2.0
 *
 * The board's memory, as test_flash.py asks for it: do=... on the command line. Each program writes a pattern
 * that tells its operation, so that the host can judge the memory file. */
#include "boards/family/board.h"
#include "boards/family/command.h"
#include "boards/family/semihost.h"
#include "boards/family/text.h"
#include "proto/base/assert.h"

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

static void break_rule(const struct port_flash *flash)
{
    const uint8_t unit[32] = {0x55};
    uint32_t last = flash->n_sectors - 1;
    need(hr_is_ok(flash->erase(flash->ctx, last)), "erase");
    uint32_t start = last * flash->sector_bytes;
    uint32_t unit_bytes = flash->program_unit_bytes;
    board_text("breaking\r\n");
    if (asked_for("twice")) {
        need(hr_is_ok(flash->program(flash->ctx, start, unit, unit_bytes)), "program");
        hr_ignore(flash->program(flash->ctx, start, unit, unit_bytes));
    } else if (asked_for("crooked")) {
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
    } else {
        break_rule(flash);
    }
    board_semihost_exit(EXIT_FINE);
}
