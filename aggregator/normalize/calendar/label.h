/* SPDX-License-Identifier: Apache-2.0
 *
 * From what an operator prints beside a value (an hour number, a clock, a flag) to the interval meant, in
 * UTC. The ways differ by operator and file:
 *
 *   CAISO   OPR_HR 1 to 24 hour-ending, 25 the repeated hour, between 2 and 3: NORM_HOURS_25_IS_REPEATED.
 *           Files with INTERVALSTARTTIME_GMT need none of this.
 *   MISO    HE 1 to 24 in EST, always 24: NORM_HOURS_CLOCK in the zone EST.
 *   SPP     clock at the end of the interval, and GMTIntervalEnd; a file name with `d` is of the repeated
 * hour: NORM_LABEL_ENDING with NORM_FOLD_SECOND. PJM     clock at the beginning, and the same in UTC; _ept
 * alone is ambiguous: norm_zone_utc_after. ERCOT   HE 01:00 to 24:00 and a flag "this is the repeated hour"
 * (not "daylight time"): NORM_HOURS_CLOCK with norm_fold_of_flag; 15 minutes by norm_hour_part. Some files
 * count HE 1 to 25 in order of time: NORM_HOURS_IN_ORDER. ISO-NE  offsets in the API; HE 01 to 24 and "02X"
 * in CSV: NORM_HOURS_CLOCK with norm_hour_label_read. NYISO   clocks; "Time Zone" EST/EDT in some files:
 * norm_zone_utc_named; else the order of rows: norm_zone_utc_after. [any] */
#ifndef NORM_LABEL_H
#define NORM_LABEL_H

#include "aggregator/normalize/calendar/market.h"

/* ---- clocks ---- */

enum norm_label {
    NORM_LABEL_BEGINNING, /* the clock at the interval's start */
    NORM_LABEL_ENDING, /* the clock at its start plus its length: "02:00" ends what began at 01:00, also when
                        * the clock is turned back or forward just then. Hour-ending and SPP */
    NORM_LABEL_END_CLOCK, /* the clock at its end, which may have been turned: NYISO's 5-minute files */
};

/* The interval that a clock label means. `fold` speaks of the clock that is looked up: that of the interval's
 * start, or of its end for NORM_LABEL_END_CLOCK. interval_min is a divisor of 60.
 *   HR_MALFORMED  *fault says why; *interval is as it was */
HR_MUST_USE struct hr_status norm_label_interval(const struct norm_zone *zone, enum norm_label label,
                                                 int64_t local_s, uint32_t interval_min, enum norm_fold fold,
                                                 struct norm_interval *interval, enum norm_fault *fault);

/* ---- hours of a market day ---- */

enum norm_hours {
    NORM_HOURS_CLOCK,          /* hour-ending 1 to 24 by the clock; the fold tells repeated hours apart */
    NORM_HOURS_25_IS_REPEATED, /* the same, but 25 is the second pass of the repeated hour */
    NORM_HOURS_IN_ORDER,       /* 1 to 23, 24 or 25 in order of time */
};

/* The hour of the day that an hour-ending number means. `fold` is looked at by NORM_HOURS_CLOCK only; with
 * the other two the number itself tells.
 *   HR_MALFORMED  *fault says why: NONEXISTENT the spring day's missing hour (IN_ORDER: its hour 24),
 *                 AMBIGUOUS a repeated hour with NORM_FOLD_UNKNOWN, NOT_REPEATED the second pass, or an
 *                 hour 25, of what comes once, LABEL any other number. *hour is as it was */
HR_MUST_USE struct hr_status norm_hour_ending(const struct norm_market_day *market_day, enum norm_hours hours,
                                              uint32_t hour_ending, enum norm_fold fold,
                                              struct norm_interval *hour, enum norm_fault *fault);

/* The same for hour-beginning numbers, 0 to 23, 24 for a repeated or 25th hour: hour-ending less 1. */
HR_MUST_USE struct hr_status norm_hour_beginning(const struct norm_market_day *market_day,
                                                 enum norm_hours hours, uint32_t hour_beginning,
                                                 enum norm_fold fold, struct norm_interval *hour,
                                                 enum norm_fault *fault);

/* Part `part`, from 1, of an hour in intervals of interval_min: ERCOT's DeliveryInterval, CAISO's
 * OPR_INTERVAL. HR_MALFORMED (fault LABEL): there is no such part; *interval is as it was. */
HR_MUST_USE struct hr_status norm_hour_part(const struct norm_interval *hour, uint32_t interval_min,
                                            uint32_t part, struct norm_interval *interval,
                                            enum norm_fault *fault);

/* The other way, for what is printed: hour-ending number, 1 to 25, of the hour in which an instant of the day
 * lies, and whether it is the second pass (*fold FIRST or SECOND). HR_NOT_FOUND: it is of another day. */
HR_MUST_USE struct hr_status norm_hour_ending_at(const struct norm_market_day *market_day,
                                                 enum norm_hours hours, int64_t utc_s, uint32_t *hour_ending,
                                                 enum norm_fold *fold);

/* ---- flags ---- */

/* A flag column that says "this is the repeated hour": Y, YES, T, TRUE, 1 and N, NO, F, FALSE, 0 in either
 * case, blanks around them left out; an empty one says nothing (NORM_FOLD_UNKNOWN). HR_MALFORMED: anything
 * else. */
HR_MUST_USE struct hr_status norm_fold_of_flag(struct hr_bytes flag, enum norm_fold *fold);

/* An hour label: "1", "01", "1:00", "01:00", "24:00", "HE 1", "HE01", with X or x behind it for the repeated
 * hour
 * ("02X"), blanks around it left out. *fold is SECOND with an X and FIRST without when the file is one that
 * marks (`marks_repeated`), else UNKNOWN. HR_MALFORMED: none of these, or above 25; minutes other than 00. */
HR_MUST_USE struct hr_status norm_hour_label_read(struct hr_bytes text, bool marks_repeated,
                                                  uint32_t *hour_number, enum norm_fold *fold);

#endif
