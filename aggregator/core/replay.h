/* SPDX-License-Identifier: Apache-2.0
 *
 * Replays: a window of a feed is normalized again from the stored bytes, compared with what was published,
 * and what differs goes out again as a revision, with the same event_id. Replays wait in the ledger and are
 * worked off one after the other, a chunk at a time, by the publisher in its own transactions. The cursor in
 * each transaction says how far a replay has got, so that a crash neither loses nor doubles a revision:
 *
 *     pending ──▶ running ──▶ completed
 *                    └──────▶ failed
 *
 * What the sink has and the ledger does not know yet is compared again without publishing. What a torn
 * transaction left at the sink is published again before anything live, and the sink skips it record by
 * record; anything live in between would hide the places. Pure. [publisher thread, but for agg_replay_ask] */
#ifndef AGG_REPLAY_H
#define AGG_REPLAY_H

#include "aggregator/core/fold.h"

#include <stdatomic.h>

enum { AGG_REPLAY_SPAN_BYTES = 4 << 20, AGG_REPLAY_MAX_FIELDS = 160 };

struct agg_replay {
    struct feed_replay row;  /* id 0: none at hand */
    struct feed_replay kept; /* before the open transaction */
    uint64_t reach;          /* publish again up to here before anything live; 0: no need */
    uint64_t unknown_until;  /* what was published of leaves below may be of normalizers that are gone */
    bool is_loaded;
    atomic_bool is_asked; /* the ledger has new ones */
    uint16_t feed;

    /* of the span at hand */
    struct feed_span span;
    uint32_t n_notes;
    /* From here on nothing is cleared at the beginning. */
    uint8_t span_bytes[AGG_REPLAY_SPAN_BYTES];
    struct agg_note notes[AGG_LEAF_MAX_NOTES];
    struct norm_value values[AGG_REPLAY_MAX_FIELDS];
};

/* The object is large and must not move. */
void agg_replay_init(struct agg_replay *replay);
/* Replays were added to the ledger, or there may be some. [any] */
void agg_replay_ask(struct agg_replay *replay);

#endif
