/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/plant/plant_internal.h"
#include "proto/base/assert.h"

#include <string.h>

static const char *const COUNTER_NAME[PLANT_N_COUNTERS] = {
    [PLANT_READS] = "reads",     [PLANT_RETRIES] = "retries",        [PLANT_FAILED] = "failed_reads",
    [PLANT_REFUSED] = "refused", [PLANT_OPENED] = "breakers_opened", [PLANT_OVERRUN] = "overruns",
    [PLANT_SAMPLES] = "samples", [PLANT_SUPPRESSED] = "suppressed",
};

static struct plant_device *device_of(const struct plant *plant, const struct plant_read *read)
{
    return &plant->devices[plant->points[read->first_point].device];
}

/* When the read may be asked for. */
static uint64_t ready_ms(const struct plant *plant, const struct plant_read *read)
{
    uint64_t wait_until_ms = device_of(plant, read)->wait_until_ms;
    return read->due_ms > wait_until_ms ? read->due_ms : wait_until_ms;
}

bool plant_next(struct plant *plant, uint64_t now_ms, struct tap_modbus_request *request,
                uint32_t *timeout_ms, uint64_t *wake_ms)
{
    uint16_t best = PLANT_NO_POINT;
    HR_ASSERT(plant->current == PLANT_NO_POINT);
    *wake_ms = UINT64_MAX;
    for (uint16_t i = 0; i < plant->n_reads; i++) {
        uint64_t at_ms = ready_ms(plant, &plant->reads[i]);
        if (at_ms < *wake_ms) {
            *wake_ms = at_ms;
        }
        /* Who has been due for longest; a device that was waited for does not overtake others. */
        if (at_ms <= now_ms && (best == PLANT_NO_POINT || at_ms < ready_ms(plant, &plant->reads[best]))) {
            best = i;
        }
    }
    if (best == PLANT_NO_POINT) {
        return false;
    }
    const struct plant_read *read = &plant->reads[best];
    const struct plant_device *device = device_of(plant, read);
    plant->current = best;
    *request = (struct tap_modbus_request){
        .unit = device->config.unit,
        .table = plant->points[read->first_point].table,
        .address = read->address,
        .n_registers = read->n_registers,
    };
    *timeout_ms = device->config.timeout_ms;
    plant->counter[PLANT_RETRIES] += read->n_tries > 0;
    return true;
}

/* The read is over for this turn; when is the next. Turns that are over already are left out. */
static void schedule(struct plant *plant, struct plant_read *read, uint64_t now_ms)
{
    uint32_t interval_ms = plant->points[read->first_point].interval_ms;
    read->n_tries = 0;
    read->due_ms += interval_ms;
    if (read->due_ms <= now_ms) {
        plant->counter[PLANT_OVERRUN]++;
        read->due_ms += (now_ms - read->due_ms) / interval_ms * interval_ms + interval_ms;
    }
}

static void close_breaker(struct plant_device *device)
{
    device->n_failures = 0;
    device->is_open = false;
    device->open_ms = device->config.open_ms;
}

static void open_breaker(struct plant *plant, struct plant_device *device, uint64_t now_ms)
{
    const struct plant_device_config *config = &device->config;
    plant->counter[PLANT_OPENED]++;
    device->is_open = true;
    device->wait_until_ms = now_ms + device->open_ms;
    device->open_ms = device->open_ms > config->open_max_ms / 2 ? config->open_max_ms : device->open_ms * 2;
    for (size_t i = 0; i < plant->n_reads; i++) {
        if (device_of(plant, &plant->reads[i]) == device) {
            plant_report_failure(plant, &plant->reads[i], PLANT_COMMS_ERROR, now_ms);
        }
    }
}

/* No usable answer: once more, or given up for this turn. */
static void fail(struct plant *plant, struct plant_read *read, uint64_t now_ms)
{
    struct plant_device *device = device_of(plant, read);
    if (read->n_tries < device->config.n_retries && !device->is_open) {
        uint64_t pause_ms = (uint64_t)device->config.backoff_ms << (read->n_tries < 16 ? read->n_tries : 16);
        read->n_tries++;
        device->wait_until_ms = now_ms + pause_ms;
        return;
    }
    plant->counter[PLANT_FAILED]++;
    schedule(plant, read, now_ms);
    if (device->n_failures < UINT8_MAX) {
        device->n_failures++;
    }
    if (device->is_open || device->n_failures >= device->config.n_failures) {
        open_breaker(plant, device, now_ms);
    } else {
        plant_report_failure(plant, read, PLANT_STALE, now_ms);
    }
}

/* The device is there and refuses: the same question would be refused again. */
static void refuse(struct plant *plant, struct plant_read *read, uint64_t now_ms)
{
    plant->counter[PLANT_REFUSED]++;
    close_breaker(device_of(plant, read));
    schedule(plant, read, now_ms);
    if (read->due_ms < now_ms + PLANT_REFUSED_MS) {
        read->due_ms = now_ms + PLANT_REFUSED_MS;
    }
    plant_report_failure(plant, read, PLANT_NOT_IMPLEMENTED, now_ms);
}

/* Exceptions that speak of the address or function asked for; others (busy, gateway without its target) may
 * pass. */
static bool is_refusal(const struct tap_modbus *line)
{
    return line->state == TAP_MODBUS_EXCEPTION && line->exception >= 1 && line->exception <= 3;
}

void plant_answer(struct plant *plant, const struct tap_modbus *line, uint64_t now_ms)
{
    HR_ASSERT(plant->current != PLANT_NO_POINT);
    HR_ASSERT(line->state != TAP_MODBUS_WAITING && line->state != TAP_MODBUS_IDLE);
    struct plant_read *read = &plant->reads[plant->current];
    plant->current = PLANT_NO_POINT;
    if (line->state == TAP_MODBUS_ANSWERED) {
        plant->counter[PLANT_READS]++;
        close_breaker(device_of(plant, read));
        plant_report_read(plant, read, line->registers, now_ms);
        schedule(plant, read, now_ms);
    } else if (is_refusal(line)) {
        refuse(plant, read, now_ms);
    } else {
        fail(plant, read, now_ms);
    }
}

void plant_drop(struct plant *plant)
{
    plant->current = PLANT_NO_POINT;
}

void plant_wake(struct plant *plant, uint64_t now_ms)
{
    for (size_t i = 0; i < plant->n_devices; i++) {
        struct plant_device *device = &plant->devices[i];
        device->wait_until_ms = device->wait_until_ms > now_ms ? now_ms : device->wait_until_ms;
    }
}

void plant_stats(const struct plant *plant, struct edge_stats *out)
{
    HR_ASSERT(out->n_counters + PLANT_N_COUNTERS <= EDGE_STATS_MAX_COUNTERS);
    for (size_t i = 0; i < PLANT_N_COUNTERS; i++) {
        struct edge_counter *counter = &out->counter[out->n_counters++];
        memset(counter, 0, sizeof *counter);
        memcpy(counter->name, COUNTER_NAME[i], strlen(COUNTER_NAME[i]));
        counter->value = plant->counter[i];
    }
}
