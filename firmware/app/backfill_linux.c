/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/backfill.h"
#include "proto/base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FORMAT = 1,
    LINE_CAPACITY = 128,
    PATH_CAPACITY = APP_BACKFILL_FOLDER_CAPACITY + FEEDS_NAME_MAX_CHARS + 8
};

void app_backfill_folder(const char *spool_path, char out[APP_BACKFILL_FOLDER_CAPACITY])
{
    (void)snprintf(out, APP_BACKFILL_FOLDER_CAPACITY, "%s.backfill", spool_path);
}

/* Numbers of one line, each behind a space but the first. */
static bool read_numbers(const char *line, int64_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *end = NULL;
        out[i] = strtoll(line, &end, 10);
        if (end == line || *end != (i + 1 < n ? ' ' : '\n')) {
            return false;
        }
        line = end;
    }
    return true;
}

struct hr_status app_backfill_read(const char *folder, const char *feed, struct app_backfill *out)
{
    char path[PATH_CAPACITY];
    char line[LINE_CAPACITY];
    int64_t numbers[4];
    struct app_backfill found = {.from_ms = 0};
    (void)snprintf(path, sizeof path, "%s/%s", folder, feed);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    bool is_line = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    if (!is_line || !read_numbers(line, numbers, HR_ARRAY_LEN(numbers)) || numbers[0] != FORMAT ||
        strlen(feed) >= sizeof found.feed) {
        return hr_status_of(HR_MALFORMED);
    }
    found.from_ms = numbers[1];
    found.to_ms = numbers[2];
    found.next_ms = numbers[3];
    if (found.from_ms <= 0 || found.from_ms >= found.to_ms || found.next_ms < found.from_ms) {
        return hr_status_of(HR_MALFORMED);
    }
    memcpy(found.feed, feed, strlen(feed) + 1);
    *out = found;
    return hr_ok();
}

static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced;
}

struct hr_status app_backfill_write(const char *folder, const struct app_backfill *backfill)
{
    char path[PATH_CAPACITY];
    char beside[PATH_CAPACITY];
    (void)snprintf(path, sizeof path, "%s/%s", folder, backfill->feed);
    (void)snprintf(beside, sizeof beside, "%s/.%s", folder, backfill->feed);
    if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
        return hr_status_of(HR_IO);
    }
    FILE *file = fopen(beside, "we");
    if (file == NULL) {
        return hr_status_of(HR_IO);
    }
    bool is_written = fprintf(file, "%d %" PRId64 " %" PRId64 " %" PRId64 "\n", FORMAT, backfill->from_ms,
                              backfill->to_ms, backfill->next_ms) > 0 &&
                      fflush(file) == 0 && fsync(fileno(file)) == 0;
    is_written = fclose(file) == 0 && is_written;
    bool is_there = is_written && rename(beside, path) == 0 && sync_folder(folder);
    return is_there ? hr_ok() : hr_status_of(HR_IO);
}
