/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/trust.h"
#include "firmware/crypto/crypto.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_vectors.h"

#include <string.h>

static const char vectors_file[] = "tests/vectors/trust.txt";

enum { NO_CUT = -1 };

/* Two copies in memory, and a power cut after so many bytes of the next saving. */
struct device {
    uint8_t copies[FW_TRUST_COPIES][TRUST_MAX_BYTES];
    size_t len_bytes[FW_TRUST_COPIES];
    int cut_after;
    bool refuses; /* its TLS library does not know such certificates */
    bool is_readonly;
    uint32_t adopted; /* version; 0: none */
    struct fw_trust trust;
};

static struct device device;

static struct hr_status load(void *ctx, uint32_t copy, uint8_t *out, size_t capacity_bytes, size_t *len_bytes)
{
    const struct device *from = ctx;
    if (from->len_bytes[copy] == 0 || from->len_bytes[copy] > capacity_bytes) {
        return hr_status_of(HR_NOT_FOUND);
    }
    memcpy(out, from->copies[copy], from->len_bytes[copy]);
    *len_bytes = from->len_bytes[copy];
    return hr_ok();
}

static struct hr_status save(void *ctx, uint32_t copy, struct hr_bytes bytes)
{
    struct device *to = ctx;
    size_t len_bytes = to->cut_after == NO_CUT ? bytes.len_bytes : (size_t)to->cut_after;
    memcpy(to->copies[copy], bytes.data, len_bytes);
    to->len_bytes[copy] = to->is_readonly ? 0 : len_bytes;
    return hr_status_of(to->cut_after == NO_CUT ? HR_OK : HR_IO);
}

static struct hr_status usable(void *ctx, const struct trust_bundle *bundle)
{
    (void)bundle;
    return hr_status_of(((const struct device *)ctx)->refuses ? HR_MALFORMED : HR_OK);
}

static struct hr_status adopt(void *ctx, const struct trust_bundle *bundle)
{
    ((struct device *)ctx)->adopted = bundle->version;
    return hr_ok();
}

static struct hr_status verify(void *ctx, const uint8_t spki[TRUST_SPKI_BYTES],
                               const uint8_t digest[WIRE_DIGEST_BYTES],
                               const uint8_t signature[TRUST_ECDSA_BYTES])
{
    (void)ctx;
    return crypto_verify_digest(spki, digest, signature);
}

static struct hr_status boot(void)
{
    const struct fw_trust_platform platform = {load, save, usable, adopt, &device};
    const struct trust_verify verifier = {.verify = verify};
    device.cut_after = NO_CUT;
    device.adopted = 0;
    return fw_trust_open(&device.trust, &platform, crypto_hash(), &verifier);
}

static int begin(void **state)
{
    (void)state;
    memset(&device, 0, sizeof device);
    device.len_bytes[0] = test_vector(vectors_file, "first", device.copies[0], TRUST_MAX_BYTES);
    return hr_is_ok(crypto_start()) && hr_is_ok(boot()) ? 0 : -1;
}

static struct hr_status offer(const char *name, const char **why)
{
    uint8_t *room = fw_trust_room(&device.trust);
    size_t len_bytes = test_vector(vectors_file, name, room, TRUST_MAX_BYTES);
    return fw_trust_offer(&device.trust, hr_bytes_of(room, len_bytes), why);
}

static void a_device_without_a_bundle_follows_none(void **state)
{
    (void)state;
    device.len_bytes[0] = 0;
    assert_code(boot(), HR_NOT_FOUND);
    assert_int_equal(fw_trust_version(&device.trust), 0);
    assert_int_equal(device.adopted, 0);
    /* Nor one that its own signers did not sign, or that is damaged. */
    device.len_bytes[0] = test_vector(vectors_file, "first_by_one", device.copies[0], TRUST_MAX_BYTES);
    device.len_bytes[1] = test_vector(vectors_file, "first", device.copies[1], TRUST_MAX_BYTES);
    device.copies[1][100] ^= 1;
    assert_code(boot(), HR_NOT_FOUND);
}

static void bundles_are_followed_one_by_one_and_the_newest_is_found_again(void **state)
{
    (void)state;
    const char *why = "";
    assert_int_equal(device.adopted, 1);
    assert_ok(offer("second", &why));
    assert_int_equal(device.adopted, 2);
    assert_ok(offer("third", &why));
    assert_int_equal(device.adopted, 3);
    assert_int_equal(device.trust.counters.adopted, 2);
    assert_ok(boot());
    assert_int_equal(device.adopted, 3);
    assert_int_equal(device.trust.bundle.n_ca, 1);
    /* One copy lost, the one before is there. */
    device.len_bytes[device.trust.copy] = 0;
    assert_ok(boot());
    assert_int_equal(device.adopted, 2);
}

static void assert_refused(const char *name, const char *wanted)
{
    const char *why = "";
    uint32_t version = fw_trust_version(&device.trust);
    assert_code(offer(name, &why), HR_DENIED);
    assert_string_equal(why, wanted);
    assert_int_equal(fw_trust_version(&device.trust), version);
    assert_int_equal(device.adopted, version);
    assert_int_equal(device.trust.bundle.n_signers, 2); /* it still reads as it did */
}

static void what_is_refused_changes_nothing_and_is_counted(void **state)
{
    (void)state;
    const char *why = "";
    assert_refused("first", "stale");
    assert_refused("third", "skipped");
    assert_refused("second_by_its_own", "not_by_old_signers");
    assert_refused("second_by_one_of_two", "not_by_old_signers");
    assert_refused("second_forged", "not_by_old_signers");
    assert_refused("second_not_by_new", "not_by_new_signers");
    device.refuses = true;
    assert_refused("second", "malformed");
    device.refuses = false;
    assert_code(fw_trust_offer(&device.trust, hr_bytes_of("?", 1), &why), HR_DENIED);
    const struct fw_trust_counters *counters = &device.trust.counters;
    assert_int_equal(counters->stale, 1);
    assert_int_equal(counters->skipped, 1);
    assert_int_equal(counters->not_by_old, 3);
    assert_int_equal(counters->not_by_new, 1);
    assert_int_equal(counters->malformed, 2);
    assert_int_equal(counters->adopted, 0);
    struct edge_stats stats;
    fw_trust_stats(&device.trust, &stats);
    assert_string_equal(stats.source, "trust");
    assert_int_equal(stats.n_counters, 7);
    assert_ok(offer("second", &why));
}

/* Wherever the power goes while the second copy is written, the device comes back with a bundle that it
 * trusts, and takes the next one when it is offered again. */
static void a_cut_anywhere_leaves_a_bundle_that_is_trusted(void **state)
{
    (void)state;
    uint8_t second[TRUST_MAX_BYTES];
    int len_bytes = (int)test_vector(vectors_file, "second", second, sizeof second);
    const char *why = "";
    for (int cut = 0; cut <= len_bytes; cut += cut % 64 == 0 ? 1 : 41) {
        assert_int_equal(begin(NULL), 0);
        device.cut_after = cut;
        assert_code(offer("second", &why), HR_IO);
        assert_int_equal(device.adopted, 1);
        assert_int_equal(device.trust.counters.failed, 1);
        assert_ok(boot());
        assert_int_equal(device.adopted, cut == len_bytes ? 2 : 1);
        if (cut < len_bytes) {
            assert_ok(offer("second", &why));
        }
        assert_int_equal(device.adopted, 2);
    }
}

static void what_does_not_read_back_is_not_adopted(void **state)
{
    (void)state;
    const char *why = "";
    device.is_readonly = true;
    assert_code(offer("second", &why), HR_IO);
    assert_int_equal(device.adopted, 1);
    assert_int_equal(fw_trust_version(&device.trust), 1);
    device.is_readonly = false;
    assert_ok(offer("second", &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_device_without_a_bundle_follows_none, begin),
        cmocka_unit_test_setup(bundles_are_followed_one_by_one_and_the_newest_is_found_again, begin),
        cmocka_unit_test_setup(what_is_refused_changes_nothing_and_is_counted, begin),
        cmocka_unit_test_setup(a_cut_anywhere_leaves_a_bundle_that_is_trusted, begin),
        cmocka_unit_test_setup(what_does_not_read_back_is_not_adopted, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
