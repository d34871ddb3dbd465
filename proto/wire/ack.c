/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire/ack.h"

#include "proto/base/assert.h"
#include "proto/base/cursor.h"

/* One row a status, in the order of the enum: the CoAP code as class and detail, and the name. */
static const struct {
    uint8_t coap_class;
    uint8_t coap_detail;
    const char *name;
} status_table[] = {
    [WIRE_ACK_OK] = {2, 4, "ok"},
    [WIRE_ACK_DUPLICATE] = {2, 4, "duplicate"},
    [WIRE_ACK_GAP] = {2, 4, "gap"},
    [WIRE_ACK_MALFORMED] = {4, 0, "malformed"},
    [WIRE_ACK_UNKNOWN_KEY] = {4, 1, "unknown_key"},
    [WIRE_ACK_REVOKED] = {4, 3, "revoked"},
    [WIRE_ACK_QUARANTINED] = {4, 3, "quarantined"},
    [WIRE_ACK_UNKNOWN_DEVICE] = {4, 3, "unknown_device"},
    [WIRE_ACK_FORK] = {4, 9, "fork"},
    [WIRE_ACK_EQUIVOCATION] = {4, 9, "equivocation"},
    [WIRE_ACK_UNSUPPORTED] = {4, 15, "unsupported"},
    [WIRE_ACK_BAD_SIGNATURE] = {4, 22, "bad_signature"},
    [WIRE_ACK_BAD_ROOT] = {4, 22, "bad_root"},
    [WIRE_ACK_SLOW_DOWN] = {4, 29, "slow_down"},
    [WIRE_ACK_UNAVAILABLE] = {5, 3, "unavailable"},
    [WIRE_ACK_STREAM_AHEAD] = {2, 5, "stream_ahead"},
};

void wire_ack_encode(const struct wire_ack *ack, uint8_t out[WIRE_ACK_BYTES])
{
    HR_ASSERT((size_t)ack->status < HR_ARRAY_LEN(status_table));
    struct hr_writer writer = hr_writer_over(out, WIRE_ACK_BYTES);
    hr_write_u8(&writer, WIRE_ACK_VERSION);
    hr_write_u8(&writer, (uint8_t)ack->status);
    hr_write_u32(&writer, ack->stream);
    hr_write_u32(&writer, ack->cum_seq);
    hr_write_u32(&writer, ack->sack);
    hr_write_raw(&writer, ack->cum_digest, WIRE_ACK_DIGEST_BYTES);
    hr_write_u48(&writer, ack->server_utc_ms);
    hr_write_u8(&writer, ack->hints);
    HR_ASSERT(hr_writer_ok(&writer) && writer.at == WIRE_ACK_BYTES);
}

struct hr_status wire_ack_decode(struct hr_bytes in, struct wire_ack *out)
{
    if (in.len_bytes != WIRE_ACK_BYTES) {
        return hr_status_of(HR_MALFORMED);
    }
    struct hr_reader reader = hr_reader_over(in);
    uint8_t version = hr_read_u8(&reader);
    uint8_t status = hr_read_u8(&reader);
    struct wire_ack ack = {.stream = hr_read_u32(&reader)};
    ack.cum_seq = hr_read_u32(&reader);
    ack.sack = hr_read_u32(&reader);
    hr_read_raw(&reader, ack.cum_digest, WIRE_ACK_DIGEST_BYTES);
    ack.server_utc_ms = hr_read_u48(&reader);
    ack.hints = hr_read_u8(&reader);
    if (version != WIRE_ACK_VERSION) {
        return hr_status_of(HR_NOT_FOUND);
    }
    if (status >= HR_ARRAY_LEN(status_table) || (ack.hints & ~(unsigned)WIRE_HINTS_KNOWN) != 0) {
        return hr_status_of(HR_MALFORMED);
    }
    ack.status = (enum wire_ack_status)status;
    *out = ack;
    return hr_ok();
}

uint8_t wire_ack_coap_code(enum wire_ack_status status)
{
    HR_ASSERT((size_t)status < HR_ARRAY_LEN(status_table));
    return (uint8_t)(status_table[status].coap_class * 32u + status_table[status].coap_detail);
}

const char *wire_ack_status_name(enum wire_ack_status status)
{
    HR_ASSERT((size_t)status < HR_ARRAY_LEN(status_table));
    return status_table[status].name;
}
