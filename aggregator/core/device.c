/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

static _Atomic agg_ref *bucket_of(const struct agg_core *core, uint64_t device_id)
{
    return &core->buckets[(uint32_t)((device_id * 0x9E3779B97F4A7C15u) >> 32) & core->bucket_mask];
}

/* Safe beside an insertion on the core thread: a device is complete before its bucket points to it, and never
 * leaves its chain. */
struct agg_device *agg_find(const struct agg_core *core, uint64_t device_id)
{
    agg_ref at = atomic_load_explicit(bucket_of(core, device_id), memory_order_acquire);
    while (at != 0 && core->devices[at - 1].device_id != device_id) {
        at = core->devices[at - 1].next;
    }
    return at == 0 ? NULL : &core->devices[at - 1];
}

struct agg_device *agg_find_or_add(struct agg_core *core, uint64_t device_id)
{
    struct agg_device *device = agg_find(core, device_id);
    uint32_t n_devices = atomic_load_explicit(&core->n_devices, memory_order_relaxed);
    if (device != NULL || n_devices == core->limits.max_devices) {
        return device;
    }
    _Atomic agg_ref *bucket = bucket_of(core, device_id);
    device = &core->devices[n_devices];
    memset(device, 0, sizeof *device);
    device->device_id = device_id;
    device->next = atomic_load_explicit(bucket, memory_order_relaxed);
    device->state.entry.device_id = device_id;
    atomic_store_explicit(&core->n_devices, n_devices + 1, memory_order_relaxed);
    atomic_store_explicit(bucket, n_devices + 1, memory_order_release);
    return device;
}

bool agg_admits(const struct agg_core *core, uint64_t device_id)
{
    const struct agg_device *device = agg_find(core, device_id);
    return device != NULL && atomic_load_explicit(&device->may_connect, memory_order_relaxed);
}

enum wire_ack_status agg_device_stands(const struct ledger_device *entry)
{
    switch (entry->state) {
    case LEDGER_DEVICE_REVOKED:
        return entry->cut == LEDGER_CUT_OPEN ? WIRE_ACK_OK : WIRE_ACK_REVOKED;
    case LEDGER_DEVICE_RETIRED:
    case LEDGER_DEVICE_CLAIMED: /* what comes is of hardware that was replaced */
        return WIRE_ACK_REVOKED;
    case LEDGER_DEVICE_QUARANTINED:
        return WIRE_ACK_QUARANTINED;
    case LEDGER_DEVICE_ENROLLED:
    case LEDGER_DEVICE_ACTIVE:
    case LEDGER_DEVICE_ROTATING:
        break;
    }
    return WIRE_ACK_OK;
}

void agg_refresh_session_state(struct agg_device *device)
{
    bool may_connect = device->state.is_known && agg_device_stands(&device->state.entry) != WIRE_ACK_REVOKED;
    atomic_store_explicit(&device->may_connect, may_connect, memory_order_relaxed);
    agg_certificates_publish(device);
}

void agg_has_bundle(struct agg_core *core, uint64_t device_id, uint32_t version)
{
    HR_ASSERT(!agg_group_is_full(core) && !core->group.is_taken);
    struct agg_device *device = agg_find(core, device_id);
    if (device != NULL && device->state.is_known && device->state.entry.bundle != version) {
        agg_touch_entry(core, device);
        device->state.entry.bundle = version;
    }
}

const struct ledger_device *agg_device_find(const struct agg_core *core, uint64_t device_id)
{
    const struct agg_device *device = agg_find(core, device_id);
    return device != NULL && device->state.is_known ? &device->state.entry : NULL;
}

/* Its place among the kept rows, or n_streams. */
static uint32_t row_index(const struct agg_device *device, uint32_t stream)
{
    uint32_t i = 0;
    while (i < device->state.n_streams && device->state.streams[i].stream != stream) {
        i++;
    }
    return i;
}

const struct ledger_stream *agg_stream_of(const struct agg_device *device, uint32_t stream)
{
    uint32_t i = row_index(device, stream);
    return i < device->state.n_streams ? &device->state.streams[i] : NULL;
}

struct ledger_stream *agg_stream_open(struct agg_core *core, struct agg_device *device, uint32_t stream)
{
    agg_touch(core, device);
    struct agg_device_state *state = &device->state;
    uint32_t i = row_index(device, stream);
    if (i < state->n_streams) {
        return &state->streams[i];
    }
    HR_ASSERT(state->n_streams == 0 || state->streams[0].stream < stream);
    /* The oldest row leaves memory; what the open group changed of it stands in the group's own array. */
    memmove(&state->streams[1], &state->streams[0], sizeof state->streams - sizeof state->streams[0]);
    memmove(&device->rows[1], &device->rows[0], sizeof device->rows - sizeof device->rows[0]);
    if (state->n_streams < AGG_DEVICE_STREAMS_KEPT) {
        state->n_streams++;
    }
    device->rows[0] = 0;
    state->streams[0] =
        (struct ledger_stream){.device_id = device->device_id, .stream = stream, .cum_seq = WIRE_SEQ_NONE};
    agg_count_staged(core, AGG_COUNT_STREAMS_STARTED, 1);
    return &state->streams[0];
}

uint32_t agg_next_seq(const struct ledger_stream *row)
{
    return row == NULL || row->cum_seq == WIRE_SEQ_NONE ? 0 : row->cum_seq + 1;
}
