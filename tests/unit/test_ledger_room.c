/* SPDX-License-Identifier: Apache-2.0
 *
 * A ledger that is bounded: when it says that it is full, and how pruning makes room. */
#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "proto/base/assert.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/ledger_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { ENVELOPE_BYTES = 3000, LARGE_ENVELOPE_BYTES = 15000, BOUND_BYTES = 1024 * 1024 };
enum { MS_PER_LEAF = 1000 };

static struct temp_folder folder;
static char path[2 * TEMP_PATH_CHARS];
static struct ledger ledger;
static bool is_open;
static struct ledger_sqlite_config config;

static int set_up(void **state)
{
    (void)state;
    fault_vfs_reset();
    temp_folder_make(&folder);
    (void)temp_folder_file(&folder, "ledger.db", path);
    config = (struct ledger_sqlite_config){.path = path, .vfs = FAULT_VFS_NAME, .max_bytes = BOUND_BYTES};
    return 0;
}

static void open_it(void)
{
    assert_ok(ledger_sqlite_open(&config, &ledger));
    is_open = true;
}

static void close_it(void)
{
    ledger.close(ledger.ctx);
    is_open = false;
}

static int tear_down(void **state)
{
    (void)state;
    if (is_open) {
        close_it();
    }
    temp_folder_remove(&folder);
    return 0;
}

/* Batch `seq` of device 1, received at seq seconds, with a time anchor in every tenth. */
static struct hr_status commit_one(uint32_t seq)
{
    static uint8_t envelope[ENVELOPE_BYTES];
    struct ledger_batch batch = ledger_suite_batch(1, 0, seq, envelope, sizeof envelope);
    batch.received_utc_ms = (int64_t)seq * MS_PER_LEAF;
    struct ledger_stream row = {.device_id = 1, .cum_seq = seq};
    const struct ledger_anchor anchor = {
        .device_id = 1, .anchor = {.boot_id = 1, .uptime_ms = seq, .utc_ms = seq}, .batch_index = 0};
    struct ledger_commit change = {.batches = &batch,
                                   .n_batches = 1,
                                   .streams = &row,
                                   .n_streams = 1,
                                   .anchors = &anchor,
                                   .n_anchors = seq % 10 == 0 ? 1 : 0};
    return ledger.commit(ledger.ctx, &change);
}

static void commit_up_to(uint32_t n)
{
    uint64_t size = 0;
    assert_ok(ledger.size(ledger.ctx, &size));
    for (uint32_t seq = (uint32_t)size; seq < n; seq++) {
        assert_ok(commit_one(seq));
    }
}

static struct ledger_room room(void)
{
    struct ledger_room out;
    assert_ok(ledger.room(ledger.ctx, &out));
    return out;
}

static struct hr_status prune_below(uint64_t below, uint64_t *n_pruned)
{
    const struct ledger_prune limits = {.below_leaf = below, .before_ms = INT64_MAX, .max_batches = 10000};
    return ledger.prune(ledger.ctx, &limits, n_pruned);
}

static uint64_t prune(uint64_t below)
{
    uint64_t n_pruned = UINT64_MAX;
    assert_ok(prune_below(below, &n_pruned));
    return n_pruned;
}

static void note_leaf(void *ctx, const struct ledger_batch *batch)
{
    *(uint64_t *)ctx = batch->leaf;
}

static uint64_t first_readable(void)
{
    uint64_t leaf = UINT64_MAX;
    struct hr_status status = ledger.read(ledger.ctx, 0, 1, SIZE_MAX, note_leaf, &leaf);
    assert_true(hr_is_ok(status) || hr_is(status, HR_NOT_FOUND));
    return leaf;
}

static uint64_t file_bytes(void)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (uint64_t)status.st_size;
}

static int64_t count(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return n;
}

/* Commits until the ledger says that it is full; the next seq. */
static uint32_t fill(uint32_t seq)
{
    bool was_scarce = room().is_scarce;
    struct hr_status status = commit_one(seq);
    while (hr_is_ok(status)) {
        struct ledger_room now = room();
        assert_true(now.is_scarce || !was_scarce); /* what is scarce gets no better by itself */
        was_scarce = now.is_scarce;
        status = commit_one(++seq);
    }
    assert_int_equal(status.code, HR_FULL);
    assert_true(was_scarce);
    assert_string_equal(room().why_full, "ledger.max_bytes is reached");
    return seq;
}

static void a_full_ledger_has_room_again_once_what_is_published_is_pruned(void **state)
{
    (void)state;
    open_it();
    assert_null(room().why_full);
    uint32_t seq = 0;
    for (int cycle = 0; cycle < 12; cycle++) {
        uint32_t began = seq;
        seq = fill(seq);
        assert_true(seq > began + 100);
        assert_int_equal(commit_one(seq).code, HR_FULL);
        assert_int_equal(prune(seq - 20), seq - 20 - (cycle == 0 ? 0 : began - 20));
        assert_null(room().why_full);
        assert_false(room().is_scarce);
        assert_true(room().used_bytes < BOUND_BYTES / 2);
        assert_int_equal(first_readable(), seq - 20);
    }
    close_it(); /* which moves the WAL into the file */
    assert_true(file_bytes() <= BOUND_BYTES);
    assert_int_equal(count("SELECT count(*) FROM batch"), 20);
}

static void what_is_used_is_measured_anew_when_the_ledger_is_opened(void **state)
{
    (void)state;
    open_it();
    commit_up_to(50);
    assert_int_equal(prune(30), 30);
    uint64_t used_bytes = room().used_bytes;
    close_it();
    open_it();
    assert_int_equal(room().used_bytes, used_bytes);
    assert_int_equal(first_readable(), 30);
    assert_ok(commit_one(50));
    assert_int_equal(prune(40), 10);
}

/* What is published is deleted when the feed ledger has seen it: a store that did not fit would keep it full.
 */
static void a_full_ledger_still_stores_what_the_feed_ledger_saw(void **state)
{
    (void)state;
    open_it();
    uint32_t seq = 0;
    while (hr_is_ok(commit_one(seq))) {
        seq++;
    }
    static uint8_t notes[200 * 1024];
    const struct feed_span span = {.n_leaves = seq, .notes = hr_bytes_of(notes, sizeof notes)};
    const struct feed_change change = {.sink = "kafka", .next_leaf = seq, .spans = &span, .n_spans = 1};
    assert_ok(ledger.feeds->write(ledger.ctx, &change));
    assert_code(commit_one(seq), HR_FULL);
    assert_int_equal(prune(seq - 20), seq - 20);
    assert_ok(commit_one(seq));
}

static void a_reader_has_no_room_to_tell(void **state)
{
    (void)state;
    open_it();
    commit_up_to(5);
    struct ledger reader;
    assert_ok(ledger_sqlite_open_reader(&config, &reader));
    struct ledger_room out;
    assert_code(reader.room(reader.ctx, &out), HR_DENIED);
    reader.close(reader.ctx);
}

static void a_failing_fsync_while_pruning_ends_all_writing(void **state)
{
    (void)state;
    open_it();
    commit_up_to(50);
    uint64_t n_pruned = 0;
    fault_vfs_fail_sync(1);
    assert_code(prune_below(30, &n_pruned), HR_IO);
    assert_code(prune_below(30, &n_pruned), HR_IO);
    assert_code(commit_one(50), HR_IO);
    struct ledger_room out;
    assert_code(ledger.room(ledger.ctx, &out), HR_IO);
    close_it();
    open_it();
    assert_true(first_readable() == 0 || first_readable() == 30); /* unknown then, known now */
}

static void a_disk_with_too_little_left_is_full(void **state)
{
    (void)state;
    config.max_bytes = 0;
    open_it();
    commit_up_to(5);
    assert_null(room().why_full);
    close_it();
    config.min_free_bytes = UINT64_MAX / 4;
    open_it();
    assert_string_equal(room().why_full, "the disk has less than ledger.min_free left");
    assert_true(room().is_scarce);
    assert_code(commit_one(5), HR_FULL);
    assert_int_equal(first_readable(), 0);
}

/* A reader that never ends keeps the WAL from being moved; it is bounded all the same. */
static void a_reader_that_stands_still_can_not_make_the_wal_grow_without_end(void **state)
{
    (void)state;
    enum { GROUP = 64, MAX_GROUPS = 400 };
    static uint8_t envelopes[GROUP][LARGE_ENVELOPE_BYTES];
    config.max_bytes = 0;
    open_it();
    commit_up_to(1);
    sqlite3 *reader = NULL;
    assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM log_head", NULL, NULL, NULL), SQLITE_OK);
    struct hr_status status = hr_ok();
    int n_groups = 0;
    for (; hr_is_ok(status) && n_groups < MAX_GROUPS; n_groups++) {
        struct ledger_batch batches[GROUP];
        for (uint32_t i = 0; i < GROUP; i++) {
            batches[i] =
                ledger_suite_batch(2, 0, (uint32_t)n_groups * GROUP + i, envelopes[i], sizeof envelopes[i]);
        }
        const struct ledger_commit change = {.batches = batches, .n_batches = GROUP};
        status = ledger.commit(ledger.ctx, &change);
    }
    assert_int_equal(status.code, HR_FULL);
    assert_string_equal(room().why_full, "a reader keeps the write-ahead log from being moved");
    assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_null(room().why_full);
    assert_ok(commit_one(1));
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
}

#define ROOM_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(a_full_ledger_has_room_again_once_what_is_published_is_pruned),
        ROOM_TEST(a_full_ledger_still_stores_what_the_feed_ledger_saw),
        ROOM_TEST(what_is_used_is_measured_anew_when_the_ledger_is_opened),
        ROOM_TEST(a_reader_has_no_room_to_tell),
        ROOM_TEST(a_failing_fsync_while_pruning_ends_all_writing),
        ROOM_TEST(a_disk_with_too_little_left_is_full),
        ROOM_TEST(a_reader_that_stands_still_can_not_make_the_wal_grow_without_end),
    };
    return cmocka_run_group_tests_name("room of a ledger", tests, NULL, NULL);
}
