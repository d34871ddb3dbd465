/* SPDX-License-Identifier: Apache-2.0
 *
 * Hints of publishers on their way into the ledger: kept in memory, and written with the next commit, so that
 * publishing costs no fsync. [any] */
#ifndef LEDGER_HINTS_H
#define LEDGER_HINTS_H

#include "proto/base/status.h"

#include <pthread.h>
#include <stdint.h>

enum { LEDGER_MAX_SINKS = 8, LEDGER_SINK_NAME_MAX_CHARS = 31 };

struct ledger_hint {
    char sink[LEDGER_SINK_NAME_MAX_CHARS + 1];
    uint64_t next_leaf;
    bool is_dirty; /* not yet in a transaction */
};

struct ledger_hints {
    pthread_mutex_t lock;
    struct ledger_hint rows[LEDGER_MAX_SINKS];
    uint32_t n;
};

void ledger_hints_init(struct ledger_hints *hints);
void ledger_hints_free(struct ledger_hints *hints);

/* Asserts that the name fits. HR_FULL: hints of LEDGER_MAX_SINKS other sinks are kept already. */
HR_MUST_USE struct hr_status ledger_hints_set(struct ledger_hints *hints, const char *sink,
                                              uint64_t next_leaf);
/* The hint that was set by this process; false: none was. */
bool ledger_hints_find(struct ledger_hints *hints, const char *sink, uint64_t *next_leaf);
/* Copies what is dirty and calls it clean; gives how many. A hint that a failing transaction takes with it is
 * made up for by the next one. */
uint32_t ledger_hints_take(struct ledger_hints *hints, struct ledger_hint out[LEDGER_MAX_SINKS]);

#endif
