/* SPDX-License-Identifier: Apache-2.0
 *
 * One call to an aggregator's admin API, HTTP/1.1 on a connection of its own, in plain or over mutual TLS. */
#ifndef CLI_ADMIN_CALL_H
#define CLI_ADMIN_CALL_H

#include "aggregator/config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADMIN_HOST_MAX_CHARS = 255, ADMIN_REPLY_MAX_BYTES = 128 * 1024, ADMIN_WHY_CHARS = 640 };

struct cli_admin {
    bool is_tls;
    char host[ADMIN_HOST_MAX_CHARS + 1];
    char port[8];
    /* Over TLS; PEM files, borrowed. */
    const char *certificate;
    const char *key;
    const char *server_ca;
};

struct cli_admin_reply {
    int status;                       /* HTTP's */
    int64_t utc_s;                    /* by the aggregator's clock; 0: it did not tell */
    char body[ADMIN_REPLY_MAX_BYTES]; /* NUL-terminated */
};

/* Takes "http://HOST:PORT" or "https://HOST:PORT" apart; false when it is anything else. */
bool cli_admin_parse(const char *url, struct cli_admin *out);

/* The aggregator of this configuration; false: it has no http section. An address that means any is asked
 * over loopback. */
bool cli_admin_of_config(const struct config_aggregator *config, struct cli_admin *out);

/* GET, or POST when there is a body. False: nobody answered; `why` says what happened. */
bool cli_admin_call(const struct cli_admin *admin, const char *path, const char *body,
                    struct cli_admin_reply *reply, char why[ADMIN_WHY_CHARS]);

#endif
