/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/norm.h"

#include <string.h>

static void hex_put(const uint8_t *bytes, size_t len_bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len_bytes; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void norm_event_id(const uint8_t batch_digest[WIRE_DIGEST_BYTES], uint32_t record_index,
                   uint16_t output_index, char out[NORM_UUID_CHARS])
{
    /* RFC 9562 section 5.8: custom_a is 48 bits, custom_b 12 after the version, custom_c 62 after the
     * variant. The last 32 of custom_c are the indexes; n_records is 16 bits on the wire, so 16 hold any
     * record's index. */
    uint8_t uuid[16];

    memcpy(uuid, batch_digest, 12);
    uuid[6] = (uint8_t)(0x80 | (batch_digest[6] & 0x0F));
    uuid[8] = (uint8_t)(0x80 | (batch_digest[8] & 0x3F));
    uuid[12] = (uint8_t)(record_index >> 8);
    uuid[13] = (uint8_t)record_index;
    uuid[14] = (uint8_t)(output_index >> 8);
    uuid[15] = (uint8_t)output_index;

    hex_put(uuid, 4, out);
    out[8] = '-';
    hex_put(uuid + 4, 2, out + 9);
    out[13] = '-';
    hex_put(uuid + 6, 2, out + 14);
    out[18] = '-';
    hex_put(uuid + 8, 2, out + 19);
    out[23] = '-';
    hex_put(uuid + 10, 6, out + 24);
}

void norm_trace_id(const uint8_t batch_digest[WIRE_DIGEST_BYTES], char out[NORM_TRACE_ID_CHARS])
{
    hex_put(batch_digest + 16, 16, out);
}

void norm_traceparent(const uint8_t batch_digest[WIRE_DIGEST_BYTES], uint32_t record_index,
                      char out[NORM_TRACEPARENT_CHARS + 1])
{
    uint8_t parent[8];

    memcpy(parent, batch_digest + 4, 4);
    /* W3C forbids an id of zeros; the top bit keeps the parent's from ever being one. */
    parent[0] |= 0x80;
    parent[4] = (uint8_t)(record_index >> 24);
    parent[5] = (uint8_t)(record_index >> 16);
    parent[6] = (uint8_t)(record_index >> 8);
    parent[7] = (uint8_t)record_index;

    memcpy(out, "00-", 3);
    norm_trace_id(batch_digest, out + 3);
    out[35] = '-';
    hex_put(parent, 8, out + 36);
    memcpy(out + 52, "-01", 4);
}
