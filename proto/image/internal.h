/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two kinds of pages share: a head in front, a check behind. */
#ifndef IMAGE_INTERNAL_H
#define IMAGE_INTERNAL_H

#include "proto/base/cursor.h"
#include "proto/image/image.h"

enum { IMAGE_FORMAT = 1, IMAGE_CHECK_BYTES = 4 };

void image_head_write(struct hr_writer *writer, const struct image_head *head);

/* The page of len_bytes is written but for its length in the head and its check at the end, which stand for
 * themselves: fills in both. Returns len_bytes. */
size_t image_page_close(struct image_head *head, uint8_t *page, size_t len_bytes);

/* Checks a whole page of this kind and gives what stands between head and check. Codes as
 * image_identity_decode. */
HR_MUST_USE struct hr_status image_page_open(struct hr_bytes bytes, enum image_kind kind,
                                             struct hr_reader *body, uint32_t *sequence);

#endif
