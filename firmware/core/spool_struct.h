/* SPDX-License-Identifier: Apache-2.0
 *
 * The members of struct fw_spool, in a header only so that the caller can place one without a heap. They
 * belong to the spool's own files; everybody else reads fw_spool_state. */
#ifndef FW_SPOOL_STRUCT_H
#define FW_SPOOL_STRUCT_H

enum {
    FW_SPOOL_MAX_CARRIES = 12,    /* ranges of older streams that still wait to be sealed again */
    FW_SPOOL_SCRATCH_BYTES = 768, /* the largest sector header, padded to the largest program unit */
    FW_SPOOL_ACKS_PER_SAVE = 16,  /* acks that a cut may make the spool forget; each costs one more upload */
    FW_SPOOL_HINTS = 2,           /* one for the reader, one for the acks that follow it */
};

#define FW_SPOOL_NO_SECTOR 0xFFFFFFFFu

/* A hole with what only RAM knows of it. */
struct fw_spool_gap {
    struct fw_spool_hole hole;
    bool saved;   /* flash knows it; only then may a Loss record speak of it */
    bool offered; /* its Loss record stands in the open batch */
};

/* Batches next_seq to end_seq - 1 of an older stream are still to be sealed under the current one. */
struct fw_spool_range {
    uint32_t stream;
    uint32_t next_seq;
    uint32_t end_seq;
};

/* What each sector header and each STATE entry holds: enough to go on when everything before it is gone. */
struct fw_spool_book {
    uint32_t stream;
    uint32_t next_batch_seq;
    uint64_t next_record_seq;
    uint32_t acked_seq;        /* WIRE_SEQ_NONE: none */
    uint64_t acked_record_end; /* the record after the last of batch acked_seq */
    uint32_t boot_id;          /* highest ever begun; 0: none */
    uint8_t last_digest[WIRE_DIGEST_BYTES];
    uint32_t n_gaps;
    struct fw_spool_gap gaps[FW_SPOOL_MAX_HOLES]; /* ascending, disjoint, all above acked_seq */
    uint32_t n_ranges;
    struct fw_spool_range ranges[FW_SPOOL_MAX_CARRIES]; /* oldest stream first */
};

/* The batch that takes records. Its numbers are given when it is sealed. */
struct fw_spool_batch {
    bool begun;
    bool in_flash; /* its BEGIN entry is programmed */
    uint32_t boot_id;
    uint64_t base_uptime_ms;
    uint32_t start_offset; /* of BEGIN, or where it will stand */
    uint32_t n_records;    /* staged ones included */
    uint32_t payload_bytes;
    uint32_t staged_records;
    uint32_t staged_bytes; /* of payload in the stage */
    struct wire_merkle merkle;
};

/* Where a batch was last found: the walk to the next one starts there. */
struct fw_spool_hint {
    uint32_t sector;
    uint32_t sector_seq;
    uint32_t seq;    /* the first seal at or behind offset has this number */
    uint32_t offset; /* behind the seal of seq - 1 */
};

struct fw_spool {
    struct fw_spool_config config;
    struct fw_spool_book book;
    struct fw_spool_batch batch;
    uint32_t tail;        /* the sector that is written */
    uint32_t tail_start;  /* behind its header */
    uint32_t tail_offset; /* where its next entry goes */
    uint32_t spare; /* an erased sector, ready to become the tail; FW_SPOOL_NO_SECTOR only inside calls */
    uint32_t newest_sector_seq;
    uint32_t unsaved_acks;
    bool unsaved; /* the book holds something that neither flash nor a replay of it would tell */
    bool failed;  /* flash can't be trusted any more: everything that writes is HR_IO until the next open */
    struct fw_spool_hint hints[FW_SPOOL_HINTS];
    uint32_t next_hint;
    uint8_t scratch[FW_SPOOL_SCRATCH_BYTES];
};

#endif
