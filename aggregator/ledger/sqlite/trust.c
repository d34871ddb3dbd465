/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the log may be believed: every key that ever signed in it, and what stands in a suspect range. */
#include "aggregator/ledger/sqlite/internal.h"

#include <string.h>

struct key_visit {
    void (*each)(void *each_ctx, const struct ledger_old_key *row);
    void *each_ctx;
};

static void visit_key(void *ctx, sqlite3_stmt *row)
{
    const struct key_visit *visit = ctx;
    const struct hr_bytes spki = ledger_bytes(row, 2);
    if (spki.len_bytes > LEDGER_SPKI_MAX_BYTES) {
        return;
    }
    struct ledger_old_key old = {.device_id = ledger_u64(row, 0),
                                 .key = {.epoch = (uint16_t)ledger_u32(row, 1),
                                         .spki_len_bytes = (uint16_t)spki.len_bytes,
                                         .from_stream = ledger_u32(row, 3),
                                         .from_seq = ledger_u32(row, 4),
                                         .to_stream = ledger_u32(row, 5),
                                         .to_seq = ledger_u32(row, 6),
                                         .revoked = ledger_u32(row, 7) != 0,
                                         .since_utc_ms = sqlite3_column_int64(row, 8)}};
    memcpy(old.key.spki, spki.data, spki.len_bytes);
    visit->each(visit->each_ctx, &old);
}

struct hr_status ledger_list_keys(void *ctx, uint64_t device_id,
                                  void (*each)(void *each_ctx, const struct ledger_old_key *row),
                                  void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    struct key_visit visit = {each, each_ctx};
    sqlite3_stmt *statement = NULL;
    /* Two queries, so that one goes along the primary key. */
    const char *sql = device_id == 0 ? "SELECT " LEDGER_KEY_COLUMNS " FROM device_key ORDER BY device, epoch"
                                     : "SELECT " LEDGER_KEY_COLUMNS
                                       " FROM device_key WHERE device = ?1 ORDER BY epoch";
    ledger_lock_reader(ledger);
    struct hr_status status = ledger_prepare(ledger, ledger->reader, sql, &statement);
    if (hr_is_ok(status)) {
        if (device_id != 0) {
            ledger_bind_u64(statement, 1, device_id);
        }
        status = ledger_each_row(ledger, ledger->reader, statement, visit_key, &visit);
    }
    ledger_unlock_reader(ledger);
    return status;
}

static void visit_suspect(void *ctx, sqlite3_stmt *row)
{
    ledger_suspect_add(ctx, ledger_u64(row, 0), ledger_bytes(row, 1));
}

struct hr_status ledger_count_suspect(void *ctx, uint64_t device_id, const struct ledger_suspect *range,
                                      struct ledger_suspect_count *out)
{
    struct ledger_sqlite *ledger = ctx;
    struct ledger_suspect_count count = {.n_batches = 0};
    sqlite3_stmt *statement = NULL;
    ledger_lock_reader(ledger);
    /* SPEC section 2: n_records stands in bytes 28 and 29 of the header. */
    struct hr_status status =
        ledger_prepare(ledger, ledger->reader,
                       "SELECT leaf, substr(envelope, 29, 2) FROM batch WHERE device = ?1"
                       " AND (stream, seq) >= (?2, ?3) AND (stream, seq) < (?4, ?5)",
                       &statement);
    if (hr_is_ok(status)) {
        ledger_bind_u64(statement, 1, device_id);
        ledger_bind_u64(statement, 2, range->from_stream);
        ledger_bind_u64(statement, 3, range->from_seq);
        ledger_bind_u64(statement, 4, range->to_stream);
        ledger_bind_u64(statement, 5, range->to_seq);
        status = ledger_each_row(ledger, ledger->reader, statement, visit_suspect, &count);
    }
    ledger_unlock_reader(ledger);
    if (hr_is_ok(status)) {
        *out = count;
    }
    return status;
}
