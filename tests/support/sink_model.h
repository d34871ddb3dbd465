/* SPDX-License-Identifier: Apache-2.0
 *
 * A model of a Kafka sink, for simulations of the publisher: partitions, transactions of which any prefix may
 * be committed without the cursor (PROTOCOL 4.5, variant E), answers that are lost, and the rules by which
 * the real sink reads its cursor and the tails of its partitions back. */
#ifndef SINK_MODEL_H
#define SINK_MODEL_H

#include "aggregator/io/sink.h"
#include "tests/support/test_random.h"

/* Raw batches have topics of their own, and so partitions: one is that of documents. */
enum { MODEL_PARTITIONS = 4, MODEL_RAW_PARTITION = 2, MODEL_MAX_RECORDS = 400000 };

struct model_place {
    uint64_t leaf;
    uint64_t index;
};

struct model_record {
    uint8_t partition;
    const char *feed; /* the topic; NULL: raw */
    bool is_committed;
    bool is_event;
    bool has_live;
    uint16_t slot;
    uint16_t revision;
    uint32_t record;
    uint32_t output;
    uint64_t replay;
    struct model_place place;
    struct model_place live;
    int64_t offset;
    int64_t occurred_at_us;
    int64_t value; /* what the event says */
};

struct model_tail {
    bool is_known;
    bool has_place;
    struct model_place place;
    uint64_t replay;
    struct model_place replay_place;
};

struct sink_model {
    struct sink sink;
    struct test_random *random;
    struct model_record *records; /* of the log: open, committed and aborted */
    size_t n_records;
    size_t open_at;      /* of the open transaction; n_records: none */
    size_t committed_at; /* where the last committed one began */
    bool is_open;
    bool is_alive; /* recovered, and no failure since */
    bool is_dead;  /* the process has crashed: nothing has an effect until the next start */
    bool has_cursor;
    struct sink_cursor cursor;
    uint32_t trouble; /* of 1,000 calls so many fail or crash */
    uint32_t transaction_max_batches;
    struct model_tail tails[MODEL_PARTITIONS];
    bool is_skipping;
    int64_t next_offset[MODEL_PARTITIONS];
    /* what happened */
    uint64_t n_torn, n_lost_answers, n_aborted, n_crashes, n_skipped;
};

/* Fills model->sink. Records are allocated; free them. */
void sink_model_init(struct sink_model *model, struct test_random *random);
void sink_model_free(struct sink_model *model);
/* A new process: what was open is settled by the next recover. */
void sink_model_restart(struct sink_model *model);
/* Rolls for trouble: true when this is the moment at which the process dies. */
bool sink_model_dies(struct sink_model *model);

#endif
