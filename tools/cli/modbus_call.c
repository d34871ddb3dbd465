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

enum { TRIES = 2, READ_MAX_BYTES = 512, RTU_GAP_MS = 10, RTU_LATE_MS = 200 };

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

static void say_nothing(void *ctx, enum port_log_level level, const char *event,
                        const struct port_log_field *fields, uint32_t n_fields)
{
    (void)ctx;
    (void)level;
    (void)event;
    (void)fields;
    (void)n_fields;
}

/* The one who waits is told why by errno; a log is for programs that run on. */
static bool open_bus(struct cli_modbus *modbus)
{
    static const struct port_log LOG = {say_nothing, NULL};
    errno = 0;
    struct hr_status status = port_linux_source_open(&modbus->bus, &modbus->serial, &LOG, clock_ms());
    modbus->fd = hr_is_ok(status) ? modbus->bus.stream[0] : -1;
    if (modbus->fd < 0) {
        (void)snprintf(modbus->why, sizeof modbus->why, "%s",
                       hr_is_ok(status) ? strerror(errno) : "no such baud rate");
        return false;
    }
    tap_modbus_init(&modbus->line, TAP_MODBUS_RTU);
    return true;
}

bool cli_modbus_connect(struct cli_modbus *modbus)
{
    if (modbus->is_rtu) {
        return open_bus(modbus);
    }
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

/* Leaves a serial line alone: for the 3.5 characters between frames, and after a failure for as long as an
 * answer may be late. */
static void let_pass(const struct cli_modbus *modbus)
{
    enum tap_modbus_state state = modbus->line.state;
    bool is_good = state == TAP_MODBUS_ANSWERED || state == TAP_MODBUS_EXCEPTION;
    long ms = is_good ? RTU_GAP_MS : RTU_LATE_MS;
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* One request, once. */
static bool ask(struct cli_modbus *modbus, const struct tap_modbus_request *request)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    if (modbus->fd < 0 && !cli_modbus_connect(modbus)) {
        return false;
    }
    size_t len = tap_modbus_ask(&modbus->line, request, out);
    ssize_t n_sent = modbus->is_rtu ? write(modbus->fd, out, len) : send(modbus->fd, out, len, MSG_NOSIGNAL);
    bool is_open = n_sent == (ssize_t)len;
    if (is_open) {
        is_open = hear(modbus);
    } else {
        (void)tap_modbus_over(&modbus->line);
    }
    say_why(modbus);
    if (modbus->is_rtu) {
        let_pass(modbus);
    }
    /* Half a frame, or one that never came: what follows on this connection would not be what was asked for.
     */
    if (!is_open || (!modbus->is_rtu && modbus->line.state == TAP_MODBUS_TRUNCATED)) {
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
