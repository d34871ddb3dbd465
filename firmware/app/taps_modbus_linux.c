/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/taps_modbus.h"

#include "firmware/app/config_modbus.h"
#include "firmware/core/counters.h"
#include "firmware/ports/linux/source.h"
#include "proto/base/assert.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 4096,
    CHUNKS_A_TURN = 4,
    DEVICE_POINTS = 4096,     /* of one device, with scale factors */
    DICTIONARY_BATCHES = 990, /* it is written again after so many; a reader looks back 1,000 */
};

_Static_assert((int)STATION_SAMPLES_MAX == (int)EDGE_SAMPLES_MAX, "a poll's samples fit a record");
_Static_assert((int)STATION_CHANNEL_MAX == (int)EDGE_CHANNEL_MAX, "channels are numbered alike");

struct modbus_line {
    struct port_linux_source source;
    struct station_line station;
    struct station_device *devices;
    bool was_open;
};

/* What the dictionary was written for last: when one of them changes, the whole of it is due. */
struct dictionary {
    uint32_t stream;
    uint64_t losses;
    uint64_t seals;
};

struct app_modbus {
    struct fw_collector *collector;
    const struct port_clock *clock;
    const struct port_log *log;
    struct app_plant *plant;
    struct station_group groups[APP_PLANT_MAX_GROUPS];
    const char *patterns[APP_PLANT_MAX_GROUPS][APP_PLANT_MAX_PATTERNS];
    const struct station_group *device_groups[APP_PLANT_MAX_LINES][APP_PLANT_MAX_DEVICES][STATION_MAX_GROUPS];
    uint32_t n_lines;
    struct modbus_line *lines;
    uint32_t next_channel;
    struct dictionary dictionary;
    struct hr_status offered; /* the first failure of an offer in this turn */
    struct edge_record record;
};

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

/* ---- opening ---- */

static void make_groups(struct app_modbus *modbus)
{
    for (uint32_t i = 0; i < modbus->plant->n_groups; i++) {
        const struct app_plant_group *from = &modbus->plant->groups[i];
        for (uint32_t k = 0; k < from->n_points; k++) {
            modbus->patterns[i][k] = from->points[k];
        }
        modbus->groups[i] = (struct station_group){
            .patterns = modbus->patterns[i],
            .n_patterns = from->n_points,
            .interval_ms = from->interval_ms,
            .dead_band = from->dead_band,
            .silence_ms = from->silence_ms,
            .is_each = from->report == APP_PLANT_EACH,
        };
    }
}

/* Most of it is never touched, and so takes no memory. */
static struct hr_status make_memory(struct station_memory *memory)
{
    *memory = (struct station_memory){
        .points = calloc(DEVICE_POINTS, sizeof *memory->points),
        .channels = calloc(DEVICE_POINTS, sizeof *memory->channels),
        .reads = calloc(DEVICE_POINTS, sizeof *memory->reads),
        .registers = calloc(STATION_MODEL_REGISTERS, sizeof *memory->registers),
        .capacity = DEVICE_POINTS,
    };
    bool is_whole = memory->points != NULL && memory->channels != NULL && memory->reads != NULL &&
                    memory->registers != NULL;
    return is_whole ? hr_ok() : hr_status_of(HR_IO);
}

static struct hr_status make_device(struct app_modbus *modbus, uint32_t line, uint32_t index)
{
    const struct app_plant_device *from = &modbus->plant->lines[line].devices[index];
    const struct app_plant_map *map = app_plant_map_of(modbus->plant, from);
    struct station_device *device = &modbus->lines[line].devices[index];
    const struct station_group **groups = modbus->device_groups[line][index];
    for (uint32_t i = 0; i < from->n_groups; i++) {
        groups[i] = &modbus->groups[app_plant_group_index(modbus->plant, from->groups[i])];
    }
    device->config = (struct station_device_config){
        .name = from->name,
        .line = {.unit = from->unit,
                 .timeout_ms = from->timeout_ms,
                 .n_retries = from->n_retries,
                 .backoff_ms = from->backoff_ms,
                 .n_failures = from->n_failures,
                 .open_ms = from->open_ms,
                 .open_max_ms = from->open_max_ms},
        .groups = groups,
        .n_groups = from->n_groups,
        .map = map == NULL ? NULL : map->rows,
        .n_map = map == NULL ? 0 : map->n_registers,
    };
    return make_memory(&device->memory);
}

static struct hr_status open_line(struct app_modbus *modbus, uint32_t index, uint64_t now_ms)
{
    const struct app_plant_line *from = &modbus->plant->lines[index];
    struct modbus_line *line = &modbus->lines[index];
    struct port_linux_source_config source = {
        .kind = from->transport == APP_PLANT_TCP ? PORT_LINUX_SOURCE_TCP_CLIENT : PORT_LINUX_SOURCE_SERIAL,
        .port = from->port,
        .baud = from->baud,
        .is_two_way = true,
        .has_two_stop_bits = from->stop_bits == 2,
        .parity = (enum port_linux_parity)from->parity,
    };
    fw_text_copy(source.path, sizeof source.path, from->path);
    fw_text_copy(source.host, sizeof source.host, from->host);
    line->devices = calloc(from->n_devices, sizeof *line->devices);
    if (line->devices == NULL) {
        return hr_status_of(HR_IO);
    }
    for (uint32_t i = 0; i < from->n_devices; i++) {
        HR_TRY(make_device(modbus, index, i));
    }
    const struct station_config station = {
        .framing = from->transport == APP_PLANT_TCP ? TAP_MODBUS_TCP : TAP_MODBUS_RTU,
        .quiet_ms = from->quiet_ms,
        .gap_ms = from->gap_ms,
        .devices = line->devices,
        .n_devices = (uint16_t)from->n_devices,
        .next_channel = &modbus->next_channel,
        .sink = {on_channel, on_samples, on_event, modbus},
    };
    HR_TRY(station_init(&line->station, &station, now_ms));
    return port_linux_source_open(&line->source, &source, modbus->log, now_ms);
}

static struct hr_status open_lines(struct app_modbus *modbus)
{
    uint64_t now_ms = port_uptime_ms(modbus->clock);
    modbus->lines = calloc(modbus->plant->n_lines, sizeof *modbus->lines);
    if (modbus->lines == NULL) {
        return hr_status_of(HR_IO);
    }
    make_groups(modbus);
    for (uint32_t i = 0; i < modbus->plant->n_lines; i++) {
        modbus->lines[i].source.stream[0] = -1;
    }
    for (uint32_t i = 0; i < modbus->plant->n_lines; i++) {
        HR_TRY(open_line(modbus, i, now_ms));
        modbus->n_lines++;
    }
    return hr_ok();
}

struct hr_status app_modbus_open(const struct app_tap *config, struct fw_collector *collector,
                                 const struct port_clock *clock, const struct port_log *log,
                                 struct app_modbus **out)
{
    struct app_modbus *modbus = calloc(1, sizeof *modbus);
    if (modbus == NULL) {
        return hr_status_of(HR_IO);
    }
    *out = modbus;
    modbus->collector = collector;
    modbus->clock = clock;
    modbus->log = log;
    struct hr_status status = app_plant_load(config->path, NULL, &modbus->plant);
    if (hr_is_ok(status)) {
        status = open_lines(modbus);
    }
    if (!hr_is_ok(status)) {
        PORT_LOG(log, PORT_LOG_ERROR, "plant_not_opened", {"plant", config->path, 0},
                 {"status", hr_code_name(status.code), 0});
        return hr_status_of(HR_IO);
    }
    fw_collector_add_source(collector, (struct fw_stats_source){framer_stats, modbus});
    fw_collector_add_source(collector, (struct fw_stats_source){plant_stats_of, modbus});
    fw_collector_add_source(collector, (struct fw_stats_source){line_stats, modbus});
    return hr_ok();
}

static void close_line(struct modbus_line *line, uint32_t n_devices)
{
    if (line->source.stream[0] >= 0) {
        port_linux_source_close(&line->source);
    }
    for (uint32_t i = 0; line->devices != NULL && i < n_devices; i++) {
        struct station_memory *memory = &line->devices[i].memory;
        free(memory->points);
        free(memory->channels);
        free(memory->reads);
        free(memory->registers);
    }
    free(line->devices);
}

void app_modbus_close(struct app_modbus *modbus)
{
    if (modbus == NULL) {
        return;
    }
    for (uint32_t i = 0; modbus->lines != NULL && i < modbus->plant->n_lines; i++) {
        close_line(&modbus->lines[i], modbus->plant->lines[i].n_devices);
    }
    free(modbus->lines);
    app_plant_free(modbus->plant);
    free(modbus);
}

/* ---- the loop ---- */

size_t app_modbus_fds(struct app_modbus *modbus, struct pollfd *fds, size_t capacity)
{
    uint64_t now_ms = port_uptime_ms(modbus->clock);
    size_t n_fds = 0;
    for (uint32_t i = 0; i < modbus->n_lines && capacity - n_fds >= PORT_LINUX_SOURCE_FDS; i++) {
        n_fds += port_linux_source_fds(&modbus->lines[i].source, now_ms, fds + n_fds);
    }
    return n_fds;
}

/* Tells the station what became of its connection. */
static void notice(struct modbus_line *line, uint64_t now_ms)
{
    bool is_open = port_linux_source_is_open(&line->source);
    if (is_open && !line->was_open) {
        station_opened(&line->station, now_ms);
    } else if (!is_open && line->was_open) {
        station_closed(&line->station, now_ms);
    }
    line->was_open = is_open;
}

static void reopen(struct modbus_line *line, uint64_t now_ms)
{
    port_linux_source_reopen(&line->source, now_ms);
    notice(line, now_ms);
}

static void hear(struct modbus_line *line, uint64_t now_ms)
{
    uint8_t bytes[CHUNK_BYTES];
    for (uint32_t turn = 0; turn < CHUNKS_A_TURN; turn++) {
        struct port_linux_source_chunk chunk;
        struct hr_status status = port_linux_source_read(&line->source, now_ms, bytes, sizeof bytes, &chunk);
        notice(line, now_ms);
        if (!hr_is_ok(status)) {
            return;
        }
        if (chunk.event == PORT_LINUX_SOURCE_BYTES) {
            station_feed(&line->station, hr_bytes_of(bytes, chunk.len_bytes), now_ms);
        }
    }
}

static uint32_t pump_line(struct app_modbus *modbus, struct modbus_line *line)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    size_t len_bytes = 0;
    uint32_t wait_ms = 0;
    uint64_t now_ms = port_uptime_ms(modbus->clock);
    hear(line, now_ms);
    enum station_step step = station_step(&line->station, now_ms, out, &len_bytes, &wait_ms);
    if (step == STATION_SEND &&
        !hr_is_ok(port_linux_source_write(&line->source, hr_bytes_of(out, len_bytes)))) {
        step = STATION_REOPEN;
    }
    if (step == STATION_REOPEN) {
        reopen(line, now_ms);
        wait_ms = 0;
    }
    uint32_t source_wait_ms = port_linux_source_wait_ms(&line->source, now_ms);
    return wait_ms < source_wait_ms ? wait_ms : source_wait_ms;
}

static void tell_dictionary_when_due(struct app_modbus *modbus)
{
    const struct fw_collector *collector = modbus->collector;
    struct fw_spool_state spool;
    fw_spool_state(collector->config.spool, &spool);
    struct dictionary *told = &modbus->dictionary;
    if (spool.stream == told->stream && collector->counters.losses == told->losses &&
        collector->counters.seals - told->seals < DICTIONARY_BATCHES) {
        return;
    }
    *told = (struct dictionary){spool.stream, collector->counters.losses, collector->counters.seals};
    uint64_t now_ms = port_uptime_ms(modbus->clock);
    for (uint32_t i = 0; i < modbus->n_lines; i++) {
        station_tell_all(&modbus->lines[i].station, now_ms);
    }
}

struct hr_status app_modbus_pump(struct app_modbus *modbus, uint32_t *wait_ms)
{
    *wait_ms = FW_NEVER_MS;
    modbus->offered = hr_ok();
    tell_dictionary_when_due(modbus);
    for (uint32_t i = 0; i < modbus->n_lines; i++) {
        uint32_t line_wait_ms = pump_line(modbus, &modbus->lines[i]);
        *wait_ms = line_wait_ms < *wait_ms ? line_wait_ms : *wait_ms;
    }
    return modbus->offered;
}
