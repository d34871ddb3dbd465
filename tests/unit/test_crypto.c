/* SPDX-License-Identifier: Apache-2.0
 *
 * The record key over PSA: against the shared vector, against the openssl program, and against signatures at
 * the edges of what ECDSA allows. */
#include "firmware/crypto/crypto.h"
#include "firmware/crypto/key_file.h"
#include "tests/support/openssl_tool.h"
#include "tests/support/signature_vector.h"
#include "tests/support/test_hash.h"
#include "tests/support/uplink_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* SEC1 (RFC 5915) around 32 bytes of private key: SEQUENCE {1, OCTET STRING, [0] secp256r1}. */
enum { SEC1_BYTES = 51 };

/* n of P-256, FIPS 186-4 D.1.2.3. */
static const uint8_t order_n[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                    0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

struct fixture {
    struct signature_vector vector;
    struct crypto_signer signer;
    struct crypto_verifier verifier;
    struct pki_folder folder;
};

static void sec1_of(const uint8_t private_key[32], uint8_t out[SEC1_BYTES])
{
    static const uint8_t head[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
    static const uint8_t tail[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, private_key, 32);
    memcpy(out + sizeof head + 32, tail, sizeof tail);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    assert_true(hr_is_ok(crypto_start()));
    signature_vector_load(&fixture.vector);
    uint8_t key[SEC1_BYTES];
    sec1_of(fixture.vector.private_key, key);
    assert_true(hr_is_ok(crypto_signer_load(&fixture.signer, hr_bytes_of(key, sizeof key), 3)));
    assert_true(hr_is_ok(crypto_verifier_load(&fixture.verifier, fixture.signer.spki, 3)));
    pki_folder_make(&fixture.folder);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    crypto_verifier_unload(&fixture->verifier);
    crypto_signer_unload(&fixture->signer);
    pki_folder_remove(&fixture->folder);
    return 0;
}

static void path_in(const struct fixture *fixture, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", fixture->folder.path, name);
}

static void write_file(const char *path, const void *data, size_t len_bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len_bytes, file), len_bytes);
    assert_int_equal(fclose(file), 0);
}

static void the_key_of_the_shared_vector_signs_its_signature_bit_for_bit(void **state)
{
    const struct fixture *fixture = *state;
    assert_memory_equal(fixture->signer.port.spki_sha256, fixture->vector.spki_sha256, WIRE_DIGEST_BYTES);
    assert_int_equal(fixture->signer.port.key_epoch, 3);
    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(fixture->vector.header, fixture->signer.port.spki_sha256, tbs);
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    struct hr_status status =
        fixture->signer.port.sign(fixture->signer.port.ctx, hr_bytes_of(tbs, sizeof tbs), signature);
    assert_true(hr_is_ok(status));
    assert_memory_equal(signature, fixture->vector.signature, sizeof signature);
}

static struct hr_status verify(const struct fixture *fixture, uint16_t epoch,
                               const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    return fixture->verifier.port.verify(fixture->verifier.port.ctx, epoch, fixture->vector.header,
                                         signature);
}

static void the_signature_of_the_shared_vector_verifies_and_any_flipped_bit_does_not(void **state)
{
    struct fixture *fixture = *state;
    assert_true(hr_is_ok(verify(fixture, 3, fixture->vector.signature)));
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        memcpy(signature, fixture->vector.signature, sizeof signature);
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(hr_is(verify(fixture, 3, signature), HR_DENIED));
    }
    for (size_t byte = 0; byte < WIRE_HEADER_BYTES; byte++) {
        fixture->vector.header[byte] ^= 0x10;
        assert_true(hr_is(verify(fixture, 3, fixture->vector.signature), HR_DENIED));
        fixture->vector.header[byte] ^= 0x10;
    }
}

static void a_key_epoch_without_a_public_key_is_not_found(void **state)
{
    const struct fixture *fixture = *state;
    assert_true(hr_is(verify(fixture, 4, fixture->vector.signature), HR_NOT_FOUND));
}

static void a_signature_with_r_or_s_out_of_range_is_denied(void **state)
{
    const struct fixture *fixture = *state;
    uint8_t above_n[32];
    memcpy(above_n, order_n, sizeof above_n);
    above_n[31]++;
    static const uint8_t zero[32];
    uint8_t all_ones[32];
    memset(all_ones, 0xff, sizeof all_ones);
    const uint8_t *const edges[] = {zero, order_n, above_n, all_ones};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        for (size_t part = 0; part < 2; part++) {
            uint8_t signature[WIRE_SIGNATURE_BYTES];
            memcpy(signature, fixture->vector.signature, sizeof signature);
            memcpy(signature + 32 * part, edges[i], 32);
            assert_true(hr_is(verify(fixture, 3, signature), HR_DENIED));
        }
    }
}

static void the_twin_of_a_signature_with_n_minus_s_verifies_too(void **state)
{
    const struct fixture *fixture = *state;
    uint8_t twin[WIRE_SIGNATURE_BYTES];
    memcpy(twin, fixture->vector.signature, sizeof twin);
    int borrow = 0;
    for (int i = 31; i >= 0; i--) {
        int digit = order_n[i] - twin[32 + i] - borrow;
        borrow = digit < 0;
        twin[32 + i] = (uint8_t)(digit + 256 * borrow);
    }
    assert_true(hr_is_ok(verify(fixture, 3, twin)));
}

/* What the collector seals, taken out of its spool. */
static void a_batch_out_of_the_spool_verifies_with_the_openssl_program(void **state)
{
    struct fixture *fixture = *state;
    static struct uplink_lab lab;
    lab_start(&lab, 1, LAB_MAX_SECTORS);
    lab.sign = fixture->signer.port;
    lab_offer(&lab, 1);
    uint8_t envelope[LAB_ENVELOPE_MAX_BYTES];
    uint32_t len_bytes = 0;
    assert_true(hr_is_ok(fw_spool_read(&lab.spool, 1, envelope, sizeof envelope, &len_bytes)));
    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(envelope, fixture->signer.port.spki_sha256, tbs);
    assert_true(openssl_verifies(&fixture->folder, hr_bytes_of(fixture->signer.spki, CRYPTO_SPKI_BYTES),
                                 hr_bytes_of(tbs, sizeof tbs), envelope + WIRE_HEADER_BYTES));
    assert_true(hr_is_ok(fixture->verifier.port.verify(fixture->verifier.port.ctx, 3, envelope,
                                                       envelope + WIRE_HEADER_BYTES)));
}

static void the_openssl_program_verifies_what_we_sign_with_a_key_that_it_made(void **state)
{
    struct fixture *fixture = *state;
    char key[128];
    path_in(fixture, "key.pem", key);
    const char *const generate[] = {
        "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key, NULL};
    assert_int_equal(openssl_run(generate), 0);
    assert_int_equal(chmod(key, 0600), 0);
    struct crypto_signer signer;
    struct crypto_fault fault;
    assert_true(hr_is_ok(crypto_signer_load_file(&signer, key, 1, &fault)));

    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(fixture->vector.header, signer.port.spki_sha256, tbs);
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    assert_true(hr_is_ok(signer.port.sign(signer.port.ctx, hr_bytes_of(tbs, sizeof tbs), signature)));
    assert_true(openssl_verifies(&fixture->folder, hr_bytes_of(signer.spki, sizeof signer.spki),
                                 hr_bytes_of(tbs, sizeof tbs), signature));
    tbs[WIRE_TBS_BYTES - 1] ^= 1;
    assert_false(openssl_verifies(&fixture->folder, hr_bytes_of(signer.spki, sizeof signer.spki),
                                  hr_bytes_of(tbs, sizeof tbs), signature));
    crypto_signer_unload(&signer);
}

static void a_private_key_that_others_may_read_is_refused_with_its_mode(void **state)
{
    const struct fixture *fixture = *state;
    char path[128];
    path_in(fixture, "key.der", path);
    uint8_t key[SEC1_BYTES];
    sec1_of(fixture->vector.private_key, key);
    write_file(path, key, sizeof key);
    struct crypto_signer signer;
    struct crypto_fault fault;
    static const mode_t modes[] = {0604, 0640, 0602, 0660};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_true(hr_is(crypto_signer_load_file(&signer, path, 1, &fault), HR_DENIED));
        assert_non_null(strstr(fault.text, "chmod 600"));
        assert_non_null(strstr(fault.text, path));
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_true(hr_is_ok(crypto_signer_load_file(&signer, path, 1, &fault)));
    assert_memory_equal(signer.port.spki_sha256, fixture->vector.spki_sha256, WIRE_DIGEST_BYTES);
    crypto_signer_unload(&signer);
}

static void a_missing_or_foreign_key_file_is_named(void **state)
{
    const struct fixture *fixture = *state;
    char path[128];
    path_in(fixture, "other.pem", path);
    struct crypto_signer signer;
    struct crypto_fault fault;
    assert_true(hr_is(crypto_signer_load_file(&signer, path, 1, &fault), HR_NOT_FOUND));
    assert_non_null(strstr(fault.text, path));
    const char *const p384[] = {
        "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", path, NULL};
    assert_int_equal(openssl_run(p384), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(hr_is(crypto_signer_load_file(&signer, path, 1, &fault), HR_MALFORMED));
    write_file(path, "no key", 6);
    assert_true(hr_is(crypto_signer_load_file(&signer, path, 1, &fault), HR_MALFORMED));
    write_file(path, "", 0);
    assert_true(hr_is(crypto_signer_load_file(&signer, path, 1, &fault), HR_MALFORMED));
}

static void a_key_that_is_not_that_of_the_certificate_is_denied(void **state)
{
    const struct fixture *fixture = *state;
    char key[128];
    char certificate[128];
    char other[128];
    path_in(fixture, "key.pem", key);
    path_in(fixture, "cert.pem", certificate);
    path_in(fixture, "other.pem", other);
    const char *const self_sign[] = {
        "openssl", "req",   "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-subj", "/CN=t", "-keyout", key,  "-out",     certificate,
        NULL};
    assert_int_equal(openssl_run(self_sign), 0);
    assert_int_equal(chmod(key, 0600), 0);
    struct crypto_fault fault = {""};
    assert_true(hr_is_ok(crypto_certificates_check(certificate, &fault)));
    assert_true(hr_is_ok(crypto_key_pair_check(certificate, key, &fault)));

    const char *const generate[] = {
        "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", other, NULL};
    assert_int_equal(openssl_run(generate), 0);
    assert_int_equal(chmod(other, 0600), 0);
    assert_true(hr_is(crypto_key_pair_check(certificate, other, &fault), HR_DENIED));
    assert_non_null(strstr(fault.text, other));
    assert_int_equal(chmod(key, 0644), 0);
    assert_true(hr_is(crypto_key_pair_check(certificate, key, &fault), HR_DENIED));
    assert_non_null(strstr(fault.text, "chmod 600"));
    assert_true(hr_is(crypto_certificates_check(key, &fault), HR_MALFORMED));
    assert_non_null(strstr(fault.text, key));
}

static void a_public_key_that_is_not_on_the_curve_is_malformed(void **state)
{
    const struct fixture *fixture = *state;
    uint8_t spki[CRYPTO_SPKI_BYTES];
    struct crypto_verifier verifier;
    memcpy(spki, fixture->signer.spki, sizeof spki);
    spki[CRYPTO_SPKI_BYTES - 1] ^= 1;
    assert_true(hr_is(crypto_verifier_load(&verifier, spki, 1), HR_MALFORMED));
    memcpy(spki, fixture->signer.spki, sizeof spki);
    spki[20] ^= 1;
    assert_true(hr_is(crypto_verifier_load(&verifier, spki, 1), HR_MALFORMED));
}

static void sha256_of_parts_is_that_of_their_join_at_every_length_around_the_joining_limit(void **state)
{
    (void)state;
    static const uint8_t abc_digest[WIRE_DIGEST_BYTES] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
        0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t digest[WIRE_DIGEST_BYTES];
    struct hr_bytes abc[] = {hr_bytes_of("a", 1), hr_bytes_of(NULL, 0), hr_bytes_of("bc", 2)};
    wire_sha256(crypto_hash(), abc, 3, digest);
    assert_memory_equal(digest, abc_digest, sizeof digest);

    static uint8_t text[1024];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 7);
    }
    for (size_t len_bytes = 249; len_bytes < 265; len_bytes++) {
        struct hr_bytes whole = hr_bytes_of(text, len_bytes);
        struct hr_bytes parts[] = {hr_bytes_of(text, 100), hr_bytes_of(text + 100, len_bytes - 100)};
        uint8_t of_parts[WIRE_DIGEST_BYTES];
        wire_sha256(test_hash(), &whole, 1, digest);
        wire_sha256(crypto_hash(), parts, 2, of_parts);
        assert_memory_equal(of_parts, digest, sizeof digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_the_shared_vector_signs_its_signature_bit_for_bit),
        cmocka_unit_test(the_signature_of_the_shared_vector_verifies_and_any_flipped_bit_does_not),
        cmocka_unit_test(a_key_epoch_without_a_public_key_is_not_found),
        cmocka_unit_test(a_signature_with_r_or_s_out_of_range_is_denied),
        cmocka_unit_test(the_twin_of_a_signature_with_n_minus_s_verifies_too),
        cmocka_unit_test(a_batch_out_of_the_spool_verifies_with_the_openssl_program),
        cmocka_unit_test(the_openssl_program_verifies_what_we_sign_with_a_key_that_it_made),
        cmocka_unit_test(a_private_key_that_others_may_read_is_refused_with_its_mode),
        cmocka_unit_test(a_missing_or_foreign_key_file_is_named),
        cmocka_unit_test(a_key_that_is_not_that_of_the_certificate_is_denied),
        cmocka_unit_test(a_public_key_that_is_not_on_the_curve_is_malformed),
        cmocka_unit_test(sha256_of_parts_is_that_of_their_join_at_every_length_around_the_joining_limit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
