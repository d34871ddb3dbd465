/* SPDX-License-Identifier: Apache-2.0
 *
 * A UART: written to by waiting for the transmitter, read by an interrupt into a ring (serial.c). When the
 * ring is full the interrupt is masked until the loop has taken something; what the line brings meanwhile
 * fills the receiver's own buffer, and beyond that is lost and counted. One driver of these is linked:
 * uart_cmsdk.c or uart_pl011.c. */
#ifndef BOARD_UART_H
#define BOARD_UART_H

#include "boards/family/ring.h"

struct board_uart {
    uintptr_t base;
    unsigned irq;             /* of the receiver */
    unsigned n_receive_bytes; /* of the receiver's own buffer */
    struct board_ring *ring;  /* kept */
    uint32_t *overruns;       /* kept; grows when the receiver has lost something */
};

/* Those of a board: board.c. A board without a bus has no third one. */
extern const struct board_uart board_console_uart;
extern const struct board_uart board_serial_uart;
extern const struct board_uart board_bus_uart;

/* 8 data bits, no parity, one stop bit. clock_hz is that of the UART. Its interrupt is enabled. */
void board_uart_start(const struct board_uart *uart, uint32_t clock_hz, uint32_t baud);
/* Waits while the transmitter is full: one byte time at the longest. [any] */
void board_uart_put(const struct board_uart *uart, uint8_t byte);
/* What the interrupt asked for is seen to; a byte that comes after asks again. [isr] */
void board_uart_acknowledge(const struct board_uart *uart);
/* Takes the next byte out of the receiver; false: none is there. [isr] */
bool board_uart_receive(const struct board_uart *uart, uint8_t *byte);

#endif
