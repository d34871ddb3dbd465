/* SPDX-License-Identifier: Apache-2.0
 *
 * The UART of ARM's CMSDK (Cortex-M System Design Kit TRM, 4.5): a buffer of one byte each way. */
#include "boards/family/registers.h"
#include "boards/family/uart.h"

enum {
    DATA = 0x00,
    STATE = 0x04,
    CONTROL = 0x08,
    INTERRUPT = 0x0C, /* status, and clears by writing ones */
    DIVIDER = 0x10,

    STATE_TRANSMIT_FULL = 1u << 0,
    STATE_RECEIVE_FULL = 1u << 1,
    STATE_RECEIVE_OVERRUN = 1u << 3,
    CONTROL_TRANSMIT = 1u << 0,
    CONTROL_RECEIVE = 1u << 1,
    CONTROL_RECEIVE_INTERRUPT = 1u << 3,
    INTERRUPT_RECEIVE = 1u << 1,

    DIVIDER_MIN = 16,
};

void board_uart_start(const struct board_uart *uart, uint32_t clock_hz, uint32_t baud)
{
    uint32_t divider = clock_hz / baud;
    board_write(uart->base, DIVIDER, divider < DIVIDER_MIN ? DIVIDER_MIN : divider);
    board_write(uart->base, CONTROL, CONTROL_TRANSMIT | CONTROL_RECEIVE | CONTROL_RECEIVE_INTERRUPT);
    board_interrupt_enable(uart->irq);
}

void board_uart_put(const struct board_uart *uart, uint8_t byte)
{
    while ((board_read(uart->base, STATE) & STATE_TRANSMIT_FULL) != 0) {
    }
    board_write(uart->base, DATA, byte);
}

void board_uart_acknowledge(const struct board_uart *uart)
{
    board_write(uart->base, INTERRUPT, INTERRUPT_RECEIVE);
}

bool board_uart_receive(const struct board_uart *uart, uint8_t *byte)
{
    uint32_t state = board_read(uart->base, STATE);
    if ((state & STATE_RECEIVE_OVERRUN) != 0) {
        board_write(uart->base, STATE, STATE_RECEIVE_OVERRUN);
        (*uart->overruns)++;
    }
    if ((state & STATE_RECEIVE_FULL) == 0) {
        return false;
    }
    *byte = (uint8_t)board_read(uart->base, DATA);
    return true;
}
