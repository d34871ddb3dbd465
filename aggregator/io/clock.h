/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGG_CLOCK_H
#define AGG_CLOCK_H

#include <stdint.h>

/* The aggregator's time, as a port so that cores can be simulated. [any] */
struct agg_clock {
    int64_t (*utc_ms)(void *ctx);        /* Unix milliseconds */
    uint64_t (*monotonic_us)(void *ctx); /* never goes back */
    void *ctx;
};

#endif
