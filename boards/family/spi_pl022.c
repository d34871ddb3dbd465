/* SPDX-License-Identifier: Apache-2.0
 *
 * The synchronous serial interface of the Stellaris family, ARM's PL022 (LM3S6965 data sheet, chapter 13). */
#include "boards/family/board.h"
#include "boards/family/registers.h"
#include "boards/family/spi.h"

#include <stddef.h>

enum {
    CONTROL_0 = 0x00,
    CONTROL_1 = 0x04,
    DATA = 0x08,
    STATUS = 0x0C,
    PRESCALE = 0x10,

    CONTROL_0_8_BITS_MODE_0 = 0x07,
    CONTROL_1_ON = 1u << 1,
    STATUS_RECEIVE_NOT_EMPTY = 1u << 2,
    FIFO_BYTES = 8,
    PRESCALE_MAX = 254,
};

void board_spi_start(uint32_t bus_hz)
{
    uint32_t prescale = (board_info.core_hz + bus_hz - 1) / bus_hz;
    prescale += prescale % 2;
    board_write(board_spi_base, CONTROL_1, 0);
    board_write(board_spi_base, CONTROL_0, CONTROL_0_8_BITS_MODE_0);
    board_write(board_spi_base, PRESCALE, prescale < PRESCALE_MAX ? prescale : PRESCALE_MAX);
    board_write(board_spi_base, CONTROL_1, CONTROL_1_ON);
}

void board_spi_exchange(const uint8_t *data, uint8_t *out, uint32_t len_bytes)
{
    /* As many at a time as the buffers hold: none of what comes back is lost. */
    for (uint32_t at = 0; at < len_bytes;) {
        uint32_t n = len_bytes - at < FIFO_BYTES ? len_bytes - at : FIFO_BYTES;
        for (uint32_t i = 0; i < n; i++) {
            board_write(board_spi_base, DATA, data == NULL ? 0xFF : data[at + i]);
        }
        for (uint32_t i = 0; i < n; i++) {
            while ((board_read(board_spi_base, STATUS) & STATUS_RECEIVE_NOT_EMPTY) == 0) {
            }
            uint8_t byte = (uint8_t)board_read(board_spi_base, DATA);
            if (out != NULL) {
                out[at + i] = byte;
            }
        }
        at += n;
    }
}
