/* SPDX-License-Identifier: Apache-2.0
 *
 * The publisher with its feed ledger and replays over a real ledger and a model of Kafka, with chance in
 * charge: batches come, replays are asked for, normalizers change, transactions are torn, answers are lost,
 * the ledger is full, and the process dies. In the end every event is there once, every correction once, in
 * order, and the feed entries are what a fold over the leaves gives that never failed. */
#include "proto/base/assert.h"
#include "tests/support/publish_truth.h"
#include "tests/support/publish_world.h"
#include "tests/support/test_cmocka.h"

/* What a run of worlds met. */
struct met {
    uint64_t n_worlds, n_torn, n_crashes, n_skipped, n_revisions;
};

static void run_world(uint64_t seed, bool has_documents, struct met *met)
{
    (void)printf("world %llu\n", (unsigned long long)seed);
    (void)fflush(stdout);
    publish_world_open(seed, has_documents);
    publish_world_run();
    publish_world_finish();
    publish_truth_records();
    publish_truth_observed();
    publish_truth_complete(false);
    publish_truth_entries();
    met->n_revisions += publish_world_replay_all();
    publish_truth_records();
    publish_truth_complete(true);
    publish_truth_entries();
    size_t n_records = publish_world.model.n_records;
    assert_int_equal(publish_world_replay_all(), 0);
    assert_int_equal(publish_world.model.n_records, n_records);
    met->n_worlds++;
    met->n_torn += publish_world.model.n_torn;
    met->n_crashes += publish_world.model.n_crashes;
    met->n_skipped += publish_world.model.n_skipped;
    publish_world_close();
}

static void tell(const struct met *met)
{
    (void)printf("%llu worlds: %llu torn transactions, %llu crashes, %llu records skipped, %llu revisions at "
                 "the end\n",
                 (unsigned long long)met->n_worlds, (unsigned long long)met->n_torn,
                 (unsigned long long)met->n_crashes, (unsigned long long)met->n_skipped,
                 (unsigned long long)met->n_revisions);
}

static void run_worlds(uint64_t n_in_short, bool has_documents)
{
    struct met met = {0};
    const char *one = getenv("HEADRACE_TEST_WORLD"); /* only this one */
    if (one != NULL) {
        run_world(strtoull(one, NULL, 10), has_documents, &met);
        tell(&met);
        return;
    }
    struct test_random seeds = test_random_start(20261121);
    const char *n_worlds = getenv("HEADRACE_TEST_WORLDS");
    bool is_long = getenv("HEADRACE_LONG") != NULL;
    uint64_t wanted = n_worlds != NULL ? strtoull(n_worlds, NULL, 10) : is_long ? 2000 : n_in_short;
    while (met.n_worlds < wanted) {
        run_world(test_random_next(&seeds), has_documents, &met);
    }
    tell(&met);
    assert_true(met.n_torn > 0 && met.n_crashes > 0 && met.n_skipped > 0 && met.n_revisions > 0);
}

static void each_event_and_each_correction_is_published_once_whatever_fails(void **state)
{
    (void)state;
    run_worlds(40, false);
}

static void each_revision_of_an_observation_is_published_once_whatever_fails(void **state)
{
    (void)state;
    run_worlds(12, true);
}

/* Worlds in which something once went wrong. */
static void worlds_that_failed_once_stay_mended(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {
        /* Leaves that came behind a span that a replay had rewritten were in no span. */
        56, 72, 96, 253, 352, 544, 721, 887,
        /* A replay went on with new normalizers before that was stored; after a crash what they had published
         * was taken for that of the former ones, and published again unchanged. */
        168830434453861864u};
    struct met met = {0};
    for (size_t i = 0; i < HR_ARRAY_LEN(seeds); i++) {
        run_world(seeds[i], false, &met);
    }
    tell(&met);
}

/* Batches whose notes are stored as one span. */
static void publish_a_span(uint32_t n_batches)
{
    for (uint32_t i = 0; i < n_batches; i++) {
        publish_world_commit();
    }
    publish_world_finish();
}

/* The end of a replay is stored at once, unless the ledger has no room then; what is live goes on. */
static void what_is_live_behind_a_replay_that_is_not_stored_yet_is_replayed_too(void **state)
{
    (void)state;
    publish_world_open(7, false);
    publish_world.model.trouble = 0;
    publish_a_span(20); /* more events than one chunk takes */
    publish_a_span(10);
    publish_world_restart(true, true);
    (void)publish_world_replay(0, INT64_MAX, false);
    while (publish_world.replay.row.id == 0 ||
           publish_world.replay.row.next_leaf == publish_world.replay.row.first_leaf) {
        publish_world_step();
    }
    assert_true(publish_world.replay.row.next_leaf < publish_world.replay.row.end_leaf);
    publish_world.has_no_room = true;
    while (publish_world.replay.row.next_leaf < publish_world.replay.row.end_leaf) {
        publish_world_step();
    }
    assert_int_equal(publish_world.replay.row.end_leaf, publish_world.n_leaves);
    assert_true(publish_world_is_replaying() && publish_world.fold.n_spans > 0);
    uint64_t first_live = publish_world.n_leaves;
    for (uint32_t i = 0; i < 10; i++) {
        publish_world_commit();
    }
    while (publish_world.publish.next_leaf < publish_world.n_leaves) {
        publish_world_step();
    }
    assert_true(publish_world.fold.stored_leaf <= first_live && publish_world.n_full > 0);
    publish_world.has_no_room = false;
    publish_world_finish();
    publish_world_restart(true, true);
    assert_true(publish_world_replay_all() > 0);
    publish_truth_records();
    publish_truth_complete(true);
    publish_truth_entries();
    assert_int_equal(publish_world_replay_all(), 0);
    publish_world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_and_each_correction_is_published_once_whatever_fails),
        cmocka_unit_test(each_revision_of_an_observation_is_published_once_whatever_fails),
        cmocka_unit_test(worlds_that_failed_once_stay_mended),
        cmocka_unit_test(what_is_live_behind_a_replay_that_is_not_stored_yet_is_replayed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
