/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 6962 section 2.1 Merkle tree hash over records, computed as they come: at most 16 pending subtree
 * roots, so that a device never holds a batch to know its root. [any] */
#ifndef WIRE_MERKLE_H
#define WIRE_MERKLE_H

#include "proto/wire/hash.h"

#include <stdbool.h>

enum { WIRE_MERKLE_LEVELS = 16 }; /* 2^16 leaves: more than n_records can say */

struct wire_merkle {
    uint8_t pending[WIRE_MERKLE_LEVELS][WIRE_DIGEST_BYTES];
    uint32_t n_leaves; /* its set bits tell which levels are pending */
};

void wire_merkle_start(struct wire_merkle *merkle);
/* Adds SHA-256(0x00 || record) as the next leaf. Asserts fewer than 65,535 leaves. */
void wire_merkle_add(struct wire_merkle *merkle, const struct wire_hash *hash, struct hr_bytes record);
/* The root of the leaves so far; SHA-256("") for none. The tree may grow on afterwards. */
void wire_merkle_root(const struct wire_merkle *merkle, const struct wire_hash *hash,
                      uint8_t out[WIRE_DIGEST_BYTES]);

#endif
