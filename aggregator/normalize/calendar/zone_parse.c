/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/calendar/rule.h"
#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <string.h>

enum { RESERVED_BYTES = 15, TYPE_BYTES = 6, TIME_1_BYTES = 4, TIME_2_BYTES = 8, CHARS_MAX = 512 };

/* RFC 9636 section 3.1. */
struct header {
    uint8_t version; /* 0, or the digit as a character */
    uint32_t n_ut;
    uint32_t n_standard;
    uint32_t n_leaps;
    uint32_t n_times;
    uint32_t n_types;
    uint32_t n_chars;
};

static struct hr_status header_read(struct hr_reader *reader, struct header *header)
{
    uint8_t magic[4];

    hr_read_raw(reader, magic, sizeof(magic));
    header->version = hr_read_u8(reader);
    (void)hr_read_slice(reader, RESERVED_BYTES);
    header->n_ut = hr_read_u32(reader);
    header->n_standard = hr_read_u32(reader);
    header->n_leaps = hr_read_u32(reader);
    header->n_times = hr_read_u32(reader);
    header->n_types = hr_read_u32(reader);
    header->n_chars = hr_read_u32(reader);
    bool is_known = header->version == 0 || (header->version >= '2' && header->version <= '9');

    if (!hr_reader_ok(reader) || memcmp(magic, "TZif", sizeof(magic)) != 0 || !is_known) {
        return hr_status_of(HR_MALFORMED);
    }
    return hr_ok();
}

/* Passes over the block of 32-bit times, which says less than the one behind it. */
static struct hr_status block_skip(struct hr_reader *reader, const struct header *header)
{
    uint64_t len = (uint64_t)header->n_times * (TIME_1_BYTES + 1) + (uint64_t)header->n_types * TYPE_BYTES +
                   header->n_chars + (uint64_t)header->n_leaps * (TIME_1_BYTES + 4) + header->n_standard +
                   header->n_ut;

    if (len > hr_reader_left(reader)) {
        return hr_status_of(HR_MALFORMED);
    }
    (void)hr_read_slice(reader, (size_t)len);
    return hr_ok();
}

static struct hr_status counts_check(const struct header *header)
{
    bool are_sound = header->n_types > 0 && header->n_chars > 0 &&
                     (header->n_ut == 0 || header->n_ut == header->n_types) &&
                     (header->n_standard == 0 || header->n_standard == header->n_types);

    if (!are_sound) {
        return hr_status_of(HR_MALFORMED);
    }
    bool is_room = header->n_leaps == 0 && header->n_times <= NORM_ZONE_TRANSITIONS &&
                   header->n_types <= NORM_ZONE_TYPES && header->n_chars <= CHARS_MAX;

    return hr_status_of(is_room ? HR_OK : HR_FULL);
}

static struct hr_status transitions_read(struct hr_reader *reader, const struct header *header, bool is_long,
                                         struct norm_zone *zone)
{
    zone->n_transitions = (uint16_t)header->n_times;
    for (uint32_t i = 0; i < header->n_times; i++) {
        zone->at_s[i] = is_long ? (int64_t)hr_read_u64(reader) : (int32_t)hr_read_u32(reader);
        if (i > 0 && zone->at_s[i] <= zone->at_s[i - 1]) {
            return hr_status_of(HR_MALFORMED);
        }
    }
    for (uint32_t i = 0; i < header->n_times; i++) {
        zone->type[i] = hr_read_u8(reader);
        if (zone->type[i] >= header->n_types) {
            return hr_status_of(HR_MALFORMED);
        }
    }
    return hr_status_of(hr_reader_ok(reader) ? HR_OK : HR_MALFORMED);
}

static struct hr_status types_read(struct hr_reader *reader, const struct header *header,
                                   struct norm_zone *zone)
{
    uint8_t name_at[NORM_ZONE_TYPES];

    zone->n_types = (uint8_t)header->n_types;
    for (uint32_t i = 0; i < header->n_types; i++) {
        int32_t offset_s = (int32_t)hr_read_u32(reader);
        uint8_t is_dst = hr_read_u8(reader);

        name_at[i] = hr_read_u8(reader);
        if (offset_s < NORM_OFFSET_MIN_S || offset_s > NORM_OFFSET_MAX_S || is_dst > 1 ||
            name_at[i] >= header->n_chars) {
            return hr_status_of(HR_MALFORMED);
        }
        zone->types[i] = (struct norm_zone_type){.offset_s = offset_s, .is_dst = is_dst != 0};
    }
    struct hr_bytes chars = hr_read_slice(reader, header->n_chars);

    if (!hr_reader_ok(reader)) {
        return hr_status_of(HR_MALFORMED);
    }
    for (uint32_t i = 0; i < header->n_types; i++) {
        const uint8_t *from = chars.data + name_at[i];
        const uint8_t *end = memchr(from, '\0', chars.len_bytes - name_at[i]);

        if (end == NULL) {
            return hr_status_of(HR_MALFORMED);
        }
        HR_TRY(norm_abbreviation_put(hr_bytes_of(from, (size_t)(end - from)), zone->types[i].abbreviation));
    }
    return hr_ok();
}

static struct hr_status footer_read(struct hr_reader *reader, struct norm_zone *zone)
{
    struct hr_bytes footer = hr_read_slice(reader, hr_reader_left(reader));

    if (footer.len_bytes < 2 || footer.data[0] != '\n' || footer.data[footer.len_bytes - 1] != '\n') {
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(norm_rule_parse(hr_bytes_of(footer.data + 1, footer.len_bytes - 2), zone));
    if (zone->has_rule && zone->n_transitions > 0) {
        /* RFC 9636 section 3.3: the rule agrees with the last transition. */
        int64_t last_s = zone->at_s[zone->n_transitions - 1];
        const struct norm_zone_type *last = &zone->types[zone->type[zone->n_transitions - 1]];

        if (last_s >= NORM_TIME_MIN_S && last_s <= NORM_TIME_MAX_S &&
            norm_rule_at(zone, last_s)->offset_s != last->offset_s) {
            return hr_status_of(HR_MALFORMED);
        }
    }
    return hr_ok();
}

static struct hr_status file_read(struct hr_bytes tzif, struct norm_zone *zone)
{
    struct hr_reader reader = hr_reader_over(tzif);
    struct header header;

    HR_TRY(header_read(&reader, &header));
    bool is_long = header.version != 0;

    if (is_long) {
        HR_TRY(block_skip(&reader, &header));
        HR_TRY(header_read(&reader, &header));
    }
    HR_TRY(counts_check(&header));
    HR_TRY(transitions_read(&reader, &header, is_long, zone));
    HR_TRY(types_read(&reader, &header, zone));
    (void)hr_read_slice(&reader, (size_t)header.n_standard + header.n_ut); /* speak of POSIX strings only */
    if (!hr_reader_ok(&reader)) {
        return hr_status_of(HR_MALFORMED);
    }
    if (is_long) {
        return footer_read(&reader, zone);
    }
    return hr_status_of(hr_reader_left(&reader) == 0 ? HR_OK : HR_MALFORMED);
}

static void name_put(const char *name, char out[NORM_ZONE_NAME_CHARS])
{
    size_t len = strlen(name);

    HR_ASSERT(len < NORM_ZONE_NAME_CHARS);
    memcpy(out, name, len + 1);
}

struct hr_status norm_zone_parse(struct hr_bytes tzif, const char *name, struct norm_zone *zone)
{
    struct norm_zone read = {0};

    name_put(name, read.name);
    HR_TRY(file_read(tzif, &read));
    *zone = read;
    return hr_ok();
}

void norm_zone_fixed(const char *name, const char *abbreviation, int32_t offset_s, struct norm_zone *zone)
{
    struct norm_zone_type type = {.offset_s = offset_s};
    size_t len = strlen(abbreviation);

    HR_ASSERT(offset_s >= NORM_OFFSET_MIN_S && offset_s <= NORM_OFFSET_MAX_S);
    HR_ASSERT(len < sizeof(type.abbreviation));
    memcpy(type.abbreviation, abbreviation, len + 1);
    *zone = (struct norm_zone){.n_types = 1};
    zone->types[0] = type;
    name_put(name, zone->name);
}
