/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON into the reply of an admin request, as far as there is room. */
#ifndef APP_REPLY_H
#define APP_REPLY_H

#include "aggregator/http/http.h"

enum {
    APP_OK = 200,
    APP_ACCEPTED = 202,
    APP_BAD = 400,
    APP_FORBIDDEN = 403,
    APP_NOT_FOUND = 404,
    APP_CONFLICT = 409,
    APP_TOO_MANY = 429,
    APP_UNAVAILABLE = 503,
};

struct app_reply {
    struct http_reply *reply;
    size_t len;
};

/* Adds text; false: it does not fit, and nothing was added. */
bool app_reply_add(struct app_reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string of what came from outside; control characters become question marks. */
void app_reply_quoted(struct app_reply *reply, const char *value);
/* "key":"2026-11-21T03:44:00.123Z" of Unix milliseconds. */
void app_reply_time(struct app_reply *reply, const char *key, int64_t utc_ms);
/* The whole reply: {"error": why}. Gives true, as the handler of a request does. */
bool app_reply_error(struct http_reply *reply, unsigned status, const char *why);

#endif
