/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sinks/kafka/kafka_private.h"
#include "proto/base/assert.h"

#include <stdio.h>

enum { GRACE_MS = 1000 }; /* librdkafka tells of its own timeout a little later */

struct hr_status sink_kafka_status_of(rd_kafka_resp_err_t error)
{
    static const struct {
        rd_kafka_resp_err_t error;
        enum hr_code code;
    } rows[] = {
        {RD_KAFKA_RESP_ERR_NO_ERROR, HR_OK},
        {RD_KAFKA_RESP_ERR__TRANSPORT, HR_AGAIN},
        {RD_KAFKA_RESP_ERR__TIMED_OUT, HR_AGAIN},
        {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, HR_AGAIN},
        {RD_KAFKA_RESP_ERR__RESOLVE, HR_AGAIN},
        {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, HR_AGAIN},
        {RD_KAFKA_RESP_ERR_NOT_CONTROLLER, HR_AGAIN},
        {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, HR_AGAIN},
        {RD_KAFKA_RESP_ERR__AUTHENTICATION, HR_DENIED},
        {RD_KAFKA_RESP_ERR__SSL, HR_DENIED},
        {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, HR_DENIED},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, HR_DENIED},
        {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, HR_DENIED},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        if (rows[i].error == error) {
            return hr_status_of(rows[i].code);
        }
    }
    return hr_status_of(HR_IO);
}

static rd_kafka_NewTopic_t *describe(const struct sink_kafka_declared *declared,
                                     char why[SINK_KAFKA_WHY_CHARS])
{
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
        declared->name, declared->partitions, declared->replication_factor, why, SINK_KAFKA_WHY_CHARS);
    for (size_t i = 0; topic != NULL && i < declared->n_settings; i++) {
        const struct sink_kafka_property *setting = &declared->settings[i];
        if (rd_kafka_NewTopic_set_config(topic, setting->name, setting->value) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "%s: %s is no setting", declared->name, setting->name);
            rd_kafka_NewTopic_destroy(topic);
            topic = NULL;
        }
    }
    return topic;
}

static bool is_good(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
}

/* The first failure counts. */
static struct hr_status read_outcome(rd_kafka_event_t *event, char why[SINK_KAFKA_WHY_CHARS])
{
    if (event == NULL) {
        (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "the controller did not answer");
        return hr_status_of(HR_AGAIN);
    }
    rd_kafka_resp_err_t error = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    size_t n_results = 0;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **results =
        result != NULL ? rd_kafka_CreateTopics_result_topics(result, &n_results) : NULL;
    const char *topic = "";
    for (size_t i = 0; i < n_results && is_good(error); i++) {
        error = rd_kafka_topic_result_error(results[i]);
        text = rd_kafka_topic_result_error_string(results[i]);
        topic = rd_kafka_topic_result_name(results[i]);
    }
    if (is_good(error)) {
        return hr_ok();
    }
    (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "%s%s%s", n_results > 1 ? topic : "", n_results > 1 ? ": " : "",
                   text != NULL ? text : rd_kafka_err2str(error));
    return sink_kafka_status_of(error);
}

struct hr_status sink_kafka_create_topics(rd_kafka_t *client,
                                          const struct sink_kafka_declared *const *declared, size_t n,
                                          uint32_t timeout_ms, char why[SINK_KAFKA_WHY_CHARS])
{
    rd_kafka_NewTopic_t *topics[SINK_KAFKA_MAX_TOPICS + 1];
    size_t n_topics = 0;
    HR_ASSERT(n <= HR_ARRAY_LEN(topics));
    while (n_topics < n && (topics[n_topics] = describe(declared[n_topics], why)) != NULL) {
        n_topics++;
    }
    struct hr_status status = hr_status_of(HR_IO);
    if (n_topics == n) {
        char ignored[64];
        rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        (void)rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, ignored, sizeof ignored);
        (void)rd_kafka_AdminOptions_set_operation_timeout(options, (int)timeout_ms, ignored, sizeof ignored);
        rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
        rd_kafka_CreateTopics(client, topics, n, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)timeout_ms + GRACE_MS);
        status = read_outcome(event, why);
        if (event != NULL) {
            rd_kafka_event_destroy(event);
        }
        rd_kafka_queue_destroy(queue);
        rd_kafka_AdminOptions_destroy(options);
    }
    rd_kafka_NewTopic_destroy_array(topics, n_topics);
    return status;
}
