/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes of a plant: Channel and Samples records, log lines, counters. */
#include "firmware/app/taps_modbus_internal.h"
#include "firmware/core/counters.h"

#include <string.h>

_Static_assert((int)STATION_SAMPLES_MAX == (int)EDGE_SAMPLES_MAX, "a poll's samples fit a record");
_Static_assert((int)STATION_CHANNEL_MAX == (int)EDGE_CHANNEL_MAX, "channels are numbered alike");

/* ---- records ---- */

static void offer(struct app_modbus *modbus, uint64_t now_ms)
{
    struct hr_status status = fw_collector_offer(modbus->collector, &modbus->record, now_ms);
    if (hr_is_ok(modbus->offered) && hr_is(status, HR_IO)) {
        modbus->offered = status;
    }
}

static void on_channel(void *ctx, const struct station_device *device, const struct station_channel *channel,
                       uint64_t now_ms)
{
    struct app_modbus *modbus = ctx;
    const struct plant_point *point = &device->memory.points[channel - device->memory.channels];
    struct edge_channel *out = &modbus->record.as.channel;
    memset(out, 0, sizeof *out);
    modbus->record.kind = EDGE_CHANNEL;
    out->channel = channel->number;
    fw_text_copy(out->device, sizeof out->device, device->config.name);
    out->model = channel->model;
    fw_text_copy(out->point, sizeof out->point, channel->point);
    fw_text_copy(out->unit, sizeof out->unit, channel->unit);
    out->scale = channel->scale;
    out->kind = (uint32_t)channel->kind;
    out->width_bits = channel->width_bits;
    out->interval_ms = point->interval_ms;
    out->silence_ms = point->is_each ? 0 : point->silence_ms;
    out->dead_band = point->is_each ? 0 : point->dead_band;
    fw_text_copy(out->symbols, sizeof out->symbols, channel->symbols);
    offer(modbus, now_ms);
}

static void on_samples(void *ctx, const struct station_sample *samples, size_t n_samples, uint64_t now_ms)
{
    struct app_modbus *modbus = ctx;
    struct edge_samples *out = &modbus->record.as.samples;
    modbus->record.kind = EDGE_SAMPLES;
    out->first_channel = samples[0].channel;
    out->n_values = (uint16_t)n_samples;
    for (size_t i = 0; i < n_samples; i++) {
        uint32_t next = i == 0 ? samples[0].channel : samples[i - 1].channel + 1;
        out->skip[i] = (uint16_t)(samples[i].channel - next);
        out->value[i] = samples[i].value;
        out->quality[i] = (uint8_t)samples[i].quality;
    }
    offer(modbus, now_ms);
}

static void on_event(void *ctx, const struct station_device *device, enum station_event event,
                     uint32_t number)
{
    static const struct {
        const char *name;
        enum port_log_level level;
    } EVENT[] = {
        [STATION_FOUND] = {"plant_device_found", PORT_LOG_INFO},
        [STATION_CUT] = {"plant_device_models_cut", PORT_LOG_WARN},
        [STATION_NO_SUNSPEC] = {"plant_device_without_sunspec", PORT_LOG_WARN},
        [STATION_SILENT] = {"plant_device_silent", PORT_LOG_WARN},
        [STATION_BACK] = {"plant_device_back", PORT_LOG_INFO},
        [STATION_FULL] = {"plant_device_points_left_out", PORT_LOG_ERROR},
    };
    const struct app_modbus *modbus = ctx;
    PORT_LOG(modbus->log, EVENT[event].level, EVENT[event].name, {"device", device->config.name, 0},
             {"unit", NULL, device->config.line.unit}, {"number", NULL, number});
}

struct station_sink app_modbus_sink(struct app_modbus *modbus)
{
    return (struct station_sink){on_channel, on_samples, on_event, modbus};
}

/* ---- counters ---- */

static void framer_stats(void *ctx, struct edge_stats *out)
{
    const struct app_modbus *modbus = ctx;
    struct tap_modbus sum = {.framing = TAP_MODBUS_TCP};
    uint64_t plant[PLANT_N_COUNTERS] = {0};
    for (uint32_t i = 0; i < modbus->n_lines; i++) {
        station_count(&modbus->lines[i].station, sum.counter, plant);
    }
    memset(out, 0, sizeof *out);
    fw_text_copy(out->source, sizeof out->source, "modbus");
    tap_modbus_stats(&sum, out);
}

static void plant_stats_of(void *ctx, struct edge_stats *out)
{
    const struct app_modbus *modbus = ctx;
    struct plant sum = {.n_points = 0};
    uint64_t framer[TAP_MODBUS_N_COUNTERS] = {0};
    for (uint32_t i = 0; i < modbus->n_lines; i++) {
        station_count(&modbus->lines[i].station, framer, sum.counter);
    }
    memset(out, 0, sizeof *out);
    fw_text_copy(out->source, sizeof out->source, "plant");
    plant_stats(&sum, out);
}

static void line_stats(void *ctx, struct edge_stats *out)
{
    struct figures {
        uint64_t opened, lost, failed, channels;
    };
    static const struct fw_counter table[] = {
        {"opened", offsetof(struct figures, opened)},
        {"lost", offsetof(struct figures, lost)},
        {"failed", offsetof(struct figures, failed)},
        {"channels", offsetof(struct figures, channels)},
    };
    const struct app_modbus *modbus = ctx;
    struct figures figures = {.channels = modbus->next_channel};
    for (uint32_t i = 0; i < modbus->n_lines; i++) {
        const struct port_linux_source_counts *counts = &modbus->lines[i].source.counts;
        figures.opened += counts->opened;
        figures.lost += counts->lost;
        figures.failed += counts->failed;
    }
    fw_counters_to_stats("modbus_line", table, HR_ARRAY_LEN(table), &figures, out);
}

void app_modbus_add_counters(struct app_modbus *modbus)
{
    fw_collector_add_source(modbus->collector, (struct fw_stats_source){framer_stats, modbus});
    fw_collector_add_source(modbus->collector, (struct fw_stats_source){plant_stats_of, modbus});
    fw_collector_add_source(modbus->collector, (struct fw_stats_source){line_stats, modbus});
}
