/* SPDX-License-Identifier: Apache-2.0
 *
 * The line between the AIS receiver and the UART. An emulated line has no speed: a byte comes when the last
 * one was taken, and none is ever lost. Builds with HEADRACE_FAULTS give it one when their command line says
 * so (line=38400): a timer moves a byte each byte time into a buffer of the receiver's size, and what finds
 * it full is lost and counted, as on the wire. In a release a byte comes straight from the UART.
 * line_faults.c or line_none.c is linked. */
#ifndef BOARD_LINE_H
#define BOARD_LINE_H

#include "boards/family/uart.h"

/* The UART was started. */
void board_line_start(const struct board_uart *uart);
/* As board_uart_receive, from behind the line. [isr] */
bool board_line_receive(const struct board_uart *uart, uint8_t *byte);
/* Of the timer; board.c has it in its vectors. [isr] */
void board_line_interrupt(void);

#endif
