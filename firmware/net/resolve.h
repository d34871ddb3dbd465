/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names to addresses without blocking. A look-up that was started runs to its end by itself; whoever
 * asks again meanwhile gets its result. [loop] */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "proto/base/status.h"

#include <netdb.h>
#include <stdint.h>
#include <sys/socket.h>

enum { NET_HOST_MAX_CHARS = 253, NET_RESOLVE_MAX_RESULTS = 8 };

struct gaicb;

struct net_resolver {
    struct gaicb *request; /* under way; NULL: none */
    char service[8];
    struct addrinfo hints;
    char host[NET_HOST_MAX_CHARS + 1];
    uint32_t n_results;
    struct sockaddr_storage results[NET_RESOLVE_MAX_RESULTS];
    socklen_t result_len_bytes[NET_RESOLVE_MAX_RESULTS];
};

/* Starts a look-up, unless one is under way. HR_IO: it could not start. */
HR_MUST_USE struct hr_status net_resolve_start(struct net_resolver *resolver, const char *host,
                                               uint16_t port);
/* HR_AGAIN: not yet. HR_NOT_FOUND: no such name, or no answer; *why is static text. On HR_OK results has at
 * least one address, in the order in which to try them. */
HR_MUST_USE struct hr_status net_resolve_poll(struct net_resolver *resolver, const char **why);

#endif
