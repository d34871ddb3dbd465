/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger on PostgreSQL 14 or newer: one schema of a database holds one log. The head of the log is one
 * row; a commit locks it first, and fails unless its writer epoch stands there, so that the order of commits
 * is the order of leaves and a writer that was taken over can commit nothing (PROTOCOL 4.2). Whoever opens
 * the ledger for writing takes over.
 *
 * When the connection breaks while a commit is on its way, the head is read back over a new one, behind the
 * row lock of the old session, and its count of commits decides. Only when the server can't be reached within
 * commit_timeout_ms is the outcome unknown. Looking up a host's name has no deadline of ours. */
#ifndef LEDGER_POSTGRES_H
#define LEDGER_POSTGRES_H

#include "aggregator/io/ledger.h"

enum { LEDGER_POSTGRES_NAME_MAX_CHARS = 63, LEDGER_POSTGRES_PATH_MAX_CHARS = 511 };

struct ledger_postgres_config {
    const char
        *host; /* name, address, or folder of a unix socket; several with commas: the one that writes */
    uint16_t port;
    const char *database;
    const char *user;
    const char *password_file;        /* its first line, read at each connect; NULL or "": no password */
    const char *sslmode;              /* libpq's word for it, "verify-full" */
    const char *ca_file;              /* PEM, of the server's certificate; NULL or "": libpq's default */
    const char *schema;               /* lower-case letters, digits and '_' */
    const struct ledger_birth *birth; /* NULL, or what a new log begins as; an old one is then refused */
    uint32_t connect_timeout_ms;
    uint32_t commit_timeout_ms;
    /* One line about what failed, without newline; may be NULL. Any thread that calls the ledger. */
    void (*log)(void *ctx, const char *text);
    void *log_ctx;
};

/* Opens or creates the ledger in its schema, applies pending migrations, and takes over: the writer epoch is
 * raised, and a session of the writer before that sits on the head is ended. HR_AGAIN: the server can't be
 * reached, refuses, or the head stays locked. HR_DENIED: the server is set to forget commits (fsync = off),
 * or a birth was asked for and there is a ledger already. HR_CORRUPT: the schema holds something else, or a
 * ledger of a newer build. HR_IO: anything else, the log says what. *out is filled on success only;
 * out->close frees it. May block for connect_timeout_ms and twice commit_timeout_ms. */
HR_MUST_USE struct hr_status ledger_postgres_open(const struct ledger_postgres_config *config,
                                                  struct ledger *out);

/* Opens an existing ledger for reading only, beside a running aggregator: commit and set_hint say HR_DENIED.
 */
HR_MUST_USE struct hr_status ledger_postgres_open_reader(const struct ledger_postgres_config *config,
                                                         struct ledger *out);

#endif
