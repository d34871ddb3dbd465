/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the ledger suite share: the ledger of the running test, and batches to fill it with. */
#ifndef LEDGER_LAB_H
#define LEDGER_LAB_H

#include "tests/support/ledger_suite.h"
#include "tests/support/test_cmocka.h"

enum { LAB_ENVELOPE_BYTES = 300, LAB_MANY = LEDGER_COMMIT_MAX_BATCHES };

struct ledger_lab {
    const struct ledger_suite *suite;
    struct ledger ledger;
    uint8_t envelopes[LAB_MANY][LAB_ENVELOPE_BYTES];
    struct ledger_batch batches[LAB_MANY]; /* of the last commit */
};

extern struct ledger_lab ledger_lab;

/* Storage and an open ledger for one test. */
int ledger_lab_set_up(void **state);
int ledger_lab_tear_down(void **state);
void ledger_lab_reopen(void);

uint64_t ledger_lab_size(void);
/* Commits n batches of one stream that follow each other. */
struct hr_status ledger_lab_commit(uint64_t device_id, uint32_t stream, uint32_t first_seq, uint32_t n);

#define SUITE_TEST(name) cmocka_unit_test_setup_teardown(name, ledger_lab_set_up, ledger_lab_tear_down)

/* The second part: streams, devices, anchors, hints and evidence. Gives the number of failed tests. */
int ledger_suite_run_state(void);
/* The third: feeds, replays and retention. Likewise. */
int ledger_suite_run_feeds(void);
/* The fourth: the registry by page, and audit entries. Likewise. */
int ledger_suite_run_registry(void);

#endif
