/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/config/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct hr_status failed(const char **reason)
{
    bool missing = errno == ENOENT || errno == ENOTDIR;
    *reason = strerror(errno);
    return hr_status_of(missing ? HR_NOT_FOUND : HR_IO);
}

struct hr_status conf_file_read(const char *path, size_t max_bytes, char **text, size_t *len_bytes,
                                const char **reason)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return failed(reason);
    }
    /* One byte more than allowed tells a file that is too long from one that just fits. */
    char *buffer = malloc(max_bytes + 2);
    if (buffer == NULL) {
        (void)fclose(file);
        *reason = "out of memory";
        return hr_status_of(HR_IO);
    }
    size_t n_read = fread(buffer, 1, max_bytes + 1, file);
    struct hr_status status = ferror(file) != 0 ? failed(reason) : hr_ok();
    (void)fclose(file);
    if (hr_is_ok(status) && n_read > max_bytes) {
        *reason = "the file is too long";
        status = hr_status_of(HR_MALFORMED);
    }
    if (!hr_is_ok(status)) {
        free(buffer);
        return status;
    }
    buffer[n_read] = '\0';
    *text = buffer;
    *len_bytes = n_read;
    return hr_ok();
}
