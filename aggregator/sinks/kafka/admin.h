/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at a cluster's topics and making them as declared, for `headrace topics`. It stands here because
 * this room owns librdkafka. */
#ifndef SINK_KAFKA_ADMIN_H
#define SINK_KAFKA_ADMIN_H

#include "aggregator/sinks/kafka/plan.h"

struct sink_kafka_admin;

/* Makes a client; nothing is connected yet. "bootstrap.servers" is required. HR_MALFORMED: librdkafka refuses
 * a property. `why` is filled on failure. Free with sink_kafka_admin_close. */
HR_MUST_USE struct hr_status sink_kafka_admin_open(const struct sink_kafka_property *properties,
                                                   size_t n_properties, struct sink_kafka_admin **out,
                                                   char why[SINK_KAFKA_WHY_CHARS]);

/* Fills found[i] with what the cluster has of declared[i]. HR_AGAIN: no broker answers within timeout_ms.
 * HR_DENIED: it refuses to tell, for want of a login or a right. HR_IO: any other answer. `why` is filled on
 * failure. */
HR_MUST_USE struct hr_status sink_kafka_admin_look(struct sink_kafka_admin *admin,
                                                   const struct sink_kafka_declared *declared,
                                                   size_t n_topics, uint32_t timeout_ms,
                                                   struct sink_kafka_found *found, int32_t *n_brokers,
                                                   char why[SINK_KAFKA_WHY_CHARS]);

/* Does each step of the plan that is open, in its order, and tells the outcome there. Nothing is tried after
 * no broker answered. Blocks up to timeout_ms for each topic. */
void sink_kafka_admin_apply(struct sink_kafka_admin *admin, const struct sink_kafka_declared *declared,
                            struct sink_kafka_plan *plan, uint32_t timeout_ms);

void sink_kafka_admin_close(struct sink_kafka_admin *admin);

#endif
