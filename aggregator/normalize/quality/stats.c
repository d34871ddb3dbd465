/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/quality/stats.h"

#include "aggregator/normalize/calendar/block.h"
#include "aggregator/normalize/quality/quality.h"
#include "proto/base/assert.h"

#include <math.h>
#include <string.h>

/* Mean and sum of squared deviations, as Welford adds them up. */
struct cell {
    uint32_t n;
    uint32_t n_days; /* that values are of: twelve of one hour say little of the next day's */
    int32_t last_day;
    double mean;
    double squares;
};

struct series {
    int64_t last_s;
    struct cell cells[NORM_STATS_CELLS];
    uint64_t n_rests; /* what the cells' means left of values; likewise: */
    double ewma;
    double variance;
    double recent[NORM_STATS_RECENT]; /* a ring; the next goes to n_rests % NORM_STATS_RECENT */
};

/* Of the index: names lie close together, for one that is not known is looked for as often as there are
 * rows of it. */
struct place {
    uint64_t name; /* 0: free */
    uint32_t series;
};

struct norm_stats {
    uint32_t max_series;
    uint32_t n_series;
    struct place *index;
    struct series series[]; /* and behind them the index */
};

/* A power of two, of which series fill half or less: whether a name is there is told by a few of them. */
static uint64_t n_places(uint32_t max_series)
{
    uint64_t n = 2;
    while (n < 2 * (uint64_t)max_series) {
        n *= 2;
    }
    return n;
}

size_t norm_stats_bytes(uint32_t max_series)
{
    return sizeof(struct norm_stats) + (size_t)max_series * sizeof(struct series) +
           n_places(max_series) * sizeof(struct place);
}

struct norm_stats *norm_stats_in(void *memory, uint32_t max_series)
{
    struct norm_stats *stats = memory;
    uint8_t *bytes = memory;
    void *behind = bytes + sizeof *stats + (size_t)max_series * sizeof(struct series);
    HR_ASSERT(max_series >= 1);
    stats->max_series = max_series;
    stats->index = behind;
    return stats;
}

/* NULL: all series are taken. */
static struct series *find(struct norm_stats *stats, uint64_t name)
{
    uint64_t mask = n_places(stats->max_series) - 1;
    struct place *index = stats->index;
    uint64_t at = (name ^ name >> 32) & mask;
    while (index[at].name != 0 && index[at].name != name) {
        at = (at + 1) & mask;
    }
    if (index[at].name == 0) {
        if (stats->n_series == stats->max_series) {
            return NULL;
        }
        index[at] = (struct place){.name = name, .series = stats->n_series++};
        stats->series[index[at].series].last_s = INT64_MIN;
    }
    return &stats->series[index[at].series];
}

static size_t cell_of(int64_t local_s)
{
    size_t hour = (size_t)(norm_local_second(local_s) / NORM_HOUR_S);
    return norm_is_business_day(norm_local_day(local_s)) ? hour : 24 + hour;
}

static double at_least(double value, double floor)
{
    return value > floor ? value : floor;
}

/* Of a cell that has an opinion. */
static double spread_of(const struct cell *cell, double floor)
{
    return at_least(sqrt(cell->squares / (cell->n - 1)), floor);
}

/* ---- quartiles ---- */

static size_t sort_recent(const struct series *series, double out[NORM_STATS_RECENT])
{
    size_t n = series->n_rests < NORM_STATS_RECENT ? (size_t)series->n_rests : NORM_STATS_RECENT;
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && out[at - 1] > series->recent[i]; at--) {
            out[at] = out[at - 1];
        }
        out[at] = series->recent[i];
    }
    return n;
}

/* Of the first or third quarter: between the two values beside it, by the line that joins them (Hyndman and
 * Fan's seventh). */
static double quartile(const double sorted[NORM_STATS_RECENT], size_t n, size_t quarter)
{
    size_t fourths = (n - 1) * quarter;
    size_t below = fourths / 4;
    HR_ASSERT(n >= NORM_STATS_RECENT_LEAST && below + 1 < NORM_STATS_RECENT);
    return sorted[below] + (double)(fourths % 4) / 4 * (sorted[below + 1] - sorted[below]);
}

static void judge_recent(const struct series *series, const struct cell *cell, double value, double floor,
                         struct norm_stats_verdict *verdict)
{
    double sorted[NORM_STATS_RECENT] = {0};
    if (series->n_rests < NORM_STATS_RECENT_LEAST) {
        return;
    }
    size_t n = sort_recent(series, sorted);
    double low = quartile(sorted, n, 1);
    double high = quartile(sorted, n, 3);
    double width = at_least(high - low, floor);
    verdict->fence_low = cell->mean + low - NORM_STATS_FENCE_LIMIT * width;
    verdict->fence_high = cell->mean + high + NORM_STATS_FENCE_LIMIT * width;
    verdict->known |= NORM_STATS_IQR;
    verdict->out |= value < verdict->fence_low || value > verdict->fence_high ? NORM_STATS_IQR : 0;
}

/* ---- the two means ---- */

static void judge(const struct series *series, const struct cell *cell, double value, double floor,
                  struct norm_stats_verdict *verdict)
{
    if (cell->n_days >= NORM_STATS_CELL_LEAST) {
        verdict->seasonal_z = (value - cell->mean) / spread_of(cell, floor);
        verdict->known |= NORM_STATS_SEASONAL;
        verdict->out |= fabs(verdict->seasonal_z) > NORM_STATS_Z_LIMIT ? NORM_STATS_SEASONAL : 0;
    }
    bool has_rest = cell->n_days >= NORM_STATS_REST_LEAST;
    if (has_rest && series->n_rests >= NORM_STATS_EWMA_LEAST) {
        verdict->ewma_z = (value - cell->mean - series->ewma) / at_least(sqrt(series->variance), floor);
        verdict->known |= NORM_STATS_EWMA;
        verdict->out |= fabs(verdict->ewma_z) > NORM_STATS_Z_LIMIT ? NORM_STATS_EWMA : 0;
    }
    if (has_rest) {
        judge_recent(series, cell, value, floor, verdict);
    }
    const uint32_t others = NORM_STATS_EWMA | NORM_STATS_IQR;
    bool is_season_known = (verdict->known & NORM_STATS_SEASONAL) != 0;
    bool is_out_of_season = (verdict->out & NORM_STATS_SEASONAL) != 0;
    verdict->is_quarantined = is_season_known ? is_out_of_season && (verdict->out & others) != 0
                                              : (verdict->out & others) == others;
}

static double bounded(double value, double mean, double spread)
{
    double reach = NORM_STATS_Z_LIMIT * spread;
    return value > mean + reach ? mean + reach : value < mean - reach ? mean - reach : value;
}

static void learn_rest(struct series *series, double rest, double bounded_rest)
{
    double step = series->n_rests == 0 ? 0 : bounded_rest - series->ewma;
    series->ewma = series->n_rests == 0 ? bounded_rest : series->ewma + NORM_STATS_EWMA_WEIGHT * step;
    series->variance =
        (1 - NORM_STATS_EWMA_WEIGHT) * (series->variance + NORM_STATS_EWMA_WEIGHT * step * step);
    series->recent[series->n_rests % NORM_STATS_RECENT] = rest;
    series->n_rests++;
}

static void learn_value(struct cell *cell, double value, int32_t day)
{
    cell->n_days += cell->n == 0 || cell->last_day != day ? 1 : 0;
    cell->last_day = day;
    double deviation = value - cell->mean;
    cell->n += cell->n < UINT32_MAX ? 1 : 0;
    cell->mean += deviation / cell->n;
    cell->squares += deviation * (value - cell->mean);
}

static void learn(struct series *series, struct cell *cell, int32_t day, double value, double floor,
                  const struct norm_stats_verdict *verdict)
{
    double rest = value - cell->mean;
    double right_rest = rest;
    double right_value = value;
    if (verdict->is_quarantined) {
        right_rest = bounded(rest, series->ewma, at_least(sqrt(series->variance), floor));
        right_value = (verdict->known & NORM_STATS_SEASONAL) != 0
                          ? bounded(value, cell->mean, spread_of(cell, floor))
                          : cell->mean + right_rest;
    }
    if (cell->n_days >= NORM_STATS_REST_LEAST) {
        learn_rest(series, rest, right_rest);
    }
    learn_value(cell, right_value, day);
}

struct hr_status norm_stats_judge(struct norm_stats *stats, const struct norm_zones *zones,
                                  const struct norm_iso_row *row, double floor,
                                  struct norm_stats_verdict *verdict)
{
    HR_ASSERT(floor > 0);
    *verdict = (struct norm_stats_verdict){.known = 0};
    if ((row->has & NORM_ISO_HAS_VALUE) == 0 || !isfinite(row->value)) {
        return hr_status_of(HR_NOT_FOUND);
    }
    uint64_t name = norm_quality_series(row);
    struct series *series = find(stats, name == 0 ? 1 : name);
    if (series == NULL) {
        return hr_status_of(HR_FULL);
    }
    int64_t local_s = norm_zone_local(norm_iso_zone(zones, row->feed->iso), row->start_s);
    struct cell *cell = &series->cells[cell_of(local_s)];
    judge(series, cell, row->value, floor, verdict);
    if (row->start_s > series->last_s) {
        learn(series, cell, norm_local_day(local_s), row->value, floor, verdict);
        series->last_s = row->start_s;
    }
    return hr_ok();
}

const char *norm_stats_reason(const struct norm_stats_verdict *verdict)
{
    static const char *const REASONS[] = {
        [NORM_STATS_EWMA | NORM_STATS_IQR] = "ewma+iqr",
        [NORM_STATS_SEASONAL | NORM_STATS_EWMA] = "seasonal+ewma",
        [NORM_STATS_SEASONAL | NORM_STATS_IQR] = "seasonal+iqr",
        [NORM_STATS_SEASONAL | NORM_STATS_EWMA | NORM_STATS_IQR] = "seasonal+ewma+iqr",
    };
    return verdict->is_quarantined ? REASONS[verdict->out] : NULL;
}
