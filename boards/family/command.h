/* SPDX-License-Identifier: Apache-2.0
 *
 * What a test told the image on the emulator's command line, as words "name=value". Only builds with
 * HEADRACE_FAULTS hold it. */
#ifndef BOARD_COMMAND_H
#define BOARD_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

/* The value of the word of this name, up to the next space or the end; NULL: there is no such word. */
const char *board_command_value(const char *name);
/* The number at the start of a value; *rest, if asked for, is what follows it. */
uint32_t board_command_number(const char *value, const char **rest);

#endif
