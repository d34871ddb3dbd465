/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in Kafka of a log: its cursor, and the records in the topics of all normalizers. */
#include "aggregator/sinks/kafka/admin.h"
#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"
#include "tools/cli/delivered.h"
#include "tools/cli/refold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the cursor ---- */

static bool is_log_name(struct hr_bytes key)
{
    static const char digits[] = "0123456789abcdef";
    char text[SINK_KAFKA_LOG_MAX_CHARS + 1];
    if (key.len_bytes == 0 || key.len_bytes > SINK_KAFKA_LOG_MAX_CHARS) {
        return false;
    }
    memcpy(text, key.data, key.len_bytes);
    text[key.len_bytes] = '\0';
    return strspn(text, digits) == key.len_bytes;
}

static bool is_known_log(const struct cli_delivered *delivered, const char *log)
{
    for (size_t i = 0; i < delivered->n_logs; i++) {
        if (strcmp(delivered->logs[i], log) == 0) {
            return true;
        }
    }
    return false;
}

static void take_cursor(void *ctx, const struct sink_kafka_seen *seen)
{
    static const char prefix[] = "{\"next_leaf\":";
    struct cli_delivered *delivered = ctx;
    if (!is_log_name(seen->key)) {
        return; /* a fence marker */
    }
    char log[SINK_KAFKA_LOG_MAX_CHARS + 1] = "";
    memcpy(log, seen->key.data, seen->key.len_bytes);
    if (!is_known_log(delivered, log) && delivered->n_logs < CLI_DELIVERED_MAX_LOGS) {
        memcpy(delivered->logs[delivered->n_logs++], log, sizeof log);
    }
    char value[64] = "";
    size_t len = seen->value.len_bytes < sizeof value - 1 ? seen->value.len_bytes : sizeof value - 1;
    if (len > 0) {
        memcpy(value, seen->value.data, len);
    }
    if (strcmp(log, delivered->origin) == 0 && strncmp(value, prefix, sizeof prefix - 1) == 0) {
        delivered->has_cursor = true;
        delivered->cursor_end = strtoull(value + sizeof prefix - 1, NULL, 10);
    }
}

static struct hr_status scan(struct cli_delivered *delivered, const char *topic,
                             void (*each)(void *ctx, const struct sink_kafka_seen *seen))
{
    const struct sink_kafka_scan_config config = {.properties = delivered->properties->properties,
                                                  .n_properties = delivered->properties->n_properties,
                                                  .topic = topic,
                                                  .each = each,
                                                  .ctx = delivered,
                                                  .timeout_ms = delivered->timeout_ms};
    return sink_kafka_scan(&config, delivered->why);
}

static struct hr_status read_cursor(struct cli_delivered *delivered)
{
    struct hr_status status = scan(delivered, delivered->cursor_topic, take_cursor);
    return hr_is(status, HR_NOT_FOUND) ? hr_ok() : status;
}

/* ---- the topics ---- */

static void keep(struct cli_delivered *delivered, const struct cli_delivered_record *record)
{
    if (delivered->n_records == delivered->capacity) {
        size_t capacity = delivered->capacity == 0 ? 1024 : 2 * delivered->capacity;
        void *rows = realloc(delivered->records, capacity * sizeof *record);
        if (rows == NULL) {
            delivered->is_out_of_memory = true;
            return;
        }
        delivered->records = rows;
        delivered->capacity = capacity;
    }
    delivered->records[delivered->n_records++] = *record;
}

/* A raw record is what it holds, whatever its headers say. */
static bool digest_of_value(struct hr_bytes value, uint8_t out[WIRE_DIGEST_BYTES])
{
    struct wire_envelope parts;
    if (!hr_is_ok(wire_envelope_split(value, &parts)) ||
        !hr_is_ok(
            wire_payload_check(verify_hash(), parts.payload, parts.header.n_records, parts.header.root))) {
        return false;
    }
    wire_batch_digest(verify_hash(), parts.header_bytes, out);
    return true;
}

static void tell_alien(const struct cli_delivered *delivered, const struct sink_kafka_seen *seen,
                       const char *text)
{
    const struct cli_place place = {.has_leaf = seen->has_place,
                                    .leaf = seen->leaf,
                                    .topic = seen->topic,
                                    .partition = seen->partition,
                                    .offset = seen->offset};
    cli_find(delivered->findings, CLI_FINDING_ALIEN, &place, "%s", text);
}

static void take_record(void *ctx, const struct sink_kafka_seen *seen)
{
    struct cli_delivered *delivered = ctx;
    if (strcmp(seen->log, delivered->origin) != 0) {
        if (seen->log[0] == '\0') {
            tell_alien(delivered, seen, "it names no log");
        } else if (!is_known_log(delivered, seen->log)) {
            tell_alien(delivered, seen, "it names a log that has no cursor");
        } else {
            delivered->n_other_logs++;
        }
        return;
    }
    uint32_t topic = delivered->n_topics - 1; /* the one that is being read */
    if (!seen->has_place || seen->is_event == delivered->topics[topic].is_raw) {
        tell_alien(delivered, seen, "it names no place in the log that this topic could hold");
        return;
    }
    struct cli_delivered_record record = {.leaf = seen->leaf,
                                          .offset = seen->offset,
                                          .topic = topic,
                                          .partition = seen->partition,
                                          .is_revision = seen->is_revision,
                                          .has_digest = seen->has_digest};
    if (seen->is_event) {
        record.index = ((uint64_t)seen->record_index + 1) << 32 | seen->output_index;
    }
    memcpy(record.digest, seen->batch_digest, sizeof record.digest);
    uint8_t held[WIRE_DIGEST_BYTES];
    if (!seen->is_event) {
        record.has_digest = record.has_digest && digest_of_value(seen->value, held) &&
                            memcmp(held, record.digest, sizeof held) == 0;
    }
    keep(delivered, &record);
}

static struct hr_status read_topic(struct cli_delivered *delivered, const char *name, bool is_raw)
{
    HR_ASSERT(delivered->n_topics < CLI_DELIVERED_MAX_TOPICS);
    struct cli_delivered_topic *topic = &delivered->topics[delivered->n_topics++];
    *topic = (struct cli_delivered_topic){.is_raw = is_raw, .retention_ms = -1};
    (void)snprintf(topic->name, sizeof topic->name, "%s", name);
    struct hr_status status = scan(delivered, topic->name, take_record);
    topic->is_there = hr_is_ok(status);
    return hr_is(status, HR_NOT_FOUND) ? hr_ok() : status;
}

/* How long the cluster keeps the records of each topic. */
static struct hr_status read_retention(struct cli_delivered *delivered)
{
    static const struct sink_kafka_property retention = {"retention.ms", ""};
    struct sink_kafka_declared declared[CLI_DELIVERED_MAX_TOPICS];
    struct sink_kafka_found *found = calloc(delivered->n_topics, sizeof *found);
    HR_ASSERT(found != NULL);
    for (uint32_t i = 0; i < delivered->n_topics; i++) {
        declared[i] = (struct sink_kafka_declared){
            .name = delivered->topics[i].name, .settings = &retention, .n_settings = 1};
    }
    struct sink_kafka_admin *admin = NULL;
    int32_t n_brokers = 0;
    struct hr_status status = sink_kafka_admin_open(
        delivered->properties->properties, delivered->properties->n_properties, &admin, delivered->why);
    if (hr_is_ok(status)) {
        status = sink_kafka_admin_look(admin, declared, delivered->n_topics, delivered->timeout_ms, found,
                                       &n_brokers, delivered->why);
        sink_kafka_admin_close(admin);
    }
    for (uint32_t i = 0; hr_is_ok(status) && i < delivered->n_topics; i++) {
        const char *value = found[i].values[0];
        delivered->topics[i].retention_ms =
            found[i].exists && value[0] != '\0' ? strtoll(value, NULL, 10) : -1;
    }
    free(found);
    return status;
}

struct hr_status cli_delivered_read(struct cli_delivered *delivered)
{
    HR_TRY(read_cursor(delivered));
    delivered->cursor = delivered->cursor_end;
    for (uint32_t i = 0; i < CLI_REFOLD_N_NORMALIZERS; i++) {
        const struct normalizer *normalizer = cli_normalizers()[i];
        char raw[SINK_KAFKA_TOPIC_MAX_CHARS + 1];
        (void)snprintf(raw, sizeof raw, "ingestion.%s.raw.v1", normalizer->source);
        HR_TRY(read_topic(delivered, raw, true));
        for (uint16_t k = 0; k < normalizer->n_schemas; k++) {
            HR_TRY(read_topic(delivered, normalizer->schemas[k]->topic, false));
        }
    }
    HR_TRY(read_retention(delivered));
    HR_TRY(read_cursor(delivered));
    cli_delivered_sort(delivered);
    return hr_ok();
}
