/* SPDX-License-Identifier: Apache-2.0
 *
 * The bit layouts of AIS messages as data: Recommendation ITU-R M.1371-5, annex 8, section 3. Private to
 * ais/. */
#ifndef NORM_AIS_LAYOUT_H
#define NORM_AIS_LAYOUT_H

#include "aggregator/normalize/norm.h"

/* The fields of marine_ais_raw after the common ones, in the order of the schema. */
enum norm_ais_field {
    AIS_CHANNEL = NORM_COMMON_COUNT,
    AIS_TALKER,
    AIS_OWN_SHIP,
    AIS_SOURCE_TIME,
    AIS_STATION,
    AIS_PAYLOAD,
    AIS_FILL_BITS,
    AIS_DECODE_STATUS,
    AIS_INVALID_FIELDS,
    AIS_MESSAGE_TYPE,
    AIS_REPEAT_INDICATOR,
    AIS_MMSI,
    AIS_NAV_STATUS,
    AIS_ROT_INDICATOR,
    AIS_ROT_DEG_MIN,
    AIS_SOG_KN,
    AIS_POSITION_ACCURATE,
    AIS_LONGITUDE_DEG,
    AIS_LATITUDE_DEG,
    AIS_COG_DEG,
    AIS_HEADING_DEG,
    AIS_UTC_SECOND,
    AIS_TIME_STAMP_MODE,
    AIS_MANEUVER,
    AIS_RAIM,
    AIS_COMM_STATE_SELECTOR,
    AIS_COMM_STATE,
    AIS_ASSIGNED_MODE,
    AIS_POSITION_LATENCY,
    AIS_ALTITUDE_M,
    AIS_ALTITUDE_BAROMETRIC,
    AIS_STATION_TIME,
    AIS_LONG_RANGE_CONTROL,
    AIS_EPFD,
    AIS_AIS_VERSION,
    AIS_IMO_NUMBER,
    AIS_CALLSIGN,
    AIS_VESSEL_NAME,
    AIS_SHIP_TYPE,
    AIS_TO_BOW_M,
    AIS_TO_STERN_M,
    AIS_TO_PORT_M,
    AIS_TO_STARBOARD_M,
    AIS_ETA_MONTH,
    AIS_ETA_DAY,
    AIS_ETA_HOUR,
    AIS_ETA_MINUTE,
    AIS_DRAUGHT_M,
    AIS_DESTINATION,
    AIS_DTE_READY,
    AIS_CARRIER_SENSE_UNIT,
    AIS_HAS_DISPLAY,
    AIS_HAS_DSC,
    AIS_WHOLE_BAND,
    AIS_ACCEPTS_MESSAGE_22,
    AIS_AID_TYPE,
    AIS_AID_NAME,
    AIS_OFF_POSITION,
    AIS_AID_STATUS_BITS,
    AIS_VIRTUAL_AID,
    AIS_PART_NUMBER,
    AIS_VENDOR_ID,
    AIS_UNIT_MODEL,
    AIS_UNIT_SERIAL,
    AIS_MOTHERSHIP_MMSI,
    AIS_FIELD_COUNT,
};

/* How bits become a value. */
enum layout_as {
    LAYOUT_NUMBER,      /* unsigned, as it stands */
    LAYOUT_REAL,        /* unsigned / per_unit */
    LAYOUT_SIGNED_REAL, /* two's complement / per_unit; max_raw bounds the magnitude */
    LAYOUT_FLAG,
    LAYOUT_FLAG_INVERTED,
    LAYOUT_TEXT,   /* 6-bit characters, up to '@', without trailing spaces; empty is null */
    LAYOUT_ROT,    /* rate of turn: the indicator and, by its formula, degrees a minute */
    LAYOUT_SECOND, /* time stamp: 0 to 59 is a UTC second, 61 to 63 a mode of the position system */
};

#define LAYOUT_NO_NULL INT32_MAX /* every value means something */
#define LAYOUT_ANY     INT32_MAX /* no value is out of range */

struct layout_row {
    uint8_t field; /* enum norm_ais_field; with LAYOUT_ROT and LAYOUT_SECOND the first of two */
    uint8_t as;    /* enum layout_as */
    uint16_t at;   /* first bit */
    uint16_t len_bits;
    int32_t null_raw; /* the value that says "not available" */
    int32_t max_raw;  /* above it (and not null_raw): out of range */
    uint32_t per_unit;
};

/* What a type needs beyond its rows. */
enum layout_also {
    LAYOUT_ALSO_NOTHING = 0,
    LAYOUT_ALSO_STATION_TIME = 1,   /* UTC of a base station, bits 38 to 77 */
    LAYOUT_ALSO_DIMENSIONS = 2,     /* four dimensions of 0 together are "not available" */
    LAYOUT_ALSO_MOTHERSHIP = 4,     /* with an MMSI 98xxxxxxx, bits 132 to 161 are the mother ship's MMSI */
    LAYOUT_ALSO_NAME_EXTENSION = 8, /* an aid's name goes on at bit 272 */
};

struct layout {
    const struct layout_row *rows;
    uint16_t n_rows;
    uint16_t also;         /* enum layout_also, or-ed */
    uint16_t min_bits;     /* with fewer, only the header is decoded */
    uint16_t full_bits;    /* every field is there */
    uint16_t longest_bits; /* what the standard, or common practice, can send */
};

/* The layout of a type, and for type 24 of its part; NULL: not decoded. */
const struct layout *norm_ais_layout(uint32_t message_type, uint32_t part_number);

#endif
