/* SPDX-License-Identifier: Apache-2.0
 *
 * A general-purpose timer of the Stellaris family, 32 bits, periodic (LM3S6965 data sheet, chapter 9). */
#include "boards/family/registers.h"
#include "boards/family/timer.h"

enum {
    CONFIG = 0x00,
    MODE = 0x04,
    CONTROL = 0x0C,
    INTERRUPT_MASK = 0x18,
    INTERRUPT_CLEAR = 0x24,
    LOAD = 0x28,
    MODE_PERIODIC = 2,
    TIME_OUT = 1,
};

void board_timer_start(uint32_t n_cycles)
{
    board_write(board_timer.base, CONTROL, 0);
    board_write(board_timer.base, CONFIG, 0);
    board_write(board_timer.base, MODE, MODE_PERIODIC);
    board_write(board_timer.base, LOAD, n_cycles - 1);
    board_write(board_timer.base, INTERRUPT_MASK, TIME_OUT);
    board_write(board_timer.base, CONTROL, 1);
    board_interrupt_enable(board_timer.irq);
}

void board_timer_acknowledge(void)
{
    board_write(board_timer.base, INTERRUPT_CLEAR, TIME_OUT);
}
