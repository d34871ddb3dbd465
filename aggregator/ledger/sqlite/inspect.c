/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/internal.h"

struct conflict_visit {
    void (*each)(void *each_ctx, const struct ledger_conflict *row);
    void *each_ctx;
};

static void visit_conflict(void *ctx, sqlite3_stmt *row)
{
    const struct conflict_visit *visit = ctx;
    char kind[LEDGER_NAME_MAX_CHARS + 1];
    ledger_text(row, 3, kind, sizeof kind);
    struct ledger_conflict conflict = {.device_id = ledger_u64(row, 0),
                                       .stream = ledger_u32(row, 1),
                                       .seq = ledger_u32(row, 2),
                                       .kind = kind,
                                       .received_utc_ms = sqlite3_column_int64(row, 4),
                                       .envelope = ledger_bytes(row, 6)};
    ledger_digest(row, 5, conflict.known_digest);
    visit->each(visit->each_ctx, &conflict);
}

/* Prepares a query of which ?1 is a device, or 0 for all. */
static struct hr_status prepare_for(struct ledger_sqlite *ledger, const char *sql, uint64_t device_id,
                                    sqlite3_stmt **out)
{
    HR_TRY(ledger_prepare(ledger, ledger->reader, sql, out));
    ledger_bind_u64(*out, 1, device_id);
    return hr_ok();
}

struct hr_status ledger_conflicts(void *ctx, uint64_t device_id,
                                  void (*each)(void *each_ctx, const struct ledger_conflict *row),
                                  void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    struct conflict_visit visit = {each, each_ctx};
    sqlite3_stmt *statement = NULL;
    HR_TRY(prepare_for(ledger,
                       "SELECT device, stream, seq, kind, received_ms, known_digest, envelope FROM conflict"
                       " WHERE ?1 IN (0, device) ORDER BY id",
                       device_id, &statement));
    return ledger_each_row(ledger, ledger->reader, statement, visit_conflict, &visit);
}

struct loss_visit {
    void (*each)(void *each_ctx, const struct ledger_loss *row);
    void *each_ctx;
};

static void visit_loss(void *ctx, sqlite3_stmt *row)
{
    const struct loss_visit *visit = ctx;
    struct ledger_loss loss = {.device_id = ledger_u64(row, 0),
                               .stream = ledger_u32(row, 1),
                               .loss = {.from_seq = ledger_u32(row, 2),
                                        .to_seq = ledger_u32(row, 3),
                                        .first_record_seq = ledger_u64(row, 4),
                                        .n_records = ledger_u32(row, 5),
                                        .reason = ledger_u32(row, 6)},
                               .envelope = ledger_bytes(row, 8)};
    ledger_digest(row, 7, loss.loss.last_digest);
    visit->each(visit->each_ctx, &loss);
}

struct hr_status ledger_losses(void *ctx, uint64_t device_id,
                               void (*each)(void *each_ctx, const struct ledger_loss *row), void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    struct loss_visit visit = {each, each_ctx};
    sqlite3_stmt *statement = NULL;
    HR_TRY(prepare_for(
        ledger,
        "SELECT device, stream, from_seq, to_seq, first_record_seq, n_records, reason, last_digest,"
        " envelope FROM loss WHERE ?1 IN (0, device) ORDER BY id",
        device_id, &statement));
    return ledger_each_row(ledger, ledger->reader, statement, visit_loss, &visit);
}
