/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/board.h"
#include "boards/family/cut.h"

enum board_cut board_cut_at(uint32_t n_op)
{
    (void)n_op;
    return BOARD_CUT_NONE;
}

_Noreturn void board_cut_power(void)
{
    board_reboot();
}
