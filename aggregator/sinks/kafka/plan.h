/* SPDX-License-Identifier: Apache-2.0
 *
 * What must be done so that a cluster's topics are as they are declared: a comparison, and what each
 * difference takes. Pure; admin.h looks and applies. */
#ifndef SINK_KAFKA_PLAN_H
#define SINK_KAFKA_PLAN_H

#include "aggregator/sinks/kafka/kafka.h"

enum {
    SINK_KAFKA_MAX_DIFFERENCES = 256,
    SINK_KAFKA_VALUE_MAX_CHARS = 127,
};

/* A topic as the cluster has it. */
struct sink_kafka_found {
    bool exists;
    int32_t partitions;
    int32_t replication_factor; /* the least of its partitions' */
    /* By the index of the setting in the declaration; empty: the brokers don't know a setting of that name.
     */
    char values[SINK_KAFKA_MAX_SETTINGS][SINK_KAFKA_VALUE_MAX_CHARS + 1];
};

enum sink_kafka_step {
    SINK_KAFKA_CREATE,
    SINK_KAFKA_ALTER,
    SINK_KAFKA_ADD_PARTITIONS,
    SINK_KAFKA_NOTHING, /* Kafka, or this tool, can't; `why` says what to do instead */
};

/* What a step needs beyond being asked for; bits of a set. */
enum sink_kafka_leave {
    SINK_KAFKA_LEAVE_NONE = 0,
    SINK_KAFKA_LEAVE_REORDER = 1, /* keys move to other partitions: order by key ends at the change */
    SINK_KAFKA_LEAVE_DELETE = 2,  /* Kafka deletes records that it would keep now */
};

enum sink_kafka_outcome {
    SINK_KAFKA_OPEN, /* not tried */
    SINK_KAFKA_DONE,
    SINK_KAFKA_REFUSED, /* needs a leave that was not given, or can't be done */
    SINK_KAFKA_FAILED,  /* the cluster said no; `why` is its reason */
};

struct sink_kafka_difference {
    size_t topic;     /* index of the declaration */
    const char *what; /* "topic", "partitions", "replication_factor", or the setting's name (borrowed) */
    size_t setting;   /* its index, when what is one */
    char is[SINK_KAFKA_VALUE_MAX_CHARS + 1];
    char wanted[SINK_KAFKA_VALUE_MAX_CHARS + 1];
    enum sink_kafka_step step;
    enum sink_kafka_leave needs;
    enum sink_kafka_outcome outcome;
    char why[SINK_KAFKA_WHY_CHARS]; /* one sentence, or empty */
};

struct sink_kafka_plan {
    struct sink_kafka_difference differences[SINK_KAFKA_MAX_DIFFERENCES];
    size_t n_differences;
};

/* Compares what is declared with what was found (as many of each), in the order of the declarations. Settings
 * that a declaration doesn't name are nobody's business here. *plan borrows names from the declarations.
 * HR_FULL: more than SINK_KAFKA_MAX_DIFFERENCES. */
HR_MUST_USE struct hr_status sink_kafka_plan_make(const struct sink_kafka_declared *declared,
                                                  const struct sink_kafka_found *found, size_t n_topics,
                                                  int32_t n_brokers, struct sink_kafka_plan *plan);

/* Refuses (outcome) what can't be done or needs a leave outside `leaves`. */
void sink_kafka_plan_refuse(struct sink_kafka_plan *plan, unsigned leaves);

#endif
