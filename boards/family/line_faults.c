/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/board.h"
#include "boards/family/command.h"
#include "boards/family/line.h"
#include "boards/family/registers.h"
#include "boards/family/timer.h"

#include <stddef.h>

enum { BITS_A_BYTE = 10, RECEIVER_MAX_BYTES = 16, CABLE_BYTES = 1024 };

/* What the emulator has brought and the line has not: without it the line would be as slow as the machine
 * that emulates it. And what the line has brought into the receiver, whose size is the real one's. */
static uint8_t cable_bytes[CABLE_BYTES + 1];
static struct board_ring cable = {.bytes = cable_bytes, .n_places = sizeof cable_bytes};
static uint8_t receiver_bytes[RECEIVER_MAX_BYTES + 1];
static struct board_ring receiver = {.bytes = receiver_bytes};
static const struct board_uart *line_uart; /* NULL: a line without speed */

void board_line_start(const struct board_uart *uart)
{
    const char *baud = board_command_value("line");
    if (baud == NULL) {
        return;
    }
    receiver.n_places = uart->n_receive_bytes + 1;
    line_uart = uart;
    board_timer_start(board_info.core_hz / board_command_number(baud, NULL) * BITS_A_BYTE);
}

static void fill_cable(void)
{
    uint8_t byte;
    while (!board_ring_is_full(&cable) && board_uart_receive(line_uart, &byte)) {
        board_ring_put(&cable, byte);
    }
}

void board_line_interrupt(void)
{
    uint8_t byte;
    board_timer_acknowledge();
    fill_cable();
    if (board_ring_take(&cable, &byte, 1) == 0) {
        return;
    }
    if (board_ring_is_full(&receiver)) {
        (*line_uart->overruns)++;
    } else {
        board_ring_put(&receiver, byte);
    }
    board_interrupt_pend(line_uart->irq);
}

bool board_line_receive(const struct board_uart *uart, uint8_t *byte)
{
    if (line_uart == NULL) {
        return board_uart_receive(uart, byte);
    }
    fill_cable();
    return board_ring_take(&receiver, byte, 1) == 1;
}
