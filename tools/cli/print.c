/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/print.h"

#include <stdio.h>
#include <time.h>

const char *cli_digest_text(const uint8_t digest[32], char out[CLI_DIGEST_TEXT_CHARS])
{
    for (size_t i = 0; i < 32; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
    return out;
}

const char *cli_time_text(int64_t utc_ms, char out[CLI_TIME_TEXT_CHARS])
{
    int64_t ms = utc_ms % 1000;
    time_t seconds = (time_t)(utc_ms / 1000 - (ms < 0 ? 1 : 0));
    struct tm parts;
    char date[24];
    if (gmtime_r(&seconds, &parts) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        (void)snprintf(out, CLI_TIME_TEXT_CHARS, "%lld ms", (long long)utc_ms);
        return out;
    }
    (void)snprintf(out, CLI_TIME_TEXT_CHARS, "%s.%03uZ", date, (unsigned)(ms < 0 ? ms + 1000 : ms) % 1000u);
    return out;
}

void cli_print_json_text(const char *text)
{
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            (void)printf("\\%c", c);
        } else if (c < 0x20) {
            (void)printf("\\u%04x", c);
        } else {
            (void)putchar(c);
        }
    }
    (void)putchar('"');
}
