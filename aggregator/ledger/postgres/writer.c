/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may commit: taking over, and keeping the place over a new connection. Both raise the epoch, so that no
 * transaction of an older connection, wherever it is stuck, can commit any more; and both wait behind its row
 * lock, so that what they read is the truth. */
#include "aggregator/ledger/postgres/internal.h"
#include "proto/base/failpoint.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { RETRY_MS = 100, HOST_MAX_CHARS = 64 };

#define THIS_SESSION                                                                                         \
    "writer_epoch = writer_epoch + 1, writer_pid = pg_backend_pid(),"                                        \
    " writer_session = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())"

void ledger_pg_name_writer(struct ledger_postgres *ledger)
{
    char host[HOST_MAX_CHARS + 1] = "";
    uint64_t random = 0;
    (void)gethostname(host, sizeof host - 1);
    HR_ASSERT(getrandom(&random, sizeof random, 0) == (ssize_t)sizeof random);
    (void)snprintf(ledger->writer_name, sizeof ledger->writer_name, "%s, process %ld (%016llx)", host,
                   (long)getpid(), (unsigned long long)random);
}

/* Ends the session that the head names as its writer's, which sits on the row: of a process that was stopped
 * in the middle of a commit, or of a machine that has gone. */
static void end_stuck_session(struct ledger_postgres *ledger, uint64_t deadline_ms)
{
    PGresult *result = NULL;
    struct ledger_pg_answer answer = ledger_pg_query(
        &ledger->writer,
        "SELECT h.writer, pg_terminate_backend(a.pid) FROM log_head h JOIN pg_stat_activity a"
        " ON a.pid = h.writer_pid AND a.backend_start = h.writer_session WHERE a.pid <> pg_backend_pid()",
        NULL, deadline_ms, &result);
    if (answer.outcome == LEDGER_PG_DONE && PQntuples(result) == 1) {
        char name[LEDGER_PG_WRITER_CHARS + 1];
        ledger_pg_text(result, 0, 0, name, sizeof name);
        ledger_say(&ledger->report, "the head of the log was locked by the session of %s, which was ended",
                   name);
    }
    PQclear(result);
}

static void say_who_took_over(struct ledger_postgres *ledger, uint64_t deadline_ms)
{
    PGresult *result = NULL;
    struct ledger_pg_answer answer =
        ledger_pg_query(&ledger->writer, "SELECT writer FROM log_head", NULL, deadline_ms, &result);
    char name[LEDGER_PG_WRITER_CHARS + 1] = "another process";
    if (answer.outcome == LEDGER_PG_DONE && PQntuples(result) == 1) {
        ledger_pg_text(result, 0, 0, name, sizeof name);
    }
    PQclear(result);
    ledger_say(&ledger->report, "this ledger was taken over by %s: this writer (epoch %llu) stops", name,
               (unsigned long long)ledger->writer_epoch);
}

static struct hr_status connect_writer(struct ledger_postgres *ledger, uint64_t deadline_ms)
{
    return ledger_pg_connect(&ledger->writer, true, deadline_ms);
}

/* ---- keeping the place ---- */

/* One attempt; LEDGER_PG_DONE with *is_ours false: another writer stands in the head. */
static struct ledger_pg_answer claim_once(struct ledger_postgres *ledger, uint64_t deadline_ms, bool *is_ours,
                                          struct ledger_pg_head *out)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, ledger->writer_name);
    ledger->writer.is_doubtful = false;
    PGresult *result = NULL;
    struct ledger_pg_answer answer = ledger_pg_query(
        &ledger->writer,
        "UPDATE log_head SET " THIS_SESSION " WHERE writer = $1 RETURNING size, commits, writer_epoch",
        &params, deadline_ms, &result);
    if (answer.outcome != LEDGER_PG_DONE) {
        return answer;
    }
    *is_ours = PQntuples(result) == 1;
    if (*is_ours) {
        *out = (struct ledger_pg_head){.size = ledger_pg_u64(result, 0, 0),
                                       .commits = ledger_pg_u64(result, 0, 1),
                                       .epoch = ledger_pg_u64(result, 0, 2)};
    }
    PQclear(result);
    if (ledger->writer.is_doubtful) {
        /* Not even this commit is known to the standbys, so nothing before it can be either. */
        ledger_pg_disconnect(&ledger->writer);
        answer.outcome = LEDGER_PG_LOST;
    }
    return answer;
}

static struct ledger_pg_answer connect_and_claim(struct ledger_postgres *ledger, uint64_t deadline_ms,
                                                 bool *is_ours, struct ledger_pg_head *out)
{
    struct ledger_pg_answer answer = {.outcome = LEDGER_PG_LOST};
    if (ledger->writer.conn == NULL && !hr_is_ok(connect_writer(ledger, deadline_ms))) {
        return answer;
    }
    answer = claim_once(ledger, deadline_ms, is_ours, out);
    if (answer.outcome == LEDGER_PG_DONE && *is_ours) {
        answer = ledger_pg_prepare_writes(&ledger->writer, deadline_ms);
    }
    return answer;
}

struct hr_status ledger_pg_claim(struct ledger_postgres *ledger, uint64_t deadline_ms,
                                 struct ledger_pg_head *out)
{
    for (;;) {
        bool is_ours = false;
        struct ledger_pg_answer answer = connect_and_claim(ledger, deadline_ms, &is_ours, out);
        if (answer.outcome == LEDGER_PG_DONE && is_ours) {
            return hr_ok();
        }
        if (answer.outcome == LEDGER_PG_DONE) {
            say_who_took_over(ledger, deadline_ms);
            return hr_status_of(HR_DENIED);
        }
        if (ledger_pg_now_ms() + RETRY_MS >= deadline_ms) {
            return hr_status_of(HR_AGAIN);
        }
        if (strcmp(answer.sqlstate, "55P03") == 0) {
            end_stuck_session(ledger, deadline_ms);
        }
        (void)poll(NULL, 0, RETRY_MS);
    }
}

struct hr_status ledger_pg_keep_writer(struct ledger_postgres *ledger)
{
    if (ledger->is_fenced || ledger->is_broken || ledger_pg_is_connected(&ledger->writer)) {
        return hr_status_of(ledger->is_fenced ? HR_DENIED : ledger->is_broken ? HR_IO : HR_OK);
    }
    struct ledger_pg_head head;
    struct hr_status status =
        ledger_pg_claim(ledger, ledger_pg_now_ms() + ledger->target.connect_timeout_ms, &head);
    ledger->is_fenced = hr_is(status, HR_DENIED);
    HR_TRY(status);
    ledger->writer_epoch = head.epoch;
    if (head.size != atomic_load(&ledger->n_leaves) || head.commits != ledger->n_commits) {
        ledger_say(&ledger->report,
                   "the log has %llu leaves and %llu commits where this writer left %llu and %llu",
                   (unsigned long long)head.size, (unsigned long long)head.commits,
                   (unsigned long long)atomic_load(&ledger->n_leaves), (unsigned long long)ledger->n_commits);
        ledger->is_broken = true;
        return hr_status_of(HR_IO);
    }
    ledger_say(&ledger->report, "connected to PostgreSQL again, as writer of epoch %llu",
               (unsigned long long)head.epoch);
    return hr_ok();
}

/* ---- taking over ---- */

/* A server that forgets commits, or garbles names, is no ledger. */
static struct hr_status check_server(struct ledger_postgres *ledger, uint64_t deadline_ms)
{
    if (PQserverVersion(ledger->writer.conn) < LEDGER_PG_OLDEST_SERVER) {
        ledger_say(&ledger->report, "the server is older than PostgreSQL 14");
        return hr_status_of(HR_DENIED);
    }
    PGresult *result = NULL;
    struct ledger_pg_answer answer = ledger_pg_query(
        &ledger->writer, "SELECT current_setting('fsync'), current_setting('server_encoding')", NULL,
        deadline_ms, &result);
    HR_TRY(ledger_pg_status(&answer));
    char fsync[8];
    char encoding[16];
    ledger_pg_text(result, 0, 0, fsync, sizeof fsync);
    ledger_pg_text(result, 0, 1, encoding, sizeof encoding);
    PQclear(result);
    bool is_durable = strcmp(fsync, "on") == 0;
    bool is_utf8 = strcmp(encoding, "UTF8") == 0;
    if (!is_durable) {
        ledger_say(&ledger->report, "the server runs with fsync = %s: an acknowledged batch could be lost",
                   fsync);
    }
    if (!is_utf8) {
        ledger_say(&ledger->report, "the database's encoding is %s, not UTF8", encoding);
    }
    return hr_status_of(is_durable && is_utf8 ? HR_OK : HR_DENIED);
}

static struct hr_status take_head(struct ledger_postgres *ledger, uint64_t deadline_ms)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, ledger->writer_name);
    PGresult *result = NULL;
    struct ledger_pg_answer answer = ledger_pg_query(&ledger->writer,
                                                     "UPDATE log_head SET writer = $1, " THIS_SESSION
                                                     " RETURNING size, commits, writer_epoch, origin",
                                                     &params, deadline_ms, &result);
    HR_TRY(ledger_pg_status(&answer));
    bool is_there = PQntuples(result) == 1;
    if (is_there) {
        atomic_store(&ledger->n_leaves, ledger_pg_u64(result, 0, 0));
        ledger->n_commits = ledger_pg_u64(result, 0, 1);
        ledger->writer_epoch = ledger_pg_u64(result, 0, 2);
        ledger_pg_text(result, 0, 3, ledger->origin, sizeof ledger->origin);
    }
    PQclear(result);
    return hr_status_of(is_there ? HR_OK : HR_CORRUPT);
}

/* All of a first start, or of a take-over, in one transaction. The advisory lock keeps two first starts
 * apart; it fences nobody. */
static struct hr_status take_over_once(struct ledger_postgres *ledger, uint64_t deadline_ms)
{
    struct ledger_pg_answer answer = ledger_pg_script(&ledger->writer, "BEGIN", deadline_ms);
    HR_TRY(ledger_pg_status(&answer));
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, ledger->target.schema);
    answer = ledger_pg_query(&ledger->writer,
                             "SELECT pg_advisory_xact_lock(hashtextextended('headrace ledger ' || $1, 0))",
                             &params, deadline_ms, NULL);
    HR_TRY(ledger_pg_status(&answer));
    uint64_t version = 0;
    HR_TRY(ledger_pg_check_schema(&ledger->writer, deadline_ms, &version));
    HR_TRY(ledger_pg_migrate(ledger, version, deadline_ms));
    HR_TRY(take_head(ledger, deadline_ms));
    HR_FAILPOINT("ledger_head_taken");
    ledger->writer.is_doubtful = false;
    answer = ledger_pg_script(&ledger->writer, "COMMIT", deadline_ms);
    HR_TRY(ledger_pg_status(&answer));
    return hr_status_of(ledger->writer.is_doubtful ? HR_IO : HR_OK);
}

struct hr_status ledger_pg_take_over(struct ledger_postgres *ledger, uint64_t deadline_ms)
{
    HR_TRY(connect_writer(ledger, ledger_pg_now_ms() + ledger->target.connect_timeout_ms));
    HR_TRY(check_server(ledger, deadline_ms));
    struct hr_status status = take_over_once(ledger, deadline_ms);
    while (hr_is(status, HR_AGAIN) && ledger_pg_now_ms() < deadline_ms) {
        struct ledger_pg_answer answer = ledger_pg_script(&ledger->writer, "ROLLBACK", deadline_ms);
        if (answer.outcome == LEDGER_PG_DONE) {
            end_stuck_session(ledger, deadline_ms);
        } else {
            HR_TRY(connect_writer(ledger, deadline_ms));
        }
        (void)poll(NULL, 0, RETRY_MS);
        status = take_over_once(ledger, deadline_ms);
    }
    HR_TRY(status);
    struct ledger_pg_answer answer = ledger_pg_prepare_writes(&ledger->writer, deadline_ms);
    return ledger_pg_status(&answer);
}
