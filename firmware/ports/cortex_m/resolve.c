/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/cortex_m/internal.h"
#include "firmware/ports/cortex_m/netif.h"
#include "proto/base/assert.h"

#include <lwip/dns.h>
#include <string.h>

/* lwIP gives one address of one family, so each family is asked for in its turn. */
static const u8_t asked_types[] = {LWIP_DNS_ADDRTYPE_IPV4, LWIP_DNS_ADDRTYPE_IPV6};

enum { N_TYPES = sizeof asked_types };

struct lookup {
    const char *host; /* NULL: vacant */
    uint32_t number;  /* of look-ups since the start: an answer that comes late is told by it */
    uint32_t n_asked; /* families that were asked for, or passed over */
    bool is_waiting;  /* for lwIP to call back */
    const char *why;  /* nothing was found */
    size_t n_found;
    struct port_ip found[N_TYPES];
};

static struct lookup lookup;

static void keep(const ip_addr_t *address)
{
    HR_ASSERT(lookup.n_found < N_TYPES);
    struct port_ip *ip = &lookup.found[lookup.n_found++];
    memset(ip, 0, sizeof *ip);
    if (IP_IS_V4(address)) {
        ip->family = PORT_IPV4;
        memcpy(ip->bytes, &ip_2_ip4(address)->addr, PORT_IPV4_BYTES);
    } else {
        ip->family = PORT_IPV6;
        memcpy(ip->bytes, ip_2_ip6(address)->addr, PORT_IPV6_BYTES);
        ip->scope = ip6_addr_zone(ip_2_ip6(address));
    }
}

static void on_answer(const char *name, const ip_addr_t *address, void *arg)
{
    (void)name;
    if (lookup.host == NULL || (uintptr_t)arg != lookup.number || !lookup.is_waiting) {
        return;
    }
    lookup.is_waiting = false;
    if (address != NULL) {
        keep(address);
    }
}

static bool may_ask(u8_t type)
{
    return type == LWIP_DNS_ADDRTYPE_IPV4 ? port_netif_has_ipv4() : port_netif_has_ipv6();
}

/* Asks for family after family until one has to be waited for. */
static void ask(void)
{
    while (!lookup.is_waiting && lookup.n_asked < N_TYPES) {
        u8_t type = asked_types[lookup.n_asked];
        ip_addr_t address;
        lookup.n_asked++;
        if (!may_ask(type)) {
            continue;
        }
        /* lwIP may call back before it returns. */
        lookup.is_waiting = true;
        err_t error = dns_gethostbyname_addrtype(lookup.host, &address, on_answer,
                                                 (void *)(uintptr_t)lookup.number, type);
        if (error == ERR_INPROGRESS) {
            lookup.why = "no server of names knows the name, or none answers";
            return;
        }
        lookup.is_waiting = false;
        lookup.why = "there is no server of names";
        if (error == ERR_OK) {
            keep(&address);
        }
    }
}

static struct hr_status start(void *ctx, const char *host)
{
    (void)ctx;
    if (lookup.host != NULL && strcmp(lookup.host, host) == 0) {
        return hr_ok();
    }
    lookup = (struct lookup){
        .host = host, .number = lookup.number + 1, .why = "there is no address of our own yet"};
    ip_addr_t address;
    if (ipaddr_aton(host, &address) != 0) {
        keep(&address);
        lookup.n_asked = N_TYPES;
    }
    ask();
    return hr_ok();
}

static struct hr_status poll(void *ctx, const char *host, struct port_ip *out, size_t capacity, size_t *n_out,
                             const char **why)
{
    (void)ctx;
    if (lookup.host == NULL || strcmp(lookup.host, host) != 0) {
        *why = "no look-up was started";
        return hr_status_of(HR_NOT_FOUND);
    }
    ask();
    if (lookup.is_waiting) {
        return hr_status_of(HR_AGAIN);
    }
    lookup.host = NULL;
    size_t n_given = lookup.n_found < capacity ? lookup.n_found : capacity;
    if (n_given == 0) {
        *why = lookup.why;
        return hr_status_of(HR_NOT_FOUND);
    }
    memcpy(out, lookup.found, n_given * sizeof *out);
    *n_out = n_given;
    return hr_ok();
}

const struct port_resolve *port_netif_resolve(void)
{
    static const struct port_resolve resolve = {start, poll, NULL};
    return &resolve;
}
