/* SPDX-License-Identifier: Apache-2.0
 *
 * A producer that does nothing but produce, in the manner of librdkafka's rdkafka_performance: what a
 * publisher is measured against. It sends messages that were made before. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include "aggregator/io/sink.h"

enum { RAW_TOPICS = 2, RAW_TRACEPARENT_CHARS = 56 };

/* One message; its bytes are kept by whoever made it. */
struct raw_message {
    uint32_t topic; /* below RAW_TOPICS */
    uint32_t key_len_bytes;
    uint32_t value_len_bytes;
    const uint8_t *key; /* the value stands behind it */
    int64_t timestamp_ms;
    struct sink_origin origin;
};

struct raw_messages {
    struct raw_message *message;
    size_t n_messages;
    size_t capacity;
};

enum raw_kind {
    RAW_PLAIN,         /* acks=all, key, value */
    RAW_HEADERS,       /* and the headers that a publisher sends */
    RAW_TRANSACTIONAL, /* and in transactions */
};

struct raw_producer;

/* Makes a producer of that kind with the properties of the Kafka sink: zstd, acks=all, 5 ms. Ends the process
 * when it can't. */
struct raw_producer *raw_open(enum raw_kind kind, const char *brokers, const char *const topics[RAW_TOPICS]);
/* Produces all messages and returns when every one was delivered, in transactions of per_transaction for that
 * kind. Ends the process when one was not. */
void raw_produce(struct raw_producer *producer, const struct raw_messages *messages, size_t per_transaction);
void raw_close(struct raw_producer *producer);

#endif
