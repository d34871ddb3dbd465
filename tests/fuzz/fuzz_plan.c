/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the page of a poll plan. Its length and check are put right, so that the entries are reached:
 * what is found is in its ranges and, written again, has the same bytes. */
#include "firmware/core/plan.h"
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"

#include <string.h>

enum { SECTOR_BYTES = 4096, N_SECTORS = 10, LEN_AT = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static const struct image_regions regions = {SECTOR_BYTES, 8, 4, 4};
static uint8_t memory_bytes[N_SECTORS * SECTOR_BYTES];
/* Texts of entries are borrowed from the cursor, so each keeps one of its own. */
static struct fw_plan_cursor cursors[IMAGE_PLAN_MAX_UNITS + IMAGE_PLAN_MAX_POINTS + 1];

static struct hr_status read_bytes(void *ctx, uint32_t address, void *out, uint32_t n_bytes)
{
    (void)ctx;
    HR_ASSERT((uint64_t)address + n_bytes <= sizeof memory_bytes);
    memcpy(out, memory_bytes + address, n_bytes);
    return hr_ok();
}

static void write_again(const struct fw_plan *plan, const uint8_t *page)
{
    struct image_plan_unit units[IMAGE_PLAN_MAX_UNITS];
    struct image_plan_point points[IMAGE_PLAN_MAX_POINTS];
    uint8_t out[IMAGE_PLAN_MAX_BYTES];
    size_t out_bytes = 0;
    struct fw_plan_cursor *cursor = cursors;
    fw_plan_rewind(cursor);
    for (size_t i = 0; i < plan->front.n_units; i++, cursor++) {
        HR_ASSERT(hr_is_ok(fw_plan_unit(plan, cursor, &units[i])));
        cursor[1].at = cursor->at;
    }
    for (size_t i = 0; i < plan->front.n_points; i++, cursor++) {
        HR_ASSERT(hr_is_ok(fw_plan_point(plan, cursor, &points[i])));
        cursor[1].at = cursor->at;
    }
    const struct image_plan content = {.sequence = plan->front.sequence,
                                       .baud = plan->front.baud,
                                       .n_units = plan->front.n_units,
                                       .n_points = plan->front.n_points,
                                       .units = units,
                                       .points = points};
    struct hr_status status = image_plan_encode(&content, out, sizeof out, &out_bytes);
    /* The writer also looks for units that are there twice, and at what scale points are. */
    HR_ASSERT(hr_is(status, HR_MALFORMED) ||
              (hr_is_ok(status) && out_bytes == plan->front.len_bytes && memcmp(out, page, out_bytes) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    const struct port_flash memory = {
        .sector_bytes = SECTOR_BYTES, .n_sectors = N_SECTORS, .program_unit_bytes = 8, .read = read_bytes};
    uint8_t *page = memory_bytes + image_plan_address(&regions, 0);
    struct fw_plan plan;
    if (len_bytes < IMAGE_PLAN_FRONT_BYTES + IMAGE_PLAN_CHECK_BYTES || len_bytes > IMAGE_PLAN_MAX_BYTES) {
        return 0;
    }
    memset(memory_bytes, 0xFF, sizeof memory_bytes);
    memcpy(page, data, len_bytes);
    struct hr_writer writer = hr_writer_over(page + LEN_AT, 2);
    hr_write_u16(&writer, (uint16_t)len_bytes);
    const size_t checked_bytes = len_bytes - IMAGE_PLAN_CHECK_BYTES;
    writer = hr_writer_over(page + checked_bytes, IMAGE_PLAN_CHECK_BYTES);
    hr_write_u32(&writer, hr_crc32c(0, page, checked_bytes));
    if (hr_is_ok(fw_plan_find(&memory, &regions, &plan))) {
        write_again(&plan, page);
    }
    return 0;
}
