/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry as it is committed, page by page, and the audit entries that tell how it came to be so. */
#include "aggregator/ledger/sqlite/internal.h"

struct hr_status ledger_write_audits(const struct ledger_sqlite *ledger, const struct ledger_commit *change,
                                     uint64_t n_leaves)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_AUDIT];
    for (size_t i = 0; i < change->n_audits; i++) {
        const struct ledger_audit *row = &change->audits[i];
        ledger_bind_u64(statement, 1, row->device_id);
        ledger_bind_i64(statement, 2, row->at_utc_ms);
        ledger_bind_text(statement, 3, row->actor);
        ledger_bind_text(statement, 4, row->action);
        ledger_bind_i64(statement, 5, row->is_first ? -1 : (int64_t)row->old_state);
        ledger_bind_i64(statement, 6, (int64_t)row->new_state);
        ledger_bind_u64(statement, 7, row->revision);
        ledger_bind_bytes(statement, 8, hr_bytes_of(row->old_key, sizeof row->old_key));
        ledger_bind_bytes(statement, 9, hr_bytes_of(row->new_key, sizeof row->new_key));
        ledger_bind_text(statement, 10, row->reason);
        ledger_bind_u64(statement, 11, row->is_suspect ? 1 : 0);
        ledger_bind_u64(statement, 12, row->suspect.from_stream);
        ledger_bind_u64(statement, 13, row->suspect.from_seq);
        ledger_bind_u64(statement, 14, row->suspect.to_stream);
        ledger_bind_u64(statement, 15, row->suspect.to_seq);
        ledger_bind_u64(statement, 16, row->has_leaf ? row->leaf : n_leaves);
        HR_TRY(ledger_run(ledger, statement, "storing an audit entry"));
    }
    return hr_ok();
}

/* ---- lists ---- */

static struct hr_status prepare_page(struct ledger_sqlite *ledger, const char *sql,
                                     const struct ledger_page *page, sqlite3_stmt **out)
{
    HR_TRY(ledger_prepare(ledger, ledger->reader, sql, out));
    ledger_bind_u64(*out, 1, page->after);
    ledger_bind_u64(*out, 2, page->max_rows);
    return hr_ok();
}

struct hr_status ledger_find_devices(void *ctx, const struct ledger_page *page,
                                     const struct ledger_filter *filter,
                                     void (*each)(void *each_ctx, const struct ledger_device *device),
                                     void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    sqlite3_stmt *statement = NULL;
    ledger_lock_reader(ledger);
    struct hr_status status =
        prepare_page(ledger,
                     "SELECT " LEDGER_DEVICE_COLUMNS " FROM (SELECT * FROM device WHERE device > ?1"
                     " AND (?3 = '' OR instr(name, ?3) > 0) AND (?4 < 0 OR state = ?4)"
                     " ORDER BY device LIMIT ?2) LEFT JOIN device_key USING (device) ORDER BY device, epoch",
                     page, &statement);
    if (hr_is_ok(status)) {
        ledger_bind_text(statement, 3, filter->name_part != NULL ? filter->name_part : "");
        ledger_bind_i64(statement, 4, filter->has_state ? (int64_t)filter->state : -1);
        status = ledger_each_device(ledger, ledger->reader, statement, each, each_ctx);
    }
    ledger_unlock_reader(ledger);
    return status;
}

struct hr_status ledger_list_devices(void *ctx, const struct ledger_page *page,
                                     void (*each)(void *each_ctx, const struct ledger_device *device),
                                     void *each_ctx)
{
    const struct ledger_filter all = {.name_part = NULL};
    return ledger_find_devices(ctx, page, &all, each, each_ctx);
}

struct audit_visit {
    void (*each)(void *each_ctx, const struct ledger_audit *row);
    void *each_ctx;
};

static void visit_audit(void *ctx, sqlite3_stmt *row)
{
    const struct audit_visit *visit = ctx;
    int64_t old_state = sqlite3_column_int64(row, 5);
    struct ledger_audit audit = {
        .id = ledger_u64(row, 0),
        .device_id = ledger_u64(row, 1),
        .at_utc_ms = sqlite3_column_int64(row, 2),
        .is_first = old_state < 0,
        .old_state = (enum ledger_device_state)(old_state < 0 ? 0 : old_state),
        .new_state = (enum ledger_device_state)ledger_u32(row, 6),
        .revision = ledger_u32(row, 7),
        .is_suspect = ledger_u32(row, 11) != 0,
        .suspect = {ledger_u32(row, 12), ledger_u32(row, 13), ledger_u32(row, 14), ledger_u32(row, 15)},
        .leaf = ledger_u64(row, 16)};
    ledger_text(row, 3, audit.actor, sizeof audit.actor);
    ledger_text(row, 4, audit.action, sizeof audit.action);
    ledger_digest(row, 8, audit.old_key);
    ledger_digest(row, 9, audit.new_key);
    ledger_text(row, 10, audit.reason, sizeof audit.reason);
    visit->each(visit->each_ctx, &audit);
}

struct hr_status ledger_list_audits(void *ctx, uint64_t device_id, const struct ledger_page *page,
                                    void (*each)(void *each_ctx, const struct ledger_audit *row),
                                    void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    struct audit_visit visit = {each, each_ctx};
    sqlite3_stmt *statement = NULL;
    if (!ledger->has_audit) {
        return hr_status_of(HR_NOT_FOUND);
    }
    /* Two queries, so that each can go along its index. */
    const char *sql = device_id == 0 ? "SELECT " LEDGER_AUDIT_COLUMNS
                                       " FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2"
                                     : "SELECT " LEDGER_AUDIT_COLUMNS
                                       " FROM audit WHERE device = ?3 AND id > ?1 ORDER BY id LIMIT ?2";
    ledger_lock_reader(ledger);
    struct hr_status status = prepare_page(ledger, sql, page, &statement);
    if (hr_is_ok(status)) {
        if (device_id != 0) {
            ledger_bind_u64(statement, 3, device_id);
        }
        status = ledger_each_row(ledger, ledger->reader, statement, visit_audit, &visit);
    }
    ledger_unlock_reader(ledger);
    return status;
}
