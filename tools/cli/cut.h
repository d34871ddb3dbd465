/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents at the edge of retention: their beginning is deleted, so nobody can say what they said. They are
 * passed over, and told by name. At most one of a stream is. */
#ifndef CLI_CUT_H
#define CLI_CUT_H

#include "aggregator/io/ledger.h"

enum { CLI_CUT_MAX_TOLD = 20 };

/* Zeros are an empty one. */
struct cli_cut {
    struct {
        uint64_t device_id;
        uint32_t stream, document_id;
        uint64_t leaf; /* with the first part of it that is there */
    } told[CLI_CUT_MAX_TOLD];
    uint64_t n_documents;
    uint64_t *leaves; /* with parts of them, ascending */
    size_t n_leaves, capacity;
    bool is_out_of_memory;
};

/* As norm_edge tells it, in the order of leaves; what comes of a leaf again is not counted again. */
void cli_cut_add(struct cli_cut *cut, const struct ledger_batch *batch, uint32_t document_id, bool is_first);
/* Is one of these leaves, `last` included, with a part of such a document? */
bool cli_cut_touches(const struct cli_cut *cut, uint64_t first, uint64_t last);
/* Lines, or the next member of a JSON object. */
void cli_cut_report(const struct cli_cut *cut, bool is_json);
void cli_cut_free(struct cli_cut *cut);

#endif
