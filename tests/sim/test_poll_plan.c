/* SPDX-License-Identifier: Apache-2.0
 *
 * Feeds against simulated operators, over days of simulated time: which request goes when. */
#include "firmware/taps/poll/plan.h"
#include "firmware/taps/poll/total.h"
#include "proto/base/assert.h"
#include "proto/feeds/url.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOG = 40000, MAX_FEEDS = 4, MINUTE_MS = 60000, HOUR_MS = 3600000 };

struct entry {
    uint64_t uptime_ms;
    int64_t utc_ms;
    struct poll_task task;
    enum poll_result result;
};

struct lab {
    struct poll_plan plan;
    struct poll_feed feeds[MAX_FEEDS];
    struct poll_host hosts[MAX_FEEDS];
    struct feeds_feed cards[MAX_FEEDS];
    struct feeds_zone zone;
    struct port_random random;
    uint64_t seed;
    struct poll_now now;
    uint32_t latency_ms;
    struct poll_outcome (*answer)(struct lab *lab, const struct poll_task *task);
    size_t n_log;
    struct entry log[MAX_LOG];
};

static uint32_t next_u32(void *ctx)
{
    struct lab *lab = ctx;
    lab->seed = lab->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(lab->seed >> 32);
}

static struct poll_outcome always_got(struct lab *lab, const struct poll_task *task)
{
    (void)lab;
    (void)task;
    return (struct poll_outcome){.result = POLL_GOT, .bytes = 1000, .records = 2};
}

static struct lab *make_lab(int64_t utc_ms)
{
    struct lab *lab = calloc(1, sizeof *lab);
    assert_non_null(lab);
    assert_ok(feeds_zone_parse("PST8PDT,M3.2.0,M11.1.0", &lab->zone));
    lab->random = (struct port_random){next_u32, lab};
    lab->seed = 20261121;
    lab->now = (struct poll_now){5000, utc_ms};
    lab->latency_ms = 250;
    lab->answer = always_got;
    poll_plan_init(&lab->plan, lab->feeds, MAX_FEEDS, lab->hosts, MAX_FEEDS, POLL_BREAKER_FIRST_MS,
                   &lab->random);
    return lab;
}

static struct feeds_feed *add(struct lab *lab, enum feeds_window_kind kind, uint32_t length_ms,
                              struct feeds_schedule schedule)
{
    struct feeds_feed *feed = &lab->cards[lab->plan.n_feeds];
    *feed = (struct feeds_feed){
        .name = "caiso_test",
        .url = "https://oasis.caiso.com/x",
        .schedule = schedule,
        .quota = {5000, 1, 1000, UINT64_C(1) << 30, 1000000},
        .limits = {.max_bytes = 1 << 20},
        .retry = {3, 2000, 60000},
    };
    feed->window.kind = kind;
    feed->window.length_ms = length_ms;
    return feed;
}

static void take(struct lab *lab)
{
    struct feeds_feed *feed = &lab->cards[lab->plan.n_feeds];
    assert_ok(poll_plan_add(&lab->plan, feed, &lab->zone, lab->now));
}

static void pass(struct lab *lab, uint64_t ms)
{
    lab->now.uptime_ms += ms;
    lab->now.utc_ms += (int64_t)ms;
}

/* Runs the plan for so long; each request takes latency_ms. */
static void run(struct lab *lab, uint64_t for_ms)
{
    uint64_t end_ms = lab->now.uptime_ms + for_ms;
    while (lab->now.uptime_ms < end_ms) {
        struct poll_task task;
        uint32_t wait_ms = 0;
        if (!poll_plan_begin(&lab->plan, lab->now, &task, &wait_ms)) {
            assert_true(wait_ms > 0);
            uint64_t left_ms = end_ms - lab->now.uptime_ms;
            pass(lab, wait_ms < left_ms ? wait_ms : left_ms);
            continue;
        }
        assert_true(lab->n_log < MAX_LOG);
        struct entry *entry = &lab->log[lab->n_log++];
        *entry = (struct entry){lab->now.uptime_ms, lab->now.utc_ms, task, POLL_GOT};
        pass(lab, lab->latency_ms);
        struct poll_outcome outcome = lab->answer(lab, &task);
        entry->result = outcome.result;
        poll_plan_end(&lab->plan, &task, &outcome, lab->now);
    }
}

static size_t got(const struct lab *lab, uint32_t feed, int64_t start_ms, uint32_t visit)
{
    size_t n = 0;
    for (size_t i = 0; i < lab->n_log; i++) {
        const struct entry *entry = &lab->log[i];
        n += entry->task.feed == feed && entry->task.window.start_ms == start_ms &&
                     entry->task.visit == visit && entry->result == POLL_GOT
                 ? 1
                 : 0;
    }
    return n;
}

static int64_t start_of(int month, int day)
{
    return feeds_utc_ms(2026, (uint32_t)month, (uint32_t)day, 12 * 3600);
}

/* ---- tests ---- */

static void each_window_is_visited_once_when_it_is_due_and_again_as_told(void **state)
{
    (void)state;
    int64_t t0 = start_of(6, 1);
    struct lab *lab = make_lab(t0);
    (void)add(
        lab, FEEDS_INTERVAL, 5 * MINUTE_MS,
        (struct feeds_schedule){.lag_ms = MINUTE_MS, .every_ms = 5 * MINUTE_MS, .until_ms = 10 * MINUTE_MS});
    take(lab);
    run(lab, 6 * HOUR_MS);
    for (int64_t start = t0; start < t0 + 5 * HOUR_MS; start += 5 * MINUTE_MS) {
        for (uint32_t visit = 0; visit < 3; visit++) {
            assert_int_equal(got(lab, 0, start, visit), 1);
        }
    }
    for (size_t i = 0; i < lab->n_log; i++) {
        const struct entry *entry = &lab->log[i];
        int64_t due = entry->task.window.end_ms + MINUTE_MS + (int64_t)entry->task.visit * 5 * MINUTE_MS;
        assert_true(entry->utc_ms >= due);
        assert_true(i < 3 || entry->utc_ms < due + 20000); /* three visits share the host's bucket */
    }
    free(lab);
}

static void no_two_requests_to_a_host_are_closer_than_its_bucket(void **state)
{
    (void)state;
    struct lab *lab = make_lab(start_of(6, 1));
    for (uint32_t i = 0; i < 3; i++) {
        (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.catch_up = 100});
        lab->cards[i].quota.host_every_ms = i == 1 ? 5000 : 1000; /* the strictest speaks for all */
        take(lab);
    }
    assert_int_equal(lab->plan.n_hosts, 1);
    run(lab, 2 * HOUR_MS);
    assert_true(lab->n_log > 300);
    assert_true(lab->log[0].uptime_ms >= 5000 + 5000);
    for (size_t i = 1; i < lab->n_log; i++) {
        /* Whenever within the two requests the host counted them. */
        assert_true(lab->log[i].uptime_ms >= lab->log[i - 1].uptime_ms + lab->latency_ms + 5000);
    }
    free(lab);
}

static void what_is_live_goes_before_what_was_missed(void **state)
{
    (void)state;
    int64_t t0 = start_of(6, 1);
    struct lab *lab = make_lab(t0);
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.catch_up = 500});
    take(lab);
    /* Another feed of the host, whose windows are due when that one's missed ones would go. */
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.lag_ms = MINUTE_MS});
    take(lab);
    run(lab, 3 * HOUR_MS);
    assert_int_equal(lab->log[0].task.class_, POLL_LIVE);
    for (size_t i = 0; i < lab->n_log; i++) {
        const struct entry *entry = &lab->log[i];
        if (entry->task.class_ == POLL_LIVE) {
            int64_t due = entry->task.window.end_ms + (entry->task.feed == 1 ? MINUTE_MS : 0);
            assert_true(i < 2 || entry->utc_ms < due + 6000);
        }
    }
    for (int64_t start = t0 - 501 * INT64_C(300000); start < t0 + 2 * HOUR_MS; start += 300000) {
        assert_int_equal(got(lab, 0, start, 0), 1);
    }
    free(lab);
}

static struct poll_outcome down_for_hours(struct lab *lab, const struct poll_task *task)
{
    int64_t since_ms = lab->now.utc_ms - start_of(6, 1);
    bool is_down = since_ms > HOUR_MS && since_ms < 4 * HOUR_MS;
    return is_down ? (struct poll_outcome){.result = POLL_FAILED} : always_got(lab, task);
}

static void an_outage_loses_no_window_and_hardly_bothers_the_host(void **state)
{
    (void)state;
    int64_t t0 = start_of(6, 1);
    struct lab *lab = make_lab(t0);
    lab->answer = down_for_hours;
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.lag_ms = 0});
    take(lab);
    run(lab, 6 * HOUR_MS);
    for (int64_t start = t0; start < t0 + 5 * HOUR_MS; start += 300000) {
        assert_int_equal(got(lab, 0, start, 0), 1);
    }
    size_t n_failed = 0;
    for (size_t i = 0; i < lab->n_log; i++) {
        n_failed += lab->log[i].result == POLL_FAILED ? 1 : 0;
    }
    /* Five to open it, then trials after 30 s, 60 s ... 15 min: 3 hours of them are not 30. */
    assert_in_range(n_failed, 5, 30);
    assert_true(lab->hosts[0].breaker.opened >= 5);
    assert_int_equal(lab->hosts[0].breaker.state, POLL_CLOSED);
    free(lab);
}

static struct poll_outcome throttles_sometimes(struct lab *lab, const struct poll_task *task)
{
    (void)task;
    if (lab->n_log % 7 == 3) {
        return (struct poll_outcome){
            .result = POLL_THROTTLED, .has_retry_after = lab->n_log % 2 == 0, .retry_after_ms = 90000};
    }
    return always_got(lab, task);
}

static void a_host_that_says_too_many_is_left_alone(void **state)
{
    (void)state;
    int64_t t0 = start_of(6, 1);
    struct lab *lab = make_lab(t0);
    lab->answer = throttles_sometimes;
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.catch_up = 50});
    take(lab);
    run(lab, 4 * HOUR_MS);
    for (size_t i = 0; i + 1 < lab->n_log; i++) {
        if (lab->log[i].result == POLL_THROTTLED) {
            /* n_log was i + 1 when it was answered. */
            uint64_t least_ms = (i + 1) % 2 == 0 ? 90000 : 10000;
            assert_true(lab->log[i + 1].uptime_ms >= lab->log[i].uptime_ms + lab->latency_ms + least_ms);
        }
    }
    for (int64_t start = t0 - 50 * INT64_C(300000); start < t0 + 3 * HOUR_MS; start += 300000) {
        assert_int_equal(got(lab, 0, start, 0), 1);
    }
    assert_int_equal(lab->feeds[0].counts.given_up, 0);
    assert_int_equal(lab->hosts[0].breaker.opened, 0);
    free(lab);
}

static struct poll_outcome never_published(struct lab *lab, const struct poll_task *task)
{
    bool is_gone = task->window.start_ms % HOUR_MS == 0;
    return is_gone ? (struct poll_outcome){.result = POLL_ABSENT} : always_got(lab, task);
}

static void a_document_that_is_not_there_is_given_up_and_stops_nothing(void **state)
{
    (void)state;
    int64_t t0 = start_of(6, 1);
    struct lab *lab = make_lab(t0);
    lab->answer = never_published;
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.catch_up = 24});
    take(lab);
    run(lab, 4 * HOUR_MS);
    for (int64_t start = t0 - 24 * INT64_C(300000); start < t0 + 3 * HOUR_MS; start += 300000) {
        assert_int_equal(got(lab, 0, start, 0), start % HOUR_MS == 0 ? 0 : 1);
    }
    assert_true(lab->feeds[0].counts.given_up >= 5);
    /* One attempt and three more, for each. */
    assert_int_equal(lab->feeds[0].counts.absent / 4, lab->feeds[0].counts.given_up);
    free(lab);
}

static struct poll_outcome key_expired_for_an_hour(struct lab *lab, const struct poll_task *task)
{
    bool is_denied = lab->now.utc_ms < start_of(6, 1) + HOUR_MS;
    return is_denied ? (struct poll_outcome){.result = POLL_DENIED} : always_got(lab, task);
}

static void an_expired_key_costs_no_window_and_opens_no_breaker(void **state)
{
    (void)state;
    int64_t t0 = start_of(6, 1);
    struct lab *lab = make_lab(t0);
    lab->answer = key_expired_for_an_hour;
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.catch_up = 2});
    take(lab);
    run(lab, 3 * HOUR_MS);
    for (int64_t start = t0 - 2 * INT64_C(300000); start < t0 + 2 * HOUR_MS; start += 300000) {
        assert_int_equal(got(lab, 0, start, 0), 1);
    }
    assert_true(lab->feeds[0].counts.denied > 5);
    assert_int_equal(lab->feeds[0].counts.given_up, 0);
    assert_int_equal(lab->hosts[0].breaker.opened, 0);
    free(lab);
}

static void no_hour_has_more_requests_than_the_feed_may_make(void **state)
{
    (void)state;
    struct lab *lab = make_lab(start_of(6, 1));
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.catch_up = 900});
    lab->cards[0].quota.requests_per_hour = 30;
    take(lab);
    run(lab, 10 * HOUR_MS);
    assert_true(lab->n_log > 250);
    for (size_t i = 0; i + 30 < lab->n_log; i++) {
        assert_true(lab->log[i + 30].uptime_ms - lab->log[i].uptime_ms >= HOUR_MS);
    }
    assert_true(lab->feeds[0].counts.held >= 8); /* about each hour once, and not at each look */
    assert_true(lab->feeds[0].counts.held <= 40);
    free(lab);
}

static void market_days_are_visited_ahead_over_a_clock_change(void **state)
{
    (void)state;
    struct lab *lab = make_lab(feeds_utc_ms(2026, 10, 29, 0));
    (void)add(lab, FEEDS_DAY, 0, (struct feeds_schedule){.lead_ms = 11 * HOUR_MS});
    take(lab);
    run(lab, UINT64_C(7) * 24 * HOUR_MS);
    /* Midnights of the Pacific, 2026-10-30 to 2026-11-05; 2026-11-01 has 25 hours. */
    for (uint32_t day = 30; day <= 36; day++) {
        bool is_november = day > 31;
        uint32_t hour = day <= 32 ? 7 : 8;
        int64_t start = feeds_utc_ms(2026, is_november ? 11 : 10, is_november ? day - 31 : day, hour * 3600);
        assert_int_equal(got(lab, 0, start, 0), 1);
    }
    for (size_t i = 1; i < lab->n_log; i++) {
        assert_true(lab->log[i].utc_ms < lab->log[i].task.window.start_ms - 10 * HOUR_MS);
    }
    free(lab);
}

static void a_snapshot_is_taken_each_period_and_never_made_up_for(void **state)
{
    (void)state;
    struct lab *lab = make_lab(start_of(6, 1));
    lab->answer = down_for_hours;
    (void)add(lab, FEEDS_SNAPSHOT, 0, (struct feeds_schedule){.every_ms = MINUTE_MS});
    take(lab);
    run(lab, 6 * HOUR_MS);
    size_t n_got = 0;
    int64_t last_slot = -1;
    for (size_t i = 0; i < lab->n_log; i++) {
        assert_int_equal(lab->log[i].task.class_, POLL_LIVE);
        if (lab->log[i].result == POLL_GOT) {
            assert_true(lab->log[i].utc_ms / MINUTE_MS > last_slot);
            last_slot = lab->log[i].utc_ms / MINUTE_MS;
            n_got++;
        }
    }
    assert_in_range(n_got, 3 * 60 - 17, 3 * 60 + 1); /* a trial may be 15 minutes late */
    free(lab);
}

static void nothing_is_asked_before_the_clock_is_set(void **state)
{
    (void)state;
    struct lab *lab = make_lab(3600000);
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.catch_up = 3});
    take(lab);
    run(lab, HOUR_MS);
    assert_int_equal(lab->n_log, 0);
    lab->now.utc_ms = start_of(6, 1);
    run(lab, HOUR_MS);
    assert_int_equal(got(lab, 0, start_of(6, 1) - 4 * INT64_C(300000), 0), 1);
    assert_int_equal(got(lab, 0, start_of(6, 1) - 5 * INT64_C(300000), 0), 0);
    free(lab);
}

static struct poll_outcome anything(struct lab *lab, const struct poll_task *task)
{
    uint32_t chance = next_u32(lab) % 100;
    lab->latency_ms = next_u32(lab) % 9000;
    if (chance < 60) {
        return always_got(lab, task);
    }
    struct poll_outcome outcome = {.result = chance < 80   ? POLL_FAILED
                                             : chance < 90 ? POLL_THROTTLED
                                                           : POLL_ABSENT,
                                   .has_retry_after = chance % 3 == 0,
                                   .retry_after_ms = next_u32(lab) % 200000};
    return outcome;
}

static void whatever_hosts_answer_each_window_ends_as_had_or_refused(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        int64_t t0 = start_of(6, 1);
        struct lab *lab = make_lab(t0);
        lab->seed = seed;
        lab->answer = anything;
        for (uint32_t i = 0; i < MAX_FEEDS; i++) {
            (void)add(lab, FEEDS_INTERVAL,
                      (i + 1) * 5 * MINUTE_MS == 20 * MINUTE_MS ? HOUR_MS : (i + 1) * 5 * MINUTE_MS,
                      (struct feeds_schedule){.lag_ms = 1000 * i, .catch_up = 10 * i});
            (void)snprintf(lab->cards[i].url, sizeof lab->cards[i].url, "https://h%u/x", (unsigned)(i / 2));
            take(lab);
        }
        run(lab, 12 * HOUR_MS);
        lab->answer = always_got;
        lab->latency_ms = 100;
        run(lab, 12 * HOUR_MS);
        for (uint32_t i = 0; i < MAX_FEEDS; i++) {
            const struct feeds_feed *feed = &lab->cards[i];
            size_t n_lost = 0;
            for (int64_t start = t0; start < t0 + 22 * HOUR_MS; start += feed->window.length_ms) {
                n_lost += got(lab, i, start, 0) == 0 ? 1 : 0;
            }
            if (n_lost > lab->feeds[i].counts.given_up) {
                fail_msg("seed %u, feed %u: %zu windows lost, %u given up", (unsigned)seed, (unsigned)i,
                         n_lost, (unsigned)lab->feeds[i].counts.given_up);
            }
            assert_int_equal(lab->feeds[i].missed_end_ms, 0);
        }
        free(lab);
    }
}

/* Two feeds of one host, one of them with a backfill of 288 windows or without; the log is what is compared.
 */
static struct lab *run_with_backfill(bool has_backfill, int64_t start_ms, uint64_t *done_ms)
{
    struct lab *lab = make_lab(start_ms + 90 * MINUTE_MS + 1234);
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS,
              (struct feeds_schedule){.lag_ms = 7000, .every_ms = 60000, .until_ms = 120000});
    take(lab);
    (void)add(lab, FEEDS_INTERVAL, 15 * MINUTE_MS, (struct feeds_schedule){.lag_ms = 20000, .catch_up = 4});
    lab->cards[0].quota.requests_per_hour = 200;
    take(lab);
    lab->latency_ms = 900;
    run(lab, 10 * MINUTE_MS);
    if (has_backfill) {
        assert_ok(poll_plan_backfill(&lab->plan, 0, start_ms - 24 * INT64_C(3600000), start_ms));
        assert_code(poll_plan_backfill(&lab->plan, 0, 0, 1), HR_FULL);
    }
    *done_ms = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        run(lab, MINUTE_MS);
        *done_ms = *done_ms == 0 && lab->feeds[0].backfill_end_ms == 0 ? lab->now.uptime_ms : *done_ms;
    }
    return lab;
}

static void a_backfill_visits_each_window_once_and_no_live_visit_goes_later_for_it(void **state)
{
    (void)state;
    int64_t start_ms = start_of(6, 1);
    uint64_t done_ms = 0;
    struct lab *without = run_with_backfill(false, start_ms, &done_ms);
    struct lab *with = run_with_backfill(true, start_ms, &done_ms);
    size_t n_live = 0;
    size_t n_backfill = 0;
    for (size_t i = 0; i < with->n_log; i++) {
        const struct entry *entry = &with->log[i];
        if (entry->task.class_ == POLL_BACKFILL) {
            assert_int_equal(entry->task.window.start_ms,
                             start_ms - 24 * INT64_C(3600000) + (int64_t)n_backfill * 5 * MINUTE_MS);
            n_backfill++;
            continue;
        }
        assert_true(n_live < without->n_log);
        assert_memory_equal(&entry->task, &without->log[n_live].task, sizeof entry->task);
        assert_int_equal(entry->uptime_ms, without->log[n_live].uptime_ms);
        n_live++;
    }
    assert_int_equal(n_live, without->n_log);
    assert_int_equal(n_backfill, 288);
    assert_true(with->feeds[0].counts.held == 0); /* its quota was left what the schedule needs */
    assert_true(done_ms > 0);
    free(with);
    free(without);
}

static struct poll_outcome never_got(struct lab *lab, const struct poll_task *task)
{
    (void)lab;
    (void)task;
    return (struct poll_outcome){.result = POLL_FAILED, .records = 1};
}

static struct poll_outcome always_absent(struct lab *lab, const struct poll_task *task)
{
    (void)lab;
    (void)task;
    return (struct poll_outcome){.result = POLL_ABSENT, .records = 1};
}

static void a_backfill_keeps_windows_through_an_outage_and_gives_up_what_is_not_there(void **state)
{
    (void)state;
    int64_t start_ms = start_of(6, 1);
    struct lab *lab = make_lab(start_ms);
    (void)add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.lag_ms = 7000});
    take(lab);
    (void)add(lab, FEEDS_SNAPSHOT, 0, (struct feeds_schedule){.every_ms = 60000});
    take(lab);
    assert_code(poll_plan_backfill(&lab->plan, 1, 0, 1), HR_MALFORMED);
    assert_code(poll_plan_backfill(&lab->plan, 0, 5, 5), HR_MALFORMED);
    assert_ok(poll_plan_backfill(&lab->plan, 0, start_ms - 10 * HOUR_MS, start_ms - 9 * HOUR_MS));
    lab->answer = never_got;
    run(lab, 4 * HOUR_MS);
    assert_true(lab->feeds[0].backfill_end_ms != 0);
    lab->answer = always_absent;
    run(lab, 4 * HOUR_MS);
    assert_int_equal(lab->feeds[0].backfill_end_ms, 0);
    assert_true(lab->feeds[0].counts.given_up >= 12);
    free(lab);
}

/* Three pages a window, and a failure on each second one. */
static struct poll_outcome three_pages(struct lab *lab, const struct poll_task *task)
{
    struct poll_outcome outcome = always_got(lab, task);
    bool fails = task->page == 1 && lab->n_log % 3 == 0;
    outcome.n_pages = 3;
    outcome.result = fails ? POLL_FAILED : POLL_GOT;
    return outcome;
}

static void pages_of_a_window_are_asked_for_one_after_the_other_within_the_host_s_pace(void **state)
{
    (void)state;
    struct lab *lab = make_lab(INT64_C(1767225900000)); /* 2026-01-01T00:05:00Z */
    struct feeds_feed *feed =
        add(lab, FEEDS_INTERVAL, 15 * MINUTE_MS, (struct feeds_schedule){.lag_ms = 1000});
    feed->has_pages = true;
    feed->pages = (struct feeds_pages){"page", "totalPages", 0, 1, 20};
    lab->answer = three_pages;
    take(lab);
    run(lab, 6 * HOUR_MS);
    uint32_t n_windows = 0;
    uint32_t next_page = 0;
    int64_t window_ms = lab->log[0].task.window.start_ms;
    for (size_t i = 0; i < lab->n_log; i++) {
        const struct entry *entry = &lab->log[i];
        assert_true(i == 0 || entry->uptime_ms - lab->log[i - 1].uptime_ms >= 5000);
        assert_int_equal(entry->task.page, next_page);
        assert_true(entry->task.window.start_ms == window_ms);
        if (entry->result == POLL_GOT) {
            n_windows += next_page == 2 ? 1 : 0;
            window_ms += next_page == 2 ? 15 * MINUTE_MS : 0;
            next_page = (next_page + 1) % 3;
        }
    }
    assert_in_range(n_windows, 24, 25);
    free(lab);
}

static struct poll_outcome a_thousand_pages(struct lab *lab, const struct poll_task *task)
{
    struct poll_outcome outcome = always_got(lab, task);
    outcome.n_pages = 1000;
    return outcome;
}

static void pages_beyond_the_bound_are_not_asked_for(void **state)
{
    (void)state;
    struct lab *lab = make_lab(INT64_C(1767225900000));
    struct feeds_feed *feed = add(lab, FEEDS_INTERVAL, HOUR_MS, (struct feeds_schedule){.lag_ms = 1000});
    feed->has_pages = true;
    feed->pages = (struct feeds_pages){"page", "totalPages", 0, 1, 4};
    lab->answer = a_thousand_pages;
    take(lab);
    run(lab, 3 * HOUR_MS + MINUTE_MS);
    assert_int_equal(lab->n_log, 4 * 4); /* that of the start, and three more */
    for (size_t i = 0; i < lab->n_log; i++) {
        assert_int_equal(lab->log[i].task.page, i % 4);
    }
    free(lab);
}

/* A window that a newer one overtakes goes on where it was, behind it. */
static void a_page_that_is_overtaken_is_missed_from_there_on(void **state)
{
    (void)state;
    struct lab *lab = make_lab(INT64_C(1767225900000));
    struct feeds_feed *feed =
        add(lab, FEEDS_INTERVAL, 5 * MINUTE_MS, (struct feeds_schedule){.lag_ms = 1000});
    feed->has_pages = true;
    feed->pages = (struct feeds_pages){"page", "totalPages", 0, 1, 20};
    feed->quota.host_every_ms = 2 * MINUTE_MS; /* three pages take longer than a window */
    lab->answer = a_thousand_pages;
    take(lab);
    run(lab, 20 * MINUTE_MS);
    uint32_t pages[16] = {0};
    int64_t first_ms = lab->log[0].task.window.start_ms;
    for (size_t i = 0; i < lab->n_log; i++) {
        const struct poll_task *task = &lab->log[i].task;
        uint32_t nth = (uint32_t)((task->window.start_ms - first_ms) / (5 * MINUTE_MS));
        assert_true(nth < 16);
        assert_true(task->class_ == POLL_MISSED || task->page == pages[nth]);
        pages[nth] = task->page + 1;
    }
    free(lab);
}

static uint32_t pages_of(const char *text, const struct feeds_pages *pages, size_t piece)
{
    struct poll_total total;
    poll_total_begin(&total, pages->total);
    for (size_t at = 0; at < strlen(text); at += piece) {
        size_t left = strlen(text) - at;
        poll_total_see(&total, hr_bytes_of(text + at, left < piece ? left : piece));
    }
    return poll_total_pages(&total, pages);
}

static void how_many_pages_there_are_is_read_however_the_text_comes(void **state)
{
    static const struct feeds_pages by_page = {"page", "totalPages", 0, 1, 20};
    static const struct feeds_pages by_row = {"startRow", "totalRows", 50000, 1, 20};
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        assert_int_equal(pages_of("{\"_meta\":{\"totalRecords\":9,\"totalPages\" : 7,\"currentPage\":1}}",
                                  &by_page, piece),
                         7);
        assert_int_equal(pages_of("{\"page\":{\"totalPages\":\"12\"}}", &by_page, piece), 12);
        assert_int_equal(pages_of("[\"totalPages\",\"x\"totalPages\":3,\"totalPages\":4]", &by_page, piece),
                         3);
        assert_int_equal(pages_of("{\"totalPages\":0}", &by_page, piece), 1);
        assert_int_equal(pages_of("{\"totalPages\":null,\"n\":5}", &by_page, piece), 0);
        assert_int_equal(pages_of("{\"totalPage\":5,\"totalPagess\":6}", &by_page, piece), 0);
        assert_int_equal(pages_of("{\"items\":[],\"totalRows\":50000}", &by_row, piece), 1);
        assert_int_equal(pages_of("{\"items\":[],\"totalRows\":50001}", &by_row, piece), 2);
        assert_int_equal(pages_of("{\"totalPages\":99999999999999999999}", &by_page, piece), UINT32_MAX);
    }
}

static void the_parameter_of_a_page_is_the_last_of_its_url(void **state)
{
    static const struct feeds_pages by_page = {"page", "totalPages", 0, 1, 20};
    static const struct feeds_pages by_row = {"startRow", "totalRows", 50000, 1, 20};
    char url[FEEDS_REQUEST_MAX_CHARS + 1] = "https://a/b?size=9";
    (void)state;
    assert_true(feeds_url_add_page(&by_page, 0, url));
    assert_string_equal(url, "https://a/b?size=9&page=1");
    (void)snprintf(url, sizeof url, "https://a/b");
    assert_true(feeds_url_add_page(&by_row, 3, url));
    assert_string_equal(url, "https://a/b?startRow=150001");
    memset(url, 'x', FEEDS_REQUEST_MAX_CHARS - 7);
    url[FEEDS_REQUEST_MAX_CHARS - 7] = '\0';
    assert_true(feeds_url_add_page(&by_page, 0, url));
    assert_int_equal(strlen(url), FEEDS_REQUEST_MAX_CHARS);
    url[FEEDS_REQUEST_MAX_CHARS - 6] = '\0';
    assert_false(feeds_url_add_page(&by_page, 0, url));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_a_window_are_asked_for_one_after_the_other_within_the_host_s_pace),
        cmocka_unit_test(pages_beyond_the_bound_are_not_asked_for),
        cmocka_unit_test(a_page_that_is_overtaken_is_missed_from_there_on),
        cmocka_unit_test(how_many_pages_there_are_is_read_however_the_text_comes),
        cmocka_unit_test(the_parameter_of_a_page_is_the_last_of_its_url),
        cmocka_unit_test(each_window_is_visited_once_when_it_is_due_and_again_as_told),
        cmocka_unit_test(no_two_requests_to_a_host_are_closer_than_its_bucket),
        cmocka_unit_test(what_is_live_goes_before_what_was_missed),
        cmocka_unit_test(an_outage_loses_no_window_and_hardly_bothers_the_host),
        cmocka_unit_test(a_host_that_says_too_many_is_left_alone),
        cmocka_unit_test(a_document_that_is_not_there_is_given_up_and_stops_nothing),
        cmocka_unit_test(an_expired_key_costs_no_window_and_opens_no_breaker),
        cmocka_unit_test(no_hour_has_more_requests_than_the_feed_may_make),
        cmocka_unit_test(market_days_are_visited_ahead_over_a_clock_change),
        cmocka_unit_test(a_snapshot_is_taken_each_period_and_never_made_up_for),
        cmocka_unit_test(nothing_is_asked_before_the_clock_is_set),
        cmocka_unit_test(a_backfill_visits_each_window_once_and_no_live_visit_goes_later_for_it),
        cmocka_unit_test(a_backfill_keeps_windows_through_an_outage_and_gives_up_what_is_not_there),
        cmocka_unit_test(whatever_hosts_answer_each_window_ends_as_had_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
