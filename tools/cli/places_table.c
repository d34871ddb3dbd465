/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/failpoint.h"
#include "tools/cli/places.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x48525031, /* "HRP1" */ FORMAT = 1, BUSY_MS = 60000 };

static const char *const schema =
    "CREATE TABLE place (iso TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,"
    " name TEXT NOT NULL, zone TEXT NOT NULL, valid_from_s INTEGER NOT NULL, valid_to_s INTEGER,"
    " feed TEXT NOT NULL, leaf INTEGER NOT NULL, document_sha256 TEXT NOT NULL,"
    " PRIMARY KEY (iso, kind, id, version), CHECK (valid_to_s IS NULL OR valid_to_s >= valid_from_s))"
    " STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX place_current ON place (iso, kind, id) WHERE valid_to_s IS NULL;"
    "CREATE TABLE cursor (one INTEGER PRIMARY KEY CHECK (one = 1), origin TEXT NOT NULL,"
    " next_leaf INTEGER NOT NULL) STRICT;"
    "PRAGMA application_id = 1213354033; PRAGMA user_version = 1;";

static const char *const find_sql = "SELECT version, name, zone, valid_from_s FROM place"
                                    " WHERE iso = ?1 AND kind = ?2 AND id = ?3 AND valid_to_s IS NULL";
static const char *const end_sql =
    "UPDATE place SET valid_to_s = ?4 WHERE iso = ?1 AND kind = ?2 AND id = ?3 AND valid_to_s IS NULL";
static const char *const add_sql =
    "INSERT INTO place (iso, kind, id, valid_from_s, version, name, zone, feed, leaf, document_sha256)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
/* Only from where it was read: two processes never count the same leaves. */
static const char *const move_sql =
    "INSERT INTO cursor SELECT 1, ?1, ?2 WHERE ?3 OR EXISTS"
    " (SELECT 1 FROM cursor WHERE origin = ?1 AND next_leaf = ?4)"
    " ON CONFLICT (one) DO UPDATE SET next_leaf = excluded.next_leaf WHERE NOT ?3";

static const char *const each_sql =
    "SELECT iso, kind, id, name, zone, feed, document_sha256, leaf, valid_from_s, valid_to_s FROM place"
    " WHERE (?1 IS NULL OR iso = ?1) AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR id = ?3)"
    " AND (?4 IS NULL OR (valid_from_s <= ?4 AND (valid_to_s IS NULL OR valid_to_s > ?4)))"
    " ORDER BY iso, kind, id, version";

static struct hr_status status_of(const struct cli_places *places, int rc)
{
    int primary = rc & 0xFF;
    if (primary == SQLITE_OK || primary == SQLITE_ROW || primary == SQLITE_DONE) {
        return hr_ok();
    }
    (void)fprintf(stderr, "headrace %s: %s: %s\n", places->verb, places->path,
                  primary == SQLITE_BUSY ? "another program is writing it" : sqlite3_errmsg(places->db));
    return hr_status_of(primary == SQLITE_BUSY                                   ? HR_AGAIN
                        : primary == SQLITE_NOTADB || primary == SQLITE_READONLY ? HR_DENIED
                                                                                 : HR_IO);
}

static struct hr_status execute(const struct cli_places *places, const char *sql)
{
    return status_of(places, sqlite3_exec(places->db, sql, NULL, NULL, NULL));
}

static struct hr_status prepare(const struct cli_places *places, const char *sql, sqlite3_stmt **out)
{
    return status_of(places, sqlite3_prepare_v2(places->db, sql, -1, out, NULL));
}

static struct hr_status run(const struct cli_places *places, sqlite3_stmt *statement)
{
    struct hr_status status = status_of(places, sqlite3_step(statement));
    (void)sqlite3_reset(statement); /* repeats what step said */
    return status;
}

/* Binding borrowed texts and numbers to an index that exists can only fail for a text beyond SQLite's bounds,
 * which ours never are. */
static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    HR_ASSERT(sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC) == SQLITE_OK);
}

static void bind_number(sqlite3_stmt *statement, int at, int64_t number)
{
    HR_ASSERT(sqlite3_bind_int64(statement, at, number) == SQLITE_OK);
}

/* ---- the file ---- */

static struct hr_status read_number(const struct cli_places *places, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    HR_TRY(prepare(places, sql, &statement));
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
    }
    struct hr_status status = status_of(places, rc);
    (void)sqlite3_finalize(statement);
    return status;
}

/* Makes the tables in a new file, and refuses another's. */
static struct hr_status check_format(const struct cli_places *places, bool may_write, bool *is_made)
{
    int64_t application = 0;
    int64_t format = 0;
    int64_t n_tables = 0;
    HR_TRY(read_number(places, "PRAGMA application_id", &application));
    HR_TRY(read_number(places, "PRAGMA user_version", &format));
    HR_TRY(read_number(places, "SELECT count(*) FROM sqlite_schema", &n_tables));
    if (may_write && application == 0 && format == 0 && n_tables == 0) {
        *is_made = true;
        return execute(places, schema);
    }
    if (application == APPLICATION_ID && format == FORMAT) {
        return hr_ok();
    }
    (void)fprintf(stderr, "headrace %s: %s is no table of places%s\n", places->verb, places->path,
                  application == APPLICATION_ID ? " that this build knows" : "; it is left as it is");
    return hr_status_of(HR_DENIED);
}

static struct hr_status read_cursor(struct cli_places *places)
{
    sqlite3_stmt *statement = NULL;
    HR_TRY(prepare(places, "SELECT origin, next_leaf FROM cursor", &statement));
    int rc = sqlite3_step(statement);
    places->has_cursor = rc == SQLITE_ROW;
    if (places->has_cursor) {
        (void)snprintf(places->origin, sizeof places->origin, "%s",
                       (const char *)sqlite3_column_text(statement, 0));
        places->next_leaf = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    struct hr_status status = status_of(places, rc);
    (void)sqlite3_finalize(statement);
    return status;
}

/* In one transaction, so that two that make the same file do it once. A COMMIT of nothing would wait for
 * readers. */
static struct hr_status set_up(struct cli_places *places, bool may_write)
{
    bool is_made = false;
    HR_TRY(execute(places, may_write ? "BEGIN IMMEDIATE" : "BEGIN"));
    HR_TRY(check_format(places, may_write, &is_made));
    HR_TRY(read_cursor(places));
    HR_TRY(execute(places, is_made ? "COMMIT" : "ROLLBACK"));
    if (!may_write) {
        return execute(places, "PRAGMA query_only = 1");
    }
    HR_TRY(prepare(places, find_sql, &places->find));
    HR_TRY(prepare(places, end_sql, &places->end));
    HR_TRY(prepare(places, add_sql, &places->add));
    return prepare(places, move_sql, &places->move);
}

struct hr_status cli_places_open(const char *verb, const char *path, bool may_write, struct cli_places *out)
{
    *out = (struct cli_places){.verb = verb, .path = path};
    if (!may_write && access(path, F_OK) != 0) {
        (void)fprintf(stderr, "headrace %s: there is no %s; --into makes one\n", verb, path);
        return hr_status_of(HR_NOT_FOUND);
    }
    /* Who reads may have to roll back what a killed writer left. */
    int rc =
        sqlite3_open_v2(path, &out->db, SQLITE_OPEN_READWRITE | (may_write ? SQLITE_OPEN_CREATE : 0), NULL);
    struct hr_status status = status_of(out, rc);
    if (hr_is_ok(status)) {
        (void)sqlite3_busy_timeout(out->db, BUSY_MS);
        status = set_up(out, may_write);
    }
    if (!hr_is_ok(status)) {
        cli_places_close(out);
    }
    return status;
}

void cli_places_close(struct cli_places *places)
{
    (void)sqlite3_finalize(places->find);
    (void)sqlite3_finalize(places->end);
    (void)sqlite3_finalize(places->add);
    (void)sqlite3_finalize(places->move);
    (void)sqlite3_close(places->db); /* an open transaction is rolled back */
    places->db = NULL;
}

/* ---- rows ---- */

struct hr_status cli_places_begin(struct cli_places *places)
{
    return execute(places, "BEGIN IMMEDIATE");
}

static void bind_key(sqlite3_stmt *statement, const struct cli_place_said *said)
{
    bind_text(statement, 1, said->iso);
    bind_text(statement, 2, said->kind);
    bind_text(statement, 3, said->id);
}

/* The row at hand of a place. */
struct known {
    bool is_there;
    int64_t version, from_s;
    char name[CLI_PLACES_TEXT_CHARS];
    char zone[CLI_PLACES_TEXT_CHARS];
};

static struct hr_status find(const struct cli_places *places, const struct cli_place_said *said,
                             struct known *out)
{
    bind_key(places->find, said);
    int rc = sqlite3_step(places->find);
    out->is_there = rc == SQLITE_ROW;
    if (out->is_there) {
        out->version = sqlite3_column_int64(places->find, 0);
        (void)snprintf(out->name, sizeof out->name, "%s", (const char *)sqlite3_column_text(places->find, 1));
        (void)snprintf(out->zone, sizeof out->zone, "%s", (const char *)sqlite3_column_text(places->find, 2));
        out->from_s = sqlite3_column_int64(places->find, 3);
    }
    struct hr_status status = status_of(places, rc);
    (void)sqlite3_reset(places->find);
    return status;
}

static struct hr_status add(const struct cli_places *places, const struct cli_place_said *said,
                            int64_t version, const char *name, const char *zone)
{
    bind_key(places->add, said);
    bind_number(places->add, 4, said->from_s);
    bind_number(places->add, 5, version);
    bind_text(places->add, 6, name);
    bind_text(places->add, 7, zone);
    bind_text(places->add, 8, said->feed);
    bind_number(places->add, 9, (int64_t)said->leaf);
    bind_text(places->add, 10, said->document_sha256);
    return run(places, places->add);
}

struct hr_status cli_places_say(struct cli_places *places, const struct cli_place_said *said,
                                struct cli_places_counts *counts)
{
    struct known known = {.is_there = false};
    HR_TRY(find(places, said, &known));
    counts->n_told++;
    if (!known.is_there) {
        counts->n_new++;
        return add(places, said, 0, said->name, said->zone);
    }
    const char *name = said->name[0] != '\0' ? said->name : known.name;
    const char *zone = said->zone[0] != '\0' ? said->zone : known.zone;
    if (strcmp(name, known.name) == 0 && strcmp(zone, known.zone) == 0) {
        counts->n_unchanged++;
        return hr_ok();
    }
    if (said->from_s < known.from_s) {
        counts->n_late++;
        return hr_ok();
    }
    counts->n_changed++;
    bind_key(places->end, said);
    bind_number(places->end, 4, said->from_s);
    HR_TRY(run(places, places->end));
    return add(places, said, known.version + 1, name, zone);
}

struct hr_status cli_places_commit(struct cli_places *places, const char *origin, uint64_t next_leaf)
{
    bind_text(places->move, 1, origin);
    bind_number(places->move, 2, (int64_t)next_leaf);
    bind_number(places->move, 3, places->has_cursor ? 0 : 1);
    bind_number(places->move, 4, (int64_t)places->next_leaf);
    HR_TRY(run(places, places->move));
    if (sqlite3_changes(places->db) != 1) {
        (void)fprintf(stderr, "headrace %s: %s: another program read into it meanwhile; run it again\n",
                      places->verb, places->path);
        return hr_status_of(HR_AGAIN);
    }
    HR_FAILPOINT("places_before_commit");
    HR_TRY(execute(places, "COMMIT"));
    HR_FAILPOINT("places_after_commit");
    (void)snprintf(places->origin, sizeof places->origin, "%s", origin);
    places->has_cursor = true;
    places->next_leaf = next_leaf;
    return hr_ok();
}

void cli_places_rollback(struct cli_places *places)
{
    (void)sqlite3_exec(places->db, "ROLLBACK", NULL, NULL, NULL); /* it may be rolled back already */
}

/* ---- reading ---- */

/* A number alone would be a Julian day to SQLite. */
static bool is_like_a_time(const char *text)
{
    return strcmp(text, "now") == 0 || (strlen(text) >= 10 && text[4] == '-' && text[7] == '-');
}

static struct hr_status read_time(const struct cli_places *places, const char *text, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    HR_TRY(prepare(places, "SELECT CAST(strftime('%s', ?1) AS INTEGER)", &statement));
    bind_text(statement, 1, text);
    int rc = sqlite3_step(statement);
    bool is_time =
        is_like_a_time(text) && rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL;
    *out = is_time ? sqlite3_column_int64(statement, 0) : 0;
    struct hr_status status = status_of(places, rc);
    (void)sqlite3_finalize(statement);
    return hr_is_ok(status) && !is_time ? hr_status_of(HR_MALFORMED) : status;
}

static void hand_out(sqlite3_stmt *row, void (*each)(void *ctx, const struct cli_place_row *row), void *ctx)
{
    const char *texts[7];
    for (int i = 0; i < 7; i++) {
        texts[i] = (const char *)sqlite3_column_text(row, i);
    }
    const struct cli_place_row told = {.said = {.iso = texts[0],
                                                .kind = texts[1],
                                                .id = texts[2],
                                                .name = texts[3],
                                                .zone = texts[4],
                                                .feed = texts[5],
                                                .document_sha256 = texts[6],
                                                .leaf = (uint64_t)sqlite3_column_int64(row, 7),
                                                .from_s = sqlite3_column_int64(row, 8)},
                                       .is_current = sqlite3_column_type(row, 9) == SQLITE_NULL,
                                       .to_s = sqlite3_column_int64(row, 9)};
    each(ctx, &told);
}

struct hr_status cli_places_each(struct cli_places *places, const struct cli_places_wanted *wanted,
                                 void (*each)(void *ctx, const struct cli_place_row *row), void *ctx)
{
    const char *texts[] = {wanted->iso, wanted->kind, wanted->id};
    sqlite3_stmt *statement = NULL;
    int64_t at_s = 0;
    if (wanted->at != NULL) {
        HR_TRY(read_time(places, wanted->at, &at_s));
    }
    HR_TRY(prepare(places, each_sql, &statement));
    for (int i = 0; i < 3; i++) {
        if (texts[i] != NULL) { /* what is not bound is NULL */
            bind_text(statement, i + 1, texts[i]);
        }
    }
    if (wanted->at != NULL) {
        bind_number(statement, 4, at_s);
    }
    int rc = sqlite3_step(statement);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
        hand_out(statement, each, ctx);
    }
    struct hr_status status = status_of(places, rc);
    (void)sqlite3_finalize(statement);
    return status;
}
