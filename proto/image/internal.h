/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two kinds of pages share: a head in front, a check behind. */
#ifndef IMAGE_INTERNAL_H
#define IMAGE_INTERNAL_H

#include "proto/base/cursor.h"
#include "proto/image/image.h"

enum { IMAGE_FORMAT = 1, IMAGE_CHECK_BYTES = 4 };

enum {
    IMAGE_FLAG_CONSOLE_LOCKED = 1,
    IMAGE_IPV4_FIELD_BYTES = 4 * IMAGE_IPV4_BYTES, /* address, mask, gateway, DNS */
    IMAGE_SWITCH_FIELD_BYTES = 8,                  /* stream, batch */
};

/* Fields behind the regions, each as tag, length in 2 bytes, value; in the order of their tags. */
enum {
    TAG_FLAGS = 1,
    TAG_BOARD,
    TAG_DEVICE_ID,
    TAG_NAME,
    TAG_SITE,
    TAG_KEY_EPOCH,
    TAG_RECORD_KEY,
    TAG_TRANSPORT_KEY,
    TAG_CERTIFICATE,
    TAG_CA,
    TAG_AGGREGATOR,
    TAG_SERVER_NAME,
    TAG_MAC,
    TAG_IPV4,
    TAG_IPV6,
    TAG_SERIAL_BAUD,
    TAG_SEAL_MAX_AGE,
    TAG_SERIAL,
    TAG_STATE,
    TAG_NEXT_RECORD_KEY,
    TAG_OLD_RECORD_KEY,
    TAG_SWITCH,
    TAG_NEXT_TRANSPORT_KEY,
    TAG_NEXT_CERTIFICATE,
    TAG_TRUST,
    TAG_FIRST_STREAM,
};

void image_head_write(struct hr_writer *writer, const struct image_head *head);

/* The page of len_bytes is written but for its length in the head and its check at the end, which stand for
 * themselves: fills in both. Returns len_bytes. */
size_t image_page_close(struct image_head *head, uint8_t *page, size_t len_bytes);

/* Checks a whole page of this kind and gives what stands between head and check. Codes as
 * image_identity_decode. */
HR_MUST_USE struct hr_status image_page_open(struct hr_bytes bytes, enum image_kind kind,
                                             struct hr_reader *body, uint32_t *sequence);

#endif
