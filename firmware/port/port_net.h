/* SPDX-License-Identifier: Apache-2.0
 *
 * One session to one aggregator at a time. firmware/net implements it over libcoap; tests/sim over a
 * simulated network. Calls start things; what became of them arrives later through struct port_net_events,
 * never from inside a call of port_net. */
#ifndef PORT_NET_H
#define PORT_NET_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <stdbool.h>

enum port_net_down {
    PORT_NET_DOWN_UNREACHABLE, /* no route, refused, name not found, or no answer */
    PORT_NET_DOWN_REFUSED,     /* the handshake failed: certificate, name or cipher */
    PORT_NET_DOWN_LOST,        /* an open session ended */
};

/* What net tells the uplink. All [loop], never from inside a port_net call. */
struct port_net_events {
    void (*up)(void *ctx);
    void (*down)(void *ctx, enum port_net_down reason);
    /* The answer to the request of this token. coap_code is class * 32 + detail; max_age_s is the Max-Age
     * option or 0; payload is borrowed. */
    void (*answer)(void *ctx, uint32_t token, uint8_t coap_code, struct hr_bytes payload, uint32_t max_age_s);
    /* The transport gave up on the request of this token (retransmissions used up, or the session went). */
    void (*timeout)(void *ctx, uint32_t token);
    void *ctx;
};

struct port_net {
    uint8_t n_addresses; /* aggregators that may be tried, 1 to 8 */
    uint8_t window;      /* requests that may be outstanding, 1 to 4 */
    /* Starts a session to address `index`. `up` or `down` follows. HR_IO: it could not even start; no event
     * follows. */
    HR_MUST_USE struct hr_status (*open)(void *ctx, uint8_t index);
    /* Ends the session, if any, with no further event for it or its requests. */
    void (*close)(void *ctx);
    /* POST /b with the envelope, copied or sent before the call returns. HR_AGAIN: the window is full. HR_IO:
     * no session. `answer` or `timeout` follows for the token. */
    HR_MUST_USE struct hr_status (*post_batch)(void *ctx, uint32_t token, struct hr_bytes envelope);
    /* GET /h?s=stream. As post_batch. */
    HR_MUST_USE struct hr_status (*get_head)(void *ctx, uint32_t token, uint32_t stream);
    /* GET /t?v=version&o=offset. As post_batch. NULL: not on this platform. */
    HR_MUST_USE struct hr_status (*get_trust)(void *ctx, uint32_t token, uint32_t version, uint32_t offset);
    /* POST /sren with a PKCS#10 request of at most 1,024 bytes. As post_batch. NULL: not on this platform. */
    HR_MUST_USE struct hr_status (*post_request)(void *ctx, uint32_t token, struct hr_bytes request);
    void *ctx;
};

#endif
