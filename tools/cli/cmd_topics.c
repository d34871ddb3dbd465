/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace topics`: the topics of a cluster beside what schemas/topics.yaml declares, and the steps from one
 * to the other. */
#include "aggregator/config/topics.h"
#include "aggregator/sinks/kafka/admin.h"
#include "tools/cli/cli.h"
#include "tools/cli/kafka_properties.h"
#include "tools/cli/options.h"
#include "tools/cli/print.h"

#include "proto/base/assert.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { SHOW_TRIES = 150, SHOW_PAUSE_MS = 200 };
enum option { KAFKA, SET, CONFIG, TOPICS, REPLICATION, TIMEOUT, JSON, ADD_PARTITIONS, ALLOW_DELETION };

#define COMMON_OPTIONS                                                                                       \
    [KAFKA] = {"--kafka", "BROKERS", false, 0, "host:port,... of the cluster."},                             \
    [SET] = {"--set", "NAME=VALUE", false, CLI_REPEAT_MAX,                                                   \
             "A librdkafka property; NAME_file=PATH takes the value from a file."},                          \
    [CONFIG] = {"--config", "FILE", false, 0, "Takes sinks.kafka from an aggregator's configuration."},      \
    [TOPICS] = {"--topics", "FILE", false, 0, "Instead of the built-in schemas/topics.yaml."},               \
    [REPLICATION] = {"--replication", "N", false, 0,                                                         \
                     "Copies of every topic, and the most that min.insync.replicas asks for."},              \
    [TIMEOUT] = {"--timeout", "SECONDS", false, 0, "Of each request; default 10."},                          \
    [JSON] = {"--json", NULL, false, 0, "Print one JSON object instead of a table."}

static const struct cli_option plan_options[] = {COMMON_OPTIONS};
static const struct cli_option apply_options[] = {
    COMMON_OPTIONS,
    [ADD_PARTITIONS] = {"--add-partitions", NULL, false, 0,
                        "Also add partitions. Most keys then move to another one: order by key ends there."},
    [ALLOW_DELETION] = {"--allow-deletion", NULL, false, 0,
                        "Also shorten retention and change cleanup.policy: Kafka then deletes records."},
};

static const struct cli_usage plan_usage = {
    .verb = "topics plan",
    .options = plan_options,
    .n_options = HR_ARRAY_LEN(plan_options),
    .help =
        "Prints what differs between a cluster's topics and their declaration, and what `apply` would do.\n"
        "Exit code 0: nothing differs, 1: something does, 2: the cluster does not tell.",
};
static const struct cli_usage apply_usage = {
    .verb = "topics apply",
    .options = apply_options,
    .n_options = HR_ARRAY_LEN(apply_options),
    .help =
        "Makes missing topics and alters settings. Settings that the declaration does not name are left as\n"
        "they are. No topic is ever deleted, and none can be shrunk. Exit code 0: all is as declared,\n"
        "1: something was refused or failed, 2: the cluster does not tell.",
};

/* All that one run needs; static, since it is large. */
struct run {
    const char *verb;
    bool applying;
    bool json;
    uint32_t timeout_ms;
    struct cli_kafka_properties properties;
    struct config_aggregator config;
    struct config_topics topics;
    struct conf_report report;
    struct sink_kafka_property settings[CONFIG_MAX_TOPICS][CONFIG_TOPIC_MAX_SETTINGS];
    struct sink_kafka_declared declared[CONFIG_MAX_TOPICS];
    struct sink_kafka_found found[CONFIG_MAX_TOPICS];
    struct sink_kafka_plan plan;
    struct sink_kafka_plan left; /* what the cluster still shows after apply */
};

/* ---- what is asked ---- */

static bool take_properties(struct run *run, const struct cli_arguments *arguments)
{
    const char *path = cli_option_or(arguments, CONFIG, NULL);
    if (path != NULL && !hr_is_ok(config_load_kafka(path, &run->config, &run->report))) {
        conf_report_print(&run->report, stderr);
        return false;
    }
    bool good = true;
    const struct config_kafka_sink *kafka = &run->config.sinks.kafka;
    for (uint32_t i = 0; i < kafka->n_properties && good; i++) {
        good =
            cli_kafka_put(&run->properties, run->verb, kafka->properties[i].key, kafka->properties[i].value);
    }
    const char *brokers = cli_option_or(arguments, KAFKA, NULL);
    good =
        good && (brokers == NULL || cli_kafka_put(&run->properties, run->verb, "bootstrap.servers", brokers));
    for (size_t i = 0; i < arguments->n_values[SET] && good; i++) {
        good = cli_kafka_put_text(&run->properties, run->verb, arguments->values[SET][i]);
    }
    if (good && cli_kafka_value(&run->properties, "bootstrap.servers") == NULL) {
        (void)fprintf(stderr, "headrace %s: which cluster? Give --kafka BROKERS or --config FILE\n",
                      run->verb);
        return false;
    }
    return good;
}

static bool take_numbers(struct run *run, const struct cli_arguments *arguments, uint32_t *replication)
{
    uint64_t copies = 0;
    uint64_t seconds = 0;
    if (!cli_number(cli_option_or(arguments, REPLICATION, "0"), INT16_MAX, &copies) ||
        (arguments->n_values[REPLICATION] > 0 && copies == 0) ||
        !cli_number(cli_option_or(arguments, TIMEOUT, "10"), 600, &seconds) || seconds == 0) {
        (void)fprintf(stderr, "headrace %s: --replication is a number from 1, --timeout one from 1 to 600\n",
                      run->verb);
        return false;
    }
    run->timeout_ms = (uint32_t)seconds * 1000u;
    *replication = copies > 0 ? (uint32_t)copies : run->config.sinks.kafka.replication;
    return true;
}

static void declare(struct run *run)
{
    const char *cursor = run->config.sinks.kafka.cursor_topic;
    for (uint32_t i = 0; i < run->topics.n_topics; i++) {
        const struct config_topic *topic = &run->topics.topics[i];
        bool is_cursor = strcmp(topic->name, CONFIG_CURSOR_TOPIC) == 0 && cursor[0] != '\0';
        for (uint32_t k = 0; k < topic->settings.n_pairs; k++) {
            run->settings[i][k] =
                (struct sink_kafka_property){topic->settings.pairs[k].key, topic->settings.pairs[k].value};
        }
        run->declared[i] =
            (struct sink_kafka_declared){.name = is_cursor ? cursor : topic->name,
                                         .partitions = (int32_t)topic->partitions,
                                         .replication_factor = (int32_t)topic->replication_factor,
                                         .settings = run->settings[i],
                                         .n_settings = topic->settings.n_pairs};
    }
}

static bool prepare(struct run *run, const struct cli_arguments *arguments)
{
    uint32_t replication = 0;
    run->json = arguments->n_values[JSON] > 0;
    if (!take_properties(run, arguments) || !take_numbers(run, arguments, &replication)) {
        return false;
    }
    const char *path = cli_option_or(arguments, TOPICS, NULL);
    if (!hr_is_ok(config_topics_load(path, &run->topics, &run->report))) {
        conf_report_print(&run->report, stderr);
        return false;
    }
    if (replication > 0) {
        config_topics_replicate(&run->topics, replication);
    }
    declare(run);
    return true;
}

/* ---- what is told ---- */

static const char *step_text(const struct run *run, const struct sink_kafka_difference *difference)
{
    static const char *const steps[] = {[SINK_KAFKA_CREATE] = "create",
                                        [SINK_KAFKA_ALTER] = "alter",
                                        [SINK_KAFKA_ADD_PARTITIONS] = "add partitions",
                                        [SINK_KAFKA_NOTHING] = "can't"};
    static const char *const done[] = {[SINK_KAFKA_CREATE] = "created",
                                       [SINK_KAFKA_ALTER] = "altered",
                                       [SINK_KAFKA_ADD_PARTITIONS] = "added",
                                       [SINK_KAFKA_NOTHING] = "can't"};
    if (difference->step == SINK_KAFKA_NOTHING) {
        return steps[SINK_KAFKA_NOTHING];
    }
    if (difference->outcome == SINK_KAFKA_DONE) {
        return done[difference->step];
    }
    if (difference->outcome == SINK_KAFKA_FAILED) {
        return "failed";
    }
    bool refused = run->applying ? difference->outcome == SINK_KAFKA_REFUSED
                                 : difference->needs != SINK_KAFKA_LEAVE_NONE;
    if (refused) {
        return difference->needs == SINK_KAFKA_LEAVE_REORDER ? "needs --add-partitions"
                                                             : "needs --allow-deletion";
    }
    return run->applying ? "not tried" : steps[difference->step];
}

static void print_table(const struct run *run)
{
    const struct sink_kafka_plan *plan = &run->plan;
    if (plan->n_differences == 0) {
        (void)printf("%u topics are as declared\n", (unsigned)run->topics.n_topics);
        return;
    }
    (void)printf("%-26s %-22s %-14s %-26s %s\n", "TOPIC", "WHAT", "IS", "DECLARED",
                 run->applying ? "OUTCOME" : "APPLY");
    for (size_t i = 0; i < plan->n_differences; i++) {
        const struct sink_kafka_difference *difference = &plan->differences[i];
        (void)printf("%-26s %-22s %-14s %-26s %s%s%s\n", run->declared[difference->topic].name,
                     difference->what, difference->is, difference->wanted, step_text(run, difference),
                     difference->why[0] != '\0' ? ": " : "", difference->why);
    }
}

static void print_json_pair(const char *name, const char *text)
{
    (void)printf("\"%s\":", name);
    cli_print_json_text(text);
    (void)putchar(',');
}

static void print_json(const struct run *run, bool good)
{
    (void)printf("{\"topics\":%u,\"as_declared\":%s,\"differences\":[", (unsigned)run->topics.n_topics,
                 good ? "true" : "false");
    for (size_t i = 0; i < run->plan.n_differences; i++) {
        const struct sink_kafka_difference *difference = &run->plan.differences[i];
        (void)printf("%s{", i > 0 ? "," : "");
        print_json_pair("topic", run->declared[difference->topic].name);
        print_json_pair("what", difference->what);
        print_json_pair("is", difference->is);
        print_json_pair("declared", difference->wanted);
        print_json_pair(run->applying ? "outcome" : "apply", step_text(run, difference));
        (void)fputs("\"why\":", stdout);
        cli_print_json_text(difference->why);
        (void)putchar('}');
    }
    (void)puts("]}");
}

/* ---- the two verbs ---- */

static struct hr_status look(struct run *run, struct sink_kafka_admin *admin, struct sink_kafka_plan *plan,
                             char why[SINK_KAFKA_WHY_CHARS])
{
    int32_t n_brokers = 0;
    HR_TRY(sink_kafka_admin_look(admin, run->declared, run->topics.n_topics, run->timeout_ms, run->found,
                                 &n_brokers, why));
    struct hr_status status =
        sink_kafka_plan_make(run->declared, run->found, run->topics.n_topics, n_brokers, plan);
    if (!hr_is_ok(status)) {
        (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "more than %d differences", SINK_KAFKA_MAX_DIFFERENCES);
    }
    return status;
}

static bool is_open_in(const struct sink_kafka_plan *plan, const struct sink_kafka_difference *difference)
{
    for (size_t i = 0; i < plan->n_differences; i++) {
        if (plan->differences[i].topic == difference->topic &&
            (strcmp(plan->differences[i].what, difference->what) == 0 ||
             strcmp(plan->differences[i].what, "topic") == 0)) {
            return true;
        }
    }
    return false;
}

static size_t count_unseen(const struct run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->plan.n_differences; i++) {
        const struct sink_kafka_difference *difference = &run->plan.differences[i];
        n += difference->outcome == SINK_KAFKA_DONE && is_open_in(&run->left, difference) ? 1 : 0;
    }
    return n;
}

/* The controller has decided; brokers tell of it a little later. So that whoever looks next sees it, waits.
 */
static struct hr_status wait_until_shown(struct run *run, struct sink_kafka_admin *admin,
                                         char why[SINK_KAFKA_WHY_CHARS])
{
    for (int tries = 0; tries < SHOW_TRIES; tries++) {
        HR_TRY(look(run, admin, &run->left, why));
        if (count_unseen(run) == 0) {
            return hr_ok();
        }
        (void)poll(NULL, 0, SHOW_PAUSE_MS);
    }
    (void)snprintf(why, SINK_KAFKA_WHY_CHARS, "the brokers don't show yet what the controller has decided");
    return hr_status_of(HR_AGAIN);
}

static bool all_done(const struct sink_kafka_plan *plan)
{
    for (size_t i = 0; i < plan->n_differences; i++) {
        if (plan->differences[i].outcome != SINK_KAFKA_DONE) {
            return false;
        }
    }
    return true;
}

static int plan_and_apply(struct run *run, struct sink_kafka_admin *admin, unsigned leaves)
{
    char why[SINK_KAFKA_WHY_CHARS] = "";
    struct hr_status status = look(run, admin, &run->plan, why);
    if (hr_is_ok(status) && run->applying) {
        sink_kafka_plan_refuse(&run->plan, leaves);
        sink_kafka_admin_apply(admin, run->declared, &run->plan, run->timeout_ms);
        status = wait_until_shown(run, admin, why);
    }
    if (!hr_is_ok(status)) {
        (void)fprintf(stderr, "headrace %s: %s\n", run->verb, why);
        return CLI_INCOMPLETE;
    }
    bool good = all_done(&run->plan);
    if (run->json) {
        print_json(run, good);
    } else {
        print_table(run);
    }
    return good ? CLI_OK : CLI_FAILED;
}

static int topics(const struct cli_usage *usage, bool applying, int argc, char **argv)
{
    static struct run run;
    struct cli_arguments arguments;
    int parsed = cli_options_parse(usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    run.verb = usage->verb;
    run.applying = applying;
    if (!prepare(&run, &arguments)) {
        return CLI_USAGE;
    }
    struct sink_kafka_admin *admin = NULL;
    char why[SINK_KAFKA_WHY_CHARS] = "";
    if (!hr_is_ok(
            sink_kafka_admin_open(run.properties.properties, run.properties.n_properties, &admin, why))) {
        (void)fprintf(stderr, "headrace %s: %s\n", usage->verb, why);
        return CLI_USAGE;
    }
    unsigned leaves = SINK_KAFKA_LEAVE_NONE;
    leaves |= arguments.n_values[ADD_PARTITIONS] > 0 ? (unsigned)SINK_KAFKA_LEAVE_REORDER : 0;
    leaves |= arguments.n_values[ALLOW_DELETION] > 0 ? (unsigned)SINK_KAFKA_LEAVE_DELETE : 0;
    int code = plan_and_apply(&run, admin, leaves);
    sink_kafka_admin_close(admin);
    return code;
}

int cli_topics(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "plan") == 0) {
        return topics(&plan_usage, false, argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "apply") == 0) {
        return topics(&apply_usage, true, argc - 1, argv + 1);
    }
    (void)fputs("usage: headrace topics plan --kafka BROKERS\n"
                "       headrace topics apply --kafka BROKERS\n"
                "`--help` after either says more.\n",
                stderr);
    return CLI_USAGE;
}
