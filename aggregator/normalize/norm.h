/* SPDX-License-Identifier: Apache-2.0
 *
 * What all normalizers share: the way of a batch through them, the time of a record, the identity of an
 * event, and the fields with which every event begins. Pure: no heap, no clock, no I/O. [any] */
#ifndef NORM_H
#define NORM_H

#include "aggregator/io/normalizer.h"

enum {
    NORM_UUID_CHARS = 36,
    NORM_TRACE_ID_CHARS = 32,
    NORM_TRACEPARENT_CHARS = 55,
    NORM_DEVICE_ID_CHARS = 16,
    NORM_TIME_ANCHORED_MAX_MS = 10 * 60 * 1000, /* this near to its anchor a record is ANCHORED */
    NORM_TIME_DRIFT_PPM = 100, /* worst drift of a device's clock that an error bound covers */
};

/* ---- batches ---- */

struct norm_batch_result {
    uint32_t n_records;   /* found in the payload */
    uint32_t n_events;    /* emitted */
    uint32_t n_malformed; /* records that don't decode; each is an event of its own */
    uint32_t n_unrouted;  /* records of a kind that nobody here takes; likewise */
    uint32_t taken;       /* bit i: normalizer i took a record, with or without events */
};

/* Decodes each record of the batch and hands it to the first of the normalizers that takes its kind. A record
 * that doesn't decode, is of a kind this build doesn't know, or that nobody takes, becomes an event of
 * norm_device_schema with its raw bytes: nothing is lost silently. Events come in record order. */
struct norm_batch_result norm_batch(const struct normalizer *const *normalizers, size_t n_normalizers,
                                    const struct norm_input *input, const struct norm_emit *emit);

/* For the batches of a time before this process, in the order of leaves: tells those normalizers that ask for
 * it (`recall` of struct normalizer) of the records that they take. Their past may be read, as with
 * norm_batch. */
void norm_batch_recall(const struct normalizer *const *normalizers, size_t n_normalizers,
                       const struct norm_input *input);

/* There was no memory for the work on this batch. */
void norm_no_memory(const struct norm_input *input);

/* ---- time ---- */

struct norm_time {
    int64_t occurred_at_us; /* Unix microseconds */
    int64_t error_ms;       /* the true time is within +- this; -1: not known */
    enum norm_time_quality quality;
};

/* The time of something that happened dt_ms after the batch base. With an anchor of the same boot: its UTC
 * plus the uptime between, ANCHORED up to 10 minutes from it and EXTRAPOLATED beyond, the error being the
 * anchor's plus 100 ppm of the distance (rounded up). Without a usable one: RECEIVED_ONLY, the time at which
 * the batch was received, which is only a latest possible time, so the error is not known. */
struct norm_time norm_time_of(const struct norm_input *input, uint32_t dt_ms);

/* "anchored", "extrapolated", "bounded", "received_only"; static storage. */
const char *norm_time_quality_name(enum norm_time_quality quality);

/* ---- identity ---- */

/* The id of an event: a UUID of version 8 (RFC 9562 section 5.8) whose bits are, in order, the first 90 bits
 * of the batch digest, 16 of the record's index and the low 16 of the output's index, with version and
 * variant in their places; the high 16 of the output's index, zeros but for documents of more than 65,536
 * events, are added by exclusive or to the last 16 bits of the digest. The batch digest names the batch for
 * ever, so the same record gives the same id in every replay, and no two events of a log share one. Writes 36
 * characters, no NUL. */
void norm_event_id(const uint8_t batch_digest[WIRE_DIGEST_BYTES], uint32_t record_index,
                   uint32_t output_index, char out[NORM_UUID_CHARS]);

/* The W3C trace id of all that comes of one batch: the last 16 bytes of its digest, in hex, no NUL. */
void norm_trace_id(const uint8_t batch_digest[WIRE_DIGEST_BYTES], char out[NORM_TRACE_ID_CHARS]);

/* W3C traceparent of one record: version 00, the batch's trace id, a parent id from the digest and the
 * record's index, sampled. Writes 55 characters and a NUL: it fits struct sink_origin. */
void norm_traceparent(const uint8_t batch_digest[WIRE_DIGEST_BYTES], uint32_t record_index,
                      char out[NORM_TRACEPARENT_CHARS + 1]);

/* Lower-case hex, two characters a byte, no NUL. */
void norm_hex(const uint8_t *bytes, size_t len_bytes, char *out);

/* ---- content ---- */

/* Tells whether two normalizers say the same of a record. What an event says is its key, its time with
 * quality and error, and its own fields, behind the common ones, as Avro (`own`, the end of the encoded
 * value). Where it comes from (ids, leaf, producer, tenant, revision) is left out, and
 * so are the fields that the schema calls aside. Zeros at the end don't
 * count, so a schema that grows by nullable fields at its end changes nothing. 64 bits that are spread well
 * but resist no forger: a device could at most hide a correction of its own records. Stored: it must never
 * change. Never 0. */
uint64_t norm_content_of(const struct norm_event *event, struct hr_bytes own);

/* ---- the fields that every event begins with ---- */

enum norm_common {
    NORM_EVENT_ID,
    NORM_TRACE_ID,
    NORM_OCCURRED_AT,
    NORM_TENANT_ID,
    NORM_SCHEMA_VERSION,
    NORM_PRODUCER,
    NORM_TIME_QUALITY,
    NORM_TIME_ERROR_MS,
    NORM_RECEIVED_AT,
    NORM_DEVICE_ID,
    NORM_STREAM,
    NORM_BATCH_SEQ,
    NORM_RECORD_INDEX,
    NORM_RECORD_SEQ,
    NORM_LEAF,
    NORM_BOOT_ID,
    NORM_UPTIME_MS,
    NORM_REVISION, /* 0 as the normalizers fill it; a replay sets it */
    NORM_COMMON_COUNT,
};

/* The table rows of these fields, to begin a norm_schema's with. */
#define NORM_COMMON_FIELDS                                                                                   \
    [NORM_EVENT_ID] = {"event_id", NORM_STRING, false, NULL},                                                \
    [NORM_TRACE_ID] = {"trace_id", NORM_STRING, false, NULL},                                                \
    [NORM_OCCURRED_AT] = {"occurred_at", NORM_LONG, false, "timestamp-micros"},                              \
    [NORM_TENANT_ID] = {"tenant_id", NORM_STRING, false, NULL},                                              \
    [NORM_SCHEMA_VERSION] = {"schema_version", NORM_LONG, false, NULL},                                      \
    [NORM_PRODUCER] = {"producer", NORM_STRING, false, NULL},                                                \
    [NORM_TIME_QUALITY] = {"time_quality", NORM_STRING, false, NULL},                                        \
    [NORM_TIME_ERROR_MS] = {"time_error_ms", NORM_LONG, true, NULL},                                         \
    [NORM_RECEIVED_AT] = {"received_at", NORM_LONG, false, "timestamp-micros"},                              \
    [NORM_DEVICE_ID] = {"device_id", NORM_STRING, false, NULL},                                              \
    [NORM_STREAM] = {"stream", NORM_LONG, false, NULL},                                                      \
    [NORM_BATCH_SEQ] = {"batch_seq", NORM_LONG, false, NULL},                                                \
    [NORM_RECORD_INDEX] = {"record_index", NORM_LONG, false, NULL},                                          \
    [NORM_RECORD_SEQ] = {"record_seq", NORM_LONG, false, NULL},                                              \
    [NORM_LEAF] = {"leaf", NORM_LONG, false, NULL}, [NORM_BOOT_ID] = {"boot_id", NORM_LONG, false, NULL},    \
    [NORM_UPTIME_MS] = {"uptime_ms", NORM_LONG, false, NULL},                                                \
    [NORM_REVISION] = {"revision", NORM_LONG, false, NULL}

/* Where the characters of the common fields live while an event is emitted. */
struct norm_common_text {
    char event_id[NORM_UUID_CHARS];
    char trace_id[NORM_TRACE_ID_CHARS];
    char device_id[NORM_DEVICE_ID_CHARS]; /* 16 hex digits */
};

/* What a record is, as far as all events of it say the same. */
struct norm_subject {
    const struct norm_input *input;
    const struct norm_schema *schema;
    const char *producer; /* "headrace/ais/1": normalizer and version */
    uint32_t record_index;
    uint32_t output_index;
    uint32_t dt_ms;
};

/* Fills values[0..NORM_COMMON_COUNT) and returns the time of the event. values borrow from text, input and
 * producer. */
struct norm_time norm_common_fill(const struct norm_subject *subject, struct norm_common_text *text,
                                  struct norm_value *values);

static inline struct norm_value norm_null(void)
{
    return (struct norm_value){.is_null = true};
}

static inline struct norm_value norm_long(int64_t number)
{
    return (struct norm_value){.as.number = number};
}

static inline struct norm_value norm_real(double real)
{
    return (struct norm_value){.as.real = real};
}

static inline struct norm_value norm_flag(bool flag)
{
    return (struct norm_value){.as.flag = flag};
}

static inline struct norm_value norm_chars(const char *chars, size_t len_bytes)
{
    return (struct norm_value){.as.bytes = hr_bytes_of(chars, len_bytes)};
}

/* A NUL-terminated string; null when it is empty. */
struct norm_value norm_text_or_null(const char *text);

#endif
