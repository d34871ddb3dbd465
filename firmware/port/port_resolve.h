/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names to addresses without blocking. A look-up is known by its name: one that was started runs to its
 * end by itself, and whoever asks for the same name meanwhile gets its result. [loop] */
#ifndef PORT_RESOLVE_H
#define PORT_RESOLVE_H

#include "proto/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { PORT_HOST_MAX_CHARS = 253, PORT_RESOLVE_MAX_RESULTS = 8 };

enum port_ip_family { PORT_IPV4, PORT_IPV6 };

struct port_ip {
    enum port_ip_family family;
    uint8_t bytes[16]; /* in network order; of an IPv4 address the first four */
    uint32_t scope;    /* the interface of an IPv6 link-local address; 0: none */
};

struct port_resolve {
    /* Starts the look-up of a name of at most PORT_HOST_MAX_CHARS, or of an address as text, which stays
     * where it is until the outcome was told. Nothing is done when it is under way. HR_IO: it could not
     * start. */
    HR_MUST_USE struct hr_status (*start)(void *ctx, const char *host);
    /* Asks for the outcome. HR_AGAIN: not yet. HR_NOT_FOUND: no such name, no answer, or not started; *why is
     * static text. On HR_OK out has *n_out addresses, 1 to capacity, in the order in which to try them. The
     * outcome is told once. */
    HR_MUST_USE struct hr_status (*poll)(void *ctx, const char *host, struct port_ip *out, size_t capacity,
                                         size_t *n_out, const char **why);
    void *ctx;
};

#endif
