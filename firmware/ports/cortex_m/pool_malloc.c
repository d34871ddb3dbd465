/* SPDX-License-Identifier: Apache-2.0
 *
 * The malloc family of a board, and newlib's own way to it: all is the one pool. Were a function of it left
 * out, the linker would take newlib's, which wants a heap that a board does not have. */
#include "firmware/ports/cortex_m/pool.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static struct port_pool *the_pool(void)
{
    static struct port_pool pool;
    static _Alignas(8) uint8_t memory[PORT_POOL_BYTES];
    if (pool.memory == NULL) {
        port_pool_init(&pool, memory, sizeof memory);
    }
    return &pool;
}

void port_pool_state(struct port_pool_state *out)
{
    port_pool_state_of(the_pool(), out);
}

void *malloc(size_t len_bytes)
{
    return port_pool_take(the_pool(), len_bytes);
}

void *calloc(size_t count, size_t each_bytes)
{
    size_t len_bytes = 0;
    if (__builtin_mul_overflow(count, each_bytes, &len_bytes)) {
        return NULL;
    }
    void *memory = port_pool_take(the_pool(), len_bytes);
    if (memory != NULL) {
        memset(memory, 0, len_bytes);
    }
    return memory;
}

void *realloc(void *memory, size_t len_bytes)
{
    return port_pool_resize(the_pool(), memory, len_bytes);
}

void free(void *memory)
{
    port_pool_give(the_pool(), memory);
}

void *_malloc_r(struct _reent *unused, size_t len_bytes)
{
    (void)unused;
    return malloc(len_bytes);
}

void *_calloc_r(struct _reent *unused, size_t count, size_t each_bytes)
{
    (void)unused;
    return calloc(count, each_bytes);
}

void *_realloc_r(struct _reent *unused, void *memory, size_t len_bytes)
{
    (void)unused;
    return realloc(memory, len_bytes);
}

void _free_r(struct _reent *unused, void *memory)
{
    (void)unused;
    free(memory);
}
