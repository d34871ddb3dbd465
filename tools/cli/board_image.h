/* SPDX-License-Identifier: Apache-2.0
 *
 * The image of a board's memory, read from a file: what `headrace device enrol --board` wrote, or what a
 * board has made of it since. */
#ifndef CLI_BOARD_IMAGE_H
#define CLI_BOARD_IMAGE_H

#include "proto/image/image.h"

struct cli_board_image {
    struct image_identity identity; /* borrows from page */
    uint32_t n_copies;              /* of the identity that check */
    uint32_t n_seeds;               /* that check; 0: the device opens no session */
    uint32_t seed_sequence;         /* of the newest */
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
};

/* Reads the file that is open at fd and has file_bytes. HR_NOT_FOUND: it holds no identity. HR_CORRUPT: one
 * that fails its check, or whose regions are not in the file. HR_MALFORMED: of a format that this tool does
 * not know. HR_IO. Nothing is told. */
HR_MUST_USE struct hr_status cli_board_image_read(int fd, uint64_t file_bytes, struct cli_board_image *out);

#endif
