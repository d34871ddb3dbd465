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
    const int64_t length_s = (int64_t)run->feed->interval_min * NORM_MINUTE_S;
    if (!run->feed->is_end_labelled) {
        return norm_row_of(run, stamp_s, stamp_s + length_s);
    }
    /* Besides those of every 5 minutes there are extra runs; each ends at its stamp and begins with its 5
     * minutes. */
    int64_t start_s = stamp_s - 1 - (stamp_s - 1) % length_s;
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

static bool is_one_of(struct hr_bytes text, const char *const *names, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++) {
        if (norm_text_is(text, names[i])) {
            return true;
        }
    }
    return false;
}

static enum norm_iso_location location_of(struct hr_bytes ptid)
{
    static const char *const ZONES[] = {"61752", "61753", "61754", "61755", "61756", "61757",
                                        "61758", "61759", "61760", "61761", "61762"};
    static const char *const PROXIES[] = {"61844", "61845", "61846", "61847"};
    if (is_one_of(ptid, ZONES, HR_ARRAY_LEN(ZONES))) {
        return NORM_ISO_ZONE;
    }
    return is_one_of(ptid, PROXIES, HR_ARRAY_LEN(PROXIES)) ? NORM_ISO_INTERFACE : NORM_ISO_NODE;
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
    row.location_type = location_of(cells[L_PTID]);
    row.location_id = cells[L_PTID];
    row.location_name = cells[L_NAME];
    row.subject = "energy";
    row.curve_role = "price";
    row.unit = "USD/MWh";
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
    row.location_type = NORM_ISO_ZONE;
    row.location_id = cells[M_PTID];
    row.location_name = cells[M_NAME];
    row.subject = "load";
    row.curve_role = "actual";
    row.unit = "MW";
    row.value = value;
    row.has = NORM_ISO_HAS_VALUE;
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
    row.location_type = NORM_ISO_SYSTEM;
    row.location_id = hr_bytes_of("NYCA", 4);
    row.location_name = row.location_id;
    row.subject = norm_subject_of("generation.", cells[M_NAME], subject);
    row.curve_role = "actual";
    row.unit = "MW"; /* the 2016 file calls it MWh, and means MW */
    row.value = value;
    row.has = NORM_ISO_HAS_VALUE;
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
    static const char *const IDS[HR_ARRAY_LEN(forecast_columns)] = {
        NULL,    "61757", "61754", "61760", "61753", "61758", "61762",
        "61756", "61759", "61761", "61755", "61752", "NYCA"};
    int64_t start_s = 0;
    if (!norm_run_local_after(run, "Time Stamp", cells[0], hr_bytes_of("isolf", 5), &start_s)) {
        return;
    }
    for (size_t i = 1; i < HR_ARRAY_LEN(forecast_columns); i++) {
        double value = 0;
        if (!norm_run_number(run, forecast_columns[i].names, cells[i], &value)) {
            continue;
        }
        struct norm_iso_row row = row_at(run, start_s);
        bool is_whole = i + 1 == HR_ARRAY_LEN(forecast_columns);
        row.location_type = is_whole ? NORM_ISO_SYSTEM : NORM_ISO_ZONE;
        row.location_id = hr_bytes_of(IDS[i], strlen(IDS[i]));
        row.location_name = hr_bytes_of(forecast_columns[i].names, strlen(forecast_columns[i].names));
        row.subject = "load";
        row.curve_role = "forecast";
        row.unit = "MW";
        row.value = value;
        row.has = NORM_ISO_HAS_VALUE;
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
    row.location_type = NORM_ISO_FACILITY;
    row.location_id = cells[C_PTID];
    row.location_name = cells[C_FACILITY];
    row.contingency = cells[C_CONTINGENCY];
    row.subject = "shadow_price";
    row.curve_role = "price";
    row.unit = "USD/MWh";
    row.value = cost;
    row.has = NORM_ISO_HAS_VALUE;
    norm_row_emit(run, &row);
}

/* ---- forms ---- */

#define NYISO_FORM(name_, sign_, other_sign_, feed_, products_, layout_, record_)                            \
    .name = (name_), .shape = NORM_SHAPE_TEXT, .kind = NORM_ISO_DATA, .signs = {(sign_), (other_sign_)},     \
    .feed = (feed_), .iso = NORM_NYISO, .products = (products_), .layout = &(layout_), .record = (record_),  \
    .has_join = true

static const struct norm_iso_form forms[] = {
    {NYISO_FORM("nyiso_lbmp_csv", "LBMP ($/MWH", "PTID", "nyiso_rt_lmp",
                1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP, lmp_csv, lmp_record),
     .name_has = "realtime_"},
    {NYISO_FORM("nyiso_lbmp_csv", "LBMP ($/MWH", "PTID", "nyiso_rt_hourly_lmp",
                1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP, lmp_csv, lmp_record),
     .name_has = "rtlbmp"},
    {NYISO_FORM("nyiso_lbmp_csv", "LBMP ($/MWH", "PTID", "nyiso_da_lmp",
                1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP, lmp_csv, lmp_record)},
    {NYISO_FORM("nyiso_load_csv", "PTID", "Load", "nyiso_load", 1U << NORM_ISO_TELEMETRY, load_csv,
                load_record)},
    {NYISO_FORM("nyiso_fuel_csv", "Fuel Category", "Gen MW", "nyiso_fuel_mix", 1U << NORM_ISO_TELEMETRY,
                fuel_csv, fuel_record)},
    {NYISO_FORM("nyiso_forecast_csv", "Capitl", "NYISO", "nyiso_load_forecast", 1U << NORM_ISO_TELEMETRY,
                forecast_csv, forecast_record)},
    {NYISO_FORM("nyiso_constraint_csv", "Limiting Facility", "Constraint Cost", "nyiso_rt_constraint",
                1U << NORM_ISO_CONSTRAINT, constraint_csv, constraint_record)},
    {.name = "nyiso_ties_csv",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_OTHER,
     .signs = {"Interface Name", "Negative Limit (MWH)"},
     .iso = NORM_NYISO},
};

const struct norm_iso_forms norm_nyiso_forms = {forms, HR_ARRAY_LEN(forms)};
