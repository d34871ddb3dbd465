/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/spool_internal.h"

#include "proto/base/assert.h"

#include <string.h>

/* ---- the list of holes ---- */

struct fw_spool_gap *fw_spool_gap_at(struct fw_spool_book *book, uint32_t seq)
{
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        const struct edge_loss *loss = &book->gaps[i].hole.loss;
        if (loss->from_seq <= seq && seq <= loss->to_seq) {
            return &book->gaps[i];
        }
    }
    return NULL;
}

static bool in_a_gap(const struct fw_spool_book *book, uint32_t seq)
{
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        if (book->gaps[i].hole.loss.from_seq <= seq && seq <= book->gaps[i].hole.loss.to_seq) {
            return true;
        }
    }
    return false;
}

bool fw_spool_is_live(const struct fw_spool_book *book, uint32_t stream, uint32_t seq)
{
    if (stream != book->stream) {
        for (uint32_t i = 0; i < book->n_ranges; i++) {
            if (book->ranges[i].stream == stream && book->ranges[i].next_seq <= seq &&
                seq < book->ranges[i].end_seq) {
                return true;
            }
        }
        return false;
    }
    return seq >= book->acked_seq + 1 && seq < book->next_batch_seq && !in_a_gap(book, seq);
}

static void remove_gap(struct fw_spool_book *book, uint32_t index)
{
    book->n_gaps--;
    memmove(&book->gaps[index], &book->gaps[index + 1], (book->n_gaps - index) * sizeof book->gaps[0]);
}

static void insert_gap(struct fw_spool_book *book, const struct edge_loss *loss)
{
    HR_ASSERT(book->n_gaps < FW_SPOOL_MAX_HOLES);
    uint32_t index = book->n_gaps;
    while (index > 0 && book->gaps[index - 1].hole.loss.from_seq > loss->from_seq) {
        index--;
    }
    memmove(&book->gaps[index + 1], &book->gaps[index], (book->n_gaps - index) * sizeof book->gaps[0]);
    book->gaps[index] = (struct fw_spool_gap){.hole = {.loss = *loss, .carried_by_seq = WIRE_SEQ_NONE}};
    book->n_gaps++;
}

/* Widens [from, to] over every hole that it touches and takes those out. */
static void absorb_gaps(struct fw_spool_book *book, uint32_t *from_seq, uint32_t *to_seq)
{
    for (uint32_t i = 0; i < book->n_gaps;) {
        const struct edge_loss *loss = &book->gaps[i].hole.loss;
        if (loss->to_seq < *from_seq || loss->from_seq > *to_seq) {
            i++;
            continue;
        }
        *from_seq = loss->from_seq < *from_seq ? loss->from_seq : *from_seq;
        *to_seq = loss->to_seq > *to_seq ? loss->to_seq : *to_seq;
        remove_gap(book, i);
    }
}

/* With the table full, [from, to] grows to the nearest hole, so that absorbing it makes room. */
static void reach_for_nearest(const struct fw_spool_book *book, uint32_t *from_seq, uint32_t *to_seq)
{
    uint32_t best_distance = UINT32_MAX;
    const struct edge_loss *nearest = NULL;
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        const struct edge_loss *loss = &book->gaps[i].hole.loss;
        uint32_t distance = loss->to_seq < *from_seq ? *from_seq - loss->to_seq : loss->from_seq - *to_seq;
        if (distance < best_distance) {
            best_distance = distance;
            nearest = loss;
        }
    }
    HR_ASSERT(nearest != NULL);
    *from_seq = nearest->from_seq < *from_seq ? nearest->from_seq : *from_seq;
    *to_seq = nearest->to_seq > *to_seq ? nearest->to_seq : *to_seq;
}

/* Puts [from, to] into the list; `facts` are those of to_seq. */
static void place_hole(struct fw_spool *spool, const struct edge_loss *loss)
{
    struct fw_spool_book *book = &spool->book;
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        /* A Loss record that stands in a lost batch says nothing any more. */
        struct fw_spool_hole *hole = &book->gaps[i].hole;
        if (hole->carried_by_seq != WIRE_SEQ_NONE && hole->carried_by_seq >= loss->from_seq &&
            hole->carried_by_seq <= loss->to_seq) {
            hole->carried_by_seq = WIRE_SEQ_NONE;
        }
    }
    insert_gap(book, loss);
    spool->unsaved = true;
}

void fw_spool_add_hole(struct fw_spool *spool, uint32_t from_seq, uint32_t to_seq,
                       enum edge_loss_reason reason)
{
    struct fw_spool_book *book = &spool->book;
    uint32_t lowest = book->acked_seq + 1;
    HR_ASSERT(from_seq >= lowest && from_seq <= to_seq && to_seq < book->next_batch_seq);
    absorb_gaps(book, &from_seq, &to_seq);
    if (book->n_gaps == FW_SPOOL_MAX_HOLES) {
        reach_for_nearest(book, &from_seq, &to_seq);
        absorb_gaps(book, &from_seq, &to_seq);
    }
    /* Neighbours that can't be read either belong to the hole: its ends must be known. Both loops end,
     * because the first record after acked_seq and the newest batch are always known. */
    struct edge_loss loss = {.reason = (uint32_t)reason};
    struct fw_spool_facts facts;
    while (!hr_is_ok(fw_spool_first_record_of(spool, book->stream, from_seq, &loss.first_record_seq))) {
        HR_ASSERT(from_seq > lowest);
        from_seq--;
        absorb_gaps(book, &from_seq, &to_seq);
    }
    while (!hr_is_ok(fw_spool_facts_of(spool, book->stream, to_seq, &facts))) {
        HR_ASSERT(to_seq + 1 < book->next_batch_seq);
        to_seq++;
        absorb_gaps(book, &from_seq, &to_seq);
    }
    loss.from_seq = from_seq;
    loss.to_seq = to_seq;
    loss.n_records = (uint32_t)(facts.record_end - loss.first_record_seq);
    memcpy(loss.last_digest, facts.digest, WIRE_DIGEST_BYTES);
    place_hole(spool, &loss);
}

void fw_spool_add_lost_records(struct fw_spool *spool, uint32_t n_records, enum edge_loss_reason reason)
{
    struct fw_spool_book *book = &spool->book;
    struct edge_loss loss = {
        .from_seq = book->next_batch_seq,
        .to_seq = book->next_batch_seq,
        .first_record_seq = book->next_record_seq,
        .n_records = n_records,
        .reason = (uint32_t)reason,
    };
    /* No batch has this number, so the chain goes past it: the digest is that of the batch before. */
    memcpy(loss.last_digest, book->last_digest, WIRE_DIGEST_BYTES);
    book->next_batch_seq++;
    book->next_record_seq += n_records;
    struct fw_spool_gap *last = book->n_gaps > 0 ? &book->gaps[book->n_gaps - 1] : NULL;
    if (last != NULL && last->hole.loss.to_seq + 1 == loss.from_seq &&
        last->hole.carried_by_seq == WIRE_SEQ_NONE) {
        loss.from_seq = last->hole.loss.from_seq;
        loss.first_record_seq = last->hole.loss.first_record_seq;
        loss.n_records += last->hole.loss.n_records;
        remove_gap(book, book->n_gaps - 1);
    }
    if (book->n_gaps == FW_SPOOL_MAX_HOLES) {
        fw_spool_add_hole(spool, loss.from_seq, loss.to_seq, reason);
        return;
    }
    place_hole(spool, &loss);
}

void fw_spool_close_silent_holes(struct fw_spool *spool)
{
    struct fw_spool_book *book = &spool->book;
    uint32_t seq = book->acked_seq + 1;
    while (seq < book->next_batch_seq) {
        const struct fw_spool_gap *gap = fw_spool_gap_at(book, seq);
        uint32_t next_known = book->next_batch_seq;
        if (gap != NULL) {
            seq = gap->hole.loss.to_seq + 1;
            continue;
        }
        bool held = false;
        for (uint32_t i = 0; i < spool->config.flash->n_sectors && !held; i++) {
            const struct fw_spool_sector *entry = &spool->config.sectors[i];
            uint32_t end_seq = entry->first_batch_seq + entry->n_batches;
            if (entry->sector_seq == 0 || entry->stream != book->stream || end_seq <= seq ||
                entry->n_batches == 0) {
                continue;
            }
            held = entry->first_batch_seq <= seq;
            next_known = held                                  ? end_seq
                         : entry->first_batch_seq < next_known ? entry->first_batch_seq
                                                               : next_known;
        }
        for (uint32_t i = 0; i < book->n_gaps && !held; i++) {
            uint32_t from_seq = book->gaps[i].hole.loss.from_seq;
            next_known = from_seq > seq && from_seq < next_known ? from_seq : next_known;
        }
        if (!held) {
            fw_spool_add_hole(spool, seq, next_known - 1, EDGE_LOSS_DAMAGED);
        }
        seq = next_known;
    }
}

/* ---- older streams ---- */

void fw_spool_drop_carries(struct fw_spool *spool, uint32_t stream, uint32_t to_seq,
                           enum edge_loss_reason reason)
{
    struct fw_spool_book *book = &spool->book;
    uint32_t n_records = 0;
    for (uint32_t i = 0; i < book->n_ranges;) {
        struct fw_spool_range *range = &book->ranges[i];
        if (range->stream != stream || range->next_seq > to_seq) {
            i++;
            continue;
        }
        uint32_t last_seq = to_seq < range->end_seq - 1 ? to_seq : range->end_seq - 1;
        struct fw_spool_facts facts;
        uint64_t first_record_seq;
        if (hr_is_ok(fw_spool_first_record_of(spool, stream, range->next_seq, &first_record_seq)) &&
            hr_is_ok(fw_spool_facts_of(spool, stream, last_seq, &facts))) {
            n_records += (uint32_t)(facts.record_end - first_record_seq);
        }
        range->next_seq = last_seq + 1;
        if (range->next_seq == range->end_seq) {
            book->n_ranges--;
            memmove(range, range + 1, (book->n_ranges - i) * sizeof *range);
        }
    }
    fw_spool_add_lost_records(spool, n_records, reason);
}

/* ---- what a seal means ---- */

static void advance_range(struct fw_spool_book *book, uint32_t stream, uint32_t seq)
{
    for (uint32_t i = 0; i < book->n_ranges; i++) {
        struct fw_spool_range *range = &book->ranges[i];
        if (range->stream == stream && range->next_seq <= seq && seq < range->end_seq) {
            range->next_seq = seq + 1;
            if (range->next_seq == range->end_seq) {
                book->n_ranges--;
                memmove(range, range + 1, (book->n_ranges - i) * sizeof *range);
            }
            return;
        }
    }
}

void fw_spool_apply_seal(struct fw_spool_book *book, const struct wire_hash *hash,
                         const struct fw_spool_seal *seal, const struct wire_header *header)
{
    book->next_batch_seq = header->batch_seq + 1;
    book->next_record_seq = header->first_record_seq + header->n_records;
    if (!seal->carried && header->boot_id > book->boot_id) {
        book->boot_id = header->boot_id;
    }
    wire_batch_digest(hash, seal->header, book->last_digest);
    for (uint32_t i = 0; i < seal->n_losses; i++) {
        struct fw_spool_gap *gap = fw_spool_gap_at(book, seal->loss_from[i]);
        if (gap != NULL && gap->hole.loss.from_seq == seal->loss_from[i] &&
            gap->hole.loss.to_seq == seal->loss_to[i]) {
            gap->hole.carried_by_seq = header->batch_seq;
            gap->offered = false;
        }
    }
    if (seal->carried) {
        advance_range(book, seal->from_stream, seal->from_seq);
    }
}

/* ---- acks, and what the uplink asks ---- */

struct hr_status fw_spool_ack(struct fw_spool *spool, uint32_t cum_seq,
                              const uint8_t cum_digest[WIRE_ACK_DIGEST_BYTES])
{
    struct fw_spool_book *book = &spool->book;
    if (cum_seq == WIRE_SEQ_NONE || cum_seq < book->acked_seq + 1) {
        return hr_ok();
    }
    if (cum_seq >= book->next_batch_seq) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct fw_spool_facts facts;
    const struct fw_spool_gap *gap = fw_spool_gap_at(book, cum_seq);
    bool inside = gap != NULL && cum_seq != gap->hole.loss.to_seq;
    if (inside || !hr_is_ok(fw_spool_facts_of(spool, book->stream, cum_seq, &facts))) {
        /* Nothing of that batch is left that could prove the digest, and nothing to free that a later ack
         * won't. */
        return hr_ok();
    }
    if (memcmp(facts.digest, cum_digest, WIRE_ACK_DIGEST_BYTES) != 0) {
        return hr_status_of(HR_DENIED);
    }
    book->acked_seq = cum_seq;
    book->acked_record_end = facts.record_end;
    while (book->n_gaps > 0 && book->gaps[0].hole.loss.to_seq <= cum_seq) {
        remove_gap(book, 0);
    }
    spool->unsaved_acks++;
    if (spool->unsaved_acks >= FW_SPOOL_ACKS_PER_SAVE && book->n_ranges == 0 && !spool->failed) {
        return fw_spool_save_if_room(spool);
    }
    return hr_ok();
}

struct hr_status fw_spool_abandon(struct fw_spool *spool, uint32_t seq, enum edge_loss_reason reason)
{
    if (!fw_spool_is_live(&spool->book, spool->book.stream, seq)) {
        return hr_status_of(HR_NOT_FOUND);
    }
    if (spool->failed) {
        return hr_status_of(HR_IO);
    }
    fw_spool_add_hole(spool, seq, seq, reason);
    return fw_spool_save_if_room(spool);
}

struct hr_status fw_spool_pending_loss(const struct fw_spool *spool, struct edge_loss *out)
{
    for (uint32_t i = 0; i < spool->book.n_gaps; i++) {
        const struct fw_spool_gap *gap = &spool->book.gaps[i];
        if (gap->saved && gap->hole.carried_by_seq == WIRE_SEQ_NONE) {
            *out = gap->hole.loss;
            return hr_ok();
        }
    }
    return hr_status_of(HR_NOT_FOUND);
}

struct hr_status fw_spool_loss_carrier(const struct fw_spool *spool, uint32_t seq, uint32_t *carrier_seq)
{
    for (uint32_t i = 0; i < spool->book.n_gaps; i++) {
        const struct fw_spool_hole *hole = &spool->book.gaps[i].hole;
        if (hole->loss.from_seq <= seq && seq <= hole->loss.to_seq && hole->carried_by_seq != WIRE_SEQ_NONE) {
            *carrier_seq = hole->carried_by_seq;
            return hr_ok();
        }
    }
    return hr_status_of(HR_NOT_FOUND);
}
