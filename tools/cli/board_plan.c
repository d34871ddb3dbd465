/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/board_plan.h"
#include "tools/cli/board_plan_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct compiled {
    struct image_plan_unit units[IMAGE_PLAN_MAX_UNITS];
    struct image_plan_point points[IMAGE_PLAN_MAX_POINTS];
    const struct plan_point *origin[IMAGE_PLAN_MAX_POINTS]; /* of points, in their order */
    uint8_t n_points;
};

static struct hr_bytes text_of(const char *text)
{
    return hr_bytes_of(text, strlen(text));
}

static struct image_plan_unit unit_of(const struct plan_unit *unit)
{
    return (struct image_plan_unit){
        .unit = unit->unit,
        .timeout_ms = (uint16_t)unit->timeout_ms,
        .n_retries = unit->n_retries,
        .backoff_ms = (uint16_t)unit->backoff_ms,
        .n_failures = unit->n_failures,
        .open_s = (uint16_t)(unit->pause_ms / 1000),
        .open_max_s = (uint16_t)(unit->longest_pause_ms / 1000),
        .name = text_of(unit->name),
    };
}

static struct image_plan_point point_of(const struct plan_map *map, const struct plan_point *point,
                                        uint8_t unit_index)
{
    return (struct image_plan_point){
        .unit_index = unit_index,
        .table = (uint8_t)(point->table + PLAN_FIRST_TABLE),
        .type = (uint8_t)(point->type + PLAN_FIRST_TYPE),
        .is_each = point->is_each,
        .address = (uint16_t)point->address,
        .model = (uint16_t)(point->model != 0 ? point->model : map->model),
        .scale_point = IMAGE_PLAN_NO_SCALE,
        .scale = (int8_t)point->scale,
        .interval_ms = point->interval_ms != 0 ? point->interval_ms : map->interval_ms,
        .dead_band = point->dead_band,
        .silence_ms = point->silence_ms,
        .name = text_of(point->name),
        .measure = text_of(point->measure),
    };
}

static bool stands_before(const struct image_plan_point *a, const struct image_plan_point *b)
{
    if (a->unit_index != b->unit_index) {
        return a->unit_index < b->unit_index;
    }
    if (a->table != b->table) {
        return a->table < b->table;
    }
    return a->interval_ms != b->interval_ms ? a->interval_ms < b->interval_ms : a->address < b->address;
}

/* Into its place among those that are there. */
static void insert(struct compiled *out, struct image_plan_point point, const struct plan_point *origin)
{
    size_t at = out->n_points++;
    for (; at > 0 && stands_before(&point, &out->points[at - 1]); at--) {
        out->points[at] = out->points[at - 1];
        out->origin[at] = out->origin[at - 1];
    }
    out->points[at] = point;
    out->origin[at] = origin;
}

static void find_scales(struct compiled *out)
{
    for (uint8_t i = 0; i < out->n_points; i++) {
        const char *name = out->origin[i]->scale_from;
        for (uint8_t j = 0; j < out->n_points && name[0] != '\0'; j++) {
            if (out->points[j].unit_index == out->points[i].unit_index &&
                strcmp(out->origin[j]->name, name) == 0) {
                out->points[i].scale_point = j;
            }
        }
    }
}

static void compile(const struct plan_file *file, struct compiled *out)
{
    for (uint32_t i = 0; i < file->n_units; i++) {
        const struct plan_map *map = cli_plan_file_map(file, file->units[i].map);
        out->units[i] = unit_of(&file->units[i]);
        for (uint32_t j = 0; j < map->n_points; j++) {
            insert(out, point_of(map, &map->points[j], (uint8_t)i), &map->points[j]);
        }
    }
    find_scales(out);
}

static struct hr_status complain(const char *path, const char *what)
{
    (void)fprintf(stderr, "headrace: %s: %s\n", path, what);
    return hr_status_of(HR_MALFORMED);
}

static struct hr_status write_page(const char *path, const char *board, const struct plan_file *file,
                                   struct cli_plan_page *out)
{
    static struct compiled compiled;
    uint8_t max_units = 0;
    uint8_t max_points = 0;
    memset(&compiled, 0, sizeof compiled);
    if (!image_board_plan_limits(board, &max_units, &max_points)) {
        return complain(path, "this board has no Modbus line");
    }
    compile(file, &compiled);
    if (file->n_units > max_units || compiled.n_points > max_points) {
        (void)fprintf(stderr, "headrace: %s: %u units and %u points; %s has memory for %u and %u\n", path,
                      file->n_units, compiled.n_points, board, max_units, max_points);
        return hr_status_of(HR_MALFORMED);
    }
    const struct image_plan plan = {.sequence = 1,
                                    .baud = file->baud,
                                    .n_units = (uint8_t)file->n_units,
                                    .n_points = compiled.n_points,
                                    .units = compiled.units,
                                    .points = compiled.points};
    struct hr_status status = image_plan_encode(&plan, out->bytes, sizeof out->bytes, &out->len_bytes);
    if (hr_is(status, HR_FULL)) {
        return complain(path, "larger than the 4,096 bytes of a plan: shorten names");
    }
    return hr_is_ok(status) ? status : complain(path, "an interval below 100ms");
}

struct hr_status cli_plan_compile(const char *path, const char *board, struct cli_plan_page *out)
{
    static struct conf_report report;
    struct plan_file *file = malloc(sizeof *file);
    if (file == NULL) {
        perror("headrace");
        return hr_status_of(HR_IO);
    }
    struct hr_status status = cli_plan_file_load(path, file, &report);
    if (hr_is_ok(status)) {
        status = write_page(path, board, file, out);
    } else {
        conf_report_print(&report, stderr);
    }
    free(file);
    return status;
}

/* ---- showing it ---- */

static void print_units(struct hr_reader *reader, const struct image_plan_front *front)
{
    struct image_plan_unit units[IMAGE_PLAN_MAX_UNITS];
    uint32_t n_points[IMAGE_PLAN_MAX_UNITS] = {0};
    for (uint8_t i = 0; i < front->n_units; i++) {
        if (!hr_is_ok(image_plan_unit_decode(reader, &units[i]))) {
            return;
        }
    }
    struct image_plan_point point;
    for (uint8_t i = 0; i < front->n_points && hr_is_ok(image_plan_point_decode(reader, &point)); i++) {
        n_points[point.unit_index % IMAGE_PLAN_MAX_UNITS]++;
    }
    for (uint8_t i = 0; i < front->n_units; i++) {
        (void)printf("%-12s %u  %.*s  %u points\n", "unit", units[i].unit, (int)units[i].name.len_bytes,
                     (const char *)units[i].name.data, n_points[i]);
    }
}

static void print_plan(const uint8_t *page, size_t len_bytes)
{
    struct image_plan_front front;
    if (len_bytes < IMAGE_PLAN_FRONT_BYTES || !hr_is_ok(image_plan_front_decode(page, &front)) ||
        front.len_bytes > len_bytes) {
        return;
    }
    struct hr_reader reader = hr_reader_over(hr_bytes_of(page, front.len_bytes));
    (void)hr_read_slice(&reader, IMAGE_PLAN_FRONT_BYTES);
    (void)printf("%-12s %u units  %u points  %u baud  sequence %u  %u bytes\n", "polls", front.n_units,
                 front.n_points, front.baud, front.sequence, front.len_bytes);
    print_units(&reader, &front);
}

void cli_plan_show(int fd, const struct image_regions *regions)
{
    uint8_t page[IMAGE_PLAN_MAX_BYTES];
    ssize_t n = pread(fd, page, sizeof page, (off_t)image_plan_address(regions, 0));
    print_plan(page, n < 0 ? 0 : (size_t)n);
}
