/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/sim_fleet.h"

#include "tools/cli/ais_encode.h"

#include "proto/base/assert.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double DEG_PER_RAD = 57.29577951308232;
static const double KN_TO_DEG_S = 1.0 / 216000.0; /* a knot is a minute of latitude an hour */
static const int64_t START_UNIX_S = 1767225600;   /* 2026-01-01T00:00:00Z */

static const double MAX_TURN_DEG_S = 1.0;

enum kind { SHIP, BOAT, BASE_STATION, BUOY };

/* Open water with much traffic; a vessel that reaches the edge turns towards the middle. */
struct water {
    double south_deg, north_deg, west_deg, east_deg;
    uint16_t maritime_id; /* of the country of its base stations and buoys */
    const char *port;
};

static const struct water WATER[] = {
    {53.8, 54.4, 7.2, 8.2, 211, "HAMBURG"},      {51.4, 52.2, 2.4, 3.6, 245, "ROTTERDAM"},
    {50.2, 50.6, -1.6, 0.4, 232, "SOUTHAMPTON"}, {35.9, 36.1, -5.2, -4.4, 225, "ALGECIRAS"},
    {28.2, 29.2, -94.6, -93.4, 366, "HOUSTON"},  {37.0, 37.6, -123.4, -122.8, 366, "OAKLAND"},
    {1.05, 1.2, 103.5, 104.2, 563, "SINGAPORE"}, {30.6, 31.6, 122.4, 123.6, 413, "SHANGHAI"},
    {-24.6, -24.1, -46.2, -45.4, 710, "SANTOS"}, {29.4, 29.8, 32.5, 32.56, 622, "PORT SAID"},
    {-34.4, -33.9, 151.4, 152.2, 503, "SYDNEY"}, {25.2, 25.9, 55.0, 56.0, 470, "JEBEL ALI"},
};

struct vessel {
    enum kind kind;
    uint8_t water;
    uint8_t status;
    uint8_t ship_type;
    bool turning;
    uint32_t mmsi;
    uint32_t imo;
    uint32_t n_said;
    double latitude_deg, longitude_deg, sog_kn, cog_deg, turn_deg_s;
    double at_s; /* when it was where it is */
    char name[21];
    char callsign[8];
};

struct cli_fleet {
    uint64_t random;
    uint32_t n_vessels;
    uint32_t turn;
    struct vessel vessel[];
};

/* SplitMix64 (public domain, Vigna). */
static uint64_t next_random(struct cli_fleet *fleet)
{
    uint64_t z = fleet->random += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return z ^ z >> 31;
}

/* From 0 to below n. */
static uint32_t pick(struct cli_fleet *fleet, uint32_t n)
{
    return (uint32_t)((next_random(fleet) >> 32) * n >> 32);
}

static double between(struct cli_fleet *fleet, double low, double high)
{
    return low + (high - low) * ((double)(next_random(fleet) >> 11) / 9007199254740992.0);
}

static void name_vessel(struct cli_fleet *fleet, struct vessel *vessel)
{
    static const char *const FIRST[] = {"NORTHERN", "EVER",  "STAR",     "OCEAN",  "GOLDEN", "BALTIC",
                                        "CAPE",     "SEA",   "ATLANTIC", "LADY",   "BLUE",   "SILVER",
                                        "ROYAL",    "POLAR", "EAST",     "WESTERN"};
    static const char *const LAST[] = {"PIONEER", "TRADER", "SPIRIT",  "QUEEN", "DAWN",  "WIND",
                                       "EAGLE",   "HOPE",   "VOYAGER", "CREST", "LIGHT", "RIVER",
                                       "BREEZE",  "FALCON", "PRIDE",   "WAVE"};
    const char *port = WATER[vessel->water].port;
    uint32_t number = vessel->mmsi % 1000;
    if (vessel->kind == BUOY) {
        (void)snprintf(vessel->name, sizeof vessel->name, "%.14s B%03u", port, number);
    } else {
        (void)snprintf(vessel->name, sizeof vessel->name, "%s %s %u", FIRST[pick(fleet, HR_ARRAY_LEN(FIRST))],
                       LAST[pick(fleet, HR_ARRAY_LEN(LAST))], number % 100);
    }
    (void)snprintf(vessel->callsign, sizeof vessel->callsign, "%c%c%c%04u", 'A' + (int)pick(fleet, 26),
                   'A' + (int)pick(fleet, 26), 'A' + (int)pick(fleet, 26), vessel->mmsi % 10000);
}

/* The seventh digit of an IMO number checks the first six (IMO resolution A.1117). */
static uint32_t imo_number(uint32_t six_digits)
{
    uint32_t sum = 0;
    uint32_t rest = six_digits;
    for (uint32_t weight = 2; weight <= 7; weight++) {
        sum += rest % 10 * weight;
        rest /= 10;
    }
    return six_digits * 10 + sum % 10;
}

/* Of a hundred members 70 are ships, 25 boats, 3 base stations and 2 buoys. MMSIs are of the form that ITU-R
 * M.585-9 gives each kind, and all different up to 10000 members; four digits are all that a country's
 * stations have. */
static void make_vessel(struct cli_fleet *fleet, uint32_t index, struct vessel *vessel)
{
    static const uint16_t FLAG[] = {211, 219, 232, 244, 248, 257, 311, 338, 351, 412, 477, 538, 563, 636};
    static const uint8_t SHIP_TYPE[] = {70, 71, 74, 79, 80, 81, 84, 89, 60, 69, 30, 52};
    static const uint8_t BOAT_TYPE[] = {36, 37, 30, 50};
    uint32_t of_hundred = index * 37 % 100;
    memset(vessel, 0, sizeof *vessel);
    vessel->kind = of_hundred < 70 ? SHIP : of_hundred < 95 ? BOAT : of_hundred < 98 ? BASE_STATION : BUOY;
    vessel->water = (uint8_t)pick(fleet, HR_ARRAY_LEN(WATER));
    const struct water *water = &WATER[vessel->water];
    vessel->latitude_deg = between(fleet, water->south_deg, water->north_deg);
    vessel->longitude_deg = between(fleet, water->west_deg, water->east_deg);
    if (vessel->kind == BASE_STATION) {
        vessel->mmsi = water->maritime_id * 10000U + index % 10000;
    } else if (vessel->kind == BUOY) {
        vessel->mmsi = 990000000U + water->maritime_id * 10000U + index % 10000;
    } else {
        vessel->mmsi = FLAG[pick(fleet, HR_ARRAY_LEN(FLAG))] * 1000000U + index;
        vessel->cog_deg = between(fleet, 0, 360);
        vessel->sog_kn = pick(fleet, 8) == 0 ? 0 : between(fleet, 4, vessel->kind == SHIP ? 21 : 14);
        vessel->status = vessel->sog_kn > 0 ? 0 : pick(fleet, 2) == 0 ? 1 : 5;
        vessel->ship_type = vessel->kind == SHIP ? SHIP_TYPE[pick(fleet, HR_ARRAY_LEN(SHIP_TYPE))]
                                                 : BOAT_TYPE[pick(fleet, HR_ARRAY_LEN(BOAT_TYPE))];
        vessel->imo = imo_number(900000 + index % 100000);
    }
    name_vessel(fleet, vessel);
    vessel->n_said = pick(fleet, 24);
}

struct cli_fleet *cli_fleet_new(uint32_t n_vessels, uint64_t seed)
{
    HR_ASSERT(n_vessels >= 1 && n_vessels <= 100000);
    struct cli_fleet *fleet = calloc(1, sizeof *fleet + n_vessels * sizeof fleet->vessel[0]);
    if (fleet == NULL) {
        return NULL;
    }
    fleet->random = seed;
    fleet->n_vessels = n_vessels;
    for (uint32_t i = 0; i < n_vessels; i++) {
        make_vessel(fleet, i, &fleet->vessel[i]);
    }
    return fleet;
}

void cli_fleet_free(struct cli_fleet *fleet)
{
    free(fleet);
}

static bool is_inside(const struct vessel *vessel)
{
    const struct water *water = &WATER[vessel->water];
    return vessel->latitude_deg > water->south_deg && vessel->latitude_deg < water->north_deg &&
           vessel->longitude_deg > water->west_deg && vessel->longitude_deg < water->east_deg;
}

static double bearing_to_middle(const struct vessel *vessel)
{
    const struct water *water = &WATER[vessel->water];
    double north = (water->south_deg + water->north_deg) / 2 - vessel->latitude_deg;
    double east = ((water->west_deg + water->east_deg) / 2 - vessel->longitude_deg) *
                  cos(vessel->latitude_deg / DEG_PER_RAD);
    double bearing = atan2(east, north) * DEG_PER_RAD;
    return bearing < 0 ? bearing + 360 : bearing;
}

/* Moves the vessel to the time; long silences in steps, so that it keeps to its water. */
static void sail(struct cli_fleet *fleet, struct vessel *vessel, double at_s)
{
    const double max_step_s = 30;
    if (vessel->sog_kn <= 0 || at_s - vessel->at_s > 86400) {
        vessel->at_s = at_s;
        return;
    }
    while (vessel->at_s < at_s) {
        double step_s = fmin(max_step_s, at_s - vessel->at_s);
        double way_deg = vessel->sog_kn * KN_TO_DEG_S * step_s;
        vessel->turning = !is_inside(vessel);
        double cog_deg = vessel->turning ? bearing_to_middle(vessel)
                                         : vessel->cog_deg + between(fleet, -0.05, 0.05) * step_s;
        double off_deg = fmod(cog_deg - vessel->cog_deg + 540, 360) - 180;
        vessel->turn_deg_s = fmax(-MAX_TURN_DEG_S, fmin(MAX_TURN_DEG_S, off_deg / step_s));
        vessel->cog_deg = fmod(vessel->cog_deg + vessel->turn_deg_s * step_s + 360, 360);
        vessel->latitude_deg += way_deg * cos(vessel->cog_deg / DEG_PER_RAD);
        vessel->longitude_deg +=
            way_deg * sin(vessel->cog_deg / DEG_PER_RAD) / cos(vessel->latitude_deg / DEG_PER_RAD);
        vessel->at_s += step_s;
    }
}

static int32_t angle(double deg)
{
    return (int32_t)lround(deg * 600000);
}

/* ROT_AIS is 4.733 times the root of the degrees a minute (M.1371-5, table 48). */
static int8_t rate_of_turn(double deg_s)
{
    double value = 4.733 * sqrt(fabs(deg_s) * 60);
    double bounded = fmin(value, 126);
    return (int8_t)lround(deg_s < 0 ? -bounded : bounded);
}

static void say_position(const struct vessel *vessel, uint8_t type, struct edge_ais *out)
{
    uint16_t cog_tenth_deg = (uint16_t)(lround(vessel->cog_deg * 10) % 3600);
    struct cli_ais_position position = {
        .mmsi = vessel->mmsi,
        .type = type,
        .status = vessel->status,
        .rot = rate_of_turn(vessel->turn_deg_s),
        .sog_tenth_kn = (uint16_t)lround(vessel->sog_kn * 10),
        .accurate = vessel->kind == SHIP,
        .longitude_1_600000_deg = angle(vessel->longitude_deg),
        .latitude_1_600000_deg = angle(vessel->latitude_deg),
        .cog_tenth_deg = cog_tenth_deg,
        .heading_deg = (uint16_t)(vessel->kind == SHIP ? (cog_tenth_deg + 5) / 10 % 360 : 511),
        .second = (uint8_t)fmod(vessel->at_s, 60),
        .radio = type == 18 ? 917510 : 49205, /* carrier sense; SOTDMA without further news */
    };
    cli_ais_encode_position(&position, out);
}

static void say_static(const struct vessel *vessel,
                       void (*encode)(const struct cli_ais_static *, struct edge_ais *), struct edge_ais *out)
{
    uint32_t length_m = vessel->kind == SHIP ? 80 + vessel->mmsi % 280 : 8 + vessel->mmsi % 16;
    struct cli_ais_static about = {
        .mmsi = vessel->mmsi,
        .imo = vessel->imo,
        .callsign = vessel->callsign,
        .name = vessel->name,
        .destination = WATER[(vessel->water + vessel->mmsi) % HR_ARRAY_LEN(WATER)].port,
        .vendor = "HDR",
        .unit_model = 1,
        .serial = vessel->mmsi % 1000000,
        .ship_type = vessel->ship_type,
        .to_bow_m = (uint16_t)(length_m * 3 / 4),
        .to_stern_m = (uint16_t)(length_m / 4),
        .to_port_m = (uint8_t)(length_m / 14),
        .to_starboard_m = (uint8_t)(length_m / 14),
        .epfd = 1,
        .eta_month = (uint8_t)(1 + vessel->mmsi % 12),
        .eta_day = (uint8_t)(1 + vessel->mmsi % 28),
        .eta_hour = (uint8_t)(vessel->mmsi % 24),
        .draught_tenth_m = (uint8_t)(30 + vessel->mmsi % 120),
    };
    encode(&about, out);
}

/* The civil date of a day count (H. Hinnant, days_from_civil's inverse), for years from 2026 on. */
static void set_date(struct cli_ais_base *base, int64_t unix_s)
{
    int64_t days = unix_s / 86400 + 719468;
    int64_t era = days / 146097;
    int64_t of_era = days % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * of_year + 2) / 153;
    base->day = (uint8_t)(of_year - (153 * month_from_march + 2) / 5 + 1);
    base->month = (uint8_t)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    base->year = (uint16_t)(year_of_era + era * 400 + (base->month <= 2));
    base->hour = (uint8_t)(unix_s % 86400 / 3600);
    base->minute = (uint8_t)(unix_s % 3600 / 60);
    base->second = (uint8_t)(unix_s % 60);
}

static void say_base(const struct vessel *vessel, double at_s, struct edge_ais *out)
{
    struct cli_ais_base base = {
        .mmsi = vessel->mmsi,
        .accurate = true,
        .longitude_1_600000_deg = angle(vessel->longitude_deg),
        .latitude_1_600000_deg = angle(vessel->latitude_deg),
        .epfd = 7,
        .radio = 67039,
    };
    set_date(&base, START_UNIX_S + (int64_t)at_s);
    cli_ais_encode_base(&base, out);
}

static void say_aid(const struct vessel *vessel, double at_s, struct edge_ais *out)
{
    struct cli_ais_aid aid = {
        .mmsi = vessel->mmsi,
        .aid_type = (uint8_t)(20 + vessel->mmsi % 11),
        .name = vessel->name,
        .accurate = true,
        .longitude_1_600000_deg = angle(vessel->longitude_deg),
        .latitude_1_600000_deg = angle(vessel->latitude_deg),
        .radius_m = 2,
        .epfd = 1,
        .second = (uint8_t)fmod(at_s, 60),
    };
    cli_ais_encode_aid(&aid, out);
}

/* Static data in every twelfth place, as on the air, where it comes each 6 minutes. */
static void say(const struct vessel *vessel, double at_s, struct edge_ais *out)
{
    uint32_t turn = vessel->n_said % 24;
    switch (vessel->kind) {
    case SHIP:
        if (turn == 0 || turn == 12) {
            say_static(vessel, cli_ais_encode_static, out);
        } else {
            say_position(vessel, turn == 6 ? 27 : vessel->turning ? 3 : 1, out);
        }
        return;
    case BOAT:
        if (turn < 2) {
            say_static(vessel, turn == 0 ? cli_ais_encode_part_a : cli_ais_encode_part_b, out);
        } else {
            say_position(vessel, 18, out);
        }
        return;
    case BASE_STATION:
        say_base(vessel, at_s, out);
        return;
    case BUOY:
        say_aid(vessel, at_s, out);
        return;
    }
}

void cli_fleet_next(struct cli_fleet *fleet, double at_s, struct edge_ais *out)
{
    struct vessel *vessel = &fleet->vessel[fleet->turn];
    fleet->turn = (fleet->turn + 1) % fleet->n_vessels;
    sail(fleet, vessel, at_s);
    memset(out, 0, sizeof *out);
    memcpy(out->talker, "AI", 2);
    out->channel = (vessel->n_said & 1) == 0 ? 'A' : 'B';
    say(vessel, at_s, out);
    vessel->n_said++;
}
