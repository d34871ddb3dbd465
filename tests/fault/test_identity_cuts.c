/* SPDX-License-Identifier: Apache-2.0
 *
 * Power goes at every flash operation with which an identity is replaced, torn in every way, and goes again
 * at every operation with which the next boot settles what it finds. Whatever happens, a boot has the old
 * identity or the new one, whole; once a boot has begun to use one, all later boots have the same. */
#include "firmware/core/identity_store.h"
#include "tests/support/identity_lab.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

enum { OLD_ID = 7, NEW_ID = 8, LATER_BOOTS = 3 };

static struct sim_flash flash;
static struct sim_flash before;
static struct sim_flash after_first;
static uint8_t page[IMAGE_IDENTITY_MAX_BYTES];

/* The device that a boot finds and may use; 0: power went before. */
static uint64_t boot(void)
{
    struct fw_identity_store store;
    struct hr_status status = fw_identity_store_open(&store, &flash.port, page);
    if (hr_is_ok(status)) {
        status = fw_identity_store_settle(&store);
    }
    if (flash.is_off) {
        return 0;
    }
    assert_true(hr_is_ok(status));
    assert_true(store.is_settled);
    struct image_identity expected = identity_of(&flash, store.image.device_id);
    assert_true(identity_is(&store.image, &expected));
    return store.image.device_id;
}

/* True when power went; *used is then what was in force before, or what came into force. */
static bool replace_into(struct sim_flash_cut cut, uint64_t *used)
{
    struct fw_identity_store store;
    sim_flash_copy(&flash, &before);
    assert_true(hr_is_ok(fw_identity_store_open(&store, &flash.port, page)));
    struct image_identity next = identity_of(&flash, NEW_ID);
    sim_flash_plan(&flash, cut);
    struct hr_status status = fw_identity_store_replace(&store, &next);
    *used = hr_is_ok(status) ? NEW_ID : 0;
    if (!flash.is_off) {
        assert_true(hr_is_ok(status));
        assert_int_equal(store.image.device_id, NEW_ID);
    }
    return flash.is_off;
}

static void later_boots_agree(uint64_t used)
{
    for (uint32_t i = 0; i < LATER_BOOTS; i++) {
        sim_flash_power_on(&flash);
        uint64_t found = boot();
        assert_true(found == OLD_ID || found == NEW_ID);
        assert_true(used == 0 || found == used);
        used = found;
    }
}

static uint32_t n_tears(const struct sim_flash_config *config)
{
    return config->kind == SIM_FLASH_NOR ? 2 * flash.cut_units + 1 : 2;
}

/* Cuts the boot after everywhere, given the memory that a first cut left; returns how often. */
static uint32_t sweep_boot(const struct sim_flash_config *config, enum sim_flash_survivors survivors)
{
    uint32_t n_cuts = 0;
    for (uint32_t op = 0;; op++) {
        uint32_t tears = 1;
        for (uint32_t tear = 0; tear < tears; tear++) {
            sim_flash_copy(&flash, &after_first);
            sim_flash_plan(&flash, (struct sim_flash_cut){op, tear, survivors});
            uint64_t used = boot();
            if (!flash.is_off) {
                later_boots_agree(used);
                return n_cuts;
            }
            tears = n_tears(config);
            n_cuts++;
            later_boots_agree(used);
        }
    }
}

/* `is_even`: how the copies stand before, which decides what is written first. */
static void sweep(const char *name, const struct sim_flash_config *config, enum sim_flash_survivors survivors,
                  bool is_even)
{
    uint32_t n_cuts = 0;
    uint32_t n_ops = 0;
    sim_flash_make(&flash, config);
    sim_flash_make(&before, config);
    sim_flash_make(&after_first, config);
    identity_write(&flash, OLD_ID, is_even);
    sim_flash_copy(&before, &flash);
    for (bool more = true; more; n_ops++) {
        uint32_t tears = 1;
        for (uint32_t tear = 0; tear < tears && more; tear++) {
            uint64_t used = 0;
            more = replace_into((struct sim_flash_cut){n_ops, tear, survivors}, &used);
            if (more) {
                tears = n_tears(config);
                n_cuts++;
                assert_int_equal(used, 0);
                sim_flash_power_on(&flash);
                sim_flash_copy(&after_first, &flash);
                n_cuts += sweep_boot(config, survivors);
            }
        }
    }
    print_message("%s: %u cuts at %u operations\n", name, n_cuts, n_ops - 1);
    assert_true(n_cuts > n_ops);
    sim_flash_free(&flash);
    sim_flash_free(&before);
    sim_flash_free(&after_first);
}

static void a_cut_leaves_the_old_or_the_new_identity_on_flash(void **state)
{
    (void)state;
    static const uint32_t units[] = {8, 32};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        const struct sim_flash_config config = {.kind = SIM_FLASH_NOR,
                                                .sector_bytes = 4096,
                                                .n_sectors = 8,
                                                .program_unit_bytes = units[i],
                                                .weak_bits = true,
                                                .seed = 21 + i};
        char name[32];
        (void)snprintf(name, sizeof name, "flash, unit %u", units[i]);
        sweep(name, &config, SIM_FLASH_NONE_SURVIVE, i == 0);
    }
}

static void a_cut_leaves_the_old_or_the_new_identity_in_a_file(void **state)
{
    (void)state;
    const struct sim_flash_config config = {.kind = SIM_FLASH_PAGES,
                                            .sector_bytes = 4096,
                                            .n_sectors = 8,
                                            .program_unit_bytes = 8,
                                            .page_bytes = 512,
                                            .seed = 5};
    sweep("file, nothing unsynced survives", &config, SIM_FLASH_NONE_SURVIVE, true);
    sweep("file, all survives", &config, SIM_FLASH_ALL_SURVIVE, false);
    sweep("file, some survives", &config, SIM_FLASH_SOME_SURVIVE, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_leaves_the_old_or_the_new_identity_on_flash),
        cmocka_unit_test(a_cut_leaves_the_old_or_the_new_identity_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
