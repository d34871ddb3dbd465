/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/admin_call.h"

#include "tools/cli/admin_tls.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { TIMEOUT_S = 60, REQUEST_MAX_BYTES = 8192 };

bool cli_admin_parse(const char *url, struct cli_admin *out)
{
    static const char *const schemes[] = {"http://", "https://"};
    bool is_tls = strncmp(url, schemes[1], strlen(schemes[1])) == 0;
    size_t scheme_len = strlen(schemes[is_tls ? 1 : 0]);
    if (strncmp(url, schemes[is_tls ? 1 : 0], scheme_len) != 0) {
        return false;
    }
    const char *host = url + scheme_len;
    bool is_bracketed = *host == '[';
    host += is_bracketed ? 1 : 0;
    size_t len = strcspn(host, is_bracketed ? "]" : ":/");
    const char *rest = host + len + (is_bracketed && host[len] == ']' ? 1 : 0);
    size_t port_len = *rest == ':' ? strspn(rest + 1, "0123456789") : 0;
    bool good = len > 0 && len < sizeof out->host && port_len > 0 && port_len < 6 &&
                (rest[1 + port_len] == '\0' || strcmp(rest + 1 + port_len, "/") == 0);
    if (good) {
        *out = (struct cli_admin){.is_tls = is_tls};
        (void)snprintf(out->host, sizeof out->host, "%.*s", (int)len, host);
        (void)snprintf(out->port, sizeof out->port, "%.*s", (int)port_len, rest + 1);
    }
    return good;
}

bool cli_admin_of_config(const struct config_aggregator *config, struct cli_admin *out)
{
    bool is_any = strcmp(config->http.address, "0.0.0.0") == 0;
    if (config->has_http) {
        *out = (struct cli_admin){.is_tls = false};
        (void)snprintf(out->host, sizeof out->host, "%s", is_any ? "127.0.0.1" : config->http.address);
        (void)snprintf(out->port, sizeof out->port, "%u", config->http.port);
    }
    return config->has_http;
}

static int connect_to(const struct cli_admin *admin, char why[ADMIN_WHY_CHARS])
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = TIMEOUT_S};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(admin->host, admin->port, &hints, &found);
    if (failed != 0) {
        (void)snprintf(
            why, ADMIN_WHY_CHARS,
            "%s: %s: is the name right (--admin, or the http section of --config), and the network up?",
            admin->host, gai_strerror(failed));
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool connected = fd >= 0 &&
                         setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
                         setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
                         connect(fd, at->ai_addr, at->ai_addrlen) == 0;
        if (!connected) {
            (void)snprintf(
                why, ADMIN_WHY_CHARS,
                "no aggregator answers at %s port %s: %s: does it run there, and is this its address "
                "(--admin, --config)?",
                admin->host, admin->port, strerror(errno));
            if (fd >= 0) {
                (void)close(fd);
            }
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* Over which a call goes; tls NULL: in plain. */
struct channel {
    int fd;
    struct cli_tls *tls;
};

static bool send_all(const struct channel *to, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n =
            to->tls != NULL ? cli_tls_send(to->tls, bytes, len) : send(to->fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Everything up to the end of the connection. */
static bool receive_all(const struct channel *from, char *out, size_t capacity, size_t *len)
{
    *len = 0;
    for (;;) {
        size_t room = capacity - 1 - *len;
        ssize_t n = from->tls != NULL ? cli_tls_receive(from->tls, out + *len, room)
                                      : recv(from->fd, out + *len, room, 0);
        if (n < 0 || (n > 0 && *len + (size_t)n == capacity - 1)) {
            return false;
        }
        if (n == 0) {
            out[*len] = '\0';
            return true;
        }
        *len += (size_t)n;
    }
}

/* "Date: Sun, 22 Nov 2026 05:12:08 GMT" among the headers that end at `end`; 0: it is not there. */
static int64_t date_in(const char *headers, const char *end)
{
    static const char date[] = "\r\nDate: ";
    const char *at = strstr(headers, date);
    struct tm parts = {.tm_year = 0};
    const bool has =
        at != NULL && at < end && strptime(at + sizeof date - 1, "%a, %d %b %Y %H:%M:%S GMT", &parts) != NULL;
    return has ? (int64_t)timegm(&parts) : 0;
}

static bool exchange(const struct channel *over, const struct cli_admin *admin, const char *path,
                     const char *body, struct cli_admin_reply *reply)
{
    char request[REQUEST_MAX_BYTES];
    int n = body == NULL ? snprintf(request, sizeof request,
                                    "GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n", path,
                                    admin->host, admin->port)
                         : snprintf(request, sizeof request,
                                    "POST %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n"
                                    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                    path, admin->host, admin->port, strlen(body), body);
    size_t len = 0;
    if (n < 0 || (size_t)n >= sizeof request || !send_all(over, request, (size_t)n) ||
        !receive_all(over, reply->body, sizeof reply->body, &len)) {
        return false;
    }
    static const char version[] = "HTTP/1.1 ";
    const char *content = strstr(reply->body, "\r\n\r\n");
    if (content == NULL || strncmp(reply->body, version, sizeof version - 1) != 0) {
        return false;
    }
    reply->status = (int)strtol(reply->body + sizeof version - 1, NULL, 10);
    reply->utc_s = date_in(reply->body, content);
    memmove(reply->body, content + 4, strlen(content + 4) + 1);
    return true;
}

bool cli_admin_call(const struct cli_admin *admin, const char *path, const char *body,
                    struct cli_admin_reply *reply, char why[ADMIN_WHY_CHARS])
{
    int fd = connect_to(admin, why);
    if (fd < 0) {
        return false;
    }
    struct channel over = {.fd = fd};
    if (admin->is_tls) {
        over.tls = cli_tls_open(fd, admin, why);
        if (over.tls == NULL) {
            (void)close(fd);
            return false;
        }
    }
    bool good = exchange(&over, admin, path, body, reply);
    if (!good) {
        (void)snprintf(
            why, ADMIN_WHY_CHARS,
            "what answers at %s port %s is no aggregator, or ended in the middle: is this its address "
            "(%s)? say it again: nothing is done twice",
            admin->host, admin->port,
            admin->is_tls ? "--admin https:, of its admin section"
                          : "--admin http:, of its http section; the admin section's is https:");
    }
    cli_tls_close(over.tls);
    (void)close(fd);
    return good;
}
