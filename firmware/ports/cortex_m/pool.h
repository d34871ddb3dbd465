/* SPDX-License-Identifier: Apache-2.0
 *
 * A fixed pool of memory. On a board there is one, and the malloc family is it (pool_malloc.c): for libcoap
 * and mbedTLS, which allocate while a session is set up. Nothing else allocates, and when it is full the
 * session fails and nothing else.
 *
 * Best fit over a list of what is free, with neighbours joined at once, so that sessions that are alike leave
 * no crumbs. Addresses are multiples of 8. Each block has 4 bytes of header, which are checked whenever they
 * are met: an overrun or a second free ends in an assert. A call takes time in proportion to the number of
 * free blocks, a dozen. [loop] */
#ifndef PORT_POOL_H
#define PORT_POOL_H

#include <stddef.h>
#include <stdint.h>

enum { PORT_POOL_MAX_BYTES = 65528 };

/* Members are private. */
struct port_pool {
    uint8_t *memory;
    uint32_t n_units;
    uint32_t first_free;
    size_t used_bytes;
    size_t peak_bytes;
    uint32_t n_blocks;
    uint32_t n_refused;
};

/* memory is kept: len_bytes a multiple of 8, 64 to PORT_POOL_MAX_BYTES, at an address that is one too. */
void port_pool_init(struct port_pool *pool, uint8_t *memory, size_t len_bytes);
/* NULL: there is no free run so long; it is counted. len_bytes may be 0. */
void *port_pool_take(struct port_pool *pool, size_t len_bytes);
/* NULL is nothing to give back. */
void port_pool_give(struct port_pool *pool, void *memory);
/* The same bytes in a block of another length, the old one given back. NULL: no room, and the old one stays.
 */
void *port_pool_resize(struct port_pool *pool, void *memory, size_t len_bytes);
/* Walks all of it and asserts that it is whole. */
void port_pool_check(const struct port_pool *pool);

struct port_pool_state {
    size_t capacity_bytes;
    size_t used_bytes; /* headers included */
    size_t peak_bytes; /* the most that was ever used */
    size_t largest_free_bytes;
    uint32_t blocks;
    uint32_t refused; /* allocations that found no room */
};

void port_pool_state_of(const struct port_pool *pool, struct port_pool_state *out);

/* Of the board's one pool. */
void port_pool_state(struct port_pool_state *out);

#endif
