/* SPDX-License-Identifier: Apache-2.0
 *
 * librdkafka properties from the command line, for verbs that talk to Kafka. */
#ifndef CLI_KAFKA_PROPERTIES_H
#define CLI_KAFKA_PROPERTIES_H

#include "aggregator/config/config.h"
#include "aggregator/sinks/kafka/kafka.h"

enum { CLI_KAFKA_MAX_PROPERTIES = CONFIG_MAX_PROPERTIES };

/* Owns its text; 70 KB: static. */
struct cli_kafka_properties {
    struct conf_pair pairs[CLI_KAFKA_MAX_PROPERTIES];
    struct sink_kafka_property properties[CLI_KAFKA_MAX_PROPERTIES]; /* points into pairs */
    size_t n_properties;
};

/* Sets one, in place of an earlier one of that name. False after a complaint: no room, or too long. */
bool cli_kafka_put(struct cli_kafka_properties *into, const char *verb, const char *name, const char *value);

/* Sets what "NAME=VALUE" says. As in the aggregator's configuration, NAME_file=PATH takes the value from a
 * file, so that secrets stand in no process list. False after a complaint. */
bool cli_kafka_put_text(struct cli_kafka_properties *into, const char *verb, const char *text);

/* NULL: not set. */
const char *cli_kafka_value(const struct cli_kafka_properties *from, const char *name);

#endif
