/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention: the oldest batches go, a few at a time; feed entries, evidence and stream states stay. */
#include "aggregator/ledger/sqlite/internal.h"
#include "proto/base/failpoint.h"

struct prune {
    const struct ledger_prune *limits;
    uint64_t first_leaf; /* as it stands */
    uint64_t next_first; /* as it will stand */
};

/* Finds the first batch that stays. */
static struct hr_status find_end(struct ledger_sqlite *ledger, struct prune *prune)
{
    const struct ledger_prune *limits = prune->limits;
    sqlite3_stmt *statement = ledger->writes[WRITE_PRUNE_FIND];
    uint32_t n_found = 0;
    bool goes_on = true;
    int rc = SQLITE_ROW;
    while (goes_on && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t leaf = ledger_u64(statement, 0);
        prune->first_leaf = n_found == 0 ? leaf : prune->first_leaf;
        prune->next_first = leaf;
        goes_on = leaf < limits->below_leaf && sqlite3_column_int64(statement, 1) < limits->before_ms &&
                  n_found < limits->max_batches;
        n_found++;
    }
    struct hr_status status = ledger_status(ledger, ledger->writer, rc, "looking for old batches");
    /* Where nothing that stays was found the newest batch stays: an empty log would have no first leaf. */
    (void)sqlite3_reset(statement);
    return status;
}

static struct hr_status run_with(struct ledger_sqlite *ledger, enum ledger_write which, uint64_t first,
                                 uint64_t second, int n_parameters)
{
    ledger_bind_u64(ledger->writes[which], 1, first);
    if (n_parameters > 1) {
        ledger_bind_u64(ledger->writes[which], 2, second);
    }
    return ledger_run(ledger, ledger->writes[which], "deleting old batches");
}

static struct hr_status prune_facts(struct ledger_sqlite *ledger, const struct prune *prune)
{
    if (prune->limits->keep_facts_ms == 0) {
        return hr_ok();
    }
    ledger_bind_u64(ledger->writes[WRITE_PRUNE_FACTS], 3, LEDGER_PRUNE_FACTS);
    return run_with(ledger, WRITE_PRUNE_FACTS, prune->next_first, (uint64_t)prune->limits->keep_facts_ms, 2);
}

static struct hr_status prune_body(struct ledger_sqlite *ledger, void *ctx)
{
    struct prune *prune = ctx;
    uint64_t size = 0;
    HR_TRY(ledger_advance_head(ledger, 0, &size));
    HR_TRY(find_end(ledger, prune));
    if (prune->next_first == prune->first_leaf) {
        return hr_ok();
    }
    HR_TRY(run_with(ledger, WRITE_PRUNE_HEAD, prune->next_first, 0, 1));
    HR_TRY(run_with(ledger, WRITE_PRUNE_ANCHORS, prune->first_leaf, prune->next_first, 2));
    HR_TRY(run_with(ledger, WRITE_PRUNE_SPANS, prune->next_first, 0, 1));
    HR_TRY(prune_facts(ledger, prune));
    HR_FAILPOINT("retention_deleting");
    return run_with(ledger, WRITE_PRUNE_BATCHES, prune->next_first, 0, 1);
}

struct hr_status ledger_prune_batches(void *ctx, const struct ledger_prune *limits, uint64_t *n_deleted)
{
    struct prune prune = {.limits = limits};
    HR_TRY(ledger_transact(ctx, prune_body, NULL, &prune));
    *n_deleted = prune.next_first - prune.first_leaf;
    return hr_ok();
}
