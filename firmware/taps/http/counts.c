/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/counters.h"
#include "firmware/taps/http/http_internal.h"
#include "proto/base/assert.h"

#include <stddef.h>

struct totals {
    uint64_t feeds;
    struct poll_counts counts;
    uint64_t quotas_held;  /* feeds that wait for theirs */
    uint64_t backfills;    /* under way */
    uint64_t secrets_read; /* from Vault, and tokens */
    uint64_t secrets_failed;
    uint64_t breakers_open;
    uint64_t breakers_opened;
};

void tap_http_stats(const struct tap_http *tap, struct edge_stats *out)
{
    static const struct fw_counter table[] = {
        {"feeds", offsetof(struct totals, feeds)},
        {"requests", offsetof(struct totals, counts.requests)},
        {"documents", offsetof(struct totals, counts.documents)},
        {"unchanged", offsetof(struct totals, counts.unchanged)},
        {"absent", offsetof(struct totals, counts.absent)},
        {"throttled", offsetof(struct totals, counts.throttled)},
        {"denied", offsetof(struct totals, counts.denied)},
        {"failures", offsetof(struct totals, counts.failures)},
        {"given_up", offsetof(struct totals, counts.given_up)},
        {"bytes", offsetof(struct totals, counts.bytes)},
        {"records", offsetof(struct totals, counts.records)},
        {"quota_holds", offsetof(struct totals, counts.held)},
        {"quotas_held", offsetof(struct totals, quotas_held)},
        {"backfills", offsetof(struct totals, backfills)},
        {"secrets_read", offsetof(struct totals, secrets_read)},
        {"secrets_failed", offsetof(struct totals, secrets_failed)},
        {"breakers_open", offsetof(struct totals, breakers_open)},
        {"breakers_opened", offsetof(struct totals, breakers_opened)},
    };
    struct totals totals = {
        .feeds = tap->plan.n_feeds, .secrets_read = tap->vault.reads, .secrets_failed = tap->vault.failed};
    for (uint32_t i = 0; i < tap->plan.n_feeds; i++) {
        const struct poll_counts *counts = &tap->feeds[i].counts;
        totals.counts.requests += counts->requests;
        totals.counts.documents += counts->documents;
        totals.counts.unchanged += counts->unchanged;
        totals.counts.absent += counts->absent;
        totals.counts.throttled += counts->throttled;
        totals.counts.denied += counts->denied;
        totals.counts.failures += counts->failures;
        totals.counts.given_up += counts->given_up;
        totals.counts.bytes += counts->bytes;
        totals.counts.records += counts->records;
        totals.counts.held += counts->held;
        totals.backfills += tap->feeds[i].backfill_end_ms != 0 ? 1 : 0;
        totals.quotas_held += tap->feeds[i].is_held ? 1 : 0;
    }
    for (uint32_t i = 0; i < tap->n_grants; i++) {
        totals.secrets_read += tap->grants[i].grant.granted;
        totals.secrets_failed += tap->grants[i].grant.failed;
    }
    for (uint32_t i = 0; i < tap->plan.n_hosts; i++) {
        totals.breakers_open += tap->hosts[i].breaker.state == POLL_CLOSED ? 0 : 1;
        totals.breakers_opened += tap->hosts[i].breaker.opened;
    }
    fw_counters_to_stats("http", table, HR_ARRAY_LEN(table), &totals, out);
}

/* Of a host, as it is now. */
struct host_state {
    uint64_t breaker; /* enum poll_breaker_state */
    uint64_t opened;
    uint64_t hold_ms; /* left of a Retry-After, or of the pause after a 429 */
    uint64_t quotas_held;
    uint64_t requests_hour; /* of the last hour, of all its feeds */
    uint64_t requests;
    uint64_t throttled;
    uint64_t denied;
    uint64_t failures;
};

bool tap_http_host_stats(const struct tap_http *tap, uint32_t host, struct edge_stats *out)
{
    static const struct fw_counter table[] = {
        {"breaker", offsetof(struct host_state, breaker)},
        {"opened", offsetof(struct host_state, opened)},
        {"hold_ms", offsetof(struct host_state, hold_ms)},
        {"quotas_held", offsetof(struct host_state, quotas_held)},
        {"requests_hour", offsetof(struct host_state, requests_hour)},
        {"requests", offsetof(struct host_state, requests)},
        {"throttled", offsetof(struct host_state, throttled)},
        {"denied", offsetof(struct host_state, denied)},
        {"failures", offsetof(struct host_state, failures)},
    };
    if (host >= tap->plan.n_hosts) {
        return false;
    }
    const struct poll_host *from = &tap->hosts[host];
    uint64_t now_ms = port_uptime_ms(tap->config.clock);
    struct host_state state = {
        .breaker = (uint64_t)from->breaker.state,
        .opened = from->breaker.opened,
        .hold_ms = from->hold_until_ms > now_ms ? from->hold_until_ms - now_ms : 0,
        .requests = from->requests,
        .throttled = from->throttled,
        .failures = from->failures,
    };
    for (uint32_t i = 0; i < tap->plan.n_feeds; i++) {
        const struct poll_feed *feed = &tap->feeds[i];
        if (feed->host == host) {
            struct poll_quota quota = feed->quota; /* asking moves it on */
            state.quotas_held += feed->is_held ? 1 : 0;
            state.requests_hour += poll_quota_used(&quota, POLL_REQUESTS, now_ms);
            state.denied += feed->counts.denied;
        }
    }
    fw_counters_to_stats(from->name, table, HR_ARRAY_LEN(table), &state, out);
    return true;
}

/* ---- what the log is told ---- */

void http_tell_breaker(struct tap_http *tap, uint32_t host)
{
    const struct poll_host *from = &tap->hosts[host];
    if (tap->told[host] != from->breaker.state) {
        enum port_log_level level = from->breaker.state == POLL_OPEN ? PORT_LOG_WARN : PORT_LOG_INFO;
        PORT_LOG(tap->config.log, level, "http_breaker", {"host", from->name, 0},
                 {"state", poll_breaker_name(from->breaker.state), 0},
                 {"open_for_ms", NULL, from->breaker.state == POLL_OPEN ? from->breaker.open_for_ms : 0});
        tap->told[host] = from->breaker.state;
    }
}

void http_tell_quotas(struct tap_http *tap)
{
    for (uint32_t i = 0; i < tap->plan.n_feeds; i++) {
        const struct poll_feed *feed = &tap->feeds[i];
        if (tap->told_held[i] != feed->is_held) {
            PORT_LOG(tap->config.log, feed->is_held ? PORT_LOG_WARN : PORT_LOG_INFO, "http_quota",
                     {"feed", feed->feed->name, 0}, {"state", feed->is_held ? "held" : "free", 0});
            tap->told_held[i] = feed->is_held;
        }
    }
}
