/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/source_internal.h"

#include "proto/base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKOFF_FIRST_MS = 250,
    BACKOFF_MAX_MS = 15000,
    CONNECT_TIMEOUT_MS = 10000,
    ACCEPT_REST_MS = 1000,
};

static const char *const KIND_NAME[] = {
    [PORT_LINUX_SOURCE_SERIAL] = "serial",
    [PORT_LINUX_SOURCE_TCP_CLIENT] = "tcp-client",
    [PORT_LINUX_SOURCE_TCP_SERVER] = "tcp-server",
    [PORT_LINUX_SOURCE_UDP] = "udp",
    [PORT_LINUX_SOURCE_FILE] = "file",
    [PORT_LINUX_SOURCE_STDIN] = "stdin",
};

void port_linux_source_say(const struct port_linux_source *source, enum port_log_level level,
                           const char *event, const char *why)
{
    const struct port_linux_source_config *config = &source->config;
    const char *where = config->path[0] != '\0' ? config->path : config->host;
    PORT_LOG(source->log, level, event, {"kind", KIND_NAME[config->kind], 0}, {"where", where, 0},
             {"port", NULL, config->port}, {"why", why == NULL ? "" : why, 0});
}

static void schedule_retry(struct port_linux_source *source, uint64_t uptime_ms)
{
    source->down = true;
    source->retry_at_ms = uptime_ms + source->backoff_ms;
    source->backoff_ms = source->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : source->backoff_ms * 2;
}

static void fail_to_open(struct port_linux_source *source, const char *why, uint64_t uptime_ms)
{
    source->counts.failed++;
    port_linux_source_say(source, PORT_LOG_WARN, "source_unreachable", why);
    schedule_retry(source, uptime_ms);
}

static void opened(struct port_linux_source *source)
{
    source->counts.opened++;
    port_linux_source_say(source, PORT_LOG_INFO, "source_opened", NULL);
}

/* Opens what may be away for a while: a serial device or a TCP peer. */
static void try_open(struct port_linux_source *source, uint64_t uptime_ms)
{
    const struct port_linux_source_config *config = &source->config;
    source->down = false;
    if (config->kind == PORT_LINUX_SOURCE_SERIAL) {
        source->stream[0] = port_linux_serial_open(config);
        if (source->stream[0] < 0) {
            fail_to_open(source, strerror(errno), uptime_ms);
        } else {
            opened(source);
        }
        return;
    }
    const char *why = "";
    source->stream[0] = port_linux_tcp_connect(config->host, config->port, source->address_turn, &why);
    if (source->stream[0] < 0) {
        source->address_turn++;
        fail_to_open(source, why, uptime_ms);
        return;
    }
    source->connecting = true;
    source->connect_until_ms = uptime_ms + CONNECT_TIMEOUT_MS;
}

static void end_connecting(struct port_linux_source *source, const char *why, uint64_t uptime_ms)
{
    source->connecting = false;
    if (why == NULL) {
        opened(source);
        return;
    }
    (void)close(source->stream[0]);
    source->stream[0] = -1;
    source->address_turn++;
    fail_to_open(source, why, uptime_ms);
}

/* Opens what must be there at once. Returns why it can't be, or NULL. */
static const char *open_now(struct port_linux_source *source)
{
    const struct port_linux_source_config *config = &source->config;
    const char *why = "";
    if (config->kind == PORT_LINUX_SOURCE_TCP_SERVER) {
        source->listener = port_linux_socket_bind(config->host, config->port, SOCK_STREAM, &why);
        return source->listener < 0 ? why : NULL;
    }
    if (config->kind == PORT_LINUX_SOURCE_UDP) {
        source->stream[0] = port_linux_socket_bind(config->host, config->port, SOCK_DGRAM, &why);
        return source->stream[0] < 0 ? why : NULL;
    }
    if (config->kind == PORT_LINUX_SOURCE_FILE) {
        source->stream[0] = open(config->path, O_RDONLY | O_CLOEXEC);
        return source->stream[0] < 0 ? strerror(errno) : NULL;
    }
    source->stream[0] = STDIN_FILENO;
    return NULL;
}

static const char *what_is_wrong(const struct port_linux_source_config *config)
{
    if ((unsigned)config->kind > PORT_LINUX_SOURCE_STDIN) {
        return "no such kind of source";
    }
    if (config->kind == PORT_LINUX_SOURCE_SERIAL && !port_linux_baud_known(config->baud)) {
        return "no such baud rate";
    }
    if (config->kind == PORT_LINUX_SOURCE_TCP_CLIENT && (config->host[0] == '\0' || config->port == 0)) {
        return "a TCP client needs a host and a port";
    }
    return NULL;
}

struct hr_status port_linux_source_open(struct port_linux_source *source,
                                        const struct port_linux_source_config *config,
                                        const struct port_log *log, uint64_t uptime_ms)
{
    memset(source, 0, sizeof *source);
    source->config = *config;
    source->log = log;
    source->listener = -1;
    source->backoff_ms = BACKOFF_FIRST_MS;
    for (size_t i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        source->stream[i] = -1;
    }
    const char *why = what_is_wrong(config);
    if (why != NULL) {
        PORT_LOG(log, PORT_LOG_ERROR, "source_config", {"why", why, 0});
        return hr_status_of(HR_MALFORMED);
    }
    if (config->kind == PORT_LINUX_SOURCE_SERIAL || config->kind == PORT_LINUX_SOURCE_TCP_CLIENT) {
        try_open(source, uptime_ms);
        return hr_ok();
    }
    why = open_now(source);
    if (why != NULL) {
        port_linux_source_say(source, PORT_LOG_ERROR, "source_open_failed", why);
        return hr_status_of(HR_IO);
    }
    opened(source);
    return hr_ok();
}

static int free_stream(const struct port_linux_source *source)
{
    for (int i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        if (source->stream[i] < 0) {
            return i;
        }
    }
    return -1;
}

static void accept_sender(struct port_linux_source *source, uint64_t uptime_ms)
{
    int place = free_stream(source);
    int fd = port_linux_tcp_accept(source->listener);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* It would stay ready and turn the loop. */
            source->accept_at_ms = uptime_ms + ACCEPT_REST_MS;
            port_linux_source_say(source, PORT_LOG_ERROR, "source_accept_failed", strerror(errno));
        }
        return;
    }
    if (place < 0) {
        (void)close(fd);
        source->counts.refused++;
        port_linux_source_say(source, PORT_LOG_WARN, "source_refused", "all streams are taken");
        return;
    }
    source->stream[place] = fd;
    opened(source);
}

static void end_stream(struct port_linux_source *source, uint8_t stream, const char *why, uint64_t uptime_ms)
{
    enum port_linux_source_kind kind = source->config.kind;
    if (kind != PORT_LINUX_SOURCE_STDIN) {
        (void)close(source->stream[stream]);
    }
    source->stream[stream] = -1;
    if (kind == PORT_LINUX_SOURCE_FILE || kind == PORT_LINUX_SOURCE_STDIN) {
        source->ended = true;
        port_linux_source_say(source, PORT_LOG_INFO, "source_ended", why);
        return;
    }
    source->counts.lost++;
    port_linux_source_say(source, PORT_LOG_WARN, "source_lost", why);
    if (kind != PORT_LINUX_SOURCE_TCP_SERVER) {
        schedule_retry(source, uptime_ms);
    }
}

static struct hr_status read_datagram(struct port_linux_source *source, uint8_t *out, size_t capacity_bytes,
                                      struct port_linux_source_chunk *chunk)
{
    ssize_t len = recv(source->stream[0], out, capacity_bytes, MSG_TRUNC);
    if (len <= 0) {
        return hr_status_of(HR_AGAIN);
    }
    if ((size_t)len > capacity_bytes) {
        source->counts.cut_datagrams++;
        return hr_status_of(HR_AGAIN);
    }
    *chunk = (struct port_linux_source_chunk){PORT_LINUX_SOURCE_DATAGRAM, 0, (size_t)len};
    return hr_ok();
}

static struct hr_status read_stream(struct port_linux_source *source, uint8_t stream, uint8_t *out,
                                    size_t capacity_bytes, struct port_linux_source_chunk *chunk,
                                    uint64_t uptime_ms)
{
    ssize_t len = read(source->stream[stream], out, capacity_bytes);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return hr_status_of(HR_AGAIN);
    }
    if (len <= 0) {
        end_stream(source, stream, len < 0 ? strerror(errno) : "end of input", uptime_ms);
        *chunk = (struct port_linux_source_chunk){PORT_LINUX_SOURCE_ENDED, stream, 0};
        return hr_ok();
    }
    source->backoff_ms = BACKOFF_FIRST_MS;
    *chunk = (struct port_linux_source_chunk){PORT_LINUX_SOURCE_BYTES, stream, (size_t)len};
    return hr_ok();
}

/* One place a stream and the listener last; fd -1, which poll passes over, where there is nothing. */
static void fill_fds(const struct port_linux_source *source, uint64_t uptime_ms,
                     struct pollfd fds[PORT_LINUX_SOURCE_FDS])
{
    for (size_t i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        fds[i] = (struct pollfd){source->stream[i], source->connecting ? POLLOUT : POLLIN, 0};
    }
    bool rests = uptime_ms < source->accept_at_ms;
    fds[PORT_LINUX_SOURCE_STREAMS] = (struct pollfd){rests ? -1 : source->listener, POLLIN, 0};
}

static struct hr_status read_ready(struct port_linux_source *source, const struct pollfd *fds,
                                   uint64_t uptime_ms, uint8_t *out, size_t capacity_bytes,
                                   struct port_linux_source_chunk *chunk)
{
    if (source->config.kind == PORT_LINUX_SOURCE_UDP) {
        return fds[0].revents == 0 ? hr_status_of(HR_AGAIN)
                                   : read_datagram(source, out, capacity_bytes, chunk);
    }
    for (unsigned i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        uint8_t stream = (uint8_t)((source->turn + i) % PORT_LINUX_SOURCE_STREAMS);
        if (source->stream[stream] < 0 || fds[stream].revents == 0) {
            continue;
        }
        struct hr_status status = read_stream(source, stream, out, capacity_bytes, chunk, uptime_ms);
        if (hr_is_ok(status)) {
            source->turn = (uint8_t)((stream + 1U) % PORT_LINUX_SOURCE_STREAMS);
            return status;
        }
    }
    return hr_status_of(HR_AGAIN);
}

struct hr_status port_linux_source_read(struct port_linux_source *source, uint64_t uptime_ms, uint8_t *out,
                                        size_t capacity_bytes, struct port_linux_source_chunk *chunk)
{
    struct pollfd fds[PORT_LINUX_SOURCE_FDS];
    if (source->ended) {
        return hr_status_of(HR_CLOSED);
    }
    if (source->down && uptime_ms >= source->retry_at_ms) {
        try_open(source, uptime_ms);
    }
    fill_fds(source, uptime_ms, fds);
    if (poll(fds, PORT_LINUX_SOURCE_FDS, 0) < 0) {
        return hr_status_of(HR_AGAIN); /* a signal came */
    }
    if (source->connecting) {
        if (fds[0].revents != 0) {
            int error = port_linux_tcp_result(source->stream[0]);
            end_connecting(source, error == 0 ? NULL : strerror(error), uptime_ms);
        } else if (uptime_ms >= source->connect_until_ms) {
            end_connecting(source, "no answer", uptime_ms);
        }
        return hr_status_of(HR_AGAIN);
    }
    struct hr_status status = read_ready(source, fds, uptime_ms, out, capacity_bytes, chunk);
    /* After reading: a place that has just come free is seen as ended before someone else gets it. */
    if (fds[PORT_LINUX_SOURCE_STREAMS].revents != 0) {
        accept_sender(source, uptime_ms);
    }
    return status;
}

size_t port_linux_source_fds(const struct port_linux_source *source, uint64_t uptime_ms,
                             struct pollfd fds[PORT_LINUX_SOURCE_FDS])
{
    struct pollfd all[PORT_LINUX_SOURCE_FDS];
    size_t n = 0;
    fill_fds(source, uptime_ms, all);
    for (size_t i = 0; i < PORT_LINUX_SOURCE_FDS; i++) {
        if (all[i].fd >= 0) {
            fds[n++] = all[i];
        }
    }
    return n;
}

uint32_t port_linux_source_wait_ms(const struct port_linux_source *source, uint64_t uptime_ms)
{
    uint64_t due_ms = UINT64_MAX;
    if (source->down) {
        due_ms = source->retry_at_ms;
    } else if (source->connecting) {
        due_ms = source->connect_until_ms;
    } else if (uptime_ms < source->accept_at_ms) {
        due_ms = source->accept_at_ms;
    }
    if (due_ms <= uptime_ms) {
        return 0;
    }
    return due_ms - uptime_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)(due_ms - uptime_ms);
}

void port_linux_source_close(struct port_linux_source *source)
{
    for (size_t i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        if (source->stream[i] >= 0 && source->config.kind != PORT_LINUX_SOURCE_STDIN) {
            (void)close(source->stream[i]);
        }
        source->stream[i] = -1;
    }
    if (source->listener >= 0) {
        (void)close(source->listener);
    }
    source->listener = -1;
    source->connecting = false;
    source->down = false;
}
