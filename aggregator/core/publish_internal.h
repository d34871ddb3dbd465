/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the publisher share. */
#ifndef AGG_PUBLISH_INTERNAL_H
#define AGG_PUBLISH_INTERNAL_H

#include "aggregator/core/publish.h"

/* One transaction while the ledger is read into it. */
struct agg_transaction {
    struct agg_publish *publish;
    bool is_live;    /* goes to the sink; else it only brings the fold up */
    bool is_folding; /* the fold takes part */
    bool is_begun;   /* the sink has it open */
    bool is_ended;   /* no more batches fit */
    uint64_t next_leaf;
    uint32_t n_batches;
    uint64_t n_records;
    uint64_t n_events;
    uint64_t n_entries;      /* of the audit */
    struct hr_status status; /* the first failure; later batches are passed over */
    bool corrupt;            /* the ledger holds bytes that can't have been committed */
};

/* Opens the sink's transaction with its first record. */
HR_MUST_USE struct hr_status agg_transaction_begin(struct agg_transaction *transaction);

/* The batch's envelope, anchor and tenant as normalizers want them; *anchor is storage for input->anchor.
 * HR_CORRUPT: no envelope. After norm_batch agg_publish_asked says whether what it gave may be used. */
HR_MUST_USE struct hr_status agg_publish_input(struct agg_publish *publish, const struct ledger_batch *batch,
                                               struct norm_input *input, struct edge_time_anchor *anchor);
/* As that, without an anchor: for normalizers that only recall. */
HR_MUST_USE struct hr_status agg_publish_bare_input(struct agg_publish *publish,
                                                    const struct ledger_batch *batch,
                                                    struct norm_input *input);
/* How reading went for normalizers that asked for what came before the batch. HR_AGAIN: the fold is not there
 * yet, or the ledger can't be read now. */
HR_MUST_USE struct hr_status agg_publish_asked(const struct agg_publish *publish);
/* What stands on every record of the batch. */
void agg_publish_origin(const struct norm_input *input, struct sink_origin *out);
/* Encodes an event into publish->value; content may be NULL. */
void agg_publish_encode(struct agg_publish *publish, const struct norm_event *event, size_t *len_bytes,
                        uint64_t *content);

/* ---- publish_trust.c ---- */

/* The sink has so many audit entries; what was read beyond is read again. */
void agg_publish_entries_reset(struct agg_publish *publish, uint64_t n_delivered);
/* Puts audit entries whose leaves are there into the transaction, behind what is in it. */
void agg_publish_entries(struct agg_transaction *transaction);

/* ---- publish_recall.c ---- */

/* Tells the normalizers of some more of what was published before this process began; has_recalled says when
 * it is all. Codes as of the ledger; then the same leaves come again. */
HR_MUST_USE struct hr_status agg_publish_recall(struct agg_publish *publish);

/* For ledger.read with a transaction as ctx: normalizes the batch into it. */
void agg_publish_batch(void *ctx, const struct ledger_batch *batch);

#endif
