/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_RANDOM_H
#define PORT_RANDOM_H

#include <stdint.h>

/* 32 bits for jitter and identifiers, not for keys. A simulation gives a seeded sequence. [any] */
struct port_random {
    uint32_t (*u32)(void *ctx);
    void *ctx;
};

static inline uint32_t port_random_u32(const struct port_random *random)
{
    return random->u32(random->ctx);
}

#endif
