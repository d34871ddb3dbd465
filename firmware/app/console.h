/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of text on a board's console, without printf: a word, then fields as key=value, the values in quotes
 * where they have blanks. The log, the boot banner and the shell's answers are such lines, so that people and
 * programs read the same. Control characters of foreign text come out as '?'. [loop] */
#ifndef APP_CONSOLE_H
#define APP_CONSOLE_H

#include "firmware/port/port_log.h"

#include <stddef.h>

enum { APP_HEX_CHARS = 64 };

/* Writes the text as it stands. [any] */
void app_console_text(const char *text);
/* Writes " key=value"; NULL text means that the number counts. */
void app_console_field(const char *key, const char *text, int64_t number);
/* Writes one line: a word and its fields. */
void app_console_line(const char *word, const struct port_log_field *fields, uint32_t n_fields);

/* APP_SAY("status", {"board", info->name, 0}, {"uptime_ms", NULL, uptime}) */
#define APP_SAY(word, ...)                                                                                   \
    do {                                                                                                     \
        const struct port_log_field app_say_fields_[] = {__VA_ARGS__};                                       \
        app_console_line((word), app_say_fields_,                                                            \
                         (uint32_t)(sizeof app_say_fields_ / sizeof app_say_fields_[0]));                    \
    } while (0)

/* Writes len_bytes, at most half of APP_HEX_CHARS, as hexadecimal digits and a zero. Returns out. */
const char *app_hex(const uint8_t *bytes, size_t len_bytes, char out[APP_HEX_CHARS + 1]);
/* A number as 16 digits, as `headrace` prints device ids. */
const char *app_hex_u64(uint64_t number, char out[APP_HEX_CHARS + 1]);

/* The log as lines on the console: uptime, level, event, fields. Debug lines are left out. */
const struct port_log *app_console_log(void);

#endif
