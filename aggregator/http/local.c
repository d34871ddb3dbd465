/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/local.h"

#include "proto/base/assert.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Whoever asks through a proxy is not the one who is on this machine. */
static bool is_forwarded(struct MHD_Connection *connection)
{
    static const char *const marks[] = {"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP",
                                        "Via"};
    for (size_t i = 0; i < HR_ARRAY_LEN(marks); i++) {
        if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, marks[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool http_is_local(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct sockaddr_storage address = {0};
    /* A name that somebody made to lead here would let a page in a browser of this machine ask. */
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    bool is_localhost = host != NULL && strncmp(host, "localhost", strlen("localhost")) == 0 &&
                        strchr(":", host[strlen("localhost")]) != NULL;
    bool is_named =
        host != NULL && !is_localhost && host[0] != '[' && host[strspn(host, "0123456789.:")] != '\0';
    if (info == NULL || info->client_addr == NULL || is_named || is_forwarded(connection)) {
        return false;
    }
    bool is_v6 = info->client_addr->sa_family == AF_INET6;
    memcpy(&address, info->client_addr, is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, &address, sizeof v4);
    memcpy(&v6, &address, sizeof v6);
    if (is_v6) {
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
    }
    return address.ss_family == AF_INET && ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}
