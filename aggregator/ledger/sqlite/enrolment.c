/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/internal.h"

#include <string.h>

struct hr_status ledger_write_enrolments(const struct ledger_sqlite *ledger,
                                         const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_ENROLMENT];
    for (size_t i = 0; i < change->n_enrolments; i++) {
        const struct ledger_enrolment *row = &change->enrolments[i];
        ledger_bind_u64(statement, 1, row->device_id);
        ledger_bind_text(statement, 2, row->serial);
        ledger_bind_text(statement, 3, row->site);
        ledger_bind_bytes(statement, 4, hr_bytes_of(row->nonce, sizeof row->nonce));
        ledger_bind_u64(statement, 5, row->epoch);
        ledger_bind_u64(statement, 6, row->first_stream);
        ledger_bind_bytes(statement, 7, hr_bytes_of(row->spki, row->spki_len_bytes));
        ledger_bind_bytes(statement, 8, hr_bytes_of(row->certificate, row->certificate_len_bytes));
        HR_TRY(ledger_run(ledger, statement, "storing an enrolment"));
    }
    return hr_ok();
}

struct finding {
    struct ledger_enrolment *out;
    bool is_found;
};

static void visit(void *ctx, sqlite3_stmt *row)
{
    struct finding *finding = ctx;
    struct ledger_enrolment *out = finding->out;
    *out = (struct ledger_enrolment){.device_id = ledger_u64(row, 0),
                                     .epoch = (uint16_t)ledger_u32(row, 4),
                                     .first_stream = ledger_u32(row, 5)};
    ledger_text(row, 1, out->serial, sizeof out->serial);
    ledger_text(row, 2, out->site, sizeof out->site);
    ledger_enrolment_bytes(out, ledger_bytes(row, 3), ledger_bytes(row, 6), ledger_bytes(row, 7));
    finding->is_found = true;
}

struct enrolment_visit {
    void (*each)(void *each_ctx, const struct ledger_enrolment *row);
    void *each_ctx;
};

static void visit_each(void *ctx, sqlite3_stmt *row)
{
    const struct enrolment_visit *rows = ctx;
    struct ledger_enrolment enrolment;
    struct finding finding = {.out = &enrolment};
    visit(&finding, row);
    rows->each(rows->each_ctx, &enrolment);
}

struct hr_status ledger_list_enrolments(void *ctx,
                                        void (*each)(void *each_ctx, const struct ledger_enrolment *row),
                                        void *each_ctx)
{
    struct ledger_sqlite *ledger = ctx;
    struct enrolment_visit rows = {each, each_ctx};
    sqlite3_stmt *statement = NULL;
    if (!ledger->has_enrolment) {
        return hr_ok();
    }
    ledger_lock_reader(ledger);
    struct hr_status status =
        ledger_prepare(ledger, ledger->reader,
                       "SELECT device, serial, site, nonce, epoch, first_stream, spki, certificate"
                       " FROM enrolment ORDER BY device",
                       &statement);
    if (hr_is_ok(status)) {
        status = ledger_each_row(ledger, ledger->reader, statement, visit_each, &rows);
    }
    ledger_unlock_reader(ledger);
    return status;
}

struct hr_status ledger_find_enrolment(void *ctx, const char *serial, uint64_t device_id,
                                       struct ledger_enrolment *out)
{
    struct ledger_sqlite *ledger = ctx;
    struct finding finding = {.out = out};
    sqlite3_stmt *statement = NULL;
    if (!ledger->has_enrolment) {
        return hr_status_of(HR_NOT_FOUND);
    }
    const char *sql = serial != NULL
                          ? "SELECT device, serial, site, nonce, epoch, first_stream, spki, certificate"
                            " FROM enrolment WHERE serial = ?1"
                          : "SELECT device, serial, site, nonce, epoch, first_stream, spki, certificate"
                            " FROM enrolment WHERE device = ?1";
    ledger_lock_reader(ledger);
    struct hr_status status = ledger_prepare(ledger, ledger->reader, sql, &statement);
    if (hr_is_ok(status)) {
        if (serial != NULL) {
            ledger_bind_text(statement, 1, serial);
        } else {
            ledger_bind_u64(statement, 1, device_id);
        }
        status = ledger_each_row(ledger, ledger->reader, statement, visit, &finding);
    }
    ledger_unlock_reader(ledger);
    HR_TRY(status);
    return hr_status_of(finding.is_found ? HR_OK : HR_NOT_FOUND);
}
