/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/spool_internal.h"

#include "proto/base/assert.h"

#include <string.h>

uint32_t fw_spool_limit(const struct fw_spool *spool)
{
    const struct port_flash *flash = spool->config.flash;
    return spool->tail_start + flash->sector_bytes - fw_spool_padded(flash, FW_SPOOL_HEADER_MAX_BYTES);
}

struct hr_status fw_spool_sync(struct fw_spool *spool)
{
    const struct port_flash *flash = spool->config.flash;
    struct hr_status status = flash->sync(flash->ctx);
    if (!hr_is_ok(status)) {
        spool->failed = true;
        return hr_status_of(HR_IO);
    }
    return status;
}

/* Programs the first len_bytes of scratch, padded, at an offset of a sector. */
static struct hr_status program_scratch(struct fw_spool *spool, uint32_t sector, uint32_t offset,
                                        uint32_t len_bytes)
{
    const struct port_flash *flash = spool->config.flash;
    uint32_t padded_bytes = fw_spool_padded(flash, len_bytes);
    HR_ASSERT(padded_bytes <= sizeof spool->scratch && offset + padded_bytes <= flash->sector_bytes);
    memset(spool->scratch + len_bytes, 0xFF, padded_bytes - len_bytes);
    return flash->program(flash->ctx, sector * flash->sector_bytes + offset, spool->scratch, padded_bytes);
}

struct hr_status fw_spool_put(struct fw_spool *spool, uint8_t type, uint32_t payload_bytes)
{
    struct fw_spool_sector *tail = &spool->config.sectors[spool->tail];
    fw_spool_entry_head(spool->scratch, type,
                        hr_bytes_of(spool->scratch + FW_SPOOL_ENTRY_HEAD_BYTES, payload_bytes),
                        tail->sector_seq);
    uint32_t offset = spool->tail_offset;
    /* Moved on even when programming fails: those units may hold anything and are never programmed again. */
    spool->tail_offset += fw_spool_entry_bytes(spool->config.flash, payload_bytes);
    tail->used_bytes = spool->tail_offset;
    return program_scratch(spool, spool->tail, offset, FW_SPOOL_ENTRY_HEAD_BYTES + payload_bytes);
}

static void mark_saved(struct fw_spool *spool)
{
    for (uint32_t i = 0; i < spool->book.n_gaps; i++) {
        spool->book.gaps[i].saved = true;
    }
    spool->unsaved = false;
    spool->unsaved_acks = 0;
}

struct hr_status fw_spool_save(struct fw_spool *spool)
{
    if (spool->failed) {
        return hr_status_of(HR_IO);
    }
    const struct port_flash *flash = spool->config.flash;
    uint32_t book_bytes = fw_spool_book_bytes(&spool->book);
    uint32_t end = spool->tail_offset + fw_spool_entry_bytes(flash, book_bytes);
    /* A batch without records has no claim on this sector yet. */
    uint32_t reserved = spool->batch.n_records > 0 ? fw_spool_reserved(spool, 0) : 0;
    if (end > flash->sector_bytes || (reserved > 0 && end + reserved > fw_spool_limit(spool))) {
        return hr_status_of(HR_FULL);
    }
    struct hr_writer writer =
        hr_writer_over(spool->scratch + FW_SPOOL_ENTRY_HEAD_BYTES, FW_SPOOL_BOOK_MAX_BYTES);
    fw_spool_book_encode(&writer, &spool->book);
    HR_ASSERT(hr_writer_ok(&writer) && writer.at == book_bytes);
    if (!hr_is_ok(fw_spool_put(spool, FW_SPOOL_STATE, book_bytes))) {
        spool->failed = true;
        return hr_status_of(HR_IO);
    }
    HR_TRY(fw_spool_sync(spool));
    mark_saved(spool);
    return hr_ok();
}

struct hr_status fw_spool_save_if_room(struct fw_spool *spool)
{
    struct hr_status status = fw_spool_save(spool);
    return hr_is(status, HR_FULL) ? hr_ok() : status;
}

/* Writes the header of an erased sector and makes it the tail. */
static struct hr_status open_tail(struct fw_spool *spool, uint32_t sector)
{
    const struct port_flash *flash = spool->config.flash;
    struct fw_spool_sector *entry = &spool->config.sectors[sector];
    spool->newest_sector_seq++; /* used up even when it fails: a number names one content */
    struct fw_spool_ident ident = {
        .device_id = spool->config.device_id,
        .sector_seq = spool->newest_sector_seq,
        .erase_count = entry->erase_count,
        .sector_bytes = flash->sector_bytes,
        .n_sectors = flash->n_sectors,
        .program_unit_bytes = (uint16_t)flash->program_unit_bytes,
    };
    entry->erased = false;
    uint32_t len_bytes =
        fw_spool_header_encode(&ident, &spool->book, spool->scratch, FW_SPOOL_HEADER_MAX_BYTES);
    if (!hr_is_ok(program_scratch(spool, sector, 0, len_bytes))) {
        entry->bad = true;
        return hr_status_of(HR_IO);
    }
    HR_TRY(fw_spool_sync(spool));
    *entry = (struct fw_spool_sector){
        .sector_seq = ident.sector_seq,
        .first_batch_seq = spool->book.next_batch_seq,
        .stream = spool->book.stream,
        .used_bytes = fw_spool_padded(flash, len_bytes),
        .erase_count = ident.erase_count,
    };
    spool->tail = sector;
    spool->tail_start = entry->used_bytes;
    spool->tail_offset = entry->used_bytes;
    mark_saved(spool);
    return hr_ok();
}

struct hr_status fw_spool_open_spare(struct fw_spool *spool)
{
    uint32_t sector = spool->spare;
    HR_ASSERT(sector != FW_SPOOL_NO_SECTOR);
    spool->spare = FW_SPOOL_NO_SECTOR;
    return open_tail(spool, sector);
}

struct hr_status fw_spool_open_next(struct fw_spool *spool)
{
    /* Each round that fails leaves one more bad sector behind, so this ends. */
    for (;;) {
        if (spool->spare == FW_SPOOL_NO_SECTOR) {
            HR_TRY(fw_spool_prepare_spare(spool, FW_SPOOL_SPARE_MAY_EVICT));
        }
        struct hr_status status = fw_spool_open_spare(spool);
        if (hr_is_ok(status) || spool->failed) {
            return status;
        }
    }
}

/* Saves the book if it says more than the flash does. */
static struct hr_status save_if_changed(struct fw_spool *spool)
{
    return spool->unsaved || spool->unsaved_acks > 0 ? fw_spool_save_if_room(spool) : hr_ok();
}

struct hr_status fw_spool_advance(struct fw_spool *spool)
{
    /* What the header of the next sector says is then also told without it, so that a cut soon after may
     * throw that sector away instead of an older one. */
    HR_TRY(save_if_changed(spool));
    return fw_spool_open_next(spool);
}

struct hr_status fw_spool_erase(struct fw_spool *spool, uint32_t sector)
{
    const struct port_flash *flash = spool->config.flash;
    struct fw_spool_sector *entry = &spool->config.sectors[sector];
    *entry = (struct fw_spool_sector){.erase_count = entry->erase_count + 1};
    if (!hr_is_ok(flash->erase(flash->ctx, sector))) {
        entry->bad = true;
        return hr_status_of(HR_IO);
    }
    /* Not synced: the header that is written here one day is, and nobody looks at the sector before. */
    entry->erased = true;
    return hr_ok();
}

bool fw_spool_is_free(const struct fw_spool *spool, uint32_t sector)
{
    const struct fw_spool_sector *entry = &spool->config.sectors[sector];
    const struct fw_spool_book *book = &spool->book;
    uint32_t end_seq = entry->first_batch_seq + entry->n_batches;
    if (entry->sector_seq == 0 || entry->n_batches == 0) {
        return true;
    }
    for (uint32_t i = 0; i < book->n_ranges; i++) {
        const struct fw_spool_range *range = &book->ranges[i];
        if (range->stream == entry->stream && range->next_seq < end_seq &&
            range->end_seq > entry->first_batch_seq) {
            return false;
        }
    }
    if (entry->stream != book->stream) {
        return true;
    }
    uint32_t seq =
        entry->first_batch_seq > book->acked_seq + 1 ? entry->first_batch_seq : book->acked_seq + 1;
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        const struct edge_loss *loss = &book->gaps[i].hole.loss;
        if (loss->from_seq <= seq && seq <= loss->to_seq) {
            seq = loss->to_seq + 1;
        }
    }
    return seq >= end_seq;
}

uint32_t fw_spool_pick_free(const struct fw_spool *spool, uint32_t keep)
{
    uint32_t best = FW_SPOOL_NO_SECTOR;
    for (uint32_t i = 0; i < spool->config.flash->n_sectors; i++) {
        const struct fw_spool_sector *entry = &spool->config.sectors[i];
        if (i == spool->tail || i == keep || entry->bad || !fw_spool_is_free(spool, i)) {
            continue;
        }
        const struct fw_spool_sector *other =
            best == FW_SPOOL_NO_SECTOR ? NULL : &spool->config.sectors[best];
        bool better = other == NULL || (entry->erased && !other->erased) ||
                      (entry->erased == other->erased && entry->erase_count < other->erase_count);
        best = better ? i : best;
    }
    return best;
}

uint32_t fw_spool_evict_oldest(struct fw_spool *spool, uint32_t keep)
{
    uint32_t oldest = FW_SPOOL_NO_SECTOR;
    for (uint32_t i = 0; i < spool->config.flash->n_sectors; i++) {
        const struct fw_spool_sector *entry = &spool->config.sectors[i];
        if (i != spool->tail && i != keep && !entry->bad && !fw_spool_is_free(spool, i) &&
            (oldest == FW_SPOOL_NO_SECTOR || entry->sector_seq < spool->config.sectors[oldest].sector_seq)) {
            oldest = i;
        }
    }
    if (oldest == FW_SPOOL_NO_SECTOR) {
        return oldest;
    }
    const struct fw_spool_sector *entry = &spool->config.sectors[oldest];
    uint32_t last_seq = entry->first_batch_seq + entry->n_batches - 1;
    if (entry->stream == spool->book.stream) {
        /* From the oldest unacked batch on, so that one Loss is always enough for whoever waits for it. */
        fw_spool_add_hole(spool, spool->book.acked_seq + 1, last_seq, EDGE_LOSS_OVERFLOW);
    } else {
        fw_spool_drop_carries(spool, entry->stream, last_seq, EDGE_LOSS_OVERFLOW);
    }
    HR_ASSERT(fw_spool_is_free(spool, oldest));
    return oldest;
}

struct hr_status fw_spool_prepare_spare(struct fw_spool *spool, enum fw_spool_spare how)
{
    const uint32_t n_sectors = spool->config.flash->n_sectors;
    for (uint32_t tries = 0; spool->spare == FW_SPOOL_NO_SECTOR && tries < n_sectors; tries++) {
        uint32_t sector = fw_spool_pick_free(spool, FW_SPOOL_NO_SECTOR);
        if (sector == FW_SPOOL_NO_SECTOR && how == FW_SPOOL_SPARE_FREE_ONLY) {
            return hr_ok();
        }
        if (sector == FW_SPOOL_NO_SECTOR) {
            sector = fw_spool_evict_oldest(spool, FW_SPOOL_NO_SECTOR);
        }
        if (sector == FW_SPOOL_NO_SECTOR) {
            break;
        }
        if (!spool->config.sectors[sector].erased) {
            /* The intent: that these batches are acked, lost or carried is durable before they are gone. */
            HR_TRY(save_if_changed(spool));
            if (!hr_is_ok(fw_spool_erase(spool, sector)) && !spool->failed) {
                continue;
            }
        }
        spool->spare = sector;
    }
    if (spool->spare == FW_SPOOL_NO_SECTOR || spool->failed) {
        spool->failed = true;
        return hr_status_of(HR_IO);
    }
    return hr_ok();
}
