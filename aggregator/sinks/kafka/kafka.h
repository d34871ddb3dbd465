/* SPDX-License-Identifier: Apache-2.0
 *
 * The Kafka sink: each publisher transaction is one Kafka transaction with the cursor record in it
 * (PROTOCOL 4.4, rules D and E of 4.5). A producer that saw anything doubtful is destroyed, and the next
 * recover fences whatever it may still have in flight before it reads cursor and partition tails back. Needs
 * brokers of 3.6 or newer. This room owns librdkafka. One publisher thread drives a sink; the log callback
 * comes from librdkafka's threads. */
#ifndef SINK_KAFKA_H
#define SINK_KAFKA_H

#include "aggregator/io/sink.h"

enum {
    SINK_KAFKA_MAX_TOPICS = 64,
    SINK_KAFKA_MAX_PARTITIONS = 4096, /* of all data topics together */
    SINK_KAFKA_TOPIC_MAX_CHARS = 127,
    SINK_KAFKA_MAX_SETTINGS = 16, /* of one topic */
    SINK_KAFKA_WHY_CHARS = 256,
};

struct sink_kafka_property {
    const char *name;
    const char *value;
};

/* A topic that this sink writes: a schema's, or one for raw batches (schema NULL). */
struct sink_kafka_topic {
    const char *name;
    const struct norm_schema *schema;
    uint32_t schema_id; /* for the Confluent framing; unused for raw topics */
};

/* How a topic is to be made; of schemas/topics.yaml. */
struct sink_kafka_declared {
    const char *name;
    int32_t partitions;
    int32_t replication_factor;
    const struct sink_kafka_property *settings; /* Kafka's own names */
    size_t n_settings;                          /* at most SINK_KAFKA_MAX_SETTINGS */
};

enum sink_kafka_level { SINK_KAFKA_INFO, SINK_KAFKA_WARN, SINK_KAFKA_ERROR };

struct sink_kafka_config {
    const struct sink_kafka_property
        *properties; /* librdkafka's own names; "bootstrap.servers" is required */
    size_t n_properties;
    const struct sink_kafka_topic *topics;
    size_t n_topics;
    const char *cursor_topic;                   /* compacted, one partition */
    const struct sink_kafka_declared *declared; /* topics that may be made when they are missing */
    size_t n_declared;                          /* at most SINK_KAFKA_MAX_TOPICS + 1 */
    uint32_t transaction_max_batches; /* as the publisher's: how far one torn transaction can reach */
    /* How long one may stay open before the broker aborts it, and how long its end is waited for; 0: 60 s. */
    uint32_t transaction_timeout_ms;
    void (*log)(void *ctx, enum sink_kafka_level level, const char *event, const char *text);
    void *log_ctx;
};

/* Makes the sink; nothing is connected before recover. All of the configuration is copied but schemas and
 * log_ctx, which are kept. HR_MALFORMED: librdkafka refuses a property, or it is one that this sink sets
 * itself; the reason is logged. HR_FULL: more topics or declarations than SINK_KAFKA_MAX_TOPICS allows. Free
 * with sink->close. */
HR_MUST_USE struct hr_status sink_kafka_open(const struct sink_kafka_config *config, struct sink *out);

#endif
