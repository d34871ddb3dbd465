/* SPDX-License-Identifier: Apache-2.0
 *
 * Monotonic time since this boot. The core has no other clock: UTC reaches it only as time anchors. */
#ifndef PORT_CLOCK_H
#define PORT_CLOCK_H

#include <stdint.h>

struct port_clock {
    /* Milliseconds since some moment of this boot; never goes back, never wraps in 48 bits. [any] */
    uint64_t (*uptime_ms)(void *ctx);
    void *ctx;
};

static inline uint64_t port_uptime_ms(const struct port_clock *clock)
{
    return clock->uptime_ms(clock->ctx);
}

#endif
