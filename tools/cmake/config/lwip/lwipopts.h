/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lwIP 2.2.1 for microcontroller boards: one Ethernet interface, IPv4 and IPv6, UDP, DHCP, DNS, no operating system
 * and no TCP. Everything is called from the loop; nothing is called from an interrupt.
 */
#ifndef HEADRACE_LWIPOPTS_H
#define HEADRACE_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_NETIF_API 0
#define LWIP_TCP 0
#define LWIP_RAW 0
#define LWIP_UDP 1
#define LWIP_ICMP 1

#define LWIP_IPV4 1
#define LWIP_ARP 1
#define LWIP_DHCP 1
#define LWIP_DHCP_DOES_ACD_CHECK 0 /* the probes take 7 s, and QEMU's network needs none */
#define IP_REASSEMBLY 0
#define IP_FRAG 0

#define LWIP_IPV6 1
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_MLD 1
#define LWIP_IPV6_DHCP6 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 1
#define LWIP_IPV6_NUM_ADDRESSES 3 /* link-local, one static, one by router advertisement */
#define LWIP_ND6_NUM_NEIGHBORS 4
#define LWIP_ND6_NUM_DESTINATIONS 4
#define LWIP_ND6_NUM_PREFIXES 2
#define LWIP_ND6_NUM_ROUTERS 2
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 1
#define LWIP_ND6_QUEUEING 1
#define MEMP_NUM_ND6_QUEUE 2
#define MEMP_NUM_MLD6_GROUP 4

#define LWIP_DNS 1
#define DNS_TABLE_SIZE 2
#define DNS_MAX_NAME_LENGTH 128
#define DNS_MAX_SERVERS 2

#define LWIP_NETIF_HOSTNAME 0
#define LWIP_SINGLE_NETIF 1
#define ARP_TABLE_SIZE 4
#define ARP_QUEUEING 0 /* the newest frame waits for its address; older ones are sent again by CoAP */

/*
 * Memory. A received frame lies in one buffer of the pool until it was handled, so two are enough: one for it, one
 * for a frame that a handshake must not lose to a ping. The heap holds what is being sent: a CoAP message that waits
 * for its acknowledgement, and the DTLS record that is made of it.
 */
#define MEM_ALIGNMENT 4
#define MEM_SIZE 4096
#define PBUF_POOL_SIZE 2
#define PBUF_POOL_BUFSIZE 1516
#define PBUF_LINK_HLEN 14
#define MEMP_NUM_PBUF 4
#define MEMP_NUM_UDP_PCB 4 /* DHCP, DNS with its random port, CoAP */
/* An error repeats so much of what it answers, and waits on the heap for the address of whoever sent it. */
#define LWIP_ICMP6_DATASIZE 64

#define LWIP_STATS 1
#define LWIP_STATS_LARGE 0
#define LWIP_STATS_DISPLAY 0
#define LINK_STATS 1
#define MEM_STATS 1
#define MEMP_STATS 1
#define ETHARP_STATS 0
#define IP_STATS 0
#define IP6_STATS 0
#define ICMP_STATS 0
#define ICMP6_STATS 0
#define UDP_STATS 0
#define ND6_STATS 0
#define MLD6_STATS 0
#define SYS_STATS 0

#define LWIP_CHKSUM_ALGORITHM 2

#endif
