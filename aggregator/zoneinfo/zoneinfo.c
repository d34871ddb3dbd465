/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/zoneinfo/zoneinfo.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX_BYTES = 64 * 1024, PATH_CHARS = 512 };

static struct hr_status fail(enum hr_code code, char message[ZONEINFO_MESSAGE_CHARS], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static struct hr_status fail(enum hr_code code, char message[ZONEINFO_MESSAGE_CHARS], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, ZONEINFO_MESSAGE_CHARS, format, arguments);
    va_end(arguments);
    return hr_status_of(code);
}

/* Names come from configuration one day: "Area/Place" of letters, digits, _ + and -, and nothing with dots.
 */
static bool is_zone_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len >= NORM_ZONE_NAME_CHARS || name[0] == '/' || name[len - 1] == '/') {
        return false;
    }
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == len;
}

static struct hr_status read_file(const char *path, uint8_t *bytes, size_t *len_bytes,
                                  char message[ZONEINFO_MESSAGE_CHARS])
{
    FILE *file = fopen(path, "rbe");

    if (file == NULL) {
        int why = errno;

        return fail(why == ENOENT || why == ENOTDIR ? HR_NOT_FOUND : HR_IO, message,
                    "%s: %s (Debian package tzdata)", path, strerror(why));
    }
    size_t len = fread(bytes, 1, FILE_MAX_BYTES + 1, file);
    bool is_bad = ferror(file) != 0;
    int why = errno;

    (void)fclose(file);
    if (is_bad) {
        return fail(HR_IO, message, "%s: %s", path, strerror(why));
    }
    if (len > FILE_MAX_BYTES) {
        return fail(HR_FULL, message, "%s: longer than %d bytes", path, FILE_MAX_BYTES);
    }
    *len_bytes = len;
    return hr_ok();
}

struct hr_status zoneinfo_read(const char *folder, const char *name, struct norm_zone *zone,
                               char message[ZONEINFO_MESSAGE_CHARS])
{
    uint8_t bytes[FILE_MAX_BYTES + 1];
    char path[PATH_CHARS];
    size_t len_bytes = 0;

    if (!is_zone_name(name)) {
        return fail(HR_NOT_FOUND, message, "%.64s: not the name of a zone", name);
    }
    int len = snprintf(path, sizeof(path), "%s/%s", folder == NULL ? ZONEINFO_FOLDER : folder, name);

    if (len < 0 || (size_t)len >= sizeof(path)) {
        return fail(HR_NOT_FOUND, message, "%s: the path of its folder is too long", name);
    }
    HR_TRY(read_file(path, bytes, &len_bytes, message));
    struct hr_status parsed = norm_zone_parse(hr_bytes_of(bytes, len_bytes), name, zone);

    if (!hr_is_ok(parsed)) {
        return fail(parsed.code, message, "%s: %s", path,
                    hr_is(parsed, HR_FULL) ? "more than a zone holds, or leap seconds" : "not a TZif file");
    }
    return hr_ok();
}

struct hr_status zoneinfo_load(const char *folder, struct norm_zones *zones,
                               char message[ZONEINFO_MESSAGE_CHARS])
{
    for (uint32_t id = 0; id < NORM_ZONE_COUNT; id++) {
        const char *name = norm_zone_id_name((enum norm_zone_id)id);

        if (id == NORM_ZONE_EST) {
            /* tzdata has a file of that name, which from 2024b on is a link to Panama's. */
            norm_zone_fixed(name, name, -5 * NORM_HOUR_S, &zones->by_id[id]);
        } else {
            HR_TRY(zoneinfo_read(folder, name, &zones->by_id[id], message));
        }
    }
    return hr_ok();
}
