/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/host.h"

#include "proto/base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timex.h>
#include <time.h>

static uint64_t uptime_ms(void *ctx)
{
    (void)ctx;
    struct timespec now;
    HR_ASSERT(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint32_t random_u32(void *ctx)
{
    (void)ctx;
    uint32_t value = 0;
    ssize_t got = 0;
    do {
        got = getrandom(&value, sizeof value, 0);
    } while (got < 0 && errno == EINTR);
    /* Four bytes are never given in part, and blocking ends when the kernel is seeded. */
    HR_ASSERT(got == (ssize_t)sizeof value);
    return value;
}

static struct hr_status utc_now(void *ctx, uint64_t *utc_ms, uint32_t *err_ms)
{
    (void)ctx;
    struct timex state;
    memset(&state, 0, sizeof state);
    int clock = adjtimex(&state);
    if (clock < 0 || clock == TIME_ERROR || (state.status & STA_UNSYNC) != 0 || state.maxerror < 0) {
        return hr_status_of(HR_AGAIN);
    }
    struct timespec now;
    HR_ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    *utc_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    *err_ms = (uint32_t)(state.maxerror / 1000) + 1; /* microseconds, and we cut to whole milliseconds */
    return hr_ok();
}

const struct port_clock *port_linux_clock(void)
{
    static const struct port_clock clock = {uptime_ms, NULL};
    return &clock;
}

const struct port_random *port_linux_random(void)
{
    static const struct port_random chance = {random_u32, NULL};
    return &chance;
}

const struct port_utc *port_linux_utc(void)
{
    static const struct port_utc utc = {utc_now, NULL};
    return &utc;
}

int64_t port_linux_wall_ms(void)
{
    struct timespec now;
    HR_ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
