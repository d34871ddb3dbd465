/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/provision_lab.h"

#include "proto/base/assert.h"
#include "proto/image/image.h"
#include "tests/support/test_vectors.h"

#include <string.h>

void provision_write(struct sim_flash *flash, uint32_t address, const char *vector)
{
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    memset(page, 0xFF, sizeof page);
    size_t len_bytes = test_vector(PROVISION_VECTORS, vector, page, sizeof page);
    uint32_t unit = flash->port.program_unit_bytes;
    uint32_t sector_bytes = flash->port.sector_bytes;
    uint32_t left_bytes = ((uint32_t)len_bytes + unit - 1) / unit * unit;
    const uint8_t *from = page;
    while (left_bytes > 0) {
        uint32_t n = left_bytes < sector_bytes ? left_bytes : sector_bytes;
        HR_ASSERT(hr_is_ok(flash->port.program(flash->port.ctx, address, from, n)));
        address += n;
        from += n;
        left_bytes -= n;
    }
}
