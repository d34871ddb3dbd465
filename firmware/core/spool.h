/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool: a ring of flash sectors in which records become sealed batches and wait until the aggregator has
 * committed them. proto/SPEC.md section 5 has every byte; firmware/DESIGN.md says why.
 *
 * Promises. A batch that fw_spool_seal returned HR_OK for survives a power cut at any moment after. A batch
 * leaves the spool only by a matching ack or by an eviction, and an eviction leaves a hole that
 * fw_spool_pending_loss shows until a sealed batch carries its Loss record. A batch_seq, once durable, never
 * names other content. After fw_spool_open nothing torn is visible. No heap: every table is the caller's. All
 * functions are [loop] and end after at most one sector erase plus one envelope of flash traffic, except
 * fw_spool_open, which reads the whole ring. */
#ifndef FW_SPOOL_H
#define FW_SPOOL_H

#include "firmware/port/port_flash.h"
#include "firmware/port/port_sign.h"
#include "proto/edge/record.h"
#include "proto/wire/ack.h"
#include "proto/wire/batch.h"
#include "proto/wire/merkle.h"

enum {
    FW_SPOOL_MAX_HOLES = 8, /* holes whose Loss is not acked yet; further ones merge with the nearest */
    FW_SPOOL_STAGE_MAX_BYTES = 4096,
};

/* What the spool knows of one sector; n_sectors of these are the caller's. Private to the spool. */
struct fw_spool_sector {
    uint32_t sector_seq; /* 0: erased or unusable */
    uint32_t first_batch_seq;
    uint32_t n_batches;
    uint32_t stream;
    uint32_t used_bytes;
    uint32_t erase_count;
    bool erased;
    bool bad; /* an erase or a program failed; left alone until the next open */
};

struct fw_spool_config {
    const struct port_flash *flash;
    const struct wire_hash *hash;
    uint64_t device_id;
    uint32_t envelope_max_bytes;     /* WIRE_MCU_ENVELOPE_MAX_BYTES or WIRE_GATEWAY_ENVELOPE_MAX_BYTES */
    struct fw_spool_sector *sectors; /* flash->n_sectors of them, kept */
    uint8_t *stage;        /* kept: records on their way to flash, grouped into one program burst; holds
                              the largest record and 14 bytes */
    uint32_t stage_bytes;  /* 64 to FW_SPOOL_STAGE_MAX_BYTES, a multiple of the program unit; kept or
                              raised by an update, else unsealed records of the old size are dropped */
    uint32_t first_stream; /* the stream of a ring that has never been written */
};

/* A hole in the sequence of batches, as its Loss record will say it. */
struct fw_spool_hole {
    struct edge_loss loss;
    uint32_t carried_by_seq; /* the sealed batch that holds the Loss record; WIRE_SEQ_NONE: not sealed yet */
};

/* What fw_spool_open found. */
struct fw_spool_report {
    bool formatted;             /* the ring was blank or foreign and was started anew */
    bool clean;                 /* the last end was fw_spool_close */
    uint32_t recovered_records; /* whole records that stood unsealed and are in the open batch again */
    uint32_t torn_entries;      /* entries that failed their check and were left out */
    uint32_t sectors_in_use;
    uint32_t last_boot_id; /* highest boot_id seen in the ring; 0: none */
};

struct fw_spool_state {
    uint64_t device_id;
    uint32_t stream;
    uint32_t next_batch_seq;
    uint64_t next_record_seq;
    uint32_t oldest_seq;   /* oldest sealed batch still readable; == next_batch_seq: none */
    uint32_t acked_seq;    /* WIRE_SEQ_NONE: none */
    uint32_t open_records; /* in the open batch */
    uint32_t open_payload_bytes;
    uint64_t bytes_used; /* of live sectors */
    uint64_t bytes_capacity;
    uint8_t last_digest[WIRE_DIGEST_BYTES]; /* of the newest sealed batch, or the anchor of the stream */
};

/* Storage of the spool. Declared here so that the caller can place it; its members belong to spool.c. */
struct fw_spool;

#include "firmware/core/spool_struct.h"

/* Reads the ring and makes it ready: finds the newest state, drops what is torn, re-does an interrupted
 * erase. HR_CORRUPT: a newer or foreign format, or another device's spool; nothing was changed. HR_IO: flash
 * failed; the spool must not be used. */
HR_MUST_USE struct hr_status fw_spool_open(struct fw_spool *spool, const struct fw_spool_config *config,
                                           struct fw_spool_report *report);

/* Looks at a spool as fw_spool_open does and writes nothing, for tools: state, read, pending_loss and
 * loss_carrier tell what the collector would find, and whatever would write is HR_IO. A batch that is damaged
 * reads as HR_IO. Codes as fw_spool_open; HR_NOT_FOUND: there is no spool. */
HR_MUST_USE struct hr_status fw_spool_inspect(struct fw_spool *spool, const struct fw_spool_config *config,
                                              struct fw_spool_report *report);

/* Opens a batch: the boot and the uptime to which the dt_ms of its records refer. Asserts that no batch is
 * open (open_records == 0 and none was begun). Recovered records come back as an open batch of their own
 * boot: seal it first. HR_IO as fw_spool_append. */
HR_MUST_USE struct hr_status fw_spool_begin(struct fw_spool *spool, uint32_t boot_id,
                                            uint64_t base_uptime_ms);
/* True while a batch is begun and not sealed. */
bool fw_spool_is_open(const struct fw_spool *spool);

/* Adds one encoded record, copied, to the open batch. HR_FULL: it does not fit the envelope or the sector;
 * seal and begin, then try again (a record that fits no empty batch is HR_MALFORMED). The first record of a
 * batch may evict the oldest sector. A sector that can't be programmed is left for another one; HR_IO: that
 * failed as well, nothing can be written any more, and the caller opens the spool again (fw_spool_ack and
 * fw_spool_read still work). The record is durable with the seal, not before. */
HR_MUST_USE struct hr_status fw_spool_append(struct fw_spool *spool, struct hr_bytes record);

/* Seals the open batch: header, Merkle root, signature; durable when it returns. `flags` are enum wire_flag
 * for what the caller knows it put in (first-of-stream is set by the spool, and loss when the batch holds
 * the Loss record of a hole). HR_IO: nothing is promised about this seal, and its number may be in flash: the
 * caller opens the spool again, which brings the records back, sealed or open. */
HR_MUST_USE struct hr_status fw_spool_seal(struct fw_spool *spool, const struct port_sign *sign,
                                           uint8_t flags);

/* Copies the envelope of a sealed batch. HR_NOT_FOUND: acked, evicted or not sealed. HR_CORRUPT: damaged in
 * flash; it is a hole from now on. HR_FULL: capacity_bytes is too small. */
HR_MUST_USE struct hr_status fw_spool_read(struct fw_spool *spool, uint32_t seq, uint8_t *out,
                                           uint32_t capacity_bytes, uint32_t *len_bytes);

/* Frees all batches up to cum_seq. The digest must be that of batch cum_seq: HR_DENIED otherwise, and nothing
 * is freed. Duplicate and older acks are HR_OK without effect, and so is one for a number inside a hole,
 * whose digest nobody has any more. HR_NOT_FOUND: cum_seq was never sealed here. HR_IO: the ack counts, and
 * could not be saved. Up to FW_SPOOL_ACKS_PER_SAVE acks are forgotten by a power cut; each costs one more
 * upload. */
HR_MUST_USE struct hr_status fw_spool_ack(struct fw_spool *spool, uint32_t cum_seq,
                                          const uint8_t cum_digest[WIRE_ACK_DIGEST_BYTES]);

/* Gives up a batch for ever (poison: refused by the aggregator although it checks here). It becomes a hole.
 */
HR_MUST_USE struct hr_status fw_spool_abandon(struct fw_spool *spool, uint32_t seq,
                                              enum edge_loss_reason reason);

/* The oldest hole that is durable and whose Loss record is not in a sealed batch yet. HR_NOT_FOUND: none. The
 * caller appends the record, with these fields, and seals. A hole that is found while a batch is open shows
 * after the next seal at the latest. */
HR_MUST_USE struct hr_status fw_spool_pending_loss(const struct fw_spool *spool, struct edge_loss *out);
/* The sealed batch that carries the Loss covering seq. HR_NOT_FOUND: seq is in no hole, or its Loss isn't
 * sealed. */
HR_MUST_USE struct hr_status fw_spool_loss_carrier(const struct fw_spool *spool, uint32_t seq,
                                                   uint32_t *carrier_seq);

/* Starts a new stream (its number above the current one) after the aggregator knows more, or other, than this
 * spool. Batches of the old stream that are not acked are NOT lost: fw_spool_carry seals them again under the
 * new stream, oldest first, one a call, until HR_NOT_FOUND says that none is left. A cut between two calls
 * resumes. Carrying evicts nothing; live batches sealed in between evict as they always do. Holes of the old
 * stream become one hole of the new one, so that their records stay counted. A carried batch keeps neither
 * WIRE_FLAG_LOSS nor WIRE_FLAG_KEY_SWITCH: those records speak of numbers of the old stream. A cut may undo
 * fw_spool_new_stream as long as nothing was sealed in the stream. Both assert that no batch is open.
 * fw_spool_new_stream: HR_FULL when too many ranges of older streams still wait: carry first, nothing
 * changed. HR_IO of either: open the spool again. */
HR_MUST_USE struct hr_status fw_spool_new_stream(struct fw_spool *spool, uint32_t stream);
HR_MUST_USE struct hr_status fw_spool_carry(struct fw_spool *spool, const struct port_sign *sign);

/* Writes the clean-end mark and the last ack; call with no open batch. */
HR_MUST_USE struct hr_status fw_spool_close(struct fw_spool *spool);

void fw_spool_state(const struct fw_spool *spool, struct fw_spool_state *out);

#endif
