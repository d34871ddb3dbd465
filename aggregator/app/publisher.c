/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/publisher.h"

#include "aggregator/app/log.h"
#include "aggregator/app/sinks.h"
#include "aggregator/app/time.h"
#include "aggregator/ledger/choice/choice.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/schema_registry/schema.h"
#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"

#include <stdlib.h>

enum { RECOVER_TIMEOUT_MS = 60000, RETRY_MAX_MS = 30000, RETRY_MIN_MS = 500, STORE_EVERY_MS = 1000 };

const char *app_publisher_name(enum app_publisher_kind kind)
{
    return kind == APP_PUBLISHER_FILES ? "files" : "kafka";
}

const char *app_publisher_state_name(enum app_publisher_state state)
{
    static const char *const names[] = {"opening", "recovering", "running", "halted"};
    return names[state];
}

static void log_ledger(void *ctx, const char *text)
{
    const struct app_publisher *publisher = ctx;
    APP_LOG(APP_ERROR, "ledger_reader", app_text("sink", app_publisher_name(publisher->kind)),
            app_text("text", text));
}

/* ---- the thread ---- */

static bool is_stopping(struct app_publisher *publisher)
{
    (void)pthread_mutex_lock(&publisher->lock);
    bool stopping = publisher->stopping;
    (void)pthread_mutex_unlock(&publisher->lock);
    return stopping;
}

/* Waits for a commit, the end, or the time. `patient`: commits are no reason to hurry. */
static void wait_for(struct app_publisher *publisher, uint32_t wait_ms, bool patient)
{
    struct timespec deadline = app_deadline_in_ms(wait_ms);
    (void)pthread_mutex_lock(&publisher->lock);
    int waited = 0;
    while ((patient || !publisher->asked) && !publisher->stopping && waited == 0) {
        waited = pthread_cond_timedwait(&publisher->woken, &publisher->lock, &deadline);
    }
    publisher->asked = false;
    (void)pthread_mutex_unlock(&publisher->lock);
}

static void set_state(struct app_publisher *publisher, enum app_publisher_state state, const char *why)
{
    atomic_store(&publisher->why, why);
    if (atomic_exchange(&publisher->state, (int)state) != (int)state) {
        APP_LOG(state == APP_PUBLISHER_HALTED ? APP_ERROR : APP_INFO, "publisher",
                app_text("sink", app_publisher_name(publisher->kind)),
                app_text("state", app_publisher_state_name(state)), app_text("why", why));
    }
}

/* Until the sink is open; false: it never will be, or the program ends. */
static bool open_sink(struct app_publisher *publisher)
{
    uint32_t wait_ms = RETRY_MIN_MS;
    while (!is_stopping(publisher)) {
        struct hr_status status = publisher->kind == APP_PUBLISHER_FILES
                                      ? app_sink_files_open(publisher->config, &publisher->sink)
                                      : app_sink_kafka_open(publisher->config, &publisher->sink);
        if (hr_is_ok(status)) {
            publisher->sink_open = true;
            return true;
        }
        if (!hr_is(status, HR_AGAIN)) {
            set_state(publisher, APP_PUBLISHER_HALTED, "the sink can't be opened; see the lines before");
            return false;
        }
        wait_for(publisher, wait_ms, true);
        wait_ms = wait_ms < RETRY_MAX_MS / 2 ? wait_ms * 2 : RETRY_MAX_MS;
    }
    return false;
}

static void show_figures(struct app_publisher *publisher)
{
    const struct agg_publish_stats *stats = &publisher->publish.stats;
    const struct norm_iso_counts *iso = &publisher->iso.counts;
    const uint64_t figures[APP_N_PUBLISHED] = {
        [APP_PUBLISHED_BATCHES] = stats->batches,
        [APP_PUBLISHED_RECORDS] = stats->records,
        [APP_PUBLISHED_EVENTS] = stats->events,
        [APP_PUBLISHED_TRANSACTIONS] = stats->transactions,
        [APP_PUBLISHED_RECOVERIES] = stats->recoveries,
        [APP_PUBLISHED_FAILURES] = stats->failures,
        [APP_PUBLISHED_NEXT_LEAF] = stats->next_leaf,
        [APP_PUBLISHED_FEED_LEAF] = stats->feed_leaf,
        [APP_PUBLISHED_REPLAYS] = stats->replays,
        [APP_PUBLISHED_REPLAYED] = stats->replayed,
        [APP_PUBLISHED_ISO_CONTENT] = iso->documents[NORM_DOCUMENT_CONTENT],
        [APP_PUBLISHED_ISO_UNCHANGED] = iso->documents[NORM_DOCUMENT_UNCHANGED],
        [APP_PUBLISHED_ISO_EMPTY] = iso->documents[NORM_DOCUMENT_EMPTY],
        [APP_PUBLISHED_ISO_FAULTY] = iso->documents[NORM_DOCUMENT_FAULTY],
        [APP_PUBLISHED_ISO_REFUSED] = iso->documents[NORM_DOCUMENT_REFUSED],
        [APP_PUBLISHED_ISO_UNANSWERED] = iso->documents[NORM_DOCUMENT_UNANSWERED],
        [APP_PUBLISHED_ISO_NORMALIZED] = iso->normalized,
        [APP_PUBLISHED_ISO_BROKEN] = iso->broken,
        [APP_PUBLISHED_ISO_ROWS] = iso->rows,
        [APP_PUBLISHED_ISO_ANOMALIES] = iso->anomalies,
        [APP_PUBLISHED_PLANT_SAMPLES] = publisher->plant.counts.samples,
        [APP_PUBLISHED_PLANT_BAD] = publisher->plant.counts.bad,
        [APP_PUBLISHED_PLANT_UNKNOWN] = publisher->plant.counts.unknown,
        [APP_PUBLISHED_PLANT_TOTALS] = publisher->plant.counts.totals,
        [APP_PUBLISHED_REVISIONS] = stats->revisions,
        [APP_PUBLISHED_UNNOTED] = stats->unnoted,
        [APP_PUBLISHED_NEEDED] = stats->needed_leaf,
    };
    for (size_t i = 0; i < APP_N_PUBLISHED; i++) {
        atomic_store_explicit(&publisher->figures[i], figures[i], memory_order_relaxed);
    }
    app_quality_show(&publisher->quality);
}

static const struct norm_site *list_sites(struct app_publisher *publisher)
{
    for (uint32_t i = 0; i < publisher->config->n_sites; i++) {
        const struct config_site *site = &publisher->config->sites[i];
        publisher->sites[i] = norm_site_of(config_site_collector(site), site->name,
                                           config_site_iso_code(site), site->node, config_site_fuel(site));
    }
    return publisher->sites;
}

/* Before the thread runs: others may ask for replays from then on. */
static struct hr_status init_feeds(struct app_publisher *publisher)
{
    /* Touched page by page as documents need it; most publishers never see one. */
    publisher->iso_memory = calloc(1, norm_iso_memory_bytes());
    publisher->plant_memory = calloc(1, norm_telemetry_memory_bytes());
    if (publisher->iso_memory == NULL || publisher->plant_memory == NULL) {
        return hr_status_of(HR_IO);
    }
    HR_TRY(app_quality_init(&publisher->quality, publisher->zones));
    const struct norm_iso_config iso = {.zones = publisher->zones,
                                        .hash = verify_hash(),
                                        .memory = publisher->iso_memory,
                                        .inspector = norm_inspect_inspector(publisher->quality.inspect)};
    norm_iso_init(&publisher->iso, &iso);

    const struct norm_telemetry_config plant = {.sites = list_sites(publisher),
                                                .n_sites = publisher->config->n_sites,
                                                .memory = publisher->plant_memory};
    norm_telemetry_init(&publisher->plant, &plant);
    norm_ais_init(&publisher->ais);
    publisher->normalizers[0] = app_changed(&publisher->changed, &publisher->ais.normalizer);
    publisher->normalizers[1] = &publisher->iso.normalizer;
    publisher->normalizers[2] = &publisher->plant.normalizer;
    publisher->normalizers[3] = norm_device();
    const struct agg_fold_config config = {
        .reader = &publisher->reader,
        .writer = publisher->ledger,
        .clock = app_clock(),
        .hash = verify_hash(),
        .sink = app_publisher_name(publisher->kind),
        .normalizers = publisher->normalizers,
        .n_normalizers = HR_ARRAY_LEN(publisher->normalizers),
        .store_every_ms = STORE_EVERY_MS,
    };
    agg_fold_init(&publisher->fold, &config);
    agg_replay_init(&publisher->replay);
    return hr_ok();
}

static void publish(struct app_publisher *publisher)
{
    bool has_feeds = publisher->ledger->feeds != NULL;
    struct agg_publish_config config = {
        .ledger = &publisher->reader,
        .writer = publisher->ledger,
        .sink = &publisher->sink,
        .clock = app_clock(),
        .encoder = &schema_encoder,
        .fold = has_feeds ? &publisher->fold : NULL,
        .replay = has_feeds ? &publisher->replay : NULL,
        .normalizers = publisher->normalizers,
        .n_normalizers = HR_ARRAY_LEN(publisher->normalizers),
        .tenant_of = app_tenants_of,
        .tenant_ctx = publisher->tenants,
        .transaction_max_batches = publisher->config->sinks.transaction_max_batches,
        .transaction_max_bytes = (size_t)publisher->config->sinks.transaction_max_bytes,
        .linger_ms = publisher->config->sinks.transaction_linger_ms,
        .recover_timeout_ms = RECOVER_TIMEOUT_MS,
        .retry_max_ms = RETRY_MAX_MS,
        .replay_chunk_events = app_changed_chunk(),
    };
    agg_publish_init(&publisher->publish, &config);
    while (!is_stopping(publisher)) {
        uint32_t next_ms = agg_publish_step(&publisher->publish);
        show_figures(publisher);
        enum agg_publish_phase phase = publisher->publish.phase;
        if (phase == AGG_PUBLISH_HALTED) {
            if (publisher->publish.is_behind) {
                atomic_store(publisher->is_behind, true);
            }
            set_state(publisher, APP_PUBLISHER_HALTED, publisher->publish.halt_reason);
            wait_for(publisher, UINT32_MAX / 2, true);
        } else {
            bool running = phase == AGG_PUBLISH_RUNNING;
            set_state(publisher, running ? APP_PUBLISHER_RUNNING : APP_PUBLISHER_RECOVERING, "");
            if (next_ms > 0) {
                wait_for(publisher, next_ms, !running);
            }
        }
    }
    agg_publish_end(&publisher->publish);
}

static void *run(void *ctx)
{
    struct app_publisher *publisher = ctx;
    if (open_sink(publisher)) {
        publish(publisher);
    }
    return NULL;
}

struct hr_status app_publisher_start(struct app_publisher *publisher)
{
    const struct ledger_report report = {log_ledger, publisher};
    HR_TRY(ledger_choice_open_reader(&publisher->config->ledger, &report, &publisher->reader));
    struct hr_status ready = init_feeds(publisher);
    (void)pthread_mutex_init(&publisher->lock, NULL);
    app_cond_init(&publisher->woken);
    if (!hr_is_ok(ready) || pthread_create(&publisher->thread, NULL, run, publisher) != 0) {
        free(publisher->iso_memory);
        free(publisher->plant_memory);
        app_quality_free(&publisher->quality);
        publisher->reader.close(publisher->reader.ctx);
        return hr_status_of(HR_IO);
    }
    return hr_ok();
}

void app_publisher_replay(struct app_publisher *publisher)
{
    agg_replay_ask(&publisher->replay);
    app_publisher_wake(publisher);
}

void app_publisher_wake(struct app_publisher *publisher)
{
    (void)pthread_mutex_lock(&publisher->lock);
    publisher->asked = true;
    (void)pthread_cond_signal(&publisher->woken);
    (void)pthread_mutex_unlock(&publisher->lock);
}

void app_publisher_stop(struct app_publisher *publisher)
{
    (void)pthread_mutex_lock(&publisher->lock);
    publisher->stopping = true;
    (void)pthread_cond_signal(&publisher->woken);
    (void)pthread_mutex_unlock(&publisher->lock);
    (void)pthread_join(publisher->thread, NULL);
    if (publisher->sink_open) {
        publisher->sink.close(publisher->sink.ctx);
    }
    publisher->reader.close(publisher->reader.ctx);
    free(publisher->iso_memory);
    free(publisher->plant_memory);
    app_quality_free(&publisher->quality);
    (void)pthread_cond_destroy(&publisher->woken);
    (void)pthread_mutex_destroy(&publisher->lock);
}
