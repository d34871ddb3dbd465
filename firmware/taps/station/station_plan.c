/* SPDX-License-Identifier: Apache-2.0
 *
 * The points of a device that somebody wants, in the order that the poll engine reads them in. */
#include "firmware/taps/station/station_internal.h"
#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <string.h>

enum {
    REGISTER_BITS = 16,
    HOLE_MOST_REGISTERS = 32,
    FILL_REGISTERS = 4,
    MODEL_TEXT_BYTES = 8,
    FULL_NAME_BYTES = MODEL_TEXT_BYTES + TAP_SUNSPEC_NAME_MAX_BYTES
};

bool station_matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *retry = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

/* "103.W", or "103" for a NULL point. */
static void full_name(uint16_t model, const char *point, char out[FULL_NAME_BYTES])
{
    struct hr_writer writer = hr_writer_over(out, FULL_NAME_BYTES);
    char digits[5];
    size_t n_digits = 0;
    do {
        digits[n_digits++] = (char)('0' + model % 10);
        model /= 10;
    } while (model > 0);
    while (n_digits > 0) {
        hr_write_u8(&writer, (uint8_t)digits[--n_digits]);
    }
    if (point != NULL) {
        hr_write_u8(&writer, '.');
        hr_write_raw(&writer, point, strlen(point));
    }
    hr_write_u8(&writer, 0);
    HR_ASSERT(hr_writer_ok(&writer));
}

bool station_plan_wants(const struct station_device *device, uint16_t model)
{
    char id[FULL_NAME_BYTES];
    full_name(model, NULL, id);
    for (uint32_t i = 0; i < device->config.n_groups; i++) {
        const struct station_group *group = device->config.groups[i];
        for (uint32_t k = 0; k < group->n_patterns; k++) {
            char of_model[STATION_PATTERN_MAX_CHARS + 1];
            size_t len = strcspn(group->patterns[k], ".");
            HR_ASSERT(len < sizeof of_model);
            memcpy(of_model, group->patterns[k], len);
            of_model[len] = '\0';
            if (station_matches(of_model, id)) {
                return true;
            }
        }
    }
    return false;
}

/* The first group that wants it; NULL: none. */
static const struct station_group *group_of(const struct station_device *device, const char *name)
{
    for (uint32_t i = 0; i < device->config.n_groups; i++) {
        const struct station_group *group = device->config.groups[i];
        for (uint32_t k = 0; k < group->n_patterns; k++) {
            if (station_matches(group->patterns[k], name)) {
                return group;
            }
        }
    }
    return NULL;
}

static bool is_before(const struct plant_point *a, const struct plant_point *b)
{
    if (a->table != b->table) {
        return a->table < b->table;
    }
    return a->interval_ms != b->interval_ms ? a->interval_ms < b->interval_ms : a->address < b->address;
}

static bool is_scale_at(const struct plant_point *point, enum tap_modbus_table table, uint32_t interval_ms,
                        uint16_t address)
{
    return point->item->type == TAP_SUNSPEC_SUNSSF && point->table == table &&
           point->interval_ms == interval_ms && point->address == address;
}

/* The point with that scale factor, or PLANT_NO_POINT. */
static uint16_t find_scale(const struct station_device *device, const struct plant_point *point,
                           uint16_t address)
{
    for (uint16_t i = 0; i < device->n_points; i++) {
        if (is_scale_at(&device->memory.points[i], point->table, point->interval_ms, address)) {
            return i;
        }
    }
    return PLANT_NO_POINT;
}

static void insert(struct station_device *device, const struct plant_point *point,
                   const struct station_channel *channel)
{
    struct station_memory *memory = &device->memory;
    uint16_t at = device->n_points;
    if (at == memory->capacity) {
        device->n_left_out++;
        return;
    }
    while (at > 0 && is_before(point, &memory->points[at - 1])) {
        at--;
    }
    size_t n_behind = (size_t)(device->n_points - at);
    memmove(&memory->points[at + 1], &memory->points[at], n_behind * sizeof *memory->points);
    memmove(&memory->channels[at + 1], &memory->channels[at], n_behind * sizeof *memory->channels);
    memory->points[at] = *point;
    memory->channels[at] = *channel;
    device->n_points++;
}

static struct plant_point point_in(const struct station_group *group, enum tap_modbus_table table,
                                   uint16_t address, const struct tap_sunspec_item *item)
{
    return (struct plant_point){
        .address = address,
        .table = table,
        .item = item,
        .scale_point = PLANT_NO_POINT,
        .interval_ms = group->interval_ms,
        .dead_band = group->dead_band,
        .silence_ms = group->silence_ms,
        .is_each = group->is_each,
    };
}

static const struct tap_sunspec_item SCALE_FACTOR = {
    .name = "", .unit = "", .type = TAP_SUNSPEC_SUNSSF, .n_registers = 1};

static enum station_kind kind_of(const struct tap_sunspec_item *item)
{
    switch (item->type) {
    case TAP_SUNSPEC_ACC16:
    case TAP_SUNSPEC_ACC32:
    case TAP_SUNSPEC_ACC64:
        return STATION_ACCUMULATOR;
    case TAP_SUNSPEC_ENUM16:
    case TAP_SUNSPEC_ENUM32:
        return STATION_ENUMERATION;
    case TAP_SUNSPEC_BITFIELD16:
    case TAP_SUNSPEC_BITFIELD32:
    case TAP_SUNSPEC_BITFIELD64:
        return STATION_BITFIELD;
    default:
        return STATION_MEASUREMENT;
    }
}

static struct station_channel channel_of(const struct tap_sunspec_item *item, const char *name,
                                         enum station_kind kind)
{
    struct station_channel channel = {.unit = item->unit, .kind = kind, .symbols = ""};
    size_t len = strlen(name);
    len = len < sizeof channel.point ? len : sizeof channel.point - 1;
    memcpy(channel.point, name, len);
    channel.width_bits = kind == STATION_ACCUMULATOR ? (uint8_t)(item->n_registers * REGISTER_BITS) : 0;
    return channel;
}

static void add_value(struct station_device *device, const struct tap_sunspec_found *found,
                      const struct tap_sunspec_value *value)
{
    char name[TAP_SUNSPEC_NAME_MAX_BYTES];
    char full[FULL_NAME_BYTES];
    const struct tap_sunspec_item *item = value->point;
    tap_sunspec_name(value, name);
    full_name(found->id, name, full);
    const struct station_group *group = group_of(device, full);
    if (group == NULL) {
        return;
    }
    struct plant_point point =
        point_in(group, TAP_MODBUS_HOLDING, (uint16_t)(found->address + value->at), item);
    struct station_channel channel = channel_of(item, name, kind_of(item));
    channel.model = found->id;
    channel.is_scaled = item->reference != 0 && item->reference < found->n_registers;
    channel.scale_address = (uint16_t)(found->address + item->reference);
    bool wants_scale =
        channel.is_scaled && find_scale(device, &point, channel.scale_address) == PLANT_NO_POINT;
    if (device->n_points + (wants_scale ? 2 : 1) > device->memory.capacity) {
        device->n_left_out++; /* without its scale factor it would be read as if it had none */
        return;
    }
    insert(device, &point, &channel);
    if (wants_scale) {
        struct plant_point scale = point_in(group, TAP_MODBUS_HOLDING, channel.scale_address, &SCALE_FACTOR);
        scale.is_hidden = true;
        insert(device, &scale, &(struct station_channel){.unit = "", .symbols = ""});
    }
}

static const struct tap_sunspec_item FILLER[] = {
    {.name = "", .unit = "", .type = TAP_SUNSPEC_UINT16, .n_registers = 1},
    {.name = "", .unit = "", .type = TAP_SUNSPEC_UINT32, .n_registers = 2},
    {.name = "", .unit = "", .type = TAP_SUNSPEC_UINT32, .n_registers = 3},
    {.name = "", .unit = "", .type = TAP_SUNSPEC_UINT64, .n_registers = FILL_REGISTERS},
};

/* Registers between two points of a model are read with them, where there are few: the whole model was read a
 * moment ago, so the device does not refuse them, and one request costs more than they do. */
static void fill_holes(struct station_device *device, const struct tap_sunspec_found *found)
{
    const struct station_channel nothing = {.unit = "", .symbols = ""};
    uint32_t model_end = (uint32_t)found->address + found->n_registers;
    uint32_t end = 0;
    for (uint16_t i = 0; i < device->n_points; i++) {
        struct plant_point point = device->memory.points[i];
        bool is_first = i == 0 || device->memory.points[i - 1].interval_ms != point.interval_ms;
        if (point.address < found->address || point.address >= model_end) {
            end = 0;
            continue;
        }
        uint32_t hole = is_first || end == 0 || point.address <= end ? 0 : point.address - end;
        if (hole > 0 && hole <= HOLE_MOST_REGISTERS && device->n_points < device->memory.capacity) {
            uint32_t n_registers = hole < FILL_REGISTERS ? hole : FILL_REGISTERS;
            point.address = (uint16_t)end;
            point.item = &FILLER[n_registers - 1];
            point.scale_point = PLANT_NO_POINT;
            point.is_hidden = true;
            insert(device, &point,
                   &nothing); /* it comes to stand here, before the point that was looked at */
        }
        end = (is_first ? 0 : end) > (uint32_t)point.address + point.item->n_registers
                  ? end
                  : (uint32_t)point.address + point.item->n_registers;
    }
}

void station_plan_add_model(struct station_device *device, const struct tap_sunspec_found *found,
                            const uint16_t *registers, uint16_t n_registers)
{
    struct tap_sunspec_walk walk;
    struct tap_sunspec_value value;
    tap_sunspec_walk(&walk, tap_sunspec_model(found->id), registers, n_registers);
    while (tap_sunspec_next(&walk, &value)) {
        if (value.at >= TAP_SUNSPEC_HEAD_REGISTERS && value.point->type < TAP_SUNSPEC_STRING &&
            value.point->type != TAP_SUNSPEC_SUNSSF) {
            add_value(device, found, &value);
        }
    }
    fill_holes(device, found);
}

struct hr_status station_plan_add_map(struct station_device *device)
{
    for (uint32_t i = 0; i < device->config.n_map; i++) {
        const struct station_register *row = &device->config.map[i];
        const struct station_group *group = group_of(device, row->item.name);
        if (group == NULL) {
            continue;
        }
        struct plant_point point = point_in(group, row->table, row->address, &row->item);
        struct station_channel channel = channel_of(&row->item, row->item.name, row->kind);
        channel.map_scale = row->scale;
        channel.symbols = row->symbols;
        insert(device, &point, &channel);
    }
    return device->n_left_out == 0 ? hr_ok() : hr_status_of(HR_MALFORMED);
}

void station_plan_clear(struct station_device *device)
{
    device->has_plan = false;
    device->n_points = 0;
    device->n_left_out = 0;
}

/* Numbers the channels: as before where they fit, so that a device that changes often uses up none. False:
 * there are not as many left. */
static bool number_channels(struct station_device *device)
{
    uint32_t *next = device->line->config.next_channel;
    uint32_t n_wanted = 0;
    for (uint16_t i = 0; i < device->n_points; i++) {
        n_wanted += device->memory.points[i].is_hidden ? 0 : 1;
    }
    device->n_shown = n_wanted;
    if (n_wanted > device->n_channels) {
        if (n_wanted > STATION_CHANNEL_MAX - *next) {
            return false;
        }
        device->first_channel = *next + 1;
        device->n_channels = n_wanted;
        *next += n_wanted;
    }
    uint32_t number = device->first_channel;
    for (uint16_t i = 0; i < device->n_points; i++) {
        if (!device->memory.points[i].is_hidden) {
            device->memory.channels[i].number = number++;
        }
    }
    return true;
}

struct hr_status station_plan_start(struct station_device *device, uint64_t now_ms)
{
    struct station_memory *memory = &device->memory;
    if (!number_channels(device)) {
        device->n_left_out = (uint16_t)(device->n_left_out + device->n_points);
        device->n_points = 0;
        device->n_shown = 0;
    }
    for (uint16_t i = 0; i < device->n_points; i++) {
        const struct station_channel *channel = &memory->channels[i];
        if (channel->is_scaled) {
            memory->points[i].scale_point = find_scale(device, &memory->points[i], channel->scale_address);
        }
    }
    const struct plant_memory of_plant = {
        .devices = &device->plant_device,
        .n_devices = 1,
        .points = memory->points,
        .n_points = device->n_points,
        .reads = memory->reads,
        .n_reads = memory->capacity,
    };
    uint64_t counter[PLANT_N_COUNTERS];
    memcpy(counter, device->plant.counter, sizeof counter);
    device->plant_device.config = device->config.line;
    HR_TRY(plant_init(&device->plant, &of_plant, &(struct plant_sink){station_take_sample, device}, now_ms));
    memcpy(device->plant.counter, counter, sizeof counter);
    device->has_plan = true;
    station_say(device, STATION_FOUND, device->n_shown);
    if (device->n_left_out > 0) {
        station_say(device, STATION_FULL, device->n_left_out);
    }
    return hr_ok();
}
