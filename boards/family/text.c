/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/text.h"

#include "boards/family/board.h"

#include <string.h>

void board_text(const char *text)
{
    board_console_write(text, strlen(text));
}

void board_text_hex(uint32_t value)
{
    char digits[8];
    for (unsigned i = 0; i < sizeof digits; i++) {
        digits[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 0xF];
    }
    board_console_write(digits, sizeof digits);
}

void board_text_number(uint32_t value)
{
    char digits[10];
    unsigned at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    board_console_write(digits + at, sizeof digits - at);
}
