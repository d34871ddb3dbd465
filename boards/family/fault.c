/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core finds wrong: a stack that ran over, an address without memory, an instruction that is none.
 */
#include "boards/family/fault.h"

#include "boards/family/board.h"
#include "boards/family/frame.h"
#include "boards/family/registers.h"
#include "boards/family/reset.h"
#include "boards/family/stack.h"
#include "boards/family/text.h"

_Noreturn void board_fault_report(const struct board_frame *frame);

_Noreturn void board_fault_report(const struct board_frame *frame)
{
    static struct board_frame seen;
    uintptr_t at = (uintptr_t)frame;
    bool readable = at >= (uintptr_t)board_stack_low && at + sizeof seen <= (uintptr_t)board_stack_high;
    if (readable) {
        seen = *frame;
    }
    board_text("\r\nfault: ");
    board_text(readable ? "pc " : "stack overflow, sp ");
    board_text_hex(readable ? seen.pc : (uint32_t)at);
    board_text(" lr ");
    board_text_hex(readable ? seen.lr : 0);
    board_text(" status ");
    board_text_hex(board_read(BOARD_CORE_BASE, BOARD_SCB_FAULT_STATUS));
    board_text(" address ");
    board_text_hex(board_read(BOARD_CORE_BASE, BOARD_SCB_FAULT_ADDRESS));
    board_text("\r\n");
    board_reset_because(BOARD_RESET_FAULT);
}

/* The report runs on a stack of its own: the one that the fault was met on may be used up. */
__attribute__((naked)) void board_fault_interrupt(void)
{
    __asm volatile("mrs r0, msp\n"
                   "ldr r1, =board_fault_stack_high\n"
                   "mov sp, r1\n"
                   "b board_fault_report\n"
                   ".ltorg\n");
}
