/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/postgres/anchors.h"

#include "proto/base/assert.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct ledger_pg_anchors *anchors)
{
    if (anchors->kept != NULL) {
        memset(anchors->kept, 0, LEDGER_PG_KEPT_ANCHORS * sizeof *anchors->kept);
    }
    anchors->n_kept = 0;
}

void ledger_pg_anchors_free(struct ledger_pg_anchors *anchors)
{
    free(anchors->kept);
    free(anchors->fresh);
    *anchors = (struct ledger_pg_anchors){.at = 0};
}

/* Its place, or the free one where it would be; the table is never full. */
static struct ledger_pg_kept_anchor *place_of(const struct ledger_pg_anchors *anchors, uint64_t device_id,
                                              uint32_t boot_id)
{
    uint64_t mixed = (device_id ^ (uint64_t)boot_id << 32) * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(mixed >> 40) % LEDGER_PG_KEPT_ANCHORS;
    while (anchors->kept[at].is_used &&
           (anchors->kept[at].device_id != device_id || anchors->kept[at].anchor.boot_id != boot_id)) {
        at = (at + 1) % LEDGER_PG_KEPT_ANCHORS;
    }
    return &anchors->kept[at];
}

/* A later anchor stands for what is asked from now on; one that nobody asked for is asked for when it is. */
static void bring_forward(struct ledger_pg_anchors *anchors, uint64_t leaf)
{
    while (anchors->next_fresh < anchors->n_fresh && anchors->fresh[anchors->next_fresh].leaf <= leaf) {
        const struct ledger_pg_new_anchor *row = &anchors->fresh[anchors->next_fresh++];
        struct ledger_pg_kept_anchor *kept =
            anchors->kept == NULL ? NULL : place_of(anchors, row->device_id, row->anchor.boot_id);
        if (kept != NULL && kept->is_used) {
            kept->anchor = row->anchor;
            kept->is_found = true;
        }
    }
    anchors->at = leaf;
}

void ledger_pg_anchors_begin(struct ledger_pg_anchors *anchors, uint64_t from, uint64_t end)
{
    bool follows = from >= anchors->at && from <= anchors->end;
    if (!follows) {
        forget(anchors);
    } else if (from > anchors->at) {
        bring_forward(anchors, from - 1);
    }
    anchors->at = from;
    anchors->end = end;
    anchors->n_fresh = anchors->next_fresh = 0;
}

void ledger_pg_anchors_add(struct ledger_pg_anchors *anchors, const struct ledger_pg_new_anchor *row)
{
    if (anchors->n_fresh == anchors->capacity_fresh) {
        size_t capacity = anchors->capacity_fresh == 0 ? 64 : 2 * anchors->capacity_fresh;
        struct ledger_pg_new_anchor *grown = realloc(anchors->fresh, capacity * sizeof *grown);
        if (grown == NULL) {
            /* Without it nothing that is kept may be trusted beyond here; each is asked for by itself. */
            forget(anchors);
            anchors->end = anchors->at;
            return;
        }
        anchors->fresh = grown;
        anchors->capacity_fresh = capacity;
    }
    HR_ASSERT(row->leaf >= anchors->at);
    anchors->fresh[anchors->n_fresh++] = *row;
}

bool ledger_pg_anchors_find(struct ledger_pg_anchors *anchors, uint64_t device_id, uint32_t boot_id,
                            uint64_t leaf, struct edge_time_anchor *out, bool *is_found)
{
    if (leaf < anchors->at || leaf >= anchors->end || anchors->kept == NULL) {
        return false;
    }
    bring_forward(anchors, leaf);
    const struct ledger_pg_kept_anchor *kept = place_of(anchors, device_id, boot_id);
    *is_found = kept->is_used && kept->is_found;
    if (*is_found) {
        *out = kept->anchor;
    }
    return kept->is_used;
}

void ledger_pg_anchors_keep(struct ledger_pg_anchors *anchors, uint64_t device_id, uint32_t boot_id,
                            uint64_t leaf, const struct edge_time_anchor *anchor)
{
    if (leaf < anchors->at || leaf >= anchors->end) {
        return; /* it was asked for out of turn */
    }
    if (anchors->kept == NULL) {
        anchors->kept = calloc(LEDGER_PG_KEPT_ANCHORS, sizeof *anchors->kept);
    }
    if (anchors->kept == NULL) {
        return; /* no memory: it is asked for again */
    }
    if (anchors->n_kept >= LEDGER_PG_KEPT_ANCHORS * 3 / 4) {
        forget(anchors);
    }
    bring_forward(anchors, leaf);
    struct ledger_pg_kept_anchor *kept = place_of(anchors, device_id, boot_id);
    anchors->n_kept += kept->is_used ? 0 : 1;
    *kept =
        (struct ledger_pg_kept_anchor){.device_id = device_id, .is_used = true, .is_found = anchor != NULL};
    if (anchor != NULL) {
        kept->anchor = *anchor;
    }
    kept->anchor.boot_id = boot_id;
}
