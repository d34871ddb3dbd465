/* SPDX-License-Identifier: Apache-2.0
 *
 * Which models a device has, and what is in them: question by question, beside its polls. */
#include "firmware/taps/station/station_internal.h"
#include "proto/base/assert.h"

#include <string.h>

enum { REFUSAL_MOST = 3, PAUSE_FACTOR = 2 };

void station_search_begin(struct station_device *device, uint64_t now_ms)
{
    tap_sunspec_discover(&device->discovery, device->config.line.unit);
    device->search = STATION_SEARCHING;
    device->n_tries = 0;
    device->is_heard = false;
    device->has_missed = false;
    device->search_at_ms = now_ms;
}

static const struct tap_sunspec_found *model_of(const struct station_device *device)
{
    return &device->models[device->model];
}

static uint16_t registers_of(const struct tap_sunspec_found *found)
{
    return found->n_registers < STATION_MODEL_REGISTERS ? found->n_registers : STATION_MODEL_REGISTERS;
}

void station_search_question(const struct station_device *device, struct tap_modbus_request *out)
{
    HR_ASSERT(device->search != STATION_RESTING);
    if (device->search == STATION_SEARCHING) {
        tap_sunspec_question(&device->discovery, out);
        return;
    }
    uint32_t n_left = (uint32_t)registers_of(model_of(device)) - device->n_read;
    *out = (struct tap_modbus_request){
        .unit = device->config.line.unit,
        .table = TAP_MODBUS_HOLDING,
        .address = (uint16_t)(model_of(device)->address + device->n_read),
        .n_registers =
            (uint16_t)(n_left < TAP_MODBUS_READ_MAX_REGISTERS ? n_left : TAP_MODBUS_READ_MAX_REGISTERS),
    };
}

/* Left alone, for longer each time. */
static void pause(struct station_device *device, uint64_t now_ms)
{
    const struct plant_device_config *config = &device->config.line;
    uint32_t pause_ms = device->pause_ms == 0 ? config->open_ms : device->pause_ms;
    device->search_at_ms = now_ms + pause_ms;
    device->pause_ms =
        pause_ms > config->open_max_ms / PAUSE_FACTOR ? config->open_max_ms : pause_ms * PAUSE_FACTOR;
    device->n_tries = 0;
    if (!device->has_plan) {
        station_say(device, STATION_SILENT, pause_ms);
    }
}

static void rest(struct station_device *device)
{
    device->search = STATION_RESTING;
    device->pause_ms = 0;
}

/* Passes over models that nobody wants or that no table defines; at the end polling begins. */
static void go_on(struct station_device *device, uint64_t now_ms)
{
    while (device->model < device->n_models && (tap_sunspec_model(model_of(device)->id) == NULL ||
                                                !station_plan_wants(device, model_of(device)->id))) {
        device->model++;
    }
    device->n_read = 0;
    if (device->model < device->n_models) {
        return;
    }
    rest(device);
    struct hr_status status = station_plan_start(device, now_ms);
    HR_ASSERT(hr_is_ok(status)); /* the plan is in order, and has as many places for reads as for points */
}

static bool is_as_before(const struct station_device *device)
{
    const struct tap_sunspec_discovery *found = &device->discovery;
    if (!device->has_plan || found->n_models != device->n_models) {
        return false;
    }
    for (size_t i = 0; i < found->n_models; i++) {
        const struct tap_sunspec_found *a = &found->models[i];
        const struct tap_sunspec_found *b = &device->models[i];
        if (a->id != b->id || a->address != b->address || a->n_registers != b->n_registers) {
            return false;
        }
    }
    return true;
}

/* The search for models is over. */
static void end_search(struct station_device *device, uint64_t now_ms)
{
    const struct tap_sunspec_discovery *found = &device->discovery;
    if (found->state == TAP_SUNSPEC_NO_SUNSPEC) {
        bool is_missed = device->has_missed;
        bool is_heard = device->is_heard;
        uint64_t at_ms = device->search_at_ms;
        station_search_begin(device, now_ms);
        if (is_heard && !is_missed) {
            device->search_at_ms = now_ms + device->config.line.open_max_ms;
            station_say(device, STATION_NO_SUNSPEC, 0);
        } else if (!is_heard) {
            device->search_at_ms = at_ms;
        }
        return;
    }
    if (is_as_before(device)) {
        rest(device);
        return;
    }
    if (found->state == TAP_SUNSPEC_CUT) {
        station_say(device, STATION_CUT, found->n_models);
    }
    station_plan_clear(device);
    memcpy(device->models, found->models, sizeof device->models);
    device->n_models = found->n_models;
    device->model = 0;
    device->search = STATION_READING;
    go_on(device, now_ms);
}

static void take_registers(struct station_device *device, const struct tap_modbus *framer, uint64_t now_ms)
{
    uint16_t n_asked = framer->asked.n_registers;
    memcpy(device->memory.registers + device->n_read, framer->registers, n_asked * sizeof *framer->registers);
    device->n_read = (uint16_t)(device->n_read + n_asked);
    if (device->n_read == registers_of(model_of(device))) {
        station_plan_add_model(device, model_of(device), device->memory.registers, device->n_read);
        device->model++;
        go_on(device, now_ms);
    }
}

/* No answer, or none that can be used. Who was never heard gets one question a pause, the next base each
 * time: what is at none of them must not take the others' time. */
static void fail(struct station_device *device, uint64_t now_ms)
{
    if (device->is_heard && device->n_tries < device->config.line.n_retries) {
        device->n_tries++;
        device->search_at_ms = now_ms + device->config.line.backoff_ms;
        return;
    }
    pause(device, now_ms);
    if (device->search == STATION_SEARCHING && !device->discovery.has_base) {
        device->has_missed = true;
        tap_sunspec_answer(&device->discovery, NULL);
        if (device->discovery.state != TAP_SUNSPEC_SEARCHING) {
            end_search(device, now_ms);
        }
        return;
    }
    uint64_t at_ms = device->search_at_ms;
    station_search_begin(device, at_ms);
}

void station_search_answer(struct station_device *device, const struct tap_modbus *framer, uint64_t now_ms)
{
    bool is_answer = framer->state == TAP_MODBUS_ANSWERED;
    bool is_refusal = framer->state == TAP_MODBUS_EXCEPTION && framer->exception <= REFUSAL_MOST;
    if (!is_answer && !is_refusal) {
        fail(device, now_ms);
        return;
    }
    device->is_heard = true;
    device->n_tries = 0;
    if (device->search == STATION_SEARCHING) {
        tap_sunspec_answer(&device->discovery, is_answer ? framer->registers : NULL);
        if (device->discovery.state != TAP_SUNSPEC_SEARCHING) {
            end_search(device, now_ms);
        }
    } else if (is_answer) {
        take_registers(device, framer, now_ms);
    } else {
        device->model++; /* it says no to a model of its own list: the others are still there */
        go_on(device, now_ms);
    }
}
