/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes from an interrupt to the loop: one writer, one reader, no lock. Both counters run on for ever; their
 * difference is what stands in the ring. */
#ifndef BOARD_RING_H
#define BOARD_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board_ring {
    uint8_t *bytes;            /* kept */
    uint32_t capacity_bytes;   /* a power of two */
    volatile uint32_t n_put;   /* of the writer */
    volatile uint32_t n_taken; /* of the reader */
};

/* [isr] */
static inline bool board_ring_is_full(const struct board_ring *ring)
{
    return ring->n_put - ring->n_taken == ring->capacity_bytes;
}

/* Puts one byte; the ring is not full. [isr] */
static inline void board_ring_put(struct board_ring *ring, uint8_t byte)
{
    uint32_t at = ring->n_put;
    ring->bytes[at & (ring->capacity_bytes - 1)] = byte;
    ring->n_put = at + 1;
}

/* Takes at most capacity_bytes, the oldest first; 0: the ring is empty. [loop] */
size_t board_ring_take(struct board_ring *ring, uint8_t *out, size_t capacity_bytes);

#endif
