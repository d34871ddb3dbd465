/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOARD_SERIAL_H
#define BOARD_SERIAL_H

#include "boards/family/uart.h"

/* Readies console and AIS input; board_info says at which clock and speed. */
void board_serial_start(void);

/* Of the receivers; board.c has them in its vectors. [isr] */
void board_console_interrupt(void);
void board_serial_interrupt(void);
void board_bus_interrupt(void);

/* What a receiver has, byte by byte through `receive`, goes into its ring; at a full one its interrupt is
 * masked. [isr] */
void board_serial_to_ring(const struct board_uart *uart,
                          bool (*receive)(const struct board_uart *, uint8_t *));
/* What stands in the ring; the interrupt goes on when it had found the ring full. [loop] */
size_t board_serial_take(const struct board_uart *uart, uint8_t *out, size_t capacity_bytes);

#endif
