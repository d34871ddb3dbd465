/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace spool` over images that a simulated device left. What it prints goes to a file and is looked at.
 */
#include "firmware/core/spool_internal.h"
#include "firmware/crypto/crypto.h"
#include "proto/image/image.h"
#include "tests/support/signature_vector.h"
#include "tests/support/spool_lab.h"
#include "tests/support/test_cmocka.h"
#include "tools/cli/cli.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lab lab;
static char image_path[] = "/tmp/headrace-image-XXXXXX";
static char key_path[] = "/tmp/headrace-key-XXXXXX";
static char output_path[] = "/tmp/headrace-output-XXXXXX";
static char output[65536];

static void write_image(void)
{
    FILE *file = fopen(image_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(lab.flash.cells, 1, 6 * 2048, file), 6 * 2048);
    assert_int_equal(fclose(file), 0);
}

enum { SYSTEM_BYTES = 4 * IMAGE_PAGE_MIN_BYTES, SPOOL_BYTES = 6 * 2048, BEHIND_BYTES = 5000 };

/* The memory of a board whose spool the lab's flash is, with bytes behind it that are nobody's. */
static void write_memory(uint32_t n_copies)
{
    static const uint8_t der[] = {0x30, 0x00};
    static uint8_t memory[SYSTEM_BYTES + SPOOL_BYTES + BEHIND_BYTES];
    const struct image_identity identity = {
        .sequence = 1,
        .regions = {2048, 8, SYSTEM_BYTES / 2048, 6},
        .board = "lab",
        .device_id = 0x1122334455667788,
        .name = "lab",
        .key_epoch = 1,
        .record_key = hr_bytes_of(der, sizeof der),
        .transport_key = hr_bytes_of(der, sizeof der),
        .certificate = hr_bytes_of(der, sizeof der),
        .ca = {hr_bytes_of(der, sizeof der)},
        .n_ca = 1,
        .aggregators = {"coaps://a"},
        .n_aggregators = 1,
        .server_name = "a",
        .mac = {2, 0, 0, 0, 0, 1},
    };
    memset(memory, 0xFF, sizeof memory);
    size_t len_bytes = 0;
    for (uint32_t copy = 0; copy < n_copies; copy++) {
        uint8_t *page = memory + image_identity_address(2048, copy);
        assert_true(hr_is_ok(image_identity_encode(&identity, page, IMAGE_PAGE_MIN_BYTES, &len_bytes)));
    }
    memcpy(memory + SYSTEM_BYTES, lab.flash.cells, SPOOL_BYTES);
    FILE *file = fopen(image_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(memory, 1, sizeof memory, file), sizeof memory);
    assert_int_equal(fclose(file), 0);
}

/* Runs the verb with stdout and stderr in a file; its exit code. */
static int run_words(int n_words, char **words)
{
    assert_int_equal(fflush(NULL), 0);
    int kept_out = dup(STDOUT_FILENO);
    int kept_error = dup(STDERR_FILENO);
    FILE *file = fopen(output_path, "w+b");
    assert_non_null(file);
    (void)dup2(fileno(file), STDOUT_FILENO);
    (void)dup2(fileno(file), STDERR_FILENO);
    int code = cli_spool(n_words, words);
    (void)fflush(NULL);
    (void)dup2(kept_out, STDOUT_FILENO);
    (void)dup2(kept_error, STDERR_FILENO);
    (void)close(kept_out);
    (void)close(kept_error);
    rewind(file);
    size_t len = fread(output, 1, sizeof output - 1, file);
    output[len] = '\0';
    (void)fclose(file);
    return code;
}

static int run(const char *verb, const char *path, const char *flag)
{
    char *words[] = {strdup("spool"), strdup(verb), strdup(path), flag == NULL ? NULL : strdup(flag), NULL};
    int code = run_words(flag == NULL ? 3 : 4, words);
    for (size_t i = 0; i < 4; i++) {
        free(words[i]);
    }
    return code;
}

static int run_with_key(const char *path)
{
    char *words[] = {strdup("spool"), strdup("verify"), strdup(path),
                     strdup("--key"), strdup(key_path), NULL};
    int code = run_words(5, words);
    for (size_t i = 0; i < 5; i++) {
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
    lab_make(&lab, &lab_small_ring);
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

/* With its identity, or, when both copies are gone, by the headers of the spool itself. */
static void the_spool_in_the_memory_of_a_board_is_found(void **state)
{
    (void)state;
    for (uint32_t n_copies = 0; n_copies <= 2; n_copies += 2) {
        lab_reset(&lab);
        assert_true(lab_open(&lab));
        for (uint32_t i = 0; i < 5; i++) {
            assert_true(lab_batch(&lab, 5));
        }
        write_memory(n_copies);
        assert_int_equal(run("inspect", image_path, NULL), CLI_OK);
        assert_int_equal(count_of("batch    sector"), 5);
        assert_non_null(strstr(output, "device 1122334455667788  6 sectors of 2048 bytes, unit 8"));
        assert_int_equal(run("verify", image_path, NULL), CLI_OK);
        assert_non_null(strstr(output, "5 batches good, 0 bad"));
        struct fw_spool_place place;
        assert_true(hr_is_ok(fw_spool_find(&lab.spool, 1, 2, &place)));
        sim_flash_flip(&lab.flash, place.sector * 2048 + place.start_offset + 50, 4);
        write_memory(n_copies);
        assert_int_equal(run("verify", image_path, NULL), CLI_FAILED);
        assert_non_null(strstr(output, "4 batches good, 1 bad"));
    }
    memset(lab.flash.cells, 0xFF, SPOOL_BYTES);
    write_memory(2);
    assert_int_equal(run("inspect", image_path, NULL), CLI_INCOMPLETE);
    assert_non_null(strstr(output, "no spool yet"));
    write_memory(0);
    assert_int_equal(run("inspect", image_path, NULL), CLI_INCOMPLETE);
    assert_non_null(strstr(output, "neither a board's identity nor one sector header"));
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

static void write_public_key(const uint8_t spki[CRYPTO_SPKI_BYTES])
{
    const unsigned char *at = spki;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, CRYPTO_SPKI_BYTES);
    FILE *file = fopen(key_path, "wb");
    assert_non_null(key);
    assert_non_null(file);
    assert_int_equal(PEM_write_PUBKEY(file, key), 1);
    assert_int_equal(fclose(file), 0);
    EVP_PKEY_free(key);
}

static void signatures_are_checked_with_the_key_that_is_given(void **state)
{
    (void)state;
    struct signature_vector vector;
    struct crypto_signer signer;
    /* SEC 1 ECPrivateKey (RFC 5915) of P-256 around the 32 bytes of the vector's key. */
    uint8_t der[51] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
    static const uint8_t curve[] = {0xA0, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
    signature_vector_load(&vector);
    memcpy(der + 7, vector.private_key, 32);
    memcpy(der + 39, curve, sizeof curve);
    assert_true(hr_is_ok(crypto_start()));
    assert_true(hr_is_ok(crypto_signer_load(&signer, hr_bytes_of(der, sizeof der), 1)));
    write_public_key(signer.spki);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(hr_is_ok(fw_spool_begin(&lab.spool, 1, i)));
        assert_true(hr_is_ok(fw_spool_append(&lab.spool, hr_bytes_of("record", 6))));
        assert_true(hr_is_ok(fw_spool_seal(&lab.spool, &signer.port, 0)));
    }
    write_image();
    assert_int_equal(run_with_key(image_path), CLI_OK);
    assert_non_null(strstr(output, "3 batches good, 0 bad, 0 holes, signatures checked: true"));

    lab_reset(&lab);
    assert_true(lab_open(&lab) && lab_batch(&lab, 2)); /* by the lab's signer, which is no such key */
    write_image();
    assert_int_equal(run_with_key(image_path), CLI_FAILED);
    assert_non_null(strstr(output, "batch 0: its signature is not that key's"));
    crypto_signer_unload(&signer);
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
        CLI_TEST(the_spool_in_the_memory_of_a_board_is_found),
        CLI_TEST(a_hole_by_overflow_is_no_damage),
        CLI_TEST(a_batch_that_rots_is_found),
        CLI_TEST(signatures_are_checked_with_the_key_that_is_given),
        CLI_TEST(what_is_no_spool_can_not_be_judged),
    };
    int image = mkstemp(image_path);
    int text = mkstemp(output_path);
    int key = mkstemp(key_path);
    int failed = image < 0 || text < 0 || key < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(image_path);
    (void)unlink(output_path);
    (void)unlink(key_path);
    return failed;
}
