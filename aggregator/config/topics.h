/* SPDX-License-Identifier: Apache-2.0
 *
 * schemas/topics.yaml: which Kafka topics there are, and how each is made. The file as of the build is built
 * in; another one may be read in its place. */
#ifndef CONFIG_TOPICS_H
#define CONFIG_TOPICS_H

#include "proto/config/config.h"

enum {
    CONFIG_MAX_TOPICS = 96,
    CONFIG_TOPIC_MAX_SETTINGS = 16,
    CONFIG_TOPIC_MAX_CHARS = 127,
};

#define CONFIG_CURSOR_TOPIC "headrace.cursor"

/* Kafka's own names and values; see struct conf_pair. */
struct config_topic_settings {
    uint32_t n_pairs;
    struct conf_pair pairs[CONFIG_TOPIC_MAX_SETTINGS];
};

struct config_topic {
    char name[CONFIG_TOPIC_MAX_CHARS + 1];
    char holds[256];
    char key[128];
    char schema[64]; /* of schemas/avro; empty: the value is no Avro */
    uint32_t partitions;
    uint32_t replication_factor;
    struct config_topic_settings settings; /* its own and the defaults that it doesn't override */
};

struct config_topic_defaults {
    uint32_t replication_factor;
    struct config_topic_settings settings;
};

/* About 600 KB: static or on the heap. */
struct config_topics {
    struct config_topic_defaults defaults; /* settled into each topic already */
    uint32_t n_topics;
    struct config_topic topics[CONFIG_MAX_TOPICS];
};

/* Reads the file at path, or the built-in one when path is NULL, and settles the defaults into each topic.
 * Errors as conf_load; also a mistake: a name that Kafka would refuse or that stands twice, a
 * min.insync.replicas that is no number or above the topic's copies, and more settings than
 * CONFIG_TOPIC_MAX_SETTINGS. */
HR_MUST_USE struct hr_status config_topics_load(const char *path, struct config_topics *out,
                                                struct conf_report *report);

/* NULL: no such topic. */
const struct config_topic *config_topics_find(const struct config_topics *topics, const char *name);

/* The value of a setting; NULL: the topic says nothing of it. */
const char *config_topic_setting(const struct config_topic *topic, const char *name);

/* Gives every topic so many copies (at least 1), and lowers min.insync.replicas to that where it is above:
 * for a cluster of fewer brokers than the file was written for. */
void config_topics_replicate(struct config_topics *topics, uint32_t replication_factor);

#endif
