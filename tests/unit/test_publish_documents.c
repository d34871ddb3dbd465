/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators' documents across restarts of the publisher, on a real ledger that fills up: retention deletes
 * what is published, but never what an open document needs, whoever saw it begin. */
#include "aggregator/core/publish.h"
#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/normalize/iso/normalizer.h"
#include "aggregator/schema_registry/schema.h"
#include "tests/support/batch_maker.h"
#include "tests/support/iso_lab.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "datetime_beginning_utc,datetime_beginning_ept,area,solar_generation_mw\n"
#define LINE "3/2/2026 5:00:00 AM,3/2/2026 12:00:00 AM,RTO,1\n"

enum { N_LINES = 400, N_BEFORE = 800, A_BATCH = 3, LEDGER_BYTES = 6 << 20 };

struct world {
    struct temp_folder folder;
    struct ledger writer;
    struct ledger reader;
    struct batch_maker gateway;
    struct batch_maker other;
    struct sink sink;
    struct sink_cursor cursor; /* in the sink */
    uint64_t now_us;
    uint64_t n_rows, n_anomalies; /* in the sink */
    char body[sizeof HEAD + N_LINES * sizeof LINE];
    uint32_t n_sent;        /* records of the document */
    uint64_t document_leaf; /* where it begins */
    struct norm_iso_normalizer iso;
    const struct normalizer *normalizers[2];
    struct agg_fold fold;
    struct agg_replay replay;
    struct agg_publish publish;
};

static struct world world;

/* ---- a sink that counts ---- */

static struct hr_status recover(void *ctx, const struct sink_log *log, uint32_t timeout_ms,
                                struct sink_found *found)
{
    (void)ctx, (void)log, (void)timeout_ms;
    *found = (struct sink_found){.cursor = world.cursor};
    return hr_ok();
}

static struct hr_status begin(void *ctx, uint64_t first_leaf)
{
    (void)ctx;
    assert_true(first_leaf == world.cursor.next_leaf);
    return hr_ok();
}

static struct hr_status count_event(void *ctx, const struct norm_event *event, uint8_t *value,
                                    size_t len_bytes, const struct sink_origin *origin)
{
    (void)ctx, (void)value, (void)len_bytes, (void)origin;
    world.n_rows += strncmp(event->schema->topic, "iso.", 4) == 0 ? 1 : 0;
    world.n_anomalies += strcmp(event->schema->topic, "data.quality.anomalies.v1") == 0 ? 1 : 0;
    return hr_ok();
}

static struct hr_status put_raw(void *ctx, const char *topic, const struct ledger_batch *batch,
                                const struct sink_origin *origin)
{
    (void)ctx, (void)topic, (void)batch, (void)origin;
    return hr_ok();
}

static struct hr_status keep_cursor(void *ctx, const struct sink_cursor *cursor)
{
    (void)ctx;
    world.cursor = *cursor;
    return hr_ok();
}

static uint64_t monotonic_us(void *ctx)
{
    (void)ctx;
    return world.now_us;
}

static int64_t utc_ms(void *ctx)
{
    return INT64_C(1772427600000) + (int64_t)(monotonic_us(ctx) / 1000);
}

static const char *tenant_of(void *ctx, uint64_t device_id)
{
    (void)ctx, (void)device_id;
    return "t";
}

/* ---- what happens ---- */

/* HR_FULL: there is no room. */
static struct hr_status commit(const struct made_batch *batch, uint64_t *leaf)
{
    struct ledger_batch row = {.device_id = batch->header.device_id,
                               .stream = batch->header.stream,
                               .seq = batch->header.batch_seq,
                               .received_utc_ms = utc_ms(NULL),
                               .envelope = hr_bytes_of(batch->bytes, batch->len_bytes)};
    memcpy(row.digest, batch->digest, sizeof row.digest);
    const struct ledger_commit change = {.batches = &row, .n_batches = 1};
    struct hr_status status = world.writer.commit(world.writer.ctx, &change);
    *leaf = row.leaf;
    return status;
}

/* Batches of another device, at most n. */
static uint32_t fill(uint32_t n)
{
    uint64_t leaf = 0;
    for (uint32_t i = 0; i < n; i++) {
        static struct made_batch batch;
        const struct batch_maker before = world.other;
        batch_maker_plain(&world.other, 60, 1, &batch);
        if (!hr_is_ok(commit(&batch, &leaf))) {
            world.other = before;
            return i;
        }
    }
    return n;
}

static uint32_t n_chunks(void)
{
    return (uint32_t)((strlen(world.body) + EDGE_CHUNK_MAX_BYTES - 1) / EDGE_CHUNK_MAX_BYTES);
}

static void make_record(uint32_t number, struct edge_record *out)
{
    const struct hr_bytes body = hr_bytes_of(world.body, strlen(world.body));
    memset(out, 0, sizeof *out);
    if (number == 0) {
        out->kind = EDGE_DOCUMENT;
        out->as.document = (struct edge_document){.document_id = 1,
                                                  .feed = "pjm_solar",
                                                  .http_status = 200,
                                                  .len_bytes = (uint32_t)body.len_bytes,
                                                  .n_chunks = n_chunks()};
        wire_sha256(test_hash(), &body, 1, out->as.document.sha256);
        return;
    }
    size_t at = (size_t)(number - 1) * EDGE_CHUNK_MAX_BYTES;
    size_t left = body.len_bytes - at;
    out->kind = EDGE_CHUNK;
    out->as.chunk = (struct edge_chunk){
        .document_id = 1,
        .index = number - 1,
        .len_bytes = (uint16_t)(left < EDGE_CHUNK_MAX_BYTES ? left : EDGE_CHUNK_MAX_BYTES)};
    memcpy(out->as.chunk.data, body.data + at, out->as.chunk.len_bytes);
}

/* Further records of the document, up to number `end`. */
static void send_document(uint32_t end)
{
    static struct edge_record records[A_BATCH];
    static struct made_batch batch;
    uint64_t leaf = 0;
    while (world.n_sent < end) {
        uint16_t n = 0;
        bool is_first = world.n_sent == 0;
        for (; n < A_BATCH && world.n_sent < end; n++) {
            make_record(world.n_sent++, &records[n]);
        }
        batch_maker_next(&world.gateway, records, n, 0, &batch);
        assert_ok(commit(&batch, &leaf));
        world.document_leaf = is_first ? leaf : world.document_leaf;
    }
}

static void start_process(void)
{
    static const struct agg_clock clock = {utc_ms, monotonic_us, NULL};
    const struct norm_iso_config iso = {
        .zones = &iso_lab_zones, .hash = test_hash(), .memory = world.iso.config.memory};
    norm_iso_init(&world.iso, &iso);
    world.normalizers[0] = &world.iso.normalizer;
    world.normalizers[1] = norm_device();
    const struct agg_fold_config fold = {.reader = &world.reader,
                                         .writer = &world.writer,
                                         .clock = &clock,
                                         .hash = test_hash(),
                                         .sink = "kafka",
                                         .normalizers = world.normalizers,
                                         .n_normalizers = 2,
                                         .store_every_ms = 1000};
    agg_fold_init(&world.fold, &fold);
    agg_replay_init(&world.replay);
    const struct agg_publish_config publish = {.ledger = &world.reader,
                                               .sink = &world.sink,
                                               .clock = &clock,
                                               .encoder = &schema_encoder,
                                               .normalizers = world.normalizers,
                                               .n_normalizers = 2,
                                               .tenant_of = tenant_of,
                                               .transaction_max_batches = 16,
                                               .transaction_max_bytes = 1 << 20,
                                               .recover_timeout_ms = 1000,
                                               .retry_max_ms = 1000,
                                               .fold = &world.fold,
                                               .replay = &world.replay};
    agg_publish_init(&world.publish, &publish);
}

static void publish_all(void)
{
    uint64_t size = 0;
    assert_ok(world.reader.size(world.reader.ctx, &size));
    for (uint32_t i = 0; world.publish.next_leaf < size || world.publish.stats.needed_leaf == 0; i++) {
        uint32_t wait_ms = agg_publish_step(&world.publish);
        assert_true(world.publish.phase != AGG_PUBLISH_HALTED && i < 100000);
        world.now_us += UINT64_C(1000) * (wait_ms + 1);
    }
}

/* As retention does when room is scarce. The first leaf that is left. */
static uint64_t prune(void)
{
    const struct ledger_prune limits = {
        .below_leaf = world.publish.stats.needed_leaf, .before_ms = INT64_MAX, .max_batches = UINT32_MAX};
    uint64_t n_deleted = 0;
    uint64_t first_leaf = 0;
    assert_ok(world.writer.prune(world.writer.ctx, &limits, &n_deleted));
    assert_ok(world.reader.first_leaf(world.reader.ctx, &first_leaf));
    return first_leaf;
}

static void restart(void)
{
    agg_publish_end(&world.publish);
    start_process();
}

/* ---- tests ---- */

static void an_open_document_survives_a_restart_in_a_full_ledger(void **state)
{
    (void)state;
    assert_int_equal(fill(N_BEFORE), N_BEFORE);
    send_document(n_chunks() / 2);
    uint32_t n_filled = fill(UINT32_MAX);
    assert_true(n_filled > 100);
    publish_all();
    for (int again = 0; again < 3; again++) {
        restart();
        for (uint32_t i = 0; world.publish.stats.needed_leaf == 0; i++) {
            assert_true(i < 1000);
            world.now_us += UINT64_C(1000) * agg_publish_step(&world.publish);
        }
        assert_true(world.publish.stats.needed_leaf == world.document_leaf);
        assert_true(prune() == world.document_leaf);
    }
    assert_true(world.document_leaf == N_BEFORE);
    send_document(1 + n_chunks()); /* there is room again */
    publish_all();
    assert_int_equal(world.n_rows, N_LINES);
    assert_int_equal(world.n_anomalies, 0);
    restart();
    publish_all();
    assert_true(prune() > world.document_leaf + n_filled); /* nothing needs it any more */
    assert_int_equal(world.n_rows, N_LINES);
}

/* Zones and rules are none of a build's code, and events hang on them all the same. */
static void the_feed_ledger_names_zones_and_rules(void **state)
{
    char zones_of[] = "device/1 iso/1+z12345678+r00000009";
    const struct norm_iso_inspector inspector = {.digest = 9};
    const struct norm_iso_config config = {.zones = &iso_lab_zones,
                                           .hash = test_hash(),
                                           .memory = world.iso.config.memory,
                                           .inspector = &inspector};
    const struct agg_fold_config fold = {.reader = &world.reader,
                                         .writer = &world.writer,
                                         .normalizers = world.normalizers,
                                         .n_normalizers = 2};
    const uint64_t digest = norm_zones_digest(&iso_lab_zones);
    (void)state;
    norm_iso_init(&world.iso, &config);
    agg_fold_init(&world.fold, &fold);
    (void)snprintf(zones_of, sizeof zones_of, "iso/2+z%08x+r00000009 device/1",
                   (unsigned)(uint32_t)(digest ^ digest >> 32));
    assert_string_equal(world.fold.normalizers, zones_of);
}

/* What is not folded yet comes once more, and needs what it needed then. */
static void a_document_that_ended_stays_until_the_feed_ledger_has_seen_it(void **state)
{
    (void)state;
    assert_int_equal(fill(N_BEFORE), N_BEFORE);
    send_document(n_chunks() / 2);
    publish_all();
    agg_publish_end(&world.publish);
    uint64_t stored_leaf = world.fold.stored_leaf;
    send_document(1 + n_chunks());
    publish_all();
    assert_true(world.fold.stored_leaf == stored_leaf);
    start_process(); /* a crash: the sink has it, the feed ledger has not */
    while (world.publish.stats.needed_leaf == 0) {
        world.now_us += UINT64_C(1000) * agg_publish_step(&world.publish);
    }
    assert_true(world.publish.stats.needed_leaf == world.document_leaf);
    assert_true(prune() == world.document_leaf);
    publish_all();
    agg_publish_end(&world.publish);
    assert_true(world.fold.stored_leaf == world.publish.next_leaf);
    assert_int_equal(world.n_rows, N_LINES);
}

static int open_world(void **state)
{
    (void)state;
    char path[2 * TEMP_PATH_CHARS];
    static const uint8_t former[WIRE_DIGEST_BYTES];
    void *memory = world.iso.config.memory;
    memset(&world, 0, sizeof world);
    world.iso.config.memory = memory;
    world.now_us = 1000000;
    temp_folder_make(&world.folder);
    const struct ledger_sqlite_config config = {.path = temp_folder_file(&world.folder, "ledger.db", path),
                                                .max_bytes = LEDGER_BYTES};
    assert_ok(ledger_sqlite_open(&config, &world.writer));
    assert_ok(ledger_sqlite_open_reader(&config, &world.reader));
    batch_maker_start(&world.gateway, 1, 0, former);
    batch_maker_start(&world.other, 2, 0, former);
    world.sink = (struct sink){.name = "kafka",
                               .recover = recover,
                               .begin = begin,
                               .put_event = count_event,
                               .put_raw = put_raw,
                               .commit = keep_cursor};
    memcpy(world.body, HEAD, strlen(HEAD));
    for (uint32_t i = 0; i < N_LINES; i++) {
        memcpy(world.body + strlen(HEAD) + i * strlen(LINE), LINE, strlen(LINE));
    }
    start_process();
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    world.reader.close(world.reader.ctx);
    world.writer.close(world.writer.ctx);
    temp_folder_remove(&world.folder);
    return 0;
}

static int start(void **state)
{
    world.iso.config.memory = calloc(1, norm_iso_memory_bytes());
    return world.iso.config.memory == NULL || iso_lab_start(state) != 0;
}

static int stop(void **state)
{
    free(world.iso.config.memory);
    return iso_lab_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_open_document_survives_a_restart_in_a_full_ledger, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(the_feed_ledger_names_zones_and_rules, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_document_that_ended_stays_until_the_feed_ledger_has_seen_it,
                                        open_world, close_world),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
