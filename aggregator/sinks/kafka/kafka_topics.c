/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sinks/kafka/kafka_private.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <string.h>

enum { REASON_CHARS = 256, ADMIN_POLL_TRIES = 50, ADMIN_POLL_MS = 100 };

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

static rd_kafka_NewTopic_t *describe_topic(const struct sink_kafka *sink, const char *name, bool cursor)
{
    char reason[REASON_CHARS];
    int32_t partitions = cursor ? 1 : sink->config.create_partitions;
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(name, partitions, sink->config.create_replication, reason, sizeof reason);
    if (topic == NULL) {
        sink_kafka_log(sink, SINK_KAFKA_ERROR, "kafka_topic_refused", reason);
        return NULL;
    }
    if (cursor) {
        /* Small segments, so that compaction keeps the read-back short. */
        (void)rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
        (void)rd_kafka_NewTopic_set_config(topic, "segment.bytes", "16777216");
        (void)rd_kafka_NewTopic_set_config(topic, "min.cleanable.dirty.ratio", "0.1");
    } else {
        (void)rd_kafka_NewTopic_set_config(topic, "compression.type", "zstd");
        /* Records carry the time at which they happened, and a backlog may be weeks old: the broker's default
         * of 7 days would delete it right after it was published. */
        (void)rd_kafka_NewTopic_set_config(topic, "retention.ms", "7776000000");
    }
    return topic;
}

/* Asks the cluster for the missing topics. Whether they are there is for the next look at the metadata to
 * say. */
static struct hr_status create_topics(struct sink_kafka *sink, const char *const *names, const bool *cursor,
                                      size_t n, uint32_t timeout_ms)
{
    rd_kafka_NewTopic_t *topics[SINK_KAFKA_MAX_TOPICS + 1];
    size_t n_topics = 0;
    for (size_t i = 0; i < n; i++) {
        topics[n_topics] = describe_topic(sink, names[i], cursor[i]);
        if (topics[n_topics] != NULL) {
            n_topics++;
            sink_kafka_log(sink, SINK_KAFKA_INFO, "kafka_topic_created", names[i]);
        }
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(sink->producer);
    rd_kafka_CreateTopics(sink->producer, topics, n_topics, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)timeout_ms);
    struct hr_status status = event == NULL ? hr_status_of(HR_AGAIN) : hr_ok();
    if (event != NULL && rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        sink_kafka_log(sink, SINK_KAFKA_WARN, "kafka_topics_not_created", rd_kafka_event_error_string(event));
        status = hr_status_of(HR_AGAIN);
    }
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_NewTopic_destroy_array(topics, n_topics);
    rd_kafka_queue_destroy(queue);
    return status;
}

/* Learns partition counts; lists what is missing. */
static struct hr_status learn(struct sink_kafka *sink, uint32_t timeout_ms, const char **missing,
                              bool *missing_is_cursor, size_t *n_missing)
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
            missing_is_cursor[*n_missing] = false;
            missing[(*n_missing)++] = topic->name;
        }
    }
    if (find_metadata(metadata, sink->cursor_topic) == NULL) {
        missing_is_cursor[*n_missing] = true;
        missing[(*n_missing)++] = sink->cursor_topic;
    }
    rd_kafka_metadata_destroy(metadata);
    if (n_tails > SINK_KAFKA_MAX_PARTITIONS) {
        sink_kafka_log(sink, SINK_KAFKA_ERROR, "kafka_too_many_partitions",
                       "the data topics have more than 512 together");
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
    bool missing_is_cursor[SINK_KAFKA_MAX_TOPICS + 1];
    size_t n_missing = 0;
    HR_TRY(learn(sink, timeout_ms, missing, missing_is_cursor, &n_missing));
    if (n_missing > 0 && !sink->config.create_topics) {
        sink_kafka_log(sink, SINK_KAFKA_ERROR, "kafka_topic_missing", missing[0]);
        return hr_status_of(HR_NOT_FOUND);
    }
    if (n_missing > 0) {
        HR_TRY(create_topics(sink, missing, missing_is_cursor, n_missing, timeout_ms));
    }
    /* A topic that was just made shows up in the metadata a little later. */
    for (int tries = 0; n_missing > 0; tries++) {
        if (tries == ADMIN_POLL_TRIES) {
            return hr_status_of(HR_AGAIN);
        }
        (void)rd_kafka_poll(sink->producer, ADMIN_POLL_MS);
        HR_TRY(learn(sink, timeout_ms, missing, missing_is_cursor, &n_missing));
    }
    return open_handles(sink);
}
