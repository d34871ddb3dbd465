/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests as the operators read them. */
#include "tools/cli/sim_iso.h"

#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_S = 3600, DAY_S = 86400, PARAMETER_CHARS = 160 };

/* ---- what is asked for ---- */

static void ask_local(struct cli_iso_ask *ask, int64_t first_local_s, int64_t last_local_s)
{
    ask->is_local = true;
    ask->first_local_s = first_local_s;
    ask->last_local_s = last_local_s;
    ask->from_s =
        first_local_s - ask->route->step_s; /* all operators are west of Greenwich, by 4 to 8 hours */
    ask->from_s -= ask->from_s % ask->route->step_s;
    ask->to_s = last_local_s + DAY_S;
}

static void ask_local_day(struct cli_iso_ask *ask, int64_t midnight_local_s)
{
    ask_local(ask, midnight_local_s, midnight_local_s + DAY_S - 1);
}

static bool read_parameter(const char *target, const char *name, const char *pattern, int64_t *out_s)
{
    char value[PARAMETER_CHARS];
    return cli_sim_parameter(target, name, value, sizeof value) &&
           cli_sim_stamp_read(value, pattern, out_s) != NULL;
}

static bool read_number(const char *target, const char *name, uint64_t most, uint64_t *out)
{
    char value[PARAMETER_CHARS];
    char *end = NULL;
    if (!cli_sim_parameter(target, name, value, sizeof value) || value[0] < '0' || value[0] > '9') {
        return false;
    }
    uint64_t number = strtoull(value, &end, 10);
    if (*end != '\0' || number > most) {
        return false;
    }
    *out = number;
    return true;
}

static bool read_caiso(const char *target, struct cli_iso_ask *ask)
{
    return read_parameter(target, "startdatetime", "%Y%m%dT%H:%M-0000", &ask->from_s) &&
           read_parameter(target, "enddatetime", "%Y%m%dT%H:%M-0000", &ask->to_s) &&
           ask->from_s < ask->to_s && ask->from_s % ask->route->step_s == 0;
}

static bool read_newest(const char *target, struct cli_iso_ask *ask)
{
    (void)target;
    (void)ask;
    return true;
}

/* A day in the path, behind `before`. */
static bool read_day_behind(const char *target, const char *before, struct cli_iso_ask *ask)
{
    const char *found = strstr(target, before);
    int64_t day_s = 0;
    if (found == NULL || cli_sim_stamp_read(found + strlen(before), "%Y%m%d", &day_s) == NULL) {
        return false;
    }
    ask_local_day(ask, day_s);
    return true;
}

static bool read_miso_day(const char *target, struct cli_iso_ask *ask)
{
    return read_day_behind(target, "/marketreports/", ask);
}

static bool read_nyiso_day(const char *target, struct cli_iso_ask *ask)
{
    return read_day_behind(target, "/damlbmp/", ask);
}

static bool read_isone_day(const char *target, struct cli_iso_ask *ask)
{
    return read_day_behind(target, "/day/", ask);
}

static bool read_isone_hour(const char *target, struct cli_iso_ask *ask)
{
    const char *found = strstr(target, "/day/");
    int64_t hour_s = 0;
    if (found == NULL || cli_sim_stamp_read(found, "/day/%Y%m%d/starthour/%H.json", &hour_s) == NULL) {
        return false;
    }
    ask_local(ask, hour_s, hour_s + HOUR_S - 1);
    return true;
}

static bool read_spp_day(const char *target, struct cli_iso_ask *ask)
{
    char path[PARAMETER_CHARS];
    return cli_sim_parameter(target, "path", path, sizeof path) && read_day_behind(path, "DA-LMP-SL-", ask);
}

/* The file of an interval lies in the folder of the day that it starts on. */
static bool read_spp_interval(const char *target, struct cli_iso_ask *ask)
{
    static const char PATTERN[] = "/%Y/%m/By_Interval/%d/RTBM-LMP-SL-";
    char path[PARAMETER_CHARS];
    int64_t folder_s = 0;
    int64_t end_s = 0;
    if (!cli_sim_parameter(target, "path", path, sizeof path)) {
        return false;
    }
    const char *stamp = cli_sim_stamp_read(path, PATTERN, &folder_s);
    const char *rest = stamp != NULL ? cli_sim_stamp_read(stamp, "%Y%m%d%H%M", &end_s) : NULL;
    if (rest == NULL || (strcmp(rest, ".csv") != 0 && strcmp(rest, "d.csv") != 0) ||
        (end_s - ask->route->step_s) / DAY_S != folder_s / DAY_S) {
        return false;
    }
    ask_local(ask, end_s, end_s);
    ask->labels_end = true;
    ask->is_fold_told = true;
    ask->is_second = rest[0] == 'd';
    return true;
}

static bool read_pjm(const char *target, struct cli_iso_ask *ask)
{
    static const char PATTERN[] = "%m/%d/%Y %H:%M";
    char value[PARAMETER_CHARS];
    int64_t first_s = 0;
    int64_t last_s = 0;
    uint64_t start_row = 1;
    if (!cli_sim_parameter(target, "datetime_beginning_ept", value, sizeof value)) {
        return false;
    }
    char row[PARAMETER_CHARS];
    bool has_start = cli_sim_parameter(target, "startRow", row, sizeof row);
    const char *rest = cli_sim_stamp_read(value, PATTERN, &first_s);
    if (rest == NULL || strncmp(rest, "to", 2) != 0 ||
        cli_sim_stamp_read(rest + 2, PATTERN, &last_s) == NULL ||
        !read_number(target, "rowCount", 50000, &ask->most_rows) ||
        (has_start && !read_number(target, "startRow", UINT32_MAX, &start_row)) || start_row == 0) {
        return false;
    }
    ask->skip_rows = start_row - 1;
    (void)cli_sim_parameter(target, "type", ask->type, sizeof ask->type); /* may be absent */
    ask_local(ask, first_s, last_s);
    return true;
}

static bool read_ercot_page(const char *target, struct cli_iso_ask *ask)
{
    uint64_t page = 1;
    char value[PARAMETER_CHARS];
    ask->most_rows = 100000;
    if ((cli_sim_parameter(target, "size", value, sizeof value) &&
         !read_number(target, "size", 1000000, &ask->most_rows)) ||
        (cli_sim_parameter(target, "page", value, sizeof value) &&
         !read_number(target, "page", 1000000, &page)) ||
        page == 0) {
        return false;
    }
    ask->skip_rows = (page - 1) * ask->most_rows;
    return true;
}

static bool read_ercot_hours(const char *target, struct cli_iso_ask *ask)
{
    int64_t from_s = 0;
    int64_t to_s = 0;
    uint64_t first_hour = 1;
    uint64_t last_hour = 24;
    char value[PARAMETER_CHARS];
    if (!read_parameter(target, "deliveryDateFrom", "%Y-%m-%d", &from_s) ||
        !read_parameter(target, "deliveryDateTo", "%Y-%m-%d", &to_s)) {
        return false;
    }
    if (cli_sim_parameter(target, "deliveryHourFrom", value, sizeof value) &&
        (!read_number(target, "deliveryHourFrom", 24, &first_hour) ||
         !read_number(target, "deliveryHourTo", 24, &last_hour) || first_hour == 0)) {
        return false;
    }
    ask_local(ask, from_s + ((int64_t)first_hour - 1) * HOUR_S, to_s + (int64_t)last_hour * HOUR_S - 1);
    return read_ercot_page(target, ask);
}

static bool read_ercot_runs(const char *target, struct cli_iso_ask *ask)
{
    static const char PATTERN[] = "%Y-%m-%dT%H:%M:%S";
    int64_t from_s = 0;
    int64_t to_s = 0;
    if (!read_parameter(target, "SCEDTimestampFrom", PATTERN, &from_s) ||
        !read_parameter(target, "SCEDTimestampTo", PATTERN, &to_s)) {
        return false;
    }
    ask_local(ask, from_s, to_s);
    return read_ercot_page(target, ask);
}

/* ---- routes ---- */

#define OASIS      "oasis.caiso.com"
#define MISO_API   "public-api.misoenergy.org"
#define MISO_DOCS  "docs.misoenergy.org"
#define SPP_PORTAL "portal.spp.org"
#define PJM_API    "api.pjm.com"
#define ERCOT_API  "api.ercot.com"
#define ISONE_API  "webservices.iso-ne.com"
#define NYISO_MIS  "mis.nyiso.com"
#define REPORTS    "/api/public-reports/"
#define DOWNLOAD   "/file-browser-api/download/"

#define ROUTE(feed_, iso_, host_, path_, has_, step_s_)                                                      \
    .feed = (feed_), .iso = (iso_), .host = (host_), .path = (path_), .has = (has_), .step_s = (step_s_)

static const struct cli_iso_route routes[CLI_ISO_ROUTES] = {
    {ROUTE("caiso_rt_lmp", FEEDS_CAISO, OASIS, "/oasisapi/SingleZip?", "queryname=PRC_INTVL_LMP&", 300),
     .read = read_caiso, .write = cli_iso_write_caiso},
    {ROUTE("caiso_da_lmp", FEEDS_CAISO, OASIS, "/oasisapi/SingleZip?", "queryname=PRC_LMP&", 3600),
     .is_day_ahead = true, .read = read_caiso, .write = cli_iso_write_caiso},
    {ROUTE("miso_rt_lmp", FEEDS_MISO, MISO_API, "/api/MarketPricing/GetRealTimeFiveMinExPost/Current", NULL,
           300),
     .is_newest = true, .read = read_newest, .write = cli_iso_write_rows},
    {ROUTE("miso_da_lmp", FEEDS_MISO, MISO_DOCS, "/marketreports/", "_da_expost_lmp.csv", 3600),
     .is_day_ahead = true, .read = read_miso_day, .write = cli_iso_write_miso_day},
    {ROUTE("miso_rt_lmp_final", FEEDS_MISO, MISO_DOCS, "/marketreports/", "_rt_lmp_final.csv", 3600),
     .read = read_miso_day, .write = cli_iso_write_miso_day},
    {ROUTE("spp_rt_lmp", FEEDS_SPP, SPP_PORTAL, DOWNLOAD "rtbm-lmp-by-location?", NULL, 300),
     .read = read_spp_interval, .write = cli_iso_write_rows},
    {ROUTE("spp_da_lmp", FEEDS_SPP, SPP_PORTAL, DOWNLOAD "da-lmp-by-settlement-location?", NULL, 3600),
     .is_day_ahead = true, .read = read_spp_day, .write = cli_iso_write_rows},
    {ROUTE("pjm_rt_lmp", FEEDS_PJM, PJM_API, "/api/v1/rt_unverified_fivemin_lmps?", NULL, 300),
     .parts = CLI_ISO_NO_ENERGY, .read = read_pjm, .write = cli_iso_write_rows},
    {ROUTE("pjm_da_lmp", FEEDS_PJM, PJM_API, "/api/v1/da_hrl_lmps?", NULL, 3600), .is_day_ahead = true,
     .read = read_pjm, .write = cli_iso_write_rows},
    {ROUTE("ercot_rt_lmp", FEEDS_ERCOT, ERCOT_API, REPORTS "np6-788-cd/lmp_node_zone_hub?", NULL, 300),
     .parts = CLI_ISO_NO_PARTS, .is_instant = true, .read = read_ercot_runs, .write = cli_iso_write_rows},
    {ROUTE("ercot_rt_spp", FEEDS_ERCOT, ERCOT_API, REPORTS "np6-905-cd/spp_node_zone_hub?", NULL, 900),
     .parts = CLI_ISO_NO_PARTS, .read = read_ercot_hours, .write = cli_iso_write_rows},
    {ROUTE("ercot_da_spp", FEEDS_ERCOT, ERCOT_API, REPORTS "np4-190-cd/dam_stlmnt_pnt_prices?", NULL, 3600),
     .parts = CLI_ISO_NO_PARTS, .is_day_ahead = true, .read = read_ercot_hours, .write = cli_iso_write_rows},
    {ROUTE("isone_rt_lmp", FEEDS_ISONE, ISONE_API, "/api/v1.1/fiveminutelmp/prelim/current/all.json", NULL,
           300),
     .is_newest = true, .read = read_newest, .write = cli_iso_write_rows},
    {ROUTE("isone_rt_lmp_final", FEEDS_ISONE, ISONE_API, "/api/v1.1/fiveminutelmp/final/day/", NULL, 300),
     .read = read_isone_hour, .write = cli_iso_write_rows},
    {ROUTE("isone_da_lmp", FEEDS_ISONE, ISONE_API, "/api/v1.1/hourlylmp/da/final/day/", NULL, 3600),
     .is_day_ahead = true, .read = read_isone_day, .write = cli_iso_write_rows},
    {ROUTE("nyiso_rt_lmp", FEEDS_NYISO, NYISO_MIS, "/public/realtime/realtime_zone_lbmp.csv", NULL, 300),
     .is_newest = true, .is_zonal = true, .read = read_newest, .write = cli_iso_write_rows},
    {ROUTE("nyiso_rt_lmp_gen", FEEDS_NYISO, NYISO_MIS, "/public/realtime/realtime_gen_lbmp.csv", NULL, 300),
     .is_newest = true, .read = read_newest, .write = cli_iso_write_rows},
    {ROUTE("nyiso_da_lmp", FEEDS_NYISO, NYISO_MIS, "/public/csv/damlbmp/", "damlbmp_zone.csv", 3600),
     .is_day_ahead = true, .is_zonal = true, .read = read_nyiso_day, .write = cli_iso_write_rows},
    {ROUTE("nyiso_da_lmp_gen", FEEDS_NYISO, NYISO_MIS, "/public/csv/damlbmp/", "damlbmp_gen.csv", 3600),
     .is_day_ahead = true, .read = read_nyiso_day, .write = cli_iso_write_rows},
};

const struct cli_iso_route *cli_iso_routes(void)
{
    return routes;
}

const struct cli_iso_route *cli_iso_route_of(const char *target)
{
    for (size_t i = 0; i < CLI_ISO_ROUTES; i++) {
        if (strncmp(target, routes[i].path, strlen(routes[i].path)) == 0 &&
            (routes[i].has == NULL || strstr(target, routes[i].has) != NULL)) {
            return &routes[i];
        }
    }
    return NULL;
}

bool cli_iso_ask_read(const char *target, struct cli_iso_ask *ask)
{
    ask->target = target;
    ask->most_rows = UINT64_MAX;
    return ask->route->read(target, ask);
}

/* ---- intervals ---- */

static bool is_asked_for(const struct cli_market *market, const struct cli_iso_ask *ask,
                         const struct cli_iso_interval *interval)
{
    int64_t label_s = ask->labels_end ? interval->end_s : interval->start_s;
    int64_t known_s = ask->route->is_day_ahead ? interval->start_s : interval->end_s;
    if (known_s > ask->known_until_s) {
        return false;
    }
    if (!ask->is_local) {
        return true;
    }
    const struct feeds_local *local = ask->labels_end ? &interval->end : &interval->start;
    int64_t local_s = cli_market_local_s(market, ask->route->iso, label_s);
    return local_s >= ask->first_local_s && local_s <= ask->last_local_s &&
           (!ask->is_fold_told || local->is_repeated == ask->is_second);
}

bool cli_iso_next(const struct cli_market *market, const struct cli_iso_ask *ask, int64_t *at_s,
                  struct cli_iso_interval *out)
{
    const struct feeds_zone *zone = &market->zones[ask->route->iso];
    for (; *at_s < ask->to_s; *at_s += ask->route->step_s) {
        *out = (struct cli_iso_interval){.start_s = *at_s, .end_s = *at_s + ask->route->step_s};
        out->start = feeds_zone_local(zone, out->start_s * 1000);
        out->end = feeds_zone_local(zone, out->end_s * 1000);
        if (is_asked_for(market, ask, out)) {
            *at_s += ask->route->step_s;
            return true;
        }
    }
    return false;
}
