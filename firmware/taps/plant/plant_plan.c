/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/plant/plant_internal.h"
#include "proto/base/assert.h"

#include <string.h>

enum { ADDRESSES = 65536 };

static bool is_together(const struct plant_point *a, const struct plant_point *b)
{
    return a->device == b->device && a->table == b->table && a->interval_ms == b->interval_ms;
}

/* Whether b may stand behind a in the list. */
static bool is_ordered(const struct plant_point *a, const struct plant_point *b)
{
    if (a->device != b->device) {
        return a->device < b->device;
    }
    if (a->table != b->table) {
        return a->table < b->table;
    }
    return a->interval_ms != b->interval_ms ? a->interval_ms < b->interval_ms : a->address <= b->address;
}

/* A number: text can't be a Sample. */
static bool is_number(const struct tap_sunspec_item *item)
{
    return item->type <= TAP_SUNSPEC_FLOAT32 && item->n_registers >= 1 && item->n_registers <= 4;
}

static bool is_sound(const struct plant_memory *memory, size_t i)
{
    const struct plant_point *point = &memory->points[i];
    uint32_t n_registers = point->item->n_registers;
    if (point->device >= memory->n_devices || point->interval_ms == 0 || !is_number(point->item) ||
        point->address + n_registers > ADDRESSES) {
        return false;
    }
    if (point->scale_point != PLANT_NO_POINT &&
        (point->scale_point >= memory->n_points ||
         memory->points[point->scale_point].item->type != TAP_SUNSPEC_SUNSSF)) {
        return false;
    }
    return i == 0 || is_ordered(&memory->points[i - 1], point);
}

/* The point is read with those before it: its registers begin in theirs or right behind them, and all fit. */
static bool joins(const struct plant *plant, const struct plant_read *read, const struct plant_point *point)
{
    uint32_t end = (uint32_t)point->address + point->item->n_registers;
    return is_together(&plant->points[read->first_point], point) &&
           point->address <= (uint32_t)read->address + read->n_registers &&
           end - read->address <= TAP_MODBUS_READ_MAX_REGISTERS;
}

struct hr_status plant_init(struct plant *plant, const struct plant_memory *memory,
                            const struct plant_sink *sink, uint64_t now_ms)
{
    HR_ASSERT(memory->reads != NULL);
    memset(plant, 0, sizeof *plant);
    plant->devices = memory->devices;
    plant->points = memory->points;
    plant->reads = memory->reads;
    plant->n_devices = memory->n_devices;
    plant->n_points = memory->n_points;
    plant->current = PLANT_NO_POINT;
    plant->sink = *sink;
    for (size_t i = 0; i < memory->n_devices; i++) {
        memory->devices[i] = (struct plant_device){.config = memory->devices[i].config,
                                                   .open_ms = memory->devices[i].config.open_ms};
    }
    for (uint16_t i = 0; i < memory->n_points; i++) {
        struct plant_point *point = &memory->points[i];
        if (!is_sound(memory, i)) {
            return hr_status_of(HR_MALFORMED);
        }
        point->is_read = false;
        point->is_reported = false;
        struct plant_read *read = plant->n_reads == 0 ? NULL : &plant->reads[plant->n_reads - 1];
        if (read == NULL || !joins(plant, read, point)) {
            if (plant->n_reads == memory->n_reads) {
                return hr_status_of(HR_FULL);
            }
            read = &plant->reads[plant->n_reads++];
            *read = (struct plant_read){.first_point = i, .address = point->address, .due_ms = now_ms};
        }
        uint32_t reach = (uint32_t)point->address + point->item->n_registers - read->address;
        read->n_registers = reach > read->n_registers ? (uint16_t)reach : read->n_registers;
        read->n_points++;
    }
    return hr_ok();
}
