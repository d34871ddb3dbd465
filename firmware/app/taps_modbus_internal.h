/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the Modbus tap share; nobody else includes this. */
#ifndef APP_TAPS_MODBUS_INTERNAL_H
#define APP_TAPS_MODBUS_INTERNAL_H

#include "firmware/app/config_modbus.h"
#include "firmware/app/taps_modbus.h"
#include "firmware/ports/linux/source.h"

struct modbus_line {
    struct port_linux_source source;
    struct station_line station;
    struct station_device *devices;
    bool was_open;
};

/* What the dictionary was written for last: when one of them changes, the whole of it is due. */
struct dictionary {
    uint32_t stream;
    uint64_t losses;
    uint64_t seals;
};

struct app_modbus {
    struct fw_collector *collector;
    const struct port_clock *clock;
    const struct port_log *log;
    struct app_plant *plant;
    struct station_group groups[APP_PLANT_MAX_GROUPS];
    const char *patterns[APP_PLANT_MAX_GROUPS][APP_PLANT_MAX_PATTERNS];
    const struct station_group *device_groups[APP_PLANT_MAX_LINES][APP_PLANT_MAX_DEVICES][STATION_MAX_GROUPS];
    uint32_t n_lines;
    struct modbus_line *lines;
    uint32_t next_channel;
    struct dictionary dictionary;
    struct hr_status offered; /* the first failure of an offer in this turn */
    struct edge_record record;
};

/* Where what a line gives goes: records to the collector, events to the log. */
struct station_sink app_modbus_sink(struct app_modbus *modbus);

/* Adds modbus, plant and modbus_line to what the collector counts. */
void app_modbus_add_counters(struct app_modbus *modbus);

#endif
