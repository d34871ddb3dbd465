/* SPDX-License-Identifier: Apache-2.0
 *
 * A library to preload: once the file that HEADRACE_FSYNC_FAULT names is there, fsync and fdatasync of every
 * ledger file fail with EIO, as of a disk that has gone. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_gone(int file)
{
    const char *trigger = getenv("HEADRACE_FSYNC_FAULT");
    char link[64];
    char path[512];
    if (trigger == NULL || access(trigger, F_OK) != 0) {
        return false;
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    path[len > 0 ? len : 0] = '\0';
    return strstr(path, "ledger.db") != NULL;
}

int fsync(int file)
{
    if (is_gone(file)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
    if (is_gone(file)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, file);
}
