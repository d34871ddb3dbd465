/* SPDX-License-Identifier: Apache-2.0
 *
 * The feed ledger: what became of the batches at a sink. A feed is one topic of normalized events; an entry
 * is one (feed, partition, content): for streaming sources the UTC hour in which things happened, with a
 * digest that runs over the batches that had part in it; for documents the market day or hour that one
 * document speaks of, with the document's own digest. It stands in the batch ledger's database and is written
 * in one transaction with how far it has got (the feed cursor), so after any crash it goes on from there:
 * entries are a fold over committed leaves, and the same leaves give the same entries.
 *
 * Each sink has a feed ledger of its own: what was published where is a fact about a sink. */
#ifndef AGG_FEED_H
#define AGG_FEED_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"
#include "proto/wire/hash.h"

enum {
    FEED_SINK_MAX_CHARS = 31,
    FEED_NAME_MAX_CHARS = 63, /* the topic */
    FEED_PARTITION_MAX_CHARS = 31,
    FEED_NORMALIZERS_MAX_CHARS = 127,
    FEED_REASON_MAX_CHARS = 127,
};

/* How an entry, and how a replay, stands. The numbers are stored.
 *   pending   -> running    its first batch was published; a replay began
 *   running   -> completed  the feed's watermark has passed its end; a replay has done its window
 *   running   -> failed     it can't be brought to an end (the reason is kept); nothing goes on by itself
 *   replaying               shown of an entry while a replay works on its window; never stored
 * What comes late is added to a completed entry and counted in n_late. */
enum feed_state {
    FEED_PENDING = 0,
    FEED_RUNNING = 1,
    FEED_COMPLETED = 2,
    FEED_FAILED = 3,
    FEED_REPLAYING = 4,
    FEED_N_STATES = 5,
};

struct feed_entry {
    char sink[FEED_SINK_MAX_CHARS + 1];
    char feed[FEED_NAME_MAX_CHARS + 1];
    char partition[FEED_PARTITION_MAX_CHARS + 1]; /* "2026-11-21T03Z"; sorts as time does */
    int64_t from_ms, to_ms;                       /* Unix time that the partition covers, to_ms not in it */
    uint8_t content[WIRE_DIGEST_BYTES];           /* SHA-256, see above */
    enum feed_state state;                        /* as stored */
    bool is_replaying;                            /* when read: a replay works on its window */
    uint32_t revision;                            /* the highest of its events; 0: none was published twice */
    uint64_t n_batches, n_records, n_events;      /* that had part in it when they were first published */
    uint64_t n_late;                              /* batches that came after it was completed */
    uint64_t n_revised;                           /* events that replays published again */
    uint64_t n_placed;                            /* events and revisions whose position was learned */
    uint64_t first_leaf, last_leaf;               /* first_leaf names the entry in its partition */
    int64_t watermark_ms; /* the latest time of an event in it, never later than its batch was received */
};

/* Where the sink put events of an entry: a range in one Kafka partition of the topic. */
struct feed_position {
    uint32_t entry; /* index into feed_change.entries */
    int32_t sink_partition;
    int64_t first_offset, last_offset; /* other records may stand between them */
};

/* What was published of leaves first_leaf .. first_leaf + n_leaves - 1. Only agg_notes (core/notes.h) reads
 * it. A span with the first leaf of a stored one replaces it and covers the same leaves. */
struct feed_span {
    uint64_t first_leaf;
    uint32_t n_leaves;
    struct hr_bytes notes;
};

/* What one leaf said anew of things of one family and hour (norm_known of io/normalizer.h): only
 * agg_recall (core/recall.h) reads it. Never changes. */
struct feed_facts {
    uint32_t family;
    int64_t hour; /* since 1970 */
    uint64_t leaf;
    int64_t end_ms; /* Unix time at which the last of them ends */
    struct hr_bytes facts;
};

/* A window that is normalized and compared again. */
struct feed_replay {
    uint64_t id; /* from 1, in the order of asking; shared by the sinks */
    char sink[FEED_SINK_MAX_CHARS + 1];
    char feed[FEED_NAME_MAX_CHARS + 1];
    int64_t from_ms, to_ms; /* events that happened in it, to_ms not included */
    bool dry_run;           /* counts, publishes nothing */
    enum feed_state state;
    int64_t asked_ms;
    uint64_t first_leaf, next_leaf, end_leaf; /* set when it begins to run */
    uint64_t n_events;                        /* compared so far */
    uint64_t n_changed;                       /* published as revisions, or would be */
    char
        normalizers[FEED_NORMALIZERS_MAX_CHARS + 1]; /* that it runs with: "ais/1 iso/1+z1a2b3c4d device/1" */
    char reason[FEED_REASON_MAX_CHARS + 1];          /* why it failed, or a remark; may be empty */
};

/* One transaction: all of it or nothing. Everything is borrowed until the call returns. */
struct feed_change {
    const char *sink;
    uint64_t from_leaf;               /* the feed cursor as it must stand now; any when none is stored yet */
    uint64_t next_leaf;               /* and as it stands afterwards */
    const struct feed_entry *entries; /* new state; sink need not be filled */
    size_t n_entries;
    const struct feed_position *positions; /* widen what is stored */
    size_t n_positions;
    const struct feed_span *spans;
    size_t n_spans;
    const struct feed_facts *facts; /* one that is stored already stays as it is */
    size_t n_facts;
    const struct feed_replay *replay; /* new state of a replay of this sink; NULL: none */
    const char *normalizers;          /* what publishes leaves from normalizers_from on; NULL: as before */
    uint64_t normalizers_from;
};

struct feed_head {
    char sink[FEED_SINK_MAX_CHARS + 1];
    uint64_t next_leaf; /* the feed cursor */
};

/* Leaves from from_leaf on, up to the next row's, were published by these normalizers. */
struct feed_version {
    uint64_t from_leaf;
    char normalizers[FEED_NORMALIZERS_MAX_CHARS + 1];
};

struct feed_query {
    const char *sink;       /* NULL: every */
    const char *feed;       /* NULL: every */
    const char *partition;  /* NULL: every; else sink and feed are given too */
    int64_t from_ms, to_ms; /* partitions that reach into this window; both 0: any */
    bool running_only;
    uint32_t limit; /* 0: none */
};

/* Part of a ledger; ctx is the ledger's. */
struct ledger_feeds {
    /* HR_OK: durable. HR_FULL, HR_AGAIN, HR_DENIED, HR_IO as commit of struct ledger. HR_CORRUPT: the feed
     * cursor is not at from_leaf; nothing changed. [any thread] */
    HR_MUST_USE struct hr_status (*write)(void *ctx, const struct feed_change *change);
    /* Stores a new replay for each sink as pending, under one id. HR_FULL: LEDGER_MAX_REPLAYS are unfinished;
     * nothing changed. Others as write. [any thread] */
    HR_MUST_USE struct hr_status (*add_replay)(void *ctx, const struct feed_replay *replay,
                                               const char *const *sinks, size_t n_sinks, uint64_t *id);
    /* The readers. [reader thread, also while `each` of a read runs] */
    HR_MUST_USE struct hr_status (*heads)(void *ctx,
                                          void (*each)(void *each_ctx, const struct feed_head *head),
                                          void *each_ctx);
    /* In the order of leaves. */
    HR_MUST_USE struct hr_status (*versions)(void *ctx, const char *sink,
                                             void (*each)(void *each_ctx, const struct feed_version *version),
                                             void *each_ctx);
    /* By sink and feed, in each the newest partition first. */
    HR_MUST_USE struct hr_status (*entries)(void *ctx, const struct feed_query *query,
                                            void (*each)(void *each_ctx, const struct feed_entry *entry),
                                            void *each_ctx);
    /* Positions of one entry, named by its sink, feed, partition and first_leaf; `entry` is 0 in each. */
    HR_MUST_USE struct hr_status (*positions)(void *ctx, const struct feed_entry *of,
                                              void (*each)(void *each_ctx,
                                                           const struct feed_position *position),
                                              void *each_ctx);
    /* The span that holds this leaf, or else the first behind it; notes are borrowed during `each`.
     * HR_NOT_FOUND: none. */
    HR_MUST_USE struct hr_status (*span)(void *ctx, const char *sink, uint64_t leaf,
                                         void (*each)(void *each_ctx, const struct feed_span *span),
                                         void *each_ctx);
    /* Facts of that family and hour of leaves before this one, in the order of leaves; borrowed during
     * `each`. */
    HR_MUST_USE struct hr_status (*facts)(void *ctx, const char *sink, const struct feed_facts *before,
                                          void (*each)(void *each_ctx, const struct feed_facts *facts),
                                          void *each_ctx);
    /* All facts of the first leaf from this one on that has some. HR_NOT_FOUND: none has. */
    HR_MUST_USE struct hr_status (*leaf_facts)(void *ctx, const char *sink, uint64_t from_leaf,
                                               void (*each)(void *each_ctx, const struct feed_facts *facts),
                                               void *each_ctx);
    /* In the order of ids; sink NULL: of every sink. */
    HR_MUST_USE struct hr_status (*replays)(void *ctx, const char *sink,
                                            void (*each)(void *each_ctx, const struct feed_replay *replay),
                                            void *each_ctx);
};

enum { LEDGER_MAX_REPLAYS = 64 };

static inline enum feed_state feed_entry_state(const struct feed_entry *entry)
{
    return entry->is_replaying ? FEED_REPLAYING : entry->state;
}

#endif
