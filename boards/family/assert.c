/* SPDX-License-Identifier: Apache-2.0
 *
 * A bug of our own: said on the console, then a reset. */
#include "proto/base/assert.h"

#include "boards/family/reset.h"
#include "boards/family/text.h"

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line)
{
    board_text("\r\nassertion failed: ");
    board_text(expression);
    board_text(" ");
    board_text(file);
    board_text(":");
    board_text_number((uint32_t)line);
    board_text("\r\n");
    board_reset_because(BOARD_RESET_FAULT);
}
