/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as plain structs. This room owns nanopb; nobody else sees its types. Encoding takes trusted structs
 * and decoding doubts every byte (it is called only on bytes that a signature covers, and is fuzzed all the
 * same). Everything is by value in fixed arrays: nothing is kept, nothing allocated. [any] */
#ifndef EDGE_RECORD_H
#define EDGE_RECORD_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum {
    EDGE_AIS_PAYLOAD_MAX_BYTES = 420, /* 9 sentences of 62 characters are 418.5 */
    EDGE_AIS_STATION_MAX_CHARS = 15,
    EDGE_CHUNK_MAX_BYTES = 1024,
    EDGE_STATS_MAX_COUNTERS = 24,
    EDGE_STATS_NAME_MAX_CHARS = 31,
    EDGE_SAMPLES_MAX = 60,
    EDGE_CHANNEL_MAX = 65535,        /* the highest channel of the dictionary; the lowest is 1 */
    EDGE_SCALE_MOST = 18,            /* of powers of ten, either sign */
    EDGE_RECORD_MAX_BYTES = 1152,    /* no record is longer; full Stats and Samples come near */
    EDGE_AIS_RECORD_MAX_BYTES = 480, /* the largest encoding of an AIS record */
};

enum edge_kind {
    EDGE_NONE = 0, /* a record of a kind this build doesn't know; kept, never guessed at */
    EDGE_AIS,
    EDGE_SAMPLE,
    EDGE_DOCUMENT,
    EDGE_CHUNK,
    EDGE_TIME_ANCHOR,
    EDGE_KEY_SWITCH,
    EDGE_LOSS,
    EDGE_BOOT,
    EDGE_STATS,
    EDGE_EVENT,
    EDGE_CHANNEL,
    EDGE_SAMPLES,
};

struct edge_ais {
    uint8_t
        payload[EDGE_AIS_PAYLOAD_MAX_BYTES]; /* 6 * payload_chars bits, MSB first, zero-padded to octets */
    uint16_t payload_chars;                  /* 1 to 560 */
    uint8_t fill_bits;                       /* 0 to 5 of the last character carry nothing */
    char channel;                            /* 'A', 'B', '1' ...; 0 when the field was empty */
    char talker[2];                          /* 'A','I'; graphic ASCII */
    bool own_ship;                           /* VDO */
    int64_t source_time_ms;                  /* TAG block c: in Unix ms, below 2^48; 0 for none */
    char station[EDGE_AIS_STATION_MAX_CHARS + 1]; /* TAG block s:, NUL-terminated; empty for none */
};

/* Numbers of the field `quality`; those once used keep their meaning, and others may come. */
enum edge_quality {
    EDGE_QUALITY_GOOD = 0,
    EDGE_QUALITY_STALE = 1,           /* the last read failed; the value is the one before */
    EDGE_QUALITY_NOT_IMPLEMENTED = 2, /* the device has no such value; 0 */
    EDGE_QUALITY_COMMS_ERROR = 3,     /* the device does not answer; the value is the last one */
    EDGE_QUALITY_OUT_OF_RANGE = 4,    /* what the device says is no value of this point; 0 */
};

/* One sample of a channel that the dictionary need not have. */
struct edge_sample {
    uint32_t channel;
    int64_t value;
    uint32_t quality;
};

enum edge_channel_kind {
    EDGE_CHANNEL_MEASUREMENT = 1,
    EDGE_CHANNEL_ACCUMULATOR = 2, /* counts up and wraps; its values are unsigned */
    EDGE_CHANNEL_ENUMERATION = 3,
    EDGE_CHANNEL_BITFIELD = 4, /* the value's bits */
};

/* An entry of the dictionary. Texts are NUL-terminated. */
struct edge_channel {
    uint32_t channel;     /* 1 to EDGE_CHANNEL_MAX */
    char device[32];      /* not empty */
    uint32_t model;       /* SunSpec's, up to 65535; 0: a register map */
    char point[64];       /* not empty */
    char unit[24];        /* empty for none */
    int32_t scale;        /* -EDGE_SCALE_MOST to EDGE_SCALE_MOST */
    uint32_t kind;        /* enum edge_channel_kind */
    uint32_t width_bits;  /* of an accumulator 1 to 64; else 0 */
    uint32_t interval_ms; /* 0: not said */
    uint32_t silence_ms;  /* 0: never for that reason */
    uint64_t dead_band;
    char symbols[256]; /* "value=NAME;..." where the model's definition does not say them */
};

/* The samples of one poll, ordered by channel. Value i is of channel first_channel + i + skip[0] + ... +
 * skip[i], which is at most EDGE_CHANNEL_MAX. */
struct edge_samples {
    uint32_t first_channel; /* at least 1 */
    uint16_t n_values;      /* 1 to EDGE_SAMPLES_MAX; what is behind them in the arrays means nothing */
    uint16_t skip[EDGE_SAMPLES_MAX];
    uint8_t quality[EDGE_SAMPLES_MAX]; /* enum edge_quality */
    int64_t value[EDGE_SAMPLES_MAX];
};

struct edge_document {
    uint32_t document_id;
    char feed[48];
    char request[256];
    uint32_t http_status;
    char etag[80];
    char last_modified[32];
    uint8_t sha256[32]; /* of the body; zeros when there is none */
    uint32_t len_bytes;
    uint32_t n_chunks;
    uint32_t encoding;
    char error[80];
    int64_t window_start_ms;
    int64_t window_end_ms;
};

struct edge_chunk {
    uint32_t document_id;
    uint32_t index;
    uint16_t len_bytes;
    uint8_t data[EDGE_CHUNK_MAX_BYTES];
};

enum edge_anchor_source { EDGE_ANCHOR_ACK = 1, EDGE_ANCHOR_HOST_CLOCK = 2 };

struct edge_time_anchor {
    uint32_t boot_id;
    uint64_t uptime_ms;
    uint64_t utc_ms;
    uint32_t err_ms; /* the true time is within +- err_ms */
    uint32_t source; /* enum edge_anchor_source */
};

struct edge_key_switch {
    uint32_t from_epoch;
    uint32_t to_epoch;
    uint8_t spki[91]; /* DER SubjectPublicKeyInfo of a P-256 key */
    uint32_t switch_seq;
    uint8_t proof[64];
};

enum edge_loss_reason { EDGE_LOSS_OVERFLOW = 1, EDGE_LOSS_DAMAGED = 2, EDGE_LOSS_REFUSED = 3 };

struct edge_loss {
    uint32_t from_seq;
    uint32_t to_seq; /* >= from_seq */
    uint64_t first_record_seq;
    uint32_t n_records;
    uint32_t reason; /* enum edge_loss_reason */
    uint8_t last_digest[32];
};

enum edge_boot_reason {
    EDGE_BOOT_FIRST = 1,
    EDGE_BOOT_CLEAN = 2,
    EDGE_BOOT_UNCLEAN = 3,
    EDGE_BOOT_NEW_STREAM = 4,
};

struct edge_boot {
    uint32_t boot_id;
    uint32_t reason; /* enum edge_boot_reason */
    char version[32];
    uint32_t previous_stream;
    uint32_t recovered_records; /* records found unsealed in the spool and sealed after this boot */
};

struct edge_counter {
    char name[EDGE_STATS_NAME_MAX_CHARS + 1];
    uint64_t value;
};

struct edge_stats {
    char source[16];
    uint16_t n_counters;
    struct edge_counter counter[EDGE_STATS_MAX_COUNTERS];
};

struct edge_event {
    uint32_t code;
    char text[96];
};

struct edge_record {
    uint32_t dt_ms;
    enum edge_kind kind;
    union {
        struct edge_ais ais;
        struct edge_sample sample;
        struct edge_document document;
        struct edge_chunk chunk;
        struct edge_time_anchor time_anchor;
        struct edge_key_switch key_switch;
        struct edge_loss loss;
        struct edge_boot boot;
        struct edge_stats stats;
        struct edge_event event;
        struct edge_channel channel;
        struct edge_samples samples;
    } as;
};

/* Encodes the record into out. HR_FULL: capacity_bytes is too small. HR_MALFORMED: a field is out of the
 * range that decoding asks for; whoever made the record has a bug, and the device goes on. *len_bytes is
 * written only on success. Asserts that kind is not EDGE_NONE. Equal structs give equal bytes. */
HR_MUST_USE struct hr_status edge_record_encode(const struct edge_record *record, uint8_t *out,
                                                size_t capacity_bytes, size_t *len_bytes);

/* The same for an AIS message that is not in a record. */
HR_MUST_USE struct hr_status edge_ais_encode(const struct edge_ais *ais, uint32_t dt_ms, uint8_t *out,
                                             size_t capacity_bytes, size_t *len_bytes);

/* Decodes one record. HR_MALFORMED: not a valid Record or a field out of its range (fill_bits, payload_chars
 * that don't match the payload, set padding bits, times of 2^48 ms and more or below 0, a Loss that ends
 * before it starts, a Channel or Samples out of the ranges above, digests and keys of another length, text
 * that is not UTF-8 or has control characters). An unknown body gives kind EDGE_NONE. *out is written only on
 * success; only the member of `as` that kind names is filled, payload and strings with zeros up to the end of
 * their arrays. */
HR_MUST_USE struct hr_status edge_record_decode(struct hr_bytes bytes, struct edge_record *out);

#endif
