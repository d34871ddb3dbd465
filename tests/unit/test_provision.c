/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/provision.h"
#include "tests/support/provision_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"
#include "tests/support/test_vectors.h"

#include <string.h>

enum { SECTOR_BYTES = 4096, N_SECTORS = 80, UNIT_BYTES = 8 };

static int set_up(void **state)
{
    static struct sim_flash flash;
    const struct sim_flash_config config = {.kind = SIM_FLASH_NOR,
                                            .sector_bytes = SECTOR_BYTES,
                                            .n_sectors = N_SECTORS,
                                            .program_unit_bytes = UNIT_BYTES};
    sim_flash_make(&flash, &config);
    *state = &flash;
    return 0;
}

static int tear_down(void **state)
{
    sim_flash_free(*state);
    return 0;
}

static enum hr_code read_identity(struct sim_flash *flash, struct image_identity *out)
{
    static uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    return fw_identity_read(&flash->port, page, out).code;
}

static enum hr_code take_seed(struct sim_flash *flash, uint8_t out[IMAGE_SEED_BYTES])
{
    return fw_seed_take(&flash->port, test_hash(), out).code;
}

static void blank_memory_has_neither_identity_nor_seed(void **state)
{
    struct image_identity identity;
    uint8_t seed[IMAGE_SEED_BYTES];
    assert_int_equal(read_identity(*state, &identity), HR_NOT_FOUND);
    sim_flash_plan(*state, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
    assert_int_equal(take_seed(*state, seed), HR_NOT_FOUND);
    assert_int_equal(((struct sim_flash *)*state)->n_ops, 0);
}

static void either_copy_of_the_identity_is_enough(void **state)
{
    for (uint32_t copy = 0; copy < IMAGE_COPIES; copy++) {
        struct sim_flash *flash = *state;
        struct image_identity identity;
        uint32_t address = image_identity_address(SECTOR_BYTES, copy);
        provision_write(flash, address, "identity_least");
        assert_int_equal(read_identity(flash, &identity), HR_OK);
        assert_string_equal(identity.server_name, "s");
        assert_true(identity.device_id == 1);
        assert_ok(flash->port.erase(flash->port.ctx, address / SECTOR_BYTES));
    }
}

static void the_newer_copy_counts_and_the_older_stands_in(void **state)
{
    struct sim_flash *flash = *state;
    struct image_identity identity;
    provision_write(flash, image_identity_address(SECTOR_BYTES, 0), "identity_least");
    provision_write(flash, image_identity_address(SECTOR_BYTES, 1), "identity_newer");
    assert_int_equal(read_identity(flash, &identity), HR_OK);
    assert_int_equal(identity.sequence, 2);
    assert_string_equal(identity.name, "m");
    sim_flash_flip(flash, image_identity_address(SECTOR_BYTES, 1) + 40, 3);
    assert_int_equal(read_identity(flash, &identity), HR_OK);
    assert_int_equal(identity.sequence, 1);
    assert_string_equal(identity.name, "n");
    sim_flash_flip(flash, image_identity_address(SECTOR_BYTES, 0) + 40, 3);
    assert_int_equal(read_identity(flash, &identity), HR_CORRUPT);
}

static void a_copy_that_cannot_be_read_costs_nothing(void **state)
{
    struct sim_flash *flash = *state;
    struct image_identity identity;
    provision_write(flash, image_identity_address(SECTOR_BYTES, 0), "identity_least");
    provision_write(flash, image_identity_address(SECTOR_BYTES, 1), "identity_newer");
    sim_flash_make_unreadable(flash, image_identity_address(SECTOR_BYTES, 1) + 100, 1);
    assert_int_equal(read_identity(flash, &identity), HR_OK);
    assert_int_equal(identity.sequence, 1);
    sim_flash_make_unreadable(flash, image_identity_address(SECTOR_BYTES, 0), 1);
    assert_int_equal(read_identity(flash, &identity), HR_IO);
}

static void an_identity_for_other_memory_is_denied(void **state)
{
    struct image_identity identity;
    provision_write(*state, image_identity_address(SECTOR_BYTES, 0), "identity_full");
    assert_int_equal(read_identity(*state, &identity), HR_DENIED);
}

static void an_identity_of_a_later_format_is_malformed(void **state)
{
    struct image_identity identity;
    provision_write(*state, image_identity_address(SECTOR_BYTES, 0), "identity_later_format");
    assert_int_equal(read_identity(*state, &identity), HR_MALFORMED);
}

static void a_seed_page_in_the_place_of_an_identity_is_none(void **state)
{
    struct image_identity identity;
    provision_write(*state, image_identity_address(SECTOR_BYTES, 0), "seed");
    assert_int_equal(read_identity(*state, &identity), HR_NOT_FOUND);
}

static void a_boot_is_given_the_seed_and_leaves_the_successor_of_the_vectors(void **state)
{
    struct sim_flash *flash = *state;
    uint8_t given[IMAGE_SEED_BYTES];
    uint8_t expected[IMAGE_SEED_PAGE_BYTES];
    uint8_t page[IMAGE_SEED_PAGE_BYTES];
    provision_write(flash, image_seed_address(SECTOR_BYTES, 0), "seed");
    assert_int_equal(take_seed(flash, given), HR_OK);
    (void)test_vector(PROVISION_VECTORS, "seed_given", expected, sizeof expected);
    assert_memory_equal(given, expected, sizeof given);
    (void)test_vector(PROVISION_VECTORS, "seed_next", expected, sizeof expected);
    assert_ok(flash->port.read(flash->port.ctx, image_seed_address(SECTOR_BYTES, 1), page, sizeof page));
    assert_memory_equal(page, expected, sizeof page);
    /* The seed that was used is nowhere any more. */
    for (uint32_t i = 0; i < SECTOR_BYTES; i++) {
        assert_int_equal(flash->cells[image_seed_address(SECTOR_BYTES, 0) + i], 0xFF);
    }
    assert_int_equal(take_seed(flash, given), HR_OK);
    (void)test_vector(PROVISION_VECTORS, "seed_given_next", expected, sizeof expected);
    assert_memory_equal(given, expected, sizeof given);
}

static void a_memory_that_fails_gives_no_seed(void **state)
{
    struct sim_flash *flash = *state;
    uint8_t untouched[IMAGE_SEED_BYTES];
    uint8_t given[IMAGE_SEED_BYTES];
    memset(untouched, 0x5A, sizeof untouched);
    memcpy(given, untouched, sizeof given);
    provision_write(flash, image_seed_address(SECTOR_BYTES, 0), "seed");
    const struct sim_flash_faults faults[] = {
        {.program_op = 0, .erase_op = SIM_FLASH_NEVER, .sync_op = SIM_FLASH_NEVER},
        {.program_op = SIM_FLASH_NEVER, .erase_op = 0, .sync_op = SIM_FLASH_NEVER},
        {.program_op = SIM_FLASH_NEVER, .erase_op = 1, .sync_op = SIM_FLASH_NEVER},
        {.program_op = SIM_FLASH_NEVER, .erase_op = SIM_FLASH_NEVER, .sync_op = 0},
        {.program_op = SIM_FLASH_NEVER, .erase_op = SIM_FLASH_NEVER, .sync_op = 1},
        {.program_op = SIM_FLASH_NEVER, .erase_op = SIM_FLASH_NEVER, .sync_op = 2},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sim_flash_plan(flash, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
        flash->faults = faults[i];
        assert_int_equal(take_seed(flash, given), HR_IO);
        assert_int_equal(flash->n_faults_met, 1);
        assert_memory_equal(given, untouched, sizeof given);
    }
    /* Trying again helps. */
    sim_flash_plan(flash, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
    assert_int_equal(take_seed(flash, given), HR_OK);
}

static void a_seed_that_cannot_be_read_may_be_there_another_time(void **state)
{
    struct sim_flash *flash = *state;
    uint8_t given[IMAGE_SEED_BYTES];
    provision_write(flash, image_seed_address(SECTOR_BYTES, 0), "seed");
    sim_flash_make_unreadable(flash, image_seed_address(SECTOR_BYTES, 0), 1);
    assert_int_equal(take_seed(flash, given), HR_IO); /* the other copy reads, and is none */
}

static void a_seed_that_rotted_is_no_seed(void **state)
{
    struct sim_flash *flash = *state;
    uint8_t given[IMAGE_SEED_BYTES];
    provision_write(flash, image_seed_address(SECTOR_BYTES, 0), "seed");
    sim_flash_flip(flash, image_seed_address(SECTOR_BYTES, 0) + 30, 1);
    assert_int_equal(take_seed(flash, given), HR_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(blank_memory_has_neither_identity_nor_seed),
        TEST(either_copy_of_the_identity_is_enough),
        TEST(the_newer_copy_counts_and_the_older_stands_in),
        TEST(a_copy_that_cannot_be_read_costs_nothing),
        TEST(an_identity_for_other_memory_is_denied),
        TEST(an_identity_of_a_later_format_is_malformed),
        TEST(a_seed_page_in_the_place_of_an_identity_is_none),
        TEST(a_boot_is_given_the_seed_and_leaves_the_successor_of_the_vectors),
        TEST(a_memory_that_fails_gives_no_seed),
        TEST(a_seed_that_cannot_be_read_may_be_there_another_time),
        TEST(a_seed_that_rotted_is_no_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
