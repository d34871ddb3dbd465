/* SPDX-License-Identifier: Apache-2.0
 *
 * The file port on a real file system, and a spool over it. */
#include "firmware/core/spool.h"
#include "firmware/ports/linux/flash_file.h"
#include "tests/support/fake_sign.h"
#include "tests/support/test_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SECTOR_BYTES = 65536, N_SECTORS = 4 };

static char directory[64];
static char path[96];
static struct port_flash_file_config config = {
    .path = path, .sector_bytes = SECTOR_BYTES, .n_sectors = N_SECTORS};
static uint64_t actual_bytes;

static int make_directory(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof directory, "/tmp/headrace-flash-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    (void)snprintf(path, sizeof path, "%s/spool", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(directory); /* fails when anything else was left behind */
}

static void assert_status(struct hr_status status, enum hr_code expected)
{
    assert_string_equal(hr_code_name(status.code), hr_code_name(expected));
}

static void a_new_file_is_whole_blank_and_its_owners_only(void **state)
{
    (void)state;
    struct port_flash_file file;
    struct stat info;
    uint8_t bytes[64];
    static const uint8_t blank[] = {0xFF, 0xFF, 0xFF, 0xFF};
    assert_status(port_flash_file_open(&file, &config, &actual_bytes), HR_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(info.st_size, SECTOR_BYTES * N_SECTORS);
    assert_true(info.st_blocks * 512 >= SECTOR_BYTES * N_SECTORS); /* all of it is allocated */
    for (uint32_t at = 0; at < SECTOR_BYTES * N_SECTORS; at += sizeof bytes) {
        assert_status(file.port.read(file.port.ctx, at, bytes, sizeof bytes), HR_OK);
        assert_memory_equal(bytes, blank, sizeof blank);
    }
    assert_status(file.port.read(file.port.ctx, SECTOR_BYTES * N_SECTORS, bytes, 1), HR_IO);
    port_flash_file_close(&file);
}

static void what_is_programmed_stays_and_an_erase_clears_one_sector(void **state)
{
    (void)state;
    struct port_flash_file file;
    uint8_t bytes[16];
    assert_status(port_flash_file_open(&file, &config, &actual_bytes), HR_OK);
    assert_status(file.port.program(file.port.ctx, 8, "0123456789abcdef", 16), HR_OK);
    assert_status(file.port.program(file.port.ctx, SECTOR_BYTES, "fedcba9876543210", 16), HR_OK);
    assert_status(file.port.sync(file.port.ctx), HR_OK);
    port_flash_file_close(&file);
    assert_status(port_flash_file_open(&file, &config, &actual_bytes), HR_OK);
    assert_status(file.port.read(file.port.ctx, 8, bytes, sizeof bytes), HR_OK);
    assert_memory_equal(bytes, "0123456789abcdef", sizeof bytes);
    assert_status(file.port.erase(file.port.ctx, 0), HR_OK);
    assert_status(file.port.read(file.port.ctx, 8, bytes, sizeof bytes), HR_OK);
    assert_int_equal(bytes[0], 0xFF);
    assert_status(file.port.read(file.port.ctx, SECTOR_BYTES, bytes, sizeof bytes), HR_OK);
    assert_memory_equal(bytes, "fedcba9876543210", sizeof bytes);
    port_flash_file_close(&file);
}

static void a_second_owner_is_denied_until_the_first_is_gone(void **state)
{
    (void)state;
    struct port_flash_file first;
    struct port_flash_file second;
    assert_status(port_flash_file_open(&first, &config, &actual_bytes), HR_OK);
    assert_status(port_flash_file_open(&second, &config, &actual_bytes), HR_DENIED);
    port_flash_file_close(&first);
    assert_status(port_flash_file_open(&second, &config, &actual_bytes), HR_OK);
    port_flash_file_close(&second);
}

static void a_file_of_another_size_is_told_and_left_alone(void **state)
{
    (void)state;
    struct port_flash_file file;
    struct port_flash_file_config other = config;
    struct stat info;
    other.n_sectors = 5;
    assert_status(port_flash_file_open(&file, &config, &actual_bytes), HR_OK);
    port_flash_file_close(&file);
    assert_status(port_flash_file_open(&file, &other, &actual_bytes), HR_MALFORMED);
    assert_int_equal(actual_bytes, SECTOR_BYTES * N_SECTORS);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, SECTOR_BYTES * N_SECTORS);
}

static void a_place_that_does_not_exist_or_is_a_link_is_an_error(void **state)
{
    (void)state;
    struct port_flash_file file;
    struct port_flash_file_config nowhere = config;
    nowhere.path = "/nonexistent/spool";
    assert_status(port_flash_file_open(&file, &nowhere, &actual_bytes), HR_IO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_status(port_flash_file_open(&file, &config, &actual_bytes), HR_IO);
    assert_int_equal(errno, ELOOP);
}

static void a_full_device_fails_whole_and_leaves_nothing(void **state)
{
    (void)state;
    /* A limit on file size fails writes as a full device does. */
    int exit_status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct port_flash_file file;
        (void)signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = {SECTOR_BYTES, SECTOR_BYTES};
        bool limited = setrlimit(RLIMIT_FSIZE, &limit) == 0;
        struct hr_status status = port_flash_file_open(&file, &config, &actual_bytes);
        _exit(limited && hr_is(status, HR_IO) && errno == EFBIG ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &exit_status, 0), child);
    assert_int_equal(exit_status, 0);
    assert_int_equal(access(path, F_OK), -1); /* remove_directory sees that no temporary file is left */
}

/* ---- a spool over it ---- */

static struct fw_spool_sector sectors[N_SECTORS];
static uint8_t stage[FW_SPOOL_STAGE_MAX_BYTES];

static struct hr_status open_spool(struct fw_spool *spool, struct port_flash_file *file,
                                   struct fw_spool_report *report)
{
    struct fw_spool_config spool_config = {
        .flash = &file->port,
        .hash = test_hash(),
        .device_id = 7,
        .envelope_max_bytes = WIRE_GATEWAY_ENVELOPE_MAX_BYTES,
        .sectors = sectors,
        .stage = stage,
        .stage_bytes = sizeof stage,
    };
    return fw_spool_open(spool, &spool_config, report);
}

static void a_killed_process_loses_no_sealed_batch(void **state)
{
    (void)state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (child == 0) {
        static struct fw_spool spool;
        struct port_flash_file file;
        struct fw_spool_report report;
        struct fake_sign sign;
        fake_sign_make(&sign);
        bool ok = hr_is_ok(port_flash_file_open(&file, &config, &actual_bytes)) &&
                  hr_is_ok(open_spool(&spool, &file, &report));
        for (uint32_t i = 0; ok; i++) {
            ok = hr_is_ok(fw_spool_begin(&spool, 1, i)) &&
                 hr_is_ok(fw_spool_append(&spool, hr_bytes_of(&i, sizeof i))) &&
                 hr_is_ok(fw_spool_seal(&spool, &sign.port, 0)) &&
                 write(pipe_ends[1], &i, sizeof i) == (ssize_t)sizeof i;
        }
        _exit(1);
    }
    uint32_t sealed = 0;
    while (sealed < 25) {
        assert_int_equal(read(pipe_ends[0], &sealed, sizeof sealed), sizeof sealed);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);

    static struct fw_spool spool;
    struct port_flash_file file;
    struct fw_spool_report report;
    struct fw_spool_state found;
    assert_status(port_flash_file_open(&file, &config, &actual_bytes), HR_OK);
    assert_status(open_spool(&spool, &file, &report), HR_OK);
    fw_spool_state(&spool, &found);
    assert_false(report.clean);
    assert_true(found.next_batch_seq > sealed);
    for (uint32_t i = 0; i <= sealed; i++) {
        uint8_t envelope[512];
        uint32_t len_bytes;
        uint32_t value;
        assert_status(fw_spool_read(&spool, i, envelope, sizeof envelope, &len_bytes), HR_OK);
        memcpy(&value, envelope + WIRE_PREFIX_BYTES + 1, sizeof value);
        assert_int_equal(value, i);
    }
    port_flash_file_close(&file);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

int main(void)
{
#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_new_file_is_whole_blank_and_its_owners_only),
        FILE_TEST(what_is_programmed_stays_and_an_erase_clears_one_sector),
        FILE_TEST(a_second_owner_is_denied_until_the_first_is_gone),
        FILE_TEST(a_file_of_another_size_is_told_and_left_alone),
        FILE_TEST(a_place_that_does_not_exist_or_is_a_link_is_an_error),
        FILE_TEST(a_full_device_fails_whole_and_leaves_nothing),
        FILE_TEST(a_killed_process_loses_no_sealed_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
