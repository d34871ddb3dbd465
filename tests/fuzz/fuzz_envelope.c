/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/wire/batch.h"
#include "tests/support/test_hash.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

/* What wire_payload_check counts must be what wire_record_next gives. */
static void walk_records(const struct wire_envelope *envelope, bool framed)
{
    struct hr_reader reader = hr_reader_over(envelope->payload);
    struct hr_bytes record;
    size_t n_records = 0;
    struct hr_status status = wire_record_next(&reader, &record);
    for (; hr_is_ok(status); status = wire_record_next(&reader, &record)) {
        HR_ASSERT(record.len_bytes > 0 && record.data >= envelope->payload.data);
        HR_ASSERT(record.data + record.len_bytes <= envelope->payload.data + envelope->payload.len_bytes);
        n_records++;
    }
    HR_ASSERT(!framed || (hr_is(status, HR_CLOSED) && n_records == envelope->header.n_records));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct wire_envelope envelope;
    if (!hr_is_ok(wire_envelope_split(hr_bytes_of(data, len_bytes), &envelope))) {
        return 0;
    }
    uint8_t header[WIRE_HEADER_BYTES];
    wire_header_encode(&envelope.header, header);
    HR_ASSERT(memcmp(header, data, sizeof header) == 0);

    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(envelope.header_bytes, envelope.header.root, tbs);
    struct hr_status checked =
        wire_payload_check(test_hash(), envelope.payload, envelope.header.n_records, envelope.header.root);
    walk_records(&envelope, !hr_is(checked, HR_MALFORMED));
    return 0;
}
