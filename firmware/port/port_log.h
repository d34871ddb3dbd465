/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_LOG_H
#define PORT_LOG_H

#include <stdint.h>

enum port_log_level { PORT_LOG_DEBUG, PORT_LOG_INFO, PORT_LOG_WARN, PORT_LOG_ERROR };

/* One field of a log line; `text` is borrowed until the call returns. NULL text means that `number` counts.
 */
struct port_log_field {
    const char *key;
    const char *text;
    int64_t number;
};

/* Writes one structured line: an event name such as "spool_opened" and its fields. Never blocks for long,
 * never fails visibly. [loop] */
struct port_log {
    void (*write)(void *ctx, enum port_log_level level, const char *event,
                  const struct port_log_field *fields, uint32_t n_fields);
    void *ctx;
};

/* PORT_LOG(log, PORT_LOG_WARN, "uplink_refused", {"status", name, 0}, {"seq", NULL, seq}) */
#define PORT_LOG(log, level, event, ...)                                                                     \
    do {                                                                                                     \
        const struct port_log_field port_log_fields_[] = {__VA_ARGS__};                                      \
        (log)->write((log)->ctx, (level), (event), port_log_fields_,                                         \
                     (uint32_t)(sizeof port_log_fields_ / sizeof port_log_fields_[0]));                      \
    } while (0)

#endif
