/* SPDX-License-Identifier: Apache-2.0
 *
 * The log as JSON, one object a line: {"time":"2026-11-21T04:05:06.789Z","level":"info","event":"...", ...}.
 * A line is at most PORT_LOG_JSON_MAX_BYTES long, cut between fields, and is written with one call, so that
 * lines of several programs in one file do not mix. */
#ifndef PORT_LINUX_LOG_JSON_H
#define PORT_LINUX_LOG_JSON_H

#include "firmware/port/port_log.h"

enum { PORT_LOG_JSON_MAX_BYTES = 2048 };

struct port_log_json {
    struct port_log port;
    enum port_log_level least;
    int fd;
};

/* Lines below `least` are left out. The struct stays where it is. */
void port_log_json_init(struct port_log_json *log, int fd, enum port_log_level least);

#endif
