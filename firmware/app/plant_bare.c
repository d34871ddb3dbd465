/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/plant.h"

#include "boards/family/board.h"
#include "firmware/app/console.h"
#include "firmware/app/plant_parts.h"
#include "proto/base/assert.h"

#include <string.h>

enum {
    CHUNK_BYTES = 32,
    BITS_A_BYTE = 11,          /* with a second stop bit or parity, which other masters use */
    SILENCE_TENTHS_BYTES = 35, /* between frames; "MODBUS over Serial Line V1.02" section 2.5.1.1 */
    FAST_SILENCE_MS = 2,       /* above 19,200 baud it is 1.75 ms */
    FAST_BAUD = 19200,
};

static struct app_plant plant;

/* ---- start ---- */

static const struct tap_sunspec_item items[IMAGE_N_REGISTERS] = {
    [IMAGE_INT16] = {.type = TAP_SUNSPEC_INT16, .n_registers = 1},
    [IMAGE_INT32] = {.type = TAP_SUNSPEC_INT32, .n_registers = 2},
    [IMAGE_INT64] = {.type = TAP_SUNSPEC_INT64, .n_registers = 4},
    [IMAGE_UINT16] = {.type = TAP_SUNSPEC_UINT16, .n_registers = 1},
    [IMAGE_UINT32] = {.type = TAP_SUNSPEC_UINT32, .n_registers = 2},
    [IMAGE_UINT64] = {.type = TAP_SUNSPEC_UINT64, .n_registers = 4},
    [IMAGE_ACC16] = {.type = TAP_SUNSPEC_ACC16, .n_registers = 1},
    [IMAGE_ACC32] = {.type = TAP_SUNSPEC_ACC32, .n_registers = 2},
    [IMAGE_ACC64] = {.type = TAP_SUNSPEC_ACC64, .n_registers = 4},
    [IMAGE_ENUM16] = {.type = TAP_SUNSPEC_ENUM16, .n_registers = 1},
    [IMAGE_ENUM32] = {.type = TAP_SUNSPEC_ENUM32, .n_registers = 2},
    [IMAGE_BITFIELD16] = {.type = TAP_SUNSPEC_BITFIELD16, .n_registers = 1},
    [IMAGE_BITFIELD32] = {.type = TAP_SUNSPEC_BITFIELD32, .n_registers = 2},
    [IMAGE_BITFIELD64] = {.type = TAP_SUNSPEC_BITFIELD64, .n_registers = 4},
    [IMAGE_FLOAT32] = {.type = TAP_SUNSPEC_FLOAT32, .n_registers = 2},
    [IMAGE_SUNSSF] = {.type = TAP_SUNSPEC_SUNSSF, .n_registers = 1},
};

static struct plant_device_config device_of(const struct image_plan_unit *unit)
{
    return (struct plant_device_config){
        .unit = unit->unit,
        .timeout_ms = unit->timeout_ms,
        .n_retries = unit->n_retries,
        .backoff_ms = unit->backoff_ms,
        .n_failures = unit->n_failures,
        .open_ms = unit->open_s * 1000u,
        .open_max_ms = unit->open_max_s * 1000u,
    };
}

static struct plant_point point_of(const struct image_plan_point *point, uint32_t channel)
{
    return (struct plant_point){
        .channel = channel,
        .device = point->unit_index,
        .address = point->address,
        .table = (enum tap_modbus_table)point->table,
        .item = &items[point->type],
        .scale_point = point->scale_point == IMAGE_PLAN_NO_SCALE ? PLANT_NO_POINT : point->scale_point,
        .interval_ms = point->interval_ms,
        .dead_band = point->dead_band,
        .silence_ms = point->silence_ms,
        .is_each = point->is_each,
        .is_hidden = point->type == IMAGE_SUNSSF,
    };
}

/* HR_FULL: more than the board has memory for. */
static struct hr_status load_plan(void)
{
    const struct image_plan_front *front = &plant.plan.front;
    struct fw_plan_cursor cursor;
    struct image_plan_unit unit;
    struct image_plan_point point;
    if (front->n_units > HR_ARRAY_LEN(plant.devices) || front->n_points > HR_ARRAY_LEN(plant.points)) {
        return hr_status_of(HR_FULL);
    }
    fw_plan_rewind(&cursor);
    for (uint8_t i = 0; i < front->n_units; i++) {
        HR_TRY(fw_plan_unit(&plant.plan, &cursor, &unit));
        plant.devices[i].config = device_of(&unit);
    }
    for (uint8_t i = 0; i < front->n_points; i++) {
        HR_TRY(fw_plan_point(&plant.plan, &cursor, &point));
        plant.points[i] = point_of(&point, i + 1u);
    }
    const struct plant_memory memory = {
        .devices = plant.devices,
        .n_devices = front->n_units,
        .points = plant.points,
        .n_points = front->n_points,
        .reads = plant.reads,
        .n_reads = HR_ARRAY_LEN(plant.reads),
    };
    return plant_init(&plant.engine, &memory, &(struct plant_sink){app_plant_on_sample, &plant},
                      board_uptime_ms());
}

static void modbus_stats(void *ctx, struct edge_stats *out)
{
    (void)ctx;
    const struct fw_counter table[] = {
        {"bus_bytes", offsetof(struct app_plant_counts, bus_bytes)},
        {"bus_dropped", offsetof(struct app_plant_counts, bus_dropped)},
        {"channels", offsetof(struct app_plant_counts, channels)},
    };
    plant.counts.bus_dropped = board_bus_dropped();
    fw_counters_to_stats("modbus", table, HR_ARRAY_LEN(table), &plant.counts, out);
    tap_modbus_stats(&plant.line, out);
    plant_stats(&plant.engine, out);
}

static const char *advice_of(struct hr_status status)
{
    switch (status.code) {
    case HR_NOT_FOUND:
        return "none: nothing is polled";
    case HR_CORRUPT:
        return "both copies fail their check: write the image again";
    case HR_FULL:
        return "larger than this board has memory for: make it smaller";
    case HR_IO:
        return "the memory does not answer";
    case HR_OK:
    case HR_AGAIN:
    case HR_MALFORMED:
    case HR_DENIED:
    case HR_CLOSED:
        break;
    }
    return "of a kind that this firmware does not know: update one of them";
}

void app_plant_start(struct fw_collector *collector, const struct port_flash *memory,
                     const struct image_regions *regions)
{
    plant.collector = NULL;
    struct hr_status status = fw_plan_find(memory, regions, &plant.plan);
    if (hr_is_ok(status)) {
        status = load_plan();
    }
    if (!hr_is_ok(status)) {
        APP_SAY("plan", {"found", hr_code_name(status.code), 0}, {"advice", advice_of(status), 0});
        return;
    }
    const struct image_plan_front *front = &plant.plan.front;
    APP_SAY("plan", {"found", "yes", 0}, {"units", NULL, front->n_units}, {"points", NULL, front->n_points},
            {"reads", NULL, plant.engine.n_reads}, {"baud", NULL, front->baud});
    plant.collector = collector;
    plant.is_asked = false;
    plant.ask_at_ms = board_uptime_ms();
    plant.batches_end = 0;
    tap_modbus_init(&plant.line, TAP_MODBUS_RTU);
    board_bus_start(front->baud);
    fw_collector_add_source(collector, (struct fw_stats_source){modbus_stats, NULL});
}

void app_plant_stop(void)
{
    plant.collector = NULL;
}

/* ---- the line ---- */

static uint32_t silence_ms(void)
{
    const uint32_t baud = plant.plan.front.baud;
    return baud > FAST_BAUD ? FAST_SILENCE_MS : SILENCE_TENTHS_BYTES * BITS_A_BYTE * 100u / baud + 1;
}

/* How long the answer with so many registers is on the line. */
static uint32_t answer_ms(uint32_t n_registers)
{
    const uint32_t len_bytes = 5 + 2 * n_registers;
    return len_bytes * BITS_A_BYTE * 1000u / plant.plan.front.baud + 1;
}

bool app_plant_hears(void)
{
    uint8_t chunk[CHUNK_BYTES];
    if (plant.collector == NULL) {
        return false;
    }
    for (size_t n = board_bus_read(chunk, sizeof chunk); n > 0; n = board_bus_read(chunk, sizeof chunk)) {
        plant.counts.bus_bytes += n;
        (void)tap_modbus_feed(&plant.line, hr_bytes_of(chunk, n));
    }
    return plant.is_asked && plant.line.state != TAP_MODBUS_WAITING;
}

/* What came counts before the clock does: a turn of the loop may have taken seconds. */
static void judge(void)
{
    bool is_over = app_plant_hears();
    const uint64_t now_ms = board_uptime_ms();
    if (plant.is_asked && !is_over && now_ms >= plant.deadline_ms) {
        (void)tap_modbus_over(&plant.line);
        is_over = true;
    }
    if (is_over) {
        plant.is_asked = false;
        plant.ask_at_ms = now_ms + silence_ms();
        app_plant_begin(&plant);
        plant_answer(&plant.engine, &plant.line, now_ms);
        app_plant_flush(&plant, now_ms);
    }
}

static void ask(void)
{
    uint8_t frame[TAP_MODBUS_REQUEST_MAX_BYTES];
    struct tap_modbus_request request;
    uint32_t timeout_ms = 0;
    uint64_t wake_ms = 0;
    if (!plant_next(&plant.engine, board_uptime_ms(), &request, &timeout_ms, &wake_ms)) {
        plant.ask_at_ms = wake_ms;
        return;
    }
    size_t len_bytes = tap_modbus_ask(&plant.line, &request, frame);
    board_bus_write(frame, len_bytes);
    plant.deadline_ms = board_uptime_ms() + timeout_ms + answer_ms(request.n_registers);
    plant.is_asked = true;
}

uint32_t app_plant_step(void)
{
    if (plant.collector == NULL) {
        return FW_NEVER_MS;
    }
    /* While batches are carried to a new stream nothing is asked, and an answer stays where it is. */
    if (!fw_collector_is_ready(plant.collector)) {
        return FW_NEVER_MS;
    }
    judge();
    if (!plant.is_asked && board_uptime_ms() >= plant.ask_at_ms) {
        ask();
    }
    const uint64_t now_ms = board_uptime_ms();
    const uint64_t next_ms = plant.is_asked ? plant.deadline_ms : plant.ask_at_ms;
    const uint64_t left_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    return left_ms < FW_NEVER_MS ? (uint32_t)left_ms : FW_NEVER_MS;
}
