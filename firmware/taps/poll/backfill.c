/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/poll/plan_internal.h"

#include "proto/base/assert.h"

enum { HOUR_MS = 3600000, LEAST_TOOK_MS = 500 }; /* what a request is reckoned to take at least */

/* Until a visit of its schedule may go, as far as the feed alone is concerned. */
static uint64_t scheduled_wait_ms(struct poll_feed *feed, struct poll_now now)
{
    uint64_t wanted[POLL_AMOUNTS];
    uint64_t soonest_ms = UINT64_MAX;
    poll_worst_case(feed->feed, wanted);
    uint64_t quota_ms = poll_until(poll_quota_ready_ms(&feed->quota, wanted, now.uptime_ms), now.uptime_ms);
    for (uint32_t visit = 0; visit < feed->n_visits; visit++) {
        const struct poll_walk *walk = &feed->visits[visit];
        int64_t due = poll_due_ms(feed, visit, walk->window);
        uint64_t wait_ms = due > now.utc_ms ? (uint64_t)(due - now.utc_ms) : 0;
        wait_ms = poll_later(wait_ms, poll_until(walk->not_before_ms, now.uptime_ms));
        soonest_ms = wait_ms < soonest_ms ? wait_ms : soonest_ms;
    }
    return poll_later(soonest_ms, quota_ms);
}

/* Half of an hour's bytes and records, and the requests that the schedule does not need. */
static uint64_t backfill_quota_ms(struct poll_feed *feed, uint64_t now_ms)
{
    uint64_t wanted[POLL_AMOUNTS];
    const struct feeds_quota *quota = &feed->feed->quota;
    uint64_t length_ms = feed->feed->window.kind == FEEDS_DAY ? HOUR_MS : feed->feed->window.length_ms;
    uint64_t needed = feed->n_visits * (uint64_t)(HOUR_MS / length_ms);
    needed *= feed->n_pages > 1 ? feed->n_pages : 1;
    poll_worst_case(feed->feed, wanted);
    wanted[POLL_REQUESTS] = needed < quota->requests_per_hour ? needed + 1 : quota->requests_per_hour;
    wanted[POLL_BYTES] = poll_later(wanted[POLL_BYTES], quota->bytes_per_hour / 2);
    wanted[POLL_RECORDS] = poll_later(wanted[POLL_RECORDS], quota->records_per_hour / 2);
    return poll_quota_ready_ms(&feed->quota, wanted, now_ms);
}

void poll_consider_backfill(struct poll_plan *plan, uint32_t index, struct poll_now now,
                            struct poll_choice *choice)
{
    struct poll_feed *feed = &plan->feeds[index];
    const struct poll_host *host = &plan->hosts[feed->host];
    uint64_t soonest_ms = UINT64_MAX;
    for (uint32_t i = 0; i < plan->n_feeds; i++) {
        if (plan->feeds[i].host == feed->host) {
            uint64_t scheduled_ms = scheduled_wait_ms(&plan->feeds[i], now);
            soonest_ms = scheduled_ms < soonest_ms ? scheduled_ms : soonest_ms;
        }
    }
    uint64_t ready_ms = poll_later(poll_host_ready_ms(host), backfill_quota_ms(feed, now.uptime_ms));
    uint64_t wait_ms = poll_until(poll_later(ready_ms, feed->backfill.not_before_ms), now.uptime_ms);
    int64_t due = poll_due_ms(feed, 0, feed->backfill.window);
    wait_ms = poll_later(wait_ms, due > now.utc_ms ? (uint64_t)(due - now.utc_ms) : 0);
    uint64_t room_ms = host->bucket.every_ms + 2 * poll_later(host->took_ms, LEAST_TOOK_MS);
    if (soonest_ms < room_ms) {
        wait_ms = poll_later(wait_ms, soonest_ms + 1); /* it is looked at again behind that visit */
    }
    const struct poll_task task = {index, POLL_BACKFILL, 0, feed->backfill.page, feed->backfill.window};
    poll_consider(choice, &task, due, wait_ms);
}

struct hr_status poll_plan_backfill(struct poll_plan *plan, uint32_t feed, int64_t from_ms, int64_t to_ms)
{
    HR_ASSERT(feed < plan->n_feeds);
    struct poll_feed *of = &plan->feeds[feed];
    if (poll_is_snapshot(of) || from_ms >= to_ms || from_ms < 0) {
        return hr_status_of(HR_MALFORMED);
    }
    if (of->backfill_end_ms != 0) {
        return hr_status_of(HR_FULL);
    }
    of->backfill = (struct poll_walk){.window = feeds_window_at(of->feed, &of->zone, from_ms)};
    of->backfill_end_ms = to_ms;
    return hr_ok();
}
