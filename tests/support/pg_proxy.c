/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/pg_proxy.h"

#include "proto/base/assert.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_PAIRS = 32, TURN_MS = 5, CHUNK_BYTES = 4096 };

/* A client and its server; -1: closed, or not watched any more. */
struct pair {
    int ends[2]; /* by the way on which it receives: the client's bytes go to the server */
    bool is_stalled;
};

static struct sockaddr_un address_of(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", folder);
    HR_ASSERT(n > 0 && (size_t)n < sizeof address.sun_path);
    return address;
}

static void close_end(struct pair *pair, int which)
{
    if (pair->ends[which] >= 0) {
        (void)close(pair->ends[which]);
        pair->ends[which] = -1;
    }
}

static void take_connection(const struct pg_proxy *proxy, struct pair *pairs)
{
    int client = accept(proxy->listener, NULL, NULL);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = address_of(proxy->server);
    HR_ASSERT(client >= 0 && server >= 0);
    int at = 0;
    while (at < MAX_PAIRS && (pairs[at].ends[0] >= 0 || pairs[at].ends[1] >= 0)) {
        at++;
    }
    HR_ASSERT(at < MAX_PAIRS);
    pairs[at] = (struct pair){.ends = {client, server}};
    if (connect(server, (const struct sockaddr *)&address, sizeof address) != 0) {
        close_end(&pairs[at], 0);
        close_end(&pairs[at], 1);
    }
}

static void strike(struct pg_proxy *proxy, struct pair *pair)
{
    proxy->is_armed = false;
    switch (proxy->fault) {
    case PG_PROXY_CUT:
        close_end(pair, 1);
        close_end(pair, 0);
        break;
    case PG_PROXY_FORGET:
        close_end(pair, 0);
        pair->is_stalled = true;
        break;
    case PG_PROXY_STALL:
        pair->is_stalled = true;
        break;
    }
}

/* How much of a chunk may pass; *is_due: the fault comes behind it. */
static ssize_t allow(struct pg_proxy *proxy, int way, ssize_t n, bool *is_due)
{
    HR_ASSERT(pthread_mutex_lock(&proxy->lock) == 0);
    *is_due = proxy->is_armed && (int)proxy->way == way && proxy->left_bytes < n;
    ssize_t allowed = *is_due ? (ssize_t)proxy->left_bytes : n;
    proxy->left_bytes -= proxy->is_armed && (int)proxy->way == way ? (long)allowed : 0;
    HR_ASSERT(pthread_mutex_unlock(&proxy->lock) == 0);
    return allowed;
}

static void carry(struct pg_proxy *proxy, struct pair *pair, int way)
{
    uint8_t chunk[CHUNK_BYTES];
    bool is_due = false;
    ssize_t n = recv(pair->ends[way], chunk, sizeof chunk, 0);
    ssize_t allowed = n > 0 ? allow(proxy, way, n, &is_due) : n;
    bool is_sent =
        n > 0 && (allowed == 0 || send(pair->ends[1 - way], chunk, (size_t)allowed, MSG_NOSIGNAL) == allowed);
    if (is_due) {
        HR_ASSERT(pthread_mutex_lock(&proxy->lock) == 0);
        strike(proxy, pair);
        HR_ASSERT(pthread_mutex_unlock(&proxy->lock) == 0);
    } else if (!is_sent) {
        close_end(pair, 0);
        close_end(pair, 1);
    }
}

/* One look at all sockets; descriptors stand in the order of the pairs. */
static void turn(struct pg_proxy *proxy, struct pair *pairs)
{
    struct pollfd sockets[1 + 2 * MAX_PAIRS] = {{.fd = proxy->listener, .events = POLLIN}};
    for (int i = 0; i < MAX_PAIRS; i++) {
        for (int way = 0; way < 2; way++) {
            bool is_open = !pairs[i].is_stalled && pairs[i].ends[0] >= 0 && pairs[i].ends[1] >= 0;
            sockets[1 + 2 * i + way] =
                (struct pollfd){.fd = is_open ? pairs[i].ends[way] : -1, .events = POLLIN};
        }
    }
    if (poll(sockets, HR_ARRAY_LEN(sockets), TURN_MS) <= 0) {
        return;
    }
    for (int i = 0; i < 2 * MAX_PAIRS; i++) {
        struct pair *pair = &pairs[i / 2];
        bool is_open = !pair->is_stalled && pair->ends[0] >= 0 && pair->ends[1] >= 0;
        if (is_open && sockets[1 + i].revents != 0) {
            carry(proxy, pair, i % 2);
        }
    }
    if (sockets[0].revents != 0) {
        take_connection(proxy, pairs);
    }
}

static void close_stalled(struct pair *pairs)
{
    for (int i = 0; i < MAX_PAIRS; i++) {
        if (pairs[i].is_stalled) {
            close_end(&pairs[i], 0);
            close_end(&pairs[i], 1);
        }
    }
}

static void *run(void *ctx)
{
    struct pg_proxy *proxy = ctx;
    struct pair pairs[MAX_PAIRS];
    for (int i = 0; i < MAX_PAIRS; i++) {
        pairs[i] = (struct pair){.ends = {-1, -1}};
    }
    bool is_ending = false;
    while (!is_ending) {
        turn(proxy, pairs);
        HR_ASSERT(pthread_mutex_lock(&proxy->lock) == 0);
        is_ending = proxy->is_ending;
        bool is_letting_go = proxy->is_letting_go;
        proxy->is_letting_go = false;
        HR_ASSERT(pthread_mutex_unlock(&proxy->lock) == 0);
        if (is_letting_go) {
            close_stalled(pairs);
        }
    }
    for (int i = 0; i < MAX_PAIRS; i++) {
        close_end(&pairs[i], 0);
        close_end(&pairs[i], 1);
    }
    return NULL;
}

void pg_proxy_start(struct pg_proxy *proxy, const char *server_socket_folder)
{
    *proxy = (struct pg_proxy){.is_ending = false};
    (void)snprintf(proxy->server, sizeof proxy->server, "%s", server_socket_folder);
    temp_folder_make(&proxy->folder);
    struct sockaddr_un address = address_of(proxy->folder.path);
    proxy->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    HR_ASSERT(proxy->listener >= 0);
    HR_ASSERT(bind(proxy->listener, (const struct sockaddr *)&address, sizeof address) == 0);
    HR_ASSERT(listen(proxy->listener, MAX_PAIRS) == 0);
    HR_ASSERT(pthread_mutex_init(&proxy->lock, NULL) == 0);
    HR_ASSERT(pthread_create(&proxy->thread, NULL, run, proxy) == 0);
}

void pg_proxy_arm(struct pg_proxy *proxy, enum pg_proxy_way way, enum pg_proxy_fault fault, long after_bytes)
{
    HR_ASSERT(pthread_mutex_lock(&proxy->lock) == 0);
    proxy->is_armed = true;
    proxy->way = way;
    proxy->fault = fault;
    proxy->left_bytes = after_bytes;
    HR_ASSERT(pthread_mutex_unlock(&proxy->lock) == 0);
}

bool pg_proxy_disarm(struct pg_proxy *proxy)
{
    HR_ASSERT(pthread_mutex_lock(&proxy->lock) == 0);
    bool has_struck = !proxy->is_armed;
    proxy->is_armed = false;
    HR_ASSERT(pthread_mutex_unlock(&proxy->lock) == 0);
    return has_struck;
}

void pg_proxy_let_go(struct pg_proxy *proxy)
{
    HR_ASSERT(pthread_mutex_lock(&proxy->lock) == 0);
    proxy->is_letting_go = true;
    HR_ASSERT(pthread_mutex_unlock(&proxy->lock) == 0);
}

void pg_proxy_stop(struct pg_proxy *proxy)
{
    HR_ASSERT(pthread_mutex_lock(&proxy->lock) == 0);
    proxy->is_ending = true;
    HR_ASSERT(pthread_mutex_unlock(&proxy->lock) == 0);
    HR_ASSERT(pthread_join(proxy->thread, NULL) == 0);
    (void)close(proxy->listener);
    HR_ASSERT(pthread_mutex_destroy(&proxy->lock) == 0);
    temp_folder_remove(&proxy->folder);
}
