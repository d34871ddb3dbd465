/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/board.h"
#include "boards/family/command.h"
#include "boards/family/line.h"
#include "boards/family/registers.h"
#include "boards/family/timer.h"

#include <stddef.h>

enum { BITS_A_BYTE = 10, BUFFER_MAX_BYTES = 16 };

static uint8_t buffer_bytes[BUFFER_MAX_BYTES];
static struct board_ring buffer = {.bytes = buffer_bytes};
static const struct board_uart *line_uart; /* NULL: a line without speed */

void board_line_start(const struct board_uart *uart)
{
    const char *baud = board_command_value("line");
    if (baud == NULL) {
        return;
    }
    /* A byte asks for nothing when it comes, but when the line has brought it. */
    board_uart_mute(uart);
    buffer.capacity_bytes = uart->n_receive_bytes;
    line_uart = uart;
    board_timer_start(board_info.core_hz / board_command_number(baud, NULL) * BITS_A_BYTE);
}

void board_line_interrupt(void)
{
    uint8_t byte;
    board_timer_acknowledge();
    if (!board_uart_receive(line_uart, &byte)) {
        return;
    }
    if (board_ring_is_full(&buffer)) {
        (*line_uart->overruns)++;
    } else {
        board_ring_put(&buffer, byte);
    }
    board_interrupt_pend(line_uart->irq);
}

bool board_line_receive(const struct board_uart *uart, uint8_t *byte)
{
    if (line_uart == NULL) {
        return board_uart_receive(uart, byte);
    }
    return board_ring_take(&buffer, byte, 1) == 1;
}
