/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/postgres/internal.h"

#include "proto/base/failpoint.h"

enum { COMMIT_TRIES = 2 };

struct ledger_pg_answer ledger_pg_prepare_writes(struct ledger_pg_link *link, uint64_t deadline_ms)
{
    size_t n = 0;
    const struct ledger_pg_statement *rows = ledger_pg_statements(&n);
    struct ledger_pg_pipeline pipeline;
    ledger_pg_pipeline_begin(&pipeline, link);
    for (size_t i = 0; i < n; i++) {
        ledger_pg_pipeline_prepare(&pipeline, rows[i].name, rows[i].sql);
    }
    return ledger_pg_pipeline_wait(&pipeline, deadline_ms);
}

/* Sends the transaction and waits for its end. A commit that a standby may not have heard of counts as lost.
 */
static struct ledger_pg_answer run_change(struct ledger_postgres *ledger, const struct ledger_commit *change)
{
    struct ledger_pg_pipeline pipeline;
    ledger->writer.is_doubtful = false;
    ledger_pg_pipeline_begin(&pipeline, &ledger->writer);
    if (!hr_is_ok(ledger_pg_send_change(ledger, &pipeline, change))) {
        /* COMMIT was not sent, so the server undoes what was. */
        ledger_pg_disconnect(&ledger->writer);
        return (struct ledger_pg_answer){.outcome = LEDGER_PG_LOST};
    }
    HR_FAILPOINT("ledger_sent");
    struct ledger_pg_answer answer =
        ledger_pg_pipeline_wait(&pipeline, ledger_pg_now_ms() + ledger->commit_timeout_ms);
    HR_FAILPOINT("ledger_answered");
    if (answer.outcome == LEDGER_PG_DONE && ledger->writer.is_doubtful) {
        ledger_pg_disconnect(&ledger->writer);
        answer.outcome = LEDGER_PG_LOST;
    }
    return answer;
}

static struct hr_status give_up(struct ledger_postgres *ledger)
{
    ledger->is_broken = true;
    return hr_status_of(HR_IO);
}

static struct hr_status be_fenced(struct ledger_postgres *ledger)
{
    ledger->is_fenced = true;
    return hr_status_of(HR_DENIED);
}

/* The server said no before COMMIT, so nothing changed. What it can't say to a sound change ends the process.
 */
static struct hr_status refuse(struct ledger_postgres *ledger, const struct ledger_pg_answer *answer)
{
    struct ledger_pg_answer rolled_back =
        ledger_pg_script(&ledger->writer, "ROLLBACK", ledger_pg_now_ms() + ledger->commit_timeout_ms);
    if (rolled_back.outcome != LEDGER_PG_DONE) {
        ledger_pg_disconnect(&ledger->writer);
    }
    struct hr_status status = ledger_pg_status(answer);
    if (hr_is(status, HR_DENIED)) {
        return be_fenced(ledger);
    }
    return hr_is(status, HR_IO) ? give_up(ledger) : status;
}

/* The connection is gone and nobody knows how far the transaction came: the head knows. HR_AGAIN: it did not
 * come to its end, and never will. */
static struct hr_status settle(struct ledger_postgres *ledger, const struct ledger_commit *change)
{
    struct ledger_pg_head head;
    struct hr_status status = ledger_pg_claim(ledger, ledger_pg_now_ms() + ledger->commit_timeout_ms, &head);
    if (hr_is(status, HR_DENIED)) {
        return be_fenced(ledger);
    }
    if (!hr_is_ok(status)) {
        ledger_say(&ledger->report, "the outcome of a commit could not be read back in %u ms",
                   ledger->commit_timeout_ms);
        return give_up(ledger);
    }
    ledger->writer_epoch = head.epoch;
    uint64_t n_leaves = atomic_load(&ledger->n_leaves);
    bool is_committed = head.commits == ledger->n_commits + 1 && head.size == n_leaves + change->n_batches;
    bool is_undone = head.commits == ledger->n_commits && head.size == n_leaves;
    if (!is_committed && !is_undone) {
        ledger_say(&ledger->report, "the log has %llu commits where this writer left %llu",
                   (unsigned long long)head.commits, (unsigned long long)ledger->n_commits);
        return give_up(ledger);
    }
    ledger_say(&ledger->report, "a commit of %zu batches was under way: it %s", change->n_batches,
               is_committed ? "stands" : "did not come through");
    return hr_status_of(is_committed ? HR_OK : HR_AGAIN);
}

static struct hr_status keep_result(struct ledger_postgres *ledger, const struct ledger_commit *change)
{
    uint64_t first_leaf = atomic_load(&ledger->n_leaves);
    for (size_t i = 0; i < change->n_batches; i++) {
        change->batches[i].leaf = first_leaf + i;
    }
    ledger->n_commits++;
    atomic_store(&ledger->n_leaves, first_leaf + change->n_batches);
    return hr_ok();
}

struct hr_status ledger_pg_commit(void *ctx, const struct ledger_commit *change)
{
    struct ledger_postgres *ledger = ctx;
    HR_ASSERT(change->n_batches <= LEDGER_COMMIT_MAX_BATCHES);
    if (!ledger->is_writer) {
        return hr_status_of(HR_DENIED);
    }
    for (int tries = 0; tries < COMMIT_TRIES; tries++) {
        HR_TRY(ledger_pg_keep_writer(ledger));
        struct ledger_pg_answer answer = run_change(ledger, change);
        if (answer.outcome == LEDGER_PG_DONE) {
            return keep_result(ledger, change);
        }
        if (answer.outcome == LEDGER_PG_REFUSED) {
            return refuse(ledger, &answer);
        }
        struct hr_status status = settle(ledger, change);
        if (hr_is_ok(status)) {
            return keep_result(ledger, change);
        }
        if (!hr_is(status, HR_AGAIN)) {
            return status;
        }
    }
    return hr_status_of(HR_AGAIN);
}

struct hr_status ledger_pg_find_digest(void *ctx, uint64_t device_id, uint32_t stream, uint32_t seq,
                                       uint8_t digest[WIRE_DIGEST_BYTES])
{
    struct ledger_postgres *ledger = ctx;
    HR_ASSERT(ledger->is_writer);
    if (!hr_is_ok(ledger_pg_keep_writer(ledger))) {
        return hr_status_of(HR_IO);
    }
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, device_id);
    ledger_pg_put_u64(&params, stream);
    ledger_pg_put_u64(&params, seq);
    PGresult *result = NULL;
    struct ledger_pg_answer answer = ledger_pg_query(
        &ledger->writer,
        "SELECT digest FROM batch WHERE device = $1 AND stream = $2 AND seq = $3 UNION ALL"
        " SELECT ''::bytea FROM stream_state, log_head WHERE device = $1 AND stream = $2 AND cum_seq >= $3"
        " AND cum_seq <> 4294967295 AND log_head.first_leaf > 0 AND NOT EXISTS"
        " (SELECT FROM batch WHERE device = $1 AND stream = $2 AND seq = $3)",
        &params, ledger_pg_now_ms() + ledger->commit_timeout_ms, &result);
    if (answer.outcome != LEDGER_PG_DONE) {
        return hr_status_of(HR_IO);
    }
    /* An empty one stands for what retention may have deleted. */
    bool is_known = PQntuples(result) == 1;
    bool is_found = is_known && ledger_pg_bytes(result, 0, 0).len_bytes > 0;
    if (is_found) {
        ledger_digest_of(ledger_pg_bytes(result, 0, 0), digest);
    }
    PQclear(result);
    return hr_status_of(is_found ? HR_OK : is_known ? HR_CLOSED : HR_NOT_FOUND);
}
