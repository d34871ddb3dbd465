/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the client that sees libcoap. A session has a libcoap context of its own, so that its end frees
 * everything that libcoap held for it, messages in flight included. Private to this room. */
#ifndef NET_SESSION_H
#define NET_SESSION_H

#include "firmware/net/client.h"

#include <coap3/coap.h>

void net_session_start_library(struct net_client *client);
void net_session_end_library(void);

/* HR_IO: files, memory or the socket. What becomes of it is asked with net_session_is_established. */
HR_MUST_USE struct hr_status net_session_connect(struct net_client *client, const struct port_ip *peer,
                                                 uint16_t port);
bool net_session_is_established(const struct net_client *client);
void net_session_close(struct net_client *client);
/* Lets libcoap read, write and look at its timers; returns when it wants to be called again. */
uint32_t net_session_process(struct net_client *client);

/* What libcoap does differently over a host's sockets (session_linux.c) and over lwIP (session_lwip.c). */
void net_platform_address(const struct port_ip *peer, uint16_t port, coap_address_t *out);
/* Reads and writes without waiting. Negative: the context is broken. */
int net_platform_process(coap_context_t *context);
/* Runs the timers that are due; returns after how many milliseconds the next one is, 0: there is none. */
uint32_t net_platform_wait_ms(coap_context_t *context);

/* HR_AGAIN: no room for another envelope. HR_IO: libcoap would not take it. */
HR_MUST_USE struct hr_status net_session_post(struct net_client *client, uint32_t token,
                                              struct hr_bytes envelope);
/* Nobody waits for the answer to this post any more. */
void net_session_forget(struct net_client *client, uint32_t token);
HR_MUST_USE struct hr_status net_session_get_head(struct net_client *client, uint32_t token, uint32_t stream);
HR_MUST_USE struct hr_status net_session_get_trust(struct net_client *client, uint32_t token,
                                                   uint32_t version, uint32_t offset);
HR_MUST_USE struct hr_status net_session_post_request(struct net_client *client, uint32_t token,
                                                      struct hr_bytes request);

static inline uint64_t net_now_ms(const struct net_client *client)
{
    return port_uptime_ms(client->config.clock);
}

/* Asks whether the other side still hears this session; net_client_heard follows if it does. */
void net_session_ping(struct net_client *client);

/* A request to /path with its token; NULL: no memory. */
coap_pdu_t *net_session_request(struct net_client *client, coap_pdu_type_t type, struct hr_bytes token,
                                coap_pdu_code_t code, const char *path);
bool net_session_add_format(coap_pdu_t *pdu);
uint32_t net_session_max_age_s(const coap_pdu_t *answer);
struct hr_bytes net_session_payload(const coap_pdu_t *answer);

/* ---- session_parts.c ---- */

/* Whether envelopes of this session go in parts. A constant on a board whose envelopes fit one message. */
static inline bool net_session_has_parts(const struct net_client *client)
{
    return NET_BODY_MAX_BYTES > NET_PART_BYTES && client->config.parts != NULL &&
           client->config.addresses[client->address].scheme == NET_COAPS;
}
/* Sends what is due; returns after how many milliseconds more will be. */
uint32_t net_session_send_parts(struct net_client *client);
/* False: it is no answer to a part. */
bool net_session_part_answered(struct net_client *client, const coap_pdu_t *answer);

/* From inside libcoap's callbacks, to be acted upon when libcoap has returned. */
void net_client_complain(struct net_client *client, const char *text);
void net_client_answered(struct net_client *client, uint32_t token, uint8_t coap_code,
                         struct hr_bytes payload, uint32_t max_age_s);
void net_client_heard(struct net_client *client);
/* Posts get through, if in parts: none of them has timed out. */
void net_client_progressed(struct net_client *client);
void net_client_gave_up(struct net_client *client, uint32_t token);
void net_client_went_down(struct net_client *client, bool handshake_refused);

#endif
