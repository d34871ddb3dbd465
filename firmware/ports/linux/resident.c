/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/resident.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE_CAPACITY = 512 };

/* A mapping as /proc/self/smaps tells it (man 5 proc). */
struct mapping {
    uint64_t start;
    uint64_t end;
    bool is_constant; /* of a file, private, and not to be written to */
    bool is_code;
    uint64_t resident_kb;
};

/* START-END PERMISSIONS OFFSET DEVICE INODE PATH */
static bool read_head(const char *line, struct mapping *out)
{
    char *at = NULL;
    uint64_t start = strtoull(line, &at, 16);
    if (at == line || *at != '-') {
        return false;
    }
    const char *end_text = at + 1;
    uint64_t end = strtoull(end_text, &at, 16);
    if (at == end_text || *at != ' ' || strlen(at) < 5) {
        return false;
    }
    bool is_constant = at[2] == '-' && at[4] == 'p' && strchr(at, '/') != NULL;
    *out = (struct mapping){.start = start, .end = end, .is_constant = is_constant, .is_code = at[3] == 'x'};
    return true;
}

static bool read_kb(const char *line, const char *name, uint64_t *out)
{
    size_t len = strlen(name);
    bool is_it = strncmp(line, name, len) == 0;
    *out = is_it ? strtoull(line + len, NULL, 10) : 0;
    return is_it;
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

/* Under an emulator of user programs the file tells of the emulator's addresses: there this code is none. */
static bool is_of_this_program(void)
{
    const uint64_t here = (uintptr_t)port_linux_give_back_code;
    char line[LINE_CAPACITY];
    struct mapping mapping = {.start = 0};
    bool is_ours = false;
    FILE *file = fopen("/proc/self/smaps", "re");
    if (file == NULL) {
        return false;
    }
    while (!is_ours && fgets(line, sizeof line, file) != NULL) {
        is_ours = read_head(line, &mapping) && mapping.is_code && mapping.start <= here && here < mapping.end;
    }
    (void)fclose(file);
    return is_ours;
}

uint64_t port_linux_give_back_code(void)
{
    char line[LINE_CAPACITY];
    struct mapping mapping = {.start = 0};
    uint64_t given_kb = 0;
    FILE *file = is_of_this_program() ? fopen("/proc/self/smaps", "re") : NULL;
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        uint64_t kb = 0;
        if (read_head(line, &mapping)) {
            continue;
        }
        if (read_kb(line, "Rss:", &kb)) {
            mapping.resident_kb = kb;
        } else if (read_kb(line, "Anonymous:", &kb)) {
            given_kb += give_back(&mapping, kb);
        }
    }
    (void)fclose(file);
    return given_kb;
}
