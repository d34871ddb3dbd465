/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/console.h"

#include "boards/family/board.h"
#include "proto/base/assert.h"

#include <stdbool.h>
#include <string.h>

enum { NUMBER_MAX_CHARS = 21, MS_DIGITS = 3 };

void app_console_text(const char *text)
{
    board_console_write(text, strlen(text));
}

/* ---- values ---- */

/* Digits of the number, at least min_digits of them. */
static void write_unsigned(uint64_t number, uint32_t min_digits)
{
    char digits[NUMBER_MAX_CHARS];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0 || sizeof digits - at < min_digits);
    board_console_write(digits + at, sizeof digits - at);
}

static void write_number(int64_t number)
{
    if (number < 0) {
        app_console_text("-");
    }
    write_unsigned(number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 1);
}

static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~' || *text == '"' || *text == '=') {
            return false;
        }
    }
    return true;
}

static void write_quoted(const char *text)
{
    app_console_text("\"");
    for (; *text != '\0'; text++) {
        bool printable = *text >= ' ' && *text <= '~';
        char out = *text == '"' ? '\'' : *text;
        board_console_write(printable ? &out : "?", 1);
    }
    app_console_text("\"");
}

void app_console_field(const char *key, const char *text, int64_t number)
{
    app_console_text(" ");
    app_console_text(key);
    app_console_text("=");
    if (text == NULL) {
        write_number(number);
    } else if (text[0] != '\0' && is_plain(text)) {
        app_console_text(text);
    } else {
        write_quoted(text);
    }
}

const char *app_hex(const uint8_t *bytes, size_t len_bytes, char out[APP_HEX_CHARS + 1])
{
    static const char digits[] = "0123456789abcdef";
    HR_ASSERT(len_bytes <= APP_HEX_CHARS / 2);
    for (size_t i = 0; i < len_bytes; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 0x0F];
    }
    out[2 * len_bytes] = '\0';
    return out;
}

const char *app_hex_u64(uint64_t number, char out[APP_HEX_CHARS + 1])
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    return app_hex(bytes, sizeof bytes, out);
}

/* ---- lines ---- */

void app_console_line(const char *word, const struct port_log_field *fields, uint32_t n_fields)
{
    app_console_text(word);
    for (uint32_t i = 0; i < n_fields; i++) {
        app_console_field(fields[i].key, fields[i].text, fields[i].number);
    }
    app_console_text("\r\n");
}

static void log_write(void *ctx, enum port_log_level level, const char *event,
                      const struct port_log_field *fields, uint32_t n_fields)
{
    static const char *const names[] = {
        [PORT_LOG_DEBUG] = "debug ",
        [PORT_LOG_INFO] = "info ",
        [PORT_LOG_WARN] = "warn ",
        [PORT_LOG_ERROR] = "error ",
    };
    (void)ctx;
    if (level == PORT_LOG_DEBUG) {
        return;
    }
    uint64_t now_ms = board_uptime_ms();
    app_console_text("[");
    write_unsigned(now_ms / 1000, 1);
    app_console_text(".");
    write_unsigned(now_ms % 1000, MS_DIGITS);
    app_console_text("] ");
    app_console_text(names[level]);
    app_console_line(event, fields, n_fields);
}

const struct port_log *app_console_log(void)
{
    static const struct port_log log = {log_write, NULL};
    return &log;
}
