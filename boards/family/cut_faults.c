/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/command.h"
#include "boards/family/cut.h"
#include "boards/family/semihost.h"
#include "proto/base/assert.h"

#include <string.h>

static uint32_t cut_op; /* 0: none, or not asked yet */
static enum board_cut cut_how;
static bool asked;

static void ask(void)
{
    asked = true;
    const char *value = board_command_value("cut");
    if (value == NULL) {
        return;
    }
    const char *how;
    cut_op = board_command_number(value, &how);
    cut_how = strncmp(how, ":before", 7) == 0  ? BOARD_CUT_BEFORE
              : strncmp(how, ":torn", 5) == 0  ? BOARD_CUT_TORN
              : strncmp(how, ":after", 6) == 0 ? BOARD_CUT_AFTER
                                               : BOARD_CUT_NONE;
    HR_ASSERT(cut_op > 0 && cut_how != BOARD_CUT_NONE);
}

enum board_cut board_cut_at(uint32_t n_op)
{
    if (!asked) {
        ask();
    }
    return n_op == cut_op ? cut_how : BOARD_CUT_NONE;
}

_Noreturn void board_cut_power(void)
{
    board_semihost_exit(BOARD_CUT_EXIT_CODE);
}
