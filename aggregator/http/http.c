/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/http.h"

#include "aggregator/http/denied.h"
#include "aggregator/http/local.h"
#include "aggregator/http/tls.h"
#include "proto/base/assert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTION_TIMEOUT_S = 10, CONNECTION_MEMORY_BYTES = 16384, METRIC_LINE_MAX_BYTES = 512 };

/* A request whose body is coming. */
struct upload {
    size_t len_bytes;
    bool is_too_long;
    uint8_t bytes[HTTP_MAX_BODY_BYTES];
};

struct http_server {
    struct http_config config;
    char reply[HTTP_MAX_REPLY_BYTES];
    struct http_material *material; /* NULL: in plain */
    struct http_denied *denied;     /* NULL: nobody is */
    struct MHD_Daemon *daemon;
    uint16_t port;
};

/* Text that grows up to what was reserved for it. */
struct text {
    char *data;
    size_t capacity;
    size_t len;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text->data + text->len, text->capacity - text->len, format, arguments);
    va_end(arguments);
    HR_ASSERT(n >= 0 && (size_t)n < text->capacity - text->len); /* METRIC_LINE_MAX_BYTES a row is ample */
    text->len += (size_t)n;
}

static void add_metric(struct text *text, const struct http_metric *metric, bool first_of_name)
{
    if (first_of_name) {
        add(text, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
            metric->type == HTTP_COUNTER ? "counter" : "gauge");
    }
    uint64_t value = metric->read(metric->ctx, metric->argument);
    if (metric->label != NULL) {
        add(text, "%s{%s} %" PRIu64 "\n", metric->name, metric->label, value);
    } else {
        add(text, "%s %" PRIu64 "\n", metric->name, value);
    }
}

static struct MHD_Response *metrics_response(const struct http_server *server)
{
    struct text text = {.capacity = (server->config.n_metrics + 1) * METRIC_LINE_MAX_BYTES};
    text.data = malloc(text.capacity);
    if (text.data == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < server->config.n_metrics; i++) {
        const struct http_metric *metric = &server->config.metrics[i];
        add_metric(&text, metric, i == 0 || strcmp(metric[-1].name, metric->name) != 0);
    }
    return MHD_create_response_from_buffer(text.len, text.data, MHD_RESPMEM_MUST_FREE);
}

static struct MHD_Response *text_response(const char *text)
{
    char copy[sizeof(struct http_readiness) + 2];
    int len = snprintf(copy, sizeof(copy), "%s\n", text);
    return MHD_create_response_from_buffer((size_t)len, copy, MHD_RESPMEM_MUST_COPY);
}

struct page {
    struct MHD_Response *response;
    unsigned status;
    const char *type;
};

static const char plain[] = "text/plain; charset=utf-8";

static struct page page_of(unsigned status, const char *text)
{
    return (struct page){text_response(text), status, plain};
}

static bool is_method(const char *method, const char *wanted)
{
    return strcmp(method, wanted) == 0;
}

static bool is_json(struct MHD_Connection *connection)
{
    static const char wanted[] = "application/json";
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t len = sizeof(wanted) - 1;
    return type != NULL && strncmp(type, wanted, len) == 0 && (type[len] == '\0' || type[len] == ';');
}

/* What none of the fixed pages is. */
static struct http_peer peer_of(const struct http_server *server, struct MHD_Connection *connection)
{
    if (server->material == NULL) {
        return (struct http_peer){.role =
                                      http_is_local(connection) ? server->config.local_role : HTTP_ROLE_NONE};
    }
    struct http_peer peer = {.role = HTTP_ROLE_NONE};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info != NULL && info->tls_session != NULL) {
        peer = http_peer_of(info->tls_session);
    }
    bool is_denied =
        server->denied != NULL && peer.role != HTTP_ROLE_NONE && http_denied_has(server->denied, &peer);
    return is_denied ? (struct http_peer){.role = HTTP_ROLE_NONE} : peer;
}

static const char *argument_of(const struct http_request *request, const char *key)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, key);
}

static struct page admin_page(struct http_server *server, struct MHD_Connection *connection,
                              const struct http_peer *peer, const char *url, bool is_post,
                              const struct upload *upload)
{
    static const char missing[] = "no such page; /healthz, /readyz and /metrics are here";
    const struct http_request request = {.is_post = is_post,
                                         .peer = *peer,
                                         .path = url,
                                         .argument = argument_of,
                                         .connection = connection,
                                         .body = hr_bytes_of(upload->bytes, upload->len_bytes)};
    struct http_reply reply = {.text = server->reply, .capacity_bytes = sizeof(server->reply)};
    if (server->config.admin == NULL || !server->config.admin(server->config.ctx, &request, &reply)) {
        return page_of(MHD_HTTP_NOT_FOUND, missing);
    }
    return (struct page){
        MHD_create_response_from_buffer(strlen(reply.text), reply.text, MHD_RESPMEM_MUST_COPY), reply.status,
        "application/json"};
}

static struct page post_page(struct http_server *server, struct MHD_Connection *connection,
                             const struct http_peer *peer, const char *url, const struct upload *upload)
{
    if (!is_json(connection)) {
        return page_of(MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "a body is application/json here");
    }
    if (upload->is_too_long) {
        return page_of(MHD_HTTP_CONTENT_TOO_LARGE, "the body is too long");
    }
    return admin_page(server, connection, peer, url, true, upload);
}

static struct page page_for(struct http_server *server, struct MHD_Connection *connection,
                            const struct http_peer *peer, const char *url, const char *method,
                            const struct upload *upload)
{
    if (!is_method(method, MHD_HTTP_METHOD_GET) && !is_method(method, MHD_HTTP_METHOD_HEAD)) {
        return page_of(MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD and POST only");
    }
    if (strcmp(url, "/metrics") == 0) {
        return (struct page){metrics_response(server), MHD_HTTP_OK,
                             "text/plain; version=0.0.4; charset=utf-8"};
    }
    if (strcmp(url, "/healthz") == 0) {
        return (struct page){text_response("ok"), MHD_HTTP_OK, plain};
    }
    if (strcmp(url, "/readyz") == 0) {
        struct http_readiness readiness = {0};
        server->config.readiness(server->config.ctx, &readiness);
        return (struct page){text_response(readiness.detail),
                             readiness.ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                             "application/json"};
    }
    return admin_page(server, connection, peer, url, false, upload);
}

static bool is_stranger(const struct http_server *server, const struct http_peer *peer)
{
    return server->material != NULL && peer->role == HTTP_ROLE_NONE;
}

static struct page stranger_page(void)
{
    return page_of(MHD_HTTP_FORBIDDEN, "an operator's certificate opens this");
}

static struct page answer(struct http_server *server, struct MHD_Connection *connection, const char *url,
                          const char *method, const struct upload *upload)
{
    const struct http_peer peer = peer_of(server, connection);
    if (is_stranger(server, &peer)) {
        return stranger_page();
    }
    return is_method(method, MHD_HTTP_METHOD_POST) ? post_page(server, connection, &peer, url, upload)
                                                   : page_for(server, connection, &peer, url, method, upload);
}

static void take_body(struct upload *upload, const char *bytes, size_t len_bytes)
{
    size_t room = sizeof(upload->bytes) - upload->len_bytes;
    upload->is_too_long = upload->is_too_long || len_bytes > room;
    if (!upload->is_too_long) {
        memcpy(upload->bytes + upload->len_bytes, bytes, len_bytes);
        upload->len_bytes += len_bytes;
    }
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libmicrohttpd sets the types of these parameters. */
static void on_completed(void *ctx, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)ctx, (void)connection, (void)why;
    free(*state);
    *state = NULL;
}

static enum MHD_Result send_page(struct MHD_Connection *connection, const struct page *page)
{
    if (page->response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(page->response, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
    (void)MHD_add_response_header(page->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(connection, page->status, page->response);
    MHD_destroy_response(page->response);
    return result;
}

/* A stranger is told at once, and holds no connection with a body that never ends. */
static enum MHD_Result begin(const struct http_server *server, struct MHD_Connection *connection,
                             void **state)
{
    const struct http_peer peer = peer_of(server, connection);
    if (is_stranger(server, &peer)) {
        const struct page page = stranger_page();
        return send_page(connection, &page);
    }
    *state = calloc(1, sizeof(struct upload));
    return *state != NULL ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len_bytes, void **state)
{
    (void)version;
    struct http_server *server = ctx;
    if (*state == NULL) {
        /* libmicrohttpd calls once with the headers, and again with each part of the body and behind it */
        return begin(server, connection, state);
    }
    if (*upload_len_bytes > 0) {
        take_body(*state, upload, *upload_len_bytes);
        *upload_len_bytes = 0;
        return MHD_YES;
    }
    const struct page page = answer(server, connection, url, method, *state);
    return send_page(connection, &page);
}

/* libmicrohttpd says on stderr what errno says too; its lines would break the log's format. */
static void drop_library_log(void *ctx, const char *format, va_list arguments)
{
    (void)ctx;
    (void)format;
    (void)arguments;
}

static bool address_of(const struct http_config *config, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){0};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(config->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(config->port)};
    if (inet_pton(AF_INET, config->address, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof(v4));
        return true;
    }
    if (inet_pton(AF_INET6, config->address, &v6.sin6_addr) == 1) {
        memcpy(out, &v6, sizeof(v6));
        return true;
    }
    return false;
}

static struct hr_status read_tls(struct http_server *server, char *why, size_t why_capacity)
{
    const struct http_tls *tls = server->config.tls;
    HR_TRY(http_material_read(tls, &server->material, why, why_capacity));
    return tls->denied != NULL ? http_denied_open(tls->denied, &server->denied, why, why_capacity) : hr_ok();
}

static void release(struct http_server *server)
{
    http_denied_close(server->denied);
    http_material_free(server->material);
    free(server);
}

struct hr_status http_start(const struct http_config *config, struct http_server **out, char *why,
                            size_t why_capacity)
{
    struct sockaddr_storage address;
    if (!address_of(config, &address)) {
        (void)snprintf(why, why_capacity, "%s is no numeric address", config->address);
        return hr_status_of(HR_IO);
    }
    struct http_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        (void)snprintf(why, why_capacity, "no memory");
        return hr_status_of(HR_IO);
    }
    server->config = *config;
    struct MHD_OptionItem tls[HTTP_TLS_OPTIONS] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG;
    if (config->tls != NULL) {
        struct hr_status status = read_tls(server, why, why_capacity);
        if (!hr_is_ok(status)) {
            release(server);
            return status;
        }
        http_material_options(server->material, tls);
        flags |= MHD_USE_TLS;
    }
    if (address.ss_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, config->port, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, drop_library_log,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_CONNECTION_LIMIT, config->max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (server->daemon == NULL) {
        (void)snprintf(why, why_capacity, "can't listen on %s port %u: %s", config->address,
                       (unsigned)config->port,
                       errno != 0            ? strerror(errno)
                       : config->tls != NULL ? "refused by libmicrohttpd; do certificate and key fit?"
                                             : "refused by libmicrohttpd");
        release(server);
        return hr_status_of(HR_IO);
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info != NULL ? info->port : config->port;
    *out = server;
    return hr_ok();
}

uint16_t http_port(const struct http_server *server)
{
    return server->port;
}

void http_stop(struct http_server *server)
{
    MHD_stop_daemon(server->daemon);
    release(server);
}
