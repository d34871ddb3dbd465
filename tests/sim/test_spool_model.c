/* SPDX-License-Identifier: Apache-2.0
 *
 * Random lives of a spool: random geometry, random calls, power cuts and kills at random operations, one
 * after the other. The world of tests/support/spool_lab.h is the model. HEADRACE_SEED=n runs that one life;
 * HEADRACE_LONG=1 runs many. */
#include "tests/support/spool_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct lab lab;
static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    /* xorshift64* (Vigna 2016). */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * 0x2545F4914F6CDD1Du) >> 33) % n;
}

static struct lab_config random_config(uint64_t seed)
{
    static const uint32_t units[] = {1, 2, 4, 8, 16, 32};
    bool file = random_below(2) == 0;
    struct lab_config config = {
        .flash = {.kind = file ? SIM_FLASH_PAGES : SIM_FLASH_NOR,
                  .sector_bytes = 2048u << random_below(2),
                  .n_sectors = 4 + random_below(8),
                  .program_unit_bytes = units[random_below(6)],
                  .page_bytes = 128u << random_below(3),
                  .weak_bits = random_below(2) == 0,
                  .seed = seed},
        .envelope_max_bytes = 300 + random_below(700),
        .stage_bytes = 64 + 32 * random_below(6),
    };
    return config;
}

static void plan_a_cut(void)
{
    static const enum sim_flash_survivors survivors[] = {SIM_FLASH_NONE_SURVIVE, SIM_FLASH_ALL_SURVIVE,
                                                         SIM_FLASH_SOME_SURVIVE, SIM_FLASH_STAY_CACHED};
    struct sim_flash_cut cut = {random_below(120), random_below(40), survivors[random_below(4)]};
    sim_flash_plan(&lab.flash, cut);
}

/* One random call; false when power went. */
static bool step(void)
{
    uint32_t newest_seq = lab_state(&lab).next_batch_seq;
    bool is_open = fw_spool_is_open(&lab.spool);
    uint32_t dice = random_below(100);
    if (is_open) {
        return dice < 60                     ? lab_append(&lab, 1 + random_below(4))
               : dice < 65                   ? lab_append_loss(&lab)
               : dice < 75 && newest_seq > 0 ? lab_ack(&lab, random_below(newest_seq))
                                             : lab_seal(&lab);
    }
    if (dice < 2) {
        return lab_new_stream(&lab, lab.stream + 1 + random_below(3)) && lab_carry(&lab);
    }
    if (dice < 6) {
        return lab_close(&lab) && lab_open(&lab);
    }
    if (dice < 26 && newest_seq > 0) {
        return lab_ack(&lab, newest_seq - 1 - random_below(newest_seq < 6 ? newest_seq : 6));
    }
    return dice < 60 ? lab_batch(&lab, 1 + random_below(6)) : lab_begin(&lab);
}

static uint32_t live(uint64_t seed)
{
    char plan[64];
    uint32_t n_cuts = 0;
    (void)snprintf(plan, sizeof plan, "HEADRACE_SEED=%llu", (unsigned long long)seed);
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    struct lab_config config = random_config(seed);
    lab_make(&lab, &config);
    lab.plan = plan;
    plan_a_cut();
    bool on = lab_open(&lab);
    for (uint32_t i = 0; i < 250; i++) {
        if (on) {
            on = step();
            continue;
        }
        assert_true(lab.flash.is_off);
        n_cuts++;
        sim_flash_power_on(&lab.flash);
        plan_a_cut();
        /* A carry that was cut goes on before anything else, as the uplink does it. */
        on = lab_open(&lab) && (fw_spool_is_open(&lab.spool) || lab_carry(&lab));
    }
    sim_flash_power_on(&lab.flash);
    if (!on) {
        assert_true(lab_open(&lab));
    }
    lab_drain(&lab);
    lab_free(&lab);
    return n_cuts;
}

static void random_lives_keep_every_promise(void **state)
{
    (void)state;
    const char *seed = getenv("HEADRACE_SEED");
    const char *is_long = getenv("HEADRACE_LONG");
    uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    uint64_t n_lives = seed != NULL ? 1 : is_long != NULL && is_long[0] == '1' ? 100000 : 1500;
    uint32_t n_cuts = 0;
    for (uint64_t i = 0; i < n_lives; i++) {
        n_cuts += live(first + i);
    }
    print_message("%llu lives from seed %llu, %u power cuts\n", (unsigned long long)n_lives,
                  (unsigned long long)first, n_cuts);
    assert_true(seed != NULL || n_cuts > n_lives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_lives_keep_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
