/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/edge/internal.h"
#include "proto/edge/record.h"
#include "tests/support/edge_made.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_vectors.h"

#include <string.h>

static void count_up(uint8_t *out, size_t len_bytes, uint8_t from)
{
    for (size_t i = 0; i < len_bytes; i++) {
        out[i] = (uint8_t)(from + i);
    }
}

static struct edge_record ais_record(uint32_t dt_ms, uint16_t payload_chars, char channel, uint8_t from)
{
    struct edge_record record = {.dt_ms = dt_ms, .kind = EDGE_AIS};
    record.as.ais.payload_chars = payload_chars;
    record.as.ais.channel = channel;
    memcpy(record.as.ais.talker, "AI", 2);
    count_up(record.as.ais.payload, payload_chars * 6u / 8u, from);
    return record;
}

static struct edge_record ais_static(void)
{
    struct edge_record record = ais_record(1, 71, 'A', 9);
    record.as.ais.payload[53] = 0xC0;
    record.as.ais.fill_bits = 2;
    return record;
}

static struct edge_record ais_base_station(void)
{
    struct edge_record record = ais_record(300, 2, '\0', 0);
    memcpy(record.as.ais.payload, "\x44\xC0", 2);
    memcpy(record.as.ais.talker, "BS", 2);
    record.as.ais.own_ship = true;
    return record;
}

static struct edge_record ais_tag_block(void)
{
    struct edge_record record = ais_record(128, 28, 'B', 1);
    record.as.ais.source_time_ms = 1700000000123;
    memcpy(record.as.ais.station, "r003669945", sizeof "r003669945");
    return record;
}

static struct edge_record document(void)
{
    struct edge_record record = {.dt_ms = 7, .kind = EDGE_DOCUMENT};
    record.as.document = (struct edge_document){
        .document_id = 9,
        .feed = "caiso.rt.lmp",
        .request = "https://example.test/q?a=1",
        .http_status = 200,
        .etag = "\"x1\"",
        .last_modified = "Sat, 21 Nov 2026 00:00:00 GMT",
        .len_bytes = 70000,
        .n_chunks = 69,
        .encoding = 1,
        .window_start_ms = 1700000000000,
        .window_end_ms = 1700000300000,
    };
    count_up(record.as.document.sha256, 32, 1);
    return record;
}

static struct edge_record chunk(void)
{
    struct edge_record record = {.kind = EDGE_CHUNK};
    record.as.chunk = (struct edge_chunk){.document_id = 9, .index = 68, .len_bytes = 40};
    count_up(record.as.chunk.data, 40, 0);
    return record;
}

static struct edge_record key_switch(void)
{
    struct edge_record record = {.kind = EDGE_KEY_SWITCH};
    record.as.key_switch = (struct edge_key_switch){.from_epoch = 1, .to_epoch = 2, .switch_seq = 77};
    count_up(record.as.key_switch.spki, 91, 0x30);
    count_up(record.as.key_switch.proof, 64, 0x80);
    return record;
}

static struct edge_record loss(void)
{
    struct edge_record record = {.kind = EDGE_LOSS};
    record.as.loss = (struct edge_loss){.from_seq = 10,
                                        .to_seq = 19,
                                        .first_record_seq = 281474976710655,
                                        .n_records = 310,
                                        .reason = EDGE_LOSS_OVERFLOW};
    count_up(record.as.loss.last_digest, 32, 0xA0);
    return record;
}

static struct edge_record stats(void)
{
    struct edge_record record = {.dt_ms = 60000, .kind = EDGE_STATS};
    record.as.stats =
        (struct edge_stats){.source = "ais",
                            .n_counters = 3,
                            .counter = {{"sentences", 123456789}, {"bad_checksum", 0}, {"max", UINT64_MAX}}};
    return record;
}

static struct edge_record channel_of_register_map(void)
{
    struct edge_record record = {.kind = EDGE_CHANNEL};
    record.as.channel = (struct edge_channel){.channel = 1,
                                              .device = "pump",
                                              .point = "state",
                                              .kind = EDGE_CHANNEL_ENUMERATION,
                                              .symbols = "0=off;1=on"};
    return record;
}

static struct edge_record samples_all_good(void)
{
    struct edge_record record = {.dt_ms = 250, .kind = EDGE_SAMPLES};
    record.as.samples = (struct edge_samples){.first_channel = 1, .n_values = 4, .value = {0, 1, 230, -6000}};
    return record;
}

/* Every record of tests/vectors/edge_records.txt, which protoc wrote. */
static size_t vector_records(const char *names[32], struct edge_record records[32])
{
    size_t n = 0;
    const struct {
        const char *name;
        struct edge_record record;
    } table[] = {
        {"ais_position_channel_a", ais_record(100, 28, 'A', 4)},
        {"ais_position_channel_b_late", ais_record(UINT32_MAX, 28, 'B', 0x70)},
        {"ais_at_batch_base", ais_record(0, 4, 'A', 1)},
        {"ais_static_with_fill", ais_static()},
        {"ais_no_channel_base_station_own_ship", ais_base_station()},
        {"ais_with_tag_block", ais_tag_block()},
        {"sample_negative", {.dt_ms = 5, .kind = EDGE_SAMPLE, .as.sample = {40001, -123456789012, 3}}},
        {"document", document()},
        {"document_no_answer",
         {.kind = EDGE_DOCUMENT,
          .as.document = {.document_id = 10, .feed = "f", .error = "connection refused"}}},
        {"chunk", chunk()},
        {"time_anchor",
         {.dt_ms = 2, .kind = EDGE_TIME_ANCHOR, .as.time_anchor = {7, 3600000, 1763693100000, 12, 1}}},
        {"key_switch", key_switch()},
        {"loss", loss()},
        {"boot", {.kind = EDGE_BOOT, .as.boot = {8, EDGE_BOOT_UNCLEAN, "0.1.0+g1234567", 2, 12}}},
        {"stats", stats()},
        {"event",
         {.kind = EDGE_EVENT,
          .as.event = {4, "horloge d\xC3\xA9r\xC3\xA9gl\xC3\xA9"
                          "e"}}},
        {"channel", made_channel()},
        {"channel_of_register_map", channel_of_register_map()},
        {"samples_with_holes", made_samples_with_holes()},
        {"samples_all_good", samples_all_good()},
    };
    for (; n < HR_ARRAY_LEN(table); n++) {
        names[n] = table[n].name;
        records[n] = table[n].record;
    }
    return n;
}

static void every_kind_has_the_bytes_that_protoc_writes_in_both_directions(void **state)
{
    (void)state;
    const char *names[32];
    struct edge_record records[32];
    size_t n_records = vector_records(names, records);
    assert_int_equal(n_records, 20);
    for (size_t i = 0; i < n_records; i++) {
        uint8_t expected[EDGE_RECORD_MAX_BYTES];
        uint8_t bytes[EDGE_RECORD_MAX_BYTES];
        size_t expected_len =
            test_vector("tests/vectors/edge_records.txt", names[i], expected, sizeof expected);
        size_t len_bytes = 0;
        assert_ok(edge_record_encode(&records[i], bytes, sizeof bytes, &len_bytes));
        assert_int_equal(len_bytes, expected_len);
        assert_memory_equal(bytes, expected, len_bytes);

        /* Encoding is one-to-one and was just checked, so equal bytes after decoding are equal fields. */
        struct edge_record read;
        assert_ok(edge_record_decode(hr_bytes_of(expected, expected_len), &read));
        assert_int_equal(read.kind, records[i].kind);
        assert_int_equal(read.dt_ms, records[i].dt_ms);
        memset(bytes, 0, sizeof bytes);
        assert_ok(edge_record_encode(&read, bytes, sizeof bytes, &len_bytes));
        assert_int_equal(len_bytes, expected_len);
        assert_memory_equal(bytes, expected, len_bytes);
    }
}

static void decoded_ais_fields_are_those_of_the_sentence(void **state)
{
    (void)state;
    uint8_t bytes[EDGE_RECORD_MAX_BYTES];
    size_t len_bytes =
        test_vector("tests/vectors/edge_records.txt", "ais_with_tag_block", bytes, sizeof bytes);
    struct edge_record read;
    memset(&read, 0xEE, sizeof read);
    assert_ok(edge_record_decode(hr_bytes_of(bytes, len_bytes), &read));
    struct edge_ais expected = ais_tag_block().as.ais;
    assert_int_equal(read.as.ais.payload_chars, 28);
    assert_memory_equal(read.as.ais.payload, expected.payload, sizeof expected.payload);
    assert_int_equal(read.as.ais.fill_bits, 0);
    assert_int_equal(read.as.ais.channel, 'B');
    assert_memory_equal(read.as.ais.talker, "AI", 2);
    assert_false(read.as.ais.own_ship);
    assert_true(read.as.ais.source_time_ms == 1700000000123);
    assert_string_equal(read.as.ais.station, "r003669945");
}

static void position_report_costs_two_bytes_more_than_its_bits_and_its_time(void **state)
{
    (void)state;
    struct edge_record record = ais_record(127, 28, 'A', 0);
    uint8_t bytes[64];
    size_t len_bytes = 0;
    assert_ok(edge_record_encode(&record, bytes, sizeof bytes, &len_bytes));
    assert_int_equal(len_bytes, 2 + 23);
    record.dt_ms = 5000;
    assert_ok(edge_record_encode(&record, bytes, sizeof bytes, &len_bytes));
    assert_int_equal(len_bytes, 3 + 23);
    /* With its length prefix a position seconds into a batch takes 27 bytes, so 31 fit beside the 172 of the
     * prefix. */
    assert_true(172 + 31 * (1 + len_bytes) <= 1024);
}

static void each_departure_from_the_common_shape_takes_the_long_form(void **state)
{
    (void)state;
    struct edge_record other[7];
    for (size_t i = 0; i < HR_ARRAY_LEN(other); i++) {
        other[i] = ais_record(0, 28, 'A', 4);
    }
    other[0].as.ais.channel = '1';
    other[1].as.ais.talker[0] = 'B';
    other[2].as.ais.own_ship = true;
    other[3].as.ais.fill_bits = 1;
    other[4].as.ais.source_time_ms = 1;
    other[5].as.ais.station[0] = 's';
    other[6] = ais_record(0, 27, 'A', 0);
    for (size_t i = 0; i < HR_ARRAY_LEN(other); i++) {
        uint8_t bytes[64];
        size_t len_bytes = 0;
        assert_ok(edge_record_encode(&other[i], bytes, sizeof bytes, &len_bytes));
        assert_int_equal(bytes[0], 4 << 3 | 2);
    }
}

static void record_that_does_not_fit_leaves_the_length_alone(void **state)
{
    (void)state;
    const char *names[32];
    struct edge_record records[32];
    size_t n_records = vector_records(names, records);
    for (size_t i = 0; i < n_records; i++) {
        uint8_t bytes[EDGE_RECORD_MAX_BYTES];
        size_t whole = 0;
        assert_ok(edge_record_encode(&records[i], bytes, sizeof bytes, &whole));
        for (size_t capacity = 0; capacity < whole; capacity++) {
            size_t len_bytes = 4321;
            assert_code(edge_record_encode(&records[i], bytes, capacity, &len_bytes), HR_FULL);
            assert_int_equal(len_bytes, 4321);
        }
    }
}

static void largest_records_stay_within_their_declared_bounds(void **state)
{
    (void)state;
    uint8_t bytes[EDGE_RECORD_MAX_BYTES];
    size_t len_bytes = 0;
    struct edge_record record = ais_record(UINT32_MAX, 560, '~', 0);
    memcpy(record.as.ais.talker, "ZZ", 2);
    record.as.ais.fill_bits = 5;
    record.as.ais.own_ship = true;
    record.as.ais.source_time_ms = ((int64_t)1 << 48) - 1;
    memset(record.as.ais.station, 's', EDGE_AIS_STATION_MAX_CHARS);
    assert_ok(edge_record_encode(&record, bytes, EDGE_AIS_RECORD_MAX_BYTES, &len_bytes));

    record = (struct edge_record){.dt_ms = UINT32_MAX, .kind = EDGE_STATS};
    record.as.stats.n_counters = EDGE_STATS_MAX_COUNTERS;
    memset(record.as.stats.source, 'x', sizeof record.as.stats.source - 1);
    for (size_t i = 0; i < EDGE_STATS_MAX_COUNTERS; i++) {
        memset(record.as.stats.counter[i].name, 'x', EDGE_STATS_NAME_MAX_CHARS);
        record.as.stats.counter[i].value = UINT64_MAX;
    }
    assert_ok(edge_record_encode(&record, bytes, sizeof bytes, &len_bytes));

    record = (struct edge_record){.dt_ms = UINT32_MAX, .kind = EDGE_SAMPLES};
    record.as.samples.first_channel = 1;
    record.as.samples.n_values = EDGE_SAMPLES_MAX;
    for (size_t i = 0; i < EDGE_SAMPLES_MAX; i++) {
        record.as.samples.skip[i] = (EDGE_CHANNEL_MAX - EDGE_SAMPLES_MAX) / EDGE_SAMPLES_MAX;
        record.as.samples.value[i] = INT64_MIN;
        record.as.samples.quality[i] = UINT8_MAX;
    }
    assert_ok(edge_record_encode(&record, bytes, sizeof bytes, &len_bytes));

    record = (struct edge_record){.dt_ms = UINT32_MAX, .kind = EDGE_CHUNK};
    record.as.chunk = (struct edge_chunk){UINT32_MAX, UINT32_MAX, EDGE_CHUNK_MAX_BYTES, {0}};
    assert_ok(edge_record_encode(&record, bytes, sizeof bytes, &len_bytes));
}

static void expect_refused(const struct edge_record *record)
{
    uint8_t bytes[EDGE_RECORD_MAX_BYTES];
    size_t len_bytes = 4321;
    assert_code(edge_record_encode(record, bytes, sizeof bytes, &len_bytes), HR_MALFORMED);
    assert_int_equal(len_bytes, 4321);
}

static void encoding_refuses_what_decoding_would_not_take(void **state)
{
    (void)state;
    struct edge_record wrong[16];
    size_t n = 0;
    for (; n < 10; n++) {
        wrong[n] = ais_record(0, 28, 'A', 4);
    }
    wrong[0].as.ais.payload_chars = 0;
    wrong[1].as.ais.payload_chars = 561;
    wrong[2].as.ais.payload_chars = UINT16_MAX;
    wrong[3].as.ais.fill_bits = 6;
    wrong[4].as.ais.channel = ' ';
    wrong[5].as.ais.channel = (char)0x80;
    wrong[6].as.ais.talker[1] = '\0';
    wrong[7].as.ais.source_time_ms = -1;
    wrong[8].as.ais.station[0] = '\n';
    memset(wrong[9].as.ais.station, 's', sizeof wrong[9].as.ais.station);
    wrong[n] = ais_static();
    wrong[n++].as.ais.payload[53] |= 0x20; /* a padding bit */
    wrong[n] = loss();
    wrong[n++].as.loss.to_seq = 9;
    wrong[n] = stats();
    wrong[n++].as.stats.n_counters = EDGE_STATS_MAX_COUNTERS + 1;
    wrong[n] = stats();
    wrong[n++].as.stats.counter[1].name[0] = '\0';
    wrong[n] = document();
    memcpy(wrong[n++].as.document.request, "a\xFFz", sizeof "a\xFFz");
    wrong[n] = chunk();
    wrong[n++].as.chunk.len_bytes = EDGE_CHUNK_MAX_BYTES + 1;
    assert_int_equal(n, HR_ARRAY_LEN(wrong));
    for (size_t i = 0; i < n; i++) {
        expect_refused(&wrong[i]);
    }
}

static void decoding_refuses_broken_records_without_a_trace(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "08",                         /* cut inside dt_ms */
        "120401020304",               /* ais_a of no whole number of characters */
        "1200",                       /* ais_a of nothing */
        "1203010203ff",               /* rest that is no field */
        "22070a0344c0001002",         /* three octets for two characters */
        "22060a0244c11002",           /* a set padding bit */
        "22080a0244c010021806",       /* fill_bits 6 */
        "220a0a0244c0100242024142ff", /* cut station and rest */
        "22080a0244c01002200a",       /* channel is a line feed */
        "22090a0244c010022080020a",   /* channel of two octets */
        "22080a0244c01002420101",     /* station with a control character */
        "220c0a0244c01002420641004242"
        "42", /* rest after the message */
        "220b0a0244c0100242034100"
        "42", /* station with a NUL */
        "220c0a0244c01002420441c080"
        "42", /* station with an overlong NUL */
        "52040801"
        "1002", /* Loss without a digest */
        "6a0512034180"
        "41", /* Event whose text is not UTF-8 */
        "6a0512034180"
        "4142",                                     /* the same, and rest */
        "62120a1061616161616161616161616161616161", /* Stats of a source one character too long */
        "7a0708011a030102",                         /* Samples cut within the values */
        "7a020801",                                 /* Samples of no value */
        "7a051a03020406",                           /* of channel 0 */
        "7a0908011201001a020204",                   /* one skip for two values */
        "7a0908011a020204220103",                   /* one quality for two values */
        "7a0908011a010222028002",                   /* a quality of 256 */
        "720f080112016122017038014203206120",       /* Channel whose width is no number */
        "720a0880101201612201703801",               /* Channel's kind cut off */
        "0d01020304"
        "0f", /* group wire type */
        "02", /* field number 0 */
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        uint8_t bytes[64];
        size_t len_bytes = test_hex(wrong[i], bytes, sizeof bytes);
        struct edge_record read = {.dt_ms = 77, .kind = EDGE_BOOT};
        assert_code(edge_record_decode(hr_bytes_of(bytes, len_bytes), &read), HR_MALFORMED);
        assert_int_equal(read.dt_ms, 77);
        assert_int_equal(read.kind, EDGE_BOOT);
    }
}

static void record_of_the_future_is_kept_and_not_guessed_at(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "0805a2060161", /* field 100 */
        "080582010161", /* field 16 */
        "0805",         /* no body */
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(unknown); i++) {
        uint8_t bytes[16];
        size_t len_bytes = test_hex(unknown[i], bytes, sizeof bytes);
        struct edge_record read = {.kind = EDGE_BOOT};
        assert_ok(edge_record_decode(hr_bytes_of(bytes, len_bytes), &read));
        assert_int_equal(read.kind, EDGE_NONE);
        assert_int_equal(read.dt_ms, 5);
    }
    uint8_t bytes[16]; /* a known body beside an unknown field: the body counts */
    size_t len_bytes = test_hex("1203010203a2060161", bytes, sizeof bytes);
    struct edge_record read;
    assert_ok(edge_record_decode(hr_bytes_of(bytes, len_bytes), &read));
    assert_int_equal(read.kind, EDGE_AIS);
    assert_int_equal(read.as.ais.payload_chars, 4);
}

static void encode_nothing(void *ctx)
{
    uint8_t bytes[16];
    size_t len_bytes = 0;
    hr_ignore(edge_record_encode(ctx, bytes, sizeof bytes, &len_bytes));
}

static void encoding_a_record_of_no_kind_asserts(void **state)
{
    (void)state;
    struct edge_record record = {.kind = EDGE_NONE};
    assert_true(test_asserts(encode_nothing, &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_the_bytes_that_protoc_writes_in_both_directions),
        cmocka_unit_test(decoded_ais_fields_are_those_of_the_sentence),
        cmocka_unit_test(position_report_costs_two_bytes_more_than_its_bits_and_its_time),
        cmocka_unit_test(each_departure_from_the_common_shape_takes_the_long_form),
        cmocka_unit_test(record_that_does_not_fit_leaves_the_length_alone),
        cmocka_unit_test(largest_records_stay_within_their_declared_bounds),
        cmocka_unit_test(encoding_refuses_what_decoding_would_not_take),
        cmocka_unit_test(decoding_refuses_broken_records_without_a_trace),
        cmocka_unit_test(record_of_the_future_is_kept_and_not_guessed_at),
        cmocka_unit_test(encoding_a_record_of_no_kind_asserts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
