/* SPDX-License-Identifier: Apache-2.0
 *
 * SPP: megawatts. Generation by fuel, hourly load by zone and generation on outage, with the end of each
 * interval in GMT. Names of columns carry blanks, and were spelled otherwise in other years. */
#include "aggregator/normalize/iso/form.h"

#include "proto/base/assert.h"

#include <string.h>

/* ---- generation: what the market dispatched and what its owner did, of each fuel ---- */

static const struct norm_column mix_columns[] = {
    {.names = "GMT MKT Interval|GMTTIME", .is_required = true},
    {.names = "Coal Market|COAL_MKT", .is_required = true},
    {.names = "Coal Self|COAL_SELF", .is_required = true},
    {.names = "Diesel Fuel Oil Market|DIESEL_FUEL_OIL_MKT"},
    {.names = "Diesel Fuel Oil Self|DIESEL_FUEL_SELF"},
    {.names = "Hydro Market|HYDRO_MKT"},
    {.names = "Hydro Self|HYDRO_SELF"},
    {.names = "Natural Gas Market|NATURAL_GAS_MKT"},
    {.names = "Natural Gas Self|NATURAL_GAS_SELF|Gas Self"},
    {.names = "Nuclear Market|NUCLEAR_MKT"},
    {.names = "Nuclear Self|NUCLEAR_SELF"},
    {.names = "Solar Market|SOLAR_MKT"},
    {.names = "Solar Self|SOLAR_SELF"},
    {.names = "Waste Disposal Services Market|WASTE_DISPOSAL_SERVICES_MKT"},
    {.names = "Waste Disposal Services Self|WASTE_DISPOSAL_SERVICES_SELF"},
    {.names = "Wind Market|WIND_MKT"},
    {.names = "Wind Self|WIND_SELF"},
    {.names = "Waste Heat Market|WASTE_HEAT_MKT"},
    {.names = "Waste Heat Self|WASTE_HEAT_SELF"},
    {.names = "Other Market|OTHER_MKT"},
    {.names = "Other Self|OTHER_SELF"},
};
static const struct norm_layout mix_csv = {
    .container = NORM_CSV, .columns = mix_columns, .n_columns = HR_ARRAY_LEN(mix_columns)};

/* There is a file for each balancing area, GenMix2Hour_SPP.csv and GenMix2Hour_SWPW.csv. */
static const char *area_of(const struct norm_iso_run *run)
{
    return norm_text_has(run->document->name, "SWPW") ? "SWPW" : "SPP";
}

static void mix_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const char *const SUBJECTS[] = {"generation.coal",
                                           "generation.diesel_fuel_oil",
                                           "generation.hydro",
                                           "generation.natural_gas",
                                           "generation.nuclear",
                                           "generation.solar",
                                           "generation.waste_disposal_services",
                                           "generation.wind",
                                           "generation.waste_heat",
                                           "generation.other"};
    int64_t end_s = 0;
    if (!norm_run_utc(run, "GMT MKT Interval", cells[0], &end_s)) {
        return;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(SUBJECTS); i++) {
        double market = 0;
        double self = 0;
        if (norm_run_number(run, SUBJECTS[i], cells[1 + 2 * i], &market) &&
            norm_run_number(run, SUBJECTS[i], cells[2 + 2 * i], &self)) {
            struct norm_iso_row row = norm_row_until(run, end_s);
            norm_row_system(&row, area_of(run));
            norm_row_megawatts(&row, SUBJECTS[i], "actual", market + self);
            norm_row_emit(run, &row);
        }
    }
}

/* ---- load, from March 2026: a record for each kind of load (CF, NC) of a zone, which add up to the zone's
 * ---- */

enum { LOAD_END, LOAD_BAA, LOAD_ZONE, LOAD_KIND, LOAD_MW, N_LOAD };
enum { CONFORMING, NON_CONFORMING };
enum { PLACE_CHARS = 64 };

static const struct norm_column load_columns[N_LOAD] = {
    [LOAD_END] = {.names = "Market Hour|MarketHour", .is_required = true},
    [LOAD_BAA] = {.names = "Balancing Area Name", .is_required = true},
    [LOAD_ZONE] = {.names = "Control Zone Name", .is_required = true},
    [LOAD_KIND] = {.names = "Forecast Area Type", .is_required = true},
    [LOAD_MW] = {.names = "Load MW", .is_required = true},
};
static const struct norm_layout load_csv = {
    .container = NORM_CSV, .columns = load_columns, .n_columns = N_LOAD};

static void load_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct hr_bytes area = norm_trim(cells[LOAD_BAA]);
    struct hr_bytes zone = norm_trim(cells[LOAD_ZONE]);
    struct hr_bytes kind = norm_trim(cells[LOAD_KIND]);
    char place[PLACE_CHARS];
    int64_t end_s = 0;
    double value = 0;
    if ((!norm_text_is(kind, "CF") && !norm_text_is(kind, "NC")) || zone.len_bytes == 0 ||
        area.len_bytes + 1 + zone.len_bytes > sizeof place) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "area, zone or Forecast Area Type", cells[LOAD_KIND]);
        return;
    }
    if (!norm_run_utc(run, "Market Hour", cells[LOAD_END], &end_s) ||
        !norm_run_number(run, "Load MW", cells[LOAD_MW], &value)) {
        return;
    }
    if (area.len_bytes > 0) {
        memcpy(place, area.data, area.len_bytes);
    }
    place[area.len_bytes] = '/';
    memcpy(place + area.len_bytes + 1, zone.data, zone.len_bytes);
    (void)norm_run_join(run, hr_bytes_of(place, area.len_bytes + 1 + zone.len_bytes), end_s - NORM_HOUR_S,
                        end_s, norm_text_is(kind, "CF") ? CONFORMING : NON_CONFORMING, value);
}

static void load_row(struct norm_iso_run *run, int64_t end_s, struct hr_bytes area, struct hr_bytes zone,
                     double value)
{
    struct norm_iso_row row = norm_row_until(run, end_s);
    norm_row_place(&row, NORM_ISO_ZONE, zone, zone);
    row.region = area;
    norm_row_megawatts(&row, "load", "actual", value);
    norm_row_emit(run, &row);
}

static void load_finish(struct norm_iso_run *run)
{
    const struct norm_join *join = run->join;
    for (uint32_t i = 0; i < join->n_entries; i++) {
        const struct norm_join_entry *entry = &join->entries[i];
        struct hr_bytes place = norm_join_text(join, &join->names[entry->name]);
        const uint8_t *slash = memchr(place.data, '/', place.len_bytes);
        size_t area_len = slash != NULL ? (size_t)(slash - place.data) : 0;
        load_row(run, entry->start_s + entry->length_s, hr_bytes_of(place.data, area_len),
                 hr_bytes_of(place.data + area_len + 1, place.len_bytes - area_len - 1),
                 entry->parts[CONFORMING] + entry->parts[NON_CONFORMING]);
    }
}

/* ---- load before: a column for each zone ---- */

static const struct norm_column zone_columns[] = {
    {.names = "MarketHour", .is_required = true},
    {.names = "CSWS", .is_required = true},
    {.names = "EDE"},
    {.names = "GRDA"},
    {.names = "INDN"},
    {.names = "KACY"},
    {.names = "KCPL"},
    {.names = "LES"},
    {.names = "MPS"},
    {.names = "NPPD"},
    {.names = "OKGE"},
    {.names = "OPPD"},
    {.names = "SECI"},
    {.names = "SPRM"},
    {.names = "SPS"},
    {.names = "WAUE"},
    {.names = "WFEC"},
    {.names = "WR"},
};
static const struct norm_layout zone_csv = {
    .container = NORM_CSV, .columns = zone_columns, .n_columns = HR_ARRAY_LEN(zone_columns)};

static void zone_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t end_s = 0;
    if (!norm_run_utc(run, "MarketHour", cells[0], &end_s)) {
        return;
    }
    for (size_t i = 1; i < HR_ARRAY_LEN(zone_columns); i++) {
        const char *zone = zone_columns[i].names;
        double value = 0;
        if (cells[i].data != NULL && norm_run_number(run, zone, cells[i], &value)) {
            load_row(run, end_s, hr_bytes_of("SPP", 3), hr_bytes_of(zone, strlen(zone)), value);
        }
    }
}

/* ---- generation that will be on outage: the hours of seven days, by fuel ---- */

static const struct norm_column outage_columns[] = {
    {.names = "Market Hour", .is_required = true},
    {.names = "Outaged MW", .is_required = true},
    {.names = "Coal MW", .is_required = true},
    {.names = "Diesel Fuel Oil MW"},
    {.names = "Hydro MW"},
    {.names = "Natural Gas MW"},
    {.names = "Nuclear MW"},
    {.names = "Solar MW"},
    {.names = "Waste Disposal MW"},
    {.names = "Wind MW"},
    {.names = "Waste Heat MW"},
    {.names = "Other MW"},
};
static const struct norm_layout outage_csv = {
    .container = NORM_CSV, .columns = outage_columns, .n_columns = HR_ARRAY_LEN(outage_columns)};

static void outage_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const char *const SUBJECTS[HR_ARRAY_LEN(outage_columns)] = {NULL,
                                                                       "outage.generation",
                                                                       "outage.coal",
                                                                       "outage.diesel_fuel_oil",
                                                                       "outage.hydro",
                                                                       "outage.natural_gas",
                                                                       "outage.nuclear",
                                                                       "outage.solar",
                                                                       "outage.waste_disposal",
                                                                       "outage.wind",
                                                                       "outage.waste_heat",
                                                                       "outage.other"};
    int64_t end_s = 0;
    if (!norm_run_utc(run, "Market Hour", cells[0], &end_s)) {
        return;
    }
    for (size_t i = 1; i < HR_ARRAY_LEN(SUBJECTS); i++) {
        double value = 0;
        if (norm_run_number(run, SUBJECTS[i], cells[i], &value)) {
            struct norm_iso_row row = norm_row_until(run, end_s);
            norm_row_system(&row, "SPP");
            norm_row_megawatts(&row, SUBJECTS[i], "forecast", value);
            norm_row_emit(run, &row);
        }
    }
}

/* ---- forms ---- */

#define SPP_FORM(name_, sign_, other_sign_, feed_, product_, layout_, record_)                               \
    .name = (name_), .shape = NORM_SHAPE_TEXT, .kind = NORM_ISO_DATA, .signs = {(sign_), (other_sign_)},     \
    .feed = (feed_), .iso = NORM_SPP, .products = 1U << (product_), .layout = &(layout_),                    \
    .record = (record_)

static const struct norm_iso_form forms[] = {
    {SPP_FORM("spp_fuel_csv", "GMT MKT Interval", "Coal Market", "spp_fuel_mix", NORM_ISO_TELEMETRY, mix_csv,
              mix_record)},
    {SPP_FORM("spp_fuel_csv", "GMTTIME", "COAL_MKT", "spp_fuel_mix", NORM_ISO_TELEMETRY, mix_csv,
              mix_record)},
    {SPP_FORM("spp_load_csv", "Control Zone Name", "Forecast Area Type", "spp_load", NORM_ISO_TELEMETRY,
              load_csv, load_record),
     .finish = load_finish, .has_join = true, .keeps_rows = true},
    {SPP_FORM("spp_load_csv", "MarketHour", "CSWS", "spp_load", NORM_ISO_TELEMETRY, zone_csv, zone_record)},
    {SPP_FORM("spp_outage_csv", "Market Hour", "Outaged MW", "spp_outage", NORM_ISO_OUTAGE, outage_csv,
              outage_record)},
};

const struct norm_iso_forms norm_spp_power_forms = {forms, HR_ARRAY_LEN(forms)};
