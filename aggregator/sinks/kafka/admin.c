/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sinks/kafka/admin.h"

#include "aggregator/sinks/kafka/kafka_private.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_MS = 1000 }; /* librdkafka tells of its own timeout a little later */

struct sink_kafka_admin {
    rd_kafka_t *client;
    char last_error[SINK_KAFKA_WHY_CHARS]; /* what the client told beside the answers, such as a refused login
                                            */
    rd_kafka_resp_err_t last_code;
};

/* Called from rd_kafka_poll, so on the caller's thread. */
static void on_error(rd_kafka_t *client, int error, const char *text, void *opaque)
{
    (void)client;
    struct sink_kafka_admin *admin = opaque;
    bool known_better = hr_is(sink_kafka_status_of(admin->last_code), HR_DENIED);
    if (!known_better) {
        admin->last_code = (rd_kafka_resp_err_t)error;
        (void)snprintf(admin->last_error, sizeof admin->last_error, "%s", text);
    }
}

struct hr_status sink_kafka_admin_open(const struct sink_kafka_property *properties, size_t n_properties,
                                       struct sink_kafka_admin **out, char why[SINK_KAFKA_WHY_CHARS])
{
    struct sink_kafka_admin *admin = calloc(1, sizeof *admin);
    HR_ASSERT(admin != NULL);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool good = true;
    for (size_t i = 0; i < n_properties && good; i++) {
        good = rd_kafka_conf_set(conf, properties[i].name, properties[i].value, why, SINK_KAFKA_WHY_CHARS) ==
               RD_KAFKA_CONF_OK;
    }
    rd_kafka_conf_set_opaque(conf, admin);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, NULL); /* what goes wrong comes as an error too */
    admin->client = good ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, SINK_KAFKA_WHY_CHARS) : NULL;
    if (admin->client == NULL) {
        rd_kafka_conf_destroy(conf);
        free(admin);
        return hr_status_of(HR_MALFORMED);
    }
    *out = admin;
    return hr_ok();
}

void sink_kafka_admin_close(struct sink_kafka_admin *admin)
{
    rd_kafka_destroy(admin->client);
    free(admin);
}

/* The status of an error, and why, with what the client told beside it. */
static struct hr_status failed(struct sink_kafka_admin *admin, rd_kafka_resp_err_t error, const char *text,
                               char why[SINK_KAFKA_WHY_CHARS])
{
    while (rd_kafka_poll(admin->client, 0) > 0) {
    }
    struct hr_status status = sink_kafka_status_of(error);
    if (!hr_is(status, HR_AGAIN) || admin->last_error[0] == '\0') {
        (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "%s", text != NULL ? text : rd_kafka_err2str(error));
        return status;
    }
    (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "no broker answers: %.220s", admin->last_error);
    return hr_is(sink_kafka_status_of(admin->last_code), HR_DENIED) ? hr_status_of(HR_DENIED) : status;
}

/* ---- looking ---- */

static int32_t least_copies(const rd_kafka_metadata_topic_t *topic)
{
    int32_t least = INT32_MAX;
    for (int i = 0; i < topic->partition_cnt; i++) {
        least = topic->partitions[i].replica_cnt < least ? topic->partitions[i].replica_cnt : least;
    }
    return least;
}

static struct hr_status look_at_topics(struct sink_kafka_admin *admin,
                                       const struct sink_kafka_declared *declared, size_t n_topics,
                                       uint32_t timeout_ms, struct sink_kafka_found *found,
                                       int32_t *n_brokers, char why[SINK_KAFKA_WHY_CHARS])
{
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(admin->client, 1, NULL, &metadata, (int)timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return failed(admin, error, NULL, why);
    }
    *n_brokers = metadata->broker_cnt;
    for (size_t i = 0; i < n_topics; i++) {
        found[i] = (struct sink_kafka_found){.exists = false};
        for (int k = 0; k < metadata->topic_cnt; k++) {
            const rd_kafka_metadata_topic_t *topic = &metadata->topics[k];
            if (strcmp(topic->topic, declared[i].name) == 0 && topic->partition_cnt > 0) {
                found[i].exists = true;
                found[i].partitions = topic->partition_cnt;
                found[i].replication_factor = least_copies(topic);
            }
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return hr_ok();
}

/* Takes the values of the settings that the declaration names. */
static void take_values(const rd_kafka_ConfigResource_t *resource, const struct sink_kafka_declared *declared,
                        struct sink_kafka_found *found)
{
    size_t n_entries = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n_entries);
    for (size_t i = 0; i < n_entries; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        for (size_t k = 0; k < declared->n_settings; k++) {
            if (value != NULL && strcmp(name, declared->settings[k].name) == 0) {
                (void)snprintf(found->values[k], sizeof found->values[k], "%s", value);
            }
        }
    }
}

static struct hr_status take_resources(struct sink_kafka_admin *admin, rd_kafka_event_t *event,
                                       const struct sink_kafka_declared *declared, size_t n_topics,
                                       struct sink_kafka_found *found, char why[SINK_KAFKA_WHY_CHARS])
{
    size_t n_resources = 0;
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    HR_ASSERT(result != NULL); /* nothing else is asked on this queue */
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(result, &n_resources);
    for (size_t r = 0; r < n_resources; r++) {
        rd_kafka_resp_err_t error = rd_kafka_ConfigResource_error(resources[r]);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return failed(admin, error, rd_kafka_ConfigResource_error_string(resources[r]), why);
        }
        for (size_t i = 0; i < n_topics; i++) {
            if (strcmp(rd_kafka_ConfigResource_name(resources[r]), declared[i].name) == 0) {
                take_values(resources[r], &declared[i], &found[i]);
            }
        }
    }
    return hr_ok();
}

/* Waits for the one answer on the queue. NULL: none came, or it is an error; *status and why tell. */
static rd_kafka_event_t *wait_for_answer(struct sink_kafka_admin *admin, rd_kafka_queue_t *queue,
                                         uint32_t timeout_ms, struct hr_status *status,
                                         char why[SINK_KAFKA_WHY_CHARS])
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)timeout_ms + GRACE_MS);
    if (event == NULL) {
        *status = failed(admin, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, why);
        return NULL;
    }
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        *status = failed(admin, rd_kafka_event_error(event), rd_kafka_event_error_string(event), why);
        rd_kafka_event_destroy(event);
        return NULL;
    }
    *status = hr_ok();
    return event;
}

static rd_kafka_AdminOptions_t *options_for(struct sink_kafka_admin *admin, rd_kafka_admin_op_t operation,
                                            uint32_t timeout_ms)
{
    char ignored[64];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->client, operation);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, ignored, sizeof ignored);
    return options;
}

static struct hr_status look_at_settings(struct sink_kafka_admin *admin,
                                         const struct sink_kafka_declared *declared, size_t n_topics,
                                         uint32_t timeout_ms, struct sink_kafka_found *found,
                                         char why[SINK_KAFKA_WHY_CHARS])
{
    rd_kafka_ConfigResource_t **resources = calloc(n_topics, sizeof(rd_kafka_ConfigResource_t *));
    HR_ASSERT(resources != NULL);
    size_t n_resources = 0;
    for (size_t i = 0; i < n_topics; i++) {
        if (found[i].exists) {
            resources[n_resources++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, declared[i].name);
        }
    }
    struct hr_status status = hr_ok();
    if (n_resources > 0) {
        rd_kafka_AdminOptions_t *options = options_for(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
        rd_kafka_queue_t *queue = rd_kafka_queue_new(admin->client);
        rd_kafka_DescribeConfigs(admin->client, resources, n_resources, options, queue);
        rd_kafka_event_t *event = wait_for_answer(admin, queue, timeout_ms, &status, why);
        if (event != NULL) {
            status = take_resources(admin, event, declared, n_topics, found, why);
            rd_kafka_event_destroy(event);
        }
        rd_kafka_queue_destroy(queue);
        rd_kafka_AdminOptions_destroy(options);
    }
    rd_kafka_ConfigResource_destroy_array(resources, n_resources);
    free((void *)resources);
    return status;
}

struct hr_status sink_kafka_admin_look(struct sink_kafka_admin *admin,
                                       const struct sink_kafka_declared *declared, size_t n_topics,
                                       uint32_t timeout_ms, struct sink_kafka_found *found,
                                       int32_t *n_brokers, char why[SINK_KAFKA_WHY_CHARS])
{
    HR_TRY(look_at_topics(admin, declared, n_topics, timeout_ms, found, n_brokers, why));
    return look_at_settings(admin, declared, n_topics, timeout_ms, found, why);
}

/* ---- applying ---- */

static struct hr_status alter(struct sink_kafka_admin *admin, const struct sink_kafka_declared *declared,
                              size_t setting, uint32_t timeout_ms, char why[SINK_KAFKA_WHY_CHARS])
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, declared->name);
    rd_kafka_error_t *refused = rd_kafka_ConfigResource_add_incremental_config(
        resource, declared->settings[setting].name, RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET,
        declared->settings[setting].value);
    HR_ASSERT(refused == NULL); /* it only minds empty names */
    rd_kafka_AdminOptions_t *options =
        options_for(admin, RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS, timeout_ms);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin->client);
    rd_kafka_IncrementalAlterConfigs(admin->client, &resource, 1, options, queue);
    struct hr_status status;
    rd_kafka_event_t *event = wait_for_answer(admin, queue, timeout_ms, &status, why);
    if (event != NULL) {
        size_t n_results = 0;
        const rd_kafka_ConfigResource_t **results = rd_kafka_IncrementalAlterConfigs_result_resources(
            rd_kafka_event_IncrementalAlterConfigs_result(event), &n_results);
        rd_kafka_resp_err_t error =
            n_results == 1 ? rd_kafka_ConfigResource_error(results[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            status = failed(admin, error,
                            n_results == 1 ? rd_kafka_ConfigResource_error_string(results[0]) : NULL, why);
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return status;
}

static struct hr_status add_partitions(struct sink_kafka_admin *admin,
                                       const struct sink_kafka_declared *declared, uint32_t timeout_ms,
                                       char why[SINK_KAFKA_WHY_CHARS])
{
    rd_kafka_NewPartitions_t *wanted =
        rd_kafka_NewPartitions_new(declared->name, (size_t)declared->partitions, why, SINK_KAFKA_WHY_CHARS);
    if (wanted == NULL) {
        return hr_status_of(HR_IO);
    }
    rd_kafka_AdminOptions_t *options = options_for(admin, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, timeout_ms);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin->client);
    rd_kafka_CreatePartitions(admin->client, &wanted, 1, options, queue);
    struct hr_status status;
    rd_kafka_event_t *event = wait_for_answer(admin, queue, timeout_ms, &status, why);
    if (event != NULL) {
        size_t n_results = 0;
        const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(
            rd_kafka_event_CreatePartitions_result(event), &n_results);
        rd_kafka_resp_err_t error =
            n_results == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            status = failed(admin, error,
                            n_results == 1 ? rd_kafka_topic_result_error_string(results[0]) : NULL, why);
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewPartitions_destroy(wanted);
    return status;
}

static struct hr_status do_step(struct sink_kafka_admin *admin, const struct sink_kafka_declared *declared,
                                const struct sink_kafka_difference *difference, uint32_t timeout_ms,
                                char why[SINK_KAFKA_WHY_CHARS])
{
    switch (difference->step) {
    case SINK_KAFKA_CREATE:
        return sink_kafka_create_topics(admin->client, &declared, 1, timeout_ms, why);
    case SINK_KAFKA_ALTER:
        return alter(admin, declared, difference->setting, timeout_ms, why);
    case SINK_KAFKA_ADD_PARTITIONS:
        return add_partitions(admin, declared, timeout_ms, why);
    case SINK_KAFKA_NOTHING:
        break;
    }
    HR_ASSERT(false && "what can't be done is refused before");
    return hr_status_of(HR_IO);
}

void sink_kafka_admin_apply(struct sink_kafka_admin *admin, const struct sink_kafka_declared *declared,
                            struct sink_kafka_plan *plan, uint32_t timeout_ms)
{
    for (size_t i = 0; i < plan->n_differences; i++) {
        struct sink_kafka_difference *difference = &plan->differences[i];
        if (difference->outcome != SINK_KAFKA_OPEN) {
            continue;
        }
        char why[SINK_KAFKA_WHY_CHARS] = "";
        struct hr_status status = do_step(admin, &declared[difference->topic], difference, timeout_ms, why);
        difference->outcome = hr_is_ok(status) ? SINK_KAFKA_DONE : SINK_KAFKA_FAILED;
        if (!hr_is_ok(status)) {
            memcpy(difference->why, why, sizeof difference->why);
        }
        if (hr_is(status, HR_AGAIN)) {
            return;
        }
    }
}
