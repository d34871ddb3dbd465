/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/ethernet.h"

#include "proto/base/assert.h"

/* Bytes on their way between frames and FIFO words, lowest first. */
struct lane {
    uint32_t word;
    unsigned n_bytes;
};

static struct lane receiving;
static struct lane sending;
static size_t frame_left_bytes; /* of the waiting frame, without checksum */
static bool frame_waits;

uint8_t board_ethernet_take_byte(void)
{
    if (receiving.n_bytes == 0) {
        receiving.word = board_ethernet_device_take();
        receiving.n_bytes = 4;
    }
    uint8_t byte = (uint8_t)receiving.word;
    receiving.word >>= 8;
    receiving.n_bytes--;
    return byte;
}

void board_ethernet_put_byte(uint8_t byte)
{
    sending.word |= (uint32_t)byte << (8 * sending.n_bytes);
    if (++sending.n_bytes == 4) {
        board_ethernet_device_put(sending.word);
        sending = (struct lane){0};
    }
}

bool board_ethernet_start(const uint8_t mac[BOARD_MAC_BYTES])
{
    receiving = (struct lane){0};
    frame_waits = false;
    return board_ethernet_device_start(mac);
}

/* Takes what is left of the frame, and its checksum, off the FIFO. */
static void drop(size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        (void)board_ethernet_take_byte();
    }
    receiving.n_bytes = 0; /* the last word is filled up */
    frame_waits = false;
}

size_t board_ethernet_waiting(void)
{
    struct board_ethernet_arrival arrival;
    while (!frame_waits && board_ethernet_device_next(&arrival)) {
        /* The length is what a register says, and may be less than a checksum. */
        if (arrival.good &&
            arrival.frame_bytes > BOARD_ETHERNET_HEADER_BYTES + BOARD_ETHERNET_CHECKSUM_BYTES &&
            arrival.frame_bytes <= BOARD_FRAME_MAX_BYTES + BOARD_ETHERNET_CHECKSUM_BYTES) {
            frame_waits = true;
            frame_left_bytes = arrival.frame_bytes - BOARD_ETHERNET_CHECKSUM_BYTES;
        } else {
            drop(arrival.frame_bytes);
        }
    }
    return frame_waits ? frame_left_bytes : 0;
}

void board_ethernet_take(uint8_t *out, size_t len_bytes)
{
    HR_ASSERT(frame_waits && len_bytes <= frame_left_bytes);
    for (size_t i = 0; i < len_bytes; i++) {
        out[i] = board_ethernet_take_byte();
    }
    frame_left_bytes -= len_bytes;
    if (frame_left_bytes == 0) {
        board_ethernet_done();
    }
}

void board_ethernet_done(void)
{
    if (frame_waits) {
        drop(frame_left_bytes + BOARD_ETHERNET_CHECKSUM_BYTES);
    }
}

bool board_ethernet_send(const struct hr_bytes *parts, size_t n_parts)
{
    size_t len_bytes = 0;
    for (size_t i = 0; i < n_parts; i++) {
        len_bytes += parts[i].len_bytes;
    }
    HR_ASSERT(len_bytes >= BOARD_ETHERNET_HEADER_BYTES && len_bytes <= BOARD_FRAME_MAX_BYTES);
    sending = (struct lane){0};
    if (!board_ethernet_device_begin(len_bytes)) {
        return false;
    }
    for (size_t i = 0; i < n_parts; i++) {
        for (size_t k = 0; k < parts[i].len_bytes; k++) {
            board_ethernet_put_byte(parts[i].data[k]);
        }
    }
    while (sending.n_bytes != 0) {
        board_ethernet_put_byte(0);
    }
    board_ethernet_device_end();
    return true;
}
