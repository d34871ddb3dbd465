/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/trust/trust.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

/* A bundle that decodes, and says nothing that is passed over, has one encoding, the bytes that it came from.
 */
static void check(struct hr_bytes bytes)
{
    struct trust_bundle bundle;
    uint8_t out[TRUST_MAX_BYTES];
    size_t out_bytes = 0;
    if (hr_is_ok(trust_decode(bytes, &bundle)) && bundle.n_later == 0) {
        HR_ASSERT(hr_is_ok(trust_encode(&bundle, out, sizeof out, &out_bytes)));
        HR_ASSERT(out_bytes == bytes.len_bytes && memcmp(out, bytes.data, out_bytes) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct hr_bytes left = hr_bytes_of(data, len_bytes);
    struct hr_bytes one;
    check(left);
    while (hr_is_ok(trust_next(left, &one))) {
        uint32_t version = 0;
        HR_ASSERT(hr_is_ok(trust_version_of(one, &version)) && version > 0);
        check(one);
        left = hr_bytes_of(left.data + one.len_bytes, left.len_bytes - one.len_bytes);
    }
    return 0;
}
