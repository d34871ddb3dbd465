/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that brings what the ledger holds to one sink. It opens the sink by itself and keeps trying while
 * the target or the schema registry is away: the aggregator takes data all the same. */
#ifndef APP_PUBLISHER_H
#define APP_PUBLISHER_H

#include "aggregator/app/changed.h"
#include "aggregator/app/quality.h"
#include "aggregator/app/tenants.h"
#include "aggregator/config/config.h"
#include "aggregator/core/publish.h"
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/iso/normalizer.h"
#include "aggregator/normalize/telemetry/telemetry.h"

#include <stdatomic.h>

enum app_publisher_kind { APP_PUBLISHER_FILES, APP_PUBLISHER_KAFKA };

/* What /readyz and the metrics tell. */
enum app_publisher_state {
    APP_PUBLISHER_OPENING,
    APP_PUBLISHER_RECOVERING,
    APP_PUBLISHER_RUNNING,
    APP_PUBLISHER_HALTED
};

/* Of struct agg_publish_stats, for other threads. */
enum app_published {
    APP_PUBLISHED_BATCHES,
    APP_PUBLISHED_RECORDS,
    APP_PUBLISHED_EVENTS,
    APP_PUBLISHED_TRANSACTIONS,
    APP_PUBLISHED_RECOVERIES,
    APP_PUBLISHED_FAILURES,
    APP_PUBLISHED_NEXT_LEAF,
    APP_PUBLISHED_FEED_LEAF,
    APP_PUBLISHED_REPLAYS,
    APP_PUBLISHED_REPLAYED,
    APP_PUBLISHED_REVISIONS,
    APP_PUBLISHED_UNNOTED,
    APP_PUBLISHED_NEEDED, /* the first leaf that this publisher may still ask for */
    APP_PUBLISHED_ISO_CONTENT,
    APP_PUBLISHED_ISO_UNCHANGED,
    APP_PUBLISHED_ISO_EMPTY,
    APP_PUBLISHED_ISO_FAULTY,
    APP_PUBLISHED_ISO_REFUSED,
    APP_PUBLISHED_ISO_UNANSWERED,
    APP_PUBLISHED_ISO_NORMALIZED,
    APP_PUBLISHED_ISO_BROKEN,
    APP_PUBLISHED_ISO_ROWS,
    APP_PUBLISHED_ISO_ANOMALIES,
    APP_PUBLISHED_PLANT_SAMPLES,
    APP_PUBLISHED_PLANT_BAD,
    APP_PUBLISHED_PLANT_UNKNOWN,
    APP_PUBLISHED_PLANT_TOTALS,
    APP_N_PUBLISHED,
};

struct app_publisher {
    enum app_publisher_kind kind;
    const struct config_aggregator *config;
    struct app_tenants *tenants;
    const struct norm_zones *zones;
    const struct ledger *ledger; /* the writer's: hints and feeds are written through it */
    atomic_bool *is_behind;      /* set when the sink holds what the ledger has not */

    struct ledger reader; /* this publisher's own connection */
    struct sink sink;
    struct norm_ais ais;
    struct norm_iso_normalizer iso;
    void *iso_memory;
    struct norm_telemetry plant;
    void *plant_memory;
    struct norm_site sites[CONFIG_MAX_SITES];
    struct app_quality quality;
    struct app_changed changed;
    const struct normalizer *normalizers[4];
    struct agg_publish publish;
    struct agg_fold fold;
    struct agg_replay replay;
    bool sink_open;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool asked;
    bool stopping;
    atomic_int state;          /* enum app_publisher_state */
    _Atomic(const char *) why; /* why it has halted, static text */
    _Atomic uint64_t figures[APP_N_PUBLISHED];
};

/* "files", "kafka" */
const char *app_publisher_name(enum app_publisher_kind kind);
const char *app_publisher_state_name(enum app_publisher_state state);

/* kind, config, tenants, zones and ledger are filled. HR_IO: the ledger can't be read beside the writer, no
 * memory, or no thread. */
HR_MUST_USE struct hr_status app_publisher_start(struct app_publisher *publisher);
/* The ledger has new replays. [any thread] */
void app_publisher_replay(struct app_publisher *publisher);
/* The ledger has grown. [any thread] */
void app_publisher_wake(struct app_publisher *publisher);
/* Ends after the transaction that is under way, closes the sink and frees. */
void app_publisher_stop(struct app_publisher *publisher);

#endif
