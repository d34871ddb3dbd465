/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

/* Almost every record is a plain AIS report, and the core has nothing to do with it. Record.dt_ms (tag 0x08),
 * then one of ais_a, ais_b, ais (tags 0x12, 0x1A, 0x22) that fills the rest of the record, can't be a control
 * record whatever it holds; anything of another shape is decoded in full. Skimming costs 5 ns where decoding
 * costs 250. */
static bool is_plainly_ais(struct hr_bytes record)
{
    struct hr_reader reader = hr_reader_over(record);
    uint8_t tag = hr_read_u8(&reader);
    if (tag == 0x08) {
        (void)hr_read_varint32(&reader);
        tag = hr_read_u8(&reader);
    }
    if (tag != 0x12 && tag != 0x1A && tag != 0x22) {
        return false;
    }
    uint32_t len_bytes = hr_read_varint32(&reader);
    return hr_reader_ok(&reader) && hr_reader_left(&reader) == len_bytes;
}

static void keep_anchor(struct agg_controls *out, const struct edge_time_anchor *anchor)
{
    for (uint32_t i = 0; i < out->n_anchors; i++) {
        if (out->anchors[i].boot_id == anchor->boot_id) {
            out->anchors[i] = *anchor;
            return;
        }
    }
    if (out->n_anchors == AGG_BATCH_MAX_ANCHORS) {
        for (uint32_t i = 1; i < AGG_BATCH_MAX_ANCHORS; i++) {
            out->anchors[i - 1] = out->anchors[i];
        }
        out->n_anchors--;
    }
    out->anchors[out->n_anchors++] = *anchor;
}

static void keep(struct agg_controls *out, const struct edge_record *record)
{
    if (record->kind == EDGE_TIME_ANCHOR) {
        keep_anchor(out, &record->as.time_anchor);
    } else if (record->kind == EDGE_LOSS && out->n_losses < AGG_BATCH_MAX_LOSSES) {
        out->losses[out->n_losses++] = record->as.loss;
    } else if (record->kind == EDGE_KEY_SWITCH) {
        out->key_switch = record->as.key_switch;
        out->n_key_switches++;
    }
}

void agg_scan(const struct wire_envelope *parts, struct agg_controls *out)
{
    out->n_losses = out->n_anchors = out->n_key_switches = out->n_undecodable = 0;
    struct hr_reader payload = hr_reader_over(parts->payload);
    struct hr_bytes bytes;
    while (hr_is_ok(wire_record_next(&payload, &bytes))) {
        if (is_plainly_ais(bytes)) {
            continue;
        }
        struct edge_record record;
        if (hr_is_ok(edge_record_decode(bytes, &record))) {
            keep(out, &record);
        } else {
            out->n_undecodable++;
        }
    }
}
