/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/cortex_m/flash_part.h"

#include "proto/base/assert.h"

static uint32_t address_of(const struct port_flash_part *part, uint32_t address, uint32_t len_bytes)
{
    uint32_t part_bytes = part->port.n_sectors * part->port.sector_bytes;
    HR_ASSERT(len_bytes <= part_bytes && address <= part_bytes - len_bytes);
    return part->first_sector * part->port.sector_bytes + address;
}

static struct hr_status part_read(void *ctx, uint32_t address, void *out, uint32_t len_bytes)
{
    const struct port_flash_part *part = ctx;
    return part->whole->read(part->whole->ctx, address_of(part, address, len_bytes), out, len_bytes);
}

static struct hr_status part_program(void *ctx, uint32_t address, const void *data, uint32_t len_bytes)
{
    const struct port_flash_part *part = ctx;
    return part->whole->program(part->whole->ctx, address_of(part, address, len_bytes), data, len_bytes);
}

static struct hr_status part_erase(void *ctx, uint32_t sector)
{
    const struct port_flash_part *part = ctx;
    HR_ASSERT(sector < part->port.n_sectors);
    return part->whole->erase(part->whole->ctx, part->first_sector + sector);
}

static struct hr_status part_sync(void *ctx)
{
    const struct port_flash_part *part = ctx;
    return part->whole->sync(part->whole->ctx);
}

void port_flash_part_init(struct port_flash_part *part, const struct port_flash *whole, uint32_t first_sector,
                          uint32_t n_sectors)
{
    HR_ASSERT(n_sectors <= whole->n_sectors && first_sector <= whole->n_sectors - n_sectors);
    *part = (struct port_flash_part){
        .port = {.sector_bytes = whole->sector_bytes,
                 .n_sectors = n_sectors,
                 .program_unit_bytes = whole->program_unit_bytes,
                 .erased_reads_are_true = whole->erased_reads_are_true,
                 .read = part_read,
                 .program = part_program,
                 .erase = part_erase,
                 .sync = part_sync,
                 .ctx = part},
        .whole = whole,
        .first_sector = first_sector,
    };
}
