/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/spool_internal.h"

#include "proto/base/assert.h"

#include <string.h>

/* ---- copies of RECORDS entries ---- */

/* The next RECORDS entry of a batch of which *n_records were seen; HR_CORRUPT: it isn't there. */
static struct hr_status next_records(struct fw_spool *spool, uint32_t sector, uint32_t *offset,
                                     uint32_t *n_records, struct fw_spool_entry *entry)
{
    const struct port_flash *flash = spool->config.flash;
    uint32_t sector_seq = spool->config.sectors[sector].sector_seq;
    for (;;) {
        if (!hr_is_ok(fw_spool_entry_next(flash, sector, sector_seq, *offset, entry)) ||
            entry->type == FW_SPOOL_SEAL) {
            return hr_status_of(HR_CORRUPT);
        }
        *offset = entry->end_offset;
        if (entry->type != FW_SPOOL_RECORDS) {
            continue;
        }
        uint8_t head[FW_SPOOL_RECORDS_HEAD_BYTES];
        HR_TRY(fw_spool_entry_read(flash, sector, entry, 0, head, sizeof head));
        struct hr_reader reader = hr_reader_over(hr_bytes_of(head, sizeof head));
        if (hr_read_u16(&reader) != *n_records) {
            return hr_status_of(HR_CORRUPT);
        }
        *n_records += hr_read_u16(&reader);
        return hr_ok();
    }
}

/* Copies one entry behind the tail, piece by piece through scratch. */
static struct hr_status copy_entry(struct fw_spool *spool, uint32_t sector,
                                   const struct fw_spool_entry *entry)
{
    const struct port_flash *flash = spool->config.flash;
    struct fw_spool_sector *tail = &spool->config.sectors[spool->tail];
    uint32_t entry_bytes = fw_spool_entry_bytes(flash, entry->len_bytes);
    HR_ASSERT(spool->tail_offset + entry_bytes <= flash->sector_bytes);
    uint32_t address = spool->tail * flash->sector_bytes + spool->tail_offset;
    HR_TRY(fw_spool_entry_rehead(flash, sector, entry, tail->sector_seq, spool->scratch));
    spool->tail_offset += entry_bytes;
    tail->used_bytes = spool->tail_offset;
    uint32_t total_bytes = FW_SPOOL_ENTRY_HEAD_BYTES + entry->len_bytes;
    for (uint32_t at = 0; at < total_bytes;) {
        uint32_t head_bytes = at == 0 ? FW_SPOOL_ENTRY_HEAD_BYTES : 0;
        uint32_t left_bytes = total_bytes - at;
        uint32_t n = left_bytes < sizeof spool->scratch ? left_bytes : (uint32_t)sizeof spool->scratch;
        HR_TRY(fw_spool_entry_read(flash, sector, entry, at + head_bytes - FW_SPOOL_ENTRY_HEAD_BYTES,
                                   spool->scratch + head_bytes, n - head_bytes));
        uint32_t padded_bytes = fw_spool_padded(flash, n);
        memset(spool->scratch + n, 0xFF, padded_bytes - n);
        HR_TRY(flash->program(flash->ctx, address + at, spool->scratch, padded_bytes));
        at += n;
    }
    return hr_ok();
}

struct hr_status fw_spool_copy_records(struct fw_spool *spool, uint32_t sector, uint32_t start_offset,
                                       uint32_t n_records)
{
    uint32_t n_copied = 0;
    while (n_copied < n_records) {
        struct fw_spool_entry entry;
        HR_TRY(next_records(spool, sector, &start_offset, &n_copied, &entry));
        HR_TRY(copy_entry(spool, sector, &entry));
    }
    return hr_status_of(n_copied == n_records ? HR_OK : HR_CORRUPT);
}

/* ---- a new stream ---- */

/* Lists the batches of the current stream that are neither acked nor in a hole. HR_FULL: the table can't. */
static struct hr_status list_live_ranges(const struct fw_spool_book *book, struct fw_spool_range *ranges,
                                         uint32_t *n_ranges)
{
    uint32_t seq = book->acked_seq + 1;
    for (uint32_t i = 0; i <= book->n_gaps; i++) {
        uint32_t end_seq = i < book->n_gaps ? book->gaps[i].hole.loss.from_seq : book->next_batch_seq;
        if (seq < end_seq) {
            if (*n_ranges == FW_SPOOL_MAX_CARRIES) {
                return hr_status_of(HR_FULL);
            }
            ranges[*n_ranges] = (struct fw_spool_range){book->stream, seq, end_seq};
            (*n_ranges)++;
        }
        seq = i < book->n_gaps ? book->gaps[i].hole.loss.to_seq + 1 : end_seq;
    }
    return hr_ok();
}

struct hr_status fw_spool_new_stream(struct fw_spool *spool, uint32_t stream)
{
    struct fw_spool_book *book = &spool->book;
    HR_ASSERT(!spool->batch.begun && stream > book->stream);
    if (spool->failed) {
        return hr_status_of(HR_IO);
    }
    /* The spare comes first: what it costs is written as news of the old stream, into a sector of the old
     * stream. */
    HR_TRY(fw_spool_prepare_spare(spool, FW_SPOOL_SPARE_MAY_EVICT));
    struct fw_spool_range ranges[FW_SPOOL_MAX_CARRIES];
    uint32_t n_ranges = book->n_ranges;
    memcpy(ranges, book->ranges, sizeof ranges);
    HR_TRY(list_live_ranges(book, ranges, &n_ranges));

    uint32_t n_lost = 0;
    bool has_holes = book->n_gaps > 0;
    enum edge_loss_reason reason = EDGE_LOSS_OVERFLOW;
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        n_lost += book->gaps[i].hole.loss.n_records;
        reason = (enum edge_loss_reason)book->gaps[i].hole.loss.reason;
    }
    uint8_t anchor[WIRE_DIGEST_BYTES];
    wire_stream_anchor(spool->config.hash, spool->config.device_id, stream, book->last_digest, anchor);
    *book = (struct fw_spool_book){
        .stream = stream, .acked_seq = WIRE_SEQ_NONE, .boot_id = book->boot_id, .n_ranges = n_ranges};
    memcpy(book->ranges, ranges, sizeof ranges);
    memcpy(book->last_digest, anchor, WIRE_DIGEST_BYTES);
    if (has_holes) {
        fw_spool_add_lost_records(spool, n_lost, reason);
    }
    if (!hr_is_ok(fw_spool_open_spare(spool))) {
        spool->failed = true;
        return hr_status_of(HR_IO);
    }
    return fw_spool_prepare_spare(spool, FW_SPOOL_SPARE_FREE_ONLY);
}

/* ---- carrying ---- */

/* A batch of an older stream, as it is to be sealed again. */
struct carried {
    struct fw_spool_place place;
    struct wire_header header;
    uint32_t flash_bytes; /* that its copy takes, seal included */
};

static struct hr_status examine(struct fw_spool *spool, uint32_t stream, uint32_t seq, struct carried *out)
{
    const struct port_flash *flash = spool->config.flash;
    uint8_t bytes[WIRE_HEADER_BYTES];
    HR_TRY(fw_spool_find(spool, stream, seq, &out->place));
    HR_TRY(fw_spool_entry_read(flash, out->place.sector, &out->place.seal, 0, bytes, sizeof bytes));
    HR_TRY(wire_header_decode(bytes, &out->header));
    out->flash_bytes = fw_spool_entry_bytes(flash, FW_SPOOL_BEGIN_BYTES) +
                       fw_spool_entry_bytes(flash, fw_spool_seal_bytes(0, true));
    uint32_t offset = out->place.start_offset;
    uint32_t n_records = 0;
    while (n_records < out->header.n_records) {
        struct fw_spool_entry entry;
        HR_TRY(next_records(spool, out->place.sector, &offset, &n_records, &entry));
        out->flash_bytes += fw_spool_entry_bytes(flash, entry.len_bytes);
    }
    return hr_status_of(n_records == out->header.n_records ? HR_OK : HR_CORRUPT);
}

/* Uses up from->header: it becomes that of the new batch. */
static struct hr_status copy_and_seal(struct fw_spool *spool, struct carried *from,
                                      const struct port_sign *sign)
{
    struct wire_header *header = &from->header;
    struct fw_spool_seal seal = {
        .carried = true, .from_stream = header->stream, .from_seq = header->batch_seq};
    /* Loss and KeySwitch records speak of numbers of the old stream: they stay as history, and the flags that
     * would make the aggregator act on them go. */
    header->flags &= WIRE_FLAG_WANTS_RECEIPT;
    if (!hr_is_ok(fw_spool_put_begin(spool, header->boot_id, header->base_uptime_ms, true)) ||
        !hr_is_ok(
            fw_spool_copy_records(spool, from->place.sector, from->place.start_offset, header->n_records))) {
        spool->failed = true;
        return hr_status_of(HR_IO);
    }
    return fw_spool_write_seal(spool, sign, header, &seal);
}

/* Opens the next sector for copies, out of free ones as long as there are any: evicting here would lose what
 * is being carried. */
static struct hr_status make_room(struct fw_spool *spool)
{
    HR_TRY(fw_spool_prepare_spare(spool, FW_SPOOL_SPARE_FREE_ONLY));
    HR_TRY(fw_spool_advance(spool));
    return fw_spool_prepare_spare(spool, FW_SPOOL_SPARE_FREE_ONLY);
}

struct hr_status fw_spool_carry(struct fw_spool *spool, const struct port_sign *sign)
{
    struct fw_spool_book *book = &spool->book;
    HR_ASSERT(!spool->batch.begun);
    while (book->n_ranges > 0) {
        if (spool->failed) {
            return hr_status_of(HR_IO);
        }
        struct fw_spool_range range = book->ranges[0];
        struct carried from;
        bool readable = hr_is_ok(examine(spool, range.stream, range.next_seq, &from));
        bool fits = readable && spool->tail_offset + from.flash_bytes <= fw_spool_limit(spool);
        bool fresh = spool->tail_offset == spool->tail_start;
        if (fits) {
            return copy_and_seal(spool, &from, sign);
        }
        if (readable && !fresh) {
            HR_TRY(make_room(spool));
            continue;
        }
        fw_spool_drop_carries(spool, range.stream, range.next_seq, EDGE_LOSS_DAMAGED);
        HR_TRY(fw_spool_save_if_room(spool));
    }
    return hr_status_of(HR_NOT_FOUND);
}
