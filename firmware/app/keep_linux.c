/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/keep.h"

#include "firmware/app/config.h"
#include "proto/base/failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_CHARS = APP_PATH_MAX_CHARS + 2 * APP_KEEP_NAME_CHARS };

static bool write_whole(int file, struct hr_bytes bytes)
{
    size_t at = 0;
    while (at < bytes.len_bytes) {
        ssize_t n = write(file, bytes.data + at, bytes.len_bytes - at);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return fsync(file) == 0;
}

bool app_keep_sync(const char *path)
{
    HR_FAILPOINT("folder_changed");
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0) {
        (void)close(folder);
    }
    return synced;
}

struct hr_status app_keep_write(const char *folder, const char *name, struct hr_bytes bytes, bool secret)
{
    char path[PATH_CHARS];
    char temporary[PATH_CHARS];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)snprintf(temporary, sizeof temporary, "%s/new", folder);
    (void)unlink(temporary); /* what a cut left has the mode of another file */
    int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, secret ? 0600 : 0644);
    if (file < 0) {
        return hr_status_of(HR_IO);
    }
    bool written = write_whole(file, bytes);
    written = close(file) == 0 && written;
    HR_FAILPOINT("file_written");
    return hr_status_of(written && rename(temporary, path) == 0 && app_keep_sync(folder) ? HR_OK : HR_IO);
}
