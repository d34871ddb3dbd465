/* SPDX-License-Identifier: Apache-2.0
 *
 * Where published records go: Kafka, or Avro files. A sink delivers whole transactions and can say, after any
 * crash or doubtful outcome, from which leaf on it has nothing. That answer comes from the sink's own durable
 * state, never from the ledger's hint. */
#ifndef AGG_SINK_H
#define AGG_SINK_H

#include "aggregator/io/normalizer.h"

/* Stands on every record, as Kafka headers or as fields beside the file. */
struct sink_origin {
    uint64_t device_id;
    uint32_t stream;
    uint16_t key_epoch;
    uint32_t batch_seq;
    uint32_t record_index; /* SINK_WHOLE_BATCH: the record is the signed batch itself */
    uint32_t output_index;
    uint64_t leaf;
    int64_t received_utc_ms; /* of the batch */
    uint8_t batch_digest[WIRE_DIGEST_BYTES];
    uint32_t normalizer_version;
    char traceparent[56]; /* W3C trace context, NUL-terminated */
    uint16_t slot;        /* what positions name it by; SINK_NO_SLOT: nobody asks */
    uint16_t revision;    /* of the event: 0 when it is published for the first time */
    uint64_t replay;      /* id of the replay that publishes it; 0: live */
};

#define SINK_WHOLE_BATCH 0xFFFFFFFFu
#define SINK_NO_SLOT     0xFFFFu

/* Where audit entries go; a sink that is not configured with it takes none. */
#define SINK_ENTRY_TOPIC "headrace.trust"

/* Writable bytes that stand before the value of an event, for the sink's framing. */
enum { SINK_ROOM_BYTES = 8, SINK_MAX_SLOTS = 2048 };

/* How far a sink has got; stands in each transaction. */
struct sink_cursor {
    uint64_t next_leaf;
    uint64_t replay; /* the replay that is under way, 0: none */
    uint64_t replay_next_leaf;
    uint64_t n_entries; /* audit entries of the ledger that are delivered, the first ones */
    /* The batch at next_leaf - 1, so that a ledger that was rolled back and has gone another way since is
     * found out. Not every sink keeps it. */
    bool has_digest;
    uint8_t last_digest[WIRE_DIGEST_BYTES];
};

/* The log that is published. */
struct sink_log {
    const char *origin;
    uint64_t first_leaf; /* retention has deleted what was before */
    uint64_t size;
};

struct sink_found {
    struct sink_cursor cursor;
    /* Records of leaves below this one may be there beyond the cursor: a torn transaction left them, made by
     * whatever normalizers ran then. They are skipped when they come again. 0: none. */
    uint64_t reach;
    /* Records of cursor.replay are there for leaves below this one, beyond cursor.replay_next_leaf: what a
     * torn transaction left. They are skipped when they come again, which must be before anything live. 0:
     * none. */
    uint64_t replay_reach;
};

/* Where the events of one slot went in a transaction. */
struct sink_position {
    uint16_t slot;
    int32_t partition;
    int64_t first_offset, last_offset;
    uint32_t n_records;
};

struct sink {
    const char *name; /* "kafka", "files" */
    /* Takes over from whatever ran before and finds the first leaf that is not delivered: fences a zombie,
     * settles an open transaction, reads the cursor back. A target that has nothing of this log says the
     * log's first leaf. HR_AGAIN: the target is away, try later. HR_CORRUPT: the target holds more than
     * log->size leaves or a torn sequence: publishing must stop and a person must look. May block up to
     * timeout_ms. */
    HR_MUST_USE struct hr_status (*recover)(void *ctx, const struct sink_log *log, uint32_t timeout_ms,
                                            struct sink_found *found);
    HR_MUST_USE struct hr_status (*begin)(void *ctx, uint64_t first_leaf);
    /* A normalized event and its encoded value, which has SINK_ROOM_BYTES writable bytes before it; copied.
     */
    HR_MUST_USE struct hr_status (*put_event)(void *ctx, const struct norm_event *event, uint8_t *value,
                                              size_t len_bytes, const struct sink_origin *origin);
    /* A signed batch as it came, to `topic`; copied. */
    HR_MUST_USE struct hr_status (*put_raw)(void *ctx, const char *topic, const struct ledger_batch *batch,
                                            const struct sink_origin *origin);
    /* The event of an audit entry, the n-th from 1 on, and its encoded value, as of put_event. They come in
     * their order; the cursor counts them. NULL: this sink takes none. */
    HR_MUST_USE struct hr_status (*put_entry)(void *ctx, const struct norm_event *event, uint8_t *value,
                                              size_t len_bytes, uint64_t n);
    /* Ends the transaction with the cursor in it. HR_OK: every consumer sees all of it, once. Any other
     * answer, from this or from begin or put: the outcome is unknown; the only next call is recover (or
     * close). */
    HR_MUST_USE struct hr_status (*commit)(void *ctx, const struct sink_cursor *cursor);
    /* After commit said HR_OK: where the events of that transaction went, for each slot and partition; NULL:
     * this sink has no positions. */
    void (*positions)(void *ctx, void (*each)(void *each_ctx, const struct sink_position *position),
                      void *each_ctx);
    void (*close)(void *ctx);
    void *ctx;
};

#endif
