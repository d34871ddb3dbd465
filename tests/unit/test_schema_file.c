/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/device/device.h"
#include "aggregator/schema_registry/schema.h"
#include "proto/base/assert.h"

#include <avro.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { VALUE_MAX_BYTES = 4096, JSON_MAX_BYTES = 16384 };

static const char *const schema_name = "headrace_device_events";
static const uint8_t sync_marker[SCHEMA_SYNC_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

struct folder {
    char path[64];
    char file[96];
};

static int folder_make(void **state)
{
    static struct folder folder;

    (void)snprintf(folder.path, sizeof(folder.path), "/tmp/test_schema_file.XXXXXX");
    if (mkdtemp(folder.path) == NULL) {
        return -1;
    }
    (void)snprintf(folder.file, sizeof(folder.file), "%s/x.avro", folder.path);
    *state = &folder;
    return 0;
}

static int folder_remove(void **state)
{
    const struct folder *folder = *state;

    (void)unlink(folder->file);
    return rmdir(folder->path);
}

/* A device event whose batch_seq is `number` and whose raw bytes make it about len_bytes long. */
static size_t value_make(int64_t number, size_t len_bytes, uint8_t value[VALUE_MAX_BYTES])
{
    static const uint8_t raw[VALUE_MAX_BYTES];
    struct norm_value values[64] = {{0}};
    const struct norm_event event = {.schema = &norm_device_schema, .values = values};
    size_t encoded_bytes = 0;

    for (uint16_t i = 0; i < norm_device_schema.n_fields; i++) {
        values[i].is_null = norm_device_schema.fields[i].nullable;
        values[i].as.bytes = hr_bytes_of("", 0);
        if (norm_device_schema.fields[i].type == NORM_LONG) {
            values[i].as.number = 0;
        }
    }
    values[NORM_BATCH_SEQ].as.number = number;
    values[norm_device_schema.n_fields - 1].is_null = false;
    values[norm_device_schema.n_fields - 1].as.bytes = hr_bytes_of(raw, len_bytes);
    assert_true(hr_is_ok(schema_encode(&event, value, VALUE_MAX_BYTES, &encoded_bytes)));
    return encoded_bytes;
}

static void values_append(struct schema_file *file, int64_t from, int64_t to)
{
    uint8_t value[VALUE_MAX_BYTES];

    for (int64_t number = from; number < to; number++) {
        size_t len_bytes = value_make(number, (size_t)(number % 1000), value);

        assert_true(hr_is_ok(schema_file_append(file, hr_bytes_of(value, len_bytes))));
    }
}

/* Reads the file with avro-c's own reader: batch_seq must be 0, 1, 2 ... and n_values of them. */
static void avro_c_finds(const char *path, int64_t n_values)
{
    avro_file_reader_t reader;
    avro_value_t value;
    int64_t found = 0;

    assert_int_equal(avro_file_reader(path, &reader), 0);
    avro_schema_t schema = avro_file_reader_get_writer_schema(reader);
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);

    assert_int_equal(avro_generic_value_new(iface, &value), 0);
    while (avro_file_reader_read_value(reader, &value) == 0) {
        avro_value_t number_value;
        int64_t number = -1;

        assert_int_equal(avro_value_get_by_name(&value, "batch_seq", &number_value, NULL), 0);
        assert_int_equal(avro_value_get_long(&number_value, &number), 0);
        assert_int_equal(number, found);
        found++;
        (void)avro_value_reset(&value);
    }
    assert_int_equal(found, n_values);
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_schema_decref(schema);
    (void)avro_file_reader_close(reader);
}

static off_t file_len(const char *path)
{
    struct stat about;

    assert_int_equal(stat(path, &about), 0);
    return about.st_size;
}

static void avro_c_reads_a_file_of_many_blocks(void **state)
{
    const struct folder *folder = *state;
    struct schema_file *file = NULL;
    uint64_t length_bytes = 0;
    uint64_t again_bytes = 0;

    assert_true(hr_is_ok(schema_file_create(folder->file, schema_name, sync_marker, &file)));
    assert_true(hr_is_ok(schema_file_sync(file, &length_bytes)));
    assert_int_equal(length_bytes, file_len(folder->file));
    avro_c_finds(folder->file, 0);
    values_append(file, 0, 1000); /* half a megabyte */
    assert_true(hr_is_ok(schema_file_sync(file, &length_bytes)));
    assert_true(length_bytes > 6 * SCHEMA_FILE_BLOCK_BYTES);
    assert_int_equal(length_bytes, file_len(folder->file));
    assert_true(hr_is_ok(schema_file_sync(file, &again_bytes)));
    assert_int_equal(again_bytes, length_bytes);
    schema_file_close(file);
    avro_c_finds(folder->file, 1000);
}

static void what_was_not_synced_is_cut_off_and_the_file_goes_on(void **state)
{
    const struct folder *folder = *state;
    struct schema_file *file = NULL;
    uint64_t length_bytes = 0;
    int64_t n_values = 0;

    assert_true(hr_is_ok(schema_file_create(folder->file, schema_name, sync_marker, &file)));
    for (uint32_t crash = 0; crash < 50; crash++) {
        values_append(file, n_values, n_values + 20);
        n_values += 20;
        assert_true(hr_is_ok(schema_file_sync(file, &length_bytes)));
        /* More that no sync covers, in whole blocks and torn ones, as a crash leaves them. */
        values_append(file, 90000, 90000 + (int64_t)crash * 10);
        schema_file_close(file);
        FILE *torn = fopen(folder->file, "ab");

        assert_non_null(torn);
        assert_int_equal(fwrite("torn", 1, crash % 5, torn), crash % 5);
        (void)fclose(torn);
        assert_true(hr_is_ok(schema_file_reopen(folder->file, schema_name, length_bytes, &file)));
        assert_int_equal(file_len(folder->file), length_bytes);
    }
    schema_file_close(file);
    avro_c_finds(folder->file, n_values);
}

static void reopen_refuses_what_is_not_its_file_and_leaves_it(void **state)
{
    const struct folder *folder = *state;
    struct schema_file *file = NULL;
    uint64_t empty_bytes = 0;
    uint64_t length_bytes = 0;

    assert_true(hr_is(schema_file_reopen(folder->file, schema_name, 100, &file), HR_NOT_FOUND));
    assert_true(hr_is(schema_file_create(folder->file, "no_such_schema", sync_marker, &file), HR_NOT_FOUND));
    assert_true(hr_is_ok(schema_file_create(folder->file, schema_name, sync_marker, &file)));
    assert_true(hr_is_ok(schema_file_sync(file, &empty_bytes)));
    values_append(file, 0, 10);
    assert_true(hr_is_ok(schema_file_sync(file, &length_bytes)));
    schema_file_close(file);

    assert_true(hr_is(schema_file_create(folder->file, schema_name, sync_marker, &file), HR_IO));
    assert_true(hr_is(schema_file_reopen(folder->file, schema_name, length_bytes + 1, &file), HR_CORRUPT));
    assert_true(hr_is(schema_file_reopen(folder->file, schema_name, length_bytes - 1, &file), HR_CORRUPT));
    assert_true(hr_is(schema_file_reopen(folder->file, schema_name, empty_bytes - 1, &file), HR_CORRUPT));
    assert_true(hr_is(schema_file_reopen(folder->file, "marine_ais_raw", length_bytes, &file), HR_CORRUPT));
    assert_int_equal(file_len(folder->file), length_bytes);
    avro_c_finds(folder->file, 10);

    assert_true(hr_is_ok(schema_file_reopen(folder->file, schema_name, empty_bytes, &file)));
    schema_file_close(file);
    avro_c_finds(folder->file, 0);

    FILE *other = fopen(folder->file, "wb");

    assert_non_null(other);
    assert_int_equal(fwrite("not avro at all", 1, 15, other), 15);
    (void)fclose(other);
    assert_true(hr_is(schema_file_reopen(folder->file, schema_name, 15, &file), HR_CORRUPT));
    assert_int_equal(file_len(folder->file), 15);
}

static void a_disk_that_refuses_fails_the_file_and_what_was_synced_stays(void **state)
{
    const struct folder *folder = *state;
    static uint8_t value[VALUE_MAX_BYTES];
    static uint8_t too_long[SCHEMA_FILE_BLOCK_BYTES + 1];
    struct schema_file *file = NULL;
    uint64_t length_bytes = 0;
    uint64_t ignored_bytes = 0;
    struct rlimit before;
    struct hr_status status = hr_ok();

    assert_true(hr_is_ok(schema_file_create(folder->file, schema_name, sync_marker, &file)));
    assert_true(hr_is(schema_file_append(file, hr_bytes_of(too_long, sizeof(too_long))), HR_FULL));
    values_append(file, 0, 10);
    assert_true(hr_is_ok(schema_file_sync(file, &length_bytes)));

    /* The kernel's limit on file sizes stands in for a full disk: write() fails, and partly succeeds before.
     */
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {length_bytes + 1000, before.rlim_max};

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int64_t number = 10; hr_is_ok(status) && number < 1000; number++) {
        size_t len_bytes = value_make(number, 500, value);

        status = schema_file_append(file, hr_bytes_of(value, len_bytes));
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(hr_is(status, HR_IO));
    assert_true(hr_is(schema_file_append(file, hr_bytes_of(value, 1)), HR_IO));
    assert_true(hr_is(schema_file_sync(file, &ignored_bytes), HR_IO));
    schema_file_close(file);

    assert_true(hr_is_ok(schema_file_reopen(folder->file, schema_name, length_bytes, &file)));
    schema_file_close(file);
    avro_c_finds(folder->file, 10);
}

static void a_reader_follows_a_file_that_grows(void **state)
{
    const struct folder *folder = *state;
    static char json[JSON_MAX_BYTES];
    struct schema_file *file = NULL;
    struct schema_reader *reader = NULL;
    uint64_t length_bytes = 0;
    size_t len_bytes = 0;
    int64_t n_read = 0;

    assert_true(hr_is(schema_reader_open(folder->file, &reader), HR_NOT_FOUND));
    assert_true(hr_is_ok(schema_file_create(folder->file, schema_name, sync_marker, &file)));
    assert_true(hr_is_ok(schema_reader_open(folder->file, &reader)));
    for (int64_t round = 1; round <= 5; round++) {
        assert_true(hr_is(schema_reader_next(reader, json, sizeof(json), &len_bytes), HR_CLOSED));
        values_append(file, n_read, round * 300);
        assert_true(hr_is_ok(schema_file_sync(file, &length_bytes)));
        while (hr_is_ok(schema_reader_next(reader, json, sizeof(json) - 1, &len_bytes))) {
            char wanted[40];

            json[len_bytes] = '\0';
            (void)snprintf(wanted, sizeof(wanted), "\"batch_seq\":%lld,", (long long)n_read);
            assert_non_null(strstr(json, wanted));
            n_read++;
        }
        assert_int_equal(n_read, round * 300);
    }
    values_append(file, n_read, n_read + 2);
    assert_true(hr_is_ok(schema_file_sync(file, &length_bytes)));
    assert_true(hr_is(schema_reader_next(reader, json, 10, &len_bytes), HR_FULL));
    assert_true(hr_is_ok(schema_reader_next(reader, json, sizeof(json), &len_bytes)));
    schema_reader_close(reader);
    schema_file_close(file);
}

static void a_reader_waits_at_a_torn_block_and_refuses_a_damaged_one(void **state)
{
    const struct folder *folder = *state;
    static char json[JSON_MAX_BYTES];
    struct schema_file *file = NULL;
    struct schema_reader *reader = NULL;
    uint64_t empty_bytes = 0;
    uint64_t length_bytes = 0;
    size_t len_bytes = 0;

    assert_true(hr_is_ok(schema_file_create(folder->file, schema_name, sync_marker, &file)));
    assert_true(hr_is_ok(schema_file_sync(file, &empty_bytes)));
    values_append(file, 0, 1);
    assert_true(hr_is_ok(schema_file_sync(file, &length_bytes)));
    schema_file_close(file);

    for (uint64_t cut = length_bytes - 1; cut >= empty_bytes; cut--) {
        assert_int_equal(truncate(folder->file, (off_t)cut), 0);
        assert_true(hr_is_ok(schema_reader_open(folder->file, &reader)));
        assert_true(hr_is(schema_reader_next(reader, json, sizeof(json), &len_bytes), HR_CLOSED));
        schema_reader_close(reader);
    }
    for (uint64_t cut = 0; cut < empty_bytes; cut += 97) {
        assert_int_equal(truncate(folder->file, (off_t)(empty_bytes - 1 - cut)), 0);
        assert_true(hr_is(schema_reader_open(folder->file, &reader), HR_CORRUPT));
    }
    assert_int_equal(unlink(folder->file), 0);
    assert_true(hr_is_ok(schema_file_create(folder->file, schema_name, sync_marker, &file)));
    values_append(file, 0, 5);
    assert_true(hr_is_ok(schema_file_sync(file, &length_bytes)));
    schema_file_close(file);
    FILE *damaged = fopen(folder->file, "r+b");

    assert_non_null(damaged);
    assert_int_equal(fseek(damaged, (long)length_bytes - 3, SEEK_SET), 0); /* in the marker */
    assert_int_equal(fputc('x', damaged), 'x');
    (void)fclose(damaged);
    assert_true(hr_is_ok(schema_reader_open(folder->file, &reader)));
    assert_true(hr_is(schema_reader_next(reader, json, sizeof(json), &len_bytes), HR_CORRUPT));
    schema_reader_close(reader);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(avro_c_reads_a_file_of_many_blocks),
        WITH_FOLDER(what_was_not_synced_is_cut_off_and_the_file_goes_on),
        WITH_FOLDER(reopen_refuses_what_is_not_its_file_and_leaves_it),
        WITH_FOLDER(a_disk_that_refuses_fails_the_file_and_what_was_synced_stays),
        WITH_FOLDER(a_reader_follows_a_file_that_grows),
        WITH_FOLDER(a_reader_waits_at_a_torn_block_and_refuses_a_damaged_one),
    };

    return cmocka_run_group_tests_name("schema_file", tests, NULL, NULL);
}
