/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity of a device, in two copies (proto/image/image.h), and how it is replaced: a power cut at any
 * moment leaves the old one or the new one, whole. Boards keep it in front of their spool, gateways in a file
 * of the same pages. [loop]
 *
 * The rule behind it: the copy with the lower sequence was complete before the other was begun, so it is
 * never the one that a cut left half done, not even in flash whose torn bits read differently every time. It
 * alone is relied upon while the other is written. Both hold the same when nothing is under way, so that a
 * key which was replaced is in neither. */
#ifndef FW_IDENTITY_STORE_H
#define FW_IDENTITY_STORE_H

#include "firmware/port/port_flash.h"
#include "proto/image/image.h"

/* The caller places it and gives the room. `image` is for all to read while `is_known`, and borrows from
 * page; the other members are private. */
struct fw_identity_store {
    struct image_identity image;
    bool is_known; /* image was read */
    const struct port_flash *memory;
    uint8_t *page;     /* IMAGE_IDENTITY_MAX_BYTES */
    uint32_t newest;   /* the copy that image is */
    uint32_t highest;  /* sequence of either copy that checks */
    bool has_other;    /* the other copy checks too */
    bool is_settled;   /* and says the same */
    bool is_undecided; /* a writing failed */
};

/* Reads the newest identity that checks; memory and page are kept. Nothing is written. HR_NOT_FOUND: neither
 * copy is there; fw_identity_store_replace writes the first. HR_CORRUPT: what is there fails its check.
 * HR_MALFORMED: a format or a field that this firmware does not know. HR_DENIED: made for memory that is
 * divided otherwise. HR_IO: the memory can't be read. */
HR_MUST_USE struct hr_status fw_identity_store_open(struct fw_identity_store *store,
                                                    const struct port_flash *memory,
                                                    uint8_t page[IMAGE_IDENTITY_MAX_BYTES]);

/* Ends a replacement that a cut interrupted; call it before the first use of what was read, keys and
 * certificate among it. Does nothing where both copies are the same. Where one copy can't be written any more
 * the other is enough, and HR_OK. HR_IO: the memory failed while none was certain: is_known is false; open
 * again, and use nothing of it before. */
HR_MUST_USE struct hr_status fw_identity_store_settle(struct fw_identity_store *store);

/* Makes `next` the identity, durable and read back in both copies when it returns HR_OK, and store->image
 * then is it. The sequence in next does not matter. What next borrows may be the store's own page: whoever
 * changes one field copies store->image, changes it, and hands it in; slices of an earlier store->image are
 * stale afterwards. Settles first. Two to four erases of a page each.
 *
 * HR_FULL: it is longer than IMAGE_IDENTITY_MAX_BYTES, or sequences have run out; nothing was written.
 * HR_MALFORMED: a field is out of the range that decoding asks for; the old identity stands, in memory and in
 * store->image. HR_IO with is_known: there are no longer two copies to write, the old identity
 * stands. HR_IO without: the memory failed, the old or the new identity is there, and it has to be opened
 * again before anything is used. */
HR_MUST_USE struct hr_status fw_identity_store_replace(struct fw_identity_store *store,
                                                       const struct image_identity *next);

#endif
