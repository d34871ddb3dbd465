/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

static uint64_t now_ms(const struct agg_core *core)
{
    return core->ports.clock.monotonic_us(core->ports.clock.ctx) / 1000;
}

/* The link that leads to the held batch at this place, or the last link, which is 0. */
static agg_ref *link_to(struct agg_core *core, struct agg_device *device, uint32_t stream, uint32_t seq)
{
    agg_ref *link = &device->held;
    while (*link != 0) {
        const struct wire_header *header = &core->held[*link - 1].batch->parts.header;
        if (header->stream == stream && header->batch_seq == seq) {
            break;
        }
        link = &core->held[*link - 1].next;
    }
    return link;
}

/* Takes the held batch out of the device's list and gives its place back. */
static struct agg_held unlink_held(struct agg_core *core, agg_ref *link)
{
    agg_ref at = *link;
    struct agg_held held = core->held[at - 1];
    *link = held.next;
    core->held[at - 1] = (struct agg_held){.next = core->free_held};
    core->free_held = at;
    held.device->n_held--;
    atomic_fetch_sub_explicit(&core->n_held, 1, memory_order_relaxed);
    return held;
}

/* Two signed batches for one place of which neither is committed: each is evidence against the other. */
static void refuse_twins(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                         agg_ref *link)
{
    struct agg_held held = unlink_held(core, link);
    agg_conflict(core, device, held.batch, held.is_answered, WIRE_ACK_EQUIVOCATION, batch->digest);
    agg_conflict(core, device, batch, false, WIRE_ACK_EQUIVOCATION, held.batch->digest);
}

void agg_hold(struct agg_core *core, struct agg_device *device, struct agg_batch *batch)
{
    const struct wire_header *header = &batch->parts.header;
    agg_ref *link = link_to(core, device, header->stream, header->batch_seq);
    if (*link != 0) {
        if (memcmp(core->held[*link - 1].batch->digest, batch->digest, WIRE_DIGEST_BYTES) != 0) {
            refuse_twins(core, device, batch, link);
        } else {
            agg_finish(core, device, batch, WIRE_ACK_GAP);
        }
        return;
    }
    /* What no sack bit can tell of is not held: the device would not know. */
    uint32_t ahead = header->batch_seq - agg_next_seq(agg_stream_of(device, header->stream));
    if (ahead > SACK_BITS || device->n_held == AGG_HELD_PER_DEVICE || core->free_held == 0) {
        agg_count(core, AGG_COUNT_HOLD_FULL, 1);
        agg_finish(core, device, batch, WIRE_ACK_GAP);
        return;
    }
    core->has_undrained = core->has_undrained || ahead == 0; /* it is next, and the group had no room */
    agg_ref at = core->free_held;
    struct agg_held *held = &core->held[at - 1];
    core->free_held = held->next;
    *held = (struct agg_held){.batch = batch, .device = device, .next = 0, .since_ms = now_ms(core)};
    *link = at;
    device->n_held++;
    atomic_fetch_add_explicit(&core->n_held, 1, memory_order_relaxed);
    agg_count(core, AGG_COUNT_HELD, 1);
}

void agg_hold_drain(struct agg_core *core, struct agg_device *device)
{
    while (device->held != 0 && device->state.n_streams > 0) {
        const struct ledger_stream *row = &device->state.streams[0];
        agg_ref *link = link_to(core, device, row->stream, agg_next_seq(row));
        if (*link == 0) {
            return;
        }
        if (core->group.n_batches == LEDGER_COMMIT_MAX_BATCHES) {
            core->has_undrained = true;
            return;
        }
        struct agg_held held = unlink_held(core, link);
        agg_order_held(core, device, held.batch, held.is_answered);
    }
}

void agg_hold_drain_all(struct agg_core *core)
{
    core->has_undrained = false;
    for (uint32_t i = 0; i < core->limits.max_held && !agg_group_is_full(core); i++) {
        if (core->held[i].device != NULL) {
            agg_hold_drain(core, core->held[i].device);
        }
    }
    core->has_undrained = core->has_undrained || agg_group_is_full(core);
}

void agg_hold_drop(struct agg_core *core, struct agg_device *device, uint32_t stream, uint32_t to_seq,
                   enum wire_ack_status status)
{
    agg_ref *link = &device->held;
    while (*link != 0) {
        struct agg_held *held = &core->held[*link - 1];
        const struct wire_header *header = &held->batch->parts.header;
        if (header->stream != stream || header->batch_seq > to_seq) {
            link = &held->next;
            continue;
        }
        agg_count(core, AGG_COUNT_LATE_AFTER_LOSS, 1);
        struct agg_held dropped = unlink_held(core, link);
        agg_finish_later(core, device, dropped.batch, status, dropped.is_answered);
    }
}

void agg_hold_drop_all(struct agg_core *core, struct agg_device *device, enum wire_ack_status status)
{
    while (device->held != 0) {
        struct agg_held dropped = unlink_held(core, &device->held);
        agg_finish_later(core, device, dropped.batch, status, dropped.is_answered);
    }
}

uint32_t agg_hold_sack(const struct agg_core *core, const struct agg_device *device, uint32_t stream)
{
    uint32_t first = agg_next_seq(agg_stream_of(device, stream)) + 1;
    uint32_t sack = 0;
    for (agg_ref at = device->held; at != 0; at = core->held[at - 1].next) {
        const struct wire_header *header = &core->held[at - 1].batch->parts.header;
        if (header->stream == stream && header->batch_seq - first < SACK_BITS) {
            sack |= 1u << (header->batch_seq - first);
        }
    }
    return sack;
}

static void expire(struct agg_core *core, struct agg_held *held, uint64_t age_ms)
{
    struct agg_device *device = held->device;
    struct agg_batch *batch = held->batch;
    const struct wire_header *header = &batch->parts.header;
    if (age_ms >= AGG_HOLD_DROP_MS) {
        struct agg_held dropped = unlink_held(core, link_to(core, device, header->stream, header->batch_seq));
        agg_count(core, AGG_COUNT_HELD_EXPIRED, 1);
        if (!dropped.is_answered) {
            agg_answer(core, device, batch->ticket, header->stream, WIRE_ACK_GAP);
        }
        core->ports.release(core->ports.ctx, batch);
    } else if (age_ms >= AGG_HOLD_ANSWER_MS && !held->is_answered) {
        held->is_answered = true;
        agg_answer(core, device, batch->ticket, header->stream, WIRE_ACK_GAP);
    }
}

void agg_tick(struct agg_core *core)
{
    uint64_t now = now_ms(core);
    bool is_any_held = agg_batches_held_now(core) > 0;
    for (uint32_t i = 0; is_any_held && i < core->limits.max_held; i++) {
        struct agg_held *held = &core->held[i];
        /* What the open group touched has its turn after the settle: memory is ahead of the ledger now. */
        if (held->device != NULL && held->device->undo == 0) {
            expire(core, held, now - held->since_ms);
        }
    }
}

void agg_core_drain(struct agg_core *core)
{
    HR_ASSERT(core->group.n_undo == 0);
    for (uint32_t i = 0; i < core->limits.max_held; i++) {
        if (core->held[i].device != NULL) {
            expire(core, &core->held[i], AGG_HOLD_DROP_MS);
        }
    }
}
