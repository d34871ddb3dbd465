/* SPDX-License-Identifier: Apache-2.0
 *
 * A ledger on a real PostgreSQL under fire: one device commits group after group, and the lab knows at every
 * moment what must be there. */
#ifndef POSTGRES_LAB_H
#define POSTGRES_LAB_H

#include "tests/support/ledger_suite.h"
#include "tests/support/postgres_server.h"

#include <pthread.h>

enum { PG_LAB_GROUP = 3, PG_LAB_ENVELOPE_BYTES = 400, PG_LAB_DEVICE = 77, PG_LAB_LOG_BYTES = 1 << 20 };

struct postgres_lab {
    struct postgres_server server;
    char schema[32];
    char host[POSTGRES_PATH_CHARS]; /* empty: the server's own socket; else a proxy's */
    uint32_t commit_timeout_ms;     /* 0: the usual */
    pthread_mutex_t lock;
    char logged[PG_LAB_LOG_BYTES]; /* what ledgers said since the schema was made */
    size_t logged_bytes;
};

void postgres_lab_start(struct postgres_lab *lab, const char *preload);
void postgres_lab_stop(struct postgres_lab *lab);

/* An empty schema for the next test. */
void postgres_lab_renew(struct postgres_lab *lab);
HR_MUST_USE struct hr_status postgres_lab_open(struct postgres_lab *lab, struct ledger *out);
/* SQL as the superuser in the schema of the test. */
void postgres_lab_sql(struct postgres_lab *lab, const char *sql);
/* How often a line with this text was logged. */
uint32_t postgres_lab_logged(struct postgres_lab *lab, const char *text);

/* Commits the group that begins with this sequence number, of a device. */
HR_MUST_USE struct hr_status postgres_lab_commit(const struct ledger *ledger, uint64_t device_id,
                                                 uint32_t first_seq);
/* The same, again and again while the ledger is away or full; asserts that it gets there. */
void postgres_lab_commit_surely(const struct ledger *ledger, uint64_t device_id, uint32_t first_seq);
/* Reads the whole ledger by a connection of its own: dense leaves, each batch of a device once, in order and
 * byte for byte, streams as their last batch. Gives the number of leaves; asserts that device PG_LAB_DEVICE +
 * i has n_batches[i] of them. */
uint64_t postgres_lab_check(struct postgres_lab *lab, const uint32_t *n_batches, uint32_t n_devices);

#endif
