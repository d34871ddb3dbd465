/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plant's registers mean: SunSpec's models, found in a device and read point by point. Sources:
 * "SunSpec Device Information Model Specification" 1.1 sections 4 to 6, and the model definitions, which
 * models.tsv repeats and tools/sunspec/tables turns into const tables. Pure: registers come in from
 * firmware/taps/modbus. No heap, no clock. [any] */
#ifndef TAP_SUNSPEC_H
#define TAP_SUNSPEC_H

#include "firmware/taps/modbus/tap_modbus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TAP_SUNSPEC_DEPTH_MAX = 3,        /* groups within groups */
    TAP_SUNSPEC_NAME_MAX_BYTES = 128, /* of a point's name with its groups, and a NUL */
    TAP_SUNSPEC_TEXT_MAX_BYTES = 65,  /* of a string point of up to 32 registers, and a NUL */
    TAP_SUNSPEC_FOUND_MAX = 48,       /* models in one device */
    TAP_SUNSPEC_HEAD_REGISTERS = 2,   /* model and length, before what the length counts */
    TAP_SUNSPEC_SCALE_MOST = 10,      /* of scale factors, either sign */
};

enum tap_sunspec_type {
    TAP_SUNSPEC_INT16,
    TAP_SUNSPEC_INT32,
    TAP_SUNSPEC_INT64,
    TAP_SUNSPEC_UINT16,
    TAP_SUNSPEC_UINT32,
    TAP_SUNSPEC_UINT64,
    TAP_SUNSPEC_ACC16,
    TAP_SUNSPEC_ACC32,
    TAP_SUNSPEC_ACC64,
    TAP_SUNSPEC_ENUM16,
    TAP_SUNSPEC_ENUM32,
    TAP_SUNSPEC_BITFIELD16,
    TAP_SUNSPEC_BITFIELD32,
    TAP_SUNSPEC_BITFIELD64,
    TAP_SUNSPEC_COUNT,
    TAP_SUNSPEC_SUNSSF,
    TAP_SUNSPEC_FLOAT32,
    TAP_SUNSPEC_STRING,
    TAP_SUNSPEC_PAD,
    TAP_SUNSPEC_GROUP, /* not a point: a group begins */
    TAP_SUNSPEC_END,   /* not a point: it ends */
};

struct tap_sunspec_symbol {
    uint32_t value; /* of a bitfield the number of the bit */
    const char *name;
};

/* A point, or where a group begins or ends. Static storage. */
struct tap_sunspec_item {
    const char *name;
    const char *unit; /* as the definition writes it, "" for none */
    const struct tap_sunspec_symbol *symbols;
    uint16_t n_symbols;
    uint16_t pair; /* of a group's ends: the item of the other one */
    uint16_t
        reference; /* register from the model's start of the scale factor, or of a group's count; 0: none */
    uint8_t type;  /* enum tap_sunspec_type */
    uint8_t n_registers; /* of a point */
    uint8_t count;       /* of a group; 0: as many as the model is long, 255: `reference` says it */
};

struct tap_sunspec_model {
    const struct tap_sunspec_item *items;
    uint16_t n_items;
    uint16_t id;
    const char *name;
};

enum tap_sunspec_form {
    TAP_SUNSPEC_NOT_IMPLEMENTED, /* the device says that it has no such value */
    TAP_SUNSPEC_INTEGER,         /* integer * 10^scale */
    TAP_SUNSPEC_REAL,
    TAP_SUNSPEC_TEXT,
    TAP_SUNSPEC_OUT_OF_RANGE, /* an infinity, an unsigned number of 2^63 and more, or a scale factor beyond 10
                                 either way */
};

struct tap_sunspec_value {
    const struct tap_sunspec_item *point;
    const uint16_t *registers; /* borrowed from the walk: point->n_registers of them */
    uint16_t at;               /* register from the model's start */
    enum tap_sunspec_form form;
    int8_t scale;    /* of INTEGER; 0 where the point has none or the device does not implement it */
    int64_t integer; /* of INTEGER */
    float real;      /* of REAL */
    uint8_t depth;   /* groups around the point, outermost first */
    const struct tap_sunspec_item *group[TAP_SUNSPEC_DEPTH_MAX];
    uint16_t index[TAP_SUNSPEC_DEPTH_MAX]; /* which repetition of each, from 1 */
};

/* The definition of the model; NULL when it is not among the tables. */
const struct tap_sunspec_model *tap_sunspec_model(uint16_t id);

/* A walk over a model's registers, from its number and length on. In the header for static allocation. */
struct tap_sunspec_walk {
    const struct tap_sunspec_model *model;
    const uint16_t *registers;
    uint16_t n_registers;
    uint16_t at;
    uint16_t item;
    uint8_t depth;
    const struct tap_sunspec_item *group[TAP_SUNSPEC_DEPTH_MAX];
    uint16_t index[TAP_SUNSPEC_DEPTH_MAX];
    uint16_t count[TAP_SUNSPEC_DEPTH_MAX];
};

/* Begins a walk. The registers are kept until its end; n_registers is the length that the device tells + 2. A
 * device whose model is shorter than the definition has the points that fit; what a longer one has behind
 * them is not read. */
void tap_sunspec_walk(struct tap_sunspec_walk *walk, const struct tap_sunspec_model *model,
                      const uint16_t *registers, uint16_t n_registers);

/* The next point but padding; false at the end, *value is then undefined. */
bool tap_sunspec_next(struct tap_sunspec_walk *walk, struct tap_sunspec_value *value);

/* Fills form, scale, integer and real of a value whose point and registers are set. scale: the register of
 * its scale factor, borrowed; NULL for none. Points of type PAD have none of it. */
void tap_sunspec_read(struct tap_sunspec_value *value, const uint16_t *scale);

/* The point's name within its model: "W", "module[2].DCA", "Crv[1].MustTrip.Pt[3].V". */
void tap_sunspec_name(const struct tap_sunspec_value *value, char out[TAP_SUNSPEC_NAME_MAX_BYTES]);

/* The bytes of a TEXT value up to the first NUL, as the device has them, and a NUL. Returns the length. */
size_t tap_sunspec_text(const struct tap_sunspec_value *value, char out[TAP_SUNSPEC_TEXT_MAX_BYTES]);

/* The name of an enumerated value, or of a bitfield's bit; NULL when the definition has none. */
const char *tap_sunspec_symbol(const struct tap_sunspec_item *point, uint32_t value);

enum tap_sunspec_step {
    TAP_SUNSPEC_STEADY,
    TAP_SUNSPEC_WRAPPED, /* from the last quarter of its range into the first */
    TAP_SUNSPEC_RESET,   /* it fell otherwise: counted from 0, and what it lost nobody knows */
};

/* How far an accumulator of this type (ACC16, ACC32, ACC64) went from one reading to the next. */
enum tap_sunspec_step tap_sunspec_delta(enum tap_sunspec_type type, uint64_t before, uint64_t now,
                                        uint64_t *delta);

/* ---- which models a device has ---- */

enum tap_sunspec_search {
    TAP_SUNSPEC_SEARCHING,
    TAP_SUNSPEC_FOUND, /* the end model was met: the list is whole */
    TAP_SUNSPEC_CUT,   /* SunSpec, but the walk failed, met address 65536 or FOUND_MAX models: the list is a
                          beginning */
    TAP_SUNSPEC_NO_SUNSPEC /* none of the three bases begins with "SunS" */
};

struct tap_sunspec_found {
    uint16_t id;
    uint16_t address;     /* of the model's number */
    uint16_t n_registers; /* with number and length */
};

/* Read `state`, `n_models`, `models`; write nothing. */
struct tap_sunspec_discovery {
    enum tap_sunspec_search state;
    uint8_t unit;
    uint8_t base;     /* which of 40000, 0, 50000 */
    bool has_base;    /* it begins with "SunS" */
    uint32_t address; /* of the next model */
    uint16_t n_models;
    struct tap_sunspec_found models[TAP_SUNSPEC_FOUND_MAX];
};

void tap_sunspec_discover(struct tap_sunspec_discovery *discovery, uint8_t unit);

/* What to ask the device next. Asserts that the state is SEARCHING. */
void tap_sunspec_question(const struct tap_sunspec_discovery *discovery, struct tap_modbus_request *out);

/* The answer to it: as many registers as were asked for, or NULL when the request failed (an exception, or
 * the caller's patience is over). */
void tap_sunspec_answer(struct tap_sunspec_discovery *discovery, const uint16_t *registers);

#endif
