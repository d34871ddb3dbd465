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
    uint16_t output_index;
    uint64_t leaf;
    int64_t received_utc_ms; /* of the batch */
    uint8_t batch_digest[WIRE_DIGEST_BYTES];
    uint32_t normalizer_version;
    char traceparent[56]; /* W3C trace context, NUL-terminated */
};

#define SINK_WHOLE_BATCH 0xFFFFFFFFu

struct sink {
    const char *name; /* "kafka", "files" */
    /* Takes over from whatever ran before and finds the first leaf that is not delivered: fences a zombie,
     * settles an open transaction, reads the cursor back. HR_AGAIN: the target is away, try later.
     * HR_CORRUPT: the target holds more than ledger_size leaves or a torn sequence: publishing must stop and
     * a person must look. May block up to timeout_ms. */
    HR_MUST_USE struct hr_status (*recover)(void *ctx, const char *log_origin, uint64_t ledger_size,
                                            uint32_t timeout_ms, uint64_t *next_leaf);
    HR_MUST_USE struct hr_status (*begin)(void *ctx, uint64_t first_leaf);
    /* A normalized event, encoded by the sink with its schema; copied. */
    HR_MUST_USE struct hr_status (*put_event)(void *ctx, const struct norm_event *event,
                                              const struct sink_origin *origin);
    /* A signed batch as it came, to `topic`; copied. */
    HR_MUST_USE struct hr_status (*put_raw)(void *ctx, const char *topic, const struct ledger_batch *batch,
                                            const struct sink_origin *origin);
    /* Ends the transaction with the cursor in it. HR_OK: every consumer sees all of it, once. Any other
     * answer, from this or from begin or put: the outcome is unknown; the only next call is recover (or
     * close). */
    HR_MUST_USE struct hr_status (*commit)(void *ctx, uint64_t next_leaf);
    void (*close)(void *ctx);
    void *ctx;
};

#endif
