/* SPDX-License-Identifier: Apache-2.0
 *
 * The last words of a program: text on the console without a formatter and hardly any stack. [any] */
#ifndef BOARD_TEXT_H
#define BOARD_TEXT_H

#include <stdint.h>

void board_text(const char *text);
/* Eight digits. */
void board_text_hex(uint32_t value);
void board_text_number(uint32_t value);

#endif
