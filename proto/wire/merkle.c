/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire/merkle.h"

#include "proto/base/assert.h"

#include <string.h>

static void hash_node(const struct wire_hash *hash, const uint8_t left[WIRE_DIGEST_BYTES],
                      const uint8_t right[WIRE_DIGEST_BYTES], uint8_t out[WIRE_DIGEST_BYTES])
{
    static const uint8_t node_prefix = 0x01;
    struct hr_bytes parts[] = {hr_bytes_of(&node_prefix, 1), hr_bytes_of(left, WIRE_DIGEST_BYTES),
                               hr_bytes_of(right, WIRE_DIGEST_BYTES)};
    wire_sha256(hash, parts, HR_ARRAY_LEN(parts), out);
}

void wire_merkle_start(struct wire_merkle *merkle)
{
    merkle->n_leaves = 0;
}

void wire_merkle_add(struct wire_merkle *merkle, const struct wire_hash *hash, struct hr_bytes record)
{
    HR_ASSERT(merkle->n_leaves < UINT16_MAX);
    static const uint8_t leaf_prefix = 0x00;
    struct hr_bytes parts[] = {hr_bytes_of(&leaf_prefix, 1), record};
    uint8_t subtree[WIRE_DIGEST_BYTES];
    wire_sha256(hash, parts, HR_ARRAY_LEN(parts), subtree);

    /* Adding one to n_leaves carries over its low set bits; each carry joins two equal subtrees. */
    unsigned level = 0;
    for (; (merkle->n_leaves >> level & 1u) != 0; level++) {
        hash_node(hash, merkle->pending[level], subtree, subtree);
    }
    memcpy(merkle->pending[level], subtree, WIRE_DIGEST_BYTES);
    merkle->n_leaves++;
}

void wire_merkle_root(const struct wire_merkle *merkle, const struct wire_hash *hash,
                      uint8_t out[WIRE_DIGEST_BYTES])
{
    if (merkle->n_leaves == 0) {
        wire_sha256(hash, NULL, 0, out);
        return;
    }
    /* The smallest subtree stands rightmost; each larger one joins it from the left (RFC 6962: the split is
     * at the largest power of two below n). */
    bool started = false;
    for (unsigned level = 0; level < WIRE_MERKLE_LEVELS; level++) {
        if ((merkle->n_leaves >> level & 1u) == 0) {
            continue;
        }
        if (started) {
            hash_node(hash, merkle->pending[level], out, out);
        } else {
            memcpy(out, merkle->pending[level], WIRE_DIGEST_BYTES);
            started = true;
        }
    }
}
