/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

void agg_touch(struct agg_core *core, struct agg_device *device)
{
    struct agg_group *group = &core->group;
    if (device->undo != 0) {
        return;
    }
    HR_ASSERT(group->n_undo < GROUP_MAX_DEVICES);
    group->undo[group->n_undo].device = device;
    group->undo[group->n_undo].is_entry_changed = false;
    group->undo[group->n_undo].before = device->state;
    device->undo = ++group->n_undo;
    memset(device->rows, 0, sizeof device->rows);
}

void agg_touch_entry(struct agg_core *core, struct agg_device *device)
{
    agg_touch(core, device);
    core->group.undo[device->undo - 1].is_entry_changed = true;
}

void agg_stage_row(struct agg_core *core, struct agg_device *device, const struct ledger_stream *row)
{
    struct agg_group *group = &core->group;
    agg_ref *staged = &device->rows[row - device->state.streams];
    if (*staged == 0) {
        HR_ASSERT(group->n_streams < GROUP_MAX_STREAMS);
        *staged = ++group->n_streams;
    }
    group->streams[*staged - 1] = *row;
}

void agg_finish_later(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                      enum wire_ack_status status, bool is_answered)
{
    struct agg_group *group = &core->group;
    HR_ASSERT(group->n_waiting < GROUP_MAX_ANSWERS);
    group->waiting[group->n_waiting++] = (struct agg_waiting){.batch = batch,
                                                              .device = device,
                                                              .ticket = batch->ticket,
                                                              .stream = batch->parts.header.stream,
                                                              .status = status,
                                                              .is_answered = is_answered};
}

void agg_finish(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                enum wire_ack_status status)
{
    if (device != NULL && device->undo != 0) {
        agg_finish_later(core, device, batch, status, false);
        return;
    }
    agg_answer(core, device, batch->ticket, batch->parts.header.stream, status);
    core->ports.release(core->ports.ctx, batch);
}

void agg_answer(struct agg_core *core, const struct agg_device *device, struct source_ticket ticket,
                uint32_t stream, enum wire_ack_status status)
{
    struct source_answer answer = {.ticket = ticket,
                                   .ack = {.status = status, .stream = stream, .cum_seq = WIRE_SEQ_NONE}};
    const struct ledger_stream *row = device == NULL ? NULL : agg_stream_of(device, stream);
    if (row != NULL) {
        answer.ack.cum_seq = row->cum_seq;
        memcpy(answer.ack.cum_digest, row->cum_digest, WIRE_ACK_DIGEST_BYTES);
    }
    if (device != NULL) {
        answer.ack.sack = agg_hold_sack(core, device, stream);
        answer.ack.hints = agg_hints(core, device);
    }
    int64_t utc_ms = core->ports.clock.utc_ms(core->ports.clock.ctx);
    answer.ack.server_utc_ms = utc_ms < 0 ? 0 : (uint64_t)utc_ms & ((UINT64_C(1) << 48) - 1);
    answer.max_age_s = status == WIRE_ACK_UNAVAILABLE ? core->limits.retry_after_s : 0;
    atomic_fetch_add_explicit(&core->answered[status], 1, memory_order_relaxed);
    core->ports.answers.answer(core->ports.answers.ctx, &answer);
}

void agg_answer_head(struct agg_core *core, const struct agg_device *device, struct source_ticket ticket,
                     uint32_t stream)
{
    enum wire_ack_status status = WIRE_ACK_OK;
    if (device == NULL || !device->state.is_known) {
        status = WIRE_ACK_UNKNOWN_DEVICE;
        device = NULL;
    } else if (agg_device_stands(&device->state.entry) != WIRE_ACK_OK) {
        status = agg_device_stands(&device->state.entry);
    } else if (device->state.n_streams > 0 && device->state.streams[0].stream > stream) {
        status = WIRE_ACK_STREAM_AHEAD;
        stream = device->state.streams[0].stream;
    }
    agg_answer(core, device, ticket, stream, status);
}

bool agg_group_is_full(const struct agg_core *core)
{
    const struct agg_group *group = &core->group;
    /* The most that one submit can add: itself, all that its device holds, and two twins. */
    const uint32_t turn = 1 + AGG_HELD_PER_DEVICE;
    return group->n_batches == LEDGER_COMMIT_MAX_BATCHES || group->n_undo == GROUP_MAX_DEVICES ||
           group->n_waiting + turn + 1 > GROUP_MAX_ANSWERS || group->n_streams + 1 > GROUP_MAX_STREAMS ||
           group->n_losses + AGG_BATCH_MAX_LOSSES > GROUP_MAX_LOSSES ||
           group->n_conflicts + 3 > GROUP_MAX_CONFLICTS ||
           group->n_anchors + turn * AGG_BATCH_MAX_ANCHORS > GROUP_MAX_ANCHORS || group->n_certificates > 0 ||
           group->n_old_keys + turn + LEDGER_DEVICE_MAX_KEYS > GROUP_MAX_OLD_KEYS ||
           group->n_audits + 2 * turn + 3 >
               GROUP_MAX_AUDITS; /* a switch and its end of each, its first batch, a quarantine, a cut */
}

static uint32_t n_entries_changed(const struct agg_group *group)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < group->n_undo; i++) {
        n += group->undo[i].is_entry_changed ? 1 : 0;
    }
    return n;
}

uint32_t agg_group_waiting(const struct agg_core *core)
{
    const struct agg_group *group = &core->group;
    return group->n_waiting > 0 ? group->n_waiting : n_entries_changed(group);
}

const struct ledger_commit *agg_group_take(struct agg_core *core)
{
    struct agg_group *group = &core->group;
    HR_ASSERT(!group->is_taken);
    uint32_t n_devices = 0;
    for (uint32_t i = 0; i < group->n_undo; i++) {
        if (group->undo[i].is_entry_changed) {
            group->devices[n_devices++] = group->undo[i].device->state.entry;
        }
    }
    if (group->n_batches + group->n_streams + n_devices + group->n_conflicts == 0) {
        return NULL;
    }
    group->is_taken = true;
    group->change = (struct ledger_commit){.batches = group->batches,
                                           .n_batches = group->n_batches,
                                           .streams = group->streams,
                                           .n_streams = group->n_streams,
                                           .devices = group->devices,
                                           .n_devices = n_devices,
                                           .conflicts = group->conflicts,
                                           .n_conflicts = group->n_conflicts,
                                           .losses = group->losses,
                                           .n_losses = group->n_losses,
                                           .anchors = group->anchors,
                                           .n_anchors = group->n_anchors,
                                           .audits = group->audits,
                                           .n_audits = group->n_audits,
                                           .enrolments = group->enrolments,
                                           .n_enrolments = group->n_enrolments,
                                           .certificates = group->certificates,
                                           .n_certificates = group->n_certificates,
                                           .old_keys = group->old_keys,
                                           .n_old_keys = group->n_old_keys};
    return &group->change;
}

static void close_undo(struct agg_core *core, bool is_committed)
{
    struct agg_group *group = &core->group;
    for (uint32_t i = 0; i < group->n_undo; i++) {
        struct agg_device *device = group->undo[i].device;
        if (!is_committed) {
            device->state = group->undo[i].before;
        }
        device->undo = 0;
        agg_refresh_session_state(device);
    }
    for (uint32_t i = 0; i < AGG_N_COUNTERS; i++) {
        if (is_committed && group->pending_counts[i] != 0) {
            agg_count(core, (enum agg_counter)i, group->pending_counts[i]);
        }
        group->pending_counts[i] = 0;
    }
    for (uint32_t i = 0; is_committed && i < group->n_old_keys && core->ports.key_dropped != NULL; i++) {
        const struct ledger_old_key *old = &group->old_keys[i];
        core->ports.key_dropped(core->ports.ctx, old->device_id, old->key.epoch);
    }
    group->n_undo = group->n_batches = group->n_streams = group->n_losses = 0;
    group->n_conflicts = group->n_anchors = group->n_audits = group->n_enrolments = group->n_certificates = 0;
    group->n_old_keys = 0;
}

static void answer_waiting(struct agg_core *core, bool is_committed)
{
    struct agg_group *group = &core->group;
    for (uint32_t i = 0; i < group->n_waiting; i++) {
        const struct agg_waiting *waiting = &group->waiting[i];
        enum wire_ack_status status = is_committed ? waiting->status : WIRE_ACK_UNAVAILABLE;
        if (waiting->batch == NULL && is_committed) {
            agg_answer_head(core, waiting->device, waiting->ticket, waiting->stream);
        } else if (!waiting->is_answered) {
            agg_answer(core, waiting->device, waiting->ticket, waiting->stream, status);
        }
        if (waiting->batch != NULL) {
            core->ports.release(core->ports.ctx, waiting->batch);
        }
    }
    group->n_waiting = 0;
}

static void report_refusal(struct agg_core *core, struct hr_status result)
{
    bool is_full = hr_is(result, HR_FULL);
    agg_count(core, AGG_COUNT_GROUPS_REFUSED_FULL, is_full ? 1 : 0);
    agg_count(core, AGG_COUNT_GROUPS_REFUSED_AWAY, hr_is(result, HR_AGAIN) ? 1 : 0);
    enum agg_event_kind kind = is_full ? AGG_EVENT_LEDGER_FULL : AGG_EVENT_LEDGER_AWAY;
    struct agg_event event = {.kind = core->is_fenced ? AGG_EVENT_FENCED : kind, .n = core->group.n_batches};
    core->ports.event(core->ports.ctx, &event);
}

void agg_group_settle(struct agg_core *core, struct hr_status result)
{
    bool is_committed = hr_is_ok(result);
    HR_ASSERT(is_committed || hr_is(result, HR_FULL) || hr_is(result, HR_AGAIN) || hr_is(result, HR_DENIED));
    HR_ASSERT(core->group.is_taken || core->group.n_undo == 0);
    bool is_change = core->group.is_taken;
    core->group.is_taken = false;
    core->is_fenced = core->is_fenced || hr_is(result, HR_DENIED);
    if (is_committed) {
        agg_count(core, AGG_COUNT_GROUPS_COMMITTED, is_change ? 1 : 0);
    } else {
        report_refusal(core, result);
    }
    close_undo(core, is_committed);
    answer_waiting(core, is_committed);
    if (core->has_undrained) {
        agg_hold_drain_all(core);
    }
}
