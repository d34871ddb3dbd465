/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/spool_internal.h"

#include <string.h>

/* The sector that should hold a batch. */
static uint32_t sector_of(const struct fw_spool *spool, uint32_t stream, uint32_t seq)
{
    for (uint32_t i = 0; i < spool->config.flash->n_sectors; i++) {
        const struct fw_spool_sector *entry = &spool->config.sectors[i];
        if (entry->sector_seq != 0 && entry->stream == stream && seq >= entry->first_batch_seq &&
            seq - entry->first_batch_seq < entry->n_batches) {
            return i;
        }
    }
    return FW_SPOOL_NO_SECTOR;
}

/* The nearest known place before the batch in its sector, or NULL. */
static struct fw_spool_hint *best_hint(struct fw_spool *spool, uint32_t sector, uint32_t seq)
{
    struct fw_spool_hint *best = NULL;
    for (uint32_t i = 0; i < FW_SPOOL_HINTS; i++) {
        struct fw_spool_hint *hint = &spool->hints[i];
        if (hint->sector == sector && hint->sector_seq != 0 &&
            hint->sector_seq == spool->config.sectors[sector].sector_seq && hint->seq <= seq &&
            (best == NULL || hint->seq > best->seq)) {
            best = hint;
        }
    }
    return best;
}

/* Walks the entries of a sector from `offset` to the seal of the batch. */
static struct hr_status walk_to_seal(struct fw_spool *spool, uint32_t seq, uint32_t offset,
                                     struct fw_spool_place *place)
{
    const struct port_flash *flash = spool->config.flash;
    const struct fw_spool_sector *sector = &spool->config.sectors[place->sector];
    struct fw_spool_entry *entry = &place->seal;
    place->start_offset = offset;
    while (hr_is_ok(fw_spool_entry_next(flash, place->sector, sector->sector_seq, offset, entry))) {
        offset = entry->end_offset;
        if (entry->type == FW_SPOOL_BEGIN) {
            place->start_offset = entry->offset;
        }
        if (entry->type != FW_SPOOL_SEAL) {
            continue;
        }
        uint8_t bytes[WIRE_HEADER_BYTES];
        struct wire_header header;
        if (hr_is_ok(fw_spool_entry_read(flash, place->sector, entry, 0, bytes, sizeof bytes)) &&
            hr_is_ok(wire_header_decode(bytes, &header)) && header.stream == sector->stream) {
            if (header.batch_seq == seq) {
                return hr_ok();
            }
            if (header.batch_seq > seq) {
                break;
            }
        }
        place->start_offset = entry->end_offset;
    }
    return hr_status_of(HR_NOT_FOUND);
}

struct hr_status fw_spool_find(struct fw_spool *spool, uint32_t stream, uint32_t seq,
                               struct fw_spool_place *place)
{
    const struct port_flash *flash = spool->config.flash;
    place->sector = sector_of(spool, stream, seq);
    if (place->sector == FW_SPOOL_NO_SECTOR) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct fw_spool_hint *hint = best_hint(spool, place->sector, seq);
    uint32_t offset;
    if (hint != NULL) {
        offset = hint->offset;
    } else {
        struct fw_spool_ident ident;
        if (!hr_is_ok(fw_spool_header_read(flash, place->sector, spool->scratch, &ident, NULL, &offset))) {
            /* The header went bad since it was read; its smallest size is where entries may begin. */
            offset = fw_spool_padded(flash, FW_SPOOL_HEADER_MIN_BYTES);
        }
        hint = &spool->hints[spool->next_hint];
        spool->next_hint = (spool->next_hint + 1) % FW_SPOOL_HINTS;
    }
    HR_TRY(walk_to_seal(spool, seq, offset, place));
    *hint = (struct fw_spool_hint){place->sector, spool->config.sectors[place->sector].sector_seq, seq + 1,
                                   place->seal.end_offset};
    return hr_ok();
}

/* The header of a batch, from its seal. */
static struct hr_status header_of(struct fw_spool *spool, uint32_t stream, uint32_t seq,
                                  struct wire_header *header, uint8_t digest[WIRE_DIGEST_BYTES])
{
    struct fw_spool_place place;
    uint8_t bytes[WIRE_HEADER_BYTES];
    HR_TRY(fw_spool_find(spool, stream, seq, &place));
    HR_TRY(fw_spool_entry_read(spool->config.flash, place.sector, &place.seal, 0, bytes, sizeof bytes));
    HR_TRY(wire_header_decode(bytes, header));
    wire_batch_digest(spool->config.hash, bytes, digest);
    return hr_ok();
}

/* The newest seal before a sector was opened stands in its header. */
static struct hr_status facts_from_sector_headers(struct fw_spool *spool, uint32_t stream, uint32_t seq,
                                                  struct fw_spool_facts *facts)
{
    for (uint32_t i = 0; i < spool->config.flash->n_sectors; i++) {
        const struct fw_spool_sector *entry = &spool->config.sectors[i];
        struct fw_spool_ident ident;
        uint32_t end_offset;
        if (entry->sector_seq == 0 || entry->stream != stream || entry->first_batch_seq != seq + 1 ||
            !hr_is_ok(
                fw_spool_header_read(spool->config.flash, i, spool->scratch, &ident, NULL, &end_offset))) {
            continue;
        }
        /* The fields of the book that come before its lists: stream, next batch, next record, ... */
        struct hr_reader reader =
            hr_reader_over(hr_bytes_of(spool->scratch + FW_SPOOL_IDENT_BYTES, FW_SPOOL_BOOK_FIXED_BYTES));
        (void)hr_read_u64(&reader);
        facts->record_end = hr_read_u48(&reader);
        (void)hr_read_slice(&reader, 4 + 6 + 4);
        hr_read_raw(&reader, facts->digest, WIRE_DIGEST_BYTES);
        return hr_ok();
    }
    return hr_status_of(HR_NOT_FOUND);
}

struct hr_status fw_spool_facts_of(struct fw_spool *spool, uint32_t stream, uint32_t seq,
                                   struct fw_spool_facts *facts)
{
    const struct fw_spool_book *book = &spool->book;
    struct wire_header header;
    if (hr_is_ok(header_of(spool, stream, seq, &header, facts->digest))) {
        facts->record_end = header.first_record_seq + header.n_records;
        return hr_ok();
    }
    const struct fw_spool_gap *gap = stream == book->stream ? fw_spool_gap_at(&spool->book, seq) : NULL;
    if (gap != NULL && gap->hole.loss.to_seq == seq) {
        memcpy(facts->digest, gap->hole.loss.last_digest, WIRE_DIGEST_BYTES);
        facts->record_end = gap->hole.loss.first_record_seq + gap->hole.loss.n_records;
        return hr_ok();
    }
    if (stream == book->stream && seq + 1 == book->next_batch_seq) {
        memcpy(facts->digest, book->last_digest, WIRE_DIGEST_BYTES);
        facts->record_end = book->next_record_seq;
        return hr_ok();
    }
    if (hr_is_ok(header_of(spool, stream, seq + 1, &header, facts->digest))) {
        memcpy(facts->digest, header.prev_digest, WIRE_DIGEST_BYTES);
        facts->record_end = header.first_record_seq;
        return hr_ok();
    }
    return facts_from_sector_headers(spool, stream, seq, facts);
}

struct hr_status fw_spool_first_record_of(struct fw_spool *spool, uint32_t stream, uint32_t seq,
                                          uint64_t *first_record_seq)
{
    struct wire_header header;
    struct fw_spool_facts before;
    if (stream == spool->book.stream && seq == spool->book.acked_seq + 1) {
        *first_record_seq = spool->book.acked_record_end;
        return hr_ok();
    }
    if (hr_is_ok(header_of(spool, stream, seq, &header, before.digest))) {
        *first_record_seq = header.first_record_seq;
        return hr_ok();
    }
    if (seq == 0) {
        *first_record_seq = 0;
        return hr_ok();
    }
    HR_TRY(fw_spool_facts_of(spool, stream, seq - 1, &before));
    *first_record_seq = before.record_end;
    return hr_ok();
}

/* The payload of a batch out of its RECORDS entries, into out. */
static struct hr_status read_payload(struct fw_spool *spool, const struct fw_spool_place *place,
                                     const struct wire_header *header, uint8_t *out)
{
    const struct port_flash *flash = spool->config.flash;
    uint32_t sector_seq = spool->config.sectors[place->sector].sector_seq;
    uint32_t offset = place->start_offset;
    uint32_t n_records = 0;
    uint32_t payload_bytes = 0;
    while (offset < place->seal.offset) {
        struct fw_spool_entry entry;
        uint8_t head[FW_SPOOL_RECORDS_HEAD_BYTES];
        HR_TRY(fw_spool_entry_next(flash, place->sector, sector_seq, offset, &entry));
        offset = entry.end_offset;
        if (entry.type != FW_SPOOL_RECORDS) {
            continue;
        }
        HR_TRY(fw_spool_entry_read(flash, place->sector, &entry, 0, head, sizeof head));
        struct hr_reader reader = hr_reader_over(hr_bytes_of(head, sizeof head));
        uint32_t slice_bytes = entry.len_bytes - (uint32_t)sizeof head;
        if (hr_read_u16(&reader) != n_records || slice_bytes > header->payload_len_bytes - payload_bytes) {
            return hr_status_of(HR_CORRUPT);
        }
        n_records += hr_read_u16(&reader);
        HR_TRY(
            fw_spool_entry_read(flash, place->sector, &entry, sizeof head, out + payload_bytes, slice_bytes));
        payload_bytes += slice_bytes;
    }
    bool whole = n_records == header->n_records && payload_bytes == header->payload_len_bytes;
    return hr_status_of(whole ? HR_OK : HR_CORRUPT);
}

struct hr_status fw_spool_read_envelope(struct fw_spool *spool, uint32_t stream, uint32_t seq, uint8_t *out,
                                        uint32_t capacity_bytes, uint32_t *len_bytes)
{
    struct fw_spool_place place;
    struct wire_header header;
    HR_TRY(fw_spool_find(spool, stream, seq, &place));
    if (capacity_bytes < WIRE_PREFIX_BYTES) {
        return hr_status_of(HR_FULL);
    }
    HR_TRY(fw_spool_entry_read(spool->config.flash, place.sector, &place.seal, 0, out, WIRE_PREFIX_BYTES));
    HR_TRY(wire_header_decode(out, &header));
    if (capacity_bytes - WIRE_PREFIX_BYTES < header.payload_len_bytes) {
        return hr_status_of(HR_FULL);
    }
    HR_TRY(read_payload(spool, &place, &header, out + WIRE_PREFIX_BYTES));
    *len_bytes = WIRE_PREFIX_BYTES + header.payload_len_bytes;
    return hr_ok();
}

struct hr_status fw_spool_read(struct fw_spool *spool, uint32_t seq, uint8_t *out, uint32_t capacity_bytes,
                               uint32_t *len_bytes)
{
    if (!fw_spool_is_live(&spool->book, spool->book.stream, seq)) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct hr_status status =
        fw_spool_read_envelope(spool, spool->book.stream, seq, out, capacity_bytes, len_bytes);
    if (hr_is_ok(status) || hr_is(status, HR_FULL)) {
        return status;
    }
    fw_spool_add_hole(spool, seq, seq, EDGE_LOSS_DAMAGED);
    HR_TRY(fw_spool_save_if_room(spool));
    return hr_status_of(HR_CORRUPT);
}
