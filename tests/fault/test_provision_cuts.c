/* SPDX-License-Identifier: Apache-2.0
 *
 * Power goes at every flash operation with which a boot takes its seed, torn in every way, and goes again at
 * every operation of the next boot. Whatever happens, the boot after has a seed, and no two boots have the
 * same. */
#include "firmware/core/provision.h"
#include "tests/support/provision_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdio.h>
#include <string.h>

enum { MAX_BOOTS = 8 };

struct boots {
    uint32_t n_given;
    uint8_t given[MAX_BOOTS][IMAGE_SEED_BYTES];
};

static struct sim_flash flash;
static struct sim_flash after_first;

static void make(const struct sim_flash_config *config)
{
    sim_flash_make(&flash, config);
    sim_flash_make(&after_first, config);
}

static void provision(const struct sim_flash_config *config)
{
    sim_flash_free(&flash);
    sim_flash_make(&flash, config);
    provision_write(&flash, image_seed_address(config->sector_bytes, 0), "seed");
    assert_ok(flash.port.sync(flash.port.ctx));
}

static void boot(struct boots *boots)
{
    assert_true(boots->n_given < MAX_BOOTS);
    struct hr_status status = fw_seed_take(&flash.port, test_hash(), boots->given[boots->n_given]);
    if (hr_is_ok(status)) {
        boots->n_given++;
    } else {
        assert_int_equal(status.code, HR_IO);
        assert_true(flash.is_off);
    }
}

static void later_boots_have_seeds_of_their_own(struct boots *boots)
{
    sim_flash_power_on(&flash);
    uint32_t before = boots->n_given;
    boot(boots);
    boot(boots);
    assert_int_equal(boots->n_given, before + 2);
    for (uint32_t i = 0; i < boots->n_given; i++) {
        for (uint32_t j = 0; j < i; j++) {
            assert_memory_not_equal(boots->given[i], boots->given[j], IMAGE_SEED_BYTES);
        }
    }
}

/* Boots into the cut; false when the boot ended before it. */
static bool boot_into(struct boots *boots, struct sim_flash_cut cut)
{
    sim_flash_plan(&flash, cut);
    boot(boots);
    return flash.is_off;
}

static uint32_t n_tears(const struct sim_flash_config *config)
{
    return config->kind == SIM_FLASH_NOR ? 2 * flash.cut_units + 1 : 2;
}

/* Cuts the second boot everywhere, given the memory that a first cut left; returns how often. */
static uint32_t sweep_second(const struct sim_flash_config *config, const struct boots *first,
                             enum sim_flash_survivors survivors)
{
    uint32_t n_cuts = 0;
    sim_flash_copy(&after_first, &flash);
    for (uint32_t op = 0;; op++) {
        uint32_t tears = 1;
        for (uint32_t tear = 0; tear < tears; tear++) {
            struct boots boots = *first;
            sim_flash_copy(&flash, &after_first);
            if (!boot_into(&boots, (struct sim_flash_cut){op, tear, survivors})) {
                return n_cuts;
            }
            tears = n_tears(config);
            n_cuts++;
            later_boots_have_seeds_of_their_own(&boots);
        }
    }
}

static void sweep(const char *name, const struct sim_flash_config *config, enum sim_flash_survivors survivors)
{
    uint32_t n_cuts = 0;
    uint32_t n_ops = 0;
    make(config);
    for (bool more = true; more; n_ops++) {
        uint32_t tears = 1;
        for (uint32_t tear = 0; tear < tears && more; tear++) {
            struct boots boots = {0};
            provision(config);
            more = boot_into(&boots, (struct sim_flash_cut){n_ops, tear, survivors});
            if (!more) {
                break;
            }
            tears = n_tears(config);
            n_cuts++;
            sim_flash_power_on(&flash);
            n_cuts += sweep_second(config, &boots, survivors);
            sim_flash_copy(&flash, &after_first);
            later_boots_have_seeds_of_their_own(&boots);
        }
    }
    print_message("%s: %u cuts at %u operations\n", name, n_cuts, n_ops - 1);
    assert_int_equal(n_ops - 1, 6); /* erase, program and erase, each with a sync */
    sim_flash_free(&flash);
    sim_flash_free(&after_first);
}

static void no_seed_is_given_twice_on_flash_that_is_cut_twice(void **state)
{
    (void)state;
    static const uint32_t units[] = {1, 8, 32};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        const struct sim_flash_config config = {.kind = SIM_FLASH_NOR,
                                                .sector_bytes = 512,
                                                .n_sectors = 36,
                                                .program_unit_bytes = units[i],
                                                .weak_bits = true,
                                                .seed = 11 + i};
        char name[32];
        (void)snprintf(name, sizeof name, "flash, unit %u", units[i]);
        sweep(name, &config, SIM_FLASH_NONE_SURVIVE);
    }
}

static void no_seed_is_given_twice_from_a_card_that_is_cut_twice(void **state)
{
    (void)state;
    const struct sim_flash_config config = {.kind = SIM_FLASH_PAGES,
                                            .sector_bytes = 512,
                                            .n_sectors = 36,
                                            .program_unit_bytes = 8,
                                            .page_bytes = 512,
                                            .seed = 5};
    sweep("card, nothing unsynced survives", &config, SIM_FLASH_NONE_SURVIVE);
    sweep("card, all survives", &config, SIM_FLASH_ALL_SURVIVE);
    sweep("card, some survives", &config, SIM_FLASH_SOME_SURVIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_seed_is_given_twice_on_flash_that_is_cut_twice),
        cmocka_unit_test(no_seed_is_given_twice_from_a_card_that_is_cut_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
