/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/publish_truth.h"

#include "aggregator/normalize/device/device.h"
#include "proto/base/assert.h"
#include "tests/support/publish_world.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <string.h>

/* By leaf, record and output: what was published of an event. */
struct seen {
    uint16_t n;        /* times */
    uint16_t revision; /* the last */
    int64_t value;
};

static struct seen seen[PUBLISH_WORLD_LEAVES][64][2];

void publish_truth_records(void)
{
    struct model_place last[MODEL_PARTITIONS] = {{0}};
    bool has_last[MODEL_PARTITIONS] = {false};
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < publish_world.model.n_records; i++) {
        const struct model_record *record = &publish_world.model.records[i];
        if (!record->is_committed) {
            continue;
        }
        if (record->replay == 0) {
            const struct model_place *before = &last[record->partition];
            assert_true(!has_last[record->partition] || record->place.leaf > before->leaf ||
                        (record->place.leaf == before->leaf && record->place.index > before->index));
            has_last[record->partition] = true;
            last[record->partition] = record->place;
        }
        if (!record->is_event || strcmp(record->feed, publish_world_schema.topic) != 0) {
            continue;
        }
        struct seen *it = &seen[record->place.leaf][record->record][record->output];
        if (record->replay == 0) {
            assert_int_equal(it->n, 0);
            assert_int_equal(record->revision, 0);
        } else {
            assert_true(record->revision >= 1);
            assert_true(record->revision > it->revision);
            if (!publish_world.was_upgraded_in_a_crash) {
                assert_int_equal(record->revision, it->revision + 1);
                assert_true(it->n == 0 || it->value != record->value);
            }
        }
        it->n++;
        it->revision = record->revision;
        it->value = record->value;
    }
}

void publish_truth_observed(void)
{
    static struct seen rows[PUBLISH_WORLD_LEAVES][64][OBSERVED_ROWS_MAX];
    static struct observed_model model;
    memset(rows, 0, sizeof rows);
    memset(&model, 0, sizeof model);
    for (size_t i = 0; i < publish_world.model.n_records; i++) {
        const struct model_record *record = &publish_world.model.records[i];
        if (record->is_committed && record->is_event && strcmp(record->feed, observed_schema.topic) == 0) {
            struct seen *it = &rows[record->place.leaf][record->record][record->output];
            /* Nothing changes, so a replay finds what nobody can tell any more, if anything. */
            assert_true(record->replay == 0 ||
                        (publish_world.was_upgraded_in_a_crash && it->n == 1 && it->value == record->value));
            it->n = (uint16_t)(it->n + (record->replay == 0 ? 1 : 0));
            it->value = record->value;
        }
    }
    for (uint64_t leaf = 0; leaf < publish_world.n_leaves; leaf++) {
        const struct publish_made *made = &publish_world.made[leaf];
        for (uint32_t at = 0; at < 64u * OBSERVED_ROWS_MAX; at++) {
            uint32_t record = at / OBSERVED_ROWS_MAX;
            uint32_t row = at % OBSERVED_ROWS_MAX;
            int64_t value = 0;
            bool is_event = row < made->n_rows[record] &&
                            observed_expect(&model, made->rows[record] + (size_t)2 * row, &value);
            assert_int_equal(rows[leaf][record][row].n, is_event ? 1 : 0);
            assert_true(!is_event || rows[leaf][record][row].value == value);
        }
    }
}

void publish_truth_complete(bool all_replayed)
{
    for (uint64_t leaf = 0; leaf < publish_world.n_leaves; leaf++) {
        const struct publish_made *made = &publish_world.made[leaf];
        for (uint16_t record = 0; record < made->n_records; record++) {
            if (made->seeds[record] == 0) {
                continue;
            }
            const struct seen *it = seen[leaf][record];
            assert_true(it[0].n >= 1);
            if (all_replayed) {
                assert_true(it[0].value == publish_world_value(publish_world.version, made->seeds[record]));
                assert_int_equal(it[1].n > 0,
                                 publish_world_has_second(publish_world.version, made->seeds[record]));
            }
        }
    }
}

/* ---- the fold, once more and simply ---- */

enum { MAX_ENTRIES = 4000 };

struct expected {
    const char *feed;
    int64_t hour;
    struct feed_entry entry;
    uint64_t in_leaf; /* + 1 */
    int64_t latest_ms;
    int64_t low[MODEL_PARTITIONS], high[MODEL_PARTITIONS];
};

static struct expected expected[MAX_ENTRIES];
static size_t n_expected;
static struct feed_entry stored[MAX_ENTRIES];
static size_t n_stored;

static struct expected *expect(const char *feed, int64_t hour, int64_t watermark_ms)
{
    for (size_t i = 0; i < n_expected; i++) {
        if (expected[i].hour == hour && strcmp(expected[i].feed, feed) == 0) {
            return &expected[i];
        }
    }
    HR_ASSERT(n_expected < MAX_ENTRIES);
    struct expected *it = &expected[n_expected++];
    *it = (struct expected){.feed = feed, .hour = hour, .low = {-1, -1, -1, -1}, .high = {-1, -1, -1, -1}};
    it->entry.state = (hour + 1) * PUBLISH_WORLD_HOUR_MS <= watermark_ms ? FEED_COMPLETED : FEED_RUNNING;
    it->entry.first_leaf = UINT64_MAX;
    return it;
}

static int64_t hour_of(const struct model_record *record)
{
    int64_t received_ms = publish_world.made[record->place.leaf].received_ms;
    int64_t at_ms = record->occurred_at_us / 1000;
    bool is_sane = at_ms <= received_ms + 24 * PUBLISH_WORLD_HOUR_MS &&
                   at_ms >= received_ms - INT64_C(400) * 24 * PUBLISH_WORLD_HOUR_MS;
    return (is_sane ? at_ms : received_ms) / PUBLISH_WORLD_HOUR_MS;
}

static int by_leaf(const void *a, const void *b)
{
    const struct model_record *x = *(const struct model_record *const *)a;
    const struct model_record *y = *(const struct model_record *const *)b;
    if (x->place.leaf != y->place.leaf) {
        return x->place.leaf < y->place.leaf ? -1 : 1;
    }
    return x->place.index < y->place.index ? -1 : x->place.index > y->place.index;
}

static void end_leaf(uint64_t leaf, const char *feed, int64_t *watermark_ms)
{
    int64_t reached_ms = *watermark_ms;
    for (size_t i = 0; i < n_expected; i++) {
        struct expected *it = &expected[i];
        if (it->in_leaf != leaf + 1 || strcmp(it->feed, feed) != 0) {
            continue;
        }
        struct feed_entry *entry = &it->entry;
        int64_t received_ms = publish_world.made[leaf].received_ms;
        int64_t latest_ms = it->latest_ms < received_ms ? it->latest_ms : received_ms;
        entry->n_late += entry->state == FEED_COMPLETED ? 1 : 0;
        entry->n_batches++;
        entry->first_leaf = entry->first_leaf == UINT64_MAX ? leaf : entry->first_leaf;
        entry->last_leaf = leaf;
        entry->watermark_ms = latest_ms > entry->watermark_ms ? latest_ms : entry->watermark_ms;
        reached_ms = entry->watermark_ms > reached_ms ? entry->watermark_ms : reached_ms;
        const struct hr_bytes parts[] = {hr_bytes_of(entry->content, sizeof entry->content),
                                         hr_bytes_of(publish_world.made[leaf].digest, WIRE_DIGEST_BYTES)};
        uint8_t content[WIRE_DIGEST_BYTES];
        wire_sha256(test_hash(), parts, 2, content);
        memcpy(entry->content, content, sizeof content);
    }
    *watermark_ms = reached_ms;
    for (size_t i = 0; i < n_expected; i++) {
        if (strcmp(expected[i].feed, feed) == 0 &&
            (expected[i].hour + 1) * PUBLISH_WORLD_HOUR_MS <= reached_ms) {
            expected[i].entry.state = FEED_COMPLETED;
        }
    }
}

static void fold_feed(const char *feed, const struct model_record **live, size_t n_live)
{
    int64_t watermark_ms = 0;
    uint32_t last_record = UINT32_MAX;
    for (size_t i = 0; i < n_live; i++) {
        const struct model_record *record = live[i];
        if (strcmp(record->feed, feed) != 0) {
            continue;
        }
        struct expected *it = expect(feed, hour_of(record), watermark_ms);
        int64_t at_ms = record->occurred_at_us / 1000;
        if (it->in_leaf != record->place.leaf + 1) {
            it->in_leaf = record->place.leaf + 1;
            it->latest_ms = INT64_MIN;
            last_record = UINT32_MAX;
        }
        it->entry.n_events++;
        it->entry.n_records += record->record != last_record ? 1 : 0;
        last_record = record->record;
        it->latest_ms = at_ms > it->latest_ms ? at_ms : it->latest_ms;
        size_t next = i + 1;
        while (next < n_live && strcmp(live[next]->feed, feed) != 0) {
            next++;
        }
        if (next == n_live || live[next]->place.leaf != record->place.leaf) {
            end_leaf(record->place.leaf, feed, &watermark_ms);
        }
    }
}

static void take_stored(void *ctx, const struct feed_entry *entry)
{
    (void)ctx;
    HR_ASSERT(n_stored < MAX_ENTRIES);
    stored[n_stored++] = *entry;
}

static void take_position(void *ctx, const struct feed_position *position)
{
    const struct expected *it = ctx;
    assert_int_equal(position->first_offset, it->low[position->sink_partition]);
    assert_int_equal(position->last_offset, it->high[position->sink_partition]);
}

static void check_entry(const struct feed_entry *entry)
{
    struct expected *it = NULL;
    for (size_t i = 0; i < n_expected; i++) {
        if (expected[i].hour * PUBLISH_WORLD_HOUR_MS == entry->from_ms &&
            strcmp(expected[i].feed, entry->feed) == 0) {
            it = &expected[i];
        }
    }
    HR_ASSERT(it != NULL);
    assert_int_equal(entry->n_batches, it->entry.n_batches);
    assert_int_equal(entry->n_records, it->entry.n_records);
    assert_int_equal(entry->n_late, it->entry.n_late);
    assert_int_equal(entry->first_leaf, it->entry.first_leaf);
    assert_int_equal(entry->last_leaf, it->entry.last_leaf);
    assert_int_equal(entry->state, it->entry.state);
    assert_true(entry->watermark_ms == it->entry.watermark_ms);
    assert_memory_equal(entry->content, it->entry.content, sizeof entry->content);
    /* What the process that crashed had delivered is folded by the normalizers of the one after it. */
    if (!publish_world.was_upgraded_in_a_crash) {
        assert_int_equal(entry->n_events, it->entry.n_events);
        assert_int_equal(entry->n_revised, it->entry.n_revised);
        assert_int_equal(entry->revision, it->entry.revision);
    }
    assert_true(entry->n_placed <= entry->n_events + entry->n_revised);
    if (entry->n_placed == it->entry.n_events + it->entry.n_revised) {
        assert_ok(publish_world.writer.feeds->positions(publish_world.writer.ctx, entry, take_position, it));
    }
}

void publish_truth_entries(void)
{
    static const struct model_record *live[MODEL_MAX_RECORDS];
    size_t n_live = 0;
    n_expected = n_stored = 0;
    for (size_t i = 0; i < publish_world.model.n_records; i++) {
        const struct model_record *record = &publish_world.model.records[i];
        if (record->is_committed && record->is_event && record->replay == 0) {
            live[n_live++] = record;
        }
    }
    qsort((void *)live, n_live, sizeof live[0], by_leaf);
    fold_feed(publish_world_schema.topic, live, n_live);
    fold_feed(observed_schema.topic, live, n_live);
    fold_feed(norm_device_schema.topic, live, n_live);
    for (size_t i = 0; i < publish_world.model.n_records; i++) {
        const struct model_record *record = &publish_world.model.records[i];
        if (!record->is_committed || !record->is_event) {
            continue;
        }
        struct expected *it = expect(record->feed, hour_of(record), 0);
        it->entry.n_revised += record->replay != 0 ? 1 : 0;
        it->entry.revision = record->revision > it->entry.revision ? record->revision : it->entry.revision;
        int64_t *low = &it->low[record->partition];
        *low = *low < 0 || record->offset < *low ? record->offset : *low;
        it->high[record->partition] = record->offset;
    }
    const struct feed_query all = {.sink = "kafka"};
    assert_ok(publish_world.writer.feeds->entries(publish_world.writer.ctx, &all, take_stored, NULL));
    assert_int_equal(n_stored, n_expected);
    for (size_t i = 0; i < n_stored; i++) {
        check_entry(&stored[i]);
    }
}
