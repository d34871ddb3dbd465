/* SPDX-License-Identifier: Apache-2.0
 *
 * SPP: the end of each interval, in Central prevailing time and in GMT; the latter is used. A file of one
 * interval has the local end in its name, with a `d` behind it in the repeated hour: where a name and the
 * rows differ, that is told. From 2026 on there are two balancing areas (column BAA). Megawatts: power.c. */
#include "aggregator/normalize/iso/form.h"

#include "aggregator/normalize/calendar/label.h"
#include "proto/base/assert.h"

#include <string.h>

/* ---- names of files ---- */

/* The digits behind "-SL-": year to minute. */
static bool read_stamp(struct hr_bytes name, int64_t *local_s, bool *is_repeated)
{
    static const char MARK[] = "RTBM-LMP-SL-";
    static const uint8_t WIDTHS[] = {4, 2, 2, 2, 2};
    int32_t parts[5] = {0};
    size_t at = 0;
    while (at + sizeof MARK - 1 <= name.len_bytes && memcmp(name.data + at, MARK, sizeof MARK - 1) != 0) {
        at++;
    }
    at += sizeof MARK - 1;
    for (size_t p = 0; p < sizeof WIDTHS; p++) {
        for (size_t i = 0; i < WIDTHS[p]; i++, at++) {
            if (at >= name.len_bytes || name.data[at] < '0' || name.data[at] > '9') {
                return false;
            }
            parts[p] = parts[p] * 10 + (name.data[at] - '0');
        }
    }
    struct norm_date date = {parts[0], (uint8_t)parts[1], (uint8_t)parts[2]};
    if (!norm_date_is_valid(date) || parts[3] > 23 || parts[4] > 59) {
        return false;
    }
    *local_s = norm_local_of(norm_day_of(date), parts[3] * NORM_HOUR_S + parts[4] * NORM_MINUTE_S);
    *is_repeated = at < name.len_bytes && name.data[at] == 'd';
    return true;
}

static void check_name(struct norm_iso_run *run, int64_t end_s)
{
    int64_t local_s = 0;
    bool is_repeated = false;
    struct norm_interval interval = {0};
    enum norm_fault fault = NORM_FAULT_NONE;
    if (run->is_misnamed || !read_stamp(run->document->name, &local_s, &is_repeated)) {
        return;
    }
    struct hr_status read =
        norm_label_interval(run->zone, NORM_LABEL_ENDING, local_s, run->feed->interval_min,
                            is_repeated ? NORM_FOLD_SECOND : NORM_FOLD_FIRST, &interval, &fault);
    if (!hr_is_ok(read) || interval.end_utc_s != end_s) {
        run->is_misnamed = true;
        norm_run_tell(run, NORM_ISO_NAME_MISMATCH, "the rows are of another interval than the name says",
                      run->document->name);
    }
}

/* ---- prices ---- */

enum { L_END, L_BAA, L_LOCATION, L_PNODE, L_PRICE, L_LOSS, L_CONGESTION, L_ENERGY, N_LMP };

static const struct norm_column lmp_columns[N_LMP] = {
    [L_END] = {.names = "GMTIntervalEnd", .is_required = true},
    [L_BAA] = {.names = "BAA"},
    [L_LOCATION] = {.names = "Settlement Location", .is_required = true},
    [L_PNODE] = {.names = "Pnode", .is_required = true},
    [L_PRICE] = {.names = "LMP", .is_required = true},
    [L_LOSS] = {.names = "MLC", .is_required = true},
    [L_CONGESTION] = {.names = "MCC", .is_required = true},
    [L_ENERGY] = {.names = "MEC", .is_required = true},
};
static const struct norm_layout lmp_csv = {.container = NORM_CSV, .columns = lmp_columns, .n_columns = N_LMP};

/* Participants' hubs (CSWS_HUB) are no system hubs. */
static enum norm_iso_location location_of(struct hr_bytes name)
{
    bool is_hub = norm_text_is(name, "SPPNORTH_HUB") || norm_text_is(name, "SPPSOUTH_HUB");
    return is_hub ? NORM_ISO_HUB : NORM_ISO_NODE;
}

static void lmp_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t end_s = 0;
    if (!norm_run_utc(run, "GMTIntervalEnd", cells[L_END], &end_s)) {
        return;
    }
    struct norm_iso_row row = norm_row_until(run, end_s);
    if (!norm_run_number(run, "LMP", cells[L_PRICE], &row.value) ||
        !norm_run_number(run, "MLC", cells[L_LOSS], &row.loss) ||
        !norm_run_number(run, "MCC", cells[L_CONGESTION], &row.congestion) ||
        !norm_run_number(run, "MEC", cells[L_ENERGY], &row.energy)) {
        return;
    }
    check_name(run, end_s);
    norm_row_place(&row, location_of(cells[L_LOCATION]), cells[L_LOCATION], cells[L_PNODE]);
    row.region = cells[L_BAA];
    row.zone = cells[L_BAA];
    norm_row_price(&row);
    row.has = NORM_ISO_HAS_VALUE | NORM_ISO_HAS_ENERGY | NORM_ISO_HAS_CONGESTION | NORM_ISO_HAS_LOSS;
    norm_row_emit(run, &row);
}

/* ---- constraints ---- */

enum { C_END, C_BAA, C_NAME, C_PRICE, C_FACILITY, C_CONTINGENCY, N_CONSTRAINT };

static const struct norm_column constraint_columns[N_CONSTRAINT] = {
    [C_END] = {.names = "GMTIntervalEnd", .is_required = true},
    [C_BAA] = {.names = "BAA"},
    [C_NAME] = {.names = "Constraint Name", .is_required = true},
    [C_PRICE] = {.names = "Shadow Price", .is_required = true},
    [C_FACILITY] = {.names = "Monitored Facility"},
    [C_CONTINGENCY] = {.names = "Contingent Facility"},
};
static const struct norm_layout constraint_csv = {
    .container = NORM_CSV, .columns = constraint_columns, .n_columns = N_CONSTRAINT};

static void constraint_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    int64_t end_s = 0;
    double price = 0;
    if (!norm_run_utc(run, "GMTIntervalEnd", cells[C_END], &end_s) ||
        !norm_run_number(run, "Shadow Price", cells[C_PRICE], &price)) {
        return;
    }
    struct norm_iso_row row = norm_row_until(run, end_s);
    norm_row_place(&row, NORM_ISO_FACILITY, cells[C_NAME], cells[C_FACILITY]);
    row.contingency = cells[C_CONTINGENCY];
    row.region = cells[C_BAA];
    norm_row_shadow_price(&row, price);
    norm_row_emit(run, &row);
}

/* ---- forms ---- */

#define SPP_FORM(name_, sign_, feed_, products_, layout_, record_)                                           \
    .name = (name_), .shape = NORM_SHAPE_TEXT, .kind = NORM_ISO_DATA, .signs = {(sign_)}, .feed = (feed_),   \
    .iso = NORM_SPP, .products = (products_), .layout = &(layout_), .record = (record_)
#define SPP_PRICES (1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP)

/* The columns are the same in both markets; the files' names are not. */
#define SPP_LMP(sign_, name_has_, feed_)                                                                     \
    {SPP_FORM("spp_lmp_csv", sign_, feed_, SPP_PRICES, lmp_csv, lmp_record), .name_has = (name_has_),        \
     .is_told = (name_has_) != NULL}

static const struct norm_iso_form forms[] = {
    SPP_LMP("GMTIntervalEnd,Settlement Location", "DA-LMP", "spp_da_lmp"),
    SPP_LMP("GMTIntervalEnd,BAA,Settlement Location", "DA-LMP", "spp_da_lmp"),
    SPP_LMP("GMTIntervalEnd,Settlement Location", "RTBM-LMP", "spp_rt_lmp"),
    SPP_LMP("GMTIntervalEnd,BAA,Settlement Location", "RTBM-LMP", "spp_rt_lmp"),
    SPP_LMP("GMTIntervalEnd,Settlement Location", NULL, "spp_rt_lmp"),
    SPP_LMP("GMTIntervalEnd,BAA,Settlement Location", NULL, "spp_rt_lmp"),
    SPP_LMP("GMTINTERVALEND,BAA,SETTLEMENT_LOCATION", NULL, "spp_da_lmp"),
    {SPP_FORM("spp_constraint_csv", "Constraint Name", "spp_da_constraint", 1U << NORM_ISO_CONSTRAINT,
              constraint_csv, constraint_record)},
    {.name = "spp_ties_csv",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_OTHER,
     .signs = {"GMTTIME,SPP_NSI"},
     .iso = NORM_SPP},
    {.name = "spp_ties_csv",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_OTHER,
     .signs = {"GMTTime,SWPW NSI"},
     .iso = NORM_SPP},
};

const struct norm_iso_forms norm_spp_forms = {forms, HR_ARRAY_LEN(forms)};
