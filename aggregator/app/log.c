/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048, LINE_END_BYTES = 2 };

static atomic_int level_limit = APP_INFO;

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
    bool full;
};

static void put(struct line *line, const char *text, size_t len)
{
    if (line->full || line->len + len > sizeof(line->text) - LINE_END_BYTES) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

/* What comes from outside may be no UTF-8: every byte that is not plain ASCII is escaped. */
static void put_string(struct line *line, const char *text)
{
    put(line, "\"", 1);
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        char escaped[8];
        if (byte == '"' || byte == '\\') {
            escaped[0] = '\\';
            escaped[1] = *at;
            put(line, escaped, 2);
        } else if (byte < 0x20 || byte >= 0x7F) {
            put(line, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", byte));
        } else {
            put(line, at, 1);
        }
    }
    put(line, "\"", 1);
}

static void put_field(struct line *line, const struct app_field *field)
{
    size_t start = line->len;
    put(line, ",", line->len > 1 ? 1 : 0);
    put_string(line, field->key);
    put(line, ":", 1);
    if (field->text != NULL) {
        put_string(line, field->text);
    } else {
        char digits[24];
        put(line, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, field->number));
    }
    if (line->full) {
        line->len = start;
        line->full = false;
    }
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char text[40];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &utc) == NULL) {
        return;
    }
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + len, sizeof(text) - len, ".%03ldZ", now.tv_nsec / 1000000);
    const struct app_field field = app_text("time", text);
    put_field(line, &field);
}

void app_log_level(enum app_level most)
{
    atomic_store(&level_limit, (int)most);
}

void app_log_fields(enum app_level level, const char *event, const struct app_field *fields, size_t n_fields)
{
    static const char *const names[] = {
        [APP_ERROR] = "error", [APP_WARN] = "warn", [APP_INFO] = "info", [APP_DEBUG] = "debug"};
    if ((int)level > atomic_load_explicit(&level_limit, memory_order_relaxed)) {
        return;
    }
    struct line line = {.len = 0};
    const struct app_field head[] = {app_text("level", names[level]), app_text("event", event)};
    put(&line, "{", 1);
    put_time(&line);
    put_field(&line, &head[0]);
    put_field(&line, &head[1]);
    for (size_t i = 0; i < n_fields; i++) {
        put_field(&line, &fields[i]);
    }
    memcpy(line.text + line.len, "}\n", LINE_END_BYTES);
    ssize_t written = 0;
    do {
        written = write(STDERR_FILENO, line.text, line.len + LINE_END_BYTES);
    } while (written < 0 && errno == EINTR);
}
