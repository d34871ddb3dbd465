/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/line.h"

void board_line_start(const struct board_uart *uart)
{
    (void)uart;
}

bool board_line_receive(const struct board_uart *uart, uint8_t *byte)
{
    return board_uart_receive(uart, byte);
}

void board_line_interrupt(void)
{
}
