/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/verify/envelope.h"

void verify_split(struct hr_bytes envelope, struct verify_result *out)
{
    *out = (struct verify_result){.verdict = WIRE_ACK_MALFORMED};
    struct hr_status status = wire_envelope_split(envelope, &out->parts);
    if (hr_is(status, HR_NOT_FOUND)) {
        out->verdict = WIRE_ACK_UNSUPPORTED;
    }
    if (!hr_is_ok(status)) {
        return;
    }
    out->has_parts = true;
    out->verdict = WIRE_ACK_OK;
    wire_batch_digest(verify_hash(), out->parts.header_bytes, out->digest);
}

void verify_parts(const struct verify_key *key, struct verify_result *result)
{
    const struct wire_envelope *parts = &result->parts;
    if (!hr_is_ok(verify_signature(key, parts->header_bytes, parts->signature_bytes))) {
        result->verdict = WIRE_ACK_BAD_SIGNATURE;
        return;
    }
    struct hr_status status =
        wire_payload_check(verify_hash(), parts->payload, parts->header.n_records, parts->header.root);
    if (hr_is(status, HR_MALFORMED)) {
        result->verdict = WIRE_ACK_MALFORMED;
    } else if (!hr_is_ok(status)) {
        result->verdict = WIRE_ACK_BAD_ROOT;
    }
}

void verify_envelope(const struct verify_key *key, struct hr_bytes envelope, struct verify_result *out)
{
    verify_split(envelope, out);
    if (out->verdict == WIRE_ACK_OK) {
        verify_parts(key, out);
    }
}
