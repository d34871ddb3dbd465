/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* getaddrinfo_a */
#include "firmware/net/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hr_status net_resolve_start(struct net_resolver *resolver, const char *host, uint16_t port)
{
    if (resolver->request != NULL) {
        return hr_ok();
    }
    (void)snprintf(resolver->service, sizeof resolver->service, "%u", (unsigned)port);
    (void)snprintf(resolver->host, sizeof resolver->host, "%s", host);
    memset(&resolver->hints, 0, sizeof resolver->hints);
    resolver->hints.ai_socktype = SOCK_DGRAM; /* one result an address; the port serves either transport */
    resolver->hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;

    struct gaicb *request = calloc(1, sizeof *request);
    if (request == NULL) {
        return hr_status_of(HR_IO);
    }
    request->ar_name = resolver->host;
    request->ar_service = resolver->service;
    request->ar_request = &resolver->hints;
    struct gaicb *list[] = {request};
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
        free(request);
        return hr_status_of(HR_IO);
    }
    resolver->request = request;
    return hr_ok();
}

struct hr_status net_resolve_poll(struct net_resolver *resolver, const char **why)
{
    if (resolver->request == NULL) {
        *why = "no look-up was started";
        return hr_status_of(HR_NOT_FOUND);
    }
    int code = gai_error(resolver->request);
    if (code == EAI_INPROGRESS) {
        return hr_status_of(HR_AGAIN);
    }
    struct addrinfo *found = code == 0 ? resolver->request->ar_result : NULL;
    resolver->n_results = 0;
    for (const struct addrinfo *at = found; at != NULL && resolver->n_results < NET_RESOLVE_MAX_RESULTS;
         at = at->ai_next) {
        memcpy(&resolver->results[resolver->n_results], at->ai_addr, at->ai_addrlen);
        resolver->result_len_bytes[resolver->n_results] = at->ai_addrlen;
        resolver->n_results++;
    }
    if (found != NULL) {
        freeaddrinfo(found);
    }
    free(resolver->request);
    resolver->request = NULL;
    if (resolver->n_results == 0) {
        *why = code != 0 ? gai_strerror(code) : "the name has no address";
        return hr_status_of(HR_NOT_FOUND);
    }
    return hr_ok();
}
