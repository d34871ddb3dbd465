/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/norm.h"

#include <string.h>

/* Two digits for each byte: half the work of one digit at a time, and an event has 56 bytes in hex. */
static const char hex_pairs[] = "000102030405060708090a0b0c0d0e0f"
                                "101112131415161718191a1b1c1d1e1f"
                                "202122232425262728292a2b2c2d2e2f"
                                "303132333435363738393a3b3c3d3e3f"
                                "404142434445464748494a4b4c4d4e4f"
                                "505152535455565758595a5b5c5d5e5f"
                                "606162636465666768696a6b6c6d6e6f"
                                "707172737475767778797a7b7c7d7e7f"
                                "808182838485868788898a8b8c8d8e8f"
                                "909192939495969798999a9b9c9d9e9f"
                                "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
                                "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
                                "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
                                "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
                                "e0e1e2e3e4e5e6e7e8e9eaebecedeeef"
                                "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

void norm_hex(const uint8_t *bytes, size_t len_bytes, char *out)
{
    for (size_t i = 0; i < len_bytes; i++) {
        memcpy(out + 2 * i, hex_pairs + 2 * (size_t)bytes[i], 2);
    }
}

void norm_event_id(const uint8_t batch_digest[WIRE_DIGEST_BYTES], uint32_t record_index,
                   uint32_t output_index, char out[NORM_UUID_CHARS])
{
    /* RFC 9562 section 5.8: custom_a is 48 bits, custom_b 12 after the version, custom_c 62 after the
     * variant. The last 32 of custom_c are the indexes; n_records is 16 bits on the wire, so 16 hold any
     * record's index. Of an output's index the rest changes digest bits, which differ from batch to batch and
     * not within one, so ids stay apart. */
    uint8_t uuid[16];

    memcpy(uuid, batch_digest, 12);
    uuid[6] = (uint8_t)(0x80 | (batch_digest[6] & 0x0F));
    uuid[8] = (uint8_t)(0x80 | (batch_digest[8] & 0x3F));
    uuid[10] ^= (uint8_t)(output_index >> 24);
    uuid[11] ^= (uint8_t)(output_index >> 16);
    uuid[12] = (uint8_t)(record_index >> 8);
    uuid[13] = (uint8_t)record_index;
    uuid[14] = (uint8_t)(output_index >> 8);
    uuid[15] = (uint8_t)output_index;

    norm_hex(uuid, 4, out);
    out[8] = '-';
    norm_hex(uuid + 4, 2, out + 9);
    out[13] = '-';
    norm_hex(uuid + 6, 2, out + 14);
    out[18] = '-';
    norm_hex(uuid + 8, 2, out + 19);
    out[23] = '-';
    norm_hex(uuid + 10, 6, out + 24);
}

void norm_trace_id(const uint8_t batch_digest[WIRE_DIGEST_BYTES], char out[NORM_TRACE_ID_CHARS])
{
    norm_hex(batch_digest + 16, 16, out);
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

    out[0] = '0';
    out[1] = '0';
    out[2] = '-';
    norm_trace_id(batch_digest, out + 3);
    out[35] = '-';
    norm_hex(parent, 8, out + 36);
    memcpy(out + 52, "-01", 4);
}
