/* SPDX-License-Identifier: Apache-2.0
 *
 * The plant's file: tables of its keys, and what its parts must be to each other. */
#include "firmware/app/config_modbus.h"

#include "firmware/app/plant_map.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a field alone can't tell ---- */

void app_check_baud(uint32_t baud, struct conf_place *place)
{
    static const uint32_t rates[] = {4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600};
    for (size_t i = 0; i < HR_ARRAY_LEN(rates); i++) {
        if (baud == rates[i]) {
            return;
        }
    }
    conf_complain(place, "baud", "none of 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600");
}

void app_check_baud_of_tap(const void *section, struct conf_place *place)
{
    app_check_baud(((const struct app_tap *)section)->baud, place);
}

static void check_rtu(const void *section, struct conf_place *place)
{
    app_check_baud(((const struct app_plant_line *)section)->baud, place);
}

static const char *check_pattern(const char *text)
{
    return text[0] != '\0' ? NULL : "a pattern is MODEL.POINT, or a name in a register map; * stands for any";
}

static void check_device(const void *section, struct conf_place *place)
{
    const struct app_plant_device *device = section;
    if (device->open_max_ms < device->open_ms) {
        conf_complain(place, "open_max", "less than open");
    }
}

static void check_line(const void *section, struct conf_place *place)
{
    const struct app_plant_line *line = section;
    for (uint32_t i = 0; i < line->n_devices; i++) {
        const struct app_plant_device *device = &line->devices[i];
        if (line->transport == APP_PLANT_RTU && (device->unit == 0 || device->unit > 247)) {
            conf_complain(place, "devices", "%s: units of a serial line are 1 to 247", device->name);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (line->devices[k].unit == device->unit) {
                conf_complain(place, "devices", "%s and %s are both unit %u", line->devices[k].name,
                              device->name, device->unit);
            }
        }
    }
}

/* How many devices of the whole plant have that name. */
static uint32_t count_name(const struct app_plant *plant, const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plant->n_lines; i++) {
        for (uint32_t k = 0; k < plant->lines[i].n_devices; k++) {
            n += strcmp(plant->lines[i].devices[k].name, name) == 0 ? 1 : 0;
        }
    }
    return n;
}

static void check_device_of(const struct app_plant *plant, const struct app_plant_device *device,
                            struct conf_place *place)
{
    if (count_name(plant, device->name) > 1) {
        conf_complain(place, "lines", "two devices are called %s", device->name);
    }
    for (uint32_t i = 0; i < device->n_groups; i++) {
        if (app_plant_group_index(plant, device->groups[i]) == APP_PLANT_MAX_GROUPS) {
            conf_complain(place, "lines", "device %s: there is no group %s", device->name, device->groups[i]);
        }
    }
}

static void check_plant(const void *section, struct conf_place *place)
{
    const struct app_plant *plant = section;
    for (uint32_t i = 0; i < plant->n_groups; i++) {
        if (app_plant_group_index(plant, plant->groups[i].name) != i) {
            conf_complain(place, "groups", "two groups are called %s", plant->groups[i].name);
        }
    }
    for (uint32_t i = 0; i < plant->n_lines; i++) {
        for (uint32_t k = 0; k < plant->lines[i].n_devices; k++) {
            check_device_of(plant, &plant->lines[i].devices[k], place);
        }
    }
}

static void check_tap(const void *section, struct conf_place *place)
{
    struct app_plant *plant = NULL;
    if (hr_is_ok(app_plant_load(((const struct app_tap *)section)->path, place, &plant))) {
        app_plant_free(plant);
    }
}

void app_modbus_check_taps(const struct app_config *config, struct conf_place *place)
{
    uint32_t n_modbus = 0;
    for (uint32_t i = 0; i < config->n_taps; i++) {
        n_modbus += config->taps[i].type == APP_TAP_MODBUS ? 1 : 0;
    }
    if (n_modbus > 1) {
        conf_complain(place, "taps", "one tap of type modbus polls all lines: its plant's file lists them");
    }
}

/* ---- the tables ---- */

static const struct conf_field tap_fields[] = {
    {.key = "plant",
     .type = CONF_STRING,
     CONF_AT(struct app_tap, path),
     .required = true,
     .min = 1,
     .help = "The file of the plant: lines, devices, and what is polled."},
};
const struct conf_table app_modbus_table = {CONF_FIELDS(tap_fields), .check = check_tap};

static const char *const reports[] = {[APP_PLANT_ON_CHANGE] = "change", [APP_PLANT_EACH] = "each", NULL};
static const struct conf_field group_fields[] = {
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct app_plant_group, name),
     .required = true,
     .min = 1,
     .help = "What devices call it by."},
    {.key = "points",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct app_plant_group, points, n_points),
     .required = true,
     .min = 1,
     .check_text = check_pattern,
     .help = "SunSpec points such as 103.W, or names of a register map; * stands for any characters."},
    {.key = "interval",
     .type = CONF_DURATION,
     CONF_AT(struct app_plant_group, interval_ms),
     .fallback = "1s",
     .min = 50,
     .max = 86400000,
     .help = "How often they are read."},
    {.key = "report",
     .type = CONF_ENUM,
     CONF_AT(struct app_plant_group, report),
     .names = reports,
     .fallback = "change",
     .help = "each: every reading; change: what differs from the last report by more than the dead band."},
    {.key = "dead_band",
     .type = CONF_UINT,
     CONF_AT(struct app_plant_group, dead_band),
     .fallback = "0",
     .max = UINT32_MAX,
     .help = "In steps of the last place that the device tells: 5 is 0.5 V where the scale is -1."},
    {.key = "silence",
     .type = CONF_DURATION,
     CONF_AT(struct app_plant_group, silence_ms),
     .fallback = "5m",
     .max = 86400000,
     .help = "Reported this long after the last report at the latest, though nothing changed; 0: never."},
};
static const struct conf_table group_table = {CONF_FIELDS(group_fields)};

static const struct conf_field device_fields[] = {
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct app_plant_device, name),
     .required = true,
     .min = 1,
     .help = "What its channels are known by; one of its own in the plant."},
    {.key = "unit",
     .type = CONF_UINT,
     CONF_AT(struct app_plant_device, unit),
     .fallback = "1",
     .max = UINT8_MAX,
     .help = "Its Modbus unit."},
    {.key = "map",
     .type = CONF_STRING,
     CONF_AT(struct app_plant_device, map),
     .help = "File of its registers, seen from this one's folder; without it the device has SunSpec."},
    {.key = "groups",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct app_plant_device, groups, n_groups),
     .required = true,
     .min = 1,
     .help = "What is polled; a point belongs to the first group that names it."},
    {.key = "timeout",
     .type = CONF_DURATION,
     CONF_AT(struct app_plant_device, timeout_ms),
     .fallback = "1s",
     .min = 20,
     .max = 60000,
     .help = "For one answer."},
    {.key = "retries",
     .type = CONF_UINT,
     CONF_AT(struct app_plant_device, n_retries),
     .fallback = "1",
     .max = 10,
     .help = "Of one read, besides the first try."},
    {.key = "backoff",
     .type = CONF_DURATION,
     CONF_AT(struct app_plant_device, backoff_ms),
     .fallback = "200ms",
     .max = 60000,
     .help = "Before the first retry; doubled for each further one."},
    {.key = "failures",
     .type = CONF_UINT,
     CONF_AT(struct app_plant_device, n_failures),
     .fallback = "2",
     .min = 1,
     .max = 100,
     .help = "Reads that fail in a row until it is left alone."},
    {.key = "open",
     .type = CONF_DURATION,
     CONF_AT(struct app_plant_device, open_ms),
     .fallback = "10s",
     .min = 100,
     .max = 3600000,
     .help = "For how long at first; doubled each time."},
    {.key = "open_max",
     .type = CONF_DURATION,
     CONF_AT(struct app_plant_device, open_max_ms),
     .fallback = "5m",
     .min = 100,
     .max = 86400000,
     .help = "For how long at most."},
};
static const struct conf_table device_table = {CONF_FIELDS(device_fields), .check = check_device};

static const struct conf_field tcp_fields[] = {
    {.key = "host",
     .type = CONF_STRING,
     CONF_AT(struct app_plant_line, host),
     .required = true,
     .min = 1,
     .help = "Address of the device or gateway; a name is looked up at each connection."},
    {.key = "port",
     .type = CONF_UINT,
     CONF_AT(struct app_plant_line, port),
     .fallback = "502",
     .min = 1,
     .max = UINT16_MAX,
     .help = "Its TCP port."},
};
static const struct conf_table tcp_table = {CONF_FIELDS(tcp_fields)};

static const char *const parities[] = {"none", "even", "odd", NULL}; /* enum port_linux_parity */
static const struct conf_field rtu_fields[] = {
    {.key = "path",
     .type = CONF_STRING,
     CONF_AT(struct app_plant_line, path),
     .required = true,
     .min = 1,
     .help = "The serial device, such as /dev/ttyUSB0."},
    {.key = "baud",
     .type = CONF_UINT,
     CONF_AT(struct app_plant_line, baud),
     .fallback = "9600",
     .min = 4800,
     .max = 921600,
     .help = "Bits a second; 8 data bits."},
    {.key = "parity",
     .type = CONF_ENUM,
     CONF_AT(struct app_plant_line, parity),
     .names = parities,
     .fallback = "none",
     .help = "As the devices have it; Modbus asks for even, many have none."},
    {.key = "stop_bits",
     .type = CONF_UINT,
     CONF_AT(struct app_plant_line, stop_bits),
     .fallback = "1",
     .min = 1,
     .max = 2,
     .help = "1 or 2."},
    {.key = "quiet",
     .type = CONF_DURATION,
     CONF_AT(struct app_plant_line, quiet_ms),
     .fallback = "200ms",
     .max = 10000,
     .help = "After a request that failed the line is left alone for so long: a late answer can't be told "
             "from the next one's."},
    {.key = "gap",
     .type = CONF_DURATION,
     CONF_AT(struct app_plant_line, gap_ms),
     .fallback = "10ms",
     .max = 1000,
     .help = "Between an answer and the next request; at least 3.5 characters."},
};
static const struct conf_table rtu_table = {CONF_FIELDS(rtu_fields), .check = check_rtu};

static const struct conf_variant transports[] = {
    [APP_PLANT_TCP] = {"tcp", &tcp_table}, [APP_PLANT_RTU] = {"rtu", &rtu_table}};
static const struct conf_field line_fields[] = {
    {.key = "devices",
     .type = CONF_LIST,
     CONF_LIST_AT(struct app_plant_line, devices, n_devices),
     .table = &device_table,
     .required = true,
     .min = 1,
     .help = "What answers on it."},
};
static const struct conf_table line_table = {
    CONF_FIELDS(line_fields), CONF_VARIANTS("transport", transports, struct app_plant_line, transport),
    .check = check_line};

static const struct conf_field plant_fields[] = {
    {.key = "groups",
     .type = CONF_LIST,
     CONF_LIST_AT(struct app_plant, groups, n_groups),
     .table = &group_table,
     .required = true,
     .min = 1,
     .help = "Points that are polled alike."},
    {.key = "lines",
     .type = CONF_LIST,
     CONF_LIST_AT(struct app_plant, lines, n_lines),
     .table = &line_table,
     .required = true,
     .min = 1,
     .help = "Connections and serial lines."},
};
static const struct conf_table plant_table = {CONF_FIELDS(plant_fields),
                                              .size_bytes = sizeof(struct app_plant), .check = check_plant};

/* ---- loading ---- */

uint32_t app_plant_group_index(const struct app_plant *plant, const char *name)
{
    for (uint32_t i = 0; i < plant->n_groups; i++) {
        if (strcmp(plant->groups[i].name, name) == 0) {
            return i;
        }
    }
    return APP_PLANT_MAX_GROUPS;
}

struct hr_status app_plant_load(const char *path, struct conf_place *place, struct app_plant **out)
{
    struct conf_report *report = calloc(1, sizeof *report);
    struct app_plant *plant = calloc(1, sizeof *plant);
    struct hr_status status = hr_status_of(HR_IO);
    if (report != NULL && plant != NULL) {
        status = conf_load(path, &plant_table, plant, report);
        app_plant_complain(place, report);
    }
    if (hr_is_ok(status)) {
        status = app_plant_maps_load(plant, path, place, report);
    }
    free(report);
    if (!hr_is_ok(status)) {
        app_plant_free(plant);
        return status;
    }
    *out = plant;
    return hr_ok();
}

void app_plant_free(struct app_plant *plant)
{
    for (uint32_t i = 0; plant != NULL && i < plant->n_maps; i++) {
        free(plant->maps[i]);
    }
    free(plant);
}
