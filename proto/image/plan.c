/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/image/plan.h"
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"
#include "proto/image/internal.h"

enum {
    FLAG_EACH = 1,
    UNIT_MAX = 247, /* of a serial line */
    TABLE_HOLDING = 3,
    TABLE_INPUT = 4,
    ADDRESSES = 65536,
    INTERVAL_MIN_MS = 100,
    INTERVAL_MAX_MS = 24 * 60 * 60 * 1000,
    TIMEOUT_MIN_MS = 10,
};

uint8_t image_register_count(uint8_t type)
{
    static const uint8_t counts[IMAGE_N_REGISTERS] = {
        [IMAGE_INT16] = 1,      [IMAGE_INT32] = 2,      [IMAGE_INT64] = 4,   [IMAGE_UINT16] = 1,
        [IMAGE_UINT32] = 2,     [IMAGE_UINT64] = 4,     [IMAGE_ACC16] = 1,   [IMAGE_ACC32] = 2,
        [IMAGE_ACC64] = 4,      [IMAGE_ENUM16] = 1,     [IMAGE_ENUM32] = 2,  [IMAGE_BITFIELD16] = 1,
        [IMAGE_BITFIELD32] = 2, [IMAGE_BITFIELD64] = 4, [IMAGE_FLOAT32] = 2, [IMAGE_SUNSSF] = 1,
    };
    return type < IMAGE_N_REGISTERS ? counts[type] : 0;
}

/* ---- what is in range ---- */

static bool text_ok(struct hr_bytes text, size_t least_chars, size_t most_chars)
{
    if (text.len_bytes < least_chars || text.len_bytes > most_chars) {
        return false;
    }
    for (size_t i = 0; i < text.len_bytes; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool unit_ok(const struct image_plan_unit *unit)
{
    return unit->unit >= 1 && unit->unit <= UNIT_MAX && unit->timeout_ms >= TIMEOUT_MIN_MS &&
           unit->n_failures >= 1 && unit->open_s >= 1 && unit->open_max_s >= unit->open_s &&
           text_ok(unit->name, 1, IMAGE_PLAN_NAME_MAX_CHARS);
}

static bool point_ok(const struct image_plan_point *point)
{
    uint8_t n_registers = image_register_count(point->type);
    return (point->table == TABLE_HOLDING || point->table == TABLE_INPUT) && n_registers != 0 &&
           (uint32_t)point->address + n_registers <= ADDRESSES && point->scale >= -IMAGE_PLAN_SCALE_MOST &&
           point->scale <= IMAGE_PLAN_SCALE_MOST && point->interval_ms >= INTERVAL_MIN_MS &&
           point->interval_ms <= INTERVAL_MAX_MS && text_ok(point->name, 1, IMAGE_PLAN_NAME_MAX_CHARS) &&
           text_ok(point->measure, 0, IMAGE_PLAN_MEASURE_MAX_CHARS);
}

static bool counts_ok(uint32_t baud, uint8_t n_units, uint8_t n_points)
{
    return baud >= IMAGE_PLAN_BAUD_MIN && baud <= IMAGE_PLAN_BAUD_MAX && n_units >= 1 &&
           n_units <= IMAGE_PLAN_MAX_UNITS && n_points >= 1 && n_points <= IMAGE_PLAN_MAX_POINTS;
}

bool image_plan_point_follows(const struct image_plan_front *front, const struct image_plan_point *before,
                              const struct image_plan_point *point)
{
    if (point->unit_index >= front->n_units ||
        (point->scale_point != IMAGE_PLAN_NO_SCALE && point->scale_point >= front->n_points)) {
        return false;
    }
    if (before == NULL || before->unit_index != point->unit_index) {
        return before == NULL || before->unit_index < point->unit_index;
    }
    if (before->table != point->table) {
        return before->table < point->table;
    }
    return before->interval_ms != point->interval_ms ? before->interval_ms < point->interval_ms
                                                     : before->address <= point->address;
}

/* ---- reading ---- */

struct hr_status image_plan_front_decode(const uint8_t bytes[IMAGE_PLAN_FRONT_BYTES],
                                         struct image_plan_front *out)
{
    struct image_head head;
    HR_TRY(image_head_decode(hr_bytes_of(bytes, IMAGE_HEAD_BYTES), &head));
    if (head.kind != IMAGE_PLAN) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct hr_reader reader =
        hr_reader_over(hr_bytes_of(bytes + IMAGE_HEAD_BYTES, IMAGE_PLAN_FRONT_BYTES - IMAGE_HEAD_BYTES));
    uint32_t baud = hr_read_u32(&reader);
    uint8_t n_units = hr_read_u8(&reader);
    uint8_t n_points = hr_read_u8(&reader);
    if (!counts_ok(baud, n_units, n_points)) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = (struct image_plan_front){head.sequence, head.len_bytes, baud, n_units, n_points};
    return hr_ok();
}

static struct hr_bytes read_text(struct hr_reader *reader)
{
    return hr_read_slice(reader, hr_read_u8(reader));
}

struct hr_status image_plan_unit_decode(struct hr_reader *reader, struct image_plan_unit *out)
{
    struct image_plan_unit unit;
    unit.unit = hr_read_u8(reader);
    unit.timeout_ms = hr_read_u16(reader);
    unit.n_retries = hr_read_u8(reader);
    unit.backoff_ms = hr_read_u16(reader);
    unit.n_failures = hr_read_u8(reader);
    unit.open_s = hr_read_u16(reader);
    unit.open_max_s = hr_read_u16(reader);
    unit.name = read_text(reader);
    if (!hr_reader_ok(reader) || !unit_ok(&unit)) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = unit;
    return hr_ok();
}

struct hr_status image_plan_point_decode(struct hr_reader *reader, struct image_plan_point *out)
{
    struct image_plan_point point;
    point.unit_index = hr_read_u8(reader);
    point.table = hr_read_u8(reader);
    point.type = hr_read_u8(reader);
    uint8_t flags = hr_read_u8(reader);
    point.is_each = (flags & FLAG_EACH) != 0;
    point.address = hr_read_u16(reader);
    point.model = hr_read_u16(reader);
    point.scale_point = hr_read_u8(reader);
    point.scale = (int8_t)hr_read_u8(reader);
    point.interval_ms = hr_read_u32(reader);
    point.dead_band = hr_read_u32(reader);
    point.silence_ms = hr_read_u32(reader);
    point.name = read_text(reader);
    point.measure = read_text(reader);
    if (!hr_reader_ok(reader) || (flags & ~(unsigned)FLAG_EACH) != 0 || !point_ok(&point)) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = point;
    return hr_ok();
}

/* ---- writing ---- */

static void write_text(struct hr_writer *writer, struct hr_bytes text)
{
    hr_write_u8(writer, (uint8_t)text.len_bytes);
    hr_write_raw(writer, text.data, text.len_bytes);
}

static void write_unit(struct hr_writer *writer, const struct image_plan_unit *unit)
{
    hr_write_u8(writer, unit->unit);
    hr_write_u16(writer, unit->timeout_ms);
    hr_write_u8(writer, unit->n_retries);
    hr_write_u16(writer, unit->backoff_ms);
    hr_write_u8(writer, unit->n_failures);
    hr_write_u16(writer, unit->open_s);
    hr_write_u16(writer, unit->open_max_s);
    write_text(writer, unit->name);
}

static void write_point(struct hr_writer *writer, const struct image_plan_point *point)
{
    hr_write_u8(writer, point->unit_index);
    hr_write_u8(writer, point->table);
    hr_write_u8(writer, point->type);
    hr_write_u8(writer, point->is_each ? FLAG_EACH : 0);
    hr_write_u16(writer, point->address);
    hr_write_u16(writer, point->model);
    hr_write_u8(writer, point->scale_point);
    hr_write_u8(writer, (uint8_t)point->scale);
    hr_write_u32(writer, point->interval_ms);
    hr_write_u32(writer, point->dead_band);
    hr_write_u32(writer, point->silence_ms);
    write_text(writer, point->name);
    write_text(writer, point->measure);
}

static bool units_ok(const struct image_plan *plan)
{
    for (size_t i = 0; i < plan->n_units; i++) {
        for (size_t j = 0; j < i; j++) {
            if (plan->units[j].unit == plan->units[i].unit) {
                return false;
            }
        }
        if (!unit_ok(&plan->units[i])) {
            return false;
        }
    }
    return true;
}

static bool points_ok(const struct image_plan *plan)
{
    const struct image_plan_front front = {.n_units = plan->n_units, .n_points = plan->n_points};
    for (size_t i = 0; i < plan->n_points; i++) {
        const struct image_plan_point *point = &plan->points[i];
        if (!point_ok(point) || !image_plan_point_follows(&front, i == 0 ? NULL : point - 1, point)) {
            return false;
        }
        if (point->scale_point == IMAGE_PLAN_NO_SCALE) {
            continue;
        }
        const struct image_plan_point *scale = &plan->points[point->scale_point];
        if (scale->type != IMAGE_SUNSSF || scale->unit_index != point->unit_index) {
            return false;
        }
    }
    return true;
}

struct hr_status image_plan_encode(const struct image_plan *plan, uint8_t *out, size_t capacity_bytes,
                                   size_t *len_bytes)
{
    size_t room_bytes = capacity_bytes < IMAGE_PLAN_MAX_BYTES ? capacity_bytes : IMAGE_PLAN_MAX_BYTES;
    struct hr_writer writer = hr_writer_over(out, room_bytes);
    struct image_head head = {IMAGE_PLAN, 0, plan->sequence};
    if (plan->sequence == 0 || !counts_ok(plan->baud, plan->n_units, plan->n_points) || !units_ok(plan) ||
        !points_ok(plan)) {
        return hr_status_of(HR_MALFORMED);
    }
    image_head_write(&writer, &head);
    hr_write_u32(&writer, plan->baud);
    hr_write_u8(&writer, plan->n_units);
    hr_write_u8(&writer, plan->n_points);
    for (size_t i = 0; i < plan->n_units; i++) {
        write_unit(&writer, &plan->units[i]);
    }
    for (size_t i = 0; i < plan->n_points; i++) {
        write_point(&writer, &plan->points[i]);
    }
    hr_write_u32(&writer, 0);
    if (!hr_writer_ok(&writer)) {
        return hr_status_of(HR_FULL);
    }
    *len_bytes = image_page_close(&head, out, writer.at);
    return hr_ok();
}
