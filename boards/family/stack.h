/* SPDX-License-Identifier: Apache-2.0
 *
 * The stack lies at the very bottom of RAM: one that grows too deep meets an address without memory, and
 * faults, before it could change a variable. */
#ifndef BOARD_STACK_H
#define BOARD_STACK_H

#include <stdint.h>

/* Of sections.ld: the lowest word, and the one behind the highest. */
extern uint32_t board_stack_low[];
extern uint32_t board_stack_high[];

/* Fills what is below the caller's frame, so that board_stack_used_bytes can tell. Needs no .data or .bss. */
void board_stack_paint(void);

#endif
