/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_memory.h"

#include "aggregator/schema_registry/schema.h"
#include "firmware/taps/ais/tap_ais.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- batches ---- */

static struct hr_bytes envelopes[MEMORY_MAX_BATCHES];
static uint32_t n_envelopes, wanted_envelopes, wanted_records;
static uint8_t open_batch[WIRE_GATEWAY_ENVELOPE_MAX_BYTES];
static size_t open_bytes = WIRE_PREFIX_BYTES;
static uint32_t open_records;
static int64_t began_utc_ms; /* so that no broker finds the records too old */

static void seal(void)
{
    struct wire_header header = {
        .device_id = 1 + n_envelopes % MEMORY_DEVICES,
        .batch_seq = n_envelopes / MEMORY_DEVICES,
        .n_records = (uint16_t)open_records,
        .boot_id = 1,
        .schema_id = WIRE_SCHEMA_ID,
        .payload_len_bytes = (uint16_t)(open_bytes - WIRE_PREFIX_BYTES),
    };
    wire_header_encode(&header, open_batch);
    uint8_t *copy = malloc(open_bytes);
    HR_ASSERT(copy != NULL);
    memcpy(copy, open_batch, open_bytes);
    envelopes[n_envelopes++] = hr_bytes_of(copy, open_bytes);
    open_bytes = WIRE_PREFIX_BYTES;
    open_records = 0;
}

static void on_message(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    (void)ctx, (void)uptime_ms;
    if (n_envelopes == wanted_envelopes) {
        return;
    }
    struct edge_record record = {.kind = EDGE_AIS, .dt_ms = open_records};
    record.as.ais = *ais;
    uint8_t bytes[EDGE_RECORD_MAX_BYTES];
    size_t len_bytes = 0;
    HR_ASSERT(hr_is_ok(edge_record_encode(&record, bytes, sizeof bytes, &len_bytes)));
    struct hr_writer writer = hr_writer_over(open_batch + open_bytes, sizeof open_batch - open_bytes);
    hr_write_varint32(&writer, (uint32_t)len_bytes);
    hr_write_raw(&writer, bytes, len_bytes);
    if (!hr_writer_ok(&writer)) {
        (void)fputs("bench_publish: so many records don't go into a batch\n", stderr);
        exit(3);
    }
    open_bytes += hr_varint32_len((uint32_t)len_bytes) + len_bytes;
    if (++open_records == wanted_records) {
        seal();
    }
}

void memory_make(const char *path, uint32_t records_per_batch, uint32_t n_batches)
{
    HR_ASSERT(n_envelopes == 0 && n_batches <= MEMORY_MAX_BATCHES);
    wanted_records = records_per_batch;
    wanted_envelopes = n_batches;
    began_utc_ms = (int64_t)time(NULL) * 1000;
    FILE *file = fopen(path, "rb");
    struct stat about;
    if (file == NULL || fstat(fileno(file), &about) != 0 || about.st_size == 0) {
        (void)fprintf(stderr, "bench_publish: %s can't be read; give an NMEA recording\n", path);
        exit(3);
    }
    size_t len_bytes = (size_t)about.st_size;
    uint8_t *bytes = malloc(len_bytes);
    HR_ASSERT(bytes != NULL && fread(bytes, 1, len_bytes, file) == len_bytes);
    (void)fclose(file);
    static struct tap_ais tap;
    static struct tap_ais_stream stream;
    const struct tap_ais_config config = {0};
    const struct tap_ais_sink sink = {on_message, NULL};
    tap_ais_init(&tap, &config, &sink);
    tap_ais_stream_init(&stream, 0);
    while (n_envelopes < wanted_envelopes) {
        tap_ais_feed(&tap, &stream, hr_bytes_of(bytes, len_bytes), 0);
        HR_ASSERT(n_envelopes > 0);
    }
    free(bytes);
}

/* ---- the ledger ---- */

static struct hr_status memory_size(void *ctx, uint64_t *n_leaves)
{
    *n_leaves = *(const uint64_t *)ctx;
    return hr_ok();
}

static struct hr_status memory_read(void *ctx, uint64_t from, uint32_t max_batches, size_t max_bytes,
                                    void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                    void *each_ctx)
{
    (void)max_bytes;
    uint64_t size = *(const uint64_t *)ctx;
    for (uint64_t leaf = from; leaf < size && leaf - from < max_batches; leaf++) {
        struct ledger_batch batch = {
            .leaf = leaf,
            .device_id = 1 + leaf % MEMORY_DEVICES,
            .seq = (uint32_t)(leaf / MEMORY_DEVICES),
            .received_utc_ms = began_utc_ms,
            .envelope = envelopes[leaf % n_envelopes],
        };
        /* Random, as a digest is, but no hash is computed: the ledger has it stored. */
        for (size_t i = 0; i < WIRE_DIGEST_BYTES; i++) {
            batch.digest[i] =
                (uint8_t)((leaf + 1) * 0x9E3779B97F4A7C15u >> 8 * (i % 8)) ^ (uint8_t)(i * 151u);
        }
        each(each_ctx, &batch);
    }
    return from < size ? hr_ok() : hr_status_of(HR_NOT_FOUND);
}

static struct hr_status memory_anchor(void *ctx, uint64_t device_id, uint32_t boot_id, uint64_t leaf,
                                      struct edge_time_anchor *out)
{
    (void)ctx, (void)device_id, (void)boot_id, (void)leaf, (void)out;
    return hr_status_of(HR_NOT_FOUND);
}

static const char *memory_origin(void *ctx)
{
    (void)ctx;
    static char origin[33]; /* another log every time, whatever the broker has seen */
    if (origin[0] == '\0') {
        (void)snprintf(origin, sizeof origin, "%016llx%016llx", (unsigned long long)time(NULL),
                       (unsigned long long)getpid());
    }
    return origin;
}

struct ledger memory_ledger(uint64_t *n_leaves)
{
    return (struct ledger){.size = memory_size,
                           .read = memory_read,
                           .anchor_at = memory_anchor,
                           .origin = memory_origin,
                           .ctx = n_leaves};
}

/* ---- the sink ---- */

static struct hr_status nowhere_recover(void *ctx, const struct sink_log *log, uint32_t timeout_ms,
                                        struct sink_found *found)
{
    (void)ctx, (void)log, (void)timeout_ms;
    *found = (struct sink_found){.cursor = {0}};
    return hr_ok();
}

static struct hr_status nowhere_begin(void *ctx, uint64_t first_leaf)
{
    (void)ctx, (void)first_leaf;
    return hr_ok();
}

static void keep(struct raw_messages *messages, const struct raw_message *like, struct hr_bytes key,
                 struct hr_bytes value)
{
    if (messages->n_messages == messages->capacity) {
        messages->capacity = messages->capacity == 0 ? 65536 : 2 * messages->capacity;
        void *larger = realloc(messages->message, messages->capacity * sizeof *messages->message);
        HR_ASSERT(larger != NULL);
        messages->message = larger;
    }
    uint8_t *bytes = malloc(key.len_bytes + value.len_bytes);
    HR_ASSERT(bytes != NULL);
    memcpy(bytes, key.data, key.len_bytes);
    memcpy(bytes + key.len_bytes, value.data, value.len_bytes);
    struct raw_message *message = &messages->message[messages->n_messages++];
    *message = *like;
    message->key = bytes;
    message->key_len_bytes = (uint32_t)key.len_bytes;
    message->value_len_bytes = (uint32_t)value.len_bytes;
}

static struct hr_status nowhere_event(void *ctx, const struct norm_event *event, uint8_t *value,
                                      size_t len_bytes, const struct sink_origin *origin)
{
    if (ctx != NULL) {
        uint8_t *framed = value - SCHEMA_FRAMING_BYTES;
        schema_frame(1, framed);
        const struct raw_message like = {
            .topic = 0, .timestamp_ms = event->occurred_at_us / 1000, .origin = *origin};
        keep(ctx, &like, event->key, hr_bytes_of(framed, SCHEMA_FRAMING_BYTES + len_bytes));
    }
    return hr_ok();
}

static struct hr_status nowhere_raw(void *ctx, const char *topic, const struct ledger_batch *batch,
                                    const struct sink_origin *origin)
{
    (void)topic;
    if (ctx != NULL) {
        char key[17];
        (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)batch->device_id);
        const struct raw_message like = {
            .topic = 1, .timestamp_ms = batch->received_utc_ms, .origin = *origin};
        keep(ctx, &like, hr_bytes_of(key, 16), batch->envelope);
    }
    return hr_ok();
}

static struct hr_status nowhere_commit(void *ctx, const struct sink_cursor *cursor)
{
    (void)ctx, (void)cursor;
    return hr_ok();
}

struct sink memory_sink(struct raw_messages *messages)
{
    return (struct sink){.name = "nowhere",
                         .recover = nowhere_recover,
                         .begin = nowhere_begin,
                         .put_event = nowhere_event,
                         .put_raw = nowhere_raw,
                         .commit = nowhere_commit,
                         .ctx = messages};
}
