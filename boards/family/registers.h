/* SPDX-License-Identifier: Apache-2.0
 *
 * The one way to a register, and those of the Cortex-M3 core (ARMv7-M Architecture Reference Manual, B3). */
#ifndef BOARD_REGISTERS_H
#define BOARD_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t board_read(uintptr_t base, uint32_t offset_bytes)
{
    return *(volatile const uint32_t *)(base + offset_bytes);
}

static inline void board_write(uintptr_t base, uint32_t offset_bytes, uint32_t value)
{
    *(volatile uint32_t *)(base + offset_bytes) = value;
}

static inline void board_set_bits(uintptr_t base, uint32_t offset_bytes, uint32_t bits)
{
    board_write(base, offset_bytes, board_read(base, offset_bytes) | bits);
}

enum {
    BOARD_SYSTICK_CONTROL = 0x10, /* of BOARD_CORE_BASE, as all below */
    BOARD_SYSTICK_RELOAD = 0x14,
    BOARD_SYSTICK_VALUE = 0x18,
    BOARD_NVIC_ENABLE = 0x100,
    BOARD_NVIC_DISABLE = 0x180,
    BOARD_NVIC_PEND = 0x200,
    BOARD_NVIC_PRIORITY = 0x400,
    BOARD_SCB_RESET = 0xD0C, /* AIRCR */
    BOARD_SCB_FAULT_STATUS = 0xD28,
    BOARD_SCB_FAULT_ADDRESS = 0xD38,
};
#define BOARD_CORE_BASE ((uintptr_t)0xE000E000u)

/* External interrupts by number. [any] */
static inline void board_interrupt_enable(unsigned irq)
{
    board_write(BOARD_CORE_BASE, BOARD_NVIC_ENABLE + 4 * (irq / 32), 1u << (irq % 32));
}

static inline bool board_interrupt_is_enabled(unsigned irq)
{
    return (board_read(BOARD_CORE_BASE, BOARD_NVIC_ENABLE + 4 * (irq / 32)) & 1u << (irq % 32)) != 0;
}

/* Runs the handler as if its device had asked. [any] */
static inline void board_interrupt_pend(unsigned irq)
{
    board_write(BOARD_CORE_BASE, BOARD_NVIC_PEND + 4 * (irq / 32), 1u << (irq % 32));
}

/* After it has returned, the handler does not run. [any] */
static inline void board_interrupt_disable(unsigned irq)
{
    board_write(BOARD_CORE_BASE, BOARD_NVIC_DISABLE + 4 * (irq / 32), 1u << (irq % 32));
    __asm volatile("dsb\n isb" ::: "memory");
}

#endif
