/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/cortex_m/netif.h"

#include "boards/family/board.h"
#include "firmware/ports/cortex_m/internal.h"
#include "proto/base/assert.h"

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/init.h>
#include <lwip/mld6.h>
#include <lwip/netif.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <string.h>

enum {
    FRAMES_A_STEP = 8, /* so that a flood leaves the loop its turn */
    LONG_STEP_MS = 100,
    MAX_PARTS = 4,
    MTU_BYTES = 1500,
    STATIC_IPV6_SLOT = 1, /* 0 is the link-local address */
};

struct interface {
    struct port_netif_config config;
    bool added; /* to lwIP */
    struct netif netif;
    uint32_t frames_in;
    uint32_t frames_out;
    uint32_t frames_dropped;
    ip4_addr_t told_ipv4; /* what the log last said */
    ip6_addr_t told_ipv6;
};

static struct interface interface;

uint32_t port_netif_random(void)
{
    return port_random_u32(interface.config.random);
}

/* ---- frames ---- */

static err_t send_frame(struct netif *netif, struct pbuf *frame)
{
    (void)netif;
    struct hr_bytes parts[MAX_PARTS];
    size_t n_parts = 0;
    for (const struct pbuf *part = frame; part != NULL; part = part->next) {
        if (n_parts == MAX_PARTS) {
            interface.frames_dropped++;
            return ERR_BUF;
        }
        parts[n_parts++] = hr_bytes_of(part->payload, part->len);
    }
    if (!board_ethernet_send(parts, n_parts)) {
        interface.frames_dropped++;
        return ERR_BUF;
    }
    interface.frames_out++;
    return ERR_OK;
}

static void take_frame(size_t len_bytes)
{
    struct pbuf *frame = pbuf_alloc(PBUF_RAW, (u16_t)len_bytes, PBUF_POOL);
    if (frame == NULL) {
        board_ethernet_done();
        interface.frames_dropped++;
        return;
    }
    HR_ASSERT(frame->len == len_bytes); /* PBUF_POOL_BUFSIZE holds any frame */
    board_ethernet_take(frame->payload, len_bytes);
    interface.frames_in++;
    if (interface.netif.input(frame, &interface.netif) != ERR_OK) {
        pbuf_free(frame);
    }
}

/* ---- addresses ---- */

static const ip6_addr_t *global_ipv6(void)
{
    for (u8_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(&interface.netif, i)) &&
            !ip6_addr_islinklocal(netif_ip6_addr(&interface.netif, i))) {
            return netif_ip6_addr(&interface.netif, i);
        }
    }
    return NULL;
}

bool port_netif_has_ipv4(void)
{
    return !ip4_addr_isany_val(*netif_ip4_addr(&interface.netif));
}

bool port_netif_has_ipv6(void)
{
    return global_ipv6() != NULL;
}

static void tell_addresses(void)
{
    char text[PORT_IP_MAX_CHARS + 1];
    const ip4_addr_t *ipv4 = netif_ip4_addr(&interface.netif);
    const ip6_addr_t *ipv6 = global_ipv6();
    if (!ip4_addr_eq(ipv4, &interface.told_ipv4)) {
        ip4_addr_copy(interface.told_ipv4, *ipv4);
        PORT_LOG(interface.config.log, PORT_LOG_INFO, "net_address",
                 {"ipv4", ip4addr_ntoa_r(ipv4, text, sizeof text), 0});
    }
    if (ipv6 != NULL && !ip6_addr_zoneless_eq(ipv6, &interface.told_ipv6)) {
        ip6_addr_copy(interface.told_ipv6, *ipv6);
        PORT_LOG(interface.config.log, PORT_LOG_INFO, "net_address",
                 {"ipv6", ip6addr_ntoa_r(ipv6, text, sizeof text), 0});
    }
}

static ip4_addr_t ipv4_of(const uint8_t bytes[PORT_IPV4_BYTES])
{
    ip4_addr_t address;
    IP4_ADDR(&address, bytes[0], bytes[1], bytes[2], bytes[3]);
    return address;
}

static void set_dns(const uint8_t bytes[PORT_IPV4_BYTES])
{
    ip_addr_t server;
    IP_ADDR4(&server, bytes[0], bytes[1], bytes[2], bytes[3]);
    if (!ip_addr_isany_val(server)) {
        dns_setserver(0, &server);
    }
}

static void set_ipv6(const uint8_t bytes[PORT_IPV6_BYTES])
{
    ip6_addr_t address;
    memset(&address, 0, sizeof address);
    memcpy(address.addr, bytes, sizeof address.addr);
    if (!ip6_addr_isany_val(address)) {
        netif_ip6_addr_set(&interface.netif, STATIC_IPV6_SLOT, &address);
        /* Tentative: lwIP looks whether somebody has it already. */
        netif_ip6_addr_set_state(&interface.netif, STATIC_IPV6_SLOT, IP6_ADDR_TENTATIVE);
    }
}

/* ---- the interface ---- */

static err_t ready_interface(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = send_frame;
    netif->mtu = MTU_BYTES;
    netif->hwaddr_len = PORT_NETIF_MAC_BYTES;
    memcpy(netif->hwaddr, interface.config.mac, PORT_NETIF_MAC_BYTES);
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6 | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

/* Once: lwIP keeps what it was given. */
static void add_interface(const struct port_netif_config *config)
{
    lwip_init();
    const ip4_addr_t none = {0};
    const ip4_addr_t address = config->dhcp ? none : ipv4_of(config->ipv4);
    const ip4_addr_t mask = config->dhcp ? none : ipv4_of(config->ipv4_mask);
    const ip4_addr_t gateway = config->dhcp ? none : ipv4_of(config->ipv4_gateway);
    struct netif *netif =
        netif_add(&interface.netif, &address, &mask, &gateway, NULL, ready_interface, ethernet_input);
    HR_ASSERT(netif == &interface.netif);
    netif_set_default(netif);
    netif_create_ip6_linklocal_address(netif, 1);
    netif_set_ip6_autoconfig_enabled(netif, 1);
    set_ipv6(config->ipv6);
    netif_set_up(netif);
    if (!config->dhcp) {
        set_dns(config->ipv4_dns);
    }
}

struct hr_status port_netif_start(const struct port_netif_config *config)
{
    HR_ASSERT(config->random != NULL && config->log != NULL);
    interface.config = *config;
    if (!board_ethernet_start(config->mac)) {
        return hr_status_of(HR_IO);
    }
    if (!interface.added) {
        add_interface(config);
        interface.added = true;
    }
    return config->dhcp && dhcp_start(&interface.netif) != ERR_OK ? hr_status_of(HR_IO) : hr_ok();
}

uint32_t port_netif_step(void)
{
    uint64_t began_ms = board_uptime_ms();
    uint32_t n_frames = 0;
    bool is_over = false;
    /* What comes in at the serial line waits meanwhile, in a ring made for one handshake: frames behind a
     * long one wait for the next step. */
    for (size_t len_bytes = board_ethernet_waiting(); len_bytes != 0 && !is_over;
         len_bytes = board_ethernet_waiting()) {
        take_frame(len_bytes);
        n_frames++;
        is_over = n_frames == FRAMES_A_STEP || board_uptime_ms() - began_ms >= LONG_STEP_MS;
    }
    sys_check_timeouts();
    tell_addresses();
    return is_over ? 0 : sys_timeouts_sleeptime();
}

void port_netif_state(struct port_netif_state *out)
{
    *out = (struct port_netif_state){
        .has_ipv4 = port_netif_has_ipv4(),
        .has_ipv6 = port_netif_has_ipv6(),
        .frames_in = interface.frames_in,
        .frames_out = interface.frames_out,
        .frames_dropped = interface.frames_dropped,
    };
    if (out->has_ipv4) {
        (void)ip4addr_ntoa_r(netif_ip4_addr(&interface.netif), out->ipv4, sizeof out->ipv4);
    }
    if (out->has_ipv6) {
        (void)ip6addr_ntoa_r(global_ipv6(), out->ipv6, sizeof out->ipv6);
    }
}
