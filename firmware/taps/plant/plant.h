/* SPDX-License-Identifier: Apache-2.0
 *
 * When which registers of which device are read over one Modbus line, and what of the answers is worth a
 * Sample. Pure: requests come out and answers go in; the caller owns the line (firmware/taps/modbus), the
 * clock and the records.
 *
 * Points of one device, table and interval whose registers follow each other are read at once, up to 125
 * registers. A read that fails is tried again after a pause, while other devices have the line; a device that
 * fails again and again is left alone for longer and longer (its breaker is open), so that it takes nobody's
 * time. No heap; all memory is the caller's. Calls are [loop]; now_ms is uptime and never goes back. */
#ifndef PLANT_H
#define PLANT_H

#include "firmware/taps/modbus/tap_modbus.h"
#include "firmware/taps/sunspec/tap_sunspec.h"
#include "proto/base/status.h"

enum {
    PLANT_NO_POINT = 0xFFFF,
    PLANT_REAL_SCALE = -3,    /* reals are reported in thousandths */
    PLANT_REFUSED_MS = 60000, /* a read that the device refuses is tried again no sooner */
};

/* What a Sample's quality says. 0 is good; numbers once used keep their meaning. */
enum plant_quality {
    PLANT_GOOD = 0,
    PLANT_STALE = 1, /* the last read failed; the value is the one before */
    PLANT_NOT_IMPLEMENTED =
        2, /* the device says that it has no such value, or refuses its address; the value is 0 */
    PLANT_COMMS_ERROR = 3,  /* the device does not answer; the value is the last one */
    PLANT_OUT_OF_RANGE = 4, /* what the device says is no value of this point; 0 */
};

struct plant_device_config {
    uint8_t unit;
    uint32_t timeout_ms; /* of one request */
    uint8_t n_retries;   /* of one read, besides the first try */
    uint32_t backoff_ms; /* before the first retry; doubled for each further one */
    uint8_t n_failures;  /* reads that fail in a row before the breaker opens, at least 1 */
    uint32_t open_ms;    /* how long at first; doubled each time it opens again */
    uint32_t open_max_ms;
};

/* `config` is the caller's to fill, the rest the engine's. */
struct plant_device {
    struct plant_device_config config;
    uint64_t wait_until_ms; /* nothing is asked of it before */
    uint32_t open_ms;       /* of the next time that the breaker opens */
    uint8_t n_failures;     /* in a row */
    bool is_open;           /* the next read after wait_until_ms is a single try */
};

struct plant_point {
    /* The caller's. */
    uint32_t channel;
    uint16_t device;  /* index */
    uint16_t address; /* of its first register */
    enum tap_modbus_table table;
    const struct tap_sunspec_item *item; /* type and registers; kept */
    uint16_t scale_point;                /* index of the point with its scale factor, or PLANT_NO_POINT */
    uint32_t interval_ms;                /* at least 1 */
    uint64_t
        dead_band; /* a value this near to the last one reported is not reported; in units of the Sample */
    uint32_t silence_ms; /* but this long after it, it is; 0: never for that reason */
    bool is_each;        /* every reading is reported */
    bool is_hidden;      /* read (a scale factor), never reported */
    /* The engine's. */
    uint16_t registers[1]; /* of a scale factor, the last one read */
    bool is_read;          /* a scale factor: it was read once */
    bool is_reported;      /* what follows was said */
    enum plant_quality quality;
    int8_t scale;
    int64_t value;
    uint64_t reported_ms;
};

/* The engine's, in memory that the caller gives. */
struct plant_read {
    uint16_t first_point;
    uint16_t n_points;
    uint16_t address;
    uint16_t n_registers;
    uint8_t n_tries;
    uint64_t due_ms;
};

enum plant_counter {
    PLANT_READS,      /* that gave registers */
    PLANT_RETRIES,    /* requests that were a read's second or later try */
    PLANT_FAILED,     /* reads given up after all tries */
    PLANT_REFUSED,    /* reads that the device answered with an exception */
    PLANT_OPENED,     /* how often a breaker opened */
    PLANT_OVERRUN,    /* reads that came so late that their next turn was over too */
    PLANT_SAMPLES,    /* reported */
    PLANT_SUPPRESSED, /* readings within the dead band */
    PLANT_N_COUNTERS
};

struct plant_sample {
    const struct plant_point *point;
    int64_t value; /* value * 10^scale */
    int8_t scale;  /* differs from the point's last one when the device changed its scale factor */
    enum plant_quality quality;
};

/* Receives each sample; borrowed until it returns. It must not call the engine. */
struct plant_sink {
    void (*sample)(void *ctx, const struct plant_sample *sample, uint64_t now_ms);
    void *ctx;
};

/* In the header for static allocation; read `counter` and the devices, write nothing after plant_init. */
struct plant {
    struct plant_device *devices;
    struct plant_point *points;
    struct plant_read *reads;
    uint16_t n_devices;
    uint16_t n_points;
    uint16_t n_reads;
    uint16_t current; /* read under way, or PLANT_NO_POINT */
    struct plant_sink sink;
    uint64_t counter[PLANT_N_COUNTERS];
};

/* The memory of a plant; all arrays are kept. */
struct plant_memory {
    struct plant_device *devices;
    uint16_t n_devices;
    struct plant_point *points; /* ordered by device, table, interval, address */
    uint16_t n_points;
    struct plant_read *reads;
    uint16_t n_reads; /* as many as there are points are always enough */
};

/* Plans the reads; the first of each is due at now_ms. HR_MALFORMED: the points are not in order, name a
 * device or scale point that is not there, or one that is no scale factor, reach beyond address 65535, or are
 * text. HR_FULL: more reads than there is memory for. After either the plant is not to be used. */
HR_MUST_USE struct hr_status plant_init(struct plant *plant, const struct plant_memory *memory,
                                        const struct plant_sink *sink, uint64_t now_ms);

/* The next request, if one is due: true, and *timeout_ms is how long to wait for its answer. False: none
 * before *wake_ms. Asserts that none is under way. */
bool plant_next(struct plant *plant, uint64_t now_ms, struct tap_modbus_request *request,
                uint32_t *timeout_ms, uint64_t *wake_ms);

/* How the request under way ended: the line's state (not WAITING or IDLE), and the registers when it is
 * ANSWERED, the exception's code when it is EXCEPTION. Samples go to the sink before this returns. */
void plant_answer(struct plant *plant, const struct tap_modbus *line, uint64_t now_ms);

/* The connection is gone: the request under way failed without being the device's fault, and is due again at
 * once. */
void plant_drop(struct plant *plant);

/* The line is back, or another reason to think that the devices can be reached: nobody is waited for any
 * longer. A breaker that is open stays so until an answer comes. */
void plant_wake(struct plant *plant, uint64_t now_ms);

/* Adds all counters by name to out, which has room for them. */
void plant_stats(const struct plant *plant, struct edge_stats *out);

#endif
