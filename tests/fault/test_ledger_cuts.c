/* SPDX-License-Identifier: Apache-2.0
 *
 * The power fails at every write, truncate and fsync of the ledger, and again while it recovers; or the disk
 * fails at one of them: no space, an error, a write of half the bytes; or the write-ahead log ends at any of
 * its frames. What was committed is there afterwards; what was not is there whole or not at all. */
#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "proto/base/assert.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/ledger_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N_GROUPS = 6, GROUP_BATCHES = 3, ENVELOPE_BYTES = 3000, N_ALL = N_GROUPS * GROUP_BATCHES };
enum { WAL_HEADER_BYTES = 32, FRAME_HEADER_BYTES = 24, FILE_MAX_BYTES = 1 << 20 };

static struct temp_folder folder;
static char path[2 * TEMP_PATH_CHARS];
static uint8_t envelopes[GROUP_BATCHES][ENVELOPE_BYTES];

static struct hr_status open_ledger(struct ledger *out)
{
    struct ledger_sqlite_config config = {.path = path, .vfs = FAULT_VFS_NAME};
    return ledger_sqlite_open(&config, out);
}

static struct hr_status commit_group(const struct ledger *ledger, uint32_t first_seq)
{
    struct ledger_batch batches[GROUP_BATCHES];
    for (uint32_t i = 0; i < GROUP_BATCHES; i++) {
        batches[i] = ledger_suite_batch(1, 0, first_seq + i, envelopes[i], ENVELOPE_BYTES);
    }
    struct ledger_stream row = {.device_id = 1, .cum_seq = first_seq + GROUP_BATCHES - 1};
    struct ledger_commit change = {
        .batches = batches, .n_batches = GROUP_BATCHES, .streams = &row, .n_streams = 1};
    return ledger->commit(ledger->ctx, &change);
}

/* Commits groups until the power fails or all are in; gives the batches whose commit returned HR_OK. */
static uint32_t run_until_cut(uint32_t n_committed)
{
    struct ledger ledger;
    if (!hr_is_ok(open_ledger(&ledger))) {
        return n_committed;
    }
    while (n_committed < N_GROUPS * GROUP_BATCHES && hr_is_ok(commit_group(&ledger, n_committed))) {
        n_committed += GROUP_BATCHES;
    }
    ledger.close(ledger.ctx);
    return n_committed;
}

struct check {
    uint32_t n;
};

static void check_batch(void *ctx, const struct ledger_batch *batch)
{
    struct check *check = ctx;
    static uint8_t bytes[ENVELOPE_BYTES];
    struct ledger_batch want = ledger_suite_batch(1, 0, check->n, bytes, sizeof bytes);
    assert_int_equal(batch->leaf, check->n);
    assert_int_equal(batch->seq, check->n);
    assert_memory_equal(batch->digest, want.digest, WIRE_DIGEST_BYTES);
    assert_int_equal(batch->envelope.len_bytes, sizeof bytes);
    assert_memory_equal(batch->envelope.data, bytes, sizeof bytes);
    check->n++;
}

static void see_stream(void *ctx, const struct ledger_stream *stream)
{
    *(uint32_t *)ctx = stream->cum_seq + 1;
}

/* Opens what is there, which must be whole groups, each once and in order; gives the number of leaves. */
static uint32_t check_whole(void)
{
    struct ledger ledger;
    assert_ok(open_ledger(&ledger));
    uint64_t size = 0;
    assert_ok(ledger.size(ledger.ctx, &size));
    assert_int_equal(size % GROUP_BATCHES, 0);
    uint32_t n_stream = 0;
    assert_ok(ledger.load_streams(ledger.ctx, see_stream, &n_stream));
    assert_int_equal(n_stream, size);
    struct check check = {0};
    struct hr_status status = ledger.read(ledger.ctx, 0, 1000, SIZE_MAX, check_batch, &check);
    assert_true(hr_is_ok(status) || (size == 0 && hr_is(status, HR_NOT_FOUND)));
    assert_int_equal(check.n, size);
    ledger.close(ledger.ctx);
    return (uint32_t)size;
}

/* The same, and checks it against what was acknowledged. */
static uint32_t check_recovered(uint32_t n_acknowledged)
{
    uint32_t size = check_whole();
    assert_true(size >= n_acknowledged && size <= n_acknowledged + GROUP_BATCHES);
    return size;
}

static void start_over(void)
{
    fault_vfs_reset();
    temp_folder_make(&folder);
    (void)temp_folder_file(&folder, "ledger.db", path);
}

/* Memory is gone after a power cut, and so is SQLite's shared memory. */
static void power_on(struct test_random *random)
{
    char name[sizeof path + 4];
    (void)snprintf(name, sizeof name, "%s-shm", path);
    (void)unlink(name);
    fault_vfs_power_on(random);
}

static void committed_batches_survive_a_power_cut_at_every_operation(void **state)
{
    (void)state;
    struct test_random random = test_random_start(20261121);
    uint32_t n_cuts = 0;
    for (bool was_cut = true; was_cut;) {
        start_over();
        fault_vfs_cut_at(n_cuts + 1);
        uint32_t n_acknowledged = run_until_cut(0);
        was_cut = fault_vfs_was_cut();
        power_on(&random);
        uint32_t size = check_recovered(n_acknowledged);
        assert_int_equal(run_until_cut(size), N_GROUPS * GROUP_BATCHES);
        assert_int_equal(check_recovered(N_GROUPS * GROUP_BATCHES), N_GROUPS * GROUP_BATCHES);
        temp_folder_remove(&folder);
        n_cuts += was_cut ? 1 : 0;
    }
    print_message("%u cuts\n", n_cuts);
    assert_true(n_cuts > 50);
}

static void committed_batches_survive_a_second_cut_while_recovering(void **state)
{
    (void)state;
    struct test_random random = test_random_start(20261122);
    uint32_t n_cuts = 0;
    for (uint32_t first = 1; first < 400; first += 9) {
        bool was_second_cut = true;
        for (uint32_t second = 1; was_second_cut; second++) {
            start_over();
            fault_vfs_cut_at(first);
            uint32_t n_acknowledged = run_until_cut(0);
            if (!fault_vfs_was_cut()) {
                temp_folder_remove(&folder);
                print_message("%u double cuts\n", n_cuts);
                assert_true(n_cuts > 200);
                return;
            }
            power_on(&random);
            fault_vfs_cut_at(second);
            struct ledger ledger;
            if (hr_is_ok(open_ledger(&ledger))) {
                ledger.close(ledger.ctx);
            }
            was_second_cut = fault_vfs_was_cut();
            n_cuts += was_second_cut ? 1 : 0;
            power_on(&random);
            (void)check_recovered(n_acknowledged);
            temp_folder_remove(&folder);
        }
    }
    fail_msg("the run is longer than the sweep");
}

/* ---- a disk that fails once ---- */

struct tally {
    uint32_t n_refused; /* HR_FULL: the group came again */
    uint32_t n_unknown; /* HR_IO: the ledger was opened again and asked */
};

/* One life of the process: it commits until all is in or an outcome is unknown. Gives what it knows to be
 * committed. */
static uint32_t live(uint32_t n_acknowledged, struct tally *tally)
{
    struct ledger ledger;
    if (!hr_is_ok(open_ledger(&ledger))) {
        return n_acknowledged;
    }
    uint64_t size = 0;
    assert_ok(ledger.size(ledger.ctx, &size));
    assert_true(size >= n_acknowledged && size <= n_acknowledged + GROUP_BATCHES);
    uint32_t n = (uint32_t)size;
    bool is_known = true;
    while (n < N_ALL && is_known) {
        struct hr_status status = commit_group(&ledger, n);
        n += hr_is_ok(status) ? GROUP_BATCHES : 0;
        tally->n_refused += hr_is(status, HR_FULL) ? 1 : 0;
        is_known = hr_is_ok(status) || hr_is(status, HR_FULL);
        assert_true(is_known || hr_is(status, HR_IO));
    }
    tally->n_unknown += is_known ? 0 : 1;
    ledger.close(ledger.ctx);
    return n;
}

static void sweep(enum fault_vfs_kind kind, const char *name)
{
    struct test_random random = test_random_start(20261123);
    struct tally tally = {0};
    uint32_t n_faults = 0;
    for (bool has_failed = true; has_failed;) {
        start_over();
        fault_vfs_fail_at(n_faults + 1, kind);
        for (uint32_t n = 0; n < N_ALL;) {
            n = live(n, &tally);
            power_on(&random); /* what a failed fsync did not write may be dropped by the kernel */
        }
        has_failed = fault_vfs_has_failed();
        fault_vfs_fail_at(0, kind);
        assert_int_equal(check_recovered(N_ALL), N_ALL);
        temp_folder_remove(&folder);
        n_faults += has_failed ? 1 : 0;
    }
    print_message("%s: %u faults, %u groups refused and taken later, %u outcomes looked up\n", name, n_faults,
                  tally.n_refused, tally.n_unknown);
    assert_true(n_faults > 30 && tally.n_refused + tally.n_unknown > 10);
}

static void each_group_is_there_once_whichever_write_finds_no_space(void **state)
{
    (void)state;
    sweep(FAULT_VFS_ENOSPC, "no space");
}

static void each_group_is_there_once_whichever_operation_fails(void **state)
{
    (void)state;
    sweep(FAULT_VFS_EIO, "input/output error");
}

static void each_group_is_there_once_whichever_write_is_short(void **state)
{
    (void)state;
    sweep(FAULT_VFS_SHORT_WRITE, "short write");
}

/* ---- a write-ahead log that ends early ---- */

struct file_copy {
    uint8_t bytes[FILE_MAX_BYTES];
    size_t len_bytes;
};

static void read_file(const char *suffix, struct file_copy *out)
{
    char name[sizeof path + 4];
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    FILE *file = fopen(name, "rb");
    HR_ASSERT(file != NULL);
    out->len_bytes = fread(out->bytes, 1, sizeof out->bytes, file);
    assert_true(out->len_bytes < sizeof out->bytes);
    assert_int_equal(fclose(file), 0);
}

static void write_file(const char *suffix, const struct file_copy *copy, size_t len_bytes)
{
    char name[sizeof path + 4];
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    FILE *file = fopen(name, "wb");
    HR_ASSERT(file != NULL);
    assert_int_equal(fwrite(copy->bytes, 1, len_bytes, file), len_bytes);
    assert_int_equal(fclose(file), 0);
}

static void a_wal_that_ends_at_any_frame_or_within_it_leaves_whole_groups(void **state)
{
    (void)state;
    static struct file_copy database, wal;
    struct ledger ledger;
    start_over();
    assert_ok(open_ledger(&ledger));
    for (uint32_t n = 0; n < N_ALL; n += GROUP_BATCHES) {
        assert_ok(commit_group(&ledger, n));
    }
    read_file("", &database);
    read_file("-wal", &wal);
    ledger.close(ledger.ctx);
    temp_folder_remove(&folder);
    const uint8_t *page = wal.bytes + 8; /* the page size is the third word of the header */
    size_t frame_bytes = FRAME_HEADER_BYTES + ((size_t)page[0] << 24 | (size_t)page[1] << 16 |
                                               (size_t)page[2] << 8 | (size_t)page[3]);
    uint32_t n_frames = (uint32_t)((wal.len_bytes - WAL_HEADER_BYTES) / frame_bytes);
    uint32_t n_seen = 0;
    uint32_t n_steps = 0;
    for (uint32_t half = 0; half <= 2 * n_frames; half++) {
        start_over();
        write_file("", &database, database.len_bytes);
        write_file("-wal", &wal, WAL_HEADER_BYTES + half * frame_bytes / 2);
        uint32_t size = check_whole();
        assert_true(size == n_seen || size == n_seen + GROUP_BATCHES);
        n_steps += size > n_seen ? 1 : 0;
        n_seen = size;
        assert_int_equal(run_until_cut(size), N_ALL);
        assert_int_equal(check_whole(), N_ALL);
        temp_folder_remove(&folder);
    }
    print_message("%u ends of %u frames; each of %u groups appeared with the last of its frames\n",
                  2 * n_frames + 1, n_frames, n_steps);
    assert_int_equal(n_seen, N_ALL);
    assert_int_equal(n_steps, N_GROUPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(committed_batches_survive_a_power_cut_at_every_operation),
        cmocka_unit_test(committed_batches_survive_a_second_cut_while_recovering),
        cmocka_unit_test(each_group_is_there_once_whichever_write_finds_no_space),
        cmocka_unit_test(each_group_is_there_once_whichever_operation_fails),
        cmocka_unit_test(each_group_is_there_once_whichever_write_is_short),
        cmocka_unit_test(a_wal_that_ends_at_any_frame_or_within_it_leaves_whole_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
