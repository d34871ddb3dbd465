/* SPDX-License-Identifier: Apache-2.0
 *
 * Our codecs beside nanopb's, on random records of every kind and on damaged ones. */
#include "proto/base/assert.h"
#include "proto/edge/internal.h"
#include "proto/edge/record.h"
#include "tests/support/nanopb_encode.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_random.h"

#include <string.h>

enum { N_RANDOM_RECORDS = 20000, N_MUTATIONS = 20 };

static struct edge_record random_ais(struct test_random *random)
{
    static const char channels[] = {'A', 'B', 'A', 'B', '1', '2', '\0', 'C'};
    bool common = test_random_below(random, 2) == 0;
    struct edge_record record = {.kind = EDGE_AIS};
    struct edge_ais *ais = &record.as.ais;
    uint32_t dt_bits = test_random_below(random, 33);
    record.dt_ms = dt_bits == 0 ? 0 : (uint32_t)(test_random_next(random) >> (64 - dt_bits));
    ais->payload_chars = common ? 28 : (uint16_t)(1 + test_random_below(random, 560));
    size_t n_bits = ais->payload_chars * (size_t)6;
    size_t len_bytes = (n_bits + 7) / 8;
    test_random_fill(random, ais->payload, len_bytes);
    ais->payload[len_bytes - 1] &= (uint8_t)(0xFFu << (len_bytes * 8 - n_bits));
    ais->channel = channels[test_random_below(random, common ? 2 : sizeof channels)];
    memcpy(ais->talker, test_random_below(random, 4) == 0 && !common ? "BS" : "AI", 2);
    ais->fill_bits = common ? 0 : (uint8_t)test_random_below(random, 6);
    ais->own_ship = !common && test_random_below(random, 4) == 0;
    if (test_random_below(random, 3) == 0) {
        ais->source_time_ms = (int64_t)(test_random_next(random) >> (16 + test_random_below(random, 40)));
        memset(ais->station, 'q', test_random_below(random, EDGE_AIS_STATION_MAX_CHARS + 1));
    }
    return record;
}

/* Decodes with both codecs; they must agree on the code and on every byte of the AIS struct. */
static bool both_decode_alike(struct hr_bytes bytes)
{
    struct edge_record whole;
    struct edge_record by_nanopb;
    memset(&whole, 0, sizeof whole);
    memset(&by_nanopb, 0, sizeof by_nanopb);
    struct hr_status status = edge_record_decode(bytes, &whole);
    struct hr_status expected = edge_nanopb_decode(bytes, &by_nanopb);
    assert_int_equal(status.code, expected.code);
    if (!hr_is_ok(status)) {
        return false;
    }
    assert_int_equal(whole.kind, by_nanopb.kind);
    assert_int_equal(whole.dt_ms, by_nanopb.dt_ms);
    if (whole.kind == EDGE_AIS) {
        const struct edge_ais *a = &whole.as.ais;
        const struct edge_ais *b = &by_nanopb.as.ais;
        assert_memory_equal(a->payload, b->payload, sizeof a->payload);
        assert_memory_equal(a->station, b->station, sizeof a->station);
        assert_memory_equal(a->talker, b->talker, sizeof a->talker);
        assert_true(a->payload_chars == b->payload_chars && a->fill_bits == b->fill_bits &&
                    a->channel == b->channel && a->own_ship == b->own_ship &&
                    a->source_time_ms == b->source_time_ms);
    }
    return true;
}

static void written_out_codec_and_nanopb_agree_on_random_and_on_damaged_records(void **state)
{
    (void)state;
    struct test_random random = test_random_start(20261121);
    unsigned n_taken = 0;
    for (unsigned i = 0; i < N_RANDOM_RECORDS; i++) {
        struct edge_record record = random_ais(&random);
        uint8_t bytes[EDGE_AIS_RECORD_MAX_BYTES];
        uint8_t by_nanopb[EDGE_AIS_RECORD_MAX_BYTES];
        size_t len_bytes = 0;
        size_t nanopb_len = 0;
        assert_ok(edge_record_encode(&record, bytes, sizeof bytes, &len_bytes));
        assert_ok(nanopb_encode(&record, by_nanopb, sizeof by_nanopb, &nanopb_len));
        assert_int_equal(len_bytes, nanopb_len);
        assert_memory_equal(bytes, by_nanopb, len_bytes);
        assert_true(both_decode_alike(hr_bytes_of(bytes, len_bytes)));
        for (unsigned m = 0; m < N_MUTATIONS; m++) {
            /* Most damage goes to the first bytes, where the structure is. */
            uint32_t reach = test_random_below(&random, 2) == 0 && len_bytes > 12 ? 12 : (uint32_t)len_bytes;
            bytes[test_random_below(&random, reach)] = (uint8_t)test_random_next(&random);
            size_t cut =
                test_random_below(&random, 4) == 0 ? test_random_below(&random, (uint32_t)len_bytes) : 0;
            n_taken += both_decode_alike(hr_bytes_of(bytes, len_bytes - cut)) ? 1 : 0;
        }
    }
    (void)printf("%u of %u damaged records still decoded\n", n_taken, N_RANDOM_RECORDS * N_MUTATIONS);
    assert_true(n_taken > 0 && n_taken < N_RANDOM_RECORDS * N_MUTATIONS);
}

/* Any number of bits, 0 among them, so that varints of every length come about. */
static uint64_t random_number(struct test_random *random, uint32_t most_bits)
{
    uint32_t bits = test_random_below(random, most_bits + 1);
    return bits == 0 ? 0 : test_random_next(random) >> (64 - bits);
}

static void random_text(struct test_random *random, char *out, size_t capacity_bytes, size_t least_chars)
{
    size_t len = least_chars + test_random_below(random, (uint32_t)(capacity_bytes - least_chars));
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)(' ' + test_random_below(random, '~' - ' ' + 1));
    }
    out[len] = '\0';
}

#define RANDOM_TEXT(random, member) random_text((random), (member), sizeof(member), 0)

static void random_document(struct test_random *random, struct edge_document *out)
{
    out->document_id = (uint32_t)random_number(random, 32);
    RANDOM_TEXT(random, out->feed);
    RANDOM_TEXT(random, out->request);
    out->http_status = (uint32_t)random_number(random, 32);
    RANDOM_TEXT(random, out->etag);
    RANDOM_TEXT(random, out->last_modified);
    if (test_random_below(random, 2) == 0) {
        test_random_fill(random, out->sha256, sizeof out->sha256);
    }
    out->len_bytes = (uint32_t)random_number(random, 32);
    out->n_chunks = (uint32_t)random_number(random, 32);
    out->encoding = (uint32_t)random_number(random, 32);
    RANDOM_TEXT(random, out->error);
    out->window_start_ms = (int64_t)random_number(random, 48);
    out->window_end_ms = (int64_t)random_number(random, 48);
}

static void random_stats(struct test_random *random, struct edge_stats *out)
{
    RANDOM_TEXT(random, out->source);
    out->n_counters = (uint16_t)test_random_below(random, EDGE_STATS_MAX_COUNTERS + 1);
    for (size_t i = 0; i < out->n_counters; i++) {
        random_text(random, out->counter[i].name, sizeof out->counter[i].name, 1);
        out->counter[i].value = random_number(random, 64);
    }
}

static void random_loss(struct test_random *random, struct edge_loss *out)
{
    out->from_seq = (uint32_t)random_number(random, 31);
    out->to_seq = out->from_seq + (uint32_t)random_number(random, 31);
    out->first_record_seq = random_number(random, 48);
    out->n_records = (uint32_t)random_number(random, 32);
    out->reason = (uint32_t)random_number(random, 3);
    if (test_random_below(random, 4) != 0) {
        test_random_fill(random, out->last_digest, sizeof out->last_digest);
    }
}

static void random_key_switch(struct test_random *random, struct edge_key_switch *out)
{
    out->from_epoch = (uint32_t)random_number(random, 32);
    out->to_epoch = (uint32_t)random_number(random, 32);
    test_random_fill(random, out->spki, sizeof out->spki);
    out->switch_seq = (uint32_t)random_number(random, 32);
    test_random_fill(random, out->proof, sizeof out->proof);
}

static void random_channel(struct test_random *random, struct edge_channel *out)
{
    out->channel = 1 + test_random_below(random, EDGE_CHANNEL_MAX);
    random_text(random, out->device, sizeof out->device, 1);
    out->model = (uint32_t)random_number(random, 16);
    random_text(random, out->point, sizeof out->point, 1);
    RANDOM_TEXT(random, out->unit);
    out->scale = (int32_t)test_random_below(random, 2 * EDGE_SCALE_MOST + 1) - EDGE_SCALE_MOST;
    out->kind = 1 + test_random_below(random, EDGE_CHANNEL_BITFIELD);
    out->width_bits = out->kind == EDGE_CHANNEL_ACCUMULATOR ? 1 + test_random_below(random, 64) : 0;
    out->interval_ms = (uint32_t)random_number(random, 32);
    out->silence_ms = (uint32_t)random_number(random, 32);
    out->dead_band = random_number(random, 64);
    RANDOM_TEXT(random, out->symbols);
}

static void random_samples(struct test_random *random, struct edge_samples *out)
{
    bool is_skipping = test_random_below(random, 2) == 0;
    bool is_good = test_random_below(random, 2) == 0;
    out->first_channel = 1 + (uint32_t)random_number(random, 14);
    out->n_values = (uint16_t)(1 + test_random_below(random, EDGE_SAMPLES_MAX));
    for (size_t i = 0; i < out->n_values; i++) {
        out->value[i] = (int64_t)random_number(random, 64);
        out->skip[i] = is_skipping ? (uint16_t)random_number(random, 9) : 0;
        out->quality[i] = is_good ? 0 : (uint8_t)random_number(random, 8);
    }
}

static struct edge_record random_record(struct test_random *random, enum edge_kind kind)
{
    if (kind == EDGE_AIS) {
        return random_ais(random);
    }
    struct edge_record record = {.dt_ms = (uint32_t)random_number(random, 32), .kind = kind};
    if (kind == EDGE_SAMPLE) {
        record.as.sample =
            (struct edge_sample){(uint32_t)random_number(random, 32), (int64_t)random_number(random, 64),
                                 (uint32_t)random_number(random, 32)};
    } else if (kind == EDGE_DOCUMENT) {
        random_document(random, &record.as.document);
    } else if (kind == EDGE_CHUNK) {
        record.as.chunk.document_id = (uint32_t)random_number(random, 32);
        record.as.chunk.index = (uint32_t)random_number(random, 32);
        record.as.chunk.len_bytes = (uint16_t)test_random_below(random, EDGE_CHUNK_MAX_BYTES + 1);
        test_random_fill(random, record.as.chunk.data, record.as.chunk.len_bytes);
    } else if (kind == EDGE_TIME_ANCHOR) {
        record.as.time_anchor = (struct edge_time_anchor){
            (uint32_t)random_number(random, 32), random_number(random, 48), random_number(random, 48),
            (uint32_t)random_number(random, 32), (uint32_t)random_number(random, 2)};
    } else if (kind == EDGE_KEY_SWITCH) {
        random_key_switch(random, &record.as.key_switch);
    } else if (kind == EDGE_LOSS) {
        random_loss(random, &record.as.loss);
    } else if (kind == EDGE_BOOT) {
        record.as.boot.boot_id = (uint32_t)random_number(random, 32);
        record.as.boot.reason = (uint32_t)random_number(random, 3);
        RANDOM_TEXT(random, record.as.boot.version);
        record.as.boot.previous_stream = (uint32_t)random_number(random, 32);
        record.as.boot.recovered_records = (uint32_t)random_number(random, 32);
    } else if (kind == EDGE_STATS) {
        random_stats(random, &record.as.stats);
    } else if (kind == EDGE_CHANNEL) {
        random_channel(random, &record.as.channel);
    } else if (kind == EDGE_SAMPLES) {
        random_samples(random, &record.as.samples);
    } else {
        record.as.event.code = (uint32_t)random_number(random, 32);
        RANDOM_TEXT(random, record.as.event.text);
    }
    return record;
}

static void every_kind_has_the_bytes_that_nanopb_writes_and_the_room_that_it_asks_for(void **state)
{
    (void)state;
    struct test_random random = test_random_start(20261122);
    unsigned n_records[EDGE_SAMPLES + 1] = {0};
    for (unsigned i = 0; i < N_RANDOM_RECORDS; i++) {
        enum edge_kind kind = (enum edge_kind)(EDGE_AIS + i % EDGE_SAMPLES);
        struct edge_record record = random_record(&random, kind);
        uint8_t bytes[EDGE_RECORD_MAX_BYTES];
        uint8_t by_nanopb[EDGE_RECORD_MAX_BYTES];
        size_t len_bytes = 0;
        size_t nanopb_len = 0;
        assert_ok(nanopb_encode(&record, by_nanopb, sizeof by_nanopb, &nanopb_len));
        assert_ok(edge_record_encode(&record, bytes, nanopb_len, &len_bytes));
        assert_int_equal(len_bytes, nanopb_len);
        assert_memory_equal(bytes, by_nanopb, len_bytes);
        n_records[kind]++;

        size_t less = test_random_below(&random, (uint32_t)nanopb_len);
        len_bytes = 4321;
        if (nanopb_len > 0) {
            assert_code(edge_record_encode(&record, bytes, less, &len_bytes), HR_FULL);
            assert_int_equal(len_bytes, 4321);
        }
    }
    for (enum edge_kind kind = EDGE_AIS; kind <= EDGE_SAMPLES; kind++) {
        assert_true(n_records[kind] >= N_RANDOM_RECORDS / EDGE_SAMPLES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_out_codec_and_nanopb_agree_on_random_and_on_damaged_records),
        cmocka_unit_test(every_kind_has_the_bytes_that_nanopb_writes_and_the_room_that_it_asks_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
