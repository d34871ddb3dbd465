/* SPDX-License-Identifier: Apache-2.0
 *
 * The fixed pool of a microcontroller board. */
#include "firmware/ports/cortex_m/pool.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

enum { POOL_BYTES = 4096, MAX_HELD = 64, N_STEPS = 200000 };

struct held {
    uint8_t *memory;
    size_t len_bytes;
    uint8_t mark;
};

struct bench {
    _Alignas(8) uint8_t memory[POOL_BYTES];
    struct port_pool pool;
    struct held held[MAX_HELD];
    uint32_t refused;
};

static int set_up(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    port_pool_init(&bench.pool, bench.memory, sizeof bench.memory);
    *state = &bench;
    return 0;
}

static struct port_pool_state state_of(const struct bench *bench)
{
    struct port_pool_state state;
    port_pool_check(&bench->pool);
    port_pool_state_of(&bench->pool, &state);
    return state;
}

static void an_empty_pool_is_one_run_and_can_be_taken_whole(void **state)
{
    struct bench *bench = *state;
    struct port_pool_state before = state_of(bench);
    assert_int_equal(before.used_bytes, 0);
    assert_int_equal(before.largest_free_bytes, POOL_BYTES - 12);
    assert_null(port_pool_take(&bench->pool, before.largest_free_bytes + 1));
    void *all = port_pool_take(&bench->pool, before.largest_free_bytes);
    assert_non_null(all);
    assert_null(port_pool_take(&bench->pool, 0));
    struct port_pool_state full = state_of(bench);
    assert_int_equal(full.largest_free_bytes, 0);
    assert_int_equal(full.used_bytes, full.capacity_bytes);
    assert_int_equal(full.blocks, 1);
    assert_int_equal(full.refused, 2);
    port_pool_give(&bench->pool, all);
    assert_int_equal(state_of(bench).largest_free_bytes, before.largest_free_bytes);
    assert_int_equal(state_of(bench).peak_bytes, full.capacity_bytes);
}

static void impossible_lengths_are_refused(void **state)
{
    struct bench *bench = *state;
    assert_null(port_pool_take(&bench->pool, POOL_BYTES));
    assert_null(port_pool_take(&bench->pool, PORT_POOL_MAX_BYTES));
    assert_null(port_pool_take(&bench->pool, PORT_POOL_MAX_BYTES + 1));
    assert_null(port_pool_take(&bench->pool, SIZE_MAX));
    assert_int_equal(state_of(bench).refused, 4);
}

static void of_two_holes_the_one_that_fits_is_taken(void **state)
{
    struct bench *bench = *state;
    void *blocks[4];
    static const size_t lengths[] = {200, 40, 100, 40};
    for (size_t i = 0; i < 4; i++) {
        blocks[i] = port_pool_take(&bench->pool, lengths[i]);
    }
    port_pool_give(&bench->pool, blocks[0]);
    port_pool_give(&bench->pool, blocks[2]);
    assert_ptr_equal(port_pool_take(&bench->pool, 100), blocks[2]);
    assert_ptr_equal(port_pool_take(&bench->pool, 200), blocks[0]);
}

static void check_marks(const struct held *held)
{
    for (size_t i = 0; i < held->len_bytes; i++) {
        assert_int_equal(held->memory[i], held->mark);
    }
}

static void take(struct bench *bench, struct held *held, size_t len_bytes, uint8_t mark)
{
    uint8_t *memory = port_pool_take(&bench->pool, len_bytes);
    if (memory == NULL) {
        bench->refused++;
        return;
    }
    assert_int_equal((uintptr_t)memory % 8, 0);
    assert_true(memory >= bench->memory && memory + len_bytes <= bench->memory + POOL_BYTES);
    memset(memory, mark, len_bytes);
    *held = (struct held){memory, len_bytes, mark};
}

static void resize(struct bench *bench, struct held *held, size_t len_bytes)
{
    uint8_t *memory = port_pool_resize(&bench->pool, held->memory, len_bytes);
    if (memory == NULL) {
        bench->refused++;
        return;
    }
    size_t kept_bytes = len_bytes < held->len_bytes ? len_bytes : held->len_bytes;
    for (size_t i = 0; i < kept_bytes; i++) {
        assert_int_equal(memory[i], held->mark);
    }
    memset(memory, held->mark, len_bytes);
    held->memory = memory;
    held->len_bytes = len_bytes;
}

static void blocks_keep_their_bytes_whatever_is_taken_and_given_around_them(void **state)
{
    struct bench *bench = *state;
    struct test_random chance = test_random_start(20261121);
    for (uint32_t step = 0; step < N_STEPS; step++) {
        struct held *held = &bench->held[test_random_below(&chance, MAX_HELD)];
        size_t len_bytes = test_random_below(&chance, test_random_below(&chance, 8) == 0 ? 600 : 60);
        if (held->memory == NULL) {
            take(bench, held, len_bytes, (uint8_t)step);
        } else {
            check_marks(held);
            if (test_random_below(&chance, 4) == 0) {
                resize(bench, held, len_bytes);
            } else {
                port_pool_give(&bench->pool, held->memory);
                held->memory = NULL;
            }
        }
        if (step % 64 == 0) {
            port_pool_check(&bench->pool);
        }
    }
    assert_true(bench->refused > 100); /* it was full at times */
    assert_int_equal(state_of(bench).refused, bench->refused);
    for (uint32_t i = 0; i < MAX_HELD; i++) {
        port_pool_give(&bench->pool, bench->held[i].memory);
    }
    struct port_pool_state after = state_of(bench);
    assert_int_equal(after.used_bytes, 0);
    assert_int_equal(after.blocks, 0);
    assert_int_equal(after.largest_free_bytes, POOL_BYTES - 12);
}

static void *first_of_three(struct bench *bench)
{
    void *first = port_pool_take(&bench->pool, 20);
    assert_non_null(port_pool_take(&bench->pool, 20));
    assert_non_null(port_pool_take(&bench->pool, 20));
    return first;
}

static void give_twice(void *ctx)
{
    struct bench *bench = ctx;
    void *first = first_of_three(bench);
    port_pool_give(&bench->pool, first);
    port_pool_give(&bench->pool, first);
}

static void overrun(void *ctx)
{
    struct bench *bench = ctx;
    uint8_t *first = first_of_three(bench);
    memset(first, 0, 24); /* 20 were asked for; 4 more are the next block's header */
    port_pool_give(&bench->pool, first);
}

static void give_from_within(void *ctx)
{
    struct bench *bench = ctx;
    uint8_t *first = port_pool_take(&bench->pool, 100);
    memset(first, 0x55, 100);
    port_pool_give(&bench->pool, first + 8);
}

static void give_what_is_not_ours(void *ctx)
{
    static _Alignas(8) uint8_t elsewhere[8];
    port_pool_give(&((struct bench *)ctx)->pool, elsewhere);
}

static void damage_is_found_when_it_is_met(void **state)
{
    static void (*const damages[])(void *ctx) = {give_twice, overrun, give_from_within,
                                                 give_what_is_not_ours};
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        assert_true(test_asserts(damages[i], *state));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_pool_is_one_run_and_can_be_taken_whole, set_up),
        cmocka_unit_test_setup(impossible_lengths_are_refused, set_up),
        cmocka_unit_test_setup(of_two_holes_the_one_that_fits_is_taken, set_up),
        cmocka_unit_test_setup(blocks_keep_their_bytes_whatever_is_taken_and_given_around_them, set_up),
        cmocka_unit_test_setup(damage_is_found_when_it_is_met, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
