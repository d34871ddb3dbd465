/* SPDX-License-Identifier: Apache-2.0
 *
 * What was last said of each observation (norm_known of io/normalizer.h), for one sink: a fold over leaves as
 * the feed entries are, stored in their transaction. A fact is what one leaf said anew of one thing; facts
 * are added and never changed, so what was known before leaf L can be told for every L, and a replay of old
 * leaves sees nothing of what came later.
 *
 * What has ended more than retention_h before a batch was received is not asked for and not kept, whether or
 * not its facts are still there: the answer depends on log and configuration alone. Facts go when no batch
 * that is still there could ask for them.
 *
 * Facts of a family and hour are read together, when the first of them is asked for, into a bounded table; it
 * is emptied when it is full, or when another moment of the log is asked for. Pure. [publisher thread] */
#ifndef AGG_RECALL_H
#define AGG_RECALL_H

#include "aggregator/io/feed.h"
#include "aggregator/io/normalizer.h"
#include "proto/base/cursor.h"

enum {
    AGG_RECALL_KNOWN_BITS = 20,
    AGG_RECALL_HOURS_BITS = 13,
    AGG_RECALL_SAID_BITS = 19,
    AGG_RECALL_HOURS = 1 << (AGG_RECALL_HOURS_BITS - 1), /* of all families; a batch says no more of others */
    AGG_RECALL_HOUR_MAX = 1 << (AGG_RECALL_KNOWN_BITS - 2), /* things of an hour; of more nothing is kept */
    AGG_RECALL_LEAF_MAX = NORM_DOCUMENT_EVENTS_MAX,         /* things that one batch may speak of */
    AGG_RECALL_KNOWN_MAX = 3 * AGG_RECALL_HOUR_MAX + 1,
    AGG_RECALL_FACT_BYTES = 20,
    AGG_RECALL_LEAF_BYTES = AGG_RECALL_LEAF_MAX * AGG_RECALL_FACT_BYTES + AGG_RECALL_HOURS,
    AGG_RECALL_WAITING = 2 * AGG_RECALL_HOURS,            /* feed_facts that wait to be stored */
    AGG_RECALL_WAITING_BYTES = 2 * AGG_RECALL_LEAF_BYTES, /* 10 MB of address space */
};

struct agg_recall_config {
    const struct ledger *reader; /* for the publisher's thread; kept, as is sink */
    const char *sink;
    uint32_t retention_h;
};

/* A family and hour, of the table or of the batch at hand. */
struct agg_recall_hour {
    int64_t hour;
    uint32_t family;
    uint32_t round; /* in which it is valid; with another the place is free */
    uint32_t n;     /* things of it */
    /* of the batch at hand */
    bool is_revised;      /* one of them is */
    uint32_t first, last; /* places of its facts, each with the next */
    int64_t end_s;        /* the latest */
};

struct agg_recall_fact {
    uint64_t name;
    uint64_t content;
    uint32_t revision;
    uint32_t hour; /* place of its hour */
    uint32_t slot; /* of the table's index that leads here */
    uint32_t next; /* of the batch at hand: place of the next one of the hour */
};

/* Facts one behind the other, so that as many pages are touched as there are facts, and a hash index over
 * them. An index slot counts when the fact that it leads to leads back, so nothing need be cleared. */
struct agg_recall_table {
    struct agg_recall_fact *facts;
    uint32_t *index;
    uint32_t n;
    uint32_t n_slots; /* a power of two */
};

struct agg_recall_counts {
    uint64_t forgotten; /* beyond AGG_RECALL_LEAF_MAX, AGG_RECALL_HOURS or AGG_RECALL_HOUR_MAX: they have no
                           revisions */
    uint64_t loads;     /* of hours */
    uint64_t stored;    /* facts that batches left */
};

struct agg_recall {
    struct agg_recall_config config;
    struct norm_known memory; /* for norm_input */
    struct hr_status status;  /* how reading went, of the batch at hand */
    struct agg_recall_counts counts;

    /* the batch at hand */
    bool is_level; /* facts of all leaves before it are here */
    uint64_t leaf;
    int64_t forgotten_s; /* what ended before is not asked for */
    uint32_t round;
    uint32_t n_hours;
    struct agg_recall_table said;

    /* what was known before known_leaf, as far as it was loaded */
    uint64_t known_leaf;
    uint32_t known_round;
    uint32_t n_known_hours;
    struct agg_recall_table known;

    uint32_t n_waiting;
    uint32_t open_waiting; /* before the open transaction */
    size_t open_bytes;
    struct hr_writer out;

    struct agg_recall_hour known_hours[1 << AGG_RECALL_HOURS_BITS];
    struct agg_recall_hour hours[1 << AGG_RECALL_HOURS_BITS];
    /* From here on nothing is cleared at the beginning: 50 MB of address space, of which documents touch what
     * they need. */
    uint32_t known_index[1 << AGG_RECALL_KNOWN_BITS];
    struct agg_recall_fact known_facts[AGG_RECALL_KNOWN_MAX];
    uint32_t said_index[1 << AGG_RECALL_SAID_BITS];
    struct agg_recall_fact said_facts[AGG_RECALL_LEAF_MAX];
    uint32_t said_hours[AGG_RECALL_HOURS]; /* places in hours, as they were spoken of */
    struct feed_facts waiting[AGG_RECALL_WAITING];
    uint8_t bytes[AGG_RECALL_WAITING_BYTES];
};

/* The object is large (pages that nobody touched yet are best) and must not move; the configuration is
 * copied.
 */
void agg_recall_init(struct agg_recall *recall, const struct agg_recall_config *config);

/* Before each batch is normalized. is_level false: what was said before it is not known yet, and whoever asks
 * is told so. Returns the memory for norm_input. */
const struct norm_known *agg_recall_batch(struct agg_recall *recall, const struct ledger_batch *batch,
                                          bool is_level);
/* The batch is folded: what it said waits to be stored. */
void agg_recall_keep(struct agg_recall *recall);

/* Around a transaction of the fold. */
void agg_recall_begin(struct agg_recall *recall);
void agg_recall_abort(struct agg_recall *recall);

/* Is there room for what one more batch may say? */
bool agg_recall_has_room(const struct agg_recall *recall);
/* Should it be stored soon? */
bool agg_recall_is_due(const struct agg_recall *recall);
/* What waits was stored. */
void agg_recall_stored(struct agg_recall *recall);

#endif
