/* SPDX-License-Identifier: Apache-2.0
 *
 * What each operator does that others don't, on small documents written for these tests, and documents that
 * can't be read. The recorded ones are in test_norm_iso_corpus. */
#include "tests/support/iso_lab.h"
#include "tests/support/test_cmocka.h"

#include <stdlib.h>
#include <string.h>

#define NEAR(a, b) assert_true((a) - (b) < 1e-9 && (b) - (a) < 1e-9)

static void assert_adds_up(const struct norm_iso_row *row)
{
    NEAR(row->value, row->energy + row->congestion + row->loss);
}

/* ---- CAISO ---- */

#define CAISO_HEAD                                                                                           \
    "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,OPR_INTERVAL,NODE_ID_XML,NODE_ID,NODE,"         \
    "MARKET_RUN_ID,LMP_TYPE,XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS,"
#define CAISO_ROW(market, type, value, group)                                                                \
    "2025-11-02T09:00:00-00:00,2025-11-02T10:00:00-00:00,2025-11-02,25,0,TH_X,TH_X_GEN-APND,TH_X," market    \
    "," type ",ITEM,TH_X,ALL,0," value "," group "\n"

static void caiso_value_stands_in_mw_value_or_prc(void **state)
{
    static const struct {
        const char *feed;
        const char *text;
    } CASES[] = {
        {"caiso_da_lmp",
         CAISO_HEAD "MW,GROUP\n" CAISO_ROW("DAM", "MCC", "-1.5", "3") CAISO_ROW("DAM", "LMP", "30.25", "1")
             CAISO_ROW("DAM", "MCE", "32", "2") CAISO_ROW("DAM", "MCL", "-0.25", "4")},
        {"caiso_rt_lmp",
         CAISO_HEAD "VALUE,GROUP\n" CAISO_ROW("RTM", "LMP", "30.25", "1") CAISO_ROW("RTM", "MCE", "32", "2")
             CAISO_ROW("RTM", "MCC", "-1.5", "3") CAISO_ROW("RTM", "MCL", "-0.25", "4")},
        {"caiso_rtpd_lmp",
         CAISO_HEAD "PRC,GROUP\n" CAISO_ROW("RTPD", "LMP", "30.25", "1") CAISO_ROW("RTPD", "MCE", "32", "2")
             CAISO_ROW("RTPD", "MCC", "-1.5", "3") CAISO_ROW("RTPD", "MCL", "-0.25", "4")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        iso_lab_read_text(CASES[i].feed, "prices.csv", CASES[i].text);
        assert_int_equal(iso_lab.n_rows, 1);
        const struct norm_iso_row *row = &iso_lab.rows[0].row;
        NEAR(row->value, 30.25);
        NEAR(row->energy, 32);
        NEAR(row->congestion, -1.5);
        NEAR(row->loss, -0.25);
        assert_adds_up(row);
        assert_int_equal(row->location_type, NORM_ISO_HUB);
        assert_int_equal(row->start_s, iso_lab_utc("2025-11-02T09:00:00Z"));
    }
}

static void caiso_rows_that_differ_by_group_are_one_and_a_conflict_is_told(void **state)
{
    (void)state;
    iso_lab_read_text("caiso_da_lmp", "",
                      CAISO_HEAD "MW,GROUP\n" CAISO_ROW("DAM", "LMP", "30.25", "1")
                          CAISO_ROW("DAM", "LMP", "30.25", "2") CAISO_ROW("DAM", "LMP", "31", "3"));
    assert_int_equal(iso_lab.n_rows, 1);
    NEAR(iso_lab.rows[0].row.value, 30.25);
    assert_int_equal(iso_lab.result.n_repeated, 1);
    assert_int_equal(iso_lab.result.n_findings[NORM_ISO_CONFLICT], 1);
}

static void a_price_whose_parts_do_not_add_up_is_told_and_kept(void **state)
{
    (void)state;
    iso_lab_read_text("caiso_da_lmp", "",
                      CAISO_HEAD "MW,GROUP\n" CAISO_ROW("DAM", "LMP", "30.25", "1")
                          CAISO_ROW("DAM", "MCE", "32", "2") CAISO_ROW("DAM", "MCC", "0", "3")
                              CAISO_ROW("DAM", "MCL", "-0.25", "4"));
    assert_int_equal(iso_lab.n_rows, 1);
    assert_int_equal(iso_lab.result.n_findings[NORM_ISO_IDENTITY_BREACH], 1);
    assert_int_equal(iso_lab.n_anomalies, 1);
    assert_non_null(strstr(iso_lab.anomalies[0].text, "TH_X_GEN-APND"));
}

#define OASIS(body)                                                                                          \
    "<?xml version=\"1.0\"?><m:OASISReport xmlns:m=\"urn:x\"><m:MessagePayload><m:RTO>" body                 \
    "</m:RTO></m:MessagePayload></m:OASISReport>"

static void caiso_errors_are_known_also_in_a_zip(void **state)
{
    static const char NO_DATA[] = OASIS("<m:ERROR><m:ERR_CODE>1000</m:ERR_CODE></m:ERROR>");
    const char *name = "INVALID_REQUEST.xml";
    struct hr_bytes member = hr_bytes_of(NO_DATA, sizeof NO_DATA - 1);
    uint8_t zip[2048];
    (void)state;
    iso_lab_read("caiso_da_lmp", "", hr_bytes_of(zip, iso_lab_zip(&name, &member, 1, zip, sizeof zip)));
    assert_string_equal(iso_lab.result.form, "caiso_no_data");
    assert_int_equal(iso_lab.result.kind, NORM_ISO_NO_DATA);
    assert_int_equal(iso_lab.result.code, HR_OK);
    iso_lab_read_text("caiso_da_lmp", "",
                      "<html><p>Acceptable Use Policy Violation. Please retry</p></html>");
    assert_int_equal(iso_lab.result.kind, NORM_ISO_THROTTLED);
}

static void caiso_xml_reads_with_and_without_prefix(void **state)
{
    static const char *const TEXTS[] = {
        OASIS("<m:REPORT_ITEM><m:REPORT_HEADER><m:REPORT>ENE_SLRS</m:REPORT><m:MKT_TYPE>DAM</m:MKT_TYPE>"
              "</m:REPORT_HEADER><m:REPORT_DATA><m:DATA_ITEM>ISO_TOT_IMP_MW</m:DATA_ITEM>"
              "<m:RESOURCE_NAME>Caiso_Totals</m:RESOURCE_NAME>"
              "<m:INTERVAL_START_GMT>2013-09-19T20:00:00-00:00</m:INTERVAL_START_GMT>"
              "<m:INTERVAL_END_GMT>2013-09-19T21:00:00-00:00</m:INTERVAL_END_GMT>"
              "<m:VALUE> 7248 </m:VALUE></m:REPORT_DATA></m:REPORT_ITEM>"),
        "<OASISReport xmlns=\"urn:x\"><MessagePayload><RTO><REPORT_ITEM><REPORT_HEADER>"
        "<REPORT>ENE_SLRS</REPORT><MKT_TYPE>DAM</MKT_TYPE></REPORT_HEADER><REPORT_DATA>"
        "<DATA_ITEM>ISO_TOT_IMP_MW</DATA_ITEM><RESOURCE_NAME>Caiso_Totals</RESOURCE_NAME>"
        "<INTERVAL_START_GMT>2013-09-19T20:00:00-00:00</INTERVAL_START_GMT>"
        "<INTERVAL_END_GMT>2013-09-19T21:00:00-00:00</INTERVAL_END_GMT><VALUE>7248</VALUE>"
        "</REPORT_DATA></REPORT_ITEM></RTO></MessagePayload></OASISReport>"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        iso_lab_read_text("caiso_da_schedule", "", TEXTS[i]);
        assert_int_equal(iso_lab.n_rows, 1);
        assert_string_equal(iso_lab.rows[0].subject, "schedule.import");
        assert_string_equal(iso_lab.rows[0].market, "DAM");
        NEAR(iso_lab.rows[0].row.value, 7248);
    }
}

/* ---- NYISO ---- */

#define NYISO_HEAD                                                                                           \
    "Time Stamp,Name,PTID,LBMP ($/MWHr),Marginal Cost Losses ($/MWHr),Marginal Cost Congestion ($/MWHr)\n"

static void nyiso_congestion_is_turned_so_that_it_adds_up(void **state)
{
    (void)state;
    iso_lab_read_text("nyiso_da_lmp", "",
                      NYISO_HEAD "07/01/2025 12:00,LONGIL,61762,50.00,2.00,-8.00\n"
                                 "07/01/2025 12:00,NORTH,61755,30.00,-1.00,9.00\n");
    assert_int_equal(iso_lab.n_rows, 2);
    NEAR(iso_lab_at("61762")->congestion, 8);
    NEAR(iso_lab_at("61755")->congestion, -9);
    for (size_t i = 0; i < 2; i++) { /* one energy for all */
        NEAR(iso_lab.rows[i].row.energy, 40);
        assert_adds_up(&iso_lab.rows[i].row);
    }
}

static void nyiso_repeated_hour_is_told_by_the_order_of_a_location(void **state)
{
    /* By time, as the operator writes it; and by location. */
    static const char *const TEXTS[] = {
        NYISO_HEAD "11/02/2025 00:00,A,1,1,0,0\n11/02/2025 00:00,B,2,1,0,0\n11/02/2025 01:00,A,1,2,0,0\n"
                   "11/02/2025 01:00,B,2,2,0,0\n11/02/2025 01:00,A,1,3,0,0\n11/02/2025 01:00,B,2,3,0,0\n"
                   "11/02/2025 02:00,A,1,4,0,0\n11/02/2025 02:00,B,2,4,0,0\n",
        NYISO_HEAD "11/02/2025 00:00,A,1,1,0,0\n11/02/2025 01:00,A,1,2,0,0\n11/02/2025 01:00,A,1,3,0,0\n"
                   "11/02/2025 02:00,A,1,4,0,0\n11/02/2025 00:00,B,2,1,0,0\n11/02/2025 01:00,B,2,2,0,0\n"
                   "11/02/2025 01:00,B,2,3,0,0\n11/02/2025 02:00,B,2,4,0,0\n"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        iso_lab_read_text("nyiso_da_lmp", "", TEXTS[i]);
        assert_int_equal(iso_lab.n_rows, 8);
        for (size_t r = 0; r < 8; r++) { /* the price counts the hours since 04:00Z, from 1 */
            const struct norm_iso_row *row = &iso_lab.rows[r].row;
            int64_t hours = (row->start_s - iso_lab_utc("2025-11-02T04:00:00Z")) / 3600;
            NEAR(row->value, (double)hours + 1);
        }
    }
}

static void nyiso_real_time_files_print_the_end_of_an_interval(void **state)
{
    (void)state;
    iso_lab_read_text(NULL, "20250701realtime_zone.csv",
                      NYISO_HEAD "07/01/2025 12:05:00,A,61757,1,0,0\n07/01/2025 12:07:34,A,61757,1,0,0\n");
    assert_string_equal(iso_lab.result.feed->name, "nyiso_rt_lmp");
    assert_int_equal(iso_lab.rows[0].row.start_s, iso_lab_utc("2025-07-01T16:00:00Z"));
    assert_int_equal(iso_lab.rows[0].row.end_s, iso_lab_utc("2025-07-01T16:05:00Z"));
    assert_int_equal(iso_lab.rows[1].row.start_s, iso_lab_utc("2025-07-01T16:05:00Z"));
    assert_int_equal(iso_lab.rows[1].row.end_s, iso_lab_utc("2025-07-01T16:07:34Z"));
}

/* ---- ERCOT ---- */

#define ERCOT_HEAD "DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice,DSTFlag    \n"

static void ercot_flag_says_the_repeated_hour_and_not_daylight_time(void **state)
{
    (void)state;
    iso_lab_read_text("ercot_da_spp", "",
                      ERCOT_HEAD "07/01/2025,01:00,HB_X, 10,N\n"
                                 "11/02/2025,02:00,LZ_Y, 11,N\n"
                                 "11/02/2025,02:00,NODE_Z, 12,Y\n"
                                 "11/02/2025,24:00,NODE_W, 13,N\n");
    assert_int_equal(iso_lab.n_rows, 4);
    assert_int_equal(iso_lab_at("HB_X")->start_s, iso_lab_utc("2025-07-01T05:00:00Z"));
    assert_int_equal(iso_lab_at("LZ_Y")->start_s, iso_lab_utc("2025-11-02T06:00:00Z"));
    assert_int_equal(iso_lab_at("NODE_Z")->start_s, iso_lab_utc("2025-11-02T07:00:00Z"));
    assert_int_equal(iso_lab_at("NODE_W")->end_s, iso_lab_utc("2025-11-03T06:00:00Z"));
    assert_int_equal(iso_lab_at("HB_X")->location_type, NORM_ISO_HUB);
    assert_int_equal(iso_lab_at("LZ_Y")->location_type, NORM_ISO_ZONE);
}

static void ercot_hours_that_can_not_be_are_rejected_alone(void **state)
{
    (void)state;
    iso_lab_read_text("ercot_da_spp", "",
                      ERCOT_HEAD "03/08/2026,03:00,A,1,N\n" /* the hour that spring skips */
                                 "07/01/2025,02:00,A,1,Y\n" /* repeated in July */
                                 "11/02/2025,02:00,A,1,\n"  /* one of two, unsaid */
                                 "07/01/2025,25:00,A,1,N\n"
                                 "07/01/2025,01:00,A,x,N\n"
                                 "07/01/2025,01:00,A,1,N\n");
    assert_int_equal(iso_lab.n_rows, 1);
    assert_int_equal(iso_lab.result.n_rejected, 5);
    assert_int_equal(iso_lab.result.n_findings[NORM_ISO_BAD_TIME], 4);
    assert_int_equal(iso_lab.result.n_findings[NORM_ISO_BAD_NUMBER], 1);
    assert_int_equal(iso_lab.anomalies[4].record, 5);
    assert_string_equal(iso_lab.anomalies[4].text, "SettlementPointPrice: x");
}

static void ercot_quarters_are_parts_of_an_hour_ending(void **state)
{
    (void)state;
    iso_lab_read_text("ercot_rt_spp", "",
                      "DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,"
                      "SettlementPointPrice,DSTFlag\n11/02/2025,2,4,LZ_Y,LZ,5,Y\n");
    assert_int_equal(iso_lab.n_rows, 1);
    assert_int_equal(iso_lab.rows[0].row.start_s, iso_lab_utc("2025-11-02T07:45:00Z"));
    assert_int_equal(iso_lab.rows[0].row.end_s, iso_lab_utc("2025-11-02T08:00:00Z"));
}

static void ercot_rows_by_position_are_named_by_the_fields(void **state)
{
    (void)state;
    iso_lab_read_text(
        "ercot_da_spp", "",
        "{\"_meta\":{\"totalRecords\":1},\"fields\":[{\"name\":\"deliveryDate\"},{\"name\":\"hourEnding\"},"
        "{\"name\":\"settlementPoint\"},{\"name\":\"settlementPointPrice\"},{\"name\":\"DSTFlag\"}],"
        "\"data\":[[\"2025-11-02\",\"02:00\",\"HB_X\",48.25,true]]}");
    assert_int_equal(iso_lab.n_rows, 1);
    assert_int_equal(iso_lab.rows[0].row.start_s, iso_lab_utc("2025-11-02T07:00:00Z"));
}

/* ---- MISO ---- */

#define HOURS_OF(v) v "," v "," v "," v "," v "," v "," v "," v
#define DAY_OF(v)   HOURS_OF(v) "," HOURS_OF(v) "," HOURS_OF(v) "\n"

static void miso_energy_is_what_congestion_and_loss_leave(void **state)
{
    (void)state;
    iso_lab_read_text(
        "miso_da_lmp", "",
        "Day Ahead Market ExPost LMPs\n7/4/2026\n\n,,,All Hours-Ending are EST\n"
        "Node,Type,Value,HE 1,HE 2,HE 3,HE 4,HE 5,HE 6,HE 7,HE 8,HE 9,HE 10,HE 11,HE 12,HE 13,HE 14,"
        "HE 15,HE 16,HE 17,HE 18,HE 19,HE 20,HE 21,HE 22,HE 23,HE 24\n"
        "X.HUB,Hub,LMP," DAY_OF("30") "X.HUB,Hub,MCC," DAY_OF("-.37") "X.HUB,Hub,MLC," DAY_OF(".6"));
    assert_int_equal(iso_lab.n_rows, 24);
    for (size_t i = 0; i < 24; i++) {
        const struct norm_iso_row *row = &iso_lab.rows[i].row;
        NEAR(row->energy, 29.77);
        assert_adds_up(row);
        assert_true((row->has & NORM_ISO_ENERGY_DERIVED) != 0);
        /* EST in July too. */
        assert_int_equal(row->start_s, iso_lab_utc("2026-07-04T05:00:00Z") + (int64_t)i * 3600);
    }
    assert_int_equal(iso_lab.rows[0].row.location_type, NORM_ISO_HUB);
}

static void miso_numbers_are_strings_in_json_and_nothing_binding_is_no_data(void **state)
{
    (void)state;
    iso_lab_read_text("miso_rt_lmp", "",
                      "{\"headers\":[\"INTERVAL\",\"CPNODE\",\"LMP\",\"MLC\",\"MCC\"],"
                      "\"data\":[[\"2026-07-02T16:50:00\",\"MS.HUB\",\"37.84\",\"0.48\",\"2.86\"]]}");
    assert_int_equal(iso_lab.n_rows, 1);
    NEAR(iso_lab.rows[0].row.energy, 34.5);
    assert_int_equal(iso_lab.rows[0].row.start_s, iso_lab_utc("2026-07-02T21:50:00Z"));
    iso_lab_read_text(
        "miso_rt_constraint", "",
        "{\"RefId\":\"x\",\"Constraint\":[{\"Name\":\"None\",\"Period\":\"2026-10-02T16:30:00\","
        "\"Price\":\"None\"}]}");
    assert_int_equal(iso_lab.result.kind, NORM_ISO_NO_DATA);
}

/* ---- SPP ---- */

#define SPP_HEAD "Interval,GMTIntervalEnd,Settlement Location,Pnode,LMP,MLC,MCC,MEC\n"

static void spp_label_is_the_end_of_the_interval(void **state)
{
    (void)state;
    iso_lab_read_text("spp_rt_lmp", "RTBM-LMP-SL-202503310900.csv",
                      SPP_HEAD "03/31/2025 09:00:00,03/31/2025 14:00:00,SPPNORTH_HUB,P,28.5,-0.5,1,28\n");
    assert_int_equal(iso_lab.n_rows, 1);
    assert_int_equal(iso_lab.rows[0].row.start_s, iso_lab_utc("2025-03-31T13:55:00Z"));
    assert_int_equal(iso_lab.rows[0].row.end_s, iso_lab_utc("2025-03-31T14:00:00Z"));
    assert_int_equal(iso_lab.rows[0].row.location_type, NORM_ISO_HUB);
    assert_int_equal(iso_lab.n_anomalies, 0);
    /* The names of the columns in capitals, times without seconds and zeros, a balancing area. */
    iso_lab_read_text("spp_da_lmp", "DA-LMP-SL-202606040100.csv",
                      "INTERVAL,GMTINTERVALEND,BAA,SETTLEMENT_LOCATION,PNODE,LMP,MLC,MCC,MEC\n"
                      "6/4/2026 1:00,6/4/2026 6:00,SWPW,AVA,AVA,20.5,0,0.25,20.25\n");
    assert_int_equal(iso_lab.n_rows, 1);
    assert_int_equal(iso_lab.rows[0].row.start_s, iso_lab_utc("2026-06-04T05:00:00Z"));
    assert_non_null(strstr(iso_lab.rows[0].key, "/SWPW/node/AVA/"));
}

static void spp_file_with_d_is_of_the_repeated_hour(void **state)
{
    static const char SECOND[] = SPP_HEAD "11/03/2024 01:30:00,11/03/2024 07:30:00,A,A,1,0,0,1\n";
    static const char FIRST[] = SPP_HEAD "11/03/2024 01:30:00,11/03/2024 06:30:00,A,A,1,0,0,1\n";
    (void)state;
    iso_lab_read_text("spp_rt_lmp", "RTBM-LMP-SL-202411030130d.csv", SECOND);
    assert_int_equal(iso_lab.result.n_findings[NORM_ISO_NAME_MISMATCH], 0);
    assert_int_equal(iso_lab.rows[0].row.end_s, iso_lab_utc("2024-11-03T07:30:00Z"));
    iso_lab_read_text("spp_rt_lmp", "RTBM-LMP-SL-202411030130.csv", FIRST);
    assert_int_equal(iso_lab.result.n_findings[NORM_ISO_NAME_MISMATCH], 0);
    iso_lab_read_text("spp_rt_lmp", "RTBM-LMP-SL-202411030130.csv", SECOND);
    assert_int_equal(iso_lab.result.n_findings[NORM_ISO_NAME_MISMATCH], 1);
    assert_int_equal(iso_lab.n_rows, 1);
}

/* ---- PJM ---- */

static void pjm_zip_with_the_throttle_sentence_is_throttled(void **state)
{
    static const char SENTENCE[] =
        "x.csv file requested by this IP Address has not been updated since your last "
        "attempt (throttle 1800 seconds).\n";
    const char *name = "x.csv";
    struct hr_bytes member = hr_bytes_of(SENTENCE, sizeof SENTENCE - 1);
    uint8_t zip[1024];
    (void)state;
    iso_lab_read("pjm_da_lmp", "", hr_bytes_of(zip, iso_lab_zip(&name, &member, 1, zip, sizeof zip)));
    assert_string_equal(iso_lab.result.form, "pjm_throttled");
    assert_int_equal(iso_lab.result.kind, NORM_ISO_THROTTLED);
    assert_int_equal(iso_lab.n_rows, 0);
    assert_int_equal(iso_lab.n_anomalies, 0);
}

static void pjm_rows_that_are_not_current_are_dropped_and_versions_kept(void **state)
{
    (void)state;
    iso_lab_read_text(
        "pjm_da_lmp", "",
        "datetime_beginning_utc,datetime_beginning_ept,pnode_id,pnode_name,voltage,equipment,type,zone,"
        "system_energy_price_da,total_lmp_da,congestion_price_da,marginal_loss_price_da,"
        "row_is_current,version_nbr\n"
        "1/1/2025 5:00:00 PM,1/1/2025 12:00:00 PM,1,PJM-RTO,,,ZONE,,21,20.5,-0.75,0.25,False,1\n"
        "1/1/2025 5:00:00 PM,1/1/2025 12:00:00 PM,1,PJM-RTO,,,ZONE,,21,21.5,0.25,0.25,True,2\n");
    assert_int_equal(iso_lab.n_rows, 1);
    assert_int_equal(iso_lab.result.n_superseded, 1);
    NEAR(iso_lab.rows[0].row.value, 21.5);
    assert_int_equal(iso_lab.rows[0].row.version, 2);
    assert_int_equal(iso_lab.rows[0].row.start_s, iso_lab_utc("2025-01-01T17:00:00Z"));
}

/* ---- ISO-NE ---- */

#define ISONE_LMP(hour, offset)                                                                              \
    "{\"BeginDate\":\"2025-11-02T" hour ":00:00.000" offset                                                  \
    "\",\"Location\":{\"@LocId\":\"4000\",\"@LocType\":\"HUB\",\"$\":\".H.INTERNAL_HUB\"},\"LmpTotal\":32."  \
    "34,"                                                                                                    \
    "\"EnergyComponent\":32.04,\"CongestionComponent\":0,\"LossComponent\":0.3}"

static void isone_one_record_is_an_object_and_many_are_an_array(void **state)
{
    (void)state;
    iso_lab_read_text("isone_da_lmp", "", "{\"HourlyLmps\":{\"HourlyLmp\":" ISONE_LMP("00", "-04:00") "}}");
    assert_int_equal(iso_lab.n_rows, 1);
    iso_lab_read_text(
        "isone_da_lmp", "",
        "{\"HourlyLmps\":{\"HourlyLmp\":[" ISONE_LMP("01", "-04:00") "," ISONE_LMP("01", "-05:00") "]}}");
    assert_int_equal(iso_lab.n_rows, 2);
    assert_int_equal(iso_lab.rows[0].row.start_s, iso_lab_utc("2025-11-02T05:00:00Z"));
    assert_int_equal(iso_lab.rows[1].row.start_s, iso_lab_utc("2025-11-02T06:00:00Z"));
    assert_int_equal(iso_lab.rows[0].row.location_type, NORM_ISO_HUB);
    iso_lab_read_text("isone_da_lmp", "", "{\"HourlyLmps\":{\"HourlyLmp\":\"\"}}");
    assert_int_equal(iso_lab.result.code, HR_OK);
    assert_int_equal(iso_lab.n_rows, 0);
    iso_lab_read_text("isone_da_lmp", "", "{\"HourlyLmp\":" ISONE_LMP("00", "-04:00") "}");
    assert_int_equal(iso_lab.n_rows, 1);
}

static void isone_csv_marks_the_repeated_hour_with_x(void **state)
{
    (void)state;
    iso_lab_read_text(
        "isone_da_lmp", "",
        "\"C\",\"Day-Ahead Energy Market Hourly LMP Report\"\n"
        "\"H\",\"Date\",\"Hour Ending\",\"Location ID\",\"Location Name\",\"Location Type\","
        "\"Locational Marginal Price\",\"Energy Component\",\"Congestion Component\","
        "\"Marginal Loss Component\"\n"
        "\"H\",\"Date\",\"HE\",\"String\",\"String\",\"String\",\"Number\",\"Number\",\"Number\",\"Number\"\n"
        "\"D\",\"11/02/2025\",\"02\",\"321\",\"UN.A\",\"NETWORK NODE\",27.93,27.75,0.0,0.18\n"
        "\"D\",\"11/02/2025\",\"02X\",\"322\",\"UN.B\",\"NETWORK NODE\",27.93,27.75,0.0,0.18\n"
        "\"T\",\"2\"\n");
    assert_int_equal(iso_lab.n_rows, 2);
    assert_int_equal(iso_lab.result.n_records, 2);
    assert_int_equal(iso_lab_at("321")->start_s, iso_lab_utc("2025-11-02T05:00:00Z"));
    assert_int_equal(iso_lab_at("322")->start_s, iso_lab_utc("2025-11-02T06:00:00Z"));
}

/* ---- identity and revisions ---- */

static void a_key_names_the_observation_and_not_its_value(void **state)
{
    char first[NORM_ISO_KEY_CHARS];
    (void)state;
    iso_lab_read_text("spp_rt_lmp", "", SPP_HEAD "x,03/31/2025 14:00:00,A,P,28.5,-0.5,1,28\n");
    memcpy(first, iso_lab.rows[0].key, sizeof first);
    uint64_t content = norm_iso_content(&iso_lab.rows[0].row);
    assert_string_equal(first, "spp/rt_lmp/RTBM/energy/price//node/A//2025-03-31T13:55:00Z/5");
    iso_lab_read_text("spp_rt_lmp", "", SPP_HEAD "x,03/31/2025 14:00:00,A,P,29.5,0.5,1,28\n");
    assert_string_equal(first, iso_lab.rows[0].key);
    uint64_t corrected = norm_iso_content(&iso_lab.rows[0].row);
    assert_true(content != corrected && content != 0);
    uint32_t revision = 9;
    assert_int_equal(norm_iso_revise(0, 0, content, &revision), NORM_ISO_NEW);
    assert_int_equal(revision, 0);
    assert_int_equal(norm_iso_revise(content, revision, content, &revision), NORM_ISO_SAME);
    assert_int_equal(revision, 0);
    assert_int_equal(norm_iso_revise(content, revision, corrected, &revision), NORM_ISO_CORRECTED);
    assert_int_equal(revision, 1);
}

static void a_key_of_long_names_still_tells_them_apart(void **state)
{
    char names[2][400];
    char keys[2][NORM_ISO_KEY_CHARS];
    struct norm_iso_row row = {
        .feed = norm_iso_feed_of(hr_bytes_of("spp_rt_lmp", 10)), .subject = "energy", .curve_role = ""};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        memset(names[i], 'x', sizeof names[i]);
        names[i][399] = (char)('a' + i);
        row.location_id = hr_bytes_of(names[i], sizeof names[i]);
        norm_iso_key(&row, keys[i]);
        assert_int_equal(strlen(keys[i]), NORM_ISO_KEY_CHARS - 1);
    }
    assert_string_not_equal(keys[0], keys[1]);
}

static void each_feed_has_a_name_of_its_own(void **state)
{
    size_t n = 0;
    const struct norm_iso_feed *feeds = norm_iso_feeds(&n);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(norm_iso_feed_of(hr_bytes_of(feeds[i].name, strlen(feeds[i].name))), &feeds[i]);
        const char *code = norm_iso_code(feeds[i].iso);
        assert_memory_equal(feeds[i].name, code, strlen(code));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caiso_value_stands_in_mw_value_or_prc),
        cmocka_unit_test(caiso_rows_that_differ_by_group_are_one_and_a_conflict_is_told),
        cmocka_unit_test(a_price_whose_parts_do_not_add_up_is_told_and_kept),
        cmocka_unit_test(caiso_errors_are_known_also_in_a_zip),
        cmocka_unit_test(caiso_xml_reads_with_and_without_prefix),
        cmocka_unit_test(nyiso_congestion_is_turned_so_that_it_adds_up),
        cmocka_unit_test(nyiso_repeated_hour_is_told_by_the_order_of_a_location),
        cmocka_unit_test(nyiso_real_time_files_print_the_end_of_an_interval),
        cmocka_unit_test(ercot_flag_says_the_repeated_hour_and_not_daylight_time),
        cmocka_unit_test(ercot_hours_that_can_not_be_are_rejected_alone),
        cmocka_unit_test(ercot_quarters_are_parts_of_an_hour_ending),
        cmocka_unit_test(ercot_rows_by_position_are_named_by_the_fields),
        cmocka_unit_test(miso_energy_is_what_congestion_and_loss_leave),
        cmocka_unit_test(miso_numbers_are_strings_in_json_and_nothing_binding_is_no_data),
        cmocka_unit_test(spp_label_is_the_end_of_the_interval),
        cmocka_unit_test(spp_file_with_d_is_of_the_repeated_hour),
        cmocka_unit_test(pjm_zip_with_the_throttle_sentence_is_throttled),
        cmocka_unit_test(pjm_rows_that_are_not_current_are_dropped_and_versions_kept),
        cmocka_unit_test(isone_one_record_is_an_object_and_many_are_an_array),
        cmocka_unit_test(isone_csv_marks_the_repeated_hour_with_x),
        cmocka_unit_test(a_key_names_the_observation_and_not_its_value),
        cmocka_unit_test(a_key_of_long_names_still_tells_them_apart),
        cmocka_unit_test(each_feed_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, iso_lab_start, iso_lab_stop);
}
