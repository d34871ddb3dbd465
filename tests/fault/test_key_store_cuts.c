/* SPDX-License-Identifier: Apache-2.0
 *
 * Power goes at every flash operation with which an identity store follows a change of the record key.
 * Whatever happens, a boot has the keys and the note of before or of behind, never of between, and what
 * sessions borrow of the page stands where it stood. */
#include "firmware/app/key_store.h"
#include "firmware/crypto/device_key.h"
#include "proto/base/assert.h"
#include "tests/support/identity_lab.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { DEVICE = 7, N_TEARS = 3, STREAM = 4, SEQ = 77 };

/* What a phase becomes, by which call. */
struct change {
    enum port_keys_phase from, to;
};

static const struct change changes[] = {
    {PORT_KEYS_SINGLE, PORT_KEYS_PREPARED}, {PORT_KEYS_PREPARED, PORT_KEYS_PLACED},
    {PORT_KEYS_PLACED, PORT_KEYS_PREPARED}, {PORT_KEYS_PLACED, PORT_KEYS_IN_USE},
    {PORT_KEYS_IN_USE, PORT_KEYS_BACK},     {PORT_KEYS_BACK, PORT_KEYS_IN_USE},
    {PORT_KEYS_BACK, PORT_KEYS_PREPARED},   {PORT_KEYS_PREPARED, PORT_KEYS_SINGLE},
    {PORT_KEYS_BACK, PORT_KEYS_SINGLE},     {PORT_KEYS_IN_USE, PORT_KEYS_SINGLE},
};

static struct sim_flash flash;
static struct sim_flash before;
static uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
static struct fw_identity_store store;
static struct app_key_store keys;
static bool is_open;
static uint8_t first_spki[CRYPTO_SPKI_BYTES];

static void let_go(void)
{
    if (is_open) {
        crypto_signer_unload(&keys.pair.key);
        crypto_verifier_unload(&keys.pair.key_verifier);
        if (keys.pair.port.note.phase != PORT_KEYS_SINGLE || keys.pair.next.key_id != 0) {
            app_key_pair_forget_next(&keys.pair);
        }
    }
    is_open = false;
}

static void boot(void)
{
    let_go();
    assert_ok(fw_identity_store_open(&store, &flash.port, page));
    assert_ok(fw_identity_store_settle(&store));
    assert_ok(app_key_store_open(&keys, &store));
    is_open = true;
}

static struct hr_status make(struct change change)
{
    const struct port_keys *port = &keys.pair.port;
    bool has_place = change.to != PORT_KEYS_PREPARED;
    const struct port_keys_note note = {change.to, has_place ? STREAM : 0, has_place ? SEQ : 0};
    if (change.from == PORT_KEYS_SINGLE) {
        return port->prepare(port->ctx);
    }
    if (change.to == PORT_KEYS_SINGLE) {
        return change.from == PORT_KEYS_IN_USE ? port->promote(port->ctx) : port->discard(port->ctx);
    }
    return port->save(port->ctx, note);
}

/* A device that has come as far as `phase`, by the ways that there are. */
static void walk_to(enum port_keys_phase phase)
{
    static const enum port_keys_phase way[] = {PORT_KEYS_SINGLE, PORT_KEYS_PREPARED, PORT_KEYS_PLACED,
                                               PORT_KEYS_IN_USE, PORT_KEYS_BACK};
    struct image_identity identity = identity_of(&flash, DEVICE);
    static uint8_t der[CRYPTO_KEY_BYTES];
    assert_ok(crypto_key_new(der));
    identity.record_key = hr_bytes_of(der, sizeof der);
    sim_flash_power_on(&flash); /* no cut is planned any more */
    for (uint32_t sector = 0; sector < flash.config.n_sectors; sector++) {
        assert_ok(flash.port.erase(flash.port.ctx, sector));
    }
    assert_true(hr_is(fw_identity_store_open(&store, &flash.port, page), HR_NOT_FOUND));
    assert_ok(fw_identity_store_replace(&store, &identity));
    boot();
    memcpy(first_spki, keys.pair.key.spki, sizeof first_spki);
    for (size_t i = 0; way[i] != phase; i++) {
        assert_ok(make((struct change){way[i], way[i + 1]}));
    }
}

/* The keys are those that the phase has, by what stood there before. */
static void check(enum port_keys_phase from, enum port_keys_phase phase, const uint8_t *next_spki)
{
    const struct port_keys *port = &keys.pair.port;
    bool is_promoted = from == PORT_KEYS_IN_USE && phase == PORT_KEYS_SINGLE;
    bool has_place = phase >= PORT_KEYS_PLACED;
    assert_int_equal(port->note.phase, phase);
    assert_int_equal(port->note.stream, has_place ? STREAM : 0);
    assert_int_equal(port->note.seq, has_place ? SEQ : 0);
    assert_int_equal(port->key.key_epoch, is_promoted ? DEVICE + 1 : DEVICE);
    assert_memory_equal(keys.pair.key.spki, is_promoted ? next_spki : first_spki, CRYPTO_SPKI_BYTES);
    if (phase != PORT_KEYS_SINGLE) {
        assert_int_equal(port->next.key_epoch, DEVICE + 1);
        assert_memory_not_equal(port->next_spki, first_spki, CRYPTO_SPKI_BYTES);
    }
    if (phase != PORT_KEYS_SINGLE && from != PORT_KEYS_SINGLE) {
        assert_memory_equal(port->next_spki, next_spki, CRYPTO_SPKI_BYTES);
    }
    const struct image_identity wanted = identity_of(&flash, DEVICE);
    assert_int_equal(store.image.certificate.len_bytes, wanted.certificate.len_bytes);
    assert_memory_equal(store.image.certificate.data, wanted.certificate.data, wanted.certificate.len_bytes);
}

/* Cuts one change everywhere; gives how often. */
static uint32_t cut_everywhere(struct change change)
{
    uint8_t next_spki[CRYPTO_SPKI_BYTES];
    uint32_t n_cuts = 0;
    walk_to(change.from);
    memcpy(next_spki, keys.pair.port.next_spki, sizeof next_spki);
    const uint8_t *borrowed = store.image.certificate.data;
    sim_flash_copy(&before, &flash);
    for (uint32_t op = 0;; op++) {
        for (uint32_t tear = 0; tear < N_TEARS; tear++) {
            sim_flash_copy(&flash, &before);
            boot();
            sim_flash_plan(&flash, (struct sim_flash_cut){op, tear, SIM_FLASH_NONE_SURVIVE});
            struct hr_status status = make(change);
            if (!flash.is_off) {
                assert_ok(status);
                assert_ptr_equal(store.image.certificate.data, borrowed);
                check(change.from, change.to, next_spki);
                return n_cuts;
            }
            n_cuts++;
            sim_flash_power_on(&flash);
            boot();
            bool is_done = keys.pair.port.note.phase == change.to;
            check(change.from, is_done ? change.to : change.from, next_spki);
            enum port_keys_phase found = keys.pair.port.note.phase;
            boot();
            assert_int_equal(keys.pair.port.note.phase, found);
        }
    }
}

static void a_cut_leaves_the_keys_of_before_or_of_behind(void **state)
{
    (void)state;
    const struct sim_flash_config config = {.kind = SIM_FLASH_NOR,
                                            .sector_bytes = 4096,
                                            .n_sectors = 8,
                                            .program_unit_bytes = 32,
                                            .weak_bits = true,
                                            .seed = 3};
    assert_ok(crypto_start());
    sim_flash_make(&flash, &config);
    sim_flash_make(&before, &config);
    uint32_t n_cuts = 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(changes); i++) {
        uint32_t n = cut_everywhere(changes[i]);
        assert_true(n > 0);
        n_cuts += n;
    }
    print_message("%u cuts in %zu changes of keys\n", n_cuts, HR_ARRAY_LEN(changes));
    let_go();
    sim_flash_free(&flash);
    sim_flash_free(&before);
}

static void a_key_of_another_length_is_left_as_it_is(void **state)
{
    (void)state;
    const struct sim_flash_config config = {
        .kind = SIM_FLASH_NOR, .sector_bytes = 4096, .n_sectors = 8, .program_unit_bytes = 8, .seed = 4};
    /* SEC1 without the public half, which is shorter. */
    static uint8_t der[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, 9,    9,    9,    9,    9,   9,
                            9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,   9,
                            9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,   9,
                            0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    assert_ok(crypto_start());
    sim_flash_make(&flash, &config);
    struct image_identity identity = identity_of(&flash, DEVICE);
    identity.record_key = hr_bytes_of(der, sizeof der);
    assert_true(hr_is(fw_identity_store_open(&store, &flash.port, page), HR_NOT_FOUND));
    assert_ok(fw_identity_store_replace(&store, &identity));
    boot();
    assert_code(make((struct change){PORT_KEYS_SINGLE, PORT_KEYS_PREPARED}), HR_FULL);
    assert_int_equal(keys.pair.port.note.phase, PORT_KEYS_SINGLE);
    let_go();
    sim_flash_free(&flash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_leaves_the_keys_of_before_or_of_behind),
        cmocka_unit_test(a_key_of_another_length_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
