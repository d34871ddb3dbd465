/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* getaddrinfo_a */
#include "firmware/ports/linux/resolve.h"

#include "proto/base/assert.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOOKUPS = 8 };

struct lookup {
    struct gaicb *request; /* NULL: vacant */
    struct addrinfo hints;
    char host[PORT_HOST_MAX_CHARS + 1];
};

struct resolver {
    struct lookup lookups[MAX_LOOKUPS];
};

static void end_lookup(struct lookup *lookup)
{
    if (lookup->request->ar_result != NULL) {
        freeaddrinfo(lookup->request->ar_result);
    }
    free(lookup->request);
    lookup->request = NULL;
}

static struct lookup *lookup_of(struct resolver *resolver, const char *host)
{
    for (size_t i = 0; i < MAX_LOOKUPS; i++) {
        if (resolver->lookups[i].request != NULL && strcmp(resolver->lookups[i].host, host) == 0) {
            return &resolver->lookups[i];
        }
    }
    return NULL;
}

/* A vacant place, or, when there is none, that of an outcome that nobody came for. */
static struct lookup *place_for_lookup(struct resolver *resolver)
{
    for (size_t i = 0; i < MAX_LOOKUPS; i++) {
        if (resolver->lookups[i].request == NULL) {
            return &resolver->lookups[i];
        }
    }
    for (size_t i = 0; i < MAX_LOOKUPS; i++) {
        if (gai_error(resolver->lookups[i].request) != EAI_INPROGRESS) {
            end_lookup(&resolver->lookups[i]);
            return &resolver->lookups[i];
        }
    }
    return NULL;
}

static struct hr_status start(void *ctx, const char *host)
{
    struct resolver *resolver = ctx;
    size_t chars = strlen(host);
    HR_ASSERT(chars <= PORT_HOST_MAX_CHARS);
    if (lookup_of(resolver, host) != NULL) {
        return hr_ok();
    }
    struct lookup *lookup = place_for_lookup(resolver);
    struct gaicb *request = lookup == NULL ? NULL : calloc(1, sizeof *request);
    if (request == NULL) {
        return hr_status_of(HR_IO);
    }
    memcpy(lookup->host, host, chars + 1);
    memset(&lookup->hints, 0, sizeof lookup->hints);
    lookup->hints.ai_socktype = SOCK_DGRAM; /* one result an address; the port serves either transport */
    lookup->hints.ai_flags = AI_ADDRCONFIG;
    request->ar_name = lookup->host;
    request->ar_request = &lookup->hints;
    struct gaicb *list[] = {request};
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
        free(request);
        return hr_status_of(HR_IO);
    }
    lookup->request = request;
    return hr_ok();
}

static bool ip_of(const struct sockaddr *address, struct port_ip *out)
{
    memset(out, 0, sizeof *out);
    if (address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof ipv4);
        out->family = PORT_IPV4;
        memcpy(out->bytes, &ipv4.sin_addr, sizeof ipv4.sin_addr);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, address, sizeof ipv6);
        out->family = PORT_IPV6;
        memcpy(out->bytes, &ipv6.sin6_addr, sizeof ipv6.sin6_addr);
        out->scope = ipv6.sin6_scope_id;
        return true;
    }
    return false;
}

static struct hr_status poll_lookup(void *ctx, const char *host, struct port_ip *out, size_t capacity,
                                    size_t *n_out, const char **why)
{
    struct lookup *lookup = lookup_of(ctx, host);
    if (lookup == NULL) {
        *why = "no look-up was started";
        return hr_status_of(HR_NOT_FOUND);
    }
    int code = gai_error(lookup->request);
    if (code == EAI_INPROGRESS) {
        return hr_status_of(HR_AGAIN);
    }
    size_t n_found = 0;
    for (const struct addrinfo *at = code == 0 ? lookup->request->ar_result : NULL;
         at != NULL && n_found < capacity; at = at->ai_next) {
        n_found += ip_of(at->ai_addr, &out[n_found]);
    }
    end_lookup(lookup);
    if (n_found == 0) {
        *why = code != 0 ? gai_strerror(code) : "the name has no address";
        return hr_status_of(HR_NOT_FOUND);
    }
    *n_out = n_found;
    return hr_ok();
}

const struct port_resolve *port_linux_resolve(void)
{
    static struct resolver resolver;
    static const struct port_resolve resolve = {start, poll_lookup, &resolver};
    return &resolve;
}
