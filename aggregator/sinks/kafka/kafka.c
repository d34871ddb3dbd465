/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/schema.h"
#include "aggregator/sinks/kafka/kafka_private.h"
#include "proto/base/assert.h"
#include "proto/base/failpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    QUEUE_FULL_WAIT_MS = 100,
    QUEUE_FULL_TRIES = 300,
    TRANSACTION_TIMEOUT_MS = 60000,
    CONTACT_TIMEOUT_MS = 10000,
    N_HEADERS = 16,
};

/* ---- the producer's life ---- */

static void drop_producer(struct sink_kafka *sink)
{
    if (sink->producer == NULL) {
        return;
    }
    for (size_t i = 0; i < sink->n_topics; i++) {
        if (sink->topics[i].handle != NULL) {
            rd_kafka_topic_destroy(sink->topics[i].handle);
            sink->topics[i].handle = NULL;
        }
    }
    /* No abort and no flush: the next init_transactions settles whatever is open, by epoch. */
    (void)rd_kafka_purge(sink->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy_flags(sink->producer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    sink->producer = NULL;
    sink->in_transaction = false;
}

/* Every answer but HR_OK goes through here: the producer is never used again. */
static struct hr_status give_up(struct sink_kafka *sink, const char *event, const char *text)
{
    sink_kafka_log(sink, SINK_KAFKA_WARN, event, text);
    drop_producer(sink);
    return hr_status_of(HR_AGAIN);
}

static struct hr_status give_up_error(struct sink_kafka *sink, const char *event, rd_kafka_error_t *error)
{
    struct hr_status status = give_up(sink, event, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return status;
}

static struct hr_status make_producer(struct sink_kafka *sink)
{
    rd_kafka_conf_t *conf = sink_kafka_conf(sink);
    HR_ASSERT(conf != NULL); /* probed in sink_kafka_open */
    char transactional_id[SINK_KAFKA_ORIGIN_CHARS + 8];
    char timeout[16];
    (void)snprintf(transactional_id, sizeof transactional_id, "%s/pub", sink->origin);
    (void)snprintf(timeout, sizeof timeout, "%" PRIu32, sink->config.transaction_timeout_ms);
    bool good = sink_kafka_conf_set(sink, conf, "transactional.id", transactional_id) &&
                sink_kafka_conf_set(sink, conf, "transaction.timeout.ms", timeout);
    good = good && sink_kafka_conf_producer(sink, conf);
    char reason[256] = "a property of the transactional producer was refused";
    sink->producer = good ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason) : NULL;
    if (sink->producer == NULL) {
        rd_kafka_conf_destroy(conf);
        return give_up(sink, "kafka_producer_failed", reason);
    }
    return hr_ok();
}

static struct hr_status begin_transaction(struct sink_kafka *sink)
{
    atomic_store(&sink->end_requests, 0);
    sink_kafka_cells_reset(sink);
    rd_kafka_error_t *error = rd_kafka_begin_transaction(sink->producer);
    if (error != NULL) {
        return give_up_error(sink, "kafka_begin_failed", error);
    }
    sink->in_transaction = true;
    return hr_ok();
}

static struct hr_status end_transaction(struct sink_kafka *sink)
{
    rd_kafka_error_t *error =
        rd_kafka_commit_transaction(sink->producer, (int)sink->config.transaction_timeout_ms);
    if (error != NULL) {
        return give_up_error(sink, "kafka_commit_unknown", error);
    }
    sink->in_transaction = false;
    const char *doubt = atomic_load(&sink->doubt);
    if (doubt != NULL) {
        return give_up(sink, "kafka_commit_doubtful", doubt);
    }
    return hr_ok();
}

/* Produces one record; waits while the local queue is full. */
static struct hr_status produce(struct sink_kafka *sink, const rd_kafka_vu_t *fields, size_t n_fields,
                                rd_kafka_headers_t *headers)
{
    for (int tries = 0;; tries++) {
        rd_kafka_error_t *error = rd_kafka_produceva(sink->producer, fields, n_fields);
        if (error == NULL) {
            const char *doubt = atomic_load_explicit(&sink->doubt, memory_order_relaxed);
            return doubt == NULL ? hr_ok() : give_up(sink, "kafka_transaction_doubtful", doubt);
        }
        bool full = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
        if (!full || tries == QUEUE_FULL_TRIES) {
            if (headers != NULL) {
                rd_kafka_headers_destroy(headers);
            }
            return give_up_error(sink, "kafka_produce_failed", error);
        }
        rd_kafka_error_destroy(error);
        (void)rd_kafka_poll(sink->producer, QUEUE_FULL_WAIT_MS);
    }
}

static struct hr_status put_control(struct sink_kafka *sink, const char *key, const char *value)
{
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = sink->cursor_topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key, strlen(key)}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value, strlen(value)}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    return produce(sink, fields, HR_ARRAY_LEN(fields), NULL);
}

/* ---- struct sink ---- */

/* The first transaction of every incarnation writes a marker; a reader that has seen it has seen all that was
 * decided before this producer took over. */
static struct hr_status write_fence(struct sink_kafka *sink)
{
    char key[sizeof KAFKA_FENCE_KEY_PREFIX + SINK_KAFKA_ORIGIN_CHARS];
    char value[64];
    (void)snprintf(key, sizeof key, KAFKA_FENCE_KEY_PREFIX "%s", sink->origin);
    (void)snprintf(value, sizeof value, "{\"incarnation\":\"%016" PRIx64 "\"}", sink->incarnation);
    HR_TRY(begin_transaction(sink));
    HR_TRY(put_control(sink, key, value));
    return end_transaction(sink);
}

/* How far the tails go: live leaves in all, and of the newest replay that they know. Audit entries that are
 * there are delivered, whatever the cursor says. */
static void read_reach(const struct sink_kafka *sink, struct sink_cursor *cursor, uint64_t *past_tail,
                       uint64_t *replay, uint64_t *reach)
{
    *past_tail = *replay = *reach = 0;
    for (uint32_t i = 0; i < sink->n_tails; i++) {
        const struct kafka_tail *tail = &sink->tails[i];
        if (tail->known && tail->has_place && tail->place.leaf + 1 > *past_tail) {
            *past_tail = tail->place.leaf + 1;
        }
        cursor->n_entries = tail->n_entries > cursor->n_entries ? tail->n_entries : cursor->n_entries;
        if (tail->known && tail->replay > *replay) {
            *replay = tail->replay;
            *reach = 0;
        }
        if (tail->known && tail->replay != 0 && tail->replay == *replay &&
            tail->replay_place.leaf + 1 > *reach) {
            *reach = tail->replay_place.leaf + 1;
        }
    }
}

/* Where to go on: at the cursor, or, when the cursor topic was wiped, behind what the tails prove. */
static struct hr_status settle(struct sink_kafka *sink, bool has_cursor, const struct sink_log *log,
                               struct sink_found *found)
{
    struct sink_cursor *cursor = &found->cursor;
    uint64_t past_tail = 0;
    uint64_t replay = 0;
    uint64_t reach = 0;
    read_reach(sink, cursor, &past_tail, &replay, &reach);
    if ((has_cursor && cursor->next_leaf > log->size) || past_tail > log->size) {
        sink_kafka_log(
            sink, SINK_KAFKA_ERROR, "kafka_is_ahead_of_the_ledger",
            "Kafka holds records of this log that the ledger does not have; the ledger was rolled back. "
            "Restore the newer ledger, or start a new log");
        drop_producer(sink);
        return hr_status_of(HR_CORRUPT);
    }
    if (!has_cursor && past_tail > 0) {
        /* Transactions are in leaf order, so only the one that reached furthest can be torn. */
        uint64_t max_batches = sink->config.transaction_max_batches;
        cursor->next_leaf = past_tail > max_batches ? past_tail - max_batches : 0;
        sink_kafka_log(sink, SINK_KAFKA_WARN, "kafka_cursor_missing",
                       "going on behind the tails of the partitions");
    } else if (!has_cursor) {
        cursor->next_leaf = log->first_leaf;
    }
    if (replay > cursor->replay) {
        cursor->replay = replay; /* its first transaction was torn, or the cursor is gone */
        cursor->replay_next_leaf = 0;
    }
    found->replay_reach = replay == cursor->replay && reach > cursor->replay_next_leaf ? reach : 0;
    found->reach = past_tail > cursor->next_leaf ? past_tail : 0;
    sink->skipping = found->reach != 0 || found->replay_reach != 0;
    return hr_ok();
}

static struct hr_status kafka_recover(void *ctx, const struct sink_log *log, uint32_t timeout_ms,
                                      struct sink_found *found)
{
    struct sink_kafka *sink = ctx;
    drop_producer(sink);
    HR_ASSERT(strlen(log->origin) <= SINK_KAFKA_ORIGIN_CHARS);
    (void)snprintf(sink->origin, sizeof sink->origin, "%s", log->origin);
    if (getrandom(&sink->incarnation, sizeof sink->incarnation, 0) != (ssize_t)sizeof sink->incarnation) {
        return hr_status_of(HR_IO);
    }
    atomic_store(&sink->doubt, NULL);
    HR_TRY(make_producer(sink));
    /* Whether anybody is there shows soon; whoever wants to end this process need not wait for it long. */
    uint32_t contact_ms = timeout_ms < CONTACT_TIMEOUT_MS ? timeout_ms : CONTACT_TIMEOUT_MS;
    struct hr_status ready = sink_kafka_topics_ready(sink, contact_ms);
    if (!hr_is_ok(ready)) {
        return give_up(sink, "kafka_topics_not_ready", hr_code_name(ready.code));
    }
    rd_kafka_error_t *error = rd_kafka_init_transactions(sink->producer, (int)timeout_ms);
    if (error != NULL) {
        return give_up_error(sink, "kafka_init_failed", error);
    }
    HR_FAILPOINT("kafka_initialized");
    HR_TRY(write_fence(sink));
    HR_FAILPOINT("kafka_fenced");
    bool has_cursor = false;
    *found = (struct sink_found){.cursor = {0}};
    if (!hr_is_ok(sink_kafka_read_cursor(sink, timeout_ms, &has_cursor, &found->cursor)) ||
        !hr_is_ok(sink_kafka_read_tails(sink, timeout_ms))) {
        return give_up(sink, "kafka_readback_failed", "cursor or tails could not be read back in time");
    }
    HR_FAILPOINT("kafka_read_back");
    HR_TRY(settle(sink, has_cursor, log, found));
    char text[64];
    (void)snprintf(text, sizeof text, "next leaf %" PRIu64 " of %" PRIu64, found->cursor.next_leaf,
                   log->size);
    sink_kafka_log(sink, SINK_KAFKA_INFO, "kafka_recovered", text);
    return hr_ok();
}

static struct hr_status kafka_begin(void *ctx, uint64_t first_leaf)
{
    (void)first_leaf;
    struct sink_kafka *sink = ctx;
    return sink->producer == NULL ? hr_status_of(HR_AGAIN) : begin_transaction(sink);
}

static bool has_topic(const struct sink_kafka *sink, const char *name)
{
    bool is_there = false;
    for (size_t i = 0; i < sink->n_topics; i++) {
        is_there = is_there || strcmp(sink->topics[i].name, name) == 0;
    }
    return is_there;
}

static struct kafka_topic *find_topic(struct sink_kafka *sink, const char *name)
{
    for (size_t i = 0; i < sink->n_topics; i++) {
        if (strcmp(sink->topics[i].name, name) == 0) {
            return &sink->topics[i];
        }
    }
    HR_ASSERT(false && "a topic that the configuration of this sink does not list");
    return NULL;
}

static size_t format_decimal(char *out, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < n; i++) {
        out[i] = digits[n - 1 - i];
    }
    return n;
}

static size_t format_hex(char *out, const uint8_t *bytes, size_t len_bytes)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < len_bytes; i++) {
        out[2 * i] = hex[bytes[i] >> 4];
        out[2 * i + 1] = hex[bytes[i] & 15u];
    }
    return 2 * len_bytes;
}

static void add_number(rd_kafka_headers_t *headers, const char *name, size_t name_len, uint64_t value)
{
    char text[20];
    size_t len = format_decimal(text, value);
    (void)rd_kafka_header_add(headers, name, (ssize_t)name_len, text, (ssize_t)len);
}

#define ADD_NUMBER(headers, name, value) add_number((headers), (name), sizeof(name) - 1, (value))

static rd_kafka_headers_t *make_headers(const struct sink_kafka *sink, const struct sink_origin *origin)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(N_HEADERS);
    HR_ASSERT(headers != NULL);
    char text[2 * WIRE_DIGEST_BYTES];
    uint8_t device[8];
    struct hr_writer writer = hr_writer_over(device, sizeof device);
    hr_write_u64(&writer, origin->device_id);
    size_t len = format_hex(text, device, sizeof device);
    (void)rd_kafka_header_add(headers, "device", 6, text, (ssize_t)len);
    ADD_NUMBER(headers, "stream", origin->stream);
    ADD_NUMBER(headers, "key_epoch", origin->key_epoch);
    ADD_NUMBER(headers, "batch_seq", origin->batch_seq);
    if (origin->record_index != SINK_WHOLE_BATCH) {
        ADD_NUMBER(headers, "record_index", origin->record_index);
        ADD_NUMBER(headers, "output_index", origin->output_index);
    }
    ADD_NUMBER(headers, "leaf", origin->leaf);
    len = format_hex(text, origin->batch_digest, WIRE_DIGEST_BYTES);
    (void)rd_kafka_header_add(headers, "batch_digest", 12, text, (ssize_t)len);
    ADD_NUMBER(headers, "normalizer_version", origin->normalizer_version);
    (void)rd_kafka_header_add(headers, "traceparent", 11, origin->traceparent, -1);
    (void)rd_kafka_header_add(headers, "log", 3, sink->origin, -1);
    return headers;
}

/* A revision says of which replay it is and, so that its old leaf misleads nobody who reads the partition's
 * tail back, which record stands last before it among the live ones. */
static void add_revision(rd_kafka_headers_t *headers, const struct sink_origin *origin,
                         const struct kafka_tail *tail)
{
    ADD_NUMBER(headers, "revision", origin->revision);
    ADD_NUMBER(headers, "replay", origin->replay);
    if (tail->has_place) {
        ADD_NUMBER(headers, "live_leaf", tail->place.leaf);
        /* Outputs beyond 65,535 came later than this header; the rest of one has its own. */
        uint64_t index = tail->place.index;
        ADD_NUMBER(headers, "live_index", index >> 32 << 16 | (index & UINT16_MAX));
        if ((index >> 16 & UINT16_MAX) != 0) {
            ADD_NUMBER(headers, "live_index_high", index >> 16 & UINT16_MAX);
        }
    }
}

static struct kafka_place place_of(const struct sink_origin *origin)
{
    bool whole = origin->record_index == SINK_WHOLE_BATCH;
    return (struct kafka_place){
        .leaf = origin->leaf,
        .index = whole ? 0 : ((uint64_t)origin->record_index + 1) << 32 | origin->output_index};
}

static bool is_at_or_before(struct kafka_place place, struct kafka_place other)
{
    return place.leaf < other.leaf || (place.leaf == other.leaf && place.index <= other.index);
}

static bool is_delivered(const struct sink_kafka *sink, const struct kafka_tail *tail,
                         const struct sink_origin *origin)
{
    if (!sink->skipping || !tail->known) {
        return false;
    }
    return origin->replay == 0
               ? tail->has_place && is_at_or_before(place_of(origin), tail->place)
               : tail->replay == origin->replay && is_at_or_before(place_of(origin), tail->replay_place);
}

static struct hr_status put(struct sink_kafka *sink, struct kafka_topic *topic, struct hr_bytes key,
                            struct hr_bytes value, int64_t timestamp_ms, const struct sink_origin *origin)
{
    if (sink->producer == NULL || !sink->in_transaction) {
        return hr_status_of(HR_AGAIN);
    }
    int32_t partition = rd_kafka_msg_partitioner_murmur2(topic->handle, key.data, key.len_bytes,
                                                         topic->n_partitions, NULL, NULL);
    struct kafka_tail *tail = &sink->tails[topic->first_tail + (uint32_t)partition];
    if (is_delivered(sink, tail, origin)) {
        return hr_ok();
    }
    rd_kafka_headers_t *headers = make_headers(sink, origin);
    if (origin->replay != 0) {
        add_revision(headers, origin, tail);
    } else {
        tail->place = place_of(origin);
        tail->has_place = true;
    }
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic->handle},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key.data, key.len_bytes}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.data, value.len_bytes}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = timestamp_ms},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE,
         .u.ptr = origin->slot < SINK_MAX_SLOTS ? sink_kafka_opaque_of(origin->slot) : NULL},
    };
    return produce(sink, fields, HR_ARRAY_LEN(fields), headers);
}

static struct hr_status kafka_put_event(void *ctx, const struct norm_event *event, uint8_t *value,
                                        size_t len_bytes, const struct sink_origin *origin)
{
    struct sink_kafka *sink = ctx;
    struct kafka_topic *topic = find_topic(sink, event->schema->topic);
    uint8_t *framed = value - SCHEMA_FRAMING_BYTES;
    schema_frame(topic->schema_id, framed);
    return put(sink, topic, event->key, hr_bytes_of(framed, SCHEMA_FRAMING_BYTES + len_bytes),
               event->occurred_at_us / 1000, origin);
}

static struct hr_status kafka_put_raw(void *ctx, const char *topic_name, const struct ledger_batch *batch,
                                      const struct sink_origin *origin)
{
    struct sink_kafka *sink = ctx;
    char key[2 * sizeof batch->device_id];
    uint8_t device[sizeof batch->device_id];
    struct hr_writer writer = hr_writer_over(device, sizeof device);
    hr_write_u64(&writer, batch->device_id);
    size_t len = format_hex(key, device, sizeof device);
    return put(sink, find_topic(sink, topic_name), hr_bytes_of(key, len), batch->envelope,
               batch->received_utc_ms, origin);
}

/* All go to one partition, so the last one that is there tells of those before it. */
static struct hr_status kafka_put_entry(void *ctx, const struct norm_event *event, uint8_t *value,
                                        size_t len_bytes, uint64_t n)
{
    struct sink_kafka *sink = ctx;
    struct kafka_topic *topic = find_topic(sink, event->schema->topic);
    if (sink->producer == NULL || !sink->in_transaction) {
        return hr_status_of(HR_AGAIN);
    }
    rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
    HR_ASSERT(headers != NULL);
    ADD_NUMBER(headers, "entry", n);
    (void)rd_kafka_header_add(headers, "log", 3, sink->origin, -1);
    uint8_t *framed = value - SCHEMA_FRAMING_BYTES;
    schema_frame(topic->schema_id, framed);
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic->handle},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)event->key.data, event->key.len_bytes}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {framed, SCHEMA_FRAMING_BYTES + len_bytes}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = event->occurred_at_us / 1000},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    return produce(sink, fields, HR_ARRAY_LEN(fields), headers);
}

static struct hr_status kafka_commit(void *ctx, const struct sink_cursor *cursor)
{
    struct sink_kafka *sink = ctx;
    if (sink->producer == NULL || !sink->in_transaction) {
        return hr_status_of(HR_AGAIN);
    }
    char value[KAFKA_CURSOR_CHARS];
    char replay[96] = "";
    char entries[48] = "";
    char digest[96] = "";
    if (cursor->replay != 0) {
        (void)snprintf(replay, sizeof replay, ",\"replay\":%" PRIu64 ",\"replay_next_leaf\":%" PRIu64,
                       cursor->replay, cursor->replay_next_leaf);
    }
    if (cursor->n_entries != 0) {
        (void)snprintf(entries, sizeof entries, ",\"entries\":%" PRIu64, cursor->n_entries);
    }
    if (cursor->has_digest) {
        char hex[2 * WIRE_DIGEST_BYTES + 1] = "";
        (void)format_hex(hex, cursor->last_digest, WIRE_DIGEST_BYTES);
        (void)snprintf(digest, sizeof digest, ",\"digest\":\"%s\"", hex);
    }
    (void)snprintf(value, sizeof value,
                   "{\"next_leaf\":%" PRIu64 "%s%s%s,\"log\":\"%s\",\"incarnation\":\"%016" PRIx64 "\"}",
                   cursor->next_leaf, replay, entries, digest, sink->origin, sink->incarnation);
    HR_TRY(put_control(sink, sink->origin, value));
    HR_FAILPOINT("kafka_cursor_put");
    return end_transaction(sink);
}

static void kafka_close(void *ctx)
{
    struct sink_kafka *sink = ctx;
    drop_producer(sink);
    for (size_t i = 0; i < sink->n_properties; i++) {
        free(sink->properties[i].name);
        free(sink->properties[i].value);
    }
    sink_kafka_free_declared(sink);
    free(sink);
}

struct hr_status sink_kafka_open(const struct sink_kafka_config *config, struct sink *out)
{
    if (config->n_topics > SINK_KAFKA_MAX_TOPICS) {
        return hr_status_of(HR_FULL);
    }
    struct sink_kafka *sink = calloc(1, sizeof *sink);
    HR_ASSERT(sink != NULL);
    sink->config = *config;
    if (sink->config.transaction_timeout_ms == 0) {
        sink->config.transaction_timeout_ms = TRANSACTION_TIMEOUT_MS;
    }
    struct hr_status status = sink_kafka_keep_properties(sink, config);
    if (hr_is_ok(status)) {
        status = sink_kafka_keep_declared(sink, config);
    }
    if (!hr_is_ok(status)) {
        kafka_close(sink);
        return status;
    }
    (void)snprintf(sink->cursor_topic, sizeof sink->cursor_topic, "%s", config->cursor_topic);
    for (size_t i = 0; i < config->n_topics; i++) {
        struct kafka_topic *topic = &sink->topics[sink->n_topics++];
        (void)snprintf(topic->name, sizeof topic->name, "%s", config->topics[i].name);
        topic->schema = config->topics[i].schema;
        topic->schema_id = config->topics[i].schema_id;
    }
    sink->config.properties = NULL;
    sink->config.topics = NULL;
    sink->config.declared = NULL;
    *out = (struct sink){.name = "kafka",
                         .recover = kafka_recover,
                         .begin = kafka_begin,
                         .put_event = kafka_put_event,
                         .put_raw = kafka_put_raw,
                         .put_entry = has_topic(sink, SINK_ENTRY_TOPIC) ? kafka_put_entry : NULL,
                         .commit = kafka_commit,
                         .positions = sink_kafka_positions,
                         .close = kafka_close,
                         .ctx = sink};
    return hr_ok();
}
