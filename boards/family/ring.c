/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/ring.h"

size_t board_ring_take(struct board_ring *ring, uint8_t *out, size_t capacity_bytes)
{
    const uint32_t end = ring->put_at;
    uint32_t at = ring->take_at;
    size_t len_bytes = 0;
    while (at != end && len_bytes < capacity_bytes) {
        out[len_bytes++] = ring->bytes[at];
        at = board_ring_behind(ring, at);
    }
    /* Only now may the interrupt write over them: the compiler keeps the order here, and a Cortex-M3 always
     * does. */
    __asm volatile("" ::: "memory");
    ring->take_at = at;
    return len_bytes;
}
