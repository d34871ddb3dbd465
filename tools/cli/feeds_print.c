/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/feeds.h"
#include "tools/cli/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *state_name(enum feed_state state)
{
    static const char *const names[FEED_N_STATES] = {[FEED_PENDING] = "pending",
                                                     [FEED_RUNNING] = "running",
                                                     [FEED_COMPLETED] = "completed",
                                                     [FEED_FAILED] = "failed",
                                                     [FEED_REPLAYING] = "replaying"};
    return (size_t)state < HR_ARRAY_LEN(names) ? names[state] : "unknown";
}

static int failed(const struct cli_feeds *feeds)
{
    (void)fprintf(stderr, "headrace %s: the ledger can't be read\n", feeds->verb);
    return CLI_FAILED;
}

static struct hr_status each_entry(struct cli_feeds *feeds, const struct feed_query *query,
                                   void (*each)(void *ctx, const struct feed_entry *entry), void *ctx)
{
    return feeds->ledger.feeds->entries(feeds->ledger.ctx, query, each, ctx);
}

/* ---- feeds list ---- */

/* All entries of one feed, added up as they come: by feed, the newest first. */
struct summary {
    struct cli_feeds *feeds;
    uint32_t n_feeds;
    struct feed_entry newest;
    uint64_t n_partitions, n_events, n_revised;
    int64_t watermark_ms;
};

static void print_summary(struct summary *summary)
{
    char time[CLI_TIME_TEXT_CHARS];
    const struct feed_entry *newest = &summary->newest;
    if (newest->feed[0] == '\0') {
        return;
    }
    (void)cli_time_text(summary->watermark_ms, time);
    if (summary->feeds->is_json) {
        (void)printf("%s{\"feed\": ", summary->n_feeds == 0 ? "[" : ",\n ");
        cli_print_json_text(newest->feed);
        (void)printf(", \"sink\": \"%s\", \"partitions\": %" PRIu64
                     ", \"newest\": \"%s\", \"state\": \"%s\", "
                     "\"watermark\": \"%s\", \"events\": %" PRIu64 ", \"revised\": %" PRIu64 "}",
                     newest->sink, summary->n_partitions, newest->partition,
                     state_name(feed_entry_state(newest)), time, summary->n_events, summary->n_revised);
    } else {
        (void)printf("%-28s %-6s %10" PRIu64 "  %-16s %-9s  %s %12" PRIu64 " %8" PRIu64 "\n", newest->feed,
                     newest->sink, summary->n_partitions, newest->partition,
                     state_name(feed_entry_state(newest)), time, summary->n_events, summary->n_revised);
    }
    summary->n_feeds++;
}

static void sum_entry(void *ctx, const struct feed_entry *entry)
{
    struct summary *summary = ctx;
    if (strcmp(summary->newest.feed, entry->feed) != 0) {
        print_summary(summary);
        summary->newest = *entry;
        summary->n_partitions = summary->n_events = summary->n_revised = 0;
        summary->watermark_ms = entry->watermark_ms;
    }
    summary->n_partitions++;
    summary->n_events += entry->n_events;
    summary->n_revised += entry->n_revised;
    if (entry->watermark_ms > summary->watermark_ms) {
        summary->watermark_ms = entry->watermark_ms;
    }
}

static int list_feeds(struct cli_feeds *feeds)
{
    struct summary summary = {.feeds = feeds};
    const struct feed_query all = {.sink = feeds->head.sink};
    if (!feeds->is_json) {
        (void)printf("%-28s %-6s %10s  %-16s %-9s  %-24s %12s %8s\n", "FEED", "SINK", "PARTITIONS", "NEWEST",
                     "STATE", "WATERMARK", "EVENTS", "REVISED");
    }
    if (!hr_is_ok(each_entry(feeds, &all, sum_entry, &summary))) {
        return failed(feeds);
    }
    print_summary(&summary);
    (void)printf(!feeds->is_json ? "" : summary.n_feeds > 0 ? "]\n" : "[]\n");
    return CLI_OK;
}

struct rows {
    struct cli_feeds *feeds;
    uint32_t n_rows;
};

static void print_position(void *ctx, const struct feed_position *position)
{
    uint32_t *n = ctx;
    (void)printf("%s{\"partition\": %" PRId32 ", \"first\": %" PRId64 ", \"last\": %" PRId64 "}",
                 (*n)++ > 0 ? ", " : "", position->sink_partition, position->first_offset,
                 position->last_offset);
}

static void print_entry_json(struct rows *rows, const struct feed_entry *entry)
{
    char digest[CLI_DIGEST_TEXT_CHARS];
    char time[CLI_TIME_TEXT_CHARS];
    (void)cli_digest_text(entry->content, digest);
    (void)cli_time_text(entry->watermark_ms, time);
    (void)printf("%s{\"feed\": ", rows->n_rows == 0 ? "[" : ",\n ");
    cli_print_json_text(entry->feed);
    (void)printf(", \"sink\": \"%s\", \"partition\": \"%s\", \"state\": \"%s\", \"revision\": %" PRIu32
                 ", \"content\": \"%s\", \"batches\": %" PRIu64 ", \"records\": %" PRIu64
                 ", \"events\": %" PRIu64 ", \"late_batches\": %" PRIu64 ", \"revised\": %" PRIu64
                 ", \"placed\": %" PRIu64 ", \"first_leaf\": %" PRIu64 ", \"last_leaf\": %" PRIu64
                 ", \"watermark\": \"%s\", \"positions\": [",
                 entry->sink, entry->partition, state_name(feed_entry_state(entry)), entry->revision, digest,
                 entry->n_batches, entry->n_records, entry->n_events, entry->n_late, entry->n_revised,
                 entry->n_placed, entry->first_leaf, entry->last_leaf, time);
}

static void print_entry_row(const struct feed_entry *entry)
{
    char digest[CLI_DIGEST_TEXT_CHARS];
    char time[CLI_TIME_TEXT_CHARS];
    (void)cli_digest_text(entry->content, digest);
    (void)cli_time_text(entry->watermark_ms, time);
    (void)printf("%-16s %-9s %3" PRIu32 " %9" PRIu64 " %10" PRIu64 " %10" PRIu64 " %6" PRIu64 " %8" PRIu64
                 "  %s  %.12s\n",
                 entry->partition, state_name(feed_entry_state(entry)), entry->revision, entry->n_batches,
                 entry->n_records, entry->n_events, entry->n_late, entry->n_revised, time, digest);
}

static void print_entry(void *ctx, const struct feed_entry *entry)
{
    struct rows *rows = ctx;
    if (!rows->feeds->is_json) {
        print_entry_row(entry);
    } else {
        uint32_t n_positions = 0;
        const struct ledger *ledger = &rows->feeds->ledger;
        print_entry_json(rows, entry);
        /* Positions that can't be read are left out; the rows themselves were. */
        hr_ignore(ledger->feeds->positions(ledger->ctx, entry, print_position, &n_positions));
        (void)printf("]}");
    }
    rows->n_rows++;
}

int cli_feeds_list(struct cli_feeds *feeds, uint32_t limit)
{
    if (feeds->feed == NULL) {
        return list_feeds(feeds);
    }
    struct rows rows = {.feeds = feeds};
    const struct feed_query query = {.sink = feeds->head.sink, .feed = feeds->feed, .limit = limit};
    if (!feeds->is_json) {
        (void)printf("%-16s %-9s %3s %9s %10s %10s %6s %8s  %-24s  %s\n", "PARTITION", "STATE", "REV",
                     "BATCHES", "RECORDS", "EVENTS", "LATE", "REVISED", "WATERMARK", "CONTENT");
    }
    if (!hr_is_ok(each_entry(feeds, &query, print_entry, &rows))) {
        return failed(feeds);
    }
    (void)printf(!feeds->is_json ? "" : rows.n_rows > 0 ? "]\n" : "[]\n");
    return CLI_OK;
}

/* ---- feeds status ---- */

struct status {
    struct cli_feeds *feeds;
    uint64_t by_state[FEED_N_STATES];
    uint64_t n_partitions, n_events, n_revised;
    int64_t watermark_ms;
    struct feed_version version; /* the newest */
    uint32_t n_replays;
};

static void count_entry(void *ctx, const struct feed_entry *entry)
{
    struct status *status = ctx;
    size_t state = (size_t)feed_entry_state(entry);
    status->by_state[state < FEED_N_STATES ? state : FEED_FAILED]++;
    status->n_partitions++;
    status->n_events += entry->n_events;
    status->n_revised += entry->n_revised;
    status->watermark_ms =
        entry->watermark_ms > status->watermark_ms ? entry->watermark_ms : status->watermark_ms;
}

static void keep_version(void *ctx, const struct feed_version *version)
{
    ((struct status *)ctx)->version = *version;
}

static void print_replay(void *ctx, const struct feed_replay *replay)
{
    struct status *status = ctx;
    char from[CLI_TIME_TEXT_CHARS];
    char to[CLI_TIME_TEXT_CHARS];
    if (strcmp(replay->feed, status->feeds->feed) != 0) {
        return;
    }
    (void)cli_time_text(replay->from_ms, from);
    (void)cli_time_text(replay->to_ms, to);
    if (status->feeds->is_json) {
        (void)printf("%s{\"id\": %" PRIu64 ", \"state\": \"%s\", \"from\": \"%s\", \"to\": \"%s\", "
                     "\"dry_run\": %s, \"events\": %" PRIu64 ", \"changed\": %" PRIu64 ", \"reason\": ",
                     status->n_replays > 0 ? ", " : "", replay->id, state_name(replay->state), from, to,
                     replay->dry_run ? "true" : "false", replay->n_events, replay->n_changed);
        cli_print_json_text(replay->reason);
        (void)printf("}");
    } else {
        (void)printf(
            "replay     %" PRIu64 "  %s%s  %s to %s  %" PRIu64 " events compared, %" PRIu64 " changed%s%s\n",
            replay->id, state_name(replay->state), replay->dry_run ? " (dry run)" : "", from, to,
            replay->n_events, replay->n_changed, replay->reason[0] != '\0' ? ": " : "", replay->reason);
    }
    status->n_replays++;
}

static void print_states(const struct status *status)
{
    bool is_json = status->feeds->is_json;
    for (size_t i = 0; i < FEED_N_STATES; i++) {
        (void)printf(is_json ? "%s\"%s\": %" PRIu64 : "%s%s %" PRIu64,
                     is_json ? (i > 0 ? ", " : "") : (i > 0 ? "  " : ""), state_name((enum feed_state)i),
                     status->by_state[i]);
    }
}

static void print_status(const struct status *status, uint64_t first_leaf, uint64_t size)
{
    const struct cli_feeds *feeds = status->feeds;
    char time[CLI_TIME_TEXT_CHARS];
    uint64_t behind = size - (feeds->head.next_leaf < size ? feeds->head.next_leaf : size);
    (void)cli_time_text(status->watermark_ms, time);
    if (feeds->is_json) {
        (void)printf("{\"feed\": ");
        cli_print_json_text(feeds->feed);
        (void)printf(", \"sink\": \"%s\", \"watermark\": \"%s\", \"feed_cursor\": %" PRIu64
                     ", \"ledger_size\": %" PRIu64 ", \"first_leaf\": %" PRIu64 ", \"behind\": %" PRIu64
                     ", \"normalizers\": \"%s\", \"partitions\": %" PRIu64 ", \"events\": %" PRIu64
                     ", \"revised\": %" PRIu64 ", \"states\": {",
                     feeds->head.sink, time, feeds->head.next_leaf, size, first_leaf, behind,
                     status->version.normalizers, status->n_partitions, status->n_events, status->n_revised);
        print_states(status);
        (void)printf("}, \"replays\": [");
        return;
    }
    (void)printf("feed       %s at %s\nwatermark  %s\ncursor     leaf %" PRIu64 " of %" PRIu64 ", %" PRIu64
                 " behind; batches are kept from leaf %" PRIu64 "\nnormalizer %s\npartitions %" PRIu64 ": ",
                 feeds->feed, feeds->head.sink, time, feeds->head.next_leaf, size, behind, first_leaf,
                 status->version.normalizers, status->n_partitions);
    print_states(status);
    (void)printf("\nevents     %" PRIu64 ", %" PRIu64 " published again\n", status->n_events,
                 status->n_revised);
}

int cli_feeds_status(struct cli_feeds *feeds)
{
    struct status status = {.feeds = feeds};
    const struct ledger *ledger = &feeds->ledger;
    const struct feed_query query = {.sink = feeds->head.sink, .feed = feeds->feed};
    uint64_t first_leaf = 0;
    uint64_t size = 0;
    if (!hr_is_ok(each_entry(feeds, &query, count_entry, &status)) ||
        !hr_is_ok(ledger->feeds->versions(ledger->ctx, feeds->head.sink, keep_version, &status)) ||
        !hr_is_ok(ledger->first_leaf(ledger->ctx, &first_leaf)) ||
        !hr_is_ok(ledger->size(ledger->ctx, &size))) {
        return failed(feeds);
    }
    print_status(&status, first_leaf, size);
    bool good = hr_is_ok(ledger->feeds->replays(ledger->ctx, feeds->head.sink, print_replay, &status));
    (void)printf(feeds->is_json ? "]}\n" : "");
    return good ? CLI_OK : failed(feeds);
}

/* ---- feeds watermark ---- */

int cli_feeds_watermark(struct cli_feeds *feeds, const char *partition)
{
    struct status status = {.feeds = feeds};
    const struct feed_query query = {.sink = feeds->head.sink, .feed = feeds->feed, .partition = partition};
    char time[CLI_TIME_TEXT_CHARS];
    if (!hr_is_ok(each_entry(feeds, &query, count_entry, &status))) {
        return failed(feeds);
    }
    if (status.n_partitions == 0) {
        (void)fprintf(
            stderr, "headrace %s: feed %s has no partition %s; `headrace feeds list --feed %s` shows them\n",
            feeds->verb, feeds->feed, partition, feeds->feed);
        return CLI_FAILED;
    }
    (void)cli_time_text(status.watermark_ms, time);
    if (!feeds->is_json) {
        (void)printf("%s\n", time);
        return CLI_OK;
    }
    (void)printf("{\"feed\": ");
    cli_print_json_text(feeds->feed);
    (void)printf(", \"sink\": \"%s\", \"partition\": ", feeds->head.sink);
    if (partition != NULL) {
        cli_print_json_text(partition);
    } else {
        (void)printf("null");
    }
    (void)printf(", \"watermark\": \"%s\", \"watermark_ms\": %" PRId64 "}\n", time, status.watermark_ms);
    return CLI_OK;
}
