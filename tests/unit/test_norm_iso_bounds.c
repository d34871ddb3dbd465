/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents that are too large, packed beyond reason, cut short or something else: each fails as a whole,
 * says so, emits no row, and the next one is read as if nothing had been. And readers whose bytes come one at
 * a time. */
#include "aggregator/normalize/iso/read/layout.h"
#include "tests/support/iso_lab.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "Interval,GMTIntervalEnd,Settlement Location,Pnode,LMP,MLC,MCC,MEC\n"
static const char GOOD[] = HEAD "x,03/31/2025 14:00:00,A,P,28.5,-0.5,1,28\n";
static const char GOOD_JSON[] =
    "{\"HourlyRtDemands\":{\"HourlyRtDemand\":[{\"BeginDate\":\"2024-03-09T00:00:00.000-05:00\","
    "\"Location\":{\"@LocId\":\"4001\",\"$\":\".Z.\\u004dAINE \\\"\\u00e9\\ud83d\\ude00\"},"
    "\"Load\":1112.351},{\"BeginDate\":\"2024-03-09T01:00:00.000-05:00\",\"Location\":"
    "{\"@LocId\":\"4001\",\"$\":null},\"Load\":1.5e2}]}}";

static void assert_failed(enum hr_code code)
{
    assert_int_equal(iso_lab.result.code, code);
    assert_int_equal(iso_lab.n_rows, 0);
    assert_int_equal(iso_lab.n_anomalies, 1);
    assert_int_equal(iso_lab.anomalies[0].finding, NORM_ISO_DOCUMENT);
    assert_int_equal(iso_lab.anomalies[0].record, 0);
    assert_int_equal(iso_lab.result.n_findings[NORM_ISO_DOCUMENT], 1);
    iso_lab_read_text("spp_rt_lmp", "", GOOD);
    assert_int_equal(iso_lab.result.code, HR_OK);
    assert_int_equal(iso_lab.n_rows, 1);
}

static size_t pack(struct hr_bytes member, uint8_t *zip, size_t capacity)
{
    const char *name = "member.csv";
    return iso_lab_zip(&name, &member, 1, zip, capacity);
}

static void a_zip_bomb_fails_alone(void **state)
{
    enum { BOMB_BYTES = 48 << 20, ZIP_BYTES = 1 << 20 };
    (void)state;
    char *bomb = malloc(BOMB_BYTES);
    uint8_t *zip = malloc(ZIP_BYTES);
    assert_true(bomb != NULL && zip != NULL);
    memset(bomb, '\n', BOMB_BYTES);
    memcpy(bomb, GOOD, sizeof GOOD - 1);
    size_t len = pack(hr_bytes_of(bomb, BOMB_BYTES), zip, ZIP_BYTES);
    assert_true(BOMB_BYTES / len > NORM_UNPACK_RATIO_MAX);
    iso_lab_read("spp_rt_lmp", "bomb.zip", hr_bytes_of(zip, len));
    assert_failed(HR_FULL);
    free(bomb);
    free(zip);
}

static void a_json_of_100_mb_fails_alone(void **state)
{
    enum { JSON_BYTES = 100 << 20 };
    (void)state;
    uint8_t *json = calloc(1, JSON_BYTES); /* never touched but for its beginning */
    assert_non_null(json);
    memcpy(json, GOOD_JSON, sizeof GOOD_JSON - 1);
    iso_lab_read("isone_load", "large.json", hr_bytes_of(json, JSON_BYTES));
    assert_failed(HR_FULL);
    free(json);
}

static void a_document_larger_than_its_feed_allows_fails_alone(void **state)
{
    (void)state;
    iso_lab.max_bytes = sizeof GOOD + 8;
    iso_lab_read_text("isone_load", "", GOOD_JSON);
    assert_failed(HR_FULL);
    iso_lab.max_bytes = 0;
}

static void a_zip_that_was_cut_anywhere_fails_alone(void **state)
{
    uint8_t zip[1024];
    (void)state;
    size_t len = pack(hr_bytes_of(GOOD, sizeof GOOD - 1), zip, sizeof zip);
    iso_lab_read("spp_rt_lmp", "", hr_bytes_of(zip, len));
    assert_int_equal(iso_lab.n_rows, 1);
    for (size_t cut = 4; cut < len; cut++) {
        iso_lab_read("spp_rt_lmp", "", hr_bytes_of(zip, cut));
        assert_failed(HR_MALFORMED);
    }
}

static void a_zip_with_a_changed_byte_is_never_believed(void **state)
{
    uint8_t zip[1024];
    size_t n_noticed = 0;
    (void)state;
    size_t len = pack(hr_bytes_of(GOOD, sizeof GOOD - 1), zip, sizeof zip);
    for (size_t i = 0; i < len; i++) {
        zip[i] ^= 0x10;
        iso_lab_read("spp_rt_lmp", "", hr_bytes_of(zip, len));
        /* Bytes that nothing depends on (times, versions) leave the document as it is. */
        if (iso_lab.n_rows == 1) {
            assert_string_equal(iso_lab.rows[0].location, "A");
            assert_true(iso_lab.rows[0].row.value > 28.4 && iso_lab.rows[0].row.value < 28.6);
        } else {
            n_noticed++;
        }
        zip[i] ^= 0x10;
    }
    assert_true(n_noticed > sizeof GOOD / 2);
}

static void a_json_that_was_cut_anywhere_fails_alone(void **state)
{
    (void)state;
    iso_lab_read_text("isone_load", "", GOOD_JSON);
    assert_int_equal(iso_lab.n_rows, 2);
    for (size_t cut = 30; cut < sizeof GOOD_JSON - 1; cut++) {
        iso_lab_read("isone_load", "", hr_bytes_of(GOOD_JSON, cut));
        assert_failed(HR_MALFORMED);
    }
}

static void json_that_breaks_its_format_fails_alone(void **state)
{
    static const char *const TEXTS[] = {
        "{\"HourlyRtDemands\":{}}x",
        "{\"HourlyRtDemands\":{},}",
        "{\"HourlyRtDemands\" {}}",
        "{\"HourlyRtDemands\":[1 2]}",
        "{\"HourlyRtDemands\":tru}",
        "{\"HourlyRtDemands\":\"\\x\"}",
        "{\"HourlyRtDemands\":\"\\u12g4\"}",
        "{\"HourlyRtDemands\":\"a\nb\"}",
        "{\"HourlyRtDemands\":}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        iso_lab_read_text("isone_load", "", TEXTS[i]);
        assert_failed(HR_MALFORMED);
    }
}

static void json_deeper_than_its_bound_fails_alone(void **state)
{
    char text[512] = "{\"HourlyRtDemands\":";
    (void)state;
    size_t len = strlen(text);
    memset(text + len, '[', NORM_DEPTH_MAX);
    memset(text + len + NORM_DEPTH_MAX, ']', NORM_DEPTH_MAX);
    text[len + 2 * (size_t)NORM_DEPTH_MAX] = '}';
    iso_lab_read_text("isone_load", "", text);
    assert_failed(HR_FULL);
}

static void a_line_longer_than_the_window_fails_alone(void **state)
{
    enum { LINE_BYTES = NORM_WINDOW_BYTES + 100 };
    (void)state;
    char *text = calloc(1, sizeof GOOD + LINE_BYTES);
    assert_non_null(text);
    memcpy(text, GOOD, sizeof GOOD - 1);
    memset(text + sizeof GOOD - 1, 'x', LINE_BYTES);
    iso_lab_read_text("spp_rt_lmp", "", text);
    assert_failed(HR_FULL);
    free(text);
}

static void a_document_of_another_feed_is_refused(void **state)
{
    (void)state;
    iso_lab_read_text("caiso_da_lmp", "", GOOD);
    assert_failed(HR_NOT_FOUND);
    iso_lab_read_text("spp_da_constraint", "", GOOD);
    assert_failed(HR_NOT_FOUND);
}

static void an_archive_of_different_forms_is_refused(void **state)
{
    static const char *const NAMES[] = {"a.csv", "b.txt"};
    const struct hr_bytes members[] = {hr_bytes_of(GOOD, sizeof GOOD - 1),
                                       hr_bytes_of("No data exists for this period.", 31)};
    uint8_t zip[2048];
    (void)state;
    iso_lab_read("spp_rt_lmp", "", hr_bytes_of(zip, iso_lab_zip(NAMES, members, 2, zip, sizeof zip)));
    assert_failed(HR_NOT_FOUND);
}

/* Rows of 6,000 bytes or a little more. */
static struct hr_bytes long_member(char first)
{
    static char texts[2][8192];
    char *text = texts[first - 'A'];
    size_t len = sizeof HEAD - 1;
    memcpy(text, HEAD, len);
    for (int i = 0; len < 6000; i++) {
        len += (size_t)snprintf(text + len, sizeof texts[0] - len,
                                "x,03/31/2025 14:00:00,%c%d,P,28.5,-0.5,1,28\n", first, i);
    }
    return hr_bytes_of(text, len);
}

static void the_members_of_an_archive_share_one_bound(void **state)
{
    static const char *const NAMES[] = {"a.csv", "b.csv"};
    const struct hr_bytes members[] = {long_member('A'), long_member('B')};
    uint8_t zip[4096];
    (void)state;
    size_t len = iso_lab_zip(NAMES, members, 2, zip, sizeof zip);
    iso_lab.max_bytes = 1400; /* 11,200 unpacked */
    assert_true(len < iso_lab.max_bytes);
    for (size_t i = 0; i < 2; i++) {
        uint8_t one[4096];
        iso_lab_read("spp_rt_lmp", "", hr_bytes_of(one, pack(members[i], one, sizeof one)));
        assert_int_equal(iso_lab.result.code, HR_OK);
    }
    iso_lab_read("spp_rt_lmp", "", hr_bytes_of(zip, len));
    assert_failed(HR_FULL);
    iso_lab.max_bytes = 0;
    iso_lab_read("spp_rt_lmp", "", hr_bytes_of(zip, len));
    assert_int_equal(iso_lab.result.code, HR_OK);
}

static void members_that_share_their_bytes_are_refused(void **state)
{
    static const char *const NAMES[] = {"a.csv", "b.csv"};
    static const uint8_t ENTRY[] = {'P', 'K', 1, 2};
    const struct hr_bytes members[] = {long_member('A'), long_member('A')};
    uint8_t zip[4096];
    (void)state;
    size_t len = iso_lab_zip(NAMES, members, 2, zip, sizeof zip);
    iso_lab_read("spp_rt_lmp", "", hr_bytes_of(zip, len));
    assert_int_equal(iso_lab.result.code, HR_OK);
    for (size_t at = 0; at + 46 <= len; at++) {
        if (memcmp(zip + at, ENTRY, sizeof ENTRY) == 0) {
            memset(zip + at + 42, 0, 4); /* where its local header is (APPNOTE.TXT 4.3.12): both at 0 */
        }
    }
    iso_lab_read("spp_rt_lmp", "", hr_bytes_of(zip, len));
    assert_failed(HR_MALFORMED);
}

static void anything_else_is_unknown_and_says_nothing(void **state)
{
    (void)state;
    iso_lab_read_text(NULL, "", "some words");
    assert_int_equal(iso_lab.result.kind, NORM_ISO_UNKNOWN);
    iso_lab_read_text(NULL, "", "");
    assert_int_equal(iso_lab.result.kind, NORM_ISO_NOT_FOUND);
}

/* ---- bytes one at a time ---- */

struct drip {
    struct hr_bytes left;
};

static struct hr_status drip_next(void *ctx, uint8_t *out, size_t capacity_bytes, size_t *len_bytes)
{
    struct drip *drip = ctx;
    if (drip->left.len_bytes == 0 || capacity_bytes == 0) {
        return hr_status_of(HR_CLOSED);
    }
    *out = drip->left.data[0];
    *len_bytes = 1;
    drip->left = hr_bytes_of(drip->left.data + 1, drip->left.len_bytes - 1);
    return hr_ok();
}

struct kept {
    char text[512];
    size_t len;
};

static void keep(void *ctx, const struct hr_bytes *cells, uint64_t number)
{
    struct kept *kept = ctx;
    for (size_t i = 0; i < 3; i++) {
        kept->len +=
            (size_t)snprintf(kept->text + kept->len, sizeof kept->text - kept->len, "%u%c%.*s|",
                             (unsigned)number, cells[i].data == NULL ? '-' : '=', (int)cells[i].len_bytes,
                             cells[i].data == NULL ? "" : (const char *)cells[i].data);
    }
}

static void readers_do_not_care_how_bytes_come(void **state)
{
    static const struct norm_column csv_columns[] = {
        {.names = "a", .is_required = true}, {.names = "b"}, {.names = "c"}};
    static const struct norm_column tree_columns[] = {
        {.names = "a"}, {.names = "b.x"}, {.names = "top", .is_outer = true}};
    static const struct {
        struct norm_layout layout;
        const char *text;
        const char *rows;
    } CASES[] = {
        {{.container = NORM_CSV, .columns = csv_columns, .n_columns = 3},
         "preamble\r\n\r\n A ,\"c\",B\r\n1,\"two \"\"2\"\"\", 3 \r\n\r\n\"4\nfour\",,",
         "1=1|1=3|1=two \"2\"|2=4\nfour|2=|2=|"},
        {{.container = NORM_JSON, .columns = tree_columns, .n_columns = 3, .records = "rows"},
         " {\"top\":\"t\\n\",\"rows\":[{\"a\":-1.5,\"b\":{\"x\":\"\\u00e9\",\"y\":[{}]}},{\"b\":{\"x\":null}}"
         "]} ",
         "1=-1.5|1=\xC3\xA9|1=t\n|2-|2-|2=t\n|"},
        {{.container = NORM_XML, .columns = tree_columns, .n_columns = 3, .records = "top.rows"},
         "<?xml version=\"1.0\"?><n:top xmlns:n=\"u\"><n:rows><a> 1 &amp; 2 "
         "</a><n:b><x>3</x></n:b></n:rows></n:top>",
         "1=1 & 2|1=3|1-|"},
    };
    struct norm_reader *reader = calloc(1, sizeof *reader);
    (void)state;
    assert_non_null(reader);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        for (int is_drip = 0; is_drip < 2; is_drip++) {
            struct hr_bytes bytes = hr_bytes_of(CASES[i].text, strlen(CASES[i].text));
            struct norm_memory memory;
            struct drip drip = {bytes};
            struct kept kept = {.len = 0};
            struct norm_source source =
                is_drip ? (struct norm_source){drip_next, &drip} : norm_memory_source(&memory, bytes);
            assert_ok(norm_read(reader, &CASES[i].layout, source, 1000,
                                &(struct norm_row_sink){.row = keep, .ctx = &kept}));
            assert_string_equal(kept.text, CASES[i].rows);
        }
    }
    free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zip_bomb_fails_alone),
        cmocka_unit_test(a_json_of_100_mb_fails_alone),
        cmocka_unit_test(a_document_larger_than_its_feed_allows_fails_alone),
        cmocka_unit_test(a_zip_that_was_cut_anywhere_fails_alone),
        cmocka_unit_test(a_zip_with_a_changed_byte_is_never_believed),
        cmocka_unit_test(a_json_that_was_cut_anywhere_fails_alone),
        cmocka_unit_test(json_that_breaks_its_format_fails_alone),
        cmocka_unit_test(json_deeper_than_its_bound_fails_alone),
        cmocka_unit_test(a_line_longer_than_the_window_fails_alone),
        cmocka_unit_test(a_document_of_another_feed_is_refused),
        cmocka_unit_test(an_archive_of_different_forms_is_refused),
        cmocka_unit_test(the_members_of_an_archive_share_one_bound),
        cmocka_unit_test(members_that_share_their_bytes_are_refused),
        cmocka_unit_test(anything_else_is_unknown_and_says_nothing),
        cmocka_unit_test(readers_do_not_care_how_bytes_come),
    };
    return cmocka_run_group_tests(tests, iso_lab_start, iso_lab_stop);
}
