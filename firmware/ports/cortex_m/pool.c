/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/cortex_m/pool.h"

#include "proto/base/assert.h"

#include <stdbool.h>
#include <string.h>

/* Memory is counted in units of 8 bytes. Block b has its header in the last 4 bytes before 8 * b + 8, so that
 * what the caller gets is aligned; its first 4 bytes after that are links while it is free. A header in use
 * stands behind the last block and ends it.
 *
 * header: | guard 5 | used 1 | units of the block before 13 | units 13 | */
enum {
    UNIT_BYTES = 8,
    HEADER_BYTES = 4,
    UNITS_BITS = 13,
    GUARD_BITS = 5,
    UNITS_MASK = (1 << UNITS_BITS) - 1,
    NONE = 0xFFFF, /* of links */
};

struct block {
    uint32_t units; /* header included; 0: the end */
    uint32_t before_units;
    bool used;
};

struct links {
    uint16_t before;
    uint16_t after;
};

static uint8_t *header_at(const struct port_pool *pool, uint32_t at)
{
    return pool->memory + (size_t)at * UNIT_BYTES + HEADER_BYTES;
}

static uint32_t guard_of(uint32_t fields, uint32_t at)
{
    return ((fields ^ (at << 16) ^ at) * 0x9E3779B1u) >> (32 - GUARD_BITS);
}

static struct block read_block(const struct port_pool *pool, uint32_t at)
{
    HR_ASSERT(at <= pool->n_units);
    uint32_t header = 0;
    memcpy(&header, header_at(pool, at), sizeof header);
    uint32_t fields = header & ((1u << (32 - GUARD_BITS)) - 1);
    HR_ASSERT(header >> (32 - GUARD_BITS) == guard_of(fields, at));
    return (struct block){.units = fields & UNITS_MASK,
                          .before_units = (fields >> UNITS_BITS) & UNITS_MASK,
                          .used = (fields >> (2 * UNITS_BITS)) != 0};
}

static void write_block(struct port_pool *pool, uint32_t at, struct block block)
{
    uint32_t fields =
        block.units | block.before_units << UNITS_BITS | (uint32_t)block.used << (2 * UNITS_BITS);
    uint32_t header = fields | guard_of(fields, at) << (32 - GUARD_BITS);
    memcpy(header_at(pool, at), &header, sizeof header);
}

static void set_before_units(struct port_pool *pool, uint32_t at, uint32_t before_units)
{
    struct block block = read_block(pool, at);
    block.before_units = before_units;
    write_block(pool, at, block);
}

/* ---- the list of free blocks ---- */

static struct links read_links(const struct port_pool *pool, uint32_t at)
{
    struct links links;
    memcpy(&links, header_at(pool, at) + HEADER_BYTES, sizeof links);
    return links;
}

static void write_links(struct port_pool *pool, uint32_t at, struct links links)
{
    memcpy(header_at(pool, at) + HEADER_BYTES, &links, sizeof links);
}

static void set_link_after(struct port_pool *pool, uint32_t at, uint32_t after)
{
    if (at == NONE) {
        pool->first_free = after;
        return;
    }
    struct links links = read_links(pool, at);
    links.after = (uint16_t)after;
    write_links(pool, at, links);
}

static void set_link_before(struct port_pool *pool, uint32_t at, uint32_t before)
{
    if (at != NONE) {
        struct links links = read_links(pool, at);
        links.before = (uint16_t)before;
        write_links(pool, at, links);
    }
}

static void list_free(struct port_pool *pool, uint32_t at)
{
    write_links(pool, at, (struct links){.before = NONE, .after = (uint16_t)pool->first_free});
    set_link_before(pool, pool->first_free, at);
    pool->first_free = at;
}

static void unlist_free(struct port_pool *pool, uint32_t at)
{
    struct links links = read_links(pool, at);
    set_link_after(pool, links.before, links.after);
    set_link_before(pool, links.after, links.before);
}

/* The smallest free block of so many units; NONE: there is none. */
static uint32_t best_fit(const struct port_pool *pool, uint32_t units)
{
    uint32_t best = NONE;
    uint32_t best_units = UNITS_MASK + 1;
    for (uint32_t at = pool->first_free; at != NONE && best_units != units;) {
        struct block block = read_block(pool, at);
        HR_ASSERT(!block.used);
        if (block.units >= units && block.units < best_units) {
            best = at;
            best_units = block.units;
        }
        at = read_links(pool, at).after;
    }
    return best;
}

/* ---- take and give ---- */

void port_pool_init(struct port_pool *pool, uint8_t *memory, size_t len_bytes)
{
    HR_ASSERT(len_bytes >= 64 && len_bytes <= PORT_POOL_MAX_BYTES && len_bytes % UNIT_BYTES == 0);
    HR_ASSERT((uintptr_t)memory % UNIT_BYTES == 0);
    *pool = (struct port_pool){.n_units = (uint32_t)(len_bytes / UNIT_BYTES - 1), .first_free = NONE};
    pool->memory = memory;
    write_block(pool, 0, (struct block){.units = pool->n_units});
    write_block(pool, pool->n_units, (struct block){.before_units = pool->n_units, .used = true});
    list_free(pool, 0);
}

static uint32_t units_for(size_t len_bytes)
{
    return (uint32_t)((len_bytes + HEADER_BYTES + UNIT_BYTES - 1) / UNIT_BYTES);
}

void *port_pool_take(struct port_pool *pool, size_t len_bytes)
{
    uint32_t units = len_bytes <= PORT_POOL_MAX_BYTES ? units_for(len_bytes) : UNITS_MASK + 1;
    uint32_t at = best_fit(pool, units);
    if (at == NONE) {
        pool->n_refused++;
        return NULL;
    }
    unlist_free(pool, at);
    struct block block = read_block(pool, at);
    uint32_t rest_units = block.units - units;
    if (rest_units != 0) {
        uint32_t rest = at + units;
        write_block(pool, rest, (struct block){.units = rest_units, .before_units = units});
        set_before_units(pool, rest + rest_units, rest_units);
        list_free(pool, rest);
    }
    block.units = units;
    block.used = true;
    write_block(pool, at, block);
    pool->n_blocks++;
    pool->used_bytes += (size_t)units * UNIT_BYTES;
    if (pool->used_bytes > pool->peak_bytes) {
        pool->peak_bytes = pool->used_bytes;
    }
    return header_at(pool, at) + HEADER_BYTES;
}

static uint32_t block_of(const struct port_pool *pool, const void *memory)
{
    uintptr_t offset_bytes = (uintptr_t)memory - (uintptr_t)pool->memory;
    HR_ASSERT(offset_bytes % UNIT_BYTES == 0 && offset_bytes >= UNIT_BYTES &&
              offset_bytes / UNIT_BYTES <= pool->n_units);
    return (uint32_t)(offset_bytes / UNIT_BYTES) - 1;
}

void port_pool_give(struct port_pool *pool, void *memory)
{
    if (memory == NULL) {
        return;
    }
    uint32_t at = block_of(pool, memory);
    struct block block = read_block(pool, at);
    HR_ASSERT(block.used && block.units != 0);
    pool->n_blocks--;
    pool->used_bytes -= (size_t)block.units * UNIT_BYTES;

    struct block next = read_block(pool, at + block.units);
    HR_ASSERT(next.before_units == block.units);
    if (!next.used) {
        unlist_free(pool, at + block.units);
        block.units += next.units;
    }
    if (at != 0) {
        struct block before = read_block(pool, at - block.before_units);
        HR_ASSERT(before.units == block.before_units);
        if (!before.used) {
            at -= before.units;
            unlist_free(pool, at);
            before.units += block.units;
            block = before;
        }
    }
    block.used = false;
    write_block(pool, at, block);
    set_before_units(pool, at + block.units, block.units);
    list_free(pool, at);
}

void *port_pool_resize(struct port_pool *pool, void *memory, size_t len_bytes)
{
    void *moved = port_pool_take(pool, len_bytes);
    if (moved != NULL && memory != NULL) {
        size_t held_bytes =
            (size_t)read_block(pool, block_of(pool, memory)).units * UNIT_BYTES - HEADER_BYTES;
        memcpy(moved, memory, held_bytes < len_bytes ? held_bytes : len_bytes);
        port_pool_give(pool, memory);
    }
    return moved;
}

/* ---- looking ---- */

void port_pool_check(const struct port_pool *pool)
{
    uint32_t before_units = 0;
    uint32_t n_blocks = 0;
    uint32_t n_free = 0;
    bool before_used = true;
    for (uint32_t at = 0; at < pool->n_units;) {
        struct block block = read_block(pool, at);
        HR_ASSERT(block.units != 0 && block.before_units == before_units && (before_used || block.used));
        n_blocks += block.used;
        n_free += !block.used;
        before_units = block.units;
        before_used = block.used;
        at += block.units;
    }
    HR_ASSERT(read_block(pool, pool->n_units).before_units == before_units && n_blocks == pool->n_blocks);
    uint32_t before = NONE;
    for (uint32_t at = pool->first_free; at != NONE; at = read_links(pool, at).after) {
        HR_ASSERT(n_free-- > 0 && !read_block(pool, at).used && read_links(pool, at).before == before);
        before = at;
    }
    HR_ASSERT(n_free == 0);
}

void port_pool_state_of(const struct port_pool *pool, struct port_pool_state *out)
{
    uint32_t largest_units = 0;
    for (uint32_t at = pool->first_free; at != NONE; at = read_links(pool, at).after) {
        uint32_t units = read_block(pool, at).units;
        largest_units = units > largest_units ? units : largest_units;
    }
    *out = (struct port_pool_state){
        .capacity_bytes = (size_t)pool->n_units * UNIT_BYTES,
        .used_bytes = pool->used_bytes,
        .peak_bytes = pool->peak_bytes,
        .largest_free_bytes = largest_units == 0 ? 0 : (size_t)largest_units * UNIT_BYTES - HEADER_BYTES,
        .blocks = pool->n_blocks,
        .refused = pool->n_refused,
    };
}
