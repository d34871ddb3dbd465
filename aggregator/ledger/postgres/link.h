/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to the server, on which nothing waits without a deadline. */
#ifndef LEDGER_PG_LINK_H
#define LEDGER_PG_LINK_H

#include "aggregator/ledger/base/report.h"
#include "aggregator/ledger/postgres/ledger_postgres.h"

#include <libpq-fe.h>

/* Where to connect, copied from the configuration. */
struct ledger_pg_target {
    char host[LEDGER_POSTGRES_PATH_MAX_CHARS + 1];
    char port[8];
    char database[LEDGER_POSTGRES_NAME_MAX_CHARS + 1];
    char user[LEDGER_POSTGRES_NAME_MAX_CHARS + 1];
    char password_file[LEDGER_POSTGRES_PATH_MAX_CHARS + 1];
    char sslmode[16];
    char ca_file[LEDGER_POSTGRES_PATH_MAX_CHARS + 1];
    char schema[LEDGER_POSTGRES_NAME_MAX_CHARS + 1];
    uint32_t connect_timeout_ms;
};

struct ledger_pg_link {
    const struct ledger_pg_target *target;
    const struct ledger_report *report;
    PGconn *conn; /* NULL: not connected */
    /* The server warned of something: a commit may be unknown to its standbys. */
    bool is_doubtful;
};

/* What came of a statement, or of a whole pipeline. */
enum ledger_pg_outcome {
    LEDGER_PG_DONE,
    LEDGER_PG_REFUSED, /* the server said no, and goes on; `sqlstate` says why */
    LEDGER_PG_LOST,    /* the connection is gone or the deadline passed: nothing is known */
};

struct ledger_pg_answer {
    enum ledger_pg_outcome outcome;
    char sqlstate[6]; /* of a refusal; else empty */
};

/* What a refusal or a loss means to whoever asked. Class 53: HR_FULL. A lock that was not had, a cancelled
 * statement, a lost connection: HR_AGAIN. HR001 of ours: HR_DENIED. All else: HR_IO. */
HR_MUST_USE struct hr_status ledger_pg_status(const struct ledger_pg_answer *answer);

uint64_t ledger_pg_now_ms(void);

/* Connects, and sets the session up for writing or reading. HR_AGAIN: not before the deadline; the log says
 * why. Tries again and again while there is time. */
HR_MUST_USE struct hr_status ledger_pg_connect(struct ledger_pg_link *link, bool is_writer,
                                               uint64_t deadline_ms);
void ledger_pg_disconnect(struct ledger_pg_link *link);
/* False as well when the other end has said good-bye in the meantime. */
bool ledger_pg_is_connected(struct ledger_pg_link *link);

/* Parameters of a statement, in the server's binary formats. Bytes and texts are borrowed until it is sent.
 */
enum { LEDGER_PG_MAX_PARAMS = 18 };

struct ledger_pg_params {
    int n;
    const char *values[LEDGER_PG_MAX_PARAMS];
    int lengths[LEDGER_PG_MAX_PARAMS];
    int formats[LEDGER_PG_MAX_PARAMS];
    uint8_t numbers[LEDGER_PG_MAX_PARAMS][8];
};

void ledger_pg_put_u64(struct ledger_pg_params *params, uint64_t value);
void ledger_pg_put_bytes(struct ledger_pg_params *params, struct hr_bytes bytes);
void ledger_pg_put_text(struct ledger_pg_params *params, const char *text);

/* Runs one statement; *out (may be NULL) is its result, to be cleared by PQclear, on LEDGER_PG_DONE only.
 * `params` may be NULL. */
HR_MUST_USE struct ledger_pg_answer ledger_pg_query(struct ledger_pg_link *link, const char *sql,
                                                    const struct ledger_pg_params *params,
                                                    uint64_t deadline_ms, PGresult **out);
/* Runs statements without parameters that are separated by semicolons, in one transaction unless they say
 * otherwise. */
HR_MUST_USE struct ledger_pg_answer ledger_pg_script(struct ledger_pg_link *link, const char *sql,
                                                     uint64_t deadline_ms);
/* Runs a query and hands each row to `each` as it comes, so that the result may be larger than memory. Gives
 * up when no row comes for patience_ms. */
HR_MUST_USE struct hr_status ledger_pg_each_row(struct ledger_pg_link *link, const char *sql,
                                                const struct ledger_pg_params *params, uint32_t patience_ms,
                                                void (*each)(void *ctx, const PGresult *result, int row),
                                                void *ctx);

/* A pipeline: statements are sent without waiting for the ones before. Begin, send the prepared statements,
 * and wait for them all. A failed send is told by the wait. */
struct ledger_pg_pipeline {
    struct ledger_pg_link *link;
    int n_sent;
    bool is_broken;
};

void ledger_pg_pipeline_begin(struct ledger_pg_pipeline *pipeline, struct ledger_pg_link *link);
void ledger_pg_pipeline_send(struct ledger_pg_pipeline *pipeline, const char *statement,
                             const struct ledger_pg_params *params);
/* Prepares a statement, in a pipeline of preparations. */
void ledger_pg_pipeline_prepare(struct ledger_pg_pipeline *pipeline, const char *statement, const char *sql);
/* LEDGER_PG_REFUSED: the first refusal; what stood behind it was not run. */
HR_MUST_USE struct ledger_pg_answer ledger_pg_pipeline_wait(struct ledger_pg_pipeline *pipeline,
                                                            uint64_t deadline_ms);

/* Columns of a row of a binary result. A NULL is 0 or empty; bytes are borrowed from the result. */
uint64_t ledger_pg_u64(const PGresult *result, int row, int column);
uint32_t ledger_pg_u32(const PGresult *result, int row, int column);
struct hr_bytes ledger_pg_bytes(const PGresult *result, int row, int column);
/* Copies text, cut to what fits, NUL-terminated. */
void ledger_pg_text(const PGresult *result, int row, int column, char *out, size_t capacity_bytes);

#endif
