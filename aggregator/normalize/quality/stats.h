/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a number is what its series lets expect: prices and loads that are far out are marked, never held
 * back. Three opinions on each value, each from what came before it: a z-score against the values of the same
 * hour of the day and kind of day (business day, or weekend and NERC holiday), its cell; and on what the
 * cell's mean leaves of it, a z-score against an exponentially weighted mean, and fences beside the quartiles
 * of the latest. In fixed memory for each series and a bounded number of them. What it says follows from the
 * rows and their order alone. [any] */
#ifndef NORM_STATS_H
#define NORM_STATS_H

#include "aggregator/normalize/iso/iso.h"

enum {
    NORM_STATS_CELLS = 48,        /* 24 hours on two kinds of days */
    NORM_STATS_RECENT = 64,       /* rests that the quartiles are of */
    NORM_STATS_CELL_LEAST = 8,    /* days with values before a cell has an opinion */
    NORM_STATS_REST_LEAST = 3,    /* days before its mean leaves a rest of the next value */
    NORM_STATS_EWMA_LEAST = 48,   /* rests before their mean has an opinion; likewise: */
    NORM_STATS_RECENT_LEAST = 32, /* their quartiles */
};

/* A value is out beyond so many standard deviations, or so many widths of the quartiles beside them. */
#define NORM_STATS_Z_LIMIT     5.0
#define NORM_STATS_FENCE_LIMIT 3.0
#define NORM_STATS_EWMA_WEIGHT 0.05 /* of the newest value */

enum norm_stats_check {
    NORM_STATS_SEASONAL = 1 << 0,
    NORM_STATS_EWMA = 1 << 1,
    NORM_STATS_IQR = 1 << 2,
};

struct norm_stats_verdict {
    uint32_t known; /* enum norm_stats_check: those with an opinion */
    uint32_t out;   /* those that the value is out of */
    /* Out of its season and of one more; of both others as long as its season isn't known. What comes each
     * day at its hour is out of nothing, however far it goes. */
    bool is_quarantined;
    double seasonal_z; /* 0 when not known; likewise: */
    double ewma_z;
    double fence_low; /* of the value, not of its rest */
    double fence_high;
};

struct norm_stats;

/* 1.7 KB a series. */
size_t norm_stats_bytes(uint32_t max_series);
/* `memory` has norm_stats_bytes(max_series), all zeros, aligned as malloc's is; max_series at least 1. */
struct norm_stats *norm_stats_in(void *memory, uint32_t max_series);

/* Judges the row's value and then learns it, if it is later than all before of its series; an earlier one,
 * such as a correction or a replay's, is judged only. What is quarantined is learned no farther out than the
 * limit, so that one spike doesn't widen what is right, and a new level is taken for right after a while.
 * `floor` is the least spread that is assumed, in the value's unit, above 0: a flat series is not out for a
 * cent. HR_NOT_FOUND  the row has no finite value: nothing to judge HR_FULL       the series is not among the
 * first max_series: not judged Then *verdict is all zeros. */
HR_MUST_USE struct hr_status norm_stats_judge(struct norm_stats *stats, const struct norm_zones *zones,
                                              const struct norm_iso_row *row, double floor,
                                              struct norm_stats_verdict *verdict);

/* Why it is quarantined, "seasonal+ewma" and the like; NULL: it is not. Static storage. */
const char *norm_stats_reason(const struct norm_stats_verdict *verdict);

#endif
