/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sinks/kafka/scan.h"

#include "aggregator/sinks/kafka/kafka_private.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 100, MAX_PARTITIONS = 4096 };

/* Where the partitions end. */
struct scan {
    const struct sink_kafka_scan_config *config;
    rd_kafka_t *reader;
    int32_t n_partitions;
    int64_t *ends; /* -1: read to its end */
};

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- headers ---- */

/* Copies the text of a header; false: none, or longer than fits. */
static bool header_text(const rd_kafka_headers_t *headers, const char *name, char *out, size_t capacity)
{
    const void *value = NULL;
    size_t len = 0;
    if (rd_kafka_header_get_last(headers, name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR || len == 0 ||
        len >= capacity || value == NULL || memchr(value, '\0', len) != NULL) {
        return false;
    }
    memcpy(out, value, len);
    out[len] = '\0';
    return true;
}

static bool header_number(const rd_kafka_headers_t *headers, const char *name, uint64_t max, uint64_t *out)
{
    char text[24];
    char *end = NULL;
    if (!header_text(headers, name, text, sizeof text) || text[0] < '0' || text[0] > '9') {
        return false;
    }
    *out = strtoull(text, &end, 10);
    return *end == '\0' && *out <= max;
}

static bool header_digest(const rd_kafka_headers_t *headers, uint8_t out[WIRE_DIGEST_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * WIRE_DIGEST_BYTES + 1];
    if (!header_text(headers, "batch_digest", text, sizeof text) || strlen(text) != sizeof text - 1 ||
        strspn(text, digits) != sizeof text - 1) {
        return false;
    }
    for (size_t i = 0; i < WIRE_DIGEST_BYTES; i++) {
        size_t high = (size_t)(strchr(digits, text[2 * i]) - digits);
        size_t low = (size_t)(strchr(digits, text[2 * i + 1]) - digits);
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void read_headers(const rd_kafka_headers_t *headers, struct sink_kafka_seen *out)
{
    uint64_t record = 0;
    uint64_t output = 0;
    uint64_t replay = 0;
    if (!header_text(headers, "log", out->log, sizeof out->log)) {
        out->log[0] = '\0';
    }
    bool has_record = header_number(headers, "record_index", UINT16_MAX, &record);
    bool has_output = header_number(headers, "output_index", UINT32_MAX, &output);
    out->has_place = header_number(headers, "leaf", UINT64_MAX, &out->leaf) && has_record == has_output;
    out->is_event = has_record;
    out->is_revision = header_number(headers, "replay", UINT64_MAX, &replay);
    out->record_index = (uint32_t)record;
    out->output_index = (uint32_t)output;
    out->has_digest = header_digest(headers, out->batch_digest);
}

static void hand_out(const struct scan *scan, const rd_kafka_message_t *message)
{
    struct sink_kafka_seen seen = {.topic = scan->config->topic,
                                   .partition = message->partition,
                                   .offset = message->offset,
                                   .key = hr_bytes_of(message->key, message->key_len),
                                   .value = hr_bytes_of(message->payload, message->len)};
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        read_headers(headers, &seen);
    }
    scan->config->each(scan->config->ctx, &seen);
}

/* ---- reading ---- */

static struct hr_status fail(char why[SINK_KAFKA_WHY_CHARS], rd_kafka_resp_err_t error)
{
    (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "%s", rd_kafka_err2str(error));
    return hr_status_of(HR_AGAIN);
}

/* Learns the ends of all partitions, of what is undecided too, and points the reader at their beginnings. */
static struct hr_status start(struct scan *scan, rd_kafka_t *asker, char why[SINK_KAFKA_WHY_CHARS])
{
    const struct sink_kafka_scan_config *config = scan->config;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(scan->n_partitions);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int32_t i = 0; i < scan->n_partitions && error == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        int64_t low = 0;
        error = rd_kafka_query_watermark_offsets(asker, config->topic, i, &low, &scan->ends[i],
                                                 (int)config->timeout_ms);
        rd_kafka_topic_partition_list_add(list, config->topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
        if (scan->ends[i] <= low) {
            scan->ends[i] = -1;
        }
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        error = rd_kafka_assign(scan->reader, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? hr_ok() : fail(why, error);
}

static int32_t n_open(const struct scan *scan)
{
    int32_t n = 0;
    for (int32_t i = 0; i < scan->n_partitions; i++) {
        n += scan->ends[i] >= 0 ? 1 : 0;
    }
    return n;
}

static struct hr_status read_all(struct scan *scan, char why[SINK_KAFKA_WHY_CHARS])
{
    uint64_t deadline_ms = now_ms() + scan->config->timeout_ms;
    while (n_open(scan) > 0) {
        if (now_ms() > deadline_ms) {
            (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "topic %s: nothing more came in %u s",
                           scan->config->topic, scan->config->timeout_ms / 1000u);
            return hr_status_of(HR_AGAIN);
        }
        rd_kafka_message_t *message = rd_kafka_consumer_poll(scan->reader, POLL_MS);
        if (message == NULL) {
            continue;
        }
        bool is_record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        bool is_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if ((is_record || is_end) && message->partition < scan->n_partitions) {
            /* An end below what the partition held is no end: an open transaction stands there. */
            int64_t reached = is_record ? message->offset + 1 : message->offset;
            int64_t *end = &scan->ends[message->partition];
            *end = *end >= 0 && reached >= *end ? -1 : *end;
        }
        if (is_record) {
            hand_out(scan, message);
            deadline_ms = now_ms() + scan->config->timeout_ms;
        }
        rd_kafka_message_destroy(message);
    }
    return hr_ok();
}

static struct hr_status scan_with(struct scan *scan, rd_kafka_t *asker, char why[SINK_KAFKA_WHY_CHARS])
{
    const struct sink_kafka_scan_config *config = scan->config;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(asker, config->topic, NULL);
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(asker, 0, topic, &metadata, (int)config->timeout_ms);
    rd_kafka_topic_destroy(topic);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail(why, error);
    }
    int n = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (n <= 0 || n > MAX_PARTITIONS) {
        (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "there is no topic %s", config->topic);
        return hr_status_of(HR_NOT_FOUND);
    }
    scan->n_partitions = n;
    scan->ends = calloc((size_t)n, sizeof *scan->ends);
    HR_ASSERT(scan->ends != NULL);
    struct hr_status status = start(scan, asker, why);
    if (hr_is_ok(status)) {
        status = read_all(scan, why);
    }
    free(scan->ends);
    return status;
}

struct hr_status sink_kafka_scan(const struct sink_kafka_scan_config *config, char why[SINK_KAFKA_WHY_CHARS])
{
    struct scan scan = {.config = config};
    scan.reader = sink_kafka_reader(config->properties, config->n_properties, "read_committed", "10", why);
    rd_kafka_t *asker =
        sink_kafka_reader(config->properties, config->n_properties, "read_uncommitted", "10", why);
    struct hr_status status = hr_status_of(HR_MALFORMED);
    if (scan.reader != NULL && asker != NULL) {
        status = scan_with(&scan, asker, why);
    }
    if (scan.reader != NULL) {
        rd_kafka_destroy_flags(scan.reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    if (asker != NULL) {
        rd_kafka_destroy_flags(asker, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    return status;
}
