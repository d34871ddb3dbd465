/* SPDX-License-Identifier: Apache-2.0
 *
 * ERCOT: Central wall clock, hour-ending 01:00 to 24:00, with a flag that says "this is the repeated hour",
 * the second pass, and not "daylight time". Settlement point prices have no components. Megawatts: power.c.
 */
#include "aggregator/normalize/iso/ercot/report.h"

#include "proto/base/assert.h"

#include <string.h>

static enum norm_iso_location location_of(struct hr_bytes name)
{
    if (norm_text_begins(name, "HB_")) {
        return NORM_ISO_HUB;
    }
    return norm_text_begins(name, "LZ_") ? NORM_ISO_ZONE : NORM_ISO_NODE;
}

/* ---- settlement point prices ---- */

enum { S_DATE, S_HOUR, S_PART, S_POINT, S_TYPE, S_PRICE, S_FLAG, N_SPP };

static const struct norm_column spp_columns[N_SPP] = {
    [S_DATE] = {.names = ERCOT_DATE_NAMES, .is_required = true},
    [S_HOUR] = {.names = ERCOT_HOUR_NAMES, .is_required = true},
    [S_PART] = {.names = "DeliveryInterval"},
    [S_POINT] = {.names = "SettlementPoint|SettlementPointName", .is_required = true},
    [S_TYPE] = {.names = "SettlementPointType"},
    [S_PRICE] = {.names = "SettlementPointPrice", .is_required = true},
    [S_FLAG] = {.names = ERCOT_FLAG_NAMES},
};
ERCOT_LAYOUTS(spp, spp_columns);

static void price_row(struct norm_iso_run *run, struct norm_interval interval, struct hr_bytes point,
                      struct hr_bytes type, double price)
{
    struct norm_iso_row row = norm_row_of(run, interval.start_utc_s, interval.end_utc_s);
    norm_row_place(&row, location_of(point), point, point);
    row.region = type; /* one name may stand under two types, with two prices */
    norm_row_price(&row);
    row.value = price;
    row.has = NORM_ISO_HAS_VALUE;
    norm_row_emit(run, &row);
}

static void spp_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct norm_interval hour;
    struct norm_interval interval;
    enum norm_fault fault = NORM_FAULT_NONE;
    int64_t part = 0;
    double price = 0;
    bool is_quarter = run->feed->interval_min == 15;
    if (is_quarter != (cells[S_PART].data != NULL)) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "DeliveryInterval", cells[S_PART]);
        return;
    }
    if (!norm_ercot_hour(run, cells[S_DATE], cells[S_HOUR], cells[S_FLAG], &hour) ||
        !norm_run_number(run, "SettlementPointPrice", cells[S_PRICE], &price)) {
        return;
    }
    interval = hour;
    if (is_quarter && (!hr_is_ok(norm_integer(cells[S_PART], &part)) || part < 1 || part > 4 ||
                       !hr_is_ok(norm_hour_part(&hour, 15, (uint32_t)part, &interval, &fault)))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "DeliveryInterval", cells[S_PART]);
        return;
    }
    price_row(run, interval, cells[S_POINT], cells[S_TYPE], price);
}

/* ---- real-time prices at each run of the dispatch (SCED), at no regular times ---- */

enum { D_AT, D_FLAG, D_POINT, D_PRICE, N_SCED };

static const struct norm_column sced_columns[N_SCED] = {
    [D_AT] = {.names = "SCEDTimestamp", .is_required = true},
    [D_FLAG] = {.names = ERCOT_FLAG_NAMES, .is_required = true},
    [D_POINT] = {.names = "SettlementPoint|ElectricalBus", .is_required = true},
    [D_PRICE] = {.names = "LMP", .is_required = true},
};
ERCOT_LAYOUTS(sced, sced_columns);

static void sced_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t at_s = 0;
    double price = 0;
    if (norm_ercot_sced(run, cells[D_AT], cells[D_FLAG], &at_s) &&
        norm_run_number(run, "LMP", cells[D_PRICE], &price)) {
        price_row(run, (struct norm_interval){at_s, at_s}, cells[D_POINT], (struct hr_bytes){0}, price);
    }
}

/* ---- constraints: of an hour of the day-ahead market, or of a run of the dispatch ---- */

enum { C_DATE, C_HOUR, C_AT, C_FLAG, C_NAME, C_CONTINGENCY, C_PRICE, C_LIMIT, N_CONSTRAINT };

static const struct norm_column constraint_columns[N_CONSTRAINT] = {
    [C_DATE] = {.names = ERCOT_DATE_NAMES},
    [C_HOUR] = {.names = ERCOT_HOUR_NAMES},
    [C_AT] = {.names = "SCEDTimestamp"},
    [C_FLAG] = {.names = ERCOT_FLAG_NAMES, .is_required = true},
    [C_NAME] = {.names = "ConstraintName", .is_required = true},
    [C_CONTINGENCY] = {.names = "ContingencyName", .is_required = true},
    [C_PRICE] = {.names = "ShadowPrice", .is_required = true},
    [C_LIMIT] = {.names = "Limit|ConstraintLimit"},
};
ERCOT_LAYOUTS(constraint, constraint_columns);

static void constraint_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct norm_interval interval = {0};
    struct hr_bytes name = norm_trim(cells[C_NAME]);
    const bool is_hourly = run->feed->interval_min == 60;
    double price = 0;
    if (name.len_bytes == 0) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "ConstraintName", cells[C_NAME]);
        return;
    }
    bool is_timed = is_hourly ? norm_ercot_hour(run, cells[C_DATE], cells[C_HOUR], cells[C_FLAG], &interval)
                              : norm_ercot_sced(run, cells[C_AT], cells[C_FLAG], &interval.start_utc_s);
    if (!is_timed || !norm_run_number(run, "ShadowPrice", cells[C_PRICE], &price)) {
        return;
    }
    struct norm_iso_row row =
        norm_row_of(run, interval.start_utc_s, is_hourly ? interval.end_utc_s : interval.start_utc_s);
    if (norm_run_optional(run, "Limit", cells[C_LIMIT], &row.limit_mw, &row.has, NORM_ISO_HAS_LIMIT)) {
        norm_row_place(&row, NORM_ISO_FACILITY, name, name);
        row.contingency = norm_trim(cells[C_CONTINGENCY]);
        norm_row_shadow_price(&row, price);
        norm_row_emit(run, &row);
    }
}

/* ---- forms ---- */

#define ERCOT_PRICES (1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP)
#define ERCOT_OTHER(name_, shape_, kind_, sign_)                                                             \
    .name = (name_), .shape = (shape_), .kind = (kind_), .signs = {(sign_)}, .iso = NORM_ERCOT

static const struct norm_iso_form forms[] = {
    {ERCOT_OTHER("ercot_no_data", NORM_SHAPE_JSON, NORM_ISO_NO_DATA, "\"_meta\":{\"totalRecords\":0,")},
    {ERCOT_FORM("ercot_spp_json", NORM_SHAPE_JSON, "\"fields\"", "\"settlementPointPrice\"", "ercot_da_spp",
                ERCOT_PRICES, spp_json, spp_record)},
    {ERCOT_FORM("ercot_spp_csv", NORM_SHAPE_TEXT, "SettlementPoint", "SettlementPointPrice", "ercot_da_spp",
                ERCOT_PRICES, spp_csv, spp_record)},
    {ERCOT_FORM("ercot_constraint_json", NORM_SHAPE_JSON, "\"constraintName\"", "\"SCEDTimestamp\"",
                "ercot_rt_constraint", 1U << NORM_ISO_CONSTRAINT, constraint_json, constraint_record),
     .is_told = true},
    {ERCOT_FORM("ercot_constraint_json", NORM_SHAPE_JSON, "\"constraintName\"", "\"hourEnding\"",
                "ercot_da_constraint", 1U << NORM_ISO_CONSTRAINT, constraint_json, constraint_record),
     .is_told = true},
    {ERCOT_FORM("ercot_constraint_csv", NORM_SHAPE_TEXT, "ConstraintName,ContingencyName,", "SCEDTime",
                "ercot_rt_constraint", 1U << NORM_ISO_CONSTRAINT, constraint_csv, constraint_record),
     .is_told = true},
    {ERCOT_FORM("ercot_constraint_csv", NORM_SHAPE_TEXT, "ConstraintName,ContingencyName,", "HourEnding",
                "ercot_da_constraint", 1U << NORM_ISO_CONSTRAINT, constraint_csv, constraint_record),
     .is_told = true},
    {ERCOT_FORM("ercot_sced_json", NORM_SHAPE_JSON, "\"SCEDTimestamp\"", "\"LMP\"", "ercot_rt_lmp",
                1U << NORM_ISO_RT_LMP, sced_json, sced_record)},
    {ERCOT_FORM("ercot_sced_csv", NORM_SHAPE_TEXT, "SCEDTimestamp", "LMP", "ercot_rt_lmp",
                1U << NORM_ISO_RT_LMP, sced_csv, sced_record)},
    {ERCOT_OTHER("ercot_document_list", NORM_SHAPE_JSON, NORM_ISO_LISTING, "ListDocsByRptTypeRes")},
    {ERCOT_OTHER("ercot_archive_list", NORM_SHAPE_JSON, NORM_ISO_LISTING, "\"archives\":[")},
    {ERCOT_OTHER("ercot_ancillary_csv", NORM_SHAPE_TEXT, NORM_ISO_OTHER, "Hour Ending,MW Offered")},
    {ERCOT_OTHER("ercot_ancillary_csv", NORM_SHAPE_TEXT, NORM_ISO_OTHER, "Hour Ending,Total Cleared AS")},
    {ERCOT_OTHER("ercot_ancillary_csv", NORM_SHAPE_TEXT, NORM_ISO_OTHER,
                 "Hour Ending,Total Self-Arranged AS")},
};

const struct norm_iso_forms norm_ercot_forms = {forms, HR_ARRAY_LEN(forms)};
