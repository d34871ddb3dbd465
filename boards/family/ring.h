/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes from an interrupt to the loop: one writer, one reader, no lock. One place stays empty, so that full
 * and empty can be told apart. */
#ifndef BOARD_RING_H
#define BOARD_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board_ring {
    uint8_t *bytes;            /* kept */
    uint32_t n_places;         /* one more than it holds */
    volatile uint32_t put_at;  /* of the writer */
    volatile uint32_t take_at; /* of the reader */
};

static inline uint32_t board_ring_behind(const struct board_ring *ring, uint32_t at)
{
    return at + 1 == ring->n_places ? 0 : at + 1;
}

/* [isr] */
static inline bool board_ring_is_full(const struct board_ring *ring)
{
    return board_ring_behind(ring, ring->put_at) == ring->take_at;
}

/* Puts one byte; the ring is not full. [isr] */
static inline void board_ring_put(struct board_ring *ring, uint8_t byte)
{
    uint32_t at = ring->put_at;
    ring->bytes[at] = byte;
    ring->put_at = board_ring_behind(ring, at);
}

/* Takes at most capacity_bytes, the oldest first; 0: the ring is empty. [loop] */
size_t board_ring_take(struct board_ring *ring, uint8_t *out, size_t capacity_bytes);

#endif
