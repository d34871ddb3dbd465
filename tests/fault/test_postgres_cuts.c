/* SPDX-License-Identifier: Apache-2.0
 *
 * The connection to PostgreSQL breaks at every place of a commit, either way: what the ledger says of the
 * commit is what the log then holds. And sessions that are left behind with the head in their hands keep
 * nobody out. */
#include "tests/support/pg_proxy.h"
#include "tests/support/postgres_lab.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

enum { STEP_TO_SERVER_BYTES = 53, STEP_TO_CLIENT_BYTES = 5, MAX_CUTS = 400, SHORT_MS = 10000 };

static struct postgres_lab lab;
static struct pg_proxy proxy;

static int set_up(void **state)
{
    (void)state;
    postgres_lab_renew(&lab);
    pg_proxy_start(&proxy, lab.server.socket);
    (void)snprintf(lab.host, sizeof lab.host, "%s", proxy.folder.path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_proxy_stop(&proxy);
    return 0;
}

/* Commits groups, each with a cut a step later than the one before, until one comes through uncut. Gives how
 * many were cut. */
static uint32_t sweep(const struct ledger *ledger, enum pg_proxy_way way, long step_bytes, uint32_t *seq)
{
    for (uint32_t n_cuts = 0; n_cuts < MAX_CUTS; n_cuts++) {
        pg_proxy_arm(&proxy, way, PG_PROXY_CUT, (long)n_cuts * step_bytes);
        assert_ok(postgres_lab_commit(ledger, PG_LAB_DEVICE, *seq));
        *seq += PG_LAB_GROUP;
        if (!pg_proxy_disarm(&proxy)) {
            return n_cuts;
        }
    }
    fail_msg("a commit is longer than the sweep");
    return 0;
}

static void a_commit_is_told_as_it_came_out_wherever_the_connection_breaks(void **state)
{
    (void)state;
    struct ledger ledger;
    uint32_t seq = 0;
    assert_ok(postgres_lab_open(&lab, &ledger));
    uint32_t n_up = sweep(&ledger, PG_PROXY_TO_SERVER, STEP_TO_SERVER_BYTES, &seq);
    uint32_t n_down = sweep(&ledger, PG_PROXY_TO_CLIENT, STEP_TO_CLIENT_BYTES, &seq);
    ledger.close(ledger.ctx);
    uint32_t n_stood = postgres_lab_logged(&lab, "was under way: it stands");
    uint32_t n_undone = postgres_lab_logged(&lab, "it did not come through");
    print_message("%u cuts on the way to the server, %u on the way back; %u commits stood, %u did not\n",
                  n_up, n_down, n_stood, n_undone);
    assert_true(n_up > 20 && n_down > 20);
    assert_true(n_stood > 5 && n_undone > 20);
    assert_int_equal(postgres_lab_check(&lab, &seq, 1), seq);
}

/* The server has half of a commit, its client has gone without a word, and the head is locked. */
static void a_session_that_was_left_behind_with_the_head_is_ended(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(postgres_lab_open(&lab, &ledger));
    pg_proxy_arm(&proxy, PG_PROXY_TO_SERVER, PG_PROXY_FORGET, 1000);
    assert_ok(postgres_lab_commit(&ledger, PG_LAB_DEVICE, 0));
    assert_true(pg_proxy_disarm(&proxy));
    assert_int_equal(postgres_lab_logged(&lab, "which was ended"), 1);
    assert_int_equal(postgres_lab_logged(&lab, "it did not come through"), 1);
    assert_ok(postgres_lab_commit(&ledger, PG_LAB_DEVICE, PG_LAB_GROUP));
    ledger.close(ledger.ctx);
    uint32_t n = 2 * PG_LAB_GROUP;
    (void)postgres_lab_check(&lab, &n, 1);
}

struct stalled {
    struct ledger ledger;
    struct hr_status status;
};

static void *commit_into_nothing(void *ctx)
{
    struct stalled *stalled = ctx;
    stalled->status = postgres_lab_commit(&stalled->ledger, PG_LAB_DEVICE, 0);
    return NULL;
}

/* A process that is stopped in the middle of a commit, as far as the server can see. */
static void a_writer_that_stands_still_with_the_head_is_taken_over(void **state)
{
    (void)state;
    struct stalled first;
    struct ledger second;
    pthread_t thread;
    assert_ok(postgres_lab_open(&lab, &first.ledger));
    pg_proxy_arm(&proxy, PG_PROXY_TO_SERVER, PG_PROXY_STALL, 1000);
    assert_int_equal(pthread_create(&thread, NULL, commit_into_nothing, &first), 0);
    char is_locked[256];
    (void)snprintf(is_locked, sizeof is_locked,
                   "SELECT count(*) FROM pg_locks WHERE relation = '\"%s\".log_head'::regclass"
                   " AND mode = 'RowExclusiveLock'",
                   lab.schema);
    postgres_server_wait(&lab.server, is_locked, 1);
    assert_ok(postgres_lab_open(&lab, &second)); /* over a connection that carries */
    assert_int_equal(postgres_lab_logged(&lab, "which was ended"), 1);
    assert_ok(postgres_lab_commit(&second, PG_LAB_DEVICE, 0));
    pg_proxy_let_go(&proxy); /* the first goes on */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(first.status.code, HR_DENIED);
    assert_int_equal(postgres_lab_logged(&lab, "this ledger was taken over by"), 1);
    first.ledger.close(first.ledger.ctx);
    assert_ok(postgres_lab_commit(&second, PG_LAB_DEVICE, PG_LAB_GROUP));
    second.close(second.ctx);
    uint32_t n = 2 * PG_LAB_GROUP;
    (void)postgres_lab_check(&lab, &n, 1);
}

/* Nothing comes back any more, and no new connection is to be had. */
static void a_commit_that_is_not_answered_in_time_has_an_unknown_end(void **state)
{
    (void)state;
    struct ledger ledger;
    lab.commit_timeout_ms = SHORT_MS;
    assert_ok(postgres_lab_open(&lab, &ledger));
    assert_ok(postgres_lab_commit(&ledger, PG_LAB_DEVICE, 0));
    pg_proxy_arm(&proxy, PG_PROXY_TO_CLIENT, PG_PROXY_STALL, 0);
    postgres_lab_sql(&lab, "ALTER ROLE headrace NOLOGIN");
    assert_code(postgres_lab_commit(&ledger, PG_LAB_DEVICE, PG_LAB_GROUP), HR_IO);
    postgres_lab_sql(&lab, "ALTER ROLE headrace LOGIN");
    assert_code(postgres_lab_commit(&ledger, PG_LAB_DEVICE, PG_LAB_GROUP), HR_IO); /* and stays so */
    assert_int_equal(postgres_lab_logged(&lab, "could not be read back"), 1);
    ledger.close(ledger.ctx);
    lab.commit_timeout_ms = 0;
    assert_ok(postgres_lab_open(&lab, &ledger)); /* which knows */
    uint64_t n_leaves = 0;
    assert_ok(ledger.size(ledger.ctx, &n_leaves));
    assert_int_equal(n_leaves, 2 * PG_LAB_GROUP);
    ledger.close(ledger.ctx);
    uint32_t n = 2 * PG_LAB_GROUP;
    (void)postgres_lab_check(&lab, &n, 1);
}

#define CUT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CUT_TEST(a_commit_is_told_as_it_came_out_wherever_the_connection_breaks),
        CUT_TEST(a_session_that_was_left_behind_with_the_head_is_ended),
        CUT_TEST(a_writer_that_stands_still_with_the_head_is_taken_over),
        CUT_TEST(a_commit_that_is_not_answered_in_time_has_an_unknown_end),
    };
    postgres_lab_start(&lab, NULL);
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_lab_stop(&lab);
    return n_failed;
}
