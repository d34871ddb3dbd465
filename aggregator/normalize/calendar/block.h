/* SPDX-License-Identifier: Apache-2.0
 *
 * On- and off-peak, the standard blocks of power trading, the holidays that they leave out, and business
 * days. [any] */
#ifndef NORM_BLOCK_H
#define NORM_BLOCK_H

#include "aggregator/normalize/calendar/market.h"

/* ---- NERC holidays ---- */

enum norm_holiday {
    NORM_HOLIDAY_NONE,
    NORM_HOLIDAY_NEW_YEAR,     /* 1 January */
    NORM_HOLIDAY_MEMORIAL,     /* last Monday of May */
    NORM_HOLIDAY_INDEPENDENCE, /* 4 July */
    NORM_HOLIDAY_LABOR,        /* first Monday of September */
    NORM_HOLIDAY_THANKSGIVING, /* fourth Thursday of November */
    NORM_HOLIDAY_CHRISTMAS,    /* 25 December */
};

/* The holiday that is observed on that day: NERC's "additional off-peak days". One that falls on a Sunday is
 * observed on the Monday after it (the Sunday itself gives NONE); one on a Saturday stays there. */
enum norm_holiday norm_nerc_holiday(int32_t day);

/* ---- business days: Monday to Friday without NERC holidays ---- */

bool norm_is_business_day(int32_t day);

/* The nth business day after `day` (before it for n below 0); 0 gives `day` itself or, when it is none, the
 * next one. |n| at most 100,000, and the result must lie in the calendar. */
int32_t norm_business_day_add(int32_t day, int32_t n);

/* Business days from first_day to last_day, both in it; 0 when last_day is before first_day. */
uint32_t norm_business_days(int32_t first_day, int32_t last_day);

/* ---- peak hours ---- */

/* Whose rule says which hours are on-peak. */
enum norm_peak {
    NORM_PEAK_EASTERN, /* HE 8 to 23 Eastern prevailing, Monday to Friday: PJM, ISO-NE, NYISO; and how the
                        * hubs of MISO are traded */
    NORM_PEAK_MISO,    /* HE 7 to 22 EST all year, Monday to Friday: MISO's tariff */
    NORM_PEAK_CENTRAL, /* HE 7 to 22 Central prevailing, Monday to Friday: ERCOT, SPP */
    NORM_PEAK_WESTERN, /* HE 7 to 22 Pacific prevailing, Monday to Saturday: CAISO */
    NORM_PEAK_COUNT
};

enum norm_peak norm_iso_peak(enum norm_iso iso);
enum norm_zone_id norm_peak_zone_id(enum norm_peak peak);

/* Blocks by the peak rule's hours and days. NERC holidays count as Sundays in all of them. The names are
 * those of the trade: days by hours. */
enum norm_block {
    NORM_BLOCK_7X24,     /* every hour: baseload, ATC */
    NORM_BLOCK_5X16,     /* the 16 hours on Monday to Friday */
    NORM_BLOCK_2X16,     /* the 16 hours on Saturday, Sunday and holidays */
    NORM_BLOCK_7X16,     /* the 16 hours on all days */
    NORM_BLOCK_7X8,      /* the other 8 hours (7 or 9 when clocks are changed) on all days */
    NORM_BLOCK_5X8,      /* those on Monday to Friday */
    NORM_BLOCK_2X24,     /* all of Saturday, Sunday and holidays */
    NORM_BLOCK_6X16,     /* the 16 hours on Monday to Saturday */
    NORM_BLOCK_HLH,      /* heavy load hours of the West: as 6X16, whatever the rule's days are */
    NORM_BLOCK_LLH,      /* light load hours: all others */
    NORM_BLOCK_ON_PEAK,  /* the 16 hours on the rule's own days: 5X16, or 6X16 in the West */
    NORM_BLOCK_OFF_PEAK, /* all others: the wrap */
    NORM_BLOCK_COUNT
};

/* "7x24", "5x16", "2x16", "7x16", "7x8", "5x8", "2x24", "6x16", "hlh", "llh", "on_peak", "off_peak"; static.
 */
const char *norm_block_name(enum norm_block block);

/* True when the instant lies in the block. Instants as in norm_zone_at. */
bool norm_block_has(const struct norm_zones *zones, enum norm_peak peak, enum norm_block block,
                    int64_t utc_s);

/* Hours of the block in the market days of the rule's zone from first_day to last_day, both in it: at most
 * 366,000 days. Fails as norm_settlement_periods. */
HR_MUST_USE struct hr_status norm_block_hours(const struct norm_zones *zones, enum norm_peak peak,
                                              enum norm_block block, int32_t first_day, int32_t last_day,
                                              uint32_t *n_hours);

#endif
