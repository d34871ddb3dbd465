/* SPDX-License-Identifier: Apache-2.0
 *
 * Between board.h and a controller whose frames go through FIFOs of 32-bit words: ethernet.c knows parts and
 * bytes, the driver (ethernet_lan9118.c or ethernet_stellaris.c) its registers. All [loop]. */
#ifndef BOARD_ETHERNET_H
#define BOARD_ETHERNET_H

#include "boards/family/board.h"

enum { BOARD_ETHERNET_CHECKSUM_BYTES = 4, BOARD_ETHERNET_HEADER_BYTES = 14 };

extern const uintptr_t board_ethernet_base; /* board.c */

/* ---- what the driver answers ---- */

bool board_ethernet_device_start(const uint8_t mac[BOARD_MAC_BYTES]);
/* A frame at the head of the receive FIFO. */
struct board_ethernet_arrival {
    size_t frame_bytes; /* checksum included, any number; so much follows in the FIFO */
    bool good;          /* false: broken on the way */
};
/* False: none has arrived. The driver takes off what stands before the frame (board_ethernet_take_byte). */
bool board_ethernet_device_next(struct board_ethernet_arrival *out);
/* The next word of the receive FIFO. */
uint32_t board_ethernet_device_take(void);

/* Readies the transmitter for a frame of len_bytes. False: it has no room now. */
bool board_ethernet_device_begin(size_t len_bytes);
/* Puts a word into the transmit FIFO. */
void board_ethernet_device_put(uint32_t word);
/* All words were put. */
void board_ethernet_device_end(void);

/* ---- what ethernet.c answers the driver, whose FIFO may bring a length before the frame ---- */

uint8_t board_ethernet_take_byte(void);
void board_ethernet_put_byte(uint8_t byte);

#endif
