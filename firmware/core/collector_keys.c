/* SPDX-License-Identifier: Apache-2.0
 *
 * The collector's part in the switch of record keys: its batches carry the KeySwitch, its uplink brings the
 * refusals. */
#include "firmware/core/collector_internal.h"
#include "firmware/core/counters.h"

static struct fw_spool_state spool_of(const struct fw_collector *collector)
{
    struct fw_spool_state spool;
    fw_spool_state(collector->config.spool, &spool);
    return spool;
}

static uint64_t now_ms(const struct fw_collector *collector)
{
    return port_uptime_ms(collector->config.clock);
}

const struct port_sign *fw_collector_signer(const struct fw_collector *collector)
{
    const struct port_sign *sign = fw_rotation_signer(&collector->rotation);
    return sign != NULL ? sign : collector->config.sign;
}

struct hr_status fw_collector_rotate(struct fw_collector *collector)
{
    return fw_rotation_want(&collector->rotation);
}

/* In a batch of its own, so that its place is known before it is appended. */
static struct hr_status seal_key_switch(struct fw_collector *collector)
{
    HR_TRY(fw_collector_seal_open(collector));
    struct fw_spool_state spool = spool_of(collector);
    collector->scratch.kind = EDGE_KEY_SWITCH;
    struct hr_status status =
        fw_rotation_place(&collector->rotation, &spool, &collector->scratch.as.key_switch);
    if (!hr_is_ok(status)) {
        return fw_collector_fail(collector, "keys", status);
    }
    HR_TRY(fw_collector_seal_key_switch(collector));
    spool = spool_of(collector);
    status = fw_rotation_sealed(&collector->rotation, &spool);
    if (!hr_is_ok(status)) {
        return fw_collector_fail(collector, "keys", status);
    }
    PORT_LOG(collector->config.log, PORT_LOG_INFO, "key_switch_sealed", {"stream", NULL, spool.stream},
             {"switch_seq", NULL, spool.next_batch_seq},
             {"key_epoch", NULL, fw_collector_signer(collector)->key_epoch});
    return hr_ok();
}

static struct hr_status settle(struct fw_collector *collector)
{
    enum fw_rotation_end end = FW_ROTATION_GOES_ON;
    const struct fw_spool_state spool = spool_of(collector);
    struct hr_status status = fw_rotation_settle(&collector->rotation, &spool, now_ms(collector), &end);
    if (!hr_is_ok(status)) {
        return fw_collector_fail(collector, "keys", status);
    }
    if (end == FW_ROTATION_GOES_ON) {
        return hr_ok();
    }
    PORT_LOG(collector->config.log, PORT_LOG_WARN,
             end == FW_ROTATION_DONE ? "key_switched" : "key_switch_refused",
             {"key_epoch", NULL, fw_collector_signer(collector)->key_epoch});
    if (end == FW_ROTATION_DONE) {
        return hr_ok();
    }
    struct edge_event *event = &collector->scratch.as.event;
    collector->scratch.kind = EDGE_EVENT;
    *event = (struct edge_event){.code = FW_EVENT_KEY_SWITCH_REFUSED};
    fw_text_copy(event->text, sizeof event->text, "the aggregator has not followed a KeySwitch");
    return fw_collector_append_scratch(collector);
}

struct hr_status fw_collector_turn_keys(struct fw_collector *collector)
{
    HR_TRY(settle(collector));
    if (collector->closing) {
        return hr_ok();
    }
    struct hr_status status = fw_rotation_begin(&collector->rotation, now_ms(collector));
    if (hr_is_ok(status)) {
        return seal_key_switch(collector);
    }
    if (!hr_is(status, HR_AGAIN)) {
        PORT_LOG(collector->config.log, PORT_LOG_ERROR, "key_not_made",
                 {"status", hr_code_name(status.code), 0});
    }
    return hr_ok();
}

void fw_collector_bound_uplink(struct fw_collector *collector)
{
    const struct fw_spool_state spool = spool_of(collector);
    fw_uplink_set_switch(&collector->uplink, fw_rotation_barrier(&collector->rotation, &spool));
}

void fw_collector_on_hints(void *ctx, uint8_t hints)
{
    struct fw_collector *collector = ctx;
    if ((hints & WIRE_HINT_ROTATE) != 0) {
        fw_rotation_hint(&collector->rotation, now_ms(collector));
    }
}

bool fw_collector_on_key_refused(void *ctx, uint32_t seq, enum wire_ack_status status)
{
    struct fw_collector *collector = ctx;
    struct wire_envelope envelope;
    uint32_t len_bytes = 0;
    if (!hr_is_ok(fw_spool_read(collector->config.spool, seq, collector->config.envelope,
                                collector->config.envelope_capacity_bytes, &len_bytes)) ||
        !hr_is_ok(wire_envelope_split(hr_bytes_of(collector->config.envelope, len_bytes), &envelope))) {
        return false;
    }
    const struct fw_spool_state spool = spool_of(collector);
    return fw_rotation_refused(&collector->rotation, &spool, seq, envelope.header.key_epoch, status,
                               now_ms(collector));
}
