/* SPDX-License-Identifier: Apache-2.0
 *
 * Avro's long: zigzag, then seven bits a byte, least significant first. Private to the room. */
#ifndef SCHEMA_AVRO_LONG_H
#define SCHEMA_AVRO_LONG_H

#include "proto/base/cursor.h"

enum { AVRO_LONG_MAX_BYTES = 10 };

/* Writes 1 to 10 bytes and returns the place behind them. */
static inline uint8_t *schema_long_put(uint8_t *at, int64_t number)
{
    uint64_t rest = ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0);

    while (rest > 0x7F) {
        *at++ = (uint8_t)(rest | 0x80);
        rest >>= 7;
    }
    *at++ = (uint8_t)rest;
    return at;
}

/* Reads one; past the end or past 64 bits the reader fails and 0 is returned. */
static inline int64_t schema_long_get(struct hr_reader *reader)
{
    uint64_t zigzag = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = hr_read_u8(reader);

        zigzag |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
        }
    }
    reader->failed = true;
    return 0;
}

#endif
