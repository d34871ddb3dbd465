/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/crypto.h"
#include "proto/base/assert.h"
#include "proto/trust/trust.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_vectors.h"

#include <string.h>

static const char vectors_file[] = "tests/vectors/trust.txt";

struct loaded {
    uint8_t bytes[TRUST_MAX_BYTES];
    size_t len_bytes;
    struct trust_bundle bundle;
};

static struct loaded first;
static struct loaded other;

static uint32_t n_verified;

static struct hr_status verify(void *ctx, const uint8_t spki[TRUST_SPKI_BYTES],
                               const uint8_t digest[WIRE_DIGEST_BYTES],
                               const uint8_t signature[TRUST_ECDSA_BYTES])
{
    n_verified++;
    return ctx != NULL ? *(struct hr_status *)ctx : crypto_verify_digest(spki, digest, signature);
}

static const struct trust_verify verifier = {.verify = verify};

static void load(struct loaded *out, const char *name)
{
    out->len_bytes = test_vector(vectors_file, name, out->bytes, sizeof out->bytes);
    assert_ok(trust_decode(hr_bytes_of(out->bytes, out->len_bytes), &out->bundle));
}

static int start(void **state)
{
    (void)state;
    load(&first, "first");
    return hr_is_ok(crypto_start()) ? 0 : -1;
}

static void a_bundle_is_read_and_written_as_it_was(void **state)
{
    (void)state;
    const struct trust_bundle *bundle = &first.bundle;
    uint8_t digest[WIRE_DIGEST_BYTES];
    uint8_t wanted[WIRE_DIGEST_BYTES];
    uint8_t out[TRUST_MAX_BYTES];
    size_t len_bytes = 0;
    assert_int_equal(bundle->version, 1);
    assert_int_equal(bundle->threshold, 2);
    assert_int_equal(bundle->n_signers, 2);
    assert_int_equal(bundle->n_ca, 1);
    assert_int_equal(bundle->ca[0].len_bytes, 304);
    assert_int_equal(bundle->n_names, 1);
    assert_string_equal(bundle->names[0], "agg.example");
    assert_int_equal(bundle->n_signatures, 2);
    test_vector(vectors_file, "digest_one", wanted, sizeof wanted);
    size_t one =
        0; /* the signers stand in the order of their bytes; the vector is of the first that was made */
    trust_digest(crypto_hash(), bundle->body, bundle->signers[0], digest);
    one = memcmp(digest, wanted, sizeof wanted) == 0 ? 0 : 1;
    trust_digest(crypto_hash(), bundle->body, bundle->signers[one], digest);
    assert_memory_equal(digest, wanted, sizeof wanted);
    assert_ok(trust_encode(bundle, out, sizeof out, &len_bytes));
    assert_int_equal(len_bytes, first.len_bytes);
    assert_memory_equal(out, first.bytes, len_bytes);
    assert_code(trust_encode(bundle, out, first.len_bytes - 1, &len_bytes), HR_FULL);
}

static void the_first_bundle_is_signed_by_its_own_threshold(void **state)
{
    (void)state;
    assert_ok(trust_check_first(&first.bundle, crypto_hash(), &verifier));
    load(&other, "first_by_one");
    assert_code(trust_check_first(&other.bundle, crypto_hash(), &verifier), HR_DENIED);
}

static void assert_refused(const char *name, enum trust_refusal wanted)
{
    enum trust_refusal why = TRUST_STALE;
    load(&other, name);
    assert_code(trust_check_next(&first.bundle, &other.bundle, crypto_hash(), &verifier, &why), HR_DENIED);
    assert_string_equal(trust_refusal_name(why), trust_refusal_name(wanted));
}

static void the_next_bundle_is_signed_by_both_thresholds(void **state)
{
    (void)state;
    enum trust_refusal why = TRUST_STALE;
    load(&other, "second");
    assert_int_equal(other.bundle.n_later, 1);
    assert_int_equal(other.bundle.n_ca, 2);
    assert_ok(trust_check_next(&first.bundle, &other.bundle, crypto_hash(), &verifier, &why));
    load(&other, "second_by_all");
    assert_ok(trust_check_next(&first.bundle, &other.bundle, crypto_hash(), &verifier, &why));
    assert_refused("second_by_one_of_two", TRUST_NOT_BY_OLD);
    assert_refused("second_by_its_own", TRUST_NOT_BY_OLD);
    assert_refused("second_foreign", TRUST_NOT_BY_OLD);
    assert_refused("second_forged", TRUST_NOT_BY_OLD);
    assert_refused("second_not_by_new", TRUST_NOT_BY_NEW);
}

static void versions_go_up_by_one(void **state)
{
    (void)state;
    static struct loaded second;
    enum trust_refusal why = TRUST_NOT_BY_NEW;
    load(&second, "second");
    assert_refused("third", TRUST_SKIPPED);
    assert_refused("first", TRUST_STALE);
    load(&other, "third");
    assert_ok(trust_check_next(&second.bundle, &other.bundle, crypto_hash(), &verifier, &why));
    assert_code(trust_check_next(&second.bundle, &first.bundle, crypto_hash(), &verifier, &why), HR_DENIED);
    assert_int_equal(why, TRUST_STALE);
    /* The highest version has no next one, 0 or otherwise. */
    struct trust_bundle last = second.bundle;
    last.version = UINT32_MAX;
    assert_code(trust_check_next(&last, &first.bundle, crypto_hash(), &verifier, &why), HR_DENIED);
    assert_int_equal(why, TRUST_STALE);
}

static void a_verifier_that_fails_is_no_refusal(void **state)
{
    (void)state;
    struct hr_status broken = hr_status_of(HR_IO);
    const struct trust_verify failing = {verify, &broken};
    enum trust_refusal why = TRUST_STALE;
    load(&other, "second");
    assert_code(trust_check_first(&first.bundle, crypto_hash(), &failing), HR_IO);
    assert_code(trust_check_next(&first.bundle, &other.bundle, crypto_hash(), &failing, &why), HR_IO);
}

/* A signer counts once, though its signature stands there twice or under another's name. */
static void no_key_counts_twice(void **state)
{
    (void)state;
    uint8_t bytes[TRUST_MAX_BYTES];
    size_t len_bytes = test_vector(vectors_file, "first_by_one", bytes, sizeof bytes);
    size_t count_at = len_bytes - TRUST_SIGNATURE_BYTES - 1;
    memcpy(bytes + len_bytes, bytes + count_at + 1, TRUST_SIGNATURE_BYTES);
    bytes[count_at] = 2;
    len_bytes += TRUST_SIGNATURE_BYTES;
    struct trust_bundle bundle;
    assert_code(trust_decode(hr_bytes_of(bytes, len_bytes), &bundle), HR_MALFORMED);
    for (size_t i = 0; i < first.bundle.n_signers; i++) { /* the other's name, the same signature */
        uint8_t id[WIRE_DIGEST_BYTES];
        trust_signer_id(crypto_hash(), first.bundle.signers[i], id);
        for (size_t place = 0; place < 2; place++) {
            uint8_t *at = bytes + count_at + 1 + place * TRUST_SIGNATURE_BYTES;
            uint8_t kept[WIRE_DIGEST_BYTES];
            memcpy(kept, at, sizeof kept);
            memcpy(at, id, sizeof id);
            if (hr_is_ok(trust_decode(hr_bytes_of(bytes, len_bytes), &bundle))) {
                assert_code(trust_check_first(&bundle, crypto_hash(), &verifier), HR_DENIED);
            }
            memcpy(at, kept, sizeof kept);
        }
    }
    struct trust_bundle twice = first.bundle;
    twice.signers[1] = twice.signers[0];
    assert_code(trust_encode(&twice, bytes, sizeof bytes, &len_bytes), HR_MALFORMED);
    twice = first.bundle;
    twice.signers[0] = first.bundle.signers[1];
    twice.signers[1] = first.bundle.signers[0];
    assert_code(trust_encode(&twice, bytes, sizeof bytes, &len_bytes), HR_MALFORMED);
}

static void what_is_out_of_range_is_not_written(void **state)
{
    (void)state;
    uint8_t out[TRUST_MAX_BYTES];
    size_t len_bytes = 0;
    static const uint8_t large[TRUST_CERTIFICATE_MAX_BYTES + 1] = {0x30, 0x82, 0x02, 0x7D};
    for (int i = 0; i < 8; i++) {
        struct trust_bundle bundle = first.bundle;
        static uint8_t compressed[TRUST_SPKI_BYTES];
        memcpy(compressed, first.bundle.signers[0], sizeof compressed);
        compressed[26] = 2;
        bundle.version = i == 0 ? 0 : bundle.version;
        bundle.threshold = (uint8_t)(i == 1 ? 0 : i == 2 ? 3 : bundle.threshold);
        bundle.n_ca = (uint8_t)(i == 3 ? 0 : bundle.n_ca);
        bundle.ca[0] = i == 4 ? hr_bytes_of(large, sizeof large) : bundle.ca[0];
        bundle.names[0] = i == 5 ? "" : i == 6 ? "agg example" : bundle.names[0];
        bundle.signers[0] = i == 7 ? compressed : bundle.signers[0];
        assert_code(trust_encode(&bundle, out, sizeof out, &len_bytes), HR_MALFORMED);
    }
}

/* Cut short or with one bit the other way round it is refused, or is not signed. */
static void nothing_is_taken_for_a_bundle_that_is_none(void **state)
{
    (void)state;
    struct trust_bundle bundle;
    uint32_t n_decoded = 0;
    for (size_t len = 0; len < first.len_bytes; len++) {
        struct hr_status status = trust_decode(hr_bytes_of(first.bytes, len), &bundle);
        assert_true(hr_is(status, HR_MALFORMED) || (len < 4 && hr_is(status, HR_NOT_FOUND)));
    }
    memcpy(other.bytes, first.bytes, first.len_bytes);
    for (size_t bit = 0; bit < 8 * first.len_bytes; bit++) {
        other.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (hr_is_ok(trust_decode(hr_bytes_of(other.bytes, first.len_bytes), &bundle))) {
            n_decoded++;
            if (bit % 64 == 0) { /* verifying is dear */
                assert_code(trust_check_first(&bundle, crypto_hash(), &verifier), HR_DENIED);
            }
        }
        other.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_true(n_decoded > 2000); /* so there was something to verify */
    other.bytes[first.len_bytes] = 0;
    assert_code(trust_decode(hr_bytes_of(other.bytes, first.len_bytes + 1), &bundle), HR_MALFORMED);
}

static void bundles_stand_one_behind_another(void **state)
{
    (void)state;
    uint8_t bytes[3 * TRUST_MAX_BYTES];
    size_t len_bytes = 0;
    static const char *const names[] = {"first", "second", "third"};
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++) {
        len_bytes += test_vector(vectors_file, names[i], bytes + len_bytes, sizeof bytes - len_bytes);
    }
    struct hr_bytes left = hr_bytes_of(bytes, len_bytes);
    struct hr_bytes found;
    for (uint32_t i = 0; i < HR_ARRAY_LEN(names); i++) {
        uint32_t version = 0;
        assert_ok(trust_next(left, &found));
        assert_ok(trust_version_of(found, &version));
        assert_int_equal(version, i + 1);
        left = hr_bytes_of(left.data + found.len_bytes, left.len_bytes - found.len_bytes);
    }
    assert_code(trust_next(left, &found), HR_CLOSED);
    assert_code(trust_next(hr_bytes_of(bytes, first.len_bytes - 1), &found), HR_MALFORMED);
    assert_code(trust_next(hr_bytes_of("no bundle at all", 16), &found), HR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_is_read_and_written_as_it_was),
        cmocka_unit_test(the_first_bundle_is_signed_by_its_own_threshold),
        cmocka_unit_test(the_next_bundle_is_signed_by_both_thresholds),
        cmocka_unit_test(versions_go_up_by_one),
        cmocka_unit_test(a_verifier_that_fails_is_no_refusal),
        cmocka_unit_test(no_key_counts_twice),
        cmocka_unit_test(what_is_out_of_range_is_not_written),
        cmocka_unit_test(nothing_is_taken_for_a_bundle_that_is_none),
        cmocka_unit_test(bundles_stand_one_behind_another),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
