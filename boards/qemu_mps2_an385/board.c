/* SPDX-License-Identifier: Apache-2.0
 *
 * The MPS2 FPGA board with image AN385 (ARM application note 385, table 3-1 and 3-4). */
#include "boards/family/board.h"
#include "boards/family/hardware.h"
#include "boards/family/uart.h"

const struct board_info board_info = {
    .name = "qemu_mps2_an385",
    .core_hz = 25000000,
    .serial_baud = 38400,
    .watchdog_ms = 8000,
};

enum { IRQ_CONSOLE = 0, IRQ_SERIAL = 2, N_IRQS = 32 };

static uint8_t console_bytes[128];
static uint8_t serial_bytes[8192];
static struct board_ring console_ring = {.bytes = console_bytes, .capacity_bytes = sizeof console_bytes};
static struct board_ring serial_ring = {.bytes = serial_bytes, .capacity_bytes = sizeof serial_bytes};
static uint32_t console_overruns;
static uint32_t serial_overruns;

const struct board_uart board_console_uart = {
    .base = 0x40004000, .irq = IRQ_CONSOLE, .ring = &console_ring, .overruns = &console_overruns};
const struct board_uart board_serial_uart = {
    .base = 0x40005000, .irq = IRQ_SERIAL, .ring = &serial_ring, .overruns = &serial_overruns};

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

void board_hardware_start(void)
{
    /* Its clocks run from power-on. */
}
