/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/board_plan_file.h"
#include "proto/base/assert.h"

#include <string.h>

/* In the order of enum image_register, which begins with 1. */
static const char *const type_names[] = {
    "int16",  "int32",  "int64",      "uint16",     "uint32",     "uint64",  "acc16",  "acc32", "acc64",
    "enum16", "enum32", "bitfield16", "bitfield32", "bitfield64", "float32", "sunssf", NULL};
static const char *const table_names[] = {"holding", "input", NULL};

static const char *check_text(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            return "printable ASCII only: a microcontroller keeps it as it is";
        }
    }
    return NULL;
}

static const struct plan_point *point_named(const struct plan_map *map, const char *name)
{
    for (uint32_t i = 0; i < map->n_points; i++) {
        if (strcmp(map->points[i].name, name) == 0) {
            return &map->points[i];
        }
    }
    return NULL;
}

const struct plan_map *cli_plan_file_map(const struct plan_file *file, const char *name)
{
    for (uint32_t i = 0; i < file->n_maps; i++) {
        if (strcmp(file->maps[i].name, name) == 0) {
            return &file->maps[i];
        }
    }
    return NULL;
}

static bool is_scale(const struct plan_point *point)
{
    return point->type + PLAN_FIRST_TYPE == IMAGE_SUNSSF;
}

static void check_point(const void *section, struct conf_place *place)
{
    const struct plan_point *point = section;
    uint8_t n_registers = image_register_count((uint8_t)(point->type + PLAN_FIRST_TYPE));
    if (point->address + n_registers > UINT16_MAX + 1u) {
        conf_complain(place, "address", "its %u registers reach beyond 65535", n_registers);
    }
    const double most = (double)(int)IMAGE_PLAN_SCALE_MOST;
    if (point->scale < -most || point->scale > most || point->scale - (int)point->scale != 0.0) {
        conf_complain(place, "scale", "a power of ten, from -%d to %d", IMAGE_PLAN_SCALE_MOST,
                      IMAGE_PLAN_SCALE_MOST);
    }
}

static void check_map(const void *section, struct conf_place *place)
{
    const struct plan_map *map = section;
    for (uint32_t i = 0; i < map->n_points; i++) {
        const struct plan_point *point = &map->points[i];
        const struct plan_point *scale = point_named(map, point->scale_from);
        if (point_named(map, point->name) != point) {
            conf_complain(place, "points", "two are called '%s'", point->name);
        }
        if (point->scale_from[0] != '\0' && (scale == NULL || !is_scale(scale))) {
            conf_complain(place, "points", "'%s' takes its scale from '%s', which is no point of type sunssf",
                          point->name, point->scale_from);
        }
    }
}

static void check_file(const void *section, struct conf_place *place)
{
    static const uint32_t rates[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200};
    const struct plan_file *file = section;
    uint32_t n_points = 0;
    bool is_rate = false;
    for (size_t i = 0; i < HR_ARRAY_LEN(rates); i++) {
        is_rate = is_rate || file->baud == rates[i];
    }
    if (!is_rate) {
        conf_complain(place, "baud", "none of 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200");
    }
    for (uint32_t i = 0; i < file->n_units; i++) {
        const struct plan_unit *unit = &file->units[i];
        const struct plan_map *map = cli_plan_file_map(file, unit->map);
        if (map == NULL) {
            conf_complain(place, "units", "'%s' names the map '%s', which is not there", unit->name,
                          unit->map);
        }
        n_points += map == NULL ? 0 : map->n_points;
        for (uint32_t j = 0; j < i; j++) {
            if (file->units[j].unit == unit->unit || strcmp(file->units[j].name, unit->name) == 0) {
                conf_complain(place, "units", "'%s' and '%s' have one number or one name",
                              file->units[j].name, unit->name);
            }
        }
    }
    if (n_points > IMAGE_PLAN_MAX_POINTS) {
        conf_complain(place, "units", "%u points in all; a plan has at most %d", n_points,
                      IMAGE_PLAN_MAX_POINTS);
    }
    for (uint32_t i = 0; i < file->n_maps; i++) {
        if (cli_plan_file_map(file, file->maps[i].name) != &file->maps[i]) {
            conf_complain(place, "maps", "two are called '%s'", file->maps[i].name);
        }
    }
}

static void check_unit(const void *section, struct conf_place *place)
{
    const struct plan_unit *unit = section;
    if (unit->longest_pause_ms < unit->pause_ms) {
        conf_complain(place, "longest_pause", "shorter than pause");
    }
}

static const struct conf_field point_fields[] = {
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct plan_point, name),
     .required = true,
     .min = 1,
     .check_text = check_text,
     .help = "What it is called in the records."},
    {.key = "address",
     .type = CONF_UINT,
     CONF_AT(struct plan_point, address),
     .required = true,
     .max = UINT16_MAX,
     .help = "Of its first register, counted from 0 as on the wire."},
    {.key = "type",
     .type = CONF_ENUM,
     CONF_AT(struct plan_point, type),
     .required = true,
     .names = type_names,
     .help = "What its registers hold, the most significant first; sunssf is a scale factor."},
    {.key = "table",
     .type = CONF_ENUM,
     CONF_AT(struct plan_point, table),
     .fallback = "holding",
     .names = table_names,
     .help = "Holding registers (function 3) or input registers (function 4)."},
    {.key = "unit",
     .type = CONF_STRING,
     CONF_AT(struct plan_point, measure),
     .check_text = check_text,
     .help = "Its unit of measure."},
    {.key = "scale",
     .type = CONF_REAL,
     CONF_AT(struct plan_point, scale),
     .fallback = "0",
     .help = "A power of ten: the value is the register's times 10^scale."},
    {.key = "scale_from",
     .type = CONF_STRING,
     CONF_AT(struct plan_point, scale_from),
     .help = "The point of type sunssf with a further power of ten."},
    {.key = "model",
     .type = CONF_UINT,
     CONF_AT(struct plan_point, model),
     .fallback = "0",
     .max = UINT16_MAX,
     .help =
         "SunSpec's model that defines the point, so that enumerations get their names; default the map's."},
    {.key = "interval",
     .type = CONF_DURATION,
     CONF_AT(struct plan_point, interval_ms),
     .fallback = "0",
     .max = 86400000,
     .help = "How often it is read, from 100ms; default the map's."},
    {.key = "dead_band",
     .type = CONF_UINT,
     CONF_AT(struct plan_point, dead_band),
     .fallback = "0",
     .help = "Changes of up to this, before scaling, are not reported."},
    {.key = "silence",
     .type = CONF_DURATION,
     CONF_AT(struct plan_point, silence_ms),
     .fallback = "5m",
     .max = 86400000,
     .help = "After this long a value is reported though it did not change; 0: never."},
    {.key = "each",
     .type = CONF_BOOL,
     CONF_AT(struct plan_point, is_each),
     .fallback = "false",
     .help = "Every reading is reported."},
};
static const struct conf_table point_table = {CONF_FIELDS(point_fields), .check = check_point};

static const struct conf_field map_fields[] = {
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct plan_map, name),
     .required = true,
     .min = 1,
     .help = "By which units name it."},
    {.key = "model",
     .type = CONF_UINT,
     CONF_AT(struct plan_map, model),
     .fallback = "0",
     .max = UINT16_MAX,
     .help = "SunSpec's model of points that name none."},
    {.key = "interval",
     .type = CONF_DURATION,
     CONF_AT(struct plan_map, interval_ms),
     .fallback = "10s",
     .min = 100,
     .max = 86400000,
     .help = "How often points are read that do not say it."},
    {.key = "points",
     .type = CONF_LIST,
     CONF_LIST_AT(struct plan_map, points, n_points),
     .required = true,
     .table = &point_table,
     .min = 1,
     .help = "What is read."},
};
static const struct conf_table map_table = {CONF_FIELDS(map_fields), .check = check_map};

static const struct conf_field unit_fields[] = {
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct plan_unit, name),
     .required = true,
     .min = 1,
     .check_text = check_text,
     .help = "What the device is called in the records."},
    {.key = "unit",
     .type = CONF_UINT,
     CONF_AT(struct plan_unit, unit),
     .required = true,
     .min = 1,
     .max = 247,
     .help = "Its number on the line."},
    {.key = "map",
     .type = CONF_STRING,
     CONF_AT(struct plan_unit, map),
     .required = true,
     .min = 1,
     .help = "Which map it has."},
    {.key = "timeout",
     .type = CONF_DURATION,
     CONF_AT(struct plan_unit, timeout_ms),
     .fallback = "500ms",
     .min = 10,
     .max = UINT16_MAX,
     .help = "Until its answer begins."},
    {.key = "retries",
     .type = CONF_UINT,
     CONF_AT(struct plan_unit, n_retries),
     .fallback = "2",
     .max = 10,
     .help = "Tries of a read besides the first."},
    {.key = "backoff",
     .type = CONF_DURATION,
     CONF_AT(struct plan_unit, backoff_ms),
     .fallback = "500ms",
     .max = UINT16_MAX,
     .help = "Before the first retry; doubled for each further one."},
    {.key = "failures",
     .type = CONF_UINT,
     CONF_AT(struct plan_unit, n_failures),
     .fallback = "3",
     .min = 1,
     .help = "Failed reads in a row after which it is left alone for a while."},
    {.key = "pause",
     .type = CONF_DURATION,
     CONF_AT(struct plan_unit, pause_ms),
     .fallback = "10s",
     .min = 1000,
     .max = 65535000,
     .help = "How long it is left alone at first; doubled each time."},
    {.key = "longest_pause",
     .type = CONF_DURATION,
     CONF_AT(struct plan_unit, longest_pause_ms),
     .fallback = "5m",
     .min = 1000,
     .max = 65535000,
     .help = "And at most."},
};
static const struct conf_table unit_table = {CONF_FIELDS(unit_fields), .check = check_unit};

static const struct conf_field file_fields[] = {
    {.key = "baud",
     .type = CONF_UINT,
     CONF_AT(struct plan_file, baud),
     .fallback = "19200",
     .help = "Bits a second; 8 data bits, no parity, one stop bit."},
    {.key = "maps",
     .type = CONF_LIST,
     CONF_LIST_AT(struct plan_file, maps, n_maps),
     .required = true,
     .table = &map_table,
     .min = 1,
     .help = "Registers of a kind of device."},
    {.key = "units",
     .type = CONF_LIST,
     CONF_LIST_AT(struct plan_file, units, n_units),
     .required = true,
     .table = &unit_table,
     .min = 1,
     .help = "The devices on the line."},
};
static const struct conf_table file_table = {CONF_FIELDS(file_fields), .size_bytes = sizeof(struct plan_file),
                                             .check = check_file};

struct hr_status cli_plan_file_load(const char *path, struct plan_file *out, struct conf_report *report)
{
    return conf_load(path, &file_table, out, report);
}
