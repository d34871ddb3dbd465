/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules of feeds over rows that are made here by hand. Days and hours are those of a calendar on paper. */
#include "aggregator/normalize/quality/inspect.h"
#include "aggregator/normalize/quality/quality.h"
#include "proto/feeds/file/book.h"
#include "tests/support/iso_lab.h"
#include "tests/support/test_cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX = 256 };

static struct norm_quality *quality;
static struct norm_quality_counts counts;
static struct {
    struct norm_quality_breach breach;
    char text[NORM_QUALITY_TEXT_CHARS];
    char location[NORM_QUALITY_LOCATION_CHARS];
} kept[KEPT_MAX];
static size_t n_kept;

static void keep(void *ctx, const struct norm_quality_breach *breach)
{
    (void)ctx;
    assert_true(n_kept < KEPT_MAX);
    kept[n_kept].breach = *breach;
    (void)snprintf(kept[n_kept].text, sizeof kept[0].text, "%s", breach->text);
    (void)snprintf(kept[n_kept].location, sizeof kept[0].location, "%.*s", (int)breach->location.len_bytes,
                   (const char *)breach->location.data);
    n_kept++;
}

static const struct norm_quality_sink sink = {.breach = keep};

static int start(void **state)
{
    void *memory = calloc(1, norm_quality_bytes());
    quality = memory == NULL ? NULL : norm_quality_in(memory);
    return quality == NULL ? -1 : iso_lab_start(state);
}

static int stop(void **state)
{
    free(quality);
    return iso_lab_stop(state);
}

static int fresh(void **state)
{
    (void)state;
    n_kept = 0;
    counts = (struct norm_quality_counts){.n_rows = 0};
    return 0;
}

static struct norm_iso_row row_of(const char *feed, const char *location, const char *start, int64_t minutes)
{
    const struct norm_iso_feed *of = norm_iso_feed_of(hr_bytes_of(feed, strlen(feed)));
    assert_non_null(of);
    int64_t start_s = iso_lab_utc(start);
    return (struct norm_iso_row){.feed = of,
                                 .market = hr_bytes_of("DAM", 3),
                                 .location_type = NORM_ISO_NODE,
                                 .location_id = hr_bytes_of(location, strlen(location)),
                                 .subject = "energy",
                                 .curve_role = "price",
                                 .unit = "USD/MWh",
                                 .start_s = start_s,
                                 .end_s = start_s + minutes * 60,
                                 .value = 30,
                                 .has = NORM_ISO_HAS_VALUE};
}

static void begin(const struct feeds_rules *rules)
{
    norm_quality_begin(quality, rules, &iso_lab_zones, &sink, &counts);
}

/* Hours of a series from an instant on, all but the nth (from 0). */
static void feed_hours(const char *location, const char *start, uint32_t n_hours, uint32_t but)
{
    struct norm_iso_row row = row_of("caiso_da_lmp", location, start, 60);
    for (uint32_t i = 0; i < n_hours; i++, row.start_s += 3600, row.end_s += 3600) {
        if (i != but) {
            norm_quality_row(quality, &row);
        }
    }
}

/* ---- a row alone ---- */

static void a_field_that_is_missing_is_told_with_its_row(void **state)
{
    (void)state;
    const struct feeds_rules rules = {.n_required = 4,
                                      .required = {"value", "loss", "region", "published_at"}};
    struct norm_iso_row row = row_of("caiso_da_lmp", "A", "2026-01-05T08:00:00Z", 60);
    begin(&rules);
    norm_quality_row(quality, &row);
    assert_int_equal(n_kept, 3);
    assert_int_equal(counts.n_breaches[NORM_QUALITY_REQUIRED], 3);
    assert_ptr_equal(kept[0].breach.row, &row);
    assert_int_equal(kept[0].breach.field, FEEDS_FIELD_LOSS);
    assert_string_equal(kept[0].text, "loss is missing");
    assert_string_equal(kept[2].text, "published_at is missing");
    row.has |= NORM_ISO_HAS_LOSS | NORM_ISO_HAS_PUBLISHED;
    row.region = hr_bytes_of("R", 1);
    norm_quality_row(quality, &row);
    norm_quality_end(quality);
    assert_int_equal(n_kept, 3);
    assert_int_equal(counts.n_rows, 2);
}

static void a_number_may_be_its_bounds_and_nothing_beyond(void **state)
{
    (void)state;
    const struct feeds_rules rules = {.n_ranges = 2,
                                      .ranges = {{FEEDS_FIELD_VALUE, -150, 2000}, {FEEDS_FIELD_GHG, 0, 1}}};
    struct norm_iso_row row = row_of("caiso_da_lmp", "A", "2026-01-05T08:00:00Z", 60);
    const double right[] = {-150, 0, 2000};
    const double wrong[] = {-150.001, 2000.5, (double)NAN, 1e300, -(double)INFINITY};
    begin(&rules);
    for (size_t i = 0; i < HR_ARRAY_LEN(right); i++) {
        row.value = right[i];
        norm_quality_row(quality, &row);
    }
    assert_int_equal(n_kept, 0);
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        row.value = wrong[i];
        norm_quality_row(quality, &row);
        assert_int_equal(n_kept, i + 1);
    }
    assert_string_equal(kept[0].text, "value is -150.001, right is -150.000 to 2000.000");
    assert_string_equal(kept[3].text, "value is beyond 10^12, right is -150.000 to 2000.000");
    assert_int_equal(kept[1].breach.rule, NORM_QUALITY_RANGE);
    assert_int_equal(kept[1].breach.nth, 5);
}

static void a_text_is_one_of_the_allowed_or_begins_as_one(void **state)
{
    (void)state;
    const struct feeds_rules rules = {
        .n_allowed = 2,
        .allowed = {{FEEDS_FIELD_SUBJECT - FEEDS_FIELD_FIRST_TEXT, 2, {"load", "generation.*"}},
                    {FEEDS_FIELD_LOCATION_TYPE - FEEDS_FIELD_FIRST_TEXT, 1, {"node"}}}};
    struct norm_iso_row row = row_of("caiso_da_lmp", "A", "2026-01-05T08:00:00Z", 60);
    begin(&rules);
    row.subject = "generation.wind";
    norm_quality_row(quality, &row);
    row.subject = "load";
    norm_quality_row(quality, &row);
    row.subject = ""; /* what isn't there is not judged */
    norm_quality_row(quality, &row);
    assert_int_equal(n_kept, 0);
    row.subject = "generation";
    norm_quality_row(quality, &row);
    row.subject = "loads\x01";
    row.location_type = NORM_ISO_HUB;
    norm_quality_row(quality, &row);
    assert_int_equal(n_kept, 3);
    assert_string_equal(kept[0].text, "subject is none of the allowed: generation");
    assert_string_equal(kept[1].text, "subject is none of the allowed: loads?");
    assert_string_equal(kept[2].text, "location_type is none of the allowed: hub");
}

/* ---- rows in time ---- */

static void a_row_behind_its_series_is_told_and_others_are_not(void **state)
{
    (void)state;
    const struct feeds_rules rules = {.is_monotone = true};
    struct norm_iso_row a = row_of("nyiso_rt_lmp", "A", "2026-01-05T08:00:00Z", 5);
    struct norm_iso_row b = row_of("nyiso_rt_lmp", "B", "2026-01-05T07:00:00Z", 5);
    begin(&rules);
    norm_quality_row(quality, &a);
    norm_quality_row(quality, &b); /* earlier, and another series */
    norm_quality_row(quality, &a); /* the same again is no step back */
    b.subject = "congestion";
    b.start_s -= 300;
    b.end_s -= 300;
    norm_quality_row(quality, &b); /* another one again */
    assert_int_equal(n_kept, 0);
    a.start_s -= 300;
    a.end_s -= 300;
    norm_quality_row(quality, &a);
    assert_int_equal(n_kept, 1);
    assert_int_equal(kept[0].breach.rule, NORM_QUALITY_MONOTONE);
    assert_string_equal(kept[0].location, "A");
    begin(&rules); /* the next document knows nothing of this one */
    norm_quality_row(quality, &a);
    assert_int_equal(n_kept, 1);
    assert_int_equal(counts.n_documents, 2);
}

/* Pacific midnights: 08:00Z in winter, 07:00Z in summer. */
static void days_of_23_24_and_25_hours_are_whole_with_so_many(void **state)
{
    (void)state;
    const struct feeds_rules rules = {.complete = {.every_ms = 3600000}};
    const struct {
        const char *midnight;
        uint32_t n_hours;
    } days[] = {{"2026-01-05T08:00:00Z", 24}, {"2026-03-08T08:00:00Z", 23}, {"2026-11-01T07:00:00Z", 25}};
    for (size_t i = 0; i < HR_ARRAY_LEN(days); i++) {
        for (uint32_t but = 0; but <= days[i].n_hours; but++) {
            n_kept = 0;
            begin(&rules);
            feed_hours("WHOLE", days[i].midnight, days[i].n_hours, UINT32_MAX);
            feed_hours("HOLE", days[i].midnight, days[i].n_hours, but);
            norm_quality_end(quality);
            assert_int_equal(n_kept, but < days[i].n_hours ? 1 : 0);
            if (n_kept == 1) {
                char text[NORM_QUALITY_TEXT_CHARS];
                (void)snprintf(text, sizeof text,
                               "1 of %u intervals of its market day are missing, the first is number %u",
                               (unsigned)days[i].n_hours, (unsigned)but + 1);
                assert_string_equal(kept[0].text, text);
                assert_string_equal(kept[0].location, "HOLE");
                assert_null(kept[0].breach.row);
                assert_int_equal(kept[0].breach.start_s, iso_lab_utc(days[i].midnight) + but * 3600);
            }
        }
    }
}

static void each_day_of_a_document_is_judged_alone(void **state)
{
    (void)state;
    const struct feeds_rules rules = {.complete = {.every_ms = 3600000}};
    begin(&rules);
    feed_hours("A", "2026-01-05T08:00:00Z", 30, UINT32_MAX);
    norm_quality_end(quality);
    assert_int_equal(n_kept, 1);
    assert_string_equal(kept[0].text,
                        "18 of 24 intervals of its market day are missing, the first is number 7");
    assert_int_equal(kept[0].breach.start_s, iso_lab_utc("2026-01-06T14:00:00Z"));
    assert_int_equal(kept[0].breach.nth, 25);
}

static void a_day_that_grows_is_whole_up_to_its_newest(void **state)
{
    (void)state;
    const struct feeds_rules rules = {.complete = {.every_ms = 3600000, .is_growing = true}};
    begin(&rules);
    feed_hours("A", "2026-01-05T08:00:00Z", 10, UINT32_MAX);
    feed_hours("B", "2026-01-05T08:00:00Z", 10, 4);
    feed_hours("C", "2026-01-05T08:00:00Z", 9, UINT32_MAX);
    norm_quality_end(quality);
    assert_int_equal(n_kept, 2);
    assert_string_equal(kept[0].location, "B");
    assert_string_equal(kept[1].location, "C");
    assert_string_equal(kept[1].text,
                        "1 of 10 intervals of its market day are missing, the first is number 10");
}

static void an_interval_off_the_grid_is_told(void **state)
{
    (void)state;
    const struct feeds_rules rules = {.complete = {.every_ms = 3600000}};
    struct norm_iso_row row = row_of("caiso_da_lmp", "A", "2026-01-05T08:10:00Z", 60);
    begin(&rules);
    norm_quality_row(quality, &row);
    row = row_of("caiso_da_lmp", "A", "2026-01-05T08:00:00Z", 30);
    norm_quality_row(quality, &row);
    assert_int_equal(n_kept, 2);
    assert_string_equal(kept[1].text, "is no interval of its market day");
    norm_quality_end(quality);
    assert_int_equal(n_kept, 2);
}

/* ---- bounds ---- */

static void more_breaches_than_are_told_are_counted(void **state)
{
    (void)state;
    const struct feeds_rules rules = {.n_required = 1, .required = {"loss"}};
    struct norm_iso_row row = row_of("caiso_da_lmp", "A", "2026-01-05T08:00:00Z", 60);
    begin(&rules);
    for (uint32_t i = 0; i < 150; i++) {
        norm_quality_row(quality, &row);
    }
    assert_int_equal(n_kept, NORM_QUALITY_TOLD_MAX);
    assert_int_equal(counts.n_breaches[NORM_QUALITY_REQUIRED], 150);
    begin(&rules); /* told again in the next document */
    norm_quality_row(quality, &row);
    assert_int_equal(n_kept, NORM_QUALITY_TOLD_MAX + 1);
}

static void more_series_than_there_is_room_for_are_counted_and_not_mixed_up(void **state)
{
    (void)state;
    const struct feeds_rules rules = {.is_monotone = true};
    char location[16];
    begin(&rules);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < NORM_QUALITY_SERIES_MAX + 7; i++) {
            (void)snprintf(location, sizeof location, "N%u", (unsigned)i);
            struct norm_iso_row row = row_of("caiso_da_lmp", location, "2026-01-05T08:00:00Z", 60);
            row.start_s -= pass == 1 && i == 40000 ? 3600 : 0;
            row.end_s -= pass == 1 && i == 40000 ? 3600 : 0;
            norm_quality_row(quality, &row);
        }
    }
    assert_int_equal(counts.n_unwatched, 14);
    assert_int_equal(n_kept, 1);
    assert_string_equal(kept[0].location, "N40000");
}

/* ---- as the normalizer's inspector ---- */

static struct feeds_rules inspected;

static const struct feeds_rules *rules_of(void *ctx, const char *feed)
{
    static const struct feeds_rules none;
    (void)ctx;
    return strcmp(feed, "caiso_da_lmp") == 0 ? &inspected : &none;
}

static struct {
    char finding[16];
    char text[256];
    char key[NORM_ISO_KEY_CHARS];
} found[128];
static size_t n_found;

static void keep_found(void *ctx, const struct norm_iso_found *it)
{
    (void)ctx;
    assert_true(n_found < HR_ARRAY_LEN(found));
    (void)snprintf(found[n_found].finding, sizeof found[0].finding, "%s", it->finding);
    (void)snprintf(found[n_found].text, sizeof found[0].text, "%.*s", (int)it->text.len_bytes,
                   (const char *)it->text.data);
    (void)snprintf(found[n_found].key, sizeof found[0].key, "%s",
                   it->observation_key == NULL ? "-" : it->observation_key);
    n_found++;
}

static void breaches_become_findings_behind_the_rows_and_spikes_are_marked(void **state)
{
    (void)state;
    void *memory = calloc(1, norm_inspect_bytes());
    assert_non_null(memory);
    const struct norm_inspect_config config = {
        .zones = &iso_lab_zones, .rules_of = rules_of, .memory = memory};
    struct norm_inspect *inspect = norm_inspect_init(&config);
    const struct norm_iso_inspector *inspector = norm_inspect_inspector(inspect);
    struct norm_iso_row row = row_of("caiso_da_lmp", "A", "2026-01-05T08:00:00Z", 60);
    inspected = (struct feeds_rules){.n_ranges = 1,
                                     .ranges = {{FEEDS_FIELD_VALUE, 0, 100}},
                                     .complete = {.every_ms = 3600000},
                                     .statistics = {.floor = 1, .n_locations = 1, .locations = {"hub"}}};
    n_found = 0;
    inspector->begin(inspector->ctx, row.feed);
    for (uint32_t i = 0; i < 105; i++) {
        row.value = i == 3 ? 50 : 101;
        assert_null(inspector->row(inspector->ctx, &row)); /* a node is not watched */
    }
    assert_int_equal(n_found, 0);
    inspector->end(inspector->ctx, keep_found, NULL);
    assert_int_equal(n_found, 102);
    assert_string_equal(found[0].finding, "range");
    assert_string_equal(found[0].text, "value is 101.000, right is 0.000 to 100.000");
    assert_string_equal(found[0].key, "caiso/da_lmp/DAM/energy/price//node/A//2026-01-05T08:00:00Z/60");
    assert_string_equal(found[100].finding, "complete");
    assert_string_equal(found[100].text,
                        "A: 23 of 24 intervals of its market day are missing, the first is number 2");
    assert_string_equal(found[100].key, "-");
    assert_string_equal(found[101].text, "4 more in this document");

    row.location_type = NORM_ISO_HUB;
    inspected = (struct feeds_rules){.statistics = inspected.statistics};
    inspector->begin(inspector->ctx, row.feed);
    for (uint32_t hour = 0; hour < 30 * 24; hour++, row.start_s += 3600, row.end_s += 3600) {
        row.value = 30 + hour % 24 + hour % 5 * 0.5;
        assert_null(inspector->row(inspector->ctx, &row));
    }
    row.value = 300;
    assert_string_equal(inspector->row(inspector->ctx, &row), "seasonal+ewma+iqr");
    inspector->end(inspector->ctx, keep_found, NULL);
    assert_int_equal(n_found, 102);
    size_t n_feeds = 0;
    size_t number = (size_t)(row.feed - norm_iso_feeds(&n_feeds));
    const struct norm_inspect_counts *now = norm_inspect_counts_of(inspect, number);
    assert_int_equal(now->quality.n_breaches[NORM_QUALITY_RANGE], 104);
    assert_int_equal(now->quality.n_breaches[NORM_QUALITY_COMPLETE], 1);
    assert_int_equal(now->quality.n_documents, 2);
    assert_int_equal(now->n_quarantined, 1);
    free(memory);
}

/* ---- where rules come from ---- */

static void the_rules_of_the_build_are_those_of_the_folder(void **state)
{
    (void)state;
    static struct feeds_book built_in;
    static struct feeds_book folder;
    static struct conf_report report;
    assert_ok(feeds_book_fill(&built_in, NULL, &report));
    assert_ok(feeds_book_fill(&folder, "schemas/feeds", &report));
    assert_true(folder.n_feeds >= 60);
    assert_int_equal(built_in.n_feeds, folder.n_feeds);
    for (size_t i = 0; i < folder.n_feeds; i++) {
        const struct feeds_rules *rules = feeds_book_rules(&built_in, folder.feeds[i].name);
        assert_memory_equal(rules, &folder.feeds[i].rules, sizeof *rules);
    }
    assert_int_equal(feeds_book_rules(&built_in, "caiso_da_lmp")->complete.every_ms, 3600000);
    assert_int_equal(feeds_book_rules(&built_in, "no_such_feed")->n_required, 0);
    assert_code(feeds_book_fill(&folder, "schemas/nowhere", &report), HR_NOT_FOUND);
    assert_int_equal(folder.n_feeds, 0);
    assert_int_equal(report.n_errors, 1);
    assert_code(feeds_book_fill(&folder, "schemas/topics.yaml", &report), HR_MALFORMED);
    assert_int_equal(folder.n_feeds, 0);
}

static const struct feeds_rules *changed_rules;

static const struct feeds_rules *rules_or_changed(void *ctx, const char *feed)
{
    bool is_changed = strcmp(feed, "caiso_da_lmp") == 0 && changed_rules != NULL;
    return is_changed ? changed_rules : feeds_book_rules(ctx, feed);
}

/* What a log says of the rules by which it was published. */
static void another_rule_is_another_digest_and_statistics_are_none(void **state)
{
    static struct feeds_book book;
    static struct conf_report report;
    static struct feeds_rules rules;
    (void)state;
    assert_ok(feeds_book_fill(&book, NULL, &report));
    const struct norm_inspect_config config = {.rules_of = rules_or_changed, .rules_ctx = &book};
    uint64_t digest = norm_inspect_digest(&config);
    assert_true(norm_inspect_digest(&config) == digest);
    rules = *feeds_book_rules(&book, "caiso_da_lmp");
    assert_true(rules.n_ranges > 0 && rules.n_required > 0 && rules.statistics.floor > 0);
    changed_rules = &rules;
    rules.statistics.floor *= 2;
    assert_true(norm_inspect_digest(&config) == digest);
    rules.ranges[0].max += 1;
    assert_true(norm_inspect_digest(&config) != digest);
    rules.ranges[0].max -= 1;
    assert_true(norm_inspect_digest(&config) == digest);
    rules.complete.is_growing = !rules.complete.is_growing;
    assert_true(norm_inspect_digest(&config) != digest);
    rules.complete.is_growing = !rules.complete.is_growing;
    rules.n_required--;
    assert_true(norm_inspect_digest(&config) != digest);
    changed_rules = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_rule_is_another_digest_and_statistics_are_none),
        cmocka_unit_test_setup(a_field_that_is_missing_is_told_with_its_row, fresh),
        cmocka_unit_test_setup(a_number_may_be_its_bounds_and_nothing_beyond, fresh),
        cmocka_unit_test_setup(a_text_is_one_of_the_allowed_or_begins_as_one, fresh),
        cmocka_unit_test_setup(a_row_behind_its_series_is_told_and_others_are_not, fresh),
        cmocka_unit_test_setup(days_of_23_24_and_25_hours_are_whole_with_so_many, fresh),
        cmocka_unit_test_setup(each_day_of_a_document_is_judged_alone, fresh),
        cmocka_unit_test_setup(a_day_that_grows_is_whole_up_to_its_newest, fresh),
        cmocka_unit_test_setup(an_interval_off_the_grid_is_told, fresh),
        cmocka_unit_test_setup(more_breaches_than_are_told_are_counted, fresh),
        cmocka_unit_test_setup(more_series_than_there_is_room_for_are_counted_and_not_mixed_up, fresh),
        cmocka_unit_test_setup(breaches_become_findings_behind_the_rows_and_spikes_are_marked, fresh),
        cmocka_unit_test_setup(the_rules_of_the_build_are_those_of_the_folder, fresh),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
