/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/sunspec/sunspec_internal.h"
#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <string.h>

enum { COUNT_OF_POINT = 255, NOT_IMPLEMENTED = 0xFFFF };

static const uint16_t NO_SCALE = 0x8000;

const struct tap_sunspec_model *tap_sunspec_model(uint16_t id)
{
    for (size_t i = 0; i < TAP_SUNSPEC_N_MODELS; i++) {
        if (TAP_SUNSPEC_MODELS[i].id == id) {
            return &TAP_SUNSPEC_MODELS[i];
        }
    }
    return NULL;
}

void tap_sunspec_walk(struct tap_sunspec_walk *walk, const struct tap_sunspec_model *model,
                      const uint16_t *registers, uint16_t n_registers)
{
    memset(walk, 0, sizeof *walk);
    walk->model = model;
    walk->registers = registers;
    walk->n_registers = n_registers;
}

/* How often the group is there. One that is there until the model ends is left at its end. */
static uint16_t repetitions(const struct tap_sunspec_walk *walk, const struct tap_sunspec_item *group)
{
    if (group->count == 0) {
        return walk->at < walk->n_registers ? UINT16_MAX : 0;
    }
    if (group->count != COUNT_OF_POINT) {
        return group->count;
    }
    uint16_t count = group->reference < walk->n_registers ? walk->registers[group->reference] : 0;
    return count == NOT_IMPLEMENTED ? 0 : count;
}

static void begin_group(struct tap_sunspec_walk *walk, const struct tap_sunspec_item *group)
{
    uint16_t count = repetitions(walk, group);
    if (count == 0) {
        walk->item = (uint16_t)(group->pair + 1);
        return;
    }
    HR_ASSERT(walk->depth < TAP_SUNSPEC_DEPTH_MAX);
    walk->group[walk->depth] = group;
    walk->index[walk->depth] = 1;
    walk->count[walk->depth] = count;
    walk->depth++;
    walk->item++;
}

static void end_group(struct tap_sunspec_walk *walk, const struct tap_sunspec_item *end)
{
    HR_ASSERT(walk->depth > 0);
    size_t inner = walk->depth - 1U;
    if (walk->index[inner] < walk->count[inner] && walk->at < walk->n_registers) {
        walk->index[inner]++;
        walk->item = (uint16_t)(end->pair + 1);
    } else {
        walk->depth--;
        walk->item++;
    }
}

/* A point that is there as a whole: its value, and the walk goes on behind it. */
static void take_point(struct tap_sunspec_walk *walk, const struct tap_sunspec_item *point,
                       struct tap_sunspec_value *value)
{
    const uint16_t *scale = NULL;
    if (point->reference != 0) {
        scale = point->reference < walk->n_registers ? &walk->registers[point->reference] : &NO_SCALE;
    }
    value->point = point;
    value->registers = &walk->registers[walk->at];
    value->at = walk->at;
    value->depth = walk->depth;
    memcpy(value->group, walk->group, sizeof value->group);
    memcpy(value->index, walk->index, sizeof value->index);
    if (point->type != TAP_SUNSPEC_PAD) {
        tap_sunspec_read(value, scale);
    }
    walk->at = (uint16_t)(walk->at + point->n_registers);
    walk->item++;
}

bool tap_sunspec_next(struct tap_sunspec_walk *walk, struct tap_sunspec_value *value)
{
    while (walk->item < walk->model->n_items) {
        const struct tap_sunspec_item *item = &walk->model->items[walk->item];
        if (item->type == TAP_SUNSPEC_GROUP) {
            begin_group(walk, item);
        } else if (item->type == TAP_SUNSPEC_END) {
            end_group(walk, item);
        } else if ((uint32_t)walk->at + item->n_registers > walk->n_registers) {
            return false;
        } else {
            take_point(walk, item, value);
            if (item->type != TAP_SUNSPEC_PAD) {
                return true;
            }
        }
    }
    return false;
}

static void put_index(struct hr_writer *writer, uint16_t index)
{
    char digits[5];
    size_t n_digits = 0;
    do {
        digits[n_digits++] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    hr_write_u8(writer, '[');
    while (n_digits > 0) {
        hr_write_u8(writer, (uint8_t)digits[--n_digits]);
    }
    hr_write_u8(writer, ']');
}

void tap_sunspec_name(const struct tap_sunspec_value *value, char out[TAP_SUNSPEC_NAME_MAX_BYTES])
{
    struct hr_writer writer = hr_writer_over(out, TAP_SUNSPEC_NAME_MAX_BYTES);
    for (size_t i = 0; i < value->depth; i++) {
        hr_write_raw(&writer, value->group[i]->name, strlen(value->group[i]->name));
        if (value->group[i]->count != 1) {
            put_index(&writer, value->index[i]);
        }
        hr_write_u8(&writer, '.');
    }
    hr_write_raw(&writer, value->point->name, strlen(value->point->name) + 1);
    HR_ASSERT(hr_writer_ok(&writer)); /* tools/sunspec/tables bounds the names */
}
