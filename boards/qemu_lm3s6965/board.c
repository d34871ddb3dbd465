/* SPDX-License-Identifier: Apache-2.0
 *
 * The evaluation board of the LM3S6965 (its data sheet: chapter 2.4.2 interrupts, 5 system control). */
#include "boards/family/board.h"
#include "boards/family/ethernet.h"
#include "boards/family/hardware.h"
#include "boards/family/line.h"
#include "boards/family/registers.h"
#include "boards/family/serial.h"
#include "boards/family/spi.h"
#include "boards/family/timer.h"
#include "boards/family/uart.h"
#include "boards/family/watchdog.h"

const struct board_info board_info = {
    .name = "qemu_lm3s6965",
    .core_hz = 50000000,
    .serial_baud = 38400,
    .watchdog_ms = 16000,
};

enum { IRQ_CONSOLE = 5, IRQ_SERIAL = 6, IRQ_WATCHDOG = 18, IRQ_TIMER = 19, N_IRQS = 44 };

static uint8_t console_bytes[65];
static uint8_t serial_bytes[10241]; /* 2.6 s of a full line: a handshake at 50 MHz, and a signature */
static struct board_ring console_ring = {.bytes = console_bytes, .n_places = sizeof console_bytes};
static struct board_ring serial_ring = {.bytes = serial_bytes, .n_places = sizeof serial_bytes};
static uint32_t console_overruns;
static uint32_t serial_overruns;

const struct board_uart board_console_uart = {.base = 0x4000C000,
                                              .irq = IRQ_CONSOLE,
                                              .n_receive_bytes = 16,
                                              .ring = &console_ring,
                                              .overruns = &console_overruns};
const struct board_uart board_serial_uart = {.base = 0x4000D000,
                                             .irq = IRQ_SERIAL,
                                             .n_receive_bytes = 16,
                                             .ring = &serial_ring,
                                             .overruns = &serial_overruns};
const struct board_timer board_timer = {.base = 0x40030000, .irq = IRQ_TIMER};
const struct board_watchdog board_watchdog = {.base = 0x40000000, .irq = IRQ_WATCHDOG};
const uintptr_t board_ethernet_base = 0x40048000;
const uintptr_t board_spi_base = 0x40008000;

__attribute__((section(".vectors.irq"), used)) static void (*const vectors[N_IRQS])(void) = {
    [IRQ_CONSOLE] = board_console_interrupt,
    [IRQ_SERIAL] = board_serial_interrupt,
    [IRQ_WATCHDOG] = board_watchdog_interrupt,
    [IRQ_TIMER] = board_line_interrupt,
};

#define SYSTEM_CONTROL_BASE ((uintptr_t)0x400FE000u)

#define PORT_A_BASE ((uintptr_t)0x40004000u)
#define PORT_D_BASE ((uintptr_t)0x40007000u)

enum {
    RAW_INTERRUPTS = 0x50,
    RUN_CLOCK = 0x60,
    CLOCK_GATES_0 = 0x100,
    CLOCK_GATES_1 = 0x104,
    CLOCK_GATES_2 = 0x108,

    PLL_LOCKED = 1u << 6,
    RUN_CRYSTAL_8_MHZ = 0xEu << 6,
    RUN_BYPASSES_PLL = 1u << 11,
    RUN_PLL_OFF = 1u << 13,
    RUN_USES_DIVIDER = 1u << 22,
    RUN_DIVIDES_BY_4 = 3u << 23, /* 200 MHz / 4 */

    GATE_0_WATCHDOG = 1u << 3,
    GATE_1_UARTS = 3u << 0,
    GATE_1_SSI = 1u << 4,
    GATE_1_TIMER = 1u << 16,
    GATE_2_PORTS_A_D = 1u << 0 | 1u << 3,
    GATE_2_ETHERNET = 1u << 28 | 1u << 30, /* controller and transceiver */

    PIN_DIRECTION = 0x400,
    PIN_ALTERNATE = 0x420,
    PIN_DIGITAL = 0x51C,
    PINS_A_CONSOLE_SSI = 0x03 | 0x34, /* the bus without its own select pin */
    PINS_D_SERIAL = 0x0C,
    PIN_D_CARD_SELECT = 0x01,
};

/* The sequence of the data sheet, 5.3: bypass the PLL, start it, wait until it has locked, use it. */
static void start_clock(void)
{
    board_write(SYSTEM_CONTROL_BASE, RUN_CLOCK, RUN_BYPASSES_PLL | RUN_CRYSTAL_8_MHZ | RUN_PLL_OFF);
    uint32_t run = RUN_CRYSTAL_8_MHZ | RUN_DIVIDES_BY_4 | RUN_USES_DIVIDER;
    board_write(SYSTEM_CONTROL_BASE, RUN_CLOCK, run | RUN_BYPASSES_PLL);
    while ((board_read(SYSTEM_CONTROL_BASE, RAW_INTERRUPTS) & PLL_LOCKED) == 0) {
    }
    board_write(SYSTEM_CONTROL_BASE, RUN_CLOCK, run);
}

void board_hardware_start(void)
{
    start_clock();
    board_set_bits(SYSTEM_CONTROL_BASE, CLOCK_GATES_0, GATE_0_WATCHDOG);
    board_set_bits(SYSTEM_CONTROL_BASE, CLOCK_GATES_1, GATE_1_UARTS | GATE_1_SSI | GATE_1_TIMER);
    board_set_bits(SYSTEM_CONTROL_BASE, CLOCK_GATES_2, GATE_2_PORTS_A_D | GATE_2_ETHERNET);
    /* A few cycles until the gates are open: the read-back takes them. */
    (void)board_read(SYSTEM_CONTROL_BASE, CLOCK_GATES_2);
    board_set_bits(PORT_A_BASE, PIN_ALTERNATE, PINS_A_CONSOLE_SSI);
    board_set_bits(PORT_A_BASE, PIN_DIGITAL, PINS_A_CONSOLE_SSI);
    board_set_bits(PORT_D_BASE, PIN_ALTERNATE, PINS_D_SERIAL);
    board_set_bits(PORT_D_BASE, PIN_DIRECTION, PIN_D_CARD_SELECT);
    board_set_bits(PORT_D_BASE, PIN_DIGITAL, PINS_D_SERIAL | PIN_D_CARD_SELECT);
    board_spi_select(false);
}

void board_spi_select(bool selected)
{
    /* The address is the mask of the pins that a write changes, times four. */
    board_write(PORT_D_BASE, PIN_D_CARD_SELECT << 2, selected ? 0 : PIN_D_CARD_SELECT);
}
