/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/collector.h"

#include "firmware/core/collector_internal.h"
#include "firmware/core/counters.h"
#include "proto/base/assert.h"

#include <string.h>

enum {
    CARRY_SLICE_MS = 200, /* of one step, so that the uplink and the sources get their turn */
    BOOT_ID_FIRST_MASK = 0x3FFFFFFF,
};

/* ---- the open batch ---- */

struct hr_status fw_collector_fail(struct fw_collector *collector, const char *what, struct hr_status status)
{
    if (!collector->failed) {
        PORT_LOG(collector->config.log, PORT_LOG_ERROR, "spool_failed", {"at", what, 0},
                 {"status", hr_code_name(status.code), 0});
    }
    collector->failed = true;
    return hr_status_of(HR_IO);
}

static struct hr_status begin_batch(struct fw_collector *collector, uint64_t uptime_ms)
{
    struct hr_status status = fw_spool_begin(collector->config.spool, collector->boot_id, uptime_ms);
    if (!hr_is_ok(status)) {
        return fw_collector_fail(collector, "begin", status);
    }
    collector->base_uptime_ms = uptime_ms;
    collector->open_payload_bytes = 0;
    collector->open_records = 0;
    collector->open_flags = 0;
    return hr_ok();
}

struct hr_status fw_collector_seal_open(struct fw_collector *collector)
{
    if (!fw_spool_is_open(collector->config.spool)) {
        return hr_ok();
    }
    struct hr_status status =
        fw_spool_seal(collector->config.spool, fw_collector_signer(collector), collector->open_flags);
    if (!hr_is_ok(status)) {
        return fw_collector_fail(collector, "seal", status);
    }
    collector->counters.seals++;
    collector->open_records = 0;
    collector->open_payload_bytes = 0;
    collector->open_flags = 0;
    return hr_ok();
}

static uint32_t dt_of(uint64_t uptime_ms, uint64_t base_uptime_ms)
{
    uint64_t dt_ms = uptime_ms > base_uptime_ms ? uptime_ms - base_uptime_ms : 0;
    return dt_ms < UINT32_MAX ? (uint32_t)dt_ms : UINT32_MAX;
}

/* What is to be appended: a record, or a message that is none yet. One of them is NULL. */
struct content {
    struct edge_record *record;
    const struct edge_ais *ais;
};

static struct hr_status encode(struct content content, uint32_t dt_ms, uint8_t *out, size_t capacity_bytes,
                               size_t *len_bytes)
{
    if (content.ais != NULL) {
        return edge_ais_encode(content.ais, dt_ms, out, capacity_bytes, len_bytes);
    }
    content.record->dt_ms = dt_ms;
    return edge_record_encode(content.record, out, capacity_bytes, len_bytes);
}

/* HR_FULL: the open batch has no room for it. Nothing is open then that was not open before. */
static struct hr_status try_append(struct fw_collector *collector, struct content content, uint64_t uptime_ms)
{
    if (!fw_spool_is_open(collector->config.spool)) {
        HR_TRY(begin_batch(collector, uptime_ms));
    }
    uint32_t dt_ms = dt_of(uptime_ms, collector->base_uptime_ms);
    size_t len_bytes = 0;
    /* No record is longer than an envelope, and the uplink has nothing in it while others are called. */
    uint8_t *encoded = collector->config.envelope;
    if (!hr_is_ok(encode(content, dt_ms, encoded, collector->config.envelope_capacity_bytes, &len_bytes))) {
        return hr_status_of(HR_MALFORMED);
    }
    struct hr_status status = fw_spool_append(collector->config.spool, hr_bytes_of(encoded, len_bytes));
    if (hr_is(status, HR_FULL) || hr_is(status, HR_MALFORMED)) {
        return status;
    }
    if (!hr_is_ok(status)) {
        return fw_collector_fail(collector, "append", status);
    }
    collector->open_payload_bytes += (uint32_t)(hr_varint32_len((uint32_t)len_bytes) + len_bytes);
    collector->open_records++;
    return hr_ok();
}

static struct hr_status append(struct fw_collector *collector, struct content content, uint64_t uptime_ms)
{
    struct hr_status status = try_append(collector, content, uptime_ms);
    if (hr_is(status, HR_FULL)) {
        collector->counters.seals_by_size++;
        HR_TRY(fw_collector_seal_open(collector));
        status = try_append(collector, content, uptime_ms);
    }
    if (hr_is(status, HR_FULL)) {
        return hr_status_of(HR_MALFORMED); /* it has no room in an empty batch either */
    }
    HR_TRY(status);
    if (collector->open_payload_bytes >= collector->config.seal_max_bytes) {
        collector->counters.seals_by_size++;
        HR_TRY(fw_collector_seal_open(collector));
    }
    return hr_ok();
}

static struct hr_status offer(struct fw_collector *collector, struct content content, uint64_t uptime_ms)
{
    struct hr_status status = hr_status_of(HR_AGAIN);
    if (collector->failed) {
        status = hr_status_of(HR_IO);
    } else if (fw_collector_is_ready(collector)) {
        status = append(collector, content, uptime_ms);
    }
    if (hr_is_ok(status)) {
        collector->counters.records++;
    } else {
        collector->counters.records_dropped++;
    }
    return status;
}

struct hr_status fw_collector_offer(struct fw_collector *collector, struct edge_record *record,
                                    uint64_t uptime_ms)
{
    return offer(collector, (struct content){.record = record}, uptime_ms);
}

struct hr_status fw_collector_offer_ais(struct fw_collector *collector, const struct edge_ais *ais,
                                        uint64_t uptime_ms)
{
    return offer(collector, (struct content){.ais = ais}, uptime_ms);
}

/* ---- records about itself ---- */

static uint64_t now_ms(const struct fw_collector *collector)
{
    return port_uptime_ms(collector->config.clock);
}

struct hr_status fw_collector_append_scratch(struct fw_collector *collector)
{
    struct hr_status status =
        append(collector, (struct content){.record = &collector->scratch}, now_ms(collector));
    HR_ASSERT(!hr_is(status, HR_MALFORMED));
    return status;
}

struct hr_status fw_collector_seal_key_switch(struct fw_collector *collector)
{
    const struct content content = {.record = &collector->scratch};
    HR_ASSERT(!fw_spool_is_open(collector->config.spool));
    struct hr_status status = try_append(collector, content, now_ms(collector));
    HR_ASSERT(!hr_is(status, HR_MALFORMED) && !hr_is(status, HR_FULL));
    HR_TRY(status);
    collector->open_flags |= WIRE_FLAG_KEY_SWITCH;
    return fw_collector_seal_open(collector);
}

static void on_uplink_anchor(void *ctx, const struct edge_time_anchor *anchor)
{
    struct fw_collector *collector = ctx;
    if (collector->closing || !fw_collector_is_ready(collector) || collector->failed) {
        return;
    }
    collector->scratch.kind = EDGE_TIME_ANCHOR;
    collector->scratch.as.time_anchor = *anchor;
    /* A failure is remembered in `failed`, and the next step reports it. */
    hr_ignore(fw_collector_append_scratch(collector));
}

static void on_uplink_event(void *ctx, const struct edge_event *event)
{
    struct fw_collector *collector = ctx;
    if (!fw_collector_is_ready(collector) || collector->failed) {
        return;
    }
    collector->scratch.kind = EDGE_EVENT;
    collector->scratch.as.event = *event;
    /* As above. */
    hr_ignore(fw_collector_append_scratch(collector));
}

static struct hr_status append_boot(struct fw_collector *collector)
{
    struct edge_boot *boot = &collector->scratch.as.boot;
    collector->scratch.kind = EDGE_BOOT;
    memset(boot, 0, sizeof *boot);
    boot->boot_id = collector->boot_id;
    boot->reason = collector->boot_reason;
    boot->previous_stream = collector->previous_stream;
    boot->recovered_records = collector->recovered_records;
    fw_text_copy(boot->version, sizeof boot->version, collector->config.version);
    return fw_collector_append_scratch(collector);
}

static struct hr_status append_host_anchor(struct fw_collector *collector)
{
    collector->next_host_anchor_ms = now_ms(collector) + collector->config.anchor_interval_ms;
    const struct port_utc *utc = collector->config.utc;
    struct edge_time_anchor anchor = {.boot_id = collector->boot_id, .source = EDGE_ANCHOR_HOST_CLOCK};
    if (utc == NULL || !hr_is_ok(utc->now(utc->ctx, &anchor.utc_ms, &anchor.err_ms))) {
        return hr_ok();
    }
    anchor.uptime_ms = now_ms(collector);
    collector->scratch.kind = EDGE_TIME_ANCHOR;
    collector->scratch.as.time_anchor = anchor;
    return fw_collector_append_scratch(collector);
}

static struct hr_status append_stats(struct fw_collector *collector)
{
    collector->next_stats_ms = now_ms(collector) + collector->config.stats_interval_ms;
    for (uint32_t i = 0; i < collector->n_sources; i++) {
        collector->scratch.kind = EDGE_STATS;
        collector->sources[i].stats(collector->sources[i].ctx, &collector->scratch.as.stats);
        HR_TRY(fw_collector_append_scratch(collector));
    }
    return hr_ok();
}

#define COUNTER(name) {#name, offsetof(struct fw_collector_counters, name)}

static void collector_stats(void *ctx, struct edge_stats *out)
{
    static const struct fw_counter table[] = {
        COUNTER(records),      COUNTER(records_dropped), COUNTER(seals),   COUNTER(seals_by_size),
        COUNTER(seals_by_age), COUNTER(losses),          COUNTER(carried),
    };
    const struct fw_collector *collector = ctx;
    fw_counters_to_stats("collector", table, HR_ARRAY_LEN(table), &collector->counters, out);
}

static void spool_stats(void *ctx, struct edge_stats *out)
{
    struct figures {
        uint64_t stream;
        uint64_t next_batch_seq;
        uint64_t next_record_seq;
        uint64_t unacked_batches;
        uint64_t bytes_used;
        uint64_t bytes_capacity;
    };
    static const struct fw_counter table[] = {
        {"stream", offsetof(struct figures, stream)},
        {"next_batch_seq", offsetof(struct figures, next_batch_seq)},
        {"next_record_seq", offsetof(struct figures, next_record_seq)},
        {"unacked_batches", offsetof(struct figures, unacked_batches)},
        {"bytes_used", offsetof(struct figures, bytes_used)},
        {"bytes_capacity", offsetof(struct figures, bytes_capacity)},
    };
    const struct fw_collector *collector = ctx;
    struct fw_spool_state spool;
    fw_spool_state(collector->config.spool, &spool);
    const struct figures figures = {
        .stream = spool.stream,
        .next_batch_seq = spool.next_batch_seq,
        .next_record_seq = spool.next_record_seq,
        .unacked_batches = spool.next_batch_seq - (spool.acked_seq + 1), /* WIRE_SEQ_NONE + 1 is 0 */
        .bytes_used = spool.bytes_used,
        .bytes_capacity = spool.bytes_capacity,
    };
    fw_counters_to_stats("spool", table, HR_ARRAY_LEN(table), &figures, out);
}

static void uplink_stats(void *ctx, struct edge_stats *out)
{
    const struct fw_collector *collector = ctx;
    fw_uplink_stats(&collector->uplink, out);
}

/* ---- start ---- */

/* A boot_id must not come back while anchors of its first life are remembered. The spool knows the highest
 * one it ever took; where it knows none, flash was new or lost, and a random start keeps clear of lives that
 * are not known here. */
static uint32_t choose_boot_id(const struct fw_collector_config *config)
{
    if (config->report->last_boot_id != 0) {
        return config->report->last_boot_id + 1;
    }
    return 1 + (port_random_u32(config->random) & BOOT_ID_FIRST_MASK);
}

static void init_uplink(struct fw_collector *collector)
{
    const struct fw_collector_config *config = &collector->config;
    const struct fw_uplink_config uplink = {
        .net = config->net,
        .clock = config->clock,
        .random = config->random,
        .log = config->log,
        .verify = config->verify,
        .hash = config->hash,
        .trust = config->trust,
        .renew = config->renew,
        .spool = config->spool,
        .owner = {.anchor = on_uplink_anchor,
                  .event = on_uplink_event,
                  .hints = fw_collector_on_hints,
                  .key_refused = fw_collector_on_key_refused,
                  .ctx = collector},
        .envelope = config->envelope,
        .envelope_capacity_bytes = config->envelope_capacity_bytes,
        .boot_id = collector->boot_id,
        .anchor_interval_ms = config->anchor_interval_ms,
    };
    fw_uplink_init(&collector->uplink, &uplink);
}

struct hr_status fw_collector_start(struct fw_collector *collector, const struct fw_collector_config *config)
{
    memset(collector, 0, sizeof *collector);
    collector->config = *config;
    collector->boot_id = choose_boot_id(config);
    collector->recovered_records = config->report->recovered_records;
    collector->boot_reason = config->report->formatted ? EDGE_BOOT_FIRST
                             : config->report->clean   ? EDGE_BOOT_CLEAN
                                                       : EDGE_BOOT_UNCLEAN;
    collector->config.report = NULL;
    HR_TRY(fw_rotation_start(&collector->rotation, config->keys, config->spool, config->envelope,
                             config->envelope_capacity_bytes));
    collector->carrying = true;
    collector->next_stats_ms = now_ms(collector) + config->stats_interval_ms;
    init_uplink(collector);
    fw_collector_add_source(collector, (struct fw_stats_source){collector_stats, collector});
    fw_collector_add_source(collector, (struct fw_stats_source){spool_stats, collector});
    fw_collector_add_source(collector, (struct fw_stats_source){uplink_stats, collector});
    return fw_collector_seal_open(collector);
}

struct port_net_events fw_collector_net_events(struct fw_collector *collector)
{
    return fw_uplink_net_events(&collector->uplink);
}

void fw_collector_add_source(struct fw_collector *collector, struct fw_stats_source source)
{
    HR_ASSERT(collector->n_sources < FW_COLLECTOR_MAX_SOURCES);
    collector->sources[collector->n_sources++] = source;
}

bool fw_collector_is_ready(const struct fw_collector *collector)
{
    return !collector->carrying;
}

/* ---- steps ---- */

static struct hr_status start_wanted_stream(struct fw_collector *collector)
{
    uint32_t stream = 0;
    if (collector->carrying || !fw_uplink_wants_stream(&collector->uplink, &stream)) {
        return hr_ok();
    }
    HR_TRY(fw_collector_seal_open(collector));
    struct fw_spool_state spool;
    fw_spool_state(collector->config.spool, &spool);
    PORT_LOG(collector->config.log, PORT_LOG_WARN, "stream_started", {"stream", NULL, stream},
             {"previous_stream", NULL, spool.stream});
    struct hr_status status = fw_rotation_new_stream(&collector->rotation, &spool, stream);
    if (!hr_is_ok(status)) {
        return fw_collector_fail(collector, "keys", status);
    }
    status = fw_spool_new_stream(collector->config.spool, stream);
    if (!hr_is_ok(status)) {
        return fw_collector_fail(collector, "new_stream", status);
    }
    collector->carrying = true;
    collector->starting_stream = true;
    collector->previous_stream = spool.stream;
    collector->boot_reason = EDGE_BOOT_NEW_STREAM;
    collector->recovered_records = 0;
    return hr_ok();
}

/* Takes what older streams left into the current one, a slice of time at once; Boot follows the last of it.
 */
static struct hr_status carry(struct fw_collector *collector)
{
    uint64_t started_ms = now_ms(collector);
    while (collector->carrying && now_ms(collector) - started_ms < CARRY_SLICE_MS) {
        struct hr_status status = fw_spool_carry(collector->config.spool, fw_collector_signer(collector));
        if (hr_is_ok(status)) {
            collector->counters.carried++;
            continue;
        }
        if (!hr_is(status, HR_NOT_FOUND)) {
            return fw_collector_fail(collector, "carry", status);
        }
        collector->carrying = false;
        if (collector->starting_stream) {
            collector->starting_stream = false;
            fw_uplink_stream_started(&collector->uplink);
        }
        HR_TRY(append_boot(collector));
        HR_TRY(append_host_anchor(collector));
    }
    return hr_ok();
}

/* A hole is told at once: until its Loss is sealed the aggregator can't go over it. Sealing may evict and so
 * widen a hole, hence the look at it before each try. */
static struct hr_status seal_losses(struct fw_collector *collector)
{
    for (uint32_t turn = 0; turn < 2 * FW_SPOOL_MAX_HOLES; turn++) {
        struct edge_loss loss;
        if (!hr_is_ok(fw_spool_pending_loss(collector->config.spool, &loss))) {
            return hr_ok();
        }
        collector->scratch.kind = EDGE_LOSS;
        collector->scratch.as.loss = loss;
        struct hr_status status =
            try_append(collector, (struct content){.record = &collector->scratch}, now_ms(collector));
        if (hr_is_ok(status)) {
            collector->open_flags |= WIRE_FLAG_LOSS;
            collector->counters.losses++;
        } else if (!hr_is(status, HR_FULL)) {
            return status;
        }
        HR_TRY(fw_collector_seal_open(collector));
    }
    return hr_ok();
}

static struct hr_status do_what_is_due(struct fw_collector *collector)
{
    uint64_t now = now_ms(collector);
    if (!collector->closing && now >= collector->next_stats_ms) {
        HR_TRY(append_stats(collector));
    }
    if (!collector->closing && now >= collector->next_host_anchor_ms) {
        HR_TRY(append_host_anchor(collector));
    }
    HR_TRY(seal_losses(collector));
    HR_TRY(fw_collector_turn_keys(collector));
    if (fw_spool_is_open(collector->config.spool) &&
        now - collector->base_uptime_ms >= collector->config.seal_max_age_ms) {
        collector->counters.seals_by_age++;
        HR_TRY(fw_collector_seal_open(collector));
    }
    return hr_ok();
}

static uint32_t until(uint64_t now, uint64_t moment_ms, uint32_t at_most_ms)
{
    uint64_t left_ms = moment_ms > now ? moment_ms - now : 0;
    return left_ms < at_most_ms ? (uint32_t)left_ms : at_most_ms;
}

static uint32_t own_wait_ms(const struct fw_collector *collector)
{
    uint64_t now = now_ms(collector);
    uint32_t wait_ms = FW_NEVER_MS;
    if (collector->carrying || (!collector->closing && fw_rotation_is_due(&collector->rotation))) {
        return 0;
    }
    if (!collector->closing) {
        wait_ms = until(now, collector->next_stats_ms, wait_ms);
        wait_ms = until(now, collector->next_host_anchor_ms, wait_ms);
    }
    if (fw_spool_is_open(collector->config.spool)) {
        wait_ms = until(now, collector->base_uptime_ms + collector->config.seal_max_age_ms, wait_ms);
    }
    return wait_ms;
}

struct hr_status fw_collector_step(struct fw_collector *collector, uint32_t *wait_ms)
{
    if (!collector->failed) {
        hr_ignore(start_wanted_stream(collector)); /* `failed` remembers, here and below */
    }
    if (!collector->failed) {
        hr_ignore(carry(collector));
    }
    if (!collector->failed && !collector->carrying) {
        hr_ignore(do_what_is_due(collector));
    }
    if (collector->failed) {
        return hr_status_of(HR_IO);
    }
    fw_collector_bound_uplink(collector);
    uint32_t uplink_wait_ms = fw_uplink_step(&collector->uplink);
    uint32_t stream = 0;
    struct edge_loss loss;
    if (fw_uplink_wants_stream(&collector->uplink, &stream) ||
        hr_is_ok(fw_spool_pending_loss(collector->config.spool, &loss))) {
        uplink_wait_ms = 0; /* the uplink's step gave us work */
    }
    uint32_t wait = own_wait_ms(collector);
    *wait_ms = wait < uplink_wait_ms ? wait : uplink_wait_ms;
    return collector->failed ? hr_status_of(HR_IO) : hr_ok();
}

struct hr_status fw_collector_begin_end(struct fw_collector *collector)
{
    if (collector->failed) {
        return hr_status_of(HR_IO);
    }
    if (!collector->carrying) {
        HR_TRY(append_stats(collector));
    }
    collector->closing = true;
    return fw_collector_seal_open(collector);
}

struct hr_status fw_collector_end(struct fw_collector *collector)
{
    if (collector->failed) {
        return hr_status_of(HR_IO);
    }
    collector->closing = true;
    HR_TRY(fw_collector_seal_open(collector));
    struct hr_status status = fw_spool_close(collector->config.spool);
    return hr_is_ok(status) ? status : fw_collector_fail(collector, "close", status);
}

bool fw_collector_is_drained(const struct fw_collector *collector)
{
    return !collector->carrying && !fw_spool_is_open(collector->config.spool) &&
           fw_uplink_is_drained(&collector->uplink);
}
