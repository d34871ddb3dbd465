/* SPDX-License-Identifier: Apache-2.0
 *
 * A TLS session with an aggregator's admin API, by OpenSSL, over a socket that is connected. */
#ifndef CLI_ADMIN_TLS_H
#define CLI_ADMIN_TLS_H

#include "tools/cli/admin_call.h"

#include <sys/types.h>

struct cli_tls;

/* NULL: no session; `why` says what happened. The server's certificate must be of admin->server_ca and name
 * admin->host. */
struct cli_tls *cli_tls_open(int fd, const struct cli_admin *admin, char why[ADMIN_WHY_CHARS]);
/* As send and recv; -1 on any failure. */
ssize_t cli_tls_send(struct cli_tls *tls, const char *bytes, size_t len);
ssize_t cli_tls_receive(struct cli_tls *tls, char *out, size_t capacity);
/* Frees; the socket stays. NULL is fine. */
void cli_tls_close(struct cli_tls *tls);

#endif
