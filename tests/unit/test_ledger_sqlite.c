/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "proto/base/assert.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/ledger_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ENVELOPE_BYTES = 1000 };

static struct temp_folder folder;
static char path[2 * TEMP_PATH_CHARS];
static char last_log[512];

static void keep_log(void *ctx, const char *text)
{
    (void)ctx;
    (void)snprintf(last_log, sizeof last_log, "%s", text);
}

static struct ledger_sqlite_config config(void)
{
    return (struct ledger_sqlite_config){.path = path, .vfs = FAULT_VFS_NAME, .log = keep_log};
}

static void make_storage(void *ctx)
{
    (void)ctx;
    fault_vfs_reset();
    temp_folder_make(&folder);
    (void)temp_folder_file(&folder, "ledger.db", path);
    last_log[0] = '\0';
}

static void remove_storage(void *ctx)
{
    (void)ctx;
    temp_folder_remove(&folder);
}

static struct hr_status open_ledger(void *ctx, struct ledger *out)
{
    (void)ctx;
    struct ledger_sqlite_config with = config();
    return ledger_sqlite_open(&with, out);
}

/* Runs SQL as a stranger would. */
static int run_sql(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return rc;
}

static void take_over(void *ctx)
{
    (void)ctx;
    assert_int_equal(run_sql("UPDATE log_head SET writer_epoch = writer_epoch + 1"), SQLITE_OK);
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

static void see_stream(void *ctx, const struct ledger_stream *stream)
{
    *(struct ledger_stream *)ctx = *stream;
}

static uint32_t stored_cum(const struct ledger *ledger)
{
    struct ledger_stream row = {.cum_seq = WIRE_SEQ_NONE};
    assert_ok(ledger->load_streams(ledger->ctx, see_stream, &row));
    return row.cum_seq;
}

static void a_second_instance_is_told_which_process_has_the_ledger(void **state)
{
    (void)state;
    struct ledger first;
    struct ledger second;
    assert_ok(open_ledger(NULL, &first));
    assert_code(open_ledger(NULL, &second), HR_AGAIN);
    char pid[32];
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(last_log, pid));
    assert_ok(commit_one(&first, 0));
    first.close(first.ctx);
    assert_ok(open_ledger(NULL, &second));
    assert_int_equal(size_of(&second), 1);
    second.close(second.ctx);
}

static void a_full_disk_changes_nothing_and_a_later_commit_succeeds(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(open_ledger(NULL, &ledger));
    assert_ok(commit_one(&ledger, 0));
    fault_vfs_disk_full(true);
    for (int i = 0; i < 3; i++) {
        assert_code(commit_one(&ledger, 1), HR_FULL);
        assert_int_equal(size_of(&ledger), 1);
        assert_int_equal(stored_cum(&ledger), 0);
    }
    fault_vfs_disk_full(false);
    assert_ok(commit_one(&ledger, 1));
    assert_int_equal(size_of(&ledger), 2);
    assert_int_equal(stored_cum(&ledger), 1);
    ledger.close(ledger.ctx);
}

static void the_bound_of_the_file_is_a_full_disk(void **state)
{
    (void)state;
    struct ledger_sqlite_config with = config();
    with.max_bytes = (uint64_t)384 * 1024;
    struct ledger ledger;
    assert_ok(ledger_sqlite_open(&with, &ledger));
    uint32_t n = 0;
    struct hr_status status = commit_one(&ledger, 0);
    while (hr_is_ok(status)) {
        status = commit_one(&ledger, ++n);
    }
    assert_int_equal(status.code, HR_FULL);
    assert_in_range(n, 50, 384);
    assert_int_equal(size_of(&ledger), n);
    assert_int_equal(stored_cum(&ledger), n - 1);
    ledger.close(ledger.ctx);
    with.max_bytes *= 2;
    assert_ok(ledger_sqlite_open(&with, &ledger));
    assert_ok(commit_one(&ledger, n));
    assert_int_equal(size_of(&ledger), n + 1);
    ledger.close(ledger.ctx);
}

static void a_log_that_is_made_again_has_its_old_name_and_beginning_and_takes_no_others_place(void **state)
{
    (void)state;
    static const struct ledger_birth birth = {.origin = "0123456789abcdef0123456789abcdef", .first_leaf = 40};
    struct ledger_sqlite_config with = config();
    with.birth = &birth;
    struct ledger ledger;
    uint64_t first_leaf = 0;
    assert_ok(ledger_sqlite_open(&with, &ledger));
    assert_string_equal(ledger.origin(ledger.ctx), birth.origin);
    assert_ok(ledger.first_leaf(ledger.ctx, &first_leaf));
    assert_int_equal(first_leaf, 40);
    assert_ok(commit_one(&ledger, 0));
    assert_int_equal(size_of(&ledger), 41);
    ledger.close(ledger.ctx);
    assert_code(ledger_sqlite_open(&with, &ledger), HR_DENIED);
    assert_ok(open_ledger(NULL, &ledger));
    assert_int_equal(size_of(&ledger), 41);
    ledger.close(ledger.ctx);
}

static void a_failing_fsync_ends_all_commits_until_the_ledger_is_opened_again(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(open_ledger(NULL, &ledger));
    assert_ok(commit_one(&ledger, 0));
    fault_vfs_fail_sync(1);
    assert_code(commit_one(&ledger, 1), HR_IO);
    assert_code(commit_one(&ledger, 1), HR_IO);
    assert_int_equal(size_of(&ledger), 1);
    ledger.close(ledger.ctx);
    assert_ok(open_ledger(NULL, &ledger));
    uint64_t n_leaves = size_of(&ledger);
    assert_true(n_leaves == 1 || n_leaves == 2); /* the outcome was unknown, and is now known */
    assert_int_equal(stored_cum(&ledger), n_leaves - 1);
    assert_ok(commit_one(&ledger, (uint32_t)n_leaves));
    ledger.close(ledger.ctx);
}

/* Each commit adds about 10 pages to the WAL, which is moved into the database when it has 2,048. */
static void a_failing_fsync_while_the_wal_is_moved_is_not_ignored(void **state)
{
    (void)state;
    static uint8_t large[60000];
    struct ledger ledger;
    assert_ok(open_ledger(NULL, &ledger));
    fault_vfs_fail_database_sync(true);
    struct hr_status status = hr_ok();
    uint32_t n = 0;
    for (; hr_is_ok(status) && n < 1000; n++) {
        struct ledger_batch batch = ledger_suite_batch(1, 0, n, large, sizeof large);
        struct ledger_commit change = {.batches = &batch, .n_batches = 1};
        status = ledger.commit(ledger.ctx, &change);
    }
    assert_int_equal(status.code, HR_IO);
    assert_in_range(n, 150, 300);
    ledger.close(ledger.ctx);
    fault_vfs_fail_database_sync(false);
    assert_ok(open_ledger(NULL, &ledger));
    assert_int_equal(size_of(&ledger), n); /* the WAL still had it all */
    ledger.close(ledger.ctx);
}

static void files_of_others_are_refused_and_left_alone(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_int_equal(run_sql("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)"), SQLITE_OK);
    assert_code(open_ledger(NULL, &ledger), HR_CORRUPT);
    assert_non_null(strstr(last_log, "not a ledger"));
    assert_int_equal(run_sql("INSERT INTO theirs VALUES (2)"), SQLITE_OK);
    FILE *file = fopen(path, "wb");
    HR_ASSERT(file != NULL);
    assert_int_equal(
        fwrite("this is no database, but a text of some length, long enough to be one", 1, 69, file), 69);
    assert_int_equal(fclose(file), 0);
    assert_code(open_ledger(NULL, &ledger), HR_CORRUPT);
}

static void a_ledger_of_a_newer_build_is_refused(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(open_ledger(NULL, &ledger));
    ledger.close(ledger.ctx);
    assert_int_equal(run_sql("INSERT INTO schema_version VALUES (9999, 'later', '')"), SQLITE_OK);
    assert_code(open_ledger(NULL, &ledger), HR_CORRUPT);
    assert_non_null(strstr(last_log, "9999"));
}

static void a_folder_that_is_not_there_is_an_io_error(void **state)
{
    (void)state;
    char saved[sizeof path];
    memcpy(saved, path, sizeof saved);
    (void)snprintf(path, sizeof path, "/nonexistent/ledger.db");
    struct ledger ledger;
    assert_code(open_ledger(NULL, &ledger), HR_IO);
    assert_code(ledger_sqlite_open_reader(&(struct ledger_sqlite_config){.path = path}, &ledger), HR_IO);
    memcpy(path, saved, sizeof saved);
}

static void an_audit_entry_can_be_neither_changed_nor_deleted(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(open_ledger(NULL, &ledger));
    const struct ledger_audit rows[] = {{.device_id = 7, .actor = "maria", .action = "quarantined"},
                                        {.device_id = 7, .actor = "maria", .action = "revoked"}};
    const struct ledger_commit change = {.audits = rows, .n_audits = 2};
    assert_ok(ledger.commit(ledger.ctx, &change));
    ledger.close(ledger.ctx);
    assert_int_equal(run_sql("UPDATE audit SET actor = 'nobody'"), SQLITE_CONSTRAINT);
    assert_int_equal(run_sql("DELETE FROM audit"), SQLITE_CONSTRAINT);
    for (int id = 1; id <= 3; id++) { /* there are the entries 1 and 2 */
        char text[256];
        (void)snprintf(text, sizeof text,
                       "INSERT OR REPLACE INTO audit (id, device, at_ms, actor, action, old_state, new_state,"
                       " revision, old_key, new_key, reason)"
                       " VALUES (%d, 7, 0, 'nobody', '', 0, 0, 0, x'', x'', '')",
                       id);
        assert_int_equal(run_sql(text), id <= 2 ? SQLITE_CONSTRAINT : SQLITE_OK);
    }
}

static void a_committed_batch_can_be_neither_changed_nor_deleted(void **state)
{
    (void)state;
    struct ledger ledger;
    assert_ok(open_ledger(NULL, &ledger));
    assert_ok(commit_one(&ledger, 0));
    assert_ok(commit_one(&ledger, 1));
    ledger.close(ledger.ctx);
    assert_int_equal(run_sql("UPDATE batch SET envelope = x'00' WHERE leaf = 0"), SQLITE_CONSTRAINT);
    assert_int_equal(run_sql("DELETE FROM batch WHERE leaf = 0"), SQLITE_CONSTRAINT);
    /* Retention says first how far it goes. */
    assert_int_equal(run_sql("UPDATE log_head SET first_leaf = 1"), SQLITE_OK);
    assert_int_equal(run_sql("DELETE FROM batch WHERE leaf = 0"), SQLITE_OK);
    assert_int_equal(run_sql("DELETE FROM batch WHERE leaf = 1"), SQLITE_CONSTRAINT);
}

static void count_batch(void *ctx, const struct ledger_batch *batch)
{
    (void)batch;
    (*(uint32_t *)ctx)++;
}

static void a_reader_reads_beside_the_writer_and_writes_nothing(void **state)
{
    (void)state;
    struct ledger writer;
    struct ledger reader;
    struct ledger_sqlite_config with = config();
    with.vfs = NULL;
    assert_ok(open_ledger(NULL, &writer));
    assert_ok(commit_one(&writer, 0));
    assert_ok(ledger_sqlite_open_reader(&with, &reader));
    assert_ok(commit_one(&writer, 1));
    assert_int_equal(size_of(&reader), 2);
    uint32_t n = 0;
    assert_ok(reader.read(reader.ctx, 0, 10, 100000, count_batch, &n));
    assert_int_equal(n, 2);
    assert_int_equal(stored_cum(&reader), 1);
    assert_string_equal(reader.origin(reader.ctx), writer.origin(writer.ctx));
    assert_code(commit_one(&reader, 2), HR_DENIED);
    assert_code(reader.set_hint(reader.ctx, "kafka", 1), HR_DENIED);
    writer.close(writer.ctx);
    reader.close(reader.ctx);
    /* And when no aggregator runs. */
    assert_ok(ledger_sqlite_open_reader(&with, &reader));
    assert_int_equal(size_of(&reader), 2);
    reader.close(reader.ctx);
}

#define SQLITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct ledger_suite suite = {.name = "ledger suite on sqlite",
                                       .make = make_storage,
                                       .remove = remove_storage,
                                       .open = open_ledger,
                                       .take_over = take_over};
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(a_second_instance_is_told_which_process_has_the_ledger),
        SQLITE_TEST(a_full_disk_changes_nothing_and_a_later_commit_succeeds),
        SQLITE_TEST(the_bound_of_the_file_is_a_full_disk),
        SQLITE_TEST(a_log_that_is_made_again_has_its_old_name_and_beginning_and_takes_no_others_place),
        SQLITE_TEST(a_failing_fsync_ends_all_commits_until_the_ledger_is_opened_again),
        SQLITE_TEST(a_failing_fsync_while_the_wal_is_moved_is_not_ignored),
        SQLITE_TEST(files_of_others_are_refused_and_left_alone),
        SQLITE_TEST(a_ledger_of_a_newer_build_is_refused),
        SQLITE_TEST(a_folder_that_is_not_there_is_an_io_error),
        SQLITE_TEST(a_committed_batch_can_be_neither_changed_nor_deleted),
        SQLITE_TEST(an_audit_entry_can_be_neither_changed_nor_deleted),
        SQLITE_TEST(a_reader_reads_beside_the_writer_and_writes_nothing),
    };
    int n_failed = ledger_suite_run(&suite);
    return n_failed + cmocka_run_group_tests_name("ledger on sqlite alone", tests, NULL, NULL);
}
