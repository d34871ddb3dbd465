/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/postgres/link.h"

#include "proto/base/assert.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct ledger_pg_answer done = {.outcome = LEDGER_PG_DONE};

uint64_t ledger_pg_now_ms(void)
{
    struct timespec now;
    HR_ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct hr_status ledger_pg_status(const struct ledger_pg_answer *answer)
{
    static const struct {
        const char *sqlstate; /* or the beginning of one */
        enum hr_code code;
    } rows[] = {
        {"53", HR_FULL},      /* disk full, out of memory, too many connections */
        {"HR001", HR_DENIED}, /* advance_head of the schema: another epoch */
        {"55P03", HR_AGAIN},  /* a lock was not had within lock_timeout */
        {"57014", HR_AGAIN},  /* somebody cancelled the statement */
        {"40001", HR_AGAIN},  /* serialization failure */
        {"40P01", HR_AGAIN},  /* deadlock */
    };
    if (answer->outcome != LEDGER_PG_REFUSED) {
        return hr_status_of(answer->outcome == LEDGER_PG_DONE ? HR_OK : HR_AGAIN);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        if (strncmp(answer->sqlstate, rows[i].sqlstate, strlen(rows[i].sqlstate)) == 0) {
            return hr_status_of(rows[i].code);
        }
    }
    return hr_status_of(HR_IO);
}

void ledger_pg_disconnect(struct ledger_pg_link *link)
{
    PQfinish(link->conn); /* which takes NULL */
    link->conn = NULL;
}

/* ---- waiting ---- */

/* The first line of libpq's message. */
static void say_error(const struct ledger_pg_link *link, const char *doing)
{
    const char *text = PQerrorMessage(link->conn);
    ledger_say(link->report, "PostgreSQL, %s: %.*s", doing, (int)strcspn(text, "\n"), text);
}

/* The connection is given up: whatever was under way has an unknown end. */
static struct ledger_pg_answer lose(struct ledger_pg_link *link, const char *why)
{
    say_error(link, why);
    ledger_pg_disconnect(link);
    return (struct ledger_pg_answer){.outcome = LEDGER_PG_LOST};
}

/* Sends what is waiting to be sent, and takes in what has come. False: lost, or too late. */
static bool turn(const struct ledger_pg_link *link, uint64_t deadline_ms)
{
    int unsent = PQflush(link->conn);
    uint64_t now_ms = ledger_pg_now_ms();
    if (unsent < 0 || now_ms >= deadline_ms) {
        return false;
    }
    struct pollfd socket = {.fd = PQsocket(link->conn), .events = POLLIN};
    socket.events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0));
    int n_ready = poll(&socket, 1, (int)(deadline_ms - now_ms));
    if (n_ready < 0) {
        return errno == EINTR;
    }
    return (socket.revents & (POLLIN | POLLERR | POLLHUP)) == 0 || PQconsumeInput(link->conn) == 1;
}

/* The next result is there, or the end of the results. */
static bool await(const struct ledger_pg_link *link, uint64_t deadline_ms)
{
    while (PQisBusy(link->conn)) {
        if (!turn(link, deadline_ms)) {
            return false;
        }
    }
    return true;
}

/* What a result says. A fatal error takes the connection with it; a server that has become read-only is no
 * use either, and another host may be. */
static void judge(const struct ledger_pg_link *link, const PGresult *result, struct ledger_pg_answer *answer)
{
    ExecStatusType status = PQresultStatus(result);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool is_error = status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
    if (result == NULL || !is_error || answer->outcome != LEDGER_PG_DONE) {
        return; /* NULL is the end of the results */
    }
    const char *text = PQresultErrorMessage(result);
    ledger_say(link->report, "PostgreSQL: %.*s (SQLSTATE %s)", (int)strcspn(text, "\n"), text,
               sqlstate == NULL ? "none" : sqlstate);
    bool is_lost = sqlstate == NULL || severity == NULL || strcmp(severity, "ERROR") != 0 ||
                   strcmp(sqlstate, "25006") == 0;
    answer->outcome = is_lost ? LEDGER_PG_LOST : LEDGER_PG_REFUSED;
    (void)snprintf(answer->sqlstate, sizeof answer->sqlstate, "%s", sqlstate == NULL ? "" : sqlstate);
}

/* Takes all results of what was sent; keeps the first when the caller wants it. */
static struct ledger_pg_answer collect(struct ledger_pg_link *link, uint64_t deadline_ms, PGresult **out)
{
    struct ledger_pg_answer answer = done;
    PGresult *kept = NULL;
    bool has_more = true;
    while (has_more) {
        if (!await(link, deadline_ms)) {
            PQclear(kept);
            return lose(link, "waiting for an answer");
        }
        PGresult *result = PQgetResult(link->conn);
        has_more = result != NULL;
        judge(link, result, &answer);
        if (has_more && out != NULL && kept == NULL) {
            kept = result;
        } else {
            PQclear(result);
        }
    }
    if (answer.outcome == LEDGER_PG_DONE && out != NULL) {
        *out = kept;
    } else {
        PQclear(kept);
    }
    return answer.outcome == LEDGER_PG_LOST ? lose(link, "the session ended") : answer;
}

/* ---- statements ---- */

static struct ledger_pg_answer not_connected(void)
{
    return (struct ledger_pg_answer){.outcome = LEDGER_PG_LOST};
}

static int send_query(const struct ledger_pg_link *link, const char *sql,
                      const struct ledger_pg_params *params)
{
    static const struct ledger_pg_params none;
    const struct ledger_pg_params *with = params == NULL ? &none : params;
    return PQsendQueryParams(link->conn, sql, with->n, NULL, with->values, with->lengths, with->formats, 1);
}

struct ledger_pg_answer ledger_pg_query(struct ledger_pg_link *link, const char *sql,
                                        const struct ledger_pg_params *params, uint64_t deadline_ms,
                                        PGresult **out)
{
    if (link->conn == NULL) {
        return not_connected();
    }
    return send_query(link, sql, params) == 1 ? collect(link, deadline_ms, out) : lose(link, "sending");
}

struct ledger_pg_answer ledger_pg_script(struct ledger_pg_link *link, const char *sql, uint64_t deadline_ms)
{
    if (link->conn == NULL) {
        return not_connected();
    }
    return PQsendQuery(link->conn, sql) == 1 ? collect(link, deadline_ms, NULL) : lose(link, "sending");
}

struct hr_status ledger_pg_each_row(struct ledger_pg_link *link, const char *sql,
                                    const struct ledger_pg_params *params, uint32_t patience_ms,
                                    void (*each)(void *ctx, const PGresult *result, int row), void *ctx)
{
    struct ledger_pg_answer answer = link->conn == NULL ? not_connected() : done;
    if (link->conn != NULL && (send_query(link, sql, params) != 1 || PQsetSingleRowMode(link->conn) != 1)) {
        answer = lose(link, "sending");
    }
    while (link->conn != NULL) {
        if (!await(link, ledger_pg_now_ms() + patience_ms)) {
            answer = lose(link, "waiting for rows");
            break;
        }
        PGresult *result = PQgetResult(link->conn);
        if (result == NULL) {
            break;
        }
        judge(link, result, &answer);
        if (PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
            each(ctx, result, 0);
        }
        PQclear(result);
    }
    if (answer.outcome == LEDGER_PG_LOST) {
        ledger_pg_disconnect(link);
    }
    return ledger_pg_status(&answer);
}

/* ---- pipelines ---- */

void ledger_pg_pipeline_begin(struct ledger_pg_pipeline *pipeline, struct ledger_pg_link *link)
{
    *pipeline = (struct ledger_pg_pipeline){.link = link};
    pipeline->is_broken = link->conn == NULL || PQenterPipelineMode(link->conn) != 1;
}

static void count_sent(struct ledger_pg_pipeline *pipeline, int is_sent)
{
    pipeline->is_broken = pipeline->is_broken || is_sent != 1;
    pipeline->n_sent++;
}

void ledger_pg_pipeline_send(struct ledger_pg_pipeline *pipeline, const char *statement,
                             const struct ledger_pg_params *params)
{
    if (!pipeline->is_broken) {
        count_sent(pipeline, PQsendQueryPrepared(pipeline->link->conn, statement, params->n, params->values,
                                                 params->lengths, params->formats, 1));
    }
}

void ledger_pg_pipeline_prepare(struct ledger_pg_pipeline *pipeline, const char *statement, const char *sql)
{
    if (!pipeline->is_broken) {
        count_sent(pipeline, PQsendPrepare(pipeline->link->conn, statement, sql, 0, NULL));
    }
}

/* The answer to one statement of the pipeline: a result and the NULL behind it, or the mark of its end. */
static bool take_one(const struct ledger_pg_link *link, uint64_t deadline_ms, struct ledger_pg_answer *answer,
                     bool *is_end)
{
    if (!await(link, deadline_ms)) {
        return false;
    }
    PGresult *result = PQgetResult(link->conn);
    *is_end = result != NULL && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    bool is_there = result != NULL;
    judge(link, result, answer);
    PQclear(result);
    if (!is_there || answer->outcome == LEDGER_PG_LOST) {
        return false;
    }
    return *is_end || (await(link, deadline_ms) && PQgetResult(link->conn) == NULL);
}

struct ledger_pg_answer ledger_pg_pipeline_wait(struct ledger_pg_pipeline *pipeline, uint64_t deadline_ms)
{
    struct ledger_pg_link *link = pipeline->link;
    if (link->conn == NULL) {
        return not_connected();
    }
    if (pipeline->is_broken || PQpipelineSync(link->conn) != 1) {
        return lose(link, "sending a pipeline");
    }
    struct ledger_pg_answer answer = done;
    bool is_end = false;
    while (!is_end) {
        if (!take_one(link, deadline_ms, &answer, &is_end)) {
            return lose(link, "waiting for the answers of a pipeline");
        }
    }
    return PQexitPipelineMode(link->conn) == 1 ? answer : lose(link, "ending a pipeline");
}
