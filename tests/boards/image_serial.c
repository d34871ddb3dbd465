/* SPDX-License-Identifier: Apache-2.0
 *
 * The AIS input: counts and sums what arrives. A typed 'p' stops reading until a typed 'g', 'q' ends. */
#include "boards/family/board.h"
#include "boards/family/semihost.h"
#include "boards/family/text.h"
#include "boards/family/uart.h"
#include "proto/base/crc32c.h"

static uint32_t n_bytes;
static uint32_t crc;

static void tell(const char *name, uint32_t value)
{
    board_text(" ");
    board_text(name);
    board_text(" ");
    board_text_number(value);
}

static void tell_all(void)
{
    board_text("state");
    tell("bytes", n_bytes);
    tell("crc", crc);
    tell("dropped", board_serial_dropped());
    board_text("\r\n");
}

int main(void)
{
    bool reads = true;
    board_start();
    board_text("ready");
    tell("ring", board_serial_uart.ring->n_places - 1);
    tell("receiver", board_serial_uart.n_receive_bytes);
    board_text("\r\n");
    for (;;) {
        uint8_t bytes[100];
        uint8_t letter;
        size_t n = reads ? board_serial_read(bytes, sizeof bytes) : 0;
        n_bytes += (uint32_t)n;
        crc = hr_crc32c(crc, bytes, n);
        if (board_console_read(&letter, 1) == 1) {
            reads = letter == 'p' ? false : letter == 'g' ? true : reads;
            tell_all();
            if (letter == 'q') {
                board_semihost_exit(0);
            }
        } else if (n == 0) {
            board_wait();
        }
    }
}
