/* SPDX-License-Identifier: Apache-2.0
 *
 * The watchdog of ARM's CMSDK (Cortex-M System Design Kit TRM, 4.6), which the Stellaris family has too. */
#include "boards/family/watchdog.h"

#include "boards/family/board.h"
#include "boards/family/frame.h"
#include "boards/family/registers.h"
#include "boards/family/text.h"

enum {
    LOAD = 0x000,
    CONTROL = 0x008,
    CLEAR = 0x00C,
    LOCK = 0xC00,

    CONTROL_INTERRUPT_RESET = 3,
    UNLOCKED = 0x1ACCE551,
    LOCKED = 1,

    WORK_STEP_MS = 500, /* work says more often that it goes on than the watchdog wants to hear */
};

static bool runs;
static uint64_t fed_ms;     /* by the loop */
static uint64_t cleared_ms; /* by loop or work */

void board_watchdog_start(void)
{
    board_write(board_watchdog.base, LOCK, UNLOCKED);
    board_write(board_watchdog.base, LOAD, board_info.core_hz / 1000 * (board_info.watchdog_ms / 2));
    board_write(board_watchdog.base, CONTROL, CONTROL_INTERRUPT_RESET);
    board_write(board_watchdog.base, LOCK, LOCKED);
    runs = true;
    fed_ms = cleared_ms = board_uptime_ms();
    if (board_watchdog.irq >= 0) {
        board_interrupt_enable((unsigned)board_watchdog.irq);
    }
}

static void clear(uint64_t now_ms)
{
    cleared_ms = now_ms;
    board_write(board_watchdog.base, LOCK, UNLOCKED);
    board_write(board_watchdog.base, CLEAR, 1);
    board_write(board_watchdog.base, LOCK, LOCKED);
    if (board_watchdog.irq >= 0) {
        board_interrupt_enable((unsigned)board_watchdog.irq);
    }
}

void board_watchdog_feed(void)
{
    if (runs) {
        fed_ms = board_uptime_ms();
        clear(fed_ms);
    }
}

void board_watchdog_work(void)
{
    uint64_t now_ms = board_uptime_ms();
    if (runs && now_ms - cleared_ms >= WORK_STEP_MS && now_ms - fed_ms < BOARD_WORK_MAX_MS) {
        clear(now_ms);
    }
}

void board_watchdog_bark(const struct board_frame *frame);

void board_watchdog_bark(const struct board_frame *frame)
{
    /* It asks until it is fed; the loop, should it come round, enables it again. */
    if (board_watchdog.irq >= 0) {
        board_interrupt_disable((unsigned)board_watchdog.irq);
    }
    board_text("\r\nwatchdog: the loop is at pc ");
    board_text_hex(frame->pc);
    board_text(" lr ");
    board_text_hex(frame->lr);
    board_text("\r\n");
}

/* Returns where it was called: the frame of the core is the argument. */
__attribute__((naked)) void board_watchdog_interrupt(void)
{
    __asm volatile("mrs r0, msp\n"
                   "b board_watchdog_bark\n");
}
