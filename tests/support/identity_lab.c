/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/identity_lab.h"

#include "proto/base/assert.h"

#include <string.h>

enum { N_DER = 4, DER_BYTES = 42 };

static struct hr_bytes der(uint8_t bytes[DER_BYTES], uint64_t device_id, uint8_t place)
{
    memset(bytes, (int)(device_id * N_DER + place), DER_BYTES);
    bytes[0] = 0x30;
    bytes[1] = DER_BYTES - 2;
    return hr_bytes_of(bytes, DER_BYTES);
}

struct image_identity identity_of(const struct sim_flash *flash, uint64_t device_id)
{
    static uint8_t ders[2][N_DER][DER_BYTES];
    uint8_t(*place)[DER_BYTES] = ders[device_id % 2];
    const uint32_t sector_bytes = flash->port.sector_bytes;
    return (struct image_identity){
        .sequence = 1,
        .regions = {.sector_bytes = sector_bytes,
                    .program_unit_bytes = (uint16_t)flash->port.program_unit_bytes,
                    .spool_first_sector = image_spool_first_sector(sector_bytes),
                    .spool_n_sectors = 4},
        .board = "b",
        .device_id = device_id,
        .name = "n",
        .key_epoch = (uint16_t)device_id,
        .record_key = der(place[0], device_id, 0),
        .transport_key = der(place[1], device_id, 1),
        .certificate = der(place[2], device_id, 2),
        .ca = {der(place[3], device_id, 3)},
        .n_ca = 1,
        .aggregators = {"coaps://a"},
        .n_aggregators = 1,
        .server_name = "s",
        .mac = {2, 0, 0, 0, 0, 1},
    };
}

static size_t encode(const struct image_identity *identity, uint8_t out[IMAGE_IDENTITY_MAX_BYTES])
{
    size_t len_bytes = 0;
    HR_ASSERT(hr_is_ok(image_identity_encode(identity, out, IMAGE_IDENTITY_MAX_BYTES, &len_bytes)));
    return len_bytes;
}

bool identity_is(const struct image_identity *a, const struct image_identity *b)
{
    uint8_t pages[2][IMAGE_IDENTITY_MAX_BYTES];
    struct image_identity same = *a;
    same.sequence = b->sequence;
    size_t len_bytes = encode(&same, pages[0]);
    return encode(b, pages[1]) == len_bytes && memcmp(pages[0], pages[1], len_bytes) == 0;
}

void identity_write(struct sim_flash *flash, uint64_t device_id, bool is_even)
{
    const struct port_flash *port = &flash->port;
    struct image_identity identity = identity_of(flash, device_id);
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    for (uint32_t copy = 0; copy < IMAGE_COPIES; copy++) {
        memset(page, 0xFF, sizeof page);
        size_t len_bytes = encode(&identity, page);
        uint32_t unit_bytes = port->program_unit_bytes;
        uint32_t whole_bytes = ((uint32_t)len_bytes + unit_bytes - 1) / unit_bytes * unit_bytes;
        HR_ASSERT(hr_is_ok(
            port->program(port->ctx, image_identity_address(port->sector_bytes, copy), page, whole_bytes)));
        identity.sequence += is_even ? 0 : 1;
    }
    HR_ASSERT(hr_is_ok(port->sync(port->ctx)));
}
