/* SPDX-License-Identifier: Apache-2.0
 *
 * One transaction of the writer's connection, whoever wants it: batches, feed entries, retention. */
#include "aggregator/ledger/sqlite/internal.h"

#include "proto/base/failpoint.h"

void ledger_lock_writer(struct ledger_sqlite *ledger)
{
    HR_ASSERT(pthread_mutex_lock(&ledger->writer_lock) == 0);
}

void ledger_unlock_writer(struct ledger_sqlite *ledger)
{
    HR_ASSERT(pthread_mutex_unlock(&ledger->writer_lock) == 0);
}

struct hr_status ledger_advance_head(struct ledger_sqlite *ledger, uint64_t n, uint64_t *first_leaf)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_HEAD];
    ledger_bind_u64(statement, 1, n);
    ledger_bind_u64(statement, 2, ledger->writer_epoch);
    int rc = sqlite3_step(statement);
    struct hr_status status = ledger_status(ledger, ledger->writer, rc, "moving the head of the log");
    if (rc == SQLITE_ROW) {
        *first_leaf = ledger_u64(statement, 0) - n;
        status = ledger_status(ledger, ledger->writer, sqlite3_step(statement), "moving the head of the log");
    } else if (hr_is_ok(status)) {
        ledger_say(&ledger->report, "another writer took over this ledger: this one (epoch %llu) stops",
                   (unsigned long long)ledger->writer_epoch);
        status = hr_status_of(HR_DENIED);
    }
    (void)sqlite3_reset(statement);
    return status;
}

/* Undoes what a failed transaction wrote. What can't be undone surely, or failed in a way that leaves the
 * outcome open, breaks the ledger: the process has to end and look again. */
static struct hr_status give_up(struct ledger_sqlite *ledger, struct hr_status cause)
{
    bool is_refused = hr_is(cause, HR_DENIED) || hr_is(cause, HR_NOT_FOUND);
    bool is_settled = hr_is(cause, HR_FULL) || hr_is(cause, HR_AGAIN) || is_refused;
    if (is_settled && sqlite3_get_autocommit(ledger->writer) == 0) {
        is_settled = hr_is_ok(ledger_run(ledger, ledger->writes[WRITE_ROLLBACK], "rolling back"));
    }
    if (!is_settled) {
        ledger->is_broken = true;
        return hr_status_of(HR_IO);
    }
    return is_refused ? cause : hr_status_of(HR_FULL);
}

/* Moves the WAL into the database file when it has grown. SQLite's own automatic checkpoint ignores a failing
 * fsync and tries again, and a second fsync may report success for pages that the kernel has dropped; so it
 * is off, and a failure here ends the process while the WAL still has everything. */
struct hr_status ledger_checkpoint(struct ledger_sqlite *ledger)
{
    if (ledger->n_wal_pages < LEDGER_CHECKPOINT_PAGES) {
        return hr_ok();
    }
    int n_pages = 0;
    int n_moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(ledger->writer, "main", SQLITE_CHECKPOINT_PASSIVE, &n_pages, &n_moved);
    struct hr_status status = ledger_status(ledger, ledger->writer, rc, "moving the WAL into the database");
    if (hr_is_ok(status) || hr_is(status, HR_AGAIN) || hr_is(status, HR_FULL)) {
        /* A reader may be in the way, or the disk full: then the WAL keeps it until the next time. What was
         * moved whole is written over from its beginning. */
        ledger->n_wal_pages = hr_is_ok(status) && n_pages == n_moved ? 0 : ledger->n_wal_pages;
        return hr_ok();
    }
    ledger->is_broken = true;
    return hr_status_of(HR_IO);
}

/* SQLite tells the length of the WAL after each commit here. */
static int note_wal_pages(void *ctx, sqlite3 *db, const char *name, int n_pages)
{
    (void)db;
    (void)name;
    *(int *)ctx = n_pages;
    return SQLITE_OK;
}

static struct hr_status run(struct ledger_sqlite *ledger,
                            struct hr_status (*body)(struct ledger_sqlite *ledger, void *ctx), void *ctx)
{
    HR_TRY(ledger_run(ledger, ledger->writes[WRITE_BEGIN], "beginning a transaction"));
    HR_FAILPOINT("ledger_begun");
    HR_TRY(body(ledger, ctx));
    HR_FAILPOINT("ledger_written");
    HR_TRY(ledger_run(ledger, ledger->writes[WRITE_COMMIT], "committing"));
    HR_FAILPOINT("ledger_committed");
    return hr_ok();
}

static struct hr_status run_locked(struct ledger_sqlite *ledger,
                                   struct hr_status (*body)(struct ledger_sqlite *ledger, void *ctx),
                                   void (*settle)(struct ledger_sqlite *ledger, void *ctx), void *ctx)
{
    if (ledger->is_broken) {
        return hr_status_of(HR_IO);
    }
    (void)sqlite3_wal_hook(ledger->writer, note_wal_pages, &ledger->n_wal_pages);
    struct hr_status status = run(ledger, body, ctx);
    (void)sqlite3_wal_hook(ledger->writer, NULL, NULL);
    if (!hr_is_ok(status)) {
        return give_up(ledger, status);
    }
    if (settle != NULL) {
        settle(ledger, ctx);
    }
    if (!hr_is_ok(ledger_measure(ledger))) {
        ledger->is_broken = true; /* what was written stands; nothing more is */
    }
    return ledger_checkpoint(ledger);
}

struct hr_status ledger_transact(struct ledger_sqlite *ledger,
                                 struct hr_status (*body)(struct ledger_sqlite *ledger, void *ctx),
                                 void (*settle)(struct ledger_sqlite *ledger, void *ctx), void *ctx)
{
    if (ledger->writer == NULL) {
        return hr_status_of(HR_DENIED);
    }
    ledger_lock_writer(ledger);
    struct hr_status status = run_locked(ledger, body, settle, ctx);
    ledger_unlock_writer(ledger);
    return status;
}
