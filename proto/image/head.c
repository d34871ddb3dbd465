/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"
#include "proto/base/cursor.h"
#include "proto/image/internal.h"
#include "proto/image/plan.h"

#include <string.h>

static const struct {
    uint8_t magic[4];
    uint16_t least_bytes;
    uint16_t most_bytes;
} kinds[] = {
    [IMAGE_IDENTITY] = {{'H', 'R', 'I', 'D'}, IMAGE_HEAD_BYTES + IMAGE_CHECK_BYTES, IMAGE_IDENTITY_MAX_BYTES},
    [IMAGE_SEED] = {{'H', 'R', 'S', 'D'}, IMAGE_SEED_PAGE_BYTES, IMAGE_SEED_PAGE_BYTES},
    [IMAGE_PLAN] = {{'H', 'R', 'P', 'L'}, IMAGE_PLAN_FRONT_BYTES + IMAGE_CHECK_BYTES, IMAGE_PLAN_MAX_BYTES},
};

uint32_t image_page_bytes(uint32_t sector_bytes)
{
    return sector_bytes > IMAGE_PAGE_MIN_BYTES ? sector_bytes : IMAGE_PAGE_MIN_BYTES;
}

uint32_t image_identity_address(uint32_t sector_bytes, uint32_t copy)
{
    HR_ASSERT(copy < IMAGE_COPIES);
    return copy * image_page_bytes(sector_bytes);
}

uint32_t image_seed_address(uint32_t sector_bytes, uint32_t copy)
{
    HR_ASSERT(copy < IMAGE_COPIES);
    return (IMAGE_COPIES + copy) * image_page_bytes(sector_bytes);
}

uint32_t image_spool_first_sector(uint32_t sector_bytes)
{
    return IMAGE_SYSTEM_PAGES * (image_page_bytes(sector_bytes) / sector_bytes);
}

uint64_t image_plan_address(const struct image_regions *regions, uint32_t copy)
{
    HR_ASSERT(copy < IMAGE_COPIES);
    return ((uint64_t)regions->spool_first_sector + regions->spool_n_sectors) * regions->sector_bytes +
           (uint64_t)copy * image_page_bytes(regions->sector_bytes);
}

uint64_t image_trust_address(const struct image_regions *regions, uint32_t copy)
{
    return image_plan_address(regions, 0) +
           (uint64_t)(IMAGE_COPIES + copy) * image_page_bytes(regions->sector_bytes);
}

void image_head_write(struct hr_writer *writer, const struct image_head *head)
{
    hr_write_raw(writer, kinds[head->kind].magic, sizeof kinds[head->kind].magic);
    hr_write_u16(writer, IMAGE_FORMAT);
    hr_write_u16(writer, head->len_bytes);
    hr_write_u32(writer, head->sequence);
}

size_t image_page_close(struct image_head *head, uint8_t *page, size_t len_bytes)
{
    head->len_bytes = (uint16_t)len_bytes;
    struct hr_writer writer = hr_writer_over(page, IMAGE_HEAD_BYTES);
    image_head_write(&writer, head);
    writer = hr_writer_over(page + len_bytes - IMAGE_CHECK_BYTES, IMAGE_CHECK_BYTES);
    hr_write_u32(&writer, hr_crc32c(0, page, len_bytes - IMAGE_CHECK_BYTES));
    return len_bytes;
}

struct hr_status image_head_decode(struct hr_bytes head, struct image_head *out)
{
    HR_ASSERT(head.len_bytes >= IMAGE_HEAD_BYTES);
    struct hr_reader reader = hr_reader_over(head);
    uint8_t magic[sizeof kinds[0].magic];
    hr_read_raw(&reader, magic, sizeof magic);
    uint16_t format = hr_read_u16(&reader);
    uint16_t len_bytes = hr_read_u16(&reader);
    uint32_t sequence = hr_read_u32(&reader);
    for (size_t i = 0; i < HR_ARRAY_LEN(kinds); i++) {
        if (memcmp(magic, kinds[i].magic, sizeof magic) != 0) {
            continue;
        }
        if (format != IMAGE_FORMAT || len_bytes < kinds[i].least_bytes || len_bytes > kinds[i].most_bytes ||
            sequence == 0) {
            return hr_status_of(HR_MALFORMED);
        }
        *out = (struct image_head){(enum image_kind)i, len_bytes, sequence};
        return hr_ok();
    }
    return hr_status_of(HR_NOT_FOUND);
}

struct hr_status image_page_open(struct hr_bytes bytes, enum image_kind kind, struct hr_reader *body,
                                 uint32_t *sequence)
{
    struct image_head head;
    if (bytes.len_bytes < IMAGE_HEAD_BYTES) {
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(image_head_decode(bytes, &head));
    if (head.kind != kind) {
        return hr_status_of(HR_NOT_FOUND);
    }
    if (head.len_bytes != bytes.len_bytes) {
        return hr_status_of(HR_MALFORMED);
    }
    size_t checked_bytes = bytes.len_bytes - IMAGE_CHECK_BYTES;
    struct hr_reader check = hr_reader_over(hr_bytes_of(bytes.data + checked_bytes, IMAGE_CHECK_BYTES));
    if (hr_read_u32(&check) != hr_crc32c(0, bytes.data, checked_bytes)) {
        return hr_status_of(HR_CORRUPT);
    }
    *body = hr_reader_over(hr_bytes_of(bytes.data + IMAGE_HEAD_BYTES, checked_bytes - IMAGE_HEAD_BYTES));
    *sequence = head.sequence;
    return hr_ok();
}
