/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/postgres/internal.h"

#include <stdio.h>

/* How many tables and the like the schema holds, and whether those of a ledger are among them. */
struct content {
    bool has_schema;
    uint64_t n_objects;
    bool has_ledger;
};

static struct hr_status look(struct ledger_pg_link *link, uint64_t deadline_ms, struct content *out)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, link->target->schema);
    PGresult *result = NULL;
    struct ledger_pg_answer answer =
        ledger_pg_query(link,
                        "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid),"
                        " (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid"
                        "  AND relname IN ('schema_version', 'log_head', 'batch'))"
                        " FROM pg_namespace n WHERE nspname = $1",
                        &params, deadline_ms, &result);
    HR_TRY(ledger_pg_status(&answer));
    *out = (struct content){.has_schema = PQntuples(result) == 1};
    if (out->has_schema) {
        out->n_objects = ledger_pg_u64(result, 0, 0);
        out->has_ledger = ledger_pg_u64(result, 0, 1) == 3;
    }
    PQclear(result);
    return hr_ok();
}

struct hr_status ledger_pg_check_schema(struct ledger_pg_link *link, uint64_t deadline_ms, uint64_t *version)
{
    struct content content;
    HR_TRY(look(link, deadline_ms, &content));
    *version = 0;
    if (content.n_objects == 0) {
        return hr_ok();
    }
    if (!content.has_ledger) {
        ledger_say(link->report, "the schema %s holds something, but no ledger of Headrace",
                   link->target->schema);
        return hr_status_of(HR_CORRUPT);
    }
    PGresult *result = NULL;
    struct ledger_pg_answer answer =
        ledger_pg_query(link, "SELECT max(version)::bigint FROM schema_version", NULL, deadline_ms, &result);
    HR_TRY(ledger_pg_status(&answer));
    *version = PQntuples(result) == 1 ? ledger_pg_u64(result, 0, 0) : 0;
    PQclear(result);
    const struct ledger_migrations *migrations = &ledger_postgres_migrations;
    uint64_t newest = (uint64_t)migrations->rows[migrations->n - 1].version;
    if (*version == 0 || *version > newest) {
        ledger_say(link->report, "the ledger has schema %llu, this build knows up to %llu",
                   (unsigned long long)*version, (unsigned long long)newest);
        return hr_status_of(HR_CORRUPT);
    }
    return hr_ok();
}

static struct hr_status run(struct ledger_pg_link *link, const char *sql, uint64_t deadline_ms)
{
    struct ledger_pg_answer answer = ledger_pg_script(link, sql, deadline_ms);
    return ledger_pg_status(&answer);
}

static struct hr_status create(struct ledger_pg_link *link, uint64_t deadline_ms)
{
    struct content content;
    char sql[LEDGER_POSTGRES_NAME_MAX_CHARS + 32];
    HR_TRY(look(link, deadline_ms, &content));
    if (!content.has_schema) {
        (void)snprintf(sql, sizeof sql, "CREATE SCHEMA \"%s\"", link->target->schema);
        HR_TRY(run(link, sql, deadline_ms));
    }
    return run(link,
               "CREATE TABLE schema_version (version integer PRIMARY KEY, name text NOT NULL,"
               " applied_at timestamptz NOT NULL DEFAULT now())",
               deadline_ms);
}

struct hr_status ledger_pg_migrate(struct ledger_postgres *ledger, uint64_t version, uint64_t deadline_ms)
{
    struct ledger_pg_link *link = &ledger->writer;
    if (ledger->birth != NULL && version != 0) {
        ledger_say(link->report, "the schema %s holds a ledger already", link->target->schema);
        return hr_status_of(HR_DENIED);
    }
    if (version == 0) {
        HR_TRY(create(link, deadline_ms));
    }
    for (size_t i = 0; i < ledger_postgres_migrations.n; i++) {
        const struct ledger_migration *migration = &ledger_postgres_migrations.rows[i];
        if ((uint64_t)migration->version <= version) {
            continue;
        }
        char sql[160];
        HR_TRY(run(link, migration->sql, deadline_ms));
        (void)snprintf(sql, sizeof sql, "INSERT INTO schema_version (version, name) VALUES (%d, '%s')",
                       migration->version, migration->name);
        HR_TRY(run(link, sql, deadline_ms));
    }
    if (version > 0) {
        return hr_ok();
    }
    if (ledger->birth == NULL) {
        return run(link,
                   "INSERT INTO log_head (origin, size, writer_epoch, writer, writer_pid, writer_session)"
                   " VALUES (replace(gen_random_uuid()::text, '-', ''), 0, 0, '', 0, now())",
                   deadline_ms);
    }
    char sql[240];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO log_head (origin, size, first_leaf, writer_epoch, writer, writer_pid,"
                   " writer_session) VALUES ('%.32s', %llu, %llu, 0, '', 0, now())",
                   ledger->birth->origin, (unsigned long long)ledger->birth->first_leaf,
                   (unsigned long long)ledger->birth->first_leaf);
    return run(link, sql, deadline_ms);
}
