/* SPDX-License-Identifier: Apache-2.0
 *
 * Load, fuel mix, outages and constraints of the operators, on small documents written for these tests in the
 * columns that the operators print. */
#include "tests/support/iso_lab.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

/* A row among those that were read: subject, role and start tell it. */
static const struct norm_iso_row *find(const char *location, const char *subject, const char *role,
                                       const char *start)
{
    for (size_t i = 0; i < iso_lab.n_rows; i++) {
        const struct iso_lab_row *kept = &iso_lab.rows[i];
        if (strcmp(kept->location, location) == 0 && strcmp(kept->subject, subject) == 0 &&
            strcmp(kept->row.curve_role, role) == 0 && kept->row.start_s == iso_lab_utc(start)) {
            return &kept->row;
        }
    }
    fail_msg("no %s %s of %s at %s among %zu rows", subject, role, location, start, iso_lab.n_rows);
    return NULL;
}

static void expect(const char *location, const char *subject, const char *role, const char *start,
                   int minutes, double value)
{
    const struct norm_iso_row *row = find(location, subject, role, start);
    assert_int_equal(row->end_s - row->start_s, minutes * 60);
    assert_true(row->value - value < 1e-9 && value - row->value < 1e-9);
}

static void read_clean(const char *feed, const char *name, const char *text, const char *form, size_t n_rows)
{
    iso_lab_read_text(feed, name, text);
    assert_int_equal(iso_lab.result.code, HR_OK);
    assert_string_equal(iso_lab.result.form, form);
    assert_int_equal(iso_lab.result.n_rejected, 0);
    assert_int_equal(iso_lab.n_rows, n_rows);
}

/* ---- CAISO ---- */

#define FUEL_HEAD                                                                                            \
    "Time,Solar,Wind,Geothermal,Biomass,Biogas,Small hydro,Coal,Nuclear,Natural Gas,Large Hydro,Batteries,"  \
    "Imports,Other\n"

static void caiso_fuel_mix_takes_its_day_from_the_address(void **state)
{
    static const char TEXT[] = FUEL_HEAD "00:00,-62,5119,645,123,141,271,0,2277,2670,3126,-2760,4792,0\n"
                                         "00:05,-61,5114,645,122,141,270,0,2278,2723,3058,-2925,4983,0\n"
                                         "00:10,,,,,,,,,,,,,\n\n";
    (void)state;
    read_clean("caiso_fuel_mix", "https://www.caiso.com/outlook/history/20260311/fuelsource.csv", TEXT,
               "caiso_fuel_csv", 26);
    expect("CAISO", "generation.solar", "actual", "2026-03-11T07:00:00Z", 5, -62);
    expect("CAISO", "generation.batteries", "actual", "2026-03-11T07:05:00Z", 5, -2925);
    expect("CAISO", "import", "actual", "2026-03-11T07:05:00Z", 5, 4983);
    assert_int_equal(iso_lab.result.n_blank, 13);
    /* Asked for at 00:07 of 11 March, Pacific: 07:07Z. */
    read_clean("caiso_fuel_mix", "fuelsource.csv?_=1773212820000", TEXT, "caiso_fuel_csv", 26);
    expect("CAISO", "generation.wind", "actual", "2026-03-11T07:05:00Z", 5, 5114);
    /* At 00:03 the rows of 00:05 can only be of the day before. */
    read_clean("caiso_fuel_mix", "fuelsource.csv?_=1773212580000", TEXT, "caiso_fuel_csv", 26);
    expect("CAISO", "generation.wind", "actual", "2026-03-10T07:05:00Z", 5, 5114);
}

static void caiso_fuel_mix_without_a_day_is_rejected_and_told(void **state)
{
    (void)state;
    iso_lab_read_text("caiso_fuel_mix", "fuelsource.csv", FUEL_HEAD "00:00,1,2,3,4,5,6,7,8,9,10,11,12,13\n");
    assert_int_equal(iso_lab.n_rows, 0);
    assert_int_equal(iso_lab.result.n_rejected, 1);
    assert_non_null(strstr(iso_lab.anomalies[0].text, "history/YYYYMMDD/"));
}

static void caiso_fuel_mix_on_days_when_clocks_are_changed(void **state)
{
    char text[16384];
    size_t len = (size_t)snprintf(text, sizeof text, "%s", FUEL_HEAD);
    (void)state;
    /* 2 November 2025: 01:00 to 01:55 twice, and the midnight of the next day at the end. */
    for (int minute = 0; minute < 4 * 60; minute += 5) {
        int shown = minute < 120 ? minute : minute - 60;
        len += (size_t)snprintf(text + len, sizeof text - len, "%02d:%02d,%d,,,,,,,,,,,,\n", shown / 60,
                                shown % 60, minute);
    }
    (void)snprintf(text + len, sizeof text - len, "23:55,1435,,,,,,,,,,,,\n00:00,1440,,,,,,,,,,,,\n");
    read_clean("caiso_fuel_mix", "history/20251102/fuelsource.csv", text, "caiso_fuel_csv", 50);
    for (size_t i = 0; i < 48; i++) {
        assert_int_equal(iso_lab.rows[i].row.start_s, iso_lab_utc("2025-11-02T07:00:00Z") + (int64_t)i * 300);
    }
    expect("CAISO", "generation.solar", "actual", "2025-11-03T07:55:00Z", 5, 1435);
    expect("CAISO", "generation.solar", "actual", "2025-11-03T08:00:00Z", 5, 1440);
    /* 8 March 2026: the hour that isn't there is printed, with nothing in it. */
    read_clean("caiso_fuel_mix", "history/20260308/fuelsource.csv",
               FUEL_HEAD "01:55,1,,,,,,,,,,,,\n02:00,,,,,,,,,,,,,\n02:55,,,,,,,,,,,,,\n03:00,2,,,,,,,,,,,,\n",
               "caiso_fuel_csv", 2);
    expect("CAISO", "generation.solar", "actual", "2026-03-08T09:55:00Z", 5, 1);
    expect("CAISO", "generation.solar", "actual", "2026-03-08T10:00:00Z", 5, 2);
}

/* ---- ERCOT: the public API ---- */

/* An answer of the public API: its fields, by names with blanks between, and its records. */
static const char *answer(const char *fields, const char *records)
{
    static char text[8192];
    size_t len = (size_t)snprintf(text, sizeof text,
                                  "{\"_meta\":{\"totalRecords\":2,\"pageSize\":100,\"totalPages\":1,"
                                  "\"currentPage\":1},\"report\":{},\"fields\":[");
    for (const char *name = fields; *name != '\0';) {
        size_t name_len = strcspn(name, " ");
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%s{\"name\":\"%.*s\",\"dataType\":\"DOUBLE\"}",
                             name == fields ? "" : ",", (int)name_len, name);
        name += name_len + (name[name_len] == ' ');
    }
    (void)snprintf(text + len, sizeof text - len, "],\"data\":[%s]}", records);
    return text;
}

static void ercot_sced_prices_of_the_public_api(void **state)
{
    (void)state;
    read_clean("ercot_rt_lmp", "",
               answer("SCEDTimestamp repeatHourFlag settlementPoint LMP",
                      "[\"2025-11-02T01:10:13\",false,\"HB_NORTH\",21.5],"
                      "[\"2025-11-02T01:10:13\",true,\"HB_NORTH\",-3]"),
               "ercot_sced_json", 2);
    expect("HB_NORTH", "energy", "price", "2025-11-02T06:10:13Z", 0, 21.5);
    expect("HB_NORTH", "energy", "price", "2025-11-02T07:10:13Z", 0, -3);
}

static void ercot_load_by_zone_of_the_public_api(void **state)
{
    (void)state;
    read_clean(
        "ercot_load", "",
        answer("operatingDay hourEnding coast east farWest north northC southern southC west total DSTFlag",
               "[\"2026-06-13\",\"24:00\",1,2,3,4,5,6,7,8,36,false]"),
        "ercot_load_json", 9);
    expect("FAR_WEST", "load", "actual", "2026-06-14T04:00:00Z", 60, 3);
    expect("SOUTH_C", "load", "actual", "2026-06-14T04:00:00Z", 60, 7);
    expect("ERCOT", "load", "actual", "2026-06-14T04:00:00Z", 60, 36);
}

static void ercot_postings_of_wind_are_forecasts_of_their_own_and_one_actual(void **state)
{
    const char *text = answer(
        "postedDatetime deliveryDate hourEnding genSystemWide COPHSLSystemWide STWPFSystemWide DSTFlag",
        "[\"2026-06-13T12:55:32\",\"2026-06-13\",1,18905.79,18194.8,18525.3,false],"
        "[\"2026-06-13T13:55:30\",\"2026-06-13\",1,18905.79,18194.8,18000,false],"
        "[\"2026-06-13T13:55:30\",\"2026-06-13\",20,null,18194.8,17000,false]");
    (void)state;
    read_clean("ercot_wind", "", text, "ercot_wind_json", 4);
    expect("ERCOT", "generation.wind", "actual", "2026-06-13T05:00:00Z", 60, 18905.79);
    expect("ERCOT", "generation.wind", "forecast", "2026-06-14T00:00:00Z", 60, 17000);
    const struct norm_iso_row *made = find("ERCOT", "generation.wind", "forecast", "2026-06-13T05:00:00Z");
    assert_int_equal(made->published_s, iso_lab_utc("2026-06-13T17:55:32Z"));
    assert_int_equal(iso_lab.result.n_repeated, 1);
    assert_int_equal(iso_lab.result.n_blank, 1);
}

static void ercot_outages_by_zone_say_when_they_were_posted(void **state)
{
    (void)state;
    read_clean(
        "ercot_outage", "",
        answer("postedDatetime operatingDate hourEnding totalResourceMWZoneSouth totalResourceMWZoneNorth "
               "totalResourceMWZoneWest totalResourceMWZoneHouston totalIRRMWZoneSouth",
               "[\"2026-06-13T13:00:49\",\"2026-06-13\",1,3121,4331,716,3765,1165]"),
        "ercot_outage_json", 5);
    expect("HOUSTON", "outage.resource", "forecast", "2026-06-13T05:00:00Z", 60, 3765);
    expect("SOUTH", "outage.renewable", "forecast", "2026-06-13T05:00:00Z", 60, 1165);
    assert_int_equal(iso_lab.rows[0].row.published_s, iso_lab_utc("2026-06-13T18:00:49Z"));
}

static void ercot_constraints_of_both_markets(void **state)
{
    (void)state;
    read_clean(
        NULL, "",
        answer(
            "deliveryDate hourEnding constraintId constraintName contingencyName constraintLimit shadowPrice "
            "deliveryTime DSTFlag",
            "[\"2026-06-13\",\"01:00\",1,\" 6437__F\",\" DMTSCOS5\",212,4.08,\"2026-06-13T00:00:00\",false]"),
        "ercot_constraint_json", 1);
    assert_string_equal(iso_lab.result.feed->name, "ercot_da_constraint");
    expect("6437__F", "shadow_price", "price", "2026-06-13T05:00:00Z", 60, 4.08);
    assert_true(iso_lab.rows[0].row.limit_mw == 212);
    read_clean(NULL, "",
               answer("SCEDTimestamp repeatedHourFlag constraintID constraintName contingencyName "
                      "shadowPrice maxShadowPrice limit",
                      "[\"2026-06-13T11:55:17\",false,15,\"6437__F\",\"DMTSCOS5\",0.5,3500,206.4]"),
               "ercot_constraint_json", 1);
    assert_string_equal(iso_lab.result.feed->name, "ercot_rt_constraint");
    expect("6437__F", "shadow_price", "price", "2026-06-13T16:55:17Z", 0, 0.5);
}

/* ---- MISO ---- */

static void miso_wind_and_solar_stand_in_one_answer(void **state)
{
    (void)state;
    read_clean(
        "miso_wind_solar", "",
        "{\"instance\":[{\"ForecastDateTimeEST\":\"2026-09-10 09:00:00 AM\",\"ForecastHourEndingEST\":\"10\","
        "\"ForecastWindValue\":\"5740.00\",\"ForecastSolarValue\":\"1200.00\","
        "\"ActualDateTimeEST\":\"2026-09-10 09:00:00 AM\",\"ActualHourEndingEST\":\"10\","
        "\"ActualWindValue\":\"1500.00\",\"ActualSolarValue\":\"2596.00\"},"
        "{\"ForecastDateTimeEST\":\"2026-09-10 10:00:00 AM\",\"ForecastHourEndingEST\":\"11\","
        "\"ForecastWindValue\":\"5700.00\",\"ForecastSolarValue\":\"1300.00\","
        "\"ActualDateTimeEST\":null,\"ActualHourEndingEST\":null,\"ActualWindValue\":null,"
        "\"ActualSolarValue\":null}],\"RefId\":\"10-Sep-2026 - Interval 09:00 "
        "EST\",\"MktDay\":\"09-10-2026\"}",
        "miso_wind_solar_json", 6);
    expect("MISO", "generation.wind", "forecast", "2026-09-10T14:00:00Z", 60, 5740);
    expect("MISO", "generation.solar", "actual", "2026-09-10T14:00:00Z", 60, 2596);
    expect("MISO", "generation.solar", "forecast", "2026-09-10T15:00:00Z", 60, 1300);
    assert_int_equal(iso_lab.result.n_blank, 2);
}

static void miso_load_of_five_minutes_and_its_hourly_forecast(void **state)
{
    (void)state;
    read_clean("miso_load", "",
               "{\"LoadInfo\":{\"RefId\":\"13-Jun-2026 - Interval 20:25 EST\","
               "\"ClearedMW\":[{\"ClearedMWHourly\":{\"Hour\":\"1\",\"Value\":\"71219\"}}],"
               "\"MediumTermLoadForecast\":[{\"Forecast\":{\"HourEnding\":\"1\",\"LoadForecast\":\"72805\"}},"
               "{\"Forecast\":{\"HourEnding\":\"24\",\"LoadForecast\":\"70000\"}}],"
               "\"FiveMinTotalLoad\":[{\"Load\":{\"Time\":\"20:20\",\"Value\":\"88373\"}}]}}",
               "miso_load_json", 3);
    expect("MISO", "load", "forecast", "2026-06-13T05:00:00Z", 60, 72805);
    expect("MISO", "load", "forecast", "2026-06-14T04:00:00Z", 60, 70000);
    expect("MISO", "load", "actual", "2026-06-14T01:20:00Z", 5, 88373);
}

static void miso_outages_of_days_to_come_are_forecasts(void **state)
{
    (void)state;
    read_clean("miso_outage", "",
               "{\"RefId\":\"02-Oct-2026 - Total Outage Megawatts: 54,179\",\"Days\":["
               "{\"OutageDate\":\"2026-10-02 12:00:00 "
               "AM\",\"Unplanned\":1,\"Planned\":2,\"Forced\":3,\"Derated\":4},"
               "{\"OutageDate\":\"2026-10-03 12:00:00 "
               "AM\",\"Unplanned\":5,\"Planned\":6,\"Forced\":7,\"Derated\":8}]}",
               "miso_outage_json", 8);
    expect("MISO", "outage.derated", "actual", "2026-10-02T05:00:00Z", 24 * 60, 4);
    expect("MISO", "outage.planned", "forecast", "2026-10-03T05:00:00Z", 24 * 60, 6);
}

/* ---- NYISO ---- */

static void nyiso_solar_behind_the_meter_by_zone(void **state)
{
    (void)state;
    read_clean("nyiso_wind_solar", "20251102BTMEstimatedActual.csv",
               "\"Time Stamp\",\"Time Zone\",\"Zone Name\",\"MW Value\"\n"
               "\"11/02/2025 01:00\",\"EDT\",\"SYSTEM\",10\n\"11/02/2025 01:00\",\"EST\",\"SYSTEM\",20\n"
               "\"11/02/2025 01:00\",\"EST\",\"HUD VL\",5\n",
               "nyiso_btm_csv", 3);
    expect("NYCA", "generation.solar_behind_meter", "actual", "2025-11-02T05:00:00Z", 60, 10);
    expect("NYCA", "generation.solar_behind_meter", "actual", "2025-11-02T06:00:00Z", 60, 20);
    expect("61758", "generation.solar_behind_meter", "actual", "2025-11-02T06:00:00Z", 60, 5);
    iso_lab_read_text("nyiso_wind_solar", "",
                      "Time Stamp,Time Zone,Zone Name,MW Value\n07/01/2026 12:00,EDT,NOWHERE,5\n");
    assert_int_equal(iso_lab.result.n_rejected, 1);
}

static void nyiso_maintenance_is_of_whole_market_days(void **state)
{
    (void)state;
    read_clean(
        "nyiso_outage", "gen_maint_report.csv",
        "\"Date\",\"Forecasted Generation Outage (MW)\"\n\"03/08/2026\",\"1234\"\n\"03/09/2026\",\"1300\"\n",
        "nyiso_outage_csv", 2);
    expect("NYCA", "outage.generation", "forecast", "2026-03-08T05:00:00Z", 23 * 60, 1234);
    expect("NYCA", "outage.generation", "forecast", "2026-03-09T04:00:00Z", 24 * 60, 1300);
}

/* ---- SPP ---- */

static void spp_fuel_mix_adds_market_and_self_scheduled(void **state)
{
    (void)state;
    read_clean("spp_fuel_mix", "GenMix2Hour_SPP.csv",
               "GMT MKT Interval, Coal Market, Coal Self, Wind Market, Wind Self, Load\n"
               "2026-06-01T06:05:00Z,1000.5,200,9000,0.25,30000\n",
               "spp_fuel_csv", 2);
    expect("SPP", "generation.coal", "actual", "2026-06-01T06:00:00Z", 5, 1200.5);
    expect("SPP", "generation.wind", "actual", "2026-06-01T06:00:00Z", 5, 9000.25);
    read_clean("spp_fuel_mix", "GenMix2Hour_SWPW.csv", "GMTTIME,COAL_MKT,COAL_SELF\n6/1/2026 6:05,10,2\n",
               "spp_fuel_csv", 1);
    expect("SWPW", "generation.coal", "actual", "2026-06-01T06:00:00Z", 5, 12);
}

static void spp_load_of_a_zone_is_the_sum_of_its_kinds(void **state)
{
    (void)state;
    read_clean(
        "spp_load", "DAILY_HOURLY_LOAD-20260407.csv",
        "Market Hour,Balancing Area Name,Control Zone Name,Forecast Area Type,Load MW\n"
        "4/7/2026 6:00,SPP,CSWS,CF,4607.037\n4/7/2026 6:00,SPP,WAUE,CF,100\n4/7/2026 6:00,SPP,CSWS,NC,0.5\n"
        "4/7/2026 6:00,SWPW,WAUE,CF,7\n",
        "spp_load_csv", 3);
    expect("CSWS", "load", "actual", "2026-04-07T05:00:00Z", 60, 4607.537);
    expect("WAUE", "load", "actual", "2026-04-07T05:00:00Z", 60, 100);
    assert_string_not_equal(iso_lab.rows[1].key,
                            iso_lab.rows[2].key); /* two areas have a zone of that name */
    iso_lab_read_text("spp_load", "",
                      "Market Hour,Balancing Area Name,Control Zone Name,Forecast Area Type,Load MW\n"
                      "4/7/2026 6:00,SPP,CSWS,XX,1\n");
    assert_int_equal(iso_lab.result.n_rejected, 1);
}

static void spp_load_had_a_column_for_each_zone(void **state)
{
    (void)state;
    read_clean("spp_load", "", "MarketHour, CSWS, EDE, WR\n3/1/2026 7:00,4000,500,3000.5\n", "spp_load_csv",
               3);
    expect("WR", "load", "actual", "2026-03-01T06:00:00Z", 60, 3000.5);
}

static void spp_outages_are_of_hours_to_come_by_fuel(void **state)
{
    (void)state;
    read_clean("spp_outage", "Capacity-Gen-Outage-20260101.csv",
               "Market Hour, Outaged MW, Coal MW, Diesel Fuel Oil MW, Hydro MW, Natural Gas MW, Nuclear MW, "
               "Solar MW, "
               "Waste Disposal MW, Wind MW, Waste Heat MW, Other MW\n"
               "01/01/2026 15:00:00,9000,3000,10,200,5000,0,90,0,600,0,100\n",
               "spp_outage_csv", 11);
    expect("SPP", "outage.generation", "forecast", "2026-01-01T14:00:00Z", 60, 9000);
    expect("SPP", "outage.natural_gas", "forecast", "2026-01-01T14:00:00Z", 60, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caiso_fuel_mix_takes_its_day_from_the_address),
        cmocka_unit_test(caiso_fuel_mix_without_a_day_is_rejected_and_told),
        cmocka_unit_test(caiso_fuel_mix_on_days_when_clocks_are_changed),
        cmocka_unit_test(ercot_sced_prices_of_the_public_api),
        cmocka_unit_test(ercot_load_by_zone_of_the_public_api),
        cmocka_unit_test(ercot_postings_of_wind_are_forecasts_of_their_own_and_one_actual),
        cmocka_unit_test(ercot_outages_by_zone_say_when_they_were_posted),
        cmocka_unit_test(ercot_constraints_of_both_markets),
        cmocka_unit_test(miso_wind_and_solar_stand_in_one_answer),
        cmocka_unit_test(miso_load_of_five_minutes_and_its_hourly_forecast),
        cmocka_unit_test(miso_outages_of_days_to_come_are_forecasts),
        cmocka_unit_test(nyiso_solar_behind_the_meter_by_zone),
        cmocka_unit_test(nyiso_maintenance_is_of_whole_market_days),
        cmocka_unit_test(spp_fuel_mix_adds_market_and_self_scheduled),
        cmocka_unit_test(spp_load_of_a_zone_is_the_sum_of_its_kinds),
        cmocka_unit_test(spp_load_had_a_column_for_each_zone),
        cmocka_unit_test(spp_outages_are_of_hours_to_come_by_fuel),
    };
    return cmocka_run_group_tests(tests, iso_lab_start, iso_lab_stop);
}
