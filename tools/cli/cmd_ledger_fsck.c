/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace ledger fsck`: is everything that a ledger says true, and does Kafka hold what it must? It only
 * reads. Rows of batches never change and a read takes no lock that a writer waits for, so it may run beside
 * an aggregator: what is committed after it began is left out. */
#include "aggregator/config/topics.h"
#include "aggregator/core/scan.h"
#include "proto/base/assert.h"
#include "tools/cli/cut.h"
#include "tools/cli/delivered.h"
#include "tools/cli/ledger_open.h"
#include "tools/cli/options.h"
#include "tools/cli/print.h"
#include "tools/cli/refold.h"
#include "tools/cli/suspects.h"
#include "tools/cli/track.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VERB "ledger fsck"

enum option { CONFIG, KAFKA, SET, CURSOR, TIMEOUT, OFFLINE, MAX, JSON };
enum { CHUNK_BATCHES = 256, CHUNK_BYTES = 4 << 20 };

static const struct cli_option options[] = {
    [CONFIG] = {"--config", "YAML", false, 0,
                "The aggregator's configuration, which names the ledger and Kafka."},
    [KAFKA] = {"--kafka", "BROKERS", false, 0, "Compares with this cluster: host:port,..."},
    [SET] = {"--set", "NAME=VALUE", false, CLI_REPEAT_MAX,
             "A librdkafka property; NAME_file=PATH takes the value from a file."},
    [CURSOR] = {"--cursor-topic", "TOPIC", false, 0, "Where the cursor is, if not where it is by default."},
    [TIMEOUT] = {"--timeout", "S", false, 0, "Give up after so long without an answer of Kafka (120)."},
    [OFFLINE] = {"--offline", NULL, false, 0, "Only the ledger, even if --config names a cluster."},
    [MAX] = {"--max", "N", false, 0, "Tell at most so many findings of each kind (100); all are counted."},
    [JSON] = {"--json", NULL, false, 0, "One JSON object instead of text."},
};

static const struct cli_usage usage = {
    .verb = VERB,
    .positional = "[FILE]",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .help =
        "Computes everything that a ledger says once more: digests, signatures, Merkle roots, the chain and\n"
        "the head of each stream, evidence of losses and conflicts, time anchors, and the counts of the "
        "feed\n"
        "ledger. With Kafka it compares each leaf below the cursor with what a read_committed consumer "
        "sees.\n"
        "It only reads, and may be used while the aggregator runs. Exit code 0: nothing was found, 1: there "
        "are\n"
        "findings, 2: it could not be examined to its end, 3: wrong use.",
};

struct fsck {
    struct ledger ledger;
    struct cli_findings findings;
    struct cli_track track;
    struct cli_refold refold;
    bool has_feeds;
    bool has_kafka;
    uint64_t size, first_leaf, pruned_meanwhile;
    struct cli_cut cut;
    struct cli_suspects suspects;
    bool is_blind; /* what was said before is not known any more: no later event can be judged */
    struct hr_status past_read;
};

static struct cli_delivered delivered; /* large */
static struct cli_kafka_properties properties;

/* ---- one batch ---- */

static void check_anchors(struct fsck *fsck, uint64_t leaf, const struct wire_envelope *parts,
                          const struct edge_time_anchor *anchor)
{
    struct agg_controls controls;
    agg_scan(parts, &controls);
    for (uint32_t i = 0; i < controls.n_anchors; i++) {
        const struct edge_time_anchor *said = &controls.anchors[i];
        if (said->boot_id == parts->header.boot_id &&
            (anchor == NULL || anchor->uptime_ms != said->uptime_ms || anchor->utc_ms != said->utc_ms ||
             anchor->err_ms != said->err_ms)) {
            cli_find_at(&fsck->findings, CLI_FINDING_ANCHOR, leaf,
                        "the time anchor is not stored as its batch says it");
        }
    }
}

/* Leaves from track.next_leaf to before `leaf` are not there: retention took them meanwhile, or they are
 * lost. */
static void pass_hole(struct fsck *fsck, uint64_t leaf)
{
    uint64_t first_leaf = fsck->first_leaf;
    if (!hr_is_ok(fsck->ledger.first_leaf(fsck->ledger.ctx, &first_leaf))) {
        first_leaf = fsck->first_leaf;
    }
    if (first_leaf > fsck->track.next_leaf) {
        uint64_t end = first_leaf < leaf ? first_leaf : leaf;
        fsck->pruned_meanwhile += end - fsck->track.next_leaf;
        cli_track_skip(&fsck->track, end);
    }
    for (uint64_t at = fsck->track.next_leaf; at < leaf; at++) {
        cli_find_at(&fsck->findings, CLI_FINDING_LEAF, at, "it is not there");
    }
    fsck->track.next_leaf = leaf;
}

static bool keep_first(struct fsck *fsck, struct hr_status read)
{
    fsck->past_read = hr_is_ok(fsck->past_read) ? read : fsck->past_read;
    return hr_is_ok(read);
}

/* For norm_past. */
static bool read_past(void *ctx, const struct ledger_batch *batch, uint32_t from_seq, uint32_t to_seq,
                      void (*each)(void *each_ctx, const struct ledger_batch *batch), void *each_ctx)
{
    struct fsck *fsck = ctx;
    const struct ledger_range range = {batch->device_id, batch->stream, from_seq, to_seq};
    return keep_first(fsck, fsck->ledger.read_stream(fsck->ledger.ctx, &range, each, each_ctx));
}

/* For norm_edge. */
static bool edge_is_there(void *ctx)
{
    struct fsck *fsck = ctx;
    uint64_t first_leaf = 0;
    return keep_first(fsck, fsck->ledger.first_leaf(fsck->ledger.ctx, &first_leaf)) && first_leaf > 0;
}

static void edge_cut(void *ctx, const struct ledger_batch *batch, uint32_t document_id, bool is_first)
{
    cli_cut_add(&((struct fsck *)ctx)->cut, batch, document_id, is_first);
}

static void examine(void *ctx, const struct ledger_batch *batch)
{
    struct fsck *fsck = ctx;
    struct verify_result result;
    struct edge_time_anchor anchor;
    if (batch->leaf >= fsck->size) {
        return;
    }
    if (batch->leaf != fsck->track.next_leaf) {
        pass_hole(fsck, batch->leaf);
    }
    static const struct norm_edge edge = {edge_is_there, edge_cut};
    const struct norm_past past = {.read = read_past, .edge = &edge, .ctx = fsck};
    struct norm_input input = {.batch = batch, .tenant = "", .past = &past, .trouble = &fsck->past_read};
    bool is_whole = cli_track_batch(&fsck->track, batch, &result);
    if (is_whole) {
        input.envelope = result.parts;
        if (hr_is_ok(fsck->ledger.anchor_at(fsck->ledger.ctx, batch->device_id, result.parts.header.boot_id,
                                            batch->leaf, &anchor))) {
            input.anchor = &anchor;
        }
        check_anchors(fsck, batch->leaf, &result.parts, input.anchor);
    }
    if (fsck->has_feeds) {
        cli_refold_batch(&fsck->refold, batch->leaf, is_whole ? &input : NULL);
    }
    if (fsck->has_kafka && is_whole) {
        input.memory = fsck->has_feeds ? cli_refold_known(&fsck->refold, "kafka", batch) : NULL;
        cli_delivered_leaf(&delivered, &input,
                           fsck->has_feeds && !cli_cut_touches(&fsck->cut, batch->leaf, batch->leaf) &&
                               !fsck->is_blind && cli_refold_is_current(&fsck->refold, "kafka", batch->leaf));
        fsck->is_blind =
            fsck->is_blind || (fsck->has_feeds && !cli_refold_know(&fsck->refold, "kafka", batch->leaf));
    }
}

/* ---- the whole ---- */

/* What the ledger states, in the order that track.h asks for. */
static struct hr_status read_statements(struct fsck *fsck)
{
    const struct ledger *ledger = &fsck->ledger;
    uint64_t before = 0;
    HR_TRY(ledger->size(ledger->ctx, &before));
    HR_TRY(ledger->first_leaf(ledger->ctx, &fsck->first_leaf));
    struct hr_status feeds = cli_refold_begin(&fsck->refold, ledger, fsck->first_leaf, &fsck->findings);
    fsck->has_feeds = hr_is_ok(feeds);
    if (!fsck->has_feeds && !hr_is(feeds, HR_NOT_FOUND)) {
        return feeds;
    }
    HR_TRY(ledger->load_streams(ledger->ctx, cli_track_stream, &fsck->track));
    HR_TRY(ledger->size(ledger->ctx, &fsck->size));
    fsck->track.is_still = fsck->size == before;
    fsck->track.first_leaf = fsck->first_leaf;
    fsck->track.next_leaf = fsck->first_leaf;
    delivered.first_leaf = fsck->first_leaf;
    HR_TRY(ledger->load_devices(ledger->ctx, cli_track_device, &fsck->track));
    HR_TRY(ledger->list_keys(ledger->ctx, 0, cli_track_key, &fsck->track));
    HR_TRY(ledger->losses(ledger->ctx, 0, cli_track_loss, &fsck->track));
    return ledger->conflicts(ledger->ctx, 0, cli_track_conflict, &fsck->track);
}

static struct hr_status read_batches(struct fsck *fsck)
{
    const struct ledger *ledger = &fsck->ledger;
    while (fsck->track.next_leaf < fsck->size) {
        uint64_t from = fsck->track.next_leaf;
        struct hr_status status = ledger->read(ledger->ctx, from, CHUNK_BATCHES, CHUNK_BYTES, examine, fsck);
        if (!hr_is_ok(status) && !hr_is(status, HR_NOT_FOUND)) {
            return status;
        }
        if (fsck->track.next_leaf == from) {
            pass_hole(fsck, fsck->size); /* nothing more below the size is there */
        }
    }
    return hr_ok();
}

static struct hr_status run(struct fsck *fsck)
{
    if (fsck->has_kafka) {
        (void)snprintf(delivered.origin, sizeof delivered.origin, "%s",
                       fsck->ledger.origin(fsck->ledger.ctx));
        struct hr_status status = cli_delivered_read(&delivered);
        if (!hr_is_ok(status)) {
            (void)fprintf(stderr, "headrace " VERB ": Kafka: %s\n", delivered.why);
            return status;
        }
    }
    HR_TRY(read_statements(fsck));
    HR_TRY(read_batches(fsck));
    HR_TRY(fsck->past_read);
    cli_track_end(&fsck->track);
    HR_TRY(cli_suspects_read(&fsck->suspects, &fsck->ledger));
    if (fsck->has_feeds) {
        cli_refold_end(&fsck->refold, &fsck->cut);
    }
    if (fsck->has_kafka) {
        cli_delivered_end(&delivered, fsck->size);
    }
    bool is_short = fsck->track.is_out_of_memory || delivered.is_out_of_memory || fsck->cut.is_out_of_memory;
    return hr_status_of(is_short ? HR_IO : HR_OK);
}

/* ---- the report ---- */

static void report_counts(const struct fsck *fsck)
{
    bool is_json = fsck->findings.is_json;
    (void)printf(is_json ? "],\n  \"origin\": \"%s\", \"size\": %" PRIu64 ", \"first_leaf\": %" PRIu64
                           ", \"batches\": %" PRIu64 ", \"records\": %" PRIu64 ", \"streams\": %zu"
                           ", \"devices\": %zu, \"losses\": %zu, \"pruned\": %" PRIu64
                         : "log       %s\nleaves    %" PRIu64 ", the first is %" PRIu64 "\nexamined  %" PRIu64
                           " batches with %" PRIu64 " records, %zu streams of %zu devices, %zu losses\n"
                           "pruned    %" PRIu64 " leaves are gone by retention\n",
                 fsck->ledger.origin(fsck->ledger.ctx), fsck->size, fsck->first_leaf, fsck->track.n_batches,
                 fsck->track.n_records, fsck->track.n_streams, fsck->track.n_devices, fsck->track.n_losses,
                 fsck->first_leaf + fsck->pruned_meanwhile);
}

static void report_feeds(const struct fsck *fsck)
{
    bool is_json = fsck->findings.is_json;
    (void)printf(is_json ? ",\n  \"feeds\": [" : "");
    for (size_t i = 0; i < fsck->refold.n_sinks; i++) {
        const struct cli_refold_sink *sink = &fsck->refold.sinks[i];
        (void)printf(is_json ? "%s{\"sink\": \"%s\", \"next_leaf\": %" PRIu64 ", \"compared\": %" PRIu64
                               ", \"pruned\": %" PRIu64 ", \"not_judged\": %" PRIu64 "}"
                             : "%sfeeds     sink %s up to leaf %" PRIu64 ": %" PRIu64
                               " entries compared, %" PRIu64 " of pruned batches, %" PRIu64
                               " of other normalizers, a cut document or behind a hole\n",
                     is_json && i > 0 ? ", " : "", sink->name, sink->next_leaf, sink->n_compared,
                     sink->n_pruned, sink->n_other);
    }
    (void)printf(is_json ? "]" : "");
}

static void report_kafka(const struct fsck *fsck)
{
    bool is_json = fsck->findings.is_json;
    if (!fsck->has_kafka) {
        (void)printf(is_json ? ",\n  \"kafka\": null" : "kafka     not compared\n");
        return;
    }
    (void)printf(is_json ? ",\n  \"kafka\": {\"cursor\": %" PRIu64 ", \"records\": %zu, \"matched\": %" PRIu64
                           ", \"revisions\": %" PRIu64 ", \"expired\": %" PRIu64 ", \"pruned\": %" PRIu64
                           ", \"not_judged\": %" PRIu64 ", \"other_logs\": %" PRIu64 "}"
                         : "kafka     cursor at leaf %" PRIu64 "; %zu records of this log, %" PRIu64
                           " as they must be, %" PRIu64 " revisions, %" PRIu64
                           " gone by the topics' retention, %" PRIu64
                           " of leaves that are pruned here, %" PRIu64 " not judged; %" PRIu64
                           " of other logs\n",
                 delivered.cursor, delivered.n_records, delivered.n_matched, delivered.n_revisions,
                 delivered.n_expired, delivered.n_pruned, delivered.n_not_judged, delivered.n_other_logs);
}

static void report(const struct fsck *fsck, bool is_complete)
{
    bool is_json = fsck->findings.is_json;
    report_counts(fsck);
    cli_cut_report(&fsck->cut, is_json);
    cli_suspects_report(&fsck->suspects, is_json);
    report_feeds(fsck);
    report_kafka(fsck);
    (void)printf(is_json ? ",\n  \"found\": {" : "found    ");
    bool is_first = true;
    for (int i = 0; i < CLI_N_FINDINGS; i++) {
        if (fsck->findings.counts[i] > 0) {
            (void)printf(is_json ? "%s\"%s\": %" PRIu64 : "%s %s %" PRIu64, is_first ? "" : ",",
                         cli_finding_name((enum cli_finding)i), fsck->findings.counts[i]);
            is_first = false;
        }
    }
    (void)printf(is_json ? "},\n  \"complete\": %s\n}\n" : "%s\n", is_json ? (is_complete ? "true" : "false")
                                                                   : is_first    ? " nothing"
                                                                   : is_complete ? ""
                                                                                 : " so far");
}

/* ---- what is asked ---- */

static bool take_kafka(const struct cli_arguments *arguments)
{
    static struct config_aggregator config;
    static struct conf_report mistakes;
    const char *path = cli_option_or(arguments, CONFIG, NULL);
    static struct config_aggregator of_sites;
    const bool is_offline = arguments->n_values[OFFLINE] > 0; /* then it need not name a cluster */
    bool good = path == NULL || ((is_offline || hr_is_ok(config_load_kafka(path, &config, &mistakes))) &&
                                 hr_is_ok(config_load_sites(path, &of_sites, &mistakes)));
    if (!good) {
        conf_report_print(&mistakes, stderr);
    }
    cli_normalizers_sites(&of_sites);
    const struct config_kafka_sink *kafka = &config.sinks.kafka;
    for (uint32_t i = 0; good && i < kafka->n_properties; i++) {
        good = cli_kafka_put(&properties, VERB, kafka->properties[i].key, kafka->properties[i].value);
    }
    const char *brokers = cli_option_or(arguments, KAFKA, NULL);
    good = good && (brokers == NULL || cli_kafka_put(&properties, VERB, "bootstrap.servers", brokers));
    for (size_t i = 0; good && i < arguments->n_values[SET]; i++) {
        good = cli_kafka_put_text(&properties, VERB, arguments->values[SET][i]);
    }
    const char *cursor = kafka->cursor_topic[0] != '\0' ? kafka->cursor_topic : CONFIG_CURSOR_TOPIC;
    delivered.cursor_topic = cli_option_or(arguments, CURSOR, cursor);
    return good;
}

static int prepare(const struct cli_arguments *arguments, struct fsck *fsck)
{
    uint64_t seconds = 0;
    uint64_t max = 0;
    if (!cli_number(cli_option_or(arguments, TIMEOUT, "120"), 3600, &seconds) || seconds == 0 ||
        !cli_number(cli_option_or(arguments, MAX, "100"), UINT32_MAX, &max)) {
        (void)fprintf(stderr, "headrace " VERB ": --timeout and --max are numbers\n");
        return CLI_USAGE;
    }
    int code = cli_ledger_open_reader(VERB, arguments->positional, cli_option_or(arguments, CONFIG, NULL),
                                      &fsck->ledger);
    if (code != CLI_OK) {
        return code == CLI_FAILED ? CLI_INCOMPLETE : code;
    }
    fsck->findings =
        (struct cli_findings){.is_json = arguments->n_values[JSON] > 0, .max_told = (uint32_t)max};
    if (!take_kafka(arguments) || !hr_is_ok(cli_track_init(&fsck->track, &fsck->findings))) {
        fsck->ledger.close(fsck->ledger.ctx);
        return CLI_INCOMPLETE;
    }
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    delivered.findings = &fsck->findings;
    delivered.properties = &properties;
    delivered.timeout_ms = (uint32_t)seconds * 1000u;
    delivered.now_ms = (int64_t)now.tv_sec * 1000;
    fsck->has_kafka =
        arguments->n_values[OFFLINE] == 0 && cli_kafka_value(&properties, "bootstrap.servers") != NULL;
    return CLI_OK;
}

int cli_ledger_fsck(int argc, char **argv)
{
    static struct fsck fsck;
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    int code = prepare(&arguments, &fsck);
    if (code != CLI_OK) {
        return code;
    }
    (void)printf(fsck.findings.is_json ? "{\n  \"findings\": [" : "");
    struct hr_status status = run(&fsck);
    report(&fsck, hr_is_ok(status));
    if (!hr_is_ok(status)) {
        (void)fprintf(stderr, "headrace " VERB ": the examination could not be brought to its end (%s)\n",
                      hr_code_name(status.code));
    }
    bool is_clean = cli_findings_total(&fsck.findings) == 0;
    cli_delivered_free(&delivered);
    cli_refold_free(&fsck.refold);
    cli_cut_free(&fsck.cut);
    free(fsck.suspects.rows);
    cli_track_free(&fsck.track);
    fsck.ledger.close(fsck.ledger.ctx);
    return !hr_is_ok(status) ? CLI_INCOMPLETE : is_clean ? CLI_OK : CLI_FAILED;
}
