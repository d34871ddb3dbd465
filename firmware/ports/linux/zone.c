/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_CAPACITY = 512, TAIL_BYTES = PORT_LINUX_ZONE_RULE_MAX_CHARS + 2 };

/* No way out of the folder. */
static bool is_zone_name(const char *name)
{
    return name[0] != '\0' && name[0] != '/' && strstr(name, "..") == NULL &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-") == strlen(name);
}

/* The file ends in a line end, the rule, and a line end (RFC 8536, 3.3). */
static struct hr_status last_line(FILE *file, char out[PORT_LINUX_ZONE_RULE_MAX_CHARS + 1])
{
    char tail[TAIL_BYTES];
    char magic[4];
    if (fread(magic, 1, sizeof magic, file) != sizeof magic || memcmp(magic, "TZif", sizeof magic) != 0 ||
        (fseek(file, -(long)sizeof tail, SEEK_END) != 0 && fseek(file, 0, SEEK_SET) != 0)) {
        return hr_status_of(HR_MALFORMED);
    }
    size_t len = fread(tail, 1, sizeof tail, file);
    if (len == 0 || tail[len - 1] != '\n') {
        return hr_status_of(HR_MALFORMED);
    }
    size_t start = len - 1;
    while (start > 0 && tail[start - 1] != '\n') {
        start--;
    }
    if (start == 0 || start == len - 1) {
        return hr_status_of(HR_MALFORMED);
    }
    memcpy(out, tail + start, len - 1 - start);
    out[len - 1 - start] = '\0';
    return hr_ok();
}

struct hr_status port_linux_zone_rule(const char *name, char out[PORT_LINUX_ZONE_RULE_MAX_CHARS + 1])
{
    char path[PATH_CAPACITY];
    const char *folder = getenv("TZDIR");
    int len = snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "/usr/share/zoneinfo", name);
    if (!is_zone_name(name) || len < 0 || (size_t)len >= sizeof path) {
        return hr_status_of(HR_NOT_FOUND);
    }
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct hr_status status = last_line(file, out);
    (void)fclose(file);
    return status;
}
