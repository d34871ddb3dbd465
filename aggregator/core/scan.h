/* SPDX-License-Identifier: Apache-2.0
 *
 * The control records of a batch: what admission acts on, and what the ledger keeps of it. Pure. [any] */
#ifndef AGG_SCAN_H
#define AGG_SCAN_H

#include "proto/edge/record.h"
#include "proto/wire/batch.h"

enum {
    AGG_BATCH_MAX_LOSSES = 8,  /* Loss records looked at in one batch */
    AGG_BATCH_MAX_ANCHORS = 4, /* the last time anchors of a batch, one a boot, are stored */
};

struct agg_controls {
    uint32_t n_losses, n_anchors, n_key_switches, n_undecodable;
    struct edge_loss losses[AGG_BATCH_MAX_LOSSES];          /* the first ones */
    struct edge_time_anchor anchors[AGG_BATCH_MAX_ANCHORS]; /* the last ones, one a boot */
    struct edge_key_switch key_switch;                      /* the last one */
};

/* Takes the records of a payload that was checked; one that does not decode is counted. */
void agg_scan(const struct wire_envelope *parts, struct agg_controls *out);

#endif
