/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/reset.h"

#include "boards/family/registers.h"

enum { RESET_REQUEST = 0x05FA0004 }; /* the register's key, and SYSRESETREQ */

/* Words of 32 bits with no pattern: what RAM holds after power-on is none of them. */
#define NOTE_RUNNING  0x6E3A51C7u
#define NOTE_SOFTWARE 0xB1D40E92u
#define NOTE_FAULT    0x2C97F86Bu

__attribute__((section(".noinit"))) static volatile uint32_t note;
__attribute__((section(".noinit"))) static volatile uint32_t note_inverted;

static enum board_reset cause = BOARD_RESET_POWER;

static void leave(uint32_t word)
{
    note = word;
    note_inverted = ~word;
}

void board_reset_start(void)
{
    if (note == ~note_inverted) {
        cause = note == NOTE_RUNNING    ? BOARD_RESET_WATCHDOG
                : note == NOTE_SOFTWARE ? BOARD_RESET_SOFTWARE
                : note == NOTE_FAULT    ? BOARD_RESET_FAULT
                                        : BOARD_RESET_POWER;
    }
    leave(NOTE_RUNNING);
}

enum board_reset board_reset_cause(void)
{
    return cause;
}

_Noreturn void board_reset_because(enum board_reset reason)
{
    leave(reason == BOARD_RESET_FAULT ? NOTE_FAULT : NOTE_SOFTWARE);
    __asm volatile("dsb" ::: "memory");
    board_write(BOARD_CORE_BASE, BOARD_SCB_RESET, RESET_REQUEST);
    for (;;) {
    }
}

_Noreturn void board_reboot(void)
{
    board_reset_because(BOARD_RESET_SOFTWARE);
}
