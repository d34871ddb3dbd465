/* SPDX-License-Identifier: Apache-2.0
 *
 * How rows of either database become the structs of io/ledger.h. Both store an unsigned 64-bit number as the
 * signed one with the same bits, and a digest as exactly 32 bytes. */
#ifndef LEDGER_ROWS_H
#define LEDGER_ROWS_H

#include "aggregator/io/ledger.h"

int64_t ledger_signed_of(uint64_t value);
uint64_t ledger_unsigned_of(int64_t bits);

/* Zeros when the bytes are not 32. */
void ledger_digest_of(struct hr_bytes bytes, uint8_t out[WIRE_DIGEST_BYTES]);

/* What is left of one read: it ends after `batches`, and with the batch that reaches `bytes`. */
struct ledger_budget {
    uint32_t batches;
    size_t bytes;
    uint32_t n_read;
};

/* Counts a batch that was handed out; false: the read ends with it. */
bool ledger_budget_spend(struct ledger_budget *budget, const struct ledger_batch *batch);

/* Of device, joined with device_key; rows in the order of device and epoch. */
#define LEDGER_DEVICE_COLUMNS                                                                                \
    "device, name, tenant, state, revision, reason, epoch, spki, from_stream, from_seq, to_stream, to_seq,"  \
    " revoked, wants_key, since_ms, cut, cut_stream, cut_seq, bundle, wants_transport"
#define LEDGER_AUDIT_COLUMNS                                                                                 \
    "id, device, at_ms, actor, action, old_state, new_state, revision, old_key, new_key, reason,"            \
    " is_suspect, from_stream, from_seq, to_stream, to_seq, leaf"
#define LEDGER_KEY_COLUMNS "device, epoch, spki, from_stream, from_seq, to_stream, to_seq, revoked, since_ms"

/* Devices from a join with their keys: one row a key, or one without a key; rows of a device follow each
 * other. */
struct ledger_device_rows {
    struct ledger_device device;
    bool has_device;
    void (*each)(void *each_ctx, const struct ledger_device *device);
    void *each_ctx;
};

/* Takes a row. `device` is its device with n_keys 0, `key` NULL when it has none. Of more than
 * LEDGER_DEVICE_MAX_KEYS keys the first are left out, and first_epoch says so. */
void ledger_device_rows_add(struct ledger_device_rows *rows, const struct ledger_device *device,
                            const struct ledger_key *key);
/* After the last row. */
void ledger_device_rows_end(struct ledger_device_rows *rows);

/* Counts a batch of a suspect range by its leaf and the 16 bits of its header that say how many records it
 * has; batches come in any order. */
void ledger_suspect_add(struct ledger_suspect_count *count, uint64_t leaf, struct hr_bytes n_records);

/* Fills nonce, key and certificate; what has another length than they may have is empty. */
void ledger_enrolment_bytes(struct ledger_enrolment *out, struct hr_bytes nonce, struct hr_bytes spki,
                            struct hr_bytes certificate);
/* For a query that gives one row: copies it into the struct ledger_certificate of `ctx`. */
void ledger_certificate_keep(void *ctx, const struct ledger_certificate *row);
/* Fills key and certificate; what has another length than it may have is empty. */
void ledger_certificate_bytes(struct ledger_certificate *out, struct hr_bytes key,
                              struct hr_bytes certificate);

#endif
