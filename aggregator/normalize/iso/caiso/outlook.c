/* SPDX-License-Identifier: Apache-2.0
 *
 * CAISO, Today's Outlook: CSV in Pacific wall clock, the start of 5 minutes. The repeated hour is told by the
 * order of rows only; in spring the hour that doesn't exist is printed with nothing in it, and so are the
 * hours to come.
 *
 * The fuel mix prints times without a date. Its day stands in the document's name: history/20260311/, or
 * ?_=1773240000000, when it was asked for; `current` goes on showing the day before for some time after
 * midnight, which is known by its rows being later than that. */
#include "aggregator/normalize/iso/form.h"

#include "proto/base/assert.h"

#include <string.h>

/* ---- demand, with dates ---- */

enum { AT, DEMAND, DEMAND_FORECAST, N_DEMAND };

static const struct norm_column demand_columns[N_DEMAND] = {
    [AT] = {.names = "Time", .is_required = true},
    [DEMAND] = {.names = "Demand", .is_required = true},
    [DEMAND_FORECAST] = {.names = "Day-ahead demand forecast", .is_required = true},
};
static const struct norm_layout demand_csv = {
    .container = NORM_CSV, .columns = demand_columns, .n_columns = N_DEMAND};

static void demand_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const char *const ROLES[N_DEMAND] = {[DEMAND] = "actual", [DEMAND_FORECAST] = "forecast"};
    int64_t start_s = 0;
    if (cells[DEMAND].len_bytes == 0 && cells[DEMAND_FORECAST].len_bytes == 0) {
        run->result->n_blank++;
        return;
    }
    if (!norm_run_local_after(run, "Time", cells[AT], hr_bytes_of("outlook", 7), &start_s)) {
        return;
    }
    for (size_t i = DEMAND; i < N_DEMAND; i++) {
        double value = 0;
        if (norm_run_number(run, "Demand", cells[i], &value)) {
            struct norm_iso_row row = norm_row_from(run, start_s);
            norm_row_system(&row, "CAISO");
            norm_row_megawatts(&row, "load", ROLES[i], value);
            norm_row_emit(run, &row);
        }
    }
}

/* ---- fuel mix: times of one day, a column for each source ---- */

static const struct norm_column fuel_columns[] = {
    {.names = "Time", .is_required = true},
    {.names = "Solar", .is_required = true},
    {.names = "Wind", .is_required = true},
    {.names = "Geothermal"},
    {.names = "Biomass"},
    {.names = "Biogas"},
    {.names = "Small hydro"},
    {.names = "Coal"},
    {.names = "Nuclear"},
    {.names = "Natural Gas"},
    {.names = "Large Hydro"},
    {.names = "Batteries"}, /* negative when they charge */
    {.names = "Imports"},   /* negative when more goes out */
    {.names = "Other"},
};
static const struct norm_layout fuel_csv = {
    .container = NORM_CSV, .columns = fuel_columns, .n_columns = HR_ARRAY_LEN(fuel_columns)};

enum { FUEL_MW, FUEL_AT }; /* parts: megawatts, and the second of the day that the clock shows */
enum { EPOCH_MS_DIGITS = 13 };

/* The number that n digits at a place of the name are, with no digit behind them. */
static bool read_digits(struct hr_bytes name, size_t at, size_t n_digits, int64_t *number)
{
    bool ends =
        at + n_digits >= name.len_bytes || name.data[at + n_digits] < '0' || name.data[at + n_digits] > '9';
    return at + n_digits <= name.len_bytes && ends &&
           hr_is_ok(norm_integer(hr_bytes_of(name.data + at, n_digits), number));
}

/* Where the bytes behind a mark in the name begin; 0: it isn't there. */
static size_t behind(struct hr_bytes name, const char *mark)
{
    size_t len = strlen(mark);
    for (size_t i = 0; i + len <= name.len_bytes; i++) {
        if (memcmp(name.data + i, mark, len) == 0) {
            return i + len;
        }
    }
    return 0;
}

/* The day of the rows, of which the last one with something in it shows last_s of the day. */
static bool day_of(const struct norm_iso_run *run, int64_t last_s, int32_t *day)
{
    struct hr_bytes name = run->document->name;
    int64_t number = 0;
    size_t at = behind(name, "history");
    if (at > 0 && at < name.len_bytes && read_digits(name, at + 1, 8, &number)) {
        struct norm_date date = {(int32_t)(number / 10000), (uint8_t)(number / 100 % 100),
                                 (uint8_t)(number % 100)};
        *day = norm_date_is_valid(date) ? norm_day_of(date) : 0;
        return norm_date_is_valid(date);
    }
    at = behind(name, "_=");
    if (at == 0 || !read_digits(name, at, EPOCH_MS_DIGITS, &number)) {
        return false;
    }
    int64_t asked_s = norm_zone_local(run->zone, number / 1000);
    int64_t midnight_s = asked_s - asked_s % NORM_DAY_S;
    struct norm_clock clock =
        norm_clock_of(midnight_s + last_s > asked_s ? midnight_s - NORM_DAY_S : midnight_s);
    *day = norm_day_of(clock.date);
    return true;
}

static void fuel_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const char PREFIX[] = "2000-01-01 ";
    char text[sizeof PREFIX + 8];
    struct norm_stamp stamp;
    struct hr_bytes time = norm_trim(cells[0]);
    if (time.len_bytes > 8 || time.len_bytes == 0) {
        run->result->n_blank += time.len_bytes == 0;
        if (time.len_bytes != 0) {
            norm_run_reject(run, NORM_ISO_BAD_TIME, "Time", time);
        }
        return;
    }
    memcpy(text, PREFIX, sizeof PREFIX - 1);
    memcpy(text + sizeof PREFIX - 1, time.data, time.len_bytes);
    if (!hr_is_ok(norm_stamp_read(hr_bytes_of(text, sizeof PREFIX - 1 + time.len_bytes), &stamp))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "Time", time);
        return;
    }
    double at_s = (double)(stamp.local_s % NORM_DAY_S);
    for (size_t i = 1; i < HR_ARRAY_LEN(fuel_columns); i++) {
        double value = 0;
        /* The record's number keeps the order, and apart what the clock shows twice. */
        if (norm_run_number(run, fuel_columns[i].names, cells[i], &value)) {
            struct hr_bytes fuel = hr_bytes_of(fuel_columns[i].names, strlen(fuel_columns[i].names));
            int64_t number = (int64_t)run->record;
            (void)norm_run_join(run, fuel, number, number, FUEL_MW, value);
            (void)norm_run_join(run, fuel, number, number, FUEL_AT, at_s);
        }
    }
}

/* The instant of a row whose clock shows local_s; the midnight at the end of a day stands under the day. */
static bool instant_of(const struct norm_iso_run *run, struct norm_join_name *fuel, int64_t local_s,
                       int64_t *utc_s)
{
    enum norm_fault fault = NORM_FAULT_NONE;
    bool is_next_day = fuel->last_s != NORM_TIME_MIN_S &&
                       norm_zone_local(run->zone, fuel->last_s) - local_s > NORM_DAY_S / 2;
    return hr_is_ok(norm_zone_utc_after(run->zone, is_next_day ? local_s + NORM_DAY_S : local_s, fuel->last_s,
                                        utc_s, &fault));
}

static void fuel_finish(struct norm_iso_run *run)
{
    const struct norm_join *join = run->join;
    int32_t day = 0;
    int64_t last_s = 0;
    for (uint32_t i = 0; i < join->n_entries; i++) {
        int64_t at_s = (int64_t)join->entries[i].parts[FUEL_AT];
        last_s = at_s > last_s ? at_s : last_s;
    }
    if (join->n_entries > 0 && !day_of(run, last_s, &day)) {
        run->result->n_rejected = run->result->n_records;
        norm_run_tell(
            run, NORM_ISO_BAD_TIME,
            "no day in the document's name; give one with history/YYYYMMDD/ or ?_=Unix milliseconds",
            run->document->name);
        return;
    }
    for (uint32_t i = 0; i < join->n_entries; i++) {
        const struct norm_join_entry *entry = &join->entries[i];
        struct norm_join_name *name = &run->join->names[entry->name];
        struct hr_bytes fuel = norm_join_text(join, name);
        char subject[NORM_ISO_SUBJECT_CHARS];
        int64_t start_s = 0;
        run->record = (uint64_t)entry->start_s;
        if (!instant_of(run, name, norm_local_of(day, (int32_t)entry->parts[FUEL_AT]), &start_s)) {
            norm_run_reject(run, NORM_ISO_BAD_TIME, "a time that the day doesn't have, or twice, for", fuel);
            continue;
        }
        name->last_s = start_s;
        struct norm_iso_row row = norm_row_from(run, start_s);
        norm_row_system(&row, "CAISO");
        norm_row_megawatts(
            &row, norm_text_is(fuel, "Imports") ? "import" : norm_subject_of("generation.", fuel, subject),
            "actual", entry->parts[FUEL_MW]);
        norm_row_emit(run, &row);
    }
}

/* ---- forms ---- */

static const struct norm_iso_form forms[] = {
    {.name = "caiso_outlook_csv",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_DATA,
     .signs = {"Time,Demand,Net Demand,Day-ahead demand forecast"},
     .feed = "caiso_outlook",
     .iso = NORM_CAISO,
     .products = 1U << NORM_ISO_TELEMETRY,
     .layout = &demand_csv,
     .record = demand_record,
     .has_join = true},
    {.name = "caiso_fuel_csv",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_DATA,
     .signs = {"Time,Solar,Wind,Geothermal"},
     .feed = "caiso_fuel_mix",
     .iso = NORM_CAISO,
     .products = 1U << NORM_ISO_TELEMETRY,
     .layout = &fuel_csv,
     .record = fuel_record,
     .finish = fuel_finish,
     .has_join = true,
     .keeps_rows = true},
};

const struct norm_iso_forms norm_caiso_outlook_forms = {forms, HR_ARRAY_LEN(forms)};
