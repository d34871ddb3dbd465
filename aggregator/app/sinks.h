/* SPDX-License-Identifier: Apache-2.0
 *
 * The sinks as the configuration wants them, with every topic that this build's normalizers write. */
#ifndef APP_SINKS_H
#define APP_SINKS_H

#include "aggregator/config/config.h"
#include "aggregator/io/sink.h"

/* Checks that every normalizer's table is what its Avro schema says; a difference is a broken build.
 * HR_MALFORMED after a line in the log. */
HR_MUST_USE struct hr_status app_schemas_check(void);

/* HR_AGAIN: the schema registry is away. Any other failure stays; the log has the cause. */
HR_MUST_USE struct hr_status app_sink_files_open(const struct config_aggregator *config, struct sink *out);
HR_MUST_USE struct hr_status app_sink_kafka_open(const struct config_aggregator *config, struct sink *out);

#endif
