/* SPDX-License-Identifier: Apache-2.0
 *
 * What every ledger must hold, whatever stands behind struct ledger: one suite, run against each. */
#ifndef LEDGER_SUITE_H
#define LEDGER_SUITE_H

#include "aggregator/io/ledger.h"

struct ledger_suite {
    const char *name; /* "sqlite" */
    /* Makes storage for one test, empty; and ends it. */
    void (*make)(void *ctx);
    void (*remove)(void *ctx);
    /* Opens the ledger in that storage, as a starting aggregator does. */
    HR_MUST_USE struct hr_status (*open)(void *ctx, struct ledger *out);
    /* Raises the writer epoch behind the back of whoever has the ledger open. */
    void (*take_over)(void *ctx);
    void *ctx;
};

/* Runs the suite; gives the number of failed tests. */
int ledger_suite_run(const struct ledger_suite *suite);

/* A batch with content that tells batches apart, in memory of the caller: 172 + payload_bytes. */
struct ledger_batch ledger_suite_batch(uint64_t device_id, uint32_t stream, uint32_t seq, uint8_t *envelope,
                                       size_t len_bytes);

#endif
