/* SPDX-License-Identifier: Apache-2.0
 *
 * The page of a board's memory that says what it polls over its Modbus line: the line's speed, the units on
 * it and the registers of each. proto/SPEC.md section 10.3 has every byte. A microcontroller reads it entry
 * by entry (firmware/core/plan.h), so that names take none of its memory. [any] */
#ifndef IMAGE_PLAN_H
#define IMAGE_PLAN_H

#include "proto/base/cursor.h"
#include "proto/image/image.h"

enum {
    IMAGE_PLAN_MAX_BYTES = 4096,
    IMAGE_PLAN_FRONT_BYTES = IMAGE_HEAD_BYTES + 6,
    IMAGE_PLAN_CHECK_BYTES = 4, /* at the end of the page: CRC-32C of what stands before */
    IMAGE_PLAN_MAX_UNITS = 32,
    IMAGE_PLAN_MAX_POINTS = 128,
    IMAGE_PLAN_NAME_MAX_CHARS = 31, /* of a unit, of a point */
    IMAGE_PLAN_MEASURE_MAX_CHARS = 15,
    IMAGE_PLAN_ENTRY_MAX_BYTES = 72, /* no unit and no point takes more */
    IMAGE_PLAN_NO_SCALE = 0xFF,
    IMAGE_PLAN_SCALE_MOST = 10, /* either sign */
    IMAGE_PLAN_BAUD_MIN = 1200,
    IMAGE_PLAN_BAUD_MAX = 115200,
};

/* What the registers of a point hold; most significant register first. Numbers of the page. */
enum image_register {
    IMAGE_INT16 = 1,
    IMAGE_INT32,
    IMAGE_INT64,
    IMAGE_UINT16,
    IMAGE_UINT32,
    IMAGE_UINT64,
    IMAGE_ACC16, /* counts up and wraps */
    IMAGE_ACC32,
    IMAGE_ACC64,
    IMAGE_ENUM16,
    IMAGE_ENUM32,
    IMAGE_BITFIELD16,
    IMAGE_BITFIELD32,
    IMAGE_BITFIELD64,
    IMAGE_FLOAT32,
    IMAGE_SUNSSF, /* a scale factor, which other points name; never reported */
    IMAGE_N_REGISTERS
};

struct image_plan_front {
    uint32_t sequence;
    uint16_t len_bytes; /* of the page that is used, head and check included */
    uint32_t baud;      /* 8 data bits, no parity, one stop bit */
    uint8_t n_units;    /* 1 to IMAGE_PLAN_MAX_UNITS */
    uint8_t n_points;   /* 1 to IMAGE_PLAN_MAX_POINTS */
};

/* One device on the line. What it means stands in firmware/taps/plant/plant.h. */
struct image_plan_unit {
    uint8_t unit; /* 1 to 247; no two are the same */
    uint16_t timeout_ms;
    uint8_t n_retries;
    uint16_t backoff_ms;
    uint8_t n_failures;   /* at least 1 */
    uint16_t open_s;      /* at least 1 */
    uint16_t open_max_s;  /* at least open_s */
    struct hr_bytes name; /* 1 to IMAGE_PLAN_NAME_MAX_CHARS of printable ASCII */
};

struct image_plan_point {
    uint8_t unit_index;   /* of the units of the page */
    uint8_t table;        /* the function that reads it: 3 holding registers, 4 input registers */
    uint8_t type;         /* enum image_register */
    bool is_each;         /* every reading is reported */
    uint16_t address;     /* of its first register, counted from 0; all of them are below 65536 */
    uint16_t model;       /* SunSpec's; 0: none */
    uint8_t scale_point;  /* index of the point with its scale factor; IMAGE_PLAN_NO_SCALE: none */
    int8_t scale;         /* value * 10^scale, besides that of the scale point */
    uint32_t interval_ms; /* 100 to one day */
    uint32_t dead_band;   /* of the raw value */
    uint32_t silence_ms;  /* 0: none */
    struct hr_bytes name;
    struct hr_bytes measure; /* its unit of measure; may be empty */
};

/* What the whole page says; for writing it. */
struct image_plan {
    uint32_t sequence;
    uint32_t baud;
    uint8_t n_units;
    uint8_t n_points;
    const struct image_plan_unit *units;
    const struct image_plan_point *points; /* by unit_index, table, interval_ms, address, each rising */
};

/* 1, 2 or 4 registers; 0: no such type. */
uint8_t image_register_count(uint8_t type);

/* Writes a page. HR_MALFORMED: something is out of the ranges above, points are not in order, or a scale
 * point is no scale factor of the same unit. HR_FULL: it does not fit the capacity or IMAGE_PLAN_MAX_BYTES.
 */
HR_MUST_USE struct hr_status image_plan_encode(const struct image_plan *plan, uint8_t *out,
                                               size_t capacity_bytes, size_t *len_bytes);

/* Reads the front of a page; its check has not been looked at. HR_NOT_FOUND, HR_MALFORMED: as
 * image_head_decode, and HR_MALFORMED for a number out of range. */
HR_MUST_USE struct hr_status image_plan_front_decode(const uint8_t bytes[IMAGE_PLAN_FRONT_BYTES],
                                                     struct image_plan_front *out);

/* Reads the unit, or the point, at the reader; its text is borrowed. HR_MALFORMED: it is cut off or out of
 * its range; nothing is known of what follows. */
HR_MUST_USE struct hr_status image_plan_unit_decode(struct hr_reader *reader, struct image_plan_unit *out);
HR_MUST_USE struct hr_status image_plan_point_decode(struct hr_reader *reader, struct image_plan_point *out);

/* Whether a point may stand behind the one before it (NULL: it is the first) in a page with this front. */
bool image_plan_point_follows(const struct image_plan_front *front, const struct image_plan_point *before,
                              const struct image_plan_point *point);

#endif
