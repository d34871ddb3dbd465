/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/provision.h"

#include "proto/base/assert.h"
#include "proto/base/wipe.h"

#include <string.h>

/* The seed for this boot and the one for the next are hashes of the one in memory under different labels:
 * neither tells the other, nor the one that they come from. */
enum seed_use { SEED_OF_THIS_BOOT = 1, SEED_OF_THE_NEXT = 2 };

static void derive(const struct wire_hash *hash, const uint8_t from[IMAGE_SEED_BYTES], enum seed_use use,
                   uint8_t out[IMAGE_SEED_BYTES])
{
    static const char domain[] = "headrace.seed.v1";
    uint8_t digest[WIRE_DIGEST_BYTES];
    for (size_t at = 0; at < IMAGE_SEED_BYTES; at += sizeof digest) {
        const uint8_t label[] = {(uint8_t)use, (uint8_t)(at / sizeof digest)};
        const struct hr_bytes parts[] = {hr_bytes_of(domain, sizeof domain - 1),
                                         hr_bytes_of(label, sizeof label),
                                         hr_bytes_of(from, IMAGE_SEED_BYTES)};
        wire_sha256(hash, parts, HR_ARRAY_LEN(parts), digest);
        size_t left_bytes = IMAGE_SEED_BYTES - at;
        memcpy(out + at, digest, left_bytes < sizeof digest ? left_bytes : sizeof digest);
    }
    hr_wipe(digest, sizeof digest);
}

/* HR_IO: the copy can't be read. HR_NOT_FOUND: it is no seed. */
static struct hr_status read_seed(const struct port_flash *memory, uint32_t copy, struct image_seed *out)
{
    uint8_t page[IMAGE_SEED_PAGE_BYTES];
    struct hr_status status =
        memory->read(memory->ctx, image_seed_address(memory->sector_bytes, copy), page, sizeof page);
    if (hr_is_ok(status) && !hr_is_ok(image_seed_decode(page, out))) {
        status = hr_status_of(HR_NOT_FOUND);
    }
    hr_wipe(page, sizeof page);
    return status;
}

/* The newest seed that checks; where there is none, HR_IO if a copy could not be read, else HR_NOT_FOUND. */
static struct hr_status newest_seed(const struct port_flash *memory, struct image_seed *out, uint32_t *copy)
{
    struct hr_status result = hr_status_of(HR_NOT_FOUND);
    struct image_seed seed;
    for (uint32_t i = 0; i < IMAGE_COPIES; i++) {
        struct hr_status one = read_seed(memory, i, &seed);
        if (hr_is_ok(one) && (!hr_is_ok(result) || seed.sequence > out->sequence)) {
            *out = seed;
            *copy = i;
            result = one;
        } else if (hr_is(one, HR_IO) && !hr_is_ok(result)) {
            result = one;
        }
    }
    hr_wipe(&seed, sizeof seed);
    return result;
}

static struct hr_status wipe_seed(const struct port_flash *memory, uint32_t copy)
{
    uint32_t address = image_seed_address(memory->sector_bytes, copy);
    HR_TRY(memory->erase(memory->ctx, address / memory->sector_bytes));
    return memory->sync(memory->ctx);
}

/* `read` is room for what comes back. */
static struct hr_status write_page(const struct port_flash *memory, uint32_t copy,
                                   const uint8_t page[IMAGE_SEED_PAGE_BYTES],
                                   uint8_t read[IMAGE_SEED_PAGE_BYTES])
{
    uint32_t address = image_seed_address(memory->sector_bytes, copy);
    HR_TRY(wipe_seed(memory, copy));
    HR_TRY(memory->program(memory->ctx, address, page, IMAGE_SEED_PAGE_BYTES));
    HR_TRY(memory->sync(memory->ctx));
    HR_TRY(memory->read(memory->ctx, address, read, IMAGE_SEED_PAGE_BYTES));
    return memcmp(page, read, IMAGE_SEED_PAGE_BYTES) == 0 ? hr_ok() : hr_status_of(HR_IO);
}

static struct hr_status write_seed(const struct port_flash *memory, uint32_t copy,
                                   const struct image_seed *seed)
{
    uint8_t page[IMAGE_SEED_PAGE_BYTES];
    uint8_t read[IMAGE_SEED_PAGE_BYTES];
    image_seed_encode(seed, page);
    struct hr_status status = write_page(memory, copy, page, read);
    hr_wipe(page, sizeof page);
    hr_wipe(read, sizeof read);
    return status;
}

/* Makes the successor of the seed in `copy` durable before the seed is wiped there. */
static struct hr_status replace_seed(const struct port_flash *memory, const struct wire_hash *hash,
                                     uint32_t copy, const struct image_seed *seed)
{
    struct image_seed next = {.sequence = seed->sequence + 1};
    if (next.sequence == UINT32_MAX) {
        return hr_status_of(HR_NOT_FOUND);
    }
    derive(hash, seed->seed, SEED_OF_THE_NEXT, next.seed);
    struct hr_status status = write_seed(memory, IMAGE_COPIES - 1 - copy, &next);
    hr_wipe(&next, sizeof next);
    return hr_is_ok(status) ? wipe_seed(memory, copy) : status;
}

struct hr_status fw_seed_take(const struct port_flash *memory, const struct wire_hash *hash,
                              uint8_t out[IMAGE_SEED_BYTES])
{
    HR_ASSERT(IMAGE_SEED_PAGE_BYTES % memory->program_unit_bytes == 0);
    struct image_seed seed;
    uint32_t copy = 0;
    HR_TRY(newest_seed(memory, &seed, &copy));
    /* The seed is wiped in memory before it is used: a cut in between leaves at least one, and none that was
     * used. */
    struct hr_status status = replace_seed(memory, hash, copy, &seed);
    if (hr_is_ok(status)) {
        derive(hash, seed.seed, SEED_OF_THIS_BOOT, out);
    }
    hr_wipe(&seed, sizeof seed);
    return status;
}

static bool regions_fit(const struct image_regions *regions, const struct port_flash *memory)
{
    return regions->sector_bytes == memory->sector_bytes &&
           regions->program_unit_bytes == memory->program_unit_bytes &&
           regions->spool_first_sector <= memory->n_sectors &&
           regions->spool_n_sectors <= memory->n_sectors - regions->spool_first_sector;
}

/* What the head of a copy says. */
static struct hr_status read_head(const struct port_flash *memory, uint32_t copy, struct image_head *out)
{
    uint8_t bytes[IMAGE_HEAD_BYTES];
    HR_TRY(
        memory->read(memory->ctx, image_identity_address(memory->sector_bytes, copy), bytes, sizeof bytes));
    HR_TRY(image_head_decode(hr_bytes_of(bytes, sizeof bytes), out));
    return out->kind == IMAGE_IDENTITY ? hr_ok() : hr_status_of(HR_NOT_FOUND);
}

struct hr_status fw_identity_read_copy(const struct port_flash *memory, uint32_t copy,
                                       uint8_t page[IMAGE_IDENTITY_MAX_BYTES], struct image_identity *out,
                                       uint16_t *len_bytes)
{
    struct image_head head = {.sequence = 0};
    HR_TRY(read_head(memory, copy, &head));
    HR_TRY(
        memory->read(memory->ctx, image_identity_address(memory->sector_bytes, copy), page, head.len_bytes));
    HR_TRY(image_identity_decode(hr_bytes_of(page, head.len_bytes), out));
    *len_bytes = head.len_bytes;
    return regions_fit(&out->regions, memory) ? hr_ok() : hr_status_of(HR_DENIED);
}

/* Of two failures the one that says more. */
static struct hr_status worse(struct hr_status a, struct hr_status b)
{
    return hr_is(a, HR_NOT_FOUND) ? b : a;
}

struct hr_status fw_identity_find(const struct port_flash *memory, uint8_t page[IMAGE_IDENTITY_MAX_BYTES],
                                  struct image_identity *out, uint32_t *copy)
{
    struct image_head heads[IMAGE_COPIES] = {{.sequence = 0}};
    struct hr_status status = hr_status_of(HR_NOT_FOUND);
    for (uint32_t i = 0; i < IMAGE_COPIES; i++) {
        struct hr_status one = read_head(memory, i, &heads[i]);
        if (!hr_is_ok(one)) {
            heads[i].sequence = 0;
            status = worse(status, one);
        }
    }
    uint32_t first = heads[1].sequence > heads[0].sequence ? 1 : 0;
    for (uint32_t n = 0; n < IMAGE_COPIES; n++) {
        uint32_t i = n == 0 ? first : 1 - first;
        if (heads[i].sequence == 0) {
            continue;
        }
        uint16_t len_bytes = 0;
        struct hr_status one = fw_identity_read_copy(memory, i, page, out, &len_bytes);
        if (hr_is_ok(one)) {
            *copy = i;
            return one;
        }
        status = worse(status, one);
    }
    return status;
}

struct hr_status fw_identity_read(const struct port_flash *memory, uint8_t page[IMAGE_IDENTITY_MAX_BYTES],
                                  struct image_identity *out)
{
    uint32_t copy = 0;
    return fw_identity_find(memory, page, out, &copy);
}
