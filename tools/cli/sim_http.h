/* SPDX-License-Identifier: Apache-2.0
 *
 * A small HTTP/1.1 server for simulators (RFC 9110, 9112): one thread, a few addresses, connections that
 * stay, one request at a time on each; and what real servers do when they fail: silence, and bodies that end
 * in the middle. Not for strangers: nothing is limited but what a request may be. */
#ifndef CLI_SIM_HTTP_H
#define CLI_SIM_HTTP_H

#include "proto/base/status.h"
#include "tools/cli/sim_text.h"

#include <signal.h>

enum {
    CLI_SIM_HTTP_ADDRESSES = 8,
    CLI_SIM_HTTP_CONNECTIONS = 64,
    CLI_SIM_HTTP_REQUEST_BYTES = 8192, /* line and headers; a longer one is answered 431 */
};

/* Borrowed during the call. Bodies are not read: a request that announces one is answered 413. */
struct cli_sim_request {
    const char *method;  /* "GET" */
    const char *target;  /* path and query as sent */
    const char *headers; /* the lines, as sent, each with its \r\n */
};

struct cli_sim_answer {
    unsigned status;
    const char *type;  /* of the content; static */
    char headers[128]; /* more header lines, each with its \r\n */
    struct cli_sim_text body;
    bool is_cut;  /* the length is that of the body, but only half of it comes, and then the end */
    bool is_mute; /* nothing comes; the connection is held until the client goes */
    uint64_t n_rows;
    struct cli_sim_text note; /* the handler's own, as is what is below; given back to `sent` */
    void *count;
};

struct cli_sim_http {
    /* Fills the answer, which is all zeros. */
    void (*handle)(void *ctx, const struct cli_sim_request *request, struct cli_sim_answer *answer);
    /* The whole answer was taken by the system; what a client then does with it is not known. Body and note
     * are freed after the call. */
    void (*sent)(void *ctx, const struct cli_sim_answer *answer);
    void *ctx;
};

struct cli_sim_server;

/* Listens on each "ADDRESS:PORT" (numeric IPv4; port 0: a free one). HR_IO, HR_MALFORMED after a complaint on
 * stderr: nothing is open. */
HR_MUST_USE struct hr_status cli_sim_server_open(const char *const *addresses, size_t n_addresses,
                                                 struct cli_sim_server **out);

/* "127.0.0.1:40123", by the order of the addresses. */
void cli_sim_server_address(const struct cli_sim_server *server, size_t index, char *out,
                            size_t capacity_bytes);

/* Until *stop is set by a signal. HR_IO: poll failed, as told on stderr. */
HR_MUST_USE struct hr_status cli_sim_server_run(struct cli_sim_server *server,
                                                const struct cli_sim_http *http,
                                                const volatile sig_atomic_t *stop);

/* Ends all connections and frees. NULL: nothing. */
void cli_sim_server_close(struct cli_sim_server *server);

/* The value of a header, its blanks left out, up to capacity_bytes - 1 characters; false: it is not there. */
bool cli_sim_header(const struct cli_sim_request *request, const char *name, char *out,
                    size_t capacity_bytes);

/* The value of a parameter of the target's query, decoded (%20, +); false: it is not there or too long. */
bool cli_sim_parameter(const char *target, const char *name, char *out, size_t capacity_bytes);

#endif
