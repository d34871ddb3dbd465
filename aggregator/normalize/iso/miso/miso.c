/* SPDX-License-Identifier: Apache-2.0
 *
 * MISO: Eastern Standard Time all year, so each day has 24 hours. Prices are printed without their energy,
 * which is what congestion and loss leave. In JSON all numbers are strings. */
#include "aggregator/normalize/iso/form.h"

#include "proto/base/assert.h"

#include <string.h>

static void price_row(struct norm_iso_run *run, struct norm_iso_row *row)
{
    const uint32_t parts = NORM_ISO_HAS_VALUE | NORM_ISO_HAS_CONGESTION | NORM_ISO_HAS_LOSS;
    norm_row_price(row);
    if ((row->has & parts) == parts) {
        row->energy = row->value - row->congestion - row->loss;
        row->has |= NORM_ISO_HAS_ENERGY | NORM_ISO_ENERGY_DERIVED;
    }
    norm_row_emit(run, row);
}

/* ---- daily price reports: a row of 24 hours for price, congestion and loss of each node ---- */

enum { D_NODE, D_TYPE, D_PART, D_HOUR_1 };
enum { N_DAY = D_HOUR_1 + 24 };
enum part { PRICE, CONGESTION, LOSS };

#define HE(n) [D_HOUR_1 + (n) - 1] = {.names = "HE " #n, .is_required = true}
static const struct norm_column day_columns[N_DAY] = {[D_NODE] = {.names = "Node", .is_required = true},
                                                      [D_TYPE] = {.names = "Type", .is_required = true},
                                                      [D_PART] = {.names = "Value", .is_required = true},
                                                      HE(1),
                                                      HE(2),
                                                      HE(3),
                                                      HE(4),
                                                      HE(5),
                                                      HE(6),
                                                      HE(7),
                                                      HE(8),
                                                      HE(9),
                                                      HE(10),
                                                      HE(11),
                                                      HE(12),
                                                      HE(13),
                                                      HE(14),
                                                      HE(15),
                                                      HE(16),
                                                      HE(17),
                                                      HE(18),
                                                      HE(19),
                                                      HE(20),
                                                      HE(21),
                                                      HE(22),
                                                      HE(23),
                                                      HE(24)};
static const struct norm_layout day_csv = {.container = NORM_CSV, .columns = day_columns, .n_columns = N_DAY};

static void day_preamble(struct norm_iso_run *run, const struct hr_bytes *fields, size_t n_fields)
{
    int32_t day = 0;
    if (n_fields > 0 && !run->has_day && hr_is_ok(norm_day_read(fields[0], &day))) {
        run->day = day;
        run->has_day = true;
    }
}

/* "Hub" is the type of hundreds of aggregates; the eight hubs are named <X>.HUB. */
static enum norm_iso_location location_of(struct hr_bytes node, struct hr_bytes type)
{
    if (norm_text_is(type, "Hub")) {
        return norm_text_ends(node, ".HUB") ? NORM_ISO_HUB : NORM_ISO_NODE;
    }
    if (norm_text_is(type, "Loadzone")) {
        return NORM_ISO_ZONE;
    }
    return norm_text_is(type, "Interface") ? NORM_ISO_INTERFACE : NORM_ISO_NODE;
}

static void day_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const char *const PARTS[] = {[PRICE] = "LMP", [CONGESTION] = "MCC", [LOSS] = "MLC"};
    unsigned part = 0;
    while (part < HR_ARRAY_LEN(PARTS) && !norm_text_is(cells[D_PART], PARTS[part])) {
        part++;
    }
    struct norm_join_name *name = norm_join_name(run->join, cells[D_NODE]);
    if (part == HR_ARRAY_LEN(PARTS) || name == NULL || !run->has_day) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, run->has_day ? "Node or Value" : "no date above the table",
                        cells[D_PART]);
        return;
    }
    name->location_type = (uint8_t)location_of(cells[D_NODE], cells[D_TYPE]);
    int64_t midnight_s = norm_local_of(run->day, 0) - norm_zone_at(run->zone, 0)->offset_s;
    for (int hour = 0; hour < 24; hour++) {
        int64_t start_s = midnight_s + (int64_t)hour * NORM_HOUR_S;
        double value = 0;
        if (norm_run_number(run, PARTS[part], cells[D_HOUR_1 + hour], &value)) {
            (void)norm_run_join(run, cells[D_NODE], start_s, start_s + NORM_HOUR_S, part, value);
        }
    }
}

static void day_finish(struct norm_iso_run *run)
{
    const struct norm_join *join = run->join;
    for (uint32_t i = 0; i < join->n_entries; i++) {
        const struct norm_join_entry *entry = &join->entries[i];
        const struct norm_join_name *name = &join->names[entry->name];
        struct norm_iso_row row = norm_row_from(run, entry->start_s);
        run->record = i + 1;
        struct hr_bytes node = norm_join_text(join, name);
        norm_row_place(&row, (enum norm_iso_location)name->location_type, node, node);
        if ((entry->has & 1U << PRICE) == 0) {
            norm_run_reject(run, NORM_ISO_BAD_RECORD, "components without a price", node);
            continue;
        }
        row.value = entry->parts[PRICE];
        row.congestion = entry->parts[CONGESTION];
        row.loss = entry->parts[LOSS];
        row.has = NORM_ISO_HAS_VALUE;
        row.has |= (entry->has & 1U << CONGESTION) != 0 ? NORM_ISO_HAS_CONGESTION : 0U;
        row.has |= (entry->has & 1U << LOSS) != 0 ? NORM_ISO_HAS_LOSS : 0U;
        price_row(run, &row);
    }
}

/* ---- real-time prices of five minutes: {"headers":[...],"data":[[...]]} ---- */

enum { R_START, R_NODE, R_PRICE, R_LOSS, R_CONGESTION, N_RT };

static const struct norm_column rt_columns[N_RT] = {
    [R_START] = {.names = "INTERVAL", .is_required = true},
    [R_NODE] = {.names = "CPNODE", .is_required = true},
    [R_PRICE] = {.names = "LMP", .is_required = true},
    [R_LOSS] = {.names = "MLC", .is_required = true},
    [R_CONGESTION] = {.names = "MCC", .is_required = true},
};
static const struct norm_layout rt_json = {
    .container = NORM_JSON, .columns = rt_columns, .n_columns = N_RT, .records = "data", .names = "headers"};

static void rt_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t start_s = 0;
    struct norm_iso_row row;
    if (!norm_run_local(run, "INTERVAL", cells[R_START], NORM_FOLD_UNKNOWN, &start_s)) {
        return;
    }
    row = norm_row_from(run, start_s);
    if (!norm_run_number(run, "LMP", cells[R_PRICE], &row.value) ||
        !norm_run_number(run, "MLC", cells[R_LOSS], &row.loss) ||
        !norm_run_number(run, "MCC", cells[R_CONGESTION], &row.congestion)) {
        return;
    }
    /* No type is printed here: a hub is known by its name, all else is in the daily report. */
    bool is_hub = norm_text_ends(cells[R_NODE], ".HUB");
    norm_row_place(&row, is_hub ? NORM_ISO_HUB : NORM_ISO_UNTYPED, cells[R_NODE], cells[R_NODE]);
    row.has = NORM_ISO_HAS_VALUE | NORM_ISO_HAS_CONGESTION | NORM_ISO_HAS_LOSS;
    price_row(run, &row);
}

/* ---- megawatts ---- */

enum { M_AT, M_NAME, M_VALUE, N_MW };

static const struct norm_column fuel_columns[N_MW] = {
    [M_AT] = {.names = "INTERVALEST"}, [M_NAME] = {.names = "CATEGORY"}, [M_VALUE] = {.names = "ACT"}};
static const struct norm_column forecast_columns[N_MW] = {
    [M_AT] = {.names = "DateTimeEST"}, [M_NAME] = {.names = "-"}, [M_VALUE] = {.names = "Value"}};
/* Of a record of five minutes Time and Value are there, of one of the hourly forecast the other two. */
enum { L_TIME, L_VALUE, L_HOUR_ENDING, L_FORECAST, L_REF, N_LOAD };

static const struct norm_column load_columns[N_LOAD] = {
    [L_TIME] = {.names = "Time"},
    [L_VALUE] = {.names = "Value"},
    [L_HOUR_ENDING] = {.names = "HourEnding"},
    [L_FORECAST] = {.names = "LoadForecast"},
    [L_REF] = {.names = "LoadInfo.RefId", .is_outer = true}};
static const struct norm_layout fuel_json = {
    .container = NORM_JSON, .columns = fuel_columns, .n_columns = N_MW, .records = "Fuel.Type"};
static const struct norm_layout forecast_json = {
    .container = NORM_JSON, .columns = forecast_columns, .n_columns = N_MW, .records = "Forecast"};
static const struct norm_layout load_json = {
    .container = NORM_JSON,
    .columns = load_columns,
    .n_columns = N_LOAD,
    .records = "LoadInfo.FiveMinTotalLoad.Load|LoadInfo.MediumTermLoadForecast.Forecast"};

static void megawatt_row(struct norm_iso_run *run, struct norm_iso_row row, const char *subject,
                         const char *role, double value)
{
    norm_row_system(&row, "MISO");
    norm_row_megawatts(&row, subject, role, value);
    norm_row_emit(run, &row);
}

static void fuel_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    char subject[NORM_ISO_SUBJECT_CHARS];
    int64_t start_s = 0;
    double value = 0;
    if (norm_run_local(run, "INTERVALEST", cells[M_AT], NORM_FOLD_UNKNOWN, &start_s) &&
        norm_run_number(run, "ACT", cells[M_VALUE], &value)) {
        megawatt_row(run, norm_row_from(run, start_s), norm_subject_of("generation.", cells[M_NAME], subject),
                     "actual", value);
    }
}

/* The answer says neither wind nor solar; what it was asked for does. */
static void forecast_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct hr_bytes name = run->document->name;
    bool is_solar = norm_text_has(name, "olar");
    int64_t start_s = 0;
    double value = 0;
    if (!is_solar && !norm_text_has(name, "ind")) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "neither wind nor solar in the document's name", name);
        return;
    }
    if (norm_run_local(run, "DateTimeEST", cells[M_AT], NORM_FOLD_UNKNOWN, &start_s) &&
        norm_run_number(run, "Value", cells[M_VALUE], &value)) {
        megawatt_row(run, norm_row_from(run, start_s), is_solar ? "generation.solar" : "generation.wind",
                     "forecast", value);
    }
}

/* "16:50", without a date. */
static bool read_time(struct hr_bytes text, int32_t *second)
{
    int64_t hour = 0;
    int64_t minute = 0;
    text = norm_trim(text);
    if (text.len_bytes != 5 || text.data[2] != ':' ||
        !hr_is_ok(norm_integer(hr_bytes_of(text.data, 2), &hour)) ||
        !hr_is_ok(norm_integer(hr_bytes_of(text.data + 3, 2), &minute)) || hour > 23 || minute > 59 ||
        hour < 0 || minute < 0) {
        return false;
    }
    *second = (int32_t)(hour * NORM_HOUR_S + minute * NORM_MINUTE_S);
    return true;
}

static void load_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    const bool is_forecast = cells[L_HOUR_ENDING].data != NULL;
    const struct hr_bytes time = cells[is_forecast ? L_HOUR_ENDING : L_TIME];
    int32_t day = 0;
    int32_t second = 0;
    int64_t hour_ending = 0;
    double value = 0;
    bool is_time = is_forecast ? hr_is_ok(norm_integer(norm_trim(time), &hour_ending)) && hour_ending >= 1 &&
                                     hour_ending <= 24
                               : read_time(time, &second);
    if (!is_time || !hr_is_ok(norm_day_read(cells[L_REF], &day))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "time, or the date in RefId", time);
        return;
    }
    if (!norm_run_number(run, "Value", cells[is_forecast ? L_FORECAST : L_VALUE], &value)) {
        return;
    }
    int64_t midnight_s = norm_local_of(day, 0) - norm_zone_at(run->zone, 0)->offset_s;
    if (is_forecast) {
        int64_t end_s = midnight_s + hour_ending * NORM_HOUR_S;
        megawatt_row(run, norm_row_of(run, end_s - NORM_HOUR_S, end_s), "load", "forecast", value);
    } else {
        megawatt_row(run, norm_row_from(run, midnight_s + second), "load", "actual", value);
    }
}

/* ---- wind and solar in one answer: what was expected of an hour, and what came ---- */

enum { W_AT, W_MADE_WIND, W_MADE_SOLAR, W_WIND, W_SOLAR, N_WIND_SOLAR };

static const struct norm_column wind_solar_columns[N_WIND_SOLAR] = {
    [W_AT] = {.names = "ForecastDateTimeEST"},        [W_MADE_WIND] = {.names = "ForecastWindValue"},
    [W_MADE_SOLAR] = {.names = "ForecastSolarValue"}, [W_WIND] = {.names = "ActualWindValue"},
    [W_SOLAR] = {.names = "ActualSolarValue"},
};
static const struct norm_layout wind_solar_json = {
    .container = NORM_JSON, .columns = wind_solar_columns, .n_columns = N_WIND_SOLAR, .records = "instance"};

static void wind_solar_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const char *const SUBJECTS[] = {
        [W_MADE_WIND] = "generation.wind",
        [W_MADE_SOLAR] = "generation.solar",
        [W_WIND] = "generation.wind",
        [W_SOLAR] = "generation.solar",
    };
    int64_t start_s = 0;
    if (!norm_run_local(run, "ForecastDateTimeEST", cells[W_AT], NORM_FOLD_UNKNOWN, &start_s)) {
        return;
    }
    for (size_t i = W_MADE_WIND; i < N_WIND_SOLAR; i++) {
        double value = 0;
        if (norm_run_number(run, wind_solar_columns[i].names, cells[i], &value)) {
            megawatt_row(run, norm_row_from(run, start_s), SUBJECTS[i], i < W_WIND ? "forecast" : "actual",
                         value);
        }
    }
}

/* ---- outages: four sums a day ---- */

enum { O_DAY, O_REF, O_FIRST };
enum { N_OUTAGE = O_FIRST + 4 };

static const struct norm_column outage_columns[N_OUTAGE] = {
    {.names = "OutageDate"}, {.names = "RefId", .is_outer = true},
    {.names = "Unplanned"},  {.names = "Planned"},
    {.names = "Forced"},     {.names = "Derated"}};
static const struct norm_layout outage_json = {
    .container = NORM_JSON, .columns = outage_columns, .n_columns = N_OUTAGE, .records = "Days"};

static void outage_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const char *const SUBJECTS[] = {"outage.unplanned", "outage.planned", "outage.forced",
                                           "outage.derated"};
    int64_t start_s = 0;
    int32_t day = 0;
    int32_t today = 0;
    if (!norm_run_local(run, "OutageDate", cells[O_DAY], NORM_FOLD_UNKNOWN, &start_s)) {
        return;
    }
    /* The answer's own date is the last one of which it says what was. */
    bool is_to_come = hr_is_ok(norm_day_read(cells[O_DAY], &day)) &&
                      hr_is_ok(norm_day_read(cells[O_REF], &today)) && day > today;
    for (size_t i = 0; i < HR_ARRAY_LEN(SUBJECTS); i++) {
        double value = 0;
        if (norm_run_number(run, SUBJECTS[i], cells[O_FIRST + i], &value)) {
            megawatt_row(run, norm_row_from(run, start_s), SUBJECTS[i], is_to_come ? "forecast" : "actual",
                         value);
        }
    }
}

/* ---- binding constraints; none binding is one row "None" ---- */

enum { C_NAME, C_END, C_PRICE, N_CONSTRAINT };

static const struct norm_column constraint_columns[N_CONSTRAINT] = {
    [C_NAME] = {.names = "Name"}, [C_END] = {.names = "Period"}, [C_PRICE] = {.names = "Price"}};
static const struct norm_layout constraint_json = {.container = NORM_JSON,
                                                   .columns = constraint_columns,
                                                   .n_columns = N_CONSTRAINT,
                                                   .records = "Constraint"};

static void constraint_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t end_s = 0;
    double price = 0;
    if (!norm_run_local(run, "Period", cells[C_END], NORM_FOLD_UNKNOWN, &end_s) ||
        !norm_run_number(run, "Price", cells[C_PRICE], &price)) {
        return;
    }
    struct norm_iso_row row = norm_row_until(run, end_s);
    norm_row_place(&row, NORM_ISO_FACILITY, cells[C_NAME], cells[C_NAME]);
    norm_row_shadow_price(&row, price);
    norm_row_emit(run, &row);
}

/* ---- forms ---- */

#define MISO_JSON(name_, sign_, other_sign_, feed_, product_, layout_, record_)                              \
    .name = (name_), .shape = NORM_SHAPE_JSON, .kind = NORM_ISO_DATA, .signs = {(sign_), (other_sign_)},     \
    .feed = (feed_), .iso = NORM_MISO, .products = 1U << (product_), .layout = &(layout_),                   \
    .record = (record_)
/* The title tells the market, but not whether real-time prices are final. */
#define MISO_DAY(name_, sign_, feed_, product_)                                                              \
    .is_told = (product_) == NORM_ISO_DA_LMP, .name = (name_), .shape = NORM_SHAPE_TEXT,                     \
    .kind = NORM_ISO_DATA, .signs = {(sign_), "HE 24"}, .feed = (feed_), .iso = NORM_MISO,                   \
    .products = 1U << (product_), .layout = &day_csv, .record = day_record, .preamble = day_preamble,        \
    .finish = day_finish, .has_join = true, .keeps_rows = true

static const struct norm_iso_form forms[] = {
    {MISO_DAY("miso_da_lmp_csv", "Day Ahead Market ExPost LMPs", "miso_da_lmp", NORM_ISO_DA_LMP)},
    {MISO_DAY("miso_da_lmp_csv", "Day Ahead Market ExAnte LMPs", "miso_da_lmp_exante", NORM_ISO_DA_LMP)},
    {MISO_DAY("miso_rt_lmp_csv", "Realtime Market LMPs", "miso_rt_lmp_final", NORM_ISO_RT_LMP)},
    {MISO_JSON("miso_rt_lmp_json", "\"headers\"", "\"CPNODE\"", "miso_rt_lmp", NORM_ISO_RT_LMP, rt_json,
               rt_record)},
    {MISO_JSON("miso_fuel_json", "\"INTERVALEST\"", "\"FUEL_CATEGORY\"", "miso_fuel_mix", NORM_ISO_TELEMETRY,
               fuel_json, fuel_record)},
    {MISO_JSON("miso_forecast_json", "\"MktDay\"", "\"HourEndingEST\"", "miso_wind_solar", NORM_ISO_TELEMETRY,
               forecast_json, forecast_record)},
    {MISO_JSON("miso_wind_solar_json", "\"instance\"", "\"ForecastWindValue\"", "miso_wind_solar",
               NORM_ISO_TELEMETRY, wind_solar_json, wind_solar_record)},
    {MISO_JSON("miso_load_json", "\"LoadInfo\"", "\"ClearedMW\"", "miso_load", NORM_ISO_TELEMETRY, load_json,
               load_record)},
    {MISO_JSON("miso_outage_json", "\"OutageDate\"", "\"Derated\"", "miso_outage", NORM_ISO_OUTAGE,
               outage_json, outage_record)},
    {.name = "miso_nothing_binding",
     .shape = NORM_SHAPE_JSON,
     .kind = NORM_ISO_NO_DATA,
     .signs = {"\"Constraint\"", "\"Name\":\"None\"", "\"Price\":\"None\""},
     .iso = NORM_MISO},
    {MISO_JSON("miso_constraint_json", "\"Constraint\"", "\"Period\"", "miso_rt_constraint",
               NORM_ISO_CONSTRAINT, constraint_json, constraint_record)},
};

const struct norm_iso_forms norm_miso_forms = {forms, HR_ARRAY_LEN(forms)};
