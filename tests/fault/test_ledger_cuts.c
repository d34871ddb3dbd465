/* SPDX-License-Identifier: Apache-2.0
 *
 * The power fails at every write, truncate and fsync of the ledger, and again while it recovers. What was
 * committed is there afterwards; what was not is there whole or not at all. */
#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/ledger_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N_GROUPS = 6, GROUP_BATCHES = 3, ENVELOPE_BYTES = 3000 };

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

/* Opens what is there and checks it against what was acknowledged; gives the number of leaves. */
static uint32_t check_recovered(uint32_t n_acknowledged)
{
    struct ledger ledger;
    assert_ok(open_ledger(&ledger));
    uint64_t size = 0;
    assert_ok(ledger.size(ledger.ctx, &size));
    assert_true(size >= n_acknowledged && size <= n_acknowledged + GROUP_BATCHES);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(committed_batches_survive_a_power_cut_at_every_operation),
        cmocka_unit_test(committed_batches_survive_a_second_cut_while_recovering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
