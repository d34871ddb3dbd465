/* SPDX-License-Identifier: Apache-2.0
 *
 * A library to preload: the wall clock and the time since boot are moved by what stands in the file that
 * HEADRACE_CLOCK_SHIFT names, milliseconds in 8 bytes of this machine, read anew each time. So an outage of
 * weeks passes in a test's seconds, for as many processes as share the file. Time since boot begins 100 days
 * later, so that it may be moved back. The monotonic clock, which waits stand on, is left alone. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BOOT_MS INT64_C(8640000000)

static int64_t shift_ms(void)
{
    static _Atomic int file = -1;
    int64_t shift = 0;
    if (file < 0) {
        const char *path = getenv("HEADRACE_CLOCK_SHIFT");
        file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    }
    return file >= 0 && pread(file, &shift, sizeof(shift), 0) == sizeof(shift) ? shift : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int done = (int)syscall(SYS_clock_gettime, clock, now);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME)) {
        int64_t ms = (int64_t)now->tv_sec * 1000 + now->tv_nsec / 1000000 + shift_ms() +
                     (clock == CLOCK_BOOTTIME ? BOOT_MS : 0);
        now->tv_sec = (time_t)(ms / 1000);
        now->tv_nsec = (long)(ms % 1000) * 1000000 + now->tv_nsec % 1000000;
    }
    return done;
}

time_t time(time_t *out)
{
    struct timespec now = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
