/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOARD_CLOCK_H
#define BOARD_CLOCK_H

/* Starts SysTick at board_info.core_hz. */
void board_clock_start(void);
/* Of SysTick; startup.c has it in the vectors. [isr] */
void board_clock_interrupt(void);

#endif
