/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/app.h"

#include "proto/base/assert.h"
#include "proto/wire/ack.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    N_STATUSES = WIRE_ACK_STREAM_AHEAD + 1,
    NAME_MAX_CHARS = 79,
    LABEL_MAX_CHARS = 47,
    PREFIXED_MAX = 128
};

/* Names are joined once; the tables of the rooms don't know the program's prefix. */
static char prefixed[PREFIXED_MAX][NAME_MAX_CHARS + 1];
static size_t n_prefixed;
static char status_labels[N_STATUSES][LABEL_MAX_CHARS + 1];
static char sink_labels[APP_MAX_PUBLISHERS][LABEL_MAX_CHARS + 1];

static const char *with_prefix(const char *name)
{
    HR_ASSERT(n_prefixed < PREFIXED_MAX);
    char *out = prefixed[n_prefixed++];
    (void)snprintf(out, sizeof(prefixed[0]), "headrace_%s", name);
    return out;
}

static void add(struct app *app, struct http_metric metric)
{
    HR_ASSERT(app->n_metrics < APP_MAX_METRICS);
    if (metric.ctx == NULL) {
        metric.ctx = app;
    }
    app->metrics[app->n_metrics++] = metric;
}

/* ---- what is read; ctx is the app, or a publisher ---- */

static uint64_t read_source(void *ctx, uint32_t counter)
{
    const struct app *app = ctx;
    return source_coap_counter(app->source, (enum source_coap_counter)counter);
}

static uint64_t read_core(void *ctx, uint32_t counter)
{
    const struct app *app = ctx;
    return agg_counter(app->admission.core, (enum agg_counter)counter);
}

static uint64_t read_answered(void *ctx, uint32_t status)
{
    const struct app *app = ctx;
    return agg_answered(app->admission.core, (enum wire_ack_status)status);
}

enum gauge {
    SESSIONS,
    WAITING,
    INFLIGHT,
    DEVICES,
    HELD,
    LEAVES,
    HEALTH,
    USED_BYTES,
    MAX_BYTES,
    FIRST_LEAF,
    PRUNED,
    TURNS,
    REGISTRY_READ,
    REGISTRY_ERRORS,
};

static uint64_t read_gauge(void *ctx, uint32_t which)
{
    struct app *app = ctx;
    switch ((enum gauge)which) {
    case SESSIONS:
        return source_coap_sessions(app->source);
    case WAITING:
        return source_coap_waiting(app->source);
    case INFLIGHT:
        return atomic_load(&app->intake.inflight_bytes);
    case DEVICES:
        return agg_devices_known(app->admission.core);
    case HELD:
        return agg_batches_held_now(app->admission.core);
    case LEAVES:
        return atomic_load(&app->admission.size);
    case HEALTH:
        return (uint64_t)atomic_load(&app->admission.health);
    case USED_BYTES:
        return atomic_load(&app->room.used_bytes);
    case MAX_BYTES:
        return atomic_load(&app->room.max_bytes);
    case FIRST_LEAF:
        return atomic_load(&app->room.first_leaf);
    case PRUNED:
        return atomic_load(&app->room.n_pruned);
    case TURNS:
        return atomic_load(&app->room.n_turns);
    case REGISTRY_READ:
        return atomic_load(&app->registry.n_read);
    case REGISTRY_ERRORS:
        return atomic_load(&app->registry.n_errors);
    }
    return 0;
}

static uint64_t read_published(void *ctx, uint32_t which)
{
    const struct app_publisher *publisher = ctx;
    return atomic_load_explicit(&publisher->figures[which], memory_order_relaxed);
}

static uint64_t read_publisher_state(void *ctx, uint32_t which)
{
    (void)which;
    const struct app_publisher *publisher = ctx;
    return (uint64_t)atomic_load(&publisher->state);
}

struct row {
    const char *name;
    const char *help;
    enum http_metric_type type;
};

static const struct row gauges[] = {
    [SESSIONS] = {"coap_sessions", "Authenticated sessions", HTTP_GAUGE},
    [WAITING] = {"coap_waiting_requests", "Requests that wait for their answer", HTTP_GAUGE},
    [INFLIGHT] = {"inflight_bytes", "Envelopes between receipt and answer", HTTP_GAUGE},
    [DEVICES] = {"devices", "Devices in the registry", HTTP_GAUGE},
    [HELD] = {"batches_held", "Batches ahead of a gap in memory now", HTTP_GAUGE},
    [LEAVES] = {"ledger_leaves", "Batches in the ledger", HTTP_GAUGE},
    [HEALTH] = {"ledger_health", "0 good, 1 full, 2 taken over by another writer, 3 away", HTTP_GAUGE},
    [USED_BYTES] = {"ledger_used_bytes", "Bytes that are stored, without what deleted rows left free",
                    HTTP_GAUGE},
    [MAX_BYTES] = {"ledger_max_bytes", "Bound of the ledger; 0: the disk's alone", HTTP_GAUGE},
    [FIRST_LEAF] = {"ledger_first_leaf", "Older batches were delivered and deleted", HTTP_GAUGE},
    [TURNS] = {"retention_turns_total", "Times that retention looked at room and age", HTTP_COUNTER},
    [PRUNED] = {"ledger_batches_pruned_total", "Delivered batches that were deleted", HTTP_COUNTER},
    [REGISTRY_READ] = {"registry_files_read_total", "Registry entries read", HTTP_COUNTER},
    [REGISTRY_ERRORS] = {"registry_file_errors_total", "Registry entries that could not be read",
                         HTTP_COUNTER},
};

static const struct row published[] = {
    [APP_PUBLISHED_BATCHES] = {"published_batches_total", "Batches delivered to the sink", HTTP_COUNTER},
    [APP_PUBLISHED_RECORDS] = {"published_records_total", "Records read out of delivered batches",
                               HTTP_COUNTER},
    [APP_PUBLISHED_EVENTS] = {"published_events_total", "Normalized events delivered to the sink",
                              HTTP_COUNTER},
    [APP_PUBLISHED_TRANSACTIONS] = {"publish_transactions_total", "Transactions that the sink committed",
                                    HTTP_COUNTER},
    [APP_PUBLISHED_RECOVERIES] = {"publish_recoveries_total", "Times the cursor was read back", HTTP_COUNTER},
    [APP_PUBLISHED_FAILURES] = {"publish_failures_total", "Answers of the sink that led back to recovering",
                                HTTP_COUNTER},
    [APP_PUBLISHED_NEXT_LEAF] = {"publish_next_leaf", "First leaf that the sink has not got", HTTP_GAUGE},
    [APP_PUBLISHED_FEED_LEAF] = {"feed_next_leaf", "First leaf that the feed ledger has not stored",
                                 HTTP_GAUGE},
    [APP_PUBLISHED_REPLAYS] = {"replays_ended_total", "Replays that came to their end", HTTP_COUNTER},
    [APP_PUBLISHED_REPLAYED] = {"replayed_events_total", "Events that replays compared", HTTP_COUNTER},
    [APP_PUBLISHED_UNNOTED] = {"publish_unnoted_events_total",
                               "Events beyond what the notes of a leaf hold: a replay publishes them again",
                               HTTP_COUNTER},
    [APP_PUBLISHED_NEEDED] = {"publish_needed_leaf",
                              "First leaf that publishing or a replay may still ask for", HTTP_GAUGE},
    [APP_PUBLISHED_ISO_CONTENT] = {"iso_documents_total",
                                   "Documents of market operators that hold what was published",
                                   HTTP_COUNTER},
    [APP_PUBLISHED_ISO_UNCHANGED] = {"iso_documents_unchanged_total",
                                     "Documents that say that nothing is new", HTTP_COUNTER},
    [APP_PUBLISHED_ISO_EMPTY] = {"iso_documents_empty_total", "Documents without a body", HTTP_COUNTER},
    [APP_PUBLISHED_ISO_FAULTY] = {"iso_documents_faulty_total",
                                  "Documents that were cut off, too long or of another kind than expected",
                                  HTTP_COUNTER},
    [APP_PUBLISHED_ISO_REFUSED] = {"iso_documents_refused_total", "Requests that an operator refused",
                                   HTTP_COUNTER},
    [APP_PUBLISHED_ISO_UNANSWERED] = {"iso_documents_unanswered_total", "Requests that nobody answered",
                                      HTTP_COUNTER},
    [APP_PUBLISHED_ISO_NORMALIZED] = {"iso_documents_normalized_total",
                                      "Documents that were put together and read", HTTP_COUNTER},
    [APP_PUBLISHED_ISO_BROKEN] = {"iso_documents_incomplete_total",
                                  "Documents that the log does not hold whole", HTTP_COUNTER},
    [APP_PUBLISHED_ISO_ROWS] = {"iso_rows_total",
                                "Observations out of documents, again after a failure or for a replay",
                                HTTP_COUNTER},
    [APP_PUBLISHED_ISO_ANOMALIES] = {"iso_anomalies_total", "Findings about documents, likewise",
                                     HTTP_COUNTER},
    [APP_PUBLISHED_PLANT_SAMPLES] = {"plant_samples_total",
                                     "Samples of plants, again after a failure or for a replay",
                                     HTTP_COUNTER},
    [APP_PUBLISHED_PLANT_BAD] = {"plant_bad_samples_total", "Of them, those of another quality than good",
                                 HTTP_COUNTER},
    [APP_PUBLISHED_PLANT_UNKNOWN] = {"plant_unknown_samples_total",
                                     "Samples of channels that no dictionary explains", HTTP_COUNTER},
    [APP_PUBLISHED_PLANT_TOTALS] = {"plant_totals_total", "Totals of sites that have a node", HTTP_COUNTER},
    [APP_PUBLISHED_REVISIONS] = {"published_revisions_total", "Events that replays published again",
                                 HTTP_COUNTER},
};

static void add_for_publishers(struct app *app, const struct row *row, uint64_t (*read)(void *, uint32_t),
                               uint32_t argument)
{
    const char *name = with_prefix(row->name);
    for (size_t p = 0; p < app->n_publishers; p++) {
        add(app, (struct http_metric){.name = name,
                                      .help = row->help,
                                      .type = row->type,
                                      .label = sink_labels[p],
                                      .read = read,
                                      .ctx = &app->publishers[p],
                                      .argument = argument});
    }
}

/* sink, feed and rule: one row for each rule that a feed has. */
static char quality_labels[APP_MAX_PUBLISHERS][NORM_INSPECT_FEEDS_MAX * APP_QUALITY_N_KINDS]
                          [3 * LABEL_MAX_CHARS];

static uint64_t read_quality(void *ctx, uint32_t argument)
{
    const struct app_publisher *publisher = ctx;
    return app_quality_figure(&publisher->quality, argument / APP_QUALITY_N_KINDS,
                              argument % APP_QUALITY_N_KINDS);
}

static void add_quality(struct app *app)
{
    size_t n_feeds = 0;
    const struct norm_iso_feed *feeds = norm_iso_feeds(&n_feeds);
    const char *name = with_prefix("iso_quality_total");
    for (size_t p = 0; p < app->n_publishers; p++) {
        for (uint32_t i = 0; i < n_feeds * APP_QUALITY_N_KINDS; i++) {
            size_t kind = i % APP_QUALITY_N_KINDS;
            char *label = quality_labels[p][i];
            if (!app_quality_has(i / APP_QUALITY_N_KINDS, kind)) {
                continue;
            }
            (void)snprintf(label, sizeof(quality_labels[0][0]), "%s,feed=\"%s\",rule=\"%s\"", sink_labels[p],
                           feeds[i / APP_QUALITY_N_KINDS].name, app_quality_kind_name(kind));
            add(app,
                (struct http_metric){.name = name,
                                     .help = "Rows and series of a feed that break its rules, and rows in "
                                             "quarantine, again after a failure or for a replay",
                                     .type = HTTP_COUNTER,
                                     .label = label,
                                     .read = read_quality,
                                     .ctx = &app->publishers[p],
                                     .argument = i});
        }
    }
}

void app_metrics_fill(struct app *app)
{
    for (uint32_t i = 0; i < SOURCE_COAP_N_COUNTERS; i++) {
        const struct source_coap_counter_info *info = &source_coap_counter_table[i];
        add(app,
            (struct http_metric){
                .name = with_prefix(info->name), .help = info->help, .read = read_source, .argument = i});
    }
    for (uint32_t i = 0; i < AGG_N_COUNTERS; i++) {
        const struct agg_counter_info *info = &agg_counter_table[i];
        add(app, (struct http_metric){
                     .name = with_prefix(info->name), .help = info->help, .read = read_core, .argument = i});
    }
    const char *answers = with_prefix("answers_total");
    for (uint32_t i = 0; i < N_STATUSES; i++) {
        (void)snprintf(status_labels[i], sizeof(status_labels[i]), "status=\"%s\"",
                       wire_ack_status_name((enum wire_ack_status)i));
        add(app, (struct http_metric){.name = answers,
                                      .help = "Answers of the core, by status",
                                      .label = status_labels[i],
                                      .read = read_answered,
                                      .argument = i});
    }
    for (uint32_t i = 0; i < HR_ARRAY_LEN(gauges); i++) {
        add(app, (struct http_metric){.name = with_prefix(gauges[i].name),
                                      .help = gauges[i].help,
                                      .type = gauges[i].type,
                                      .read = read_gauge,
                                      .argument = i});
    }
    for (size_t p = 0; p < app->n_publishers; p++) {
        (void)snprintf(sink_labels[p], sizeof(sink_labels[p]), "sink=\"%s\"",
                       app_publisher_name(app->publishers[p].kind));
    }
    for (uint32_t i = 0; i < HR_ARRAY_LEN(published); i++) {
        add_for_publishers(app, &published[i], read_published, i);
    }
    static const struct row state = {"publisher_state", "0 opening, 1 recovering, 2 running, 3 halted",
                                     HTTP_GAUGE};
    add_for_publishers(app, &state, read_publisher_state, 0);
    add_quality(app);
}

/* ---- readiness ---- */

/* A line of JSON in the making; what has no room is cut off, and the parts are short. */
struct line {
    char *text;
    size_t capacity;
    size_t len;
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line->text + line->len, line->capacity - line->len, format, arguments);
    va_end(arguments);
    line->len += n > 0 ? (size_t)n : 0;
    line->len = line->len < line->capacity ? line->len : line->capacity - 1;
}

/* Why this process is not ready, in words; all of them are ours and need no escapes. */
static void put_why(struct line *line, struct app *app, enum app_ledger_health health)
{
    static const char *const healths[] = {[APP_LEDGER_GOOD] = "",
                                          [APP_LEDGER_FULL] = "the disk is full",
                                          [APP_LEDGER_FENCED] = "another process writes the ledger",
                                          [APP_LEDGER_AWAY] = "the database is away"};
    const char *why_full = atomic_load(&app->room.why_full);
    put(line, "%s", health == APP_LEDGER_FULL && why_full != NULL ? why_full : healths[health]);
    const char *before = health == APP_LEDGER_GOOD ? "" : "; ";
    uint64_t n_leaves = atomic_load(&app->admission.size);
    for (size_t i = 0; i < app->n_publishers; i++) {
        struct app_publisher *publisher = &app->publishers[i];
        enum app_publisher_state state = (enum app_publisher_state)atomic_load(&publisher->state);
        uint64_t next_leaf = atomic_load(&publisher->figures[APP_PUBLISHED_NEXT_LEAF]);
        const char *name = app_publisher_name(publisher->kind);
        if (state == APP_PUBLISHER_HALTED) {
            put(line, "%s%s has halted: %s", before, name, atomic_load(&publisher->why));
        } else if (health == APP_LEDGER_FULL && next_leaf < n_leaves) {
            put(line, "%s%llu batches wait for %s, which is %s", before,
                (unsigned long long)(n_leaves - next_leaf), name, app_publisher_state_name(state));
        } else {
            continue;
        }
        before = "; ";
    }
}

void app_readiness(void *ctx, struct http_readiness *out)
{
    static const char *const healths[] = {[APP_LEDGER_GOOD] = "good",
                                          [APP_LEDGER_FULL] = "full",
                                          [APP_LEDGER_FENCED] = "fenced",
                                          [APP_LEDGER_AWAY] = "away"};
    struct app *app = ctx;
    bool serving = atomic_load(&app->serving);
    enum app_ledger_health health = (enum app_ledger_health)atomic_load(&app->admission.health);
    struct line line = {out->detail, sizeof(out->detail), 0};
    out->ready = serving && health == APP_LEDGER_GOOD;
    put(&line, "{\"serving\":%s,\"ledger\":\"%s\",\"publishers\":{", serving ? "true" : "false",
        healths[health]);
    for (size_t i = 0; i < app->n_publishers; i++) {
        enum app_publisher_state state = (enum app_publisher_state)atomic_load(&app->publishers[i].state);
        /* A target that is away is no reason to send collectors elsewhere; one that a person must look at is.
         */
        out->ready = out->ready && state != APP_PUBLISHER_HALTED;
        put(&line, "%s\"%s\":\"%s\"", i > 0 ? "," : "", app_publisher_name(app->publishers[i].kind),
            app_publisher_state_name(state));
    }
    put(&line, "}");
    if (!out->ready && serving) {
        put(&line, ",\"why\":\"");
        put_why(&line, app, health);
        put(&line, "\"");
    }
    put(&line, "}");
}
