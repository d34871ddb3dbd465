/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share. Every record is encoded by encode.c, field by field from tables.
 * Decoding has two codecs: nanopb for every record, and a written-out one for the shapes of AIS, of which
 * there are thousands a second. They agree byte for byte, and encoding agrees with nanopb's encoder
 * (tests/unit/test_edge.c compares them on random and on damaged input). Microcontrollers decode nothing and
 * have encode.c alone. */
#ifndef EDGE_INTERNAL_H
#define EDGE_INTERNAL_H

#include "proto/edge/record.h"

/* An AIS record with its variable parts borrowed, the form between wire and struct edge_ais. */
struct edge_ais_view {
    struct hr_bytes payload;
    uint32_t payload_chars;
    uint32_t fill_bits;
    uint32_t channel;
    uint32_t talker; /* first letter << 8 | second */
    bool own_ship;
    int64_t source_time_ms;
    struct hr_bytes station;
};

enum { EDGE_TALKER_AI = 'A' << 8 | 'I' };

/* Protobuf tag bytes (field << 3 | wire type) of record.proto that the written-out codec of AIS knows. */
enum {
    EDGE_TAG_DT_MS = 1 << 3 | 0,
    EDGE_TAG_AIS_A = 2 << 3 | 2,
    EDGE_TAG_AIS_B = 3 << 3 | 2,
    EDGE_TAG_AIS = 4 << 3 | 2,
    EDGE_TAG_PAYLOAD = 1 << 3 | 2,
    EDGE_TAG_PAYLOAD_CHARS = 2 << 3 | 0,
    EDGE_TAG_FILL_BITS = 3 << 3 | 0,
    EDGE_TAG_CHANNEL = 4 << 3 | 0,
    EDGE_TAG_TALKER = 5 << 3 | 0,
    EDGE_TAG_OWN_SHIP = 6 << 3 | 0,
    EDGE_TAG_SOURCE_TIME = 7 << 3 | 0,
    EDGE_TAG_STATION = 8 << 3 | 2,
};

/* Times and counters of the wire stay below 2^48, so that their microseconds fit in 64 bits. */
#define EDGE_LIMIT_48 ((uint64_t)1 << 48)

/* True when the fixed array holds a text, as proto/base/text.h has it, and its NUL. */
bool edge_text_array_ok(const char *text, size_t capacity_bytes);

/* True when each field is in the range that edge/record.h gives; kind must not be EDGE_AIS or EDGE_NONE. */
bool edge_record_in_range(const struct edge_record *record);

struct edge_ais_view edge_ais_view_of(const struct edge_ais *ais);
bool edge_ais_view_in_range(const struct edge_ais_view *view);
/* True for what ais_a and ais_b can say: VDM of talker AI on channel A or B in whole octets and nothing else.
 */
bool edge_ais_view_is_common(const struct edge_ais_view *view);
/* The view of what an ais_a (channel 'A') or ais_b (channel 'B') field holds. */
struct edge_ais_view edge_ais_view_of_common(struct hr_bytes payload, char channel);
/* Fills *out with a view that is in range. */
void edge_ais_fill(const struct edge_ais_view *view, struct edge_ais *out);

/* The written-out codec. HR_NOT_FOUND: it met another shape; ask nanopb. */
HR_MUST_USE struct hr_status edge_ais_decode(struct hr_bytes bytes, struct edge_record *out);

/* The nanopb codec, for every kind; results as edge_record_decode. */
HR_MUST_USE struct hr_status edge_nanopb_decode(struct hr_bytes bytes, struct edge_record *out);

#endif
