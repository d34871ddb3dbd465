/* SPDX-License-Identifier: Apache-2.0
 *
 * A server for the tests of firmware/net: libcoap over DTLS and TLS on loopback, which takes POST /b and GET
 * /h, remembers what came, and answers as it is told. It runs in the thread of the test. */
#ifndef NET_PEER_H
#define NET_PEER_H

#include "proto/base/bytes.h"

#include <coap3/coap.h>
#include <stdbool.h>

enum { PEER_BODY_MAX_BYTES = 16384, PEER_MAX_BODIES = 8 };

enum peer_manner {
    PEER_ANSWERS,      /* at once, piggybacked */
    PEER_ANSWERS_LATE, /* an empty acknowledgement, then a separate response */
    PEER_IS_SILENT,    /* an empty acknowledgement and nothing more */
};

/* An envelope in parts (proto/SPEC.md 4.8) on its way in. */
struct peer_parts {
    bool in_use;
    uint32_t tag;
    uint32_t there;   /* a bit for each part */
    uint32_t n_parts; /* 0: the last has not come */
    size_t len_bytes;
    uint8_t bytes[PEER_BODY_MAX_BYTES];
};

struct net_peer {
    coap_context_t *context;
    uint16_t dtls_port;
    uint16_t tls_port;
    enum peer_manner manner;
    coap_pdu_code_t code;
    uint32_t max_age_s; /* 0: the option is left out */
    uint8_t answer[29];

    uint32_t n_posts;
    uint32_t n_heads;
    size_t body_len_bytes[PEER_MAX_BODIES];
    uint8_t bodies[PEER_MAX_BODIES][PEER_BODY_MAX_BYTES];
    struct peer_parts parts[PEER_MAX_BODIES];
    uint32_t content_format;
    bool confirmable; /* the last post was */
    char query[32];
};

/* Certificate files in PEM; clients need a certificate of the authority. */
void net_peer_open(struct net_peer *peer, const char *ca, const char *certificate, const char *key);
void net_peer_turn(struct net_peer *peer);
/* Ends at once, as a killed process does for its TCP connections. */
void net_peer_close(struct net_peer *peer);

#endif
