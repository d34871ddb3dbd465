/* SPDX-License-Identifier: Apache-2.0
 *
 * What a document tells besides its rows: which feed it is of, and which places there are. */
#include "tests/support/iso_lab.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

static void a_document_that_tells_its_market_is_not_taken_for_another(void **state)
{
    static const struct {
        const char *asked;
        const char *name;
        const char *text;
        const char *is_of;
    } CASES[] = {
        {"spp_rt_lmp", "DA-LMP-SL-202503190100.csv",
         "Interval,GMTIntervalEnd,Settlement Location,Pnode,LMP,MLC,MCC,MEC\n", "spp_da_lmp"},
        {"nyiso_rt_lmp", "20251102damlbmp_zone.csv",
         "Time Stamp,Name,PTID,LBMP ($/MWHr),Marginal Cost Losses ($/MWHr),Marginal Cost Congestion "
         "($/MWHr)\n",
         "nyiso_da_lmp"},
        {"miso_da_lmp", "", "Day Ahead Market ExAnte LMPs\n07/14/2026\n\nNode,Type,Value,HE 24\n",
         "miso_da_lmp_exante"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        iso_lab_read_text(CASES[i].asked, CASES[i].name, CASES[i].text);
        assert_int_equal(iso_lab.result.code, HR_NOT_FOUND);
        assert_int_equal(iso_lab.n_rows, 0);
        assert_non_null(strstr(iso_lab.anomalies[0].text, CASES[i].is_of));
    }
}

static void expect_place(size_t i, enum norm_iso_location type, const char *id, const char *name,
                         const char *zone, const char *from)
{
    assert_true(i < iso_lab.n_places);
    assert_int_equal(iso_lab.places[i].place.type, type);
    assert_string_equal(iso_lab.places[i].id, id);
    assert_string_equal(iso_lab.places[i].name, name);
    assert_string_equal(iso_lab.places[i].zone, zone);
    assert_int_equal(iso_lab.places[i].place.has_valid_from, from != NULL);
    if (from != NULL) {
        assert_int_equal(iso_lab.places[i].place.valid_from_s, iso_lab_utc(from));
    }
}

static void a_place_is_told_once_with_the_day_that_it_is_seen_on(void **state)
{
    (void)state;
    iso_lab_read_text(
        "pjm_da_lmp", "",
        "datetime_beginning_utc,pnode_id,pnode_name,type,zone,total_lmp_da\n"
        "3/9/2025 5:00:00 AM,1,PJM-RTO,ZONE,,20\n3/9/2025 6:00:00 AM,1,PJM-RTO,ZONE,,21\n"
        "3/9/2025 7:00:00 AM,77,NODE 77,LOAD,PECO,22\n3/10/2025 5:00:00 AM,77,NODE 77,LOAD,BGE,22\n");
    assert_int_equal(iso_lab.n_rows, 4);
    assert_int_equal(iso_lab.n_places, 3);
    expect_place(0, NORM_ISO_ZONE, "1", "PJM-RTO", "", "2025-03-09T05:00:00Z");
    expect_place(1, NORM_ISO_NODE, "77", "NODE 77", "PECO", "2025-03-09T05:00:00Z");
    expect_place(2, NORM_ISO_NODE, "77", "NODE 77", "BGE", "2025-03-10T04:00:00Z");
}

static void places_of_constraints_and_lists_are_told_and_those_of_load_are_not(void **state)
{
    (void)state;
    iso_lab_read_text(
        "spp_da_constraint", "DA-BC-202606010100.csv",
        "Interval,GMTIntervalEnd,Constraint Name,Shadow Price,Monitored Facility,Contingent Facility\n"
        "x,6/1/2026 6:00,TMP1,-3.5,LINE A,LINE B\nx,6/1/2026 7:00,TMP1,-4,LINE A,LINE B\n");
    assert_int_equal(iso_lab.n_rows, 2);
    assert_int_equal(iso_lab.n_places, 1);
    expect_place(0, NORM_ISO_FACILITY, "TMP1", "LINE A", "", "2026-06-01T05:00:00Z");
    iso_lab_read_text(NULL, "",
                      "{\"Locations\":{\"Location\":{\"LocationID\":4001,\"LocationType\":\"LOAD ZONE\","
                      "\"LocationName\":\".Z.MAINE\",\"AreaType\":\"INTERNAL\"}}}");
    assert_int_equal(iso_lab.result.kind, NORM_ISO_REFERENCE);
    assert_int_equal(iso_lab.n_places, 1);
    expect_place(0, NORM_ISO_ZONE, "4001", ".Z.MAINE", "", NULL);
    iso_lab_read_text("spp_load", "", "MarketHour, CSWS\n3/1/2026 7:00,4000\n");
    assert_int_equal(iso_lab.n_rows, 1);
    assert_int_equal(iso_lab.n_places, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_that_tells_its_market_is_not_taken_for_another),
        cmocka_unit_test(a_place_is_told_once_with_the_day_that_it_is_seen_on),
        cmocka_unit_test(places_of_constraints_and_lists_are_told_and_those_of_load_are_not),
    };
    return cmocka_run_group_tests(tests, iso_lab_start, iso_lab_stop);
}
