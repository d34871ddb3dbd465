/* SPDX-License-Identifier: Apache-2.0
 *
 * The watchdog counts down twice: at the first end it asks for an interrupt, which tells the console where
 * the loop hangs, at the second it resets. board_info.watchdog_ms is both together. */
#ifndef BOARD_WATCHDOG_H
#define BOARD_WATCHDOG_H

#include <stdint.h>

enum { BOARD_WATCHDOG_NMI = -1 };

struct board_watchdog {
    uintptr_t base;
    int irq; /* BOARD_WATCHDOG_NMI: not maskable */
};
extern const struct board_watchdog board_watchdog; /* board.c */

/* The first end. It is the NMI of startup.c; a board whose watchdog has a number puts it into its vectors
 * too. [isr] */
void board_watchdog_interrupt(void);

#endif
