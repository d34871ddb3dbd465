/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents of prices, as the operators publish them: a row for each location and interval. Those that are of
 * another make stand in sim_iso_report.c. */
#include "tools/cli/sim_iso.h"

#include "proto/base/assert.h"

#include <inttypes.h>
#include <string.h>

enum { SCED_S = 13 }; /* dispatch runs a few seconds behind the full minute */

struct row {
    const struct cli_iso_ask *ask;
    const struct cli_iso_interval *interval;
    const struct cli_node *node;
    struct cli_price price;
};

static void put_utc(struct cli_sim_text *out, int64_t utc_s, const char *pattern)
{
    static const struct feeds_zone utc = {.standard_s = 0};
    struct feeds_local local = feeds_zone_local(&utc, utc_s * 1000);
    cli_sim_text_time(out, &local, pattern);
}

static void put_number(struct cli_sim_text *out, const struct row *row, int64_t value)
{
    cli_sim_text_number(out, value, row->price.decimals, CLI_SIM_FIXED);
}

static void put_short(struct cli_sim_text *out, const struct row *row, const char *before, int64_t value)
{
    cli_sim_text_bytes(out, before, strlen(before));
    cli_sim_text_number(out, value, row->price.decimals, CLI_SIM_TRIMMED);
}

/* ---- a row ---- */

static void miso_row(struct cli_sim_text *out, const struct row *row)
{
    cli_sim_text_add(out, "[\"");
    cli_sim_text_time(out, &row->interval->start, "%Y-%m-%dT%H:%M:%S");
    cli_sim_text_add(out, "\",\"%s\",\"", row->node->id);
    put_number(out, row, row->price.value);
    cli_sim_text_add(out, "\",\"");
    put_number(out, row, row->price.loss);
    cli_sim_text_add(out, "\",\"");
    put_number(out, row, row->price.congestion);
    cli_sim_text_add(out, "\"]");
}

/* Files have a balancing area since this day. */
static bool has_area(const struct cli_iso_ask *ask)
{
    return ask->first_local_s >= feeds_utc_ms(2026, 3, 24, 0) / 1000;
}

static void spp_row(struct cli_sim_text *out, const struct row *row)
{
    cli_sim_text_time(out, &row->interval->end, "%m/%d/%Y %H:%M:%S,");
    put_utc(out, row->interval->end_s, "%m/%d/%Y %H:%M:%S,");
    cli_sim_text_add(out, "%s%s,%s,", has_area(row->ask) ? "SPP," : "", row->node->id, row->node->name);
    put_number(out, row, row->price.value);
    const int64_t parts[] = {row->price.loss, row->price.congestion, row->price.energy};
    for (size_t i = 0; i < HR_ARRAY_LEN(parts); i++) {
        cli_sim_text_bytes(out, ",", 1);
        put_number(out, row, parts[i]);
    }
    cli_sim_text_bytes(out, "\n", 1);
}

static void pjm_row(struct cli_sim_text *out, const struct row *row)
{
    bool is_day_ahead = row->ask->route->is_day_ahead;
    cli_sim_text_add(out, "{\"datetime_beginning_utc\":\"");
    put_utc(out, row->interval->start_s, "%Y-%m-%dT%H:%M:%S");
    cli_sim_text_add(out, "\",\"datetime_beginning_ept\":\"");
    cli_sim_text_time(out, &row->interval->start, "%Y-%m-%dT%H:%M:%S");
    cli_sim_text_add(out, "\",\"pnode_id\":%s,\"pnode_name\":\"%s\",\"type\":\"%s\"", row->node->id,
                     row->node->name, row->node->type);
    if (is_day_ahead) {
        put_short(out, row, ",\"system_energy_price_da\":", row->price.energy);
    }
    put_short(out, row, is_day_ahead ? ",\"total_lmp_da\":" : ",\"total_lmp_rt\":", row->price.value);
    put_short(out, row, is_day_ahead ? ",\"congestion_price_da\":" : ",\"congestion_price_rt\":",
              row->price.congestion);
    put_short(out, row, is_day_ahead ? ",\"marginal_loss_price_da\":" : ",\"marginal_loss_price_rt\":",
              row->price.loss);
    cli_sim_text_add(out, is_day_ahead ? ",\"row_is_current\":true,\"version_nbr\":1}" : "}");
}

static void ercot_row(struct cli_sim_text *out, const struct row *row)
{
    const struct feeds_local *start = &row->interval->start;
    const char *flag = start->is_repeated ? "true" : "false";
    if (row->ask->route->is_instant) {
        struct feeds_local at = *start;
        at.second = SCED_S;
        cli_sim_text_time(out, &at, "[\"%Y-%m-%dT%H:%M:%S\",");
        cli_sim_text_add(out, "%s,\"%s\"", flag, row->node->id);
        put_short(out, row, ",", row->price.value);
        cli_sim_text_bytes(out, "]", 1);
        return;
    }
    cli_sim_text_time(out, start, "[\"%Y-%m-%d\",");
    if (row->ask->route->step_s == 900) {
        cli_sim_text_add(out, "%u,%u,\"%s\",\"%s\"", start->hour + 1U, start->minute / 15U + 1U,
                         row->node->id, row->node->type);
    } else {
        cli_sim_text_add(out, "\"%02u:00\",\"%s\"", start->hour + 1U, row->node->id);
    }
    put_short(out, row, ",", row->price.value);
    cli_sim_text_add(out, ",%s]", flag);
}

static void isone_row(struct cli_sim_text *out, const struct row *row)
{
    const struct feeds_local *start = &row->interval->start;
    uint32_t second = start->hour * 3600U + start->minute * 60U;
    int64_t local_s = feeds_utc_ms(start->year, start->month, start->day, second) / 1000;
    int64_t west_h = (row->interval->start_s - local_s) / 3600;
    cli_sim_text_time(out, start, "{\"BeginDate\":\"%Y-%m-%dT%H:%M:%S.000");
    cli_sim_text_add(out,
                     "-%02" PRId64 ":00\",\"Location\":{\"@LocId\":\"%s\",\"@LocType\":\"%s\",\"$\":\"%s\"}",
                     west_h, row->node->id, row->node->type, row->node->name);
    put_short(out, row, ",\"LmpTotal\":", row->price.value);
    put_short(out, row, ",\"EnergyComponent\":", row->price.energy);
    put_short(out, row, ",\"CongestionComponent\":", row->price.congestion);
    put_short(out, row, ",\"LossComponent\":", row->price.loss);
    cli_sim_text_bytes(out, "}", 1);
}

/* Congestion with the other sign: LBMP = energy + losses - congestion. */
static void nyiso_row(struct cli_sim_text *out, const struct row *row)
{
    if (row->ask->route->is_newest) {
        cli_sim_text_time(out, &row->interval->end, "\"%m/%d/%Y %H:%M:%S\",");
        cli_sim_text_add(out, "\"%s\",%s,", row->node->name, row->node->id);
    } else {
        cli_sim_text_time(out, &row->interval->start, "%m/%d/%Y %H:%M,");
        cli_sim_text_add(out, "%s,%s,", row->node->name, row->node->id);
    }
    put_number(out, row, row->price.value);
    cli_sim_text_bytes(out, ",", 1);
    put_number(out, row, row->price.loss);
    cli_sim_text_bytes(out, ",", 1);
    put_number(out, row, -row->price.congestion);
    cli_sim_text_bytes(out, "\n", 1);
}

/* ---- what stands around the rows ---- */

static void put_host_path(struct cli_sim_text *out, const struct cli_iso_ask *ask)
{
    cli_sim_text_add(out, "https://%s", ask->route->host);
    for (const char *at = ask->target; *at != '\0'; at++) {
        cli_sim_text_bytes(out, *at == '"' || *at == '\\' ? "_" : at, 1);
    }
}

static void pjm_head(struct cli_sim_text *out, const struct cli_iso_ask *ask)
{
    cli_sim_text_add(out, "{\"links\":[{\"rel\":\"self\",\"href\":\"");
    put_host_path(out, ask);
    cli_sim_text_add(out, "\"}],\"items\":[");
}

static void pjm_tail(struct cli_sim_text *out, const struct cli_iso_ask *ask, uint64_t n_rows)
{
    cli_sim_text_add(out, "],\"searchSpecification\":{\"rowCount\":%" PRIu64 ",\"startRow\":%" PRIu64 "},",
                     ask->most_rows, ask->skip_rows + 1);
    cli_sim_text_add(out, "\"totalRows\":%" PRIu64 "}", n_rows);
}

static void ercot_head(struct cli_sim_text *out, const struct cli_iso_ask *ask, uint64_t n_rows)
{
    static const char RUNS[] = "{\"name\":\"SCEDTimestamp\"},{\"name\":\"repeatHourFlag\"},"
                               "{\"name\":\"settlementPoint\"},{\"name\":\"LMP\"}";
    static const char QUARTERS[] =
        "{\"name\":\"deliveryDate\"},{\"name\":\"deliveryHour\"},{\"name\":\"deliveryInterval\"},"
        "{\"name\":\"settlementPoint\"},{\"name\":\"settlementPointType\"},"
        "{\"name\":\"settlementPointPrice\"},{\"name\":\"DSTFlag\"}";
    static const char HOURS[] = "{\"name\":\"deliveryDate\"},{\"name\":\"hourEnding\"},"
                                "{\"name\":\"settlementPoint\"},{\"name\":\"settlementPointPrice\"},"
                                "{\"name\":\"DSTFlag\"}";
    const char *hours = ask->route->step_s == 900 ? QUARTERS : HOURS;
    uint64_t size = ask->most_rows == 0 ? 1 : ask->most_rows;
    cli_sim_text_add(out, "{\"_meta\":{\"totalRecords\":%" PRIu64 ",\"pageSize\":%" PRIu64, n_rows, size);
    cli_sim_text_add(out, ",\"totalPages\":%" PRIu64 ",\"currentPage\":%" PRIu64 "},\"fields\":[",
                     (n_rows + size - 1) / size, ask->skip_rows / size + 1);
    cli_sim_text_add(out, "%s],\"data\":[", ask->route->is_instant ? RUNS : hours);
}

static const struct {
    const char *type;
    void (*row)(struct cli_sim_text *out, const struct row *row);
    bool has_commas; /* between rows */
} FORMS[CLI_MARKET_ISOS] = {
    [FEEDS_MISO] = {"application/json", miso_row, true},
    [FEEDS_SPP] = {"text/csv", spp_row, false},
    [FEEDS_PJM] = {"application/json", pjm_row, true},
    [FEEDS_ERCOT] = {"application/json", ercot_row, true},
    [FEEDS_ISONE] = {"application/json", isone_row, true},
    [FEEDS_NYISO] = {"text/csv", nyiso_row, false},
};

static void put_head(struct cli_sim_text *out, const struct cli_iso_ask *ask, uint64_t n_rows)
{
    bool is_hourly = ask->route->step_s == 3600;
    switch (ask->route->iso) {
    case FEEDS_MISO:
        cli_sim_text_add(out, "{\"headers\":[\"INTERVAL\",\"CPNODE\",\"LMP\",\"MLC\",\"MCC\"],\"data\":[");
        break;
    case FEEDS_SPP:
        cli_sim_text_add(out, "Interval,GMTIntervalEnd,%sSettlement Location,Pnode,LMP,MLC,MCC,MEC\n",
                         has_area(ask) ? "BAA," : "");
        break;
    case FEEDS_PJM:
        pjm_head(out, ask);
        break;
    case FEEDS_ERCOT:
        ercot_head(out, ask, n_rows);
        break;
    case FEEDS_ISONE: /* made of XML: one record is an object, several are an array */
        cli_sim_text_add(out, "%s%s",
                         is_hourly ? "{\"HourlyLmps\":{\"HourlyLmp\":" : "{\"FiveMinLmps\":{\"FiveMinLmp\":",
                         n_rows > 1 ? "[" : "");
        break;
    case FEEDS_NYISO:
        cli_sim_text_add(out,
                         ask->route->is_newest
                             ? "\"Time Stamp\",\"Name\",\"PTID\",\"LBMP ($/MWHr)\",\"Marginal Cost Losses "
                               "($/MWHr)\",\"Marginal Cost Congestion ($/MWHr)\"\n"
                             : "Time Stamp,Name,PTID,LBMP ($/MWHr),Marginal Cost Losses ($/MWHr),Marginal "
                               "Cost Congestion ($/MWHr)\n");
        break;
    case FEEDS_CAISO:
        break;
    }
}

static void put_tail(struct cli_sim_text *out, const struct cli_iso_ask *ask, uint64_t n_rows)
{
    switch (ask->route->iso) {
    case FEEDS_MISO:
    case FEEDS_ERCOT:
        cli_sim_text_add(out, "]}");
        break;
    case FEEDS_PJM:
        pjm_tail(out, ask, n_rows);
        break;
    case FEEDS_ISONE:
        cli_sim_text_add(out, n_rows > 1 ? "]}}" : "}}");
        break;
    case FEEDS_CAISO:
    case FEEDS_SPP:
    case FEEDS_NYISO:
        break;
    }
}

/* ---- documents ---- */

void cli_iso_note(struct cli_sim_answer *answer, const struct cli_iso_ask *ask, int64_t start_s,
                  const char *location, const struct cli_price *price)
{
    const struct cli_iso_route *route = ask->route;
    struct cli_sim_text *out = &answer->note;
    answer->n_rows++;
    cli_sim_text_add(out, "{\"iso\":\"%s\",\"feed\":\"%s\",\"location\":\"%s\",\"start\":\"",
                     feeds_iso_name(route->iso), route->feed, location);
    put_utc(out, start_s, "%Y-%m-%dT%H:%M:%SZ");
    cli_sim_text_add(out, "\",\"minutes\":%u,\"value\":", route->is_instant ? 0 : route->step_s / 60);
    cli_sim_text_number(out, price->value, price->decimals, CLI_SIM_FIXED);
    if (route->parts == CLI_ISO_ALL_PARTS) {
        cli_sim_text_add(out, ",\"energy\":");
        cli_sim_text_number(out, price->energy, price->decimals, CLI_SIM_FIXED);
    }
    if (route->parts != CLI_ISO_NO_PARTS) {
        cli_sim_text_add(out, ",\"congestion\":");
        cli_sim_text_number(out, price->congestion, price->decimals, CLI_SIM_FIXED);
        cli_sim_text_add(out, ",\"loss\":");
        cli_sim_text_number(out, price->loss, price->decimals, CLI_SIM_FIXED);
    }
    cli_sim_text_bytes(out, "}\n", 2);
}

/* All rows of an interval that are on the page. */
static void write_interval(const struct cli_market *market, const struct cli_iso_ask *ask,
                           const struct cli_iso_interval *interval, uint64_t *n_found,
                           struct cli_sim_text *rows, struct cli_sim_answer *answer)
{
    const struct cli_iso_route *route = ask->route;
    uint32_t n_nodes = route->is_zonal ? CLI_MARKET_NYISO_ZONES : market->n_nodes;
    for (uint32_t i = 0; i < n_nodes; i++) {
        struct cli_node node;
        cli_market_node(route->iso, route->is_zonal, i, &node);
        if (ask->type[0] != '\0' && strcmp(node.type, ask->type) != 0) {
            continue;
        }
        uint64_t number = (*n_found)++;
        if (number < ask->skip_rows || number - ask->skip_rows >= ask->most_rows) {
            continue;
        }
        const struct row row = {
            ask, interval, &node,
            cli_market_price(market, route->iso, route->feed, node.id, interval->start_s)};
        if (rows->len_bytes > 0 && FORMS[route->iso].has_commas) {
            cli_sim_text_bytes(rows, ",", 1);
        }
        FORMS[route->iso].row(rows, &row);
        cli_iso_note(answer, ask, interval->start_s + (route->is_instant ? SCED_S : 0), node.id, &row.price);
    }
}

void cli_iso_write_rows(const struct cli_market *market, const struct cli_iso_ask *ask,
                        struct cli_sim_answer *answer)
{
    struct cli_sim_text rows = {0};
    struct cli_iso_interval interval;
    uint64_t n_found = 0;
    for (int64_t at_s = ask->from_s; cli_iso_next(market, ask, &at_s, &interval);) {
        write_interval(market, ask, &interval, &n_found, &rows, answer);
    }
    if (answer->n_rows == 0) {
        cli_iso_write_nothing(ask->route, answer);
    } else {
        answer->status = 200;
        answer->type = FORMS[ask->route->iso].type;
        put_head(&answer->body, ask, n_found);
        cli_sim_text_bytes(&answer->body, rows.data, rows.len_bytes);
        put_tail(&answer->body, ask, n_found);
        answer->body.is_out_of_memory = answer->body.is_out_of_memory || rows.is_out_of_memory;
    }
    cli_sim_text_free(&rows);
}
