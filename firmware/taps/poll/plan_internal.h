/* SPDX-License-Identifier: Apache-2.0
 *
 * What plan.c and backfill.c share. Waits are milliseconds; UINT64_MAX: no time brings it. */
#ifndef POLL_PLAN_INTERNAL_H
#define POLL_PLAN_INTERNAL_H

#include "firmware/taps/poll/plan.h"

/* The best that was considered so far. */
struct poll_choice {
    bool is_found;
    struct poll_task task;
    int64_t due_ms;
    uint64_t wait_ms; /* until something may be ready */
};

/* A task that is ready when wait_ms is 0. */
void poll_consider(struct poll_choice *choice, const struct poll_task *task, int64_t due, uint64_t wait_ms);

bool poll_is_snapshot(const struct poll_feed *feed);
/* When a visit of the window is due. */
int64_t poll_due_ms(const struct poll_feed *feed, uint32_t visit, struct feeds_window window);
/* What a request may bring at most, within the limits of an hour. */
void poll_worst_case(const struct feeds_feed *feed, uint64_t out[POLL_AMOUNTS]);
/* When bucket, breaker and pauses of the host let a request go. */
uint64_t poll_host_ready_ms(const struct poll_host *host);

uint64_t poll_later(uint64_t a, uint64_t b);
/* Until a moment by uptime. */
uint64_t poll_until(uint64_t moment_ms, uint64_t now_ms);

/* The feed's backfill, which there is; its host is not busy. */
void poll_consider_backfill(struct poll_plan *plan, uint32_t index, struct poll_now now,
                            struct poll_choice *choice);

#endif
