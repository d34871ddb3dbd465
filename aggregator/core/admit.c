/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

/* As malloc aligns. */
enum { MEMORY_ALIGNMENT = _Alignof(max_align_t) };

/* Where the parts of a core lie, one after the other. */
struct layout {
    size_t buckets, devices, held, end;
    uint32_t n_buckets;
};

static size_t aligned(size_t at)
{
    return (at + MEMORY_ALIGNMENT - 1) / MEMORY_ALIGNMENT * MEMORY_ALIGNMENT;
}

static struct layout layout_of(const struct agg_limits *limits)
{
    HR_ASSERT(limits->max_devices > 0 && limits->max_devices <= 1u << 24);
    HR_ASSERT(limits->max_held > 0 && limits->max_held <= 1u << 16);
    struct layout layout = {.n_buckets = 1};
    while (layout.n_buckets < limits->max_devices) {
        layout.n_buckets *= 2;
    }
    layout.buckets = aligned(sizeof(struct agg_core));
    layout.devices = aligned(layout.buckets + layout.n_buckets * sizeof(_Atomic agg_ref));
    layout.held = aligned(layout.devices + limits->max_devices * sizeof(struct agg_device));
    layout.end = layout.held + limits->max_held * sizeof(struct agg_held);
    return layout;
}

size_t agg_core_bytes(const struct agg_limits *limits)
{
    return layout_of(limits).end;
}

struct agg_core *agg_core_place(void *memory, const struct agg_limits *limits, const struct agg_ports *ports)
{
    struct layout layout = layout_of(limits);
    unsigned char *bytes = memory;
    struct agg_core *core = memory;
    memset(core, 0, sizeof *core);
    core->limits = *limits;
    core->ports = *ports;
    core->bucket_mask = layout.n_buckets - 1;
    core->buckets = (void *)(bytes + layout.buckets);
    core->devices = (void *)(bytes + layout.devices);
    core->held = (void *)(bytes + layout.held);
    /* Devices are cleared as they are taken into use, so that a large table costs no memory until it is
     * needed. */
    memset(bytes + layout.buckets, 0, layout.n_buckets * sizeof(_Atomic agg_ref));
    for (uint32_t i = 0; i < limits->max_held; i++) {
        core->held[i] = (struct agg_held){.next = i + 1 < limits->max_held ? i + 2 : 0};
    }
    core->free_held = 1;
    return core;
}

/* What can be said before the order is looked at; OK: nothing. */
static enum wire_ack_status refusal(const struct agg_core *core, const struct agg_device *device,
                                    const struct agg_batch *batch)
{
    if (core->is_fenced) {
        return WIRE_ACK_UNAVAILABLE;
    }
    if (device == NULL) {
        return WIRE_ACK_UNKNOWN_DEVICE;
    }
    const struct ledger_device *entry = &device->state.entry;
    const struct wire_header *header = &batch->parts.header;
    enum wire_ack_status stands = agg_device_stands(entry);
    if (stands != WIRE_ACK_OK) {
        return stands;
    }
    bool is_own = batch->has_parts && header->device_id == batch->certified_device_id;
    if (is_own && agg_is_cut_off(entry, header)) {
        return WIRE_ACK_REVOKED;
    }
    if (is_own && batch->verdict == WIRE_ACK_UNKNOWN_KEY && header->key_epoch < entry->first_epoch) {
        return WIRE_ACK_OK; /* a key that is over: only what is committed already is known again */
    }
    return batch->verdict == WIRE_ACK_OK && !is_own ? WIRE_ACK_UNKNOWN_DEVICE : batch->verdict;
}

void agg_submit(struct agg_core *core, struct agg_batch *batch)
{
    HR_ASSERT(!agg_group_is_full(core) && !core->group.is_taken);
    HR_ASSERT(batch->has_parts || batch->verdict != WIRE_ACK_OK);
    struct agg_device *device = agg_find(core, batch->certified_device_id);
    if (device != NULL && !device->state.is_known) {
        device = NULL;
    }
    if (!batch->has_parts) {
        /* It could not even be read, so the answer is about the stream that the device is in. */
        bool has_stream = device != NULL && device->state.n_streams > 0;
        batch->parts.header.stream = has_stream ? device->state.streams[0].stream : 0;
    }
    enum wire_ack_status status = refusal(core, device, batch);
    if (status != WIRE_ACK_OK) {
        agg_finish(core, device, batch, status);
        return;
    }
    agg_order(core, device, batch);
}

void agg_head(struct agg_core *core, struct source_ticket ticket, uint64_t certified_device_id,
              uint32_t stream)
{
    struct agg_group *group = &core->group;
    HR_ASSERT(!agg_group_is_full(core) && !group->is_taken);
    struct agg_device *device = agg_find(core, certified_device_id);
    if (device == NULL || device->undo == 0) {
        agg_answer_head(core, device, ticket, stream);
        return;
    }
    group->waiting[group->n_waiting++] =
        (struct agg_waiting){.device = device, .ticket = ticket, .stream = stream};
}
