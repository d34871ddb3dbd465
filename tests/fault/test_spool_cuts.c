/* SPDX-License-Identifier: Apache-2.0
 *
 * Power goes at every flash operation of a workload that uses all of the spool, torn in every way; the spool
 * is opened again, compared with what it promised, used on, and drained. Then power goes a second time, at
 * every operation of the opening and of what follows. HEADRACE_LONG=1 takes finer steps. */
#include "tests/support/spool_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct lab lab;
static uint32_t n_cuts;

static const struct lab_config nor_config = {
    .flash = {.kind = SIM_FLASH_NOR,
              .sector_bytes = 2048,
              .n_sectors = 6,
              .program_unit_bytes = 16,
              .weak_bits = true,
              .seed = 1},
    .envelope_max_bytes = 420,
    .stage_bytes = 128,
};

static const struct lab_config file_config = {
    .flash = {.kind = SIM_FLASH_PAGES,
              .sector_bytes = 2048,
              .n_sectors = 6,
              .program_unit_bytes = 8,
              .page_bytes = 256,
              .seed = 2},
    .envelope_max_bytes = 420,
    .stage_bytes = 256,
};

static bool is_long(void)
{
    const char *text = getenv("HEADRACE_LONG");
    return text != NULL && text[0] == '1';
}

/* ---- the workload ---- */

/* Four batches with acks behind them, a clean restart, so many batches that the ring overflows twice, the
 * Loss and its ack, a new stream to which the rest is carried, and an end with records unsealed. */
static bool work(struct lab *l)
{
    if (!lab_open(l)) {
        return false;
    }
    for (uint32_t i = 0; i < 4; i++) {
        if (!lab_batch(l, 4 + i % 3) || (i >= 1 && !lab_ack(l, i - 1))) {
            return false;
        }
    }
    if (!lab_close(l) || !lab_open(l)) {
        return false;
    }
    for (uint32_t i = 0; i < 18; i++) {
        if (!lab_batch(l, 9)) {
            return false;
        }
    }
    uint32_t newest = lab_state(l).next_batch_seq - 1;
    if (!lab_ack(l, newest - 6) || !lab_batch(l, 3) || !lab_new_stream(l, l->stream + 1) || !lab_carry(l)) {
        return false;
    }
    for (uint32_t i = 0; i < 4; i++) {
        if (!lab_batch(l, 8)) {
            return false;
        }
    }
    return lab_ack(l, 2) && lab_begin(l) && lab_append(l, 7);
}

/* What a device does after a restart: seals what it recovered, reports, works, and ends cleanly. */
static bool go_on(struct lab *l)
{
    if (!lab_open(l) || (fw_spool_is_open(&l->spool) && !lab_seal(l)) || !lab_carry(l)) {
        return false;
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (!lab_batch(l, 5)) {
            return false;
        }
    }
    return lab_close(l);
}

/* ---- sweeps ---- */

static char plan_text[160];

static void set_plan(const char *sweep, struct sim_flash_cut first, struct sim_flash_cut second)
{
    (void)snprintf(plan_text, sizeof plan_text,
                   "%s: cut at op %u tear %u survivors %d, then at op %d tear %u", sweep, first.op,
                   first.tear, (int)first.survivors, (int)second.op, second.tear);
    lab.plan = plan_text;
}

/* Runs the workload from blank flash into a cut. False: it ended before. */
static bool run_into(struct sim_flash_cut cut)
{
    lab_reset(&lab);
    sim_flash_plan(&lab.flash, cut);
    bool finished = work(&lab);
    if (lab.flash.is_off) {
        n_cuts++;
        return true;
    }
    assert_true(finished);
    return false;
}

static void recover_and_drain(void)
{
    sim_flash_power_on(&lab.flash);
    assert_true(go_on(&lab));
    assert_true(lab_open(&lab));
    assert_true(lab.report.clean);
    lab_drain(&lab);
}

/* The tears of the operation that was just cut. */
static uint32_t n_tears(void)
{
    return lab.config.flash.kind == SIM_FLASH_NOR ? 2 * lab.flash.cut_units + 1 : 2;
}

static void sweep_once(const char *name, enum sim_flash_survivors survivors)
{
    uint32_t before = n_cuts;
    uint32_t n_ops = 0;
    for (uint32_t op = 0;; op++) {
        uint32_t tears = 1;
        for (uint32_t tear = 0; tear < tears; tear++) {
            struct sim_flash_cut cut = {op, tear, survivors};
            set_plan(name, cut, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
            if (!run_into(cut)) {
                tears = 0;
                break;
            }
            tears = n_tears();
            recover_and_drain();
        }
        if (tears == 0) {
            n_ops = op;
            break;
        }
    }
    /* Every number below n_ops was met, or run_into had ended the sweep there. */
    assert_true(n_ops > 100);
    print_message("%s: %u cuts at %u operations\n", name, n_cuts - before, n_ops);
}

static struct lab after_first;

/* Makes `to` the same world over the same flash. */
static void copy_lab(struct lab *to, const struct lab *from)
{
    struct sim_flash flash = to->flash;
    *to = *from;
    to->flash = flash;
    to->sign.port.ctx = &to->sign;
    sim_flash_copy(&to->flash, &from->flash);
}

/* What an undisturbed opening would show as the open batch, the one that is cut must not lose either. */
static uint32_t open_records_if_undisturbed(void)
{
    sim_flash_power_on(&lab.flash);
    assert_true(lab_open(&lab));
    return lab.sealing ? 0 : lab.open_records;
}

/* Cuts at each first_step'th operation of the workload, and at each of the recovery and of what follows. */
static void sweep_twice(const char *name, enum sim_flash_survivors survivors, uint32_t first_step)
{
    uint32_t before = n_cuts;
    for (uint32_t op = 0;; op += first_step) {
        struct sim_flash_cut first = {op, 1 + op % 7, survivors};
        set_plan(name, first, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
        if (!run_into(first)) {
            break;
        }
        copy_lab(&after_first, &lab);
        uint32_t open_durable = open_records_if_undisturbed();
        for (uint32_t again = 0;; again++) {
            struct sim_flash_cut second = {again, (again * 5 + op) % 11, survivors};
            copy_lab(&lab, &after_first);
            lab.open_durable = open_durable;
            lab.flash.random_state += again;
            set_plan(name, first, second);
            sim_flash_power_on(&lab.flash);
            sim_flash_plan(&lab.flash, second);
            bool finished = go_on(&lab);
            if (!lab.flash.is_off) {
                assert_true(finished);
                break;
            }
            n_cuts++;
            recover_and_drain();
        }
    }
    print_message("%s: %u cuts\n", name, n_cuts - before);
}

/* ---- the promises ---- */

static void keeps_every_promise_when_raw_flash_is_cut_anywhere(void **state)
{
    (void)state;
    /* Words of 4, 16 and 32 bytes, as in nRF52, STM32U5 and STM32H7. */
    static const uint32_t units[] = {4, 16, 32};
    for (uint32_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        char name[32];
        struct lab_config config = nor_config;
        config.flash.program_unit_bytes = units[i];
        (void)snprintf(name, sizeof name, "nor, unit %u", units[i]);
        lab_make(&lab, &config);
        sweep_once(name, SIM_FLASH_ALL_SURVIVE);
        lab_free(&lab);
    }
}

static void keeps_every_promise_when_raw_flash_is_cut_twice(void **state)
{
    (void)state;
    lab_make(&lab, &nor_config);
    lab_make(&after_first, &nor_config);
    sweep_twice("nor, two deep", SIM_FLASH_ALL_SURVIVE, is_long() ? 1 : 2);
    lab_free(&after_first);
    lab_free(&lab);
}

static void keeps_every_promise_when_a_file_loses_unsynced_pages(void **state)
{
    (void)state;
    lab_make(&lab, &file_config);
    sweep_once("file, nothing unsynced survives", SIM_FLASH_NONE_SURVIVE);
    sweep_once("file, everything survives", SIM_FLASH_ALL_SURVIVE);
    uint32_t n_seeds = is_long() ? 50 : 6;
    for (uint32_t i = 0; i < n_seeds; i++) {
        lab.config.flash.seed = 100 + i;
        sweep_once("file, some pages survive", SIM_FLASH_SOME_SURVIVE);
    }
    lab_free(&lab);
}

/* Kills the process at each operation, opens again, and cuts power at once: what the opening showed must
 * stay. */
static void shows_only_what_a_power_cut_leaves_after_a_kill(void **state)
{
    (void)state;
    lab_make(&lab, &file_config);
    uint32_t before = n_cuts;
    for (uint32_t op = 0;; op++) {
        struct sim_flash_cut kill = {op, 1, SIM_FLASH_STAY_CACHED};
        set_plan("file, killed and then cut", kill, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
        if (!run_into(kill)) {
            break;
        }
        sim_flash_power_on(&lab.flash);
        assert_true(lab_open(&lab));
        sim_flash_power_off(&lab.flash, SIM_FLASH_NONE_SURVIVE);
        recover_and_drain();
    }
    print_message("file, killed and then cut: %u cuts\n", n_cuts - before);
    lab_free(&lab);
}

static void keeps_every_promise_when_a_file_is_cut_twice(void **state)
{
    (void)state;
    lab_make(&lab, &file_config);
    lab_make(&after_first, &file_config);
    sweep_twice("file, two deep, some pages survive", SIM_FLASH_SOME_SURVIVE, is_long() ? 1 : 2);
    sweep_twice("file, two deep, nothing survives", SIM_FLASH_NONE_SURVIVE, is_long() ? 1 : 3);
    lab_free(&after_first);
    lab_free(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_promise_when_raw_flash_is_cut_anywhere),
        cmocka_unit_test(keeps_every_promise_when_raw_flash_is_cut_twice),
        cmocka_unit_test(keeps_every_promise_when_a_file_loses_unsynced_pages),
        cmocka_unit_test(shows_only_what_a_power_cut_leaves_after_a_kill),
        cmocka_unit_test(keeps_every_promise_when_a_file_is_cut_twice),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_message("spool: %u power cuts\n", n_cuts);
    return failed;
}
