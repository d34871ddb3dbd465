/* SPDX-License-Identifier: Apache-2.0
 *
 * libcoap over the sockets of a host, watched by its epoll descriptor. */
#include "firmware/net/session.h"

#include <netinet/in.h>
#include <string.h>

void net_platform_address(const struct port_ip *peer, uint16_t port, coap_address_t *out)
{
    coap_address_init(out);
    if (peer->family == PORT_IPV4) {
        out->addr.sin.sin_family = AF_INET;
        memcpy(&out->addr.sin.sin_addr, peer->bytes, sizeof out->addr.sin.sin_addr);
        out->size = sizeof out->addr.sin;
    } else {
        out->addr.sin6.sin6_family = AF_INET6;
        out->addr.sin6.sin6_scope_id = peer->scope;
        memcpy(&out->addr.sin6.sin6_addr, peer->bytes, sizeof out->addr.sin6.sin6_addr);
        out->size = sizeof out->addr.sin6;
    }
    coap_address_set_port(out, port);
}

int net_platform_process(coap_context_t *context)
{
    return coap_io_process(context, COAP_IO_NO_WAIT);
}

uint32_t net_platform_wait_ms(coap_context_t *context)
{
    coap_tick_t now = 0;
    coap_ticks(&now);
    return coap_io_prepare_epoll(context, now);
}

int net_client_fd(const struct net_client *client)
{
    return client->context == NULL ? -1 : coap_context_get_coap_fd(client->context);
}
