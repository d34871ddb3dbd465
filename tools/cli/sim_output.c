/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/sim_output.h"

#include "proto/base/assert.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RETRY_MS = 200 };

static bool split_address(const char *text, struct cli_sim_output *output)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return false;
    }
    size_t host_len = (size_t)(colon - text);
    if (host_len >= 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        host_len -= 2;
    }
    size_t port_len = strlen(colon + 1);
    if (host_len >= sizeof output->host || port_len == 0 || port_len >= sizeof output->port ||
        strspn(colon + 1, "0123456789") != port_len) {
        return false;
    }
    memcpy(output->host, text, host_len);
    output->host[host_len] = '\0';
    memcpy(output->port, colon + 1, port_len + 1);
    return true;
}

bool cli_sim_output_parse(struct cli_sim_output *output, const char *text)
{
    static const struct {
        const char *scheme;
        enum cli_sim_kind kind;
    } SCHEME[] = {{"tcp://", CLI_SIM_TCP}, {"tcp-listen://", CLI_SIM_TCP_LISTEN}, {"udp://", CLI_SIM_UDP}};

    memset(output, 0, sizeof *output);
    if (strcmp(text, "-") == 0) {
        output->kind = CLI_SIM_STDOUT;
        return true;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(SCHEME); i++) {
        size_t len = strlen(SCHEME[i].scheme);
        if (strncmp(text, SCHEME[i].scheme, len) == 0) {
            output->kind = SCHEME[i].kind;
            return split_address(text + len, output) &&
                   (output->kind == CLI_SIM_TCP_LISTEN || output->host[0] != '\0');
        }
    }
    return false;
}

static struct hr_status complain(const struct cli_sim_output *output, const char *why)
{
    (void)fprintf(stderr, "headrace sim ais: %s:%s: %s\n", output->host, output->port, why);
    return hr_status_of(HR_IO);
}

/* A socket connected (or, listening, bound) to the first address that lets itself; -1 and *why. */
static int open_socket(const struct cli_sim_output *output, const char **why)
{
    bool listens = output->kind == CLI_SIM_TCP_LISTEN;
    struct addrinfo hints = {.ai_socktype = output->kind == CLI_SIM_UDP ? SOCK_DGRAM : SOCK_STREAM,
                             .ai_flags = listens ? AI_PASSIVE : 0};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(output->host[0] == '\0' ? NULL : output->host, output->port, &hints, &found);
    if (error != 0) {
        *why = gai_strerror(error);
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        int on = 1;
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            *why = strerror(errno);
            continue;
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        int result =
            listens ? bind(fd, at->ai_addr, at->ai_addrlen) : connect(fd, at->ai_addr, at->ai_addrlen);
        if (result != 0 || (listens && listen(fd, CLI_SIM_CLIENTS) != 0)) {
            *why = strerror(errno);
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static size_t n_peers(const struct cli_sim_output *output)
{
    size_t n = 0;
    for (size_t i = 0; i < CLI_SIM_CLIENTS; i++) {
        n += output->peer[i] >= 0;
    }
    return n;
}

/* Lets in who waits at the door, for up to wait_ms. One too many is turned away. */
static void accept_peers(struct cli_sim_output *output, int wait_ms)
{
    struct pollfd door = {output->listener, POLLIN, 0};
    while (poll(&door, 1, wait_ms) > 0) {
        int fd = accept(output->listener, NULL, NULL);
        size_t place = 0;
        while (place < CLI_SIM_CLIENTS && output->peer[place] >= 0) {
            place++;
        }
        if (place < CLI_SIM_CLIENTS) {
            output->peer[place] = fd;
        } else if (fd >= 0) {
            (void)close(fd);
        }
        wait_ms = 0;
    }
}

/* Returns when there is at least one peer. */
static struct hr_status wait_for_peer(struct cli_sim_output *output)
{
    const char *why = "";
    while (!*output->stop) {
        if (output->kind == CLI_SIM_TCP_LISTEN) {
            accept_peers(output, n_peers(output) == 0 ? RETRY_MS : 0);
        } else if (output->peer[0] < 0) {
            output->peer[0] = open_socket(output, &why);
        }
        if (n_peers(output) > 0) {
            return hr_ok();
        }
        if (output->kind == CLI_SIM_TCP) {
            (void)poll(NULL, 0, RETRY_MS);
        }
    }
    return hr_status_of(HR_CLOSED);
}

struct hr_status cli_sim_output_open(struct cli_sim_output *output, const volatile sig_atomic_t *stop)
{
    const char *why = "";
    output->stop = stop;
    output->listener = -1;
    for (size_t i = 0; i < CLI_SIM_CLIENTS; i++) {
        output->peer[i] = -1;
    }
    switch (output->kind) {
    case CLI_SIM_STDOUT:
        output->peer[0] = STDOUT_FILENO;
        return hr_ok();
    case CLI_SIM_UDP:
        output->peer[0] = open_socket(output, &why);
        return output->peer[0] < 0 ? complain(output, why) : hr_ok();
    case CLI_SIM_TCP_LISTEN:
        output->listener = open_socket(output, &why);
        if (output->listener < 0) {
            return complain(output, why);
        }
        return wait_for_peer(output);
    case CLI_SIM_TCP:
        return wait_for_peer(output);
    }
    return hr_status_of(HR_IO);
}

/* False: the peer is gone. A stop doesn't cut a line in two. */
static bool write_all(int fd, const char *bytes, size_t len_bytes)
{
    while (len_bytes > 0) {
        ssize_t n = write(fd, bytes, len_bytes);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        bytes += n;
        len_bytes -= (size_t)n;
    }
    return true;
}

/* Hands the buffer to every peer; those that are gone are let go. Returns how many got it. */
static size_t write_to_peers(struct cli_sim_output *output)
{
    size_t n_written = 0;
    for (size_t i = 0; i < CLI_SIM_CLIENTS; i++) {
        if (output->peer[i] < 0) {
            continue;
        }
        if (write_all(output->peer[i], output->buffer, output->len_bytes)) {
            n_written++;
            continue;
        }
        (void)close(output->peer[i]);
        output->peer[i] = -1;
        output->reconnects++;
    }
    return n_written;
}

struct hr_status cli_sim_output_flush(struct cli_sim_output *output)
{
    if (output->len_bytes == 0) {
        return hr_ok();
    }
    if (output->kind == CLI_SIM_STDOUT) {
        if (!write_all(STDOUT_FILENO, output->buffer, output->len_bytes)) {
            perror("headrace sim ais: stdout");
            return hr_status_of(HR_IO);
        }
    } else if (output->kind == CLI_SIM_UDP) {
        /* A refused datagram is one that nobody listened to: lost, as UDP loses. */
        (void)send(output->peer[0], output->buffer, output->len_bytes, 0);
    } else {
        do {
            HR_TRY(wait_for_peer(output));
        } while (write_to_peers(output) == 0);
    }
    output->len_bytes = 0;
    return hr_ok();
}

struct hr_status cli_sim_output_line(struct cli_sim_output *output, const char *line, size_t len_bytes)
{
    size_t room = output->kind == CLI_SIM_UDP ? CLI_SIM_DATAGRAM_BYTES : CLI_SIM_BUFFER_BYTES;
    HR_ASSERT(len_bytes <= room);
    if (output->len_bytes + len_bytes > room) {
        HR_TRY(cli_sim_output_flush(output));
    }
    memcpy(output->buffer + output->len_bytes, line, len_bytes);
    output->len_bytes += len_bytes;
    return hr_ok();
}

void cli_sim_output_close(struct cli_sim_output *output)
{
    for (size_t i = 0; i < CLI_SIM_CLIENTS; i++) {
        if (output->peer[i] >= 0 && output->kind != CLI_SIM_STDOUT) {
            (void)close(output->peer[i]);
        }
        output->peer[i] = -1;
    }
    if (output->listener >= 0) {
        (void)close(output->listener);
    }
    output->listener = -1;
}
