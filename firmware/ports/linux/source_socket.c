/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/source_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_PROBES = 3,
    UDP_RECEIVE_BUFFER_BYTES = 1 << 20, /* a second of the busiest feed, should the loop be held up */
};

/* The host's addresses; NULL, with *why, when it has none. Free with freeaddrinfo. */
static struct addrinfo *look_up(const char *host, uint16_t port, int socket_type, int flags, const char **why)
{
    struct addrinfo hints;
    struct addrinfo *found = NULL;
    char service[8];
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = socket_type;
    hints.ai_flags = flags | AI_NUMERICSERV;
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    int error = getaddrinfo(host[0] == '\0' ? NULL : host, service, &hints, &found);
    if (error != 0) {
        *why = gai_strerror(error);
        return NULL;
    }
    return found;
}

static int close_and_explain(int fd, const char **why)
{
    *why = strerror(errno);
    (void)close(fd);
    return -1;
}

/* A sender that lost its power says nothing; without keepalive its place would be taken for ever. */
static void keep_alive(int fd)
{
    static const struct {
        int level, name, value;
    } OPTION[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
    };
    for (size_t i = 0; i < sizeof OPTION / sizeof OPTION[0]; i++) {
        (void)setsockopt(fd, OPTION[i].level, OPTION[i].name, &OPTION[i].value, sizeof OPTION[i].value);
    }
}

int port_linux_tcp_connect(const char *host, uint16_t port, uint32_t address_turn, const char **why)
{
    struct addrinfo *found = look_up(host, port, SOCK_STREAM, 0, why);
    if (found == NULL) {
        return -1;
    }
    uint32_t n_addresses = 0;
    for (struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        n_addresses++;
    }
    struct addrinfo *chosen = found;
    for (uint32_t i = address_turn % n_addresses; i > 0; i--) {
        chosen = chosen->ai_next;
    }
    int fd = socket(chosen->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *why = strerror(errno);
    } else {
        keep_alive(fd);
        if (connect(fd, chosen->ai_addr, chosen->ai_addrlen) != 0 && errno != EINPROGRESS) {
            fd = close_and_explain(fd, why);
        }
    }
    freeaddrinfo(found);
    return fd;
}

int port_linux_tcp_result(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

static int join_if_multicast(int fd, const struct sockaddr *address)
{
    struct sockaddr_in v4;
    if (address->sa_family != AF_INET) {
        return 0;
    }
    memcpy(&v4, address, sizeof v4);
    if (!IN_MULTICAST(ntohl(v4.sin_addr.s_addr))) {
        return 0;
    }
    struct ip_mreq membership = {.imr_multiaddr = v4.sin_addr, .imr_interface = {htonl(INADDR_ANY)}};
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership);
}

static int bind_address(const struct addrinfo *address, int socket_type, const char **why)
{
    int fd = socket(address->ai_family, socket_type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *why = strerror(errno);
        return -1;
    }
    int on = 1;
    int buffer_bytes = UDP_RECEIVE_BUFFER_BYTES;
    if (socket_type == SOCK_STREAM) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    } else {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    }
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 ||
        join_if_multicast(fd, address->ai_addr) != 0) {
        return close_and_explain(fd, why);
    }
    if (socket_type == SOCK_STREAM && listen(fd, PORT_LINUX_SOURCE_STREAMS) != 0) {
        return close_and_explain(fd, why);
    }
    return fd;
}

int port_linux_socket_bind(const char *host, uint16_t port, int socket_type, const char **why)
{
    struct addrinfo *found = look_up(host, port, socket_type, AI_PASSIVE, why);
    int fd = -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = bind_address(at, socket_type, why);
    }
    if (found != NULL) {
        freeaddrinfo(found);
    }
    return fd;
}

int port_linux_tcp_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) {
        return -1;
    }
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        int cause = errno;
        (void)close(fd);
        errno = cause;
        return -1;
    }
    keep_alive(fd);
    return fd;
}

uint16_t port_linux_source_port(const struct port_linux_source *source)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd = source->config.kind == PORT_LINUX_SOURCE_UDP ? source->stream[0] : source->listener;
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address.ss_family == AF_INET) {
        memcpy(&v4, &address, sizeof v4);
        return ntohs(v4.sin_port);
    }
    memcpy(&v6, &address, sizeof v6);
    return ntohs(v6.sin6_port);
}
