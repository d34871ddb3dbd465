/* SPDX-License-Identifier: Apache-2.0
 *
 * The fold from published batches to feed entries (io/feed.h) of one sink. The publisher tells it each batch
 * and event while it delivers them; what a transaction brought counts when the sink has committed it, and is
 * stored in groups, about once a second. After a crash the publisher brings up what was not stored, from the
 * ledger alone.
 *
 * An event is in the partition of the UTC hour in which it happened, or, when its time can't be (more than a
 * day after its batch was received, or 400 days before) or its batch has events of more than
 * AGG_FOLD_BATCH_HOURS other hours in this feed, in that of the receipt: a device with a mad clock makes no
 * more entries than one without. Pure. [publisher thread] */
#ifndef AGG_FOLD_H
#define AGG_FOLD_H

#include "aggregator/core/notes.h"
#include "aggregator/core/recall.h"
#include "aggregator/io/clock.h"
#include "aggregator/io/sink.h"

enum {
    AGG_FOLD_MAX_FEEDS = 64,
    AGG_FOLD_BATCH_HOURS = 24,
    AGG_FOLD_SLOTS = 2048,       /* entries in memory */
    AGG_FOLD_POSITIONS = 4096,   /* that wait to be stored */
    AGG_FOLD_SPANS = 1024,       /* likewise */
    AGG_FOLD_SPAN_BYTES = 65536, /* a span is closed when it holds this much */
    AGG_FOLD_NOTES_BYTES = 5 << 20,
    AGG_FOLD_NOTES_DUE_BYTES = 1 << 20, /* stored without waiting beyond this */
    /* A batch, or a stored span that a replay writes anew, has no more: one large leaf, and before it those
     * below AGG_FOLD_SPAN_BYTES, with the headers of runs that their revisions cut into pieces. */
    AGG_FOLD_BATCH_NOTES_BYTES = AGG_LEAF_NOTES_MAX_BYTES + 4 * AGG_FOLD_SPAN_BYTES,
};

struct agg_fold_config {
    const struct ledger *reader; /* for the publisher's thread; kept, as is writer */
    const struct ledger *writer; /* whose feeds->write is called */
    const struct agg_clock *clock;
    const struct wire_hash *hash;
    const char *sink; /* kept */
    const struct normalizer *const *normalizers;
    uint16_t n_normalizers;
    uint32_t store_every_ms;
    struct agg_recall *recall; /* initialized for this reader and sink; kept; NULL: observations have no
                                  revisions */
};

/* A feed, which is a topic of events. */
struct agg_fold_feed {
    const struct norm_schema *schema;
    uint16_t normalizer; /* index of the one that makes its events */
    uint32_t id;
    int64_t watermark_ms; /* how far its events have come; completes hours */
    int64_t kept_watermark_ms;
    uint16_t slots[AGG_FOLD_BATCH_HOURS + 1]; /* that the batch at hand has part in */
    uint16_t n_slots;
};

/* An entry in memory. */
struct agg_fold_slot {
    struct feed_entry entry;
    struct feed_entry kept; /* as before the open transaction */
    int64_t hour;
    uint16_t feed;
    bool is_used;
    bool is_touched; /* by the open transaction */
    bool was_used;   /* before it */
    bool is_dirty;   /* not stored */
    bool was_dirty;
    /* of the batch at hand */
    bool in_batch;
    uint32_t last_record;
    uint32_t n_records;
    uint32_t n_events;
    int64_t latest_ms;
};

struct agg_fold_position {
    uint16_t slot;
    int32_t sink_partition;
    int64_t first_offset, last_offset;
};

struct agg_fold_span {
    uint64_t first_leaf;
    uint32_t n_leaves;
    size_t at, len_bytes; /* in notes */
    bool is_replacement;  /* of a stored one: it covers the same leaves and takes no more */
};

struct agg_fold {
    struct agg_fold_config config;
    struct agg_fold_feed feeds[AGG_FOLD_MAX_FEEDS];
    char normalizers[FEED_NORMALIZERS_MAX_CHARS + 1]; /* of this build: "ais/1 device/1 revisions/1080h" */
    uint16_t n_feeds;
    bool is_loaded;
    bool is_open;            /* a transaction is */
    bool is_unreadable;      /* the ledger could not be asked for an entry of it */
    bool replay_is_dirty;    /* the state of the replay changed in it */
    uint64_t next_leaf;      /* folded so far, in memory */
    uint64_t stored_leaf;    /* and in the ledger */
    uint64_t known_from;     /* leaves from here on were published by the normalizers of this build */
    uint64_t dirty_since_us; /* 0: nothing waits to be stored */
    uint64_t retry_at_us;    /* after a store that failed */

    /* the open transaction */
    uint64_t open_leaf; /* what next_leaf becomes */
    const struct ledger_batch *batch;
    struct agg_fold_span kept_span; /* the last one before it */
    size_t open_notes;              /* notes.out.at before it */
    struct feed_replay replay;      /* its state to be stored; id 0: none */
    uint32_t open_spans;            /* n_spans before it */
    uint16_t n_touched;
    uint16_t touched[AGG_FOLD_SLOTS];

    uint16_t n_used;
    struct agg_fold_slot slots[AGG_FOLD_SLOTS];
    uint16_t index[4 * AGG_FOLD_SLOTS]; /* slot + 1 by feed and hour; 0: free */
    struct agg_fold_position positions[AGG_FOLD_POSITIONS];
    uint32_t n_positions;
    struct agg_fold_span spans[AGG_FOLD_SPANS];
    uint32_t n_spans;
    struct agg_notes_writer notes;

    /* From here on nothing is cleared at the beginning. */
    uint8_t notes_bytes[AGG_FOLD_NOTES_BYTES];
    /* what a store hands over */
    struct feed_entry store_entries[AGG_FOLD_SLOTS];
    struct feed_position store_positions[AGG_FOLD_POSITIONS];
    struct feed_span store_spans[AGG_FOLD_SPANS];
    uint32_t store_at[AGG_FOLD_SLOTS];
};

/* The object is large and must not move; the configuration is copied. */
void agg_fold_init(struct agg_fold *fold, const struct agg_fold_config *config);

/* The feed of an event's schema. */
uint16_t agg_fold_feed_of(const struct agg_fold *fold, const struct norm_schema *schema);

/* After each recover of the sink, before anything is published: the first time it reads where it stands from
 * the ledger, and it makes sure that the ledger knows which normalizers publish from now on. HR_AGAIN,
 * HR_FULL: the ledger can't be read or written now. HR_DENIED, HR_IO, HR_CORRUPT: never again. */
HR_MUST_USE struct hr_status agg_fold_load(struct agg_fold *fold, const struct sink_found *found);

/* Is there room for one more batch in memory? If not, end the transaction and store. */
bool agg_fold_has_room(const struct agg_fold *fold);

/* A transaction: batches in leaf order from fold->next_leaf on, each with its events; then commit, or abort,
 * which takes all of it back. */
void agg_fold_begin(struct agg_fold *fold);
void agg_fold_batch(struct agg_fold *fold, const struct ledger_batch *batch);
/* What was said of observations before this batch, for norm_input; also outside a transaction, and of batches
 * that are not folded. NULL: nothing is remembered. */
const struct norm_known *agg_fold_memory(struct agg_fold *fold, const struct ledger_batch *batch);
/* The event of the batch at hand, whose feed is given. Returns the place of its entry, which the sink names
 * again in its positions. */
uint16_t agg_fold_event(struct agg_fold *fold, uint16_t feed, const struct norm_event *event,
                        uint64_t content);
/* HR_IO: the ledger could not tell an entry; the transaction must be aborted. */
HR_MUST_USE struct hr_status agg_fold_batch_end(struct agg_fold *fold);
/* For sink.positions: where events of an entry went. ctx is the fold. Between the sink's commit and this
 * one's. */
void agg_fold_place(void *ctx, const struct sink_position *position);
void agg_fold_commit(struct agg_fold *fold);
void agg_fold_abort(struct agg_fold *fold);

/* Stores what waits, when it is due or `now`. HR_OK: stored, or nothing to do. HR_FULL, HR_AGAIN: it waits
 * on. HR_DENIED, HR_IO, HR_CORRUPT: never again. */
HR_MUST_USE struct hr_status agg_fold_store(struct agg_fold *fold, bool now);

/* ---- for replays: inside a transaction, after its batches ---- */

/* Counts a revision in the entry of an event that was published before, and gives its place, or UINT16_MAX
 * when no entry is known. HR_IO as above. */
HR_MUST_USE struct hr_status agg_fold_revise(struct agg_fold *fold, uint16_t feed,
                                             const struct ledger_batch *batch, int64_t occurred_at_us,
                                             uint16_t revision, uint16_t *slot);
/* Notes of leaves that replace stored ones: begin, one agg_notes_* leaf after the other on fold->notes, end.
 */
void agg_fold_span_begin(struct agg_fold *fold, uint64_t first_leaf);
void agg_fold_span_end(struct agg_fold *fold, uint32_t n_leaves);
/* Takes back what was written since span_begin: nothing changed. */
void agg_fold_span_drop(struct agg_fold *fold);
/* Has the replay's state stored with the next store. */
void agg_fold_set_replay(struct agg_fold *fold, const struct feed_replay *replay);

#endif
