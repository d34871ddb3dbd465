/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated operators: which document, or which refusal, a request gets; and what was counted. */
#ifndef CLI_SIM_ISO_SERVE_H
#define CLI_SIM_ISO_SERVE_H

#include "tools/cli/sim_iso.h"

#include <stdio.h>

enum { CLI_ISO_FAULTS = 32, CLI_ISO_HOSTS = 24, CLI_ISO_PAYLOADS = 96, CLI_ISO_LIMIT_MAX = 120 };

enum cli_iso_fault_kind {
    CLI_ISO_FAULT_429,
    CLI_ISO_FAULT_503,
    CLI_ISO_FAULT_401,   /* the key has expired */
    CLI_ISO_FAULT_HANG,  /* no answer */
    CLI_ISO_FAULT_HALF,  /* half a body */
    CLI_ISO_FAULT_TYPE,  /* a page of HTML, with 200 */
    CLI_ISO_FAULT_EMPTY, /* the operator says that there is nothing */
    CLI_ISO_FAULT_KINDS,
};

struct cli_iso_fault {
    enum cli_iso_fault_kind kind;
    char feed[FEEDS_NAME_MAX_CHARS + 1]; /* empty: any */
    uint64_t at;                         /* the request of that number, from 1; 0: the next of the feed */
    uint64_t n_left;
};

/* n_most requests in any period of that length; n_most 0: as many as come. */
struct cli_iso_host {
    char name[FEEDS_TEXT_MAX_CHARS + 1];
    uint32_t n_most;
    uint32_t period_ms;
    uint64_t n_taken; /* ring of the last ones within the limit */
    int64_t taken_ms[CLI_ISO_LIMIT_MAX];
    uint64_t n_requests;
    uint64_t n_over; /* answered 429 for coming too soon */
};

struct cli_iso_count {
    uint64_t n_requests;
    uint64_t n_documents; /* sent whole, with rows or from a file */
    uint64_t n_rows;
};

/* Recorded documents of a feed, in the order of their names; the last one stays. */
struct cli_iso_payload {
    struct cli_iso_route route; /* as far as a refusal needs it */
    char feed[FEEDS_NAME_MAX_CHARS + 1];
    char host[FEEDS_TEXT_MAX_CHARS + 1];
    char url[FEEDS_URL_MAX_CHARS + 1 + 32]; /* with the parameter of pages */
    size_t n_files;
    size_t next;
    char **files; /* names in the folder; owned */
    struct cli_iso_count count;
};

struct cli_iso_sim {
    struct cli_market market;
    int64_t start_s[CLI_MARKET_ISOS]; /* simulated time at the start */
    double speed;                     /* simulated seconds a second; 0: see below */
    int64_t began_ms;                 /* monotonic */
    uint64_t n_steps[CLI_ISO_ROUTES]; /* with speed 0 each newest document is of the next interval */
    uint64_t n_requests;
    uint64_t n_unknown;
    uint64_t n_faults[CLI_ISO_FAULT_KINDS];
    size_t n_pending;
    struct cli_iso_fault pending[CLI_ISO_FAULTS];
    size_t n_hosts;
    struct cli_iso_host hosts[CLI_ISO_HOSTS];
    struct cli_iso_count counts[CLI_ISO_ROUTES];
    const char *payload_folder;
    size_t n_payloads;
    struct cli_iso_payload payloads[CLI_ISO_PAYLOADS];
    FILE *expect; /* NULL: nobody asks */
};

/* Hosts with the limits that their operators are known for. The rest is the caller's to fill. */
void cli_iso_sim_init(struct cli_iso_sim *sim);

/* The host, made without a limit if it isn't there; NULL: there is no room for it. */
struct cli_iso_host *cli_iso_host_of(struct cli_iso_sim *sim, const char *name);

/* "503@4": request 4. False: it is none, or there are too many. */
bool cli_iso_fault_parse(struct cli_iso_sim *sim, const char *text);

/* Finds the documents FEED.* in `folder` of the feeds in `feeds` (a folder of their YAML). False after a
 * complaint on stderr. */
bool cli_iso_payloads_find(struct cli_iso_sim *sim, const char *folder, const char *feeds);
/* NULL: the target is of none of them. */
struct cli_iso_payload *cli_iso_payload_of(struct cli_iso_sim *sim, const char *target);
/* Answers with its next file; 500 when it can't be read. */
void cli_iso_payload_write(const struct cli_iso_sim *sim, struct cli_iso_payload *payload,
                           struct cli_sim_answer *answer);
void cli_iso_payloads_free(struct cli_iso_sim *sim);

/* For struct cli_sim_http; ctx is the simulation. */
void cli_iso_handle(void *ctx, const struct cli_sim_request *request, struct cli_sim_answer *answer);
void cli_iso_sent(void *ctx, const struct cli_sim_answer *answer);

#endif
