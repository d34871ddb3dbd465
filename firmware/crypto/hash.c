/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/crypto.h"

#include "proto/base/assert.h"

#include <psa/crypto.h>
#include <string.h>

/* A leaf or node of the Merkle tree, joined, so that it is hashed in one call: PSA copies the input of every
 * call and sets an operation up for every series of calls. An AIS record is at most 480 bytes. */
enum { JOINED_MAX_BYTES = 256 };

static void sha256_joined(const struct hr_bytes *parts, size_t n_parts, uint8_t out[WIRE_DIGEST_BYTES])
{
    uint8_t joined[JOINED_MAX_BYTES];
    size_t at = 0;
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].len_bytes != 0) {
            memcpy(joined + at, parts[i].data, parts[i].len_bytes);
            at += parts[i].len_bytes;
        }
    }
    size_t written = 0;
    psa_status_t status = psa_hash_compute(PSA_ALG_SHA_256, joined, at, out, WIRE_DIGEST_BYTES, &written);
    HR_ASSERT(status == PSA_SUCCESS && written == WIRE_DIGEST_BYTES);
}

static void sha256_in_series(const struct hr_bytes *parts, size_t n_parts, uint8_t out[WIRE_DIGEST_BYTES])
{
    psa_hash_operation_t operation = PSA_HASH_OPERATION_INIT;
    HR_ASSERT(psa_hash_setup(&operation, PSA_ALG_SHA_256) == PSA_SUCCESS);
    for (size_t i = 0; i < n_parts; i++) {
        HR_ASSERT(psa_hash_update(&operation, parts[i].data, parts[i].len_bytes) == PSA_SUCCESS);
    }
    size_t written = 0;
    HR_ASSERT(psa_hash_finish(&operation, out, WIRE_DIGEST_BYTES, &written) == PSA_SUCCESS);
    HR_ASSERT(written == WIRE_DIGEST_BYTES);
}

static void sha256(void *ctx, const struct hr_bytes *parts, size_t n_parts, uint8_t out[WIRE_DIGEST_BYTES])
{
    (void)ctx;
    size_t total_bytes = 0;
    for (size_t i = 0; i < n_parts; i++) {
        total_bytes += parts[i].len_bytes;
    }
    if (total_bytes <= JOINED_MAX_BYTES) {
        sha256_joined(parts, n_parts, out);
    } else {
        sha256_in_series(parts, n_parts, out);
    }
}

const struct wire_hash *crypto_hash(void)
{
    static const struct wire_hash hash = {sha256, NULL};
    return &hash;
}
