/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/quality/series.h"

#include "proto/base/assert.h"

#include <string.h>

/* FNV-1a with a length before each part, so that "ab" + "c" is not "a" + "bc". */
static uint64_t take(uint64_t hash, struct hr_bytes text)
{
    hash = (hash ^ (uint64_t)text.len_bytes) * UINT64_C(0x100000001B3);
    for (size_t i = 0; i < text.len_bytes; i++) {
        hash = (hash ^ text.data[i]) * UINT64_C(0x100000001B3);
    }
    return hash;
}

static uint64_t take_number(uint64_t hash, int64_t number)
{
    for (int shift = 0; shift < 64; shift += 8) {
        hash = (hash ^ (((uint64_t)number >> shift) & 0xFF)) * UINT64_C(0x100000001B3);
    }
    return hash;
}

uint64_t norm_quality_series(const struct norm_iso_row *row)
{
    const struct hr_bytes texts[] = {
        row->market,
        row->region,
        row->location_id,
        row->contingency,
        hr_bytes_of(row->subject, strlen(row->subject)),
        hr_bytes_of(row->curve_role, strlen(row->curve_role)),
    };
    const int64_t numbers[] = {
        row->feed->iso,
        row->feed->product,
        row->location_type,
        row->end_s - row->start_s,
        (row->has & NORM_ISO_HAS_PUBLISHED) != 0 ? row->published_s : INT64_MIN,
    };
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < HR_ARRAY_LEN(numbers); i++) {
        hash = take_number(hash, numbers[i]);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++) {
        hash = take(hash, texts[i]);
    }
    /* FNV's upper bits hardly depend on the last bytes. */
    hash ^= hash >> 32;
    hash *= UINT64_C(0xD6E8FEB86659FD93);
    return hash ^ hash >> 32;
}

/* A set that is emptied by n_series = 0: what a slot holds counts only when that series names the slot. */
struct quality_series *norm_quality_find(struct quality_table *table, uint64_t name, int32_t day,
                                         const struct norm_iso_row *row, uint64_t nth_row)
{
    uint32_t slot = (uint32_t)((name + (uint32_t)day) % QUALITY_SLOTS);
    for (;;) {
        uint32_t index = table->slots[slot];
        if (index >= table->n_series || table->series[index].slot != slot) {
            break;
        }
        if (table->series[index].name == name && table->series[index].day == day) {
            return &table->series[index];
        }
        slot = (slot + 1) % QUALITY_SLOTS;
    }
    if (table->n_series == NORM_QUALITY_SERIES_MAX) {
        return NULL;
    }
    struct quality_series *series = &table->series[table->n_series];
    size_t len = row->location_id.len_bytes < NORM_QUALITY_LOCATION_CHARS - 1
                     ? row->location_id.len_bytes
                     : NORM_QUALITY_LOCATION_CHARS - 1;
    *series = (struct quality_series){.name = name,
                                      .first_row = nth_row,
                                      .last_s = INT64_MIN,
                                      .day = day,
                                      .slot = slot,
                                      .location_len = (uint8_t)len};
    if (len > 0) {
        memcpy(series->location, row->location_id.data, len);
    }
    table->slots[slot] = table->n_series++;
    return series;
}

void norm_quality_see(struct quality_series *series, uint32_t nth)
{
    HR_ASSERT(nth < QUALITY_INTERVALS_MAX);
    uint64_t bit = UINT64_C(1) << (nth % 64);
    series->n_seen += (series->seen[nth / 64] & bit) == 0 ? 1 : 0;
    series->seen[nth / 64] |= bit;
    series->newest = nth > series->newest ? nth : series->newest;
}

uint32_t norm_quality_first_unseen(const struct quality_series *series, uint32_t n_intervals)
{
    uint32_t nth = 0;
    while (nth < n_intervals && (series->seen[nth / 64] >> (nth % 64) & 1) != 0) {
        nth++;
    }
    return nth;
}
