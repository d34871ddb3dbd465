/* SPDX-License-Identifier: Apache-2.0
 *
 * A Modbus line of a plant as a tap sees it: which devices hang on it, what they have, what is polled, and
 * which channel each value is on. Pure: bytes of the line come in and go out, channels and samples come out.
 * It joins the framer (firmware/taps/modbus), SunSpec's models (firmware/taps/sunspec) and a poll engine for
 * each device (firmware/taps/plant).
 *
 * A device with SunSpec is searched for its models at the start, after its line was lost, and when it answers
 * again after its breaker was open; it is polled meanwhile as it was before, and what it measures keeps its
 * channels where its models stand as they did. A device with a register map is polled at once.
 *
 * Devices take turns on the line, one request at a time. One that does not answer costs the line a time-out a
 * try, then one after open_ms, twice that, and so on to open_max_ms, whether it was found before or not.
 *
 * No heap; all memory is the caller's and is kept. Calls are [loop]; now_ms is uptime and never goes back. */
#ifndef STATION_H
#define STATION_H

#include "firmware/taps/modbus/tap_modbus.h"
#include "firmware/taps/plant/plant.h"
#include "firmware/taps/sunspec/tap_sunspec.h"

enum {
    STATION_NAME_MAX_CHARS = 63,
    STATION_PATTERN_MAX_CHARS = 63,
    STATION_MAX_GROUPS = 8,         /* of one device */
    STATION_MODEL_REGISTERS = 2048, /* of one model that are looked at */
    STATION_SAMPLES_MAX = 60,       /* handed over at once */
    STATION_CHANNEL_MAX = 65535,
    STATION_NEVER_MS = 0x7FFFFFFF, /* wait: nothing is due by itself */
};

/* What a channel holds; the numbers are those of the wire. */
enum station_kind {
    STATION_MEASUREMENT = 1,
    STATION_ACCUMULATOR = 2,
    STATION_ENUMERATION = 3,
    STATION_BITFIELD = 4,
};

/* Points that are polled alike. A pattern is compared with "103.W" (model and point), or with the name in a
 * register map; a * stands for any characters, also none. */
struct station_group {
    const char *const *patterns;
    uint32_t n_patterns;
    uint32_t interval_ms; /* at least 1 */
    uint64_t dead_band;   /* as of struct plant_point */
    uint32_t silence_ms;
    bool is_each;
};

/* A row of a register map. */
struct station_register {
    struct tap_sunspec_item item; /* name, unit, type (no text) and registers */
    enum tap_modbus_table table;
    uint16_t address;
    int8_t scale; /* value * 10^scale */
    enum station_kind kind;
    const char *symbols; /* "0=off;1=on" of an enumeration, by bit of a bitfield; else empty */
};

struct station_device_config {
    const char *name;
    struct plant_device_config line; /* unit, time-outs and breaker */
    const struct station_group *const *groups;
    uint32_t n_groups;
    const struct station_register *map; /* NULL: the device has SunSpec */
    uint32_t n_map;
};

struct station_channel {
    uint32_t number; /* from 1, over all lines of a tap */
    uint16_t model;  /* 0: of a register map */
    char point[STATION_NAME_MAX_CHARS + 1];
    const char *unit;
    enum station_kind kind;
    uint8_t width_bits;  /* of an accumulator, else 0 */
    const char *symbols; /* of a register map: \"0=off;1=on\", else empty */
    int32_t scale;       /* as it was told last */
    int8_t map_scale;
    bool is_told;
    bool is_scaled; /* there is a scale factor, at this address */
    uint16_t scale_address;
};

/* The memory of a device. */
struct station_memory {
    struct plant_point *points;
    struct station_channel *channels;
    struct plant_read *reads;
    uint16_t capacity;   /* of each of the three; scale factors take places too */
    uint16_t *registers; /* STATION_MODEL_REGISTERS of them */
};

enum station_search {
    STATION_RESTING,   /* nothing is looked for */
    STATION_SEARCHING, /* for its models */
    STATION_READING,   /* the models, for what is in them */
};

struct station_line;

struct station_device {
    struct station_device_config config; /* the caller's, before station_init; the rest is the line's */
    struct station_memory memory;        /* the caller's */
    struct station_line *line;
    struct plant_device plant_device;
    struct plant plant;
    bool has_plan;
    uint16_t n_points;
    uint32_t n_shown;       /* points that have a channel; the others are read for their sake */
    uint32_t first_channel; /* of the block of numbers that it has */
    uint32_t n_channels;
    uint16_t n_left_out; /* points that the memory had no room for */
    enum station_search search;
    struct tap_sunspec_discovery discovery;
    uint16_t n_models; /* that the plan stands on */
    struct tap_sunspec_found models[TAP_SUNSPEC_FOUND_MAX];
    uint16_t model;  /* that is read */
    uint16_t n_read; /* registers of it */
    uint8_t n_tries;
    bool is_heard;      /* in this search */
    bool has_missed;    /* a base was passed over without an answer */
    bool was_searching; /* its last turn went to the search */
    uint64_t search_at_ms;
    uint32_t pause_ms;
};

struct station_sample {
    uint32_t channel;
    int64_t value;
    enum plant_quality quality;
};

enum station_event {
    STATION_FOUND,      /* number: points that are polled */
    STATION_CUT,        /* its list of models broke off; number: models that were found before */
    STATION_NO_SUNSPEC, /* it answers, but has none */
    STATION_SILENT,     /* it does not answer; number: after how many milliseconds it is asked again */
    STATION_BACK,       /* it answers again */
    STATION_FULL, /* number: points that were left out, as memory or the numbers of channels are used up */
};

/* What comes out; borrowed until it returns. None may call the line. */
struct station_sink {
    /* A channel, before its first sample, and when it changed. */
    void (*channel)(void *ctx, const struct station_device *device, const struct station_channel *channel,
                    uint64_t now_ms);
    /* Samples of one poll, by ascending channel, at most STATION_SAMPLES_MAX. */
    void (*samples)(void *ctx, const struct station_sample *samples, size_t n_samples, uint64_t now_ms);
    void (*event)(void *ctx, const struct station_device *device, enum station_event event, uint32_t number);
    void *ctx;
};

struct station_config {
    enum tap_modbus_framing framing;
    uint32_t quiet_ms; /* RTU: after a failed request, so that a late answer passes */
    uint32_t gap_ms;   /* RTU: between an answer and the next request */
    struct station_device *devices;
    uint16_t n_devices;
    uint32_t *next_channel; /* kept: the last number given, over all lines of a tap */
    struct station_sink sink;
};

/* In the header for static allocation; read the framer's counters, the devices' plants, write nothing. */
struct station_line {
    struct station_config config;
    struct tap_modbus framer;
    bool is_open;
    bool must_reopen;
    bool was_lost;                /* since it was open last, not by our own wish */
    uint16_t turn;                /* the device that was served last */
    struct station_device *asked; /* NULL: none is under way */
    bool is_search;               /* the request under way */
    uint64_t closed_ms;
    uint64_t until_ms; /* the answer is waited for */
    uint64_t rest_until_ms;
    uint32_t n_samples;
    struct station_sample samples[STATION_SAMPLES_MAX];
};

enum station_step {
    STATION_WAIT,   /* for bytes, or *wait_ms */
    STATION_SEND,   /* *len_bytes of out go onto the line; call again after */
    STATION_REOPEN, /* where frames begin is lost: close the connection, then open it anew */
};

/* The line is closed at first. Asserts that each device has its memory and a group. HR_MALFORMED: a register
 * map has a row that cannot be read. */
HR_MUST_USE struct hr_status station_init(struct station_line *line, const struct station_config *config,
                                          uint64_t now_ms);

/* The connection is made, or the device was opened. */
void station_opened(struct station_line *line, uint64_t now_ms);

/* It ended. What was under way is asked again; a device that stays unreachable for longer than its time-out
 * counts as one that does not answer. */
void station_closed(struct station_line *line, uint64_t now_ms);

/* Bytes as they come, cut anywhere. Samples go to the sink before this returns. */
void station_feed(struct station_line *line, struct hr_bytes bytes, uint64_t now_ms);

/* Does what is due. After REOPEN call station_closed. */
enum station_step station_step(struct station_line *line, uint64_t now_ms,
                               uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES], size_t *len_bytes,
                               uint32_t *wait_ms);

/* Hands out every channel that was told before, as it is now. */
void station_tell_all(struct station_line *line, uint64_t now_ms);

/* Adds the line's counters to the sums. */
void station_count(const struct station_line *line, uint64_t framer[TAP_MODBUS_N_COUNTERS],
                   uint64_t plant[PLANT_N_COUNTERS]);

/* Whether the text is as the pattern says. [any] */
bool station_matches(const char *pattern, const char *text);

#endif
