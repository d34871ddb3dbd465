/* SPDX-License-Identifier: Apache-2.0
 *
 * A library to preload into a PostgreSQL server: while the folder that HEADRACE_ENOSPC names holds a file
 * "base", writes to tables and indexes find no space; while it holds "pg_wal", writes to the server's log. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_full(int file)
{
    static const char *const areas[] = {"base", "pg_wal"};
    const char *folder = getenv("HEADRACE_ENOSPC");
    for (size_t i = 0; folder != NULL && i < sizeof areas / sizeof areas[0]; i++) {
        char trigger[512];
        char link[64];
        char path[512];
        char part[32];
        (void)snprintf(trigger, sizeof trigger, "%s/%s", folder, areas[i]);
        if (access(trigger, F_OK) != 0) {
            continue;
        }
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        (void)snprintf(part, sizeof part, "/%s/", areas[i]);
        ssize_t len = readlink(link, path, sizeof path - 1);
        path[len > 0 ? len : 0] = '\0';
        if (strstr(path, part) != NULL) {
            return true;
        }
    }
    return false;
}

ssize_t pwrite(int file, const void *data, size_t len, off_t at)
{
    if (is_full(file)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, file, data, len, at);
}

ssize_t pwritev(int file, const struct iovec *parts, int n, off_t at)
{
    if (is_full(file)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwritev, file, parts, n, at, 0);
}
