/* SPDX-License-Identifier: Apache-2.0
 *
 * Every recorded payload of the operators: HEADRACE_CORPUS, or ../shared/corpus beside the repository.
 * Skipped when there is none. Expected counts are of the files themselves (lines, "totalRows", hours of the
 * day). */
#include "tests/support/iso_corpus.h"
#include "tests/support/test_cmocka.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
           (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
}

struct tally {
    uint64_t n_rows;
    double worst;
};

static void tally(void *ctx, const struct norm_iso_row *row)
{
    struct tally *tally = ctx;
    double rest = fabs(row->value - row->energy - row->congestion - row->loss - row->ghg);
    const uint32_t all =
        NORM_ISO_HAS_VALUE | NORM_ISO_HAS_ENERGY | NORM_ISO_HAS_CONGESTION | NORM_ISO_HAS_LOSS;
    assert_int_equal(row->has & all, all);
    assert_int_equal(row->end_s - row->start_s, 3600);
    tally->n_rows++;
    tally->worst = rest > tally->worst ? rest : tally->worst;
}

/* Runs first: memory is what the process has had at most. */
static void caiso_day_of_40712_node_hours_adds_up_in_little_memory(void **state)
{
    struct tally sum = {0};
    struct norm_iso_result result;
    struct rusage usage;
    (void)state;
    void *memory = calloc(1, norm_iso_work_bytes());
    assert_non_null(memory);
    struct hr_bytes body = iso_corpus_load("CAISO/20200101_20200101_PRC_LMP_DAM_20200630_22_50_44_v1.zip");
    const struct norm_iso_document document = {
        .feed = norm_iso_feed_of(hr_bytes_of("caiso_da_lmp", 12)), .body = body, .zones = &iso_lab_zones};
    double before_s = cpu_s();
    norm_iso_document(norm_iso_work_in(memory), &document, &(struct norm_iso_sink){.row = tally, .ctx = &sum},
                      &result);
    double took_s = cpu_s() - before_s;
    (void)getrusage(RUSAGE_SELF, &usage);
    iso_corpus_unload(body);
    free(memory);
    printf("CAISO PRC_LMP: %" PRIu64 " records, %" PRIu64 " node-hours, worst rest %.3g, %" PRIu64
           " bytes in %.3f s of CPU, %ld KB at most\n",
           result.n_records, sum.n_rows, sum.worst, result.unpacked_bytes, took_s, usage.ru_maxrss);
    assert_int_equal(result.n_records, 162848);
    assert_int_equal(result.n_rejected, 0);
    assert_int_equal(sum.n_rows, 40712);
    assert_true(sum.worst <= 1.001e-5);
    assert_int_equal(result.n_findings[NORM_ISO_IDENTITY_BREACH], 0);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
    assert_true(usage.ru_maxrss < 64 * 1024);
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__) && defined(__OPTIMIZE__) /* no thread sanitizer */
    assert_true(took_s < 2);                                                       /* of CPU: some 0.1 */
#endif
}

/* ---- all of it ---- */

static const struct expected {
    const char *file;
    const char *form;
    uint64_t n_rows;
} EXPECTED[] = {
    {"CAISO/20250219_20250227_SLD_FCST_7DA_20250221_01_09_58_v1.zip", "caiso_load_csv", 6432},
    {"CAISO/PRC_LMP_seed_excerpt.csv", "caiso_lmp_csv", 8},
    {"CAISO/oasis_429_body.html", "caiso_throttled", 0},
    {"CAISO/oasis_no_data_error_1000.xml", "caiso_no_data", 0},
    {"ERCOT/np4-190-cd_dam_spp_HB_HUBAVG_2025-11-02_dstfall.json", "ercot_spp_json", 25},
    {"ERCOT/load_forecast_specific_reportid.zip", "ercot_load_forecast_csv", 960},
    {"ERCOT/IceDocListJsonWS_12331.json", "ercot_document_list", 0},
    {"ISONE/hourlylmp_da_final_day_20251102_location_4000_dstfall.json", "isone_lmp_json", 25},
    {"ISONE/hourlysysload_day_20240310.json", "isone_load_json", 23},
    {"ISONE/hourlysysload_current__1.json", "isone_load_json", 1},
    {"ISONE/histRpts_no_data_200.txt", "isone_no_data", 0},
    {"MISO/da_expost_lmp_20260714_3hubs.csv", "miso_da_lmp_csv", 72},
    {"MISO/rt_lmp_final_20260926_excerpt.csv", "miso_rt_lmp_csv", 72},
    {"MISO/BindingConstraints_none.json", "miso_nothing_binding", 0},
    {"MISO/GenerationOutagesPlusMinusFiveDays_20261002.json", "miso_outage_json", 44},
    {"MISO/docs_404_blobnotfound.xml", "blob_not_found", 0},
    {"NYISO/damlbmp_zone_20251102_excerpt_dstfall.csv", "nyiso_lbmp_csv", 33},
    {"PJM/da_hrl_lmps.csv", "pjm_da_lmp_csv", 8737},
    {"PJM/da_hrl_lmps_2026-06-09.json", "pjm_da_lmp_json", 552},
    {"PJM/gen_by_fuel.json", "pjm_fuel_json", 220},
    {"PJM/da_marginal_value_2024-09-02.json", "pjm_da_constraint_json", 210},
    {"PJM/rt_marginal_value_2024-09-02.json", "pjm_rt_constraint_json", 578},
    {"PJM/compressed_pjm_load_forecast_2025-03-19.gz", "pjm_load_forecast_array_json", 168},
    {"SPP/DA-LMP-SL-202503190100.csv", "spp_lmp_csv", 29616},
    {"SPP/RTBM-LMP-SL-202503310850.csv", "spp_lmp_csv", 1234},
    {"SPP/TieFlows_SWPW_Feb2025_404.body", "empty_body", 0},
};

static void assert_as_listed(const char *file)
{
    for (size_t i = 0; i < sizeof EXPECTED / sizeof EXPECTED[0]; i++) {
        if (strcmp(EXPECTED[i].file, file) == 0) {
            assert_string_equal(iso_lab.result.form, EXPECTED[i].form);
            assert_int_equal(iso_lab.result.n_rows, EXPECTED[i].n_rows);
        }
    }
}

static int by_key(const void *a, const void *b)
{
    const struct iso_lab_row *x = a;
    const struct iso_lab_row *y = b;
    return strcmp(x->key, y->key);
}

/* Two rows of one document never are the same observation. */
static size_t count_twins(void)
{
    size_t n = 0;
    if (iso_lab.n_rows > 0) {
        qsort(iso_lab.rows, iso_lab.n_rows, sizeof iso_lab.rows[0], by_key);
    }
    for (size_t i = 1; i < iso_lab.n_rows; i++) {
        bool is_twin = strcmp(iso_lab.rows[i - 1].key, iso_lab.rows[i].key) == 0;
        n += is_twin;
        if (is_twin && n == 1) {
            printf("    twice: %s\n", iso_lab.rows[i].key);
        }
    }
    return n;
}

struct count {
    size_t n_kinds[NORM_ISO_KIND_COUNT];
    size_t n_files;
    size_t n_failed;
    size_t n_twins;
    uint64_t n_records;
    uint64_t n_rows;
    uint64_t n_rejected;
    uint64_t n_breaches;
};

static void count_payload(void *ctx, const char *file)
{
    struct count *count = ctx;
    iso_corpus_read(NULL, file);
    const struct norm_iso_result *result = &iso_lab.result;
    printf("%-84s %-30s %-9s %6" PRIu64 " records %6" PRIu64 " rows %4" PRIu64 " rejected%s\n", file,
           result->form, norm_iso_kind_name(result->kind), result->n_records, result->n_rows,
           result->n_rejected, result->code == HR_OK ? "" : " FAILED");
    assert_int_not_equal(result->kind, NORM_ISO_UNKNOWN);
    assert_as_listed(file);
    count->n_files++;
    count->n_kinds[result->kind]++;
    count->n_failed += result->code != HR_OK;
    count->n_records += result->n_records;
    count->n_rows += result->n_rows;
    count->n_rejected += result->n_rejected;
    count->n_breaches += result->n_findings[NORM_ISO_IDENTITY_BREACH];
    count->n_twins += count_twins();
}

static void each_payload_is_classified_and_normalized(void **state)
{
    struct count count = {0};
    (void)state;
    iso_corpus_each(count_payload, &count);
    printf("%zu files, %zu failed, %" PRIu64 " records, %" PRIu64 " rows, %" PRIu64 " rejected, %" PRIu64
           " identity breaches, %zu rows that are twice;",
           count.n_files, count.n_failed, count.n_records, count.n_rows, count.n_rejected, count.n_breaches,
           count.n_twins);
    for (size_t i = 0; i < NORM_ISO_KIND_COUNT; i++) {
        printf(" %s %zu", norm_iso_kind_name((enum norm_iso_kind)i), count.n_kinds[i]);
    }
    printf("\n");
    assert_true(count.n_files >= 150);
    /* The recorded ENE_SLRS XML was shortened by hand, and an element of it is never closed. */
    assert_int_equal(count.n_failed, 1);
    assert_int_equal(count.n_rejected, 0);
    assert_int_equal(count.n_breaches, 0);
}

/* ---- signs and names ---- */

static void miso_energy_is_the_same_on_all_rows_of_an_interval(void **state)
{
    (void)state;
    iso_corpus_read("miso_rt_lmp", "MISO/GetRealTimeFiveMinExPost_Current_20261002_1650_excerpt.json");
    assert_int_equal(iso_lab.n_rows, 8);
    for (size_t i = 0; i < iso_lab.n_rows; i++) {
        assert_true(fabs(iso_lab.rows[i].row.energy - 34.50) < 1e-9);
        assert_int_equal(iso_lab.rows[i].row.start_s, iso_lab_utc("2026-10-02T21:50:00Z"));
    }
}

static void spp_names_and_rows_agree(void **state)
{
    static const char *const FILES[] = {"SPP/RTBM-LMP-SL-202503310850.csv",
                                        "SPP/RTBM-LMP-SL-202503310855.csv",
                                        "SPP/RTBM-LMP-SL-202503310900.csv"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        iso_corpus_read(NULL, FILES[i]);
        assert_string_equal(iso_lab.result.feed->name, "spp_rt_lmp");
        assert_int_equal(iso_lab.result.n_findings[NORM_ISO_NAME_MISMATCH], 0);
        assert_int_equal(iso_lab.rows[0].row.end_s, iso_lab_utc("2025-03-31T13:50:00Z") + (int64_t)i * 300);
    }
    iso_corpus_read(NULL, "SPP/DA-LMP-SL-202503190100.csv");
    assert_string_equal(iso_lab.result.feed->name, "spp_da_lmp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caiso_day_of_40712_node_hours_adds_up_in_little_memory),
        cmocka_unit_test(each_payload_is_classified_and_normalized),
        cmocka_unit_test(miso_energy_is_the_same_on_all_rows_of_an_interval),
        cmocka_unit_test(spp_names_and_rows_agree),
    };
    return iso_corpus_is_there() ? cmocka_run_group_tests(tests, iso_lab_start, iso_lab_stop)
                                 : ISO_CORPUS_SKIPPED;
}
