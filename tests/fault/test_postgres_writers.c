/* SPDX-License-Identifier: Apache-2.0
 *
 * Writers that take one ledger from each other, over and over, each for a device of its own. What a writer
 * was told is committed is there, once; what it was not told is there or not, and then a duplicate says so.
 */
#include "proto/base/assert.h"
#include "tests/support/postgres_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_random.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_WRITERS = 3, N_TAKE_OVERS = 12, MAX_COMMITS = 12, OPEN_TRIES = 50, RETRY_MS = 100 };

static struct postgres_lab lab;

struct contender {
    pthread_t thread;
    uint64_t device_id;
    uint64_t seed;
    uint32_t next_seq; /* all below were told to be committed, or found to be */
    uint32_t n_denied;
    uint32_t n_found; /* groups that stood although nobody had said so */
};

/* As a device does that sends again after a restart of the aggregator: is it there already? */
static void find_place(struct contender *contender, const struct ledger *ledger)
{
    uint8_t digest[WIRE_DIGEST_BYTES];
    struct hr_status status =
        ledger->find_digest(ledger->ctx, contender->device_id, 0, contender->next_seq, digest);
    if (hr_is_ok(status)) {
        contender->next_seq += PG_LAB_GROUP;
        contender->n_found++;
    } else {
        HR_ASSERT(hr_is(status, HR_NOT_FOUND) || hr_is(status, HR_IO)); /* HR_IO: taken over again */
    }
}

/* While it lasts: until another takes over, or enough is committed. */
static void hold(struct contender *contender, const struct ledger *ledger, uint32_t n_commits)
{
    uint8_t envelopes[PG_LAB_GROUP][PG_LAB_ENVELOPE_BYTES];
    struct hr_status status = hr_ok();
    for (uint32_t i = 0; i < n_commits && !hr_is(status, HR_DENIED); i++) {
        struct ledger_batch batches[PG_LAB_GROUP];
        for (uint32_t k = 0; k < PG_LAB_GROUP; k++) {
            batches[k] = ledger_suite_batch(contender->device_id, 0, contender->next_seq + k, envelopes[k],
                                            PG_LAB_ENVELOPE_BYTES);
        }
        struct ledger_stream row = {.device_id = contender->device_id,
                                    .cum_seq = contender->next_seq + PG_LAB_GROUP - 1};
        struct ledger_commit change = {
            .batches = batches, .n_batches = PG_LAB_GROUP, .streams = &row, .n_streams = 1};
        status = ledger->commit(ledger->ctx, &change);
        HR_ASSERT(hr_is_ok(status) || hr_is(status, HR_DENIED) || hr_is(status, HR_AGAIN));
        contender->next_seq += hr_is_ok(status) ? PG_LAB_GROUP : 0;
        contender->n_denied += hr_is(status, HR_DENIED) ? 1 : 0;
    }
}

static void *contend(void *ctx)
{
    struct contender *contender = ctx;
    struct test_random random = {contender->seed};
    for (uint32_t i = 0; i < N_TAKE_OVERS; i++) {
        struct ledger ledger;
        struct hr_status status = postgres_lab_open(&lab, &ledger);
        for (int tries = 0; hr_is(status, HR_AGAIN) && tries < OPEN_TRIES; tries++) {
            (void)poll(NULL, 0, RETRY_MS);
            status = postgres_lab_open(&lab, &ledger);
        }
        HR_ASSERT(hr_is_ok(status));
        find_place(contender, &ledger);
        hold(contender, &ledger, 1 + test_random_below(&random, MAX_COMMITS));
        ledger.close(ledger.ctx);
    }
    return NULL;
}

static void writers_that_take_over_from_each_other_lose_and_double_nothing(void **state)
{
    (void)state;
    struct test_random random = test_random_start(21);
    struct contender contenders[N_WRITERS];
    uint32_t n_batches[N_WRITERS];
    postgres_lab_renew(&lab);
    for (uint32_t i = 0; i < N_WRITERS; i++) {
        contenders[i] = (struct contender){.device_id = PG_LAB_DEVICE + i, .seed = test_random_next(&random)};
        assert_int_equal(pthread_create(&contenders[i].thread, NULL, contend, &contenders[i]), 0);
    }
    uint32_t n_denied = 0;
    for (uint32_t i = 0; i < N_WRITERS; i++) {
        assert_int_equal(pthread_join(contenders[i].thread, NULL), 0);
        n_denied += contenders[i].n_denied;
        struct ledger ledger;
        assert_ok(postgres_lab_open(&lab, &ledger));
        find_place(&contenders[i], &ledger); /* what its last commit, of unknown end, may have left */
        ledger.close(ledger.ctx);
        n_batches[i] = contenders[i].next_seq;
        print_message("writer %u: %u commits, %u times denied, %u commits found\n", i,
                      contenders[i].next_seq / PG_LAB_GROUP, contenders[i].n_denied, contenders[i].n_found);
    }
    assert_true(n_denied >= N_TAKE_OVERS);
    (void)postgres_lab_check(&lab, n_batches, N_WRITERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writers_that_take_over_from_each_other_lose_and_double_nothing),
    };
    postgres_lab_start(&lab, NULL);
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_lab_stop(&lab);
    return n_failed;
}
