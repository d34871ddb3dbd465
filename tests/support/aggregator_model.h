/* SPDX-License-Identifier: Apache-2.0
 *
 * What an aggregator does with batches, in the fewest lines that are right: admission in order, a few batches
 * held ahead of a gap, Loss first, and acks (proto/SPEC.md section 4). Written from the specification alone,
 * so that the collector is tested against something else than itself. It checks what it takes: sequence,
 * chain and record numbers, and that each sample comes once and in order. */
#ifndef AGGREGATOR_MODEL_H
#define AGGREGATOR_MODEL_H

#include "proto/edge/record.h"
#include "proto/wire/ack.h"
#include "proto/wire/batch.h"

enum { MODEL_MAX_HELD = 8, MODEL_HOLD_MAX_BYTES = 1024 };

struct model_held {
    bool used;
    uint32_t seq;
    size_t len_bytes;
    uint8_t envelope[MODEL_HOLD_MAX_BYTES];
};

struct aggregator_model {
    /* Durable */
    bool known;
    uint32_t stream;
    uint32_t cum_seq;
    uint8_t cum_digest[WIRE_DIGEST_BYTES];
    uint64_t next_record_seq;
    uint64_t n_records;      /* committed */
    uint64_t n_samples;      /* of them */
    uint64_t n_lost_records; /* by Loss */
    uint64_t next_sample;    /* the least number that the next sample may have */
    uint32_t n_losses_first; /* Loss records that moved the stream ahead of their batch */
    /* Not durable */
    struct model_held held[MODEL_MAX_HELD];
};

/* Takes an envelope and answers. Ends the test when the device breaks a rule that it must keep. */
struct wire_ack model_post(struct aggregator_model *model, struct hr_bytes envelope, uint64_t utc_ms);
struct wire_ack model_head(const struct aggregator_model *model, uint32_t stream, uint64_t utc_ms);
/* A crash: what was committed stays. */
void model_restart(struct aggregator_model *model);

#endif
