/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/topics.h"

#include "aggregator/config/topics_embedded.h"

#include <stdlib.h>
#include <string.h>

#define MIN_INSYNC "min.insync.replicas"

/* Apache Kafka: kafka.internals.Topic.LEGAL_CHARS and the two names that would be folders. */
static const char *check_name(const char *text)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
        return "is no name for a topic";
    }
    return text[strspn(text, legal)] == '\0' ? NULL : "may hold letters, digits, '.', '_' and '-' only";
}

static const struct conf_pair *find_pair(const struct config_topic_settings *settings, const char *name)
{
    for (uint32_t i = 0; i < settings->n_pairs; i++) {
        if (strcmp(settings->pairs[i].key, name) == 0) {
            return &settings->pairs[i];
        }
    }
    return NULL;
}

/* ---- the table ---- */

static const struct conf_field defaults_fields[] = {
    {.key = "replication_factor",
     .type = CONF_UINT,
     CONF_AT(struct config_topic_defaults, replication_factor),
     .fallback = "3",
     .min = 1,
     .max = 16,
     .help = "Copies of each topic."},
    {.key = "config",
     .type = CONF_PAIRS,
     CONF_LIST_AT(struct config_topic_defaults, settings.pairs, settings.n_pairs),
     .help = "Kafka's own topic settings."},
};
static const struct conf_table defaults_table = {CONF_FIELDS(defaults_fields)};

static const struct conf_field topic_fields[] = {
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct config_topic, name),
     .required = true,
     .min = 1,
     .check_text = check_name,
     .help = "Of the topic."},
    {.key = "holds",
     .type = CONF_STRING,
     CONF_AT(struct config_topic, holds),
     .required = true,
     .min = 1,
     .help = "What is in it."},
    {.key = "key",
     .type = CONF_STRING,
     CONF_AT(struct config_topic, key),
     .required = true,
     .min = 1,
     .help = "What its records are keyed by, and so what stays in order."},
    {.key = "schema",
     .type = CONF_STRING,
     CONF_AT(struct config_topic, schema),
     .min = 1,
     .help = "Of its values, in schemas/avro; absent: they are no Avro."},
    {.key = "partitions",
     .type = CONF_UINT,
     CONF_AT(struct config_topic, partitions),
     .required = true,
     .min = 1,
     .max = 512,
     .help = "Of a topic that is made."},
    {.key = "replication_factor",
     .type = CONF_UINT,
     CONF_AT(struct config_topic, replication_factor),
     .fallback = "0",
     .max = 16,
     .help = "Copies; 0: as the defaults say."},
    {.key = "config",
     .type = CONF_PAIRS,
     CONF_LIST_AT(struct config_topic, settings.pairs, settings.n_pairs),
     .help = "Kafka's own topic settings; they go before the defaults."},
};
static const struct conf_table topic_table = {CONF_FIELDS(topic_fields)};

static void check_insync(const struct config_topics *topics, const struct config_topic *topic,
                         struct conf_place *place)
{
    const struct conf_pair *pair = find_pair(&topic->settings, MIN_INSYNC);
    pair = pair != NULL ? pair : find_pair(&topics->defaults.settings, MIN_INSYNC);
    uint32_t copies =
        topic->replication_factor != 0 ? topic->replication_factor : topics->defaults.replication_factor;
    char *end = NULL;
    unsigned long wanted = pair != NULL ? strtoul(pair->value, &end, 10) : 1;
    if (pair != NULL && (pair->value[0] < '0' || pair->value[0] > '9' || *end != '\0')) {
        conf_complain(place, "topics", "%s: " MIN_INSYNC " \"%.40s\" is no number", topic->name, pair->value);
    } else if (wanted == 0 || wanted > copies) {
        conf_complain(place, "topics", "%s: " MIN_INSYNC " is %lu, and the topic has %u copies", topic->name,
                      wanted, (unsigned)copies);
    }
}

static void check_topics(const void *section, struct conf_place *place)
{
    const struct config_topics *topics = section;
    for (uint32_t i = 0; i < topics->n_topics; i++) {
        const struct config_topic *topic = &topics->topics[i];
        if (config_topics_find(topics, topic->name) != topic) {
            conf_complain(place, "topics", "%s stands twice", topic->name);
        }
        uint32_t n_settings = topic->settings.n_pairs;
        for (uint32_t k = 0; k < topics->defaults.settings.n_pairs; k++) {
            n_settings += find_pair(&topic->settings, topics->defaults.settings.pairs[k].key) == NULL ? 1 : 0;
        }
        if (n_settings > CONFIG_TOPIC_MAX_SETTINGS) {
            conf_complain(place, "topics", "%s has %u settings with the defaults; %d are the most",
                          topic->name, (unsigned)n_settings, CONFIG_TOPIC_MAX_SETTINGS);
        }
        check_insync(topics, topic, place);
    }
}

static const struct conf_field topics_fields[] = {
    {.key = "defaults",
     .type = CONF_SECTION,
     CONF_AT(struct config_topics, defaults),
     .table = &defaults_table,
     .help = "What applies where a topic says nothing else."},
    {.key = "topics",
     .type = CONF_LIST,
     CONF_LIST_AT(struct config_topics, topics, n_topics),
     .table = &topic_table,
     .min = 1,
     .help = "One for each topic."},
};
static const struct conf_table topics_table = {
    CONF_FIELDS(topics_fields), .size_bytes = sizeof(struct config_topics), .check = check_topics};

/* ---- loading ---- */

static void settle_defaults(struct config_topics *topics)
{
    for (uint32_t i = 0; i < topics->n_topics; i++) {
        struct config_topic *topic = &topics->topics[i];
        if (topic->replication_factor == 0) {
            topic->replication_factor = topics->defaults.replication_factor;
        }
        for (uint32_t k = 0; k < topics->defaults.settings.n_pairs; k++) {
            if (find_pair(&topic->settings, topics->defaults.settings.pairs[k].key) == NULL) {
                HR_ASSERT(topic->settings.n_pairs < CONFIG_TOPIC_MAX_SETTINGS); /* check_topics */
                topic->settings.pairs[topic->settings.n_pairs++] = topics->defaults.settings.pairs[k];
            }
        }
    }
}

struct hr_status config_topics_load(const char *path, struct config_topics *out, struct conf_report *report)
{
    if (path != NULL) {
        HR_TRY(conf_load(path, &topics_table, out, report));
    } else {
        HR_TRY(conf_parse("schemas/topics.yaml", config_topics_embedded(), &topics_table, out, report));
    }
    settle_defaults(out);
    return hr_ok();
}

const struct config_topic *config_topics_find(const struct config_topics *topics, const char *name)
{
    for (uint32_t i = 0; i < topics->n_topics; i++) {
        if (strcmp(topics->topics[i].name, name) == 0) {
            return &topics->topics[i];
        }
    }
    return NULL;
}

const char *config_topic_setting(const struct config_topic *topic, const char *name)
{
    const struct conf_pair *pair = find_pair(&topic->settings, name);
    return pair != NULL ? pair->value : NULL;
}

void config_topics_replicate(struct config_topics *topics, uint32_t replication_factor)
{
    HR_ASSERT(replication_factor > 0);
    for (uint32_t i = 0; i < topics->n_topics; i++) {
        struct config_topic *topic = &topics->topics[i];
        topic->replication_factor = replication_factor;
        for (uint32_t k = 0; k < topic->settings.n_pairs; k++) {
            struct conf_pair *pair = &topic->settings.pairs[k];
            if (strcmp(pair->key, MIN_INSYNC) == 0 && strtoul(pair->value, NULL, 10) > replication_factor) {
                (void)snprintf(pair->value, sizeof(pair->value), "%u", (unsigned)replication_factor);
            }
        }
    }
}
