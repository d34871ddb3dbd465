/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of a document as they come: from memory, or unpacked from a zip member or gzip body while they are
 * read. A window over them is all that a reader holds, so a document's length costs no memory. [any] */
#ifndef NORM_SOURCE_H
#define NORM_SOURCE_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum {
    NORM_WINDOW_BYTES = 128 * 1024,   /* also the longest line or token that a document may have */
    NORM_UNPACK_RATIO_MAX = 200,      /* unpacked bytes for each packed one; prices as CSV reach 30 */
    NORM_UNPACK_FREE_BYTES = 1 << 20, /* below this a member's ratio is nobody's business */
    NORM_ZIP_MEMBERS_MAX = 64,
};

/* Where bytes come from. HR_CLOSED: the end. HR_MALFORMED: packed bytes that can't be unpacked, or whose
 * checksum is wrong. HR_FULL: a bomb (NORM_UNPACK_RATIO_MAX). HR_AGAIN: no memory. After any of them it gives
 * no more. */
struct norm_source {
    HR_MUST_USE struct hr_status (*next)(void *ctx, uint8_t *out, size_t capacity_bytes, size_t *len_bytes);
    void *ctx;
};

struct norm_memory {
    struct hr_bytes left;
};

/* The bytes are borrowed while the source is used. */
struct norm_source norm_memory_source(struct norm_memory *memory, struct hr_bytes bytes);

/* ---- window ---- */

struct norm_window {
    struct norm_source source;
    uint64_t max_bytes;  /* of the whole document */
    uint64_t read_bytes; /* so far */
    size_t at;           /* the first byte that is not used yet */
    size_t end;
    uint8_t bytes[NORM_WINDOW_BYTES];
};

void norm_window_open(struct norm_window *window, struct norm_source source, uint64_t max_bytes);
/* Moves what is not used to the front and reads more behind it. HR_CLOSED: there is no more. HR_FULL: the
 * window is full of unused bytes, or max_bytes is passed. HR_MALFORMED, HR_AGAIN as the source. */
HR_MUST_USE struct hr_status norm_window_more(struct norm_window *window);

/* ---- zstd, as gateways pack ---- */

/* Unpacks one or more frames into exactly len_bytes. HR_MALFORMED: they are damaged, or give more or less.
 * HR_AGAIN: no memory. *out is then undefined. */
HR_MUST_USE struct hr_status norm_zstd_unpack(struct hr_bytes packed, uint8_t *out, size_t len_bytes);

/* ---- zip and gzip ---- */

struct norm_zip_member {
    struct hr_bytes name;    /* borrowed from the archive */
    struct hr_bytes packed;  /* likewise */
    uint32_t unpacked_bytes; /* as the archive says */
    uint32_t crc32;
    uint16_t method; /* 0 stored, 8 deflate */
};

/* True when the bytes begin as a zip archive does, or as a gzip body does. */
bool norm_zip_is(struct hr_bytes bytes);
bool norm_gzip_is(struct hr_bytes bytes);

/* Lists the members by the archive's central directory. HR_MALFORMED: no directory (a file that was cut), or
 * one that does not fit the bytes or names some of them for two members, encrypted, zip64, of several disks,
 * or packed by another method. HR_FULL: more than `capacity` members. */
HR_MUST_USE struct hr_status norm_zip_list(struct hr_bytes archive, struct norm_zip_member *members,
                                           size_t capacity, size_t *n_members);

struct norm_unpack;

/* Unpacks while it is read; a member's length and CRC-32 are checked at its end. Allocates some 44 KB until
 * norm_unpack_close. HR_AGAIN: no memory. */
HR_MUST_USE struct hr_status norm_unpack_member(const struct norm_zip_member *member,
                                                struct norm_unpack **out);
HR_MUST_USE struct hr_status norm_unpack_gzip(struct hr_bytes bytes, struct norm_unpack **out);
struct norm_source norm_unpack_source(struct norm_unpack *unpack);
/* NULL is fine. */
void norm_unpack_close(struct norm_unpack *unpack);

#endif
