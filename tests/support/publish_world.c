/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/publish_world.h"

#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/schema_registry/schema.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <string.h>

enum { TRANSACTION_BATCHES = 5 };

#define BASE_MS INT64_C(1763726400000) /* 2025-11-21T12:00:00Z */

struct publish_world publish_world;
static struct agg_recall recall_memory;

/* ---- a normalizer that can change ---- */

enum { SIM_VALUE = NORM_COMMON_COUNT, SIM_FIELDS };

static const struct norm_field sim_fields[SIM_FIELDS] = {
    NORM_COMMON_FIELDS,
    [SIM_VALUE] = {"value", NORM_LONG, true, NULL},
};
const struct norm_schema publish_world_schema = {
    .name = "sim", .topic = "sim.events", .version = 1, .fields = sim_fields, .n_fields = SIM_FIELDS};
static const struct norm_schema *const sim_schemas[] = {&publish_world_schema};

int64_t publish_world_value(uint32_t version, uint8_t seed)
{
    return seed % 3 == 0 ? seed + 1000 * (int64_t)version : seed;
}

bool publish_world_has_second(uint32_t version, uint8_t seed)
{
    return version >= 3 && seed % 5 == 0;
}

static bool sim_takes(enum edge_kind kind)
{
    return kind == EDGE_AIS;
}

static void sim_record(void *ctx, const struct norm_input *input, const struct edge_record *record,
                       uint32_t record_index, const struct norm_emit *emit)
{
    uint32_t version = *(const uint32_t *)ctx;
    uint8_t seed = record->as.ais.payload[0];
    for (uint16_t output = 0; output < (publish_world_has_second(version, seed) ? 2 : 1); output++) {
        struct norm_value values[SIM_FIELDS];
        struct norm_common_text text;
        const struct norm_subject subject = {.input = input,
                                             .schema = &publish_world_schema,
                                             .producer = "sim",
                                             .record_index = record_index,
                                             .output_index = output,
                                             .dt_ms = record->dt_ms};
        struct norm_time when = norm_common_fill(&subject, &text, values);
        values[SIM_VALUE] = norm_long(output == 0 ? publish_world_value(version, seed) : 7);
        const struct norm_event event = {.schema = &publish_world_schema,
                                         .values = values,
                                         .key = hr_bytes_of(&seed, 1),
                                         .occurred_at_us = when.occurred_at_us,
                                         .record_index = record_index,
                                         .output_index = output};
        emit->event(emit->ctx, &event);
    }
}

/* ---- its process ---- */

int64_t publish_world_utc_ms(void *ctx)
{
    (void)ctx;
    return BASE_MS + (int64_t)(publish_world.now_us / 1000);
}

static uint64_t monotonic_us(void *ctx)
{
    (void)ctx;
    return publish_world.now_us;
}

static const char *tenant_of(void *ctx, uint64_t device_id)
{
    (void)ctx, (void)device_id;
    return "t";
}

static struct hr_status faulty_write(void *ctx, const struct feed_change *change)
{
    if (sink_model_dies(&publish_world.model)) {
        return hr_status_of(HR_IO);
    }
    if (publish_world.has_no_room ||
        test_random_below(&publish_world.random, 1000) < publish_world.model.trouble) {
        publish_world.n_full++;
        return hr_status_of(HR_FULL);
    }
    struct hr_status written = publish_world.writer.feeds->write(ctx, change);
    return hr_is_ok(written) && sink_model_dies(&publish_world.model) ? hr_status_of(HR_IO) : written;
}

static void start_process(void)
{
    struct ledger_sqlite_config config = {.path = publish_world.path};
    assert_ok(ledger_sqlite_open_reader(&config, &publish_world.reader));
    publish_world.sim = (struct normalizer){.source = "sim",
                                            .version = publish_world.version,
                                            .schemas = sim_schemas,
                                            .n_schemas = 1,
                                            .takes = sim_takes,
                                            .record = sim_record,
                                            .ctx = &publish_world.version};
    publish_world.normalizers[0] = &publish_world.sim;
    publish_world.normalizers[1] = &observed_normalizer;
    publish_world.normalizers[2] = norm_device();
    const struct agg_recall_config recall = {
        .reader = &publish_world.reader, .sink = "kafka", .retention_h = 1};
    agg_recall_init(&recall_memory, &recall);
    const struct agg_fold_config fold = {.reader = &publish_world.reader,
                                         .writer = &publish_world.faulty,
                                         .clock = &publish_world.clock,
                                         .hash = test_hash(),
                                         .sink = "kafka",
                                         .normalizers = publish_world.normalizers,
                                         .n_normalizers = 3,
                                         .store_every_ms = 1000,
                                         .recall = &recall_memory};
    agg_fold_init(&publish_world.fold, &fold);
    agg_replay_init(&publish_world.replay);
    const struct agg_publish_config publish = {.ledger = &publish_world.reader,
                                               .writer = &publish_world.faulty,
                                               .sink = &publish_world.model.sink,
                                               .clock = &publish_world.clock,
                                               .encoder = &schema_encoder,
                                               .normalizers = publish_world.normalizers,
                                               .n_normalizers = 3,
                                               .tenant_of = tenant_of,
                                               .transaction_max_batches = TRANSACTION_BATCHES,
                                               .transaction_max_bytes = 100000,
                                               .linger_ms = 20,
                                               .recover_timeout_ms = 1000,
                                               .retry_max_ms = 1000,
                                               .fold = &publish_world.fold,
                                               .replay = &publish_world.replay,
                                               .replay_chunk_events = 30};
    agg_publish_init(&publish_world.publish, &publish);
    sink_model_restart(&publish_world.model);
}

void publish_world_restart(bool in_peace, bool upgrade)
{
    if (in_peace) {
        agg_publish_end(&publish_world.publish);
    }
    bool is_behind = !publish_world.fold.is_loaded || publish_world.publish.phase != AGG_PUBLISH_RUNNING ||
                     publish_world.fold.stored_leaf != publish_world.publish.next_leaf ||
                     publish_world.fold.dirty_since_us != 0 || !publish_world.model.is_alive ||
                     publish_world.model.is_dead ||
                     publish_world.model.is_skipping; /* what a torn transaction left may still be there */
    publish_world.reader.close(publish_world.reader.ctx);
    if (upgrade && publish_world.version < 3) {
        publish_world.version++;
        publish_world.was_upgraded_in_a_crash = publish_world.was_upgraded_in_a_crash || is_behind;
    }
    publish_world.n_restarts++;
    start_process();
}

/* ---- beginning and end ---- */

void publish_world_open(uint64_t seed, bool has_documents)
{
    memset(&publish_world, 0, sizeof publish_world);
    publish_world.random = (struct test_random){seed};
    publish_world.version = 1;
    publish_world.has_documents = has_documents;
    publish_world.clock = (struct agg_clock){publish_world_utc_ms, monotonic_us, NULL};
    temp_folder_make(&publish_world.folder);
    (void)temp_folder_file(&publish_world.folder, "ledger.db", publish_world.path);
    struct ledger_sqlite_config config = {.path = publish_world.path};
    assert_ok(ledger_sqlite_open(&config, &publish_world.writer));
    publish_world.faulty_feeds = *publish_world.writer.feeds;
    publish_world.faulty_feeds.write = faulty_write;
    publish_world.faulty = publish_world.writer;
    publish_world.faulty.feeds = &publish_world.faulty_feeds;
    sink_model_init(&publish_world.model, &publish_world.random);
    publish_world.model.transaction_max_batches = TRANSACTION_BATCHES;
    publish_world.model.trouble = test_random_below(&publish_world.random, 4) == 0 ? 0 : 40;
    uint8_t former[WIRE_DIGEST_BYTES] = {0};
    for (uint32_t i = 0; i < PUBLISH_WORLD_DEVICES; i++) {
        batch_maker_start(&publish_world.makers[i], i + 1, 0, former);
    }
    start_process();
}

void publish_world_close(void)
{
    publish_world.reader.close(publish_world.reader.ctx);
    publish_world.writer.close(publish_world.writer.ctx);
    sink_model_free(&publish_world.model);
    temp_folder_remove(&publish_world.folder);
}
