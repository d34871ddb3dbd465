/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger on SQLite: one file in WAL mode with synchronous=FULL, one writer connection, one reader
 * connection. A lock file beside it ("<path>.lock") keeps a second instance out, and the writer epoch in
 * log_head, checked in each transaction, fences one that got around the lock. */
#ifndef LEDGER_SQLITE_H
#define LEDGER_SQLITE_H

#include "aggregator/io/ledger.h"

struct ledger_sqlite_config {
    const char *path;
    uint64_t max_bytes;      /* bound of the database file, 0: none; beyond it commits say HR_FULL, and only
                              * the feed ledger goes on, by 16 MiB at most, since deleting waits for it */
    uint64_t min_free_bytes; /* with less than this free on its disk, likewise; 0: not asked */
    const struct ledger_birth *birth; /* NULL, or what a new log begins as; an old one is then refused */
    const char *vfs;                  /* SQLite VFS name; NULL: the default. Tests put faults there */
    /* One line about what failed, without newline; may be NULL. Any thread that calls the ledger. */
    void (*log)(void *ctx, const char *text);
    void *log_ctx;
};

/* Opens or creates the ledger, applies pending migrations, takes the lock and raises the writer epoch.
 * HR_AGAIN: another process has it (the log names its pid). HR_CORRUPT: not a ledger of ours, or one of a
 * newer build. HR_IO: the disk or the memory failed. HR_DENIED: a birth was asked for and there is a ledger
 * already; nothing changed. *out is filled on success only; out->close frees it. */
HR_MUST_USE struct hr_status ledger_sqlite_open(const struct ledger_sqlite_config *config,
                                                struct ledger *out);

/* Opens an existing ledger for reading only, beside a running aggregator: commit and set_hint say HR_DENIED.
 */
HR_MUST_USE struct hr_status ledger_sqlite_open_reader(const struct ledger_sqlite_config *config,
                                                       struct ledger *out);

#endif
