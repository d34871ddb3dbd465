/* SPDX-License-Identifier: Apache-2.0
 *
 * NYISO: Eastern wall clock, mostly without a zone; the repeated hour is told by the order of a location's
 * rows, or by the column Time Zone where there is one. Day-ahead and hourly files print the start of an
 * interval, the 5-minute price files its end, load and fuel mix instants.
 *
 * A price is printed as energy + losses - congestion, without the energy: here congestion is turned, and
 * energy is what is left. */
#include "aggregator/normalize/iso/form.h"

#include "proto/base/assert.h"

#include <string.h>

/* The instant that a record prints, by Time Zone or by order. `series` is what has rows in order of time. */
static bool take_time(struct norm_iso_run *run, struct hr_bytes cell, struct hr_bytes zone,
                      struct hr_bytes series, int64_t *utc_s)
{
    struct norm_stamp stamp;
    enum norm_fault fault = NORM_FAULT_NONE;
    if (zone.len_bytes == 0) {
        return norm_run_local_after(run, "Time Stamp", cell, series, utc_s);
    }
    if (hr_is_ok(norm_stamp_read(cell, &stamp)) &&
        hr_is_ok(norm_zone_utc_named(run->zone, stamp.local_s, zone, utc_s, &fault))) {
        return true;
    }
    norm_run_reject(run, NORM_ISO_BAD_TIME, "Time Stamp", cell);
    return false;
}

static struct norm_iso_row row_at(const struct norm_iso_run *run, int64_t stamp_s)
{
    if (!run->feed->is_end_labelled) {
        return norm_row_from(run, stamp_s);
    }
    /* Besides those of every 5 minutes there are extra runs; each ends at its stamp and begins with its 5
     * minutes. */
    int64_t start_s = stamp_s - 1 - (stamp_s - 1) % ((int64_t)run->feed->interval_min * NORM_MINUTE_S);
    return norm_row_of(run, start_s, stamp_s);
}

/* ---- prices ---- */

enum { L_AT, L_ZONE, L_NAME, L_PTID, L_PRICE, L_LOSS, L_CONGESTION, N_LMP };

static const struct norm_column lmp_columns[N_LMP] = {
    [L_AT] = {.names = "Time Stamp|Timestamp", .is_required = true},
    [L_ZONE] = {.names = "Time Zone"},
    [L_NAME] = {.names = "Name", .is_required = true},
    [L_PTID] = {.names = "PTID", .is_required = true},
    [L_PRICE] = {.names = "LBMP ($/MWHr)|LBMP ($/MWH)", .is_required = true},
    [L_LOSS] = {.names = "Marginal Cost Losses ($/MWHr)|Marginal Cost Losses ($/MWH)", .is_required = true},
    [L_CONGESTION] = {.names = "Marginal Cost Congestion ($/MWHr)|Marginal Cost Congestion ($/MWH)",
                      .is_required = true},
};
static const struct norm_layout lmp_csv = {.container = NORM_CSV, .columns = lmp_columns, .n_columns = N_LMP};

static const struct {
    const char *ptid;
    const char *name; /* as the forecast prints it; others print capitals */
} ZONES[] = {
    {"61757", "Capitl"}, {"61754", "Centrl"}, {"61760", "Dunwod"}, {"61753", "Genese"},
    {"61758", "Hud Vl"}, {"61762", "Longil"}, {"61756", "Mhk Vl"}, {"61759", "Millwd"},
    {"61761", "N.Y.C."}, {"61755", "North"},  {"61752", "West"},
};

static enum norm_iso_location location_of(struct hr_bytes ptid)
{
    static const char *const PROXIES[] = {"61844", "61845", "61846", "61847"};
    for (size_t i = 0; i < HR_ARRAY_LEN(ZONES); i++) {
        if (norm_text_is(ptid, ZONES[i].ptid)) {
            return NORM_ISO_ZONE;
        }
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(PROXIES); i++) {
        if (norm_text_is(ptid, PROXIES[i])) {
            return NORM_ISO_INTERFACE;
        }
    }
    return NORM_ISO_NODE;
}

/* Files that name a zone without its number. False: no zone has that name. */
static bool place_zone(struct norm_iso_row *row, struct hr_bytes name)
{
    if (norm_text_is_nocase(name, "SYSTEM") || norm_text_is_nocase(name, "NYISO")) {
        norm_row_system(row, "NYCA");
        return true;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(ZONES); i++) {
        if (norm_text_is_nocase(name, ZONES[i].name)) {
            norm_row_place(row, NORM_ISO_ZONE, hr_bytes_of(ZONES[i].ptid, strlen(ZONES[i].ptid)), name);
            return true;
        }
    }
    return false;
}

static void lmp_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t stamp_s = 0;
    double price = 0;
    double loss = 0;
    double congestion = 0;
    if (!take_time(run, cells[L_AT], cells[L_ZONE], cells[L_PTID], &stamp_s) ||
        !norm_run_number(run, "LBMP", cells[L_PRICE], &price) ||
        !norm_run_number(run, "Marginal Cost Losses", cells[L_LOSS], &loss) ||
        !norm_run_number(run, "Marginal Cost Congestion", cells[L_CONGESTION], &congestion)) {
        return;
    }
    struct norm_iso_row row = row_at(run, stamp_s);
    norm_row_place(&row, location_of(cells[L_PTID]), cells[L_PTID], cells[L_NAME]);
    norm_row_price(&row);
    row.value = price;
    row.loss = loss;
    row.congestion = 0 - congestion; /* not -congestion: no negative zero */
    row.energy = price - loss + congestion;
    row.has = NORM_ISO_HAS_VALUE | NORM_ISO_HAS_ENERGY | NORM_ISO_HAS_CONGESTION | NORM_ISO_HAS_LOSS |
              NORM_ISO_ENERGY_DERIVED;
    norm_row_emit(run, &row);
}

/* ---- load and fuel mix ---- */

enum { M_AT, M_ZONE, M_NAME, M_PTID, M_VALUE, N_MW };

static const struct norm_column load_columns[N_MW] = {
    [M_AT] = {.names = "Time Stamp", .is_required = true}, [M_ZONE] = {.names = "Time Zone"},
    [M_NAME] = {.names = "Name", .is_required = true},     [M_PTID] = {.names = "PTID", .is_required = true},
    [M_VALUE] = {.names = "Load", .is_required = true},
};
static const struct norm_column fuel_columns[N_MW] = {
    [M_AT] = {.names = "Time Stamp", .is_required = true},        [M_ZONE] = {.names = "Time Zone"},
    [M_NAME] = {.names = "Fuel Category", .is_required = true},   [M_PTID] = {.names = "(none)"},
    [M_VALUE] = {.names = "Gen MW|Gen MWh", .is_required = true},
};
static const struct norm_layout load_csv = {
    .container = NORM_CSV, .columns = load_columns, .n_columns = N_MW};
static const struct norm_layout fuel_csv = {
    .container = NORM_CSV, .columns = fuel_columns, .n_columns = N_MW};

static void load_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t stamp_s = 0;
    double value = 0;
    /* The rest of the day stands there already, empty. */
    if (!norm_run_number(run, "Load", cells[M_VALUE], &value) ||
        !take_time(run, cells[M_AT], cells[M_ZONE], cells[M_PTID], &stamp_s)) {
        return;
    }
    struct norm_iso_row row = row_at(run, stamp_s);
    norm_row_place(&row, NORM_ISO_ZONE, cells[M_PTID], cells[M_NAME]);
    norm_row_megawatts(&row, "load", "actual", value);
    norm_row_emit(run, &row);
}

static void fuel_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t stamp_s = 0;
    double value = 0;
    char subject[NORM_ISO_SUBJECT_CHARS];
    if (!norm_run_number(run, "Gen MW", cells[M_VALUE], &value) ||
        !take_time(run, cells[M_AT], cells[M_ZONE], cells[M_NAME], &stamp_s)) {
        return;
    }
    struct norm_iso_row row = row_at(run, stamp_s);
    norm_row_system(&row, "NYCA");
    /* The file of 2016 says MWh, and means MW. */
    norm_row_megawatts(&row, norm_subject_of("generation.", cells[M_NAME], subject), "actual", value);
    norm_row_emit(run, &row);
}

/* ---- forecast: a column for each zone ---- */

static const struct norm_column forecast_columns[] = {
    {.names = "Time Stamp", .is_required = true},
    {.names = "Capitl", .is_required = true},
    {.names = "Centrl"},
    {.names = "Dunwod"},
    {.names = "Genese"},
    {.names = "Hud Vl"},
    {.names = "Longil"},
    {.names = "Mhk Vl"},
    {.names = "Millwd"},
    {.names = "N.Y.C."},
    {.names = "North"},
    {.names = "West"},
    {.names = "NYISO", .is_required = true},
};
static const struct norm_layout forecast_csv = {
    .container = NORM_CSV, .columns = forecast_columns, .n_columns = HR_ARRAY_LEN(forecast_columns)};

static void forecast_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t start_s = 0;
    if (!norm_run_local_after(run, "Time Stamp", cells[0], hr_bytes_of("isolf", 5), &start_s)) {
        return;
    }
    for (size_t i = 1; i < HR_ARRAY_LEN(forecast_columns); i++) {
        const char *name = forecast_columns[i].names;
        double value = 0;
        if (norm_run_number(run, name, cells[i], &value)) {
            struct norm_iso_row row = row_at(run, start_s);
            (void)place_zone(&row, hr_bytes_of(name, strlen(name)));
            norm_row_megawatts(&row, "load", "forecast", value);
            norm_row_emit(run, &row);
        }
    }
}

/* ---- solar behind the meter, as it is estimated afterwards ---- */

static const struct norm_column btm_columns[N_MW] = {
    [M_AT] = {.names = "Time Stamp", .is_required = true},  [M_ZONE] = {.names = "Time Zone"},
    [M_NAME] = {.names = "Zone Name", .is_required = true}, [M_PTID] = {.names = "(none)"},
    [M_VALUE] = {.names = "MW Value", .is_required = true},
};
static const struct norm_layout btm_csv = {.container = NORM_CSV, .columns = btm_columns, .n_columns = N_MW};

static void btm_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t stamp_s = 0;
    double value = 0;
    if (!norm_run_number(run, "MW Value", cells[M_VALUE], &value) ||
        !take_time(run, cells[M_AT], cells[M_ZONE], cells[M_NAME], &stamp_s)) {
        return;
    }
    struct norm_iso_row row = row_at(run, stamp_s);
    if (!place_zone(&row, norm_trim(cells[M_NAME]))) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "Zone Name", cells[M_NAME]);
        return;
    }
    norm_row_megawatts(&row, "generation.solar_behind_meter", "actual", value);
    norm_row_emit(run, &row);
}

/* ---- generation that will be out for maintenance, by day ---- */

enum { O_DAY, O_VALUE, N_OUTAGE };

static const struct norm_column outage_columns[N_OUTAGE] = {
    [O_DAY] = {.names = "Date", .is_required = true},
    [O_VALUE] = {.names = "Forecasted Generation Outage (MW)", .is_required = true},
};
static const struct norm_layout outage_csv = {
    .container = NORM_CSV, .columns = outage_columns, .n_columns = N_OUTAGE};

static void outage_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    double value = 0;
    struct norm_iso_row row;
    if (norm_run_number(run, "Forecasted Generation Outage", cells[O_VALUE], &value) &&
        norm_row_of_day(run, "Date", cells[O_DAY], &row)) {
        norm_row_system(&row, "NYCA");
        norm_row_megawatts(&row, "outage.generation", "forecast", value);
        norm_row_emit(run, &row);
    }
}

/* ---- constraints ---- */

enum { C_AT, C_ZONE, C_FACILITY, C_PTID, C_CONTINGENCY, C_COST, N_CONSTRAINT };

static const struct norm_column constraint_columns[N_CONSTRAINT] = {
    [C_AT] = {.names = "Time Stamp", .is_required = true},
    [C_ZONE] = {.names = "Time Zone"},
    [C_FACILITY] = {.names = "Limiting Facility", .is_required = true},
    [C_PTID] = {.names = "Facility PTID", .is_required = true},
    [C_CONTINGENCY] = {.names = "Contingency", .is_required = true},
    [C_COST] = {.names = "Constraint Cost($)", .is_required = true},
};
static const struct norm_layout constraint_csv = {
    .container = NORM_CSV, .columns = constraint_columns, .n_columns = N_CONSTRAINT};

static void constraint_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t stamp_s = 0;
    double cost = 0;
    if (!norm_run_number(run, "Constraint Cost", cells[C_COST], &cost)) {
        return;
    }
    /* Constraints come and go, so one of them shows no order: the whole file is the series, and rows of one
     * time are let through by the step back of a second. */
    struct norm_join_name *series = norm_join_name(run->join, hr_bytes_of("constraints", 11));
    if (!take_time(run, cells[C_AT], cells[C_ZONE], hr_bytes_of("constraints", 11), &stamp_s)) {
        return;
    }
    if (series != NULL && series->last_s == stamp_s) {
        series->last_s = stamp_s - 1;
    }
    struct norm_iso_row row = row_at(run, stamp_s);
    norm_row_place(&row, NORM_ISO_FACILITY, cells[C_PTID], cells[C_FACILITY]);
    row.contingency = cells[C_CONTINGENCY];
    norm_row_shadow_price(&row, cost);
    norm_row_emit(run, &row);
}

/* ---- forms ---- */

#define NYISO_FORM(name_, sign_, other_sign_, feed_, products_, layout_, record_)                            \
    .name = (name_), .shape = NORM_SHAPE_TEXT, .kind = NORM_ISO_DATA, .signs = {(sign_), (other_sign_)},     \
    .feed = (feed_), .iso = NORM_NYISO, .products = (products_), .layout = &(layout_), .record = (record_),  \
    .has_join = true

/* The columns are the same in all markets; the files' names are not. */
#define NYISO_LBMP(name_has_, feed_)                                                                         \
    {NYISO_FORM("nyiso_lbmp_csv", "LBMP ($/MWH", "PTID", feed_,                                              \
                1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP, lmp_csv, lmp_record),                         \
     .name_has = (name_has_), .is_told = (name_has_) != NULL}

static const struct norm_iso_form forms[] = {
    NYISO_LBMP("realtime_", "nyiso_rt_lmp"),
    NYISO_LBMP("rtlbmp", "nyiso_rt_hourly_lmp"),
    NYISO_LBMP("damlbmp", "nyiso_da_lmp"),
    NYISO_LBMP(NULL, "nyiso_da_lmp"),
    {NYISO_FORM("nyiso_load_csv", "PTID", "Load", "nyiso_load", 1U << NORM_ISO_TELEMETRY, load_csv,
                load_record)},
    {NYISO_FORM("nyiso_fuel_csv", "Fuel Category", "Gen MW", "nyiso_fuel_mix", 1U << NORM_ISO_TELEMETRY,
                fuel_csv, fuel_record)},
    {NYISO_FORM("nyiso_forecast_csv", "Capitl", "NYISO", "nyiso_load_forecast", 1U << NORM_ISO_TELEMETRY,
                forecast_csv, forecast_record)},
    {NYISO_FORM("nyiso_btm_csv", "Zone Name", "MW Value", "nyiso_wind_solar", 1U << NORM_ISO_TELEMETRY,
                btm_csv, btm_record)},
    {NYISO_FORM("nyiso_outage_csv", "Forecasted Generation Outage (MW)", "Date", "nyiso_outage",
                1U << NORM_ISO_OUTAGE, outage_csv, outage_record)},
    {NYISO_FORM("nyiso_constraint_csv", "Limiting Facility", "Constraint Cost", "nyiso_rt_constraint",
                1U << NORM_ISO_CONSTRAINT, constraint_csv, constraint_record)},
    {.name = "nyiso_ties_csv",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_OTHER,
     .signs = {"Interface Name", "Negative Limit (MWH)"},
     .iso = NORM_NYISO},
};

const struct norm_iso_forms norm_nyiso_forms = {forms, HR_ARRAY_LEN(forms)};
