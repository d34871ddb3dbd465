/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/plant_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {"int16", "uint16", "int32",   "uint32",
                                         "int64", "uint64", "float32", NULL};
static const struct {
    enum tap_sunspec_type type;
    uint8_t n_registers;
} types[] = {
    {TAP_SUNSPEC_INT16, 1}, {TAP_SUNSPEC_UINT16, 1}, {TAP_SUNSPEC_INT32, 2},   {TAP_SUNSPEC_UINT32, 2},
    {TAP_SUNSPEC_INT64, 4}, {TAP_SUNSPEC_UINT64, 4}, {TAP_SUNSPEC_FLOAT32, 2},
};
static const char *const table_names[] = {"holding", "input", NULL};
static const char *const kind_names[] = {"measurement", "accumulator", "enumeration", "bitfield", NULL};

enum { ADDRESSES = 65536 };

/* NUMBER=NAME;... */
static const char *check_symbols(const char *text)
{
    for (const char *at = text; *at != '\0';) {
        size_t n_digits = strspn(at, "0123456789");
        size_t n_name = at[n_digits] == '=' ? strcspn(at + n_digits + 1, ";=") : 0;
        if (n_digits == 0 || n_name == 0 || at[n_digits + 1 + n_name] == '=') {
            return "not NUMBER=NAME;NUMBER=NAME";
        }
        at += n_digits + 1 + n_name;
        at += *at == ';' ? 1 : 0;
    }
    return NULL;
}

static void check_register(const void *section, struct conf_place *place)
{
    const struct app_plant_register *row = section;
    bool is_float = types[row->type].type == TAP_SUNSPEC_FLOAT32;
    if (row->scale != floor(row->scale) || fabs(row->scale) > (double)TAP_SUNSPEC_SCALE_MOST) {
        conf_complain(place, "scale", "not a whole number from -%d to %d: the value is times 10 to its power",
                      TAP_SUNSPEC_SCALE_MOST, TAP_SUNSPEC_SCALE_MOST);
    }
    if ((uint32_t)row->address + types[row->type].n_registers > ADDRESSES) {
        conf_complain(place, "address", "reaches beyond 65535");
    }
    if (is_float && row->kind + 1 != STATION_MEASUREMENT) {
        conf_complain(place, "kind", "a float32 is a measurement");
    }
}

static void check_map(const void *section, struct conf_place *place)
{
    const struct app_plant_map *map = section;
    for (uint32_t i = 0; i < map->n_registers; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(map->registers[i].name, map->registers[k].name) == 0) {
                conf_complain(place, "registers", "two are called %s", map->registers[i].name);
            }
        }
    }
}

static const struct conf_field register_fields[] = {
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct app_plant_register, name),
     .required = true,
     .min = 1,
     .help = "What its channel is known by."},
    {.key = "address",
     .type = CONF_UINT,
     CONF_AT(struct app_plant_register, address),
     .required = true,
     .help = "Of its first register, counted from 0 as on the wire: 40001 in a manual is 0 of holding."},
    {.key = "table",
     .type = CONF_ENUM,
     CONF_AT(struct app_plant_register, table),
     .names = table_names,
     .fallback = "holding",
     .help = "holding (function 3) or input (function 4)."},
    {.key = "type",
     .type = CONF_ENUM,
     CONF_AT(struct app_plant_register, type),
     .names = type_names,
     .fallback = "uint16",
     .help = "Most significant register first. As in SunSpec, the least int and the greatest uint say that "
             "there is no value."},
    {.key = "scale",
     .type = CONF_REAL,
     CONF_AT(struct app_plant_register, scale),
     .fallback = "0",
     .help = "The value is times 10 to the power of it."},
    {.key = "unit",
     .type = CONF_STRING,
     CONF_AT(struct app_plant_register, unit),
     .help = "Such as W, or Wh."},
    {.key = "kind",
     .type = CONF_ENUM,
     CONF_AT(struct app_plant_register, kind),
     .names = kind_names,
     .fallback = "measurement",
     .help = "An accumulator counts up, and wraps at the end of its type."},
    {.key = "symbols",
     .type = CONF_STRING,
     CONF_AT(struct app_plant_register, symbols),
     .check_text = check_symbols,
     .help = "0=off;1=on: what an enumeration's values mean, or a bitfield's bits by number."},
};
static const struct conf_table register_table = {CONF_FIELDS(register_fields), .check = check_register};
static const struct conf_field map_fields[] = {
    {.key = "registers",
     .type = CONF_LIST,
     CONF_LIST_AT(struct app_plant_map, registers, n_registers),
     .table = &register_table,
     .required = true,
     .min = 1,
     .help = "What the device has."},
};
static const struct conf_table map_table = {CONF_FIELDS(map_fields),
                                            .size_bytes = sizeof(struct app_plant_map), .check = check_map};

void app_plant_complain(struct conf_place *place, const struct conf_report *report)
{
    for (uint32_t i = 0; place != NULL && i < report->n_errors && i < CONF_MAX_ERRORS; i++) {
        const struct conf_error *error = &report->errors[i];
        conf_complain(place, "plant", "%.100s:%u:%.60s: %s", report->file, (unsigned)error->line, error->key,
                      error->message);
    }
}

const struct app_plant_map *app_plant_map_of(const struct app_plant *plant,
                                             const struct app_plant_device *device)
{
    for (uint32_t i = 0; device->map[0] != '\0' && i < plant->n_maps; i++) {
        if (strcmp(plant->maps[i]->path, device->map) == 0) {
            return plant->maps[i];
        }
    }
    return NULL;
}

/* The rows as the station reads them; they point into the map, which stays where it is. */
static void make_rows(struct app_plant_map *map)
{
    for (uint32_t i = 0; i < map->n_registers; i++) {
        const struct app_plant_register *from = &map->registers[i];
        map->rows[i] = (struct station_register){
            .item = {.name = from->name,
                     .unit = from->unit,
                     .type = (uint8_t)types[from->type].type,
                     .n_registers = types[from->type].n_registers},
            .table = from->table == 0 ? TAP_MODBUS_HOLDING : TAP_MODBUS_INPUT,
            .address = from->address,
            .scale = (int8_t)from->scale,
            .kind = (enum station_kind)(from->kind + 1),
            .symbols = from->symbols,
        };
    }
}

/* "FOLDER OF THE PLANT'S FILE/PATH", or the path alone when it is whole. */
static bool place_of(const char *plant_path, const char *path, char out[APP_PATH_MAX_CHARS + 1])
{
    const char *slash = strrchr(plant_path, '/');
    int folder_chars = path[0] == '/' || slash == NULL ? 0 : (int)(slash + 1 - plant_path);
    int len = snprintf(out, APP_PATH_MAX_CHARS + 1, "%.*s%s", folder_chars, plant_path, path);
    return len > 0 && len <= APP_PATH_MAX_CHARS;
}

static struct hr_status load_map(struct app_plant *plant, const char *plant_path, const char *path,
                                 struct conf_place *place, struct conf_report *report)
{
    char whole[APP_PATH_MAX_CHARS + 1];
    if (plant->n_maps == APP_PLANT_MAX_MAPS || !place_of(plant_path, path, whole)) {
        if (place != NULL) {
            conf_complain(place, "plant", "%s: %s", path,
                          plant->n_maps == APP_PLANT_MAX_MAPS ? "too many maps" : "too long a path");
        }
        return hr_status_of(HR_MALFORMED);
    }
    struct app_plant_map *map = calloc(1, sizeof *map);
    if (map == NULL) {
        return hr_status_of(HR_IO);
    }
    plant->maps[plant->n_maps++] = map;
    struct hr_status status = conf_load(whole, &map_table, map, report);
    app_plant_complain(place, report);
    (void)snprintf(map->path, sizeof map->path, "%s", path);
    make_rows(map);
    return status;
}

struct hr_status app_plant_maps_load(struct app_plant *plant, const char *plant_path,
                                     struct conf_place *place, struct conf_report *report)
{
    struct hr_status first = hr_ok();
    for (uint32_t i = 0; i < plant->n_lines; i++) {
        for (uint32_t k = 0; k < plant->lines[i].n_devices; k++) {
            const struct app_plant_device *device = &plant->lines[i].devices[k];
            if (device->map[0] != '\0' && app_plant_map_of(plant, device) == NULL) {
                struct hr_status status = load_map(plant, plant_path, device->map, place, report);
                first = hr_is_ok(first) ? status : first;
            }
        }
    }
    return first;
}
