/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/stack.h"

#include "boards/family/board.h"

enum { PAINT = 0x57AC57AC };

void board_stack_paint(void)
{
    uint32_t *top;
    __asm volatile("mov %0, sp" : "=r"(top));
    for (volatile uint32_t *word = board_stack_low; word < top; word++) {
        *word = PAINT;
    }
}

size_t board_stack_bytes(void)
{
    return (size_t)(board_stack_high - board_stack_low) * sizeof(uint32_t);
}

size_t board_stack_used_bytes(void)
{
    const volatile uint32_t *word = board_stack_low;
    while (word < board_stack_high && *word == PAINT) {
        word++;
    }
    return (size_t)(board_stack_high - word) * sizeof(uint32_t);
}
