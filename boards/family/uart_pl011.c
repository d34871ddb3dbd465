/* SPDX-License-Identifier: Apache-2.0
 *
 * The UART of the Stellaris family, ARM's PL011 (LM3S6965 data sheet, chapter 12): 16 bytes each way. */
#include "boards/family/registers.h"
#include "boards/family/uart.h"

enum {
    DATA = 0x00,
    FLAGS = 0x18,
    DIVIDER_WHOLE = 0x24,
    DIVIDER_64THS = 0x28,
    LINE = 0x2C,
    CONTROL = 0x30,
    LEVELS = 0x34,
    INTERRUPT_MASK = 0x38,
    INTERRUPT_CLEAR = 0x44,

    DATA_OVERRUN = 1u << 11,
    FLAG_RECEIVE_EMPTY = 1u << 4,
    FLAG_TRANSMIT_FULL = 1u << 5,
    LINE_8_BITS_FIFOS = 0x60 | 0x10,
    CONTROL_ON = 0x301,             /* enabled, transmits, receives */
    LEVEL_RECEIVE_QUARTER = 1 << 3, /* 4 of 16 bytes: 3 ms of slack at 38,400 baud */
    INTERRUPT_RECEIVE = 1u << 4,
    INTERRUPT_RECEIVE_TIMEOUT = 1u << 6, /* fewer than the level, and the line is quiet */
};

void board_uart_start(const struct board_uart *uart, uint32_t clock_hz, uint32_t baud)
{
    /* The divider counts in 64ths of sixteen clocks a bit. */
    uint32_t divider_64ths = (clock_hz * 4 + baud / 2) / baud;
    board_write(uart->base, CONTROL, 0);
    board_write(uart->base, DIVIDER_WHOLE, divider_64ths / 64);
    board_write(uart->base, DIVIDER_64THS, divider_64ths % 64);
    board_write(uart->base, LINE, LINE_8_BITS_FIFOS);
    board_write(uart->base, LEVELS, LEVEL_RECEIVE_QUARTER);
    board_write(uart->base, INTERRUPT_MASK, INTERRUPT_RECEIVE | INTERRUPT_RECEIVE_TIMEOUT);
    board_write(uart->base, CONTROL, CONTROL_ON);
    board_interrupt_enable(uart->irq);
}

void board_uart_put(const struct board_uart *uart, uint8_t byte)
{
    while ((board_read(uart->base, FLAGS) & FLAG_TRANSMIT_FULL) != 0) {
    }
    board_write(uart->base, DATA, byte);
}

void board_uart_acknowledge(const struct board_uart *uart)
{
    board_write(uart->base, INTERRUPT_CLEAR, INTERRUPT_RECEIVE | INTERRUPT_RECEIVE_TIMEOUT);
}

bool board_uart_receive(const struct board_uart *uart, uint8_t *byte)
{
    if ((board_read(uart->base, FLAGS) & FLAG_RECEIVE_EMPTY) != 0) {
        return false;
    }
    uint32_t data = board_read(uart->base, DATA);
    if ((data & DATA_OVERRUN) != 0) {
        (*uart->overruns)++;
    }
    *byte = (uint8_t)data;
    return true;
}
