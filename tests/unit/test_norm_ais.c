/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/ais/layout.h"
#include "proto/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The event of one message, copied out of the emit call: texts point into `texts`. */
struct seen {
    struct norm_ais ais;
    struct norm_value values[AIS_FIELD_COUNT];
    char texts[4096];
    size_t texts_bytes;
    char key[32];
    uint32_t n_events;
};

static void event_keep(void *ctx, const struct norm_event *event)
{
    struct seen *seen = ctx;

    seen->n_events++;
    seen->texts_bytes = 0;
    for (uint16_t i = 0; i < event->schema->n_fields; i++) {
        seen->values[i] = event->values[i];
        if (event->schema->fields[i].type == NORM_STRING && !event->values[i].is_null) {
            struct hr_bytes text = event->values[i].as.bytes;

            memcpy(seen->texts + seen->texts_bytes, text.data, text.len_bytes);
            seen->values[i].as.bytes = hr_bytes_of(seen->texts + seen->texts_bytes, text.len_bytes);
            seen->texts_bytes += text.len_bytes;
        }
    }
    memcpy(seen->key, event->key.data, event->key.len_bytes);
    seen->key[event->key.len_bytes] = '\0';
}

static void record_take(struct seen *seen, const struct edge_record *record)
{
    const struct ledger_batch batch = {.device_id = 0xAB, .received_utc_ms = 1700000000000};
    const struct norm_input input = {.batch = &batch, .tenant = "t"};
    const struct norm_emit emit = {event_keep, seen};

    norm_ais_init(&seen->ais);
    seen->n_events = 0;
    assert_true(seen->ais.normalizer.takes(record->kind));
    seen->ais.normalizer.record(seen->ais.normalizer.ctx, &input, record, 0, &emit);
    assert_int_equal(seen->n_events, 1);
}

/* An AIS record of an armored payload. */
static struct edge_record record_of(const char *armored, uint8_t fill_bits)
{
    struct edge_record record = {.kind = EDGE_AIS,
                                 .as.ais = {.channel = 'A', .talker = {'A', 'I'}, .fill_bits = fill_bits}};
    struct edge_ais *ais = &record.as.ais;

    for (; armored[ais->payload_chars] != '\0'; ais->payload_chars++) {
        unsigned character = (unsigned char)armored[ais->payload_chars];
        unsigned six = character - 48u > 40u ? character - 56u : character - 48u;

        for (unsigned bit = 0; bit < 6; bit++) {
            unsigned at = 6u * ais->payload_chars + bit;

            if (six >> (5 - bit) & 1) {
                ais->payload[at / 8] |= (uint8_t)(0x80u >> (at % 8));
            }
        }
    }
    return record;
}

static void take(struct seen *seen, const char *armored, uint8_t fill_bits)
{
    struct edge_record record = record_of(armored, fill_bits);

    record_take(seen, &record);
}

/* Overwrites bits of a message, to make values that no corpus has. */
static void bits_set(struct edge_record *record, uint32_t at, uint32_t len_bits, uint32_t value)
{
    for (uint32_t i = 0; i < len_bits; i++) {
        uint8_t mask = (uint8_t)(0x80u >> ((at + i) % 8));
        uint8_t *byte = &record->as.ais.payload[(at + i) / 8];

        *byte = (uint8_t)(value >> (len_bits - 1 - i) & 1 ? *byte | mask : *byte & ~mask);
    }
}

static void text_is(const struct seen *seen, enum norm_ais_field field, const char *text)
{
    assert_false(seen->values[field].is_null);
    assert_int_equal(seen->values[field].as.bytes.len_bytes, strlen(text));
    assert_memory_equal(seen->values[field].as.bytes.data, text, strlen(text));
}

static void long_is(const struct seen *seen, enum norm_ais_field field, int64_t number)
{
    assert_false(seen->values[field].is_null);
    assert_int_equal(seen->values[field].as.number, number);
}

static void real_is(const struct seen *seen, enum norm_ais_field field, double real)
{
    assert_false(seen->values[field].is_null);
    assert_memory_equal(&seen->values[field].as.real, &real, sizeof(real));
}

static void flag_is(const struct seen *seen, enum norm_ais_field field, bool flag)
{
    assert_false(seen->values[field].is_null);
    assert_int_equal(seen->values[field].as.flag, flag);
}

static void null_is(const struct seen *seen, enum norm_ais_field field)
{
    assert_true(seen->values[field].is_null);
}

/* The vectors and what is in them are from gpsd's test/sample.aivdm and its comments, as decoded there. */

static void class_a_position_has_units_and_the_mmsi_is_the_key(void **state)
{
    (void)state;
    struct seen seen;

    take(&seen, "15RTgt0PAso;90TKcjM8h6g208CQ", 0);

    text_is(&seen, AIS_DECODE_STATUS, "ok");
    long_is(&seen, AIS_MESSAGE_TYPE, 1);
    long_is(&seen, AIS_MMSI, 371798000);
    assert_string_equal(seen.key, "371798000");
    long_is(&seen, AIS_NAV_STATUS, 0);
    long_is(&seen, AIS_ROT_INDICATOR, -127);
    null_is(&seen, AIS_ROT_DEG_MIN);
    real_is(&seen, AIS_SOG_KN, 12.3);
    flag_is(&seen, AIS_POSITION_ACCURATE, true);
    real_is(&seen, AIS_LONGITUDE_DEG, -74037230 / 600000.0);
    real_is(&seen, AIS_LATITUDE_DEG, 29028980 / 600000.0);
    real_is(&seen, AIS_COG_DEG, 224.0);
    long_is(&seen, AIS_HEADING_DEG, 215);
    long_is(&seen, AIS_UTC_SECOND, 33);
    null_is(&seen, AIS_TIME_STAMP_MODE);
    null_is(&seen, AIS_MANEUVER);
    flag_is(&seen, AIS_RAIM, false);
    long_is(&seen, AIS_COMM_STATE, 34017);
    null_is(&seen, AIS_VESSEL_NAME);
    text_is(&seen, AIS_PAYLOAD, "15RTgt0PAso;90TKcjM8h6g208CQ");
    long_is(&seen, AIS_INVALID_FIELDS, 0);
}

static void rate_of_turn_is_the_square_of_its_indicator(void **state)
{
    (void)state;
    struct edge_record record = record_of("15RTgt0PAso;90TKcjM8h6g208CQ", 0);
    static struct seen seen;
    double root = 126 / 4.733;

    bits_set(&record, 42, 8, 126);
    record_take(&seen, &record);
    real_is(&seen, AIS_ROT_DEG_MIN, root * root);
    bits_set(&record, 42, 8, (uint8_t)-126);
    record_take(&seen, &record);
    real_is(&seen, AIS_ROT_DEG_MIN, -(root * root));
    bits_set(&record, 42, 8, 0);
    record_take(&seen, &record);
    real_is(&seen, AIS_ROT_DEG_MIN, 0.0);
    bits_set(&record, 42, 8, 0x80);
    record_take(&seen, &record);
    null_is(&seen, AIS_ROT_INDICATOR);
    null_is(&seen, AIS_ROT_DEG_MIN);
}

/* Field, its bits in message 1, and a raw value. */
struct raw_case {
    enum norm_ais_field field;
    uint32_t at;
    uint32_t len_bits;
    uint32_t raw;
};

static void values_not_available_are_null_and_not_counted(void **state)
{
    static const struct raw_case cases[] = {
        {AIS_SOG_KN, 50, 10, 1023},
        {AIS_LONGITUDE_DEG, 61, 28, 108600000},
        {AIS_LATITUDE_DEG, 89, 27, 54600000},
        {AIS_COG_DEG, 116, 12, 3600},
        {AIS_HEADING_DEG, 128, 9, 511},
        {AIS_UTC_SECOND, 137, 6, 60},
        {AIS_MANEUVER, 143, 2, 0},
    };
    static struct seen seen;

    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct edge_record record = record_of("15RTgt0PAso;90TKcjM8h6g208CQ", 0);

        bits_set(&record, cases[i].at, cases[i].len_bits, cases[i].raw);
        record_take(&seen, &record);
        null_is(&seen, cases[i].field);
        long_is(&seen, AIS_INVALID_FIELDS, 0);
    }
}

static void values_out_of_range_are_null_and_counted(void **state)
{
    static const struct raw_case cases[] = {
        {AIS_LONGITUDE_DEG, 61, 28, 108000001}, {AIS_LONGITUDE_DEG, 61, 28, (uint32_t)-108000001 & 0xFFFFFFF},
        {AIS_LATITUDE_DEG, 89, 27, 54000001},   {AIS_COG_DEG, 116, 12, 3601},
        {AIS_HEADING_DEG, 128, 9, 360},         {AIS_MANEUVER, 143, 2, 3},
    };
    static struct seen seen;

    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct edge_record record = record_of("15RTgt0PAso;90TKcjM8h6g208CQ", 0);

        bits_set(&record, cases[i].at, cases[i].len_bits, cases[i].raw);
        record_take(&seen, &record);
        null_is(&seen, cases[i].field);
        long_is(&seen, AIS_INVALID_FIELDS, 1);
        assert_int_equal(atomic_load(&seen.ais.counters.invalid_fields), 1);
    }
}

static void values_at_the_edge_of_their_range_stay(void **state)
{
    (void)state;
    struct edge_record record = record_of("15RTgt0PAso;90TKcjM8h6g208CQ", 0);
    static struct seen seen;

    bits_set(&record, 50, 10, 1022);
    bits_set(&record, 61, 28, (uint32_t)-108000000 & 0xFFFFFFF);
    bits_set(&record, 89, 27, 54000000);
    bits_set(&record, 116, 12, 3599);
    bits_set(&record, 128, 9, 359);
    bits_set(&record, 137, 6, 63);
    record_take(&seen, &record);
    real_is(&seen, AIS_SOG_KN, 102.2);
    real_is(&seen, AIS_LONGITUDE_DEG, -180.0);
    real_is(&seen, AIS_LATITUDE_DEG, 90.0);
    real_is(&seen, AIS_COG_DEG, 359.9);
    long_is(&seen, AIS_HEADING_DEG, 359);
    null_is(&seen, AIS_UTC_SECOND);
    long_is(&seen, AIS_TIME_STAMP_MODE, 63);
}

static void base_station_time_is_utc_and_dates_that_cannot_be_are_invalid(void **state)
{
    /* gpsd's ais-nmea corpus: 2010-06-11T11:46:11Z is 1276256771. */
    struct edge_record record = record_of("402=481uaUcf;OQ55JS9ITi025Jp", 0);
    static struct seen seen;

    (void)state;
    record_take(&seen, &record);
    long_is(&seen, AIS_MMSI, 2311200);
    assert_string_equal(seen.key, "002311200");
    long_is(&seen, AIS_STATION_TIME, INT64_C(1276256771000000));
    long_is(&seen, AIS_EPFD, 1);

    bits_set(&record, 52, 4, 2); /* February */
    bits_set(&record, 56, 5, 29);
    record_take(&seen, &record);
    null_is(&seen, AIS_STATION_TIME);
    long_is(&seen, AIS_INVALID_FIELDS, 1);

    bits_set(&record, 38, 14, 2000); /* a leap year: 951824771 is 2000-02-29T11:46:11Z */
    record_take(&seen, &record);
    long_is(&seen, AIS_STATION_TIME, INT64_C(951824771000000));

    bits_set(&record, 61, 5, 24);
    record_take(&seen, &record);
    null_is(&seen, AIS_STATION_TIME);
    long_is(&seen, AIS_INVALID_FIELDS, 0);
}

static void static_data_has_trimmed_texts_and_null_for_zero(void **state)
{
    (void)state;
    /* gpsd's daemon/ais-nmea.log: 371255000, SEA ENTERPRISE. */
    struct seen seen;

    take(&seen, "55R3Vn82=ILTQ3KKS>1<D60Dq@E918U<F222221J1`?164vc03S1CCAD`88888888888880", 2);

    text_is(&seen, AIS_DECODE_STATUS, "ok");
    long_is(&seen, AIS_IMO_NUMBER, 9266633);
    text_is(&seen, AIS_CALLSIGN, "HP6683");
    text_is(&seen, AIS_VESSEL_NAME, "SEA ENTERPRISE");
    text_is(&seen, AIS_DESTINATION, "LEMMER");
    long_is(&seen, AIS_SHIP_TYPE, 90);
    long_is(&seen, AIS_TO_BOW_M, 13);
    long_is(&seen, AIS_TO_STARBOARD_M, 6);
    real_is(&seen, AIS_DRAUGHT_M, 1.4);
    long_is(&seen, AIS_ETA_MONTH, 3);
    long_is(&seen, AIS_ETA_MINUTE, 0);
    flag_is(&seen, AIS_DTE_READY, true);

    struct edge_record record =
        record_of("55R3Vn82=ILTQ3KKS>1<D60Dq@E918U<F222221J1`?164vc03S1CCAD`88888888888880", 2);
    static struct seen empty;

    bits_set(&record, 40, 30, 0);  /* IMO number */
    bits_set(&record, 70, 32, 0);  /* call sign, first characters '@' */
    bits_set(&record, 240, 30, 0); /* dimensions */
    bits_set(&record, 274, 4, 13); /* a month that isn't */
    bits_set(&record, 283, 5, 24); /* hour not available */
    record_take(&empty, &record);
    null_is(&empty, AIS_IMO_NUMBER);
    null_is(&empty, AIS_CALLSIGN);
    null_is(&empty, AIS_TO_BOW_M);
    null_is(&empty, AIS_TO_STARBOARD_M);
    null_is(&empty, AIS_ETA_MONTH);
    null_is(&empty, AIS_ETA_HOUR);
    long_is(&empty, AIS_INVALID_FIELDS, 1);

    bits_set(&record, 264, 6, 5); /* one dimension given: zeros are zeros */
    record_take(&empty, &record);
    long_is(&empty, AIS_TO_BOW_M, 0);
    long_is(&empty, AIS_TO_STARBOARD_M, 5);
}

static void the_other_position_reports_decode(void **state)
{
    (void)state;
    struct seen aircraft;

    take(&aircraft, "91b77=h3h00nHt0Q3r@@07000<0b", 0);

    long_is(&aircraft, AIS_ALTITUDE_M, 15);
    real_is(&aircraft, AIS_SOG_KN, 0.0);
    real_is(&aircraft, AIS_LATITUDE_DEG, 34667073 / 600000.0);
    flag_is(&aircraft, AIS_DTE_READY, true);

    struct seen class_b;

    take(&class_b, "B4vph:00@@:Smf8@H1mJGwV5oP06", 0);

    long_is(&class_b, AIS_MMSI, 334377000);
    real_is(&class_b, AIS_SOG_KN, 6.5);
    flag_is(&class_b, AIS_CARRIER_SENSE_UNIT, true);
    flag_is(&class_b, AIS_HAS_DISPLAY, false);
    flag_is(&class_b, AIS_ACCEPTS_MESSAGE_22, true);
    long_is(&class_b, AIS_COMM_STATE_SELECTOR, 1);
    long_is(&class_b, AIS_COMM_STATE, 917510 & 0x7FFFF);

    struct seen extended;

    take(&extended, "C5N3SRgPEnJGEBT>NhWAwwo862PaLELTBJ:V00000000S0D:R220", 0);

    text_is(&extended, AIS_VESSEL_NAME, "CAPT.J.RIMES");
    real_is(&extended, AIS_COG_DEG, 335.9);
    long_is(&extended, AIS_TO_STERN_M, 21);
    flag_is(&extended, AIS_ASSIGNED_MODE, false);

    struct seen long_range;

    take(&long_range, "K3KLehP0rPTJ10Qr", 0);

    text_is(&long_range, AIS_DECODE_STATUS, "ok");
    real_is(&long_range, AIS_LONGITUDE_DEG, 14978 / 600.0);
    real_is(&long_range, AIS_SOG_KN, 1.0);
    real_is(&long_range, AIS_COG_DEG, 30.0);
    flag_is(&long_range, AIS_POSITION_LATENCY, true);
}

static void an_aids_name_goes_on_in_its_extension(void **state)
{
    (void)state;
    struct seen seen;

    take(&seen, "E>q7CQL`bPW@=47bh;PW@Jh40Wh4?n8P76BG020@@@RWHQ1CQp1U@0", 0);

    long_is(&seen, AIS_MESSAGE_TYPE, 21);
    text_is(&seen, AIS_AID_NAME, "QUAN ZHOU WAN 5 HAO DENG FU");

    /* A name that ends before its 20 characters has no extension, whatever stands there. */
    take(&seen, "E>jFJfjW2Tab@87TW:0000000@@OhMeL@KLqH00003wP100000000000000<", 0);
    text_is(&seen, AIS_AID_NAME, "NEIST POINT");
}

static void static_data_of_class_b_comes_in_two_parts(void **state)
{
    (void)state;
    struct seen part_b;

    take(&part_b, "H3@w7l4N>?B4C?0?GG=0004H8440", 0);

    long_is(&part_b, AIS_PART_NUMBER, 1);
    long_is(&part_b, AIS_SHIP_TYPE, 30);
    text_is(&part_b, AIS_VENDOR_ID, "NOR");
    long_is(&part_b, AIS_UNIT_MODEL, 1);
    long_is(&part_b, AIS_UNIT_SERIAL, 78784);
    text_is(&part_b, AIS_CALLSIGN, "OWWM");
    long_is(&part_b, AIS_TO_BOW_M, 35);
    null_is(&part_b, AIS_MOTHERSHIP_MMSI);
    null_is(&part_b, AIS_VESSEL_NAME);

    struct edge_record craft = record_of("H3@w7l4N>?B4C?0?GG=0004H8440", 0);
    static struct seen seen;

    bits_set(&craft, 8, 30, 982191380); /* an auxiliary craft */
    bits_set(&craft, 132, 30, 219138000);
    record_take(&seen, &craft);
    long_is(&seen, AIS_MOTHERSHIP_MMSI, 219138000);
    null_is(&seen, AIS_TO_BOW_M);

    bits_set(&craft, 38, 2, 2); /* a part that the standard doesn't have */
    record_take(&seen, &craft);
    text_is(&seen, AIS_DECODE_STATUS, "kept");
    null_is(&seen, AIS_SHIP_TYPE);
}

static void lengths_decide_how_much_is_decoded(void **state)
{
    static const char position[] = "15RTgt0PAso;90TKcjM8h6g208CQ";
    static const struct {
        uint16_t chars;
        uint8_t fill_bits;
        const char *status;
        bool has_latitude;
        bool has_comm_state;
    } cases[] = {
        {28, 0, "ok", true, true},          {28, 5, "short", true, false},
        {25, 1, "short", true, false},      {25, 2, "bad_length", false, false},
        {7, 4, "bad_length", false, false}, {7, 5, "no_header", false, false},
        {1, 5, "no_header", false, false},
    };
    static struct seen seen;

    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct edge_record record = record_of(position, cases[i].fill_bits);

        record.as.ais.payload_chars = cases[i].chars;
        record_take(&seen, &record);
        text_is(&seen, AIS_DECODE_STATUS, cases[i].status);
        assert_int_equal(!seen.values[AIS_LATITUDE_DEG].is_null, cases[i].has_latitude);
        assert_int_equal(!seen.values[AIS_COMM_STATE].is_null, cases[i].has_comm_state);
        assert_int_equal(seen.values[AIS_PAYLOAD].as.bytes.len_bytes, cases[i].chars);
        assert_memory_equal(seen.values[AIS_PAYLOAD].as.bytes.data, position, cases[i].chars);
    }
    assert_string_equal(seen.key, "00000000000000ab");

    /* A receiver that appends 36 bits of its own (9 of 1,000 messages of the live feed). */
    take(&seen, "13n@oD0PB@0IRqvQj@W;EppH088t19uvPT", 0);
    text_is(&seen, AIS_DECODE_STATUS, "long");
    assert_false(seen.values[AIS_LATITUDE_DEG].is_null);
}

static void types_that_are_not_decoded_keep_header_and_payload(void **state)
{
    (void)state;
    struct seen seen;

    take(&seen, "601uEO@oWh>0048100", 4);

    text_is(&seen, AIS_DECODE_STATUS, "kept");
    long_is(&seen, AIS_MESSAGE_TYPE, 6);
    long_is(&seen, AIS_MMSI, 2053501);
    text_is(&seen, AIS_PAYLOAD, "601uEO@oWh>0048100");
    long_is(&seen, AIS_FILL_BITS, 4);
    for (uint32_t field = AIS_NAV_STATUS; field < AIS_FIELD_COUNT; field++) {
        assert_true(seen.values[field].is_null);
    }
    assert_int_equal(atomic_load(&seen.ais.counters.by_status[NORM_AIS_KEPT]), 1);
    assert_int_equal(atomic_load(&seen.ais.counters.by_type[6]), 1);
}

static void every_layout_stays_inside_its_message_and_names_each_field_once(void **state)
{
    (void)state;
    uint32_t n_layouts = 0;

    for (uint32_t type = 0; type <= NORM_AIS_MAX_TYPE; type++) {
        for (uint32_t part = 0; part < 4; part++) {
            const struct layout *layout = norm_ais_layout(type, part);
            bool named[AIS_FIELD_COUNT] = {false};
            uint32_t end_bits = 38;

            if (layout == NULL) {
                continue;
            }
            n_layouts++;
            for (uint16_t i = 0; i < layout->n_rows; i++) {
                const struct layout_row *row = &layout->rows[i];

                assert_false(named[row->field]);
                named[row->field] = true;
                assert_true(row->at >= end_bits);
                end_bits = (uint32_t)row->at + row->len_bits;
            }
            assert_int_equal(end_bits, layout->full_bits);
            assert_true(layout->min_bits <= layout->full_bits && layout->full_bits <= layout->longest_bits);
        }
    }
    /* 11 types with one layout for every part number, and 24 with two. */
    assert_int_equal(n_layouts, 11 * 4 + 2);
}

static void the_sentence_and_its_tag_block_are_told(void **state)
{
    (void)state;
    struct edge_record record = record_of("15RTgt0PAso;90TKcjM8h6g208CQ", 0);
    static struct seen seen;

    record_take(&seen, &record);
    null_is(&seen, AIS_STATION);
    null_is(&seen, AIS_SOURCE_TIME);

    record.as.ais.channel = 0;
    record.as.ais.own_ship = true;
    memcpy(record.as.ais.talker, "BS", 2);
    memcpy(record.as.ais.station, "r3669963", 9);
    record.as.ais.source_time_ms = 1428537660000;
    record_take(&seen, &record);
    null_is(&seen, AIS_CHANNEL);
    text_is(&seen, AIS_TALKER, "BS");
    flag_is(&seen, AIS_OWN_SHIP, true);
    text_is(&seen, AIS_STATION, "r3669963");
    long_is(&seen, AIS_SOURCE_TIME, INT64_C(1428537660000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_a_position_has_units_and_the_mmsi_is_the_key),
        cmocka_unit_test(rate_of_turn_is_the_square_of_its_indicator),
        cmocka_unit_test(values_not_available_are_null_and_not_counted),
        cmocka_unit_test(values_out_of_range_are_null_and_counted),
        cmocka_unit_test(values_at_the_edge_of_their_range_stay),
        cmocka_unit_test(base_station_time_is_utc_and_dates_that_cannot_be_are_invalid),
        cmocka_unit_test(static_data_has_trimmed_texts_and_null_for_zero),
        cmocka_unit_test(the_other_position_reports_decode),
        cmocka_unit_test(an_aids_name_goes_on_in_its_extension),
        cmocka_unit_test(static_data_of_class_b_comes_in_two_parts),
        cmocka_unit_test(lengths_decide_how_much_is_decoded),
        cmocka_unit_test(types_that_are_not_decoded_keep_header_and_payload),
        cmocka_unit_test(every_layout_stays_inside_its_message_and_names_each_field_once),
        cmocka_unit_test(the_sentence_and_its_tag_block_are_told),
    };

    return cmocka_run_group_tests_name("norm_ais", tests, NULL, NULL);
}
