/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/sim_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 500 };

struct connection {
    int fd; /* -1: free */
    size_t in_bytes;
    char in[CLI_SIM_HTTP_REQUEST_BYTES + 1];
    bool is_answering;
    bool is_last;
    struct cli_sim_answer answer;
    struct cli_sim_text head;
    size_t out_bytes; /* sent of head and body */
};

struct cli_sim_server {
    size_t n_listeners;
    int listeners[CLI_SIM_HTTP_ADDRESSES];
    struct connection connections[CLI_SIM_HTTP_CONNECTIONS];
};

/* ---- addresses ---- */

static bool read_address(const char *text, struct sockaddr_in *out)
{
    char host[32];
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    if (colon == NULL || len >= sizeof host || colon[1] == '\0') {
        return false;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return *end == '\0' && port <= UINT16_MAX && inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

static struct hr_status listen_on(const char *text, int *out)
{
    struct sockaddr_in address;
    int on = 1;
    if (!read_address(text, &address)) {
        (void)fprintf(stderr, "headrace sim iso: --listen %s: not ADDRESS:PORT\n", text);
        return hr_status_of(HR_MALFORMED);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, CLI_SIM_HTTP_CONNECTIONS) != 0) {
        (void)fprintf(stderr, "headrace sim iso: %s: %s\n", text, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return hr_status_of(HR_IO);
    }
    *out = fd;
    return hr_ok();
}

struct hr_status cli_sim_server_open(const char *const *addresses, size_t n_addresses,
                                     struct cli_sim_server **out)
{
    struct cli_sim_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        (void)fputs("headrace sim iso: out of memory\n", stderr);
        return hr_status_of(HR_FULL);
    }
    for (size_t i = 0; i < CLI_SIM_HTTP_CONNECTIONS; i++) {
        server->connections[i].fd = -1;
    }
    for (size_t i = 0; i < n_addresses && i < CLI_SIM_HTTP_ADDRESSES; i++) {
        struct hr_status status = listen_on(addresses[i], &server->listeners[i]);
        if (!hr_is_ok(status)) {
            cli_sim_server_close(server);
            return status;
        }
        server->n_listeners++;
    }
    *out = server;
    return hr_ok();
}

void cli_sim_server_address(const struct cli_sim_server *server, size_t index, char *out,
                            size_t capacity_bytes)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof address;
    char host[INET_ADDRSTRLEN] = "";
    (void)getsockname(server->listeners[index], (struct sockaddr *)&address, &len);
    (void)inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
    (void)snprintf(out, capacity_bytes, "%s:%u", host, ntohs(address.sin_port));
}

/* ---- connections ---- */

static void forget_answer(struct connection *connection)
{
    cli_sim_text_free(&connection->answer.body);
    cli_sim_text_free(&connection->answer.note);
    cli_sim_text_free(&connection->head);
    connection->answer = (struct cli_sim_answer){0};
    connection->is_answering = false;
    connection->out_bytes = 0;
}

static void hang_up(struct connection *connection)
{
    forget_answer(connection);
    if (connection->fd >= 0) {
        (void)close(connection->fd);
    }
    connection->fd = -1;
    connection->in_bytes = 0;
    connection->is_last = false;
}

static const char *reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } REASONS[] = {{200, "OK"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {413, "Content Too Large"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof REASONS / sizeof REASONS[0]; i++) {
        if (REASONS[i].status == status) {
            return REASONS[i].reason;
        }
    }
    return "Other";
}

static void begin_answer(struct connection *connection)
{
    struct cli_sim_answer *answer = &connection->answer;
    if (answer->body.is_out_of_memory || answer->note.is_out_of_memory) {
        cli_sim_text_free(&answer->body);
        cli_sim_text_free(&answer->note);
        *answer = (struct cli_sim_answer){.status = 500, .type = "text/plain"};
    }
    connection->is_answering = true;
    connection->is_last = connection->is_last || answer->is_cut;
    cli_sim_text_add(&connection->head,
                     "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n", answer->status,
                     reason_of(answer->status),
                     answer->type != NULL ? answer->type : "application/octet-stream", answer->body.len_bytes,
                     answer->headers, connection->is_last ? "Connection: close\r\n" : "");
}

/* Cuts the request line into method and target; what follows are the headers. False: it is none. */
static bool split_line(char *line, struct cli_sim_request *request)
{
    char *end = strstr(line, "\r\n");
    char *target = strchr(line, ' ');
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
    if (end == NULL || version == NULL || version > end || strncmp(version + 1, "HTTP/1.", 7) != 0) {
        return false;
    }
    *target = '\0';
    *version = '\0';
    *request = (struct cli_sim_request){line, target + 1, end + 2};
    return true;
}

/* Answers the request in the buffer, when it is whole. */
static void take_request(struct connection *connection, const struct cli_sim_http *http)
{
    struct cli_sim_request request;
    char value[32];
    connection->in[connection->in_bytes] = '\0';
    char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL) {
        if (connection->in_bytes == CLI_SIM_HTTP_REQUEST_BYTES) {
            connection->answer.status = 431;
            connection->is_last = true;
            begin_answer(connection);
        }
        return;
    }
    end[2] = '\0';
    size_t used = (size_t)(end - connection->in) + 4;
    if (!split_line(connection->in, &request)) {
        connection->answer.status = 400;
        connection->is_last = true;
    } else if (cli_sim_header(&request, "Content-Length", value, sizeof value) && strcmp(value, "0") != 0) {
        connection->answer.status = 413;
        connection->is_last = true;
    } else {
        connection->is_last =
            cli_sim_header(&request, "Connection", value, sizeof value) && strcasecmp(value, "close") == 0;
        http->handle(http->ctx, &request, &connection->answer);
    }
    memmove(connection->in, connection->in + used, connection->in_bytes - used);
    connection->in_bytes -= used;
    begin_answer(connection);
}

static void on_readable(struct connection *connection, const struct cli_sim_http *http)
{
    char rest[256];
    bool is_full = connection->is_answering || connection->in_bytes == CLI_SIM_HTTP_REQUEST_BYTES;
    char *to = is_full ? rest : connection->in + connection->in_bytes;
    size_t room = is_full ? sizeof rest : CLI_SIM_HTTP_REQUEST_BYTES - connection->in_bytes;
    ssize_t n = read(connection->fd, to, room);
    if (n <= 0) {
        if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            hang_up(connection);
        }
        return;
    }
    if (!is_full) {
        connection->in_bytes += (size_t)n;
        take_request(connection, http);
    }
}

static void on_writable(struct connection *connection, const struct cli_sim_http *http)
{
    const struct cli_sim_answer *answer = &connection->answer;
    size_t body_bytes = answer->is_cut ? answer->body.len_bytes / 2 : answer->body.len_bytes;
    size_t total = connection->head.len_bytes + body_bytes;
    while (connection->out_bytes < total) {
        bool in_head = connection->out_bytes < connection->head.len_bytes;
        size_t at = in_head ? connection->out_bytes : connection->out_bytes - connection->head.len_bytes;
        const char *from = (in_head ? connection->head.data : answer->body.data) + at;
        ssize_t n = write(connection->fd, from, (in_head ? connection->head.len_bytes : body_bytes) - at);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                hang_up(connection);
            }
            return;
        }
        connection->out_bytes += (size_t)n;
    }
    if (!answer->is_cut) {
        http->sent(http->ctx, answer);
    }
    if (connection->is_last) {
        hang_up(connection);
        return;
    }
    forget_answer(connection);
    if (connection->in_bytes > 0) {
        take_request(connection, http);
    }
}

static void accept_one(struct cli_sim_server *server, int listener)
{
    int on = 1;
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) {
        return;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (size_t i = 0; i < CLI_SIM_HTTP_CONNECTIONS; i++) {
        if (server->connections[i].fd < 0) {
            server->connections[i].fd = fd;
            return;
        }
    }
    (void)close(fd); /* one too many */
}

struct hr_status cli_sim_server_run(struct cli_sim_server *server, const struct cli_sim_http *http,
                                    const volatile sig_atomic_t *stop)
{
    struct pollfd watched[CLI_SIM_HTTP_ADDRESSES + CLI_SIM_HTTP_CONNECTIONS];
    size_t n_watched = server->n_listeners + CLI_SIM_HTTP_CONNECTIONS;
    while (!*stop) {
        for (size_t i = 0; i < server->n_listeners; i++) {
            watched[i] = (struct pollfd){server->listeners[i], POLLIN, 0};
        }
        for (size_t i = 0; i < CLI_SIM_HTTP_CONNECTIONS; i++) {
            const struct connection *connection = &server->connections[i];
            bool writes = connection->is_answering && !connection->answer.is_mute;
            watched[server->n_listeners + i] =
                (struct pollfd){connection->fd, (short)(writes ? POLLOUT : POLLIN), 0};
        }
        if (poll(watched, (nfds_t)n_watched, WAIT_MS) < 0) {
            if (errno == EINTR) {
                continue;
            }
            perror("headrace sim iso: poll");
            return hr_status_of(HR_IO);
        }
        for (size_t i = 0; i < n_watched && !*stop; i++) {
            bool is_listener = i < server->n_listeners;
            if (watched[i].revents == 0) {
                continue;
            }
            if (is_listener) {
                accept_one(server, watched[i].fd);
            } else if ((watched[i].events & POLLOUT) != 0) {
                on_writable(&server->connections[i - server->n_listeners], http);
            } else {
                on_readable(&server->connections[i - server->n_listeners], http);
            }
        }
    }
    return hr_ok();
}

void cli_sim_server_close(struct cli_sim_server *server)
{
    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < CLI_SIM_HTTP_CONNECTIONS; i++) {
        hang_up(&server->connections[i]);
    }
    for (size_t i = 0; i < server->n_listeners; i++) {
        (void)close(server->listeners[i]);
    }
    free(server);
}
