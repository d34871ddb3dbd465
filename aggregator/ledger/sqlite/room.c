/* SPDX-License-Identifier: Apache-2.0
 *
 * How much room the log has, and how it gets more: what is published is deleted, oldest first, and its pages
 * are used again. The file does not shrink. */
#include "aggregator/ledger/sqlite/internal.h"

#include <sys/statvfs.h>

enum {
    RESERVE_MAX_BYTES = 4 * 1024 * 1024,
    RESERVE_PARTS = 16, /* of the bound */
    SCARCE_PARTS = 8,
};

static struct hr_status query_u64(const struct ledger_sqlite *ledger, sqlite3_stmt *statement, uint64_t *out)
{
    int rc = sqlite3_step(statement);
    struct hr_status status = ledger_status(ledger, ledger->writer, rc, "measuring the ledger");
    if (rc == SQLITE_ROW) {
        *out = ledger_u64(statement, 0);
    }
    (void)sqlite3_reset(statement);
    return rc == SQLITE_DONE ? hr_status_of(HR_CORRUPT) : status;
}

struct hr_status ledger_measure(struct ledger_sqlite *ledger)
{
    uint64_t n_pages = 0;
    uint64_t n_free = 0;
    HR_TRY(query_u64(ledger, ledger->writes[WRITE_COUNT_PAGES], &n_pages));
    HR_TRY(query_u64(ledger, ledger->writes[WRITE_COUNT_FREE], &n_free));
    ledger->used_bytes = (n_pages - n_free) * ledger->page_bytes;
    ledger->reusable_bytes = n_free * ledger->page_bytes;
    return hr_ok();
}

/* Of the disk, for whoever is not root; UINT64_MAX when it can't be told: a commit will find out. */
static uint64_t disk_free_bytes(const struct ledger_sqlite *ledger)
{
    struct statvfs disk;
    if (ledger->min_free_bytes == 0 || statvfs(ledger->folder, &disk) != 0) {
        return UINT64_MAX;
    }
    return (uint64_t)disk.f_bavail * disk.f_frsize;
}

/* What one group may take at most, so that a commit that begins also ends. */
static uint64_t reserve_bytes(const struct ledger_sqlite *ledger)
{
    uint64_t part = ledger->max_bytes / RESERVE_PARTS;
    return ledger->max_bytes != 0 && part < RESERVE_MAX_BYTES ? part : RESERVE_MAX_BYTES;
}

const char *ledger_why_full(struct ledger_sqlite *ledger)
{
    uint64_t reserve = reserve_bytes(ledger);
    if (ledger->max_bytes != 0 && ledger->used_bytes + reserve > ledger->max_bytes) {
        return "ledger.max_bytes is reached";
    }
    if (ledger->reusable_bytes < reserve && disk_free_bytes(ledger) < ledger->min_free_bytes) {
        return "the disk has less than ledger.min_free left";
    }
    if (ledger->n_wal_pages >= LEDGER_WAL_MAX_PAGES) {
        return "a reader keeps the write-ahead log from being moved";
    }
    return NULL;
}

static struct hr_status look(struct ledger_sqlite *ledger, struct ledger_room *out)
{
    if (ledger->is_broken || !hr_is_ok(ledger_checkpoint(ledger))) {
        return hr_status_of(HR_IO);
    }
    uint64_t max_bytes = ledger->max_bytes;
    *out = (struct ledger_room){
        .used_bytes = ledger->used_bytes, .max_bytes = max_bytes, .why_full = ledger_why_full(ledger)};
    bool near_bound = max_bytes != 0 && ledger->used_bytes > max_bytes - max_bytes / SCARCE_PARTS;
    bool near_disk_end =
        ledger->reusable_bytes < RESERVE_MAX_BYTES && disk_free_bytes(ledger) / 2 < ledger->min_free_bytes;
    out->is_scarce = near_bound || near_disk_end || out->why_full != NULL;
    return hr_ok();
}

struct hr_status ledger_room(void *ctx, struct ledger_room *out)
{
    struct ledger_sqlite *ledger = ctx;
    if (ledger->writer == NULL) {
        return hr_status_of(HR_DENIED);
    }
    ledger_lock_writer(ledger);
    struct hr_status status = look(ledger, out);
    ledger_unlock_writer(ledger);
    return status;
}
