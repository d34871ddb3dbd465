/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 as wire/ needs it. The room has no crypto library of its own: firmware/crypto gives mbedTLS' and
 * aggregator/verify gives OpenSSL's. */
#ifndef WIRE_HASH_H
#define WIRE_HASH_H

#include "proto/base/bytes.h"

enum { WIRE_DIGEST_BYTES = 32 };

/* sha256 writes the SHA-256 (FIPS 180-4) of the parts, one after the other, to out. It can't fail: an
 * implementation whose library fails asserts. [any] when ctx is not shared between threads. */
struct wire_hash {
    void (*sha256)(void *ctx, const struct hr_bytes *parts, size_t n_parts, uint8_t out[WIRE_DIGEST_BYTES]);
    void *ctx;
};

static inline void wire_sha256(const struct wire_hash *hash, const struct hr_bytes *parts, size_t n_parts,
                               uint8_t out[WIRE_DIGEST_BYTES])
{
    hash->sha256(hash->ctx, parts, n_parts, out);
}

#endif
