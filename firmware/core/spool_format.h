/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of the spool in flash, as proto/SPOOL.md lays them down: sector headers, the book that they
 * carry, and entries. Private to the spool and to the tool that inspects it. Reading doubts every byte.
 * [loop] */
#ifndef FW_SPOOL_FORMAT_H
#define FW_SPOOL_FORMAT_H

#include "firmware/core/spool.h"
#include "proto/base/cursor.h"

enum fw_spool_type {
    FW_SPOOL_BEGIN = 1,   /* a batch starts */
    FW_SPOOL_RECORDS = 2, /* whole records of it */
    FW_SPOOL_SEAL = 3,    /* its header and signature */
    FW_SPOOL_STATE = 4,   /* a book; also the intent to erase what it no longer needs */
    FW_SPOOL_CLOSE = 5,   /* a clean end */
};

enum {
    FW_SPOOL_MAGIC = 0x48525350, /* "HRSP" */
    FW_SPOOL_FORMAT = 1,
    FW_SPOOL_IDENT_BYTES = 34,
    FW_SPOOL_BOOK_FIXED_BYTES = 62,
    FW_SPOOL_HOLE_BYTES = 55,
    FW_SPOOL_RANGE_BYTES = 12,
    FW_SPOOL_BOOK_MAX_BYTES = FW_SPOOL_BOOK_FIXED_BYTES + FW_SPOOL_MAX_HOLES * FW_SPOOL_HOLE_BYTES +
                              FW_SPOOL_MAX_CARRIES * FW_SPOOL_RANGE_BYTES,
    FW_SPOOL_HEADER_MIN_BYTES = FW_SPOOL_IDENT_BYTES + FW_SPOOL_BOOK_FIXED_BYTES + 4,
    FW_SPOOL_HEADER_MAX_BYTES = FW_SPOOL_IDENT_BYTES + FW_SPOOL_BOOK_MAX_BYTES + 4,
    FW_SPOOL_ENTRY_HEAD_BYTES = 8,
    FW_SPOOL_RECORDS_HEAD_BYTES = 4, /* index of the first record and how many */
    FW_SPOOL_BEGIN_BYTES = 11,
    FW_SPOOL_SEAL_MIN_BYTES = WIRE_PREFIX_BYTES + 2,
    FW_SPOOL_SEAL_MAX_BYTES = FW_SPOOL_SEAL_MIN_BYTES + 8 + 8 * FW_SPOOL_MAX_HOLES,
};

/* Who a sector is. */
struct fw_spool_ident {
    uint64_t device_id;
    uint32_t sector_seq; /* never 0 */
    uint32_t erase_count;
    uint32_t sector_bytes;
    uint32_t n_sectors;
    uint16_t program_unit_bytes;
};

/* One entry that passed its check. */
struct fw_spool_entry {
    uint32_t offset; /* of its head, in the sector */
    uint16_t len_bytes;
    uint8_t type;
    uint32_t end_offset; /* behind its padding */
    bool after_gap;      /* bytes that are no valid entry stand before it */
};

struct fw_spool_begin {
    uint32_t boot_id;
    uint64_t base_uptime_ms;
    bool carry; /* a copy out of an older stream: worth nothing without its seal */
};

struct fw_spool_seal {
    uint8_t header[WIRE_HEADER_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    bool carried; /* out of batch from_seq of stream from_stream */
    uint32_t from_stream;
    uint32_t from_seq;
    uint32_t n_losses; /* holes whose Loss records it holds */
    uint32_t loss_from[FW_SPOOL_MAX_HOLES];
    uint32_t loss_to[FW_SPOOL_MAX_HOLES];
};

static inline uint32_t fw_spool_padded(const struct port_flash *flash, uint32_t len_bytes)
{
    uint32_t unit = flash->program_unit_bytes;
    return (len_bytes + unit - 1) / unit * unit;
}

/* Flash bytes of an entry with that much payload. */
static inline uint32_t fw_spool_entry_bytes(const struct port_flash *flash, uint32_t payload_bytes)
{
    return fw_spool_padded(flash, FW_SPOOL_ENTRY_HEAD_BYTES + payload_bytes);
}

/* Bytes that the book takes in a STATE entry or a sector header. */
uint32_t fw_spool_book_bytes(const struct fw_spool_book *book);
void fw_spool_book_encode(struct hr_writer *writer, const struct fw_spool_book *book);
/* HR_CORRUPT: counts, ranges or lengths that no spool writes. */
HR_MUST_USE struct hr_status fw_spool_book_decode(struct hr_bytes in, struct fw_spool_book *out);

/* Writes a sector header of FW_SPOOL_IDENT_BYTES + book + 4 bytes and tells how many. */
uint32_t fw_spool_header_encode(const struct fw_spool_ident *ident, const struct fw_spool_book *book,
                                uint8_t *out, uint32_t capacity_bytes);
/* Reads the header of a sector through scratch (FW_SPOOL_HEADER_MAX_BYTES at least). HR_NOT_FOUND: there is
 * no whole one. HR_CORRUPT: there is one, of a newer format. HR_IO as port_flash. */
HR_MUST_USE struct hr_status fw_spool_header_read(const struct port_flash *flash, uint32_t sector,
                                                  uint8_t *scratch, struct fw_spool_ident *ident,
                                                  struct fw_spool_book *book, uint32_t *end_offset);

/* The head of an entry, with the check over head, payload and sector_seq. */
void fw_spool_entry_head(uint8_t out[FW_SPOOL_ENTRY_HEAD_BYTES], uint8_t type, struct hr_bytes payload,
                         uint32_t sector_seq);

/* The head that a valid entry gets when its payload is copied into another sector. HR_IO as port_flash. */
HR_MUST_USE struct hr_status fw_spool_entry_rehead(const struct port_flash *flash, uint32_t sector,
                                                   const struct fw_spool_entry *entry,
                                                   uint32_t new_sector_seq,
                                                   uint8_t out[FW_SPOOL_ENTRY_HEAD_BYTES]);

/* Finds the first valid entry at or behind `offset`, over bytes that are none if it must. HR_CLOSED: no more
 * entries; out->offset then tells where erased or unreadable bytes begin and out->after_gap whether torn
 * bytes were passed. HR_IO never: what can't be read is not an entry. */
HR_MUST_USE struct hr_status fw_spool_entry_next(const struct port_flash *flash, uint32_t sector,
                                                 uint32_t sector_seq, uint32_t offset,
                                                 struct fw_spool_entry *out);

/* Reads len_bytes of the entry's payload from `at` on. HR_CORRUPT: the entry is shorter. HR_IO as port_flash.
 */
HR_MUST_USE struct hr_status fw_spool_entry_read(const struct port_flash *flash, uint32_t sector,
                                                 const struct fw_spool_entry *entry, uint32_t at, void *out,
                                                 uint32_t len_bytes);

/* Payloads of the small entries. HR_CORRUPT: not what the spool writes. */
void fw_spool_begin_encode(const struct fw_spool_begin *begin, uint8_t out[FW_SPOOL_BEGIN_BYTES]);
HR_MUST_USE struct hr_status fw_spool_begin_read(const struct port_flash *flash, uint32_t sector,
                                                 const struct fw_spool_entry *entry,
                                                 struct fw_spool_begin *out);
uint32_t fw_spool_seal_bytes(uint32_t n_losses, bool carried);
uint32_t fw_spool_seal_encode(const struct fw_spool_seal *seal, uint8_t *out, uint32_t capacity_bytes);
HR_MUST_USE struct hr_status fw_spool_seal_read(const struct port_flash *flash, uint32_t sector,
                                                const struct fw_spool_entry *entry,
                                                struct fw_spool_seal *out);

/* Copies the envelope of a batch of any stream, whatever the book says of it. HR_NOT_FOUND: no readable seal.
 * HR_CORRUPT: its records are damaged. HR_FULL: capacity_bytes is too small. */
HR_MUST_USE struct hr_status fw_spool_read_envelope(struct fw_spool *spool, uint32_t stream, uint32_t seq,
                                                    uint8_t *out, uint32_t capacity_bytes,
                                                    uint32_t *len_bytes);
/* Is the batch neither acked, nor lost, nor carried? */
bool fw_spool_is_live(const struct fw_spool_book *book, uint32_t stream, uint32_t seq);

/* True when every byte of the sector from `offset` on can be read and is FF. */
bool fw_spool_is_blank(const struct port_flash *flash, uint32_t sector, uint32_t offset);

#endif
