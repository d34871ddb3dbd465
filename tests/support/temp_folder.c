/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/temp_folder.h"

#include "proto/base/assert.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void temp_folder_make(struct temp_folder *folder)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder->path, sizeof folder->path, "%s/headrace_test_XXXXXX",
                   base == NULL ? "/tmp" : base);
    HR_ASSERT(mkdtemp(folder->path) != NULL);
}

void temp_folder_remove(const struct temp_folder *folder)
{
    DIR *entries = opendir(folder->path);
    HR_ASSERT(entries != NULL);
    int folder_fd = dirfd(entries);
    HR_ASSERT(folder_fd >= 0);
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            HR_ASSERT(unlinkat(folder_fd, entry->d_name, 0) == 0);
        }
    }
    HR_ASSERT(closedir(entries) == 0);
    HR_ASSERT(rmdir(folder->path) == 0);
}

const char *temp_folder_file(const struct temp_folder *folder, const char *name, char *out)
{
    (void)snprintf(out, (size_t)2 * TEMP_PATH_CHARS, "%s/%s", folder->path, name);
    return out;
}
