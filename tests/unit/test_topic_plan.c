/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/topics.h"
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/normalize/trust/trust.h"
#include "aggregator/sinks/kafka/plan.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config_topics topics;
static struct conf_report report;
static struct sink_kafka_plan plan;

/* ---- the file ---- */

static void the_built_in_file_declares_every_topic_that_is_written(void **state)
{
    (void)state;
    assert_ok(config_topics_load(NULL, &topics, &report));
    const struct {
        const char *name;
        const char *schema;
    } rows[] = {
        {norm_ais_schema.topic, norm_ais_schema.name},
        {norm_device_schema.topic, norm_device_schema.name},
        {norm_trust_schema.topic, norm_trust_schema.name},
        {"ingestion.ais.raw.v1", ""},
        {"ingestion.device.raw.v1", ""},
        {CONFIG_CURSOR_TOPIC, ""},
    };
    uint32_t n_partitions = 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        const struct config_topic *topic = config_topics_find(&topics, rows[i].name);
        if (topic == NULL) {
            fail_msg("%s is not in schemas/topics.yaml", rows[i].name);
            return;
        }
        assert_string_equal(topic->schema, rows[i].schema);
        assert_non_null(config_topic_setting(topic, "retention.ms"));
        assert_string_equal(config_topic_setting(topic, "min.insync.replicas"), "2");
        assert_int_equal(topic->replication_factor, 3);
        n_partitions += topic->partitions;
    }
    assert_true(n_partitions <= SINK_KAFKA_MAX_PARTITIONS);
    assert_true(topics.n_topics <= SINK_KAFKA_MAX_TOPICS);
}

static void the_cursor_is_compacted_kept_for_ever_and_has_one_partition(void **state)
{
    (void)state;
    assert_ok(config_topics_load(NULL, &topics, &report));
    const struct config_topic *cursor = config_topics_find(&topics, CONFIG_CURSOR_TOPIC);
    assert_non_null(cursor);
    assert_int_equal(cursor->partitions, 1);
    assert_string_equal(config_topic_setting(cursor, "cleanup.policy"), "compact");
    assert_string_equal(config_topic_setting(cursor, "retention.ms"), "-1");
    assert_null(config_topic_setting(cursor, "no.such.setting"));
}

static struct hr_status load_text(const char *text)
{
    struct temp_folder folder;
    char path[2 * TEMP_PATH_CHARS];
    temp_folder_make(&folder);
    (void)temp_folder_file(&folder, "topics.yaml", path);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        fail_msg("%s can't be written", path);
    }
    struct hr_status status = config_topics_load(path, &topics, &report);
    temp_folder_remove(&folder);
    return status;
}

static void a_topic_overrides_the_defaults_one_by_one(void **state)
{
    (void)state;
    assert_ok(
        load_text("defaults:\n  replication_factor: 2\n  config: {compression.type: zstd, retention.ms: 5}\n"
                  "topics:\n"
                  "  - {name: a, holds: x, key: k, partitions: 4}\n"
                  "  - {name: b, holds: x, key: k, partitions: 1, replication_factor: 1,\n"
                  "     config: {retention.ms: 7, segment.ms: 9}}\n"));
    assert_int_equal(topics.n_topics, 2);
    const struct config_topic *a = config_topics_find(&topics, "a");
    const struct config_topic *b = config_topics_find(&topics, "b");
    assert_int_equal(a->partitions, 4);
    assert_int_equal(a->replication_factor, 2);
    assert_int_equal(a->settings.n_pairs, 2);
    assert_string_equal(config_topic_setting(a, "retention.ms"), "5");
    assert_int_equal(b->replication_factor, 1);
    assert_int_equal(b->settings.n_pairs, 3);
    assert_string_equal(config_topic_setting(b, "retention.ms"), "7");
    assert_string_equal(config_topic_setting(b, "segment.ms"), "9");
    assert_string_equal(config_topic_setting(b, "compression.type"), "zstd");
    assert_null(config_topics_find(&topics, "c"));
}

static void assert_complaint(const char *text, const char *complaint)
{
    assert_code(load_text(text), HR_MALFORMED);
    assert_int_equal(report.n_errors, 1);
    if (strstr(report.errors[0].message, complaint) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", report.errors[0].message, complaint);
    }
}

static void a_file_with_a_mistake_is_refused_and_the_mistake_told(void **state)
{
    (void)state;
    assert_complaint("topics: []\n", "at least 1");
    assert_complaint("topics:\n  - {name: a, holds: x, key: k}\n", "required");
    assert_complaint("topics:\n  - {name: a, holds: x, key: k, partitions: 0}\n", "range");
    assert_complaint("topics:\n  - {name: a/b, holds: x, key: k, partitions: 1}\n", "letters");
    assert_complaint("topics:\n  - {name: '..', holds: x, key: k, partitions: 1}\n", "no name");
    assert_complaint("topics:\n  - {name: a, holds: x, key: k, partitions: 1, partition: 2}\n",
                     "unknown key");
    assert_complaint("topics:\n  - {name: a, holds: x, key: k, partitions: 1}\n"
                     "  - {name: a, holds: y, key: k, partitions: 2}\n",
                     "a stands twice");
    assert_complaint("topics:\n  - {name: a, holds: x, key: k, partitions: 1, replication_factor: 1,\n"
                     "     config: {min.insync.replicas: 2}}\n",
                     "has 1 copies");
    assert_complaint("defaults: {config: {min.insync.replicas: two}}\n"
                     "topics:\n  - {name: a, holds: x, key: k, partitions: 1}\n",
                     "no number");
}

static void more_settings_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    char text[1024] =
        "defaults: {config: {z: 1}}\ntopics:\n  - {name: a, holds: x, key: k, partitions: 1, config: {";
    for (int i = 0; i < CONFIG_TOPIC_MAX_SETTINGS; i++) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "%ss%d: 1", i > 0 ? ", " : "", i);
    }
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "}}\n");
    assert_complaint(text, "17 settings");
}

static void fewer_copies_lower_what_must_be_in_sync(void **state)
{
    (void)state;
    assert_ok(config_topics_load(NULL, &topics, &report));
    config_topics_replicate(&topics, 5);
    assert_int_equal(topics.topics[0].replication_factor, 5);
    assert_string_equal(config_topic_setting(&topics.topics[0], "min.insync.replicas"), "2");
    config_topics_replicate(&topics, 1);
    for (uint32_t i = 0; i < topics.n_topics; i++) {
        assert_int_equal(topics.topics[i].replication_factor, 1);
        assert_string_equal(config_topic_setting(&topics.topics[i], "min.insync.replicas"), "1");
    }
}

/* ---- the plan ---- */

/* One declared topic beside one that was found, changed by each test. */
static const struct sink_kafka_property settings[] = {{"retention.ms", "1000"},
                                                      {"cleanup.policy", "delete"},
                                                      {"min.insync.replicas", "2"},
                                                      {"segment.ms", "60"}};
static struct sink_kafka_declared declared;
static struct sink_kafka_found found;

static int as_declared(void **state)
{
    (void)state;
    declared = (struct sink_kafka_declared){"t", 6, 3, settings, HR_ARRAY_LEN(settings)};
    found = (struct sink_kafka_found){.exists = true, .partitions = 6, .replication_factor = 3};
    for (size_t i = 0; i < HR_ARRAY_LEN(settings); i++) {
        (void)snprintf(found.values[i], sizeof found.values[i], "%s", settings[i].value);
    }
    return 0;
}

static const struct sink_kafka_difference *only_difference(int32_t n_brokers)
{
    assert_ok(sink_kafka_plan_make(&declared, &found, 1, n_brokers, &plan));
    assert_int_equal(plan.n_differences, 1);
    return &plan.differences[0];
}

static void assert_difference(const struct sink_kafka_difference *difference, const char *what,
                              const char *is, const char *wanted)
{
    assert_string_equal(difference->what, what);
    assert_string_equal(difference->is, is);
    assert_string_equal(difference->wanted, wanted);
    assert_int_equal(difference->outcome, SINK_KAFKA_OPEN);
}

static void a_topic_as_declared_takes_nothing(void **state)
{
    (void)state;
    assert_ok(sink_kafka_plan_make(&declared, &found, 1, 3, &plan));
    assert_int_equal(plan.n_differences, 0);
}

static void a_missing_topic_is_made_if_there_are_brokers_for_its_copies(void **state)
{
    (void)state;
    found = (struct sink_kafka_found){.exists = false};
    const struct sink_kafka_difference *difference = only_difference(3);
    assert_difference(difference, "topic", "absent", "6 partitions, 3 copies");
    assert_int_equal(difference->step, SINK_KAFKA_CREATE);
    assert_int_equal(difference->needs, SINK_KAFKA_LEAVE_NONE);
    difference = only_difference(1);
    assert_int_equal(difference->step, SINK_KAFKA_NOTHING);
    assert_non_null(strstr(difference->why, "--replication 1"));
}

static void partitions_are_added_only_with_leave(void **state)
{
    (void)state;
    found.partitions = 5;
    const struct sink_kafka_difference *difference = only_difference(3);
    assert_difference(difference, "partitions", "5", "6");
    assert_int_equal(difference->step, SINK_KAFKA_ADD_PARTITIONS);
    assert_int_equal(difference->needs, SINK_KAFKA_LEAVE_REORDER);
    assert_non_null(strstr(difference->why, "another partition"));
    sink_kafka_plan_refuse(&plan, SINK_KAFKA_LEAVE_DELETE);
    assert_int_equal(difference->outcome, SINK_KAFKA_REFUSED);
    difference = only_difference(3);
    sink_kafka_plan_refuse(&plan, SINK_KAFKA_LEAVE_REORDER);
    assert_int_equal(difference->outcome, SINK_KAFKA_OPEN);
}

static void partitions_are_never_taken_away(void **state)
{
    (void)state;
    found.partitions = 7;
    const struct sink_kafka_difference *difference = only_difference(3);
    assert_difference(difference, "partitions", "7", "6");
    assert_int_equal(difference->step, SINK_KAFKA_NOTHING);
    assert_non_null(strstr(difference->why, "can't take partitions away"));
    sink_kafka_plan_refuse(&plan, SINK_KAFKA_LEAVE_REORDER | SINK_KAFKA_LEAVE_DELETE);
    assert_int_equal(difference->outcome, SINK_KAFKA_REFUSED);
}

static void copies_are_left_to_kafkas_own_tool(void **state)
{
    (void)state;
    found.replication_factor = 2;
    const struct sink_kafka_difference *difference = only_difference(3);
    assert_difference(difference, "replication_factor", "2", "3");
    assert_int_equal(difference->step, SINK_KAFKA_NOTHING);
}

static void a_setting_is_altered(void **state)
{
    (void)state;
    (void)snprintf(found.values[3], sizeof found.values[3], "61");
    const struct sink_kafka_difference *difference = only_difference(3);
    assert_difference(difference, "segment.ms", "61", "60");
    assert_int_equal(difference->step, SINK_KAFKA_ALTER);
    assert_int_equal(difference->setting, 3);
    assert_int_equal(difference->needs, SINK_KAFKA_LEAVE_NONE);
    found.values[3][0] = '\0';
    assert_difference(only_difference(3), "segment.ms", "unknown", "60");
}

static void what_deletes_records_needs_leave(void **state)
{
    (void)state;
    static const struct {
        size_t setting;
        const char *is;
        enum sink_kafka_leave needs;
    } rows[] = {
        {0, "1001", SINK_KAFKA_LEAVE_DELETE},
        {0, "-1", SINK_KAFKA_LEAVE_DELETE},
        {0, "999", SINK_KAFKA_LEAVE_NONE},
        {1, "compact", SINK_KAFKA_LEAVE_DELETE},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        (void)as_declared(NULL);
        char *is = found.values[rows[i].setting];
        (void)snprintf(is, sizeof found.values[0], "%s", rows[i].is);
        assert_int_equal(only_difference(3)->needs, rows[i].needs);
        sink_kafka_plan_refuse(&plan, SINK_KAFKA_LEAVE_REORDER);
        assert_int_equal(plan.differences[0].outcome,
                         rows[i].needs == SINK_KAFKA_LEAVE_NONE ? SINK_KAFKA_OPEN : SINK_KAFKA_REFUSED);
    }
}

static void retention_without_end_is_longer_than_any(void **state)
{
    (void)state;
    static const struct sink_kafka_property without_end[] = {{"retention.ms", "-1"}};
    declared.settings = without_end;
    declared.n_settings = 1;
    assert_int_equal(only_difference(3)->needs, SINK_KAFKA_LEAVE_NONE);
}

static void nobody_is_locked_out_of_a_topic_by_what_must_be_in_sync(void **state)
{
    (void)state;
    declared.replication_factor = 1;
    found.replication_factor = 1;
    (void)snprintf(found.values[2], sizeof found.values[2], "1");
    const struct sink_kafka_difference *difference = only_difference(3);
    assert_difference(difference, "min.insync.replicas", "1", "2");
    assert_int_equal(difference->step, SINK_KAFKA_NOTHING);
}

static void more_differences_than_a_plan_holds_are_told(void **state)
{
    (void)state;
    enum { N = SINK_KAFKA_MAX_DIFFERENCES + 1 };
    struct sink_kafka_declared *many = calloc(N, sizeof *many);
    struct sink_kafka_found *none = calloc(N, sizeof *none);
    assert_non_null(many);
    assert_non_null(none);
    for (size_t i = 0; i < N; i++) {
        many[i] = declared;
    }
    assert_code(sink_kafka_plan_make(many, none, N, 3, &plan), HR_FULL);
    assert_int_equal(plan.n_differences, SINK_KAFKA_MAX_DIFFERENCES);
    assert_ok(sink_kafka_plan_make(many, none, N - 1, 3, &plan));
    free(many);
    free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_file_declares_every_topic_that_is_written),
        cmocka_unit_test(the_cursor_is_compacted_kept_for_ever_and_has_one_partition),
        cmocka_unit_test(a_topic_overrides_the_defaults_one_by_one),
        cmocka_unit_test(a_file_with_a_mistake_is_refused_and_the_mistake_told),
        cmocka_unit_test(more_settings_than_there_is_room_for_are_refused),
        cmocka_unit_test(fewer_copies_lower_what_must_be_in_sync),
        cmocka_unit_test_setup(a_topic_as_declared_takes_nothing, as_declared),
        cmocka_unit_test_setup(a_missing_topic_is_made_if_there_are_brokers_for_its_copies, as_declared),
        cmocka_unit_test_setup(partitions_are_added_only_with_leave, as_declared),
        cmocka_unit_test_setup(partitions_are_never_taken_away, as_declared),
        cmocka_unit_test_setup(copies_are_left_to_kafkas_own_tool, as_declared),
        cmocka_unit_test_setup(a_setting_is_altered, as_declared),
        cmocka_unit_test_setup(what_deletes_records_needs_leave, as_declared),
        cmocka_unit_test_setup(retention_without_end_is_longer_than_any, as_declared),
        cmocka_unit_test_setup(nobody_is_locked_out_of_a_topic_by_what_must_be_in_sync, as_declared),
        cmocka_unit_test_setup(more_differences_than_a_plan_holds_are_told, as_declared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
