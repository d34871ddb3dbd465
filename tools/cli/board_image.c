/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/board_image.h"

#include <unistd.h>

/* Page sizes that there may be: a page is a sector where that is larger. */
enum { SECTOR_MAX_BYTES = 1024 * 1024 };

static struct hr_status read_page(int fd, uint32_t address, enum image_kind kind,
                                  uint8_t page[IMAGE_IDENTITY_MAX_BYTES], struct image_head *head)
{
    ssize_t n = pread(fd, page, IMAGE_IDENTITY_MAX_BYTES, (off_t)address);
    if (n < 0) {
        return hr_status_of(HR_IO);
    }
    if (n < IMAGE_HEAD_BYTES) {
        return hr_status_of(HR_NOT_FOUND);
    }
    HR_TRY(image_head_decode(hr_bytes_of(page, (size_t)n), head));
    if (head->kind != kind) {
        return hr_status_of(HR_NOT_FOUND);
    }
    return head->len_bytes <= n ? hr_ok() : hr_status_of(HR_CORRUPT);
}

static bool fits_file(const struct image_regions *regions, uint64_t file_bytes)
{
    return ((uint64_t)regions->spool_first_sector + regions->spool_n_sectors) * regions->sector_bytes <=
           file_bytes;
}

/* Reads the identity at the address into out when it is newer than what out has; *status becomes HR_OK, or,
 * while nothing was found, what speaks against this one. */
static void try_identity(int fd, uint32_t address, uint64_t file_bytes, struct cli_board_image *out,
                         struct hr_status *status)
{
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    struct image_head head;
    struct image_identity identity;
    struct hr_status one = read_page(fd, address, IMAGE_IDENTITY, page, &head);
    if (hr_is_ok(one)) {
        one = image_identity_decode(hr_bytes_of(page, head.len_bytes), &identity);
    }
    if (hr_is_ok(one) && (!fits_file(&identity.regions, file_bytes) ||
                          (address != 0 && address != image_page_bytes(identity.regions.sector_bytes)))) {
        one = hr_status_of(HR_CORRUPT);
    }
    if (!hr_is_ok(one)) {
        *status = hr_is(*status, HR_NOT_FOUND) ? one : *status;
        return;
    }
    if (!hr_is_ok(*status) || head.sequence > out->identity.sequence) {
        for (size_t i = 0; i < head.len_bytes; i++) {
            out->page[i] = page[i];
        }
        /* It decoded a moment ago; now it borrows from the bytes that stay. */
        hr_ignore(image_identity_decode(hr_bytes_of(out->page, head.len_bytes), &out->identity));
    }
    *status = hr_ok();
    out->n_copies++;
}

static void read_seeds(int fd, struct cli_board_image *out)
{
    for (uint32_t copy = 0; copy < IMAGE_COPIES; copy++) {
        uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
        struct image_head head;
        struct image_seed seed;
        uint32_t address = image_seed_address(out->identity.regions.sector_bytes, copy);
        if (hr_is_ok(read_page(fd, address, IMAGE_SEED, page, &head)) &&
            hr_is_ok(image_seed_decode(page, &seed))) {
            out->n_seeds++;
            out->seed_sequence = seed.sequence > out->seed_sequence ? seed.sequence : out->seed_sequence;
        }
    }
}

struct hr_status cli_board_image_read(int fd, uint64_t file_bytes, struct cli_board_image *out)
{
    struct hr_status status = hr_status_of(HR_NOT_FOUND);
    out->n_copies = 0;
    out->n_seeds = 0;
    out->seed_sequence = 0;
    try_identity(fd, 0, file_bytes, out, &status);
    for (uint32_t page = IMAGE_PAGE_MIN_BYTES; page <= SECTOR_MAX_BYTES && page < file_bytes; page *= 2) {
        try_identity(fd, page, file_bytes, out, &status);
    }
    HR_TRY(status);
    read_seeds(fd, out);
    return hr_ok();
}
