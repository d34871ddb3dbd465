/* SPDX-License-Identifier: Apache-2.0
 *
 * PJM: Data Miner's JSON and its CSV export, which have the same names. Times of the columns that end in _utc
 * are UTC without saying so; _ept is not looked at. Rows that a later version replaced are marked, and
 * dropped. */
#include "aggregator/normalize/iso/form.h"

#include "proto/base/assert.h"

#include <string.h>

#define LAYOUTS(name, columns_, n_columns_)                                                                  \
    static const struct norm_layout name##_csv = {                                                           \
        .container = NORM_CSV, .columns = (columns_), .n_columns = (n_columns_)};                            \
    static const struct norm_layout name##_json = {                                                          \
        .container = NORM_JSON, .columns = (columns_), .n_columns = (n_columns_), .records = "items"}

/* ---- prices ---- */

enum {
    L_START,
    L_ID,
    L_NAME,
    L_TYPE,
    L_ZONE,
    L_ENERGY,
    L_PRICE,
    L_CONGESTION,
    L_LOSS,
    L_CURRENT,
    L_VERSION,
    N_LMP
};

static const struct norm_column lmp_columns[N_LMP] = {
    [L_START] = {.names = "datetime_beginning_utc", .is_required = true},
    [L_ID] = {.names = "pnode_id", .is_required = true},
    [L_NAME] = {.names = "pnode_name"},
    [L_TYPE] = {.names = "type"},
    [L_ZONE] = {.names = "zone"},
    [L_ENERGY] = {.names = "system_energy_price_da|system_energy_price_rt"},
    [L_PRICE] = {.names = "total_lmp_da|total_lmp_rt", .is_required = true},
    [L_CONGESTION] = {.names = "congestion_price_da|congestion_price_rt"},
    [L_LOSS] = {.names = "marginal_loss_price_da|marginal_loss_price_rt"},
    [L_CURRENT] = {.names = "row_is_current"},
    [L_VERSION] = {.names = "version_nbr"},
};
LAYOUTS(lmp, lmp_columns, N_LMP);

static enum norm_iso_location location_of(struct hr_bytes type)
{
    static const struct {
        const char *type;
        enum norm_iso_location location;
    } TYPES[] = {{"ZONE", NORM_ISO_ZONE},           {"HUB", NORM_ISO_HUB},
                 {"INTERFACE", NORM_ISO_INTERFACE}, {"EXT", NORM_ISO_INTERFACE},
                 {"TIE", NORM_ISO_INTERFACE},       {"RESIDUAL_METERED_EDC", NORM_ISO_ZONE}};
    for (size_t i = 0; i < HR_ARRAY_LEN(TYPES); i++) {
        if (norm_text_is(type, TYPES[i].type)) {
            return TYPES[i].location;
        }
    }
    return type.len_bytes == 0 ? NORM_ISO_UNTYPED : NORM_ISO_NODE;
}

static void lmp_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t start_s = 0;
    if (norm_text_is_nocase(cells[L_CURRENT], "false")) {
        run->result->n_superseded++;
        return;
    }
    if (!norm_run_utc(run, "datetime_beginning_utc", cells[L_START], &start_s)) {
        return;
    }
    struct norm_iso_row row = norm_row_from(run, start_s);
    row.has = NORM_ISO_HAS_VALUE;
    if (!norm_run_number(run, "total_lmp", cells[L_PRICE], &row.value) ||
        !norm_run_optional(run, "system_energy_price", cells[L_ENERGY], &row.energy, &row.has,
                           NORM_ISO_HAS_ENERGY) ||
        !norm_run_optional(run, "congestion_price", cells[L_CONGESTION], &row.congestion, &row.has,
                           NORM_ISO_HAS_CONGESTION) ||
        !norm_run_optional(run, "marginal_loss_price", cells[L_LOSS], &row.loss, &row.has,
                           NORM_ISO_HAS_LOSS)) {
        return;
    }
    row.has |= hr_is_ok(norm_integer(cells[L_VERSION], &row.version)) ? NORM_ISO_HAS_VERSION : 0U;
    norm_row_place(&row, location_of(cells[L_TYPE]), cells[L_ID], cells[L_NAME]);
    row.zone = cells[L_ZONE];
    norm_row_price(&row);
    norm_row_emit(run, &row);
}

/* ---- megawatts ---- */

enum { M_START, M_END, M_AREA, M_FUEL, M_VALUE, M_MADE, N_MW };

#define MW_COLUMNS(start, end, area, value, made)                                                            \
    [M_START] = {.names = (start), .is_required = true}, [M_END] = {.names = (end)},                         \
    [M_AREA] = {.names = (area)}, [M_FUEL] = {.names = "fuel_type"},                                         \
    [M_VALUE] = {.names = (value), .is_required = true}, [M_MADE] = {.names = (made)}

static const struct norm_column fuel_columns[N_MW] = {
    MW_COLUMNS("datetime_beginning_utc", "-", "-1", "mw", "-2")};
static const struct norm_column solar_columns[N_MW] = {
    MW_COLUMNS("datetime_beginning_utc", "-", "area", "solar_generation_mw", "-2")};
static const struct norm_column wind_columns[N_MW] = {
    MW_COLUMNS("datetime_beginning_utc", "-", "area", "wind_generation_mw", "-2")};
static const struct norm_column load_columns[N_MW] = {
    MW_COLUMNS("datetime_beginning_utc", "-", "load_area|area", "mw|instantaneous_load", "-2")};
static const struct norm_column solar_forecast_columns[N_MW] = {MW_COLUMNS(
    "datetime_beginning_utc", "datetime_ending_utc", "-1", "solar_forecast_mwh", "evaluated_at_utc")};
static const struct norm_column load_forecast_columns[N_MW] = {
    MW_COLUMNS("forecast_datetime_beginning_utc", "forecast_datetime_ending_utc", "forecast_area",
               "forecast_load_mw", "evaluated_at_datetime_utc")};
LAYOUTS(fuel, fuel_columns, N_MW);
LAYOUTS(solar, solar_columns, N_MW);
LAYOUTS(wind, wind_columns, N_MW);
LAYOUTS(load, load_columns, N_MW);
LAYOUTS(solar_forecast, solar_forecast_columns, N_MW);
LAYOUTS(load_forecast, load_forecast_columns, N_MW);
static const struct norm_layout load_forecast_array = {
    .container = NORM_JSON, .columns = load_forecast_columns, .n_columns = N_MW, .records = ""};

static void megawatt_record(struct norm_iso_run *run, const struct hr_bytes *cells, const char *subject,
                            const char *role, const char *unit)
{
    int64_t start_s = 0;
    if (!norm_run_utc(run, "datetime_beginning_utc", cells[M_START], &start_s)) {
        return;
    }
    struct norm_iso_row row = norm_row_from(run, start_s);
    if (!norm_run_number(run, "MW", cells[M_VALUE], &row.value)) {
        return;
    }
    if (cells[M_END].len_bytes > 0 && !norm_run_utc(run, "datetime_ending_utc", cells[M_END], &row.end_s)) {
        return;
    }
    if (!norm_row_made(run, "evaluated_at_utc", cells[M_MADE], &row)) {
        return;
    }
    struct hr_bytes area = cells[M_AREA].len_bytes == 0 ? hr_bytes_of("RTO", 3) : cells[M_AREA];
    bool is_whole = norm_text_is(area, "RTO") || norm_text_is(area, "RTO_COMBINED");
    norm_row_place(&row, is_whole ? NORM_ISO_SYSTEM : NORM_ISO_ZONE, area, area);
    norm_row_megawatts(&row, subject, role, row.value);
    row.unit = unit;
    norm_row_emit(run, &row);
}

static void fuel_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    char subject[NORM_ISO_SUBJECT_CHARS];
    megawatt_record(run, cells, norm_subject_of("generation.", cells[M_FUEL], subject), "actual", "MW");
}

static void solar_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    megawatt_record(run, cells, "generation.solar", "actual", "MW");
}

static void wind_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    megawatt_record(run, cells, "generation.wind", "actual", "MW");
}

static void load_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    megawatt_record(run, cells, "load", "actual", "MW");
}

static void solar_forecast_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    megawatt_record(run, cells, "generation.solar", "forecast", "MWh"); /* as the column is called */
}

static void load_forecast_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    megawatt_record(run, cells, "load", "forecast", "MW");
}

/* ---- outages: whole days, Eastern prevailing ---- */

enum { O_DAY, O_MADE, O_REGION, O_FIRST };
enum { N_OUTAGE = O_FIRST + 3 };

static const struct norm_column outage_columns[N_OUTAGE] = {
    [O_DAY] = {.names = "forecast_date", .is_required = true},
    [O_MADE] = {.names = "forecast_execution_date_ept", .is_required = true},
    [O_REGION] = {.names = "region", .is_required = true},
    [O_FIRST] = {.names = "planned_outages_mw", .is_required = true},
    {.names = "maintenance_outages_mw", .is_required = true},
    {.names = "forced_outages_mw", .is_required = true},
};
LAYOUTS(outage, outage_columns, N_OUTAGE);

static void outage_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const char *const SUBJECTS[] = {"outage.planned", "outage.maintenance", "outage.forced"};
    struct norm_iso_row day;
    if (!norm_row_of_day(run, "forecast_date", cells[O_DAY], &day) ||
        !norm_run_local(run, "forecast_execution_date_ept", cells[O_MADE], NORM_FOLD_UNKNOWN,
                        &day.published_s)) {
        return;
    }
    norm_row_place(&day, NORM_ISO_ZONE, cells[O_REGION], cells[O_REGION]);
    day.has = NORM_ISO_HAS_PUBLISHED;
    for (size_t i = 0; i < HR_ARRAY_LEN(SUBJECTS); i++) {
        double value = 0;
        if (norm_run_number(run, SUBJECTS[i], cells[O_FIRST + i], &value)) {
            struct norm_iso_row row = day;
            norm_row_megawatts(&row, SUBJECTS[i], "forecast", value);
            norm_row_emit(run, &row);
        }
    }
}

/* ---- constraints: binding ones with their shadow price (negative), or without ---- */

enum { C_START, C_END, C_FACILITY, C_CONTINGENCY, C_PRICE, N_CONSTRAINT };

static const struct norm_column constraint_columns[N_CONSTRAINT] = {
    [C_START] = {.names = "datetime_beginning_utc", .is_required = true},
    [C_END] = {.names = "datetime_ending_utc", .is_required = true},
    [C_FACILITY] = {.names = "monitored_facility", .is_required = true},
    [C_CONTINGENCY] = {.names = "contingency_facility", .is_required = true},
    [C_PRICE] = {.names = "shadow_price"},
};
LAYOUTS(constraint, constraint_columns, N_CONSTRAINT);

static void constraint_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct norm_iso_row row = norm_row_of(run, 0, 0);
    if (!norm_run_utc(run, "datetime_beginning_utc", cells[C_START], &row.start_s) ||
        !norm_run_utc(run, "datetime_ending_utc", cells[C_END], &row.end_s) ||
        !norm_run_optional(run, "shadow_price", cells[C_PRICE], &row.value, &row.has, NORM_ISO_HAS_VALUE)) {
        return;
    }
    norm_row_place(&row, NORM_ISO_FACILITY, cells[C_FACILITY], cells[C_FACILITY]);
    row.contingency = cells[C_CONTINGENCY];
    norm_row_price(&row);
    row.subject = (row.has & NORM_ISO_HAS_VALUE) != 0 ? "shadow_price" : "binding";
    norm_row_emit(run, &row);
}

/* ---- forms ---- */

#define PJM_FORM(name_, shape_, sign_, feed_, products_, layout_, record_)                                   \
    {.name = (name_),                                                                                        \
     .shape = (shape_),                                                                                      \
     .kind = NORM_ISO_DATA,                                                                                  \
     .signs = {(sign_), "datetime_beginning"},                                                               \
     .feed = (feed_),                                                                                        \
     .is_told = (shape_) == NORM_SHAPE_JSON, /* by the address */                                            \
     .iso = NORM_PJM,                                                                                        \
     .products = (products_),                                                                                \
     .layout = &(layout_),                                                                                   \
     .record = (record_)}
/* JSON is known by the address that it names, CSV by a column that no other has. */
#define PJM_BOTH(name_, address_, column_, feed_, products_, layout_, record_)                               \
    PJM_FORM(name_ "_json", NORM_SHAPE_JSON, "/api/v1/" address_ "?", (feed_), (products_), layout_##_json,  \
             record_),                                                                                       \
        PJM_FORM(name_ "_csv", NORM_SHAPE_TEXT, column_, (feed_), (products_), layout_##_csv, record_)

static const struct norm_iso_form forms[] = {
    {.name = "pjm_throttled",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_THROTTLED,
     .signs = {"requested by this IP Address", "throttle"},
     .iso = NORM_PJM},
    {.name = "pjm_throttled",
     .shape = NORM_SHAPE_JSON,
     .kind = NORM_ISO_THROTTLED,
     .signs = {"Rate limit is exceeded"},
     .iso = NORM_PJM},
    {.name = "pjm_no_data",
     .shape = NORM_SHAPE_JSON,
     .kind = NORM_ISO_NO_DATA,
     .signs = {"api.pjm.com/api/v1/", "\"totalRows\":0"},
     .iso = NORM_PJM},
    PJM_BOTH("pjm_da_lmp", "da_hrl_lmps", "total_lmp_da", "pjm_da_lmp", 1U << NORM_ISO_DA_LMP, lmp,
             lmp_record),
    PJM_BOTH("pjm_rt_hourly_lmp", "rt_hrl_lmps", "total_lmp_rt", "pjm_rt_hourly_lmp", 1U << NORM_ISO_RT_LMP,
             lmp, lmp_record),
    PJM_FORM("pjm_rt_lmp_json", NORM_SHAPE_JSON, "/api/v1/rt_fivemin_hrl_lmps?", "pjm_rt_lmp_verified",
             1U << NORM_ISO_RT_LMP, lmp_json, lmp_record),
    PJM_FORM("pjm_rt_unverified_lmp_json", NORM_SHAPE_JSON, "/api/v1/rt_unverified_fivemin_lmps?",
             "pjm_rt_lmp", 1U << NORM_ISO_RT_LMP, lmp_json, lmp_record),
    PJM_BOTH("pjm_fuel", "gen_by_fuel", "fuel_percentage_of_total", "pjm_fuel_mix", 1U << NORM_ISO_TELEMETRY,
             fuel, fuel_record),
    PJM_BOTH("pjm_solar", "solar_gen", "solar_generation_mw", "pjm_solar", 1U << NORM_ISO_TELEMETRY, solar,
             solar_record),
    PJM_BOTH("pjm_wind", "wind_gen", "wind_generation_mw", "pjm_wind", 1U << NORM_ISO_TELEMETRY, wind,
             wind_record),
    PJM_BOTH("pjm_load_hourly", "hrl_load_metered", "load_area", "pjm_load_hourly", 1U << NORM_ISO_TELEMETRY,
             load, load_record),
    PJM_FORM("pjm_load_json", NORM_SHAPE_JSON, "/api/v1/inst_load?", "pjm_load", 1U << NORM_ISO_TELEMETRY,
             load_json, load_record),
    PJM_BOTH("pjm_solar_forecast", "hourly_solar_power_forecast", "solar_forecast_mwh", "pjm_solar_forecast",
             1U << NORM_ISO_TELEMETRY, solar_forecast, solar_forecast_record),
    PJM_FORM("pjm_solar_forecast_json", NORM_SHAPE_JSON, "/api/v1/five_min_solar_power_forecast?",
             "pjm_solar_forecast", 1U << NORM_ISO_TELEMETRY, solar_forecast_json, solar_forecast_record),
    PJM_BOTH("pjm_load_forecast", "load_frcstd_7_day", "forecast_load_mw", "pjm_load_forecast",
             1U << NORM_ISO_TELEMETRY, load_forecast, load_forecast_record),
    PJM_FORM("pjm_load_forecast_array_json", NORM_SHAPE_JSON, "\"forecast_load_mw\"", "pjm_load_forecast",
             1U << NORM_ISO_TELEMETRY, load_forecast_array, load_forecast_record),
    PJM_BOTH("pjm_da_constraint", "da_marginal_value", "shadow_price", "pjm_da_constraint",
             1U << NORM_ISO_CONSTRAINT, constraint, constraint_record),
    PJM_FORM("pjm_rt_constraint_json", NORM_SHAPE_JSON, "/api/v1/rt_marginal_value?", "pjm_rt_constraint",
             1U << NORM_ISO_CONSTRAINT, constraint_json, constraint_record),
    PJM_FORM("pjm_da_binding_json", NORM_SHAPE_JSON, "/api/v1/da_transconstraints?", "pjm_da_constraint",
             1U << NORM_ISO_CONSTRAINT, constraint_json, constraint_record),
    {.name = "pjm_outage_json",
     .shape = NORM_SHAPE_JSON,
     .kind = NORM_ISO_DATA,
     .signs = {"/api/v1/gen_outages_by_type?"},
     .feed = "pjm_outage",
     .iso = NORM_PJM,
     .products = 1U << NORM_ISO_OUTAGE,
     .layout = &outage_json,
     .record = outage_record},
    {.name = "pjm_outage_csv",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_DATA,
     .signs = {"forecast_execution_date_ept", "forced_outages_mw"},
     .feed = "pjm_outage",
     .iso = NORM_PJM,
     .products = 1U << NORM_ISO_OUTAGE,
     .layout = &outage_csv,
     .record = outage_record},
};

const struct norm_iso_forms norm_pjm_forms = {forms, HR_ARRAY_LEN(forms)};
