/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's side of a commit dies: its backend is ended or cancelled at each step, the whole server is
 * killed and comes back, its disk is full. Nothing acknowledged is lost, nothing is there twice. */
#include "proto/base/assert.h"
#include "tests/support/postgres_lab.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_random.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_RANDOM_ENDS = 60, N_SERVER_KILLS = 5 };

static struct postgres_lab lab;
static struct temp_folder full_disk; /* of the files that make enospc_fault strike */

/* Something that happens to the server while the test's thread commits. */
struct storm {
    pthread_t thread;
    void (*body)(struct storm *storm);
    const char *strike; /* SQL over the pid of a session, "pg_terminate_backend" */
    _Atomic bool is_over;
    uint32_t n_strikes;
};

static void *run_storm(void *ctx)
{
    struct storm *storm = ctx;
    storm->body(storm);
    atomic_store(&storm->is_over, true);
    return NULL;
}

static void begin(struct storm *storm, void (*body)(struct storm *storm))
{
    storm->body = body;
    atomic_store(&storm->is_over, false);
    HR_ASSERT(pthread_create(&storm->thread, NULL, run_storm, storm) == 0);
}

static void end(struct storm *storm)
{
    HR_ASSERT(pthread_join(storm->thread, NULL) == 0);
}

static int set_up(void **state)
{
    (void)state;
    postgres_lab_renew(&lab);
    return 0;
}

/* ---- one backend, at a known step ---- */

/* The session sleeps where a trigger of the test put it, or waits for a standby that does not exist. Its
 * sleep is called off first, so that whoever comes next passes; the standby is asked for until it was struck.
 */
static void strike_a_waiting_session(struct storm *storm)
{
    static const char waiting[] = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'headrace'"
                                  " AND wait_event IN ('PgSleep', 'SyncRep')";
    postgres_server_wait(&lab.server, waiting, 1);
    postgres_lab_sql(&lab, "UPDATE public.control SET is_sleeping = false");
    char text[256];
    (void)snprintf(text, sizeof text,
                   "SELECT count(%s(pid)) FROM pg_stat_activity WHERE usename = 'headrace'"
                   " AND wait_event IN ('PgSleep', 'SyncRep')",
                   storm->strike);
    storm->n_strikes = (uint32_t)postgres_server_number(&lab.server, text);
    postgres_server_sql(&lab.server, "ALTER SYSTEM RESET synchronous_standby_names");
    postgres_server_sql(&lab.server, "SELECT pg_reload_conf()");
}

static const char make_control[] =
    "CREATE TABLE IF NOT EXISTS public.control (is_sleeping boolean);"
    "GRANT ALL ON public.control TO PUBLIC; TRUNCATE public.control; INSERT INTO public.control VALUES "
    "(false);"
    "CREATE OR REPLACE FUNCTION public.sleep_here() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " IF (SELECT is_sleeping FROM public.control) THEN PERFORM pg_sleep(3600); END IF; RETURN NEW; END $$";

struct step {
    const char *name;
    const char *sql; /* makes a commit wait there */
    bool stands;     /* what was reached is durable when the backend dies there */
};

static const struct step steps[] = {
    {"before the head is moved",
     "CREATE TRIGGER s BEFORE UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION"
     " public.sleep_here()",
     false},
    {"behind the head, before the batches",
     "CREATE TRIGGER s BEFORE INSERT ON batch FOR EACH STATEMENT"
     " EXECUTE FUNCTION public.sleep_here()",
     false},
    {"behind the batches",
     "CREATE TRIGGER s AFTER INSERT ON stream_state FOR EACH STATEMENT EXECUTE FUNCTION"
     " public.sleep_here()",
     false},
    {"in COMMIT, before it is written",
     "CREATE CONSTRAINT TRIGGER s AFTER INSERT ON batch DEFERRABLE"
     " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.sleep_here()",
     false},
    {"in COMMIT, when it is written", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", true},
};

static void strike_at(const struct step *step, const char *strike)
{
    struct ledger ledger;
    postgres_lab_renew(&lab);
    assert_ok(postgres_lab_open(&lab, &ledger));
    assert_ok(postgres_lab_commit(&ledger, PG_LAB_DEVICE, 0));
    postgres_server_sql(&lab.server, make_control);
    if (strncmp(step->sql, "ALTER SYSTEM", 12) == 0) {
        postgres_server_sql(&lab.server, step->sql);
        postgres_server_sql(&lab.server, "SELECT pg_reload_conf()");
        postgres_server_wait(&lab.server,
                             "SELECT (current_setting('synchronous_standby_names') = 'nobody')::int", 1);
    } else {
        postgres_lab_sql(&lab, step->sql);
        postgres_lab_sql(&lab, "UPDATE public.control SET is_sleeping = true");
    }
    struct storm storm = {.strike = strike};
    begin(&storm, strike_a_waiting_session);
    struct hr_status status = postgres_lab_commit(&ledger, PG_LAB_DEVICE, PG_LAB_GROUP);
    end(&storm);
    assert_int_equal(storm.n_strikes, 1);
    bool is_cancel = strstr(strike, "cancel") != NULL;
    uint32_t n_stood = postgres_lab_logged(&lab, "was under way: it stands");
    uint32_t n_undone = postgres_lab_logged(&lab, "it did not come through");
    print_message("%s %s: %s\n", strike, step->name, hr_code_name(status.code));
    if (is_cancel && !step->stands) {
        assert_int_equal(status.code, HR_AGAIN); /* the server said so itself, and nothing changed */
        assert_int_equal(n_stood + n_undone, 0);
        assert_ok(postgres_lab_commit(&ledger, PG_LAB_DEVICE, PG_LAB_GROUP));
    } else {
        assert_int_equal(status.code, HR_OK);
        assert_int_equal(n_stood, step->stands ? 1 : 0);
        assert_int_equal(n_undone, step->stands ? 0 : 1);
    }
    assert_ok(postgres_lab_commit(&ledger, PG_LAB_DEVICE, 2 * PG_LAB_GROUP));
    ledger.close(ledger.ctx);
    uint32_t n = 3 * PG_LAB_GROUP;
    (void)postgres_lab_check(&lab, &n, 1);
}

static void a_backend_that_is_ended_at_any_step_of_a_commit_loses_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(steps); i++) {
        strike_at(&steps[i], "pg_terminate_backend");
    }
}

static void a_commit_that_is_cancelled_at_any_step_loses_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(steps); i++) {
        strike_at(&steps[i], "pg_cancel_backend");
    }
}

/* ---- at random ---- */

static void end_backends(struct storm *storm)
{
    struct test_random random = test_random_start(11);
    for (; storm->n_strikes < N_RANDOM_ENDS; storm->n_strikes++) {
        (void)poll(NULL, 0, (int)test_random_below(&random, 30));
        (void)postgres_server_number(&lab.server,
                                     "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                     " WHERE usename = 'headrace'");
    }
}

static void kill_server(struct storm *storm)
{
    struct test_random random = test_random_start(12);
    for (; storm->n_strikes < N_SERVER_KILLS; storm->n_strikes++) {
        (void)poll(NULL, 0, (int)test_random_below(&random, 400));
        postgres_server_kill(&lab.server);
        postgres_server_restart(&lab.server);
    }
}

static void commit_through(void (*body)(struct storm *storm))
{
    struct ledger ledger;
    struct storm storm = {.n_strikes = 0};
    uint32_t seq = 0;
    assert_ok(postgres_lab_open(&lab, &ledger));
    begin(&storm, body);
    while (!atomic_load(&storm.is_over)) {
        postgres_lab_commit_surely(&ledger, PG_LAB_DEVICE, seq);
        seq += PG_LAB_GROUP;
    }
    end(&storm);
    ledger.close(ledger.ctx);
    uint32_t n_settled = postgres_lab_logged(&lab, "was under way");
    print_message("%u strikes, %u commits, %u of them settled from the head, %u times connected again\n",
                  storm.n_strikes, seq / PG_LAB_GROUP, n_settled,
                  postgres_lab_logged(&lab, "PostgreSQL again"));
    /* A strike may find nobody, while the ledger connects again after the one before; not every one does. */
    assert_true(n_settled + postgres_lab_logged(&lab, "PostgreSQL again") > 0);
    assert_int_equal(postgres_lab_check(&lab, &seq, 1), seq);
}

static void backends_that_are_ended_at_random_lose_nothing(void **state)
{
    (void)state;
    commit_through(end_backends);
}

static void a_server_that_is_killed_and_comes_back_loses_nothing(void **state)
{
    (void)state;
    commit_through(kill_server);
}

/* ---- a full disk ---- */

static void fill_disk(const char *area, bool is_full)
{
    char path[2 * TEMP_PATH_CHARS];
    (void)temp_folder_file(&full_disk, area, path);
    FILE *file = is_full ? fopen(path, "we") : NULL;
    HR_ASSERT(is_full ? file != NULL && fclose(file) == 0 : unlink(path) == 0);
}

/* A batch that needs new pages, which a row of the usual size seldom does. */
static struct hr_status commit_large(const struct ledger *ledger)
{
    static uint8_t large[60000];
    struct ledger_batch batch = ledger_suite_batch(1, 0, 0, large, sizeof large);
    struct ledger_commit change = {.batches = &batch, .n_batches = 1};
    return ledger->commit(ledger->ctx, &change);
}

static void a_full_disk_changes_nothing_and_a_later_commit_succeeds(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(postgres_lab_open(&lab, &ledger));
    assert_ok(postgres_lab_commit(&ledger, PG_LAB_DEVICE, 0));
    fill_disk("base", true);
    for (int i = 0; i < 3; i++) {
        assert_code(commit_large(&ledger), HR_FULL);
    }
    assert_int_equal(postgres_lab_logged(&lab, "SQLSTATE 53100"), 3);
    fill_disk("base", false);
    postgres_lab_commit_surely(&ledger, PG_LAB_DEVICE, PG_LAB_GROUP);
    ledger.close(ledger.ctx);
    uint32_t n = 2 * PG_LAB_GROUP;
    assert_int_equal(postgres_lab_check(&lab, &n, 1), n);
}

/* A server that can't write its log falls; when it is back, the head says what came through. */
static void bring_server_back(struct storm *storm)
{
    postgres_server_wait_away(&lab.server);
    fill_disk("pg_wal", false);
    postgres_server_restart(&lab.server);
    storm->n_strikes++;
}

static void a_disk_that_is_full_for_the_servers_log_loses_nothing(void **state)
{
    (void)state;
    struct ledger ledger;
    struct storm storm = {.n_strikes = 0};
    assert_ok(postgres_lab_open(&lab, &ledger));
    assert_ok(postgres_lab_commit(&ledger, PG_LAB_DEVICE, 0));
    fill_disk("pg_wal", true);
    begin(&storm, bring_server_back);
    postgres_lab_commit_surely(&ledger, PG_LAB_DEVICE, PG_LAB_GROUP);
    end(&storm);
    assert_true(postgres_lab_logged(&lab, "was under way") >= 1);
    ledger.close(ledger.ctx);
    uint32_t n = 2 * PG_LAB_GROUP;
    (void)postgres_lab_check(&lab, &n, 1);
}

#define BACKEND_TEST(name) cmocka_unit_test_setup(name, set_up)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        BACKEND_TEST(a_backend_that_is_ended_at_any_step_of_a_commit_loses_nothing),
        BACKEND_TEST(a_commit_that_is_cancelled_at_any_step_loses_nothing),
        BACKEND_TEST(backends_that_are_ended_at_random_lose_nothing),
        BACKEND_TEST(a_server_that_is_killed_and_comes_back_loses_nothing),
        BACKEND_TEST(a_full_disk_changes_nothing_and_a_later_commit_succeeds),
        BACKEND_TEST(a_disk_that_is_full_for_the_servers_log_loses_nothing),
    };
    HR_ASSERT(argc == 2); /* the library of enospc_fault.c */
    temp_folder_make(&full_disk);
    HR_ASSERT(chmod(full_disk.path, 0755) == 0 && setenv("HEADRACE_ENOSPC", full_disk.path, 1) == 0);
    postgres_lab_start(&lab, argv[1]);
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_lab_stop(&lab);
    temp_folder_remove(&full_disk);
    return n_failed;
}
