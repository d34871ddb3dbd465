/* SPDX-License-Identifier: Apache-2.0
 *
 * From reset to main: the vectors of the core, memory as C expects it, and the painted stack. */
#include "boards/family/board.h"
#include "boards/family/clock.h"
#include "boards/family/fault.h"
#include "boards/family/stack.h"
#include "boards/family/watchdog.h"

#include <string.h>

/* Of sections.ld. */
extern uint32_t board_data_start[];
extern uint32_t board_data_end[];
extern const uint32_t board_data_source[];
extern uint32_t board_bss_start[];
extern uint32_t board_bss_end[];

int main(void);
void board_startup(void);

void board_startup(void)
{
    board_stack_paint();
    memcpy(board_data_start, board_data_source, (size_t)(board_data_end - board_data_start) * 4);
    memset(board_bss_start, 0, (size_t)(board_bss_end - board_bss_start) * 4);
    (void)main();
    board_reboot();
}

/* The board's own interrupts follow in .vectors.irq, from board.c. */
struct vectors {
    uint32_t *stack;
    void (*handlers[15])(void);
};

extern const struct vectors board_vectors;

struct hr_bytes board_firmware(void)
{
    /* Vectors stand first, initial values last. */
    const uint8_t *begin = (const uint8_t *)&board_vectors;
    const uint8_t *end = (const uint8_t *)(board_data_source + (board_data_end - board_data_start));
    return hr_bytes_of(begin, (size_t)(end - begin));
}

__attribute__((section(".vectors.core"), used)) const struct vectors board_vectors = {
    .stack = board_stack_high,
    .handlers =
        {
            board_startup,
            board_watchdog_interrupt, /* NMI */
            board_fault_interrupt, /* hard fault: takes memory, bus and usage faults as well, which stay off
                                    */
            [14] = board_clock_interrupt,
        },
};
