/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/ais/layout.h"

#include "proto/base/assert.h"

/* Rows that many types share. Longitudes and latitudes are in 1/10,000 minute (1/10 in message 27), and 181
 * and 91 degrees are "not available". */
#define NUMBER(field, at, len, null, max)    {field, LAYOUT_NUMBER, at, len, null, max, 1}
#define FLAG(field, at)                      {field, LAYOUT_FLAG, at, 1, LAYOUT_NO_NULL, LAYOUT_ANY, 1}
#define TEXT(field, at, chars)               {field, LAYOUT_TEXT, at, 6 * (chars), LAYOUT_NO_NULL, LAYOUT_ANY, 1}
#define REAL(field, at, len, null, max, per) {field, LAYOUT_REAL, at, len, null, max, per}
#define COORDINATE(field, at, len, degrees, per)                                                             \
    {field, LAYOUT_SIGNED_REAL, at, len, ((degrees) + 1) * (per), (degrees) * (per), per}
#define LONGITUDE(at)  COORDINATE(AIS_LONGITUDE_DEG, at, 28, 180, 600000)
#define LATITUDE(at)   COORDINATE(AIS_LATITUDE_DEG, at, 27, 90, 600000)
#define SOG_TENTHS(at) REAL(AIS_SOG_KN, at, 10, 1023, 1022, 10)
#define COG_TENTHS(at) REAL(AIS_COG_DEG, at, 12, 3600, 3599, 10)
#define HEADING(at)    NUMBER(AIS_HEADING_DEG, at, 9, 511, 359)
#define SECOND(at)     {AIS_UTC_SECOND, LAYOUT_SECOND, at, 6, 60, LAYOUT_ANY, 1}
#define DTE(at)        {AIS_DTE_READY, LAYOUT_FLAG_INVERTED, at, 1, LAYOUT_NO_NULL, LAYOUT_ANY, 1}
#define EPFD(at)       NUMBER(AIS_EPFD, at, 4, 0, LAYOUT_ANY)
#define DIMENSIONS(at)                                                                                       \
    NUMBER(AIS_TO_BOW_M, at, 9, LAYOUT_NO_NULL, LAYOUT_ANY),                                                 \
        NUMBER(AIS_TO_STERN_M, (at) + 9, 9, LAYOUT_NO_NULL, LAYOUT_ANY),                                     \
        NUMBER(AIS_TO_PORT_M, (at) + 18, 6, LAYOUT_NO_NULL, LAYOUT_ANY),                                     \
        NUMBER(AIS_TO_STARBOARD_M, (at) + 24, 6, LAYOUT_NO_NULL, LAYOUT_ANY)

/* Position reports, class A: messages 1, 2 and 3. */
static const struct layout_row position_a[] = {
    NUMBER(AIS_NAV_STATUS, 38, 4, LAYOUT_NO_NULL, LAYOUT_ANY),
    {AIS_ROT_INDICATOR, LAYOUT_ROT, 42, 8, -128, LAYOUT_ANY, 1},
    SOG_TENTHS(50),
    FLAG(AIS_POSITION_ACCURATE, 60),
    LONGITUDE(61),
    LATITUDE(89),
    COG_TENTHS(116),
    HEADING(128),
    SECOND(137),
    NUMBER(AIS_MANEUVER, 143, 2, 0, 2),
    FLAG(AIS_RAIM, 148),
    NUMBER(AIS_COMM_STATE, 149, 19, LAYOUT_NO_NULL, LAYOUT_ANY),
};

/* Base station report and UTC response: messages 4 and 11. */
static const struct layout_row base_station[] = {
    FLAG(AIS_POSITION_ACCURATE, 78),
    LONGITUDE(79),
    LATITUDE(107),
    EPFD(134),
    FLAG(AIS_LONG_RANGE_CONTROL, 138),
    FLAG(AIS_RAIM, 148),
    NUMBER(AIS_COMM_STATE, 149, 19, LAYOUT_NO_NULL, LAYOUT_ANY),
};

/* Ship static and voyage related data: message 5. */
static const struct layout_row static_a[] = {
    NUMBER(AIS_AIS_VERSION, 38, 2, LAYOUT_NO_NULL, LAYOUT_ANY),
    NUMBER(AIS_IMO_NUMBER, 40, 30, 0, LAYOUT_ANY),
    TEXT(AIS_CALLSIGN, 70, 7),
    TEXT(AIS_VESSEL_NAME, 112, 20),
    NUMBER(AIS_SHIP_TYPE, 232, 8, 0, LAYOUT_ANY),
    DIMENSIONS(240),
    EPFD(270),
    NUMBER(AIS_ETA_MONTH, 274, 4, 0, 12),
    NUMBER(AIS_ETA_DAY, 278, 5, 0, 31),
    NUMBER(AIS_ETA_HOUR, 283, 5, 24, 23),
    NUMBER(AIS_ETA_MINUTE, 288, 6, 60, 59),
    REAL(AIS_DRAUGHT_M, 294, 8, 0, 255, 10),
    TEXT(AIS_DESTINATION, 302, 20),
    DTE(422),
};

/* Position report of an aircraft in search and rescue: message 9. Speed is in whole knots. */
static const struct layout_row aircraft[] = {
    NUMBER(AIS_ALTITUDE_M, 38, 12, 4095, 4094),
    REAL(AIS_SOG_KN, 50, 10, 1023, 1022, 1),
    FLAG(AIS_POSITION_ACCURATE, 60),
    LONGITUDE(61),
    LATITUDE(89),
    COG_TENTHS(116),
    SECOND(128),
    FLAG(AIS_ALTITUDE_BAROMETRIC, 134),
    DTE(142),
    FLAG(AIS_ASSIGNED_MODE, 146),
    FLAG(AIS_RAIM, 147),
    NUMBER(AIS_COMM_STATE_SELECTOR, 148, 1, LAYOUT_NO_NULL, LAYOUT_ANY),
    NUMBER(AIS_COMM_STATE, 149, 19, LAYOUT_NO_NULL, LAYOUT_ANY),
};

/* Position report, class B: message 18. */
static const struct layout_row position_b[] = {
    SOG_TENTHS(46),
    FLAG(AIS_POSITION_ACCURATE, 56),
    LONGITUDE(57),
    LATITUDE(85),
    COG_TENTHS(112),
    HEADING(124),
    SECOND(133),
    FLAG(AIS_CARRIER_SENSE_UNIT, 141),
    FLAG(AIS_HAS_DISPLAY, 142),
    FLAG(AIS_HAS_DSC, 143),
    FLAG(AIS_WHOLE_BAND, 144),
    FLAG(AIS_ACCEPTS_MESSAGE_22, 145),
    FLAG(AIS_ASSIGNED_MODE, 146),
    FLAG(AIS_RAIM, 147),
    NUMBER(AIS_COMM_STATE_SELECTOR, 148, 1, LAYOUT_NO_NULL, LAYOUT_ANY),
    NUMBER(AIS_COMM_STATE, 149, 19, LAYOUT_NO_NULL, LAYOUT_ANY),
};

/* Extended position report, class B: message 19. */
static const struct layout_row extended_b[] = {
    SOG_TENTHS(46),
    FLAG(AIS_POSITION_ACCURATE, 56),
    LONGITUDE(57),
    LATITUDE(85),
    COG_TENTHS(112),
    HEADING(124),
    SECOND(133),
    TEXT(AIS_VESSEL_NAME, 143, 20),
    NUMBER(AIS_SHIP_TYPE, 263, 8, 0, LAYOUT_ANY),
    DIMENSIONS(271),
    EPFD(301),
    FLAG(AIS_RAIM, 305),
    DTE(306),
    FLAG(AIS_ASSIGNED_MODE, 307),
};

/* Aid to navigation: message 21. Its name is decoded with the extension. */
static const struct layout_row aid[] = {
    NUMBER(AIS_AID_TYPE, 38, 5, 0, LAYOUT_ANY),
    FLAG(AIS_POSITION_ACCURATE, 163),
    LONGITUDE(164),
    LATITUDE(192),
    DIMENSIONS(219),
    EPFD(249),
    SECOND(253),
    FLAG(AIS_OFF_POSITION, 259),
    NUMBER(AIS_AID_STATUS_BITS, 260, 8, LAYOUT_NO_NULL, LAYOUT_ANY),
    FLAG(AIS_RAIM, 268),
    FLAG(AIS_VIRTUAL_AID, 269),
    FLAG(AIS_ASSIGNED_MODE, 270),
};

/* Static data report: message 24, part A. */
static const struct layout_row static_b_part_a[] = {
    NUMBER(AIS_PART_NUMBER, 38, 2, LAYOUT_NO_NULL, LAYOUT_ANY),
    TEXT(AIS_VESSEL_NAME, 40, 20),
};

/* Message 24, part B. */
static const struct layout_row static_b_part_b[] = {
    NUMBER(AIS_PART_NUMBER, 38, 2, LAYOUT_NO_NULL, LAYOUT_ANY),
    NUMBER(AIS_SHIP_TYPE, 40, 8, 0, LAYOUT_ANY),
    TEXT(AIS_VENDOR_ID, 48, 3),
    NUMBER(AIS_UNIT_MODEL, 66, 4, LAYOUT_NO_NULL, LAYOUT_ANY),
    NUMBER(AIS_UNIT_SERIAL, 70, 20, LAYOUT_NO_NULL, LAYOUT_ANY),
    TEXT(AIS_CALLSIGN, 90, 7),
    DIMENSIONS(132),
    EPFD(162),
};

/* Long-range position report: message 27. Whole knots and degrees. */
static const struct layout_row long_range[] = {
    FLAG(AIS_POSITION_ACCURATE, 38),
    FLAG(AIS_RAIM, 39),
    NUMBER(AIS_NAV_STATUS, 40, 4, LAYOUT_NO_NULL, LAYOUT_ANY),
    COORDINATE(AIS_LONGITUDE_DEG, 44, 18, 180, 600),
    COORDINATE(AIS_LATITUDE_DEG, 62, 17, 90, 600),
    REAL(AIS_SOG_KN, 79, 6, 63, 62, 1),
    REAL(AIS_COG_DEG, 85, 9, 511, 359, 1),
    FLAG(AIS_POSITION_LATENCY, 94),
};

#define ROWS(table) table, HR_ARRAY_LEN(table)

enum { SLOT_STATIC_B_PART_B = 28, N_SLOTS };

/* By message type; part B of message 24 has a slot of its own. min_bits is the end of RAIM in position
 * reports and of the dimensions in static ones (draught in message 5). */
static const struct layout layouts[N_SLOTS] = {
    [1] = {ROWS(position_a), LAYOUT_ALSO_NOTHING, 149, 168, 168},
    [2] = {ROWS(position_a), LAYOUT_ALSO_NOTHING, 149, 168, 168},
    [3] = {ROWS(position_a), LAYOUT_ALSO_NOTHING, 149, 168, 168},
    [4] = {ROWS(base_station), LAYOUT_ALSO_STATION_TIME, 149, 168, 168},
    [5] = {ROWS(static_a), LAYOUT_ALSO_DIMENSIONS, 302, 423, 424},
    [9] = {ROWS(aircraft), LAYOUT_ALSO_NOTHING, 148, 168, 168},
    [11] = {ROWS(base_station), LAYOUT_ALSO_STATION_TIME, 149, 168, 168},
    [18] = {ROWS(position_b), LAYOUT_ALSO_NOTHING, 148, 168, 168},
    [19] = {ROWS(extended_b), LAYOUT_ALSO_DIMENSIONS, 301, 308, 312},
    [21] = {ROWS(aid), LAYOUT_ALSO_DIMENSIONS | LAYOUT_ALSO_NAME_EXTENSION, 249, 271, 360},
    [24] = {ROWS(static_b_part_a), LAYOUT_ALSO_NOTHING, 160, 160, 168},
    [27] = {ROWS(long_range), LAYOUT_ALSO_NOTHING, 94, 95, 168},
    [SLOT_STATIC_B_PART_B] = {ROWS(static_b_part_b), LAYOUT_ALSO_DIMENSIONS | LAYOUT_ALSO_MOTHERSHIP, 162,
                              166, 168},
};

const struct layout *norm_ais_layout(uint32_t message_type, uint32_t part_number)
{
    if (message_type >= SLOT_STATIC_B_PART_B) {
        return NULL;
    }
    uint32_t slot = message_type;

    if (message_type == 24) {
        if (part_number > 1) {
            return NULL;
        }
        slot = part_number == 1 ? (uint32_t)SLOT_STATIC_B_PART_B : message_type;
    }
    return layouts[slot].rows == NULL ? NULL : &layouts[slot];
}
