/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/norm.h"

#include <string.h>

#define MULTIPLIER UINT64_C(0xD6E8FEB86659FD93)

enum { LANES = 4, LANE_BYTES = 8 };

static const uint64_t lane_seeds[LANES] = {UINT64_C(0x9E3779B97F4A7C15), UINT64_C(0xBF58476D1CE4E5B9),
                                           UINT64_C(0x94D049BB133111EB), UINT64_C(0xD1B54A32D192ED03)};

/* Each bit of x reaches all of the result. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= MULTIPLIER;
    x ^= x >> 32;
    x *= MULTIPLIER;
    return x ^ x >> 32;
}

static inline uint64_t word_at(const uint8_t *bytes)
{
    return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
           (uint64_t)bytes[3] << 24 | (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 |
           (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

static inline uint64_t take(uint64_t lane, uint64_t word)
{
    lane = (lane ^ word) * MULTIPLIER;
    return lane ^ lane >> 32;
}

/* Four lanes, so that a step need not wait for the one before: a tenth of what encoding costs. */
static uint64_t bytes_hash(struct hr_bytes bytes)
{
    uint64_t lanes[LANES] = {lane_seeds[0], lane_seeds[1], lane_seeds[2], lane_seeds[3]};
    const uint8_t *at = bytes.data;
    size_t left = bytes.len_bytes;
    uint8_t last[LANES * LANE_BYTES] = {0};

    for (; left >= sizeof(last); left -= sizeof(last), at += sizeof(last)) {
        for (size_t i = 0; i < LANES; i++) {
            lanes[i] = take(lanes[i], word_at(at + i * LANE_BYTES));
        }
    }
    if (left > 0) {
        memcpy(last, at, left);
        for (size_t i = 0; i < LANES; i++) {
            lanes[i] = take(lanes[i], word_at(last + i * LANE_BYTES));
        }
    }
    uint64_t hash = mix((uint64_t)bytes.len_bytes);

    for (size_t i = 0; i < LANES; i++) {
        hash = mix(hash + lanes[i]);
    }
    return hash;
}

/* What the last field, a nullable text, takes as Avro: 0, or 2, the length as a zigzag varint, and the bytes.
 */
static size_t aside_bytes(const struct norm_value *value)
{
    size_t n = 1;
    if (!value->is_null) {
        n += value->as.bytes.len_bytes;
        for (uint64_t rest = (uint64_t)value->as.bytes.len_bytes * 2; rest > 0x7F; rest >>= 7) {
            n++;
        }
        n++;
    }
    return n;
}

uint64_t norm_content_of(const struct norm_event *event, struct hr_bytes own)
{
    const struct norm_value *quality = &event->values[NORM_TIME_QUALITY];
    const struct norm_value *error = &event->values[NORM_TIME_ERROR_MS];

    for (uint16_t i = 1; i <= event->schema->n_aside; i++) {
        own.len_bytes -= aside_bytes(&event->values[event->schema->n_fields - i]);
    }
    while (own.len_bytes >= LANE_BYTES && word_at(own.data + own.len_bytes - LANE_BYTES) == 0) {
        own.len_bytes -= LANE_BYTES; /* most fields of an event are null */
    }
    while (own.len_bytes > 0 && own.data[own.len_bytes - 1] == 0) {
        own.len_bytes--;
    }
    uint64_t hash = bytes_hash(own);

    hash = mix(hash ^ (uint64_t)event->occurred_at_us);
    hash = mix(hash ^ (error->is_null ? UINT64_MAX : (uint64_t)error->as.number));
    /* "anchored", "extrapolated": their first letters tell them apart, and the key is short. */
    hash = mix(hash ^ (quality->as.bytes.len_bytes == 0 ? 0 : quality->as.bytes.data[0]));
    for (size_t at = 0; at < event->key.len_bytes; at += LANE_BYTES) {
        uint8_t word[LANE_BYTES] = {0};
        size_t left = event->key.len_bytes - at;

        memcpy(word, event->key.data + at, left < LANE_BYTES ? left : LANE_BYTES);
        hash = mix(hash ^ word_at(word));
    }
    return hash == 0 ? 1 : hash;
}
