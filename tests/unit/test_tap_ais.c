/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/tap_listener.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct listener t;

static void feed(size_t stream, const char *text)
{
    listener_feed(&t, stream, text, strlen(text), SIZE_MAX);
}

/* "!BODY*hh\n" */
static const char *sentence(const char *body)
{
    static char text[LISTENER_LINE_MAX + 8];
    unsigned sum = 0;
    for (const char *at = body; *at != '\0'; at++) {
        sum ^= (unsigned char)*at;
    }
    (void)snprintf(text, sizeof text, "!%s*%02X\n", body, sum);
    return text;
}

#define PAYLOAD "13HOI:0P0000VOHLCnHQKwvL05Ip"

static void lines_are_taken_up_to_the_longest_and_longer_ones_dropped_whole(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 1100; piece += 31) {
        for (size_t len = TAP_AIS_LINE_MAX_BYTES - 1; len <= TAP_AIS_LINE_MAX_BYTES + 1; len++) {
            char line[3 * TAP_AIS_LINE_MAX_BYTES];
            const char *good = sentence("AIVDM,1,1,,A," PAYLOAD ",0");
            size_t good_len = strlen(good);
            listener_start(&t);
            memset(line, 'x', sizeof line);
            memcpy(line + len - (good_len - 1), good, good_len); /* ends at len, and LF */
            listener_feed(&t, 0, line, len + 1, piece);
            assert_int_equal(t.n_heard, len <= TAP_AIS_LINE_MAX_BYTES);
            assert_int_equal(listener_count(&t, "line_too_long"), len > TAP_AIS_LINE_MAX_BYTES);
            /* However long it gets, it is one line, and the next is good again. */
            size_t before = t.n_heard;
            memset(line, '!', sizeof line);
            listener_feed(&t, 0, line, sizeof line, piece);
            listener_feed(&t, 0, good, good_len, piece);
            assert_int_equal(t.n_heard, before);
            assert_int_equal(listener_count(&t, "line_too_long"), (len > TAP_AIS_LINE_MAX_BYTES) + 1);
            listener_feed(&t, 0, good, good_len, piece);
            assert_int_equal(t.n_heard, before + 1);
        }
    }
}

static void feed_part(unsigned total, unsigned number, unsigned n_chars, unsigned fill)
{
    char body[LISTENER_LINE_MAX];
    int at = snprintf(body, sizeof body, "AIVDM,%u,%u,3,A,", total, number);
    memset(body + at, 'w', n_chars);
    (void)snprintf(body + at + n_chars, sizeof body - (size_t)at - n_chars, ",%u", fill);
    feed(0, sentence(body));
}

#if TAP_AIS_LINE_MAX_BYTES >= 640
static void a_message_of_560_characters_may_stand_in_one_sentence(void **state)
{
    (void)state;
    listener_start(&t);
    feed_part(1, 1, 560, 0);
    assert_int_equal(t.last.payload_chars, 560);
    assert_int_equal(t.last.payload[EDGE_AIS_PAYLOAD_MAX_BYTES - 1], 0xFF);
    feed_part(1, 1, 561, 0);
    feed_part(2, 1, 561, 0);
    assert_int_equal(t.n_heard, 1);
    assert_int_equal(listener_count(&t, "oversize_message"), 2);
}
#endif

static void messages_of_560_characters_are_taken_and_longer_ones_counted(void **state)
{
    (void)state;
    listener_start(&t);
    for (unsigned i = 1; i <= 9; i++) {
        feed_part(9, i, i == 9 ? 64 : 62, 0);
    }
    assert_int_equal(t.last.payload_chars, 560);
    assert_int_equal(t.last.payload[EDGE_AIS_PAYLOAD_MAX_BYTES - 1], 0xFF);
    assert_int_equal(t.n_heard, 1);
    for (unsigned i = 1; i <= 9; i++) {
        feed_part(9, i, i == 9 ? 65 : 62, 0);
    }
    assert_int_equal(t.n_heard, 1);
    assert_int_equal(listener_count(&t, "oversize_message"), 1);
}

static void feed_open_message(unsigned sequence, char channel, unsigned number)
{
    char body[LISTENER_LINE_MAX];
    (void)snprintf(body, sizeof body, "AIVDM,2,%u,%u,%c," PAYLOAD ",0", number, sequence, channel);
    feed(0, sentence(body));
}

static void the_oldest_incomplete_message_makes_room_when_all_places_are_taken(void **state)
{
    (void)state;
    listener_start(&t);
    for (unsigned i = 0; i <= TAP_AIS_ASSEMBLIES; i++) {
        feed_open_message(i % 10, (char)('A' + i / 10), 1);
        t.uptime_ms++;
    }
    assert_int_equal(listener_count(&t, "assembly_evicted"), 1);
    for (unsigned i = 0; i <= TAP_AIS_ASSEMBLIES; i++) {
        feed_open_message(i % 10, (char)('A' + i / 10), 2);
    }
    assert_int_equal(t.n_heard, TAP_AIS_ASSEMBLIES);
    assert_int_equal(listener_count(&t, "part_out_of_order"), 1);
}

static void streams_mix_neither_half_lines_nor_parts(void **state)
{
    (void)state;
    listener_start(&t);
    char line[LISTENER_LINE_MAX + 8];
    (void)snprintf(line, sizeof line, "%s", sentence("AIVDM,1,1,,A," PAYLOAD ",0"));
    listener_feed(&t, 0, line, 20, SIZE_MAX);
    feed(1, line);
    assert_int_equal(t.n_heard, 1);
    feed(0, line + 20);
    assert_int_equal(t.n_heard, 2);

    feed(0, sentence("AIVDM,2,1,5,A," PAYLOAD ",0"));
    feed(1, sentence("AIVDM,2,2,5,A," PAYLOAD ",0"));
    assert_int_equal(t.n_heard, 2);
    assert_int_equal(listener_count(&t, "part_out_of_order"), 1);
    tap_ais_end_stream(&t.tap, &t.stream[1], t.uptime_ms);
    feed(0, sentence("AIVDM,2,2,5,A," PAYLOAD ",0"));
    assert_int_equal(t.n_heard, 3);
}

#define OTHER_SHIP   "133sVfPP00PD>hRMDH@jNOvN20S8"
#define SAME_SHIP    "13HOI:0P0000VOHLCnHQKwvL05It"
#define SHIP_STATICS "53HOI:02;H;s<HtKR20EHE:0@T4@Dn2222222216L961O5Gf0NSQEp6ClRp8"

static void feed_payload(size_t stream, const char *payload)
{
    char body[LISTENER_LINE_MAX];
    (void)snprintf(body, sizeof body, "AIVDM,1,1,,%c,%s,0", stream == 0 ? 'A' : 'B', payload);
    feed(stream, sentence(body));
}

static void a_payload_is_delivered_once_in_the_duplicate_window(void **state)
{
    (void)state;
    struct tap_ais_seen seen[64];
    listener_start_with(&t, &(struct tap_ais_config){.duplicates = {10000, 64, seen}});
    feed_payload(0, PAYLOAD);
    feed_payload(1, PAYLOAD);
    feed_payload(0, SAME_SHIP);
    assert_int_equal(t.n_heard, 2);
    t.uptime_ms += 9999;
    feed_payload(0, PAYLOAD);
    assert_int_equal(t.n_heard, 2);
    assert_int_equal(listener_count(&t, "suppressed_duplicate"), 2);
    t.uptime_ms += 1;
    feed_payload(0, PAYLOAD);
    assert_int_equal(t.n_heard, 3);
    assert_int_equal(listener_count(&t, "messages"), 3);
    assert_int_equal(listener_count(&t, "sentences"), 5);
}

static void one_position_of_each_vessel_passes_in_the_interval_and_statics_always(void **state)
{
    (void)state;
    struct tap_ais_seen seen[64];
    listener_start_with(&t, &(struct tap_ais_config){.downsample = {60000, 64, seen}});
    feed_payload(0, PAYLOAD);
    feed_payload(0, SAME_SHIP);
    feed_payload(0, OTHER_SHIP);
    assert_int_equal(t.n_heard, 2);
    feed_payload(0, SHIP_STATICS);
    feed_payload(0, SHIP_STATICS);
    feed_payload(0, "1"); /* too short to say whose it is */
    feed_payload(0, "1");
    assert_int_equal(t.n_heard, 6);
    assert_int_equal(listener_count(&t, "suppressed_downsampled"), 1);
    t.uptime_ms += 60000;
    feed_payload(0, SAME_SHIP);
    assert_int_equal(t.n_heard, 7);
}

/* A type 1, 18 or 27 report of the MMSI, seven characters of it. */
static void feed_position(unsigned type, uint32_t mmsi)
{
    char payload[8];
    uint64_t bits = (uint64_t)type << 36 | (uint64_t)mmsi << 4;
    for (int i = 0; i < 7; i++) {
        unsigned value = (unsigned)(bits >> (36 - 6 * i)) & 63;
        payload[i] = (char)(value < 40 ? value + 48 : value + 56);
    }
    payload[7] = '\0';
    feed_payload(0, payload);
}

static void a_full_filter_lets_through_and_never_drops_what_is_new(void **state)
{
    (void)state;
    enum { VESSELS = 300 };
    static const unsigned TYPE[] = {1, 2, 3, 18, 19, 27};
    struct tap_ais_seen seen[64];
    listener_start_with(&t, &(struct tap_ais_config){.downsample = {60000, 64, seen}});
    for (uint32_t i = 0; i < VESSELS; i++) {
        feed_position(TYPE[i % 6], 200000000 + i);
    }
    assert_int_equal(t.n_heard, VESSELS);
    uint64_t n_full = listener_count(&t, "filter_table_full");
    assert_true(n_full >= VESSELS - 64 && n_full < VESSELS);
    for (uint32_t i = 0; i < VESSELS; i++) {
        feed_position(TYPE[i % 6], 200000000 + i);
    }
    assert_int_equal(listener_count(&t, "suppressed_downsampled"), VESSELS - n_full);
    assert_int_equal(t.n_heard, VESSELS + n_full);
}

static void init_with_five_places(void *ctx)
{
    static struct tap_ais_seen seen[5];
    (void)ctx;
    listener_start_with(&t, &(struct tap_ais_config){.duplicates = {1000, 5, seen}});
}

static void a_filter_of_a_wrong_size_is_a_bug_of_the_caller(void **state)
{
    (void)state;
    assert_true(test_asserts(init_with_five_places, NULL));
}

static void print_all(const struct edge_ais *ais, uint8_t sequence, char *out)
{
    *out = '\0';
    for (uint8_t part = 1; part <= tap_ais_parts(ais); part++) {
        size_t len = tap_ais_print(ais, part, sequence, out);
        assert_int_equal(len, strlen(out));
        assert_true(len < TAP_AIS_SENTENCE_MAX_BYTES);
        out += len;
    }
}

static void a_message_is_printed_as_it_came(void **state)
{
    (void)state;
    static const char *const LINES[] = {
        "!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0*23\r\n",
        "!AIVDM,1,1,,B,?3oL?R0p<6I0D00,2*12\r\n",
        "!AIVDM,1,1,,,13bmr472@v0?j?JMh0@<TIjh0000,0*79\r\n",
        "!BSVDM,1,1,,B,13@nia0P000nVrtO>Pc;s?vJ287G,0*05\r\n",
        "!AIVDO,1,1,,B,13`kvwO005wJnb0Lfo:@7P8F05`L,0*5B\r\n",
        ("!AIVDM,2,1,1,A,55?MbV02;H;s<HtKR20EHE:0@T4@Dn2222222216L961O5Gf0NSQEp6ClRp8,0*1C\r\n"
         "!AIVDM,2,2,1,A,88888888880,2*25\r\n"),
    };
    char printed[LISTENER_LINE_MAX];
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++) {
        listener_start(&t);
        feed(0, LINES[i]);
        assert_int_equal(t.n_heard, 1);
        print_all(&t.last, 1, printed);
        assert_string_equal(printed, LINES[i]);
    }
}

static void messages_of_every_length_come_back_from_their_print(void **state)
{
    (void)state;
    char printed[LISTENER_LINE_MAX];
    for (uint16_t chars = 1; chars <= 560; chars++) {
        struct edge_ais ais = {.payload_chars = chars, .fill_bits = (uint8_t)(chars % 6), .channel = 'B'};
        memcpy(ais.talker, "SA", 2);
        for (size_t i = 0; i < (chars * 6U + 7) / 8; i++) {
            ais.payload[i] = (uint8_t)(i * 151 + chars);
        }
        size_t pad_bits = (8 - chars * 6U % 8) % 8;
        uint8_t *last = &ais.payload[(chars * 6U + 7) / 8 - 1];
        *last = (uint8_t)(*last >> pad_bits << pad_bits);
        listener_start(&t);
        print_all(&ais, 7, printed);
        feed(0, printed);
        assert_int_equal(t.n_heard, 1);
        assert_int_equal(t.last.payload_chars, chars);
        assert_int_equal(t.last.fill_bits, ais.fill_bits);
        assert_memory_equal(t.last.payload, ais.payload, (chars * 6U + 7) / 8);
        assert_int_equal(listener_count(&t, "sentences"), tap_ais_parts(&ais));
    }
}

static void the_stats_are_a_record_that_encodes(void **state)
{
    (void)state;
    listener_start(&t);
    feed_payload(0, PAYLOAD);
    struct edge_record record = {.kind = EDGE_STATS};
    uint8_t bytes[EDGE_RECORD_MAX_BYTES];
    size_t len = 0;
    for (size_t i = 0; i < TAP_AIS_N_COUNTERS; i++) {
        t.tap.counter[i] = UINT64_MAX; /* the longest encoding */
    }
    tap_ais_stats(&t.tap, &record.as.stats);
    assert_string_equal(record.as.stats.source, "ais");
    assert_int_equal(record.as.stats.n_counters, TAP_AIS_N_COUNTERS);
    assert_true(hr_is_ok(edge_record_encode(&record, bytes, sizeof bytes, &len)));
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void a_damaged_line_gives_nothing_or_what_was_sent(void **state)
{
    (void)state;
    enum { ROUNDS = 100000 };
    static const char BYTES[] = "!\\,*$#\r\n0AV";
    const char *env = getenv("HEADRACE_SEED");
    uint32_t seed = env != NULL ? (uint32_t)strtoul(env, NULL, 0) : 20261121;
    print_message("seed %u\n", seed);
    listener_start(&t);
    feed_payload(0, PAYLOAD);
    char good[LISTENER_TEXT_MAX];
    (void)snprintf(good, sizeof good, "%s", t.heard[0]);
    size_t n_good = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char line[LISTENER_LINE_MAX + 8];
        (void)snprintf(line, sizeof line, "%s", sentence("AIVDM,1,1,,A," PAYLOAD ",0"));
        /* One changed byte is what an 8-bit XOR always finds. */
        size_t at = next_random(&seed) % (strlen(line) - 1);
        line[at] = BYTES[next_random(&seed) % (sizeof BYTES - 1)];
        t.n_heard = 0;
        feed(0, line);
        tap_ais_end_line(&t.tap, &t.stream[0], t.uptime_ms);
        for (size_t i = 0; i < t.n_heard; i++) {
            assert_string_equal(t.heard[i], good);
            n_good++;
        }
    }
    assert_true(n_good > 0 && n_good < ROUNDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_taken_up_to_the_longest_and_longer_ones_dropped_whole),
#if TAP_AIS_LINE_MAX_BYTES >= 640
        cmocka_unit_test(a_message_of_560_characters_may_stand_in_one_sentence),
#endif
        cmocka_unit_test(messages_of_560_characters_are_taken_and_longer_ones_counted),
        cmocka_unit_test(the_oldest_incomplete_message_makes_room_when_all_places_are_taken),
        cmocka_unit_test(streams_mix_neither_half_lines_nor_parts),
        cmocka_unit_test(a_payload_is_delivered_once_in_the_duplicate_window),
        cmocka_unit_test(one_position_of_each_vessel_passes_in_the_interval_and_statics_always),
        cmocka_unit_test(a_full_filter_lets_through_and_never_drops_what_is_new),
        cmocka_unit_test(a_filter_of_a_wrong_size_is_a_bug_of_the_caller),
        cmocka_unit_test(a_message_is_printed_as_it_came),
        cmocka_unit_test(messages_of_every_length_come_back_from_their_print),
        cmocka_unit_test(the_stats_are_a_record_that_encodes),
        cmocka_unit_test(a_damaged_line_gives_nothing_or_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
