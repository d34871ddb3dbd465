/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/sim_plant.h"

#include "firmware/taps/sunspec/tap_sunspec.h"
#include "proto/base/assert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COMMON = 1, COMMON_LENGTH = 66, METER = 203, INVERTER = 103, STORAGE = 802, FIRST_UNIT = 1 };
/* Where the second model begins: behind "SunS" and the common one. */
enum { SECOND_MODEL = 2 + TAP_SUNSPEC_HEAD_REGISTERS + COMMON_LENGTH };
enum { BATTERY_MOST_W = 5000 };

static const double PI = 3.14159265358979323846;
static const double DAY_S = 86400;
static const double SUNRISE_S = 6 * 3600;
static const double SUNSET_S = 18 * 3600;
static const double CLOUD_S = 300;
static const double STEP_S = 60;
static const double INVERTER_W = SIM_PLANT_INVERTER_W;
static const double BATTERY_WH = SIM_PLANT_BATTERY_WH;

struct setting {
    const char *point;
    int64_t value;
};

/* What does not change. Scale factors first of all. */
static const struct setting INVERTER_FIXED[] = {
    {"A_SF", -2},   {"V_SF", -1},  {"W_SF", 0},    {"Hz_SF", -2}, {"WH_SF", 0},
    {"DCV_SF", -1}, {"DCW_SF", 0}, {"Tmp_SF", -1}, {"Evt1", 0},   {"Evt2", 0},
};
static const struct setting METER_FIXED[] = {
    {"A_SF", -2}, {"V_SF", -1}, {"W_SF", 1}, {"Hz_SF", -2}, {"TotWh_SF", 0}, {"Evt", 0},
};
static const struct setting STORAGE_FIXED[] = {
    {"WHRtg_SF", 1},
    {"WChaDisChaMax_SF", 0},
    {"SoC_SF", -1},
    {"V_SF", -1},
    {"A_SF", -2},
    {"W_SF", 0},
    {"SoH_SF", 0},
    {"WHRtg", SIM_PLANT_BATTERY_WH / 10},
    {"WChaRteMax", BATTERY_MOST_W},
    {"WDisChaRteMax", BATTERY_MOST_W},
    {"SoCMax", 1000},
    {"SoCMin", 0},
    {"SoH", 98},
    {"Typ", 4},
    {"State", 3},
    {"Evt1", 0},
    {"Evt2", 0},
};

/* ---- registers ---- */

void cli_plant_put(uint16_t *registers, size_t n_registers, uint64_t value)
{
    for (size_t i = n_registers; i > 0; i--) {
        registers[i - 1] = (uint16_t)(value & 0xFFFF);
        value >>= 16;
    }
}

void cli_plant_put_nothing(uint16_t *registers, const struct tap_sunspec_item *item)
{
    static const uint16_t FLOAT_NAN = 0x7FC0;
    static const uint16_t LEAST = 0x8000;
    memset(registers, 0, item->n_registers * sizeof *registers);
    switch ((enum tap_sunspec_type)item->type) {
    case TAP_SUNSPEC_INT16:
    case TAP_SUNSPEC_INT32:
    case TAP_SUNSPEC_INT64:
    case TAP_SUNSPEC_SUNSSF:
    case TAP_SUNSPEC_PAD:
        registers[0] = LEAST;
        break;
    case TAP_SUNSPEC_FLOAT32:
        registers[0] = FLOAT_NAN;
        break;
    case TAP_SUNSPEC_ACC16:
    case TAP_SUNSPEC_ACC32:
    case TAP_SUNSPEC_ACC64:
    case TAP_SUNSPEC_STRING:
    case TAP_SUNSPEC_GROUP:
    case TAP_SUNSPEC_END:
        break;
    case TAP_SUNSPEC_UINT16:
    case TAP_SUNSPEC_UINT32:
    case TAP_SUNSPEC_UINT64:
    case TAP_SUNSPEC_ENUM16:
    case TAP_SUNSPEC_ENUM32:
    case TAP_SUNSPEC_BITFIELD16:
    case TAP_SUNSPEC_BITFIELD32:
    case TAP_SUNSPEC_BITFIELD64:
    case TAP_SUNSPEC_COUNT:
        cli_plant_put(registers, item->n_registers, UINT64_MAX);
        break;
    }
}

/* Adds a model without values behind what the device has. */
static void add_model(struct sim_plant_device *device, uint16_t id)
{
    const struct tap_sunspec_model *model = tap_sunspec_model(id);
    HR_ASSERT(model != NULL);
    size_t start = device->n_registers;
    size_t at = start;
    for (size_t i = 0; i < model->n_items; i++) {
        HR_ASSERT(at + model->items[i].n_registers <= SIM_PLANT_REGISTERS &&
                  model->items[i].type < TAP_SUNSPEC_GROUP);
        cli_plant_put_nothing(&device->registers[at], &model->items[i]);
        at += model->items[i].n_registers;
    }
    device->registers[start] = id;
    device->registers[start + 1] = (uint16_t)(at - start - TAP_SUNSPEC_HEAD_REGISTERS);
    device->n_registers = (uint16_t)at;
}

/* The place of a point of the device's second model. */
static uint16_t *place_of(struct sim_plant_device *device, const char *point, size_t *n_registers)
{
    size_t start = SECOND_MODEL;
    const struct tap_sunspec_model *model = tap_sunspec_model(device->registers[start]);
    HR_ASSERT(model != NULL);
    for (size_t i = 0; i < model->n_items; i++) {
        if (strcmp(model->items[i].name, point) == 0) {
            *n_registers = model->items[i].n_registers;
            return &device->registers[start];
        }
        start += model->items[i].n_registers;
    }
    HR_ASSERT(false && "these models have the points that are set here");
    return NULL;
}

static void set(struct sim_plant_device *device, const char *point, double value)
{
    size_t n_registers = 0;
    uint16_t *registers = place_of(device, point, &n_registers);
    cli_plant_put(registers, n_registers, (uint64_t)(int64_t)llround(value));
}

static void set_all(struct sim_plant_device *device, const struct setting *settings, size_t n_settings)
{
    for (size_t i = 0; i < n_settings; i++) {
        set(device, settings[i].point, (double)settings[i].value);
    }
}

static void put_text(uint16_t *registers, const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        registers[i / 2] = (uint16_t)(registers[i / 2] | (uint8_t)text[i] << (i % 2 == 0 ? 8 : 0));
    }
}

static void make_device(struct sim_plant_device *device, enum sim_plant_kind kind, uint8_t unit)
{
    static const char *const NAME[] = {"Meter", "Battery", "Inverter"};
    static const uint16_t MODEL[] = {METER, STORAGE, INVERTER};
    char serial[16];
    *device = (struct sim_plant_device){
        .kind = kind, .unit = unit, .registers = {0x5375, 0x6E53}, .n_registers = 2};
    add_model(device, COMMON);
    put_text(&device->registers[4], "Headrace");
    put_text(&device->registers[20], NAME[kind]);
    (void)snprintf(serial, sizeof serial, "SIM-%u", unit);
    put_text(&device->registers[52], serial);
    device->registers[68] = unit; /* DA */
    add_model(device, MODEL[kind]);
    device->registers[device->n_registers++] = 0xFFFF;
    device->registers[device->n_registers++] = 0;
}

/* ---- the day ---- */

/* A number from 0 to 1 that hangs on the seed and where it is asked for, and on nothing else. */
static double chance_at(uint64_t seed, uint64_t place)
{
    uint64_t x = seed * UINT64_C(0x9E3779B97F4A7C15) + place * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (double)((x ^ x >> 31) >> 11) / 9007199254740992.0;
}

/* The same, changing steadily from one place to the next. */
static double drift(uint64_t seed, double place)
{
    double whole = floor(place);
    double part = place - whole;
    return chance_at(seed, (uint64_t)whole) * (1 - part) + chance_at(seed, (uint64_t)whole + 1) * part;
}

/* What a clear sky gives, 0 to 1. */
static double sun(double day_s)
{
    double second = fmod(day_s, DAY_S);
    return second <= SUNRISE_S || second >= SUNSET_S
               ? 0
               : sin(PI * (second - SUNRISE_S) / (SUNSET_S - SUNRISE_S));
}

static void step_inverter(const struct sim_plant *plant, struct sim_plant_device *device)
{
    double clouds = 0.4 + 0.6 * drift(plant->seed, plant->day_s / CLOUD_S);
    double volts = 228 + 4 * drift(plant->seed + device->unit, plant->day_s / 60);
    double clear = sun(plant->day_s);
    double power_w = INVERTER_W * clear * clouds * (1 - 0.0003 * device->unit);
    double amps = power_w / volts;
    device->power_w = power_w;
    set(device, "A", amps * 100);
    set(device, "AphA", amps * 100 / 3);
    set(device, "AphB", amps * 100 / 3);
    set(device, "AphC", amps * 100 / 3);
    set(device, "PhVphA", volts * 10);
    set(device, "PhVphB", volts * 10 + 3);
    set(device, "PhVphC", volts * 10 - 4);
    set(device, "W", power_w);
    set(device, "Hz", 4998 + 4 * drift(plant->seed, plant->day_s / 10));
    set(device, "WH", plant->counts ? (double)device->n_answers : device->export_wh);
    set(device, "DCV", power_w > 0 ? 6000 + 500 * clouds : 0);
    set(device, "DCW", power_w * 1.02);
    set(device, "TmpCab", 150 + 250 * clear * clouds);
    set(device, "St", power_w > 0 ? 4 : 2); /* MPPT, SLEEPING */
}

/* Takes what is left over and gives what is missing, as far as it can. */
static void step_battery(struct sim_plant *plant, struct sim_plant_device *device, double missing_w,
                         double seconds)
{
    double power_w = fmax(-BATTERY_MOST_W, fmin(BATTERY_MOST_W, missing_w));
    double hours = seconds / 3600;
    if (hours > 0) {
        power_w = fmin(power_w, (plant->charge_wh - 0.1 * BATTERY_WH) / hours);
        power_w = fmax(power_w, (plant->charge_wh - BATTERY_WH) / hours);
    }
    double volts = 380 + 40 * plant->charge_wh / BATTERY_WH;
    plant->charge_wh -= power_w * hours;
    device->power_w = power_w;
    set(device, "SoC", 1000 * plant->charge_wh / BATTERY_WH);
    set(device, "V", volts * 10);
    set(device, "A", power_w / volts * 100);
    set(device, "W", power_w);
    set(device, "ChaSt", power_w > 0.5 ? 3 : power_w < -0.5 ? 4 : 6); /* DISCHARGING, CHARGING, HOLDING */
}

static void step_meter(const struct sim_plant *plant, struct sim_plant_device *device, double power_w)
{
    double volts = 230 + 2 * drift(plant->seed + 99, plant->day_s / 60);
    device->power_w = power_w;
    set(device, "A", fabs(power_w) / volts * 100 / 3);
    set(device, "PhV", volts * 10);
    set(device, "Hz", 4998 + 4 * drift(plant->seed, plant->day_s / 10));
    set(device, "W", power_w / 10);
    set(device, "WphA", power_w / 30);
    set(device, "WphB", power_w / 30);
    set(device, "WphC", power_w / 30);
    set(device, "TotWhExp", device->export_wh);
    set(device, "TotWhImp", device->import_wh);
}

static void step(struct sim_plant *plant, double seconds)
{
    double load_w = 2000 + 4000 * drift(plant->seed + 7, plant->day_s / 600);
    double made_w = 0;
    plant->day_s += seconds;
    for (size_t i = 0; i < plant->n_devices; i++) {
        struct sim_plant_device *device = &plant->devices[i];
        double wh = device->power_w * seconds / 3600;
        device->export_wh += (device->kind == SIM_PLANT_METER ? wh < 0 : wh > 0) ? fabs(wh) : 0;
        device->import_wh += (device->kind == SIM_PLANT_METER ? wh > 0 : wh < 0) ? fabs(wh) : 0;
        if (device->kind == SIM_PLANT_INVERTER) {
            step_inverter(plant, device);
            made_w += device->power_w;
        }
    }
    step_battery(plant, &plant->devices[1], load_w - made_w, seconds);
    step_meter(plant, &plant->devices[0], load_w - made_w - plant->devices[1].power_w);
}

void cli_plant_init(struct sim_plant *plant, uint64_t seed, size_t n_inverters, double day_s)
{
    HR_ASSERT(n_inverters + 3 <= SIM_PLANT_DEVICES_MAX);
    memset(plant, 0, sizeof *plant);
    plant->seed = seed;
    plant->day_s = day_s;
    plant->charge_wh = BATTERY_WH / 2.0;
    plant->n_devices = n_inverters + 2;
    for (size_t i = 0; i < plant->n_devices; i++) {
        struct sim_plant_device *device = &plant->devices[i];
        make_device(device, i < 2 ? (enum sim_plant_kind)i : SIM_PLANT_INVERTER, (uint8_t)(FIRST_UNIT + i));
    }
    set_all(&plant->devices[0], METER_FIXED, HR_ARRAY_LEN(METER_FIXED));
    set_all(&plant->devices[1], STORAGE_FIXED, HR_ARRAY_LEN(STORAGE_FIXED));
    for (size_t i = 2; i < plant->n_devices; i++) {
        set_all(&plant->devices[i], INVERTER_FIXED, HR_ARRAY_LEN(INVERTER_FIXED));
    }
    step(plant, 0);
}

void cli_plant_step(struct sim_plant *plant, double seconds)
{
    size_t n_parts = 1 + (size_t)(seconds / STEP_S);
    for (size_t i = 0; i < n_parts; i++) {
        step(plant, seconds / (double)n_parts);
    }
}

struct sim_plant_device *cli_plant_device(struct sim_plant *plant, uint8_t unit)
{
    size_t index = (size_t)unit - FIRST_UNIT;
    return unit >= FIRST_UNIT && index < plant->n_devices ? &plant->devices[index] : NULL;
}

/* Removes the last register of the common model. */
static void shorten(struct sim_plant_device *device)
{
    uint16_t *end = &device->registers[SECOND_MODEL];
    device->registers[3] = COMMON_LENGTH - 1;
    memmove(end - 1, end, (size_t)(device->n_registers - SECOND_MODEL) * sizeof *end);
    device->n_registers--;
}

void cli_plant_view(const struct sim_plant_device *device, enum sim_plant_view view,
                    struct sim_plant_device *out)
{
    *out = *device;
    const struct tap_sunspec_model *model = tap_sunspec_model(device->registers[SECOND_MODEL]);
    size_t at = SECOND_MODEL;
    for (size_t i = 0; i < model->n_items; i++) {
        bool is_scale = model->items[i].type == TAP_SUNSPEC_SUNSSF;
        bool is_head = i < TAP_SUNSPEC_HEAD_REGISTERS;
        if (is_scale ? view == SIM_PLANT_NO_SCALE : view == SIM_PLANT_NOT_IMPLEMENTED && !is_head) {
            cli_plant_put_nothing(&out->registers[at], &model->items[i]);
        }
        at += model->items[i].n_registers;
    }
    if (view == SIM_PLANT_MODEL_65) {
        shorten(out);
    }
}
