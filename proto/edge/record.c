/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/edge/record.h"

#include "proto/base/assert.h"
#include "proto/edge/internal.h"

struct hr_status edge_record_encode(const struct edge_record *record, uint8_t *out, size_t capacity_bytes,
                                    size_t *len_bytes)
{
    HR_ASSERT(record->kind != EDGE_NONE);
    if (record->kind == EDGE_AIS) {
        return edge_ais_encode(record, out, capacity_bytes, len_bytes);
    }
    return edge_nanopb_encode(record, out, capacity_bytes, len_bytes);
}

struct hr_status edge_record_decode(struct hr_bytes bytes, struct edge_record *out)
{
    struct hr_status status = edge_ais_decode(bytes, out);
    return hr_is(status, HR_NOT_FOUND) ? edge_nanopb_decode(bytes, out) : status;
}
