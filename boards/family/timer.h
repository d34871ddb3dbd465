/* SPDX-License-Identifier: Apache-2.0
 *
 * A timer that asks for an interrupt again and again; only tests need one. timer_cmsdk.c or
 * timer_stellaris.c. */
#ifndef BOARD_TIMER_H
#define BOARD_TIMER_H

#include <stdint.h>

struct board_timer {
    uintptr_t base;
    unsigned irq;
};
extern const struct board_timer board_timer; /* board.c */

/* An interrupt every n_cycles of the core's clock. */
void board_timer_start(uint32_t n_cycles);
/* [isr] */
void board_timer_acknowledge(void);

#endif
