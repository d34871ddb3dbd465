/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace spool` over images that a simulated device left. What it prints goes to a file and is looked at.
 */
#include "firmware/core/spool_internal.h"
#include "tests/support/spool_lab.h"
#include "tools/cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct lab lab;
static char image_path[] = "/tmp/headrace-image-XXXXXX";
static char output_path[] = "/tmp/headrace-output-XXXXXX";
static char output[65536];

static const struct lab_config small_ring = {
    .flash =
        {.kind = SIM_FLASH_NOR, .sector_bytes = 2048, .n_sectors = 6, .program_unit_bytes = 8, .seed = 5},
    .envelope_max_bytes = 420,
    .stage_bytes = 128,
};

static void write_image(void)
{
    FILE *file = fopen(image_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(lab.flash.cells, 1, 6 * 2048, file), 6 * 2048);
    assert_int_equal(fclose(file), 0);
}

/* Runs the verb with stdout and stderr in a file; its exit code. */
static int run(const char *verb, const char *path, const char *flag)
{
    char *words[] = {strdup("spool"), strdup(verb), strdup(path), flag == NULL ? NULL : strdup(flag), NULL};
    assert_int_equal(fflush(NULL), 0);
    int kept_out = dup(STDOUT_FILENO);
    int kept_error = dup(STDERR_FILENO);
    FILE *file = fopen(output_path, "w+b");
    assert_non_null(file);
    (void)dup2(fileno(file), STDOUT_FILENO);
    (void)dup2(fileno(file), STDERR_FILENO);
    int code = cli_spool(flag == NULL ? 3 : 4, words);
    (void)fflush(NULL);
    (void)dup2(kept_out, STDOUT_FILENO);
    (void)dup2(kept_error, STDERR_FILENO);
    (void)close(kept_out);
    (void)close(kept_error);
    rewind(file);
    size_t len = fread(output, 1, sizeof output - 1, file);
    output[len] = '\0';
    (void)fclose(file);
    for (size_t i = 0; i < 4; i++) {
        free(words[i]);
    }
    return code;
}

static uint32_t count_of(const char *text)
{
    uint32_t n = 0;
    for (const char *at = strstr(output, text); at != NULL; at = strstr(at + 1, text)) {
        n++;
    }
    return n;
}

static int make_lab(void **state)
{
    (void)state;
    lab_make(&lab, &small_ring);
    return lab_open(&lab) ? 0 : 1;
}

static int free_lab(void **state)
{
    (void)state;
    lab_free(&lab);
    return 0;
}

static void a_sound_spool_is_listed_and_verifies_and_is_not_changed(void **state)
{
    (void)state;
    static uint8_t after[6 * 2048];
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(lab_batch(&lab, 5));
    }
    /* A clean end makes the ack durable. */
    assert_true(lab_ack(&lab, 1) && lab_close(&lab) && lab_open(&lab));
    assert_true(lab_begin(&lab) && lab_append(&lab, 5));
    write_image();
    assert_int_equal(run("inspect", image_path, NULL), CLI_OK);
    assert_int_equal(count_of("batch    sector"), 5);
    assert_int_equal(count_of("live true"), 3);
    assert_int_equal(count_of("live false"), 2);
    assert_non_null(strstr(output, "device 1122334455667788  6 sectors of 2048 bytes, unit 8"));
    assert_non_null(strstr(output, "stream 1  next batch 5  next record 25"));
    assert_int_equal(run("inspect", image_path, "--json"), CLI_OK);
    assert_int_equal(count_of("{\"kind\":\"batch\""), 5);
    assert_int_equal(run("verify", image_path, NULL), CLI_OK);
    FILE *file = fopen(image_path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(after, 1, sizeof after, file), sizeof after);
    (void)fclose(file);
    assert_memory_equal(after, lab.flash.cells, sizeof after);
}

static void a_hole_by_overflow_is_no_damage(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        assert_true(lab_batch(&lab, 5));
    }
    write_image();
    assert_int_equal(run("verify", image_path, NULL), CLI_OK);
    assert_int_equal(run("inspect", image_path, NULL), CLI_OK);
    assert_int_equal(count_of("hole     batches 0 to"), 1);
    assert_int_equal(count_of("overflow"), 1);
}

static void a_batch_that_rots_is_found(void **state)
{
    (void)state;
    struct fw_spool_place place;
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(lab_batch(&lab, 5));
    }
    assert_true(hr_is_ok(fw_spool_find(&lab.spool, 1, 2, &place)));
    sim_flash_flip(&lab.flash, place.sector * 2048 + place.start_offset + 50, 4);
    write_image();
    assert_int_equal(run("verify", image_path, NULL), CLI_FAILED);
    assert_non_null(strstr(output, "batch 2: its records are damaged"));
    assert_non_null(strstr(output, "3 batches good, 1 bad"));
}

static void what_is_no_spool_can_not_be_judged(void **state)
{
    (void)state;
    memset(lab.flash.cells, 0xFF, 6 * 2048);
    write_image();
    assert_int_equal(run("inspect", image_path, NULL), CLI_INCOMPLETE);
    assert_int_equal(run("verify", "/nonexistent", NULL), CLI_FAILED);
    assert_int_equal(run("mend", image_path, NULL), CLI_USAGE);
    assert_int_equal(run("inspect", image_path, "--nonsense"), CLI_USAGE);
}

int main(void)
{
#define CLI_TEST(test) cmocka_unit_test_setup_teardown(test, make_lab, free_lab)
    const struct CMUnitTest tests[] = {
        CLI_TEST(a_sound_spool_is_listed_and_verifies_and_is_not_changed),
        CLI_TEST(a_hole_by_overflow_is_no_damage),
        CLI_TEST(a_batch_that_rots_is_found),
        CLI_TEST(what_is_no_spool_can_not_be_judged),
    };
    int image = mkstemp(image_path);
    int text = mkstemp(output_path);
    int failed = image < 0 || text < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(image_path);
    (void)unlink(output_path);
    return failed;
}
