/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer of ARM's CMSDK (Cortex-M System Design Kit TRM, 4.3). */
#include "boards/family/registers.h"
#include "boards/family/timer.h"

enum { CONTROL = 0x0, VALUE = 0x4, RELOAD = 0x8, INTERRUPT = 0xC, CONTROL_ON_INTERRUPT = 1 | 1 << 3 };

void board_timer_start(uint32_t n_cycles)
{
    board_write(board_timer.base, CONTROL, 0);
    board_write(board_timer.base, RELOAD, n_cycles - 1);
    board_write(board_timer.base, VALUE, n_cycles - 1);
    board_write(board_timer.base, CONTROL, CONTROL_ON_INTERRUPT);
    board_interrupt_enable(board_timer.irq);
}

void board_timer_acknowledge(void)
{
    board_write(board_timer.base, INTERRUPT, 1);
}
