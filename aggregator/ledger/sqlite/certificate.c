/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/internal.h"

struct hr_status ledger_write_certificates(const struct ledger_sqlite *ledger,
                                           const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_CERTIFICATE];
    for (size_t i = 0; i < change->n_certificates; i++) {
        const struct ledger_certificate *row = &change->certificates[i];
        ledger_bind_u64(statement, 1, row->device_id);
        ledger_bind_u64(statement, 2, row->number);
        ledger_bind_bytes(statement, 3, hr_bytes_of(row->key, sizeof row->key));
        ledger_bind_bytes(statement, 4, hr_bytes_of(row->certificate, row->certificate_len_bytes));
        ledger_bind_i64(statement, 5, row->issued_utc_ms);
        ledger_bind_i64(statement, 6, row->used_utc_ms);
        ledger_bind_i64(statement, 7, row->ends_utc_ms);
        ledger_bind_u64(statement, 8, row->is_barred ? 1 : 0);
        HR_TRY(ledger_run(ledger, statement, "storing a certificate"));
    }
    return hr_ok();
}

struct certificate_visit {
    void (*each)(void *each_ctx, const struct ledger_certificate *row);
    void *each_ctx;
};

static void visit(void *ctx, sqlite3_stmt *row)
{
    const struct certificate_visit *visit = ctx;
    struct ledger_certificate certificate = {.device_id = ledger_u64(row, 0),
                                             .number = ledger_u32(row, 1),
                                             .issued_utc_ms = sqlite3_column_int64(row, 4),
                                             .used_utc_ms = sqlite3_column_int64(row, 5),
                                             .ends_utc_ms = sqlite3_column_int64(row, 6),
                                             .is_barred = ledger_u32(row, 7) != 0};
    ledger_certificate_bytes(&certificate, ledger_bytes(row, 2), ledger_bytes(row, 3));
    visit->each(visit->each_ctx, &certificate);
}

/* `key` NULL: all of the device, or of all devices. */
static struct hr_status read_rows(struct ledger_sqlite *ledger, uint64_t device_id, const uint8_t *key,
                                  struct certificate_visit *rows)
{
    static const char *const sql[] = {
        "SELECT device, number, key, certificate, issued_ms, used_ms, ends_ms, barred FROM certificate"
        " ORDER BY device, number",
        "SELECT device, number, key, certificate, issued_ms, used_ms, ends_ms, barred FROM certificate"
        " WHERE device = ?1 ORDER BY number",
        "SELECT device, number, key, certificate, issued_ms, used_ms, ends_ms, barred FROM certificate"
        " WHERE device = ?1 AND key = ?2"};
    const int which = key != NULL ? 2 : device_id != 0 ? 1 : 0;
    sqlite3_stmt *statement = NULL;
    if (!ledger->has_certificates) {
        return hr_ok();
    }
    ledger_lock_reader(ledger);
    struct hr_status status = ledger_prepare(ledger, ledger->reader, sql[which], &statement);
    if (hr_is_ok(status)) {
        if (which > 0) {
            ledger_bind_u64(statement, 1, device_id);
        }
        if (which > 1) {
            ledger_bind_bytes(statement, 2, hr_bytes_of(key, WIRE_DIGEST_BYTES));
        }
        status = ledger_each_row(ledger, ledger->reader, statement, visit, rows);
    }
    ledger_unlock_reader(ledger);
    return status;
}

struct hr_status ledger_list_certificates(void *ctx, uint64_t device_id,
                                          void (*each)(void *each_ctx, const struct ledger_certificate *row),
                                          void *each_ctx)
{
    struct certificate_visit rows = {each, each_ctx};
    return read_rows(ctx, device_id, NULL, &rows);
}

struct hr_status ledger_find_certificate(void *ctx, uint64_t device_id, const uint8_t key[WIRE_DIGEST_BYTES],
                                         struct ledger_certificate *out)
{
    struct ledger_certificate found = {.number = 0};
    struct certificate_visit rows = {ledger_certificate_keep, &found};
    HR_TRY(read_rows(ctx, device_id, key, &rows));
    if (found.number == 0) {
        return hr_status_of(HR_NOT_FOUND);
    }
    *out = found;
    return hr_ok();
}
