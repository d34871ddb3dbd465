/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/choice/choice.h"

#include "aggregator/ledger/postgres/ledger_postgres.h"
#include "aggregator/ledger/sqlite/ledger_sqlite.h"

static struct ledger_sqlite_config sqlite_of(const struct config_ledger *config,
                                             const struct ledger_report *report)
{
    return (struct ledger_sqlite_config){.path = config->sqlite,
                                         .max_bytes = config->max_bytes,
                                         .min_free_bytes = config->min_free_bytes,
                                         .log = report->log,
                                         .log_ctx = report->ctx};
}

static struct ledger_postgres_config postgres_of(const struct config_ledger *config,
                                                 const struct ledger_report *report)
{
    const struct config_postgres *from = &config->postgres;
    return (struct ledger_postgres_config){.host = from->host,
                                           .port = from->port,
                                           .database = from->database,
                                           .user = from->user,
                                           .password_file = from->password_file,
                                           .sslmode = from->tls,
                                           .ca_file = from->ca_file,
                                           .schema = from->schema,
                                           .connect_timeout_ms = from->connect_timeout_ms,
                                           .commit_timeout_ms = from->commit_timeout_ms,
                                           .log = report->log,
                                           .log_ctx = report->ctx};
}

struct hr_status ledger_choice_open_new(const struct config_ledger *config,
                                        const struct ledger_report *report, const struct ledger_birth *birth,
                                        struct ledger *out)
{
    if (config->has_postgres) {
        struct ledger_postgres_config postgres = postgres_of(config, report);
        postgres.birth = birth;
        return ledger_postgres_open(&postgres, out);
    }
    struct ledger_sqlite_config sqlite = sqlite_of(config, report);
    sqlite.birth = birth;
    return ledger_sqlite_open(&sqlite, out);
}

struct hr_status ledger_choice_open(const struct config_ledger *config, const struct ledger_report *report,
                                    struct ledger *out)
{
    return ledger_choice_open_new(config, report, NULL, out);
}

struct hr_status ledger_choice_open_reader(const struct config_ledger *config,
                                           const struct ledger_report *report, struct ledger *out)
{
    if (config->has_postgres) {
        const struct ledger_postgres_config postgres = postgres_of(config, report);
        return ledger_postgres_open_reader(&postgres, out);
    }
    const struct ledger_sqlite_config sqlite = sqlite_of(config, report);
    return ledger_sqlite_open_reader(&sqlite, out);
}
