/* SPDX-License-Identifier: Apache-2.0
 *
 * The line to polled devices, over a UART of its own. */
#include "boards/family/board.h"
#include "boards/family/serial.h"
#include "boards/family/uart.h"

void board_bus_start(uint32_t baud)
{
    board_uart_start(&board_bus_uart, board_info.core_hz, baud);
}

void board_bus_interrupt(void)
{
    board_serial_to_ring(&board_bus_uart, board_uart_receive);
}

size_t board_bus_read(uint8_t *out, size_t capacity_bytes)
{
    return board_serial_take(&board_bus_uart, out, capacity_bytes);
}

void board_bus_write(const uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        board_uart_put(&board_bus_uart, bytes[i]);
    }
}

uint32_t board_bus_dropped(void)
{
    return *board_bus_uart.overruns;
}
