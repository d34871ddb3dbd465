/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulated plant of SunSpec devices: inverters under a seeded sky, a battery, and the meter between them
 * and the grid. Their registers, as a Modbus server shows them. The same seed, start and steps give the same
 * registers. */
#ifndef CLI_SIM_PLANT_H
#define CLI_SIM_PLANT_H

#include "firmware/taps/sunspec/tap_sunspec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIM_PLANT_DEVICES_MAX = 33, /* meter, battery, 30 inverters, every model */
    SIM_PLANT_BASE = 40000,     /* where each device's registers begin */
    SIM_PLANT_REGISTERS = 4096, /* of one device at most */
    SIM_PLANT_INVERTER_W = 10000,
    SIM_PLANT_BATTERY_WH = 20000,
};

enum sim_plant_kind { SIM_PLANT_METER, SIM_PLANT_BATTERY, SIM_PLANT_INVERTER, SIM_PLANT_MODELS };

struct sim_plant_device {
    enum sim_plant_kind kind;
    uint8_t unit; /* the meter is 1, the battery 2, inverters 3 on */
    uint16_t n_registers;
    uint16_t registers[SIM_PLANT_REGISTERS];
    double power_w; /* of an inverter what it makes, of the battery what it gives, of the meter what is taken
                       from the grid */
    double export_wh; /* made, given */
    double import_wh; /* taken */
    uint32_t n_answers;
};

struct sim_plant {
    uint64_t seed;
    bool counts;  /* an inverter's WH is how often it was asked, so that a reader can tell what he missed */
    double day_s; /* seconds since the first midnight */
    double charge_wh; /* of the battery */
    size_t n_devices;
    struct sim_plant_device devices[SIM_PLANT_DEVICES_MAX];
};

/* A plant at that second of its first day; n_inverters at most SIM_PLANT_DEVICES_MAX - 3. */
void cli_plant_init(struct sim_plant *plant, uint64_t seed, size_t n_inverters, double day_s);

/* Adds a device behind the others that has every model of the tables, with values in their points that hang
 * on the seed alone. Asserts that the plant has room for it. */
void cli_plant_add_models(struct sim_plant *plant);

/* Writes a number into so many registers, the most significant first. */
void cli_plant_put(uint16_t *registers, size_t n_registers, uint64_t value);

/* What stands in the registers of a point that a device does not implement. */
void cli_plant_put_nothing(uint16_t *registers, const struct tap_sunspec_item *item);

/* Lets time go on. Steps above a minute are made in parts. */
void cli_plant_step(struct sim_plant *plant, double seconds);

/* Ways in which devices are not as one would like. */
enum sim_plant_view {
    SIM_PLANT_AS_IT_IS,
    SIM_PLANT_NOT_IMPLEMENTED, /* it has none of its values: NaN, 0x8000, 0xFFFF and the like */
    SIM_PLANT_NO_SCALE,        /* its scale factors are 0x8000 */
    SIM_PLANT_MODEL_65, /* its common model has 65 registers, not 66, and the others stand before that */
};

/* Writes the device as it looks so. */
void cli_plant_view(const struct sim_plant_device *device, enum sim_plant_view view,
                    struct sim_plant_device *out);

/* The device with that unit, or NULL. */
struct sim_plant_device *cli_plant_device(struct sim_plant *plant, uint8_t unit);

#endif
