/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger that a configuration names: SQLite or PostgreSQL. */
#ifndef LEDGER_CHOICE_H
#define LEDGER_CHOICE_H

#include "aggregator/config/config.h"
#include "aggregator/io/ledger.h"
#include "aggregator/ledger/base/report.h"

/* For writing, or for reading beside a writer. Statuses as ledger_sqlite_open and ledger_postgres_open; the
 * configuration was checked. */
HR_MUST_USE struct hr_status ledger_choice_open(const struct config_ledger *config,
                                                const struct ledger_report *report, struct ledger *out);
/* The same for writing, but the log is made anew and begins as `birth` says (borrowed). HR_DENIED: a ledger
 * is there already; nothing changed. */
HR_MUST_USE struct hr_status ledger_choice_open_new(const struct config_ledger *config,
                                                    const struct ledger_report *report,
                                                    const struct ledger_birth *birth, struct ledger *out);
HR_MUST_USE struct hr_status ledger_choice_open_reader(const struct config_ledger *config,
                                                       const struct ledger_report *report,
                                                       struct ledger *out);

#endif
