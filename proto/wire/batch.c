/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire/batch.h"

#include "proto/base/assert.h"
#include "proto/wire/merkle.h"

#include <string.h>

void wire_header_encode(const struct wire_header *header, uint8_t out[WIRE_HEADER_BYTES])
{
    HR_ASSERT((header->flags & ~(unsigned)WIRE_FLAGS_KNOWN) == 0);
    HR_ASSERT(header->batch_seq != WIRE_SEQ_NONE);
    struct hr_writer writer = hr_writer_over(out, WIRE_HEADER_BYTES);
    hr_write_u16(&writer, WIRE_MAGIC);
    hr_write_u8(&writer, WIRE_ALG_ES256);
    hr_write_u8(&writer, header->flags);
    hr_write_u64(&writer, header->device_id);
    hr_write_u32(&writer, header->stream);
    hr_write_u16(&writer, header->key_epoch);
    hr_write_u32(&writer, header->batch_seq);
    hr_write_u48(&writer, header->first_record_seq);
    hr_write_u16(&writer, header->n_records);
    hr_write_u16(&writer, header->payload_len_bytes);
    hr_write_u32(&writer, header->boot_id);
    hr_write_u48(&writer, header->base_uptime_ms);
    hr_write_u16(&writer, header->schema_id);
    hr_write_raw(&writer, header->prev_digest, WIRE_DIGEST_BYTES);
    hr_write_raw(&writer, header->root, WIRE_DIGEST_BYTES);
    HR_ASSERT(hr_writer_ok(&writer) && writer.at == WIRE_HEADER_BYTES);
}

struct hr_status wire_header_decode(const uint8_t in[WIRE_HEADER_BYTES], struct wire_header *out)
{
    struct hr_reader reader = hr_reader_over(hr_bytes_of(in, WIRE_HEADER_BYTES));
    uint16_t magic = hr_read_u16(&reader);
    uint8_t alg = hr_read_u8(&reader);
    struct wire_header header = {.flags = hr_read_u8(&reader)};
    header.device_id = hr_read_u64(&reader);
    header.stream = hr_read_u32(&reader);
    header.key_epoch = hr_read_u16(&reader);
    header.batch_seq = hr_read_u32(&reader);
    header.first_record_seq = hr_read_u48(&reader);
    header.n_records = hr_read_u16(&reader);
    header.payload_len_bytes = hr_read_u16(&reader);
    header.boot_id = hr_read_u32(&reader);
    header.base_uptime_ms = hr_read_u48(&reader);
    header.schema_id = hr_read_u16(&reader);
    hr_read_raw(&reader, header.prev_digest, WIRE_DIGEST_BYTES);
    hr_read_raw(&reader, header.root, WIRE_DIGEST_BYTES);
    HR_ASSERT(hr_reader_ok(&reader) && hr_reader_left(&reader) == 0);

    if (magic != WIRE_MAGIC || alg != WIRE_ALG_ES256 || header.schema_id != WIRE_SCHEMA_ID) {
        return hr_status_of(HR_NOT_FOUND);
    }
    if ((header.flags & ~(unsigned)WIRE_FLAGS_KNOWN) != 0 || header.batch_seq == WIRE_SEQ_NONE) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = header;
    return hr_ok();
}

struct hr_status wire_envelope_split(struct hr_bytes envelope, struct wire_envelope *out)
{
    if (envelope.len_bytes < WIRE_PREFIX_BYTES) {
        return hr_status_of(HR_MALFORMED);
    }
    struct wire_envelope split = {
        .header_bytes = envelope.data,
        .signature_bytes = envelope.data + WIRE_HEADER_BYTES,
        .payload = hr_bytes_of(envelope.data + WIRE_PREFIX_BYTES, envelope.len_bytes - WIRE_PREFIX_BYTES),
    };
    HR_TRY(wire_header_decode(split.header_bytes, &split.header));
    if (split.header.payload_len_bytes != split.payload.len_bytes) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = split;
    return hr_ok();
}

void wire_tbs(const uint8_t header[WIRE_HEADER_BYTES], const uint8_t spki_sha256[WIRE_DIGEST_BYTES],
              uint8_t out[WIRE_TBS_BYTES])
{
    /* CBOR: array(4), "Signature1", bstr {1: -7}, bstr(45) external_aad, bstr(108) payload. */
    static const uint8_t before_aad[] = {0x84, 0x6A, 'S', 'i',  'g',  'n',  'a',  't',  'u',
                                         'r',  'e',  '1', 0x43, 0xA1, 0x01, 0x26, 0x58, 0x2D};
    static const uint8_t domain[] = {'e', 'd', 'g', 'e', '.', 'b', 'a', 't', 'c', 'h', '.', 'v', '1'};
    static const uint8_t before_payload[] = {0x58, WIRE_HEADER_BYTES};
    struct hr_writer writer = hr_writer_over(out, WIRE_TBS_BYTES);
    hr_write_raw(&writer, before_aad, sizeof before_aad);
    hr_write_raw(&writer, domain, sizeof domain);
    hr_write_raw(&writer, spki_sha256, WIRE_DIGEST_BYTES);
    hr_write_raw(&writer, before_payload, sizeof before_payload);
    hr_write_raw(&writer, header, WIRE_HEADER_BYTES);
    HR_ASSERT(hr_writer_ok(&writer) && writer.at == WIRE_TBS_BYTES);
}

void wire_batch_digest(const struct wire_hash *hash, const uint8_t header[WIRE_HEADER_BYTES],
                       uint8_t out[WIRE_DIGEST_BYTES])
{
    struct hr_bytes part = hr_bytes_of(header, WIRE_HEADER_BYTES);
    wire_sha256(hash, &part, 1, out);
}

void wire_stream_anchor(const struct wire_hash *hash, uint64_t device_id, uint32_t stream,
                        const uint8_t last_digest[WIRE_DIGEST_BYTES], uint8_t out[WIRE_DIGEST_BYTES])
{
    static const char domain[] = "edge.stream0.v1";
    uint8_t bytes[sizeof domain - 1 + 8 + 4 + WIRE_DIGEST_BYTES];
    struct hr_writer writer = hr_writer_over(bytes, sizeof bytes);
    hr_write_raw(&writer, domain, sizeof domain - 1);
    hr_write_u64(&writer, device_id);
    hr_write_u32(&writer, stream);
    hr_write_raw(&writer, last_digest, WIRE_DIGEST_BYTES);
    HR_ASSERT(hr_writer_ok(&writer));
    struct hr_bytes part = hr_bytes_of(bytes, sizeof bytes);
    wire_sha256(hash, &part, 1, out);
}

struct hr_status wire_record_next(struct hr_reader *payload, struct hr_bytes *out)
{
    if (hr_reader_ok(payload) && hr_reader_left(payload) == 0) {
        return hr_status_of(HR_CLOSED);
    }
    uint32_t len_bytes = hr_read_varint32(payload);
    struct hr_bytes record = hr_read_slice(payload, len_bytes);
    if (!hr_reader_ok(payload) || len_bytes == 0) {
        payload->failed = true;
        return hr_status_of(HR_MALFORMED);
    }
    *out = record;
    return hr_ok();
}

struct hr_status wire_payload_check_in(struct wire_merkle *tree, const struct wire_hash *hash,
                                       struct hr_bytes payload, uint16_t n_records,
                                       const uint8_t root[WIRE_DIGEST_BYTES])
{
    struct hr_reader reader = hr_reader_over(payload);
    wire_merkle_start(tree);
    for (uint32_t i = 0; i < n_records; i++) {
        struct hr_bytes record;
        if (!hr_is_ok(wire_record_next(&reader, &record))) {
            return hr_status_of(HR_MALFORMED);
        }
        wire_merkle_add(tree, hash, record);
    }
    if (hr_reader_left(&reader) != 0) {
        return hr_status_of(HR_MALFORMED);
    }
    uint8_t computed[WIRE_DIGEST_BYTES];
    wire_merkle_root(tree, hash, computed);
    return memcmp(computed, root, WIRE_DIGEST_BYTES) == 0 ? hr_ok() : hr_status_of(HR_DENIED);
}
