/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/taps_modbus_internal.h"
#include "firmware/core/counters.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 4096,
    CHUNKS_A_TURN = 4,
    DEVICE_POINTS = 4096,     /* of one device, with scale factors */
    DICTIONARY_BATCHES = 990, /* it is written again after so many; a reader looks back 1,000 */
};

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
        .sink = app_modbus_sink(modbus),
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
    app_modbus_add_counters(modbus);
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
