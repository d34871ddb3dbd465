/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of norm_documents share: earlier batches looked at, and the search for a Document in them.
 */
#ifndef NORM_DOCUMENT_INTERNAL_H
#define NORM_DOCUMENT_INTERNAL_H

#include "aggregator/normalize/iso/document.h"

/* Records of documents in a batch, handed out one by one. */
struct norm_look {
    struct norm_documents *documents;
    uint32_t boot_id;
    uint32_t n_records; /* to look at; the rest stands behind */
    bool is_other_boot; /* a batch was of another boot */
    void (*record)(void *ctx, const struct ledger_batch *batch, const struct edge_record *record);
    void *ctx;
};

/* For norm_past, with a look as ctx. */
void norm_look_at_batch(void *ctx, const struct ledger_batch *batch);

/* The document that a record of kind EDGE_DOCUMENT or EDGE_CHUNK is of. */
uint32_t norm_document_of(const struct edge_record *record);
/* How many chunks will come of it that somebody wants. */
uint32_t norm_document_wanted_chunks(const struct edge_document *head);
/* A place whose document begins in the batch at hand. */
struct norm_document_place norm_document_place_at(const struct norm_input *input, uint32_t document_id);

/* Where the document of a chunk begins, by the log. *is_first: the chunk is the first record of it that is
 * there. False: the past can't be read. */
bool norm_document_search(struct norm_documents *documents, const struct norm_input *input,
                          uint32_t document_id, struct norm_document_place *out, bool *is_first);

#endif
