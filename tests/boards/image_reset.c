/* SPDX-License-Identifier: Apache-2.0
 *
 * Ways to end a boot, one typed letter each; test_reset.py reads what the next boot says of it. */
#include "boards/family/board.h"
#include "boards/family/semihost.h"
#include "boards/family/text.h"
#include "proto/base/assert.h"

#include <string.h>

static void tell(const char *name, uint32_t value)
{
    board_text(name);
    board_text(" ");
    board_text_number(value);
    board_text("\r\n");
}

/* Uses so much of it and comes back. */
static uint32_t use(uint32_t n_frames)
{
    volatile uint32_t words[16] = {n_frames};
    return n_frames == 0 ? 0 : use(n_frames - 1) + words[0];
}

static void hang(bool with_interrupts)
{
    board_watchdog_start();
    if (!with_interrupts) {
        __asm volatile("cpsid i");
    }
    for (;;) {
    }
}

static void feed_for_a_while(void)
{
    board_watchdog_start();
    uint64_t end_ms = board_uptime_ms() + 2 * (uint64_t)board_info.watchdog_ms;
    while (board_uptime_ms() < end_ms) {
        board_watchdog_feed();
        board_wait();
    }
    board_text("still here\r\n");
    board_reboot();
}

static void work_on_and_on(void)
{
    board_watchdog_start();
    uint64_t end_ms = board_uptime_ms() + 2 * (uint64_t)board_info.watchdog_ms;
    bool told = false;
    for (;;) {
        board_watchdog_work();
        board_wait();
        if (!told && board_uptime_ms() >= end_ms) {
            board_text("works on\r\n");
            told = true;
        }
    }
}

static void obey(uint8_t letter)
{
    switch (letter) {
    case 'r':
        board_reboot();
    case 'a':
        HR_ASSERT(letter == 'b');
        break;
    case 'f':
        __asm volatile("udf #0");
        break;
    case 'j': {
        /* A jump to data: the core's frame names the address. */
        void (*volatile nowhere)(void) = (void (*)(void))0x2000F000;
        nowhere();
        break;
    }
    case 'o':
        tell("returned", use(UINT32_MAX));
        break;
    case 'u':
        tell("before", (uint32_t)board_stack_used_bytes());
        tell("returned", use(20));
        tell("used", (uint32_t)board_stack_used_bytes());
        tell("of", (uint32_t)board_stack_bytes());
        break;
    case 'w':
        hang(true);
        break;
    case 'W':
        hang(false);
        break;
    case 'k':
        feed_for_a_while();
        break;
    case 'l':
        work_on_and_on();
        break;
    case 'q':
        board_semihost_exit(0);
    default:
        board_text("?\r\n");
        break;
    }
}

int main(void)
{
    static const char *const causes[] = {[BOARD_RESET_POWER] = "power",
                                         [BOARD_RESET_SOFTWARE] = "software",
                                         [BOARD_RESET_WATCHDOG] = "watchdog",
                                         [BOARD_RESET_FAULT] = "fault"};
    board_start();
    board_text("boot ");
    board_text(board_info.name);
    board_text(" after ");
    board_text(causes[board_reset_cause()]);
    board_text("\r\n");
    for (;;) {
        uint8_t letter;
        if (board_console_read(&letter, 1) == 1) {
            obey(letter);
        }
        board_wait();
    }
}
