/* SPDX-License-Identifier: Apache-2.0
 *
 * libcoap over lwIP, which hands over each datagram when the network's step takes it. */
#include "firmware/net/session.h"

#include <string.h>

void net_platform_address(const struct port_ip *peer, uint16_t port, coap_address_t *out)
{
    coap_address_init(out);
    coap_address_set_port(out, port);
    if (peer->family == PORT_IPV4) {
        IP_ADDR4(&out->addr, peer->bytes[0], peer->bytes[1], peer->bytes[2], peer->bytes[3]);
    } else {
        ip6_addr_t *ipv6 = ip_2_ip6(&out->addr);
        IP_SET_TYPE(&out->addr, IPADDR_TYPE_V6);
        memcpy(ipv6->addr, peer->bytes, sizeof ipv6->addr);
        ip6_addr_set_zone(ipv6, (uint8_t)peer->scope);
    }
}

int net_platform_process(coap_context_t *context)
{
    (void)context;
    return 0;
}

uint32_t net_platform_wait_ms(coap_context_t *context)
{
    unsigned n_sockets = 0;
    coap_tick_t now = 0;
    coap_ticks(&now);
    return coap_io_prepare_io(context, NULL, 0, &n_sockets, now);
}
