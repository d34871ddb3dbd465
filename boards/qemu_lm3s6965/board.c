/* SPDX-License-Identifier: Apache-2.0
 *
 * The evaluation board of the LM3S6965 (its data sheet: chapter 2.4.2 interrupts, 5 system control). */
#include "boards/family/board.h"
#include "boards/family/hardware.h"
#include "boards/family/registers.h"
#include "boards/family/uart.h"

const struct board_info board_info = {
    .name = "qemu_lm3s6965",
    .core_hz = 50000000,
    .serial_baud = 38400,
    .watchdog_ms = 8000,
};

enum { IRQ_CONSOLE = 5, IRQ_SERIAL = 6, N_IRQS = 44 };

static uint8_t console_bytes[64];
static uint8_t serial_bytes[4096];
static struct board_ring console_ring = {.bytes = console_bytes, .capacity_bytes = sizeof console_bytes};
static struct board_ring serial_ring = {.bytes = serial_bytes, .capacity_bytes = sizeof serial_bytes};
static uint32_t console_overruns;
static uint32_t serial_overruns;

const struct board_uart board_console_uart = {
    .base = 0x4000C000, .irq = IRQ_CONSOLE, .ring = &console_ring, .overruns = &console_overruns};
const struct board_uart board_serial_uart = {
    .base = 0x4000D000, .irq = IRQ_SERIAL, .ring = &serial_ring, .overruns = &serial_overruns};

static void console_interrupt(void)
{
    board_uart_interrupt(&board_console_uart);
}

static void serial_interrupt(void)
{
    board_uart_interrupt(&board_serial_uart);
}

__attribute__((section(".vectors.irq"), used)) static void (*const vectors[N_IRQS])(void) = {
    [IRQ_CONSOLE] = console_interrupt,
    [IRQ_SERIAL] = serial_interrupt,
};

#define SYSTEM_CONTROL_BASE ((uintptr_t)0x400FE000u)

enum {
    RAW_INTERRUPTS = 0x50,
    RUN_CLOCK = 0x60,
    CLOCK_GATES_1 = 0x104,
    CLOCK_GATES_2 = 0x108,

    PLL_LOCKED = 1u << 6,
    RUN_USES_DIVIDER = 1u << 22,
    RUN_BYPASSES_PLL = 1u << 11,
    RUN_PLL_OFF = 1u << 13,
    RUN_DIVIDES_BY_4 = 3u << 23, /* 200 MHz / 4 */
    RUN_CRYSTAL_8_MHZ = 0xE << 6,
    RUN_MAIN_OSCILLATOR_ON = 0,

    GATES_1_UARTS_SSI_TIMER = 0x3 | 1 << 4 | 1 << 16,
    GATES_2_ETHERNET_GPIO = 1 << 28 | 1 << 30 | 0x7F,
};

/* The sequence of the data sheet, 5.3: bypass, start the PLL, wait until it has locked, use it. */
void board_hardware_start(void)
{
    uint32_t run = RUN_BYPASSES_PLL | RUN_CRYSTAL_8_MHZ | RUN_MAIN_OSCILLATOR_ON;
    board_write(SYSTEM_CONTROL_BASE, RUN_CLOCK, run | RUN_PLL_OFF);
    board_write(SYSTEM_CONTROL_BASE, RUN_CLOCK, run | RUN_DIVIDES_BY_4 | RUN_USES_DIVIDER);
    while ((board_read(SYSTEM_CONTROL_BASE, RAW_INTERRUPTS) & PLL_LOCKED) == 0) {
    }
    run &= ~(uint32_t)RUN_BYPASSES_PLL;
    board_write(SYSTEM_CONTROL_BASE, RUN_CLOCK, run | RUN_DIVIDES_BY_4 | RUN_USES_DIVIDER);
    board_write(SYSTEM_CONTROL_BASE, CLOCK_GATES_1, GATES_1_UARTS_SSI_TIMER);
    board_write(SYSTEM_CONTROL_BASE, CLOCK_GATES_2, GATES_2_ETHERNET_GPIO);
}
