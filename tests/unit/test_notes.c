/* SPDX-License-Identifier: Apache-2.0
 *
 * What was published, as bytes, and what an event says, as 64 bits: both are stored, so both must stay. */
#include "aggregator/core/notes.h"
#include "aggregator/normalize/norm.h"
#include "proto/base/assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_random.h"

#include <stdlib.h>
#include <string.h>

static uint8_t bytes[4 << 20];
static struct agg_note back[AGG_LEAF_MAX_NOTES];

static void assert_same(const struct agg_note *a, const struct agg_note *b)
{
    assert_int_equal(a->feed, b->feed);
    assert_int_equal(a->record, b->record);
    assert_int_equal(a->output, b->output);
    assert_int_equal(a->revision, b->revision);
    assert_true(a->content == b->content);
}

static size_t write_leaf(const struct agg_note *notes, uint32_t n)
{
    struct agg_notes_writer writer = {.out = hr_writer_over(bytes, sizeof bytes)};
    agg_notes_begin(&writer);
    for (uint32_t i = 0; i < n; i++) {
        agg_notes_add(&writer, &notes[i]);
    }
    assert_ok(agg_notes_end(&writer));
    return writer.out.at;
}

/* By hand from the comment in notes.h. */
static void a_run_of_records_costs_eight_bytes_an_event(void **state)
{
    (void)state;
    static const uint8_t wanted[] = {0, 0, 0, 1, 0x0A, 0x0B, 0x0C, 0x0D, 0, 5, 0, 0, 0, 0, 2, 1,
                                     2, 3, 4, 5, 6,    7,    8,    0,    0, 0, 0, 0, 0, 0, 9};
    const struct agg_note notes[] = {
        {.feed = 0x0A0B0C0D, .record = 5, .content = UINT64_C(0x0102030405060708)},
        {.feed = 0x0A0B0C0D, .record = 6, .content = 9}};
    assert_int_equal(write_leaf(notes, 2), sizeof wanted);
    assert_memory_equal(bytes, wanted, sizeof wanted);
}

static void outputs_of_a_record_and_revisions_have_their_flags(void **state)
{
    (void)state;
    static const uint8_t wanted[] = {0, 0, 0, 2,                                              /* runs */
                                     0, 0, 0, 7, 0, 1, 0, 0, 1, 0, 2,                         /* outputs */
                                     0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2,          /* */
                                     0, 0, 0, 7, 0, 2, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, /* revised */
                                     0, 4};
    const struct agg_note notes[] = {{.feed = 7, .record = 1, .content = 1},
                                     {.feed = 7, .record = 1, .output = 1, .content = 2},
                                     {.feed = 7, .record = 2, .content = 3, .revision = 4}};
    assert_int_equal(write_leaf(notes, 3), sizeof wanted);
    assert_memory_equal(bytes, wanted, sizeof wanted);
}

static void leaves_of_any_shape_are_read_back(void **state)
{
    (void)state;
    struct test_random random = test_random_start(20261121);
    static struct agg_note notes[3][3000];
    uint32_t n[3];
    for (uint32_t round = 0; round < 200; round++) {
        struct agg_notes_writer writer = {.out = hr_writer_over(bytes, sizeof bytes)};
        for (uint32_t leaf = 0; leaf < 3; leaf++) {
            n[leaf] = test_random_below(&random, 5) == 0 ? 0 : test_random_below(&random, 3000);
            agg_notes_begin(&writer);
            for (uint32_t i = 0; i < n[leaf]; i++) {
                uint32_t shape = test_random_below(&random, 12);
                const struct agg_note *last = i > 0 ? &notes[leaf][i - 1] : NULL;
                struct agg_note note = {
                    .feed = shape == 0 ? 2 : 1,
                    .record = (uint16_t)(last == NULL ? 0 : last->record + (shape < 9 ? 1 : 0)),
                    .output = shape == 2                  ? 65530 + test_random_below(&random, 70000)
                              : shape < 9 || last == NULL ? 0
                                                          : last->output + 1,
                    .revision = (uint16_t)(shape == 1 ? test_random_below(&random, 65536) : 0),
                    .content = test_random_next(&random)};
                notes[leaf][i] = note;
                agg_notes_add(&writer, &note);
            }
            assert_ok(agg_notes_end(&writer));
        }
        struct hr_reader in = hr_reader_over(hr_bytes_of(bytes, writer.out.at));
        for (uint32_t leaf = 0; leaf < 3; leaf++) {
            uint32_t n_back = 0;
            assert_ok(agg_notes_next(&in, back, &n_back));
            assert_int_equal(n_back, n[leaf]);
            for (uint32_t i = 0; i < n_back; i++) {
                assert_same(&back[i], &notes[leaf][i]);
            }
        }
        assert_int_equal(hr_reader_left(&in), 0);
    }
}

static void what_does_not_fit_is_told(void **state)
{
    (void)state;
    const struct agg_note note = {.feed = 1, .content = 1};
    for (size_t capacity = 0; capacity < 23; capacity++) {
        struct agg_notes_writer writer = {.out = hr_writer_over(bytes, capacity)};
        agg_notes_begin(&writer);
        agg_notes_add(&writer, &note);
        assert_code(agg_notes_end(&writer), HR_FULL);
    }
}

/* Feeds that change from one event to the next cost a run each. */
static void a_leaf_takes_notes_up_to_its_bound_and_counts_the_rest(void **state)
{
    (void)state;
    static const struct {
        uint32_t n_feeds, n_kept;
    } CASES[] = {{1, AGG_LEAF_MAX_NOTES}, {2, (AGG_LEAF_NOTES_MAX_BYTES - 23 - 4) / 19 + 1}};
    const struct agg_note last = {.feed = 3, .content = 9};
    for (size_t i = 0; i < HR_ARRAY_LEN(CASES); i++) {
        struct agg_notes_writer writer = {.out = hr_writer_over(bytes, sizeof bytes)};
        agg_notes_begin(&writer);
        for (uint32_t n = 0; n < AGG_LEAF_MAX_NOTES + 5; n++) {
            const struct agg_note note = {
                .feed = n % CASES[i].n_feeds, .record = (uint16_t)n, .content = n + UINT64_C(1)};
            agg_notes_add(&writer, &note);
        }
        assert_ok(agg_notes_end(&writer));
        assert_true(writer.out.at <= AGG_LEAF_NOTES_MAX_BYTES);
        assert_int_equal(writer.n_beyond, AGG_LEAF_MAX_NOTES + 5 - CASES[i].n_kept);
        agg_notes_begin(&writer); /* the next leaf is not touched by that */
        agg_notes_add(&writer, &last);
        assert_ok(agg_notes_end(&writer));
        struct hr_reader in = hr_reader_over(hr_bytes_of(bytes, writer.out.at));
        uint32_t n_back = 0;
        assert_ok(agg_notes_next(&in, back, &n_back));
        assert_int_equal(n_back, CASES[i].n_kept);
        assert_true(back[n_back - 1].content == n_back);
        assert_ok(agg_notes_next(&in, back, &n_back));
        assert_int_equal(n_back, 1);
        assert_same(&back[0], &last);
    }
}

static void notes_that_are_none_are_refused(void **state)
{
    (void)state;
    struct test_random random = test_random_start(7);
    const struct agg_note notes[] = {{.feed = 7, .record = 1, .content = 1},
                                     {.feed = 7, .record = 1, .output = 1, .content = 2},
                                     {.feed = 7, .record = 2, .content = 3, .revision = 4}};
    size_t len = write_leaf(notes, 3);
    uint32_t n_notes = 77;
    for (size_t cut = 0; cut < len; cut++) {
        struct hr_reader in = hr_reader_over(hr_bytes_of(bytes, cut));
        assert_code(agg_notes_next(&in, back, &n_notes), HR_CORRUPT);
    }
    for (uint32_t round = 0; round < 20000; round++) { /* whatever stands there, it is read or refused */
        uint8_t noise[64];
        test_random_fill(&random, noise, sizeof noise);
        noise[0] = noise[1] = noise[2] = 0;
        noise[3] &= 3;
        struct hr_reader in = hr_reader_over(hr_bytes_of(noise, sizeof noise));
        struct hr_status status = agg_notes_next(&in, back, &n_notes);
        assert_true((hr_is_ok(status) || hr_is(status, HR_CORRUPT)) && n_notes <= AGG_LEAF_MAX_NOTES);
    }
}

/* FNV-1a of 32 bits, from its authors' test vectors. */
static void feeds_are_named_by_fnv(void **state)
{
    (void)state;
    assert_int_equal(agg_feed_id(""), 0x811C9DC5u);
    assert_int_equal(agg_feed_id("a"), 0xE40C292Cu);
    assert_int_equal(agg_feed_id("foobar"), 0xBF9CF968u);
}

/* ---- content ---- */

static struct norm_value values[NORM_COMMON_COUNT];

static struct norm_event event_of(const char *key, int64_t occurred_at_us, const char *quality,
                                  int64_t error_ms)
{
    static const struct norm_schema nothing_aside = {.name = "test"};
    memset(values, 0, sizeof values);
    values[NORM_TIME_QUALITY] = norm_chars(quality, strlen(quality));
    values[NORM_TIME_ERROR_MS] = error_ms < 0 ? norm_null() : norm_long(error_ms);
    return (struct norm_event){.schema = &nothing_aside,
                               .values = values,
                               .key = hr_bytes_of(key, strlen(key)),
                               .occurred_at_us = occurred_at_us};
}

static uint64_t content(const char *own, size_t len_bytes)
{
    struct norm_event event = event_of("211378120", INT64_C(1795219200000000), "anchored", 25);
    return norm_content_of(&event, hr_bytes_of(own, len_bytes));
}

/* By tests/vectors/content.py, which has the rule from the comment in norm.h and no line from here. */
static void content_is_what_another_program_says(void **state)
{
    (void)state;
    assert_true(content("", 0) == UINT64_C(0xd49f0a942a409e75));
    assert_true(content("\x02\x04zq", 4) == UINT64_C(0x675fe70cf5f4ef6a));
    char own[100];
    for (size_t i = 0; i < sizeof own; i++) {
        own[i] = (char)(i * 7 + 1);
    }
    assert_true(content(own, sizeof own) == UINT64_C(0x1936641a71ec126e));
    struct norm_event event = event_of("0000000000000001", -1, "received_only", -1);
    assert_true(norm_content_of(&event, hr_bytes_of("x", 1)) == UINT64_C(0xa90b988d82a3530));
}

static void fields_that_a_schema_gains_change_nothing_while_they_are_null(void **state)
{
    (void)state;
    char own[64] = "\x02\x08ship";
    uint64_t before = content(own, 7);
    for (size_t len = 7; len < sizeof own; len++) {
        assert_true(content(own, len) == before);
    }
    own[30] = 2;
    assert_true(content(own, 40) != before);
}

static void each_bit_of_what_is_said_counts(void **state)
{
    (void)state;
    char own[70];
    for (size_t i = 0; i < sizeof own; i++) {
        own[i] = (char)(i + 1);
    }
    uint64_t before = content(own, sizeof own);
    for (size_t bit = 0; bit < 8 * sizeof own; bit++) {
        own[bit / 8] = (char)(own[bit / 8] ^ (1 << bit % 8));
        assert_true(content(own, sizeof own) != before);
        own[bit / 8] = (char)(own[bit / 8] ^ (1 << bit % 8));
    }
    const struct hr_bytes whole = hr_bytes_of(own, sizeof own);
    struct norm_event event = event_of("211378121", INT64_C(1795219200000000), "anchored", 25);
    assert_true(norm_content_of(&event, whole) != before);
    event = event_of("211378120", INT64_C(1795219200000001), "anchored", 25);
    assert_true(norm_content_of(&event, whole) != before);
    event = event_of("211378120", INT64_C(1795219200000000), "extrapolated", 25);
    assert_true(norm_content_of(&event, whole) != before);
    event = event_of("211378120", INT64_C(1795219200000000), "anchored", 26);
    assert_true(norm_content_of(&event, whole) != before);
    event = event_of("211378120", INT64_C(1795219200000000), "anchored", -1);
    assert_true(norm_content_of(&event, whole) != before);
    event = event_of("211378120", INT64_C(1795219200000000), "anchored", 25);
    values[NORM_REVISION] = norm_long(9);
    values[NORM_LEAF] = norm_long(12);
    assert_true(norm_content_of(&event, whole) == before); /* where it comes from does not count */
}

static struct agg_note note_of(uint32_t number)
{
    /* Outputs of two feeds in turn, some hundred of a record. */
    return (struct agg_note){.feed = 5 - number % 2,
                             .record = (uint16_t)(number / 700),
                             .output = number % 700 / 2,
                             .content = number + 1};
}

/* The most that a leaf may have, in an order that a replay may have left; half of what is asked for is not
 * there. With a walk over all of them for each it is a matter of minutes. */
static void a_note_is_found_in_a_full_leaf_however_its_notes_stand(void **state)
{
    (void)state;
    struct test_random random = {.state = 7};
    enum { N = AGG_LEAF_MAX_NOTES };
    for (uint32_t i = 0; i < N; i++) {
        back[i] = note_of(2 * i + i % 2);
    }
    for (uint32_t i = N - 1; i > 0; i--) {
        uint32_t other = test_random_below(&random, i + 1);
        const struct agg_note note = back[i];
        back[i] = back[other];
        back[other] = note;
    }
    agg_notes_sort(back, N);
    uint32_t n_found = 0;
    for (uint32_t i = 0; i < 2 * N; i++) {
        const struct agg_note wanted = note_of(i);
        const struct agg_note *found = agg_notes_find(back, N, &wanted);
        n_found += found != NULL ? 1 : 0;
        assert_true(found == NULL || found->content == wanted.content);
        assert_true((found != NULL) == (i / 2 % 2 == i % 2));
    }
    assert_int_equal(n_found, N);
    agg_notes_sort(back, 0);
    assert_null(agg_notes_find(back, 0, &back[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_of_records_costs_eight_bytes_an_event),
        cmocka_unit_test(outputs_of_a_record_and_revisions_have_their_flags),
        cmocka_unit_test(leaves_of_any_shape_are_read_back),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(a_leaf_takes_notes_up_to_its_bound_and_counts_the_rest),
        cmocka_unit_test(notes_that_are_none_are_refused),
        cmocka_unit_test(feeds_are_named_by_fnv),
        cmocka_unit_test(a_note_is_found_in_a_full_leaf_however_its_notes_stand),
        cmocka_unit_test(content_is_what_another_program_says),
        cmocka_unit_test(fields_that_a_schema_gains_change_nothing_while_they_are_null),
        cmocka_unit_test(each_bit_of_what_is_said_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
