/* SPDX-License-Identifier: Apache-2.0
 *
 * The way from one record key to the next (tests/support/rotation_lab.h), R1 to R6 of PROTOCOL 2.4. It is
 * walked once to count what may go wrong, and then once for each of these with an interruption there: a cut
 * before or inside a change of flash, before or behind a change of the keys, a lost request or answer, an
 * aggregator that dies before or behind its commit. No interruption is left out. */
#include "tests/support/rotation_lab.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const kind_names[N_ROTATION_KINDS] = {
    "device cut",  "device cut inside a write",     "request lost",
    "answer lost", "aggregator dead before commit", "aggregator dead behind commit"};
static const char *const step_names[N_ROTATION_STEPS] = {"before",
                                                         "R1 next key made",
                                                         "R2 KeySwitch sealed",
                                                         "R3 new key seals",
                                                         "R4 KeySwitch committed",
                                                         "R5 first batch under it",
                                                         "R6 old key destroyed",
                                                         "after"};

/* Every interruption of that way, and a table of them by step and kind. */
static void sweep(enum rotation_way way, const char *name)
{
    uint32_t counts[N_ROTATION_STEPS][N_ROTATION_KINDS] = {{0}};
    const uint32_t n_events = rotation_walk_with(way, 0).n_events;
    const char *only = getenv("ROTATION_SIM_EVENT"); /* the number of one, to look at it with LAB_LOG=1 */
    uint32_t n_done = 0;
    for (uint32_t at = 1; at <= n_events; at++) {
        if (only != NULL && at != (uint32_t)strtoul(only, NULL, 10)) {
            continue;
        }
        if (getenv("LAB_LOG") != NULL) {
            (void)fprintf(stderr, "interruption %u\n", at);
        }
        const struct rotation_walk walk = rotation_walk_with(way, at);
        assert_true(walk.n_events >= at);
        counts[walk.step][walk.kind]++;
        n_done++;
    }
    (void)printf("%s: %u of %u interruptions\n", name, n_done, n_events);
    for (uint32_t step = 0; step < N_ROTATION_STEPS; step++) {
        for (uint32_t kind = 0; kind < N_ROTATION_KINDS; kind++) {
            if (counts[step][kind] > 0) {
                (void)printf("  %-24s %-30s %4u\n", step_names[step], kind_names[kind], counts[step][kind]);
            }
        }
    }
    (void)fflush(stdout);
}

static void a_key_is_changed_with_a_backlog_whatever_is_interrupted(void **state)
{
    (void)state;
    sweep(ASKED_BY_OPERATOR, "asked by the operator");
}

static void a_key_that_the_registry_asks_for_comes_whatever_is_interrupted(void **state)
{
    (void)state;
    sweep(ASKED_BY_HINT, "asked by the aggregator");
}

static void a_key_that_is_too_old_is_changed_whatever_is_interrupted(void **state)
{
    (void)state;
    sweep(ASKED_BY_AGE, "asked by age");
}

static void a_new_stream_ahead_of_the_key_switch_makes_it_again(void **state)
{
    (void)state;
    sweep(ANOTHER_STREAM, "another stream");
}

static void a_new_stream_behind_a_followed_key_switch_is_signed_by_the_new_key(void **state)
{
    (void)state;
    sweep(ANOTHER_STREAM_LATE, "another stream, late");
}

static void a_key_switch_whose_epoch_is_taken_leaves_the_device_its_key(void **state)
{
    (void)state;
    sweep(EPOCH_TAKEN, "epoch taken");
}

static void a_key_that_was_used_before_leaves_the_device_its_key(void **state)
{
    (void)state;
    sweep(KEY_USED_BEFORE, "key used before");
}

static int set_up(void **state)
{
    (void)state;
    rotation_lab_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rotation_lab_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_changed_with_a_backlog_whatever_is_interrupted),
        cmocka_unit_test(a_key_that_the_registry_asks_for_comes_whatever_is_interrupted),
        cmocka_unit_test(a_key_that_is_too_old_is_changed_whatever_is_interrupted),
        cmocka_unit_test(a_new_stream_ahead_of_the_key_switch_makes_it_again),
        cmocka_unit_test(a_new_stream_behind_a_followed_key_switch_is_signed_by_the_new_key),
        cmocka_unit_test(a_key_switch_whose_epoch_is_taken_leaves_the_device_its_key),
        cmocka_unit_test(a_key_that_was_used_before_leaves_the_device_its_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
