/* SPDX-License-Identifier: Apache-2.0
 *
 * The publisher: follows the ledger in leaf order and delivers each batch, raw and normalized, to one sink in
 * transactions. The ledger is the outbox; the sink's own cursor is the truth about what was delivered
 * (PROTOCOL 4.4). After any answer but HR_OK from the sink the only next step is to recover, so no outcome is
 * ever guessed. Beside it the publisher keeps the sink's feed ledger (fold.h) and works off replays
 * (replay.h), whose revisions ride in the same transactions; what is live goes first.
 *
 * After a start, normalizers are told of the leaves before (publish_recall.c), so that needed_leaf spares
 * what is open from then on.
 *
 * Pure: it waits for nothing by itself. One thread drives it with agg_publish_step. */
#ifndef AGG_PUBLISH_H
#define AGG_PUBLISH_H

#include "aggregator/core/fold.h"
#include "aggregator/core/replay.h"
#include "aggregator/io/clock.h"
#include "aggregator/io/sink.h"

enum {
    AGG_PUBLISH_MAX_NORMALIZERS = 8,
    AGG_PUBLISH_MAX_VALUE_BYTES = 65536,
    AGG_PUBLISH_ENOUGH_EVENTS = 65536, /* a transaction with so many takes no further batch */
};

struct agg_publish_config {
    const struct ledger *ledger; /* for this thread to read */
    const struct ledger *writer; /* what its hints go to; NULL: none are kept */
    const struct sink *sink;
    const struct agg_clock *clock;
    const struct norm_encoder *encoder;
    const struct normalizer *const *normalizers; /* norm_device() last; kept */
    uint16_t n_normalizers;                      /* at most AGG_PUBLISH_MAX_NORMALIZERS */
    /* The tenant of a device, for the events; static or kept storage, never NULL. */
    const char *(*tenant_of)(void *ctx, uint64_t device_id);
    void *tenant_ctx;
    uint32_t transaction_max_batches;
    size_t transaction_max_bytes; /* of envelopes; a transaction holds at least one batch */
    /* After a transaction that was not full, the next begins no sooner than this: a transaction has a price
     * of its own, whether it carries one batch or many. 0: at once. */
    uint32_t linger_ms;
    uint32_t recover_timeout_ms; /* how long one recover may block */
    uint32_t retry_max_ms;       /* cap of the backoff between recovers; it starts at 100 ms and doubles */
    struct agg_fold *fold;     /* initialized for this ledger and sink; NULL: no feed ledger and no replays */
    struct agg_replay *replay; /* initialized; NULL without a fold */
    uint32_t replay_chunk_events; /* compared in one transaction, about; 0: 8192 */
};

enum agg_publish_phase {
    AGG_PUBLISH_RECOVERING, /* the sink's cursor is not known */
    AGG_PUBLISH_RUNNING,
    AGG_PUBLISH_HALTED, /* the sink or the ledger holds what can't be: a person must look. Nothing is sent any
                           more */
};

/* Counters since start, and where things stand. Written by the publisher's thread; read by others as a
 * snapshot that may be torn between fields but not within one. */
struct agg_publish_stats {
    uint64_t batches;
    uint64_t records; /* records read out of batches */
    uint64_t events;  /* normalized events delivered */
    uint64_t transactions;
    uint64_t recoveries; /* successful ones */
    uint64_t failures;   /* answers of the sink that led back to recovering */
    uint64_t next_leaf;
    uint64_t feed_leaf;   /* the feed cursor, as it is stored */
    uint64_t needed_leaf; /* nothing here needs older ones: not the sink, not the feed ledger, no running
                           * replay. 0 until what was published before this process is known */
    uint64_t replays;     /* ended */
    uint64_t replayed;    /* events that replays compared */
    uint64_t revisions;   /* events that replays published */
    uint64_t entries;     /* audit entries delivered */
    uint64_t unnoted;     /* events beyond what the notes of a leaf hold (core/notes.h) */
};

/* How far the audit was read. Entries count by their place, which stays when a log is made again. */
struct agg_publish_entries {
    uint64_t n_delivered; /* the sink has them */
    uint64_t n_seen;      /* read; those beyond n_delivered are in the open transaction */
    uint64_t last_id;     /* of the last one seen */
    uint64_t look_at_us;  /* not before */
};

struct agg_publish {
    struct agg_publish_config config;
    enum agg_publish_phase phase;
    uint64_t next_leaf;
    uint64_t retry_at_us;
    uint32_t retry_wait_ms;
    uint32_t
        n_doubts; /* recovers in a row in which the sink had more than the ledger, which then had grown */
    uint64_t linger_until_us;
    struct agg_publish_stats stats;
    const char *halt_reason; /* static storage; NULL unless halted */
    /* Halted, since the sink holds what the ledger has not: nothing more may be accepted either (I6), or its
     * leaves would be taken for those that the sink has. */
    bool is_behind;
    bool has_last; /* last_digest is that of the batch before next_leaf, or of a later one in doubt */
    uint8_t last_digest[WIRE_DIGEST_BYTES];
    bool has_recalled;    /* what was published before this process is known, as far as normalizers ask */
    uint64_t recall_leaf; /* that comes next of it */
    uint64_t recall_end;  /* 0: not known */
    struct agg_publish_entries entries;
    struct norm_past past;      /* of the batch at hand */
    struct hr_status past_read; /* how reading it went, and what normalizers say */
    uint8_t value[SINK_ROOM_BYTES + AGG_PUBLISH_MAX_VALUE_BYTES];
};

/* The configuration is copied. */
void agg_publish_init(struct agg_publish *publish, const struct agg_publish_config *config);

/* Does one piece of work: one recover, or one transaction. Returns how many milliseconds may pass before the
 * next call: 0 when more is waiting, UINT32_MAX when halted. A new commit in the ledger is a reason to call
 * earlier. May block in the sink for recover_timeout_ms or one transaction. [publisher thread] */
uint32_t agg_publish_step(struct agg_publish *publish);

/* Stores what the feed ledger has in memory; after the last step. What can't be stored is found again at the
 * next start. [publisher thread] */
void agg_publish_end(struct agg_publish *publish);

#endif
