/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's configuration, and what librdkafka tells from its own threads: its log, and whatever makes the
 * outcome of a transaction doubtful. */
#include "aggregator/sinks/kafka/kafka_private.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sink_kafka_log(const struct sink_kafka *sink, enum sink_kafka_level level, const char *event,
                    const char *text)
{
    sink->config.log(sink->config.log_ctx, level, event, text);
}

/* ---- what librdkafka tells from its own threads ---- */

/* librdkafka retries the requests of a transaction by itself, and a late copy of an EndTxn can end a later
 * transaction (PROTOCOL 4.5, variant C). It does so silently, but each send and each failed one passes here.
 */
struct watched {
    int16_t api_key;
    const char *doubt;
};

static const struct watched watched[] = {
    {22, "an InitProducerId got no answer"},
    {24, "an AddPartitionsToTxn got no answer"},
    {26, "an EndTxn got no answer"},
    {28, "a TxnOffsetCommit got no answer"},
};

enum { API_END_TXN = 26 };

/* The first doubt stays: the others follow from it. */
static void doubt(struct sink_kafka *sink, const char *why)
{
    const char *sure = NULL;
    (void)atomic_compare_exchange_strong(&sink->doubt, &sure, why);
}

/* NOLINTNEXTLINE(readability-function-size): librdkafka sets these parameters. */
static rd_kafka_resp_err_t on_request_sent(rd_kafka_t *client, int socket, const char *broker,
                                           int32_t broker_id, int16_t api_key, int16_t api_version,
                                           int32_t correlation_id, size_t len_bytes, void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)api_version, (void)correlation_id;
    (void)len_bytes;
    struct sink_kafka *sink = opaque;
    if (api_key == API_END_TXN && atomic_fetch_add(&sink->end_requests, 1) > 0) {
        doubt(sink, "an EndTxn was sent again");
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Comes with an error when the connection was lost or the time was up: the request may still arrive. What the
 * broker itself refuses comes without one, as an answer. */
/* NOLINTNEXTLINE(readability-function-size): librdkafka sets these parameters. */
static rd_kafka_resp_err_t on_response_received(rd_kafka_t *client, int socket, const char *broker,
                                                int32_t broker_id, int16_t api_key, int16_t api_version,
                                                int32_t correlation_id, size_t len_bytes, int64_t rtt_us,
                                                rd_kafka_resp_err_t error, void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)api_version, (void)correlation_id;
    (void)len_bytes, (void)rtt_us;
    for (size_t i = 0; i < HR_ARRAY_LEN(watched) && error != RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        if (api_key == watched[i].api_key) {
            doubt(opaque, watched[i].doubt);
        }
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): librdkafka sets the types of these parameters. */
static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *reason,
                                  size_t reason_capacity)
{
    (void)conf, (void)reason, (void)reason_capacity;
    (void)rd_kafka_interceptor_add_on_request_sent(client, "headrace", on_request_sent, opaque);
    (void)rd_kafka_interceptor_add_on_response_received(client, "headrace", on_response_received, opaque);
    (void)rd_kafka_interceptor_add_on_acknowledgement(client, "headrace", sink_kafka_on_acknowledgement,
                                                      opaque);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct sink_kafka *sink = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        doubt(sink, "a record was not delivered");
    }
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)facility;
    const struct sink_kafka *sink = rd_kafka_opaque(client);
    sink_kafka_log(sink,
                   level <= 3   ? SINK_KAFKA_ERROR
                   : level <= 4 ? SINK_KAFKA_WARN
                                : SINK_KAFKA_INFO,
                   "kafka_client", text);
}

static void on_error(rd_kafka_t *client, int error, const char *text, void *opaque)
{
    (void)client;
    const struct sink_kafka *sink = opaque;
    bool transport = error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    sink_kafka_log(sink, transport ? SINK_KAFKA_WARN : SINK_KAFKA_ERROR, "kafka_error", text);
}

/* ---- configuration ---- */

bool sink_kafka_conf_set(const struct sink_kafka *sink, rd_kafka_conf_t *conf, const char *name,
                         const char *value)
{
    char reason[256];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK) {
        return true;
    }
    sink_kafka_log(sink, SINK_KAFKA_ERROR, "kafka_property_refused", reason);
    return false;
}

rd_kafka_conf_t *sink_kafka_conf(const struct sink_kafka *sink)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool good = true;
    for (size_t i = 0; i < sink->n_properties && good; i++) {
        good = sink_kafka_conf_set(sink, conf, sink->properties[i].name, sink->properties[i].value);
    }
    if (!good) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_opaque(conf, (void *)(uintptr_t)sink);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    return conf;
}

/* Properties without which the guarantee does not stand; a user's value for them is refused, not overridden.
 */
static const struct sink_kafka_property fixed_properties[] = {
    {"enable.idempotence", "true"},         {"acks", "all"},
    {"delivery.report.only.error", "true"}, {"transactional.id", NULL},
    {"transaction.timeout.ms", NULL},       {"isolation.level", NULL},
    {"enable.auto.commit", NULL},           {"group.id", NULL},
    {"message.timeout.ms", NULL},           {"request.required.acks", NULL},
};

/* Defaults that a user may change. */
static const struct sink_kafka_property default_properties[] = {
    {"client.id", "headrace-aggregator"},
    {"compression.codec", "zstd"},
    {"compression.level", "1"}, /* 6 % more bytes than at 3, a tenth less CPU of the whole publisher */
    {"linger.ms", "5"},
    {"queue.buffering.max.messages", "400000"},
    {"queue.buffering.max.kbytes", "262144"},
    {"batch.num.messages", "10000"},
    {"socket.timeout.ms", "20000"},
    {"socket.keepalive.enable", "true"},
};

bool sink_kafka_conf_producer(struct sink_kafka *sink, rd_kafka_conf_t *conf)
{
    bool good = true;
    for (size_t i = 0; i < HR_ARRAY_LEN(fixed_properties) && good; i++) {
        good = fixed_properties[i].value == NULL ||
               sink_kafka_conf_set(sink, conf, fixed_properties[i].name, fixed_properties[i].value);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    (void)rd_kafka_conf_interceptor_add_on_new(conf, "headrace", on_new, sink);
    return good;
}

static bool has_property(const struct sink_kafka *sink, const char *name)
{
    for (size_t i = 0; i < sink->n_properties; i++) {
        if (strcmp(sink->properties[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static struct hr_status add_property(struct sink_kafka *sink, const char *name, const char *value)
{
    if (sink->n_properties == SINK_KAFKA_MAX_PROPERTIES) {
        return hr_status_of(HR_FULL);
    }
    struct kafka_pair pair = {strdup(name), strdup(value)};
    HR_ASSERT(pair.name != NULL && pair.value != NULL);
    sink->properties[sink->n_properties++] = pair;
    return hr_ok();
}

struct hr_status sink_kafka_keep_properties(struct sink_kafka *sink, const struct sink_kafka_config *config)
{
    for (size_t i = 0; i < config->n_properties; i++) {
        for (size_t k = 0; k < HR_ARRAY_LEN(fixed_properties); k++) {
            if (strcmp(config->properties[i].name, fixed_properties[k].name) == 0) {
                sink_kafka_log(sink, SINK_KAFKA_ERROR, "kafka_property_is_ours", config->properties[i].name);
                return hr_status_of(HR_MALFORMED);
            }
        }
        HR_TRY(add_property(sink, config->properties[i].name, config->properties[i].value));
    }
    if (!has_property(sink, "bootstrap.servers")) {
        sink_kafka_log(sink, SINK_KAFKA_ERROR, "kafka_property_missing", "bootstrap.servers");
        return hr_status_of(HR_MALFORMED);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(default_properties); i++) {
        if (!has_property(sink, default_properties[i].name)) {
            HR_TRY(add_property(sink, default_properties[i].name, default_properties[i].value));
        }
    }
    rd_kafka_conf_t *probe = sink_kafka_conf(sink);
    if (probe == NULL) {
        return hr_status_of(HR_MALFORMED);
    }
    rd_kafka_conf_destroy(probe);
    return hr_ok();
}
