/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/join.h"

#include <string.h>

void norm_join_clear(struct norm_join *join)
{
    join->n_names = 0;
    join->n_entries = 0;
    join->text_len = 0;
    memset(join->name_slots, 0, sizeof join->name_slots);
    memset(join->slots, 0, sizeof join->slots);
}

/* FNV-1a, then mixed so that the low bits are as good as the high ones. */
static uint64_t hash_of(struct hr_bytes name)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < name.len_bytes; i++) {
        hash = (hash ^ name.data[i]) * UINT64_C(0x100000001B3);
    }
    return hash ^ hash >> 32;
}

struct hr_bytes norm_join_text(const struct norm_join *join, const struct norm_join_name *name)
{
    return hr_bytes_of(join->text + name->text_at, name->len_bytes);
}

static bool is_name(const struct norm_join *join, uint32_t number, struct hr_bytes name)
{
    const struct norm_join_name *known = &join->names[number];
    return known->len_bytes == name.len_bytes &&
           memcmp(join->text + known->text_at, name.data, name.len_bytes) == 0;
}

struct norm_join_name *norm_join_name(struct norm_join *join, struct hr_bytes name)
{
    uint64_t slot = hash_of(name) % NORM_JOIN_NAME_SLOTS;
    for (; join->name_slots[slot] != 0; slot = (slot + 1) % NORM_JOIN_NAME_SLOTS) {
        if (is_name(join, join->name_slots[slot] - 1, name)) {
            return &join->names[join->name_slots[slot] - 1];
        }
    }
    if (join->n_names == NORM_ISO_LOCATIONS_MAX || name.len_bytes > UINT16_MAX || name.len_bytes == 0 ||
        name.len_bytes > sizeof join->text - join->text_len) {
        return NULL;
    }
    struct norm_join_name *made = &join->names[join->n_names++];
    *made = (struct norm_join_name){.text_at = join->text_len,
                                    .len_bytes = (uint16_t)name.len_bytes,
                                    .location_type = NORM_ISO_UNTYPED,
                                    .last_s = NORM_TIME_MIN_S};
    memcpy(join->text + join->text_len, name.data, name.len_bytes);
    join->text_len += (uint32_t)name.len_bytes;
    join->name_slots[slot] = join->n_names;
    return made;
}

struct norm_join_entry *norm_join_entry(struct norm_join *join, const struct norm_join_name *name,
                                        int64_t start_s, int64_t end_s)
{
    uint32_t number = (uint32_t)(name - join->names);
    uint64_t key = ((uint64_t)start_s ^ (uint64_t)number << 40) * UINT64_C(0xD6E8FEB86659FD93);
    uint64_t slot = (key >> 40) % NORM_JOIN_SLOTS;
    uint32_t length_s = (uint32_t)(end_s - start_s);
    for (; join->slots[slot] != 0; slot = (slot + 1) % NORM_JOIN_SLOTS) {
        struct norm_join_entry *entry = &join->entries[join->slots[slot] - 1];
        if (entry->name == number && entry->start_s == start_s && entry->length_s == length_s) {
            return entry;
        }
    }
    if (join->n_entries == NORM_ISO_JOINED_MAX) {
        return NULL;
    }
    struct norm_join_entry *made = &join->entries[join->n_entries++];
    *made = (struct norm_join_entry){.name = number, .start_s = start_s, .length_s = length_s};
    join->slots[slot] = join->n_entries;
    return made;
}

enum norm_join_put norm_join_put(struct norm_join_entry *entry, unsigned part, double value)
{
    if ((entry->has & 1U << part) != 0) {
        /* The same text gives the same number. */
        return entry->parts[part] == value ? NORM_JOIN_SAME : NORM_JOIN_OTHER;
    }
    entry->parts[part] = value;
    entry->has |= (uint8_t)(1U << part);
    return NORM_JOIN_PUT;
}
