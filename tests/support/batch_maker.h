/* SPDX-License-Identifier: Apache-2.0
 *
 * A device's chain of batches for tests of the aggregator: it numbers, links and, with a signer, signs. Built
 * from wire/ and edge/ alone. */
#ifndef BATCH_MAKER_H
#define BATCH_MAKER_H

#include "firmware/port/port_sign.h"
#include "proto/edge/record.h"
#include "proto/wire/batch.h"

enum { MAKER_ENVELOPE_MAX_BYTES = 4096 };

struct batch_maker {
    uint64_t device_id;
    uint32_t stream;
    uint16_t key_epoch;
    uint32_t boot_id;
    uint32_t next_seq;
    uint64_t next_record_seq;
    uint8_t last_digest[WIRE_DIGEST_BYTES]; /* what the next batch's prev_digest says */
    const struct port_sign *sign;           /* NULL: signatures are zeros */
};

struct made_batch {
    struct wire_header header;
    uint8_t digest[WIRE_DIGEST_BYTES];
    size_t len_bytes;
    uint8_t bytes[MAKER_ENVELOPE_MAX_BYTES];
};

/* Starts a stream whose anchor is over `former`: the digest of the last batch of the stream before, or zeros.
 */
void batch_maker_start(struct batch_maker *maker, uint64_t device_id, uint32_t stream,
                       const uint8_t former[WIRE_DIGEST_BYTES]);

/* Makes the next batch with these records, and moves on. `flags` are added to what the maker knows itself. */
void batch_maker_next(struct batch_maker *maker, const struct edge_record *records, uint16_t n_records,
                      uint8_t flags, struct made_batch *out);
/* The same with n plain AIS records, whose bytes are a function of the record number and `salt`. */
void batch_maker_plain(struct batch_maker *maker, uint16_t n_records, uint8_t salt, struct made_batch *out);

/* Writes the header anew after a change, with digest and signature. */
void batch_maker_seal(const struct batch_maker *maker, struct made_batch *batch);

/* A Loss over batches first to last, which must follow each other. */
struct edge_record batch_maker_loss(const struct made_batch *first, const struct made_batch *last);

#endif
