/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/sim_text.h"

#include "proto/base/assert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_MAX_BYTES = 1024, FIRST_BYTES = 4096 };

void cli_sim_text_bytes(struct cli_sim_text *text, const void *data, size_t len_bytes)
{
    if (text->is_out_of_memory || len_bytes == 0) {
        return;
    }
    if (len_bytes > text->capacity_bytes - text->len_bytes) {
        size_t wanted = text->capacity_bytes == 0 ? FIRST_BYTES : text->capacity_bytes * 2;
        while (wanted - text->len_bytes < len_bytes) {
            wanted *= 2;
        }
        char *grown = realloc(text->data, wanted);
        if (grown == NULL) {
            text->is_out_of_memory = true;
            return;
        }
        text->data = grown;
        text->capacity_bytes = wanted;
    }
    memcpy(text->data + text->len_bytes, data, len_bytes);
    text->len_bytes += len_bytes;
}

void cli_sim_text_add(struct cli_sim_text *text, const char *format, ...)
{
    char piece[PIECE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (len > 0) {
        cli_sim_text_bytes(text, piece, (size_t)len < sizeof piece ? (size_t)len : sizeof piece - 1);
    }
}

void cli_sim_text_number(struct cli_sim_text *text, int64_t value, unsigned decimals,
                         enum cli_sim_digits digits)
{
    uint64_t left = value < 0 ? (uint64_t)-value : (uint64_t)value;
    uint64_t unit = 1;
    for (unsigned i = 0; i < decimals; i++) {
        unit *= 10;
    }
    while (digits != CLI_SIM_FIXED && decimals > 0 && left % 10 == 0) {
        left /= 10;
        unit /= 10;
        decimals--;
    }
    if (value < 0) {
        cli_sim_text_bytes(text, "-", 1);
    }
    if (digits != CLI_SIM_BARE || left >= unit || decimals == 0) {
        cli_sim_text_add(text, "%" PRIu64, left / unit);
    }
    if (decimals > 0) {
        cli_sim_text_add(text, ".%0*" PRIu64, (int)decimals, left % unit);
    }
}

void cli_sim_text_time(struct cli_sim_text *text, const struct feeds_local *local, const char *pattern)
{
    const struct {
        char letter;
        int width;
        int value;
    } parts[] = {{'Y', 4, (int)local->year}, {'m', 2, local->month}, {'d', 2, local->day},
                 {'n', 1, local->month},     {'e', 1, local->day},   {'H', 2, local->hour},
                 {'M', 2, local->minute},    {'S', 2, local->second}};
    for (const char *at = pattern; *at != '\0'; at++) {
        if (*at != '%') {
            cli_sim_text_bytes(text, at, 1);
            continue;
        }
        at++;
        for (size_t i = 0; i < HR_ARRAY_LEN(parts); i++) {
            if (parts[i].letter == *at) {
                cli_sim_text_add(text, "%0*d", parts[i].width, parts[i].value);
            }
        }
    }
}

static const char *read_digits(const char *text, unsigned n_digits, uint32_t *out)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < n_digits; i++, text++) {
        if (*text < '0' || *text > '9') {
            return NULL;
        }
        value = value * 10 + (uint32_t)(*text - '0');
    }
    *out = value;
    return text;
}

const char *cli_sim_stamp_read(const char *text, const char *pattern, int64_t *local_s)
{
    static const char LETTERS[] = "YmdHMS";
    static const uint32_t MOST[] = {9999, 12, 31, 24, 59, 60};
    uint32_t parts[] = {1970, 1, 1, 0, 0, 0};
    for (const char *at = pattern; *at != '\0'; at++) {
        if (*at != '%') {
            if (*text++ != *at) {
                return NULL;
            }
            continue;
        }
        const char *letter = strchr(LETTERS, *++at);
        size_t part = letter != NULL && *letter != '\0' ? (size_t)(letter - LETTERS) : 0;
        text = read_digits(text, part == 0 ? 4 : 2, &parts[part]);
        if (text == NULL || parts[part] > MOST[part]) {
            return NULL;
        }
    }
    if (parts[0] < 1970 || parts[1] == 0 || parts[2] == 0) {
        return NULL;
    }
    uint32_t second = parts[3] * 3600 + parts[4] * 60 + parts[5];
    *local_s = feeds_utc_ms((int32_t)parts[0], parts[1], parts[2], second) / 1000;
    return text;
}

void cli_sim_text_free(struct cli_sim_text *text)
{
    free(text->data);
    *text = (struct cli_sim_text){0};
}
