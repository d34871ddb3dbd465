/* SPDX-License-Identifier: Apache-2.0
 *
 * ERCOT: load, wind, solar and outages by hour, and the dashboards, whose times have their offset. */
#include "aggregator/normalize/iso/ercot/report.h"

#include "proto/base/assert.h"

#include <string.h>

/* ---- megawatts in columns: one for each zone, or one for what was and one for what was expected ---- */

enum { W_DATE, W_HOUR, W_FLAG, W_MADE, W_FIRST };

struct wide {
    const char *location; /* NULL: the column's header */
    const char *subject;
    const char *role;
};

#define WIDE_TIME                                                                                            \
    [W_DATE] = {.names = ERCOT_DATE_NAMES, .is_required = true},                                             \
    [W_HOUR] = {.names = ERCOT_HOUR_NAMES, .is_required = true}, [W_FLAG] = {.names = ERCOT_FLAG_NAMES},     \
    [W_MADE] = {.names = "postedDatetime"}

static const struct norm_column zone_forecast_columns[] = {WIDE_TIME,
                                                           {.names = "North", .is_required = true},
                                                           {.names = "South"},
                                                           {.names = "West"},
                                                           {.names = "Houston"},
                                                           {.names = "SystemTotal", .is_required = true}};
static const struct norm_column zone_load_columns[] = {WIDE_TIME,
                                                       {.names = "Coast", .is_required = true},
                                                       {.names = "East"},
                                                       {.names = "Far West|farWest"},
                                                       {.names = "North"},
                                                       {.names = "North C|northC"},
                                                       {.names = "Southern"},
                                                       {.names = "South C|southC"},
                                                       {.names = "West"},
                                                       {.names = "Total", .is_required = true}};
static const struct norm_column solar_columns[] = {
    WIDE_TIME,
    {.names = "SYSTEM_WIDE_GEN|ACTUAL_SYSTEM_WIDE|genSystemWide", .is_required = true},
    {.names = "STPPF_SYSTEM_WIDE", .is_required = true}};
static const struct norm_column wind_columns[] = {
    WIDE_TIME,
    {.names = "SYSTEM_WIDE_GEN|ACTUAL_SYSTEM_WIDE|genSystemWide", .is_required = true},
    {.names = "STWPF_SYSTEM_WIDE", .is_required = true}};

/* Outages have no flag: the repeated hour of autumn can't be told, and its records are rejected. */
static const struct norm_column outage_columns[] = {
    WIDE_TIME,
    {.names = "TotalResourceMWZoneSouth", .is_required = true},
    {.names = "TotalResourceMWZoneNorth", .is_required = true},
    {.names = "TotalResourceMWZoneWest", .is_required = true},
    {.names = "TotalResourceMWZoneHouston", .is_required = true},
    {.names = "TotalIRRMWZoneSouth"},
    {.names = "TotalIRRMWZoneNorth"},
    {.names = "TotalIRRMWZoneWest"},
    {.names = "TotalIRRMWZoneHouston"},
    {.names = "TotalNewEquipResourceMWZoneSouth"},
    {.names = "TotalNewEquipResourceMWZoneNorth"},
    {.names = "TotalNewEquipResourceMWZoneWest"},
    {.names = "TotalNewEquipResourceMWZoneHouston"},
};

ERCOT_LAYOUTS(zone_forecast, zone_forecast_columns);
ERCOT_LAYOUTS(zone_load, zone_load_columns);
ERCOT_LAYOUTS(solar, solar_columns);
ERCOT_LAYOUTS(wind, wind_columns);
ERCOT_LAYOUTS(outage, outage_columns);

static struct norm_iso_row megawatt_row(const struct norm_iso_run *run, struct norm_interval interval,
                                        const struct wide *what, double value)
{
    struct norm_iso_row row = norm_row_of(run, interval.start_utc_s, interval.end_utc_s);
    if (strcmp(what->location, "ERCOT") == 0) {
        norm_row_system(&row, "ERCOT");
    } else {
        struct hr_bytes zone = hr_bytes_of(what->location, strlen(what->location));
        norm_row_place(&row, NORM_ISO_ZONE, zone, zone);
    }
    norm_row_megawatts(&row, what->subject, what->role, value);
    return row;
}

/* An answer may hold several postings of an hour: each is a forecast of its own, and all say the same of what
 * came. */
static void wide_record(struct norm_iso_run *run, const struct hr_bytes *cells, const struct wide *columns,
                        size_t n_columns)
{
    const bool is_posted = cells[W_MADE].len_bytes > 0;
    struct norm_interval hour;
    int64_t made_s = 0;
    if (!norm_ercot_hour(run, cells[W_DATE], cells[W_HOUR], cells[W_FLAG], &hour) ||
        (is_posted && !norm_run_local(run, "postedDatetime", cells[W_MADE], NORM_FOLD_UNKNOWN, &made_s))) {
        return;
    }
    for (size_t i = 0; i < n_columns; i++) {
        double value = 0;
        if (!norm_run_number(run, columns[i].location, cells[W_FIRST + i], &value)) {
            continue;
        }
        struct norm_iso_row row = megawatt_row(run, hour, &columns[i], value);
        if (!is_posted) {
            norm_row_emit(run, &row);
        } else if (strcmp(row.curve_role, "forecast") == 0) {
            row.published_s = made_s;
            row.has |= NORM_ISO_HAS_PUBLISHED;
            norm_row_emit(run, &row);
        } else {
            norm_row_emit_once(run, &row);
        }
    }
}

static void zone_forecast_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const struct wide COLUMNS[] = {{"NORTH", "load", "forecast"},
                                          {"SOUTH", "load", "forecast"},
                                          {"WEST", "load", "forecast"},
                                          {"HOUSTON", "load", "forecast"},
                                          {"ERCOT", "load", "forecast"}};
    wide_record(run, cells, COLUMNS, HR_ARRAY_LEN(COLUMNS));
}

static void zone_load_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const struct wide COLUMNS[] = {
        {"COAST", "load", "actual"},   {"EAST", "load", "actual"},    {"FAR_WEST", "load", "actual"},
        {"NORTH", "load", "actual"},   {"NORTH_C", "load", "actual"}, {"SOUTHERN", "load", "actual"},
        {"SOUTH_C", "load", "actual"}, {"WEST", "load", "actual"},    {"ERCOT", "load", "actual"}};
    wide_record(run, cells, COLUMNS, HR_ARRAY_LEN(COLUMNS));
}

static void solar_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const struct wide COLUMNS[] = {{"ERCOT", "generation.solar", "actual"},
                                          {"ERCOT", "generation.solar", "forecast"}};
    wide_record(run, cells, COLUMNS, HR_ARRAY_LEN(COLUMNS));
}

static void wind_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const struct wide COLUMNS[] = {{"ERCOT", "generation.wind", "actual"},
                                          {"ERCOT", "generation.wind", "forecast"}};
    wide_record(run, cells, COLUMNS, HR_ARRAY_LEN(COLUMNS));
}

static void outage_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const struct wide COLUMNS[] = {
        {"SOUTH", "outage.resource", "forecast"},      {"NORTH", "outage.resource", "forecast"},
        {"WEST", "outage.resource", "forecast"},       {"HOUSTON", "outage.resource", "forecast"},
        {"SOUTH", "outage.renewable", "forecast"},     {"NORTH", "outage.renewable", "forecast"},
        {"WEST", "outage.renewable", "forecast"},      {"HOUSTON", "outage.renewable", "forecast"},
        {"SOUTH", "outage.new_equipment", "forecast"}, {"NORTH", "outage.new_equipment", "forecast"},
        {"WEST", "outage.new_equipment", "forecast"},  {"HOUSTON", "outage.new_equipment", "forecast"}};
    wide_record(run, cells, COLUMNS, HR_ARRAY_LEN(COLUMNS));
}

/* ---- dashboards ---- */

enum { F_AT, F_FUEL, F_MW, N_FUEL };

static const struct norm_column fuel_columns[N_FUEL] = {
    [F_AT] = {.names = "#2"}, [F_FUEL] = {.names = "#3"}, [F_MW] = {.names = "gen"}};
static const struct norm_layout fuel_json = {
    .container = NORM_JSON, .columns = fuel_columns, .n_columns = N_FUEL, .records = "data.*.*.*"};

static void fuel_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    char subject[NORM_ISO_SUBJECT_CHARS];
    int64_t at_s = 0;
    double value = 0;
    if (norm_run_utc(run, "time", cells[F_AT], &at_s) && norm_run_number(run, "gen", cells[F_MW], &value)) {
        const struct wide what = {"ERCOT", norm_subject_of("generation.", cells[F_FUEL], subject), "actual"};
        struct norm_iso_row row = megawatt_row(run, (struct norm_interval){at_s, at_s}, &what, value);
        norm_row_emit(run, &row);
    }
}

enum { Q_AT, Q_LOAD, Q_FORECAST, N_DEMAND };

static const struct norm_column demand_columns[N_DEMAND] = {[Q_AT] = {.names = "timestamp"},
                                                            [Q_LOAD] = {.names = "systemLoad"},
                                                            [Q_FORECAST] = {.names = "dayAheadForecast"}};
static const struct norm_layout demand_json = {.container = NORM_JSON,
                                               .columns = demand_columns,
                                               .n_columns = N_DEMAND,
                                               .records = "previousDay.data|currentDay.data|nextDay.data"};

static void demand_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const struct wide WHAT[] = {{"ERCOT", "load", "actual"}, {"ERCOT", "load", "forecast"}};
    int64_t end_s = 0;
    if (!norm_run_utc(run, "timestamp", cells[Q_AT], &end_s)) {
        return;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(WHAT); i++) {
        double value = 0;
        if (norm_run_number(run, WHAT[i].role, cells[Q_LOAD + i], &value)) {
            struct norm_iso_row row =
                megawatt_row(run, (struct norm_interval){end_s - NORM_HOUR_S, end_s}, &WHAT[i], value);
            norm_row_emit(run, &row);
        }
    }
}

/* ---- forms ---- */

/* The sign of the JSON is a column's name in quotes, as the list of fields has it. */
#define ERCOT_HOURLY(name_, csv_sign_, json_sign_, feed_, product_, layout_, record_)                        \
    {ERCOT_FORM(name_ "_csv", NORM_SHAPE_TEXT, csv_sign_, NULL, feed_, 1U << (product_), layout_##_csv,      \
                record_),                                                                                    \
     .has_join = true},                                                                                      \
    {                                                                                                        \
        ERCOT_FORM(name_ "_json", NORM_SHAPE_JSON, "\"fields\"", json_sign_, feed_, 1U << (product_),        \
                   layout_##_json, record_),                                                                 \
            .has_join = true                                                                                 \
    }

static const struct norm_iso_form forms[] = {
    ERCOT_HOURLY("ercot_load_forecast", "HourEnding,North,South", "\"systemTotal\"", "ercot_load_forecast",
                 NORM_ISO_TELEMETRY, zone_forecast, zone_forecast_record),
    ERCOT_HOURLY("ercot_load", "OperDay,HourEnding,COAST", "\"farWest\"", "ercot_load", NORM_ISO_TELEMETRY,
                 zone_load, zone_load_record),
    ERCOT_HOURLY("ercot_solar", "STPPF_SYSTEM_WIDE", "\"STPPFSystemWide\"", "ercot_solar", NORM_ISO_TELEMETRY,
                 solar, solar_record),
    ERCOT_HOURLY("ercot_wind", "STWPF_SYSTEM_WIDE", "\"STWPFSystemWide\"", "ercot_wind", NORM_ISO_TELEMETRY,
                 wind, wind_record),
    ERCOT_HOURLY("ercot_outage", "TotalResourceMWZone", "\"totalResourceMWZoneSouth\"", "ercot_outage",
                 NORM_ISO_OUTAGE, outage, outage_record),
    {ERCOT_FORM("ercot_fuel_json", NORM_SHAPE_JSON, "\"lastUpdated\"", "\"Coal and Lignite\"",
                "ercot_fuel_mix", 1U << NORM_ISO_TELEMETRY, fuel_json, fuel_record)},
    {ERCOT_FORM("ercot_demand_json", NORM_SHAPE_JSON, "\"lastUpdated\"", "\"currentLoadForecast\"",
                "ercot_load", 1U << NORM_ISO_TELEMETRY, demand_json, demand_record)},
};

const struct norm_iso_forms norm_ercot_power_forms = {forms, HR_ARRAY_LEN(forms)};
