/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/spool_internal.h"

#include "proto/base/assert.h"

#include <string.h>

/* ---- the stage: one RECORDS entry in the making, head and all ---- */

enum { STAGE_HEAD_BYTES = FW_SPOOL_ENTRY_HEAD_BYTES + FW_SPOOL_RECORDS_HEAD_BYTES };

static uint32_t stage_capacity(const struct fw_spool *spool)
{
    return spool->config.stage_bytes - STAGE_HEAD_BYTES;
}

static uint32_t records_entry_bytes(const struct fw_spool *spool, uint32_t slice_bytes)
{
    return slice_bytes == 0
               ? 0
               : fw_spool_entry_bytes(spool->config.flash, FW_SPOOL_RECORDS_HEAD_BYTES + slice_bytes);
}

uint32_t fw_spool_reserved(const struct fw_spool *spool, uint32_t extra_bytes)
{
    const struct fw_spool_batch *batch = &spool->batch;
    const struct port_flash *flash = spool->config.flash;
    if (!batch->begun) {
        return 0;
    }
    uint32_t bytes = batch->in_flash ? 0 : fw_spool_entry_bytes(flash, FW_SPOOL_BEGIN_BYTES);
    if (batch->staged_bytes + extra_bytes <= stage_capacity(spool)) {
        bytes += records_entry_bytes(spool, batch->staged_bytes + extra_bytes);
    } else {
        bytes += records_entry_bytes(spool, batch->staged_bytes) + records_entry_bytes(spool, extra_bytes);
    }
    return bytes + fw_spool_entry_bytes(flash, fw_spool_seal_bytes(spool->book.n_gaps, true));
}

struct hr_status fw_spool_put_begin(struct fw_spool *spool, uint32_t boot_id, uint64_t base_uptime_ms,
                                    bool carry)
{
    struct fw_spool_begin begin = {.boot_id = boot_id, .base_uptime_ms = base_uptime_ms, .carry = carry};
    fw_spool_begin_encode(&begin, spool->scratch + FW_SPOOL_ENTRY_HEAD_BYTES);
    return fw_spool_put(spool, FW_SPOOL_BEGIN, FW_SPOOL_BEGIN_BYTES);
}

/* One try to bring BEGIN and the staged records to flash. */
static struct hr_status program_stage(struct fw_spool *spool)
{
    struct fw_spool_batch *batch = &spool->batch;
    const struct port_flash *flash = spool->config.flash;
    if (!batch->in_flash) {
        batch->start_offset = spool->tail_offset;
        HR_TRY(fw_spool_put_begin(spool, batch->boot_id, batch->base_uptime_ms, false));
        batch->in_flash = true;
    }
    if (batch->staged_bytes == 0) {
        return hr_ok();
    }
    struct fw_spool_sector *tail = &spool->config.sectors[spool->tail];
    uint8_t *stage = spool->config.stage;
    struct hr_writer writer = hr_writer_over(stage + FW_SPOOL_ENTRY_HEAD_BYTES, FW_SPOOL_RECORDS_HEAD_BYTES);
    hr_write_u16(&writer, (uint16_t)(batch->n_records - batch->staged_records));
    hr_write_u16(&writer, (uint16_t)batch->staged_records);
    uint32_t payload_bytes = FW_SPOOL_RECORDS_HEAD_BYTES + batch->staged_bytes;
    fw_spool_entry_head(stage, FW_SPOOL_RECORDS,
                        hr_bytes_of(stage + FW_SPOOL_ENTRY_HEAD_BYTES, payload_bytes), tail->sector_seq);
    uint32_t entry_bytes = fw_spool_entry_bytes(flash, payload_bytes);
    uint32_t used_bytes = FW_SPOOL_ENTRY_HEAD_BYTES + payload_bytes;
    memset(stage + used_bytes, 0xFF, entry_bytes - used_bytes);
    uint32_t offset = spool->tail_offset;
    HR_ASSERT(offset + entry_bytes <= flash->sector_bytes);
    spool->tail_offset += entry_bytes;
    tail->used_bytes = spool->tail_offset;
    HR_TRY(flash->program(flash->ctx, spool->tail * flash->sector_bytes + offset, stage, entry_bytes));
    batch->staged_bytes = 0;
    batch->staged_records = 0;
    return hr_ok();
}

/* Programming failed in the tail: what flash has of the open batch goes to the next sector. */
static struct hr_status move_open_batch(struct fw_spool *spool)
{
    struct fw_spool_batch *batch = &spool->batch;
    uint32_t old_sector = spool->tail;
    uint32_t old_offset = batch->start_offset;
    HR_TRY(fw_spool_open_next(spool));
    if (batch->in_flash) {
        batch->start_offset = spool->tail_offset;
        HR_TRY(fw_spool_put_begin(spool, batch->boot_id, batch->base_uptime_ms, false));
        HR_TRY(
            fw_spool_copy_records(spool, old_sector, old_offset, batch->n_records - batch->staged_records));
        HR_TRY(fw_spool_sync(spool));
    }
    return fw_spool_prepare_spare(spool, FW_SPOOL_SPARE_MAY_EVICT);
}

static struct hr_status flush_stage(struct fw_spool *spool)
{
    if (hr_is_ok(program_stage(spool))) {
        return hr_ok();
    }
    if (hr_is_ok(move_open_batch(spool)) && hr_is_ok(program_stage(spool))) {
        return hr_ok();
    }
    spool->failed = true;
    return hr_status_of(HR_IO);
}

/* ---- batches ---- */

bool fw_spool_is_open(const struct fw_spool *spool)
{
    return spool->batch.begun;
}

struct hr_status fw_spool_begin(struct fw_spool *spool, uint32_t boot_id, uint64_t base_uptime_ms)
{
    HR_ASSERT(!spool->batch.begun);
    if (spool->failed) {
        return hr_status_of(HR_IO);
    }
    spool->batch.begun = true;
    spool->batch.in_flash = false;
    spool->batch.boot_id = boot_id;
    spool->batch.base_uptime_ms = base_uptime_ms;
    spool->batch.n_records = 0;
    spool->batch.payload_bytes = 0;
    spool->batch.staged_records = 0;
    spool->batch.staged_bytes = 0;
    wire_merkle_start(&spool->batch.merkle);
    if (boot_id > spool->book.boot_id) {
        spool->book.boot_id = boot_id;
    }
    return hr_ok();
}

static bool tail_takes(const struct fw_spool *spool, uint32_t framed_bytes)
{
    return spool->tail_offset + fw_spool_reserved(spool, framed_bytes) <= fw_spool_limit(spool);
}

/* Finds a sector for a batch that has nothing in flash yet, and sees to a spare behind it. A tail that would
 * hold only the beginning of an envelope is left: a signature for two records is dearer than the bytes.
 * HR_MALFORMED: a record of framed_bytes fits no sector. */
static struct hr_status settle(struct fw_spool *spool, uint32_t framed_bytes)
{
    uint32_t worth_bytes = spool->config.envelope_max_bytes / 4;
    /* At most two sectors are left: the tail, and a new one in which making the spare took the room. */
    for (uint32_t n_left = 0; n_left <= 2; n_left++) {
        HR_TRY(fw_spool_prepare_spare(spool, FW_SPOOL_SPARE_MAY_EVICT));
        bool fresh = spool->config.sectors[spool->tail].n_batches == 0;
        uint32_t wanted_bytes = fresh || framed_bytes > worth_bytes ? framed_bytes : worth_bytes;
        if (tail_takes(spool, wanted_bytes)) {
            return hr_ok();
        }
        HR_TRY(fw_spool_advance(spool));
    }
    HR_TRY(fw_spool_prepare_spare(spool, FW_SPOOL_SPARE_MAY_EVICT));
    return hr_status_of(HR_MALFORMED);
}

/* Reads the range out of an encoded Loss record; false for any other record. The encoder writes fields in the
 * order of their numbers and leaves out zeros, so this needs no decoder of whole records. */
static bool is_loss(struct hr_bytes record, uint32_t *from_seq, uint32_t *to_seq)
{
    enum { TAG_DT_MS = 1 << 3, TAG_LOSS = 10 << 3 | 2, TAG_FROM_SEQ = 1 << 3, TAG_TO_SEQ = 2 << 3 };
    struct hr_reader reader = hr_reader_over(record);
    uint32_t tag = hr_read_varint32(&reader);
    if (tag == TAG_DT_MS) {
        (void)hr_read_varint32(&reader);
        tag = hr_read_varint32(&reader);
    }
    if (!hr_reader_ok(&reader) || tag != TAG_LOSS) {
        return false;
    }
    uint32_t len_bytes = hr_read_varint32(&reader);
    struct hr_reader loss = hr_reader_over(hr_read_slice(&reader, len_bytes));
    *from_seq = 0;
    *to_seq = 0;
    for (;;) {
        tag = hr_read_varint32(&loss);
        if (!hr_reader_ok(&loss) || (tag != TAG_FROM_SEQ && tag != TAG_TO_SEQ)) {
            break;
        }
        *(tag == TAG_FROM_SEQ ? from_seq : to_seq) = hr_read_varint32(&loss);
    }
    return hr_reader_ok(&reader);
}

static void note_loss(struct fw_spool *spool, struct hr_bytes record)
{
    uint32_t from_seq;
    uint32_t to_seq;
    if (spool->book.n_gaps == 0 || !is_loss(record, &from_seq, &to_seq)) {
        return;
    }
    struct fw_spool_gap *gap = fw_spool_gap_at(&spool->book, from_seq);
    if (gap != NULL && gap->saved && gap->hole.loss.from_seq == from_seq && gap->hole.loss.to_seq == to_seq) {
        gap->offered = true;
    }
}

struct hr_status fw_spool_append(struct fw_spool *spool, struct hr_bytes record)
{
    struct fw_spool_batch *batch = &spool->batch;
    HR_ASSERT(batch->begun);
    if (spool->failed) {
        return hr_status_of(HR_IO);
    }
    uint32_t envelope_max_bytes = spool->config.envelope_max_bytes;
    if (record.len_bytes == 0 || record.len_bytes > envelope_max_bytes) {
        return hr_status_of(HR_MALFORMED);
    }
    uint32_t framed_bytes = (uint32_t)(hr_varint32_len((uint32_t)record.len_bytes) + record.len_bytes);
    if (framed_bytes > stage_capacity(spool) || WIRE_PREFIX_BYTES + framed_bytes > envelope_max_bytes) {
        return hr_status_of(HR_MALFORMED);
    }
    if (WIRE_PREFIX_BYTES + batch->payload_bytes + framed_bytes > envelope_max_bytes ||
        batch->n_records + 1 >= UINT16_MAX) {
        return hr_status_of(HR_FULL);
    }
    if (batch->n_records == 0 && !batch->in_flash) {
        HR_TRY(settle(spool, framed_bytes));
    } else if (!tail_takes(spool, framed_bytes)) {
        return hr_status_of(HR_FULL);
    }
    if (batch->staged_bytes + framed_bytes > stage_capacity(spool)) {
        HR_TRY(flush_stage(spool));
    }
    struct hr_writer writer = hr_writer_over(spool->config.stage + STAGE_HEAD_BYTES + batch->staged_bytes,
                                             stage_capacity(spool) - batch->staged_bytes);
    hr_write_varint32(&writer, (uint32_t)record.len_bytes);
    hr_write_raw(&writer, record.data, record.len_bytes);
    HR_ASSERT(hr_writer_ok(&writer));
    wire_merkle_add(&batch->merkle, spool->config.hash, record);
    batch->staged_bytes += framed_bytes;
    batch->staged_records++;
    batch->payload_bytes += framed_bytes;
    batch->n_records++;
    note_loss(spool, record);
    return hr_ok();
}

struct hr_status fw_spool_write_seal(struct fw_spool *spool, const struct port_sign *sign,
                                     struct wire_header *header, struct fw_spool_seal *seal)
{
    struct fw_spool_book *book = &spool->book;
    HR_ASSERT(book->next_batch_seq < WIRE_SEQ_NONE - 1);
    header->device_id = spool->config.device_id;
    header->stream = book->stream;
    header->key_epoch = sign->key_epoch;
    header->batch_seq = book->next_batch_seq;
    header->first_record_seq = book->next_record_seq;
    header->schema_id = WIRE_SCHEMA_ID;
    header->flags |= book->next_batch_seq == 0 ? WIRE_FLAG_FIRST_OF_STREAM : 0;
    header->flags |= seal->n_losses > 0 ? WIRE_FLAG_LOSS : 0;
    memcpy(header->prev_digest, book->last_digest, WIRE_DIGEST_BYTES);
    wire_header_encode(header, seal->header);
    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(seal->header, sign->spki_sha256, tbs);
    HR_TRY(sign->sign(sign->ctx, hr_bytes_of(tbs, sizeof tbs), seal->signature));

    /* The records first, then the seal: a seal in flash means that its records are there, and when they can't
     * be read later that is damage and not a torn write whose number may be used again. */
    HR_TRY(fw_spool_sync(spool));
    uint32_t len_bytes =
        fw_spool_seal_encode(seal, spool->scratch + FW_SPOOL_ENTRY_HEAD_BYTES, FW_SPOOL_SEAL_MAX_BYTES);
    if (!hr_is_ok(fw_spool_put(spool, FW_SPOOL_SEAL, len_bytes))) {
        spool->failed = true;
        return hr_status_of(HR_IO);
    }
    HR_TRY(fw_spool_sync(spool));
    fw_spool_apply_seal(book, spool->config.hash, seal, header);
    struct fw_spool_sector *tail = &spool->config.sectors[spool->tail];
    tail->n_batches = book->next_batch_seq - tail->first_batch_seq;
    return hr_ok();
}

struct hr_status fw_spool_seal(struct fw_spool *spool, const struct port_sign *sign, uint8_t flags)
{
    struct fw_spool_batch *batch = &spool->batch;
    HR_ASSERT(batch->begun);
    if (spool->failed) {
        return hr_status_of(HR_IO);
    }
    if (batch->n_records == 0) {
        HR_TRY(settle(spool, 0));
    } else {
        HR_TRY(flush_stage(spool));
    }
    struct fw_spool_seal seal = {.carried = false};
    for (uint32_t i = 0; i < spool->book.n_gaps; i++) {
        if (spool->book.gaps[i].offered) {
            seal.loss_from[seal.n_losses] = spool->book.gaps[i].hole.loss.from_seq;
            seal.loss_to[seal.n_losses] = spool->book.gaps[i].hole.loss.to_seq;
            seal.n_losses++;
        }
    }
    struct wire_header header = {
        .flags = flags,
        .n_records = (uint16_t)batch->n_records,
        .payload_len_bytes = (uint16_t)batch->payload_bytes,
        .boot_id = batch->boot_id,
        .base_uptime_ms = batch->base_uptime_ms,
    };
    wire_merkle_root(&batch->merkle, spool->config.hash, header.root);
    HR_TRY(fw_spool_write_seal(spool, sign, &header, &seal));
    batch->begun = false;
    batch->in_flash = false;
    batch->n_records = 0;
    batch->payload_bytes = 0;
    return hr_ok();
}

struct hr_status fw_spool_close(struct fw_spool *spool)
{
    HR_ASSERT(!spool->batch.begun);
    if (spool->failed) {
        return hr_status_of(HR_IO);
    }
    uint32_t close_bytes = fw_spool_entry_bytes(spool->config.flash, 0);
    struct hr_status status = hr_ok();
    if (spool->unsaved || spool->unsaved_acks > 0) {
        status = fw_spool_save(spool);
    }
    if (hr_is(status, HR_FULL) || spool->tail_offset + close_bytes > spool->config.flash->sector_bytes) {
        status = fw_spool_open_next(spool);
    }
    HR_TRY(status);
    if (!hr_is_ok(fw_spool_put(spool, FW_SPOOL_CLOSE, 0))) {
        spool->failed = true;
        return hr_status_of(HR_IO);
    }
    return fw_spool_sync(spool);
}

void fw_spool_state(const struct fw_spool *spool, struct fw_spool_state *out)
{
    const struct fw_spool_book *book = &spool->book;
    const struct port_flash *flash = spool->config.flash;
    *out = (struct fw_spool_state){
        .device_id = spool->config.device_id,
        .stream = book->stream,
        .next_batch_seq = book->next_batch_seq,
        .next_record_seq = book->next_record_seq,
        .oldest_seq = book->acked_seq + 1,
        .acked_seq = book->acked_seq,
        .open_records = spool->batch.n_records,
        .open_payload_bytes = spool->batch.payload_bytes,
        .bytes_capacity = (uint64_t)flash->sector_bytes * flash->n_sectors,
    };
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        const struct edge_loss *loss = &book->gaps[i].hole.loss;
        out->oldest_seq = loss->from_seq == out->oldest_seq ? loss->to_seq + 1 : out->oldest_seq;
    }
    for (uint32_t i = 0; i < flash->n_sectors; i++) {
        if (i == spool->tail || !fw_spool_is_free(spool, i)) {
            out->bytes_used += spool->config.sectors[i].used_bytes;
        }
    }
    memcpy(out->last_digest, book->last_digest, WIRE_DIGEST_BYTES);
}
