/* SPDX-License-Identifier: Apache-2.0
 *
 * The window that somebody wants to have replayed, out of the body of a request. Doubts every byte. [any] */
#ifndef APP_WINDOW_H
#define APP_WINDOW_H

#include "aggregator/io/feed.h"

enum { APP_WHY_CHARS = 160 };

/* {"feed": "marine.ais.raw", "from": TIME, "to": TIME or "now", "dry_run": false}. A TIME is UTC:
 * 2026-11-21T03:00:00Z, with or without seconds and milliseconds, or 2026-11-21 for its first moment. now_ms
 * is what "now" means. On success feed, from_ms, to_ms, dry_run and asked_ms of *out are filled, the rest is
 * zero. HR_MALFORMED: `why` says to a person what is wrong. */
HR_MUST_USE struct hr_status app_window_parse(struct hr_bytes body, int64_t now_ms, struct feed_replay *out,
                                              char why[APP_WHY_CHARS]);

/* One TIME, not "now"; false: it is none, or not between 1970 and 9999. */
bool app_time_parse(const char *text, int64_t *utc_ms);

#endif
