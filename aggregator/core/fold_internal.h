/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the fold share. */
#ifndef AGG_FOLD_INTERNAL_H
#define AGG_FOLD_INTERNAL_H

#include "aggregator/core/fold.h"
#include "proto/base/assert.h"

enum { AGG_FOLD_NO_SLOT = UINT16_MAX };

#define AGG_HOUR_MS INT64_C(3600000)

/* The slot of the feed's entry for this hour. With `make`, one is made, loaded from the ledger if it has it;
 * without, AGG_FOLD_NO_SLOT when neither memory nor ledger has it. HR_IO: the ledger can't be read. Asserts
 * that there is room. */
HR_MUST_USE struct hr_status agg_fold_slot_of(struct agg_fold *fold, uint16_t feed, int64_t hour, bool make,
                                              uint16_t *out);
/* Keeps what the slot was, once in a transaction. */
void agg_fold_touch(struct agg_fold *fold, uint16_t slot);
/* Puts an entry that the ledger told into a free slot. */
void agg_fold_take_entry(struct agg_fold *fold, uint16_t feed, const struct feed_entry *entry);
/* Makes the index again after slots were dropped. */
void agg_fold_reindex(struct agg_fold *fold);

#endif
