/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbered migrations of schemas/sql/<database>, built into the program by hr_migrations() of
 * aggregator/ledger/CMakeLists.txt. */
#ifndef LEDGER_MIGRATION_H
#define LEDGER_MIGRATION_H

#include <stddef.h>

struct ledger_migration {
    int version; /* the first four characters of the file's name; ascending */
    const char *name;
    const char *sql;
};

struct ledger_migrations {
    const struct ledger_migration *rows;
    size_t n;
};

#endif
