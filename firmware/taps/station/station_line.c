/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose turn it is on the line, and what comes out. */
#include "firmware/taps/station/station_internal.h"
#include "proto/base/assert.h"

#include <string.h>

enum { REOPENED_MS = 5000 }; /* a connection that comes back within this is to whom it was before */

/* How a request ends that cannot be sent. */
static const struct tap_modbus CLOSED = {.state = TAP_MODBUS_SILENT};

/* ---- what comes out ---- */

void station_say(struct station_device *device, enum station_event event, uint32_t number)
{
    const struct station_sink *sink = &device->line->config.sink;
    sink->event(sink->ctx, device, event, number);
}

static void tell(struct station_device *device, const struct station_channel *channel, uint64_t now_ms)
{
    const struct station_sink *sink = &device->line->config.sink;
    sink->channel(sink->ctx, device, channel, now_ms);
}

static void flush(struct station_line *line, uint64_t now_ms)
{
    const struct station_sink *sink = &line->config.sink;
    if (line->n_samples > 0) {
        sink->samples(sink->ctx, line->samples, line->n_samples, now_ms);
    }
    line->n_samples = 0;
}

void station_take_sample(void *ctx, const struct plant_sample *sample, uint64_t now_ms)
{
    struct station_device *device = ctx;
    struct station_line *line = device->line;
    struct station_channel *channel = &device->memory.channels[sample->point - device->memory.points];
    int32_t scale = sample->scale + channel->map_scale;
    bool is_new = !channel->is_told || channel->scale != scale;
    bool is_behind = line->n_samples > 0 && line->samples[line->n_samples - 1].channel >= channel->number;
    if (line->n_samples == STATION_SAMPLES_MAX || is_behind) {
        flush(line, now_ms);
    }
    if (is_new) {
        channel->scale = scale;
        channel->is_told = true;
        tell(device, channel, now_ms);
    }
    line->samples[line->n_samples++] =
        (struct station_sample){channel->number, sample->value, sample->quality};
}

void station_tell_all(struct station_line *line, uint64_t now_ms)
{
    for (uint16_t i = 0; i < line->config.n_devices; i++) {
        struct station_device *device = &line->config.devices[i];
        for (uint16_t k = 0; device->has_plan && k < device->n_points; k++) {
            if (device->memory.channels[k].is_told) {
                tell(device, &device->memory.channels[k], now_ms);
            }
        }
    }
}

void station_count(const struct station_line *line, uint64_t framer[TAP_MODBUS_N_COUNTERS],
                   uint64_t plant[PLANT_N_COUNTERS])
{
    for (size_t i = 0; i < TAP_MODBUS_N_COUNTERS; i++) {
        framer[i] += line->framer.counter[i];
    }
    for (uint16_t i = 0; i < line->config.n_devices; i++) {
        for (size_t k = 0; k < PLANT_N_COUNTERS; k++) {
            plant[k] += line->config.devices[i].plant.counter[k];
        }
    }
}

/* ---- the line comes and goes ---- */

struct hr_status station_init(struct station_line *line, const struct station_config *config, uint64_t now_ms)
{
    memset(line, 0, sizeof *line);
    line->config = *config;
    line->was_lost = true;
    line->closed_ms = now_ms;
    tap_modbus_init(&line->framer, config->framing);
    for (uint16_t i = 0; i < config->n_devices; i++) {
        struct station_device *device = &config->devices[i];
        *device = (struct station_device){.config = device->config, .memory = device->memory, .line = line};
        HR_ASSERT(device->memory.capacity > 0 && device->config.n_groups > 0);
        if (device->config.map != NULL) {
            HR_TRY(station_plan_add_map(device));
            HR_TRY(station_plan_start(device, now_ms));
        }
    }
    return hr_ok();
}

void station_opened(struct station_line *line, uint64_t now_ms)
{
    tap_modbus_reset(&line->framer);
    line->is_open = true;
    line->rest_until_ms = now_ms;
    bool is_new = line->was_lost || now_ms - line->closed_ms > REOPENED_MS;
    for (uint16_t i = 0; is_new && i < line->config.n_devices; i++) {
        struct station_device *device = &line->config.devices[i];
        if (device->has_plan) {
            plant_wake(&device->plant, now_ms);
        }
        if (device->config.map == NULL) {
            device->pause_ms = 0;
            station_search_begin(device, now_ms);
        }
    }
}

void station_closed(struct station_line *line, uint64_t now_ms)
{
    if (line->asked != NULL && !line->is_search) {
        plant_drop(&line->asked->plant);
    }
    line->asked = NULL;
    tap_modbus_reset(&line->framer);
    line->was_lost = !line->must_reopen;
    line->must_reopen = false;
    line->is_open = false;
    line->closed_ms = now_ms;
}

/* ---- requests and answers ---- */

/* Whether what was not an answer may still become one, or has left half a frame. */
static bool is_damage(enum tap_modbus_state state)
{
    return state != TAP_MODBUS_ANSWERED && state != TAP_MODBUS_EXCEPTION;
}

static void take_poll(struct station_device *device, const struct tap_modbus *framer, uint64_t now_ms)
{
    bool was_open = device->plant_device.is_open;
    plant_answer(&device->plant, framer, now_ms);
    if (!was_open && device->plant_device.is_open) {
        station_say(device, STATION_SILENT, (uint32_t)(device->plant_device.wait_until_ms - now_ms));
    }
    if (was_open && !device->plant_device.is_open) {
        station_say(device, STATION_BACK, 0);
        if (device->config.map == NULL && device->search == STATION_RESTING) {
            station_search_begin(device, now_ms); /* it may have been exchanged for another */
        }
    }
}

/* The request under way has ended. */
static void finish(struct station_line *line, uint64_t now_ms)
{
    struct station_device *device = line->asked;
    enum tap_modbus_state state = line->framer.state;
    line->asked = NULL;
    if (line->config.framing == TAP_MODBUS_RTU) {
        line->rest_until_ms = now_ms + (is_damage(state) ? line->config.quiet_ms : line->config.gap_ms);
    } else {
        line->must_reopen = state == TAP_MODBUS_BROKEN || state == TAP_MODBUS_TRUNCATED;
    }
    if (line->is_search) {
        station_search_answer(device, &line->framer, now_ms);
    } else {
        take_poll(device, &line->framer, now_ms);
    }
    flush(line, now_ms);
}

void station_feed(struct station_line *line, struct hr_bytes bytes, uint64_t now_ms)
{
    enum tap_modbus_state state = tap_modbus_feed(&line->framer, bytes);
    if (line->asked != NULL && state != TAP_MODBUS_WAITING) {
        finish(line, now_ms);
    }
    line->must_reopen = line->must_reopen || state == TAP_MODBUS_BROKEN;
}

/* What the device is to be asked now, if anything; else when, in *wake_ms. A search and the polls beside it
 * take turns. */
static bool next_of(struct station_line *line, struct station_device *device, uint64_t now_ms,
                    struct tap_modbus_request *request, uint32_t *timeout_ms, uint64_t *wake_ms)
{
    bool is_searching = device->search != STATION_RESTING;
    bool is_due = is_searching && device->search_at_ms <= now_ms;
    *wake_ms = is_searching ? device->search_at_ms : UINT64_MAX;
    if (device->has_plan && !(is_due && !device->was_searching)) {
        uint64_t poll_ms = 0;
        if (plant_next(&device->plant, now_ms, request, timeout_ms, &poll_ms)) {
            device->was_searching = false;
            line->is_search = false;
            return true;
        }
        *wake_ms = poll_ms < *wake_ms ? poll_ms : *wake_ms;
    }
    if (is_due) {
        station_search_question(device, request);
        *timeout_ms = device->config.line.timeout_ms;
        device->was_searching = true;
        line->is_search = true;
    }
    return is_due;
}

static uint32_t until(uint64_t now_ms, uint64_t moment_ms)
{
    uint64_t left_ms = moment_ms > now_ms ? moment_ms - now_ms : 0;
    return left_ms < STATION_NEVER_MS ? (uint32_t)left_ms : STATION_NEVER_MS;
}

/* Nobody can be asked: reads that are due come to nothing, as if the device were silent. */
static uint64_t fail_due(struct station_line *line, uint64_t now_ms)
{
    uint64_t wake_ms = UINT64_MAX;
    for (uint16_t i = 0; i < line->config.n_devices; i++) {
        struct station_device *device = &line->config.devices[i];
        uint64_t from_ms = line->closed_ms + device->config.line.timeout_ms;
        struct tap_modbus_request request;
        uint32_t timeout_ms = 0;
        uint64_t at_ms = from_ms;
        while (device->has_plan && now_ms >= from_ms &&
               plant_next(&device->plant, now_ms, &request, &timeout_ms, &at_ms)) {
            take_poll(device, &CLOSED, now_ms);
            flush(line, now_ms);
        }
        wake_ms = device->has_plan && at_ms < wake_ms ? at_ms : wake_ms;
    }
    return wake_ms;
}

/* Asks the first device, after the one that was served last, that has something to be asked. */
static enum station_step ask_next(struct station_line *line, uint64_t now_ms,
                                  uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES], size_t *len_bytes,
                                  uint32_t *wait_ms)
{
    uint64_t earliest_ms = UINT64_MAX;
    for (uint16_t i = 1; i <= line->config.n_devices; i++) {
        uint16_t turn = (uint16_t)((line->turn + i) % line->config.n_devices);
        struct tap_modbus_request request;
        uint32_t timeout_ms = 0;
        uint64_t wake_ms = 0;
        if (next_of(line, &line->config.devices[turn], now_ms, &request, &timeout_ms, &wake_ms)) {
            line->turn = turn;
            line->asked = &line->config.devices[turn];
            line->until_ms = now_ms + timeout_ms;
            *len_bytes = tap_modbus_ask(&line->framer, &request, out);
            *wait_ms = timeout_ms;
            return STATION_SEND;
        }
        earliest_ms = wake_ms < earliest_ms ? wake_ms : earliest_ms;
    }
    *wait_ms = until(now_ms, earliest_ms);
    return STATION_WAIT;
}

enum station_step station_step(struct station_line *line, uint64_t now_ms,
                               uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES], size_t *len_bytes,
                               uint32_t *wait_ms)
{
    *len_bytes = 0;
    if (!line->is_open) {
        *wait_ms = until(now_ms, fail_due(line, now_ms));
        return STATION_WAIT;
    }
    if (line->asked != NULL) {
        if (now_ms < line->until_ms) {
            *wait_ms = until(now_ms, line->until_ms);
            return STATION_WAIT;
        }
        (void)tap_modbus_over(&line->framer);
        finish(line, now_ms);
    }
    if (line->must_reopen) {
        *wait_ms = 0;
        return STATION_REOPEN;
    }
    if (now_ms < line->rest_until_ms) {
        *wait_ms = until(now_ms, line->rest_until_ms);
        return STATION_WAIT;
    }
    return ask_next(line, now_ms, out, len_bytes, wait_ms);
}
