/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator's messages. The expected sentences are from the air, with the values that gpsdecode and pyais
 * read in them (corpus: gpsd sample.aivdm, ais-18-27.log, AisLib stream_example.txt). */
#include "firmware/taps/ais/tap_ais.h"
#include "tests/support/test_cmocka.h"
#include "tools/cli/ais_encode.h"
#include "tools/cli/sim_fleet.h"

#include <stdio.h>
#include <string.h>

/* Prints the message as by talker and channel of the expected sentences, sequence id `sequence`, and
 * compares. */
static void assert_sentences(struct edge_ais *ais, const char *talker, char channel, uint8_t sequence,
                             const char *expected)
{
    char printed[3 * TAP_AIS_SENTENCE_MAX_BYTES];
    size_t len = 0;
    memcpy(ais->talker, talker, 2);
    ais->channel = channel;
    for (uint8_t part = 1; part <= tap_ais_parts(ais); part++) {
        len += tap_ais_print(ais, part, sequence, printed + len);
    }
    assert_string_equal(printed, expected);
}

static void positions_of_class_a_are_the_bits_of_real_ones(void **state)
{
    (void)state;
    struct edge_ais ais = {0};
    cli_ais_encode_position(&(struct cli_ais_position){.mmsi = 371798000,
                                                       .type = 1,
                                                       .rot = -127,
                                                       .sog_tenth_kn = 123,
                                                       .accurate = true,
                                                       .longitude_1_600000_deg = -74037230,
                                                       .latitude_1_600000_deg = 29028980,
                                                       .cog_tenth_deg = 2240,
                                                       .heading_deg = 215,
                                                       .second = 33,
                                                       .radio = 34017},
                            &ais);
    assert_sentences(&ais, "AI", 'A', 0, "!AIVDM,1,1,,A,15RTgt0PAso;90TKcjM8h6g208CQ,0*4A\r\n");
    cli_ais_encode_position(&(struct cli_ais_position){.mmsi = 563808000,
                                                       .type = 3,
                                                       .status = 5,
                                                       .accurate = true,
                                                       .longitude_1_600000_deg = -45796520,
                                                       .latitude_1_600000_deg = 22146000,
                                                       .cog_tenth_deg = 2520,
                                                       .heading_deg = 352,
                                                       .second = 35},
                            &ais);
    assert_sentences(&ais, "AI", 'A', 0, "!AIVDM,1,1,,A,38Id705000rRVJhE7cl9n;160000,0*40\r\n");
}

static void positions_of_class_b_and_long_range_are_the_bits_of_real_ones(void **state)
{
    (void)state;
    struct edge_ais ais = {0};
    cli_ais_encode_position(&(struct cli_ais_position){.mmsi = 338087471,
                                                       .type = 18,
                                                       .sog_tenth_kn = 1,
                                                       .longitude_1_600000_deg = -44443279,
                                                       .latitude_1_600000_deg = 24410724,
                                                       .cog_tenth_deg = 796,
                                                       .heading_deg = 511,
                                                       .second = 49,
                                                       .raim = true,
                                                       .radio = 917510},
                            &ais);
    assert_sentences(&ais, "AI", 'A', 0, "!AIVDM,1,1,,A,B52K>;h00Fc>jpUlNV@ikwpUoP06,0*4C\r\n");
    /* Off the air with the bit "not the present position" set, which is the last but one: 'r' for 'p'. */
    cli_ais_encode_position(&(struct cli_ais_position){.mmsi = 230108610,
                                                       .type = 27,
                                                       .sog_tenth_kn = 12,
                                                       .longitude_1_600000_deg = 14978400,
                                                       .latitude_1_600000_deg = 36097600,
                                                       .cog_tenth_deg = 304},
                            &ais);
    assert_sentences(&ais, "AI", 'A', 0, "!AIVDM,1,1,,A,K3KLehP0rPTJ10Qp,0*28\r\n");
}

static void statics_are_the_bits_of_real_ones(void **state)
{
    (void)state;
    struct edge_ais ais = {0};
    cli_ais_encode_static(&(struct cli_ais_static){.mmsi = 351759000,
                                                   .imo = 9134270,
                                                   .callsign = "3FOF8  ",
                                                   .name = "EVER DIADEM         ",
                                                   .destination = "NEW YORK            ",
                                                   .ship_type = 70,
                                                   .to_bow_m = 225,
                                                   .to_stern_m = 70,
                                                   .to_port_m = 1,
                                                   .to_starboard_m = 31,
                                                   .epfd = 1,
                                                   .eta_month = 5,
                                                   .eta_day = 15,
                                                   .eta_hour = 14,
                                                   .draught_tenth_m = 122},
                          &ais);
    assert_sentences(&ais, "AI", 'A', 1,
                     "!AIVDM,2,1,1,A,55?MbV02;H;s<HtKR20EHE:0@T4@Dn2222222216L961O5Gf0NSQEp6ClRp8,0*1C\r\n"
                     "!AIVDM,2,2,1,A,88888888880,2*25\r\n");
    cli_ais_encode_part_a(&(struct cli_ais_static){.mmsi = 271041511, .name = "TRIPPIN"}, &ais);
    assert_sentences(&ais, "AI", 'A', 0, "!AIVDM,1,1,,A,H42O3qiA8U10Tp0000000000000,2*37\r\n");
    cli_ais_encode_part_b(&(struct cli_ais_static){.mmsi = 271041815,
                                                   .callsign = "TC6163",
                                                   .vendor = "1D0",
                                                   .unit_model = 12,
                                                   .serial = 199796,
                                                   .ship_type = 60,
                                                   .to_stern_m = 15,
                                                   .to_starboard_m = 5},
                          &ais);
    assert_sentences(&ais, "AI", 'A', 0, "!AIVDM,1,1,,A,H42O55lti4hhhilD3nink000?050,0*40\r\n");
}

static void base_stations_and_buoys_are_the_bits_of_real_ones(void **state)
{
    (void)state;
    struct edge_ais ais = {0};
    cli_ais_encode_base(&(struct cli_ais_base){.mmsi = 3669702,
                                               .year = 2007,
                                               .month = 5,
                                               .day = 14,
                                               .hour = 19,
                                               .minute = 57,
                                               .second = 39,
                                               .accurate = true,
                                               .longitude_1_600000_deg = -45811417,
                                               .latitude_1_600000_deg = 22130260,
                                               .epfd = 7,
                                               .radio = 67039},
                        &ais);
    assert_sentences(&ais, "AI", 'A', 0, "!AIVDM,1,1,,A,403OviQuMGCqWrRO9>E6fE700@GO,0*4D\r\n");
    cli_ais_encode_aid(&(struct cli_ais_aid){.mmsi = 992501072,
                                             .aid_type = 21,
                                             .name = "BORE ROCKS          ",
                                             .longitude_1_600000_deg = -3918117,
                                             .latitude_1_600000_deg = 31260892,
                                             .radius_m = 2,
                                             .epfd = 1,
                                             .second = 11,
                                             .regional = 228},
                       &ais);
    assert_sentences(&ais, "BS", 'B', 0,
                     "!BSVDM,1,1,,B,E>jQMD:Q7a2h97QUah@@@@@@@@@?i3KK>r0KP20@@@Uf@0,4*56\r\n");
}

static void note_type(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    (void)uptime_ms;
    ((uint32_t *)ctx)[ais->payload[0] >> 2]++;
}

static void a_fleet_says_the_same_again_and_nothing_the_tap_objects_to(void **state)
{
    (void)state;
    enum { MESSAGES = 50000, VESSELS = 500 };
    static const uint8_t TYPE[] = {1, 3, 4, 5, 18, 21, 24, 27};
    uint32_t n_of_type[64] = {0};
    static struct tap_ais tap;
    static struct tap_ais_stream stream;
    tap_ais_init(&tap, &(struct tap_ais_config){0}, &(struct tap_ais_sink){note_type, n_of_type});
    tap_ais_stream_init(&stream, 0);
    struct cli_fleet *one = cli_fleet_new(VESSELS, 7);
    struct cli_fleet *two = cli_fleet_new(VESSELS, 7);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct edge_ais said;
        struct edge_ais again;
        char line[TAP_AIS_SENTENCE_MAX_BYTES];
        cli_fleet_next(one, i * 0.02, &said);
        cli_fleet_next(two, i * 0.02, &again);
        assert_memory_equal(&said, &again, sizeof said);
        for (uint8_t part = 1; part <= tap_ais_parts(&said); part++) {
            size_t len = tap_ais_print(&said, part, (uint8_t)(i % 10), line);
            assert_true(len <= 82);
            tap_ais_feed(&tap, &stream, hr_bytes_of(line, len), i);
        }
    }
    cli_fleet_free(one);
    cli_fleet_free(two);
    uint32_t n_of_those = 0;
    for (size_t i = 0; i < sizeof TYPE; i++) {
        assert_true(n_of_type[TYPE[i]] > 0);
        n_of_those += n_of_type[TYPE[i]];
    }
    assert_int_equal(n_of_those, MESSAGES);
    for (size_t i = TAP_AIS_MESSAGES + 1; i < TAP_AIS_N_COUNTERS; i++) {
        assert_int_equal(tap.counter[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_of_class_a_are_the_bits_of_real_ones),
        cmocka_unit_test(positions_of_class_b_and_long_range_are_the_bits_of_real_ones),
        cmocka_unit_test(statics_are_the_bits_of_real_ones),
        cmocka_unit_test(base_stations_and_buoys_are_the_bits_of_real_ones),
        cmocka_unit_test(a_fleet_says_the_same_again_and_nothing_the_tap_objects_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
