/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the SQLite ledger share. */
#ifndef LEDGER_SQLITE_INTERNAL_H
#define LEDGER_SQLITE_INTERNAL_H

#include "aggregator/ledger/base/hints.h"
#include "aggregator/ledger/base/migration.h"
#include "aggregator/ledger/base/report.h"
#include "aggregator/ledger/base/rows.h"
#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "proto/base/assert.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum {
    LEDGER_APPLICATION_ID = 0x48524C47, /* "HRLG", in the file's header */
    LEDGER_ORIGIN_CHARS = 32,
    LEDGER_CHECKPOINT_PAGES = 2048, /* of the WAL; 16 MB */
    LEDGER_WAL_MAX_PAGES = 16384,   /* beyond it nothing is committed until the WAL could be moved; 128 MB */
    LEDGER_BUSY_MS = 5000,
    LEDGER_FOLDER_MAX_CHARS = 511,
    LEDGER_FEEDS_VERSION = 2, /* of the schema that has feeds */
    LEDGER_AUDIT_VERSION = 3, /* of the schema that has audit entries */
    LEDGER_ENROLMENT_VERSION = 4,
    LEDGER_CERTIFICATE_VERSION = 9,
    LEDGER_FACTS_VERSION = 5, /* of the schema that has facts */
};

extern const struct ledger_migrations ledger_sqlite_migrations;

/* Statements of the writer connection that every commit uses. */
enum ledger_write {
    WRITE_BEGIN,
    WRITE_COMMIT,
    WRITE_ROLLBACK,
    WRITE_HEAD,
    WRITE_BATCH,
    WRITE_STREAM,
    WRITE_DEVICE,
    WRITE_KEY,
    WRITE_CONFLICT,
    WRITE_LOSS,
    WRITE_ANCHOR,
    WRITE_AUDIT,
    WRITE_ENROLMENT,
    WRITE_CERTIFICATE,
    WRITE_HINT,
    WRITE_FIND_DIGEST,
    WRITE_FIND_COVERED,
    WRITE_FEED_HEAD_FIND,
    WRITE_FEED_HEAD,
    WRITE_FEED_VERSION,
    WRITE_FEED_ENTRY,
    WRITE_FEED_POSITION,
    WRITE_FEED_SPAN,
    WRITE_FEED_FACTS,
    WRITE_FEED_REPLAY,
    WRITE_REPLAY_ID,
    WRITE_REPLAYS_OPEN,
    WRITE_PRUNE_FIND,
    WRITE_PRUNE_HEAD,
    WRITE_PRUNE_ANCHORS,
    WRITE_PRUNE_BATCHES,
    WRITE_PRUNE_SPANS,
    WRITE_PRUNE_FACTS,
    WRITE_COUNT_PAGES,
    WRITE_COUNT_FREE,
    N_WRITES,
};

struct ledger_sqlite {
    sqlite3 *writer;             /* NULL: opened for reading only */
    pthread_mutex_t writer_lock; /* commits, feed writes and retention come from different threads */
    sqlite3 *reader;
    sqlite3_stmt *writes[N_WRITES];
    sqlite3_stmt *read_batches; /* of the reader connection */
    sqlite3_stmt *read_stream;
    sqlite3_stmt *read_anchor;
    pthread_mutex_t reader_lock; /* recursive: `each` of a read may ask for an anchor */
    struct ledger_hints hints;   /* written with the next commit, and at close */
    _Atomic uint64_t n_leaves;
    uint64_t writer_epoch;
    /* As of the last transaction of the writer. */
    uint64_t page_bytes;
    uint64_t used_bytes;
    uint64_t reusable_bytes; /* of deleted rows, in the file */
    int n_wal_pages;
    uint64_t max_bytes;
    uint64_t min_free_bytes;
    char folder[LEDGER_FOLDER_MAX_CHARS + 1]; /* that the file lies in */
    bool is_broken; /* a commit of unknown outcome: the file is not touched any more */
    bool has_feeds; /* a reader of an older schema has none */
    bool has_audit; /* likewise */
    bool has_enrolment;
    bool has_certificates;
    bool has_facts; /* likewise */
    int lock_fd;
    char origin[LEDGER_ORIGIN_CHARS + 1];
    const struct ledger_birth *birth; /* while it is opened */
    struct ledger_report report;
};

/* ---- statement.c ---- */
/* Maps a result code of SQLite and logs what is not HR_OK. SQLITE_FULL: HR_FULL. SQLITE_BUSY: HR_AGAIN. A
 * damaged or foreign file: HR_CORRUPT. Everything else: HR_IO. */
HR_MUST_USE struct hr_status ledger_status(const struct ledger_sqlite *ledger, sqlite3 *db, int rc,
                                           const char *doing);
HR_MUST_USE struct hr_status ledger_prepare(const struct ledger_sqlite *ledger, sqlite3 *db, const char *sql,
                                            sqlite3_stmt **out);
/* Runs a statement that gives no row, and makes it ready for the next time. */
HR_MUST_USE struct hr_status ledger_run(const struct ledger_sqlite *ledger, sqlite3_stmt *statement,
                                        const char *doing);
HR_MUST_USE struct hr_status ledger_exec(const struct ledger_sqlite *ledger, sqlite3 *db, const char *sql);

/* Bounds the database file to max_bytes and so much beyond, or to what it has already. */
HR_MUST_USE struct hr_status ledger_bound(const struct ledger_sqlite *ledger, uint64_t beyond_bytes);
/* Calls `each` with every row of the statement, which is finished afterwards. */
HR_MUST_USE struct hr_status ledger_each_row(const struct ledger_sqlite *ledger, sqlite3 *db,
                                             sqlite3_stmt *statement,
                                             void (*each)(void *ctx, sqlite3_stmt *row), void *ctx);

void ledger_bind_u64(sqlite3_stmt *statement, int at, uint64_t value);
/* Borrowed until the statement is reset. */
void ledger_bind_bytes(sqlite3_stmt *statement, int at, struct hr_bytes bytes);
void ledger_bind_text(sqlite3_stmt *statement, int at, const char *text);
void ledger_bind_i64(sqlite3_stmt *statement, int at, int64_t value);
uint64_t ledger_u64(sqlite3_stmt *row, int column);
uint32_t ledger_u32(sqlite3_stmt *row, int column);
/* Borrowed until the next step. */
struct hr_bytes ledger_bytes(sqlite3_stmt *row, int column);
/* Copies a column of exactly 32 bytes; zeros when it has another length. */
void ledger_digest(sqlite3_stmt *row, int column, uint8_t out[WIRE_DIGEST_BYTES]);
/* Copies text, cut to what fits, NUL-terminated. */
void ledger_text(sqlite3_stmt *row, int column, char *out, size_t capacity_bytes);

/* ---- lock.c ---- */
/* Takes the lock file. HR_AGAIN: another process has it. */
HR_MUST_USE struct hr_status ledger_lock(struct ledger_sqlite *ledger, const char *path);
void ledger_unlock(struct ledger_sqlite *ledger);

/* ---- transact.c ---- */
void ledger_lock_writer(struct ledger_sqlite *ledger);
void ledger_unlock_writer(struct ledger_sqlite *ledger);
/* Runs the body in one transaction of the writer's connection, and `settle` (may be NULL) when it is
 * committed. HR_FULL: no space, or another connection is in the way: undone. HR_DENIED, HR_NOT_FOUND: the
 * body said so: undone. HR_DENIED also for a ledger that was opened for reading. HR_IO: the outcome is
 * unknown and the ledger is broken from now on. */
HR_MUST_USE struct hr_status
ledger_transact(struct ledger_sqlite *ledger,
                struct hr_status (*body)(struct ledger_sqlite *ledger, void *ctx),
                void (*settle)(struct ledger_sqlite *ledger, void *ctx), void *ctx);
/* In a body: moves the head by n leaves and gives the first of them. HR_DENIED: the epoch in the file is not
 * ours; a body that writes anything else asks with n = 0. */
HR_MUST_USE struct hr_status ledger_advance_head(struct ledger_sqlite *ledger, uint64_t n,
                                                 uint64_t *first_leaf);

/* With the writer locked: moves the WAL into the file when it has grown. HR_IO: it failed, and nothing more
 * may be written. */
HR_MUST_USE struct hr_status ledger_checkpoint(struct ledger_sqlite *ledger);

/* ---- room.c ---- */
/* With the writer locked: fills used_bytes and reusable_bytes. */
HR_MUST_USE struct hr_status ledger_measure(struct ledger_sqlite *ledger);
/* With the writer locked: why no batch is committed now; NULL: one is. Static text. */
const char *ledger_why_full(struct ledger_sqlite *ledger);
HR_MUST_USE struct hr_status ledger_room(void *ctx, struct ledger_room *out);

/* ---- commit.c ---- */
HR_MUST_USE struct hr_status ledger_prepare_writes(struct ledger_sqlite *ledger);
HR_MUST_USE struct hr_status ledger_commit_change(void *ctx, const struct ledger_commit *change);
HR_MUST_USE struct hr_status ledger_set_hint(void *ctx, const char *sink, uint64_t next_leaf);
/* Writes pending hints in a transaction of their own. */
HR_MUST_USE struct hr_status ledger_flush_hints(struct ledger_sqlite *ledger);

/* ---- feeds.c, feeds_read.c, prune.c ---- */
extern const struct ledger_feeds ledger_sqlite_feeds;
HR_MUST_USE struct hr_status ledger_feed_write(void *ctx, const struct feed_change *change);
HR_MUST_USE struct hr_status ledger_feed_add_replay(void *ctx, const struct feed_replay *replay,
                                                    const char *const *sinks, size_t n_sinks, uint64_t *id);
HR_MUST_USE struct hr_status ledger_prune_batches(void *ctx, const struct ledger_prune *limits,
                                                  uint64_t *n_deleted);

/* ---- read.c: the rest of struct ledger ---- */
void ledger_lock_reader(struct ledger_sqlite *ledger);
void ledger_unlock_reader(struct ledger_sqlite *ledger);
HR_MUST_USE struct hr_status ledger_first_leaf(void *ctx, uint64_t *first_leaf);
HR_MUST_USE struct hr_status ledger_prepare_reads(struct ledger_sqlite *ledger);
HR_MUST_USE struct hr_status ledger_size(void *ctx, uint64_t *n_leaves);
HR_MUST_USE struct hr_status ledger_read(void *ctx, uint64_t from, uint32_t max_batches, size_t max_bytes,
                                         void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                         void *each_ctx);
HR_MUST_USE struct hr_status
ledger_read_stream(void *ctx, const struct ledger_range *range,
                   void (*each)(void *each_ctx, const struct ledger_batch *batch), void *each_ctx);
HR_MUST_USE struct hr_status ledger_anchor_at(void *ctx, uint64_t device_id, uint32_t boot_id, uint64_t leaf,
                                              struct edge_time_anchor *out);
HR_MUST_USE struct hr_status
ledger_load_streams(void *ctx, void (*each)(void *each_ctx, const struct ledger_stream *stream),
                    void *each_ctx);
HR_MUST_USE struct hr_status
ledger_load_devices(void *ctx, void (*each)(void *each_ctx, const struct ledger_device *device),
                    void *each_ctx);
/* The columns of the query are LEDGER_DEVICE_COLUMNS; rows of a device follow each other. The statement is
 * finished afterwards. */
HR_MUST_USE struct hr_status
ledger_each_device(const struct ledger_sqlite *ledger, sqlite3 *db, sqlite3_stmt *statement,
                   void (*each)(void *each_ctx, const struct ledger_device *device), void *each_ctx);
HR_MUST_USE struct hr_status ledger_find_digest(void *ctx, uint64_t device_id, uint32_t stream, uint32_t seq,
                                                uint8_t digest[WIRE_DIGEST_BYTES]);
HR_MUST_USE struct hr_status ledger_get_hint(void *ctx, const char *sink, uint64_t *next_leaf);
HR_MUST_USE struct hr_status ledger_is_writer(void *ctx);

/* ---- audit.c: the registry as it is committed, and its history ---- */
/* In a body: stores the audit entries of a change, behind which the log has n_leaves. */
HR_MUST_USE struct hr_status ledger_write_audits(const struct ledger_sqlite *ledger,
                                                 const struct ledger_commit *change, uint64_t n_leaves);
/* ---- enrolment.c ---- */
HR_MUST_USE struct hr_status ledger_write_enrolments(const struct ledger_sqlite *ledger,
                                                     const struct ledger_commit *change);
HR_MUST_USE struct hr_status
ledger_list_enrolments(void *ctx, void (*each)(void *each_ctx, const struct ledger_enrolment *row),
                       void *each_ctx);
HR_MUST_USE struct hr_status ledger_find_enrolment(void *ctx, const char *serial, uint64_t device_id,
                                                   struct ledger_enrolment *out);
/* ---- certificate.c ---- */
HR_MUST_USE struct hr_status ledger_write_certificates(const struct ledger_sqlite *ledger,
                                                       const struct ledger_commit *change);
HR_MUST_USE struct hr_status
ledger_list_certificates(void *ctx, uint64_t device_id,
                         void (*each)(void *each_ctx, const struct ledger_certificate *row), void *each_ctx);
HR_MUST_USE struct hr_status ledger_find_certificate(void *ctx, uint64_t device_id,
                                                     const uint8_t key[WIRE_DIGEST_BYTES],
                                                     struct ledger_certificate *out);
HR_MUST_USE struct hr_status
ledger_list_devices(void *ctx, const struct ledger_page *page,
                    void (*each)(void *each_ctx, const struct ledger_device *device), void *each_ctx);
HR_MUST_USE struct hr_status
ledger_find_devices(void *ctx, const struct ledger_page *page, const struct ledger_filter *filter,
                    void (*each)(void *each_ctx, const struct ledger_device *device), void *each_ctx);
HR_MUST_USE struct hr_status ledger_list_audits(void *ctx, uint64_t device_id, const struct ledger_page *page,
                                                void (*each)(void *each_ctx, const struct ledger_audit *row),
                                                void *each_ctx);

/* ---- trust.c ---- */
HR_MUST_USE struct hr_status ledger_list_keys(void *ctx, uint64_t device_id,
                                              void (*each)(void *each_ctx, const struct ledger_old_key *row),
                                              void *each_ctx);
HR_MUST_USE struct hr_status ledger_count_suspect(void *ctx, uint64_t device_id,
                                                  const struct ledger_suspect *range,
                                                  struct ledger_suspect_count *out);

/* ---- inspect.c: conflicts and losses of struct ledger ---- */
HR_MUST_USE struct hr_status ledger_conflicts(void *ctx, uint64_t device_id,
                                              void (*each)(void *each_ctx, const struct ledger_conflict *row),
                                              void *each_ctx);
HR_MUST_USE struct hr_status ledger_losses(void *ctx, uint64_t device_id,
                                           void (*each)(void *each_ctx, const struct ledger_loss *row),
                                           void *each_ctx);

#endif
