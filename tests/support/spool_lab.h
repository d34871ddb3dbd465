/* SPDX-License-Identifier: Apache-2.0
 *
 * A spool over simulated flash, and beside it what the world may rely on: which batches were acknowledged
 * durable, what stands in them, what an aggregator has committed. Every step tells the world only what the
 * spool's header promises; every opening compares the spool with the world. A broken promise fails the cmocka
 * test with the plan that broke it. */
#ifndef SPOOL_LAB_H
#define SPOOL_LAB_H

#include "firmware/core/spool.h"
#include "firmware/ports/sim/flash_sim.h"
#include "tests/support/fake_sign.h"

enum {
    LAB_MAX_SECTORS = 16,
    LAB_MAX_RECORDS = 8192,
    LAB_MAX_BATCHES = 2048,
    LAB_RECORD_MAX_BYTES = 96,
    LAB_ENVELOPE_MAX_BYTES = 2048,
};

struct lab_config {
    struct sim_flash_config flash;
    uint32_t envelope_max_bytes;
    uint32_t stage_bytes;
};

struct lab_record {
    uint8_t len_bytes;
    uint8_t bytes[LAB_RECORD_MAX_BYTES];
    uint8_t n_committed;
};

/* A batch that is durable: the spool said so, or it was seen. */
struct lab_batch {
    uint32_t stream;
    uint32_t seq;
    uint8_t digest[WIRE_DIGEST_BYTES];
    uint64_t first_record_seq;
    uint32_t first_record; /* its content, as indexes of lab->records */
    uint32_t n_records;
    bool committed; /* an aggregator has it */
    bool carried;   /* its content stands in a batch of a newer stream */
    bool given_up;  /* in a hole when last looked at */
};

struct lab {
    struct lab_config config;
    struct sim_flash flash;
    struct fw_spool spool;
    struct fw_spool_sector sectors[LAB_MAX_SECTORS];
    uint8_t stage[FW_SPOOL_STAGE_MAX_BYTES];
    struct fake_sign sign;
    struct fw_spool_report report; /* of the last opening */
    const char *plan;              /* what to print when a promise breaks */
    bool holes_expected;           /* by damage or with room to spare */

    struct lab_record records[LAB_MAX_RECORDS];
    uint32_t n_records;
    struct lab_batch batches[LAB_MAX_BATCHES];
    uint32_t n_batches;
    uint32_t stream;
    uint32_t acked_seq;  /* the highest ack that the spool was told for this stream */
    uint32_t old_stream; /* and for the one before */
    uint32_t old_acked_seq;
    uint32_t boot_id;
    uint32_t open_first; /* the content of the open batch */
    uint32_t open_records;
    uint32_t open_durable; /* of these, known to be in flash: an opening showed them */
    bool sealing;          /* a seal was asked for and not answered */
    bool carrying;         /* a carry was asked for and not answered */
    uint32_t new_stream;   /* asked for and not answered; 0: none */
    uint32_t n_checks;
};

/* Six sectors of 2 KB, which a few batches fill. */
extern const struct lab_config lab_small_ring;

void lab_make(struct lab *lab, const struct lab_config *config);
void lab_free(struct lab *lab);
/* Blank flash, an empty world. */
void lab_reset(struct lab *lab);

/* Each step returns false when power went (or flash failed) on the way; the world then knows what was in
 * flight. */
bool lab_open(struct lab *lab);
bool lab_begin(struct lab *lab);
/* Appends up to n_records; seals and begins again when the batch is full. */
bool lab_append(struct lab *lab, uint32_t n_records);
/* Appends the Loss record of the oldest pending hole, if any. */
bool lab_append_loss(struct lab *lab);
bool lab_seal(struct lab *lab);
/* begin, pending Loss, records, seal. */
bool lab_batch(struct lab *lab, uint32_t n_records);
/* The aggregator commits and acknowledges up to seq of the current stream, over holes as well. */
bool lab_ack(struct lab *lab, uint32_t seq);
bool lab_new_stream(struct lab *lab, uint32_t stream);
/* Carries everything. */
bool lab_carry(struct lab *lab);
bool lab_close(struct lab *lab);

/* Compares the spool with the world; lab_open does it too. */
void lab_check(struct lab *lab);
/* Seals what is open, carries, reports every hole, commits everything, and checks that each record of a
 * durable batch was committed exactly once or lies in a hole. Power must stay on. */
void lab_drain(struct lab *lab);

struct lab_batch *lab_find(struct lab *lab, uint32_t stream, uint32_t seq);
struct fw_spool_state lab_state(const struct lab *lab);

#endif
