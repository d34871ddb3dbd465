/* SPDX-License-Identifier: Apache-2.0
 *
 * AIS records to typed events of marine.ais.raw, after Recommendation ITU-R M.1371-5, annex 8. Messages 1 to
 * 5, 9, 11, 18, 19, 21, 24 and 27 are decoded; every other one is kept with its header fields and raw
 * payload. One record gives one event, whatever is in it.
 *
 * Values. A value that the standard calls "not available" is null; so is one outside its range, and that is
 * counted in the event's invalid_fields. Units stand in the field names. The armored payload is always there,
 * so nothing that was received is lost by decoding it.
 *
 * Lengths. Receivers and transmitters in the field cut and pad. A field is decoded when all its bits are
 * there and is null otherwise. The event's decode_status tells: ok         every field of the layout is
 * there; up to 7 bits more than its longest form are padding short      the message ends early, but carries
 * at least what it is sent for (the table `layouts` in layout.c has the fewest bits of each type: a position
 * report through its RAIM flag, static data through the dimensions); what is missing is null long       more
 * bits than the layout knows; decoded, the rest is only in the payload. Message 27 padded to one slot (168
 * bits) and 24 A padded to 168 are common and "ok" bad_length too few bits for its type: header fields only
 *   kept       a type that is not decoded: header fields only
 *   no_header  fewer than 38 bits: not even type, repeat indicator and MMSI can be read
 *
 * The key of an event is the MMSI in 9 digits, so that all messages of a vessel stay in order in one
 * partition; without a header it is the device id. */
#ifndef NORM_AIS_H
#define NORM_AIS_H

#include "aggregator/normalize/norm.h"

#include <stdatomic.h>

enum { NORM_AIS_MAX_TYPE = 63 };

/* schemas/avro/marine_ais_raw.avsc. */
extern const struct norm_schema norm_ais_schema;

enum norm_ais_status {
    NORM_AIS_OK,
    NORM_AIS_SHORT,
    NORM_AIS_LONG,
    NORM_AIS_BAD_LENGTH,
    NORM_AIS_KEPT,
    NORM_AIS_NO_HEADER,
    NORM_AIS_STATUS_COUNT,
};

/* Written by the thread that normalizes, readable by any (relaxed). */
struct norm_ais_counters {
    _Atomic uint64_t by_status[NORM_AIS_STATUS_COUNT];
    _Atomic uint64_t by_type[NORM_AIS_MAX_TYPE + 1];
    _Atomic uint64_t invalid_fields; /* values out of their range, made null */
};

struct norm_ais {
    struct normalizer normalizer; /* give &ais->normalizer to norm_batch */
    struct norm_ais_counters counters;
};

/* Makes a normalizer for one thread; nothing to close. The object must not move afterwards. */
void norm_ais_init(struct norm_ais *ais);

/* "ok", "short" ...: the value of decode_status; static storage. */
const char *norm_ais_status_name(enum norm_ais_status status);

#endif
