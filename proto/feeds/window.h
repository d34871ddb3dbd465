/* SPDX-License-Identifier: Apache-2.0
 *
 * The windows of a feed, side by side without gap or overlap, and when each is asked for. [any] */
#ifndef FEEDS_WINDOW_H
#define FEEDS_WINDOW_H

#include "proto/feeds/feeds.h"
#include "proto/feeds/zone.h"

/* start_ms is in it, end_ms is not. Of a snapshot both are the time of the request. */
struct feeds_window {
    int64_t start_ms;
    int64_t end_ms;
};

/* The window that holds this moment. Of a snapshot: the schedule's slot that does. */
struct feeds_window feeds_window_at(const struct feeds_feed *feed, const struct feeds_zone *zone, int64_t ms);
struct feeds_window feeds_window_after(const struct feeds_feed *feed, const struct feeds_zone *zone,
                                       struct feeds_window window);
struct feeds_window feeds_window_before(const struct feeds_feed *feed, const struct feeds_zone *zone,
                                        struct feeds_window window);

/* When the window is asked for the first time. */
int64_t feeds_window_due_ms(const struct feeds_feed *feed, struct feeds_window window);

/* The newest window that is due at `now_ms`. */
struct feeds_window feeds_window_newest(const struct feeds_feed *feed, const struct feeds_zone *zone,
                                        int64_t now_ms);

#endif
