/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"
#include "proto/base/cursor.h"
#include "proto/image/image.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

/* A page that decodes has one encoding, the bytes that it came from. */
static void check(struct hr_bytes page)
{
    struct image_identity identity;
    uint8_t out[IMAGE_IDENTITY_MAX_BYTES];
    size_t out_bytes = 0;
    if (hr_is_ok(image_identity_decode(page, &identity))) {
        HR_ASSERT(hr_is_ok(image_identity_encode(&identity, out, sizeof out, &out_bytes)));
        HR_ASSERT(out_bytes == page.len_bytes && memcmp(out, page.data, out_bytes) == 0);
    }
    struct image_seed seed;
    if (page.len_bytes == IMAGE_SEED_PAGE_BYTES && hr_is_ok(image_seed_decode(page.data, &seed))) {
        image_seed_encode(&seed, out);
        HR_ASSERT(memcmp(out, page.data, IMAGE_SEED_PAGE_BYTES) == 0);
    }
}

/* The input as it is, and with length and check made right, because chance finds neither. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    check(hr_bytes_of(data, len_bytes));
    uint8_t mended[IMAGE_IDENTITY_MAX_BYTES];
    if (len_bytes < IMAGE_HEAD_BYTES + 4 || len_bytes > sizeof mended) {
        return 0;
    }
    memcpy(mended, data, len_bytes);
    mended[6] = (uint8_t)(len_bytes >> 8);
    mended[7] = (uint8_t)len_bytes;
    struct hr_writer writer = hr_writer_over(mended + len_bytes - 4, 4);
    hr_write_u32(&writer, hr_crc32c(0, mended, len_bytes - 4));
    check(hr_bytes_of(mended, len_bytes));
    return 0;
}
