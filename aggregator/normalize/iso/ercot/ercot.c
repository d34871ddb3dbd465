/* SPDX-License-Identifier: Apache-2.0
 *
 * ERCOT: Central wall clock, hour-ending 01:00 to 24:00, with a flag that says "this is the repeated hour",
 * the second pass, and not "daylight time". Column names vary by report and year; the letters are the same.
 * Settlement point prices have no components. */
#include "aggregator/normalize/iso/form.h"

#include "aggregator/normalize/calendar/label.h"
#include "proto/base/assert.h"

#include <string.h>

#define DATE_NAMES "deliveryDate|Delivery Date|OperDay|Date"
#define HOUR_NAMES "hourEnding|Hour Ending|DeliveryHour"
#define FLAG_NAMES "DSTFlag|RepeatedHourFlag|repeatHourFlag"

/* The hour that date, hour-ending and flag mean. False: the record is rejected. */
static bool take_hour(struct norm_iso_run *run, struct hr_bytes date, struct hr_bytes hour_text,
                      struct hr_bytes flag, struct norm_interval *hour)
{
    int32_t day = 0;
    uint32_t number = 0;
    enum norm_fold fold = NORM_FOLD_UNKNOWN;
    enum norm_fold marked = NORM_FOLD_UNKNOWN;
    enum norm_fault fault = NORM_FAULT_NONE;
    struct norm_market_day market_day;
    if (!hr_is_ok(norm_day_read(date, &day)) || !hr_is_ok(norm_market_day_of(run->zone, day, &market_day))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "delivery date", date);
        return false;
    }
    if (!hr_is_ok(norm_fold_of_flag(flag, &fold))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "repeated-hour flag", flag);
        return false;
    }
    if (!hr_is_ok(norm_hour_label_read(hour_text, false, &number, &marked)) ||
        !hr_is_ok(norm_hour_ending(&market_day, NORM_HOURS_CLOCK, number, fold, hour, &fault))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "hour ending", hour_text);
        return false;
    }
    return true;
}

static enum norm_iso_location location_of(struct hr_bytes name)
{
    if (norm_text_begins(name, "HB_")) {
        return NORM_ISO_HUB;
    }
    return norm_text_begins(name, "LZ_") ? NORM_ISO_ZONE : NORM_ISO_NODE;
}

/* ---- settlement point prices ---- */

enum { S_DATE, S_HOUR, S_PART, S_POINT, S_TYPE, S_PRICE, S_FLAG, N_SPP };

static const struct norm_column spp_columns[N_SPP] = {
    [S_DATE] = {.names = DATE_NAMES, .is_required = true},
    [S_HOUR] = {.names = HOUR_NAMES, .is_required = true},
    [S_PART] = {.names = "DeliveryInterval"},
    [S_POINT] = {.names = "SettlementPoint|SettlementPointName", .is_required = true},
    [S_TYPE] = {.names = "SettlementPointType"},
    [S_PRICE] = {.names = "SettlementPointPrice", .is_required = true},
    [S_FLAG] = {.names = FLAG_NAMES},
};
static const struct norm_layout spp_csv = {.container = NORM_CSV, .columns = spp_columns, .n_columns = N_SPP};
static const struct norm_layout spp_json = {.container = NORM_JSON,
                                            .columns = spp_columns,
                                            .n_columns = N_SPP,
                                            .records = "data",
                                            .names = "fields.name"};

static void price_row(struct norm_iso_run *run, struct norm_interval interval, struct hr_bytes point,
                      struct hr_bytes type, double price)
{
    struct norm_iso_row row = norm_row_of(run, interval.start_utc_s, interval.end_utc_s);
    row.location_type = location_of(point);
    row.location_id = point;
    row.location_name = point;
    row.region = type; /* one name may stand under two types, with two prices */
    row.subject = "energy";
    row.curve_role = "price";
    row.unit = "USD/MWh";
    row.value = price;
    row.has = NORM_ISO_HAS_VALUE;
    norm_row_emit(run, &row);
}

static void spp_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct norm_interval hour;
    struct norm_interval interval;
    enum norm_fault fault = NORM_FAULT_NONE;
    int64_t part = 0;
    double price = 0;
    bool is_quarter = run->feed->interval_min == 15;
    if (is_quarter != (cells[S_PART].data != NULL)) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "DeliveryInterval", cells[S_PART]);
        return;
    }
    if (!take_hour(run, cells[S_DATE], cells[S_HOUR], cells[S_FLAG], &hour) ||
        !norm_run_number(run, "SettlementPointPrice", cells[S_PRICE], &price)) {
        return;
    }
    interval = hour;
    if (is_quarter && (!hr_is_ok(norm_integer(cells[S_PART], &part)) || part < 1 || part > 4 ||
                       !hr_is_ok(norm_hour_part(&hour, 15, (uint32_t)part, &interval, &fault)))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "DeliveryInterval", cells[S_PART]);
        return;
    }
    price_row(run, interval, cells[S_POINT], cells[S_TYPE], price);
}

/* ---- real-time prices at each run of the dispatch (SCED), at no regular times ---- */

enum { D_AT, D_FLAG, D_POINT, D_PRICE, N_SCED };

static const struct norm_column sced_columns[N_SCED] = {
    [D_AT] = {.names = "SCEDTimestamp", .is_required = true},
    [D_FLAG] = {.names = FLAG_NAMES, .is_required = true},
    [D_POINT] = {.names = "SettlementPoint|ElectricalBus", .is_required = true},
    [D_PRICE] = {.names = "LMP", .is_required = true},
};
static const struct norm_layout sced_csv = {
    .container = NORM_CSV, .columns = sced_columns, .n_columns = N_SCED};
static const struct norm_layout sced_json = {.container = NORM_JSON,
                                             .columns = sced_columns,
                                             .n_columns = N_SCED,
                                             .records = "data",
                                             .names = "fields.name"};

static void sced_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    enum norm_fold fold = NORM_FOLD_UNKNOWN;
    int64_t at_s = 0;
    double price = 0;
    if (!hr_is_ok(norm_fold_of_flag(cells[D_FLAG], &fold))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "RepeatedHourFlag", cells[D_FLAG]);
        return;
    }
    if (norm_run_local(run, "SCEDTimestamp", cells[D_AT], fold, &at_s) &&
        norm_run_number(run, "LMP", cells[D_PRICE], &price)) {
        price_row(run, (struct norm_interval){at_s, at_s}, cells[D_POINT], (struct hr_bytes){0}, price);
    }
}

/* ---- megawatts in columns: one for each zone, or one for what was and one for what was expected ---- */

enum { W_DATE, W_HOUR, W_FLAG, W_FIRST };

struct wide {
    const char *location; /* NULL: the column's header */
    const char *subject;
    const char *role;
};

#define WIDE_TIME                                                                                            \
    [W_DATE] = {.names = DATE_NAMES, .is_required = true},                                                   \
    [W_HOUR] = {.names = HOUR_NAMES, .is_required = true},                                                   \
    [W_FLAG] = {.names = FLAG_NAMES, .is_required = true}

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
    {.names = "SYSTEM_WIDE_GEN|ACTUAL_SYSTEM_WIDE", .is_required = true},
    {.names = "STPPF_SYSTEM_WIDE", .is_required = true}};
static const struct norm_column wind_columns[] = {
    WIDE_TIME,
    {.names = "SYSTEM_WIDE_GEN|ACTUAL_SYSTEM_WIDE", .is_required = true},
    {.names = "STWPF_SYSTEM_WIDE", .is_required = true}};

#define CSV_LAYOUT(columns_)                                                                                 \
    {.container = NORM_CSV, .columns = (columns_), .n_columns = HR_ARRAY_LEN(columns_)}

static const struct norm_layout zone_forecast_csv = CSV_LAYOUT(zone_forecast_columns);
static const struct norm_layout zone_load_csv = CSV_LAYOUT(zone_load_columns);
static const struct norm_layout solar_csv = CSV_LAYOUT(solar_columns);
static const struct norm_layout wind_csv = CSV_LAYOUT(wind_columns);

static void megawatt_row(struct norm_iso_run *run, struct norm_interval interval, const struct wide *what,
                         double value)
{
    struct norm_iso_row row = norm_row_of(run, interval.start_utc_s, interval.end_utc_s);
    bool is_system = strcmp(what->location, "ERCOT") == 0;
    row.location_type = is_system ? NORM_ISO_SYSTEM : NORM_ISO_ZONE;
    row.location_id = hr_bytes_of(what->location, strlen(what->location));
    row.location_name = row.location_id;
    row.subject = what->subject;
    row.curve_role = what->role;
    row.unit = "MW";
    row.value = value;
    row.has = NORM_ISO_HAS_VALUE;
    norm_row_emit(run, &row);
}

static void wide_record(struct norm_iso_run *run, const struct hr_bytes *cells, const struct wide *columns,
                        size_t n_columns)
{
    struct norm_interval hour;
    if (!take_hour(run, cells[W_DATE], cells[W_HOUR], cells[W_FLAG], &hour)) {
        return;
    }
    for (size_t i = 0; i < n_columns; i++) {
        double value = 0;
        if (norm_run_number(run, columns[i].location, cells[W_FIRST + i], &value)) {
            megawatt_row(run, hour, &columns[i], value);
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
        megawatt_row(run, (struct norm_interval){at_s, at_s}, &what, value);
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
            megawatt_row(run, (struct norm_interval){end_s - NORM_HOUR_S, end_s}, &WHAT[i], value);
        }
    }
}

/* ---- forms ---- */

#define ERCOT_FORM(name_, shape_, sign_, other_sign_, feed_, products_, layout_, record_)                    \
    .name = (name_), .shape = (shape_), .kind = NORM_ISO_DATA, .signs = {(sign_), (other_sign_)},            \
    .feed = (feed_), .iso = NORM_ERCOT, .products = (products_), .layout = &(layout_), .record = (record_)

#define ERCOT_OTHER(name_, shape_, kind_, sign_)                                                             \
    .name = (name_), .shape = (shape_), .kind = (kind_), .signs = {(sign_)}, .iso = NORM_ERCOT

static const struct norm_iso_form forms[] = {
    {ERCOT_OTHER("ercot_no_data", NORM_SHAPE_JSON, NORM_ISO_NO_DATA, "\"_meta\":{\"totalRecords\":0,")},
    {ERCOT_FORM("ercot_spp_json", NORM_SHAPE_JSON, "\"fields\"", "settlementPointPrice", "ercot_da_spp",
                1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP, spp_json, spp_record)},
    {ERCOT_FORM("ercot_spp_csv", NORM_SHAPE_TEXT, "SettlementPoint", "SettlementPointPrice", "ercot_da_spp",
                1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP, spp_csv, spp_record)},
    {ERCOT_FORM("ercot_sced_json", NORM_SHAPE_JSON, "\"fields\"", "\"SCEDTimestamp\"", "ercot_rt_lmp",
                1U << NORM_ISO_RT_LMP, sced_json, sced_record)},
    {ERCOT_FORM("ercot_sced_csv", NORM_SHAPE_TEXT, "SCEDTimestamp", "LMP", "ercot_rt_lmp",
                1U << NORM_ISO_RT_LMP, sced_csv, sced_record)},
    {ERCOT_FORM("ercot_load_forecast_csv", NORM_SHAPE_TEXT, "HourEnding,North,South", "SystemTotal",
                "ercot_load_forecast", 1U << NORM_ISO_TELEMETRY, zone_forecast_csv, zone_forecast_record)},
    {ERCOT_FORM("ercot_load_csv", NORM_SHAPE_TEXT, "OperDay,HourEnding,COAST", NULL, "ercot_load",
                1U << NORM_ISO_TELEMETRY, zone_load_csv, zone_load_record)},
    {ERCOT_FORM("ercot_solar_csv", NORM_SHAPE_TEXT, "STPPF_SYSTEM_WIDE", NULL, "ercot_solar",
                1U << NORM_ISO_TELEMETRY, solar_csv, solar_record)},
    {ERCOT_FORM("ercot_wind_csv", NORM_SHAPE_TEXT, "STWPF_SYSTEM_WIDE", NULL, "ercot_wind",
                1U << NORM_ISO_TELEMETRY, wind_csv, wind_record)},
    {ERCOT_FORM("ercot_fuel_json", NORM_SHAPE_JSON, "\"lastUpdated\"", "\"Coal and Lignite\"",
                "ercot_fuel_mix", 1U << NORM_ISO_TELEMETRY, fuel_json, fuel_record)},
    {ERCOT_FORM("ercot_demand_json", NORM_SHAPE_JSON, "\"lastUpdated\"", "\"currentLoadForecast\"",
                "ercot_load", 1U << NORM_ISO_TELEMETRY, demand_json, demand_record)},
    {ERCOT_OTHER("ercot_document_list", NORM_SHAPE_JSON, NORM_ISO_LISTING, "ListDocsByRptTypeRes")},
    {ERCOT_OTHER("ercot_archive_list", NORM_SHAPE_JSON, NORM_ISO_LISTING, "\"archives\":[")},
    {ERCOT_OTHER("ercot_ancillary_csv", NORM_SHAPE_TEXT, NORM_ISO_OTHER, "Hour Ending,MW Offered")},
    {ERCOT_OTHER("ercot_ancillary_csv", NORM_SHAPE_TEXT, NORM_ISO_OTHER, "Hour Ending,Total Cleared AS")},
    {ERCOT_OTHER("ercot_ancillary_csv", NORM_SHAPE_TEXT, NORM_ISO_OTHER,
                 "Hour Ending,Total Self-Arranged AS")},
};

const struct norm_iso_forms norm_ercot_forms = {forms, HR_ARRAY_LEN(forms)};
