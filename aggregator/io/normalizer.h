/* SPDX-License-Identifier: Apache-2.0
 *
 * From a committed batch to the events that consumers read: a pure function of the batch, its time anchor and
 * the version of the normalizer. The publisher calls it; sinks encode and deliver what it emits. */
#ifndef AGG_NORMALIZER_H
#define AGG_NORMALIZER_H

#include "aggregator/io/ledger.h"

/* No document, and with it no batch beside its ordinary records, gives more events; norm_batch sees to it. */
enum { NORM_DOCUMENT_EVENTS_MAX = 1 << 18 };

/* Types of a canonical field. They map one to one to Avro. */
enum norm_type { NORM_LONG, NORM_DOUBLE, NORM_BOOLEAN, NORM_STRING, NORM_BYTES };

struct norm_field {
    const char *name;
    enum norm_type type;
    bool nullable;       /* Avro union [null, type] */
    const char *logical; /* Avro logicalType such as "timestamp-micros", or NULL */
};

/* One kind of event. `name` is the Avro record and the file schemas/avro/<name>.avsc, which a test holds
 * equal to this table. Static storage. */
struct norm_schema {
    const char *name;
    const char *topic; /* the topic its events go to */
    uint32_t version;
    const struct norm_field *fields;
    uint16_t n_fields;
    uint16_t n_aside; /* of them, at the end: nullable texts that are no part of what the event says */
};

struct norm_value {
    bool is_null;
    union {
        int64_t number;        /* NORM_LONG */
        double real;           /* NORM_DOUBLE */
        bool flag;             /* NORM_BOOLEAN */
        struct hr_bytes bytes; /* NORM_STRING (UTF-8, no NUL), NORM_BYTES */
    } as;
};

/* One event; everything is borrowed during the emit call. */
struct norm_event {
    const struct norm_schema *schema;
    const struct norm_value *values; /* schema->n_fields of them */
    struct hr_bytes key;             /* Kafka key: what must stay in order together */
    int64_t occurred_at_us;          /* Unix microseconds; Kafka's record timestamp */
    uint32_t record_index;           /* in the batch */
    uint32_t output_index;           /* of this record: 0 for its first event */
};

/* How the time of a record is known. */
enum norm_time_quality {
    NORM_TIME_ANCHORED,
    NORM_TIME_EXTRAPOLATED,
    NORM_TIME_BOUNDED,
    NORM_TIME_RECEIVED_ONLY
};

/* Earlier batches of the stream, for what spans several of them: they are committed before the one at hand,
 * so what comes of them is a function of the log too. A failure is the owner's to know: the normalizer then
 * emits nothing of what it wanted to read, and what came of the batch is thrown away. */
struct norm_past {
    /* As read_stream of struct ledger; from_seq <= to_seq, both before the batch at hand. False: the ledger
     * can't be read now. */
    bool (*read)(void *ctx, const struct ledger_batch *batch, uint32_t from_seq, uint32_t to_seq,
                 void (*each)(void *each_ctx, const struct ledger_batch *batch), void *each_ctx);
    void *ctx;
};

struct norm_input {
    const struct ledger_batch *batch;
    struct wire_envelope envelope;
    const struct edge_time_anchor *anchor; /* newest of this device and boot up to this leaf; NULL: none */
    const char *tenant;
    const struct norm_past *past; /* NULL: nothing is there */
};

/* Events as the bytes that sinks deliver (Avro binary, without framing). */
struct norm_encoder {
    /* *own_at is where the fields from first_own on begin. HR_FULL: it does not fit; nothing is promised of
     * `out`. */
    HR_MUST_USE struct hr_status (*encode)(const struct norm_event *event, uint32_t first_own, uint8_t *out,
                                           size_t capacity_bytes, size_t *len_bytes, size_t *own_at);
};

struct norm_emit {
    void (*event)(void *ctx, const struct norm_event *event);
    void *ctx;
};

struct normalizer {
    const char *source;                       /* "ais": raw batches go to ingestion.<source>.raw.v1 */
    uint32_t version;                         /* rises when the output for the same input changes */
    const struct norm_schema *const *schemas; /* its own; it may emit events of those of others, too */
    uint16_t n_schemas;
    /* True when this normalizer answers for records of this kind. */
    bool (*takes)(enum edge_kind kind);
    /* Called for every batch before its records, also when it has none of its kinds, and again when a batch
     * comes once more. NULL: it does not ask. */
    void (*batch)(void *ctx, const struct norm_input *input);
    /* Emits the events of one record. It can't fail: what can't be understood is emitted as such. */
    void (*record)(void *ctx, const struct norm_input *input, const struct edge_record *record,
                   uint32_t record_index, const struct norm_emit *emit);
    /* The first leaf that it may still ask norm_past for when leaves from `since` on come once more, or
     * UINT64_MAX; what is older retention may take. NULL: it never asks. */
    uint64_t (*needs_from)(void *ctx, uint64_t since);
    void *ctx;
};

#endif
