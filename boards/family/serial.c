/* SPDX-License-Identifier: Apache-2.0
 *
 * Console and AIS input over two UARTs; what a third one needs of it too. */
#include "boards/family/serial.h"
#include "boards/family/board.h"
#include "boards/family/line.h"
#include "boards/family/registers.h"
#include "boards/family/uart.h"

enum { CONSOLE_BAUD = 115200 };

void board_serial_start(void)
{
    board_uart_start(&board_console_uart, board_info.core_hz, CONSOLE_BAUD);
    board_serial_speed(board_info.serial_baud);
}

void board_serial_speed(uint32_t baud)
{
    board_uart_start(&board_serial_uart, board_info.core_hz, baud);
    board_line_start(&board_serial_uart);
}

void board_serial_to_ring(const struct board_uart *uart,
                          bool (*receive)(const struct board_uart *, uint8_t *))
{
    uint8_t byte;
    board_uart_acknowledge(uart);
    while (!board_ring_is_full(uart->ring)) {
        if (!receive(uart, &byte)) {
            return;
        }
        board_ring_put(uart->ring, byte);
    }
    board_interrupt_disable(uart->irq);
}

void board_console_interrupt(void)
{
    board_serial_to_ring(&board_console_uart, board_uart_receive);
}

void board_serial_interrupt(void)
{
    board_serial_to_ring(&board_serial_uart, board_line_receive);
}

size_t board_serial_take(const struct board_uart *uart, uint8_t *out, size_t capacity_bytes)
{
    size_t len_bytes = board_ring_take(uart->ring, out, capacity_bytes);
    if (len_bytes > 0 && !board_interrupt_is_enabled(uart->irq)) {
        board_interrupt_enable(uart->irq);
        board_interrupt_pend(uart->irq);
    }
    return len_bytes;
}

void board_console_write(const char *text, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        board_uart_put(&board_console_uart, (uint8_t)text[i]);
    }
}

size_t board_console_read(uint8_t *out, size_t capacity_bytes)
{
    return board_serial_take(&board_console_uart, out, capacity_bytes);
}

size_t board_serial_read(uint8_t *out, size_t capacity_bytes)
{
    return board_serial_take(&board_serial_uart, out, capacity_bytes);
}

uint32_t board_serial_dropped(void)
{
    return *board_serial_uart.overruns;
}
