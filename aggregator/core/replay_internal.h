/* SPDX-License-Identifier: Apache-2.0
 *
 * What the publisher asks of replays. */
#ifndef AGG_REPLAY_INTERNAL_H
#define AGG_REPLAY_INTERNAL_H

#include "aggregator/core/publish_internal.h"

/* After each recover: brings the replay at hand, if the sink's cursor is one of it, to where the sink is.
 * Codes as agg_fold_store. */
HR_MUST_USE struct hr_status agg_replay_recover(struct agg_publish *publish, const struct sink_found *found);
/* Has it something to do now? Loads and begins the next one when none is at hand. */
bool agg_replay_wants(struct agg_publish *publish);
/* Must it go before what is live? */
bool agg_replay_is_torn(const struct agg_publish *publish);
/* One chunk into the transaction, which folds and may or may not be begun at the sink; sets its status. */
void agg_replay_chunk(struct agg_transaction *transaction);
/* For the cursor of the transaction. */
void agg_replay_cursor(const struct agg_publish *publish, struct sink_cursor *cursor);
/* Around the sink's transaction, as agg_fold_begin, _commit and _abort. */
void agg_replay_begin(struct agg_publish *publish);
HR_MUST_USE struct hr_status agg_replay_commit(struct agg_publish *publish);
void agg_replay_abort(struct agg_publish *publish);

/* ---- replay_chunk.c ---- */

enum agg_replay_mode {
    AGG_REPLAY_PUBLISH,
    AGG_REPLAY_COUNT,   /* a dry run */
    AGG_REPLAY_APPLY,   /* the sink has it: only the ledger is brought up */
    AGG_REPLAY_UNKNOWN, /* the same, after the normalizers that published it have gone */
};

/* Compares the span that holds row.next_leaf and moves row.next_leaf behind it. Sets the transaction's
 * status. */
void agg_replay_span(struct agg_transaction *transaction, enum agg_replay_mode mode);

#endif
