/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sinks/kafka/plan.h"

#include "proto/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A comparison in the making. */
struct comparison {
    struct sink_kafka_plan *plan;
    const struct sink_kafka_declared *declared;
    const struct sink_kafka_found *found;
    size_t topic;
    int32_t n_brokers;
    bool overflowed;
    struct sink_kafka_difference beyond; /* what has no place in the plan is written here and lost */
};

static struct sink_kafka_difference *add(struct comparison *comparison, const char *what,
                                         enum sink_kafka_step step)
{
    struct sink_kafka_plan *plan = comparison->plan;
    bool has_place = plan->n_differences < SINK_KAFKA_MAX_DIFFERENCES;
    struct sink_kafka_difference *difference =
        has_place ? &plan->differences[plan->n_differences++] : &comparison->beyond;
    comparison->overflowed = comparison->overflowed || !has_place;
    memset(difference, 0, sizeof *difference);
    difference->topic = comparison->topic;
    difference->what = what;
    difference->step = step;
    return difference;
}

static void say(char *out, size_t capacity, const char *text)
{
    (void)snprintf(out, capacity, "%s", text);
}

static void compare_existence(struct comparison *comparison)
{
    const struct sink_kafka_declared *declared = comparison->declared;
    bool has_brokers = declared->replication_factor <= comparison->n_brokers;
    struct sink_kafka_difference *difference =
        add(comparison, "topic", has_brokers ? SINK_KAFKA_CREATE : SINK_KAFKA_NOTHING);
    say(difference->is, sizeof difference->is, "absent");
    (void)snprintf(difference->wanted, sizeof difference->wanted,
                   "%" PRId32 " partitions, %" PRId32 " copies", declared->partitions,
                   declared->replication_factor);
    if (!has_brokers) {
        (void)snprintf(difference->why, sizeof difference->why,
                       "the cluster has %" PRId32 " broker%s; --replication %" PRId32
                       " asks for no more copies than that (a development cluster)",
                       comparison->n_brokers, comparison->n_brokers == 1 ? "" : "s", comparison->n_brokers);
    }
}

static void compare_partitions(struct comparison *comparison)
{
    int32_t is = comparison->found->partitions;
    int32_t wanted = comparison->declared->partitions;
    if (is == wanted) {
        return;
    }
    struct sink_kafka_difference *difference =
        add(comparison, "partitions", is < wanted ? SINK_KAFKA_ADD_PARTITIONS : SINK_KAFKA_NOTHING);
    (void)snprintf(difference->is, sizeof difference->is, "%" PRId32, is);
    (void)snprintf(difference->wanted, sizeof difference->wanted, "%" PRId32, wanted);
    difference->needs = is < wanted ? SINK_KAFKA_LEAVE_REORDER : SINK_KAFKA_LEAVE_NONE;
    say(difference->why, sizeof difference->why,
        is < wanted
            ? "most keys move to another partition, so a reader may see a key's new records before its old "
              "ones; stop the aggregators first, once they have published everything"
            : "Kafka can't take partitions away; declare as many, or move to a new topic");
}

static void compare_copies(struct comparison *comparison)
{
    int32_t is = comparison->found->replication_factor;
    int32_t wanted = comparison->declared->replication_factor;
    if (is == wanted) {
        return;
    }
    struct sink_kafka_difference *difference = add(comparison, "replication_factor", SINK_KAFKA_NOTHING);
    (void)snprintf(difference->is, sizeof difference->is, "%" PRId32, is);
    (void)snprintf(difference->wanted, sizeof difference->wanted, "%" PRId32, wanted);
    say(difference->why, sizeof difference->why,
        "copies are moved by Kafka's own kafka-reassign-partitions, which knows the brokers' load");
}

/* -1 is without end. */
static bool is_shorter(const char *is, const char *wanted)
{
    long long now = strtoll(is, NULL, 10);
    long long then = strtoll(wanted, NULL, 10);
    return then >= 0 && (now < 0 || then < now);
}

/* Would Kafka delete records, once the setting is changed, that it keeps now? */
static bool deletes(const char *name, const char *is, const char *wanted)
{
    static const char *const bounds[] = {"retention.ms", "retention.bytes", "local.retention.ms",
                                         "local.retention.bytes"};
    for (size_t i = 0; i < HR_ARRAY_LEN(bounds); i++) {
        if (strcmp(name, bounds[i]) == 0) {
            return is_shorter(is, wanted);
        }
    }
    return strcmp(name, "cleanup.policy") == 0;
}

static void compare_setting(struct comparison *comparison, size_t setting)
{
    const struct sink_kafka_property *wanted = &comparison->declared->settings[setting];
    const char *is = comparison->found->values[setting];
    if (strcmp(is, wanted->value) == 0) {
        return;
    }
    struct sink_kafka_difference *difference = add(comparison, wanted->name, SINK_KAFKA_ALTER);
    difference->setting = setting;
    say(difference->is, sizeof difference->is, is[0] != '\0' ? is : "unknown");
    say(difference->wanted, sizeof difference->wanted, wanted->value);
    if (deletes(wanted->name, is, wanted->value)) {
        difference->needs = SINK_KAFKA_LEAVE_DELETE;
        say(difference->why, sizeof difference->why, "Kafka deletes records that it would keep as it is now");
    }
    bool is_insync = strcmp(wanted->name, "min.insync.replicas") == 0;
    if (is_insync && strtol(wanted->value, NULL, 10) > comparison->found->replication_factor) {
        difference->step = SINK_KAFKA_NOTHING;
        (void)snprintf(
            difference->why, sizeof difference->why,
            "the topic has %" PRId32 " cop%s, so nobody could write to it any more; give it more first",
            comparison->found->replication_factor, comparison->found->replication_factor == 1 ? "y" : "ies");
    }
}

struct hr_status sink_kafka_plan_make(const struct sink_kafka_declared *declared,
                                      const struct sink_kafka_found *found, size_t n_topics,
                                      int32_t n_brokers, struct sink_kafka_plan *plan)
{
    plan->n_differences = 0;
    struct comparison comparison = {.plan = plan, .n_brokers = n_brokers};
    for (size_t i = 0; i < n_topics; i++) {
        comparison.declared = &declared[i];
        comparison.found = &found[i];
        comparison.topic = i;
        if (!found[i].exists) {
            compare_existence(&comparison);
            continue;
        }
        compare_partitions(&comparison);
        compare_copies(&comparison);
        for (size_t k = 0; k < declared[i].n_settings; k++) {
            compare_setting(&comparison, k);
        }
    }
    return hr_status_of(comparison.overflowed ? HR_FULL : HR_OK);
}

void sink_kafka_plan_refuse(struct sink_kafka_plan *plan, unsigned leaves)
{
    for (size_t i = 0; i < plan->n_differences; i++) {
        struct sink_kafka_difference *difference = &plan->differences[i];
        bool lacks_leave = ((unsigned)difference->needs & ~leaves) != 0;
        if (difference->step == SINK_KAFKA_NOTHING || lacks_leave) {
            difference->outcome = SINK_KAFKA_REFUSED;
        }
    }
}
