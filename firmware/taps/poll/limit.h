/* SPDX-License-Identifier: Apache-2.0
 *
 * What keeps a host from being asked too often: a token bucket, quotas of an hour, and a circuit breaker.
 * Pure state machines over time that the caller brings, in milliseconds of uptime that never go back. [any]
 */
#ifndef POLL_LIMIT_H
#define POLL_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* ---- token bucket ---- */

/* One token each every_ms, at most `burst` of them. It is empty at first, so that restarts one after the
 * other stay within the limit too. */
struct poll_bucket {
    uint32_t every_ms;
    uint32_t burst;
    uint64_t full_ms; /* when the bucket is full again */
};

void poll_bucket_init(struct poll_bucket *bucket, uint32_t every_ms, uint32_t burst, uint64_t now_ms);
/* When the next token is there; now_ms or before: now. */
uint64_t poll_bucket_ready_ms(const struct poll_bucket *bucket);
/* Takes a token; asserts that one is there. */
void poll_bucket_take(struct poll_bucket *bucket, uint64_t now_ms);
/* A request took so long. Nobody knows when within it the host counted it, so no token grows meanwhile. */
void poll_bucket_stretch(struct poll_bucket *bucket, uint64_t took_ms);

/* ---- quotas ---- */

enum poll_amount { POLL_REQUESTS, POLL_BYTES, POLL_RECORDS, POLL_AMOUNTS };
enum { POLL_QUOTA_SLOT_MS = 300000, POLL_QUOTA_SLOTS = 13 };

/* Sums over the last hour, kept by slots of five minutes: what was used counts for 60 to 65 minutes, so that
 * no hour whatever holds more than the limit. */
struct poll_quota {
    uint64_t limits[POLL_AMOUNTS];
    uint64_t used[POLL_QUOTA_SLOTS][POLL_AMOUNTS];
    uint64_t slot; /* number of the newest */
};

void poll_quota_init(struct poll_quota *quota, const uint64_t limits[POLL_AMOUNTS]);
/* When all these amounts fit; now_ms: now. Asserts that each is within its limit. */
uint64_t poll_quota_ready_ms(struct poll_quota *quota, const uint64_t wanted[POLL_AMOUNTS], uint64_t now_ms);
void poll_quota_use(struct poll_quota *quota, enum poll_amount amount, uint64_t value, uint64_t now_ms);
uint64_t poll_quota_used(struct poll_quota *quota, enum poll_amount amount, uint64_t now_ms);

/* ---- circuit breaker ---- */

enum poll_breaker_state {
    POLL_CLOSED,    /* requests go */
    POLL_OPEN,      /* none goes until a time */
    POLL_HALF_OPEN, /* one goes, and decides */
};

enum {
    POLL_BREAKER_FAILURES = 5,       /* in a row open it */
    POLL_BREAKER_FIRST_MS = 30000,   /* how long it is open at first */
    POLL_BREAKER_LONGEST_MS = 900000 /* and, doubled each time a trial fails, at most */
};

struct poll_breaker {
    enum poll_breaker_state state;
    uint32_t first_ms; /* POLL_BREAKER_FIRST_MS, or less in tests and demonstrations */
    uint32_t failures; /* in a row */
    uint32_t open_for_ms;
    uint64_t open_until_ms;
    uint64_t opened; /* times */
};

void poll_breaker_init(struct poll_breaker *breaker, uint32_t first_ms);
/* When the next request may go; UINT64_MAX: when the trial that is under way has ended. */
uint64_t poll_breaker_ready_ms(const struct poll_breaker *breaker);
/* A request goes; asserts that it may. */
void poll_breaker_begin(struct poll_breaker *breaker, uint64_t now_ms);
/* How it ended: whether the host answers as one that is well, whatever it says. */
void poll_breaker_end(struct poll_breaker *breaker, bool is_well, uint64_t now_ms);
const char *poll_breaker_name(enum poll_breaker_state state);

/* ---- pauses ---- */

/* Full jitter: anything from 0 to base_ms doubled `attempt` times (0: the first), at most cap_ms. `chance` is
 * 32 random bits. */
uint32_t poll_backoff_ms(uint32_t base_ms, uint32_t cap_ms, uint32_t attempt, uint32_t chance);

enum { POLL_RETRY_AFTER_MAX_MS = 86400000 };

/* A Retry-After header (RFC 9110, 10.2.3): seconds, or a date in any of the three forms of 5.6.7. False:
 * neither; *out_ms is as before. A date that has passed is 0; nothing is above POLL_RETRY_AFTER_MAX_MS. */
bool poll_retry_after_ms(const char *value, int64_t utc_ms, uint32_t *out_ms);

#endif
