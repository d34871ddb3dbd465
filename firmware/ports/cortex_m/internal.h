/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share. */
#ifndef PORT_CORTEX_M_INTERNAL_H
#define PORT_CORTEX_M_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

/* What lwIP takes random numbers from (arch/cc.h). */
uint32_t port_netif_random(void);

/* Whether there is an address that reaches beyond the link. */
bool port_netif_has_ipv4(void);
bool port_netif_has_ipv6(void);

#endif
