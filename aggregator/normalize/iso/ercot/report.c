/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/ercot/report.h"

bool norm_ercot_hour(struct norm_iso_run *run, struct hr_bytes date, struct hr_bytes hour_text,
                     struct hr_bytes flag, struct norm_interval *hour)
{
    int32_t day = 0;
    uint32_t number = 0;
    enum norm_fold fold = NORM_FOLD_UNKNOWN;
    enum norm_fold marked = NORM_FOLD_UNKNOWN;
    enum norm_fault fault = NORM_FAULT_NONE;
    struct norm_market_day market_day;
    if (!hr_is_ok(norm_day_read(date, &day)) || !hr_is_ok(norm_market_day_of(run->zone, day, &market_day))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "delivery date", date);
        return false;
    }
    if (!hr_is_ok(norm_fold_of_flag(flag, &fold))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "repeated-hour flag", flag);
        return false;
    }
    if (!hr_is_ok(norm_hour_label_read(hour_text, false, &number, &marked)) ||
        !hr_is_ok(norm_hour_ending(&market_day, NORM_HOURS_CLOCK, number, fold, hour, &fault))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "hour ending", hour_text);
        return false;
    }
    return true;
}

bool norm_ercot_sced(struct norm_iso_run *run, struct hr_bytes stamp, struct hr_bytes flag, int64_t *utc_s)
{
    enum norm_fold fold = NORM_FOLD_UNKNOWN;
    if (!hr_is_ok(norm_fold_of_flag(flag, &fold))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, "RepeatedHourFlag", flag);
        return false;
    }
    return norm_run_local(run, "SCEDTimestamp", stamp, fold, utc_s);
}
