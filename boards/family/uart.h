/* SPDX-License-Identifier: Apache-2.0
 *
 * A UART: written to by waiting for the transmitter, read by an interrupt into a ring. When the ring is full
 * the interrupt is masked until the loop has taken something; what the line brings meanwhile fills the
 * receiver's own buffer, and beyond that is lost and noted. One driver of these is linked: uart_cmsdk.c or
 * uart_pl011.c. */
#ifndef BOARD_UART_H
#define BOARD_UART_H

#include "boards/family/ring.h"

struct board_uart {
    uintptr_t base;
    unsigned irq;            /* of the receiver */
    struct board_ring *ring; /* kept */
    uint32_t *overruns;      /* kept; grows when the receiver has lost something */
};

/* The two of a board: board.c. */
extern const struct board_uart board_console_uart;
extern const struct board_uart board_serial_uart;

/* 8 data bits, no parity, one stop bit. clock_hz is that of the UART. */
void board_uart_start(const struct board_uart *uart, uint32_t clock_hz, uint32_t baud);
/* Waits while the transmitter is full: one byte time at the longest. [any] */
void board_uart_put(const struct board_uart *uart, uint8_t byte);
/* The receiver's interrupt: board.c puts it into its vectors. [isr] */
void board_uart_interrupt(const struct board_uart *uart);

#endif
