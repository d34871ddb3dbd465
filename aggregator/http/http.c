/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/http.h"

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

struct http_server {
    struct http_config config;
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

static struct page page_for(struct http_server *server, const char *url, const char *method)
{
    static const char plain[] = "text/plain; charset=utf-8";
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return (struct page){text_response("GET and HEAD only"), MHD_HTTP_METHOD_NOT_ALLOWED, plain};
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
    return (struct page){text_response("no such page; /healthz, /readyz and /metrics are here"),
                         MHD_HTTP_NOT_FOUND, plain};
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len_bytes, void **state)
{
    (void)version;
    (void)upload;
    static int seen_headers;
    struct http_server *server = ctx;
    if (*state == NULL) {
        *state =
            &seen_headers; /* libmicrohttpd calls once with the headers and again when the body has come */
        return MHD_YES;
    }
    if (*upload_len_bytes > 0) {
        *upload_len_bytes = 0; /* taken and thrown away */
        return MHD_YES;
    }
    struct page page = page_for(server, url, method);
    if (page.response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(page.response, MHD_HTTP_HEADER_CONTENT_TYPE, page.type);
    (void)MHD_add_response_header(page.response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(connection, page.status, page.response);
    MHD_destroy_response(page.response);
    return result;
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
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG;
    if (address.ss_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, config->port, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, drop_library_log,
        NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, config->max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
    if (server->daemon == NULL) {
        (void)snprintf(why, why_capacity, "can't listen on %s port %u: %s", config->address,
                       (unsigned)config->port, errno != 0 ? strerror(errno) : "refused by libmicrohttpd");
        free(server);
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
    free(server);
}
