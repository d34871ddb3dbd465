/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/spool_format.h"

#include "proto/base/assert.h"
#include "proto/base/crc32c.h"

#include <string.h>

enum { READ_CHUNK_BYTES = 256 };

static uint32_t sector_address(const struct port_flash *flash, uint32_t sector, uint32_t offset)
{
    return sector * flash->sector_bytes + offset;
}

/* ---- the book ---- */

uint32_t fw_spool_book_bytes(const struct fw_spool_book *book)
{
    return FW_SPOOL_BOOK_FIXED_BYTES + book->n_gaps * FW_SPOOL_HOLE_BYTES +
           book->n_ranges * FW_SPOOL_RANGE_BYTES;
}

void fw_spool_book_encode(struct hr_writer *writer, const struct fw_spool_book *book)
{
    hr_write_u32(writer, book->stream);
    hr_write_u32(writer, book->next_batch_seq);
    hr_write_u48(writer, book->next_record_seq);
    hr_write_u32(writer, book->acked_seq);
    hr_write_u48(writer, book->acked_record_end);
    hr_write_u32(writer, book->boot_id);
    hr_write_raw(writer, book->last_digest, WIRE_DIGEST_BYTES);
    hr_write_u8(writer, (uint8_t)book->n_gaps);
    hr_write_u8(writer, (uint8_t)book->n_ranges);
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        const struct fw_spool_hole *hole = &book->gaps[i].hole;
        hr_write_u32(writer, hole->loss.from_seq);
        hr_write_u32(writer, hole->loss.to_seq);
        hr_write_u48(writer, hole->loss.first_record_seq);
        hr_write_u32(writer, hole->loss.n_records);
        hr_write_u8(writer, (uint8_t)hole->loss.reason);
        hr_write_raw(writer, hole->loss.last_digest, WIRE_DIGEST_BYTES);
        hr_write_u32(writer, hole->carried_by_seq);
    }
    for (uint32_t i = 0; i < book->n_ranges; i++) {
        hr_write_u32(writer, book->ranges[i].stream);
        hr_write_u32(writer, book->ranges[i].next_seq);
        hr_write_u32(writer, book->ranges[i].end_seq);
    }
}

static bool book_is_sane(const struct fw_spool_book *book)
{
    if (book->next_batch_seq == WIRE_SEQ_NONE ||
        (book->acked_seq != WIRE_SEQ_NONE && book->acked_seq >= book->next_batch_seq)) {
        return false;
    }
    uint32_t lowest = book->acked_seq + 1; /* WIRE_SEQ_NONE + 1 is 0 */
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        const struct edge_loss *loss = &book->gaps[i].hole.loss;
        if (loss->from_seq < lowest || loss->to_seq < loss->from_seq ||
            loss->to_seq >= book->next_batch_seq) {
            return false;
        }
        lowest = loss->to_seq + 1;
    }
    for (uint32_t i = 0; i < book->n_ranges; i++) {
        if (book->ranges[i].next_seq >= book->ranges[i].end_seq || book->ranges[i].stream >= book->stream) {
            return false;
        }
    }
    return true;
}

struct hr_status fw_spool_book_decode(struct hr_bytes in, struct fw_spool_book *out)
{
    struct hr_reader reader = hr_reader_over(in);
    memset(out, 0, sizeof *out);
    out->stream = hr_read_u32(&reader);
    out->next_batch_seq = hr_read_u32(&reader);
    out->next_record_seq = hr_read_u48(&reader);
    out->acked_seq = hr_read_u32(&reader);
    out->acked_record_end = hr_read_u48(&reader);
    out->boot_id = hr_read_u32(&reader);
    hr_read_raw(&reader, out->last_digest, WIRE_DIGEST_BYTES);
    out->n_gaps = hr_read_u8(&reader);
    out->n_ranges = hr_read_u8(&reader);
    if (out->n_gaps > FW_SPOOL_MAX_HOLES || out->n_ranges > FW_SPOOL_MAX_CARRIES) {
        return hr_status_of(HR_CORRUPT);
    }
    for (uint32_t i = 0; i < out->n_gaps; i++) {
        struct fw_spool_gap *gap = &out->gaps[i];
        gap->saved = true;
        gap->hole.loss.from_seq = hr_read_u32(&reader);
        gap->hole.loss.to_seq = hr_read_u32(&reader);
        gap->hole.loss.first_record_seq = hr_read_u48(&reader);
        gap->hole.loss.n_records = hr_read_u32(&reader);
        gap->hole.loss.reason = hr_read_u8(&reader);
        hr_read_raw(&reader, gap->hole.loss.last_digest, WIRE_DIGEST_BYTES);
        gap->hole.carried_by_seq = hr_read_u32(&reader);
    }
    for (uint32_t i = 0; i < out->n_ranges; i++) {
        out->ranges[i].stream = hr_read_u32(&reader);
        out->ranges[i].next_seq = hr_read_u32(&reader);
        out->ranges[i].end_seq = hr_read_u32(&reader);
    }
    bool whole = hr_reader_ok(&reader) && hr_reader_left(&reader) == 0;
    return whole && book_is_sane(out) ? hr_ok() : hr_status_of(HR_CORRUPT);
}

/* ---- sector headers ---- */

uint32_t fw_spool_header_encode(const struct fw_spool_ident *ident, const struct fw_spool_book *book,
                                uint8_t *out, uint32_t capacity_bytes)
{
    struct hr_writer writer = hr_writer_over(out, capacity_bytes);
    uint32_t len_bytes = FW_SPOOL_IDENT_BYTES + fw_spool_book_bytes(book) + 4;
    hr_write_u32(&writer, FW_SPOOL_MAGIC);
    hr_write_u16(&writer, FW_SPOOL_FORMAT);
    hr_write_u16(&writer, (uint16_t)len_bytes);
    hr_write_u64(&writer, ident->device_id);
    hr_write_u32(&writer, ident->sector_seq);
    hr_write_u32(&writer, ident->erase_count);
    hr_write_u32(&writer, ident->sector_bytes);
    hr_write_u32(&writer, ident->n_sectors);
    hr_write_u16(&writer, ident->program_unit_bytes);
    fw_spool_book_encode(&writer, book);
    HR_ASSERT(hr_writer_ok(&writer) && writer.at == len_bytes - 4);
    hr_write_u32(&writer, hr_crc32c(0, out, len_bytes - 4));
    HR_ASSERT(hr_writer_ok(&writer));
    return len_bytes;
}

/* Reads what says that this is a header and how long it is; HR_NOT_FOUND unless all of it checks. */
static struct hr_status header_load(const struct port_flash *flash, uint32_t sector, uint8_t *scratch,
                                    uint16_t *format, uint32_t *len_bytes)
{
    HR_TRY(flash->read(flash->ctx, sector_address(flash, sector, 0), scratch, 8));
    struct hr_reader reader = hr_reader_over(hr_bytes_of(scratch, 8));
    uint32_t magic = hr_read_u32(&reader);
    *format = hr_read_u16(&reader);
    *len_bytes = hr_read_u16(&reader);
    if (magic != FW_SPOOL_MAGIC || *len_bytes < FW_SPOOL_HEADER_MIN_BYTES ||
        *len_bytes > FW_SPOOL_HEADER_MAX_BYTES || *len_bytes > flash->sector_bytes) {
        return hr_status_of(HR_NOT_FOUND);
    }
    HR_TRY(flash->read(flash->ctx, sector_address(flash, sector, 0), scratch, *len_bytes));
    reader = hr_reader_over(hr_bytes_of(scratch + *len_bytes - 4, 4));
    bool checks = hr_read_u32(&reader) == hr_crc32c(0, scratch, *len_bytes - 4);
    return hr_status_of(checks ? HR_OK : HR_NOT_FOUND);
}

struct hr_status fw_spool_header_read(const struct port_flash *flash, uint32_t sector, uint8_t *scratch,
                                      struct fw_spool_ident *ident, struct fw_spool_book *book,
                                      uint32_t *end_offset)
{
    uint16_t format;
    uint32_t len_bytes;
    HR_TRY(header_load(flash, sector, scratch, &format, &len_bytes));
    if (format != FW_SPOOL_FORMAT) {
        return hr_status_of(HR_CORRUPT);
    }
    struct hr_reader reader = hr_reader_over(hr_bytes_of(scratch + 8, FW_SPOOL_IDENT_BYTES - 8));
    struct fw_spool_ident read = {.device_id = hr_read_u64(&reader)};
    read.sector_seq = hr_read_u32(&reader);
    read.erase_count = hr_read_u32(&reader);
    read.sector_bytes = hr_read_u32(&reader);
    read.n_sectors = hr_read_u32(&reader);
    read.program_unit_bytes = hr_read_u16(&reader);
    if (read.sector_seq == 0) {
        return hr_status_of(HR_NOT_FOUND);
    }
    if (book != NULL) {
        HR_TRY(fw_spool_book_decode(
            hr_bytes_of(scratch + FW_SPOOL_IDENT_BYTES, len_bytes - FW_SPOOL_IDENT_BYTES - 4), book));
    }
    *ident = read;
    *end_offset = fw_spool_padded(flash, len_bytes);
    return hr_ok();
}

/* ---- entries ---- */

static uint32_t crc_of_seq(uint32_t crc, uint32_t sector_seq)
{
    uint8_t bytes[4];
    struct hr_writer writer = hr_writer_over(bytes, sizeof bytes);
    hr_write_u32(&writer, sector_seq);
    return hr_crc32c(crc, bytes, sizeof bytes);
}

void fw_spool_entry_head(uint8_t out[FW_SPOOL_ENTRY_HEAD_BYTES], uint8_t type, struct hr_bytes payload,
                         uint32_t sector_seq)
{
    struct hr_writer writer = hr_writer_over(out, FW_SPOOL_ENTRY_HEAD_BYTES);
    hr_write_u16(&writer, (uint16_t)payload.len_bytes);
    hr_write_u8(&writer, type);
    hr_write_u8(&writer, (uint8_t)~type);
    uint32_t crc = hr_crc32c(hr_crc32c(0, out, 4), payload.data, payload.len_bytes);
    hr_write_u32(&writer, crc_of_seq(crc, sector_seq));
    HR_ASSERT(hr_writer_ok(&writer) && payload.len_bytes <= UINT16_MAX);
}

/* Goes on with a check over len_bytes of flash. */
static struct hr_status crc_of_flash(const struct port_flash *flash, uint32_t address, uint32_t len_bytes,
                                     uint32_t *crc)
{
    uint8_t chunk[READ_CHUNK_BYTES];
    while (len_bytes > 0) {
        uint32_t n = len_bytes < READ_CHUNK_BYTES ? len_bytes : READ_CHUNK_BYTES;
        HR_TRY(flash->read(flash->ctx, address, chunk, n));
        *crc = hr_crc32c(*crc, chunk, n);
        address += n;
        len_bytes -= n;
    }
    return hr_ok();
}

struct hr_status fw_spool_entry_rehead(const struct port_flash *flash, uint32_t sector,
                                       const struct fw_spool_entry *entry, uint32_t new_sector_seq,
                                       uint8_t out[FW_SPOOL_ENTRY_HEAD_BYTES])
{
    struct hr_writer writer = hr_writer_over(out, FW_SPOOL_ENTRY_HEAD_BYTES);
    hr_write_u16(&writer, entry->len_bytes);
    hr_write_u8(&writer, entry->type);
    hr_write_u8(&writer, (uint8_t)~entry->type);
    uint32_t crc = hr_crc32c(0, out, 4);
    uint32_t address = sector_address(flash, sector, entry->offset + FW_SPOOL_ENTRY_HEAD_BYTES);
    HR_TRY(crc_of_flash(flash, address, entry->len_bytes, &crc));
    hr_write_u32(&writer, crc_of_seq(crc, new_sector_seq));
    return hr_ok();
}

enum candidate { CANDIDATE_VALID, CANDIDATE_BLANK, CANDIDATE_DAMAGED, CANDIDATE_NONE };

/* What stands at entry->offset. CANDIDATE_DAMAGED: the head could be one, and end_offset says where it would
 * end. */
static enum candidate examine(const struct port_flash *flash, uint32_t sector, uint32_t sector_seq,
                              struct fw_spool_entry *entry)
{
    static const uint8_t blank[FW_SPOOL_ENTRY_HEAD_BYTES] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    uint8_t head[FW_SPOOL_ENTRY_HEAD_BYTES];
    uint32_t address = sector_address(flash, sector, entry->offset);
    if (!hr_is_ok(flash->read(flash->ctx, address, head, sizeof head))) {
        return CANDIDATE_NONE;
    }
    if (memcmp(head, blank, sizeof blank) == 0) {
        return CANDIDATE_BLANK;
    }
    struct hr_reader reader = hr_reader_over(hr_bytes_of(head, sizeof head));
    entry->len_bytes = hr_read_u16(&reader);
    entry->type = hr_read_u8(&reader);
    uint8_t not_type = hr_read_u8(&reader);
    uint32_t expected = hr_read_u32(&reader);
    entry->end_offset = entry->offset + fw_spool_entry_bytes(flash, entry->len_bytes);
    if ((entry->type ^ not_type) != 0xFF || entry->type < FW_SPOOL_BEGIN || entry->type > FW_SPOOL_CLOSE ||
        entry->end_offset > flash->sector_bytes) {
        return CANDIDATE_NONE;
    }
    uint32_t crc = hr_crc32c(0, head, 4);
    if (!hr_is_ok(crc_of_flash(flash, address + FW_SPOOL_ENTRY_HEAD_BYTES, entry->len_bytes, &crc))) {
        return CANDIDATE_DAMAGED;
    }
    return crc_of_seq(crc, sector_seq) == expected ? CANDIDATE_VALID : CANDIDATE_DAMAGED;
}

struct hr_status fw_spool_entry_next(const struct port_flash *flash, uint32_t sector, uint32_t sector_seq,
                                     uint32_t offset, struct fw_spool_entry *out)
{
    uint32_t step = flash->program_unit_bytes;
    uint32_t first_blank = FW_SPOOL_NO_SECTOR;
    struct fw_spool_entry entry = {.offset = offset};
    while (entry.offset + FW_SPOOL_ENTRY_HEAD_BYTES <= flash->sector_bytes) {
        enum candidate found = examine(flash, sector, sector_seq, &entry);
        if (found == CANDIDATE_VALID) {
            *out = entry;
            return hr_ok();
        }
        if (found == CANDIDATE_BLANK && !entry.after_gap) {
            break;
        }
        if (found == CANDIDATE_BLANK && first_blank == FW_SPOOL_NO_SECTOR) {
            first_blank = entry.offset;
        } else if (found != CANDIDATE_BLANK) {
            first_blank = FW_SPOOL_NO_SECTOR;
        }
        entry.after_gap = true;
        /* A payload that went bad leaves its head readable: jumping over it keeps bytes that records hold
         * from being taken for entries. */
        struct fw_spool_entry behind = {.offset = entry.end_offset, .after_gap = true};
        if (found == CANDIDATE_DAMAGED && behind.offset + FW_SPOOL_ENTRY_HEAD_BYTES <= flash->sector_bytes &&
            examine(flash, sector, sector_seq, &behind) == CANDIDATE_VALID) {
            *out = behind;
            return hr_ok();
        }
        entry.offset += step;
    }
    out->offset = first_blank != FW_SPOOL_NO_SECTOR ? first_blank : entry.offset;
    out->after_gap = entry.after_gap;
    return hr_status_of(HR_CLOSED);
}

struct hr_status fw_spool_entry_read(const struct port_flash *flash, uint32_t sector,
                                     const struct fw_spool_entry *entry, uint32_t at, void *out,
                                     uint32_t len_bytes)
{
    if (at > entry->len_bytes || len_bytes > entry->len_bytes - at) {
        return hr_status_of(HR_CORRUPT);
    }
    return flash->read(flash->ctx,
                       sector_address(flash, sector, entry->offset + FW_SPOOL_ENTRY_HEAD_BYTES + at), out,
                       len_bytes);
}

void fw_spool_begin_encode(const struct fw_spool_begin *begin, uint8_t out[FW_SPOOL_BEGIN_BYTES])
{
    struct hr_writer writer = hr_writer_over(out, FW_SPOOL_BEGIN_BYTES);
    hr_write_u32(&writer, begin->boot_id);
    hr_write_u48(&writer, begin->base_uptime_ms);
    hr_write_u8(&writer, begin->carry ? 1 : 0);
    HR_ASSERT(hr_writer_ok(&writer));
}

struct hr_status fw_spool_begin_read(const struct port_flash *flash, uint32_t sector,
                                     const struct fw_spool_entry *entry, struct fw_spool_begin *out)
{
    uint8_t bytes[FW_SPOOL_BEGIN_BYTES];
    HR_TRY(fw_spool_entry_read(flash, sector, entry, 0, bytes, sizeof bytes));
    struct hr_reader reader = hr_reader_over(hr_bytes_of(bytes, sizeof bytes));
    out->boot_id = hr_read_u32(&reader);
    out->base_uptime_ms = hr_read_u48(&reader);
    out->carry = hr_read_u8(&reader) != 0;
    return hr_ok();
}

uint32_t fw_spool_seal_bytes(uint32_t n_losses, bool carried)
{
    return FW_SPOOL_SEAL_MIN_BYTES + (carried ? 8u : 0u) + 8u * n_losses;
}

uint32_t fw_spool_seal_encode(const struct fw_spool_seal *seal, uint8_t *out, uint32_t capacity_bytes)
{
    struct hr_writer writer = hr_writer_over(out, capacity_bytes);
    hr_write_raw(&writer, seal->header, WIRE_HEADER_BYTES);
    hr_write_raw(&writer, seal->signature, WIRE_SIGNATURE_BYTES);
    hr_write_u8(&writer, seal->carried ? 1 : 0);
    hr_write_u8(&writer, (uint8_t)seal->n_losses);
    if (seal->carried) {
        hr_write_u32(&writer, seal->from_stream);
        hr_write_u32(&writer, seal->from_seq);
    }
    for (uint32_t i = 0; i < seal->n_losses; i++) {
        hr_write_u32(&writer, seal->loss_from[i]);
        hr_write_u32(&writer, seal->loss_to[i]);
    }
    HR_ASSERT(hr_writer_ok(&writer));
    return (uint32_t)writer.at;
}

struct hr_status fw_spool_seal_read(const struct port_flash *flash, uint32_t sector,
                                    const struct fw_spool_entry *entry, struct fw_spool_seal *out)
{
    uint8_t bytes[FW_SPOOL_SEAL_MAX_BYTES];
    if (entry->len_bytes > sizeof bytes) {
        return hr_status_of(HR_CORRUPT);
    }
    HR_TRY(fw_spool_entry_read(flash, sector, entry, 0, bytes, entry->len_bytes));
    struct hr_reader reader = hr_reader_over(hr_bytes_of(bytes, entry->len_bytes));
    hr_read_raw(&reader, out->header, WIRE_HEADER_BYTES);
    hr_read_raw(&reader, out->signature, WIRE_SIGNATURE_BYTES);
    out->carried = hr_read_u8(&reader) != 0;
    out->n_losses = hr_read_u8(&reader);
    out->from_stream = out->carried ? hr_read_u32(&reader) : 0;
    out->from_seq = out->carried ? hr_read_u32(&reader) : 0;
    if (out->n_losses > FW_SPOOL_MAX_HOLES) {
        return hr_status_of(HR_CORRUPT);
    }
    for (uint32_t i = 0; i < out->n_losses; i++) {
        out->loss_from[i] = hr_read_u32(&reader);
        out->loss_to[i] = hr_read_u32(&reader);
    }
    bool whole = hr_reader_ok(&reader) && hr_reader_left(&reader) == 0;
    return hr_status_of(whole ? HR_OK : HR_CORRUPT);
}

bool fw_spool_is_blank(const struct port_flash *flash, uint32_t sector, uint32_t offset)
{
    uint8_t chunk[READ_CHUNK_BYTES];
    while (offset < flash->sector_bytes) {
        uint32_t left = flash->sector_bytes - offset;
        uint32_t n = left < READ_CHUNK_BYTES ? left : READ_CHUNK_BYTES;
        if (!hr_is_ok(flash->read(flash->ctx, sector_address(flash, sector, offset), chunk, n))) {
            return false;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (chunk[i] != 0xFF) {
                return false;
            }
        }
        offset += n;
    }
    return true;
}
