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

/* HR_AGAIN: no room for another body. HR_IO: libcoap would not take it. */
HR_MUST_USE struct hr_status net_session_post(struct net_client *client, uint32_t token,
                                              struct hr_bytes envelope);
HR_MUST_USE struct hr_status net_session_get_head(struct net_client *client, uint32_t token, uint32_t stream);

/* Asks whether the other side still hears this session; net_client_heard follows if it does. */
void net_session_ping(struct net_client *client);

/* From inside libcoap's callbacks, to be acted upon when libcoap has returned. */
void net_client_complain(struct net_client *client, const char *text);
void net_client_answered(struct net_client *client, uint32_t token, uint8_t coap_code,
                         struct hr_bytes payload, uint32_t max_age_s);
void net_client_heard(struct net_client *client);
void net_client_gave_up(struct net_client *client, uint32_t token);
void net_client_went_down(struct net_client *client, bool handshake_refused);

#endif
