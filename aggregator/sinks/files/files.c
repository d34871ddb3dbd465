/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sinks/files/files.h"

#include "aggregator/schema_registry/schema.h"
#include "aggregator/sinks/files/files_private.h"
#include "proto/base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MS_PER_HOUR = 3600 * 1000 };

static struct hr_status failed(const struct sink_files *sink, const char *event, const char *text)
{
    sink->config.log(sink->config.log_ctx, event, text);
    return hr_status_of(HR_IO);
}

static void close_all(struct sink_files *sink)
{
    for (size_t i = 0; i < sink->n_topics; i++) {
        schema_file_close(sink->topics[i].file);
        sink->topics[i].file = NULL;
    }
    sink->ready = false;
}

static struct files_topic *find_topic(struct sink_files *sink, const char *name)
{
    for (size_t i = 0; i < sink->n_topics; i++) {
        if (strcmp(sink->topics[i].name, name) == 0) {
            return &sink->topics[i];
        }
    }
    HR_ASSERT(false && "a topic that the configuration of this sink does not list");
    return NULL;
}

/* ---- the file of a topic's hour ---- */

/* The sync marker of every file of a log is the first 16 characters of its origin: any 16 bytes will do. */
static void sync_marker(const struct sink_files *sink, uint8_t out[SCHEMA_SYNC_BYTES])
{
    memset(out, 0x5A, SCHEMA_SYNC_BYTES);
    memcpy(out, sink->cursor.origin, strnlen(sink->cursor.origin, SCHEMA_SYNC_BYTES));
}

/* Makes sure that the topic's open file is that of this hour. Hours never go back, also when the clock does.
 */
static struct hr_status turn_to_hour(struct sink_files *sink, struct files_topic *topic, int64_t hour)
{
    if (topic->file != NULL && hour <= topic->hour) {
        return hr_ok();
    }
    if (topic->file != NULL) {
        /* The finished hour must be whole on disk before the cursor stops naming it. */
        HR_TRY(schema_file_sync(topic->file, &topic->length_bytes));
        schema_file_close(topic->file);
        topic->file = NULL;
    }
    char path[SINK_FILES_PATH_MAX_CHARS + 1];
    topic->hour = hour > topic->hour ? hour : topic->hour;
    sink_files_path(sink, topic, path);
    uint8_t marker[SCHEMA_SYNC_BYTES];
    sync_marker(sink, marker);
    struct hr_status made = schema_file_create(path, topic->schema, marker, &topic->file);
    if (!hr_is_ok(made)) {
        return failed(sink, "files_create_failed", path);
    }
    topic->is_new = true;
    return hr_ok();
}

static struct hr_status append(struct sink_files *sink, struct files_topic *topic, int64_t received_utc_ms,
                               struct hr_bytes value)
{
    if (!sink->ready) {
        return hr_status_of(HR_IO);
    }
    HR_TRY(turn_to_hour(sink, topic, received_utc_ms / MS_PER_HOUR));
    struct hr_status appended = schema_file_append(topic->file, value);
    return hr_is_ok(appended) ? appended : failed(sink, "files_append_failed", topic->name);
}

/* ---- struct sink ---- */

static struct hr_status reopen_topic(struct sink_files *sink, struct files_topic *topic)
{
    if (topic->hour == FILES_NO_HOUR) {
        return hr_ok();
    }
    char path[SINK_FILES_PATH_MAX_CHARS + 1];
    sink_files_path(sink, topic, path);
    struct hr_status opened = schema_file_reopen(path, topic->schema, topic->length_bytes, &topic->file);
    if (!hr_is_ok(opened)) {
        sink->config.log(sink->config.log_ctx, "files_reopen_failed", path);
        return hr_is(opened, HR_IO) ? opened : hr_status_of(HR_CORRUPT);
    }
    return hr_ok();
}

static struct hr_status files_recover(void *ctx, const struct sink_log *log, uint32_t timeout_ms,
                                      struct sink_found *found)
{
    (void)timeout_ms;
    struct sink_files *sink = ctx;
    close_all(sink);
    HR_TRY(sink_files_prepare(sink));
    struct hr_status read = sink_files_read_cursor(sink, log);
    if (hr_is(read, HR_CORRUPT)) {
        sink->config.log(sink->config.log_ctx, "files_cursor_unusable",
                         "the directory belongs to another log, or its cursor is damaged or gone; give this "
                         "log an empty one");
    }
    HR_TRY(read);
    if (sink->cursor.at.next_leaf > log->size) {
        sink->config.log(sink->config.log_ctx, "files_are_ahead_of_the_ledger",
                         "the files hold batches that the ledger does not have; the ledger was rolled back");
        return hr_status_of(HR_CORRUPT);
    }
    HR_TRY(sink_files_remove_aliens(sink));
    for (size_t i = 0; i < sink->n_topics; i++) {
        HR_TRY(reopen_topic(sink, &sink->topics[i]));
    }
    sink->ready = true;
    *found = (struct sink_found){.cursor = sink->cursor.at};
    return hr_ok();
}

static struct hr_status files_begin(void *ctx, uint64_t first_leaf)
{
    struct sink_files *sink = ctx;
    HR_ASSERT(!sink->ready || first_leaf == sink->cursor.at.next_leaf);
    return sink->ready ? hr_ok() : hr_status_of(HR_IO);
}

static struct hr_status files_put_event(void *ctx, const struct norm_event *event, uint8_t *value,
                                        size_t len_bytes, const struct sink_origin *origin)
{
    struct sink_files *sink = ctx;
    return append(sink, find_topic(sink, event->schema->topic), origin->received_utc_ms,
                  hr_bytes_of(value, len_bytes));
}

static bool has_topic(const struct sink_files *sink, const char *name)
{
    bool is_there = false;
    for (size_t i = 0; i < sink->n_topics; i++) {
        is_there = is_there || strcmp(sink->topics[i].name, name) == 0;
    }
    return is_there;
}

static struct hr_status files_put_entry(void *ctx, const struct norm_event *event, uint8_t *value,
                                        size_t len_bytes, uint64_t n)
{
    struct sink_files *sink = ctx;
    (void)n;
    return append(sink, find_topic(sink, event->schema->topic), event->occurred_at_us / 1000,
                  hr_bytes_of(value, len_bytes));
}

static const struct norm_field raw_fields[] = {
    {"leaf", NORM_LONG, false, NULL},           {"log", NORM_STRING, false, NULL},
    {"device_id", NORM_STRING, false, NULL},    {"stream", NORM_LONG, false, NULL},
    {"key_epoch", NORM_LONG, false, NULL},      {"batch_seq", NORM_LONG, false, NULL},
    {"batch_digest", NORM_STRING, false, NULL}, {"received_at", NORM_LONG, false, "timestamp-micros"},
    {"traceparent", NORM_STRING, false, NULL},  {"envelope", NORM_BYTES, false, NULL},
};

const struct norm_schema sink_files_raw_schema = {.name = "ingestion_raw",
                                                  .topic = "ingestion.raw",
                                                  .version = 1,
                                                  .fields = raw_fields,
                                                  .n_fields = HR_ARRAY_LEN(raw_fields)};

static struct norm_value hex_value(char *out, const uint8_t *bytes, size_t len_bytes)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < len_bytes; i++) {
        out[2 * i] = hex[bytes[i] >> 4];
        out[2 * i + 1] = hex[bytes[i] & 15u];
    }
    return (struct norm_value){.as.bytes = hr_bytes_of(out, 2 * len_bytes)};
}

static struct norm_value text_value(const char *text)
{
    return (struct norm_value){.as.bytes = hr_bytes_of(text, strlen(text))};
}

static struct norm_value long_value(uint64_t number)
{
    return (struct norm_value){.as.number = (int64_t)number};
}

static struct hr_status files_put_raw(void *ctx, const char *topic_name, const struct ledger_batch *batch,
                                      const struct sink_origin *origin)
{
    struct sink_files *sink = ctx;
    char device_hex[16];
    char digest_hex[2 * WIRE_DIGEST_BYTES];
    uint8_t device[8];
    struct hr_writer writer = hr_writer_over(device, sizeof device);
    hr_write_u64(&writer, batch->device_id);
    const struct norm_value values[HR_ARRAY_LEN(raw_fields)] = {
        long_value(batch->leaf),
        text_value(sink->cursor.origin),
        hex_value(device_hex, device, sizeof device),
        long_value(batch->stream),
        long_value(origin->key_epoch),
        long_value(batch->seq),
        hex_value(digest_hex, batch->digest, WIRE_DIGEST_BYTES),
        {.as.number = batch->received_utc_ms * 1000},
        text_value(origin->traceparent),
        {.as.bytes = batch->envelope},
    };
    struct norm_event event = {.schema = &sink_files_raw_schema, .values = values};
    size_t len_bytes = 0;
    struct hr_status encoded = schema_encode(&event, sink->value, sizeof sink->value, &len_bytes);
    HR_ASSERT(hr_is_ok(encoded)); /* an envelope is at most 15 KB */
    return append(sink, find_topic(sink, topic_name), batch->received_utc_ms,
                  hr_bytes_of(sink->value, len_bytes));
}

static struct hr_status files_commit(void *ctx, const struct sink_cursor *cursor)
{
    struct sink_files *sink = ctx;
    if (!sink->ready) {
        return hr_status_of(HR_IO);
    }
    for (size_t i = 0; i < sink->n_topics; i++) {
        struct files_topic *topic = &sink->topics[i];
        if (topic->file == NULL) {
            continue;
        }
        struct hr_status synced = schema_file_sync(topic->file, &topic->length_bytes);
        if (hr_is_ok(synced) && topic->is_new) {
            synced = sink_files_sync_folder(sink, topic->name);
            topic->is_new = false;
        }
        if (!hr_is_ok(synced)) {
            close_all(sink);
            return failed(sink, "files_sync_failed", topic->name);
        }
    }
    sink->cursor.at = *cursor;
    struct hr_status written = sink_files_write_cursor(sink);
    if (!hr_is_ok(written)) {
        close_all(sink);
        return failed(sink, "files_cursor_not_written", sink->directory);
    }
    return hr_ok();
}

static void files_close(void *ctx)
{
    close_all(ctx);
    free(ctx);
}

struct hr_status sink_files_open(const struct sink_files_config *config, struct sink *out)
{
    /* Room for "/<topic>/<topic>-YYYYMMDDTHHZ.avro" behind the directory. */
    if (config->n_topics > SINK_FILES_MAX_TOPICS ||
        strlen(config->directory) + (size_t)2 * FILES_TOPIC_MAX_CHARS + 32 > SINK_FILES_PATH_MAX_CHARS) {
        return hr_status_of(HR_FULL);
    }
    struct sink_files *sink = calloc(1, sizeof *sink);
    HR_ASSERT(sink != NULL);
    sink->config = *config;
    (void)snprintf(sink->directory, sizeof sink->directory, "%s", config->directory);
    for (size_t i = 0; i < config->n_topics; i++) {
        HR_ASSERT(strlen(config->topics[i].name) <= FILES_TOPIC_MAX_CHARS);
        struct files_topic *topic = &sink->topics[sink->n_topics++];
        (void)snprintf(topic->name, sizeof topic->name, "%s", config->topics[i].name);
        (void)snprintf(topic->schema, sizeof topic->schema, "%s", config->topics[i].schema);
        topic->hour = FILES_NO_HOUR;
    }
    sink->config.directory = NULL;
    sink->config.topics = NULL;
    *out = (struct sink){.name = "files",
                         .recover = files_recover,
                         .begin = files_begin,
                         .put_event = files_put_event,
                         .put_raw = files_put_raw,
                         .put_entry = has_topic(sink, SINK_ENTRY_TOPIC) ? files_put_entry : NULL,
                         .commit = files_commit,
                         .close = files_close,
                         .ctx = sink};
    return hr_ok();
}
