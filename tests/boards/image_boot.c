/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/board.h"
#include "boards/family/semihost.h"
#include "boards/family/text.h"

int main(void)
{
    board_start();
    board_text("headrace ");
    board_text(board_info.name);
    board_text("\r\n");
    uint64_t start_ms = board_uptime_ms();
    while (board_uptime_ms() - start_ms < 10) {
        board_wait();
    }
    board_semihost_exit(board_reset_cause() == BOARD_RESET_POWER ? 0 : 1);
}
