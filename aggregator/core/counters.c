/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

const struct agg_counter_info agg_counter_table[AGG_N_COUNTERS] = {
#define AGG_COUNTER_ROW(id, name, help) [AGG_COUNT_##id] = {name, help},
    AGG_COUNTERS(AGG_COUNTER_ROW)
#undef AGG_COUNTER_ROW
};

void agg_count(struct agg_core *core, enum agg_counter counter, uint64_t n)
{
    atomic_fetch_add_explicit(&core->counters[counter], n, memory_order_relaxed);
}

void agg_count_staged(struct agg_core *core, enum agg_counter counter, uint64_t n)
{
    core->group.pending_counts[counter] += n;
}

uint64_t agg_counter(const struct agg_core *core, enum agg_counter counter)
{
    return atomic_load_explicit(&core->counters[counter], memory_order_relaxed);
}

uint64_t agg_answered(const struct agg_core *core, enum wire_ack_status status)
{
    return atomic_load_explicit(&core->answered[status], memory_order_relaxed);
}

uint64_t agg_devices_known(const struct agg_core *core)
{
    return atomic_load_explicit(&core->n_devices, memory_order_relaxed);
}

uint64_t agg_batches_held_now(const struct agg_core *core)
{
    return atomic_load_explicit(&core->n_held, memory_order_relaxed);
}

void agg_emit(struct agg_core *core, enum agg_event_kind kind, const struct agg_batch *batch, uint64_t n,
              const char *text)
{
    const struct wire_header *header = &batch->parts.header;
    struct agg_event event = {.kind = kind,
                              .device_id = header->device_id,
                              .stream = header->stream,
                              .seq = header->batch_seq,
                              .to_seq = header->batch_seq,
                              .n = n,
                              .text = text};
    core->ports.event(core->ports.ctx, &event);
}
