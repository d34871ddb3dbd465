/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/flash_file.h"

#include "proto/base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILL_BYTES = 65536, PATH_MAX_CHARS = 1024 };

/* ---- whole reads and writes ---- */

static bool read_whole(int fd, void *out, size_t len_bytes, off_t at)
{
    uint8_t *bytes = out;
    while (len_bytes > 0) {
        ssize_t n = pread(fd, bytes, len_bytes, at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        bytes += n;
        at += n;
        len_bytes -= (size_t)n;
    }
    return true;
}

static bool write_whole(int fd, const void *data, size_t len_bytes, off_t at)
{
    const uint8_t *bytes = data;
    while (len_bytes > 0) {
        ssize_t n = pwrite(fd, bytes, len_bytes, at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        bytes += n;
        at += n;
        len_bytes -= (size_t)n;
    }
    return true;
}

/* Writing FF allocates every block, so that no later write can find the device full or make metadata that
 * fdatasync would have to write as well. */
static bool fill(int fd, uint64_t len_bytes, off_t at)
{
    uint8_t blank[FILL_BYTES];
    memset(blank, 0xFF, sizeof blank);
    while (len_bytes > 0) {
        size_t n = len_bytes < sizeof blank ? (size_t)len_bytes : sizeof blank;
        if (!write_whole(fd, blank, n, at)) {
            return false;
        }
        at += (off_t)n;
        len_bytes -= n;
    }
    return true;
}

/* ---- the port ---- */

static struct hr_status file_read(void *ctx, uint32_t address, void *out, uint32_t len_bytes)
{
    const struct port_flash_file *file = ctx;
    return hr_status_of(read_whole(file->fd, out, len_bytes, (off_t)address) ? HR_OK : HR_IO);
}

static struct hr_status outcome(struct port_flash_file *file, bool done)
{
    file->failed = file->failed || !done;
    return hr_status_of(done ? HR_OK : HR_IO);
}

static struct hr_status file_program(void *ctx, uint32_t address, const void *data, uint32_t len_bytes)
{
    struct port_flash_file *file = ctx;
    HR_ASSERT(address % PORT_FLASH_FILE_UNIT_BYTES == 0 && len_bytes % PORT_FLASH_FILE_UNIT_BYTES == 0);
    return outcome(file, !file->failed && write_whole(file->fd, data, len_bytes, (off_t)address));
}

static struct hr_status file_erase(void *ctx, uint32_t sector)
{
    struct port_flash_file *file = ctx;
    HR_ASSERT(sector < file->port.n_sectors);
    uint32_t sector_bytes = file->port.sector_bytes;
    return outcome(file, !file->failed && fill(file->fd, sector_bytes, (off_t)sector * (off_t)sector_bytes));
}

static struct hr_status file_sync(void *ctx)
{
    struct port_flash_file *file = ctx;
    return outcome(file, !file->failed && fdatasync(file->fd) == 0);
}

/* ---- opening ---- */

static bool sync_directory_of(const char *path)
{
    char directory[PATH_MAX_CHARS];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (len >= sizeof directory) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(directory, slash == NULL ? "." : path, len);
    directory[len] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool synced = fsync(fd) == 0;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return synced;
}

/* Makes the file under another name first: one of the right name is always whole. */
static struct hr_status make_file(const char *path, uint64_t len_bytes)
{
    char making[PATH_MAX_CHARS];
    int n = snprintf(making, sizeof making, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof making) {
        errno = ENAMETOOLONG;
        return hr_status_of(HR_IO);
    }
    int fd = open(making, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return hr_status_of(HR_IO);
    }
    /* link, not rename: it never replaces a spool that another process made meanwhile. */
    bool made = fill(fd, len_bytes, 0) && fsync(fd) == 0 && (link(making, path) == 0 || errno == EEXIST) &&
                unlink(making) == 0 && sync_directory_of(path);
    int saved_errno = errno;
    if (!made) {
        unlink(making);
    }
    close(fd);
    errno = saved_errno;
    return hr_status_of(made ? HR_OK : saved_errno == ENOSPC || saved_errno == EDQUOT ? HR_FULL : HR_IO);
}

static struct hr_status check_and_lock(int fd, uint64_t expected_bytes, uint64_t *actual_bytes)
{
    struct stat info;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return hr_status_of(errno == EWOULDBLOCK ? HR_DENIED : HR_IO);
    }
    if (fstat(fd, &info) != 0) {
        return hr_status_of(HR_IO);
    }
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size != expected_bytes) {
        *actual_bytes = (uint64_t)info.st_size;
        return hr_status_of(HR_MALFORMED);
    }
    return hr_ok();
}

struct hr_status port_flash_file_open(struct port_flash_file *file,
                                      const struct port_flash_file_config *config, uint64_t *actual_bytes)
{
    uint64_t len_bytes = (uint64_t)config->sector_bytes * config->n_sectors;
    HR_ASSERT(config->n_sectors >= 4 && config->sector_bytes % 4096 == 0 && len_bytes <= UINT32_MAX);
    int fd = open(config->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        HR_TRY(make_file(config->path, len_bytes));
        fd = open(config->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0) {
        return hr_status_of(HR_IO);
    }
    struct hr_status status = check_and_lock(fd, len_bytes, actual_bytes);
    if (!hr_is_ok(status)) {
        int saved_errno = errno;
        close(fd);
        errno = saved_errno;
        return status;
    }
    *file = (struct port_flash_file){
        .port = {.sector_bytes = config->sector_bytes,
                 .n_sectors = config->n_sectors,
                 .program_unit_bytes = PORT_FLASH_FILE_UNIT_BYTES,
                 .erased_reads_are_true = true,
                 .read = file_read,
                 .program = file_program,
                 .erase = file_erase,
                 .sync = file_sync,
                 .ctx = file},
        .fd = fd,
    };
    return hr_ok();
}

void port_flash_file_close(struct port_flash_file *file)
{
    close(file->fd);
    file->fd = -1;
}
