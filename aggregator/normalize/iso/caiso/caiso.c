/* SPDX-License-Identifier: Apache-2.0
 *
 * CAISO: OASIS reports as CSV (resultformat=6) and XML (Today's Outlook: outlook.c). OASIS prints both ends
 * of each interval in UTC; OPR_HR, which counts the repeated hour as 25, is not looked at. The value of a
 * report stands in MW (also when it is a price), VALUE or PRC, by report. GROUP is an artefact of OASIS'
 * grouping: rows that differ by nothing else are the same. */
#include "aggregator/normalize/iso/form.h"

#include "proto/base/assert.h"

#include <string.h>

enum { START, END, MARKET, VALUE, LOCATION, TYPE, N_OASIS };

#define OASIS_COLUMNS(location, type)                                                                        \
    [START] = {.names = "INTERVALSTARTTIME_GMT|STARTTIME_GMT", .is_required = true},                         \
    [END] = {.names = "INTERVALENDTIME_GMT|ENDTIME_GMT", .is_required = true},                               \
    [MARKET] = {.names = "MARKET_RUN_ID"}, [VALUE] = {.names = "MW|VALUE|PRC", .is_required = true},         \
    [LOCATION] = {.names = (location), .is_required = true}, [TYPE] = {.names = (type), .is_required = true}

static const struct norm_column lmp_columns[N_OASIS] = {OASIS_COLUMNS("NODE_ID", "LMP_TYPE")};
static const struct norm_column load_columns[N_OASIS] = {OASIS_COLUMNS("TAC_AREA_NAME", "LABEL")};
static const struct norm_column renewable_columns[N_OASIS] = {OASIS_COLUMNS("TRADING_HUB", "RENEWABLE_TYPE")};
static const struct norm_column schedule_columns[N_OASIS] = {OASIS_COLUMNS("TAC_ZONE_NAME", "SCHEDULE")};
static const struct norm_column outage_columns[N_OASIS] = {OASIS_COLUMNS("TRADING_HUB", "FUEL_CATEGORY")};
static const struct norm_column nomogram_columns[N_OASIS] = {
    OASIS_COLUMNS("NOMOGRAM_ID", "CONSTRAINT_CAUSE")};

#define CSV_LAYOUT(columns_) {.container = NORM_CSV, .columns = (columns_), .n_columns = N_OASIS}

static const struct norm_layout lmp_csv = CSV_LAYOUT(lmp_columns);
static const struct norm_layout load_csv = CSV_LAYOUT(load_columns);
static const struct norm_layout renewable_csv = CSV_LAYOUT(renewable_columns);
static const struct norm_layout schedule_csv = CSV_LAYOUT(schedule_columns);
static const struct norm_layout outage_csv = CSV_LAYOUT(outage_columns);
static const struct norm_layout nomogram_csv = CSV_LAYOUT(nomogram_columns);

#define HEADER "OASISReport.MessagePayload.RTO.REPORT_ITEM.REPORT_HEADER."
static const struct norm_column xml_columns[N_OASIS] = {
    [START] = {.names = "INTERVAL_START_GMT"},
    [END] = {.names = "INTERVAL_END_GMT"},
    [MARKET] = {.names = HEADER "MKT_TYPE", .is_outer = true},
    [VALUE] = {.names = "VALUE"},
    [LOCATION] = {.names = "RESOURCE_NAME"},
    [TYPE] = {.names = "DATA_ITEM"},
};
static const struct norm_layout report_xml = {.container = NORM_XML,
                                              .columns = xml_columns,
                                              .n_columns = N_OASIS,
                                              .records =
                                                  "OASISReport.MessagePayload.RTO.REPORT_ITEM.REPORT_DATA"};

struct interval {
    int64_t start_s;
    int64_t end_s;
};

static bool take_interval(struct norm_iso_run *run, const struct hr_bytes *cells, struct interval *out)
{
    if (!norm_run_utc(run, "interval start", cells[START], &out->start_s) ||
        !norm_run_utc(run, "interval end", cells[END], &out->end_s)) {
        return false;
    }
    if (out->end_s <= out->start_s || out->end_s - out->start_s > NORM_DAY_S) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "interval ends before it starts, or lasts more than a day",
                        cells[END]);
        return false;
    }
    return true;
}

/* ---- prices: a record for each component ---- */

enum part { PRICE, ENERGY, CONGESTION, LOSS, GHG };

static bool part_of(struct hr_bytes type, enum part *part)
{
    static const struct {
        const char *csv;
        const char *xml;
        enum part part;
    } PARTS[] = {{"LMP", "LMP_PRC", PRICE},
                 {"MCE", "LMP_ENE_PRC", ENERGY},
                 {"MCC", "LMP_CONG_PRC", CONGESTION},
                 {"MCL", "LMP_LOSS_PRC", LOSS},
                 {"MGHG", "LMP_GHG_PRC", GHG}};
    for (size_t i = 0; i < HR_ARRAY_LEN(PARTS); i++) {
        if (norm_text_is(type, PARTS[i].csv) || norm_text_is(type, PARTS[i].xml)) {
            *part = PARTS[i].part;
            return true;
        }
    }
    return false;
}

static void lmp_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct interval interval;
    enum part part = PRICE;
    double value = 0;
    if (!part_of(cells[TYPE], &part)) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "LMP_TYPE", cells[TYPE]);
        return;
    }
    if (cells[MARKET].data != NULL && !norm_text_is(cells[MARKET], run->feed->market)) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "of another market", cells[MARKET]);
        return;
    }
    if (cells[LOCATION].len_bytes == 0) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "NODE_ID", cells[LOCATION]);
        return;
    }
    if (take_interval(run, cells, &interval) && norm_run_number(run, "price", cells[VALUE], &value)) {
        (void)norm_run_join(run, cells[LOCATION], interval.start_s, interval.end_s, part, value);
    }
}

/* TH_NP15_GEN-APND is a hub, DLAP_PGAE-APND a load zone; other aggregates and nodes are nodes. */
static enum norm_iso_location location_of(struct hr_bytes node)
{
    if (norm_text_begins(node, "TH_")) {
        return NORM_ISO_HUB;
    }
    return norm_text_begins(node, "DLAP_") ? NORM_ISO_ZONE : NORM_ISO_NODE;
}

static void lmp_finish(struct norm_iso_run *run)
{
    const struct norm_join *join = run->join;
    for (uint32_t i = 0; i < join->n_entries; i++) {
        const struct norm_join_entry *entry = &join->entries[i];
        struct hr_bytes node = norm_join_text(join, &join->names[entry->name]);
        run->record = i + 1;
        if ((entry->has & 1U << PRICE) == 0) {
            norm_run_reject(run, NORM_ISO_BAD_RECORD, "components without a price", node);
            continue;
        }
        struct norm_iso_row row = norm_row_of(run, entry->start_s, entry->start_s + entry->length_s);
        norm_row_place(&row, location_of(node), node, node);
        norm_row_price(&row);
        row.value = entry->parts[PRICE];
        row.energy = entry->parts[ENERGY];
        row.congestion = entry->parts[CONGESTION];
        row.loss = entry->parts[LOSS];
        row.ghg = entry->parts[GHG];
        row.has = entry->has; /* the bits have the same order */
        norm_row_emit(run, &row);
    }
}

/* ---- megawatts ---- */

static bool megawatt_row(struct norm_iso_run *run, const struct hr_bytes *cells, struct norm_iso_row *row)
{
    struct interval interval;
    double value = 0;
    if (!take_interval(run, cells, &interval) || !norm_run_number(run, "MW", cells[VALUE], &value)) {
        return false;
    }
    *row = norm_row_of(run, interval.start_s, interval.end_s);
    norm_row_place(row, NORM_ISO_ZONE, cells[LOCATION], cells[LOCATION]);
    row->unit = "MW";
    row->value = value;
    row->has = NORM_ISO_HAS_VALUE;
    if (cells[MARKET].data != NULL) {
        row->market = cells[MARKET];
    }
    bool is_actual = norm_text_is(row->market, "ACTUAL");
    row->curve_role = is_actual ? "actual" : "forecast";
    return true;
}

static void load_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct norm_iso_row row;
    if (megawatt_row(run, cells, &row)) {
        row.subject = "load";
        norm_row_emit(run, &row);
    }
}

static void subject_record(struct norm_iso_run *run, const struct hr_bytes *cells, const char *prefix,
                           const char *role)
{
    char subject[NORM_ISO_SUBJECT_CHARS];
    struct norm_iso_row row;
    if (megawatt_row(run, cells, &row)) {
        row.subject = norm_subject_of(prefix, cells[TYPE], subject);
        row.curve_role = role != NULL ? role : row.curve_role;
        norm_row_emit(run, &row);
    }
}

static void renewable_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    subject_record(run, cells, "generation.", NULL);
}

static void schedule_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    subject_record(run, cells, "schedule.", "cleared");
}

static void outage_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    subject_record(run, cells, "outage.", "scheduled");
}

static void xml_schedule_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    static const struct {
        const char *item;
        const char *subject;
    } ITEMS[] = {{"ISO_TOT_EXP_MW", "schedule.export"},
                 {"ISO_TOT_IMP_MW", "schedule.import"},
                 {"ISO_TOT_GEN_MW", "schedule.generation"},
                 {"ISO_TOT_LOAD_MW", "schedule.load"}};
    struct norm_iso_row row;
    for (size_t i = 0; i < HR_ARRAY_LEN(ITEMS); i++) {
        if (norm_text_is(cells[TYPE], ITEMS[i].item)) {
            if (megawatt_row(run, cells, &row)) {
                row.subject = ITEMS[i].subject;
                row.curve_role = "cleared";
                norm_row_emit(run, &row);
            }
            return;
        }
    }
    norm_run_reject(run, NORM_ISO_BAD_RECORD, "DATA_ITEM", cells[TYPE]);
}

/* ---- constraints ---- */

static void nomogram_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct interval interval;
    double value = 0;
    if (!take_interval(run, cells, &interval) || !norm_run_number(run, "price", cells[VALUE], &value)) {
        return;
    }
    struct norm_iso_row row = norm_row_of(run, interval.start_s, interval.end_s);
    norm_row_place(&row, NORM_ISO_FACILITY, cells[LOCATION], cells[LOCATION]);
    row.contingency = cells[TYPE];
    norm_row_shadow_price(&row, value);
    row.market = cells[MARKET].len_bytes > 0 ? cells[MARKET] : row.market;
    norm_row_emit_once(run, &row); /* rows repeat for each GROUP */
}

/* ---- locations ---- */

static const struct norm_column place_columns[] = {{.names = "name", .is_required = true}};
static const struct norm_layout place_csv = {.container = NORM_CSV, .columns = place_columns, .n_columns = 1};

static void place_record(struct norm_iso_run *run, const struct hr_bytes *cells)
{
    struct hr_bytes name = norm_trim(cells[0]);
    if (name.len_bytes == 0) {
        norm_run_reject(run, NORM_ISO_BAD_RECORD, "name", cells[0]);
        return;
    }
    norm_place_emit(run, &(struct norm_iso_place){
                             .iso = NORM_CAISO, .type = location_of(name), .id = name, .name = name});
}

/* ---- forms ---- */

#define CSV_FORM(name_, sign_, feed_, products_, layout_, record_)                                           \
    .name = (name_), .shape = NORM_SHAPE_TEXT, .kind = NORM_ISO_DATA, .signs = {"_GMT,", (sign_)},           \
    .feed = (feed_), .iso = NORM_CAISO, .products = (products_), .layout = &(layout_), .record = (record_)

static const struct norm_iso_form forms[] = {
    {.name = "caiso_throttled",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_THROTTLED,
     .signs = {"Acceptable Use Policy Violation"},
     .iso = NORM_CAISO},
    {.name = "caiso_no_data",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_NO_DATA,
     .signs = {"OASISReport", "ERR_CODE>1000<"},
     .iso = NORM_CAISO},
    {.name = "caiso_error",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_OTHER,
     .signs = {"OASISReport", "ERR_CODE>"},
     .iso = NORM_CAISO},
    {CSV_FORM("caiso_lmp_csv", "LMP_TYPE", "caiso_da_lmp", 1U << NORM_ISO_DA_LMP | 1U << NORM_ISO_RT_LMP,
              lmp_csv, lmp_record),
     .finish = lmp_finish, .has_join = true, .keeps_rows = true},
    {CSV_FORM("caiso_load_csv", "TAC_AREA_NAME,LABEL", "caiso_load_forecast", 1U << NORM_ISO_TELEMETRY,
              load_csv, load_record)},
    {CSV_FORM("caiso_renewable_csv", "RENEWABLE_TYPE", "caiso_wind_solar", 1U << NORM_ISO_TELEMETRY,
              renewable_csv, renewable_record)},
    {CSV_FORM("caiso_schedule_csv", "TAC_ZONE_NAME,SCHEDULE", "caiso_da_schedule", 1U << NORM_ISO_DA_SCHEDULE,
              schedule_csv, schedule_record)},
    {CSV_FORM("caiso_outage_csv", "FUEL_CATEGORY", "caiso_outage", 1U << NORM_ISO_OUTAGE, outage_csv,
              outage_record)},
    {CSV_FORM("caiso_nomogram_csv", "NOMOGRAM_ID", "caiso_da_constraint", 1U << NORM_ISO_CONSTRAINT,
              nomogram_csv, nomogram_record),
     .has_join = true},
    {.name = "caiso_schedule_xml",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_DATA,
     .signs = {"OASISReport", "REPORT>ENE_SLRS<"},
     .feed = "caiso_da_schedule",
     .iso = NORM_CAISO,
     .products = 1U << NORM_ISO_DA_SCHEDULE,
     .layout = &report_xml,
     .record = xml_schedule_record},
    {.name = "caiso_load_xml",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_DATA,
     .signs = {"OASISReport", "REPORT>SLD_FCST<"},
     .feed = "caiso_load_forecast",
     .iso = NORM_CAISO,
     .products = 1U << NORM_ISO_TELEMETRY,
     .layout = &report_xml,
     .record = load_record},
    {.name = "caiso_lmp_xml",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_DATA,
     .signs = {"OASISReport", "REPORT>PRC_LMP<"},
     .feed = "caiso_da_lmp",
     .iso = NORM_CAISO,
     .products = 1U << NORM_ISO_DA_LMP,
     .layout = &report_xml,
     .record = lmp_record,
     .finish = lmp_finish,
     .has_join = true,
     .keeps_rows = true},
    {.name = "caiso_renewables_watch_txt", /* ended in 2018 */
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_OTHER,
     .signs = {"Hourly Breakdown of Renewable Resources"},
     .iso = NORM_CAISO},
    {.name = "caiso_locations_csv", /* of the price map, by a program */
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_REFERENCE,
     .signs = {"latitude,type,name,longitude"},
     .iso = NORM_CAISO,
     .layout = &place_csv,
     .record = place_record},
};

const struct norm_iso_forms norm_caiso_forms = {forms, HR_ARRAY_LEN(forms)};
