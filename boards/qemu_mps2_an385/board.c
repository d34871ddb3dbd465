/* SPDX-License-Identifier: Apache-2.0
 *
 * The MPS2 FPGA board with image AN385 (ARM application note 385, chapter 3: memory map and interrupts). */
#include "boards/family/board.h"
#include "boards/family/ethernet.h"
#include "boards/family/hardware.h"
#include "boards/family/line.h"
#include "boards/family/psram.h"
#include "boards/family/serial.h"
#include "boards/family/timer.h"
#include "boards/family/uart.h"
#include "boards/family/watchdog.h"

const struct board_info board_info = {
    .name = "qemu_mps2_an385",
    .core_hz = 25000000,
    .serial_baud = 38400,
    .watchdog_ms = 16000,
};

enum { IRQ_CONSOLE = 0, IRQ_SERIAL = 2, IRQ_BUS = 4, IRQ_TIMER = 8, N_IRQS = 32 };

static uint8_t console_bytes[129];
static uint8_t serial_bytes[32769]; /* 8.5 s of a full line: two handshakes at 25 MHz */
static struct board_ring console_ring = {.bytes = console_bytes, .n_places = sizeof console_bytes};
static struct board_ring serial_ring = {.bytes = serial_bytes, .n_places = sizeof serial_bytes};
static uint32_t console_overruns;
static uint32_t serial_overruns;
static uint8_t bus_bytes[301]; /* the longest answer has 255 */
static struct board_ring bus_ring = {.bytes = bus_bytes, .n_places = sizeof bus_bytes};
static uint32_t bus_overruns;

const struct board_uart board_console_uart = {.base = 0x40004000,
                                              .irq = IRQ_CONSOLE,
                                              .n_receive_bytes = 1,
                                              .ring = &console_ring,
                                              .overruns = &console_overruns};
const struct board_uart board_serial_uart = {.base = 0x40005000,
                                             .irq = IRQ_SERIAL,
                                             .n_receive_bytes = 1,
                                             .ring = &serial_ring,
                                             .overruns = &serial_overruns};
const struct board_uart board_bus_uart = {
    .base = 0x40006000, .irq = IRQ_BUS, .n_receive_bytes = 1, .ring = &bus_ring, .overruns = &bus_overruns};
const struct board_timer board_timer = {.base = 0x40000000, .irq = IRQ_TIMER};
const struct board_watchdog board_watchdog = {.base = 0x40008000, .irq = BOARD_WATCHDOG_NMI};
const uintptr_t board_ethernet_base = 0x40200000;
/* The 16 MB of PSRAM, which QEMU keeps in a file. */
uint8_t *const board_psram = (uint8_t *)0x21000000;
const uint32_t board_psram_bytes = 16u << 20;

__attribute__((section(".vectors.irq"), used)) static void (*const vectors[N_IRQS])(void) = {
    [IRQ_CONSOLE] = board_console_interrupt,
    [IRQ_SERIAL] = board_serial_interrupt,
    [IRQ_BUS] = board_bus_interrupt,
    [IRQ_TIMER] = board_line_interrupt,
};

void board_hardware_start(void)
{
    /* Its clocks run from power-on. */
}
