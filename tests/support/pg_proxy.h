/* SPDX-License-Identifier: Apache-2.0
 *
 * A unix socket before a PostgreSQL server's, in a thread of its own, which does to a connection what a
 * network does: cuts it after so many bytes either way, lets one end go and not the other, or carries nothing
 * any more. */
#ifndef PG_PROXY_H
#define PG_PROXY_H

#include "tests/support/temp_folder.h"

#include <pthread.h>
#include <stdbool.h>

enum pg_proxy_way { PG_PROXY_TO_SERVER, PG_PROXY_TO_CLIENT };

enum pg_proxy_fault {
    PG_PROXY_CUT,    /* both ends are closed */
    PG_PROXY_FORGET, /* the client's end is closed; the server's stays open, and nothing comes on it */
    PG_PROXY_STALL,  /* both stay open, and nothing is carried */
};

struct pg_proxy {
    struct temp_folder folder; /* of the socket: the `host` of a client */
    char server[400];
    int listener;
    pthread_t thread;
    pthread_mutex_t lock;
    bool is_ending;
    bool is_armed;
    enum pg_proxy_way way;
    enum pg_proxy_fault fault;
    long left_bytes; /* carried that way before the fault */
    bool is_letting_go;
};

void pg_proxy_start(struct pg_proxy *proxy, const char *server_socket_folder);
/* The next fault, on whatever connection carries the byte behind `after_bytes` that way. */
void pg_proxy_arm(struct pg_proxy *proxy, enum pg_proxy_way way, enum pg_proxy_fault fault, long after_bytes);
/* Takes it back; true: it has happened already. */
bool pg_proxy_disarm(struct pg_proxy *proxy);
/* Closes what was stalled. */
void pg_proxy_let_go(struct pg_proxy *proxy);
/* Ends every connection, those that were forgotten too. */
void pg_proxy_stop(struct pg_proxy *proxy);

#endif
