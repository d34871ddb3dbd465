/* SPDX-License-Identifier: Apache-2.0
 *
 * The board's network: lwIP over the Ethernet driver of board.h. One interface, IPv4 by DHCP or static, IPv6
 * by router advertisement or static, DNS from either. No threads: the step does everything. [loop] */
#ifndef PORT_NETIF_H
#define PORT_NETIF_H

#include "firmware/port/port_log.h"
#include "firmware/port/port_random.h"
#include "firmware/port/port_resolve.h"
#include "proto/base/status.h"

#include <stdbool.h>

enum { PORT_NETIF_MAC_BYTES = 6, PORT_IPV4_BYTES = 4, PORT_IPV6_BYTES = 16, PORT_IP_MAX_CHARS = 45 };

struct port_netif_config {
    uint8_t mac[PORT_NETIF_MAC_BYTES];
    bool dhcp; /* false: the addresses below; all-zero means none */
    uint8_t ipv4[PORT_IPV4_BYTES];
    uint8_t ipv4_mask[PORT_IPV4_BYTES];
    uint8_t ipv4_gateway[PORT_IPV4_BYTES];
    uint8_t ipv4_dns[PORT_IPV4_BYTES];
    uint8_t ipv6[PORT_IPV6_BYTES]; /* its network is the first 64 bits; all-zero: by router advertisement */
    const struct port_random *random; /* kept: transaction and port numbers that a stranger shall not guess */
    const struct port_log *log;       /* kept */
};

struct port_netif_state {
    bool has_ipv4;
    bool has_ipv6; /* one that reaches beyond the link */
    char ipv4[PORT_IP_MAX_CHARS + 1];
    char ipv6[PORT_IP_MAX_CHARS + 1];
    uint32_t frames_in;
    uint32_t frames_out;
    uint32_t frames_dropped; /* no buffer, or the transmitter had no room */
};

/* HR_IO: the controller does not answer, or DHCP found no memory; may be called again. Call until it is OK.
 */
HR_MUST_USE struct hr_status port_netif_start(const struct port_netif_config *config);
/* Takes what arrived and does what lwIP's timers want; returns after how many milliseconds to call again when
 * nothing arrives. */
uint32_t port_netif_step(void);
void port_netif_state(struct port_netif_state *out);

/* Names by DNS, from the servers that DHCP, router advertisements or the configuration gave; a name's IPv4
 * address comes before its IPv6 address, and families without an address of ours are not asked for. One name
 * at a time: another one takes the place of the first. Names have at most 127 characters. Static storage. */
const struct port_resolve *port_netif_resolve(void);

#endif
