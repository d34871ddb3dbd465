/* SPDX-License-Identifier: Apache-2.0
 *
 * The series of one document and what was seen of their days. Private to the room. */
#ifndef NORM_QUALITY_SERIES_H
#define NORM_QUALITY_SERIES_H

#include "aggregator/normalize/quality/quality.h"

enum {
    QUALITY_INTERVALS_MAX = 300, /* of a market day: 25 hours of 5 minutes */
    QUALITY_SEEN_WORDS = (QUALITY_INTERVALS_MAX + 63) / 64,
    QUALITY_SLOTS = 2 * NORM_QUALITY_SERIES_MAX,
};

/* A series in a market day, or in the whole document. */
struct quality_series {
    uint64_t name;
    uint64_t first_row; /* from 1 */
    int64_t last_s;     /* the latest start */
    int32_t day;        /* QUALITY_NO_DAY: all of them */
    uint32_t slot;      /* where it stands; see series.c */
    uint32_t n_seen;    /* intervals of the day, each once */
    uint32_t newest;    /* the latest of them */
    uint64_t seen[QUALITY_SEEN_WORDS];
    uint8_t location_len;
    uint8_t location[NORM_QUALITY_LOCATION_CHARS];
};

#define QUALITY_NO_DAY INT32_MIN

struct quality_table {
    uint32_t n_series;
    uint32_t slots[QUALITY_SLOTS]; /* indices in series; one is valid when that series has this slot */
    struct quality_series series[NORM_QUALITY_SERIES_MAX];
};

/* Finds the series of a row, whose name is given, in that day, or begins it. NULL: the table is full. */
struct quality_series *norm_quality_find(struct quality_table *table, uint64_t name, int32_t day,
                                         const struct norm_iso_row *row, uint64_t nth_row);

/* Notes an interval; nth is below QUALITY_INTERVALS_MAX. */
void norm_quality_see(struct quality_series *series, uint32_t nth);
/* The first of n_intervals that was not seen; n_intervals: all were. */
uint32_t norm_quality_first_unseen(const struct quality_series *series, uint32_t n_intervals);

#endif
