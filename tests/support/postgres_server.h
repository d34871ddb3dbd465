/* SPDX-License-Identifier: Apache-2.0
 *
 * A real PostgreSQL server of a test's own, by tools/dev/postgres. It ends with the test, however that ends.
 */
#ifndef POSTGRES_SERVER_H
#define POSTGRES_SERVER_H

#include "aggregator/ledger/postgres/ledger_postgres.h"

#include <libpq-fe.h>
#include <sys/types.h>

enum { POSTGRES_PATH_CHARS = 400 };

struct postgres_server {
    char data[POSTGRES_PATH_CHARS];   /* its folder in the build tree */
    char socket[POSTGRES_PATH_CHARS]; /* folder of its unix socket */
    char password_file[POSTGRES_PATH_CHARS + 16];
    pid_t keeper; /* tools/dev/postgres run */
    int keeper_stdin;
};

/* Makes and starts one; `preload` is a library for its processes, or NULL. Fails the program when there is no
 * PostgreSQL: tools/dev/install-packages installs it. */
void postgres_server_start(struct postgres_server *server, const char *preload);
/* All of its processes die at once, as by a power cut; and it comes up again, with its data. */
void postgres_server_kill(const struct postgres_server *server);
void postgres_server_restart(const struct postgres_server *server);
/* Until it takes no connection; fails the program when it still does after two minutes. */
void postgres_server_wait_away(const struct postgres_server *server);
/* Ends it and removes its data. */
void postgres_server_stop(struct postgres_server *server);

/* A configuration for the ledger in this schema; `host` NULL: the server's own socket. */
struct ledger_postgres_config postgres_server_config(const struct postgres_server *server,
                                                     const char *schema);

/* A connection as the superuser; the caller finishes it. */
PGconn *postgres_server_connect(const struct postgres_server *server);
/* Runs SQL as the superuser, and fails the test when the server refuses it. */
void postgres_server_sql(const struct postgres_server *server, const char *sql);
/* The one number that a query gives. */
long long postgres_server_number(const struct postgres_server *server, const char *sql);
/* Until the query gives this number; fails the program when it does not within two minutes. */
void postgres_server_wait(const struct postgres_server *server, const char *sql, long long number);
/* The SQLSTATE with which it is refused, or "" when it is not; 6 bytes. */
void postgres_server_refusal(const struct postgres_server *server, const char *sql, char sqlstate[6]);

#endif
