/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

/* The digest that stands at the batch's place: in the open group or in the ledger. HR_NOT_FOUND: none does.
 */
static struct hr_status known_digest(const struct agg_core *core, const struct agg_device *device,
                                     const struct wire_header *header, uint8_t out[WIRE_DIGEST_BYTES])
{
    const struct ledger_stream *row = agg_stream_of(device, header->stream);
    if (row != NULL && row->cum_seq == header->batch_seq) {
        memcpy(out, row->cum_digest, WIRE_DIGEST_BYTES);
        return hr_ok();
    }
    const struct agg_group *group = &core->group;
    for (uint32_t i = 0; device->undo != 0 && i < group->n_batches; i++) {
        const struct ledger_batch *staged = &group->batches[i];
        if (staged->device_id == header->device_id && staged->stream == header->stream &&
            staged->seq == header->batch_seq) {
            memcpy(out, staged->digest, WIRE_DIGEST_BYTES);
            return hr_ok();
        }
    }
    const struct ledger *ledger = core->ports.ledger;
    return ledger->find_digest(ledger->ctx, header->device_id, header->stream, header->batch_seq, out);
}

static void quarantine(struct agg_core *core, struct agg_device *device, const struct agg_batch *batch,
                       const char *why)
{
    struct ledger_device *entry = &device->state.entry;
    const struct ledger_device before = *entry;
    bool is_new = entry->state != LEDGER_DEVICE_QUARANTINED;
    if (is_new) {
        agg_count_staged(core, AGG_COUNT_DEVICES_QUARANTINED, 1);
        agg_emit(core, AGG_EVENT_DEVICE_STATE, batch, 0, "quarantined");
    }
    entry->state = LEDGER_DEVICE_QUARANTINED;
    memset(entry->reason, 0, sizeof entry->reason);
    memcpy(entry->reason, why, strlen(why));
    if (is_new) {
        const struct agg_cause cause = {"aggregator", "quarantined", why};
        agg_audit(core, device, &before, &cause);
    }
}

void agg_conflict(struct agg_core *core, struct agg_device *device, struct agg_batch *batch, bool is_answered,
                  enum wire_ack_status status, const uint8_t known[WIRE_DIGEST_BYTES])
{
    bool is_fork = status == WIRE_ACK_FORK;
    agg_touch_entry(core, device);
    struct agg_group *group = &core->group;
    struct ledger_conflict *conflict = &group->conflicts[group->n_conflicts++];
    *conflict = (struct ledger_conflict){.device_id = device->device_id,
                                         .stream = batch->parts.header.stream,
                                         .seq = batch->parts.header.batch_seq,
                                         .kind = is_fork ? "fork" : "equivocation",
                                         .received_utc_ms = batch->received_utc_ms,
                                         .envelope = batch->envelope};
    memcpy(conflict->known_digest, known, WIRE_DIGEST_BYTES);
    if (device->state.entry.state == LEDGER_DEVICE_REVOKED) {
        /* It delivered what stands before its cut; who forks there has its key, and is not told apart. */
        agg_cut_refuse(core, device, batch, conflict->kind);
    } else {
        quarantine(core, device, batch, conflict->kind);
    }
    agg_count_staged(core, is_fork ? AGG_COUNT_FORKS : AGG_COUNT_EQUIVOCATIONS, 1);
    agg_emit(core, is_fork ? AGG_EVENT_FORK : AGG_EVENT_EQUIVOCATION, batch, 0, NULL);
    agg_finish_later(core, device, batch, status, is_answered);
    agg_hold_drop_all(core, device, agg_device_stands(&device->state.entry));
}

/* A place that is behind: it is filled, or covered by a Loss, or belongs to a stream that the device has
 * left. */
static void order_past(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                       enum wire_ack_status key)
{
    const struct wire_header *header = &batch->parts.header;
    const struct ledger_stream *row = agg_stream_of(device, header->stream);
    bool is_covered = header->batch_seq < agg_next_seq(row);
    uint8_t known[WIRE_DIGEST_BYTES];
    struct hr_status status = known_digest(core, device, header, known);
    bool is_gone = hr_is(status, HR_CLOSED); /* too old to tell: it accuses nobody */
    if (!hr_is_ok(status) && !hr_is(status, HR_NOT_FOUND) && !is_gone) {
        agg_count(core, AGG_COUNT_LEDGER_READ_ERRORS, 1);
        agg_finish(core, device, batch, WIRE_ACK_UNAVAILABLE);
        return;
    }
    bool is_same = hr_is_ok(status) && memcmp(known, batch->digest, WIRE_DIGEST_BYTES) == 0;
    bool is_late = is_gone || (hr_is(status, HR_NOT_FOUND) && is_covered);
    if (is_late) {
        agg_count(core, AGG_COUNT_LATE_AFTER_LOSS, 1);
    }
    if (is_same || is_late) {
        agg_finish(core, device, batch, WIRE_ACK_DUPLICATE);
    } else if (key != WIRE_ACK_OK) {
        /* A key that may not sign there proves nothing: whoever stole it must not bring the device into
         * quarantine. */
        agg_finish(core, device, batch, key);
    } else if (hr_is_ok(status)) {
        agg_conflict(core, device, batch, false, WIRE_ACK_EQUIVOCATION, known);
    } else {
        /* Something new in a stream that the device has left: a clone, or flash that was rolled back. */
        agg_conflict(core, device, batch, false, WIRE_ACK_FORK, device->state.streams[0].cum_digest);
    }
}

/* How the anchor of a new stream stands to the newest stream known here. A device opens a stream just because
 * its state and ours disagree, so an anchor over another digest is no offence: the device may have sealed
 * batches that never came, or have lost some that did. It is signed, kept in the leaf, and reported. */
static const char *anchor_kind(struct agg_core *core, const struct agg_device *device,
                               const struct wire_header *header)
{
    static const uint8_t zeros[WIRE_DIGEST_BYTES];
    bool has_former = device->state.n_streams > 0;
    uint8_t anchor[WIRE_DIGEST_BYTES];
    wire_stream_anchor(core->ports.hash, header->device_id, header->stream,
                       has_former ? device->state.streams[0].cum_digest : zeros, anchor);
    if (memcmp(anchor, header->prev_digest, WIRE_DIGEST_BYTES) == 0) {
        return "known";
    }
    wire_stream_anchor(core->ports.hash, header->device_id, header->stream, zeros, anchor);
    bool is_zero = memcmp(anchor, header->prev_digest, WIRE_DIGEST_BYTES) == 0;
    agg_count_staged(core, is_zero ? AGG_COUNT_ANCHORS_ZERO : AGG_COUNT_ANCHORS_OTHER, 1);
    return is_zero ? "zero" : "other";
}

static void stage_controls(struct agg_core *core, struct agg_device *device, const struct agg_batch *batch)
{
    struct agg_group *group = &core->group;
    struct agg_controls controls;
    agg_scan(&batch->parts, &controls);
    for (uint32_t i = 0; i < controls.n_anchors; i++) {
        group->anchors[group->n_anchors++] = (struct ledger_anchor){.device_id = device->device_id,
                                                                    .anchor = controls.anchors[i],
                                                                    .batch_index = group->n_batches - 1};
    }
    if (controls.n_key_switches > 0) {
        agg_key_switch(core, device, batch, &controls.key_switch);
    }
    agg_count_staged(core, AGG_COUNT_ANCHORS_STORED, controls.n_anchors);
    agg_count_staged(core, AGG_COUNT_RECORDS_UNDECODABLE, controls.n_undecodable);
}

static void watch_clock(struct agg_core *core, const struct agg_batch *batch)
{
    if (batch->received_utc_ms + 1000 < core->last_received_utc_ms) {
        agg_count(core, AGG_COUNT_CLOCK_STEPS, 1);
        agg_emit(core, AGG_EVENT_CLOCK_STEP, batch,
                 (uint64_t)(core->last_received_utc_ms - batch->received_utc_ms), NULL);
    }
    core->last_received_utc_ms = batch->received_utc_ms;
}

static void stage(struct agg_core *core, struct agg_device *device, struct agg_batch *batch, bool is_answered)
{
    const struct wire_header *header = &batch->parts.header;
    struct agg_group *group = &core->group;
    struct ledger_stream *row = agg_stream_open(core, device, header->stream);
    row->cum_seq = header->batch_seq;
    row->next_record_seq = header->first_record_seq + header->n_records;
    row->key_epoch = header->key_epoch;
    row->boot_id = header->boot_id;
    memcpy(row->cum_digest, batch->digest, WIRE_DIGEST_BYTES);
    agg_stage_row(core, device, row);
    struct ledger_batch *staged = &group->batches[group->n_batches++];
    *staged = (struct ledger_batch){.device_id = header->device_id,
                                    .stream = header->stream,
                                    .seq = header->batch_seq,
                                    .received_utc_ms = batch->received_utc_ms,
                                    .envelope = batch->envelope};
    memcpy(staged->digest, batch->digest, WIRE_DIGEST_BYTES);
    if (device->state.entry.state == LEDGER_DEVICE_ENROLLED) {
        agg_touch_entry(core, device);
        const struct ledger_device before = device->state.entry;
        const struct agg_cause cause = {"device", "activated", ""};
        device->state.entry.state = LEDGER_DEVICE_ACTIVE;
        agg_audit(core, device, &before, &cause);
        agg_emit(core, AGG_EVENT_DEVICE_STATE, batch, 0, "active");
    }
    agg_key_used(core, device, batch);
    agg_cut_reached(core, device);
    watch_clock(core, batch);
    stage_controls(core, device, batch);
    agg_count_staged(core, AGG_COUNT_BATCHES_COMMITTED, 1);
    agg_count_staged(core, AGG_COUNT_RECORDS_COMMITTED, header->n_records);
    agg_count_staged(core, AGG_COUNT_BYTES_COMMITTED, batch->envelope.len_bytes);
    agg_finish_later(core, device, batch, WIRE_ACK_OK, is_answered);
}

/* Decides about the batch that is next in its stream and has the right key. */
static void order_next(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                       bool is_answered)
{
    const struct wire_header *header = &batch->parts.header;
    const struct ledger_stream *row = agg_stream_of(device, header->stream);
    if (header->batch_seq == 0) {
        agg_emit(core, AGG_EVENT_STREAM_STARTED, batch, 0, anchor_kind(core, device, header));
    } else if (row == NULL || memcmp(row->cum_digest, header->prev_digest, WIRE_DIGEST_BYTES) != 0) {
        static const uint8_t none[WIRE_DIGEST_BYTES];
        agg_conflict(core, device, batch, is_answered, WIRE_ACK_FORK, row == NULL ? none : row->cum_digest);
        return;
    } else if (row->next_record_seq != header->first_record_seq) {
        /* The chain holds, so there is no other history; the device numbers its records wrongly. Taking it
         * would give one record two names, or hide a hole. A Loss over the batch lets the device go on. */
        agg_count(core, AGG_COUNT_RECORD_DISCONTINUITIES, 1);
        agg_emit(core, AGG_EVENT_RECORD_DISCONTINUITY, batch, row->next_record_seq, NULL);
        agg_finish_later(core, device, batch, WIRE_ACK_MALFORMED, is_answered);
        return;
    }
    stage(core, device, batch, is_answered);
}

void agg_order_held(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                    bool is_answered)
{
    enum wire_ack_status key = agg_key_stands(&device->state.entry, &batch->parts.header);
    if (key != WIRE_ACK_OK) {
        agg_finish_later(core, device, batch, key, is_answered);
        return;
    }
    order_next(core, device, batch, is_answered);
}

/* Loss first (proto/SPEC.md section 4): the batch is ahead of a hole, and carries the Loss that says so.
 * True: the stream moved. */
static bool move_over_holes(struct agg_core *core, struct agg_device *device, struct agg_batch *batch)
{
    const struct wire_header *header = &batch->parts.header;
    if ((header->flags & WIRE_FLAG_LOSS) == 0 || !agg_loss_apply(core, device, batch)) {
        return false;
    }
    const struct ledger_stream *row = agg_stream_of(device, header->stream);
    agg_hold_drop(core, device, header->stream, row->cum_seq, WIRE_ACK_DUPLICATE);
    agg_hold_drain(core, device);
    return true;
}

void agg_order(struct agg_core *core, struct agg_device *device, struct agg_batch *batch)
{
    const struct wire_header *header = &batch->parts.header;
    const struct agg_device_state *state = &device->state;
    enum wire_ack_status key = agg_key_stands(&state->entry, header);
    bool is_left = state->n_streams > 0 && header->stream < state->streams[0].stream;
    if (is_left || header->batch_seq < agg_next_seq(agg_stream_of(device, header->stream))) {
        order_past(core, device, batch, key);
        return;
    }
    if (key != WIRE_ACK_OK) {
        agg_finish(core, device, batch, key);
        return;
    }
    if (((header->flags & WIRE_FLAG_FIRST_OF_STREAM) != 0) != (header->batch_seq == 0)) {
        agg_finish(core, device, batch, WIRE_ACK_MALFORMED);
        return;
    }
    bool is_ahead = header->batch_seq > agg_next_seq(agg_stream_of(device, header->stream));
    bool has_moved = is_ahead && move_over_holes(core, device, batch);
    uint32_t next = agg_next_seq(agg_stream_of(device, header->stream));
    enum wire_ack_status stands = agg_device_stands(&state->entry);
    if (stands != WIRE_ACK_OK) {
        /* A held batch had its turn after the move, and forked or was the last before a cut. */
        agg_finish(core, device, batch, stands);
    } else if (header->batch_seq < next) {
        order_past(core, device, batch, key);
    } else if (header->batch_seq == next && core->group.n_batches < LEDGER_COMMIT_MAX_BATCHES) {
        order_next(core, device, batch, false);
        agg_hold_drain(core, device);
    } else if (has_moved && header->batch_seq > next) {
        agg_finish_later(core, device, batch, WIRE_ACK_GAP, false);
    } else {
        agg_hold(core, device, batch);
    }
}
