/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of `headrace feeds` share. */
#ifndef CLI_FEEDS_H
#define CLI_FEEDS_H

#include "aggregator/config/config.h"
#include "aggregator/io/ledger.h"
#include "tools/cli/options.h"

/* Options that every verb of feeds has; each has its own table, in this order. */
enum feeds_option { FEEDS_CONFIG, FEEDS_LEDGER, FEEDS_SINK, FEEDS_JSON, FEEDS_FEED, FEEDS_N_COMMON };

#define FEEDS_DEFAULT_CONFIG "/etc/headrace/aggregator.yaml"
#define FEEDS_COMMON_OPTIONS(feed_is_required)                                                               \
    [FEEDS_CONFIG] = {"--config", "YAML", false, 0,                                                          \
                      "The aggregator's configuration; default " FEEDS_DEFAULT_CONFIG "."},                  \
    [FEEDS_LEDGER] = {"--ledger", "FILE", false, 0, "A SQLite ledger, in place of the configuration's."},    \
    [FEEDS_SINK] = {"--sink", "NAME", false, 0, "kafka or files; default: kafka where there is one."},       \
    [FEEDS_JSON] = {"--json", NULL, false, 0, "JSON instead of a table."},                                   \
    [FEEDS_FEED] = {"--feed", "TOPIC", feed_is_required, 0, "The feed, such as marine.ais.raw."}

struct feeds {
    const char *verb; /* "feeds list", for complaints */
    const struct cli_arguments *arguments;
    struct config_aggregator *config;
    struct ledger ledger;
    struct feed_head head; /* of the sink that is looked at */
    bool is_json;
    const char *feed; /* NULL: not given */
};

/* Reads --config, unless --ledger makes it needless. False: the mistakes were told. */
bool feeds_load_config(struct feeds *feeds);
/* Opens the ledger for reading and finds the sink; false when the reason was told. Close feeds->ledger. */
bool feeds_open(struct feeds *feeds);
/* False after a complaint that names the feeds there are. */
bool feeds_has_feed(struct feeds *feeds);

int feeds_list(struct feeds *feeds, uint32_t limit);
int feeds_status(struct feeds *feeds);
int feeds_watermark(struct feeds *feeds, const char *partition);
/* `headrace feeds replay`, arguments and all. */
int feeds_replay(int argc, char **argv);

#endif
