/* SPDX-License-Identifier: Apache-2.0
 *
 * A publisher finds more in its sink than the ledger had when it was asked. Either the ledger was rolled
 * back, or this one is the late one: while it started, its successor committed and delivered. On a real
 * ledger; the sink is what such a moment needs, and remembers its cursor. */
#include "aggregator/core/publish.h"
#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/schema_registry/schema.h"
#include "tests/support/batch_maker.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { MAX_ASKED_AGAIN = 5, RECOVER_MS = 1000 };

struct world {
    struct temp_folder folder;
    struct ledger writer;
    struct ledger reader;
    struct batch_maker maker;
    struct sink sink;
    struct sink_cursor cursor; /* in the sink */
    uint32_t n_late;           /* of the next recovers so many see a successor come first */
    uint32_t ahead;            /* leaves by which the sink is ahead even of that */
    uint32_t n_recovers;
    uint64_t now_us;
    struct agg_publish publish;
};

static struct world world;

static void commit_one(void)
{
    struct made_batch batch;
    batch_maker_plain(&world.maker, 2, 1, &batch);
    struct ledger_batch row = {.device_id = batch.header.device_id,
                               .stream = batch.header.stream,
                               .seq = batch.header.batch_seq,
                               .received_utc_ms = INT64_C(1763726400000),
                               .envelope = hr_bytes_of(batch.bytes, batch.len_bytes)};
    memcpy(row.digest, batch.digest, sizeof row.digest);
    struct ledger_commit change = {.batches = &row, .n_batches = 1};
    assert_true(hr_is_ok(world.writer.commit(world.writer.ctx, &change)));
    world.cursor = (struct sink_cursor){.next_leaf = row.leaf + 1, .has_digest = true};
    memcpy(world.cursor.last_digest, batch.digest, sizeof batch.digest);
}

/* By the rule of the Kafka sink: more than the ledger's size at the time of asking is HR_CORRUPT. */
static struct hr_status recover(void *ctx, const struct sink_log *log, uint32_t timeout_ms,
                                struct sink_found *found)
{
    (void)ctx, (void)timeout_ms;
    world.n_recovers++;
    if (world.n_late > 0) {
        world.n_late--;
        commit_one();
    }
    *found = (struct sink_found){.cursor = world.cursor};
    found->cursor.next_leaf += world.ahead;
    return hr_status_of(found->cursor.next_leaf > log->size ? HR_CORRUPT : HR_OK);
}

static struct hr_status begin(void *ctx, uint64_t first_leaf)
{
    (void)ctx, (void)first_leaf;
    return hr_ok();
}

static struct hr_status put_event(void *ctx, const struct norm_event *event, uint8_t *value, size_t len_bytes,
                                  const struct sink_origin *origin)
{
    (void)ctx, (void)event, (void)value, (void)len_bytes, (void)origin;
    return hr_ok();
}

static struct hr_status put_raw(void *ctx, const char *topic, const struct ledger_batch *batch,
                                const struct sink_origin *origin)
{
    (void)ctx, (void)topic, (void)batch, (void)origin;
    return hr_ok();
}

static struct hr_status commit(void *ctx, const struct sink_cursor *cursor)
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
    (void)ctx;
    return INT64_C(1763726400000) + (int64_t)(world.now_us / 1000);
}

static const char *tenant_of(void *ctx, uint64_t device_id)
{
    (void)ctx, (void)device_id;
    return "t";
}

static int open_world(void **state)
{
    (void)state;
    char path[2 * TEMP_PATH_CHARS];
    const uint8_t former[WIRE_DIGEST_BYTES] = {0};
    static const struct agg_clock clock = {utc_ms, monotonic_us, NULL};
    static const struct normalizer *normalizers[1];
    memset(&world, 0, sizeof world);
    temp_folder_make(&world.folder);
    struct ledger_sqlite_config config = {.path = temp_folder_file(&world.folder, "ledger.db", path)};
    assert_true(hr_is_ok(ledger_sqlite_open(&config, &world.writer)));
    assert_true(hr_is_ok(ledger_sqlite_open_reader(&config, &world.reader)));
    batch_maker_start(&world.maker, 1, 0, former);
    world.sink = (struct sink){.name = "kafka",
                               .recover = recover,
                               .begin = begin,
                               .put_event = put_event,
                               .put_raw = put_raw,
                               .commit = commit};
    normalizers[0] = norm_device();
    const struct agg_publish_config publish = {.ledger = &world.reader,
                                               .sink = &world.sink,
                                               .clock = &clock,
                                               .encoder = &schema_encoder,
                                               .normalizers = normalizers,
                                               .n_normalizers = 1,
                                               .tenant_of = tenant_of,
                                               .transaction_max_batches = 4,
                                               .transaction_max_bytes = 100000,
                                               .recover_timeout_ms = RECOVER_MS,
                                               .retry_max_ms = 1000};
    agg_publish_init(&world.publish, &publish);
    commit_one();
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

/* One recover: time passes until the publisher wants it. */
static void step(void)
{
    uint32_t before = world.n_recovers;
    while (world.n_recovers == before) {
        uint32_t wait_ms = agg_publish_step(&world.publish);
        assert_true(wait_ms <= 1000 || world.n_recovers > before);
        world.now_us += (uint64_t)wait_ms * 1000u;
    }
}

static void a_publisher_whose_successor_came_first_asks_again_and_goes_on(void **state)
{
    (void)state;
    world.n_late = 3;
    for (int i = 0; i < 3; i++) {
        step();
        assert_int_equal(world.publish.phase, AGG_PUBLISH_RECOVERING);
        assert_false(world.publish.is_behind);
    }
    step();
    assert_int_equal(world.publish.phase, AGG_PUBLISH_RUNNING);
    assert_int_equal(world.publish.next_leaf, 4);
    assert_int_equal(world.publish.stats.failures, 3);
    assert_int_equal(world.publish.n_doubts, 0);
}

static void a_sink_that_stays_ahead_of_a_growing_ledger_is_asked_five_times_again(void **state)
{
    (void)state;
    world.n_late = UINT32_MAX;
    for (int i = 0; i < MAX_ASKED_AGAIN; i++) {
        step();
        assert_int_equal(world.publish.phase, AGG_PUBLISH_RECOVERING);
        assert_false(world.publish.is_behind);
    }
    step();
    assert_int_equal(world.publish.phase, AGG_PUBLISH_HALTED);
    assert_true(world.publish.is_behind);
    assert_int_equal(world.n_recovers, MAX_ASKED_AGAIN + 1);
    assert_int_equal(agg_publish_step(&world.publish), UINT32_MAX);
    assert_int_equal(world.n_recovers, MAX_ASKED_AGAIN + 1);
}

static void a_ledger_that_did_not_grow_meanwhile_was_rolled_back(void **state)
{
    (void)state;
    world.ahead = 1;
    step();
    assert_int_equal(world.publish.phase, AGG_PUBLISH_HALTED);
    assert_true(world.publish.is_behind);
    assert_non_null(strstr(world.publish.halt_reason, "the ledger was rolled back"));
}

static void a_ledger_that_grew_another_way_was_rolled_back(void **state)
{
    (void)state;
    world.cursor.last_digest[0] ^= 1;
    step();
    assert_int_equal(world.publish.phase, AGG_PUBLISH_HALTED);
    assert_true(world.publish.is_behind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_publisher_whose_successor_came_first_asks_again_and_goes_on,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_sink_that_stays_ahead_of_a_growing_ledger_is_asked_five_times_again,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_ledger_that_did_not_grow_meanwhile_was_rolled_back, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(a_ledger_that_grew_another_way_was_rolled_back, open_world,
                                        close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
