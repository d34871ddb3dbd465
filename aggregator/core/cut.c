/* SPDX-License-Identifier: Apache-2.0
 *
 * A device that is revoked from a place on (proto/SPEC.md 4.12): what stands before the place is still taken,
 * what is committed from there on is marked as suspect, and nothing is deleted. */
#include "aggregator/core/internal.h"

int agg_compare_places(uint32_t stream_a, uint32_t seq_a, uint32_t stream_b, uint32_t seq_b)
{
    uint64_t a = (uint64_t)stream_a << 32 | seq_a;
    uint64_t b = (uint64_t)stream_b << 32 | seq_b;
    return (a > b) - (a < b);
}

void agg_head_place(const struct agg_device *device, uint32_t *stream, uint32_t *seq)
{
    const struct agg_device_state *state = &device->state;
    *stream = state->n_streams > 0 ? state->streams[0].stream : 0;
    *seq = state->n_streams > 0 ? agg_next_seq(&state->streams[0]) : 0;
}

bool agg_is_cut_off(const struct ledger_device *entry, const struct wire_header *header)
{
    return entry->cut != LEDGER_CUT_NONE &&
           agg_compare_places(header->stream, header->batch_seq, entry->cut_stream, entry->cut_seq) >= 0;
}

const char *agg_cut_objection(const struct agg_device *device, const struct agg_decision *decision)
{
    const struct ledger_device *entry = &device->state.entry;
    if (entry->state != LEDGER_DEVICE_REVOKED || !decision->has_place) {
        return NULL;
    }
    if (entry->cut == LEDGER_CUT_NONE) {
        uint32_t stream = 0;
        uint32_t seq = 0;
        agg_head_place(device, &stream, &seq);
        return agg_compare_places(decision->stream, decision->seq, stream, seq) > 0
                   ? "the device is revoked, and nothing more of it is taken: a place behind what it "
                     "delivered marks nothing"
                   : NULL;
    }
    bool is_later =
        agg_compare_places(decision->stream, decision->seq, entry->cut_stream, entry->cut_seq) > 0;
    return is_later ? "the device is revoked from an earlier place, and what is suspect stays so" : NULL;
}

void agg_cut_plan(const struct agg_device *device, const struct agg_decision *decision,
                  struct agg_decided *out)
{
    const struct ledger_device *entry = &device->state.entry;
    if (!decision->has_place) {
        /* Once and for all: also what was still awaited. */
        bool was_cut = entry->state == LEDGER_DEVICE_REVOKED && entry->cut != LEDGER_CUT_NONE;
        out->cut = was_cut ? LEDGER_CUT_CLOSED : LEDGER_CUT_NONE;
        return;
    }
    struct ledger_suspect *suspect = &out->suspect;
    *suspect = (struct ledger_suspect){.from_stream = decision->stream, .from_seq = decision->seq};
    agg_head_place(device, &suspect->to_stream, &suspect->to_seq);
    bool is_awaited =
        agg_compare_places(suspect->to_stream, suspect->to_seq, suspect->from_stream, suspect->from_seq) < 0;
    bool was_closed = entry->state == LEDGER_DEVICE_REVOKED && entry->cut != LEDGER_CUT_OPEN;
    out->cut = is_awaited && !was_closed ? LEDGER_CUT_OPEN : LEDGER_CUT_CLOSED;
    out->head_stream = suspect->to_stream;
    out->head_seq = suspect->to_seq;
    if (is_awaited) {
        suspect->to_stream = suspect->from_stream;
        suspect->to_seq = suspect->from_seq;
    }
}

/* Nothing more of it is taken. */
static void close_cut(struct agg_core *core, struct agg_device *device, const struct agg_cause *cause)
{
    struct ledger_device *entry = &device->state.entry;
    agg_touch_entry(core, device);
    const struct ledger_device before = *entry;
    entry->cut = LEDGER_CUT_CLOSED;
    agg_refresh_session_state(device);
    agg_audit(core, device, &before, cause);
}

void agg_cut_refuse(struct agg_core *core, struct agg_device *device, const struct agg_batch *batch,
                    const char *why)
{
    const struct agg_cause cause = {"aggregator", "cut_closed", why};
    if (device->state.entry.cut == LEDGER_CUT_OPEN) {
        close_cut(core, device, &cause);
        agg_emit(core, AGG_EVENT_DEVICE_STATE, batch, 0, "revoked"); /* its sessions end */
    }
}

/* Its session is left to it, or the ack of its last batch would not reach it. */
void agg_cut_reached(struct agg_core *core, struct agg_device *device)
{
    const struct ledger_device *entry = &device->state.entry;
    if (entry->state != LEDGER_DEVICE_REVOKED || entry->cut != LEDGER_CUT_OPEN) {
        return;
    }
    uint32_t stream = 0;
    uint32_t seq = 0;
    agg_head_place(device, &stream, &seq);
    const struct agg_cause cause = {"device", "cut_reached", ""};
    if (agg_compare_places(stream, seq, entry->cut_stream, entry->cut_seq) >= 0) {
        close_cut(core, device, &cause);
    }
}
