/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_hash.h"

#include "proto/base/assert.h"

#include <mbedtls/sha256.h>

static void sha256(void *ctx, const struct hr_bytes *parts, size_t n_parts, uint8_t out[WIRE_DIGEST_BYTES])
{
    (void)ctx;
    mbedtls_sha256_context context;
    mbedtls_sha256_init(&context);
    HR_ASSERT(mbedtls_sha256_starts(&context, 0) == 0);
    for (size_t i = 0; i < n_parts; i++) {
        HR_ASSERT(mbedtls_sha256_update(&context, parts[i].data, parts[i].len_bytes) == 0);
    }
    HR_ASSERT(mbedtls_sha256_finish(&context, out) == 0);
    mbedtls_sha256_free(&context);
}

const struct wire_hash *test_hash(void)
{
    static const struct wire_hash hash = {sha256, NULL};
    return &hash;
}
