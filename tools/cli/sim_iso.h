/* SPDX-License-Identifier: Apache-2.0
 *
 * The market operators' endpoints as a simulator sees them: what a request asks for, by the operator's own
 * parameters and not by the feeds' templates, and the document that answers it. */
#ifndef CLI_SIM_ISO_H
#define CLI_SIM_ISO_H

#include "tools/cli/sim_http.h"
#include "tools/cli/sim_market.h"

enum { CLI_ISO_ROUTES = 19 };

/* Which components a document has of energy, congestion and loss. */
enum cli_iso_parts { CLI_ISO_ALL_PARTS, CLI_ISO_NO_ENERGY, CLI_ISO_NO_PARTS };

struct cli_iso_ask;

struct cli_iso_route {
    const char *feed;
    const char *host; /* the operator's */
    const char *path; /* the target begins with it */
    const char *has;  /* and has this; NULL: nothing */
    bool (*read)(const char *target, struct cli_iso_ask *ask);
    void (*write)(const struct cli_market *market, const struct cli_iso_ask *ask,
                  struct cli_sim_answer *answer);
    enum feeds_iso iso;
    uint32_t step_s; /* length of an interval */
    enum cli_iso_parts parts;
    bool is_newest;    /* whatever is newest, not what is asked for */
    bool is_day_ahead; /* known before the day */
    bool is_instant;   /* observations have no length */
    bool is_zonal;     /* NYISO: zones, whose number is fixed */
};

/* The route of a target; NULL: it is of no operator. */
const struct cli_iso_route *cli_iso_route_of(const char *target);
const struct cli_iso_route *cli_iso_routes(void);

/* What is asked for: intervals whose start (or end, `labels_end`) the operator's clock shows from
 * first_local_s to last_local_s; or those that start from from_s on and before to_s in UTC. */
struct cli_iso_ask {
    const struct cli_iso_route *route;
    const char *target;
    int64_t from_s;
    int64_t to_s;
    bool is_local;
    bool labels_end;
    bool is_fold_told; /* only the first, or only the second pass of a repeated hour: is_second */
    bool is_second;
    int64_t first_local_s;
    int64_t last_local_s;
    int64_t known_until_s; /* what ends later is not there yet; day-ahead: what starts later */
    uint64_t skip_rows;    /* pages */
    uint64_t most_rows;
    char type[24]; /* only locations of this type; empty: all */
};

/* All but route and known_until_s, which are filled; of a newest one from_s and to_s stay too. False: the
 * operator would not understand it. */
bool cli_iso_ask_read(const char *target, struct cli_iso_ask *ask);

struct cli_iso_interval {
    int64_t start_s;
    int64_t end_s;
    struct feeds_local start;
    struct feeds_local end;
};

/* The next interval at or after *at_s, which moves behind it; false: there is none. */
bool cli_iso_next(const struct cli_market *market, const struct cli_iso_ask *ask, int64_t *at_s,
                  struct cli_iso_interval *out);

/* Adds what was served of a location and interval to the answer's note, a JSON line. */
void cli_iso_note(struct cli_sim_answer *answer, const struct cli_iso_ask *ask, int64_t start_s,
                  const char *location, const struct cli_price *price);

/* The documents, by operator: status, type, body, note and n_rows; also when there is nothing, as the
 * operator then says it. */
void cli_iso_write_caiso(const struct cli_market *market, const struct cli_iso_ask *ask,
                         struct cli_sim_answer *answer);
void cli_iso_write_rows(const struct cli_market *market, const struct cli_iso_ask *ask,
                        struct cli_sim_answer *answer);
void cli_iso_write_miso_day(const struct cli_market *market, const struct cli_iso_ask *ask,
                            struct cli_sim_answer *answer);
/* What the operator answers when there is nothing. */
void cli_iso_write_nothing(const struct cli_iso_route *route, struct cli_sim_answer *answer);
/* 429, 401: with the operator's words. */
void cli_iso_write_refusal(const struct cli_iso_route *route, unsigned status, uint32_t retry_after_s,
                           struct cli_sim_answer *answer);

/* Adds a zip file (APPNOTE 6.3.3) of one deflated member, below 4 GB; `out` is empty before. */
void cli_sim_zip(struct cli_sim_text *out, const char *name, const struct cli_sim_text *content);

#endif
