/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/internal.h"

static const char *const write_sql[N_WRITES] = {
    [WRITE_BEGIN] = "BEGIN IMMEDIATE",
    [WRITE_COMMIT] = "COMMIT",
    [WRITE_ROLLBACK] = "ROLLBACK",
    [WRITE_HEAD] = "UPDATE log_head SET size = size + ?1 WHERE writer_epoch = ?2 RETURNING size",
    [WRITE_BATCH] = "INSERT INTO batch (leaf, device, stream, seq, received_ms, digest, envelope)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [WRITE_STREAM] =
        "INSERT OR REPLACE INTO stream_state (device, stream, cum_seq, cum_digest, next_record_seq,"
        " key_epoch, boot_id, lost_batches, lost_records) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [WRITE_DEVICE] = "INSERT OR REPLACE INTO device (device, name, tenant, state, revision, reason)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [WRITE_KEY] =
        "INSERT OR REPLACE INTO device_key (device, epoch, spki, from_stream, from_seq, to_stream, to_seq,"
        " revoked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [WRITE_CONFLICT] = "INSERT INTO conflict (device, stream, seq, kind, received_ms, known_digest, envelope)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [WRITE_LOSS] = "INSERT INTO loss (device, stream, from_seq, to_seq, first_record_seq, n_records, reason,"
                   " last_digest, envelope) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [WRITE_ANCHOR] =
        "INSERT OR REPLACE INTO anchor (device, boot_id, leaf, uptime_ms, utc_ms, err_ms, source)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [WRITE_HINT] = "INSERT OR REPLACE INTO hint (sink, next_leaf) VALUES (?1, ?2)",
    [WRITE_FIND_DIGEST] = "SELECT digest FROM batch WHERE device = ?1 AND stream = ?2 AND seq = ?3",
};

struct hr_status ledger_prepare_writes(struct ledger_sqlite *ledger)
{
    for (int i = 0; i < N_WRITES; i++) {
        HR_TRY(ledger_prepare(ledger, ledger->writer, write_sql[i], &ledger->writes[i]));
    }
    return hr_ok();
}

/* Moves the head by n leaves and gives the first of them. HR_DENIED: the epoch in the file is not ours. */
static struct hr_status advance_head(struct ledger_sqlite *ledger, uint64_t n, uint64_t *first_leaf)
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

static struct hr_status write_batches(struct ledger_sqlite *ledger, const struct ledger_commit *change,
                                      uint64_t first_leaf)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_BATCH];
    for (size_t i = 0; i < change->n_batches; i++) {
        const struct ledger_batch *batch = &change->batches[i];
        ledger_bind_u64(statement, 1, first_leaf + i);
        ledger_bind_u64(statement, 2, batch->device_id);
        ledger_bind_u64(statement, 3, batch->stream);
        ledger_bind_u64(statement, 4, batch->seq);
        ledger_bind_u64(statement, 5, (uint64_t)batch->received_utc_ms);
        ledger_bind_bytes(statement, 6, hr_bytes_of(batch->digest, WIRE_DIGEST_BYTES));
        ledger_bind_bytes(statement, 7, batch->envelope);
        HR_TRY(ledger_run(ledger, statement, "inserting a batch"));
    }
    return hr_ok();
}

static struct hr_status write_streams(struct ledger_sqlite *ledger, const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_STREAM];
    for (size_t i = 0; i < change->n_streams; i++) {
        const struct ledger_stream *stream = &change->streams[i];
        ledger_bind_u64(statement, 1, stream->device_id);
        ledger_bind_u64(statement, 2, stream->stream);
        ledger_bind_u64(statement, 3, stream->cum_seq);
        ledger_bind_bytes(statement, 4, hr_bytes_of(stream->cum_digest, WIRE_DIGEST_BYTES));
        ledger_bind_u64(statement, 5, stream->next_record_seq);
        ledger_bind_u64(statement, 6, stream->key_epoch);
        ledger_bind_u64(statement, 7, stream->boot_id);
        ledger_bind_u64(statement, 8, stream->lost_batches);
        ledger_bind_u64(statement, 9, stream->lost_records);
        HR_TRY(ledger_run(ledger, statement, "storing a stream"));
    }
    return hr_ok();
}

static struct hr_status write_keys(struct ledger_sqlite *ledger, const struct ledger_device *device)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_KEY];
    for (size_t i = 0; i < device->n_keys; i++) {
        const struct ledger_key *key = &device->keys[i];
        ledger_bind_u64(statement, 1, device->device_id);
        ledger_bind_u64(statement, 2, key->epoch);
        ledger_bind_bytes(statement, 3, hr_bytes_of(key->spki, key->spki_len_bytes));
        ledger_bind_u64(statement, 4, key->from_stream);
        ledger_bind_u64(statement, 5, key->from_seq);
        ledger_bind_u64(statement, 6, key->to_stream);
        ledger_bind_u64(statement, 7, key->to_seq);
        ledger_bind_u64(statement, 8, key->revoked ? 1 : 0);
        HR_TRY(ledger_run(ledger, statement, "storing a key"));
    }
    return hr_ok();
}

static struct hr_status write_devices(struct ledger_sqlite *ledger, const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_DEVICE];
    for (size_t i = 0; i < change->n_devices; i++) {
        const struct ledger_device *device = &change->devices[i];
        ledger_bind_u64(statement, 1, device->device_id);
        ledger_bind_text(statement, 2, device->name);
        ledger_bind_text(statement, 3, device->tenant);
        ledger_bind_u64(statement, 4, (uint64_t)device->state);
        ledger_bind_u64(statement, 5, device->revision);
        ledger_bind_text(statement, 6, device->reason);
        HR_TRY(ledger_run(ledger, statement, "storing a device"));
        HR_TRY(write_keys(ledger, device));
    }
    return hr_ok();
}

static struct hr_status write_conflicts(struct ledger_sqlite *ledger, const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_CONFLICT];
    for (size_t i = 0; i < change->n_conflicts; i++) {
        const struct ledger_conflict *conflict = &change->conflicts[i];
        ledger_bind_u64(statement, 1, conflict->device_id);
        ledger_bind_u64(statement, 2, conflict->stream);
        ledger_bind_u64(statement, 3, conflict->seq);
        ledger_bind_text(statement, 4, conflict->kind);
        ledger_bind_u64(statement, 5, (uint64_t)conflict->received_utc_ms);
        ledger_bind_bytes(statement, 6, hr_bytes_of(conflict->known_digest, WIRE_DIGEST_BYTES));
        ledger_bind_bytes(statement, 7, conflict->envelope);
        HR_TRY(ledger_run(ledger, statement, "storing a conflict"));
    }
    return hr_ok();
}

static struct hr_status write_losses(struct ledger_sqlite *ledger, const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_LOSS];
    for (size_t i = 0; i < change->n_losses; i++) {
        const struct ledger_loss *row = &change->losses[i];
        ledger_bind_u64(statement, 1, row->device_id);
        ledger_bind_u64(statement, 2, row->stream);
        ledger_bind_u64(statement, 3, row->loss.from_seq);
        ledger_bind_u64(statement, 4, row->loss.to_seq);
        ledger_bind_u64(statement, 5, row->loss.first_record_seq);
        ledger_bind_u64(statement, 6, row->loss.n_records);
        ledger_bind_u64(statement, 7, row->loss.reason);
        ledger_bind_bytes(statement, 8, hr_bytes_of(row->loss.last_digest, WIRE_DIGEST_BYTES));
        ledger_bind_bytes(statement, 9, row->envelope);
        HR_TRY(ledger_run(ledger, statement, "storing a loss"));
    }
    return hr_ok();
}

static struct hr_status write_anchors(struct ledger_sqlite *ledger, const struct ledger_commit *change,
                                      uint64_t first_leaf)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_ANCHOR];
    for (size_t i = 0; i < change->n_anchors; i++) {
        const struct ledger_anchor *row = &change->anchors[i];
        HR_ASSERT(row->batch_index < change->n_batches);
        ledger_bind_u64(statement, 1, row->device_id);
        ledger_bind_u64(statement, 2, row->anchor.boot_id);
        ledger_bind_u64(statement, 3, first_leaf + row->batch_index);
        ledger_bind_u64(statement, 4, row->anchor.uptime_ms);
        ledger_bind_u64(statement, 5, row->anchor.utc_ms);
        ledger_bind_u64(statement, 6, row->anchor.err_ms);
        ledger_bind_u64(statement, 7, row->anchor.source);
        HR_TRY(ledger_run(ledger, statement, "storing a time anchor"));
    }
    return hr_ok();
}

static struct hr_status write_hints(struct ledger_sqlite *ledger)
{
    struct ledger_hint hints[LEDGER_MAX_SINKS];
    uint32_t n_hints = ledger_hints_take(&ledger->hints, hints);
    for (uint32_t i = 0; i < n_hints; i++) {
        ledger_bind_text(ledger->writes[WRITE_HINT], 1, hints[i].sink);
        ledger_bind_u64(ledger->writes[WRITE_HINT], 2, hints[i].next_leaf);
        HR_TRY(ledger_run(ledger, ledger->writes[WRITE_HINT], "storing a hint"));
    }
    return hr_ok();
}

static struct hr_status write_change(struct ledger_sqlite *ledger, const struct ledger_commit *change,
                                     uint64_t *first_leaf)
{
    HR_TRY(ledger_run(ledger, ledger->writes[WRITE_BEGIN], "beginning a transaction"));
    HR_TRY(advance_head(ledger, change->n_batches, first_leaf));
    HR_TRY(write_batches(ledger, change, *first_leaf));
    HR_TRY(write_streams(ledger, change));
    HR_TRY(write_devices(ledger, change));
    HR_TRY(write_conflicts(ledger, change));
    HR_TRY(write_losses(ledger, change));
    HR_TRY(write_anchors(ledger, change, *first_leaf));
    HR_TRY(write_hints(ledger));
    return ledger_run(ledger, ledger->writes[WRITE_COMMIT], "committing");
}

/* Undoes what a failed transaction wrote. What can't be undone surely, or failed in a way that leaves the
 * outcome open, breaks the ledger: the process has to end and look again. */
static struct hr_status give_up(struct ledger_sqlite *ledger, struct hr_status cause)
{
    bool is_settled = hr_is(cause, HR_FULL) || hr_is(cause, HR_DENIED) || hr_is(cause, HR_AGAIN);
    if (is_settled && sqlite3_get_autocommit(ledger->writer) == 0) {
        is_settled = hr_is_ok(ledger_run(ledger, ledger->writes[WRITE_ROLLBACK], "rolling back"));
    }
    if (!is_settled) {
        ledger->is_broken = true;
        return hr_status_of(HR_IO);
    }
    return hr_is(cause, HR_DENIED) ? cause : hr_status_of(HR_FULL);
}

/* Moves the WAL into the database file when it has grown. SQLite's own automatic checkpoint ignores a failing
 * fsync and tries again, and a second fsync may report success for pages that the kernel has dropped; so it
 * is off, and a failure here ends the process while the WAL still has everything. */
static struct hr_status checkpoint(struct ledger_sqlite *ledger, int n_wal_pages)
{
    if (n_wal_pages < LEDGER_CHECKPOINT_PAGES) {
        return hr_ok();
    }
    int rc = sqlite3_wal_checkpoint_v2(ledger->writer, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    struct hr_status status = ledger_status(ledger, ledger->writer, rc, "moving the WAL into the database");
    if (hr_is_ok(status) || hr_is(status, HR_AGAIN) || hr_is(status, HR_FULL)) {
        return hr_ok(); /* a reader is in the way, or the disk is full: the WAL keeps it until the next time
                         */
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

struct hr_status ledger_commit_change(void *ctx, const struct ledger_commit *change)
{
    struct ledger_sqlite *ledger = ctx;
    HR_ASSERT(change->n_batches <= LEDGER_COMMIT_MAX_BATCHES);
    if (ledger->writer == NULL) {
        return hr_status_of(HR_DENIED);
    }
    if (ledger->is_broken) {
        return hr_status_of(HR_IO);
    }
    int n_wal_pages = 0;
    (void)sqlite3_wal_hook(ledger->writer, note_wal_pages, &n_wal_pages);
    uint64_t first_leaf = 0;
    struct hr_status status = write_change(ledger, change, &first_leaf);
    (void)sqlite3_wal_hook(ledger->writer, NULL, NULL);
    if (!hr_is_ok(status)) {
        return give_up(ledger, status);
    }
    for (size_t i = 0; i < change->n_batches; i++) {
        change->batches[i].leaf = first_leaf + i;
    }
    atomic_store(&ledger->n_leaves, first_leaf + change->n_batches);
    return checkpoint(ledger, n_wal_pages);
}

struct hr_status ledger_set_hint(void *ctx, const char *sink, uint64_t next_leaf)
{
    struct ledger_sqlite *ledger = ctx;
    if (ledger->writer == NULL) {
        return hr_status_of(HR_DENIED);
    }
    return ledger_hints_set(&ledger->hints, sink, next_leaf);
}

struct hr_status ledger_flush_hints(struct ledger_sqlite *ledger)
{
    struct ledger_commit nothing = {.n_batches = 0};
    return ledger_commit_change(ledger, &nothing);
}
