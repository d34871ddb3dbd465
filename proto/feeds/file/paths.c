/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/file/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct hr_status add_path(struct feeds_paths *paths, const char *folder, const char *name)
{
    if (paths->n_paths == FEEDS_MAX_FILES) {
        return hr_status_of(HR_FULL);
    }
    char *out = paths->paths[paths->n_paths];
    size_t capacity = sizeof paths->paths[0];
    int len =
        folder == NULL ? snprintf(out, capacity, "%s", name) : snprintf(out, capacity, "%s/%s", folder, name);
    if (len < 0 || (size_t)len >= capacity) {
        return hr_status_of(HR_FULL);
    }
    paths->n_paths++;
    return hr_ok();
}

static int is_yaml(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0;
}

/* Bytes, whatever the locale has for an order. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

struct hr_status feeds_paths_add(struct feeds_paths *paths, const char *file_or_folder)
{
    struct dirent **entries = NULL;
    int n_entries = scandir(file_or_folder, &entries, is_yaml, by_name);
    if (n_entries < 0) {
        return errno == ENOTDIR ? add_path(paths, NULL, file_or_folder)
                                : hr_status_of(errno == ENOENT ? HR_NOT_FOUND : HR_IO);
    }
    struct hr_status status = hr_ok();
    for (int i = 0; i < n_entries; i++) {
        if (hr_is_ok(status)) {
            status = add_path(paths, file_or_folder, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}
