/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

/* Does the Loss agree with the batch that carries it? Both are signed by the device; one that doesn't is its
 * bug, and following it would number records twice. That from_seq <= to_seq, and 48 bits, edge_record_decode
 * has seen to. */
static bool is_sound(const struct edge_loss *loss, const struct wire_header *carrier)
{
    if (loss->to_seq >= carrier->batch_seq) {
        return false;
    }
    uint64_t end = loss->first_record_seq + loss->n_records;
    if (loss->to_seq + 1 == carrier->batch_seq) {
        return end == carrier->first_record_seq &&
               memcmp(loss->last_digest, carrier->prev_digest, WIRE_DIGEST_BYTES) == 0;
    }
    return end <= carrier->first_record_seq;
}

static void move_over(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                      const struct edge_loss *loss)
{
    struct agg_group *group = &core->group;
    bool is_new = agg_stream_of(device, batch->parts.header.stream) == NULL;
    struct ledger_stream *row = agg_stream_open(core, device, batch->parts.header.stream);
    uint64_t end = loss->first_record_seq + loss->n_records;
    /* The Loss may begin before what is missing here: acks that never arrived. Only the rest is lost. */
    uint64_t lost_batches = (uint64_t)loss->to_seq + 1 - agg_next_seq(row);
    uint64_t lost_records = is_new ? loss->n_records : end - row->next_record_seq;
    row->lost_batches += lost_batches;
    row->lost_records += lost_records;
    row->cum_seq = loss->to_seq;
    row->next_record_seq = end;
    memcpy(row->cum_digest, loss->last_digest, WIRE_DIGEST_BYTES);
    agg_stage_row(core, device, row);
    group->losses[group->n_losses++] = (struct ledger_loss){
        .device_id = device->device_id, .stream = row->stream, .loss = *loss, .envelope = batch->envelope};
    agg_count_staged(core, AGG_COUNT_LOSSES_APPLIED, 1);
    agg_count_staged(core, AGG_COUNT_LOST_BATCHES, lost_batches);
    agg_count_staged(core, AGG_COUNT_LOST_RECORDS, lost_records);
    struct agg_event event = {.kind = AGG_EVENT_LOSS,
                              .device_id = device->device_id,
                              .stream = row->stream,
                              .seq = loss->from_seq,
                              .to_seq = loss->to_seq,
                              .n = lost_records};
    core->ports.event(core->ports.ctx, &event);
}

bool agg_loss_apply(struct agg_core *core, struct agg_device *device, struct agg_batch *batch)
{
    struct agg_controls controls;
    agg_scan(&batch->parts, &controls);
    bool has_moved = false;
    for (uint32_t i = 0; i < controls.n_losses; i++) {
        const struct edge_loss *loss = &controls.losses[i];
        const struct ledger_stream *row = agg_stream_of(device, batch->parts.header.stream);
        uint64_t known_records = row == NULL ? 0 : row->next_record_seq;
        uint32_t next = agg_next_seq(row);
        if (!is_sound(loss, &batch->parts.header)) {
            agg_count(core, AGG_COUNT_LOSSES_REFUSED, 1);
            agg_emit(core, AGG_EVENT_LOSS_REFUSED, batch, i, NULL);
        } else if (loss->from_seq <= next && next <= loss->to_seq) {
            if (loss->first_record_seq + loss->n_records < known_records) {
                agg_count(core, AGG_COUNT_LOSSES_REFUSED, 1);
                agg_emit(core, AGG_EVENT_LOSS_REFUSED, batch, i, NULL);
                continue;
            }
            move_over(core, device, batch, loss);
            has_moved = true;
        }
    }
    return has_moved;
}
