/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/internal.h"

#include <stdio.h>

static enum hr_code code_of(int rc)
{
    switch (rc & 0xFF) { /* the primary code; extended ones tell which call failed */
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return HR_OK;
    case SQLITE_FULL:
        return HR_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return HR_AGAIN;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR: /* a statement that the schema doesn't know */
        return HR_CORRUPT;
    default:
        return HR_IO;
    }
}

struct hr_status ledger_status(const struct ledger_sqlite *ledger, sqlite3 *db, int rc, const char *doing)
{
    enum hr_code code = code_of(rc);
    if (code != HR_OK) {
        ledger_say(&ledger->report, "%s: %s (SQLite %d, errno %d)", doing,
                   db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(db), rc,
                   db == NULL ? 0 : sqlite3_system_errno(db));
    }
    return hr_status_of(code);
}

struct hr_status ledger_prepare(const struct ledger_sqlite *ledger, sqlite3 *db, const char *sql,
                                sqlite3_stmt **out)
{
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return ledger_status(ledger, db, rc, sql);
}

struct hr_status ledger_run(const struct ledger_sqlite *ledger, sqlite3_stmt *statement, const char *doing)
{
    int rc = sqlite3_step(statement);
    struct hr_status status = ledger_status(ledger, sqlite3_db_handle(statement), rc, doing);
    /* reset repeats the error of step, which is told already */
    (void)sqlite3_reset(statement);
    return status;
}

struct hr_status ledger_exec(const struct ledger_sqlite *ledger, sqlite3 *db, const char *sql)
{
    return ledger_status(ledger, db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

struct hr_status ledger_each_row(const struct ledger_sqlite *ledger, sqlite3 *db, sqlite3_stmt *statement,
                                 void (*each)(void *ctx, sqlite3_stmt *row), void *ctx)
{
    int rc = sqlite3_step(statement);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
        each(ctx, statement);
    }
    struct hr_status status = ledger_status(ledger, db, rc, "reading the ledger");
    (void)sqlite3_finalize(statement);
    return status;
}

/* Binding numbers and borrowed bytes allocates nothing and can't fail with an index that exists. */
void ledger_bind_u64(sqlite3_stmt *statement, int at, uint64_t value)
{
    HR_ASSERT(sqlite3_bind_int64(statement, at, ledger_signed_of(value)) == SQLITE_OK);
}

void ledger_bind_i64(sqlite3_stmt *statement, int at, int64_t value)
{
    HR_ASSERT(sqlite3_bind_int64(statement, at, value) == SQLITE_OK);
}

void ledger_bind_bytes(sqlite3_stmt *statement, int at, struct hr_bytes bytes)
{
    /* An empty blob, not NULL, for no bytes. */
    const void *data = bytes.data == NULL ? (const void *)"" : bytes.data;
    HR_ASSERT(sqlite3_bind_blob64(statement, at, data, bytes.len_bytes, SQLITE_STATIC) == SQLITE_OK);
}

void ledger_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    HR_ASSERT(sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC) == SQLITE_OK);
}

uint64_t ledger_u64(sqlite3_stmt *row, int column)
{
    return ledger_unsigned_of(sqlite3_column_int64(row, column));
}

uint32_t ledger_u32(sqlite3_stmt *row, int column)
{
    return (uint32_t)sqlite3_column_int64(row, column);
}

struct hr_bytes ledger_bytes(sqlite3_stmt *row, int column)
{
    const void *data = sqlite3_column_blob(row, column);
    return hr_bytes_of(data, (size_t)sqlite3_column_bytes(row, column));
}

void ledger_digest(sqlite3_stmt *row, int column, uint8_t out[WIRE_DIGEST_BYTES])
{
    ledger_digest_of(ledger_bytes(row, column), out);
}

void ledger_text(sqlite3_stmt *row, int column, char *out, size_t capacity_bytes)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    (void)snprintf(out, capacity_bytes, "%s", text == NULL ? "" : (const char *)text);
}
