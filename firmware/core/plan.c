/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/plan.h"
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"

enum { BLOCK_BYTES = 64 };

static struct hr_status read_plan(const struct fw_plan *plan, uint32_t at, void *out, uint32_t len_bytes)
{
    return plan->memory->read(plan->memory->ctx, plan->address + at, out, len_bytes);
}

static struct hr_status check_page(const struct fw_plan *plan)
{
    const uint32_t checked_bytes = plan->front.len_bytes - (uint32_t)IMAGE_PLAN_CHECK_BYTES;
    uint8_t block[BLOCK_BYTES];
    uint32_t crc = 0;
    for (uint32_t at = 0; at < checked_bytes; at += sizeof block) {
        uint32_t left_bytes = checked_bytes - at;
        uint32_t len_bytes = left_bytes < sizeof block ? left_bytes : sizeof block;
        HR_TRY(read_plan(plan, at, block, len_bytes));
        crc = hr_crc32c(crc, block, len_bytes);
    }
    HR_TRY(read_plan(plan, checked_bytes, block, IMAGE_PLAN_CHECK_BYTES));
    struct hr_reader check = hr_reader_over(hr_bytes_of(block, IMAGE_PLAN_CHECK_BYTES));
    return hr_read_u32(&check) == crc ? hr_ok() : hr_status_of(HR_CORRUPT);
}

/* Every entry once, and nothing behind the last. */
static struct hr_status check_entries(const struct fw_plan *plan)
{
    struct fw_plan_cursor cursor;
    struct image_plan_unit unit;
    struct image_plan_point points[2]; /* one and the one before it */
    fw_plan_rewind(&cursor);
    for (uint32_t i = 0; i < plan->front.n_units; i++) {
        HR_TRY(fw_plan_unit(plan, &cursor, &unit));
    }
    for (uint32_t i = 0; i < plan->front.n_points; i++) {
        struct image_plan_point *point = &points[i % 2];
        HR_TRY(fw_plan_point(plan, &cursor, point));
        if (!image_plan_point_follows(&plan->front, i == 0 ? NULL : &points[1 - i % 2], point)) {
            return hr_status_of(HR_MALFORMED);
        }
    }
    bool is_whole = cursor.at + (uint32_t)IMAGE_PLAN_CHECK_BYTES == plan->front.len_bytes;
    return is_whole ? hr_ok() : hr_status_of(HR_MALFORMED);
}

static struct hr_status check_copy(struct fw_plan *plan)
{
    uint8_t front[IMAGE_PLAN_FRONT_BYTES];
    HR_TRY(read_plan(plan, 0, front, sizeof front));
    HR_TRY(image_plan_front_decode(front, &plan->front));
    HR_TRY(check_page(plan));
    return check_entries(plan);
}

struct hr_status fw_plan_find(const struct port_flash *memory, const struct image_regions *regions,
                              struct fw_plan *out)
{
    const uint64_t memory_bytes = (uint64_t)memory->n_sectors * memory->sector_bytes;
    struct hr_status status = hr_status_of(HR_NOT_FOUND);
    for (uint32_t copy = 0; copy < IMAGE_COPIES; copy++) {
        uint64_t address = image_plan_address(regions, copy);
        if (address + image_page_bytes(regions->sector_bytes) > memory_bytes) {
            break;
        }
        struct fw_plan plan = {.memory = memory, .address = (uint32_t)address};
        struct hr_status one = check_copy(&plan);
        if (hr_is_ok(one)) {
            *out = plan;
            return one;
        }
        status = hr_is(status, HR_NOT_FOUND) ? one : status;
    }
    return status;
}

void fw_plan_rewind(struct fw_plan_cursor *cursor)
{
    cursor->at = IMAGE_PLAN_FRONT_BYTES;
}

/* What stands at the cursor, up to the check: one entry, and usually more. */
static struct hr_status fill_window(const struct fw_plan *plan, struct fw_plan_cursor *cursor,
                                    struct hr_reader *out)
{
    const uint32_t end = plan->front.len_bytes - (uint32_t)IMAGE_PLAN_CHECK_BYTES;
    uint32_t left_bytes = cursor->at < end ? end - cursor->at : 0;
    uint32_t len_bytes = left_bytes < sizeof cursor->window ? left_bytes : sizeof cursor->window;
    HR_TRY(read_plan(plan, cursor->at, cursor->window, len_bytes));
    *out = hr_reader_over(hr_bytes_of(cursor->window, len_bytes));
    return hr_ok();
}

struct hr_status fw_plan_unit(const struct fw_plan *plan, struct fw_plan_cursor *cursor,
                              struct image_plan_unit *out)
{
    struct hr_reader reader;
    HR_TRY(fill_window(plan, cursor, &reader));
    HR_TRY(image_plan_unit_decode(&reader, out));
    cursor->at += (uint32_t)reader.at;
    return hr_ok();
}

struct hr_status fw_plan_point(const struct fw_plan *plan, struct fw_plan_cursor *cursor,
                               struct image_plan_point *out)
{
    struct hr_reader reader;
    HR_TRY(fill_window(plan, cursor, &reader));
    HR_TRY(image_plan_point_decode(&reader, out));
    cursor->at += (uint32_t)reader.at;
    return hr_ok();
}
