/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the spool share. Nobody else includes this. All [loop]. */
#ifndef FW_SPOOL_INTERNAL_H
#define FW_SPOOL_INTERNAL_H

#include "firmware/core/spool_format.h"

/* ---- spool_sector.c: the ring ---- */

enum fw_spool_spare { FW_SPOOL_SPARE_FREE_ONLY, FW_SPOOL_SPARE_MAY_EVICT };

/* Programs one entry behind the tail; its payload already stands in scratch behind room for the head. The
 * caller made sure that it fits. HR_IO: units of it may hold anything. */
HR_MUST_USE struct hr_status fw_spool_put(struct fw_spool *spool, uint8_t type, uint32_t payload_bytes);
/* Makes all that was programmed durable. HR_IO: the spool has failed. */
HR_MUST_USE struct hr_status fw_spool_sync(struct fw_spool *spool);
/* Writes the book as a STATE entry, durably. HR_FULL: the tail has no room beside the open batch. */
HR_MUST_USE struct hr_status fw_spool_save(struct fw_spool *spool);
/* fw_spool_save where HR_FULL is no failure: the header of the next sector will say it. */
HR_MUST_USE struct hr_status fw_spool_save_if_room(struct fw_spool *spool);
/* Makes the spare the tail, durably, with the book in its header. HR_IO: that sector is bad, or the spool
 * failed. */
HR_MUST_USE struct hr_status fw_spool_open_spare(struct fw_spool *spool);
/* As fw_spool_open_spare, with other sectors when one is bad. HR_IO: the spool has failed. */
HR_MUST_USE struct hr_status fw_spool_open_next(struct fw_spool *spool);
/* As fw_spool_open_next, and the sector that is left knows all that the new header knows. */
HR_MUST_USE struct hr_status fw_spool_advance(struct fw_spool *spool);
/* Makes sure that an erased sector stands ready. With FW_SPOOL_SPARE_FREE_ONLY there may be none afterwards.
 */
HR_MUST_USE struct hr_status fw_spool_prepare_spare(struct fw_spool *spool, enum fw_spool_spare how);
HR_MUST_USE struct hr_status fw_spool_erase(struct fw_spool *spool, uint32_t sector);
/* A sector that holds nothing needed, other than the tail and `keep`; FW_SPOOL_NO_SECTOR: none. */
uint32_t fw_spool_pick_free(const struct fw_spool *spool, uint32_t keep);
/* Gives up the oldest sector that holds something, other than the tail and `keep`, in the book only. */
uint32_t fw_spool_evict_oldest(struct fw_spool *spool, uint32_t keep);
bool fw_spool_is_free(const struct fw_spool *spool, uint32_t sector);
/* Where batches must end in the tail. What is left behind it is for STATE and CLOSE, and equals what the
 * largest header may add, so that a sector full of batches fits any other sector when it is carried or moved.
 */
uint32_t fw_spool_limit(const struct fw_spool *spool);

/* ---- spool_find.c: batches in flash ---- */

struct fw_spool_place {
    uint32_t sector;
    uint32_t start_offset; /* the first entry of the batch */
    struct fw_spool_entry seal;
};

/* Finds the seal of a batch. HR_NOT_FOUND: no readable seal of that number. */
HR_MUST_USE struct hr_status fw_spool_find(struct fw_spool *spool, uint32_t stream, uint32_t seq,
                                           struct fw_spool_place *place);

/* What the chain knows of a batch even when its own seal is unreadable. HR_NOT_FOUND: nothing. */
struct fw_spool_facts {
    uint8_t digest[WIRE_DIGEST_BYTES];
    uint64_t record_end; /* the record after its last */
};
HR_MUST_USE struct hr_status fw_spool_facts_of(struct fw_spool *spool, uint32_t stream, uint32_t seq,
                                               struct fw_spool_facts *facts);
/* The first record of a batch of any stream. HR_NOT_FOUND: unknown. */
HR_MUST_USE struct hr_status fw_spool_first_record_of(struct fw_spool *spool, uint32_t stream, uint32_t seq,
                                                      uint64_t *first_record_seq);

/* ---- spool_hole.c: the book's holes ---- */

/* The hole that contains seq of the current stream, or NULL. */
struct fw_spool_gap *fw_spool_gap_at(struct fw_spool_book *book, uint32_t seq);
/* Batches from_seq to to_seq of the current stream become a hole, as much wider as unreadable neighbours ask.
 */
void fw_spool_add_hole(struct fw_spool *spool, uint32_t from_seq, uint32_t to_seq,
                       enum edge_loss_reason reason);
/* n_records of older streams are lost: the next batch number becomes a hole that stands for them. */
void fw_spool_add_lost_records(struct fw_spool *spool, uint32_t n_records, enum edge_loss_reason reason);
/* The batches up to to_seq of an older stream will not be carried. */
void fw_spool_drop_carries(struct fw_spool *spool, uint32_t stream, uint32_t to_seq,
                           enum edge_loss_reason reason);
/* Every live number of the current stream that no sector holds becomes a hole. */
void fw_spool_close_silent_holes(struct fw_spool *spool);
/* What a seal that is in flash means for the book. */
void fw_spool_apply_seal(struct fw_spool_book *book, const struct wire_hash *hash,
                         const struct fw_spool_seal *seal, const struct wire_header *header);

/* ---- spool.c: the open batch ---- */

/* Flash bytes that the open batch still needs behind tail_offset when extra_bytes of framed records join it.
 */
uint32_t fw_spool_reserved(const struct fw_spool *spool, uint32_t extra_bytes);
HR_MUST_USE struct hr_status fw_spool_put_begin(struct fw_spool *spool, uint32_t boot_id,
                                                uint64_t base_uptime_ms, bool carry);
/* Numbers, signs and writes the batch that stands behind the tail; `seal` says what it was carried from. */
HR_MUST_USE struct hr_status fw_spool_write_seal(struct fw_spool *spool, const struct port_sign *sign,
                                                 struct wire_header *header, struct fw_spool_seal *seal);

/* ---- spool_carry.c ---- */

/* Copies RECORDS entries from `start_offset` of a sector behind the tail until n_records stand there.
 * HR_CORRUPT: the source has fewer. HR_IO: programming failed. */
HR_MUST_USE struct hr_status fw_spool_copy_records(struct fw_spool *spool, uint32_t sector,
                                                   uint32_t start_offset, uint32_t n_records);

#endif
