/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of `headrace feeds` share. */
#ifndef CLI_FEEDS_H
#define CLI_FEEDS_H

#include "aggregator/config/config.h"
#include "aggregator/io/ledger.h"
#include "tools/cli/options.h"

/* Options that every verb of feeds has; each has its own table, in this order. */
enum cli_feeds_option {
    CLI_FEEDS_CONFIG,
    CLI_FEEDS_LEDGER,
    CLI_FEEDS_SINK,
    CLI_FEEDS_JSON,
    CLI_FEEDS_FEED,
    CLI_FEEDS_N_COMMON
};

#define CLI_FEEDS_DEFAULT_CONFIG "/etc/headrace/aggregator.yaml"
#define CLI_FEEDS_COMMON_OPTIONS(feed_is_required)                                                           \
    [CLI_FEEDS_CONFIG] = {"--config", "YAML", false, 0,                                                      \
                          "The aggregator's configuration; default " CLI_FEEDS_DEFAULT_CONFIG "."},          \
    [CLI_FEEDS_LEDGER] = {"--ledger", "FILE", false, 0,                                                      \
                          "A SQLite ledger, in place of the configuration's."},                              \
    [CLI_FEEDS_SINK] = {"--sink", "NAME", false, 0, "kafka or files; default: kafka where there is one."},   \
    [CLI_FEEDS_JSON] = {"--json", NULL, false, 0, "JSON instead of a table."},                               \
    [CLI_FEEDS_FEED] = {"--feed", "TOPIC", feed_is_required, 0, "The feed, such as marine.ais.raw."}

struct cli_feeds {
    const char *verb; /* "feeds list", for complaints */
    const struct cli_arguments *arguments;
    struct config_aggregator *config;
    struct ledger ledger;
    struct feed_head head; /* of the sink that is looked at */
    bool is_json;
    const char *feed; /* NULL: not given */
};

/* Reads --config, unless --ledger makes it needless. False: the mistakes were told. */
bool cli_feeds_load_config(struct cli_feeds *feeds);
/* Opens the ledger for reading and finds the sink; false when the reason was told. Close feeds->ledger. */
bool cli_feeds_open(struct cli_feeds *feeds);
/* False after a complaint that names the feeds there are. */
bool cli_feeds_has_feed(struct cli_feeds *feeds);

int cli_feeds_list(struct cli_feeds *feeds, uint32_t limit);
int cli_feeds_status(struct cli_feeds *feeds);
int cli_feeds_watermark(struct cli_feeds *feeds, const char *partition);
/* `headrace feeds replay`, arguments and all. */
int cli_feeds_replay(int argc, char **argv);

#endif
