/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/poll/limit.h"

#include "proto/base/assert.h"

#include <stddef.h>
#include <string.h>

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- token bucket ---- */

void poll_bucket_init(struct poll_bucket *bucket, uint32_t every_ms, uint32_t burst, uint64_t now_ms)
{
    HR_ASSERT(every_ms > 0 && burst > 0);
    *bucket = (struct poll_bucket){every_ms, burst, now_ms + (uint64_t)every_ms * burst};
}

uint64_t poll_bucket_ready_ms(const struct poll_bucket *bucket)
{
    uint64_t spare_ms = (uint64_t)bucket->every_ms * (bucket->burst - 1u);
    return bucket->full_ms > spare_ms ? bucket->full_ms - spare_ms : 0;
}

void poll_bucket_take(struct poll_bucket *bucket, uint64_t now_ms)
{
    HR_ASSERT(poll_bucket_ready_ms(bucket) <= now_ms);
    bucket->full_ms = later(bucket->full_ms, now_ms) + bucket->every_ms;
}

void poll_bucket_stretch(struct poll_bucket *bucket, uint64_t took_ms)
{
    bucket->full_ms += took_ms;
}

/* ---- quotas ---- */

void poll_quota_init(struct poll_quota *quota, const uint64_t limits[POLL_AMOUNTS])
{
    *quota = (struct poll_quota){.slot = 0};
    memcpy(quota->limits, limits, sizeof quota->limits);
}

static void advance(struct poll_quota *quota, uint64_t now_ms)
{
    uint64_t slot = now_ms / POLL_QUOTA_SLOT_MS;
    uint64_t passed = slot > quota->slot ? slot - quota->slot : 0;
    for (uint64_t i = 1; i <= passed && i <= POLL_QUOTA_SLOTS; i++) {
        memset(quota->used[(quota->slot + i) % POLL_QUOTA_SLOTS], 0, sizeof quota->used[0]);
    }
    quota->slot += passed;
    if (passed >= POLL_QUOTA_SLOTS) {
        memset(quota->used, 0, sizeof quota->used);
    }
}

uint64_t poll_quota_used(struct poll_quota *quota, enum poll_amount amount, uint64_t now_ms)
{
    advance(quota, now_ms);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < POLL_QUOTA_SLOTS; i++) {
        sum += quota->used[i][amount];
    }
    return sum;
}

/* When the oldest slots have gone whose sum makes room for `wanted` of one amount. */
static uint64_t room_ms(const struct poll_quota *quota, uint32_t amount, uint64_t wanted, uint64_t now_ms)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < POLL_QUOTA_SLOTS; i++) {
        sum += quota->used[i][amount];
    }
    uint64_t ready_ms = now_ms;
    /* The oldest is the one behind the newest in the ring; it goes when the next slot begins. */
    for (uint64_t i = 1; i <= POLL_QUOTA_SLOTS && sum + wanted > quota->limits[amount]; i++) {
        sum -= quota->used[(quota->slot + i) % POLL_QUOTA_SLOTS][amount];
        ready_ms = (quota->slot + i) * POLL_QUOTA_SLOT_MS;
    }
    return ready_ms;
}

uint64_t poll_quota_ready_ms(struct poll_quota *quota, const uint64_t wanted[POLL_AMOUNTS], uint64_t now_ms)
{
    advance(quota, now_ms);
    uint64_t ready_ms = now_ms;
    for (uint32_t amount = 0; amount < POLL_AMOUNTS; amount++) {
        HR_ASSERT(wanted[amount] <= quota->limits[amount]);
        ready_ms = later(ready_ms, room_ms(quota, amount, wanted[amount], now_ms));
    }
    return ready_ms;
}

void poll_quota_use(struct poll_quota *quota, enum poll_amount amount, uint64_t value, uint64_t now_ms)
{
    advance(quota, now_ms);
    quota->used[quota->slot % POLL_QUOTA_SLOTS][amount] += value;
}

/* ---- circuit breaker ---- */

void poll_breaker_init(struct poll_breaker *breaker, uint32_t first_ms)
{
    HR_ASSERT(first_ms > 0 && first_ms <= POLL_BREAKER_LONGEST_MS);
    *breaker = (struct poll_breaker){.state = POLL_CLOSED, .first_ms = first_ms};
}

uint64_t poll_breaker_ready_ms(const struct poll_breaker *breaker)
{
    switch (breaker->state) {
    case POLL_CLOSED:
        return 0;
    case POLL_OPEN:
        return breaker->open_until_ms;
    case POLL_HALF_OPEN:
        break;
    }
    return UINT64_MAX;
}

void poll_breaker_begin(struct poll_breaker *breaker, uint64_t now_ms)
{
    HR_ASSERT(poll_breaker_ready_ms(breaker) <= now_ms);
    if (breaker->state == POLL_OPEN) {
        breaker->state = POLL_HALF_OPEN;
    }
}

void poll_breaker_end(struct poll_breaker *breaker, bool is_well, uint64_t now_ms)
{
    if (is_well) {
        breaker->state = POLL_CLOSED;
        breaker->failures = 0;
        return;
    }
    breaker->failures++;
    bool is_trial = breaker->state == POLL_HALF_OPEN;
    if (!is_trial && breaker->failures < POLL_BREAKER_FAILURES) {
        return;
    }
    uint32_t doubled_ms = breaker->open_for_ms < POLL_BREAKER_LONGEST_MS / 2 ? 2 * breaker->open_for_ms
                                                                             : POLL_BREAKER_LONGEST_MS;
    breaker->open_for_ms = is_trial ? doubled_ms : breaker->first_ms;
    breaker->open_until_ms = now_ms + breaker->open_for_ms;
    breaker->state = POLL_OPEN;
    breaker->opened++;
}

const char *poll_breaker_name(enum poll_breaker_state state)
{
    static const char *const names[] = {"closed", "open", "half_open"};
    HR_ASSERT((size_t)state < HR_ARRAY_LEN(names));
    return names[state];
}

/* ---- pauses ---- */

uint32_t poll_backoff_ms(uint32_t base_ms, uint32_t cap_ms, uint32_t attempt, uint32_t chance)
{
    uint64_t longest_ms = (uint64_t)base_ms << (attempt < 31 ? attempt : 31);
    longest_ms = longest_ms < cap_ms ? longest_ms : cap_ms;
    return (uint32_t)(((longest_ms + 1) * chance) >> 32);
}
