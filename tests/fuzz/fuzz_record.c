/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/edge/internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static size_t encode(const struct edge_record *record, uint8_t out[EDGE_RECORD_MAX_BYTES])
{
    size_t len_bytes = 0;
    struct hr_status status = edge_record_encode(record, out, EDGE_RECORD_MAX_BYTES, &len_bytes);
    HR_ASSERT(hr_is_ok(status));
    return len_bytes;
}

/* Whatever decodes must encode, the encoding must decode to the same, and both codecs must agree. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static struct edge_record first;
    static struct edge_record second;
    struct hr_status status = edge_record_decode(hr_bytes_of(data, len_bytes), &first);
    struct hr_status by_nanopb = edge_nanopb_decode(hr_bytes_of(data, len_bytes), &second);
    HR_ASSERT(status.code == by_nanopb.code);
    HR_ASSERT(hr_is_ok(status) || hr_is(status, HR_MALFORMED));
    if (!hr_is_ok(status) || first.kind == EDGE_NONE) {
        return 0;
    }
    uint8_t once[EDGE_RECORD_MAX_BYTES];
    uint8_t twice[EDGE_RECORD_MAX_BYTES];
    size_t once_len = encode(&first, once);
    size_t nanopb_len = encode(&second, twice);
    HR_ASSERT(once_len == nanopb_len && memcmp(once, twice, once_len) == 0);
    status = edge_record_decode(hr_bytes_of(once, once_len), &second);
    HR_ASSERT(hr_is_ok(status) && second.kind == first.kind && second.dt_ms == first.dt_ms);
    size_t twice_len = encode(&second, twice);
    HR_ASSERT(once_len == twice_len && memcmp(once, twice, once_len) == 0);
    return 0;
}
