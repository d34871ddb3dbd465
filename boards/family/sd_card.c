/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/sd_card.h"

#include "boards/family/board.h"
#include "boards/family/spi.h"

#include <stddef.h>

enum {
    GO_IDLE = 0,
    SEND_INTERFACE_CONDITION = 8,
    SEND_CARD_DATA = 9,
    SEND_STATUS = 13,
    SET_BLOCK_LENGTH = 16,
    READ_BLOCK = 17,
    WRITE_BLOCK = 24,
    SEND_OPERATING_CONDITION = 41, /* behind APPLICATION */
    APPLICATION = 55,
    READ_OPERATING_CONDITIONS = 58,

    READY = 0x00,
    IDLE = 0x01,
    NO_ANSWER = 0xFF,
    START_TOKEN = 0xFE,
    DATA_ACCEPTED = 0x05,
    DATA_ANSWER_MASK = 0x1F,

    CHECK_PATTERN = 0x1AA,      /* 2.7 to 3.6 V */
    HIGH_CAPACITY = 0x40000000, /* the host takes block addresses */
    CARD_DATA_BYTES = 16,

    WAKE_HZ = 400000,
    RUN_HZ = 12500000,
    ANSWER_TRIES = 16,
    WAIT_MS = 500,
    WAKE_MS = 1000, /* that a card may take to initialize (4.2.3) */
};

static bool by_block; /* the card is addressed in blocks, not bytes */

static uint8_t next(void)
{
    uint8_t byte;
    board_spi_exchange(NULL, &byte, 1);
    return byte;
}

/* Waits until the card lets go of its line. */
static bool wait_ready(void)
{
    uint64_t end_ms = board_uptime_ms() + WAIT_MS;
    do {
        if (next() == 0xFF) {
            return true;
        }
    } while (board_uptime_ms() < end_ms);
    return false;
}

/* Sends a command and takes its first byte of answer; NO_ANSWER: none came. The card stays selected. */
static uint8_t command(uint8_t index, uint32_t argument)
{
    /* Only the first two are checked before the card has been told not to. */
    uint8_t check = index == GO_IDLE ? 0x95 : index == SEND_INTERFACE_CONDITION ? 0x87 : 0x01;
    const uint8_t frame[] = {0xFF,
                             (uint8_t)(0x40 | index),
                             (uint8_t)(argument >> 24),
                             (uint8_t)(argument >> 16),
                             (uint8_t)(argument >> 8),
                             (uint8_t)argument,
                             check};
    board_spi_exchange(frame, NULL, sizeof frame);
    for (int i = 0; i < ANSWER_TRIES; i++) {
        uint8_t answer = next();
        if ((answer & 0x80) == 0) {
            return answer;
        }
    }
    return NO_ANSWER;
}

static uint32_t next_u32(void)
{
    uint8_t bytes[4];
    board_spi_exchange(NULL, bytes, sizeof bytes);
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Takes a data block that a command has announced. */
static bool take_data(uint8_t *out, uint32_t len_bytes)
{
    uint64_t end_ms = board_uptime_ms() + WAIT_MS;
    uint8_t token;
    do {
        token = next();
    } while (token == 0xFF && board_uptime_ms() < end_ms);
    if (token != START_TOKEN) {
        return false;
    }
    board_spi_exchange(NULL, out, len_bytes);
    board_spi_exchange(NULL, NULL, 2);
    return true;
}

static bool wake(void)
{
    if (command(GO_IDLE, 0) != IDLE) {
        return false;
    }
    bool version_2 = command(SEND_INTERFACE_CONDITION, CHECK_PATTERN) == IDLE;
    if (version_2 && (next_u32() & 0xFFF) != CHECK_PATTERN) {
        return false;
    }
    uint64_t end_ms = board_uptime_ms() + WAKE_MS;
    uint8_t answer;
    do {
        (void)command(APPLICATION, 0);
        answer = command(SEND_OPERATING_CONDITION, version_2 ? HIGH_CAPACITY : 0);
    } while (answer == IDLE && board_uptime_ms() < end_ms);
    /* The answer to the last one may still say "idle" (QEMU's does); an error it may not. */
    if (answer != READY || (command(READ_OPERATING_CONDITIONS, 0) & ~IDLE) != READY) {
        return false;
    }
    by_block = (next_u32() & HIGH_CAPACITY) != 0;
    return by_block || command(SET_BLOCK_LENGTH, BOARD_SD_BLOCK_BYTES) == READY;
}

/* Reads bits high to low of the card's data register, which comes with its most significant byte first. */
static uint32_t bits_of(const uint8_t data[CARD_DATA_BYTES], unsigned high, unsigned low)
{
    uint32_t value = 0;
    for (unsigned bit = high + 1; bit-- > low;) {
        value = value << 1 | (data[CARD_DATA_BYTES - 1 - bit / 8] >> bit % 8 & 1);
    }
    return value;
}

/* How many blocks the card has (specification, 5.3.2 and 5.3.3); 0: it is not understood. */
static uint32_t read_capacity(void)
{
    uint8_t data[CARD_DATA_BYTES];
    if (command(SEND_CARD_DATA, 0) != READY || !take_data(data, sizeof data)) {
        return 0;
    }
    uint32_t version = bits_of(data, 127, 126);
    if (version == 1) {
        return (bits_of(data, 69, 48) + 1) * 1024;
    }
    uint32_t shift = bits_of(data, 49, 47) + 2 + bits_of(data, 83, 80);
    return version == 0 && shift >= 9 ? (bits_of(data, 73, 62) + 1) << (shift - 9) : 0;
}

bool board_sd_start(uint32_t *n_blocks)
{
    board_spi_start(WAKE_HZ);
    /* The card wants at least 74 clocks before it is spoken to. */
    board_spi_select(false);
    board_spi_exchange(NULL, NULL, 10);
    board_spi_select(true);
    *n_blocks = wake() ? read_capacity() : 0;
    board_spi_select(false);
    board_spi_start(RUN_HZ);
    return *n_blocks > 0;
}

static uint32_t address_of(uint32_t block)
{
    return by_block ? block : block * BOARD_SD_BLOCK_BYTES;
}

bool board_sd_read(uint32_t block, uint8_t out[BOARD_SD_BLOCK_BYTES])
{
    board_spi_select(true);
    bool done = command(READ_BLOCK, address_of(block)) == READY && take_data(out, BOARD_SD_BLOCK_BYTES);
    board_spi_select(false);
    return done;
}

static bool give_data(const uint8_t *data)
{
    const uint8_t before[] = {0xFF, START_TOKEN};
    board_spi_exchange(before, NULL, sizeof before);
    board_spi_exchange(data, NULL, BOARD_SD_BLOCK_BYTES);
    board_spi_exchange(NULL, NULL, 2);
    if ((next() & DATA_ANSWER_MASK) != DATA_ACCEPTED) {
        return false;
    }
    /* It holds the line low until the block is in its flash; what went wrong then is in its status. */
    return wait_ready() && command(SEND_STATUS, 0) == READY && next() == 0;
}

bool board_sd_write(uint32_t block, const uint8_t data[BOARD_SD_BLOCK_BYTES])
{
    board_spi_select(true);
    bool done = command(WRITE_BLOCK, address_of(block)) == READY && give_data(data);
    board_spi_select(false);
    return done;
}
