/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/postgres/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release(struct ledger_postgres *ledger)
{
    ledger_pg_disconnect(&ledger->writer);
    ledger_pg_disconnect(&ledger->reader);
    ledger_pg_disconnect(&ledger->feeder);
    HR_ASSERT(pthread_mutex_destroy(&ledger->feeder_lock) == 0);
    free(ledger->arrays);
    ledger_pg_anchors_free(&ledger->anchors);
    HR_ASSERT(pthread_mutex_destroy(&ledger->reader_lock) == 0);
    ledger_hints_free(&ledger->hints);
    free(ledger);
}

static void close_ledger(void *ctx)
{
    struct ledger_postgres *ledger = ctx;
    if (ledger->is_writer && !ledger->is_broken && !ledger->is_fenced &&
        ledger_pg_is_connected(&ledger->writer)) {
        /* A hint that is not stored costs a look at the sink at the next start, nothing else. */
        const struct ledger_commit nothing = {.n_batches = 0};
        hr_ignore(ledger_pg_commit(ledger, &nothing));
    }
    release(ledger);
}

static const char *origin(void *ctx)
{
    return ((struct ledger_postgres *)ctx)->origin;
}

/* Copies a text that may be NULL; false: it does not fit. */
static bool keep(char *out, size_t capacity_bytes, const char *text)
{
    int len = snprintf(out, capacity_bytes, "%s", text == NULL ? "" : text);
    return len >= 0 && (size_t)len < capacity_bytes;
}

/* The schema's name goes into SQL as it is. */
static bool is_plain(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    return name[0] != '\0' && name[strspn(name, letters)] == '\0';
}

static bool keep_target(struct ledger_pg_target *target, const struct ledger_postgres_config *config)
{
    (void)snprintf(target->port, sizeof target->port, "%u", config->port);
    target->connect_timeout_ms = config->connect_timeout_ms;
    return keep(target->host, sizeof target->host, config->host) &&
           keep(target->database, sizeof target->database, config->database) &&
           keep(target->user, sizeof target->user, config->user) &&
           keep(target->password_file, sizeof target->password_file, config->password_file) &&
           keep(target->sslmode, sizeof target->sslmode, config->sslmode) &&
           keep(target->ca_file, sizeof target->ca_file, config->ca_file) &&
           keep(target->schema, sizeof target->schema, config->schema) && is_plain(target->schema);
}

/* NULL: no memory, or a text of the configuration is too long or has other letters than it may. */
static struct ledger_postgres *new_ledger(const struct ledger_postgres_config *config)
{
    struct ledger_postgres *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL || !keep_target(&ledger->target, config)) {
        free(ledger);
        return NULL;
    }
    ledger->report = (struct ledger_report){config->log, config->log_ctx};
    ledger->birth = config->birth;
    ledger->commit_timeout_ms = config->commit_timeout_ms;
    ledger->writer = (struct ledger_pg_link){.target = &ledger->target, .report = &ledger->report};
    ledger->reader = ledger->writer;
    ledger->feeder = ledger->writer;
    HR_ASSERT(pthread_mutex_init(&ledger->feeder_lock, NULL) == 0);
    pthread_mutexattr_t recursive;
    HR_ASSERT(pthread_mutexattr_init(&recursive) == 0);
    HR_ASSERT(pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE) == 0);
    HR_ASSERT(pthread_mutex_init(&ledger->reader_lock, &recursive) == 0);
    HR_ASSERT(pthread_mutexattr_destroy(&recursive) == 0);
    ledger_hints_init(&ledger->hints);
    return ledger;
}

static struct hr_status open_writer(struct ledger_postgres *ledger)
{
    ledger->is_writer = true;
    ledger->has_audit = true;
    ledger->has_enrolment = true;
    ledger->has_certificates = true;
    ledger->has_facts = true;
    ledger_pg_name_writer(ledger);
    HR_TRY(ledger_pg_take_over(ledger, ledger_pg_now_ms() + ledger->commit_timeout_ms));
    return ledger_pg_keep_reader(ledger, ledger->target.connect_timeout_ms);
}

static struct hr_status open_reader(struct ledger_postgres *ledger)
{
    uint64_t version = 0;
    HR_TRY(ledger_pg_keep_reader(ledger, ledger->target.connect_timeout_ms));
    uint64_t deadline_ms = ledger_pg_now_ms() + ledger->commit_timeout_ms;
    HR_TRY(ledger_pg_check_schema(&ledger->reader, deadline_ms, &version));
    if (version == 0) {
        ledger_say(&ledger->report, "the schema %s holds no ledger", ledger->target.schema);
        return hr_status_of(HR_CORRUPT);
    }
    ledger->has_audit = version >= LEDGER_PG_AUDIT_VERSION;
    ledger->has_enrolment = version >= LEDGER_PG_ENROLMENT_VERSION;
    ledger->has_certificates = version >= LEDGER_PG_CERTIFICATE_VERSION;
    ledger->has_facts = version >= LEDGER_PG_FACTS_VERSION;
    PGresult *result = NULL;
    struct ledger_pg_answer answer =
        ledger_pg_query(&ledger->reader, "SELECT origin FROM log_head", NULL, deadline_ms, &result);
    HR_TRY(ledger_pg_status(&answer));
    bool is_there = PQntuples(result) == 1;
    if (is_there) {
        ledger_pg_text(result, 0, 0, ledger->origin, sizeof ledger->origin);
    }
    PQclear(result);
    return hr_status_of(is_there ? HR_OK : HR_CORRUPT);
}

static struct hr_status open_with(const struct ledger_postgres_config *config, struct ledger *out,
                                  struct hr_status (*opener)(struct ledger_postgres *ledger))
{
    struct ledger_postgres *ledger = new_ledger(config);
    if (ledger == NULL) {
        const struct ledger_report report = {config->log, config->log_ctx};
        ledger_say(&report, "no memory, or a setting of the ledger that can't be");
        return hr_status_of(HR_IO);
    }
    struct hr_status status = opener(ledger);
    if (!hr_is_ok(status)) {
        release(ledger);
        return hr_is(status, HR_FULL) ? hr_status_of(HR_IO) : status;
    }
    *out = (struct ledger){.origin = origin, .close = close_ledger};
    ledger_pg_fill(ledger, out);
    return hr_ok();
}

struct hr_status ledger_postgres_open(const struct ledger_postgres_config *config, struct ledger *out)
{
    return open_with(config, out, open_writer);
}

struct hr_status ledger_postgres_open_reader(const struct ledger_postgres_config *config, struct ledger *out)
{
    return open_with(config, out, open_reader);
}
