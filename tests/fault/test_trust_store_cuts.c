/* SPDX-License-Identifier: Apache-2.0
 *
 * Power goes at every flash operation with which a device keeps its first trust bundle, and follows the next
 * one. Whatever happens, a boot believes the authorities of before or of behind, all later boots believe the
 * same, and there is always one that is believed. */
#include "firmware/app/trust_store.h"
#include "firmware/crypto/crypto.h"
#include "proto/base/assert.h"
#include "tests/support/identity_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_vectors.h"

#include <string.h>

enum { DEVICE = 7, N_TEARS = 3, N_SECTORS = 12 };

static const char vectors_file[] = "tests/vectors/trust.txt";
static const struct sim_flash_config config = {.kind = SIM_FLASH_NOR,
                                               .sector_bytes = 4096,
                                               .n_sectors = N_SECTORS,
                                               .program_unit_bytes = 8,
                                               .weak_bits = true,
                                               .seed = 5};

static struct sim_flash flash;
static struct sim_flash before;
static uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
static struct fw_identity_store store;

static void log_nothing(void *ctx, enum port_log_level level, const char *event,
                        const struct port_log_field *fields, uint32_t n_fields)
{
    (void)ctx, (void)level, (void)event, (void)fields, (void)n_fields;
}

static const struct port_log quiet = {.write = log_nothing};

static void boot(void)
{
    assert_ok(fw_identity_store_open(&store, &flash.port, page));
    assert_ok(fw_identity_store_settle(&store));
    app_trust_store_init(&flash.port, image_trust_address(&store.image.regions, 0), &store);
    assert_ok(app_trust_store_open(&quiet));
}

static struct hr_status keep(const char *name)
{
    static uint8_t bytes[TRUST_MAX_BYTES];
    size_t len_bytes = test_vector(vectors_file, name, bytes, sizeof bytes);
    struct hr_status status = hr_status_of(HR_AGAIN);
    struct image_identity next = store.image;
    for (uint32_t i = 0; i * (size_t)APP_TRUST_PIECE_BYTES < len_bytes; i++) {
        size_t at = i * (size_t)APP_TRUST_PIECE_BYTES;
        size_t left_bytes = len_bytes - at;
        size_t n_bytes = left_bytes < APP_TRUST_PIECE_BYTES ? left_bytes : APP_TRUST_PIECE_BYTES;
        status = app_trust_store_keep(i, hr_bytes_of(bytes + at, n_bytes), &next);
        if (!hr_is(status, HR_AGAIN)) {
            break;
        }
    }
    return hr_is_ok(status) ? fw_identity_store_replace(&store, &next) : status;
}

/* A device without a bundle, in memory that was never written. */
static void make_device(void)
{
    struct image_identity identity = identity_of(&flash, DEVICE);
    sim_flash_power_on(&flash);
    for (uint32_t sector = 0; sector < N_SECTORS; sector++) {
        assert_ok(flash.port.erase(flash.port.ctx, sector));
    }
    assert_code(fw_identity_store_open(&store, &flash.port, page), HR_NOT_FOUND);
    assert_ok(fw_identity_store_replace(&store, &identity));
    boot();
}

static int begin(void **state)
{
    (void)state;
    sim_flash_make(&flash, &config);
    sim_flash_make(&before, &config);
    assert_ok(crypto_start());
    make_device();
    assert_ok(keep("store_first"));
    boot();
    return 0;
}

static int end(void **state)
{
    (void)state;
    sim_flash_free(&flash);
    sim_flash_free(&before);
    return 0;
}

static struct hr_status offer(const char *name, const char **why)
{
    struct fw_trust *trust = app_trust_store_followed();
    assert_non_null(trust);
    uint8_t *room = fw_trust_room(trust);
    size_t len_bytes = test_vector(vectors_file, name, room, TRUST_MAX_BYTES);
    return fw_trust_offer(trust, hr_bytes_of(room, len_bytes), why);
}

/* What sessions are opened with, of a device that follows this version; 0: of its identity. */
static void believes(uint32_t version)
{
    static const char *const of[][2] = {
        {NULL, NULL}, {"old_authority", NULL}, {"old_authority", "new_authority"}, {"new_authority", NULL}};
    static const char *const names[] = {"s", "agg.example", "agg.example", "agg2.example"};
    uint8_t wanted[2 * TRUST_CERTIFICATE_MAX_BYTES];
    size_t len_bytes = 0;
    for (size_t i = 0; i < 2 && of[version][i] != NULL; i++) {
        len_bytes += test_vector(vectors_file, of[version][i], wanted + len_bytes, sizeof wanted - len_bytes);
    }
    if (version == 0) {
        const struct image_identity identity = identity_of(&flash, DEVICE);
        len_bytes = identity.ca[0].len_bytes;
        memcpy(wanted, identity.ca[0].data, len_bytes);
    }
    assert_int_equal(app_trust_store_ca().len_bytes, len_bytes);
    assert_memory_equal(app_trust_store_ca().data, wanted, len_bytes);
    assert_string_equal(app_trust_store_server_name(), names[version]);
    assert_int_equal(store.image.trust_version, version);
}

static void bundles_are_followed_and_found_again(void **state)
{
    (void)state;
    const char *why = "";
    const uint8_t *borrowed = store.image.certificate.data;
    believes(1);
    assert_ok(offer("store_second", &why));
    believes(2);
    boot();
    believes(2);
    assert_ok(offer("store_third", &why));
    believes(3);
    boot();
    believes(3);
    assert_ptr_equal(borrowed, store.image.certificate.data);
}

static void what_is_refused_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } cases[] = {{"store_first", "stale"},
                 {"store_third", "skipped"},
                 {"second_by_its_own", "not_by_old_signers"},
                 {"second_not_by_new", "not_by_new_signers"},
                 {"store_no_authority", "malformed"}};
    const uint32_t sequence = store.image.sequence;
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        const char *why = "";
        assert_code(offer(cases[i].name, &why), HR_DENIED);
        assert_string_equal(why, cases[i].why);
        believes(1);
        assert_int_equal(store.image.sequence, sequence);
    }
    boot();
    believes(1);
}

/* Cuts `body` at every operation; each time a boot comes behind it, and two more. Gives how often. */
static uint32_t cut_everywhere(struct hr_status (*body)(void), uint32_t old_version, uint32_t new_version)
{
    uint32_t n_cuts = 0;
    sim_flash_copy(&before, &flash);
    for (uint32_t op = 0;; op++) {
        for (uint32_t tear = 0; tear < N_TEARS; tear++) {
            sim_flash_copy(&flash, &before);
            boot();
            sim_flash_plan(&flash, (struct sim_flash_cut){op, tear, SIM_FLASH_NONE_SURVIVE});
            struct hr_status status = body();
            if (!flash.is_off) {
                assert_ok(status);
                assert_int_equal(store.image.trust_version, new_version);
                return n_cuts;
            }
            n_cuts++;
            sim_flash_power_on(&flash);
            boot();
            const uint32_t found = store.image.trust_version;
            assert_true(found == old_version || found == new_version);
            believes(found);
            sim_flash_power_on(&flash);
            boot();
            believes(found);
            if (found == old_version) {
                assert_ok(body());
                boot();
                believes(new_version);
            }
        }
    }
}

static struct hr_status follow_second(void)
{
    const char *why = "";
    return offer("store_second", &why);
}

static struct hr_status keep_first(void)
{
    return keep("store_first");
}

static void a_cut_leaves_the_bundle_of_before_or_of_behind(void **state)
{
    (void)state;
    uint32_t n_cuts = cut_everywhere(follow_second, 1, 2);
    print_message("%u cuts while a bundle is followed\n", n_cuts);
    assert_true(n_cuts > 100);
}

static void a_cut_while_the_first_one_comes_leaves_none_or_all_of_it(void **state)
{
    (void)state;
    make_device();
    believes(0);
    uint32_t n_cuts = cut_everywhere(keep_first, 0, 1);
    print_message("%u cuts while the first bundle comes\n", n_cuts);
    assert_true(n_cuts > 100);
}

static void pieces_that_make_no_bundle_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[TRUST_MAX_BYTES];
    make_device();
    struct image_identity next = store.image;
    assert_code(keep("store_first_by_one"), HR_MALFORMED);
    assert_code(keep("first"), HR_MALFORMED); /* its authority is none */
    assert_code(app_trust_store_keep(0, hr_bytes_of("?", 1), &next), HR_MALFORMED);
    size_t len_bytes = test_vector(vectors_file, "store_second", bytes, sizeof bytes);
    assert_code(app_trust_store_keep(8, hr_bytes_of(bytes, 1), &next), HR_MALFORMED);
    assert_code(app_trust_store_keep(0, hr_bytes_of(bytes, APP_TRUST_PIECE_BYTES), &next), HR_AGAIN);
    assert_code(app_trust_store_keep(0, hr_bytes_of(bytes, APP_TRUST_PIECE_BYTES), &next), HR_AGAIN);
    const struct hr_bytes second = hr_bytes_of(bytes + APP_TRUST_PIECE_BYTES, APP_TRUST_PIECE_BYTES);
    assert_code(app_trust_store_keep(1, second, &next), HR_AGAIN);
    assert_code(app_trust_store_keep(1, second, &next), HR_AGAIN);
    const struct hr_bytes other = hr_bytes_of(bytes, APP_TRUST_PIECE_BYTES);
    assert_code(app_trust_store_keep(1, other, &next), HR_MALFORMED);
    const size_t at = 2 * (size_t)APP_TRUST_PIECE_BYTES;
    assert_ok(app_trust_store_keep(2, hr_bytes_of(bytes + at, len_bytes - at), &next));
    assert_int_equal(next.trust_version, 2);
    believes(0);
}

static void without_its_bundle_a_device_believes_its_identity(void **state)
{
    (void)state;
    const uint64_t at = image_trust_address(&store.image.regions, 0);
    assert_ok(flash.port.erase(flash.port.ctx, (uint32_t)at / config.sector_bytes));
    boot();
    assert_null(app_trust_store_followed());
    store.image.trust_version = 0; /* for the comparison */
    believes(0);
}

static void memory_that_fails_leaves_the_old_bundle(void **state)
{
    (void)state;
    const char *why = "";
    sim_flash_plan(&flash, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
    flash.faults.program_op = 5; /* in the page */
    assert_code(offer("store_second", &why), HR_IO);
    assert_string_equal(why, "failed");
    believes(1);
    assert_ok(offer("store_second", &why));
    believes(2);
}

static void memory_that_ends_before_the_pages_follows_nothing(void **state)
{
    (void)state;
    app_trust_store_init(&flash.port, (uint64_t)(N_SECTORS - 1) * config.sector_bytes, &store);
    assert_false(app_trust_store_follows());
    assert_ok(app_trust_store_open(&quiet));
    assert_null(app_trust_store_followed());
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(bundles_are_followed_and_found_again),
        STORE_TEST(what_is_refused_changes_nothing),
        STORE_TEST(a_cut_leaves_the_bundle_of_before_or_of_behind),
        STORE_TEST(a_cut_while_the_first_one_comes_leaves_none_or_all_of_it),
        STORE_TEST(pieces_that_make_no_bundle_are_refused),
        STORE_TEST(without_its_bundle_a_device_believes_its_identity),
        STORE_TEST(memory_that_fails_leaves_the_old_bundle),
        STORE_TEST(memory_that_ends_before_the_pages_follows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
