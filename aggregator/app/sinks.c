/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/sinks.h"

#include "aggregator/app/log.h"
#include "aggregator/config/topics.h"
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/normalize/iso/normalizer.h"
#include "aggregator/normalize/telemetry/telemetry.h"
#include "aggregator/normalize/trust/trust.h"
#include "aggregator/schema_registry/registry.h"
#include "aggregator/schema_registry/schema.h"
#include "aggregator/sinks/files/files.h"
#include "aggregator/sinks/kafka/kafka.h"
#include "proto/base/assert.h"

#include <stdlib.h>

#define RAW_SCHEMA "ingestion_raw"

/* A topic of events (schema) or of raw batches (NULL). */
struct topic {
    const char *name;
    const struct norm_schema *schema;
};

static const struct topic fixed[] = {
    {"marine.ais.raw", &norm_ais_schema}, {"headrace.device.events", &norm_device_schema},
    {"ingestion.ais.raw.v1", NULL},       {"ingestion.iso.raw.v1", NULL},
    {"ingestion.device.raw.v1", NULL},    {"plant.telemetry", &norm_telemetry_schema},
    {"ingestion.plant.raw.v1", NULL},     {"headrace.trust", &norm_trust_schema},
};

enum { N_FIXED = HR_ARRAY_LEN(fixed), N_TOPICS = (int)N_FIXED + (int)NORM_ISO_N_TOPICS };

/* Every topic that a sink writes, by number: the market operators' come behind the rest. */
static struct topic topic_at(size_t number)
{
    if (number < N_FIXED) {
        return fixed[number];
    }
    const struct norm_schema *schema = norm_iso_topic(number - N_FIXED);
    return (struct topic){schema->topic, schema};
}

struct hr_status app_schemas_check(void)
{
    struct hr_status status = hr_ok();
    for (size_t i = 0; i < N_TOPICS; i++) {
        char why[SCHEMA_WHY_CHARS] = "";
        const struct norm_schema *schema = topic_at(i).schema;
        if (schema != NULL && !hr_is_ok(schema_check(schema, why, sizeof(why)))) {
            APP_LOG(APP_ERROR, "schema_differs", app_text("schema", schema->name), app_text("why", why));
            status = hr_status_of(HR_MALFORMED);
        }
    }
    return status;
}

static void log_files(void *ctx, const char *event, const char *text)
{
    (void)ctx;
    APP_LOG(APP_WARN, event, app_text("sink", "files"), app_text("text", text));
}

static void log_kafka(void *ctx, enum sink_kafka_level level, const char *event, const char *text)
{
    (void)ctx;
    static const enum app_level levels[] = {
        [SINK_KAFKA_INFO] = APP_INFO, [SINK_KAFKA_WARN] = APP_WARN, [SINK_KAFKA_ERROR] = APP_ERROR};
    APP_LOG(levels[level], event, app_text("sink", "kafka"), app_text("text", text));
}

struct hr_status app_sink_files_open(const struct config_aggregator *config, struct sink *out)
{
    struct sink_files_topic rows[N_TOPICS];
    for (size_t i = 0; i < N_TOPICS; i++) {
        struct topic topic = topic_at(i);
        rows[i] = (struct sink_files_topic){.name = topic.name,
                                            .schema = topic.schema != NULL ? topic.schema->name : RAW_SCHEMA};
    }
    const struct sink_files_config files = {.directory = config->sinks.files.dir,
                                            .topics = rows,
                                            .n_topics = HR_ARRAY_LEN(rows),
                                            .log = log_files};
    return sink_files_open(&files, out);
}

/* The id in the framing: the registry's, or without one the fixed one of this build. */
static struct hr_status schema_id_of(const struct config_aggregator *config, const char *topic,
                                     const struct norm_schema *schema, uint32_t *out)
{
    if (!config->has_schema_registry) {
        return schema_offline_id(schema->name, schema->version, out);
    }
    const struct config_schema_registry *from = &config->schema_registry;
    const struct schema_registry_config registry = {
        .url = from->url,
        .ca_file = from->ca_file[0] != '\0' ? from->ca_file : NULL,
        .user_file = from->user_file[0] != '\0' ? from->user_file : NULL,
        .timeout_ms = from->timeout_ms,
    };
    char why[SCHEMA_WHY_CHARS] = "";
    struct hr_status status = schema_registry_register(&registry, topic, schema->name, out, why);
    if (!hr_is_ok(status)) {
        APP_LOG(hr_is(status, HR_AGAIN) ? APP_WARN : APP_ERROR, "schema_registry",
                app_text("schema", schema->name), app_text("status", hr_code_name(status.code)),
                app_text("why", why));
    }
    return status;
}

/* The topics that the sink may make, out of schemas/topics.yaml as of the build: those that it writes. */
struct declared {
    struct config_topics topics;
    struct conf_report report;
    struct sink_kafka_property settings[N_TOPICS + 1][CONFIG_TOPIC_MAX_SETTINGS];
    struct sink_kafka_declared rows[N_TOPICS + 1];
    size_t n_rows;
};

static void declare(struct declared *declared, const char *name, const char *as,
                    const struct config_kafka_sink *kafka)
{
    const struct config_topic *topic = config_topics_find(&declared->topics, as);
    HR_ASSERT(topic != NULL); /* test_topic_plan: every topic that is written stands in the file */
    size_t n = declared->n_rows++;
    for (uint32_t i = 0; i < topic->settings.n_pairs; i++) {
        declared->settings[n][i] =
            (struct sink_kafka_property){topic->settings.pairs[i].key, topic->settings.pairs[i].value};
    }
    bool is_cursor = name == kafka->cursor_topic;
    uint32_t partitions = kafka->partitions > 0 && !is_cursor ? kafka->partitions : topic->partitions;
    declared->rows[n] = (struct sink_kafka_declared){.name = name,
                                                     .partitions = (int32_t)partitions,
                                                     .replication_factor = (int32_t)topic->replication_factor,
                                                     .settings = declared->settings[n],
                                                     .n_settings = topic->settings.n_pairs};
}

/* NULL: no memory. */
static struct declared *declare_all(const struct config_kafka_sink *kafka)
{
    struct declared *declared = calloc(1, sizeof(*declared));
    if (declared == NULL || !kafka->create_topics) {
        return declared;
    }
    struct hr_status loaded = config_topics_load(NULL, &declared->topics, &declared->report);
    HR_ASSERT(hr_is_ok(loaded)); /* test_topic_plan */
    if (kafka->replication > 0) {
        config_topics_replicate(&declared->topics, kafka->replication);
    }
    for (size_t i = 0; i < N_TOPICS; i++) {
        const char *name = topic_at(i).name;
        declare(declared, name, name, kafka);
    }
    declare(declared, kafka->cursor_topic, CONFIG_CURSOR_TOPIC, kafka);
    return declared;
}

struct hr_status app_sink_kafka_open(const struct config_aggregator *config, struct sink *out)
{
    const struct config_kafka_sink *kafka = &config->sinks.kafka;
    struct sink_kafka_topic rows[N_TOPICS];
    for (size_t i = 0; i < N_TOPICS; i++) {
        struct topic topic = topic_at(i);
        rows[i] = (struct sink_kafka_topic){.name = topic.name, .schema = topic.schema};
        if (topic.schema != NULL) {
            HR_TRY(schema_id_of(config, topic.name, topic.schema, &rows[i].schema_id));
        }
    }
    struct sink_kafka_property properties[CONFIG_MAX_PROPERTIES];
    for (uint32_t i = 0; i < kafka->n_properties; i++) {
        properties[i] = (struct sink_kafka_property){.name = kafka->properties[i].key,
                                                     .value = kafka->properties[i].value};
    }
    struct declared *declared = declare_all(kafka);
    if (declared == NULL) {
        return hr_status_of(HR_AGAIN);
    }
    const struct sink_kafka_config sink = {
        .properties = properties,
        .n_properties = kafka->n_properties,
        .topics = rows,
        .n_topics = HR_ARRAY_LEN(rows),
        .cursor_topic = kafka->cursor_topic,
        .declared = declared->rows,
        .n_declared = declared->n_rows,
        .transaction_max_batches = config->sinks.transaction_max_batches,
        .log = log_kafka,
    };
    struct hr_status status = sink_kafka_open(&sink, out);
    free(declared);
    return status;
}
