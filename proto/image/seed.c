/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"
#include "proto/image/internal.h"

#include <string.h>

void image_seed_encode(const struct image_seed *seed, uint8_t out[IMAGE_SEED_PAGE_BYTES])
{
    HR_ASSERT(seed->sequence != 0 && seed->sequence != UINT32_MAX);
    struct hr_writer writer = hr_writer_over(out, IMAGE_SEED_PAGE_BYTES);
    image_head_write(&writer, &(struct image_head){IMAGE_SEED, IMAGE_SEED_PAGE_BYTES, seed->sequence});
    hr_write_raw(&writer, seed->seed, sizeof seed->seed);
    hr_write_u32(&writer, hr_crc32c(0, out, writer.at));
    HR_ASSERT(hr_writer_ok(&writer) && writer.at == IMAGE_SEED_PAGE_BYTES);
}

struct hr_status image_seed_decode(const uint8_t bytes[IMAGE_SEED_PAGE_BYTES], struct image_seed *out)
{
    struct hr_reader body;
    uint32_t sequence;
    HR_TRY(image_page_open(hr_bytes_of(bytes, IMAGE_SEED_PAGE_BYTES), IMAGE_SEED, &body, &sequence));
    struct hr_bytes seed = hr_read_slice(&body, IMAGE_SEED_BYTES);
    HR_ASSERT(hr_reader_ok(&body) && hr_reader_left(&body) == 0);
    /* Nothing random is one value 48 times; a page that was blanked and given a check is. The last sequence
     * has no successor. */
    if (sequence == UINT32_MAX || memcmp(seed.data, seed.data + 1, seed.len_bytes - 1) == 0) {
        return hr_status_of(HR_MALFORMED);
    }
    out->sequence = sequence;
    memcpy(out->seed, seed.data, sizeof out->seed);
    return hr_ok();
}
