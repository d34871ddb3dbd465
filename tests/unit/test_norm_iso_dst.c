/* SPDX-License-Identifier: Apache-2.0
 *
 * Days of 23 and 25 hours in the recorded payloads: as many intervals as the day has, none twice, none
 * missing, each at its instant in UTC. Skipped without a corpus. */
#include "tests/support/iso_corpus.h"
#include "tests/support/test_cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_start(const void *a, const void *b)
{
    const struct iso_lab_row *x = a;
    const struct iso_lab_row *y = b;
    return (x->row.start_s > y->row.start_s) - (x->row.start_s < y->row.start_s);
}

/* The rows of one location are exactly the intervals of that market day: as many, none twice, none missing.
 */
static void assert_whole_day(const char *file, const char *location, int32_t year, uint8_t month, uint8_t day,
                             uint32_t n_hours)
{
    struct norm_market_day market_day;
    int64_t next_s = 0;
    uint32_t n = 0;
    iso_corpus_read(NULL, file);
    assert_non_null(iso_lab.result.feed);
    const struct norm_zone *zone = norm_iso_zone(&iso_lab_zones, iso_lab.result.feed->iso);
    assert_ok(norm_market_day_of(zone, norm_day_of((struct norm_date){year, month, day}), &market_day));
    assert_int_equal(market_day.n_hours, n_hours);
    qsort(iso_lab.rows, iso_lab.n_rows, sizeof iso_lab.rows[0], by_start);
    next_s = market_day.start_utc_s;
    for (size_t i = 0; i < iso_lab.n_rows; i++) {
        const struct norm_iso_row *row = &iso_lab.rows[i].row;
        if (strcmp(iso_lab.rows[i].location, location) != 0 || row->start_s < market_day.start_utc_s ||
            row->start_s >= market_day.end_utc_s) {
            continue;
        }
        assert_int_equal(row->start_s, next_s);
        next_s = row->end_s;
        n++;
    }
    assert_int_equal(next_s, market_day.end_utc_s);
    assert_int_equal(n, n_hours);
    printf("%s %s %04d-%02u-%02u: %u hours\n", file, location, (int)year, month, day, n);
}

static void days_of_23_and_25_hours_are_whole(void **state)
{
    (void)state;
    assert_whole_day("PJM/da_hrl_lmps.csv", "1", 2025, 3, 9, 23);
    assert_whole_day("PJM/da_hrl_lmps.csv", "1", 2025, 11, 2, 25);
    assert_whole_day("PJM/solar_gen.csv", "RTO", 2025, 3, 9, 23);
    assert_whole_day("PJM/solar_gen.csv", "RTO", 2025, 11, 2, 25);
    assert_whole_day("ERCOT/np4-190-cd_dam_spp_HB_HUBAVG_2025-11-02_dstfall.json", "HB_HUBAVG", 2025, 11, 2,
                     25);
    assert_whole_day("ISONE/hourlylmp_da_final_day_20251102_location_4000_dstfall.json", "4000", 2025, 11, 2,
                     25);
    assert_whole_day("ISONE/hourlysysload_day_20240310.json", "32", 2024, 3, 10, 23);
    assert_whole_day("ISONE/dayaheadhourlydemand_day_20240310_location_4001.json", "4001", 2024, 3, 10, 23);
    assert_whole_day("ISONE/realtimehourlydemand_day_20240310_location_4002.json", "4002", 2024, 3, 10, 23);
    /* Days of 24 hours, for comparison. */
    assert_whole_day("ISONE/hourlysysload_day_20240309.json", "32", 2024, 3, 9, 24);
    assert_whole_day("MISO/da_expost_lmp_20260714_3hubs.csv", "INDIANA.HUB", 2026, 7, 14, 24);
    assert_whole_day("SPP/DA-LMP-SL-202503190100.csv", "AEC", 2025, 3, 19, 24);
}

/* The recorded file has some hours only; 01:00 stands there twice. */
static void nyiso_repeated_hour_of_2025_is_two_hours(void **state)
{
    static const char *const HOURS[] = {"2025-11-02T04:00:00Z", "2025-11-02T05:00:00Z",
                                        "2025-11-02T06:00:00Z"};
    size_t n = 0;
    (void)state;
    iso_corpus_read("nyiso_da_lmp", "NYISO/damlbmp_zone_20251102_excerpt_dstfall.csv");
    for (size_t i = 0; i < iso_lab.n_rows && n < 3; i++) {
        if (strcmp(iso_lab.rows[i].location, "61762") == 0) {
            assert_int_equal(iso_lab.rows[i].row.start_s, iso_lab_utc(HOURS[n]));
            n++;
        }
    }
    assert_int_equal(n, 3);
    /* LONGIL at midnight: the reference bus' price, 48.60, is the energy of all (PROVENANCE.tsv). */
    for (size_t i = 0; i < iso_lab.n_rows; i++) {
        if (iso_lab.rows[i].row.start_s == iso_lab_utc(HOURS[0])) {
            assert_true(fabs(iso_lab.rows[i].row.energy - 48.60) < 0.0101);
        }
    }
}

/* ---- every series of every payload ---- */

enum { INSTANT_CHARS = 20 }; /* of a key, before the last slash: "2025-11-02T06:00:00Z" */

/* A key without its instant: what all intervals of a series have in common. */
static int compare_series(const char *a, const char *b)
{
    size_t a_len = (size_t)(strrchr(a, '/') - a) - INSTANT_CHARS;
    size_t b_len = (size_t)(strrchr(b, '/') - b) - INSTANT_CHARS;
    int order = strncmp(a, b, a_len < b_len ? a_len : b_len);
    order = order == 0 ? (a_len > b_len) - (a_len < b_len) : order;
    return order == 0 ? strcmp(strrchr(a, '/'), strrchr(b, '/')) : order;
}

static int by_series(const void *a, const void *b)
{
    const struct iso_lab_row *x = a;
    const struct iso_lab_row *y = b;
    int order = compare_series(x->key, y->key);
    return order == 0 ? by_start(a, b) : order;
}

struct sweep {
    size_t n_whole[NORM_ISO_COUNT][2]; /* of 23, of 25 hours */
    size_t n_partial[NORM_ISO_COUNT][2];
};

/* Rows [from, to) are of one series and of one day that has not 24 hours. */
static void check_day(struct sweep *sweep, const struct norm_market_day *day, size_t from, size_t to)
{
    const struct norm_iso_row *first = &iso_lab.rows[from].row;
    const struct norm_iso_row *last = &iso_lab.rows[to - 1].row;
    const enum norm_iso iso = first->feed->iso;
    const int is_long = day->n_hours == 25;
    bool is_covered = first->start_s == day->start_utc_s && last->end_s == day->end_utc_s;
    for (size_t i = from + 1; i < to; i++) {
        const int64_t before_s = iso_lab.rows[i - 1].row.end_s;
        assert_true(iso_lab.rows[i].row.start_s >= before_s);
        if (is_covered && iso_lab.rows[i].row.start_s != before_s) {
            fail_msg("a gap before %s", iso_lab.rows[i].key);
        }
    }
    if (is_covered) {
        assert_int_equal((int64_t)(to - from) * (first->end_s - first->start_s), day->n_hours * 3600);
        sweep->n_whole[iso][is_long]++;
    } else {
        sweep->n_partial[iso][is_long]++;
    }
}

static void sweep_payload(void *ctx, const char *file)
{
    iso_corpus_read(NULL, file);
    if (iso_lab.n_rows > 0) {
        qsort(iso_lab.rows, iso_lab.n_rows, sizeof iso_lab.rows[0], by_series);
    }
    for (size_t from = 0, to = 0; from < iso_lab.n_rows; from = to) {
        const struct iso_lab_row *first = &iso_lab.rows[from];
        const struct norm_zone *zone = norm_iso_zone(&iso_lab_zones, first->row.feed->iso);
        struct norm_market_day day;
        assert_ok(norm_market_day_at(zone, first->row.start_s, &day));
        for (to = from + 1; to < iso_lab.n_rows && iso_lab.rows[to].row.start_s < day.end_utc_s &&
                            compare_series(first->key, iso_lab.rows[to].key) == 0;) {
            to++;
        }
        /* Instants have no length, and reports of a whole day or of parts of one no series of intervals. */
        if (day.n_hours != 24 && first->row.end_s > first->row.start_s &&
            first->row.end_s - first->row.start_s <= 3600) {
            check_day(ctx, &day, from, to);
        }
    }
}

static void every_recorded_series_of_such_a_day_is_whole_or_has_no_overlap(void **state)
{
    struct sweep sweep = {0};
    (void)state;
    iso_corpus_each(sweep_payload, &sweep);
    for (int iso = 0; iso < NORM_ISO_COUNT; iso++) {
        printf(
            "%-6s series of a day of 23 hours: %zu whole, %zu in part; of 25 hours: %zu whole, %zu in part\n",
            norm_iso_code((enum norm_iso)iso), sweep.n_whole[iso][0], sweep.n_partial[iso][0],
            sweep.n_whole[iso][1], sweep.n_partial[iso][1]);
    }
    assert_true(sweep.n_whole[NORM_PJM][0] >= 2 && sweep.n_whole[NORM_PJM][1] >= 2);
    assert_true(sweep.n_whole[NORM_ISONE][0] >= 3 && sweep.n_whole[NORM_ISONE][1] >= 1);
    assert_true(sweep.n_whole[NORM_ERCOT][1] >= 1);
    assert_true(sweep.n_partial[NORM_NYISO][1] >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_of_23_and_25_hours_are_whole),
        cmocka_unit_test(nyiso_repeated_hour_of_2025_is_two_hours),
        cmocka_unit_test(every_recorded_series_of_such_a_day_is_whole_or_has_no_overlap),
    };
    return iso_corpus_is_there() ? cmocka_run_group_tests(tests, iso_lab_start, iso_lab_stop)
                                 : ISO_CORPUS_SKIPPED;
}
