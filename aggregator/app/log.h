/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: one JSON object a line on stderr, written whole, so that lines of threads don't mix. [any thread]
 */
#ifndef APP_LOG_H
#define APP_LOG_H

#include <stddef.h>
#include <stdint.h>

enum app_level { APP_ERROR, APP_WARN, APP_INFO, APP_DEBUG };

struct app_field {
    const char *key;
    const char *text; /* NULL: the number counts */
    uint64_t number;
};

static inline struct app_field app_text(const char *key, const char *text)
{
    return (struct app_field){.key = key, .text = text != NULL ? text : ""};
}

static inline struct app_field app_number(const char *key, uint64_t number)
{
    return (struct app_field){.key = key, .number = number};
}

/* Lines above this level are left out; before it is called, APP_INFO. */
void app_log_level(enum app_level most);

/* {"time":...,"level":...,"event":event,fields...}. A field that does not fit in a line of 2 KB is left out.
 */
void app_log_fields(enum app_level level, const char *event, const struct app_field *fields, size_t n_fields);

#define APP_LOG(level, event, ...)                                                                           \
    app_log_fields(level, event, (const struct app_field[]){__VA_ARGS__},                                    \
                   sizeof((const struct app_field[]){__VA_ARGS__}) / sizeof(struct app_field))

#endif
