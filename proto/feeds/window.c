/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/window.h"

#include "proto/base/assert.h"

struct feeds_window feeds_window_at(const struct feeds_feed *feed, const struct feeds_zone *zone, int64_t ms)
{
    int64_t length_ms =
        feed->window.kind == FEEDS_SNAPSHOT ? feed->schedule.every_ms : feed->window.length_ms;
    if (feed->window.kind == FEEDS_DAY) {
        return (struct feeds_window){feeds_zone_day_start_ms(zone, ms), feeds_zone_next_day_ms(zone, ms)};
    }
    HR_ASSERT(length_ms > 0);
    int64_t start_ms = ms - ms % length_ms;
    return (struct feeds_window){start_ms, start_ms + length_ms};
}

struct feeds_window feeds_window_after(const struct feeds_feed *feed, const struct feeds_zone *zone,
                                       struct feeds_window window)
{
    return feeds_window_at(feed, zone, window.end_ms);
}

struct feeds_window feeds_window_before(const struct feeds_feed *feed, const struct feeds_zone *zone,
                                        struct feeds_window window)
{
    return feeds_window_at(feed, zone, window.start_ms - 1);
}

int64_t feeds_window_due_ms(const struct feeds_feed *feed, struct feeds_window window)
{
    if (feed->window.kind == FEEDS_SNAPSHOT) {
        return window.start_ms;
    }
    return feed->schedule.lead_ms != 0 ? window.start_ms - feed->schedule.lead_ms
                                       : window.end_ms + feed->schedule.lag_ms;
}

struct feeds_window feeds_window_newest(const struct feeds_feed *feed, const struct feeds_zone *zone,
                                        int64_t now_ms)
{
    /* A day of 25 hours may lie between; two steps mend what the guess is off. */
    int64_t guess_ms = feed->schedule.lead_ms != 0 ? now_ms + feed->schedule.lead_ms
                                                   : now_ms - (int64_t)feed->schedule.lag_ms;
    struct feeds_window window = feeds_window_at(feed, zone, guess_ms);
    struct feeds_window next = feeds_window_after(feed, zone, window);
    if (feeds_window_due_ms(feed, next) <= now_ms) {
        return next;
    }
    while (feeds_window_due_ms(feed, window) > now_ms) {
        window = feeds_window_before(feed, zone, window);
    }
    return window;
}
