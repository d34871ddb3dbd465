/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a topic as a consumer does, for `headrace tail` and for tests. It stands here because this room
 * owns librdkafka. */
#ifndef SINK_KAFKA_TAIL_H
#define SINK_KAFKA_TAIL_H

#include "aggregator/sinks/kafka/kafka.h"

struct sink_kafka_tail_config {
    const struct sink_kafka_property *properties; /* "bootstrap.servers" is required */
    size_t n_properties;
    const char *topic;
    bool from_start; /* else from what comes next */
    bool follow;     /* else ends when every partition was read to its end */
    /* Called with each committed record's value, borrowed. False ends the reading. */
    bool (*each)(void *ctx, struct hr_bytes value);
    /* Asked about every 100 ms; true ends the reading. */
    bool (*stop)(void *ctx);
    void *ctx;
};

/* Reads with isolation.level=read_committed, without a consumer group. HR_OK: each or stop ended it, or the
 * end was reached. HR_MALFORMED: librdkafka refuses a property. HR_NOT_FOUND: no such topic. HR_AGAIN: no
 * broker answers within timeout_ms. `why` is filled on failure. Blocks until it ends. */
HR_MUST_USE struct hr_status sink_kafka_tail(const struct sink_kafka_tail_config *config, uint32_t timeout_ms,
                                             char why[256]);

#endif
