/* SPDX-License-Identifier: Apache-2.0
 *
 * What a tap of type modbus adds to the configuration: its keys, and the plant's file that it names. That
 * file says which lines there are, which devices hang on each, and what is polled;
 * boards/linux_gateway/plant.yaml shows all keys. */
#ifndef APP_CONFIG_MODBUS_H
#define APP_CONFIG_MODBUS_H

#include "firmware/app/config.h"
#include "firmware/taps/station/station.h"
#include "proto/config/config.h"

enum {
    APP_PLANT_MAX_GROUPS = 16,
    APP_PLANT_MAX_PATTERNS = 64, /* of a group */
    APP_PLANT_MAX_LINES = 64,
    APP_PLANT_MAX_DEVICES = 32, /* of a line */
    APP_PLANT_MAX_MAPS = 32,
    APP_PLANT_MAX_REGISTERS = 512, /* of a map */
    APP_PLANT_NAME_MAX_CHARS = 31, /* of a Channel record, as the two below */
    APP_PLANT_SYMBOLS_MAX_CHARS = 255,
    APP_PLANT_UNIT_MAX_CHARS = 23,
};

enum app_plant_report { APP_PLANT_ON_CHANGE, APP_PLANT_EACH };
enum app_plant_transport { APP_PLANT_TCP, APP_PLANT_RTU };

struct app_plant_group {
    char name[APP_PLANT_NAME_MAX_CHARS + 1];
    uint32_t n_points;
    char points[APP_PLANT_MAX_PATTERNS][STATION_PATTERN_MAX_CHARS + 1];
    uint32_t interval_ms;
    enum app_plant_report report;
    uint64_t dead_band;
    uint32_t silence_ms;
};

struct app_plant_device {
    char name[APP_PLANT_NAME_MAX_CHARS + 1];
    uint8_t unit;
    char map[APP_PATH_MAX_CHARS + 1]; /* empty: SunSpec */
    uint32_t n_groups;
    char groups[STATION_MAX_GROUPS][APP_PLANT_NAME_MAX_CHARS + 1];
    uint32_t timeout_ms;
    uint8_t n_retries;
    uint32_t backoff_ms;
    uint8_t n_failures;
    uint32_t open_ms;
    uint32_t open_max_ms;
};

struct app_plant_line {
    enum app_plant_transport transport;
    char host[NET_HOST_MAX_CHARS + 1];
    uint16_t port;
    char path[APP_PATH_MAX_CHARS + 1];
    uint32_t baud;
    uint32_t parity; /* enum port_linux_parity */
    uint32_t stop_bits;
    uint32_t quiet_ms;
    uint32_t gap_ms;
    uint32_t n_devices;
    struct app_plant_device devices[APP_PLANT_MAX_DEVICES];
};

struct app_plant_register {
    char name[STATION_NAME_MAX_CHARS + 1];
    uint16_t address;
    uint32_t table; /* 0 holding, 1 input */
    uint32_t type;  /* into the table of types */
    double scale;
    char unit[APP_PLANT_UNIT_MAX_CHARS + 1];
    uint32_t kind; /* enum station_kind - 1 */
    char symbols[APP_PLANT_SYMBOLS_MAX_CHARS + 1];
};

struct app_plant_map {
    char path[APP_PATH_MAX_CHARS + 1]; /* as the device names it */
    uint32_t n_registers;
    struct app_plant_register registers[APP_PLANT_MAX_REGISTERS];
    struct station_register rows[APP_PLANT_MAX_REGISTERS]; /* the same, pointing into it */
};

struct app_plant {
    uint32_t n_groups;
    struct app_plant_group groups[APP_PLANT_MAX_GROUPS];
    uint32_t n_lines;
    struct app_plant_line lines[APP_PLANT_MAX_LINES];
    uint32_t n_maps;
    struct app_plant_map *maps[APP_PLANT_MAX_MAPS];
};

/* The keys of the tap in the collector's file. */
extern const struct conf_table app_modbus_table;

/* At most one tap is of this type: channels are numbered once. */
void app_modbus_check_taps(const struct app_config *config, struct conf_place *place);

/* Complains at `baud` of a map whose rate no port can set; of struct app_tap. */
void app_check_baud_of_tap(const void *section, struct conf_place *place);
/* The same for any map. */
void app_check_baud(uint32_t baud, struct conf_place *place);

/* Reads a plant's file and the register maps beside it. HR_MALFORMED, HR_NOT_FOUND or HR_IO: `place`, where
 * there is one, was told each mistake with its file, line and key; nothing is left to free. HR_IO: memory. */
HR_MUST_USE struct hr_status app_plant_load(const char *path, struct conf_place *place,
                                            struct app_plant **out);

/* The map that a device names; NULL: it has SunSpec. */
const struct app_plant_map *app_plant_map_of(const struct app_plant *plant,
                                             const struct app_plant_device *device);

/* The group of that name, or APP_PLANT_MAX_GROUPS. */
uint32_t app_plant_group_index(const struct app_plant *plant, const char *name);

void app_plant_free(struct app_plant *plant);

#endif
