/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/ring.h"

size_t board_ring_take(struct board_ring *ring, uint8_t *out, size_t capacity_bytes)
{
    uint32_t from = ring->n_taken;
    uint32_t waiting = ring->n_put - from;
    uint32_t len_bytes = waiting < capacity_bytes ? waiting : (uint32_t)capacity_bytes;
    for (uint32_t i = 0; i < len_bytes; i++) {
        out[i] = ring->bytes[(from + i) & (ring->capacity_bytes - 1)];
    }
    /* Only now may the interrupt write over them; both sides are volatile, and a Cortex-M3 keeps the order.
     */
    __asm volatile("" ::: "memory");
    ring->n_taken = from + len_bytes;
    return len_bytes;
}
