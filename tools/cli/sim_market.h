/* SPDX-License-Identifier: Apache-2.0
 *
 * A synthetic market: the prices of seven operators for every interval and location, by a seed. It knows
 * nothing of documents: they are made of it (sim_iso_write.c), and so is what a test expects of them. */
#ifndef CLI_SIM_MARKET_H
#define CLI_SIM_MARKET_H

#include "proto/feeds/feeds.h"
#include "proto/feeds/zone.h"

#include <stdint.h>

enum { CLI_MARKET_ISOS = FEEDS_NYISO + 1, CLI_MARKET_NAME_CHARS = 48 };

struct cli_market {
    uint64_t seed;
    uint32_t n_nodes; /* of each operator */
    struct feeds_zone zones[CLI_MARKET_ISOS];
};

/* Zones by their rules of today (since 2007), not by tzdata: a reading of local time of their own. MISO is
 * EST all year. */
void cli_market_init(struct cli_market *market, uint64_t seed, uint32_t n_nodes);

/* A location as its operator writes it. */
struct cli_node {
    char id[CLI_MARKET_NAME_CHARS]; /* what names it: CAISO's node, PJM's pnode_id, NYISO's PTID ... */
    char name[CLI_MARKET_NAME_CHARS];
    const char *type; /* "HUB", "Gennode" ..., the operator's word; static */
};

/* index below n_nodes; of NYISO's zones (`is_zonal`) below CLI_MARKET_NYISO_ZONES. */
enum { CLI_MARKET_NYISO_ZONES = 15 };
void cli_market_node(enum feeds_iso iso, bool is_zonal, uint32_t index, struct cli_node *out);

/* In units of the last decimal, which is the operator's; value = energy + congestion + loss exactly. */
struct cli_price {
    unsigned decimals;
    int64_t value;
    int64_t energy;
    int64_t congestion;
    int64_t loss;
};

/* The same for the same seed, feed, location and interval. Some are negative, some above 2,000 USD/MWh. */
struct cli_price cli_market_price(const struct cli_market *market, enum feeds_iso iso, const char *feed,
                                  const char *location, int64_t start_s);

/* What the clock of the operator shows, in seconds as if it were UTC. */
int64_t cli_market_local_s(const struct cli_market *market, enum feeds_iso iso, int64_t utc_s);

#endif
