/* SPDX-License-Identifier: Apache-2.0
 *
 * That the events of a stream's telemetry follow from the log alone: a reader that came this way since the
 * first batch and one that begins at any batch say the same, over restarts of the collector, losses, channels
 * that change and dictionaries that are long ago. */
#include "proto/base/assert.h"
#include "tests/support/telemetry_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_CHANNELS = 6, REACH = NORM_CHANNELS_REACH_BATCHES, PERIOD = 1000 };

static const struct norm_site site = {.collector = TELEMETRY_LAB_DEVICE,
                                      .name = "site",
                                      .has_node = true,
                                      .iso = NORM_MISO,
                                      .node = "N",
                                      .inverter_fuel = "wind"};

static int begin(void **state)
{
    return telemetry_lab_setup(state, &site);
}

/* A reader that begins at this batch says just what `events` does. */
static void expect_from_afresh(uint32_t seq, const char *events)
{
    struct norm_telemetry *fresh = telemetry_lab_reader(&site);
    telemetry_lab_take(fresh, seq);
    assert_string_equal(telemetry_lab.events, events);
    telemetry_lab_close(fresh);
}

static char *keep_events(void)
{
    char *kept = malloc(telemetry_lab.events_len + 1);
    assert_non_null(kept);
    memcpy(kept, telemetry_lab.events, telemetry_lab.events_len + 1);
    return kept;
}

static struct edge_record accumulator(uint32_t channel, int32_t scale)
{
    struct edge_record record = telemetry_lab_channel(channel, 103, "WH", EDGE_CHANNEL_ACCUMULATOR);
    record.as.channel.scale = scale;
    return record;
}

/* A batch with a value or two, sometimes a Channel, sometimes nothing. Channel 1 is told only at the start of
 * each dictionary, channel N_CHANNELS only once in a boot. */
static void put_random_batch(struct test_random *random, uint32_t since_boot, int64_t *count)
{
    static struct edge_record records[N_CHANNELS + 4];
    uint16_t n = 0;
    if (since_boot % PERIOD == 0) {
        uint32_t last = since_boot == 0 ? N_CHANNELS : N_CHANNELS - 1;
        for (uint32_t i = 1; i <= last; i++) {
            records[n++] = i % 2 == 0 ? accumulator(i, -(int32_t)i)
                                      : telemetry_lab_channel(i, 103, "W", EDGE_CHANNEL_MEASUREMENT);
        }
    }
    if (test_random_below(random, 40) == 0) {
        records[n++] = accumulator(2 + test_random_below(random, 2), -(int32_t)test_random_below(random, 3));
    }
    for (uint32_t left = test_random_below(random, 3); left > 0; left--) {
        *count += test_random_below(random, 100);
        records[n++] = telemetry_lab_sample(1 + test_random_below(random, N_CHANNELS + 1), *count,
                                            test_random_below(random, 8) == 0 ? EDGE_QUALITY_STALE : 0);
        records[n - 1].dt_ms = since_boot * 1000;
    }
    telemetry_lab_seal(records, n);
}

/* Boots, and losses of up to 30 batches, which a reader of them never sees. */
static void make_stream(struct test_random *random, uint32_t n_batches)
{
    uint32_t since_boot = 0;
    int64_t count = 0;
    for (uint32_t i = 0; i < n_batches; i++, since_boot++) {
        if (i == 40 || i == 200 || test_random_below(random, 3000) == 0) {
            telemetry_lab.maker.boot_id++;
            since_boot = 0;
        }
        put_random_batch(random, since_boot, &count);
    }
    for (uint32_t i = 0; i < n_batches / 400; i++) {
        uint32_t first = 1 + test_random_below(random, n_batches - 40);
        uint32_t n = 1 + test_random_below(random, 30);
        for (uint32_t k = 0; k < n; k++) {
            telemetry_lab.batches[first + k].is_lost = true;
        }
    }
    telemetry_lab.next_leaf = 0;
    for (uint32_t i = 0; i < n_batches; i++) {
        telemetry_lab.batches[i].leaf = telemetry_lab.next_leaf;
        telemetry_lab.next_leaf += telemetry_lab.batches[i].is_lost ? 0 : 1 + test_random_below(random, 3);
    }
}

static void a_reader_says_the_same_wherever_it_begins(void **state)
{
    struct test_random random = test_random_start(20261122);
    uint32_t n_events = 0;
    uint32_t n_unknown = 0;
    uint32_t n_compared = 0;
    uint32_t n_totals = 0;
    make_stream(&random, 4000);
    for (uint32_t seq = 0; seq < 4000; seq++) {
        if (telemetry_lab.batches[seq].is_lost) {
            continue;
        }
        /* An anchor of the batch's boot, whichever that is: they are the ledger's to find. */
        struct wire_envelope envelope;
        const struct telemetry_lab_batch *batch = &telemetry_lab.batches[seq];
        assert_true(hr_is_ok(wire_envelope_split(hr_bytes_of(batch->bytes, batch->len_bytes), &envelope)));
        const struct edge_time_anchor anchor = {.boot_id = envelope.header.boot_id, .utc_ms = 1699999490000};
        telemetry_lab.anchor = &anchor;
        telemetry_lab_take(*state, seq);
        n_events += telemetry_lab.n_events;
        bool has_total = strstr(telemetry_lab.events, "plant_total") != NULL;
        n_totals += has_total ? 1 : 0;
        n_unknown += strstr(telemetry_lab.events, "unknown_channel") != NULL ? 1 : 0;
        bool is_drawn = test_random_below(&random, seq < 300 ? 8 : 150) == 0;
        if (telemetry_lab.n_events > 0 && (is_drawn || (has_total && seq % 2 == 0))) {
            char *events = keep_events();
            expect_from_afresh(seq, events);
            telemetry_lab_take(*state, seq); /* the same batch once more, as after an abort */
            assert_string_equal(telemetry_lab.events, events);
            free(events);
            n_compared++;
        }
        telemetry_lab.anchor = NULL;
    }
    (void)printf("%u events, %u batches with unknown channels, %u totals, %u compared\n", n_events, n_unknown,
                 n_totals, n_compared);
    assert_true(n_totals > 10);
    assert_true(n_compared > 35 && n_unknown > 100 && n_unknown < n_events / 2);
}

/* What a reader keeps for itself must not reach farther than what another one can read. */
static void a_channel_is_known_for_its_reach_and_no_longer(void **state)
{
    const struct edge_record channel = accumulator(1, 0);
    const struct edge_record sample = telemetry_lab_sample(1, 5, EDGE_QUALITY_GOOD);
    telemetry_lab_seal(&channel, 1);
    for (uint32_t i = 1; i <= REACH + 1; i++) {
        telemetry_lab_seal(&sample, i >= REACH ? 1 : 0);
    }
    for (uint32_t seq = 0; seq <= REACH + 1; seq++) {
        telemetry_lab_take(*state, seq);
        if (seq >= REACH) {
            assert_int_equal(telemetry_lab.n_events, 1);
            assert_string_equal(telemetry_lab_text(0, "schema"),
                                seq == REACH ? "plant_telemetry" : "data_quality_anomaly");
            char *events = keep_events();
            expect_from_afresh(seq, events);
            free(events);
        }
    }
}

/* The value before is as far away as it may be, and its Channel as far before it. */
static void an_accumulator_goes_on_from_a_value_in_reach_and_from_no_other(void **state)
{
    const struct edge_record channel = accumulator(1, 0);
    const struct edge_record first = telemetry_lab_sample(1, 100, EDGE_QUALITY_GOOD);
    const struct edge_record second[] = {accumulator(1, 0), telemetry_lab_sample(1, 130, EDGE_QUALITY_GOOD)};
    const struct edge_record third[] = {accumulator(1, 0), telemetry_lab_sample(1, 190, EDGE_QUALITY_GOOD)};
    for (uint32_t i = 0; i <= 3 * REACH + 1; i++) {
        if (i == 0) {
            telemetry_lab_seal(&channel, 1);
        } else if (i == REACH) {
            telemetry_lab_seal(&first, 1);
        } else if (i == 2 * REACH) {
            telemetry_lab_seal(second, 2);
        } else if (i == 3 * REACH + 1) {
            telemetry_lab_seal(third, 2);
        } else {
            telemetry_lab_seal(NULL, 0);
        }
    }
    for (uint32_t seq = 0; seq <= 3 * REACH + 1; seq++) {
        telemetry_lab_take(*state, seq);
        if (seq == 2 * REACH || seq == 3 * REACH + 1) {
            assert_string_equal(telemetry_lab_text(0, "delta"), seq == 2 * REACH ? "30" : "null");
            char *events = keep_events();
            expect_from_afresh(seq, events);
            free(events);
        }
    }
}

static void a_channel_that_means_something_else_begins_anew(void **state)
{
    struct edge_record records[] = {accumulator(1, 0), telemetry_lab_sample(1, 100, 0),
                                    accumulator(1, 0), telemetry_lab_sample(1, 110, 0),
                                    accumulator(1, 1), telemetry_lab_sample(1, 12, 0),
                                    accumulator(1, 1), telemetry_lab_sample(1, 13, 0)};
    records[6].as.channel.interval_ms = 500; /* how it is read says nothing about what it is */
    telemetry_lab_seal(records, HR_ARRAY_LEN(records));
    telemetry_lab_take(*state, 0);
    assert_string_equal(telemetry_lab_text(0, "delta"), "null");
    assert_string_equal(telemetry_lab_text(1, "delta"), "10");
    assert_string_equal(telemetry_lab_text(2, "delta"), "null");
    assert_string_equal(telemetry_lab_text(3, "delta"), "10");
}

static void a_boot_forgets_what_the_one_before_it_called_its_channels(void **state)
{
    const struct edge_record told[] = {accumulator(1, 0), telemetry_lab_sample(1, 100, 0)};
    telemetry_lab_seal(told, 2);
    telemetry_lab.maker.boot_id++;
    telemetry_lab_seal(&told[1], 1);
    for (uint32_t seq = 0; seq < 2; seq++) {
        telemetry_lab_take(*state, seq);
        assert_string_equal(telemetry_lab_text(0, "schema"),
                            seq == 0 ? "plant_telemetry" : "data_quality_anomaly");
    }
    char *events = keep_events();
    expect_from_afresh(1, events);
    free(events);
}

static void a_ledger_that_cannot_be_read_gives_nothing_and_is_asked_again(void **state)
{
    const struct edge_record channel = accumulator(1, 0);
    const struct edge_record sample = telemetry_lab_sample(1, 5, EDGE_QUALITY_GOOD);
    telemetry_lab_seal(&channel, 1);
    telemetry_lab_seal(&sample, 1);
    telemetry_lab.is_away = true;
    telemetry_lab_take(*state, 1);
    assert_int_equal(telemetry_lab.n_events, 0);
    telemetry_lab.is_away = false;
    telemetry_lab_take(*state, 1);
    assert_int_equal(telemetry_lab.n_events, 1);
    assert_string_equal(telemetry_lab_text(0, "schema"), "plant_telemetry");
}

/* Retention leaves what needs_from names, and a reader that begins at `since` needs no more. */
static void what_needs_from_leaves_is_enough(void **state)
{
    struct norm_telemetry *telemetry = *state;
    struct test_random random = test_random_start(7);
    make_stream(&random, 4000);
    uint32_t seq = 0;
    for (uint32_t back = 0; back < 1200; back += 300) {
        for (; seq < 3000 + back; seq++) {
            if (!telemetry_lab.batches[seq].is_lost) {
                telemetry_lab_take(telemetry, seq);
            }
        }
        uint32_t from = seq - back / 2;
        while (telemetry_lab.batches[from].is_lost) {
            from++;
        }
        uint64_t since = telemetry_lab.batches[from].leaf;
        uint64_t needed = telemetry->normalizer.needs_from(telemetry, since);
        assert_true(needed <= since);
        struct norm_telemetry *all = telemetry_lab_reader(&site);
        struct norm_telemetry *rest = telemetry_lab_reader(&site);
        for (uint32_t i = from; i < from + 20; i++) {
            if (telemetry_lab.batches[i].is_lost) {
                continue;
            }
            telemetry_lab.first_leaf = 0;
            telemetry_lab_take(all, i);
            char *events = keep_events();
            telemetry_lab.first_leaf = needed;
            telemetry_lab_take(rest, i);
            assert_string_equal(telemetry_lab.events, events);
            free(events);
        }
        telemetry_lab.first_leaf = 0;
        telemetry_lab_close(all);
        telemetry_lab_close(rest);
    }
    assert_true(telemetry->normalizer.needs_from(telemetry, 0) > 0); /* it does not hold everything */
    assert_true(telemetry->normalizer.needs_from(telemetry, UINT64_MAX) == UINT64_MAX);
}

static void a_reader_of_a_stream_without_telemetry_asks_for_nothing(void **state)
{
    struct norm_telemetry *telemetry = *state;
    const struct edge_record event = {.kind = EDGE_EVENT, .as.event = {.code = 1}};
    telemetry_lab_seal(&event, 1);
    telemetry_lab_seal(&event, 1);
    telemetry_lab_take(telemetry, 0);
    telemetry_lab_take(telemetry, 1);
    assert_int_equal(telemetry_lab.n_read, 0);
    assert_true(telemetry->normalizer.needs_from(telemetry, 0) == UINT64_MAX);
}

static void a_boot_is_looked_for_no_farther_than_it_reaches(void **state)
{
    const struct edge_record channel = accumulator(1, 0);
    for (uint32_t i = 0; i < 2000; i++) {
        telemetry_lab_seal(NULL, 0);
    }
    telemetry_lab.maker.boot_id++;
    telemetry_lab_seal(&channel, 1);
    telemetry_lab_take(*state, 2000);
    assert_true(telemetry_lab.n_read > 0 && telemetry_lab.n_read <= 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reader_says_the_same_wherever_it_begins, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(a_channel_is_known_for_its_reach_and_no_longer, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(an_accumulator_goes_on_from_a_value_in_reach_and_from_no_other, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(a_channel_that_means_something_else_begins_anew, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(a_boot_forgets_what_the_one_before_it_called_its_channels, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(a_ledger_that_cannot_be_read_gives_nothing_and_is_asked_again, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(what_needs_from_leaves_is_enough, begin, telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(a_reader_of_a_stream_without_telemetry_asks_for_nothing, begin,
                                        telemetry_lab_teardown),
        cmocka_unit_test_setup_teardown(a_boot_is_looked_for_no_farther_than_it_reaches, begin,
                                        telemetry_lab_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
