/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening: the ring tells what was true when it ended. The newest sector has the newest book; the one before
 * it has the open batch when a copy into the newest was cut short. */
#include "firmware/core/spool_internal.h"

#include "proto/base/assert.h"
#include "proto/base/crc32c.h"

#include <string.h>

/* What one sector says behind its header. */
struct story {
    uint32_t sector;
    uint32_t first_offset; /* behind the header */
    uint32_t end_offset;   /* behind the last valid entry */
    uint32_t n_marks;      /* entries other than BEGIN and RECORDS: the sector has a life of its own */
    uint32_t n_torn;
    bool clean;    /* the last entry is CLOSE */
    bool has_open; /* a batch stands behind the last seal */
    struct fw_spool_begin open;
    uint32_t open_offset;
    uint32_t open_records;
};

/* ---- one sector ---- */

static struct hr_status take_state(struct fw_spool *spool, uint32_t sector,
                                   const struct fw_spool_entry *entry, struct story *story)
{
    uint8_t last_digest[WIRE_DIGEST_BYTES];
    if (entry->len_bytes > FW_SPOOL_BOOK_MAX_BYTES) {
        return hr_status_of(HR_CORRUPT);
    }
    memcpy(last_digest, spool->book.last_digest, sizeof last_digest);
    HR_TRY(fw_spool_entry_read(spool->config.flash, sector, entry, 0, spool->scratch, entry->len_bytes));
    HR_TRY(fw_spool_book_decode(hr_bytes_of(spool->scratch, entry->len_bytes), &spool->book));
    /* Another digest: a seal that can't be read any more stood before, and the records before it are not
     * open. */
    bool same = memcmp(last_digest, spool->book.last_digest, sizeof last_digest) == 0;
    story->has_open = story->has_open && same;
    return hr_ok();
}

static void take_seal(struct fw_spool *spool, uint32_t sector, const struct fw_spool_entry *entry,
                      struct story *story)
{
    struct fw_spool_seal seal;
    struct wire_header header;
    if (!hr_is_ok(fw_spool_seal_read(spool->config.flash, sector, entry, &seal)) ||
        !hr_is_ok(wire_header_decode(seal.header, &header)) || header.stream != spool->book.stream ||
        header.batch_seq < spool->book.next_batch_seq) {
        story->n_torn++;
        return;
    }
    fw_spool_apply_seal(&spool->book, spool->config.hash, &seal, &header);
    story->has_open = false;
}

static void take_records(struct fw_spool *spool, uint32_t sector, const struct fw_spool_entry *entry,
                         struct story *story)
{
    uint8_t head[FW_SPOOL_RECORDS_HEAD_BYTES];
    if (!story->has_open ||
        !hr_is_ok(fw_spool_entry_read(spool->config.flash, sector, entry, 0, head, sizeof head))) {
        return;
    }
    struct hr_reader reader = hr_reader_over(hr_bytes_of(head, sizeof head));
    uint32_t index = hr_read_u16(&reader);
    uint32_t n_records = hr_read_u16(&reader);
    if (index == story->open_records) {
        story->open_records += n_records;
    }
}

/* Replays a sector over spool->book, which holds that of its header. HR_CORRUPT: an entry that passed its
 * check says what no spool of this format writes. */
static struct hr_status replay(struct fw_spool *spool, struct story *story)
{
    const struct port_flash *flash = spool->config.flash;
    uint32_t sector = story->sector;
    uint32_t sector_seq = spool->config.sectors[sector].sector_seq;
    struct fw_spool_entry entry = {.end_offset = story->first_offset};
    story->end_offset = story->first_offset;
    while (hr_is_ok(fw_spool_entry_next(flash, sector, sector_seq, story->end_offset, &entry))) {
        story->end_offset = entry.end_offset;
        story->n_torn += entry.after_gap ? 1 : 0;
        story->clean = entry.type == FW_SPOOL_CLOSE;
        story->n_marks += entry.type >= FW_SPOOL_SEAL ? 1 : 0;
        if (entry.type == FW_SPOOL_BEGIN) {
            HR_TRY(fw_spool_begin_read(flash, sector, &entry, &story->open));
            story->has_open = !story->open.carry;
            story->open_offset = entry.offset;
            story->open_records = 0;
            if (!story->open.carry && story->open.boot_id > spool->book.boot_id) {
                spool->book.boot_id = story->open.boot_id;
            }
        } else if (entry.type == FW_SPOOL_RECORDS) {
            take_records(spool, sector, &entry, story);
        } else if (entry.type == FW_SPOOL_SEAL) {
            take_seal(spool, sector, &entry, story);
        } else if (entry.type == FW_SPOOL_STATE) {
            HR_TRY(take_state(spool, sector, &entry, story));
        }
    }
    story->n_torn += entry.after_gap ? 1 : 0;
    story->has_open = story->has_open && story->open_records > 0;
    return hr_ok();
}

/* Loads the header of a valid sector into spool->book and replays it. */
static struct hr_status load_sector(struct fw_spool *spool, uint32_t sector, struct story *story)
{
    struct fw_spool_ident ident;
    *story = (struct story){.sector = sector};
    HR_TRY(fw_spool_header_read(spool->config.flash, sector, spool->scratch, &ident, &spool->book,
                                &story->first_offset));
    HR_TRY(replay(spool, story));
    struct fw_spool_sector *entry = &spool->config.sectors[sector];
    entry->n_batches = spool->book.next_batch_seq - entry->first_batch_seq;
    entry->used_bytes = story->end_offset;
    return hr_ok();
}

/* What a book says, in short. The boot is left out: one that left no record needs no memory. */
struct book_print {
    uint32_t stream;
    uint32_t next_batch_seq;
    uint32_t crc32c;
};

static struct book_print print_of_book(struct fw_spool *spool)
{
    struct fw_spool_book *book = &spool->book;
    struct hr_writer writer = hr_writer_over(spool->scratch, sizeof spool->scratch);
    uint32_t boot_id = book->boot_id;
    book->boot_id = 0;
    fw_spool_book_encode(&writer, book);
    book->boot_id = boot_id;
    HR_ASSERT(hr_writer_ok(&writer));
    return (struct book_print){book->stream, book->next_batch_seq, hr_crc32c(0, spool->scratch, writer.at)};
}

/* ---- the ring ---- */

/* Fills the table from the sector headers. HR_CORRUPT and HR_IO as fw_spool_open. */
static struct hr_status read_headers(struct fw_spool *spool, uint32_t *newest, uint32_t *before)
{
    const struct port_flash *flash = spool->config.flash;
    uint32_t worst_wear = 0;
    bool unreadable = false;
    *newest = FW_SPOOL_NO_SECTOR;
    *before = FW_SPOOL_NO_SECTOR;
    for (uint32_t i = 0; i < flash->n_sectors; i++) {
        struct fw_spool_sector *entry = &spool->config.sectors[i];
        struct fw_spool_ident ident;
        uint32_t end_offset;
        *entry = (struct fw_spool_sector){.erased = false};
        struct hr_status status =
            fw_spool_header_read(flash, i, spool->scratch, &ident, &spool->book, &end_offset);
        if (!hr_is_ok(status)) {
            unreadable = unreadable || hr_is(status, HR_IO);
            if (hr_is(status, HR_CORRUPT)) {
                return status;
            }
            continue;
        }
        if (ident.device_id != spool->config.device_id || ident.sector_bytes != flash->sector_bytes ||
            ident.n_sectors != flash->n_sectors || ident.program_unit_bytes != flash->program_unit_bytes) {
            return hr_status_of(HR_CORRUPT);
        }
        *entry = (struct fw_spool_sector){.sector_seq = ident.sector_seq,
                                          .first_batch_seq = spool->book.next_batch_seq,
                                          .stream = spool->book.stream,
                                          .erase_count = ident.erase_count};
        worst_wear = ident.erase_count > worst_wear ? ident.erase_count : worst_wear;
        if (*newest == FW_SPOOL_NO_SECTOR || ident.sector_seq > spool->config.sectors[*newest].sector_seq) {
            *before = *newest;
            *newest = i;
        } else if (*before == FW_SPOOL_NO_SECTOR ||
                   ident.sector_seq > spool->config.sectors[*before].sector_seq) {
            *before = i;
        }
    }
    if (*newest == FW_SPOOL_NO_SECTOR && unreadable) {
        /* Not one header, and flash won't say why: starting anew could throw everything away. */
        return hr_status_of(HR_IO);
    }
    for (uint32_t i = 0; i < flash->n_sectors; i++) {
        struct fw_spool_sector *entry = &spool->config.sectors[i];
        entry->erase_count = entry->sector_seq == 0 ? worst_wear : entry->erase_count;
    }
    return hr_ok();
}

/* On raw flash no blank sector counts as erased, not even after a clean end: an erase that was cut long ago
 * may be why it reads so. */
static void mark_erased(struct fw_spool *spool)
{
    const struct port_flash *flash = spool->config.flash;
    for (uint32_t i = 0; flash->erased_reads_are_true && i < flash->n_sectors; i++) {
        struct fw_spool_sector *entry = &spool->config.sectors[i];
        entry->erased = entry->sector_seq == 0 && fw_spool_is_blank(flash, i, 0);
    }
}

static struct hr_status format(struct fw_spool *spool)
{
    static const uint8_t no_digest[WIRE_DIGEST_BYTES];
    struct fw_spool_book *book = &spool->book;
    *book = (struct fw_spool_book){.stream = spool->config.first_stream, .acked_seq = WIRE_SEQ_NONE};
    wire_stream_anchor(spool->config.hash, spool->config.device_id, book->stream, no_digest,
                       book->last_digest);
    mark_erased(spool);
    HR_TRY(fw_spool_open_next(spool));
    return fw_spool_prepare_spare(spool, FW_SPOOL_SPARE_MAY_EVICT);
}

/* ---- the open batch ---- */

/* Takes the records of one entry into the Merkle tree, through the stage. False: they can't be used. */
static bool load_records(struct fw_spool *spool, uint32_t sector, const struct fw_spool_entry *entry)
{
    struct fw_spool_batch *batch = &spool->batch;
    uint8_t *stage = spool->config.stage;
    if (entry->len_bytes > spool->config.stage_bytes ||
        !hr_is_ok(fw_spool_entry_read(spool->config.flash, sector, entry, 0, stage, entry->len_bytes))) {
        return false;
    }
    struct hr_reader reader = hr_reader_over(hr_bytes_of(stage, entry->len_bytes));
    uint32_t index = hr_read_u16(&reader);
    uint32_t n_records = hr_read_u16(&reader);
    if (index != batch->n_records) {
        return true; /* a leftover behind a gap: not the next, and not in the way */
    }
    struct hr_reader check = reader;
    struct hr_bytes record;
    uint32_t n_framed = 0;
    while (hr_is_ok(wire_record_next(&check, &record))) {
        n_framed++;
    }
    if (!hr_reader_ok(&check) || n_framed != n_records || batch->n_records + n_records >= UINT16_MAX) {
        return false;
    }
    while (hr_is_ok(wire_record_next(&reader, &record))) {
        wire_merkle_add(&batch->merkle, spool->config.hash, record);
    }
    batch->n_records += n_records;
    batch->payload_bytes += entry->len_bytes - FW_SPOOL_RECORDS_HEAD_BYTES;
    return true;
}

/* Makes the batch that a sector left open the open batch of the spool, as far as its records are whole. */
static void load_open_batch(struct fw_spool *spool, const struct story *story)
{
    const struct port_flash *flash = spool->config.flash;
    struct fw_spool_batch *batch = &spool->batch;
    *batch = (struct fw_spool_batch){.begun = true,
                                     .in_flash = true,
                                     .boot_id = story->open.boot_id,
                                     .base_uptime_ms = story->open.base_uptime_ms,
                                     .start_offset = story->open_offset};
    wire_merkle_start(&batch->merkle);
    uint32_t offset = story->open_offset;
    struct fw_spool_entry entry;
    uint32_t sector_seq = spool->config.sectors[story->sector].sector_seq;
    while (hr_is_ok(fw_spool_entry_next(flash, story->sector, sector_seq, offset, &entry))) {
        offset = entry.end_offset;
        if (entry.type == FW_SPOOL_RECORDS && !load_records(spool, story->sector, &entry)) {
            break;
        }
    }
    batch->begun = batch->n_records > 0;
    batch->in_flash = batch->begun;
}

/* ---- the tail ---- */

/* What the end of the ring looks like, and how to go on. */
struct ending {
    struct story newest;
    struct story before;
    const struct story *source; /* who holds the open batch, or NULL */
    bool disposable;            /* the newest sector holds nothing that the ring without it would not tell */
    bool undoable;              /* all that the newest sector tells is that a stream starts */
    bool append;                /* the newest sector may be written further */
};

/* The next sector to try as the tail, erased. */
static struct hr_status clear_a_sector(struct fw_spool *spool, const struct ending *ending)
{
    uint32_t newest = ending->newest.sector;
    uint32_t keep = ending->source != NULL ? ending->source->sector : FW_SPOOL_NO_SECTOR;
    bool usable = !spool->config.sectors[newest].bad;
    uint32_t sector = newest;
    if (!ending->disposable || !usable) {
        sector = fw_spool_pick_free(spool, keep);
    }
    if (sector == FW_SPOOL_NO_SECTOR && ending->undoable && usable) {
        /* A cut before the new header is there ends the stream that had no batch yet: better than to evict
         * what it was made to carry. */
        sector = newest;
    }
    if (sector == FW_SPOOL_NO_SECTOR) {
        /* Nowhere to write an intent. A cut before the new header is there leaves a hole without a reason,
         * which the next open finds and calls damage. */
        sector = fw_spool_evict_oldest(spool, keep);
    }
    if (sector == FW_SPOOL_NO_SECTOR) {
        spool->failed = true;
        return hr_status_of(HR_IO);
    }
    spool->spare = sector;
    return spool->config.sectors[sector].erased ? hr_ok() : fw_spool_erase(spool, sector);
}

/* Goes on in another sector, for the newest can't be appended to, and copies the open batch there. */
static struct hr_status start_new_tail(struct fw_spool *spool, const struct ending *ending)
{
    spool->tail = ending->newest.sector;
    for (;;) {
        struct hr_status status = clear_a_sector(spool, ending);
        if (hr_is_ok(status)) {
            status = fw_spool_open_spare(spool);
        }
        if (hr_is_ok(status)) {
            break;
        }
        if (spool->failed) {
            return status;
        }
    }
    if (ending->source == NULL) {
        return hr_ok();
    }
    struct fw_spool_batch *batch = &spool->batch;
    batch->start_offset = spool->tail_offset;
    HR_TRY(fw_spool_put_begin(spool, batch->boot_id, batch->base_uptime_ms, false));
    HR_TRY(
        fw_spool_copy_records(spool, ending->source->sector, ending->source->open_offset, batch->n_records));
    /* The copy is whole before anything else may stand behind it: an incomplete one may be thrown away. */
    return fw_spool_sync(spool);
}

/* Replays every sector, the newest last, so that its book remains. */
static struct hr_status replay_ring(struct fw_spool *spool, uint32_t newest, uint32_t before,
                                    struct ending *ending, struct fw_spool_report *report)
{
    const struct port_flash *flash = spool->config.flash;
    struct book_print before_print = {.crc32c = 0};
    for (uint32_t i = 0; i < flash->n_sectors; i++) {
        if (i == newest || spool->config.sectors[i].sector_seq == 0) {
            continue;
        }
        struct story story;
        HR_TRY(load_sector(spool, i, &story));
        report->torn_entries += story.n_torn;
        if (i == before) {
            ending->before = story;
            before_print = print_of_book(spool);
        }
    }
    struct fw_spool_ident ident;
    uint32_t first_offset;
    HR_TRY(fw_spool_header_read(flash, newest, spool->scratch, &ident, &spool->book, &first_offset));
    struct book_print header_print = print_of_book(spool);
    HR_TRY(load_sector(spool, newest, &ending->newest));
    report->torn_entries += ending->newest.n_torn;
    spool->newest_sector_seq = ident.sector_seq;

    /* Only a newest sector without marks may be an unfinished copy of what the one before left open, and only
     * when no seal stood behind that when it was opened. A finished copy on raw flash is made again all the
     * same: it can't be appended to, and its sector is the one that is free. */
    const struct story *last = &ending->newest;
    uint32_t enough_records = last->has_open ? last->open_records : 0;
    enough_records += flash->erased_reads_are_true ? 1 : 0;
    bool bare = last->n_marks == 0 && before != FW_SPOOL_NO_SECTOR;
    bool same_stream = header_print.stream == before_print.stream;
    bool from_before = bare && ending->before.has_open && same_stream &&
                       header_print.next_batch_seq == before_print.next_batch_seq &&
                       ending->before.open_records >= enough_records;
    ending->source = from_before ? &ending->before : last->has_open ? last : NULL;
    /* A header may know of a seal that reads torn by now; such a sector stays. */
    bool empty = bare && (from_before || !last->has_open);
    ending->disposable = empty && header_print.crc32c == before_print.crc32c;
    ending->undoable = empty && !same_stream;
    return hr_ok();
}

/* Finds out what the ring holds, up to the open batch, and decides nothing. */
static struct hr_status look_back(struct fw_spool *spool, uint32_t newest, uint32_t before,
                                  struct ending *ending, struct fw_spool_report *report)
{
    const struct port_flash *flash = spool->config.flash;
    HR_TRY(replay_ring(spool, newest, before, ending, report));
    const struct story *last = &ending->newest;
    bool blank_behind = last->n_torn == 0 && fw_spool_is_blank(flash, newest, last->end_offset);
    report->clean = last->clean && blank_behind;
    /* Raw flash is not appended to even after a clean end: the first program behind it may have been cut and
     * read blank now and not later. */
    ending->append = blank_behind && flash->erased_reads_are_true && ending->source != &ending->before;
    if (ending->source != NULL) {
        load_open_batch(spool, ending->source);
        report->recovered_records = spool->batch.n_records;
        ending->append = ending->append && spool->batch.n_records == ending->source->open_records;
        ending->source = spool->batch.begun ? ending->source : NULL;
    }
    spool->tail = newest;
    spool->tail_start = last->first_offset;
    spool->tail_offset = last->end_offset;
    report->last_boot_id = spool->book.boot_id;
    return hr_ok();
}

static struct hr_status recover(struct fw_spool *spool, uint32_t newest, uint32_t before,
                                struct fw_spool_report *report)
{
    struct ending ending = {.before = {.sector = FW_SPOOL_NO_SECTOR}};
    HR_TRY(look_back(spool, newest, before, &ending, report));
    mark_erased(spool);
    fw_spool_close_silent_holes(spool);
    if (!ending.append) {
        HR_TRY(start_new_tail(spool, &ending));
    }
    if (spool->unsaved) {
        HR_TRY(fw_spool_save_if_room(spool));
    }
    /* A spare now means that the intent to evict is written while there is a tail to write it to: the next
     * start may find none. It waits only for batches that are being carried, which it could be made of. */
    bool may_wait = spool->book.n_ranges > 0 && !spool->batch.begun;
    return fw_spool_prepare_spare(spool, may_wait ? FW_SPOOL_SPARE_FREE_ONLY : FW_SPOOL_SPARE_MAY_EVICT);
}

static void check_config(const struct fw_spool_config *config)
{
    const struct port_flash *flash = config->flash;
    uint32_t header_bytes = fw_spool_padded(flash, FW_SPOOL_HEADER_MAX_BYTES);
    HR_ASSERT(flash->n_sectors >= 4 && flash->program_unit_bytes > 0 && flash->program_unit_bytes <= 32);
    HR_ASSERT(flash->sector_bytes % flash->program_unit_bytes == 0);
    HR_ASSERT(FW_SPOOL_SCRATCH_BYTES % flash->program_unit_bytes == 0);
    HR_ASSERT(config->stage_bytes >= 64 && config->stage_bytes <= FW_SPOOL_STAGE_MAX_BYTES &&
              config->stage_bytes % flash->program_unit_bytes == 0);
    HR_ASSERT(config->envelope_max_bytes > WIRE_PREFIX_BYTES &&
              config->envelope_max_bytes <= WIRE_PREFIX_BYTES + UINT16_MAX);
    /* One largest header, one largest STATE, and a batch of one largest record. */
    HR_ASSERT(flash->sector_bytes >= 2 * header_bytes + config->stage_bytes +
                                         fw_spool_entry_bytes(flash, FW_SPOOL_BEGIN_BYTES) +
                                         fw_spool_entry_bytes(flash, FW_SPOOL_SEAL_MAX_BYTES));
}

/* A spool that knows nothing yet, and the two newest sectors. */
static struct hr_status start(struct fw_spool *spool, const struct fw_spool_config *config, uint32_t *newest,
                              uint32_t *before)
{
    memset(spool, 0, sizeof *spool);
    spool->config = *config;
    spool->tail = FW_SPOOL_NO_SECTOR;
    spool->spare = FW_SPOOL_NO_SECTOR;
    return read_headers(spool, newest, before);
}

static uint32_t sectors_in_use(const struct fw_spool *spool)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < spool->config.flash->n_sectors; i++) {
        n += i == spool->tail || !fw_spool_is_free(spool, i) ? 1 : 0;
    }
    return n;
}

struct hr_status fw_spool_open(struct fw_spool *spool, const struct fw_spool_config *config,
                               struct fw_spool_report *report)
{
    struct fw_spool_report found = {.formatted = false};
    uint32_t newest;
    uint32_t before;
    check_config(config);
    HR_TRY(start(spool, config, &newest, &before));
    /* A process may have died between a write and its sync: what was read must not be acted upon before it is
     * sure to be there after the next power cut as well. */
    HR_TRY(fw_spool_sync(spool));
    if (newest == FW_SPOOL_NO_SECTOR) {
        found.formatted = true;
        HR_TRY(format(spool));
    } else {
        HR_TRY(recover(spool, newest, before, &found));
    }
    found.sectors_in_use = sectors_in_use(spool);
    *report = found;
    return hr_ok();
}

struct hr_status fw_spool_inspect(struct fw_spool *spool, const struct fw_spool_config *config,
                                  struct fw_spool_report *report)
{
    struct fw_spool_report found = {.formatted = false};
    struct ending ending = {.before = {.sector = FW_SPOOL_NO_SECTOR}};
    uint32_t newest;
    uint32_t before;
    HR_TRY(start(spool, config, &newest, &before));
    spool->failed = true; /* so that nothing is ever written */
    if (newest == FW_SPOOL_NO_SECTOR) {
        return hr_status_of(HR_NOT_FOUND);
    }
    HR_TRY(look_back(spool, newest, before, &ending, &found));
    fw_spool_close_silent_holes(spool);
    found.sectors_in_use = sectors_in_use(spool);
    *report = found;
    return hr_ok();
}
