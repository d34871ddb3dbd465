/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger suite on a real PostgreSQL, and what keeps a ledger of PostgreSQL from starting. */
#include "proto/base/assert.h"
#include "tests/support/ledger_suite.h"
#include "tests/support/postgres_server.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENVELOPE_BYTES = 1000, LOG_CHARS = 4096 };

static struct postgres_server server;
static char schema[64];
static char logged[LOG_CHARS]; /* all lines since the storage was made */

static void keep_log(void *ctx, const char *text)
{
    (void)ctx;
    size_t len = strlen(logged);
    (void)snprintf(logged + len, sizeof logged - len, "%s\n", text);
    if (getenv("HEADRACE_TEST_VERBOSE") != NULL) {
        (void)fprintf(stderr, "ledger: %s\n", text);
    }
}

static struct ledger_postgres_config config(void)
{
    struct ledger_postgres_config out = postgres_server_config(&server, schema);
    out.log = keep_log;
    return out;
}

static void make_storage(void *ctx)
{
    static unsigned n;
    (void)ctx;
    (void)snprintf(schema, sizeof schema, "log_%u", n++);
    logged[0] = '\0';
}

static void sql(const char *format)
{
    char text[512];
    int n = snprintf(text, sizeof text, "SET search_path TO \"%s\"; %s", schema, format);
    assert_in_range(n, 1, sizeof text - 1);
    postgres_server_sql(&server, text);
}

static void remove_storage(void *ctx)
{
    (void)ctx;
    char text[128];
    (void)snprintf(text, sizeof text, "DROP SCHEMA IF EXISTS \"%s\" CASCADE", schema);
    postgres_server_sql(&server, text);
}

static struct hr_status open_ledger(void *ctx, struct ledger *out)
{
    (void)ctx;
    struct ledger_postgres_config with = config();
    return ledger_postgres_open(&with, out);
}

static void take_over(void *ctx)
{
    (void)ctx;
    sql("UPDATE log_head SET writer_epoch = writer_epoch + 1, writer = 'a stranger'");
}

static int set_up(void **state)
{
    (void)state;
    make_storage(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_storage(NULL);
    return 0;
}

static uint8_t envelope[ENVELOPE_BYTES];

static struct hr_status commit_one(const struct ledger *ledger, uint32_t seq)
{
    struct ledger_batch batch = ledger_suite_batch(1, 0, seq, envelope, sizeof envelope);
    struct ledger_stream row = {.device_id = 1, .cum_seq = seq};
    struct ledger_commit change = {.batches = &batch, .n_batches = 1, .streams = &row, .n_streams = 1};
    return ledger->commit(ledger->ctx, &change);
}

static uint64_t size_of(const struct ledger *ledger)
{
    uint64_t n_leaves = UINT64_MAX;
    assert_ok(ledger->size(ledger->ctx, &n_leaves));
    return n_leaves;
}

static void a_starting_writer_takes_over_and_each_is_told(void **state)
{
    (void)state;
    struct ledger first;
    struct ledger second;
    assert_ok(open_ledger(NULL, &first));
    assert_ok(commit_one(&first, 0));
    assert_ok(open_ledger(NULL, &second));
    assert_int_equal(size_of(&second), 1);
    assert_code(first.is_writer(first.ctx), HR_DENIED);
    assert_ok(second.is_writer(second.ctx));
    assert_code(commit_one(&first, 1), HR_DENIED);
    char process[32];
    (void)snprintf(process, sizeof process, "process %ld", (long)getpid());
    assert_non_null(strstr(logged, "taken over by"));
    assert_non_null(strstr(logged, process));
    assert_ok(commit_one(&second, 1));
    assert_code(commit_one(&first, 2), HR_DENIED);
    first.close(first.ctx); /* and says nothing to the log of its successor */
    assert_ok(commit_one(&second, 2));
    assert_int_equal(size_of(&second), 3);
    second.close(second.ctx);
}

static void a_schema_of_others_is_refused_and_left_alone(void **state)
{
    (void)state;
    char text[160];
    (void)snprintf(text, sizeof text, "CREATE SCHEMA \"%s\" AUTHORIZATION headrace", schema);
    postgres_server_sql(&server, text);
    sql("CREATE TABLE theirs (x int); GRANT ALL ON theirs TO headrace");
    struct ledger ledger;
    assert_code(open_ledger(NULL, &ledger), HR_CORRUPT);
    assert_non_null(strstr(logged, "no ledger of Headrace"));
    (void)snprintf(text, sizeof text,
                   "SELECT count(*) FROM pg_class WHERE relnamespace = '\"%s\"'::regnamespace", schema);
    assert_int_equal(postgres_server_number(&server, text), 1);
    sql("DROP TABLE theirs");
    assert_ok(open_ledger(NULL, &ledger)); /* an empty schema that is there already will do */
    ledger.close(ledger.ctx);
}

static void a_ledger_of_a_newer_build_is_refused(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(open_ledger(NULL, &ledger));
    ledger.close(ledger.ctx);
    sql("INSERT INTO schema_version VALUES (9999, 'later')");
    assert_code(open_ledger(NULL, &ledger), HR_CORRUPT);
    assert_non_null(strstr(logged, "9999"));
    struct ledger_postgres_config with = config();
    assert_code(ledger_postgres_open_reader(&with, &ledger), HR_CORRUPT);
}

static void a_refused_start_takes_nothing_over(void **state)
{
    (void)state;
    struct ledger ledger;
    struct ledger second;
    assert_ok(open_ledger(NULL, &ledger));
    sql("INSERT INTO schema_version VALUES (9999, 'later')");
    assert_code(open_ledger(NULL, &second), HR_CORRUPT);
    assert_ok(ledger.is_writer(ledger.ctx));
    assert_ok(commit_one(&ledger, 0));
    ledger.close(ledger.ctx);
}

static void a_server_that_is_away_or_refuses_is_told_as_such(void **state)
{
    (void)state;
    struct ledger ledger;
    struct ledger_postgres_config with = config();
    with.connect_timeout_ms = 200;
    with.host = "/nonexistent";
    assert_code(ledger_postgres_open(&with, &ledger), HR_AGAIN);
    assert_non_null(strstr(logged, "no connection to PostgreSQL"));
    assert_code(ledger_postgres_open_reader(&with, &ledger), HR_AGAIN);
    with.host = server.socket;
    with.password_file = "/nonexistent";
    assert_code(ledger_postgres_open(&with, &ledger), HR_AGAIN);
    assert_non_null(strstr(logged, "the password file /nonexistent can't be read"));
    with.password_file = "/proc/self/comm"; /* a readable file with the wrong password */
    assert_code(ledger_postgres_open(&with, &ledger), HR_AGAIN);
    assert_non_null(strstr(logged, "password authentication failed"));
    assert_null(strstr(logged, "test_ledger_pos")); /* what was tried as the password is not told */
}

static void a_setting_that_can_not_be_is_refused(void **state)
{
    (void)state;
    struct ledger ledger;
    struct ledger_postgres_config with = config();
    with.schema = "x\"; DROP TABLE log_head; --";
    assert_code(ledger_postgres_open(&with, &ledger), HR_IO);
    with.schema = "";
    assert_code(ledger_postgres_open(&with, &ledger), HR_IO);
    static char host[LEDGER_POSTGRES_PATH_MAX_CHARS + 2];
    memset(host, 'x', sizeof host - 1);
    with = config();
    with.host = host;
    assert_code(ledger_postgres_open(&with, &ledger), HR_IO);
}

static void a_reader_needs_a_ledger(void **state)
{
    (void)state;
    struct ledger ledger;
    struct ledger_postgres_config with = config();
    assert_code(ledger_postgres_open_reader(&with, &ledger), HR_CORRUPT);
    assert_non_null(strstr(logged, "holds no ledger"));
}

static void count_batch(void *ctx, const struct ledger_batch *batch)
{
    (void)batch;
    (*(uint32_t *)ctx)++;
}

static void see_stream(void *ctx, const struct ledger_stream *stream)
{
    *(struct ledger_stream *)ctx = *stream;
}

static void a_reader_reads_beside_the_writer_and_writes_nothing(void **state)
{
    (void)state;
    struct ledger writer;
    struct ledger reader;
    struct ledger_postgres_config with = config();
    assert_ok(open_ledger(NULL, &writer));
    assert_ok(commit_one(&writer, 0));
    assert_ok(ledger_postgres_open_reader(&with, &reader));
    assert_ok(commit_one(&writer, 1));
    assert_int_equal(size_of(&reader), 2);
    uint32_t n = 0;
    assert_ok(reader.read(reader.ctx, 0, 10, 100000, count_batch, &n));
    assert_int_equal(n, 2);
    struct ledger_stream row = {.cum_seq = WIRE_SEQ_NONE};
    assert_ok(reader.load_streams(reader.ctx, see_stream, &row));
    assert_int_equal(row.cum_seq, 1);
    assert_string_equal(reader.origin(reader.ctx), writer.origin(writer.ctx));
    assert_code(commit_one(&reader, 2), HR_DENIED);
    assert_code(reader.is_writer(reader.ctx), HR_DENIED);
    assert_code(reader.set_hint(reader.ctx, "kafka", 1), HR_DENIED);
    writer.close(writer.ctx);
    assert_int_equal(size_of(&reader), 2); /* and when no aggregator runs */
    reader.close(reader.ctx);
}

static void ignore_audit(void *ctx, const struct ledger_audit *row)
{
    (void)row;
    (*(uint32_t *)ctx)++;
}

static void a_ledger_of_before_there_were_audit_entries_has_none_to_a_reader(void **state)
{
    (void)state;
    struct ledger ledger;
    struct ledger_postgres_config with = config();
    const struct ledger_page page = {0, 10};
    uint32_t n = 0;
    assert_ok(open_ledger(NULL, &ledger));
    ledger.close(ledger.ctx);
    sql("DROP TABLE audit, enrolment, feed_facts, certificate; DROP FUNCTION refuse_audit_change, "
        "prune_facts;"
        " ALTER TABLE device DROP COLUMN wants_transport, DROP COLUMN cut, DROP COLUMN cut_stream,"
        " DROP COLUMN cut_seq, DROP COLUMN bundle;"
        " ALTER TABLE device DROP COLUMN wants_key; ALTER TABLE device_key DROP COLUMN since_ms;"
        " DELETE FROM schema_version WHERE version >= 3");
    assert_ok(ledger_postgres_open_reader(&with, &ledger));
    assert_code(ledger.list_audits(ledger.ctx, 0, &page, ignore_audit, &n), HR_NOT_FOUND);
    assert_code(ledger.list_audits(ledger.ctx, 7, &page, ignore_audit, &n), HR_NOT_FOUND);
    assert_int_equal(n, 0);
    ledger.close(ledger.ctx);
    assert_ok(open_ledger(NULL, &ledger)); /* the writer makes them */
    assert_ok(ledger.list_audits(ledger.ctx, 0, &page, ignore_audit, &n));
    ledger.close(ledger.ctx);
}

static void assert_refused(const char *statement)
{
    char text[256];
    char sqlstate[6];
    (void)snprintf(text, sizeof text, "SET search_path TO \"%s\"; %s", schema, statement);
    postgres_server_refusal(&server, text, sqlstate);
    assert_string_equal(sqlstate, "P0001");
}

static void an_audit_entry_can_be_neither_changed_nor_deleted(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(open_ledger(NULL, &ledger));
    const struct ledger_audit row = {.device_id = 7, .actor = "maria", .action = "revoked"};
    const struct ledger_commit change = {.audits = &row, .n_audits = 1};
    assert_ok(ledger.commit(ledger.ctx, &change));
    ledger.close(ledger.ctx);
    assert_refused("UPDATE audit SET actor = 'nobody'");
    assert_refused("DELETE FROM audit");
    assert_refused("TRUNCATE audit");
}

static void a_committed_batch_can_be_neither_changed_nor_deleted(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(open_ledger(NULL, &ledger));
    assert_ok(commit_one(&ledger, 0));
    assert_ok(commit_one(&ledger, 1));
    ledger.close(ledger.ctx);
    assert_refused("UPDATE batch SET envelope = '\\x00' WHERE leaf = 0");
    assert_refused("DELETE FROM batch WHERE leaf = 0");
    assert_refused("TRUNCATE batch");
    /* Retention says first how far it goes. */
    sql("UPDATE log_head SET first_leaf = 1");
    sql("DELETE FROM batch WHERE leaf = 0");
    assert_refused("DELETE FROM batch WHERE leaf = 1");
}

static void two_logs_live_in_one_database(void **state)
{
    (void)state;
    struct ledger first;
    struct ledger second;
    struct ledger_postgres_config with = config();
    assert_ok(open_ledger(NULL, &first));
    with.schema = "other_log";
    assert_ok(ledger_postgres_open(&with, &second));
    assert_string_not_equal(first.origin(first.ctx), second.origin(second.ctx));
    assert_ok(commit_one(&first, 0));
    assert_ok(commit_one(&second, 0));
    assert_ok(commit_one(&first, 1));
    assert_int_equal(size_of(&first), 2);
    assert_int_equal(size_of(&second), 1);
    first.close(first.ctx);
    second.close(second.ctx);
    postgres_server_sql(&server, "DROP SCHEMA other_log CASCADE");
}

static void a_server_that_forgets_commits_is_refused(void **state)
{
    (void)state;
    struct ledger ledger;
    postgres_server_sql(&server, "ALTER SYSTEM SET fsync = off");
    postgres_server_sql(&server, "SELECT pg_reload_conf()");
    postgres_server_wait(&server, "SELECT (current_setting('fsync') = 'off')::int", 1);
    assert_code(open_ledger(NULL, &ledger), HR_DENIED);
    assert_non_null(strstr(logged, "fsync = off"));
    postgres_server_sql(&server, "ALTER SYSTEM RESET fsync");
    postgres_server_sql(&server, "SELECT pg_reload_conf()");
    postgres_server_wait(&server, "SELECT (current_setting('fsync') = 'off')::int", 0);
    /* Less than durable commits are mended for the session. */
    postgres_server_sql(&server, "ALTER ROLE headrace SET synchronous_commit = off");
    assert_ok(open_ledger(NULL, &ledger));
    assert_ok(commit_one(&ledger, 0));
    ledger.close(ledger.ctx);
    postgres_server_sql(&server, "ALTER ROLE headrace RESET synchronous_commit");
}

#define POSTGRES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct ledger_suite suite = {.name = "ledger suite on postgres",
                                       .make = make_storage,
                                       .remove = remove_storage,
                                       .open = open_ledger,
                                       .take_over = take_over};
    const struct CMUnitTest tests[] = {
        POSTGRES_TEST(a_starting_writer_takes_over_and_each_is_told),
        POSTGRES_TEST(a_schema_of_others_is_refused_and_left_alone),
        POSTGRES_TEST(a_ledger_of_a_newer_build_is_refused),
        POSTGRES_TEST(a_refused_start_takes_nothing_over),
        POSTGRES_TEST(a_server_that_is_away_or_refuses_is_told_as_such),
        POSTGRES_TEST(a_setting_that_can_not_be_is_refused),
        POSTGRES_TEST(a_reader_needs_a_ledger),
        POSTGRES_TEST(a_reader_reads_beside_the_writer_and_writes_nothing),
        POSTGRES_TEST(a_committed_batch_can_be_neither_changed_nor_deleted),
        POSTGRES_TEST(a_ledger_of_before_there_were_audit_entries_has_none_to_a_reader),
        POSTGRES_TEST(an_audit_entry_can_be_neither_changed_nor_deleted),
        POSTGRES_TEST(two_logs_live_in_one_database),
        POSTGRES_TEST(a_server_that_forgets_commits_is_refused),
    };
    postgres_server_start(&server, NULL);
    int n_failed = ledger_suite_run(&suite);
    n_failed += cmocka_run_group_tests_name("ledger on postgres alone", tests, NULL, NULL);
    postgres_server_stop(&server);
    return n_failed;
}
