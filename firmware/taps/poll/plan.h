/* SPDX-License-Identifier: Apache-2.0
 *
 * Which request goes next. A feed visits each of its windows when it is due, and again as its schedule says.
 * Windows that were missed (a start, an outage) are visited behind everything that is live, one after the
 * other. One request at a time goes to a host, never before its bucket, its breaker, a Retry-After and the
 * feed's quota allow it.
 *
 * A visit ends when the operator answered, or refused this document (4xx) as often as the feed retries. While
 * the host itself fails it does not end: a newer window makes it a missed one, which is tried until the host
 * is well. Only later visits of the same window (schedule.every) and snapshots are let go.
 *
 * A window of a feed with pages is visited page by page, each of them a request like any other, until the
 * last that the answers tell of; a newer window that overtakes it makes what is left of it a missed one.
 *
 * A backfill walks windows of the past behind everything else. It does not begin a request that could still
 * be under way, or leave its host without a token, when a live visit to that host is due, and leaves the
 * feed's quota what the schedule needs of it: live visits go when they would without it. A host that live
 * visits keep busy all the time is not backfilled from.
 *
 * Two clocks: uptime for pauses, UTC for windows. A UTC clock that is not set yet (before 2024) stops
 * everything. Pure; the arrays are the caller's and kept. [loop] */
#ifndef POLL_PLAN_H
#define POLL_PLAN_H

#include "firmware/port/port_random.h"
#include "firmware/taps/poll/limit.h"
#include "firmware/taps/poll/memory.h"
#include "proto/feeds/window.h"

enum { POLL_HOST_CAPACITY = 128 };

#define POLL_NEVER_MS UINT32_MAX

struct poll_now {
    uint64_t uptime_ms;
    int64_t utc_ms;
};

struct poll_host {
    char name[POLL_HOST_CAPACITY];
    struct poll_bucket bucket;
    struct poll_breaker breaker;
    uint64_t hold_until_ms; /* Retry-After, or a pause after 429 */
    uint64_t began_ms;      /* of the request under way */
    uint64_t took_ms;       /* the last one */
    uint32_t n_throttled;   /* 429 in a row */
    bool is_busy;
    uint64_t requests;
    uint64_t throttled;
    uint64_t failures;
};

/* A walk over windows, from one to the next. */
struct poll_walk {
    struct feeds_window window; /* that is visited next */
    uint64_t not_before_ms;     /* after a failure */
    uint32_t attempt;           /* failures of this visit */
    uint32_t page;              /* of the window, that is asked for next */
};

struct poll_counts {
    uint64_t requests;
    uint64_t documents; /* with new content */
    uint64_t unchanged; /* same content, or 304 */
    uint64_t absent;    /* any other 4xx */
    uint64_t throttled; /* 429 */
    uint64_t denied;    /* 401, 403, no credential */
    uint64_t failures;  /* of host or network */
    uint64_t given_up;  /* visits */
    uint64_t held;      /* times that the quota was used up */
    uint64_t bytes;
    uint64_t records;
};

struct poll_feed {
    const struct feeds_feed *feed;
    struct feeds_zone zone;
    uint32_t host; /* index */
    struct poll_quota quota;
    bool is_held;     /* by its quota, when it was last looked at */
    uint32_t n_pages; /* of a window, as the last answers told; 0 before them */
    struct poll_memory memory;
    struct poll_counts counts;
    uint32_t n_visits;                         /* of a window */
    struct poll_walk visits[FEEDS_MAX_VISITS]; /* [0]: live; [k]: k * every later */
    struct poll_walk missed;                   /* from missed.window on, up to missed_end_ms */
    int64_t missed_end_ms;                     /* 0: none is missed */
    struct poll_walk backfill;                 /* asked for by somebody, up to backfill_end_ms */
    int64_t backfill_end_ms;                   /* 0: there is none */
};

struct poll_plan {
    struct poll_feed *feeds;
    uint32_t n_feeds;
    uint32_t feeds_capacity;
    struct poll_host *hosts;
    uint32_t n_hosts;
    uint32_t hosts_capacity;
    uint32_t breaker_ms;
    const struct port_random *random;
};

enum poll_class { POLL_LIVE, POLL_LATER, POLL_MISSED, POLL_BACKFILL };

struct poll_task {
    uint32_t feed;
    enum poll_class class_;
    uint32_t visit;
    uint32_t page;              /* 0 of a feed without pages */
    struct feeds_window window; /* of a snapshot: start and end are its slot's start */
};

enum poll_result {
    POLL_GOT,       /* a document, new or not */
    POLL_ABSENT,    /* the operator answered that this one is not to be had: 4xx, too long */
    POLL_THROTTLED, /* 429 */
    POLL_DENIED, /* 401, 403, or a credential that can't be read: someone has to look, no window is given up
                  */
    POLL_FAILED, /* 5xx, no answer, TLS */
};

struct poll_outcome {
    enum poll_result result;
    bool is_unchanged;
    bool has_retry_after; /* of any answer that is no document */
    uint32_t retry_after_ms;
    uint64_t bytes;
    uint64_t records;
    uint32_t n_pages; /* that the window has, this one included; 0: not told, or the feed has none */
};

void poll_plan_init(struct poll_plan *plan, struct poll_feed *feeds, uint32_t feeds_capacity,
                    struct poll_host *hosts, uint32_t hosts_capacity, uint32_t breaker_ms,
                    const struct port_random *random);

/* Adds a feed, which is kept, and its host when no other feed has it. HR_FULL: nothing changed. */
HR_MUST_USE struct hr_status poll_plan_add(struct poll_plan *plan, const struct feeds_feed *feed,
                                           const struct feeds_zone *zone, struct poll_now now);

/* Has the windows from that of from_ms to that before to_ms visited, from the oldest on. HR_FULL: a backfill
 * of the feed is under way. HR_MALFORMED: the feed has snapshots, or from_ms is not before to_ms. */
HR_MUST_USE struct hr_status poll_plan_backfill(struct poll_plan *plan, uint32_t feed, int64_t from_ms,
                                                int64_t to_ms);

/* True: *out is to be done now; its host is busy until poll_plan_end. False: *wait_ms is when to ask again,
 * at the latest; POLL_NEVER_MS: after the next poll_plan_end. */
bool poll_plan_begin(struct poll_plan *plan, struct poll_now now, struct poll_task *out, uint32_t *wait_ms);

/* One more request for a task that is under way: a redirect within its host. The bucket owes it. */
void poll_plan_redirected(struct poll_plan *plan, const struct poll_task *task, struct poll_now now);

void poll_plan_end(struct poll_plan *plan, const struct poll_task *task, const struct poll_outcome *outcome,
                   struct poll_now now);

#endif
