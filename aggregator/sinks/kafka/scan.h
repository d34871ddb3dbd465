/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading whole topics with what stands beside the values, for `headrace ledger fsck`. It stands here because
 * this room owns librdkafka. */
#ifndef SINK_KAFKA_SCAN_H
#define SINK_KAFKA_SCAN_H

#include "aggregator/sinks/kafka/kafka.h"

enum { SINK_KAFKA_LOG_MAX_CHARS = 63 };

/* A committed record. What its headers say is doubted: `log` is empty when there is none. */
struct sink_kafka_seen {
    const char *topic;
    int32_t partition;
    int64_t offset;
    struct hr_bytes key, value; /* borrowed, as is topic */
    char log[SINK_KAFKA_LOG_MAX_CHARS + 1];
    bool has_place; /* leaf is given, and for an event record and output */
    bool is_event;
    bool is_revision; /* of a replay */
    uint64_t leaf;
    uint32_t record_index;
    uint32_t output_index;
    bool has_digest;
    uint8_t batch_digest[WIRE_DIGEST_BYTES];
};

struct sink_kafka_scan_config {
    const struct sink_kafka_property *properties; /* "bootstrap.servers" is required */
    size_t n_properties;
    const char *topic;
    void (*each)(void *ctx, const struct sink_kafka_seen *seen);
    void *ctx;
    uint32_t timeout_ms; /* without progress */
};

/* Reads every partition with isolation.level=read_committed from its beginning to where its log ended when
 * this was called, open transactions included: those are waited for. HR_NOT_FOUND: no such topic.
 * HR_MALFORMED: librdkafka refuses a property. HR_AGAIN: no broker answers, or nothing came for timeout_ms.
 * `why` is filled on failure. */
HR_MUST_USE struct hr_status sink_kafka_scan(const struct sink_kafka_scan_config *config,
                                             char why[SINK_KAFKA_WHY_CHARS]);

#endif
