/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sinks/kafka/tail.h"

#include "aggregator/sinks/kafka/kafka_private.h"

#include <stdio.h>

enum { POLL_MS = 100, WHY_CHARS = 256 };

rd_kafka_t *sink_kafka_reader(const struct sink_kafka_property *properties, size_t n_properties,
                              const char *isolation, const char *fetch_wait_ms, char why[WHY_CHARS])
{
    const struct sink_kafka_property ours[] = {
        {"isolation.level", isolation},        {"enable.partition.eof", "true"},
        {"enable.auto.commit", "false"},       {"group.id", "headrace-tail"}, /* required, never joined */
        {"fetch.wait.max.ms", fetch_wait_ms},  {"auto.offset.reset", "earliest"},
        {"allow.auto.create.topics", "false"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool good = true;
    for (size_t i = 0; i < n_properties && good; i++) {
        good = rd_kafka_conf_set(conf, properties[i].name, properties[i].value, why, WHY_CHARS) ==
               RD_KAFKA_CONF_OK;
    }
    for (size_t i = 0; i < sizeof ours / sizeof ours[0] && good; i++) {
        good = rd_kafka_conf_set(conf, ours[i].name, ours[i].value, why, WHY_CHARS) == RD_KAFKA_CONF_OK;
    }
    rd_kafka_t *reader = good ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, WHY_CHARS) : NULL;
    if (reader == NULL) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    (void)rd_kafka_poll_set_consumer(reader);
    return reader;
}

/* Points the reader at every partition of the topic. */
static struct hr_status assign(rd_kafka_t *reader, const struct sink_kafka_tail_config *config,
                               uint32_t timeout_ms, int *n_partitions, char why[WHY_CHARS])
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(reader, config->topic, NULL);
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(reader, 0, topic, &metadata, (int)timeout_ms);
    rd_kafka_topic_destroy(topic);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)snprintf(why, WHY_CHARS, "no broker answers: %s", rd_kafka_err2str(error));
        return hr_status_of(HR_AGAIN);
    }
    *n_partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (*n_partitions == 0) {
        (void)snprintf(why, WHY_CHARS, "there is no topic %s", config->topic);
        return hr_status_of(HR_NOT_FOUND);
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(*n_partitions);
    for (int32_t i = 0; i < *n_partitions; i++) {
        rd_kafka_topic_partition_list_add(list, config->topic, i)->offset =
            config->from_start ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
    }
    error = rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)snprintf(why, WHY_CHARS, "%s", rd_kafka_err2str(error));
        return hr_status_of(HR_AGAIN);
    }
    return hr_ok();
}

static void read_on(rd_kafka_t *reader, const struct sink_kafka_tail_config *config, int n_partitions)
{
    int n_ended = 0;
    bool wanted = true;
    while (wanted && !config->stop(config->ctx) && (config->follow || n_ended < n_partitions)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, POLL_MS);
        if (message == NULL) {
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            n_ended++;
        } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            wanted = config->each(config->ctx, hr_bytes_of(message->payload, message->len));
        }
        rd_kafka_message_destroy(message);
    }
}

struct hr_status sink_kafka_tail(const struct sink_kafka_tail_config *config, uint32_t timeout_ms,
                                 char why[WHY_CHARS])
{
    rd_kafka_t *reader =
        sink_kafka_reader(config->properties, config->n_properties, "read_committed", "500", why);
    if (reader == NULL) {
        return hr_status_of(HR_MALFORMED);
    }
    int n_partitions = 0;
    struct hr_status status = assign(reader, config, timeout_ms, &n_partitions, why);
    if (hr_is_ok(status)) {
        read_on(reader, config, n_partitions);
    }
    rd_kafka_destroy_flags(reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return status;
}
