/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the PostgreSQL ledger share. */
#ifndef LEDGER_POSTGRES_INTERNAL_H
#define LEDGER_POSTGRES_INTERNAL_H

#include "aggregator/ledger/base/hints.h"
#include "aggregator/ledger/base/migration.h"
#include "aggregator/ledger/base/rows.h"
#include "aggregator/ledger/postgres/anchors.h"
#include "aggregator/ledger/postgres/link.h"
#include "proto/base/assert.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    LEDGER_PG_ORIGIN_CHARS = 32,
    LEDGER_PG_WRITER_CHARS = 160, /* host, process, random part */
    LEDGER_PG_LOCK_MS = 2000,     /* after this long a session that sits on the head is ended */
    LEDGER_PG_OLDEST_SERVER = 140000,
    LEDGER_PG_AUDIT_VERSION = 3, /* of the schema that has audit entries */
    LEDGER_PG_ENROLMENT_VERSION = 4,
    LEDGER_PG_CERTIFICATE_VERSION = 9,
    LEDGER_PG_FACTS_VERSION = 5, /* of the schema that has facts */
};

extern const struct ledger_migrations ledger_postgres_migrations;

/* A feed write whose answer was lost. */
struct ledger_pg_doubt {
    bool is_open;
    char sink[FEED_SINK_MAX_CHARS + 1];
    uint64_t next_leaf; /* where the cursor is if it came through */
};

struct ledger_postgres {
    struct ledger_pg_target target;
    struct ledger_report report;
    uint32_t commit_timeout_ms;
    bool is_writer; /* false: opened for reading only */
    bool has_audit; /* a reader of an older schema has none */
    bool has_enrolment;
    bool has_certificates;
    bool has_facts; /* likewise */

    struct ledger_pg_link writer;     /* of the writer thread */
    struct ledger_pg_link reader;     /* under reader_lock; connected when it is needed */
    pthread_mutex_t reader_lock;      /* recursive: `each` of a read may ask for an anchor */
    struct ledger_pg_anchors anchors; /* of the reader, under its lock */
    struct ledger_pg_link feeder;     /* under feeder_lock; feed writes and retention; likewise */
    pthread_mutex_t feeder_lock;
    struct ledger_pg_doubt feed_doubt;
    struct ledger_hints hints; /* written with the next commit, and at close */

    /* The head as this writer left it. */
    _Atomic uint64_t n_leaves;
    uint64_t n_commits;
    uint64_t writer_epoch;
    char writer_name[LEDGER_PG_WRITER_CHARS + 1]; /* unique: stands in the head while this process writes */

    bool is_broken; /* a commit of unknown outcome, or a refusal that can't be: nothing more is written */
    bool is_fenced;
    uint8_t *arrays; /* parameters of a commit in the making */
    size_t arrays_capacity_bytes;
    char origin[LEDGER_PG_ORIGIN_CHARS + 1];
    const struct ledger_birth *birth; /* while it is opened */
};

/* ---- writer.c: who may commit ---- */
/* Fills ledger->writer_name. */
void ledger_pg_name_writer(struct ledger_postgres *ledger);
/* First connection of a starting writer: schema, migrations, and the epoch. As ledger_postgres_open. */
HR_MUST_USE struct hr_status ledger_pg_take_over(struct ledger_postgres *ledger, uint64_t deadline_ms);
/* What the head says, once this process, as the writer that it was, has it again over a new connection; no
 * transaction of the old one is under way any more. HR_AGAIN: not before the deadline. HR_DENIED: another
 * writer took over. */
struct ledger_pg_head {
    uint64_t size;
    uint64_t commits;
    uint64_t epoch;
};
HR_MUST_USE struct hr_status ledger_pg_claim(struct ledger_postgres *ledger, uint64_t deadline_ms,
                                             struct ledger_pg_head *out);
/* Connected, and the writer's place kept. HR_AGAIN: not within connect_timeout_ms. HR_DENIED: taken over.
 * HR_IO: the log is not as this writer left it. */
HR_MUST_USE struct hr_status ledger_pg_keep_writer(struct ledger_postgres *ledger);

/* ---- schema.c: the schema and its version. All within the transaction that takes over ---- */
/* The version of the ledger in the schema; 0: nothing is there. HR_CORRUPT: something else, or newer. */
HR_MUST_USE struct hr_status ledger_pg_check_schema(struct ledger_pg_link *link, uint64_t deadline_ms,
                                                    uint64_t *version);
HR_MUST_USE struct hr_status ledger_pg_migrate(struct ledger_postgres *ledger, uint64_t version,
                                               uint64_t deadline_ms);

/* ---- commit.c ---- */
HR_MUST_USE struct ledger_pg_answer ledger_pg_prepare_writes(struct ledger_pg_link *link,
                                                             uint64_t deadline_ms);
HR_MUST_USE struct hr_status ledger_pg_commit(void *ctx, const struct ledger_commit *change);
HR_MUST_USE struct hr_status ledger_pg_find_digest(void *ctx, uint64_t device_id, uint32_t stream,
                                                   uint32_t seq, uint8_t digest[WIRE_DIGEST_BYTES]);

/* ---- change.c: a change as statements of a pipeline ---- */
/* Statements that every writer connection prepares; gives how many. */
struct ledger_pg_statement {
    const char *name;
    const char *sql;
};
const struct ledger_pg_statement *ledger_pg_statements(size_t *n);
/* Sends the whole transaction, COMMIT included. HR_IO: no memory; nothing was sent. */
HR_MUST_USE struct hr_status ledger_pg_send_change(struct ledger_postgres *ledger,
                                                   struct ledger_pg_pipeline *pipeline,
                                                   const struct ledger_commit *change);

/* ---- feeds.c, feeds_read.c ---- */
HR_MUST_USE struct hr_status ledger_pg_feed_write(void *ctx, const struct feed_change *change);
HR_MUST_USE struct hr_status ledger_pg_add_replay(void *ctx, const struct feed_replay *replay,
                                                  const char *const *sinks, size_t n_sinks, uint64_t *id);
HR_MUST_USE struct hr_status ledger_pg_prune(void *ctx, const struct ledger_prune *limits,
                                             uint64_t *n_deleted);
const struct ledger_feeds *ledger_pg_feeds(void);

/* ---- read.c: the rest of struct ledger, over the reader's connection ---- */
HR_MUST_USE struct hr_status ledger_pg_keep_reader(struct ledger_postgres *ledger, uint32_t timeout_ms);
void ledger_pg_fill(struct ledger_postgres *ledger, struct ledger *out);
/* ---- list.c ---- */
void ledger_pg_fill_lists(struct ledger *out);

#endif
