/* SPDX-License-Identifier: Apache-2.0
 *
 * A process that commits without end is killed at random moments. Whatever it said was committed is there
 * when the ledger is opened again, and the leaves are dense. */
#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "proto/base/assert.h"
#include "tests/support/ledger_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_random.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_KILLS = 60, N_DEVICES = 4, GROUP_BATCHES = 8, ENVELOPE_BYTES = 900 };

static char path[2 * TEMP_PATH_CHARS];

/* Tells the parent, over the pipe, how many leaves are committed; ends by SIGKILL only. */
static void commit_for_ever(const struct ledger *ledger, uint64_t n_leaves, int pipe_out)
{
    static uint8_t envelopes[GROUP_BATCHES][ENVELOPE_BYTES];
    for (;;) {
        struct ledger_batch batches[GROUP_BATCHES];
        for (uint32_t i = 0; i < GROUP_BATCHES; i++) {
            uint64_t leaf = n_leaves + i;
            batches[i] = ledger_suite_batch(leaf % N_DEVICES, 0, (uint32_t)(leaf / N_DEVICES), envelopes[i],
                                            ENVELOPE_BYTES);
        }
        struct ledger_commit change = {.batches = batches, .n_batches = GROUP_BATCHES};
        HR_ASSERT(hr_is_ok(ledger->commit(ledger->ctx, &change)));
        n_leaves = batches[GROUP_BATCHES - 1].leaf + 1;
        HR_ASSERT(write(pipe_out, &n_leaves, sizeof n_leaves) == (ssize_t)sizeof n_leaves);
    }
}

static struct hr_status open_ledger(struct ledger *out)
{
    struct ledger_sqlite_config config = {.path = path};
    return ledger_sqlite_open(&config, out);
}

static void child(int pipe_out)
{
    struct ledger ledger;
    HR_ASSERT(hr_is_ok(open_ledger(&ledger)));
    uint64_t n_leaves = 0;
    HR_ASSERT(hr_is_ok(ledger.size(ledger.ctx, &n_leaves)));
    HR_ASSERT(write(pipe_out, &n_leaves, sizeof n_leaves) == (ssize_t)sizeof n_leaves);
    commit_for_ever(&ledger, n_leaves, pipe_out);
}

/* Lets a child commit until it has reported `n_reports` groups and some more microseconds, kills it, and
 * gives the last number that it reported. */
static uint64_t run_and_kill(uint32_t n_reports, uint32_t more_us)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        child(ends[1]);
        _exit(1);
    }
    assert_int_equal(close(ends[1]), 0);
    uint64_t last = 0;
    for (uint32_t i = 0; i < n_reports; i++) {
        assert_int_equal(read(ends[0], &last, sizeof last), sizeof last);
    }
    /* pselect on no file is a wait with a deadline; where in a commit it ends is the chance that this test is
     * about. */
    struct timespec wait = {.tv_nsec = (long)more_us * 1000};
    (void)pselect(0, NULL, NULL, NULL, &wait, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(ends[0], &last, sizeof last) == (ssize_t)sizeof last) {
    }
    assert_int_equal(close(ends[0]), 0);
    return last;
}

static void check_batch(void *ctx, const struct ledger_batch *batch)
{
    uint64_t *next = ctx;
    static uint8_t bytes[ENVELOPE_BYTES];
    struct ledger_batch want =
        ledger_suite_batch(*next % N_DEVICES, 0, (uint32_t)(*next / N_DEVICES), bytes, sizeof bytes);
    assert_true(batch->leaf == *next);
    assert_true(batch->device_id == want.device_id && batch->seq == want.seq);
    assert_memory_equal(batch->envelope.data, bytes, sizeof bytes);
    (*next)++;
}

static void nothing_acknowledged_is_missing_after_a_kill_at_any_time(void **state)
{
    (void)state;
    struct test_random random = test_random_start(7);
    struct temp_folder folder;
    temp_folder_make(&folder);
    (void)temp_folder_file(&folder, "ledger.db", path);
    uint64_t n_checked = 0;
    for (uint32_t i = 0; i < N_KILLS; i++) {
        uint64_t acknowledged =
            run_and_kill(1 + test_random_below(&random, 12), test_random_below(&random, 3000));
        struct ledger ledger;
        assert_ok(open_ledger(&ledger));
        uint64_t size = 0;
        assert_ok(ledger.size(ledger.ctx, &size));
        assert_true(size >= acknowledged);
        assert_true(size <= acknowledged + GROUP_BATCHES); /* one commit may have been on its way */
        while (n_checked < size) {
            assert_ok(ledger.read(ledger.ctx, n_checked, 1000, 1 << 20, check_batch, &n_checked));
        }
        assert_true(n_checked == size);
        ledger.close(ledger.ctx);
    }
    print_message("%d kills, %llu leaves\n", N_KILLS, (unsigned long long)n_checked);
    assert_true(n_checked > N_KILLS);
    temp_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_missing_after_a_kill_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
