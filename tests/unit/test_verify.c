/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL's verdicts on signatures, keys and envelopes; wherever both answer, mbedTLS must say the same. */
#include "aggregator/verify/verify.h"

#include "firmware/crypto/crypto.h"
#include "proto/base/assert.h"
#include "tests/support/batch_maker.h"
#include "tests/support/signature_vector.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"
#include "tests/support/test_random.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { HALF_BYTES = 32, SEC1_BYTES = 51 };

/* n of P-256, FIPS 186-4 D.1.2.3. */
static const char order_hex[] = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

struct fixture {
    struct signature_vector vector;
    struct crypto_signer signer;     /* the key of the shared vector */
    struct crypto_verifier verifier; /* mbedTLS */
    struct verify_key *key;          /* OpenSSL */
};

static int set_up(void **state)
{
    static struct fixture fixture;
    static const uint8_t head[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
    static const uint8_t tail[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    uint8_t sec1[SEC1_BYTES];
    signature_vector_load(&fixture.vector);
    memcpy(sec1, head, sizeof head);
    memcpy(sec1 + sizeof head, fixture.vector.private_key, HALF_BYTES);
    memcpy(sec1 + sizeof head + HALF_BYTES, tail, sizeof tail);
    assert_ok(crypto_start());
    assert_ok(crypto_signer_load(&fixture.signer, hr_bytes_of(sec1, sizeof sec1), 1));
    assert_ok(crypto_verifier_load(&fixture.verifier, fixture.signer.spki, 1));
    assert_ok(verify_key_parse(hr_bytes_of(fixture.signer.spki, CRYPTO_SPKI_BYTES), &fixture.key));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    verify_key_free(fixture->key);
    crypto_verifier_unload(&fixture->verifier);
    crypto_signer_unload(&fixture->signer);
    return 0;
}

/* What both libraries say; the test fails when they differ. */
static enum hr_code verdict_of_both(const struct fixture *fixture, const uint8_t header[WIRE_HEADER_BYTES],
                                    const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    const struct port_verify *mbedtls = &fixture->verifier.port;
    enum hr_code theirs = mbedtls->verify(mbedtls->ctx, 1, header, signature).code;
    enum hr_code ours = verify_signature(fixture->key, header, signature).code;
    assert_int_equal(ours, theirs);
    return ours;
}

static void the_shared_vector_holds(void **state)
{
    const struct fixture *fixture = *state;
    assert_memory_equal(verify_key_spki_sha256(fixture->key), fixture->vector.spki_sha256, WIRE_DIGEST_BYTES);
    assert_int_equal(verdict_of_both(fixture, fixture->vector.header, fixture->vector.signature), HR_OK);
}

/* Numbers modulo n, for signatures that no signer makes. */
struct scalar {
    BIGNUM *value;
    BIGNUM *order;
    BN_CTX *context;
};

static struct scalar scalar_of(const uint8_t bytes[HALF_BYTES])
{
    struct scalar scalar = {.value = BN_bin2bn(bytes, HALF_BYTES, NULL), .context = BN_CTX_new()};
    assert_int_equal(BN_hex2bn(&scalar.order, order_hex), 64);
    assert_non_null(scalar.value);
    return scalar;
}

static void scalar_end(struct scalar *scalar, uint8_t out[HALF_BYTES])
{
    if (out != NULL) {
        assert_int_equal(BN_bn2binpad(scalar->value, out, HALF_BYTES), HALF_BYTES);
    }
    BN_free(scalar->value);
    BN_free(scalar->order);
    BN_CTX_free(scalar->context);
}

static void the_high_s_twin_holds_too(void **state)
{
    const struct fixture *fixture = *state;
    uint8_t twin[WIRE_SIGNATURE_BYTES];
    memcpy(twin, fixture->vector.signature, sizeof twin);
    struct scalar s = scalar_of(twin + HALF_BYTES);
    assert_int_equal(BN_sub(s.value, s.order, s.value), 1);
    scalar_end(&s, twin + HALF_BYTES);
    assert_memory_not_equal(twin, fixture->vector.signature, sizeof twin);
    assert_int_equal(verdict_of_both(fixture, fixture->vector.header, twin), HR_OK);
}

/* r = -e/d mod n makes u1*G + u2*Q the point at infinity, whatever s is. */
static void a_signature_that_leads_to_infinity_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    uint8_t tbs[WIRE_TBS_BYTES];
    uint8_t digest[WIRE_DIGEST_BYTES];
    wire_tbs(fixture->vector.header, fixture->vector.spki_sha256, tbs);
    struct hr_bytes part = hr_bytes_of(tbs, sizeof tbs);
    wire_sha256(test_hash(), &part, 1, digest);
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    memcpy(signature, fixture->vector.signature, sizeof signature);
    struct scalar d = scalar_of(fixture->vector.private_key);
    BIGNUM *e = BN_bin2bn(digest, sizeof digest, NULL);
    assert_non_null(BN_mod_inverse(d.value, d.value, d.order, d.context));
    assert_int_equal(BN_mod_mul(d.value, d.value, e, d.order, d.context), 1);
    assert_int_equal(BN_sub(d.value, d.order, d.value), 1);
    BN_free(e);
    scalar_end(&d, signature);
    assert_int_equal(verdict_of_both(fixture, fixture->vector.header, signature), HR_DENIED);
}

/* value + n, when that fits 32 bytes: the same residue in another coding. */
static bool add_order(uint8_t value[HALF_BYTES])
{
    struct scalar sum = scalar_of(value);
    assert_int_equal(BN_add(sum.value, sum.value, sum.order), 1);
    bool fits = BN_num_bytes(sum.value) <= HALF_BYTES;
    scalar_end(&sum, fits ? value : NULL);
    return fits;
}

static void values_outside_of_one_to_n_minus_one_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const edges[] = {
        "0000000000000000000000000000000000000000000000000000000000000000", /* 0 */
        "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", /* n */
        "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632552", /* n + 1 */
        "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF", /* p */
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        /* in range, and no signature of this header */
        "0000000000000000000000000000000000000000000000000000000000000001",
        "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550", /* n - 1 */
        "8000000000000000000000000000000000000000000000000000000000000000",
    };
    uint32_t n = 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(edges); i++) {
        for (size_t k = 0; k <= HR_ARRAY_LEN(edges); k++) {
            /* every r with every s, and each alone beside the right other half */
            for (size_t side = 0; side < 2; side++) {
                uint8_t signature[WIRE_SIGNATURE_BYTES];
                memcpy(signature, fixture->vector.signature, sizeof signature);
                BIGNUM *one = NULL;
                assert_int_equal(BN_hex2bn(&one, edges[i]), 64);
                assert_int_equal(BN_bn2binpad(one, &signature[side * HALF_BYTES], HALF_BYTES), HALF_BYTES);
                if (k < HR_ARRAY_LEN(edges)) {
                    assert_int_equal(BN_hex2bn(&one, edges[k]), 64);
                    assert_int_equal(BN_bn2binpad(one, &signature[(1 - side) * HALF_BYTES], HALF_BYTES),
                                     HALF_BYTES);
                }
                BN_free(one);
                assert_int_equal(verdict_of_both(fixture, fixture->vector.header, signature), HR_DENIED);
                n++;
            }
        }
    }
    print_message("%u pairs\n", n);
}

static void halves_swapped_moved_or_of_another_header_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    const uint8_t *right = fixture->vector.signature;
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    memcpy(signature, right + HALF_BYTES, HALF_BYTES);
    memcpy(signature + HALF_BYTES, right, HALF_BYTES);
    assert_int_equal(verdict_of_both(fixture, fixture->vector.header, signature), HR_DENIED);
    memcpy(signature, right + 1, WIRE_SIGNATURE_BYTES - 1); /* cut by its first byte */
    signature[WIRE_SIGNATURE_BYTES - 1] = 0;
    assert_int_equal(verdict_of_both(fixture, fixture->vector.header, signature), HR_DENIED);
    uint8_t header[WIRE_HEADER_BYTES];
    memcpy(header, fixture->vector.header, sizeof header);
    header[21] ^= 1; /* the last bit of batch_seq */
    assert_int_equal(verdict_of_both(fixture, header, right), HR_DENIED);
}

static void an_s_coded_above_n_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    struct test_random random = test_random_start(3);
    uint8_t header[WIRE_HEADER_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    memcpy(header, fixture->vector.header, sizeof header);
    /* s + n fits 32 bytes for one s in 2^32 only, so this is tried on s small by construction: r of a real
     * signature stays, and the residue class of s is left by adding n. */
    memcpy(signature, fixture->vector.signature, sizeof signature);
    memset(signature + HALF_BYTES, 0, HALF_BYTES);
    signature[WIRE_SIGNATURE_BYTES - 1] = (uint8_t)(1 + test_random_below(&random, 200));
    assert_true(add_order(signature + HALF_BYTES));
    assert_int_equal(verdict_of_both(fixture, header, signature), HR_DENIED);
}

static void both_libraries_agree_on_thousands_of_changed_signatures(void **state)
{
    struct fixture *fixture = *state;
    struct test_random random = test_random_start(20261121);
    uint32_t n_ok = 0;
    const uint32_t n_cases = 3000;
    uint8_t header[WIRE_HEADER_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    for (uint32_t i = 0; i < n_cases; i++) {
        if (i % 8 == 0) { /* a new header, signed rightly */
            test_random_fill(&random, header, sizeof header);
            uint8_t tbs[WIRE_TBS_BYTES];
            wire_tbs(header, fixture->signer.port.spki_sha256, tbs);
            const struct port_sign *port = &fixture->signer.port;
            assert_ok(port->sign(port->ctx, hr_bytes_of(tbs, sizeof tbs), signature));
            assert_int_equal(verdict_of_both(fixture, header, signature), HR_OK);
            n_ok++;
            continue;
        }
        uint8_t changed[WIRE_SIGNATURE_BYTES];
        memcpy(changed, signature, sizeof changed);
        uint32_t at = test_random_below(&random, sizeof changed);
        switch (test_random_below(&random, 3)) {
        case 0:
            changed[at] ^= (uint8_t)(1u << test_random_below(&random, 8));
            break;
        case 1: /* leading zeros and high bits: where the DER coding turns */
            memset(at < HALF_BYTES ? changed : &changed[HALF_BYTES], at % 2 == 0 ? 0 : 0xFF, 1 + at % 8);
            break;
        default:
            test_random_fill(&random, changed + at, sizeof changed - at);
        }
        enum hr_code code = verdict_of_both(fixture, header, changed);
        assert_true(code == HR_DENIED || memcmp(changed, signature, sizeof changed) == 0);
    }
    print_message("%u cases, %u valid\n", n_cases, n_ok);
}

static void only_an_uncompressed_p256_key_on_the_curve_is_a_key(void **state)
{
    const struct fixture *fixture = *state;
    uint8_t spki[CRYPTO_SPKI_BYTES + 1];
    struct verify_key *key = NULL;
    memcpy(spki, fixture->signer.spki, CRYPTO_SPKI_BYTES);
    spki[CRYPTO_SPKI_BYTES] = 0;
    assert_code(verify_key_parse(hr_bytes_of(spki, CRYPTO_SPKI_BYTES + 1), &key), HR_MALFORMED);
    assert_code(verify_key_parse(hr_bytes_of(spki, CRYPTO_SPKI_BYTES - 1), &key), HR_MALFORMED);
    assert_code(verify_key_parse(hr_bytes_of(spki, 0), &key), HR_MALFORMED);
    for (size_t i = 0; i < 27; i++) { /* the head: algorithm, curve, form */
        spki[i] ^= 0x01;
        assert_code(verify_key_parse(hr_bytes_of(spki, CRYPTO_SPKI_BYTES), &key), HR_MALFORMED);
        spki[i] ^= 0x01;
    }
    spki[CRYPTO_SPKI_BYTES - 1] ^= 1; /* off the curve */
    assert_code(verify_key_parse(hr_bytes_of(spki, CRYPTO_SPKI_BYTES), &key), HR_MALFORMED);
    memset(spki + 27, 0, 64); /* the point (0, 0) */
    assert_code(verify_key_parse(hr_bytes_of(spki, CRYPTO_SPKI_BYTES), &key), HR_MALFORMED);
    memset(spki + 27, 0xFF, 64); /* coordinates above p */
    assert_code(verify_key_parse(hr_bytes_of(spki, CRYPTO_SPKI_BYTES), &key), HR_MALFORMED);
    assert_null(key);
}

static void a_key_of_another_curve_is_no_key(void **state)
{
    (void)state;
    EVP_PKEY *other = EVP_EC_gen("secp256k1"); /* as long as P-256's */
    unsigned char *der = NULL;
    int len_bytes = i2d_PUBKEY(other, &der);
    struct verify_key *key = NULL;
    assert_code(verify_key_parse(hr_bytes_of(der, (size_t)len_bytes), &key), HR_MALFORMED);
    OPENSSL_free(der);
    EVP_PKEY_free(other);
}

/* The public key of d = 2, 3, ... : keys of other devices. */
static void make_spki(uint8_t d, uint8_t out[CRYPTO_SPKI_BYTES])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *scalar = BN_new();
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                   0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
                                   0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    assert_int_equal(BN_set_word(scalar, d), 1);
    assert_int_equal(EC_POINT_mul(group, point, scalar, NULL, NULL, NULL), 1);
    memcpy(out, head, sizeof head);
    assert_int_equal(
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out + sizeof head, 65, NULL), 65);
    BN_free(scalar);
    EC_POINT_free(point);
    EC_GROUP_free(group);
}

static void a_keyring_gives_an_epoch_one_key_for_ever(void **state)
{
    const struct fixture *fixture = *state;
    struct verify_keyring *ring;
    uint8_t second[CRYPTO_SPKI_BYTES];
    make_spki(2, second);
    struct hr_bytes first = hr_bytes_of(fixture->signer.spki, CRYPTO_SPKI_BYTES);
    struct hr_bytes other = hr_bytes_of(second, sizeof second);
    assert_ok(verify_keyring_new(3, &ring));
    assert_null(verify_keyring_find(ring, 7, 1));
    assert_ok(verify_keyring_put(ring, 7, 1, first));
    const struct verify_key *found = verify_keyring_find(ring, 7, 1);
    assert_non_null(found);
    assert_memory_equal(verify_key_spki_sha256(found), fixture->vector.spki_sha256, WIRE_DIGEST_BYTES);
    assert_ok(verify_keyring_put(ring, 7, 1, first));
    assert_ptr_equal(verify_keyring_find(ring, 7, 1), found);
    assert_code(verify_keyring_put(ring, 7, 1, other), HR_DENIED);
    assert_ptr_equal(verify_keyring_find(ring, 7, 1), found);
    assert_code(verify_keyring_put(ring, 7, 2, hr_bytes_of(second, 90)), HR_MALFORMED);
    assert_null(verify_keyring_find(ring, 7, 2));
    assert_ok(verify_keyring_put(ring, 7, 2, other));
    assert_ok(verify_keyring_put(ring, 8, 1, other));
    assert_code(verify_keyring_put(ring, 9, 1, other), HR_FULL);
    assert_null(verify_keyring_find(ring, 9, 1));
    assert_ok(verify_keyring_put(ring, 8, 1, other));
    verify_keyring_free(ring);
}

static void keys_that_are_dropped_make_room_and_hide_no_other(void **state)
{
    enum { N_DEVICES = 60 };
    const struct fixture *fixture = *state;
    struct verify_keyring *ring;
    const struct hr_bytes spki = hr_bytes_of(fixture->signer.spki, CRYPTO_SPKI_BYTES);
    bool is_there[N_DEVICES] = {false};
    uint32_t n = 0;
    uint32_t random = 1;
    assert_ok(verify_keyring_new(N_DEVICES / 2, &ring));
    verify_keyring_drop(ring, 7, 1); /* of nothing */
    for (uint32_t step = 0; step < 3000; step++) {
        random = random * 1664525u + 1013904223u;
        uint32_t device = (random >> 8) % N_DEVICES;
        if (is_there[device]) {
            verify_keyring_drop(ring, device, 1);
            n--;
        } else {
            assert_code(verify_keyring_put(ring, device, 1, spki), n == N_DEVICES / 2 ? HR_FULL : HR_OK);
        }
        bool has_room = !is_there[device] && n < N_DEVICES / 2;
        n += has_room ? 1 : 0;
        is_there[device] = has_room;
        for (uint32_t i = 0; i < N_DEVICES; i++) {
            assert_int_equal(verify_keyring_find(ring, i, 1) != NULL, is_there[i]);
        }
    }
    /* Whoever took a key has it, also when it is dropped meanwhile. */
    uint32_t kept = 0;
    while (verify_keyring_find(ring, kept, 1) == NULL) {
        kept++;
    }
    struct verify_key *taken = verify_keyring_take(ring, kept, 1);
    verify_keyring_drop(ring, kept, 1);
    assert_null(verify_keyring_take(ring, kept, 1));
    assert_memory_equal(verify_key_spki_sha256(taken), fixture->vector.spki_sha256, WIRE_DIGEST_BYTES);
    verify_key_free(taken);
    verify_keyring_free(ring);
}

static void a_proof_holds_under_its_key_alone(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t message[] = "a message";
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    uint8_t other[CRYPTO_SPKI_BYTES];
    make_spki(2, other);
    struct hr_bytes bytes = hr_bytes_of(message, sizeof message);
    assert_ok(fixture->signer.port.sign(fixture->signer.port.ctx, bytes, signature));
    assert_true(verify_proof_holds(hr_bytes_of(fixture->signer.spki, CRYPTO_SPKI_BYTES), bytes, signature));
    assert_false(verify_proof_holds(hr_bytes_of(other, sizeof other), bytes, signature));
    assert_false(verify_proof_holds(hr_bytes_of(other, 10), bytes, signature));
    bytes.len_bytes--;
    assert_false(verify_proof_holds(hr_bytes_of(fixture->signer.spki, CRYPTO_SPKI_BYTES), bytes, signature));
}

/* A batch of three records, signed by the vector's key. */
static void make_batch(const struct fixture *fixture, struct made_batch *out)
{
    static const uint8_t zeros[WIRE_DIGEST_BYTES];
    struct batch_maker maker = {.sign = &fixture->signer.port};
    batch_maker_start(&maker, 7, 0, zeros);
    batch_maker_plain(&maker, 3, 0, out);
}

static enum wire_ack_status verdict_on(const struct fixture *fixture, const uint8_t *bytes, size_t len_bytes)
{
    struct verify_result result;
    verify_envelope(fixture->key, hr_bytes_of(bytes, len_bytes), &result);
    assert_true(result.has_parts || result.verdict == WIRE_ACK_MALFORMED ||
                result.verdict == WIRE_ACK_UNSUPPORTED);
    return result.verdict;
}

static void an_envelope_is_judged_in_the_order_of_the_checks(void **state)
{
    const struct fixture *fixture = *state;
    struct made_batch good;
    make_batch(fixture, &good);
    struct verify_result result;
    verify_envelope(fixture->key, hr_bytes_of(good.bytes, good.len_bytes), &result);
    assert_int_equal(result.verdict, WIRE_ACK_OK);
    assert_memory_equal(result.digest, good.digest, WIRE_DIGEST_BYTES);
    assert_int_equal(result.parts.header.n_records, 3);
    assert_ptr_equal(result.parts.header_bytes, good.bytes);

    struct made_batch bad = good;
    for (size_t len_bytes = 0; len_bytes < good.len_bytes; len_bytes++) {
        assert_int_equal(verdict_on(fixture, bad.bytes, len_bytes), WIRE_ACK_MALFORMED);
    }
    assert_int_equal(verdict_on(fixture, bad.bytes, good.len_bytes + 1), WIRE_ACK_MALFORMED);
    bad.bytes[0] ^= 1;
    assert_int_equal(verdict_on(fixture, bad.bytes, bad.len_bytes), WIRE_ACK_UNSUPPORTED);
    bad = good;
    bad.bytes[3] |= 0x80; /* an unknown flag */
    assert_int_equal(verdict_on(fixture, bad.bytes, bad.len_bytes), WIRE_ACK_MALFORMED);
    bad = good;
    bad.bytes[WIRE_HEADER_BYTES + 5] ^= 1;
    bad.bytes[WIRE_PREFIX_BYTES + 4] ^= 1; /* and a wrong record, which is not reached */
    assert_int_equal(verdict_on(fixture, bad.bytes, bad.len_bytes), WIRE_ACK_BAD_SIGNATURE);
    bad = good;
    bad.bytes[bad.len_bytes - 1] ^= 1;
    assert_int_equal(verdict_on(fixture, bad.bytes, bad.len_bytes), WIRE_ACK_BAD_ROOT);
}

static void a_signed_count_that_does_not_fit_the_payload_is_malformed(void **state)
{
    const struct fixture *fixture = *state;
    struct batch_maker maker = {.sign = &fixture->signer.port};
    struct made_batch batch;
    make_batch(fixture, &batch);
    for (int change = -1; change <= 1; change += 2) {
        struct made_batch wrong = batch;
        wrong.header.n_records = (uint16_t)(3 + change);
        batch_maker_seal(&maker, &wrong);
        assert_int_equal(verdict_on(fixture, wrong.bytes, wrong.len_bytes), WIRE_ACK_MALFORMED);
    }
}

/* ---- pool ---- */

enum { N_JOBS = 400, N_SLOTS = 512 };

struct pool_watch {
    atomic_uint n_done;
    atomic_uint n_twice;
    atomic_bool seen[N_JOBS];
    struct verify_job jobs[N_JOBS];
    pthread_mutex_t gate; /* held: `done` waits */
};

static struct pool_watch watch;

static void done(void *ctx, struct verify_job *job)
{
    struct pool_watch *all = ctx;
    HR_ASSERT(pthread_mutex_lock(&all->gate) == 0);
    HR_ASSERT(pthread_mutex_unlock(&all->gate) == 0);
    if (atomic_exchange(&all->seen[job - all->jobs], true)) {
        atomic_fetch_add(&all->n_twice, 1);
    }
    atomic_fetch_add(&all->n_done, 1);
}

static struct verify_keyring *ring_with_key(const struct fixture *fixture)
{
    struct verify_keyring *ring = NULL;
    assert_ok(verify_keyring_new(16, &ring));
    assert_ok(verify_keyring_put(ring, 7, 1, hr_bytes_of(fixture->signer.spki, CRYPTO_SPKI_BYTES)));
    return ring;
}

static void start_watch(void)
{
    memset(&watch, 0, sizeof watch);
    assert_int_equal(pthread_mutex_init(&watch.gate, NULL), 0);
}

static void every_job_of_a_pool_is_done_once_with_its_verdict(void **state)
{
    const struct fixture *fixture = *state;
    struct verify_keyring *ring = ring_with_key(fixture);
    struct made_batch good;
    make_batch(fixture, &good);
    struct made_batch forged = good;
    forged.bytes[WIRE_HEADER_BYTES] ^= 1;
    struct made_batch other_epoch = good;
    other_epoch.header.key_epoch = 2;
    struct batch_maker maker = {.sign = &fixture->signer.port};
    batch_maker_seal(&maker, &other_epoch);
    start_watch();
    struct verify_pool *pool;
    struct verify_pool_config config = {
        .n_threads = 4, .capacity_jobs = N_SLOTS, .keyring = ring, .done = done, .ctx = &watch};
    assert_ok(verify_pool_start(&config, &pool));
    for (uint32_t i = 0; i < N_JOBS; i++) {
        const struct made_batch *batches[] = {&good, &forged, &other_epoch, &good, &good};
        const struct made_batch *batch = batches[i % 5];
        watch.jobs[i].envelope = hr_bytes_of(batch->bytes, i % 5 == 4 ? 100 : batch->len_bytes);
        watch.jobs[i].certified_device_id = i % 5 == 3 ? 8 : 7;
        assert_ok(verify_pool_submit(pool, &watch.jobs[i]));
    }
    verify_pool_stop(pool);
    assert_int_equal(atomic_load(&watch.n_done), N_JOBS);
    assert_int_equal(atomic_load(&watch.n_twice), 0);
    static const enum wire_ack_status want[] = {WIRE_ACK_OK, WIRE_ACK_BAD_SIGNATURE, WIRE_ACK_UNKNOWN_KEY,
                                                WIRE_ACK_UNKNOWN_DEVICE, WIRE_ACK_MALFORMED};
    for (uint32_t i = 0; i < N_JOBS; i++) {
        assert_int_equal(watch.jobs[i].result.verdict, want[i % 5]);
    }
    verify_keyring_free(ring);
}

static void a_full_pool_takes_no_job_and_loses_none(void **state)
{
    const struct fixture *fixture = *state;
    struct verify_keyring *ring = ring_with_key(fixture);
    struct made_batch good;
    make_batch(fixture, &good);
    start_watch();
    struct verify_pool *pool;
    struct verify_pool_config config = {
        .n_threads = 1, .capacity_jobs = 3, .keyring = ring, .done = done, .ctx = &watch};
    assert_ok(verify_pool_start(&config, &pool));
    assert_int_equal(pthread_mutex_lock(&watch.gate), 0); /* the worker stops in its first `done` */
    uint32_t n_taken = 0;
    struct hr_status status = hr_ok();
    while (hr_is_ok(status)) {
        watch.jobs[n_taken].envelope = hr_bytes_of(good.bytes, good.len_bytes);
        watch.jobs[n_taken].certified_device_id = 7;
        status = verify_pool_submit(pool, &watch.jobs[n_taken]);
        n_taken += hr_is_ok(status) ? 1 : 0;
    }
    assert_int_equal(status.code, HR_FULL);
    assert_in_range(n_taken, 3, 4); /* the worker may have one in hand */
    assert_int_equal(pthread_mutex_unlock(&watch.gate), 0);
    verify_pool_stop(pool);
    assert_int_equal(atomic_load(&watch.n_done), n_taken);
    verify_keyring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shared_vector_holds),
        cmocka_unit_test(the_high_s_twin_holds_too),
        cmocka_unit_test(a_signature_that_leads_to_infinity_is_refused),
        cmocka_unit_test(values_outside_of_one_to_n_minus_one_are_refused),
        cmocka_unit_test(halves_swapped_moved_or_of_another_header_are_refused),
        cmocka_unit_test(an_s_coded_above_n_is_refused),
        cmocka_unit_test(both_libraries_agree_on_thousands_of_changed_signatures),
        cmocka_unit_test(only_an_uncompressed_p256_key_on_the_curve_is_a_key),
        cmocka_unit_test(a_key_of_another_curve_is_no_key),
        cmocka_unit_test(a_keyring_gives_an_epoch_one_key_for_ever),
        cmocka_unit_test(keys_that_are_dropped_make_room_and_hide_no_other),
        cmocka_unit_test(a_proof_holds_under_its_key_alone),
        cmocka_unit_test(an_envelope_is_judged_in_the_order_of_the_checks),
        cmocka_unit_test(a_signed_count_that_does_not_fit_the_payload_is_malformed),
        cmocka_unit_test(every_job_of_a_pool_is_done_once_with_its_verdict),
        cmocka_unit_test(a_full_pool_takes_no_job_and_loses_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
