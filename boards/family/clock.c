/* SPDX-License-Identifier: Apache-2.0
 *
 * Time since the start: SysTick, a thousand times a second. */
#include "boards/family/clock.h"
#include "boards/family/board.h"
#include "boards/family/registers.h"

enum { TICKS_PER_S = 1000, SYSTICK_ON_INTERRUPT_CORE_CLOCK = 7 };

/* Written by the interrupt, which runs whole between any two reads: no handler is above it. */
static volatile uint32_t ticks_low;
static volatile uint32_t ticks_high;

void board_clock_start(void)
{
    board_write(BOARD_CORE_BASE, BOARD_SYSTICK_RELOAD, board_info.core_hz / TICKS_PER_S - 1);
    board_write(BOARD_CORE_BASE, BOARD_SYSTICK_VALUE, 0);
    board_write(BOARD_CORE_BASE, BOARD_SYSTICK_CONTROL, SYSTICK_ON_INTERRUPT_CORE_CLOCK);
}

void board_clock_interrupt(void)
{
    uint32_t low = ticks_low + 1;
    ticks_low = low;
    if (low == 0) {
        ticks_high++;
    }
}

uint64_t board_uptime_ms(void)
{
    for (;;) {
        uint32_t high = ticks_high;
        uint32_t low = ticks_low;
        if (ticks_high == high && ticks_low == low) {
            return (uint64_t)high << 32 | low;
        }
    }
}

void board_wait(void)
{
    __asm volatile("dsb\n wfi" ::: "memory");
}
