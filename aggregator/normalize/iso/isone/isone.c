/* SPDX-License-Identifier: Apache-2.0
 *
 * ISO-NE: the web services' JSON, which is made of XML (one record is an object, several are an array, an
 * attribute is "@x", text is "$"), with times that have their offset; and the reports' CSV, in Eastern
 * prevailing time with "02X" for the repeated hour. Times are beginnings, hours in CSV are endings. */
#include "aggregator/normalize/iso/form.h"

#include "aggregator/normalize/calendar/label.h"
#include "proto/base/assert.h"

#include <string.h>

/* The whole area, as answers about it that name no place are given one. */
static void place_system(struct norm_iso_row *row)
{
    norm_row_place(row, NORM_ISO_SYSTEM, hr_bytes_of("32", 2), hr_bytes_of("NEPOOL AREA", 11));
}

/* By type where it is printed, else by the name: .H.INTERNAL_HUB, .Z.MAINE, .I.SALBRYNB345 1, UN.x; 32 is
 * the whole area. */
static enum norm_iso_location location_of(struct hr_bytes type, struct hr_bytes name, struct hr_bytes id)
{
    if (norm_text_is(type, "HUB") || norm_text_begins(name, ".H.")) {
        return NORM_ISO_HUB;
    }
    if (norm_text_is(type, "LOAD ZONE") || norm_text_begins(name, ".Z.")) {
        return NORM_ISO_ZONE;
    }
    if (norm_text_is(type, "EXT. NODE") || norm_text_begins(name, ".I.")) {
        return NORM_ISO_INTERFACE;
    }
    if (norm_text_is(type, "RESERVE ZONE")) {
        return NORM_ISO_RESERVE;
    }
    if (norm_text_is(id, "32") || norm_text_is(name, "SYSTEM")) {
        return NORM_ISO_SYSTEM;
    }
    return type.len_bytes > 0 || norm_text_begins(name, "UN.") ? NORM_ISO_NODE : NORM_ISO_UNTYPED;
}

/* ---- prices ---- */

enum { L_START, L_ID, L_TYPE, L_NAME, L_PRICE, L_ENERGY, L_CONGESTION, L_LOSS, L_HOUR, L_KIND, N_LMP };

static const struct norm_column lmp_columns[N_LMP] = {
    [L_START] = {.names = "BeginDate"},
    [L_ID] = {.names = "Location.@LocId"},
    [L_TYPE] = {.names = "Location.@LocType"},
    [L_NAME] = {.names = "Location.$"},
    [L_PRICE] = {.names = "LmpTotal"},
    [L_ENERGY] = {.names = "EnergyComponent"},
    [L_CONGESTION] = {.names = "CongestionComponent"},
    [L_LOSS] = {.names = "LossComponent"},
    [L_HOUR] = {.names = "-"},
    [L_KIND] = {.names = "-1"},
};
static const struct norm_column report_columns[N_LMP] = {
    [L_START] = {.names = "Date", .is_required = true},
    [L_ID] = {.names = "Location ID", .is_required = true},
    [L_TYPE] = {.names = "Location Type", .is_required = true},
    [L_NAME] = {.names = "Location Name", .is_required = true},
    [L_PRICE] = {.names = "Locational Marginal Price", .is_required = true},
    [L_ENERGY] = {.names = "Energy Component", .is_required = true},
    [L_CONGESTION] = {.names = "Congestion Component", .is_required = true},
    [L_LOSS] = {.names = "Marginal Loss Component", .is_required = true},
    [L_HOUR] = {.names = "Hour Ending", .is_required = true},
    [L_KIND] = {.names = "H", .is_required = true},
};
static const struct norm_layout lmp_json = {
    .container = NORM_JSON,
    .columns = lmp_columns,
    .n_columns = N_LMP,
    .records = "HourlyLmps.HourlyLmp|HourlyLmp|FiveMinLmps.FiveMinLmp|FiveMinLmp"};
static const struct norm_layout lmp_csv = {
    .container = NORM_CSV, .columns = report_columns, .n_columns = N_LMP};

static void price_row(struct norm_iso_run *run, const struct hr_bytes *cells, struct norm_iso_row *row)
{
    if (!norm_run_number(run, "LMP", cells[L_PRICE], &row->value) ||
        !norm_run_number(run, "energy component", cells[L_ENERGY], &row->energy) ||
        !norm_run_number(run, "congestion component", cells[L_CONGESTION], &row->congestion) ||
        !norm_run_number(run, "loss component", cells[L_LOSS], &row->loss)) {
        return;
    }
    norm_row_place(row, location_of(cells[L_TYPE], cells[L_NAME], cells[L_ID]), cells[L_ID], cells[L_NAME]);
    norm_row_price(row);
    row->has = NORM_ISO_HAS_VALUE | NORM_ISO_HAS_ENERGY | NORM_ISO_HAS_CONGESTION | NORM_ISO_HAS_LOSS;
    norm_row_emit(run, row);
}

static void lmp_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t start_s = 0;
    if (norm_run_utc(run, "BeginDate", cells[L_START], &start_s)) {
        struct norm_iso_row row = norm_row_from(run, start_s);
        price_row(run, cells, &row);
    }
}

static void report_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int32_t day = 0;
    uint32_t number = 0;
    enum norm_fold fold = NORM_FOLD_UNKNOWN;
    enum norm_fault fault = NORM_FAULT_NONE;
    struct norm_market_day market_day;
    struct norm_interval hour;
    if (!norm_text_is(cells[L_KIND], "D")) {
        run->result->n_records--; /* the types of the columns, or the trailer */
        return;
    }
    if (!hr_is_ok(norm_day_read(cells[L_START], &day)) ||
        !hr_is_ok(norm_market_day_of(run->zone, day, &market_day)) ||
        !hr_is_ok(norm_hour_label_read(cells[L_HOUR], true, &number, &fold)) ||
        !hr_is_ok(norm_hour_ending(&market_day, NORM_HOURS_CLOCK, number, fold, &hour, &fault))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "Date and Hour Ending", cells[L_HOUR]);
        return;
    }
    struct norm_iso_row row = norm_row_of(run, hour.start_utc_s, hour.end_utc_s);
    price_row(run, cells, &row);
}

/* ---- megawatts ---- */

enum { M_START, M_ID, M_TYPE, M_NAME, M_VALUE, M_FUEL, M_MADE, N_MW };

#define MW_COLUMNS(name, value, fuel, made)                                                                  \
    [M_START] = {.names = "BeginDate"}, [M_ID] = {.names = "Location.@LocId"},                               \
    [M_TYPE] = {.names = "Location.@LocType"}, [M_NAME] = {.names = (name)}, [M_VALUE] = {.names = (value)}, \
    [M_FUEL] = {.names = (fuel)}, [M_MADE] = {.names = (made)}

static const struct norm_column load_columns[N_MW] = {MW_COLUMNS("Location.$", "Load", "-", "-1")};
static const struct norm_column fuel_columns[N_MW] = {MW_COLUMNS("-", "GenMw", "FuelCategory", "-1")};
static const struct norm_column forecast_columns[N_MW] = {
    MW_COLUMNS("ReliabilityRegion", "LoadMw", "-", "CreationDate")};
static const struct norm_column chart_columns[N_MW] = {MW_COLUMNS("-", "LoadMw", "-1", "-2")};
static const struct norm_column outage_columns[N_MW] = {
    MW_COLUMNS("-", "GenOutagesReductionMW|GenOutagesReductionMw", "-1", "CreationDate")};

#define JSON_LAYOUT(columns_, records_)                                                                      \
    {.container = NORM_JSON, .columns = (columns_), .n_columns = N_MW, .records = (records_)}

static const struct norm_layout load_json = JSON_LAYOUT(
    load_columns,
    "HourlySystemLoads.HourlySystemLoad|HourlySystemLoad|HourlyRtDemands.HourlyRtDemand|HourlyRtDemand");
static const struct norm_layout schedule_json =
    JSON_LAYOUT(load_columns, "HourlyDaDemands.HourlyDaDemand|HourlyDaDemand");
static const struct norm_layout fuel_json = JSON_LAYOUT(fuel_columns, "GenFuelMixes.GenFuelMix|GenFuelMix");
static const struct norm_layout forecast_json =
    JSON_LAYOUT(forecast_columns, "HourlyLoadForecasts.HourlyLoadForecast|HourlyLoadForecast|"
                                  "ReliabilityRegionLoadForecasts.ReliabilityRegionLoadForecast");
static const struct norm_layout chart_json = JSON_LAYOUT(chart_columns, "data.actual");
static const struct norm_layout outage_json =
    JSON_LAYOUT(outage_columns, "MorningReports.MorningReport|MorningReport");

static void megawatt_record(struct norm_iso_run *run, const struct hr_bytes *cells, const char *subject,
                            const char *role)
{
    int64_t start_s = 0;
    if (!norm_run_utc(run, "BeginDate", cells[M_START], &start_s)) {
        return;
    }
    struct norm_iso_row row = norm_row_from(run, start_s);
    if (!norm_run_number(run, "MW", cells[M_VALUE], &row.value)) {
        return;
    }
    if (!norm_row_made(run, "CreationDate", cells[M_MADE], &row)) {
        return;
    }
    if (cells[M_ID].len_bytes == 0 && cells[M_NAME].len_bytes == 0) {
        place_system(&row);
    } else {
        norm_row_place(&row, location_of(cells[M_TYPE], cells[M_NAME], cells[M_ID]),
                       cells[M_ID].len_bytes > 0 ? cells[M_ID] : cells[M_NAME], cells[M_NAME]);
    }
    norm_row_megawatts(&row, subject, role, row.value);
    norm_row_emit(run, &row);
}

static void load_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    megawatt_record(run, cells, "load", "actual");
}

static void schedule_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    megawatt_record(run, cells, "schedule.load", "cleared");
}

static void fuel_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    char subject[NORM_ISO_SUBJECT_CHARS];
    megawatt_record(run, cells, norm_subject_of("generation.", cells[M_FUEL], subject), "actual");
}

static void forecast_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    megawatt_record(run, cells, "load", "forecast");
}

/* The whole market day, which has not always 1,440 minutes. */
static void outage_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    double value = 0;
    struct norm_iso_row row;
    if (!norm_run_number(run, "GenOutagesReductionMW", cells[M_VALUE], &value) ||
        !norm_row_of_day(run, "BeginDate", cells[M_START], &row) ||
        !norm_row_made(run, "CreationDate", cells[M_MADE], &row)) {
        return;
    }
    place_system(&row);
    norm_row_megawatts(&row, "outage.generation", "forecast", value);
    norm_row_emit(run, &row);
}

/* ---- constraints ---- */

enum { C_START, C_NAME, C_CONTINGENCY, C_PRICE, N_CONSTRAINT };

static const struct norm_column constraint_columns[N_CONSTRAINT] = {
    [C_START] = {.names = "BeginDate"},
    [C_NAME] = {.names = "ConstraintName"},
    [C_CONTINGENCY] = {.names = "ContingencyName"},
    [C_PRICE] = {.names = "MarginalValue"}};
static const struct norm_layout constraint_json = {
    .container = NORM_JSON,
    .columns = constraint_columns,
    .n_columns = N_CONSTRAINT,
    .records = "DayAheadConstraints.DayAheadConstraint|RealTimeConstraints.RealTimeConstraint"};

static void constraint_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t start_s = 0;
    if (!norm_run_utc(run, "BeginDate", cells[C_START], &start_s)) {
        return;
    }
    struct norm_iso_row row = norm_row_from(run, start_s);
    if (norm_run_number(run, "MarginalValue", cells[C_PRICE], &row.value)) {
        norm_row_place(&row, NORM_ISO_FACILITY, cells[C_NAME], cells[C_NAME]);
        row.contingency = cells[C_CONTINGENCY];
        norm_row_shadow_price(&row, row.value);
        norm_row_emit(run, &row);
    }
}

/* ---- locations ---- */

enum { P_ID, P_TYPE, P_NAME, N_PLACE };

static const struct norm_column place_columns[N_PLACE] = {[P_ID] = {.names = "LocationID"},
                                                          [P_TYPE] = {.names = "LocationType"},
                                                          [P_NAME] = {.names = "LocationName"}};
static const struct norm_layout place_json = {.container = NORM_JSON,
                                              .columns = place_columns,
                                              .n_columns = N_PLACE,
                                              .records = "Locations.Location|Location"};

static void place_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    if (cells[P_ID].len_bytes == 0) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "LocationID", cells[P_ID]);
        return;
    }
    norm_place_emit(run,
                    &(struct norm_iso_place){.iso = NORM_ISONE,
                                             .type = location_of(cells[P_TYPE], cells[P_NAME], cells[P_ID]),
                                             .id = cells[P_ID],
                                             .name = cells[P_NAME]});
}

/* ---- forms ---- */

#define ISONE_FORM(name_, shape_, sign_, feed_, products_, layout_, record_)                                 \
    {.name = (name_),                                                                                        \
     .shape = (shape_),                                                                                      \
     .kind = NORM_ISO_DATA,                                                                                  \
     .signs = {(sign_)},                                                                                     \
     .feed = (feed_),                                                                                        \
     .iso = NORM_ISONE,                                                                                      \
     .products = (products_),                                                                                \
     .layout = &(layout_),                                                                                   \
     .record = (record_)}
#define ISONE_OTHER(name_, shape_, kind_, sign_)                                                             \
    {.name = (name_), .shape = (shape_), .kind = (kind_), .signs = {(sign_)}, .iso = NORM_ISONE}
#define ISONE_JSON(name_, sign_, feed_, product_, layout_, record_)                                          \
    ISONE_FORM(name_, NORM_SHAPE_JSON, (sign_), (feed_), 1U << (product_), (layout_), record_)

static const struct norm_iso_form forms[] = {
    ISONE_OTHER("isone_no_data", NORM_SHAPE_TEXT, NORM_ISO_NO_DATA, "No data exists for this period"),
    ISONE_FORM("isone_lmp_json", NORM_SHAPE_JSON, "\"HourlyLmp", "isone_da_lmp",
               1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP, lmp_json, lmp_record),
    ISONE_JSON("isone_five_minute_lmp_json", "\"FiveMinLmp", "isone_rt_lmp", NORM_ISO_RT_LMP, lmp_json,
               lmp_record),
    ISONE_FORM("isone_lmp_csv", NORM_SHAPE_TEXT, "\"Locational Marginal Price\"", "isone_da_lmp",
               1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP, lmp_csv, report_record),
    ISONE_JSON("isone_load_json", "\"HourlySystemLoad", "isone_load", NORM_ISO_TELEMETRY, load_json,
               load_record),
    ISONE_JSON("isone_demand_json", "\"HourlyRtDemand", "isone_load", NORM_ISO_TELEMETRY, load_json,
               load_record),
    ISONE_JSON("isone_schedule_json", "\"HourlyDaDemand", "isone_da_schedule", NORM_ISO_DA_SCHEDULE,
               schedule_json, schedule_record),
    ISONE_JSON("isone_fuel_json", "\"GenFuelMix", "isone_fuel_mix", NORM_ISO_TELEMETRY, fuel_json,
               fuel_record),
    ISONE_JSON("isone_forecast_json", "\"HourlyLoadForecast", "isone_load_forecast", NORM_ISO_TELEMETRY,
               forecast_json, forecast_record),
    ISONE_JSON("isone_region_forecast_json", "\"ReliabilityRegionLoadForecast", "isone_load_forecast",
               NORM_ISO_TELEMETRY, forecast_json, forecast_record),
    ISONE_JSON("isone_load_chart_json", "\"SystemLoadBtmPv\"", "isone_load_5min", NORM_ISO_TELEMETRY,
               chart_json, load_record),
    ISONE_JSON("isone_morning_report_json", "\"MorningReport", "isone_outage", NORM_ISO_OUTAGE, outage_json,
               outage_record),
    ISONE_JSON("isone_constraint_json", "\"DayAheadConstraint", "isone_da_constraint", NORM_ISO_CONSTRAINT,
               constraint_json, constraint_record),
    ISONE_JSON("isone_constraint_json", "\"RealTimeConstraint", "isone_rt_constraint", NORM_ISO_CONSTRAINT,
               constraint_json, constraint_record),
    {.name = "isone_locations_json",
     .shape = NORM_SHAPE_JSON,
     .kind = NORM_ISO_REFERENCE,
     .signs = {"\"LocationName\""},
     .iso = NORM_ISONE,
     .layout = &place_json,
     .record = place_record},
    ISONE_OTHER("isone_week_forecast_json", NORM_SHAPE_JSON, NORM_ISO_OTHER, "\"SevenDayForecast"),
    ISONE_OTHER("isone_ties_chart_json", NORM_SHAPE_JSON, NORM_ISO_OTHER, "\"TotalExports\""),
    ISONE_OTHER("isone_solar_forecast_csv", NORM_SHAPE_TEXT, NORM_ISO_OTHER,
                "Seven Day Solar Power Forecast"),
};

const struct norm_iso_forms norm_isone_forms = {forms, HR_ARRAY_LEN(forms)};
