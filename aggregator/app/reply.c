/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/reply.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

bool app_reply_add(struct app_reply *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = text->reply->capacity_bytes - text->len;
    int n = vsnprintf(text->reply->text + text->len, room, format, arguments);
    va_end(arguments);
    bool fits = n >= 0 && (size_t)n < room;
    text->len += fits ? (size_t)n : 0;
    text->reply->text[text->len] = '\0';
    return fits;
}

void app_reply_quoted(struct app_reply *text, const char *value)
{
    (void)app_reply_add(text, "\"");
    for (; *value != '\0'; value++) {
        bool needs = *value == '"' || *value == '\\';
        (void)app_reply_add(text, needs ? "\\%c" : "%c", (unsigned char)*value < 0x20 ? '?' : *value);
    }
    (void)app_reply_add(text, "\"");
}

bool app_reply_error(struct http_reply *reply, unsigned status, const char *why)
{
    struct app_reply text = {.reply = reply};
    reply->status = status;
    (void)app_reply_add(&text, "{\"error\":");
    app_reply_quoted(&text, why);
    (void)app_reply_add(&text, "}\n");
    return true;
}

void app_reply_time(struct app_reply *text, const char *key, int64_t utc_ms)
{
    time_t seconds = (time_t)(utc_ms / 1000);
    struct tm parts;
    char date[24];
    if (gmtime_r(&seconds, &parts) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        (void)app_reply_add(text, "\"%s\":%" PRId64, key, utc_ms);
        return;
    }
    (void)app_reply_add(text, "\"%s\":\"%s.%03uZ\"", key, date, (unsigned)(utc_ms % 1000));
}
