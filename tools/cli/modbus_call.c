/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/modbus_call.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 2, READ_MAX_BYTES = 512 };

/* Of the exceptions that devices use; V1.1b3 section 7. */
static const char *const EXCEPTION[] = {
    [1] = "illegal function",     [2] = "illegal address",
    [3] = "illegal value",        [4] = "device failure",
    [5] = "acknowledge",          [6] = "device busy",
    [10] = "no path to the unit", [11] = "the unit did not answer",
};

static uint64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool cli_modbus_address(struct cli_modbus *modbus, const char *text)
{
    static const char SCHEME[] = "tcp://";
    if (strncmp(text, SCHEME, sizeof SCHEME - 1) != 0) {
        return false;
    }
    const char *host = text + sizeof SCHEME - 1;
    bool is_bracketed = host[0] == '[';
    const char *end = strchr(host, is_bracketed ? ']' : ':');
    size_t len = end == NULL ? strlen(host) : (size_t)(end - host);
    const char *rest = host + len;
    if (is_bracketed) {
        if (end == NULL) {
            return false;
        }
        host++;
        len--;
        rest++;
    }
    const char *port = rest[0] == ':' ? rest + 1 : "502";
    size_t port_len = strlen(port);
    if (len == 0 || len >= sizeof modbus->host || (rest[0] != ':' && rest[0] != '\0') || port_len == 0 ||
        port_len >= sizeof modbus->port || strspn(port, "0123456789") != port_len) {
        return false;
    }
    memcpy(modbus->host, host, len);
    modbus->host[len] = '\0';
    memcpy(modbus->port, port, port_len + 1);
    modbus->fd = -1;
    return true;
}

/* Waits until the socket is ready; false when the time is over. */
static bool wait_for(int fd, short events, uint64_t until_ms)
{
    for (;;) {
        uint64_t now_ms = clock_ms();
        struct pollfd poller = {.fd = fd, .events = events};
        int n_ready = poll(&poller, 1, now_ms < until_ms ? (int)(until_ms - now_ms) : 0);
        if (n_ready != 0 && !(n_ready < 0 && errno == EINTR)) {
            return n_ready > 0;
        }
        if (clock_ms() >= until_ms) {
            return false;
        }
    }
}

/* 0, or what failed. */
static int connect_address(struct cli_modbus *modbus, const struct addrinfo *at)
{
    int error = 0;
    socklen_t len = sizeof error;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0) {
        return errno;
    }
    if (connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            bool is_done = wait_for(fd, POLLOUT, clock_ms() + modbus->timeout_ms);
            error = ETIMEDOUT;
            if (is_done && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
                error = errno;
            }
        }
    }
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    modbus->fd = fd;
    return 0;
}

bool cli_modbus_connect(struct cli_modbus *modbus)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(modbus->host, modbus->port, &hints, &found);
    int error = 0;
    if (failed != 0) {
        (void)snprintf(modbus->why, sizeof modbus->why, "%s", gai_strerror(failed));
        return false;
    }
    modbus->fd = -1;
    for (const struct addrinfo *at = found; at != NULL && modbus->fd < 0; at = at->ai_next) {
        error = connect_address(modbus, at);
    }
    freeaddrinfo(found);
    if (modbus->fd < 0) {
        (void)snprintf(modbus->why, sizeof modbus->why, "%s", strerror(error));
        return false;
    }
    tap_modbus_init(&modbus->line, TAP_MODBUS_TCP);
    return true;
}

void cli_modbus_close(struct cli_modbus *modbus)
{
    if (modbus->fd >= 0) {
        (void)close(modbus->fd);
    }
    modbus->fd = -1;
}

/* Takes what comes until the request has ended or the time is over. False: the connection ended. */
static bool hear(struct cli_modbus *modbus)
{
    uint8_t bytes[READ_MAX_BYTES];
    uint64_t until_ms = clock_ms() + modbus->timeout_ms;
    while (modbus->line.state == TAP_MODBUS_WAITING) {
        if (!wait_for(modbus->fd, POLLIN, until_ms)) {
            (void)tap_modbus_over(&modbus->line);
            return true;
        }
        ssize_t n_read = read(modbus->fd, bytes, sizeof bytes);
        if (n_read == 0 || (n_read < 0 && errno != EINTR && errno != EAGAIN)) {
            (void)tap_modbus_over(&modbus->line);
            return false;
        }
        if (n_read > 0) {
            (void)tap_modbus_feed(&modbus->line, hr_bytes_of(bytes, (size_t)n_read));
        }
    }
    return modbus->line.state != TAP_MODBUS_BROKEN;
}

static void say_why(struct cli_modbus *modbus)
{
    const struct tap_modbus *line = &modbus->line;
    const char *name = tap_modbus_state_name(line->state);
    const char *meaning = NULL;
    if (line->state == TAP_MODBUS_EXCEPTION) {
        if (line->exception < sizeof EXCEPTION / sizeof EXCEPTION[0]) {
            meaning = EXCEPTION[line->exception];
        }
        (void)snprintf(modbus->why, sizeof modbus->why, "exception %u%s%s", line->exception,
                       meaning != NULL ? ": " : "", meaning != NULL ? meaning : "");
    } else {
        (void)snprintf(modbus->why, sizeof modbus->why, "%s", name);
    }
}

/* One request, once. */
static bool ask(struct cli_modbus *modbus, const struct tap_modbus_request *request)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    if (modbus->fd < 0 && !cli_modbus_connect(modbus)) {
        return false;
    }
    size_t len = tap_modbus_ask(&modbus->line, request, out);
    bool is_open = send(modbus->fd, out, len, MSG_NOSIGNAL) == (ssize_t)len;
    if (is_open) {
        is_open = hear(modbus);
    } else {
        (void)tap_modbus_over(&modbus->line);
    }
    say_why(modbus);
    /* Half a frame, or one that never came: what follows on this connection would not be what was asked for.
     */
    if (!is_open || modbus->line.state == TAP_MODBUS_TRUNCATED) {
        cli_modbus_close(modbus);
    }
    return modbus->line.state == TAP_MODBUS_ANSWERED;
}

bool cli_modbus_read(struct cli_modbus *modbus, uint8_t unit, uint16_t address, uint16_t n_registers,
                     uint16_t *out)
{
    for (uint32_t done = 0; done < n_registers;) {
        uint32_t n_left = n_registers - done;
        const struct tap_modbus_request request = {
            .unit = unit,
            .table = TAP_MODBUS_HOLDING,
            .address = (uint16_t)(address + done),
            .n_registers =
                (uint16_t)(n_left < TAP_MODBUS_READ_MAX_REGISTERS ? n_left : TAP_MODBUS_READ_MAX_REGISTERS),
        };
        bool is_read = false;
        for (unsigned i = 0; i < TRIES && !is_read; i++) {
            is_read = ask(modbus, &request);
            if (modbus->fd >= 0 && modbus->line.state == TAP_MODBUS_EXCEPTION) {
                break; /* it would be refused again */
            }
        }
        if (!is_read) {
            return false;
        }
        memcpy(out + done, modbus->line.registers, request.n_registers * sizeof *out);
        done += request.n_registers;
    }
    return true;
}
