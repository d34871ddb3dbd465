/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A query of one number on the given connection. */
static struct hr_status query_u64(const struct ledger_sqlite *ledger, sqlite3 *db, const char *sql,
                                  uint64_t *out)
{
    sqlite3_stmt *statement = NULL;
    HR_TRY(ledger_prepare(ledger, db, sql, &statement));
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *out = ledger_u64(statement, 0);
    }
    struct hr_status status = ledger_status(ledger, db, rc, sql);
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? hr_status_of(HR_CORRUPT) : status;
}

static struct hr_status open_connection(const struct ledger_sqlite *ledger,
                                        const struct ledger_sqlite_config *config, int flags, sqlite3 **out)
{
    int rc = sqlite3_open_v2(config->path, out, flags | SQLITE_OPEN_NOMUTEX, config->vfs);
    if (rc != SQLITE_OK) {
        ledger_say(&ledger->report, "%s: %s", config->path, sqlite3_errstr(rc));
        return hr_status_of(HR_IO);
    }
    HR_ASSERT(sqlite3_extended_result_codes(*out, 1) == SQLITE_OK);
    HR_ASSERT(sqlite3_busy_timeout(*out, LEDGER_BUSY_MS) == SQLITE_OK);
    return hr_ok();
}

/* Is the file empty or a ledger that this build understands? Tells its schema version; 0 for an empty file.
 */
static struct hr_status check_format(const struct ledger_sqlite *ledger, sqlite3 *db, uint64_t *version)
{
    uint64_t application_id = 0;
    uint64_t n_objects = 0;
    HR_TRY(query_u64(ledger, db, "PRAGMA application_id", &application_id));
    HR_TRY(query_u64(ledger, db, "SELECT count(*) FROM sqlite_schema", &n_objects));
    *version = 0;
    if (n_objects == 0) {
        return hr_ok();
    }
    if (application_id != LEDGER_APPLICATION_ID) {
        ledger_say(&ledger->report, "the file is a database, but not a ledger of Headrace");
        return hr_status_of(HR_CORRUPT);
    }
    HR_TRY(query_u64(ledger, db, "SELECT max(version) FROM schema_version", version));
    const struct ledger_migrations *migrations = &ledger_sqlite_migrations;
    uint64_t newest = (uint64_t)migrations->rows[migrations->n - 1].version;
    if (*version > newest) {
        ledger_say(&ledger->report, "the ledger has schema %llu, this build knows up to %llu",
                   (unsigned long long)*version, (unsigned long long)newest);
        return hr_status_of(HR_CORRUPT);
    }
    return hr_ok();
}

static struct hr_status apply_migrations(const struct ledger_sqlite *ledger, uint64_t version)
{
    for (size_t i = 0; i < ledger_sqlite_migrations.n; i++) {
        const struct ledger_migration *migration = &ledger_sqlite_migrations.rows[i];
        if ((uint64_t)migration->version <= version) {
            continue;
        }
        HR_TRY(ledger_exec(ledger, ledger->writer, migration->sql));
        char sql[160];
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO schema_version (version, name, applied_at)"
                       " VALUES (%d, '%s', strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', 'now'))",
                       migration->version, migration->name);
        HR_TRY(ledger_exec(ledger, ledger->writer, sql));
    }
    return hr_ok();
}

static struct hr_status create_head(struct ledger_sqlite *ledger)
{
    uint8_t random[LEDGER_ORIGIN_CHARS / 2];
    sqlite3_randomness(sizeof random, random);
    for (size_t i = 0; i < sizeof random; i++) {
        (void)snprintf(ledger->origin + 2 * i, 3, "%02x", random[i]);
    }
    const struct ledger_birth birth =
        ledger->birth != NULL ? *ledger->birth : (struct ledger_birth){.origin = ledger->origin};
    char sql[160];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO log_head (only, origin, size, first_leaf, writer_epoch)"
                   " VALUES (0, '%.32s', %llu, %llu, 0)",
                   birth.origin, (unsigned long long)birth.first_leaf, (unsigned long long)birth.first_leaf);
    return ledger_exec(ledger, ledger->writer, sql);
}

/* All of a first start, or of a takeover, in one transaction. */
static struct hr_status migrate(struct ledger_sqlite *ledger)
{
    char pragma[64];
    (void)snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d", LEDGER_APPLICATION_ID);
    HR_TRY(ledger_exec(ledger, ledger->writer, "BEGIN IMMEDIATE"));
    uint64_t version;
    HR_TRY(check_format(ledger, ledger->writer, &version));
    if (version == 0) {
        HR_TRY(ledger_exec(ledger, ledger->writer, pragma));
        HR_TRY(ledger_exec(ledger, ledger->writer,
                           "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
                           " applied_at TEXT NOT NULL) STRICT"));
    }
    HR_TRY(apply_migrations(ledger, version));
    if (version == 0) {
        HR_TRY(create_head(ledger));
    }
    /* From now on the commits of whoever held the log before are refused. */
    HR_TRY(ledger_exec(ledger, ledger->writer, "UPDATE log_head SET writer_epoch = writer_epoch + 1"));
    return ledger_exec(ledger, ledger->writer, "COMMIT");
}

static struct hr_status read_head(struct ledger_sqlite *ledger, sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    HR_TRY(ledger_prepare(ledger, db, "SELECT origin, size, writer_epoch FROM log_head", &statement));
    int rc = sqlite3_step(statement);
    struct hr_status status = ledger_status(ledger, db, rc, "reading the head of the log");
    if (rc == SQLITE_ROW) {
        ledger_text(statement, 0, ledger->origin, sizeof ledger->origin);
        atomic_store(&ledger->n_leaves, ledger_u64(statement, 1));
        ledger->writer_epoch = ledger_u64(statement, 2);
    }
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? hr_status_of(HR_CORRUPT) : status;
}

struct hr_status ledger_bound(const struct ledger_sqlite *ledger, uint64_t beyond_bytes)
{
    if (ledger->max_bytes == 0) {
        return hr_ok();
    }
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %llu",
                   (unsigned long long)((ledger->max_bytes + beyond_bytes) / ledger->page_bytes));
    return ledger_exec(ledger, ledger->writer, sql);
}

static struct hr_status set_pragmas(struct ledger_sqlite *ledger)
{
    sqlite3 *db = ledger->writer;
    /* FULL: the WAL is synced at each commit; with NORMAL a power cut takes the last commits back and acks
     * lie. The locking mode stays normal, so that the publisher and `headrace ledger inspect` read beside the
     * writer. */
    HR_TRY(
        ledger_exec(ledger, db, "PRAGMA page_size = 8192")); /* of a new file; 4096 costs a third more CPU */
    HR_TRY(ledger_exec(ledger, db, "PRAGMA journal_mode = WAL"));
    HR_TRY(ledger_exec(ledger, db, "PRAGMA synchronous = FULL"));
    HR_TRY(ledger_exec(ledger, db, "PRAGMA wal_autocheckpoint = 0"));
    HR_TRY(ledger_exec(ledger, db, "PRAGMA cache_size = -16384"));
    HR_TRY(ledger_exec(ledger, db, "PRAGMA trusted_schema = OFF"));
    HR_TRY(query_u64(ledger, db, "PRAGMA page_size", &ledger->page_bytes));
    if (ledger->page_bytes == 0) {
        return hr_status_of(HR_IO);
    }
    return ledger_bound(ledger, 0);
}

/* Moves all that an earlier process left in the WAL into the database, with fsync, before anything is built
 * upon it: if that process ended because an fsync failed, its last commits may stand in the page cache alone,
 * and a duplicate must not be acknowledged on their strength. */
static struct hr_status settle_wal(const struct ledger_sqlite *ledger)
{
    int n_pages = 0;
    int n_moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(ledger->writer, "main", SQLITE_CHECKPOINT_FULL, &n_pages, &n_moved);
    HR_TRY(ledger_status(ledger, ledger->writer, rc, "settling the WAL"));
    return hr_status_of(n_pages == n_moved ? HR_OK : HR_AGAIN);
}

static struct hr_status open_writer(struct ledger_sqlite *ledger, const struct ledger_sqlite_config *config)
{
    HR_TRY(ledger_lock(ledger, config->path));
    HR_TRY(open_connection(ledger, config, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &ledger->writer));
    uint64_t version;
    HR_TRY(check_format(ledger, ledger->writer, &version)); /* before anything of a foreign file is changed */
    if (ledger->birth != NULL && version != 0) {
        ledger_say(&ledger->report, "%s holds a ledger already", config->path);
        return hr_status_of(HR_DENIED);
    }
    HR_TRY(set_pragmas(ledger));
    HR_TRY(settle_wal(ledger));
    HR_TRY(migrate(ledger));
    HR_TRY(read_head(ledger, ledger->writer));
    HR_TRY(ledger_prepare_writes(ledger));
    ledger->has_feeds = true;
    ledger->has_audit = true;
    ledger->has_enrolment = true;
    ledger->has_certificates = true;
    ledger->has_facts = true;
    HR_TRY(open_connection(ledger, config, SQLITE_OPEN_READONLY, &ledger->reader));
    return ledger_prepare_reads(ledger);
}

static struct hr_status open_reader(struct ledger_sqlite *ledger, const struct ledger_sqlite_config *config)
{
    HR_TRY(open_connection(ledger, config, SQLITE_OPEN_READONLY, &ledger->reader));
    uint64_t version;
    HR_TRY(check_format(ledger, ledger->reader, &version));
    if (version == 0) {
        ledger_say(&ledger->report, "%s is empty", config->path);
        return hr_status_of(HR_CORRUPT);
    }
    ledger->has_feeds = version >= LEDGER_FEEDS_VERSION;
    ledger->has_audit = version >= LEDGER_AUDIT_VERSION;
    ledger->has_enrolment = version >= LEDGER_ENROLMENT_VERSION;
    ledger->has_certificates = version >= LEDGER_CERTIFICATE_VERSION;
    ledger->has_facts = version >= LEDGER_FACTS_VERSION;
    HR_TRY(read_head(ledger, ledger->reader));
    return ledger_prepare_reads(ledger);
}

static void release(struct ledger_sqlite *ledger)
{
    for (int i = 0; i < N_WRITES; i++) {
        (void)sqlite3_finalize(ledger->writes[i]);
    }
    (void)sqlite3_finalize(ledger->read_batches);
    (void)sqlite3_finalize(ledger->read_stream);
    (void)sqlite3_finalize(ledger->read_anchor);
    (void)sqlite3_close(ledger->reader);
    (void)sqlite3_close(ledger->writer);
    ledger_unlock(ledger);
    HR_ASSERT(pthread_mutex_destroy(&ledger->reader_lock) == 0);
    HR_ASSERT(pthread_mutex_destroy(&ledger->writer_lock) == 0);
    ledger_hints_free(&ledger->hints);
    free(ledger);
}

static void close_ledger(void *ctx)
{
    struct ledger_sqlite *ledger = ctx;
    if (ledger->writer != NULL && !ledger->is_broken) {
        /* A hint that is not stored costs a look at the sink at the next start, nothing else. */
        hr_ignore(ledger_flush_hints(ledger));
    }
    release(ledger);
}

static const char *origin(void *ctx)
{
    return ((struct ledger_sqlite *)ctx)->origin;
}

static struct ledger_sqlite *new_ledger(const struct ledger_sqlite_config *config)
{
    struct ledger_sqlite *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL) {
        return NULL;
    }
    ledger->lock_fd = -1;
    ledger->birth = config->birth;
    ledger->max_bytes = config->max_bytes;
    ledger->min_free_bytes = config->min_free_bytes;
    const char *slash = strrchr(config->path, '/');
    int folder_len = slash == NULL ? 0 : (int)(slash - config->path) + 1;
    (void)snprintf(ledger->folder, sizeof ledger->folder, "%.*s.", folder_len, config->path);
    ledger->report = (struct ledger_report){config->log, config->log_ctx};
    pthread_mutexattr_t recursive;
    HR_ASSERT(pthread_mutexattr_init(&recursive) == 0);
    HR_ASSERT(pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE) == 0);
    HR_ASSERT(pthread_mutex_init(&ledger->reader_lock, &recursive) == 0);
    HR_ASSERT(pthread_mutexattr_destroy(&recursive) == 0);
    HR_ASSERT(pthread_mutex_init(&ledger->writer_lock, NULL) == 0);
    ledger_hints_init(&ledger->hints);
    return ledger;
}

static struct hr_status open_with(const struct ledger_sqlite_config *config, struct ledger *out,
                                  struct hr_status (*opener)(struct ledger_sqlite *ledger,
                                                             const struct ledger_sqlite_config *config))
{
    struct ledger_sqlite *ledger = new_ledger(config);
    if (ledger == NULL) {
        return hr_status_of(HR_IO);
    }
    struct hr_status status = opener(ledger, config);
    if (!hr_is_ok(status)) {
        release(ledger);
        return hr_is(status, HR_FULL) ? hr_status_of(HR_IO) : status;
    }
    *out = (struct ledger){.commit = ledger_commit_change,
                           .is_writer = ledger_is_writer,
                           .size = ledger_size,
                           .read = ledger_read,
                           .read_stream = ledger_read_stream,
                           .anchor_at = ledger_anchor_at,
                           .load_streams = ledger_load_streams,
                           .load_devices = ledger_load_devices,
                           .find_digest = ledger_find_digest,
                           .conflicts = ledger_conflicts,
                           .losses = ledger_losses,
                           .list_devices = ledger_list_devices,
                           .list_audits = ledger_list_audits,
                           .find_devices = ledger_find_devices,
                           .find_enrolment = ledger_find_enrolment,
                           .enrolments = ledger_list_enrolments,
                           .certificates = ledger_list_certificates,
                           .find_certificate = ledger_find_certificate,
                           .list_keys = ledger_list_keys,
                           .count_suspect = ledger_count_suspect,
                           .set_hint = ledger_set_hint,
                           .get_hint = ledger_get_hint,
                           .first_leaf = ledger_first_leaf,
                           .prune = ledger_prune_batches,
                           .room = ledger_room,
                           .origin = origin,
                           .close = close_ledger,
                           .feeds = &ledger_sqlite_feeds,
                           .ctx = ledger};
    return hr_ok();
}

struct hr_status ledger_sqlite_open(const struct ledger_sqlite_config *config, struct ledger *out)
{
    return open_with(config, out, open_writer);
}

struct hr_status ledger_sqlite_open_reader(const struct ledger_sqlite_config *config, struct ledger *out)
{
    return open_with(config, out, open_reader);
}
