/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace feeds`: what became of the data, by feed and partition, read beside a running aggregator; and
 * replays, which are asked of it. */
#include "aggregator/ledger/choice/choice.h"
#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/feeds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIST_LIMIT = CLI_FEEDS_N_COMMON };
enum { WATERMARK_PARTITION = CLI_FEEDS_N_COMMON };

static const struct cli_option list_options[] = {
    CLI_FEEDS_COMMON_OPTIONS(false),
    [LIST_LIMIT] = {"--limit", "N", false, 0,
                    "With --feed: so many partitions, the newest first; default 24."},
};
static const struct cli_option status_options[] = {CLI_FEEDS_COMMON_OPTIONS(true)};
static const struct cli_option watermark_options[] = {
    CLI_FEEDS_COMMON_OPTIONS(true),
    [WATERMARK_PARTITION] = {"--partition", "P", false, 0, "Of this partition, such as 2026-11-21T03Z."},
};

static const struct cli_usage usages[] = {
    {.verb = "feeds list",
     .options = list_options,
     .n_options = HR_ARRAY_LEN(list_options),
     .help = "Without --feed: every feed of the sink. With it: its partitions, the newest first."},
    {.verb = "feeds status",
     .options = status_options,
     .n_options = HR_ARRAY_LEN(status_options),
     .help = "How far a feed has come, what its partitions are doing, and its replays."},
    {.verb = "feeds watermark",
     .options = watermark_options,
     .n_options = HR_ARRAY_LEN(watermark_options),
     .help = "Prints the latest time of an event of the feed, or of one partition of it."},
};

static void complain(void *ctx, const char *text)
{
    const struct cli_feeds *feeds = ctx;
    (void)fprintf(stderr, "headrace %s: %s\n", feeds->verb, text);
}

bool cli_feeds_load_config(struct cli_feeds *feeds)
{
    static struct config_aggregator config;
    static struct conf_report mistakes;
    feeds->config = &config;
    const char *ledger = cli_option_or(feeds->arguments, CLI_FEEDS_LEDGER, NULL);
    if (ledger != NULL) {
        bool fits = strlen(ledger) < sizeof config.ledger.sqlite;
        (void)snprintf(config.ledger.sqlite, sizeof config.ledger.sqlite, "%.*s",
                       (int)sizeof config.ledger.sqlite - 1, ledger);
        return fits;
    }
    const char *path = cli_option_or(feeds->arguments, CLI_FEEDS_CONFIG, CLI_FEEDS_DEFAULT_CONFIG);
    if (hr_is_ok(config_load(path, &config, &mistakes))) {
        return true;
    }
    conf_report_print(&mistakes, stderr);
    complain(feeds, "give --config YAML, or --ledger FILE");
    return false;
}

struct sink_search {
    const char *wanted; /* NULL: kafka, or else the first */
    struct feed_head found;
    char names[128];
};

static void take_head(void *ctx, const struct feed_head *head)
{
    struct sink_search *search = ctx;
    bool is_wanted = search->wanted != NULL
                         ? strcmp(head->sink, search->wanted) == 0
                         : search->found.sink[0] == '\0' || strcmp(head->sink, "kafka") == 0;
    if (is_wanted) {
        search->found = *head;
    }
    size_t len = strlen(search->names);
    (void)snprintf(search->names + len, sizeof search->names - len, "%s%s", len > 0 ? ", " : "", head->sink);
}

bool cli_feeds_open(struct cli_feeds *feeds)
{
    if (!cli_feeds_load_config(feeds)) {
        return false;
    }
    const struct ledger_report report = {.log = complain, .ctx = feeds};
    if (!hr_is_ok(ledger_choice_open_reader(&feeds->config->ledger, &report, &feeds->ledger))) {
        return false;
    }
    struct sink_search search = {.wanted = cli_option_or(feeds->arguments, CLI_FEEDS_SINK, NULL)};
    struct hr_status read = feeds->ledger.feeds->heads(feeds->ledger.ctx, take_head, &search);
    feeds->head = search.found;
    if (hr_is_ok(read) && search.found.sink[0] != '\0') {
        return true;
    }
    if (hr_is_ok(read) && search.names[0] == '\0') {
        complain(feeds, "nothing has been published from this ledger yet");
    } else if (hr_is_ok(read)) {
        (void)fprintf(stderr, "headrace %s: nothing was published to %s; there is %s\n", feeds->verb,
                      search.wanted, search.names);
    }
    feeds->ledger.close(feeds->ledger.ctx);
    return false;
}

struct feed_search {
    const char *wanted;
    bool is_found;
    char last[FEED_NAME_MAX_CHARS + 1];
    char names[512];
};

static void take_feed(void *ctx, const struct feed_entry *entry)
{
    struct feed_search *search = ctx;
    search->is_found = search->is_found || strcmp(entry->feed, search->wanted) == 0;
    if (strcmp(entry->feed, search->last) != 0) {
        size_t len = strlen(search->names);
        (void)snprintf(search->names + len, sizeof search->names - len, "%s%s", len > 0 ? ", " : "",
                       entry->feed);
        (void)snprintf(search->last, sizeof search->last, "%s", entry->feed);
    }
}

bool cli_feeds_has_feed(struct cli_feeds *feeds)
{
    struct feed_search search = {.wanted = feeds->feed};
    const struct feed_query all = {.sink = feeds->head.sink};
    if (!hr_is_ok(feeds->ledger.feeds->entries(feeds->ledger.ctx, &all, take_feed, &search))) {
        complain(feeds, "the ledger can't be read");
        return false;
    }
    if (!search.is_found) {
        (void)fprintf(stderr, "headrace %s: no feed %s was published to %s; there is %s\n", feeds->verb,
                      feeds->feed, feeds->head.sink, search.names[0] == '\0' ? "none yet" : search.names);
    }
    return search.is_found;
}

static int run(struct cli_feeds *feeds, size_t which, uint32_t limit)
{
    if (feeds->feed != NULL && !cli_feeds_has_feed(feeds)) {
        return CLI_FAILED;
    }
    switch (which) {
    case 0:
        return cli_feeds_list(feeds, limit);
    case 1:
        return cli_feeds_status(feeds);
    default:
        return cli_feeds_watermark(feeds, cli_option_or(feeds->arguments, WATERMARK_PARTITION, NULL));
    }
}

static int look(size_t which, int argc, char **argv)
{
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&usages[which], argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    uint64_t limit = 0;
    const char *limit_text = which == 0 ? cli_option_or(&arguments, LIST_LIMIT, "24") : "0";
    if (!cli_number(limit_text, UINT32_MAX, &limit)) {
        (void)fprintf(stderr, "headrace feeds list: --limit is a number\n");
        return CLI_USAGE;
    }
    struct cli_feeds feeds = {.verb = usages[which].verb,
                              .arguments = &arguments,
                              .is_json = arguments.n_values[CLI_FEEDS_JSON] > 0,
                              .feed = cli_option_or(&arguments, CLI_FEEDS_FEED, NULL)};
    if (!cli_feeds_open(&feeds)) {
        return CLI_FAILED;
    }
    int code = run(&feeds, which, (uint32_t)limit);
    feeds.ledger.close(feeds.ledger.ctx);
    return code;
}

int cli_feeds(int argc, char **argv)
{
    static const char *const verbs[] = {"list", "status", "watermark"};
    for (size_t i = 0; i < HR_ARRAY_LEN(verbs) && argc > 1; i++) {
        if (strcmp(argv[1], verbs[i]) == 0) {
            return look(i, argc - 1, argv + 1);
        }
    }
    if (argc > 1 && strcmp(argv[1], "replay") == 0) {
        return cli_feeds_replay(argc - 1, argv + 1);
    }
    (void)fputs("usage: headrace feeds list [--feed TOPIC] [--limit N]\n"
                "       headrace feeds status --feed TOPIC\n"
                "       headrace feeds watermark --feed TOPIC [--partition P]\n"
                "       headrace feeds replay --feed TOPIC --from TIME --to TIME|now [--dry-run]\n"
                "Each takes --help.\n",
                argc > 1 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
    return argc > 1 && strcmp(argv[1], "--help") == 0 ? CLI_OK : CLI_USAGE;
}
