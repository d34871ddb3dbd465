/* SPDX-License-Identifier: Apache-2.0
 *
 * A device at the end of a line: a board's console over a serial line or TCP, or a gateway's socket, and the
 * lines of the provisioning ceremony on it (proto/SPEC.md section 12). Whatever else the device says there,
 * its log or an echo, is passed over. */
#ifndef CLI_DEVICE_LINE_H
#define CLI_DEVICE_LINE_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { CLI_LINE_ANSWER_MAX_CHARS = 4095, CLI_LINE_WHY_CHARS = 512 };

struct cli_device_line {
    int fd;
    const char *where; /* as it was named */
    char answer[CLI_LINE_ANSWER_MAX_CHARS + 1];
    char why[CLI_LINE_WHY_CHARS]; /* the cause of a failure, for a person, with what to do */
    char pending[CLI_LINE_ANSWER_MAX_CHARS + 1];
    size_t n_pending;
};

/* `where` is tcp://HOST:PORT, a serial device (115200 8N1), or the path of a socket. HR_IO: `why` says it. */
HR_MUST_USE struct hr_status cli_device_line_open(struct cli_device_line *line, const char *where);
void cli_device_line_close(struct cli_device_line *line);

/* Says a line and takes its answer; a lost answer is asked for again. HR_OK: it was done, `answer` has the
 * fields. HR_DENIED: the device refused: `answer` begins with its word, `why` has its sentence. HR_IO: nobody
 * answers. */
HR_MUST_USE struct hr_status cli_device_ask(struct cli_device_line *line, const char *text);

/* A field of the answer; "" where it has none. */
void cli_device_field(const struct cli_device_line *line, const char *key, char *out, size_t capacity);

#endif
