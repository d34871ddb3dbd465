/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents of another make than a row for each observation: OASIS' records and MISO's daily reports; and
 * what operators answer when they have nothing, or want nothing. */
#include "tools/cli/sim_iso.h"

#include "proto/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- CAISO: a record for each component ---- */

static void caiso_records(struct cli_sim_text *out, const struct cli_iso_ask *ask,
                          const struct cli_iso_interval *interval, const struct cli_node *node,
                          const struct cli_price *price)
{
    static const struct feeds_zone utc = {.standard_s = 0};
    const struct {
        const char *type;
        const char *item;
        int64_t value;
    } PARTS[] = {{"LMP", "LMP_PRC", price->value},
                 {"MCC", "LMP_CONG_PRC", price->congestion},
                 {"MCE", "LMP_ENE_PRC", price->energy},
                 {"MCL", "LMP_LOSS_PRC", price->loss}};
    struct feeds_local start = feeds_zone_local(&utc, interval->start_s * 1000);
    struct feeds_local end = feeds_zone_local(&utc, interval->end_s * 1000);
    bool is_hourly = ask->route->step_s == 3600;
    /* The repeated hour is called 25. */
    unsigned hour = interval->start.is_repeated ? 25 : interval->start.hour + 1U;
    unsigned part_of_hour = is_hourly ? 0 : interval->start.minute / 5U + 1;
    for (size_t i = 0; i < HR_ARRAY_LEN(PARTS); i++) {
        cli_sim_text_time(out, &start, "%Y-%m-%dT%H:%M:%S-00:00,");
        cli_sim_text_time(out, &end, "%Y-%m-%dT%H:%M:%S-00:00,");
        cli_sim_text_time(out, &interval->start, "%Y-%m-%d,");
        cli_sim_text_add(out, "%u,%u,%s,%s,%s,%s,%s,%s,%s,ALL_APNODES,0,", hour, part_of_hour, node->id,
                         node->id, node->id, is_hourly ? "DAM" : "RTM", PARTS[i].type, PARTS[i].item,
                         node->id);
        cli_sim_text_number(out, PARTS[i].value, price->decimals, CLI_SIM_TRIMMED);
        cli_sim_text_add(out, ",1\n");
    }
}

void cli_iso_write_caiso(const struct cli_market *market, const struct cli_iso_ask *ask,
                         struct cli_sim_answer *answer)
{
    struct cli_sim_text csv = {0};
    struct cli_iso_interval interval;
    bool is_hourly = ask->route->step_s == 3600;
    cli_sim_text_add(
        &csv,
        "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,OPR_INTERVAL,NODE_ID_XML,NODE_ID,NODE,"
        "MARKET_RUN_ID,LMP_TYPE,XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS,%s,GROUP\n",
        is_hourly ? "MW" : "VALUE");
    for (int64_t at_s = ask->from_s; cli_iso_next(market, ask, &at_s, &interval);) {
        for (uint32_t i = 0; i < market->n_nodes; i++) {
            struct cli_node node;
            cli_market_node(FEEDS_CAISO, false, i, &node);
            struct cli_price price =
                cli_market_price(market, FEEDS_CAISO, ask->route->feed, node.id, interval.start_s);
            caiso_records(&csv, ask, &interval, &node, &price);
            cli_iso_note(answer, ask, interval.start_s, node.id, &price);
        }
    }
    if (answer->n_rows == 0) {
        cli_iso_write_nothing(ask->route, answer);
    } else {
        answer->status = 200;
        answer->type = "application/x-zip-compressed";
        cli_sim_zip(&answer->body,
                    is_hourly ? "PRC_LMP_DAM_simulated_v12.csv" : "PRC_INTVL_LMP_RTM_simulated_v3.csv", &csv);
    }
    cli_sim_text_free(&csv);
}

/* ---- MISO: a row for each node and component, a column for each hour ---- */

enum { MISO_HOURS = 24, MISO_EST_S = -5 * 3600 };

static void miso_node(const struct cli_market *market, const struct cli_iso_ask *ask, uint32_t index,
                      int64_t day_start_s, struct cli_sim_answer *answer)
{
    static const char *const PARTS[] = {"LMP", "MCC", "MLC"};
    struct cli_sim_text *out = &answer->body;
    struct cli_price prices[MISO_HOURS];
    struct cli_node node;
    cli_market_node(FEEDS_MISO, false, index, &node);
    for (int hour = 0; hour < MISO_HOURS; hour++) {
        int64_t start_s = day_start_s + (int64_t)hour * 3600;
        prices[hour] = cli_market_price(market, FEEDS_MISO, ask->route->feed, node.id, start_s);
        cli_iso_note(answer, ask, start_s, node.id, &prices[hour]);
    }
    for (size_t part = 0; part < HR_ARRAY_LEN(PARTS); part++) {
        cli_sim_text_add(out, "%s,%s,%s", node.id, node.type, PARTS[part]);
        for (int hour = 0; hour < MISO_HOURS; hour++) {
            const int64_t values[] = {prices[hour].value, prices[hour].congestion, prices[hour].loss};
            cli_sim_text_bytes(out, ",", 1);
            cli_sim_text_number(out, values[part], prices[hour].decimals, CLI_SIM_BARE);
        }
        cli_sim_text_bytes(out, "\n", 1);
    }
}

void cli_iso_write_miso_day(const struct cli_market *market, const struct cli_iso_ask *ask,
                            struct cli_sim_answer *answer)
{
    struct cli_iso_interval interval;
    int64_t start_s = ask->first_local_s - MISO_EST_S;
    int64_t at_s = ask->route->is_day_ahead ? start_s : start_s + (int64_t)(MISO_HOURS - 1) * 3600;
    if (!cli_iso_next(market, ask, &at_s, &interval)) { /* a day is there when it is known whole */
        cli_iso_write_nothing(ask->route, answer);
        return;
    }
    struct feeds_local day = feeds_zone_local(&market->zones[FEEDS_MISO], start_s * 1000);
    answer->status = 200;
    answer->type = "text/csv";
    cli_sim_text_add(&answer->body, "%s\n",
                     ask->route->is_day_ahead ? "Day Ahead Market ExPost LMPs" : "Realtime Market LMPs");
    cli_sim_text_time(&answer->body, &day, ask->route->is_day_ahead ? "%m/%d/%Y" : "%n/%e/%Y");
    cli_sim_text_add(&answer->body,
                     "\n\n,,,All Hours-Ending are Eastern Standard Time (EST)\nNode,Type,Value");
    for (int hour = 1; hour <= MISO_HOURS; hour++) {
        cli_sim_text_add(&answer->body, ",HE %d", hour);
    }
    cli_sim_text_bytes(&answer->body, "\n", 1);
    for (uint32_t i = 0; i < market->n_nodes; i++) {
        miso_node(market, ask, i, start_s, answer);
    }
}

/* ---- nothing, and no ---- */

static const char OASIS_NOTHING[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<m:OASISReport xmlns:m=\"http://www.caiso.com/soa/OASISReport_v1.xsd\">\n<m:MessagePayload>\n<m:RTO>\n"
    "<m:name>CAISO</m:name>\n<m:ERROR>\n<m:ERR_CODE>1000</m:ERR_CODE>\n"
    "<m:ERR_DESC>No data returned for the specified selection</m:ERR_DESC>\n</m:ERROR>\n</m:RTO>\n"
    "</m:MessagePayload>\n</m:OASISReport>";

void cli_iso_write_nothing(const struct cli_iso_route *route, struct cli_sim_answer *answer)
{
    struct cli_sim_text xml = {0};
    answer->status = 200;
    answer->type = "application/json";
    switch (route->iso) {
    case FEEDS_CAISO:
        answer->type = "application/x-zip-compressed";
        cli_sim_text_bytes(&xml, OASIS_NOTHING, sizeof OASIS_NOTHING - 1);
        cli_sim_zip(&answer->body, "INVALID_REQUEST.xml", &xml);
        cli_sim_text_free(&xml);
        break;
    case FEEDS_MISO:
        answer->status = 404;
        answer->type = "application/xml";
        cli_sim_text_add(&answer->body,
                         "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>BlobNotFound</Code>"
                         "<Message>The specified blob does not exist.</Message></Error>");
        break;
    case FEEDS_SPP: /* without a body */
    case FEEDS_NYISO:
        answer->status = 404;
        answer->type = "text/html";
        break;
    case FEEDS_PJM:
        cli_sim_text_add(&answer->body,
                         "{\"links\":[{\"rel\":\"self\",\"href\":\"https://%s%s\"}],\"items\":[],"
                         "\"searchSpecification\":{},\"totalRows\":0}",
                         route->host, route->path);
        break;
    case FEEDS_ERCOT:
        cli_sim_text_add(&answer->body, "{\"_meta\":{\"totalRecords\":0,\"pageSize\":0,\"totalPages\":0,"
                                        "\"currentPage\":1},\"fields\":[],\"data\":[]}");
        break;
    case FEEDS_ISONE:
        cli_sim_text_add(&answer->body, "%s",
                         route->step_s == 3600 ? "{\"HourlyLmps\":\"\"}" : "{\"FiveMinLmps\":\"\"}");
        break;
    }
}

void cli_iso_write_refusal(const struct cli_iso_route *route, unsigned status, uint32_t retry_after_s,
                           struct cli_sim_answer *answer)
{
    answer->status = status;
    answer->type = "application/json";
    if (status == 429) {
        (void)snprintf(answer->headers, sizeof answer->headers, "Retry-After: %" PRIu32 "\r\n",
                       retry_after_s);
    }
    if (status == 429 && route->iso == FEEDS_CAISO) {
        answer->type = "text/html";
        cli_sim_text_add(&answer->body,
                         "<html><body><p>CAISO Acceptable Use Policy Violation. Please retry your "
                         "request after 5 seconds.</p></body></html>");
    } else if (status == 429) {
        cli_sim_text_add(&answer->body,
                         "{ \"statusCode\": 429, \"message\": \"Rate limit is exceeded. Try again in %" PRIu32
                         " seconds.\" }",
                         retry_after_s);
    } else {
        cli_sim_text_add(&answer->body,
                         "{ \"statusCode\": %u, \"message\": \"Access denied due to invalid subscription "
                         "key. Make sure to provide a valid key for an active subscription.\" }",
                         status);
    }
}
