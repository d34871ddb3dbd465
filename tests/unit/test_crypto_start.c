/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers out of a seed, and that there is no key without a start. What a board does with both, on its
 * own mbedTLS, is tests/boards/image_crypto.c. */
#include "firmware/crypto/crypto.h"
#include "firmware/crypto/drbg.h"
#include "tests/support/signature_vector.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"
#include "tests/support/test_vectors.h"

#include <string.h>

static const char vectors_file[] = "tests/vectors/drbg.txt";

static void seed_counting(void)
{
    uint8_t seed[CRYPTO_SEED_BYTES];
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)i;
    }
    assert_ok(crypto_drbg_seed(seed, sizeof seed));
}

static void a_generator_without_a_seed_gives_nothing(void **state)
{
    (void)state;
    static const uint8_t zeros[32];
    uint8_t out[32];
    memset(out, 0x5A, sizeof out);
    assert_code(crypto_drbg_fill(out, sizeof out), HR_DENIED);
    assert_memory_equal(out, zeros, sizeof out);
    seed_counting();
    assert_ok(crypto_drbg_fill(out, sizeof out));
    crypto_drbg_forget();
    assert_code(crypto_drbg_fill(out, sizeof out), HR_DENIED);
    assert_memory_equal(out, zeros, sizeof out);
}

static void a_generator_gives_the_bytes_of_the_vectors(void **state)
{
    (void)state;
    uint8_t expected[64];
    uint8_t out[1500];
    seed_counting();
    (void)test_vector(vectors_file, "first_16", expected, sizeof expected);
    assert_ok(crypto_drbg_fill(out, 16));
    assert_memory_equal(out, expected, 16);
    (void)test_vector(vectors_file, "next_40", expected, sizeof expected);
    assert_ok(crypto_drbg_fill(out, 40));
    assert_memory_equal(out, expected, 40);

    seed_counting();
    uint8_t digest[WIRE_DIGEST_BYTES];
    assert_ok(crypto_drbg_fill(out, sizeof out));
    struct hr_bytes part = hr_bytes_of(out, sizeof out);
    wire_sha256(test_hash(), &part, 1, digest);
    (void)test_vector(vectors_file, "long_sha256", expected, sizeof expected);
    assert_memory_equal(digest, expected, sizeof digest);
    crypto_drbg_forget();
}

static void ask_for_a_number(void *ctx)
{
    (void)ctx;
    (void)port_random_u32(crypto_random());
}

/* No other test of this process calls crypto_start. */
static void there_are_no_keys_and_no_numbers_before_the_start(void **state)
{
    (void)state;
    struct signature_vector vector;
    signature_vector_load(&vector);
    /* SEC1 (RFC 5915): SEQUENCE {1, OCTET STRING, [0] secp256r1}. */
    uint8_t der[51] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
    static const uint8_t tail[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    memcpy(der + 7, vector.private_key, 32);
    memcpy(der + 39, tail, sizeof tail);
    struct crypto_signer signer = {.key_id = 4711};
    struct crypto_verifier verifier = {.key_id = 4711};
    uint8_t spki[CRYPTO_SPKI_BYTES] = {0};
    assert_code(crypto_signer_load(&signer, hr_bytes_of(der, sizeof der), 1), HR_DENIED);
    assert_code(crypto_verifier_load(&verifier, spki, 1), HR_DENIED);
    assert_int_equal(signer.key_id, 4711);
    assert_int_equal(verifier.key_id, 4711);
    assert_true(test_asserts(ask_for_a_number, NULL));

    assert_ok(crypto_start());
    assert_ok(crypto_signer_load(&signer, hr_bytes_of(der, sizeof der), 1));
    assert_ok(crypto_verifier_load(&verifier, signer.spki, 1));
    crypto_signer_unload(&signer);
    crypto_verifier_unload(&verifier);
    uint32_t first = port_random_u32(crypto_random());
    bool differs = false;
    for (size_t i = 0; i < 8; i++) {
        differs = port_random_u32(crypto_random()) != first || differs;
    }
    assert_true(differs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_no_keys_and_no_numbers_before_the_start),
        cmocka_unit_test(a_generator_without_a_seed_gives_nothing),
        cmocka_unit_test(a_generator_gives_the_bytes_of_the_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
