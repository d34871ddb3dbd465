/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOARD_SERIAL_H
#define BOARD_SERIAL_H

/* Readies console and AIS input; board_info says at which clock and speed. */
void board_serial_start(void);

/* Of the two receivers; board.c has them in its vectors. [isr] */
void board_console_interrupt(void);
void board_serial_interrupt(void);

#endif
