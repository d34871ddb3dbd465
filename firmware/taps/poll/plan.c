/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/poll/plan_internal.h"

#include "proto/base/assert.h"
#include "proto/feeds/url.h"

#include <string.h>

static const int64_t UTC_SET_MS = INT64_C(1704067200000); /* 2024-01-01 */

enum { UNSET_CLOCK_WAIT_MS = 1000, CHUNK_BYTES = 1024, THROTTLE_BASE_MS = 5000, THROTTLE_CAP_MS = 300000 };

void poll_plan_init(struct poll_plan *plan, struct poll_feed *feeds, uint32_t feeds_capacity,
                    struct poll_host *hosts, uint32_t hosts_capacity, uint32_t breaker_ms,
                    const struct port_random *random)
{
    *plan = (struct poll_plan){.feeds = feeds,
                               .feeds_capacity = feeds_capacity,
                               .hosts = hosts,
                               .hosts_capacity = hosts_capacity,
                               .breaker_ms = breaker_ms,
                               .random = random};
}

/* ---- adding ---- */

static struct hr_status find_host(struct poll_plan *plan, const struct feeds_feed *feed, uint64_t now_ms,
                                  uint32_t *out)
{
    char name[POLL_HOST_CAPACITY];
    feeds_url_host(feed->url, name, sizeof name);
    for (uint32_t i = 0; i < plan->n_hosts; i++) {
        struct poll_host *host = &plan->hosts[i];
        if (strcmp(host->name, name) == 0) {
            /* The strictest of the feeds speaks for the host. */
            bool is_slower = feed->quota.host_every_ms > host->bucket.every_ms;
            uint32_t every_ms = is_slower ? feed->quota.host_every_ms : host->bucket.every_ms;
            bool is_smaller = feed->quota.host_burst < host->bucket.burst;
            uint32_t burst = is_smaller ? feed->quota.host_burst : host->bucket.burst;
            poll_bucket_init(&host->bucket, every_ms, burst, now_ms);
            *out = i;
            return hr_ok();
        }
    }
    if (plan->n_hosts == plan->hosts_capacity) {
        return hr_status_of(HR_FULL);
    }
    struct poll_host *host = &plan->hosts[plan->n_hosts];
    *host = (struct poll_host){.is_busy = false};
    memcpy(host->name, name, sizeof name);
    poll_bucket_init(&host->bucket, feed->quota.host_every_ms, feed->quota.host_burst, now_ms);
    poll_breaker_init(&host->breaker, plan->breaker_ms);
    *out = plan->n_hosts++;
    return hr_ok();
}

static uint32_t visits_of(const struct feeds_schedule *schedule, bool is_snapshot)
{
    uint32_t again = is_snapshot || schedule->every_ms == 0 ? 0 : schedule->until_ms / schedule->every_ms;
    return again < FEEDS_MAX_VISITS ? 1 + again : FEEDS_MAX_VISITS;
}

bool poll_is_snapshot(const struct poll_feed *feed)
{
    return feed->feed->window.kind == FEEDS_SNAPSHOT;
}

int64_t poll_due_ms(const struct poll_feed *feed, uint32_t visit, struct feeds_window window)
{
    return feeds_window_due_ms(feed->feed, window) + (int64_t)visit * feed->feed->schedule.every_ms;
}

/* The newest window whose visit is due. */
static struct feeds_window newest(const struct poll_feed *feed, uint32_t visit, int64_t utc_ms)
{
    return feeds_window_newest(feed->feed, &feed->zone,
                               utc_ms - (int64_t)visit * feed->feed->schedule.every_ms);
}

/* The newest window at once, those before it that the schedule catches up, and further visits from now on. */
static void start_walks(struct poll_feed *feed, int64_t utc_ms)
{
    struct feeds_window window = newest(feed, 0, utc_ms);
    feed->visits[0].window = window;
    feed->missed_end_ms = feed->feed->schedule.catch_up > 0 ? window.start_ms : 0;
    for (uint32_t i = 0; i < feed->feed->schedule.catch_up; i++) {
        window = feeds_window_before(feed->feed, &feed->zone, window);
    }
    feed->missed.window = window;
    for (uint32_t visit = 1; visit < feed->n_visits; visit++) {
        feed->visits[visit].window = feeds_window_after(feed->feed, &feed->zone, newest(feed, visit, utc_ms));
    }
}

struct hr_status poll_plan_add(struct poll_plan *plan, const struct feeds_feed *feed,
                               const struct feeds_zone *zone, struct poll_now now)
{
    uint32_t host = 0;
    if (plan->n_feeds == plan->feeds_capacity) {
        return hr_status_of(HR_FULL);
    }
    HR_TRY(find_host(plan, feed, now.uptime_ms, &host));
    struct poll_feed *added = &plan->feeds[plan->n_feeds++];
    *added = (struct poll_feed){.feed = feed, .zone = *zone, .host = host};
    const uint64_t limits[POLL_AMOUNTS] = {feed->quota.requests_per_hour, feed->quota.bytes_per_hour,
                                           feed->quota.records_per_hour};
    poll_quota_init(&added->quota, limits);
    added->n_visits = visits_of(&feed->schedule, poll_is_snapshot(added));
    return hr_ok();
}

/* ---- choosing ---- */

/* What a request may bring at most, within the limits of an hour. */
void poll_worst_case(const struct feeds_feed *feed, uint64_t out[POLL_AMOUNTS])
{
    uint64_t records = feed->limits.max_bytes / CHUNK_BYTES + 2;
    out[POLL_REQUESTS] = 1;
    out[POLL_BYTES] = feed->limits.max_bytes < feed->quota.bytes_per_hour ? feed->limits.max_bytes
                                                                          : feed->quota.bytes_per_hour;
    out[POLL_RECORDS] = records < feed->quota.records_per_hour ? records : feed->quota.records_per_hour;
}

uint64_t poll_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Milliseconds until a moment by uptime; the wait of one that no time brings is UINT64_MAX. */
uint64_t poll_until(uint64_t moment_ms, uint64_t now_ms)
{
    return moment_ms == UINT64_MAX ? UINT64_MAX : moment_ms > now_ms ? moment_ms - now_ms : 0;
}

uint64_t poll_host_ready_ms(const struct poll_host *host)
{
    return poll_later(poll_later(poll_bucket_ready_ms(&host->bucket), host->hold_until_ms),
                      poll_breaker_ready_ms(&host->breaker));
}

/* How long the host and the quota hold everything of this feed. */
static uint64_t held_ms(struct poll_plan *plan, struct poll_feed *feed, uint64_t now_ms)
{
    uint64_t wanted[POLL_AMOUNTS];
    poll_worst_case(feed->feed, wanted);
    uint64_t ready_ms = poll_host_ready_ms(&plan->hosts[feed->host]);
    uint64_t quota_ms = poll_quota_ready_ms(&feed->quota, wanted, now_ms);
    bool is_held = quota_ms > now_ms;
    feed->counts.held += is_held && !feed->is_held ? 1 : 0;
    feed->is_held = is_held;
    return poll_until(poll_later(ready_ms, quota_ms), now_ms);
}

void poll_consider(struct poll_choice *choice, const struct poll_task *task, int64_t due, uint64_t wait_ms)
{
    if (wait_ms > 0) {
        choice->wait_ms = wait_ms < choice->wait_ms ? wait_ms : choice->wait_ms;
        return;
    }
    bool is_better = !choice->is_found || task->class_ < choice->task.class_ ||
                     (task->class_ == choice->task.class_ && due < choice->due_ms);
    if (is_better) {
        choice->is_found = true;
        choice->task = *task;
        choice->due_ms = due;
    }
}

/* A live window that a newer one overtook joins the missed ones, which lie side by side. */
static void miss(struct poll_feed *feed, const struct poll_walk *from, int64_t end_ms)
{
    if (feed->missed_end_ms == 0) {
        feed->missed = (struct poll_walk){.window = from->window, .page = from->page};
    }
    feed->missed_end_ms = end_ms;
}

static void follow(struct poll_feed *feed, uint32_t visit, int64_t utc_ms)
{
    struct poll_walk *walk = &feed->visits[visit];
    struct feeds_window window = newest(feed, visit, utc_ms);
    if (window.start_ms <= walk->window.start_ms) {
        return;
    }
    if (visit == 0 && !poll_is_snapshot(feed)) {
        miss(feed, walk, window.start_ms);
    }
    *walk = (struct poll_walk){.window = window,
                               .not_before_ms = poll_is_snapshot(feed) ? walk->not_before_ms : 0};
}

static void consider_feed(struct poll_plan *plan, uint32_t index, struct poll_now now,
                          struct poll_choice *choice)
{
    struct poll_feed *feed = &plan->feeds[index];
    if (plan->hosts[feed->host].is_busy) {
        return; /* the request that is under way may be this feed's: its window stays where it is */
    }
    if (feed->visits[0].window.end_ms == 0) {
        start_walks(feed, now.utc_ms);
    }
    uint64_t held = held_ms(plan, feed, now.uptime_ms);
    for (uint32_t visit = 0; visit < feed->n_visits; visit++) {
        follow(feed, visit, now.utc_ms);
        const struct poll_walk *walk = &feed->visits[visit];
        int64_t due = poll_due_ms(feed, visit, walk->window);
        uint64_t wait_ms = due > now.utc_ms ? (uint64_t)(due - now.utc_ms) : 0;
        wait_ms = poll_later(wait_ms, poll_until(walk->not_before_ms, now.uptime_ms));
        const struct poll_task task = {index, visit == 0 ? POLL_LIVE : POLL_LATER, visit, walk->page,
                                       walk->window};
        poll_consider(choice, &task, due, poll_later(held, wait_ms));
    }
    if (feed->missed_end_ms != 0) {
        const struct poll_task task = {index, POLL_MISSED, 0, feed->missed.page, feed->missed.window};
        uint64_t wait_ms = poll_until(feed->missed.not_before_ms, now.uptime_ms);
        poll_consider(choice, &task, poll_due_ms(feed, 0, feed->missed.window), poll_later(held, wait_ms));
    }
    if (feed->backfill_end_ms != 0) {
        poll_consider_backfill(plan, index, now, choice);
    }
}

bool poll_plan_begin(struct poll_plan *plan, struct poll_now now, struct poll_task *out, uint32_t *wait_ms)
{
    struct poll_choice choice = {.is_found = false, .wait_ms = UINT64_MAX};
    if (now.utc_ms < UTC_SET_MS) {
        *wait_ms = UNSET_CLOCK_WAIT_MS;
        return false;
    }
    for (uint32_t i = 0; i < plan->n_feeds; i++) {
        consider_feed(plan, i, now, &choice);
    }
    if (!choice.is_found) {
        *wait_ms = choice.wait_ms < POLL_NEVER_MS ? (uint32_t)choice.wait_ms : POLL_NEVER_MS;
        return false;
    }
    struct poll_feed *feed = &plan->feeds[choice.task.feed];
    struct poll_host *host = &plan->hosts[feed->host];
    poll_bucket_take(&host->bucket, now.uptime_ms);
    poll_breaker_begin(&host->breaker, now.uptime_ms);
    poll_quota_use(&feed->quota, POLL_REQUESTS, 1, now.uptime_ms);
    feed->counts.requests++;
    host->requests++;
    host->is_busy = true;
    host->began_ms = now.uptime_ms;
    *out = choice.task;
    return true;
}

void poll_plan_redirected(struct poll_plan *plan, const struct poll_task *task, struct poll_now now)
{
    struct poll_feed *feed = &plan->feeds[task->feed];
    struct poll_host *host = &plan->hosts[feed->host];
    poll_bucket_stretch(&host->bucket, host->bucket.every_ms);
    poll_quota_use(&feed->quota, POLL_REQUESTS, 1, now.uptime_ms);
    feed->counts.requests++;
    host->requests++;
}

/* ---- what an answer means ---- */

static struct poll_walk *walk_of(struct poll_feed *feed, const struct poll_task *task)
{
    struct poll_walk *walk = task->class_ == POLL_BACKFILL ? &feed->backfill
                             : task->class_ == POLL_MISSED ? &feed->missed
                                                           : &feed->visits[task->visit];
    /* While the request was under way the walk may have gone on; then its end concerns nobody. */
    bool is_same = walk->window.start_ms == task->window.start_ms && walk->page == task->page &&
                   (task->class_ != POLL_MISSED || feed->missed_end_ms != 0) &&
                   (task->class_ != POLL_BACKFILL || feed->backfill_end_ms != 0);
    return is_same ? walk : NULL;
}

static void go_on(struct poll_feed *feed, const struct poll_task *task, struct poll_walk *walk)
{
    *walk = (struct poll_walk){.window = feeds_window_after(feed->feed, &feed->zone, walk->window)};
    if (task->class_ == POLL_MISSED && walk->window.start_ms >= feed->missed_end_ms) {
        feed->missed_end_ms = 0;
    }
    if (task->class_ == POLL_BACKFILL && walk->window.start_ms >= feed->backfill_end_ms) {
        feed->backfill_end_ms = 0;
    }
}

static void count(struct poll_feed *feed, const struct poll_outcome *outcome, uint64_t now_ms)
{
    struct poll_counts *counts = &feed->counts;
    counts->bytes += outcome->bytes;
    counts->records += outcome->records;
    poll_quota_use(&feed->quota, POLL_BYTES, outcome->bytes, now_ms);
    poll_quota_use(&feed->quota, POLL_RECORDS, outcome->records, now_ms);
    switch (outcome->result) {
    case POLL_GOT:
        counts->documents += outcome->is_unchanged ? 0 : 1;
        counts->unchanged += outcome->is_unchanged ? 1 : 0;
        return;
    case POLL_ABSENT:
        counts->absent++;
        return;
    case POLL_THROTTLED:
        counts->throttled++;
        return;
    case POLL_DENIED:
        counts->denied++;
        return;
    case POLL_FAILED:
        break;
    }
    counts->failures++;
}

static void retry(struct poll_plan *plan, struct poll_feed *feed, const struct poll_task *task,
                  const struct poll_outcome *outcome, uint64_t now_ms)
{
    struct poll_walk *walk = walk_of(feed, task);
    const struct feeds_retry *rule = &feed->feed->retry;
    if (walk == NULL) {
        return;
    }
    if (walk->attempt >= rule->attempts && outcome->result == POLL_ABSENT) {
        feed->counts.given_up++;
        go_on(feed, task, walk);
        return;
    }
    uint32_t chance = port_random_u32(plan->random);
    walk->not_before_ms = now_ms + poll_backoff_ms(rule->base_ms, rule->cap_ms, walk->attempt, chance);
    walk->attempt += walk->attempt < UINT32_MAX ? 1 : 0;
}

static void hold_host(struct poll_plan *plan, struct poll_host *host, const struct poll_outcome *outcome,
                      uint64_t now_ms)
{
    host->n_throttled = outcome->result == POLL_THROTTLED ? host->n_throttled + 1 : 0;
    if (outcome->has_retry_after) {
        host->hold_until_ms = now_ms + outcome->retry_after_ms;
    } else if (outcome->result == POLL_THROTTLED) {
        /* Whoever says "too many" is left alone for twice the usual at least. */
        host->hold_until_ms = now_ms + 2u * (uint64_t)host->bucket.every_ms +
                              poll_backoff_ms(THROTTLE_BASE_MS, THROTTLE_CAP_MS, host->n_throttled - 1,
                                              port_random_u32(plan->random));
    }
}

void poll_plan_end(struct poll_plan *plan, const struct poll_task *task, const struct poll_outcome *outcome,
                   struct poll_now now)
{
    struct poll_feed *feed = &plan->feeds[task->feed];
    struct poll_host *host = &plan->hosts[feed->host];
    HR_ASSERT(host->is_busy);
    host->is_busy = false;
    host->took_ms = now.uptime_ms - host->began_ms;
    host->throttled += outcome->result == POLL_THROTTLED ? 1 : 0;
    host->failures += outcome->result == POLL_FAILED ? 1 : 0;
    /* One more, as both moments were cut to whole milliseconds. */
    poll_bucket_stretch(&host->bucket, now.uptime_ms - host->began_ms + 1);
    poll_breaker_end(&host->breaker, outcome->result != POLL_FAILED, now.uptime_ms);
    hold_host(plan, host, outcome, now.uptime_ms);
    count(feed, outcome, now.uptime_ms);
    if (outcome->result != POLL_GOT) {
        retry(plan, feed, task, outcome, now.uptime_ms);
        return;
    }
    struct poll_walk *walk = walk_of(feed, task);
    bool is_last = !feed->feed->has_pages || task->page + 1 >= outcome->n_pages ||
                   task->page + 1 >= feed->feed->pages.max;
    feed->n_pages = outcome->n_pages > 0 ? outcome->n_pages : feed->n_pages;
    if (walk != NULL && is_last) {
        go_on(feed, task, walk);
    } else if (walk != NULL) {
        *walk = (struct poll_walk){.window = walk->window, .page = task->page + 1};
    }
}
