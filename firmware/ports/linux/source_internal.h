/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the Linux sources share; nobody else includes this. */
#ifndef PORT_LINUX_SOURCE_INTERNAL_H
#define PORT_LINUX_SOURCE_INTERNAL_H

#include "firmware/ports/linux/source.h"

/* Whether the baud is one that port_linux_serial_open can set. */
bool port_linux_baud_known(uint32_t baud);

/* Opens and sets up the device; -1 and errno when that fails. */
int port_linux_serial_open(const struct port_linux_source_config *config);

/* Starts a connection to the host's address number `address_turn` (modulo how many it has). Returns a
 * nonblocking socket that becomes writable when it is decided, or -1 with *why pointing to static text. */
int port_linux_tcp_connect(const char *host, uint16_t port, uint32_t address_turn, const char **why);

/* A nonblocking socket bound to the address; listening, for SOCK_STREAM; a member, for a multicast address.
 * Returns -1 with *why pointing to static text. */
int port_linux_socket_bind(const char *host, uint16_t port, int socket_type, const char **why);

/* Takes one connection from the listener, nonblocking and with keepalive; -1 and errno. */
int port_linux_tcp_accept(int listener);

/* 0, or the errno that the connection ended with. */
int port_linux_tcp_result(int fd);

/* Writes a line about this source with its address or path; `why` may be NULL. */
void port_linux_source_say(const struct port_linux_source *source, enum port_log_level level,
                           const char *event, const char *why);

#endif
