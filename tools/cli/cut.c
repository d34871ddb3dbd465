/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/cut.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool make_room(struct cli_cut *cut)
{
    size_t capacity = cut->capacity == 0 ? 64 : cut->capacity * 2;
    if (cut->n_leaves < cut->capacity) {
        return true;
    }
    void *leaves = realloc(cut->leaves, capacity * sizeof *cut->leaves);
    if (leaves == NULL) {
        cut->is_out_of_memory = true;
        return false;
    }
    cut->leaves = leaves;
    cut->capacity = capacity;
    return true;
}

void cli_cut_add(struct cli_cut *cut, const struct ledger_batch *batch, uint32_t document_id, bool is_first)
{
    bool is_again = cut->n_leaves > 0 && cut->leaves[cut->n_leaves - 1] >= batch->leaf;
    if (is_again || !make_room(cut)) {
        return;
    }
    cut->leaves[cut->n_leaves++] = batch->leaf;
    if (!is_first) {
        return;
    }
    if (cut->n_documents < CLI_CUT_MAX_TOLD) {
        cut->told[cut->n_documents].device_id = batch->device_id;
        cut->told[cut->n_documents].stream = batch->stream;
        cut->told[cut->n_documents].document_id = document_id;
        cut->told[cut->n_documents].leaf = batch->leaf;
    }
    cut->n_documents++;
}

bool cli_cut_touches(const struct cli_cut *cut, uint64_t first, uint64_t last)
{
    size_t from = 0;
    size_t end = cut->n_leaves;
    while (from < end) { /* the first leaf that is not before `first` */
        size_t middle = from + (end - from) / 2;
        if (cut->leaves[middle] < first) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from < cut->n_leaves && cut->leaves[from] <= last;
}

void cli_cut_report(const struct cli_cut *cut, bool is_json)
{
    uint64_t n_told = cut->n_documents < CLI_CUT_MAX_TOLD ? cut->n_documents : CLI_CUT_MAX_TOLD;
    (void)printf(is_json ? ",\n  \"cut\": {\"documents\": %" PRIu64 ", \"leaves\": %zu, \"told\": ["
                         : "cut       %" PRIu64 " documents with parts in %zu leaves began in deleted ones: "
                           "not judged\n",
                 cut->n_documents, cut->n_leaves);
    for (uint64_t i = 0; i < n_told; i++) {
        (void)printf(is_json ? "%s{\"device\": \"%016" PRIx64 "\", \"stream\": %" PRIu32
                               ", \"document\": %" PRIu32 ", \"leaf\": %" PRIu64 "}"
                             : "%s          device %016" PRIx64 " stream %" PRIu32 " document %" PRIu32
                               " from leaf %" PRIu64 " on\n",
                     is_json && i > 0 ? ", " : "", cut->told[i].device_id, cut->told[i].stream,
                     cut->told[i].document_id, cut->told[i].leaf);
    }
    (void)printf(is_json ? "]}" : "");
}

void cli_cut_free(struct cli_cut *cut)
{
    free(cut->leaves);
    *cut = (struct cli_cut){.leaves = NULL};
}
