/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/ais/ais_internal.h"

#include <string.h>

enum {
    WAYS = 4,       /* places that one key may take */
    MMSI_CHARS = 7, /* characters that hold type, repeat indicator and MMSI */
    POSITION_TYPES_N = 64,
};

enum memory { NEW, REMEMBERED, NO_ROOM };

/* 64-bit finalizer of MurmurHash3 (public domain, Appleby): every input bit reaches every output bit. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xFF51AFD7ED558CCDU;
    x ^= x >> 33;
    x *= 0xC4CEB9FE1A85EC53U;
    return x ^ x >> 33;
}

/* Looks the key up and, when it is new or its time is over, remembers it for the period. */
static enum memory look_up(const struct tap_ais_filter *filter, uint64_t key, uint64_t uptime_ms)
{
    uint32_t n_sets = filter->n_seen / WAYS;
    struct tap_ais_seen *set = filter->seen + (size_t)((uint32_t)(mix(key) >> 32) & (n_sets - 1)) * WAYS;
    struct tap_ais_seen *place = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        bool counts = set[i].until_ms > uptime_ms;
        if (counts && set[i].key == key) {
            return REMEMBERED;
        }
        if (!counts && place == NULL) {
            place = &set[i];
        }
    }
    if (place == NULL) {
        return NO_ROOM;
    }
    place->key = key;
    place->until_ms = uptime_ms + filter->period_ms;
    return NEW;
}

static uint64_t payload_key(const struct edge_ais *ais)
{
    size_t left = ((size_t)ais->payload_chars * 6 + 7) / 8;
    const uint8_t *at = ais->payload;
    uint64_t key = (uint64_t)ais->payload_chars << 8 | ais->fill_bits;
    while (left > 0) {
        uint64_t word = 0;
        size_t len = left < sizeof word ? left : sizeof word;
        memcpy(&word, at, len);
        key = mix(key ^ word) + 0x9E3779B97F4A7C15U;
        at += len;
        left -= len;
    }
    return key;
}

static bool is_position(uint8_t type)
{
    static const bool POSITION[POSITION_TYPES_N] = {
        [1] = true, [2] = true, [3] = true, [18] = true, [19] = true, [27] = true};
    return POSITION[type];
}

static bool filter_passes(struct tap_ais *tap, const struct tap_ais_filter *filter, uint64_t key,
                          uint64_t uptime_ms, enum tap_ais_counter suppressed)
{
    enum memory memory = look_up(filter, key, uptime_ms);
    tap->counter[TAP_AIS_FILTER_TABLE_FULL] += memory == NO_ROOM;
    tap->counter[suppressed] += memory == REMEMBERED;
    return memory != REMEMBERED;
}

bool tap_ais_passes(struct tap_ais *tap, const struct edge_ais *ais, uint64_t uptime_ms)
{
    const struct tap_ais_filter *duplicates = &tap->config.duplicates;
    const struct tap_ais_filter *downsample = &tap->config.downsample;
    if (duplicates->period_ms != 0 &&
        !filter_passes(tap, duplicates, payload_key(ais), uptime_ms, TAP_AIS_SUPPRESSED_DUPLICATE)) {
        return false;
    }
    if (downsample->period_ms == 0 || ais->payload_chars < MMSI_CHARS || !is_position(ais->payload[0] >> 2)) {
        return true;
    }
    const uint8_t *p = ais->payload;
    uint32_t mmsi = ((uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4]) >> 2;
    return filter_passes(tap, downsample, mmsi, uptime_ms, TAP_AIS_SUPPRESSED_DOWNSAMPLED);
}
