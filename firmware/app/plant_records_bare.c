/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/plant_parts.h"

#include "proto/base/assert.h"

#include <string.h>

/* A channel is told again with its first sample after so many batches. A reader looks back 1,000 at the most;
 * a spool that overflows takes entries with it that samples behind the hole still need, so less is better,
 * and 40 entries in 250 batches of a kilobyte are 1 %. */
enum { DICTIONARY_BATCHES = 250 };

/* What the collector does not take it counts, and its next step says when the flash has failed. */
static bool offer(struct app_plant *plant, uint64_t now_ms)
{
    return hr_is_ok(fw_collector_offer(plant->collector, &plant->record, now_ms));
}

/* ---- samples ---- */

void app_plant_begin(struct app_plant *plant)
{
    plant->record.kind = EDGE_SAMPLES;
    plant->record.as.samples.n_values = 0;
}

void app_plant_flush(struct app_plant *plant, uint64_t now_ms)
{
    if (plant->record.as.samples.n_values > 0) {
        (void)offer(plant, now_ms);
        app_plant_begin(plant);
    }
}

static void add(struct app_plant *plant, const struct plant_sample *sample)
{
    struct edge_samples *samples = &plant->record.as.samples;
    const uint16_t channel = (uint16_t)sample->point->channel;
    const uint16_t i = samples->n_values++;
    if (i == 0) {
        samples->first_channel = channel;
    }
    samples->skip[i] = i == 0 ? 0 : (uint16_t)(channel - plant->last_channel - 1);
    samples->value[i] = sample->value;
    samples->quality[i] = (uint8_t)sample->quality;
    plant->last_channel = channel;
}

/* ---- the dictionary ---- */

static void copy_text(char *out, struct hr_bytes text)
{
    memcpy(out, text.data, text.len_bytes);
    out[text.len_bytes] = '\0';
}

static enum edge_channel_kind kind_of(const struct tap_sunspec_item *item)
{
    switch ((enum tap_sunspec_type)item->type) {
    case TAP_SUNSPEC_ACC16:
    case TAP_SUNSPEC_ACC32:
    case TAP_SUNSPEC_ACC64:
        return EDGE_CHANNEL_ACCUMULATOR;
    case TAP_SUNSPEC_ENUM16:
    case TAP_SUNSPEC_ENUM32:
        return EDGE_CHANNEL_ENUMERATION;
    case TAP_SUNSPEC_BITFIELD16:
    case TAP_SUNSPEC_BITFIELD32:
    case TAP_SUNSPEC_BITFIELD64:
        return EDGE_CHANNEL_BITFIELD;
    case TAP_SUNSPEC_INT16:
    case TAP_SUNSPEC_INT32:
    case TAP_SUNSPEC_INT64:
    case TAP_SUNSPEC_UINT16:
    case TAP_SUNSPEC_UINT32:
    case TAP_SUNSPEC_UINT64:
    case TAP_SUNSPEC_COUNT:
    case TAP_SUNSPEC_SUNSSF:
    case TAP_SUNSPEC_FLOAT32:
    case TAP_SUNSPEC_STRING:
    case TAP_SUNSPEC_PAD:
    case TAP_SUNSPEC_GROUP:
    case TAP_SUNSPEC_END:
        break;
    }
    return EDGE_CHANNEL_MEASUREMENT;
}

/* Fills the names of point i, which stand in the memory only. */
static struct hr_status read_names(const struct app_plant *plant, uint16_t i, struct edge_channel *out,
                                   struct image_plan_point *point)
{
    struct fw_plan_cursor cursor;
    struct image_plan_unit unit;
    fw_plan_rewind(&cursor);
    for (uint16_t at = 0; at < plant->plan.front.n_units; at++) {
        HR_TRY(fw_plan_unit(&plant->plan, &cursor, &unit));
        if (at == plant->points[i].device) {
            copy_text(out->device, unit.name);
        }
    }
    for (uint16_t at = 0; at <= i; at++) {
        HR_TRY(fw_plan_point(&plant->plan, &cursor, point));
    }
    copy_text(out->point, point->name);
    copy_text(out->unit, point->measure);
    return hr_ok();
}

static struct hr_status make_channel(struct app_plant *plant, const struct plant_sample *sample)
{
    const struct plant_point *point = sample->point;
    struct edge_channel *channel = &plant->record.as.channel;
    struct image_plan_point entry;
    memset(channel, 0, sizeof *channel);
    plant->record.kind = EDGE_CHANNEL;
    HR_TRY(read_names(plant, (uint16_t)(point->channel - 1), channel, &entry));
    channel->channel = point->channel;
    channel->model = entry.model;
    channel->scale = entry.scale + sample->scale;
    channel->kind = kind_of(point->item);
    channel->width_bits = channel->kind == EDGE_CHANNEL_ACCUMULATOR ? point->item->n_registers * 16u : 0;
    channel->interval_ms = point->interval_ms;
    channel->silence_ms = point->silence_ms;
    channel->dead_band = point->dead_band;
    return hr_ok();
}

static void forget_old(struct app_plant *plant)
{
    struct fw_spool_state state;
    fw_spool_state(plant->collector->config.spool, &state);
    if (state.stream != plant->stream || state.next_batch_seq >= plant->batches_end) {
        plant->stream = state.stream;
        plant->batches_end = state.next_batch_seq + DICTIONARY_BATCHES;
        memset(plant->is_told, 0, sizeof plant->is_told);
    }
}

/* Tells the channel of the sample unless it was told as it is. */
static void tell(struct app_plant *plant, const struct plant_sample *sample, uint64_t now_ms)
{
    const struct plant_point *point = sample->point;
    bool *is_told = &plant->is_told[point->channel - 1];
    forget_old(plant);
    if (*is_told && point->scale == sample->scale) {
        return;
    }
    app_plant_flush(plant, now_ms);
    *is_told = hr_is_ok(make_channel(plant, sample)) && offer(plant, now_ms);
    plant->counts.channels += *is_told ? 1 : 0;
    app_plant_begin(plant);
}

void app_plant_on_sample(void *ctx, const struct plant_sample *sample, uint64_t now_ms)
{
    struct app_plant *plant = ctx;
    tell(plant, sample, now_ms);
    add(plant, sample);
    if (plant->record.as.samples.n_values == EDGE_SAMPLES_MAX) {
        app_plant_flush(plant, now_ms);
    }
}
