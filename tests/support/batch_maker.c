/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/batch_maker.h"

#include "proto/base/assert.h"
#include "proto/wire/merkle.h"
#include "tests/support/test_hash.h"

#include <string.h>

void batch_maker_start(struct batch_maker *maker, uint64_t device_id, uint32_t stream,
                       const uint8_t former[WIRE_DIGEST_BYTES])
{
    const struct port_sign *sign = maker->sign;
    *maker = (struct batch_maker){
        .device_id = device_id, .stream = stream, .key_epoch = 1, .boot_id = 1, .sign = sign};
    wire_stream_anchor(test_hash(), device_id, stream, former, maker->last_digest);
}

void batch_maker_seal(const struct batch_maker *maker, struct made_batch *batch)
{
    wire_header_encode(&batch->header, batch->bytes);
    wire_batch_digest(test_hash(), batch->bytes, batch->digest);
    memset(batch->bytes + WIRE_HEADER_BYTES, 0, WIRE_SIGNATURE_BYTES);
    if (maker->sign != NULL) {
        uint8_t tbs[WIRE_TBS_BYTES];
        wire_tbs(batch->bytes, maker->sign->spki_sha256, tbs);
        struct hr_status status = maker->sign->sign(maker->sign->ctx, hr_bytes_of(tbs, sizeof tbs),
                                                    batch->bytes + WIRE_HEADER_BYTES);
        HR_ASSERT(hr_is_ok(status));
    }
}

void batch_maker_next(struct batch_maker *maker, const struct edge_record *records, uint16_t n_records,
                      uint8_t flags, struct made_batch *out)
{
    struct hr_writer payload =
        hr_writer_over(out->bytes + WIRE_PREFIX_BYTES, sizeof out->bytes - WIRE_PREFIX_BYTES);
    struct wire_merkle merkle;
    wire_merkle_start(&merkle);
    for (uint16_t i = 0; i < n_records; i++) {
        uint8_t bytes[EDGE_RECORD_MAX_BYTES];
        size_t len_bytes;
        HR_ASSERT(hr_is_ok(edge_record_encode(&records[i], bytes, sizeof bytes, &len_bytes)));
        hr_write_varint32(&payload, (uint32_t)len_bytes);
        hr_write_raw(&payload, bytes, len_bytes);
        wire_merkle_add(&merkle, test_hash(), hr_bytes_of(bytes, len_bytes));
    }
    HR_ASSERT(hr_writer_ok(&payload));
    uint8_t first = maker->next_seq == 0 ? WIRE_FLAG_FIRST_OF_STREAM : 0;
    out->header = (struct wire_header){.flags = (uint8_t)(flags | first),
                                       .device_id = maker->device_id,
                                       .stream = maker->stream,
                                       .key_epoch = maker->key_epoch,
                                       .batch_seq = maker->next_seq,
                                       .first_record_seq = maker->next_record_seq,
                                       .n_records = n_records,
                                       .payload_len_bytes = (uint16_t)payload.at,
                                       .boot_id = maker->boot_id,
                                       .base_uptime_ms = 1000,
                                       .schema_id = WIRE_SCHEMA_ID};
    memcpy(out->header.prev_digest, maker->last_digest, WIRE_DIGEST_BYTES);
    wire_merkle_root(&merkle, test_hash(), out->header.root);
    out->len_bytes = WIRE_PREFIX_BYTES + payload.at;
    batch_maker_seal(maker, out);
    memcpy(maker->last_digest, out->digest, WIRE_DIGEST_BYTES);
    maker->next_seq++;
    maker->next_record_seq += n_records;
}

void batch_maker_plain(struct batch_maker *maker, uint16_t n_records, uint8_t salt, struct made_batch *out)
{
    struct edge_record records[64];
    HR_ASSERT(n_records <= HR_ARRAY_LEN(records));
    for (uint16_t i = 0; i < n_records; i++) {
        records[i] = (struct edge_record){.dt_ms = i, .kind = EDGE_AIS};
        struct edge_ais *ais = &records[i].as.ais;
        ais->payload_chars = 28;
        ais->channel = 'A';
        memcpy(ais->talker, "AI", 2);
        for (uint8_t k = 0; k < 21; k++) {
            ais->payload[k] = (uint8_t)((maker->next_record_seq + i) * 17 + k + salt);
        }
    }
    batch_maker_next(maker, records, n_records, 0, out);
}

struct edge_record batch_maker_loss(const struct made_batch *first, const struct made_batch *last)
{
    uint64_t end = last->header.first_record_seq + last->header.n_records;
    struct edge_record record = {.kind = EDGE_LOSS,
                                 .as.loss = {.from_seq = first->header.batch_seq,
                                             .to_seq = last->header.batch_seq,
                                             .first_record_seq = first->header.first_record_seq,
                                             .n_records = (uint32_t)(end - first->header.first_record_seq),
                                             .reason = EDGE_LOSS_OVERFLOW}};
    memcpy(record.as.loss.last_digest, last->digest, WIRE_DIGEST_BYTES);
    return record;
}
