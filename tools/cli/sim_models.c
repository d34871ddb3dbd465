/* SPDX-License-Identifier: Apache-2.0
 *
 * A device that has every SunSpec model there is a table of, with seeded values in all their points: what a
 * reader of all of them is held against. */
#include "firmware/taps/sunspec/tap_sunspec.h"
#include "proto/base/assert.h"
#include "tools/cli/sim_plant.h"

#include <string.h>

enum {
    END_MODEL = 0xFFFF,
    REPETITIONS = 2,           /* of groups that have no number of their own */
    COUNT_IS_AS_LONG = 0,      /* struct tap_sunspec_item, count */
    COUNT_IS_REFERENCED = 255, /* likewise */
    SCALES = 7,                /* -3 to 3 */
    NOTHING_IN = 8,            /* one point of so many is not implemented */
    FIRST_LETTER = 'A',
    LETTERS = 26,
    FLOAT_EXPONENT = 0x4280, /* 64 to 128 */
};

static const uint16_t MODELS[] = {1,   101, 102, 103, 111, 112, 113, 120, 121, 122, 123,
                                  124, 160, 201, 202, 203, 204, 701, 702, 703, 704, 705,
                                  706, 707, 708, 709, 710, 711, 712, 713, 714, 715, 802};

struct writer {
    struct sim_plant_device *device;
    uint64_t state;
    size_t start; /* of the model */
    size_t at;
};

/* splitmix64 */
static uint64_t draw(struct writer *writer)
{
    writer->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t x = writer->state;
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static uint64_t some_symbol(struct writer *writer, const struct tap_sunspec_item *item)
{
    const bool is_bits = item->type == TAP_SUNSPEC_BITFIELD16 || item->type == TAP_SUNSPEC_BITFIELD32 ||
                         item->type == TAP_SUNSPEC_BITFIELD64;
    if (item->n_symbols == 0) {
        return draw(writer) & 0x7F;
    }
    const uint32_t value = item->symbols[draw(writer) % item->n_symbols].value;
    return is_bits ? UINT64_C(1) << (value & 63) : value;
}

static uint64_t some_value(struct writer *writer, const struct tap_sunspec_item *item)
{
    switch ((enum tap_sunspec_type)item->type) {
    case TAP_SUNSPEC_ENUM16:
    case TAP_SUNSPEC_ENUM32:
    case TAP_SUNSPEC_BITFIELD16:
    case TAP_SUNSPEC_BITFIELD32:
    case TAP_SUNSPEC_BITFIELD64:
        return some_symbol(writer, item);
    case TAP_SUNSPEC_SUNSSF:
        return draw(writer) % SCALES - SCALES / 2;
    case TAP_SUNSPEC_COUNT:
        return REPETITIONS;
    case TAP_SUNSPEC_FLOAT32:
        return (uint64_t)FLOAT_EXPONENT << 16 | (draw(writer) & 0x7FFFFF);
    case TAP_SUNSPEC_INT16:
    case TAP_SUNSPEC_INT32:
    case TAP_SUNSPEC_INT64:
    case TAP_SUNSPEC_UINT16:
    case TAP_SUNSPEC_UINT32:
    case TAP_SUNSPEC_UINT64:
    case TAP_SUNSPEC_ACC16:
    case TAP_SUNSPEC_ACC32:
    case TAP_SUNSPEC_ACC64:
    case TAP_SUNSPEC_STRING:
    case TAP_SUNSPEC_PAD:
    case TAP_SUNSPEC_GROUP:
    case TAP_SUNSPEC_END:
        break;
    }
    return draw(writer);
}

static void put_point(struct writer *writer, const struct tap_sunspec_item *item)
{
    HR_ASSERT(writer->at + item->n_registers <= SIM_PLANT_REGISTERS);
    uint16_t *registers = &writer->device->registers[writer->at];
    const bool can_be_nothing = item->type != TAP_SUNSPEC_COUNT;
    cli_plant_put_nothing(registers, item);
    writer->at += item->n_registers;
    if (item->type == TAP_SUNSPEC_PAD || (can_be_nothing && draw(writer) % NOTHING_IN == 0)) {
        return;
    }
    if (item->type == TAP_SUNSPEC_STRING) {
        const size_t n_letters = draw(writer) % ((uint64_t)2 * item->n_registers) + 1;
        for (size_t i = 0; i < n_letters; i++) {
            const uint16_t letter = (uint16_t)(FIRST_LETTER + draw(writer) % LETTERS);
            registers[i / 2] = (uint16_t)(registers[i / 2] | letter << (i % 2 == 0 ? 8 : 0));
        }
        return;
    }
    cli_plant_put(registers, item->n_registers, some_value(writer, item));
}

/* How often the group is there; where the model says it in a register, that is written. */
static uint16_t begin_group(struct writer *writer, const struct tap_sunspec_item *group)
{
    if (group->count == COUNT_IS_REFERENCED) {
        writer->device->registers[writer->start + group->reference] = REPETITIONS;
    }
    return group->count == COUNT_IS_REFERENCED || group->count == COUNT_IS_AS_LONG ? REPETITIONS
                                                                                   : group->count;
}

static void put_points(struct writer *writer, const struct tap_sunspec_model *model)
{
    uint16_t left[TAP_SUNSPEC_DEPTH_MAX] = {0};
    size_t depth = 0;
    size_t i = 0;
    while (i < model->n_items) {
        const struct tap_sunspec_item *item = &model->items[i];
        if (item->type == TAP_SUNSPEC_GROUP) {
            HR_ASSERT(depth < TAP_SUNSPEC_DEPTH_MAX);
            left[depth++] = begin_group(writer, item);
        } else if (item->type != TAP_SUNSPEC_END) {
            put_point(writer, item);
        } else {
            HR_ASSERT(depth > 0);
            bool is_again = --left[depth - 1] > 0;
            i = is_again ? item->pair : i; /* where the group begins; its first point is next */
            depth -= is_again ? 0 : 1;
        }
        i++;
    }
}

void cli_plant_add_models(struct sim_plant *plant)
{
    HR_ASSERT(plant->n_devices < SIM_PLANT_DEVICES_MAX);
    struct sim_plant_device *device = &plant->devices[plant->n_devices++];
    *device = (struct sim_plant_device){
        .kind = SIM_PLANT_MODELS, .unit = (uint8_t)plant->n_devices, .registers = {0x5375, 0x6E53}};
    struct writer writer = {.device = device, .state = plant->seed, .at = 2};
    for (size_t i = 0; i < HR_ARRAY_LEN(MODELS); i++) {
        writer.start = writer.at;
        put_points(&writer, tap_sunspec_model(MODELS[i]));
        device->registers[writer.start] = MODELS[i];
        device->registers[writer.start + 1] =
            (uint16_t)(writer.at - writer.start - TAP_SUNSPEC_HEAD_REGISTERS);
    }
    HR_ASSERT(writer.at + 2 <= SIM_PLANT_REGISTERS);
    device->registers[writer.at++] = END_MODEL;
    device->registers[writer.at++] = 0;
    device->n_registers = (uint16_t)writer.at;
}
