/* SPDX-License-Identifier: Apache-2.0
 *
 * What ERCOT's reports have in common, as CSV of a zip and as the public API's JSON, which names its columns
 * under `fields` and has records by position. Column names vary by report and year; the letters are the same.
 * [any] */
#ifndef NORM_ERCOT_REPORT_H
#define NORM_ERCOT_REPORT_H

#include "aggregator/normalize/calendar/label.h"
#include "aggregator/normalize/iso/form.h"

#define ERCOT_DATE_NAMES "deliveryDate|Delivery Date|operatingDate|operatingDay|OperDay|Date"
#define ERCOT_HOUR_NAMES "hourEnding|Hour Ending|DeliveryHour"
#define ERCOT_FLAG_NAMES "DSTFlag|RepeatedHourFlag|repeatHourFlag"

/* Both layouts of a report: <name>_csv and <name>_json. */
#define ERCOT_LAYOUTS(name, columns_)                                                                        \
    static const struct norm_layout name##_csv = {                                                           \
        .container = NORM_CSV, .columns = (columns_), .n_columns = HR_ARRAY_LEN(columns_)};                  \
    static const struct norm_layout name##_json = {.container = NORM_JSON,                                   \
                                                   .columns = (columns_),                                    \
                                                   .n_columns = HR_ARRAY_LEN(columns_),                      \
                                                   .records = "data",                                        \
                                                   .names = "fields.name"}

#define ERCOT_FORM(name_, shape_, sign_, other_sign_, feed_, products_, layout_, record_)                    \
    .name = (name_), .shape = (shape_), .kind = NORM_ISO_DATA, .signs = {(sign_), (other_sign_)},            \
    .feed = (feed_), .iso = NORM_ERCOT, .products = (products_), .layout = &(layout_), .record = (record_)

/* The hour that date, hour-ending and flag mean. False: the record is rejected. */
bool norm_ercot_hour(struct norm_iso_run *run, struct hr_bytes date, struct hr_bytes hour_text,
                     struct hr_bytes flag, struct norm_interval *hour);
/* The instant of a run of the dispatch (SCED). False: the record is rejected. */
bool norm_ercot_sced(struct norm_iso_run *run, struct hr_bytes stamp, struct hr_bytes flag, int64_t *utc_s);

#endif
