/* SPDX-License-Identifier: Apache-2.0
 *
 * /healthz, /readyz and /metrics (Prometheus text format 0.0.4), for one host's monitoring, and the admin
 * API: few connections, small bodies. Over mutual TLS an operator's certificate says who asks and what he may
 * do, and who has none gets nothing. In plain there is no login, so it listens on loopback unless told
 * otherwise. A body is taken as application/json only, which a page in somebody's browser can't send here
 * unasked. The room owns libmicrohttpd; its thread is its own. */
#ifndef AGG_HTTP_H
#define AGG_HTTP_H

#include "aggregator/http/peer/peer.h"
#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum http_metric_type { HTTP_COUNTER, HTTP_GAUGE };

/* One sample. Rows of one name stand together and differ by label; help and type are those of the first. */
struct http_metric {
    const char *name; /* whole: "headrace_batches_committed_total" */
    const char *help; /* one line */
    enum http_metric_type type;
    const char *label; /* such as status="ok"; NULL for none */
    /* [http thread] */
    uint64_t (*read)(void *ctx, uint32_t argument);
    void *ctx;
    uint32_t argument;
};

struct http_readiness {
    bool ready;
    char detail[512]; /* one line of JSON */
};

enum { HTTP_MAX_BODY_BYTES = 4096, HTTP_MAX_REPLY_BYTES = 65536 };

/* A request to the admin API; borrowed during the call. */
struct http_request {
    bool is_post; /* else GET */
    /* Over TLS who asks, with a name. In plain without one: http_config.local_role for a loopback address of
     * this machine that asked by number or as localhost and for nobody else, else HTTP_ROLE_NONE. */
    struct http_peer peer;
    const char *path;
    struct hr_bytes body;
    /* What stands behind the path, ?KEY=VALUE, decoded and not looked at yet; NULL: it does not. */
    const char *(*argument)(const struct http_request *request, const char *key);
    void *connection; /* of the room */
};

struct http_reply {
    unsigned status;
    char *text; /* JSON, to be filled; at most capacity_bytes with its NUL */
    size_t capacity_bytes;
};

/* PEM files. */
struct http_tls {
    const char *certificate;
    const char *key;
    const char *operator_ca; /* signs the certificates of operators, and nobody else's */
    const char *denied;      /* a list of their serial numbers that don't count (denied.h); NULL: none */
};

struct http_config {
    const struct http_tls *tls; /* read at start; NULL: in plain */
    enum http_role local_role;  /* in plain, of who is on this machine */
    const char *address;        /* numeric */
    uint16_t port;              /* 0: any free one */
    uint32_t max_connections;
    const struct http_metric *metrics; /* kept */
    size_t n_metrics;
    void (*readiness)(void *ctx, struct http_readiness *out); /* [http thread] */
    /* Answers what is none of the pages here; false: nothing is at this path. NULL: there is no admin API.
     * May wait for the ledger. [http thread] */
    bool (*admin)(void *ctx, const struct http_request *request, struct http_reply *reply);
    void *ctx;
};

struct http_server;

/* HR_IO: the address can't be bound or a file of tls not be used; the cause is in `why`. */
HR_MUST_USE struct hr_status http_start(const struct http_config *config, struct http_server **out, char *why,
                                        size_t why_capacity);
uint16_t http_port(const struct http_server *server);
/* Ends the thread and its connections, and frees. */
void http_stop(struct http_server *server);

#endif
