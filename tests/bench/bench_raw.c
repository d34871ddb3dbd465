/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_raw.h"

#include "proto/base/assert.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 300000, POLL_EVERY = 4096, MAX_HEADERS = 11 };

struct raw_producer {
    enum raw_kind kind;
    rd_kafka_t *client;
    rd_kafka_topic_t *topics[RAW_TOPICS];
    atomic_uint n_failed;
};

static _Noreturn void stop(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_publish: %s: %s\n", what, why);
    exit(4);
}

static void check(const char *what, rd_kafka_error_t *error)
{
    if (error != NULL) {
        stop(what, rd_kafka_error_string(error));
    }
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct raw_producer *producer = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        atomic_fetch_add(&producer->n_failed, 1);
    }
}

/* As the sink has them (aggregator/sinks/kafka/kafka_client.c). */
static rd_kafka_conf_t *configure(enum raw_kind kind, const char *brokers)
{
    const char *const properties[][2] = {
        {"bootstrap.servers", brokers},
        {"acks", "all"},
        {"compression.codec", "zstd"},
        {"compression.level", "1"},
        {"linger.ms", "5"},
        {"batch.num.messages", "10000"},
        {"queue.buffering.max.messages", "400000"},
        {"queue.buffering.max.kbytes", "262144"},
        {"partitioner", "murmur2"},
        {"delivery.report.only.error", "true"},
        {"log_level", "3"},
        {"transaction.timeout.ms", "300000"}, /* a loaded machine's broker may be slow */
        {"transactional.id", kind == RAW_TRANSACTIONAL ? "bench" : NULL},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < HR_ARRAY_LEN(properties); i++) {
        char why[256];
        if (properties[i][1] != NULL && rd_kafka_conf_set(conf, properties[i][0], properties[i][1], why,
                                                          sizeof why) != RD_KAFKA_CONF_OK) {
            stop(properties[i][0], why);
        }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return conf;
}

struct raw_producer *raw_open(enum raw_kind kind, const char *brokers, const char *const topics[RAW_TOPICS])
{
    struct raw_producer *producer = calloc(1, sizeof *producer);
    HR_ASSERT(producer != NULL);
    producer->kind = kind;
    rd_kafka_conf_t *conf = configure(kind, brokers);
    rd_kafka_conf_set_opaque(conf, producer);
    char why[256];
    producer->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (producer->client == NULL) {
        stop("rd_kafka_new", why);
    }
    for (size_t i = 0; i < RAW_TOPICS; i++) {
        producer->topics[i] = rd_kafka_topic_new(producer->client, topics[i], NULL);
        HR_ASSERT(producer->topics[i] != NULL);
    }
    if (kind == RAW_TRANSACTIONAL) {
        check("init_transactions", rd_kafka_init_transactions(producer->client, TIMEOUT_MS));
    }
    return producer;
}

static void add(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    (void)rd_kafka_header_add(headers, name, -1, value, -1);
}

static void add_number(rd_kafka_headers_t *headers, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    add(headers, name, text);
}

/* The same headers with the same values as the sink's. */
static rd_kafka_headers_t *headers_of(const struct sink_origin *origin)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(MAX_HEADERS);
    char text[2 * WIRE_DIGEST_BYTES + 1] = "";
    (void)snprintf(text, sizeof text, "%016" PRIx64, origin->device_id);
    add(headers, "device", text);
    add_number(headers, "stream", origin->stream);
    add_number(headers, "key_epoch", origin->key_epoch);
    add_number(headers, "batch_seq", origin->batch_seq);
    if (origin->record_index != SINK_WHOLE_BATCH) {
        add_number(headers, "record_index", origin->record_index);
        add_number(headers, "output_index", origin->output_index);
    }
    add_number(headers, "leaf", origin->leaf);
    for (size_t i = 0; i < WIRE_DIGEST_BYTES; i++) {
        static const char hex[] = "0123456789abcdef";
        text[2 * i] = hex[origin->batch_digest[i] >> 4];
        text[2 * i + 1] = hex[origin->batch_digest[i] & 15u];
    }
    add(headers, "batch_digest", text);
    add_number(headers, "normalizer_version", origin->normalizer_version);
    add(headers, "traceparent", origin->traceparent);
    add(headers, "log", "00000000000000000000000000000001"); /* not the publisher's */
    return headers;
}

static void produce(struct raw_producer *producer, const struct raw_message *message)
{
    void *key = (void *)(uintptr_t)message->key;
    void *value = (void *)(uintptr_t)(message->key + message->key_len_bytes);
    rd_kafka_topic_t *topic = producer->topics[message->topic];
    if (producer->kind == RAW_PLAIN) {
        while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value,
                                message->value_len_bytes, key, message->key_len_bytes, NULL) != 0) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
                stop("produce", rd_kafka_err2str(rd_kafka_last_error()));
            }
            (void)rd_kafka_poll(producer->client, 10);
        }
        return;
    }
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key, message->key_len_bytes}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, message->value_len_bytes}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = message->timestamp_ms},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers_of(&message->origin)},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    rd_kafka_error_t *error = NULL;
    while ((error = rd_kafka_produceva(producer->client, fields, HR_ARRAY_LEN(fields))) != NULL &&
           rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_error_destroy(error);
        (void)rd_kafka_poll(producer->client, 10);
    }
    check("produceva", error);
}

static void deliver(struct raw_producer *producer)
{
    if (producer->kind == RAW_TRANSACTIONAL) {
        check("commit_transaction", rd_kafka_commit_transaction(producer->client, TIMEOUT_MS));
    } else if (rd_kafka_flush(producer->client, TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        stop("flush", "not everything was delivered in time");
    }
    if (atomic_load(&producer->n_failed) > 0) {
        stop("deliver", "a message was not delivered");
    }
}

void raw_produce(struct raw_producer *producer, const struct raw_messages *messages, size_t per_transaction)
{
    bool transactional = producer->kind == RAW_TRANSACTIONAL;
    for (size_t i = 0; i < messages->n_messages; i++) {
        if (transactional && i % per_transaction == 0) {
            check("begin_transaction", rd_kafka_begin_transaction(producer->client));
        }
        produce(producer, &messages->message[i]);
        if (i % POLL_EVERY == 0) {
            (void)rd_kafka_poll(producer->client, 0);
        }
        if (transactional && (i + 1) % per_transaction == 0) {
            deliver(producer);
        }
    }
    if (!transactional || messages->n_messages % per_transaction != 0) {
        deliver(producer);
    }
}

void raw_close(struct raw_producer *producer)
{
    for (size_t i = 0; i < RAW_TOPICS; i++) {
        rd_kafka_topic_destroy(producer->topics[i]);
    }
    rd_kafka_destroy(producer->client);
    free(producer);
}
