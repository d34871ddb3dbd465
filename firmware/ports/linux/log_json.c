/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/log_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct line {
    char text[PORT_LOG_JSON_MAX_BYTES];
    size_t len_bytes;
    bool full;
};

static void put(struct line *line, const char *text, size_t len_bytes)
{
    /* Room for "}" and the line end is kept. */
    if (line->full || line->len_bytes + len_bytes > sizeof line->text - 2) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len_bytes, text, len_bytes);
    line->len_bytes += len_bytes;
}

static void put_string(struct line *line, const char *text)
{
    put(line, "\"", 1);
    for (const char *at = text; *at != '\0'; at++) {
        uint8_t byte = (uint8_t)*at;
        char escaped[8];
        if (byte == '"' || byte == '\\') {
            escaped[0] = '\\';
            escaped[1] = *at;
            put(line, escaped, 2);
        } else if (byte < 0x20 || byte == 0x7F) {
            put(line, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", byte));
        } else {
            put(line, at, 1);
        }
    }
    put(line, "\"", 1);
}

static void put_field(struct line *line, const char *key, const char *text, int64_t number)
{
    size_t start = line->len_bytes;
    put(line, ",", line->len_bytes > 1 ? 1 : 0);
    put_string(line, key);
    put(line, ":", 1);
    if (text != NULL) {
        put_string(line, text);
    } else {
        char digits[24];
        put(line, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, number));
    }
    if (line->full) {
        line->len_bytes = start;
    }
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char text[40];
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || gmtime_r(&now.tv_sec, &utc) == NULL) {
        return;
    }
    size_t at = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + at, sizeof text - at, ".%03ldZ", now.tv_nsec / 1000000);
    put_field(line, "time", text, 0);
}

static void write_line(void *ctx, enum port_log_level level, const char *event,
                       const struct port_log_field *fields, uint32_t n_fields)
{
    static const char *const names[] = {[PORT_LOG_DEBUG] = "debug",
                                        [PORT_LOG_INFO] = "info",
                                        [PORT_LOG_WARN] = "warn",
                                        [PORT_LOG_ERROR] = "error"};
    const struct port_log_json *log = ctx;
    if (level < log->least) {
        return;
    }
    struct line line;
    line.len_bytes = 0;
    line.full = false;
    put(&line, "{", 1);
    put_time(&line);
    put_field(&line, "level", names[level], 0);
    put_field(&line, "event", event, 0);
    for (uint32_t i = 0; i < n_fields; i++) {
        put_field(&line, fields[i].key, fields[i].text, fields[i].number);
    }
    memcpy(line.text + line.len_bytes, "}\n", 2);
    ssize_t written = 0;
    do {
        written = write(log->fd, line.text, line.len_bytes + 2);
    } while (written < 0 && errno == EINTR);
}

void port_log_json_init(struct port_log_json *log, int fd, enum port_log_level least)
{
    log->port = (struct port_log){write_line, log};
    log->least = least;
    log->fd = fd;
}
