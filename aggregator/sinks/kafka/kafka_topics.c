/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sinks/kafka/kafka_private.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADMIN_POLL_TRIES = 50, ADMIN_POLL_MS = 100 };

static const rd_kafka_metadata_topic_t *find_metadata(const rd_kafka_metadata_t *metadata, const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];
        if (strcmp(topic->topic, name) == 0) {
            bool usable = topic->err == RD_KAFKA_RESP_ERR_NO_ERROR && topic->partition_cnt > 0;
            return usable ? topic : NULL;
        }
    }
    return NULL;
}

/* ---- what may be made ---- */

static char *copy_of(const char *text)
{
    char *copy = strdup(text);
    HR_ASSERT(copy != NULL);
    return copy;
}

struct hr_status sink_kafka_keep_declared(struct sink_kafka *sink, const struct sink_kafka_config *config)
{
    if (config->n_declared > HR_ARRAY_LEN(sink->declared)) {
        return hr_status_of(HR_FULL);
    }
    for (size_t i = 0; i < config->n_declared; i++) {
        const struct sink_kafka_declared *from = &config->declared[i];
        struct kafka_declared *kept = &sink->declared[sink->n_declared++];
        HR_ASSERT(from->n_settings <= HR_ARRAY_LEN(kept->pairs));
        (void)snprintf(kept->name, sizeof kept->name, "%s", from->name);
        kept->declared = *from;
        kept->declared.name = kept->name;
        kept->declared.settings = kept->settings;
        for (size_t k = 0; k < from->n_settings; k++) {
            kept->pairs[k] =
                (struct kafka_pair){copy_of(from->settings[k].name), copy_of(from->settings[k].value)};
            kept->settings[k] = (struct sink_kafka_property){kept->pairs[k].name, kept->pairs[k].value};
        }
    }
    return hr_ok();
}

void sink_kafka_free_declared(struct sink_kafka *sink)
{
    for (size_t i = 0; i < sink->n_declared; i++) {
        struct kafka_declared *kept = &sink->declared[i];
        for (size_t k = 0; k < kept->declared.n_settings; k++) {
            free(kept->pairs[k].name);
            free(kept->pairs[k].value);
        }
    }
    sink->n_declared = 0;
}

static const struct sink_kafka_declared *find_declared(const struct sink_kafka *sink, const char *name)
{
    for (size_t i = 0; i < sink->n_declared; i++) {
        if (strcmp(sink->declared[i].name, name) == 0) {
            return &sink->declared[i].declared;
        }
    }
    return NULL;
}

/* Asks the cluster for the missing topics. */
static struct hr_status create_topics(struct sink_kafka *sink, const char *const *names, size_t n,
                                      uint32_t timeout_ms)
{
    const struct sink_kafka_declared *declared[SINK_KAFKA_MAX_TOPICS + 1];
    for (size_t i = 0; i < n; i++) {
        declared[i] = find_declared(sink, names[i]);
        if (declared[i] == NULL) {
            sink_kafka_log(sink, SINK_KAFKA_ERROR, "kafka_topic_missing", names[i]);
            return hr_status_of(HR_NOT_FOUND);
        }
    }
    char why[SINK_KAFKA_WHY_CHARS] = "";
    struct hr_status status =
        n > 0 ? sink_kafka_create_topics(sink->producer, declared, n, timeout_ms, why) : hr_ok();
    if (!hr_is_ok(status)) {
        char text[SINK_KAFKA_TOPIC_MAX_CHARS + SINK_KAFKA_WHY_CHARS + 4];
        (void)snprintf(text, sizeof text, "%s: %s", n == 1 ? names[0] : "one of several", why);
        sink_kafka_log(sink, SINK_KAFKA_ERROR, "kafka_topic_not_created", text);
        return hr_status_of(HR_AGAIN); /* a cluster may get its brokers, and we our rights, later */
    }
    for (size_t i = 0; i < n; i++) {
        sink_kafka_log(sink, SINK_KAFKA_INFO, "kafka_topic_created", names[i]);
    }
    return hr_ok();
}

/* ---- what is there ---- */

/* Learns partition counts; lists what is missing. */
static struct hr_status learn(struct sink_kafka *sink, uint32_t timeout_ms, const char **missing,
                              size_t *n_missing)
{
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(sink->producer, 1, NULL, &metadata, (int)timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        sink_kafka_log(sink, SINK_KAFKA_WARN, "kafka_metadata_failed", rd_kafka_err2str(error));
        return hr_status_of(HR_AGAIN);
    }
    *n_missing = 0;
    uint32_t n_tails = 0;
    for (size_t i = 0; i < sink->n_topics; i++) {
        struct kafka_topic *topic = &sink->topics[i];
        const rd_kafka_metadata_topic_t *known = find_metadata(metadata, topic->name);
        topic->n_partitions = known == NULL ? 0 : known->partition_cnt;
        topic->first_tail = n_tails;
        n_tails += (uint32_t)topic->n_partitions;
        if (known == NULL) {
            missing[(*n_missing)++] = topic->name;
        }
    }
    if (find_metadata(metadata, sink->cursor_topic) == NULL) {
        missing[(*n_missing)++] = sink->cursor_topic;
    }
    rd_kafka_metadata_destroy(metadata);
    if (n_tails > SINK_KAFKA_MAX_PARTITIONS) {
        sink_kafka_log(sink, SINK_KAFKA_ERROR, "kafka_too_many_partitions",
                       "the data topics have more than 4096 together");
        return hr_status_of(HR_FULL);
    }
    sink->n_tails = n_tails;
    return hr_ok();
}

static struct hr_status open_handles(struct sink_kafka *sink)
{
    for (size_t i = 0; i < sink->n_topics; i++) {
        sink->topics[i].handle = rd_kafka_topic_new(sink->producer, sink->topics[i].name, NULL);
        if (sink->topics[i].handle == NULL) {
            return hr_status_of(HR_AGAIN);
        }
    }
    return hr_ok();
}

struct hr_status sink_kafka_topics_ready(struct sink_kafka *sink, uint32_t timeout_ms)
{
    const char *missing[SINK_KAFKA_MAX_TOPICS + 1];
    size_t n_missing = 0;
    HR_TRY(learn(sink, timeout_ms, missing, &n_missing));
    HR_TRY(create_topics(sink, missing, n_missing, timeout_ms));
    /* A topic that was just made shows up in the metadata a little later. */
    for (int tries = 0; n_missing > 0; tries++) {
        if (tries == ADMIN_POLL_TRIES) {
            return hr_status_of(HR_AGAIN);
        }
        (void)rd_kafka_poll(sink->producer, ADMIN_POLL_MS);
        HR_TRY(learn(sink, timeout_ms, missing, &n_missing));
    }
    return open_handles(sink);
}
