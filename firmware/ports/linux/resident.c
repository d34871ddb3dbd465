/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/resident.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE_CAPACITY = 512, PERMISSIONS_CAPACITY = 8 };

/* A mapping as /proc/self/smaps tells it (man 5 proc). */
struct mapping {
    uint64_t start;
    uint64_t end;
    bool is_constant; /* of a file, private, and not to be written to */
    uint64_t resident_kb;
};

static bool read_head(const char *line, struct mapping *out)
{
    char permissions[PERMISSIONS_CAPACITY];
    struct mapping mapping = {.start = 0};
    int path_at = 0;
    int n = sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %n", &mapping.start, &mapping.end,
                   permissions, &path_at);
    if (n != 3) {
        return false;
    }
    mapping.is_constant =
        path_at > 0 && line[path_at] == '/' && permissions[1] == '-' && permissions[3] == 'p';
    *out = mapping;
    return true;
}

/* A page that was relocated or has a breakpoint is anonymous, and would come back as it was in the file. */
static uint64_t give_back(const struct mapping *mapping, uint64_t anonymous_kb)
{
    if (!mapping->is_constant || anonymous_kb != 0) {
        return 0;
    }
    void *at = (void *)(uintptr_t)mapping->start;
    return madvise(at, (size_t)(mapping->end - mapping->start), MADV_DONTNEED) == 0 ? mapping->resident_kb
                                                                                    : 0;
}

uint64_t port_linux_give_back_code(void)
{
    char line[LINE_CAPACITY];
    struct mapping mapping = {.start = 0};
    uint64_t given_kb = 0;
    FILE *file = fopen("/proc/self/smaps", "re");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        uint64_t kb = 0;
        if (read_head(line, &mapping)) {
            continue;
        }
        if (sscanf(line, "Rss: %" SCNu64, &kb) == 1) {
            mapping.resident_kb = kb;
        } else if (sscanf(line, "Anonymous: %" SCNu64, &kb) == 1) {
            given_kb += give_back(&mapping, kb);
        }
    }
    (void)fclose(file);
    return given_kb;
}
