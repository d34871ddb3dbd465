/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/internal.h"

#include <string.h>

/* What runs on the writer thread uses the writer's connection, and so sees its own commits at once. */
static sqlite3 *connection_for_loading(const struct ledger_sqlite *ledger)
{
    return ledger->writer != NULL ? ledger->writer : ledger->reader;
}

void ledger_lock_reader(struct ledger_sqlite *ledger)
{
    HR_ASSERT(pthread_mutex_lock(&ledger->reader_lock) == 0);
}

void ledger_unlock_reader(struct ledger_sqlite *ledger)
{
    HR_ASSERT(pthread_mutex_unlock(&ledger->reader_lock) == 0);
}

/* Runs a query that gives one row at most: HR_OK with the statement standing on it, HR_NOT_FOUND, or an
 * error. */
static struct hr_status step_to_row(const struct ledger_sqlite *ledger, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_DONE) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct hr_status status = ledger_status(ledger, sqlite3_db_handle(statement), rc, "reading the ledger");
    return hr_is(status, HR_AGAIN) ? hr_status_of(HR_IO) : status;
}

static struct hr_status read_head_number(struct ledger_sqlite *ledger, const char *sql, uint64_t *out)
{
    ledger_lock_reader(ledger);
    sqlite3_stmt *statement = NULL;
    struct hr_status status = ledger_prepare(ledger, ledger->reader, sql, &statement);
    if (hr_is_ok(status)) {
        status = step_to_row(ledger, statement);
    }
    if (hr_is_ok(status)) {
        *out = ledger_u64(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    ledger_unlock_reader(ledger);
    return status;
}

struct hr_status ledger_size(void *ctx, uint64_t *n_leaves)
{
    struct ledger_sqlite *ledger = ctx;
    if (ledger->writer != NULL) {
        *n_leaves = atomic_load(&ledger->n_leaves);
        return hr_ok();
    }
    return read_head_number(ledger, "SELECT size FROM log_head", n_leaves);
}

struct hr_status ledger_first_leaf(void *ctx, uint64_t *first_leaf)
{
    return read_head_number(ctx, "SELECT first_leaf FROM log_head", first_leaf);
}

struct hr_status ledger_is_writer(void *ctx)
{
    struct ledger_sqlite *ledger = ctx;
    uint64_t epoch = 0;
    if (ledger->writer == NULL) {
        return hr_status_of(HR_DENIED);
    }
    if (!hr_is_ok(read_head_number(ledger, "SELECT writer_epoch FROM log_head", &epoch))) {
        return hr_status_of(HR_IO);
    }
    return hr_status_of(epoch == ledger->writer_epoch ? HR_OK : HR_DENIED);
}

static void batch_of_row(sqlite3_stmt *row, struct ledger_batch *out)
{
    *out = (struct ledger_batch){.leaf = ledger_u64(row, 0),
                                 .device_id = ledger_u64(row, 1),
                                 .stream = ledger_u32(row, 2),
                                 .seq = ledger_u32(row, 3),
                                 .received_utc_ms = sqlite3_column_int64(row, 4),
                                 .envelope = ledger_bytes(row, 6)};
    ledger_digest(row, 5, out->digest);
}

static struct hr_status read_rows(const struct ledger_sqlite *ledger, sqlite3_stmt *statement,
                                  struct ledger_budget budget,
                                  void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                  void *each_ctx)
{
    bool has_room = true;
    while (has_room) {
        struct hr_status status = step_to_row(ledger, statement);
        if (hr_is(status, HR_NOT_FOUND)) {
            break;
        }
        HR_TRY(status);
        struct ledger_batch batch;
        batch_of_row(statement, &batch);
        each(each_ctx, &batch);
        has_room = ledger_budget_spend(&budget, &batch);
    }
    return hr_status_of(budget.n_read > 0 ? HR_OK : HR_NOT_FOUND);
}

struct hr_status ledger_prepare_reads(struct ledger_sqlite *ledger)
{
    HR_TRY(ledger_prepare(ledger, ledger->reader,
                          "SELECT leaf, device, stream, seq, received_ms, digest, envelope FROM batch"
                          " WHERE leaf >= ?1 ORDER BY leaf",
                          &ledger->read_batches));
    HR_TRY(ledger_prepare(ledger, ledger->reader,
                          "SELECT leaf, device, stream, seq, received_ms, digest, envelope FROM batch"
                          " WHERE device = ?1 AND stream = ?2 AND seq BETWEEN ?3 AND ?4 ORDER BY seq",
                          &ledger->read_stream));
    return ledger_prepare(ledger, ledger->reader,
                          "SELECT uptime_ms, utc_ms, err_ms, source FROM anchor WHERE device = ?1"
                          " AND boot_id = ?2 AND leaf <= ?3 ORDER BY leaf DESC LIMIT 1",
                          &ledger->read_anchor);
}

struct hr_status ledger_read(void *ctx, uint64_t from, uint32_t max_batches, size_t max_bytes,
                             void (*each)(void *each_ctx, const struct ledger_batch *batch), void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    HR_ASSERT(max_batches > 0);
    ledger_lock_reader(ledger);
    ledger_bind_u64(ledger->read_batches, 1, from);
    struct ledger_budget budget = {.batches = max_batches, .bytes = max_bytes};
    struct hr_status status = read_rows(ledger, ledger->read_batches, budget, each, each_ctx);
    /* Ends the read transaction: an open one would keep the WAL from being moved. */
    (void)sqlite3_reset(ledger->read_batches);
    ledger_unlock_reader(ledger);
    return status;
}

struct hr_status ledger_read_stream(void *ctx, const struct ledger_range *range,
                                    void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                    void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    sqlite3_stmt *statement = ledger->read_stream;
    ledger_lock_reader(ledger);
    ledger_bind_u64(statement, 1, range->device_id);
    ledger_bind_u64(statement, 2, range->stream);
    ledger_bind_u64(statement, 3, range->from_seq);
    ledger_bind_u64(statement, 4, range->to_seq);
    const struct ledger_budget budget = {.batches = UINT32_MAX, .bytes = SIZE_MAX};
    struct hr_status status = read_rows(ledger, statement, budget, each, each_ctx);
    (void)sqlite3_reset(statement);
    ledger_unlock_reader(ledger);
    return hr_is(status, HR_NOT_FOUND) ? hr_ok() : status;
}

struct hr_status ledger_anchor_at(void *ctx, uint64_t device_id, uint32_t boot_id, uint64_t leaf,
                                  struct edge_time_anchor *out)
{
    struct ledger_sqlite *ledger = ctx;
    sqlite3_stmt *statement = ledger->read_anchor;
    ledger_lock_reader(ledger);
    ledger_bind_u64(statement, 1, device_id);
    ledger_bind_u64(statement, 2, boot_id);
    ledger_bind_u64(statement, 3, leaf);
    struct hr_status status = step_to_row(ledger, statement);
    if (hr_is_ok(status)) {
        *out = (struct edge_time_anchor){.boot_id = boot_id,
                                         .uptime_ms = ledger_u64(statement, 0),
                                         .utc_ms = ledger_u64(statement, 1),
                                         .err_ms = ledger_u32(statement, 2),
                                         .source = ledger_u32(statement, 3)};
    }
    (void)sqlite3_reset(statement);
    ledger_unlock_reader(ledger);
    return status;
}

struct stream_visit {
    void (*each)(void *each_ctx, const struct ledger_stream *stream);
    void *each_ctx;
};

static void visit_stream(void *ctx, sqlite3_stmt *row)
{
    const struct stream_visit *visit = ctx;
    struct ledger_stream stream = {.device_id = ledger_u64(row, 0),
                                   .stream = ledger_u32(row, 1),
                                   .cum_seq = ledger_u32(row, 2),
                                   .next_record_seq = ledger_u64(row, 4),
                                   .key_epoch = ledger_u32(row, 5),
                                   .boot_id = ledger_u32(row, 6),
                                   .lost_batches = ledger_u64(row, 7),
                                   .lost_records = ledger_u64(row, 8)};
    ledger_digest(row, 3, stream.cum_digest);
    visit->each(visit->each_ctx, &stream);
}

struct hr_status ledger_load_streams(void *ctx,
                                     void (*each)(void *each_ctx, const struct ledger_stream *stream),
                                     void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    struct stream_visit visit = {each, each_ctx};
    sqlite3 *db = connection_for_loading(ledger);
    sqlite3_stmt *statement = NULL;
    HR_TRY(ledger_prepare(ledger, db,
                          "SELECT device, stream, cum_seq, cum_digest, next_record_seq, key_epoch, boot_id,"
                          " lost_batches, lost_records FROM stream_state ORDER BY device, stream",
                          &statement));
    return ledger_each_row(ledger, db, statement, visit_stream, &visit);
}

/* False: the row is of a device without keys. */
static bool key_of_row(sqlite3_stmt *row, struct ledger_key *out)
{
    struct hr_bytes spki = ledger_bytes(row, 7);
    if (sqlite3_column_type(row, 6) == SQLITE_NULL || spki.len_bytes > LEDGER_SPKI_MAX_BYTES) {
        return false;
    }
    *out = (struct ledger_key){.epoch = (uint16_t)ledger_u32(row, 6),
                               .spki_len_bytes = (uint16_t)spki.len_bytes,
                               .from_stream = ledger_u32(row, 8),
                               .from_seq = ledger_u32(row, 9),
                               .to_stream = ledger_u32(row, 10),
                               .to_seq = ledger_u32(row, 11),
                               .revoked = ledger_u32(row, 12) != 0,
                               .since_utc_ms = sqlite3_column_int64(row, 14)};
    memcpy(out->spki, spki.data, spki.len_bytes);
    return true;
}

static void visit_device(void *ctx, sqlite3_stmt *row)
{
    struct ledger_device device = {.device_id = ledger_u64(row, 0),
                                   .state = (enum ledger_device_state)ledger_u32(row, 3),
                                   .revision = ledger_u32(row, 4),
                                   .wants_key = ledger_u32(row, 13) != 0,
                                   .cut = (enum ledger_cut)ledger_u32(row, 15),
                                   .cut_stream = ledger_u32(row, 16),
                                   .cut_seq = ledger_u32(row, 17),
                                   .bundle = ledger_u32(row, 18),
                                   .wants_transport = (enum ledger_transport_wish)ledger_u32(row, 19)};
    ledger_text(row, 1, device.name, sizeof device.name);
    ledger_text(row, 2, device.tenant, sizeof device.tenant);
    ledger_text(row, 5, device.reason, sizeof device.reason);
    struct ledger_key key;
    ledger_device_rows_add(ctx, &device, key_of_row(row, &key) ? &key : NULL);
}

struct hr_status ledger_each_device(const struct ledger_sqlite *ledger, sqlite3 *db, sqlite3_stmt *statement,
                                    void (*each)(void *each_ctx, const struct ledger_device *device),
                                    void *each_ctx)
{
    struct ledger_device_rows rows = {.each = each, .each_ctx = each_ctx};
    HR_TRY(ledger_each_row(ledger, db, statement, visit_device, &rows));
    ledger_device_rows_end(&rows);
    return hr_ok();
}

struct hr_status ledger_load_devices(void *ctx,
                                     void (*each)(void *each_ctx, const struct ledger_device *device),
                                     void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    sqlite3 *db = connection_for_loading(ledger);
    sqlite3_stmt *statement = NULL;
    HR_TRY(ledger_prepare(ledger, db,
                          "SELECT " LEDGER_DEVICE_COLUMNS " FROM device LEFT JOIN device_key USING (device)"
                          " ORDER BY device, epoch",
                          &statement));
    return ledger_each_device(ledger, db, statement, each, each_ctx);
}

static struct hr_status find_place(const struct ledger_sqlite *ledger, sqlite3_stmt *statement,
                                   const uint64_t place[3], uint8_t *digest)
{
    for (int i = 0; i < 3; i++) {
        ledger_bind_u64(statement, i + 1, place[i]);
    }
    struct hr_status status = step_to_row(ledger, statement);
    if (hr_is_ok(status) && digest != NULL) {
        ledger_digest(statement, 0, digest);
    }
    (void)sqlite3_reset(statement);
    return status;
}

struct hr_status ledger_find_digest(void *ctx, uint64_t device_id, uint32_t stream, uint32_t seq,
                                    uint8_t digest[WIRE_DIGEST_BYTES])
{
    struct ledger_sqlite *ledger = ctx;
    HR_ASSERT(ledger->writer != NULL);
    const uint64_t place[3] = {device_id, stream, seq};
    ledger_lock_writer(ledger);
    struct hr_status status = find_place(ledger, ledger->writes[WRITE_FIND_DIGEST], place, digest);
    if (hr_is(status, HR_NOT_FOUND) &&
        hr_is_ok(find_place(ledger, ledger->writes[WRITE_FIND_COVERED], place, NULL))) {
        status = hr_status_of(HR_CLOSED);
    }
    ledger_unlock_writer(ledger);
    return status;
}

struct hr_status ledger_get_hint(void *ctx, const char *sink, uint64_t *next_leaf)
{
    struct ledger_sqlite *ledger = ctx;
    if (ledger_hints_find(&ledger->hints, sink, next_leaf)) {
        return hr_ok();
    }
    ledger_lock_reader(ledger);
    sqlite3_stmt *statement = NULL;
    struct hr_status status =
        ledger_prepare(ledger, ledger->reader, "SELECT next_leaf FROM hint WHERE sink = ?1", &statement);
    if (hr_is_ok(status)) {
        ledger_bind_text(statement, 1, sink);
        status = step_to_row(ledger, statement);
    }
    if (hr_is_ok(status)) {
        *next_leaf = ledger_u64(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    ledger_unlock_reader(ledger);
    return status;
}
