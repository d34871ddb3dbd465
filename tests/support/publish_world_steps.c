/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/publish_world.h"

#include "tests/support/test_cmocka.h"

#include <string.h>

enum { STEPS = 500 };

/* Few observations and fewer contents, so that much is said again. */
static struct edge_record random_rows(struct publish_made *made)
{
    struct edge_record record = {.kind = EDGE_CHUNK,
                                 .dt_ms = test_random_below(&publish_world.random, 30000)};
    uint8_t *rows = made->rows[made->n_records];
    uint8_t n_rows = (uint8_t)(1 + test_random_below(&publish_world.random, OBSERVED_ROWS_MAX));
    uint8_t first = (uint8_t)test_random_below(&publish_world.random, 250);
    for (uint8_t i = 0; i < n_rows; i++) {
        rows[2 * i] = (uint8_t)(first + 11 * test_random_below(&publish_world.random, 3));
        rows[2 * i + 1] = (uint8_t)test_random_below(&publish_world.random, 2);
    }
    made->n_rows[made->n_records++] = n_rows;
    record.as.chunk.len_bytes = (uint16_t)(2 * n_rows);
    memcpy(record.as.chunk.data, rows, record.as.chunk.len_bytes);
    return record;
}

static struct edge_record random_record(struct publish_made *made)
{
    struct test_random *random = &publish_world.random;
    struct edge_record record = {.kind = EDGE_AIS, .dt_ms = test_random_below(random, 30000)};
    if (test_random_below(random, 8) == 0) {
        record.kind = EDGE_BOOT;
        record.as.boot.boot_id = 1;
        made->seeds[made->n_records++] = 0;
        return record;
    }
    if (publish_world.has_documents && test_random_below(random, 4) == 0) {
        return random_rows(made);
    }
    if (test_random_below(random, 12) == 0) {
        record.dt_ms = test_random_below(random, 5 * PUBLISH_WORLD_HOUR_MS);
    }
    struct edge_ais *ais = &record.as.ais;
    ais->payload_chars = 28;
    ais->channel = 'A';
    memcpy(ais->talker, "AI", 2);
    ais->payload[0] = (uint8_t)(1 + test_random_below(random, 250));
    made->seeds[made->n_records++] = ais->payload[0];
    return record;
}

/* Mostly now, sometimes out of an old spool, sometimes by a clock that is mad. */
static int64_t random_time(void)
{
    int64_t now_ms = publish_world_utc_ms(NULL);
    switch (test_random_below(&publish_world.random, 20)) {
    case 0:
        return now_ms - (int64_t)test_random_below(&publish_world.random, 72) * PUBLISH_WORLD_HOUR_MS;
    case 1:
        return now_ms + (int64_t)test_random_below(&publish_world.random, 20) * PUBLISH_WORLD_HOUR_MS;
    case 2:
        return now_ms + INT64_C(500) * 24 * PUBLISH_WORLD_HOUR_MS;
    default:
        return now_ms - (int64_t)test_random_below(&publish_world.random, 90000);
    }
}

void publish_world_commit(void)
{
    static struct made_batch batch;
    struct edge_record records[64];
    if (publish_world.n_leaves == PUBLISH_WORLD_LEAVES) {
        return;
    }
    struct publish_made *made = &publish_world.made[publish_world.n_leaves];
    *made = (struct publish_made){.received_ms = publish_world_utc_ms(NULL)};
    uint16_t n = (uint16_t)test_random_below(&publish_world.random, 12);
    for (uint16_t i = 0; i < n; i++) {
        records[i] = random_record(made);
    }
    struct batch_maker *maker =
        &publish_world.makers[test_random_below(&publish_world.random, PUBLISH_WORLD_DEVICES)];
    maker->boot_id = (uint32_t)publish_world.n_leaves + 1; /* so that each batch has a time of its own */
    batch_maker_next(maker, records, n, 0, &batch);
    memcpy(made->digest, batch.digest, sizeof made->digest);
    struct ledger_batch row = {.device_id = batch.header.device_id,
                               .stream = batch.header.stream,
                               .seq = batch.header.batch_seq,
                               .received_utc_ms = made->received_ms,
                               .envelope = hr_bytes_of(batch.bytes, batch.len_bytes)};
    memcpy(row.digest, batch.digest, sizeof row.digest);
    const struct ledger_anchor anchor = {.device_id = row.device_id,
                                         .anchor = {.boot_id = maker->boot_id,
                                                    .uptime_ms = batch.header.base_uptime_ms,
                                                    .utc_ms = (uint64_t)random_time()}};
    struct ledger_commit change = {.batches = &row, .n_batches = 1, .anchors = &anchor, .n_anchors = 1};
    change.n_anchors = test_random_below(&publish_world.random, 10) > 0 ? 1 : 0;
    assert_ok(publish_world.writer.commit(publish_world.writer.ctx, &change));
    assert_true(row.leaf == publish_world.n_leaves);
    publish_world.n_leaves++;
}

uint64_t publish_world_replay(int64_t from_ms, int64_t to_ms, bool dry_run)
{
    static const char *const sinks[] = {"kafka"};
    struct feed_replay replay = {.from_ms = from_ms, .to_ms = to_ms, .dry_run = dry_run};
    bool is_of_sim =
        !publish_world.has_documents || from_ms == 0 || test_random_below(&publish_world.random, 3) > 0;
    (void)snprintf(replay.feed, sizeof replay.feed, "%s",
                   is_of_sim ? publish_world_schema.topic : observed_schema.topic);
    uint64_t id = 0;
    struct hr_status added =
        publish_world.writer.feeds->add_replay(publish_world.writer.ctx, &replay, sinks, 1, &id);
    assert_true(hr_is_ok(added) || hr_is(added, HR_FULL));
    agg_replay_ask(&publish_world.replay);
    publish_world.n_replays++;
    return id;
}

static void random_replay(void)
{
    int64_t from_ms = publish_world_utc_ms(NULL) -
                      (int64_t)test_random_below(&publish_world.random, 80) * PUBLISH_WORLD_HOUR_MS;
    (void)publish_world_replay(from_ms,
                               from_ms + (int64_t)(1 + test_random_below(&publish_world.random, 100)) *
                                             PUBLISH_WORLD_HOUR_MS,
                               test_random_below(&publish_world.random, 4) == 0);
}

void publish_world_step(void)
{
    uint32_t wait_ms = agg_publish_step(&publish_world.publish);
    assert_true(publish_world.publish.phase != AGG_PUBLISH_HALTED || publish_world.model.is_dead);
    publish_world.now_us +=
        wait_ms > 0 && test_random_below(&publish_world.random, 3) == 0 ? wait_ms * UINT64_C(1000) : 700;
}

void publish_world_run(void)
{
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t roll = test_random_below(&publish_world.random, 100);
        if (roll < 15) {
            for (uint32_t n = 1 + test_random_below(&publish_world.random, 6); n > 0; n--) {
                publish_world_commit();
            }
        } else if (roll < 19) {
            random_replay();
        } else if (roll < 22) {
            publish_world_restart(true, test_random_below(&publish_world.random, 3) == 0);
        } else if (roll < 23) {
            publish_world.model.n_crashes++;
            publish_world_restart(false, test_random_below(&publish_world.random, 6) == 0);
        } else if (roll < 25) {
            publish_world.now_us += test_random_below(&publish_world.random, 3) * UINT64_C(1800000000);
        } else {
            publish_world_step();
        }
        if (publish_world.model.is_dead) {
            publish_world_restart(false, test_random_below(&publish_world.random, 8) == 0);
        }
    }
}

static void look_for_unfinished(void *ctx, const struct feed_replay *replay)
{
    *(bool *)ctx |= replay->state == FEED_PENDING || replay->state == FEED_RUNNING;
}

bool publish_world_is_replaying(void)
{
    bool found = false;
    assert_ok(
        publish_world.writer.feeds->replays(publish_world.writer.ctx, NULL, look_for_unfinished, &found));
    return found;
}

void publish_world_finish(void)
{
    publish_world.model.trouble = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        publish_world_step();
        bool is_done = publish_world.publish.phase == AGG_PUBLISH_RUNNING &&
                       publish_world.publish.next_leaf == publish_world.n_leaves &&
                       publish_world.fold.next_leaf == publish_world.n_leaves &&
                       !publish_world_is_replaying();
        if (is_done) {
            assert_ok(agg_fold_store(&publish_world.fold, true));
            return;
        }
    }
    fail_msg("it does not come to its end");
}

static struct feed_replay found_replay;

static void find_replay(void *ctx, const struct feed_replay *replay)
{
    if (replay->id == *(const uint64_t *)ctx) {
        found_replay = *replay;
    }
}

uint64_t publish_world_replay_all(void)
{
    uint64_t id = publish_world_replay(0, INT64_MAX, false);
    publish_world_finish();
    assert_ok(publish_world.writer.feeds->replays(publish_world.writer.ctx, NULL, find_replay, &id));
    assert_int_equal(found_replay.id, id);
    assert_int_equal(found_replay.state, FEED_COMPLETED);
    assert_true(found_replay.next_leaf >= found_replay.end_leaf);
    return found_replay.n_changed;
}
