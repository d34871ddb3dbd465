/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/device/device.h"
#include "proto/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { EVENTS_MAX = 32, TEXT_MAX = 64 };

/* What the tests ask of an event, copied out. */
struct kept {
    const struct norm_schema *schema;
    char event_id[NORM_UUID_CHARS + 1];
    char key[TEXT_MAX];
    char kind[TEXT_MAX]; /* of a device event */
    char counter_name[TEXT_MAX];
    int64_t counter_value;
    int64_t loss_records;
    char loss_reason[TEXT_MAX];
    size_t raw_bytes;
    int64_t record_seq;
    uint32_t record_index;
    uint32_t output_index;
};

struct keeper {
    struct kept events[EVENTS_MAX];
    uint32_t n_events;
};

static const struct norm_value *value_of(const struct norm_event *event, const char *name)
{
    for (uint16_t i = 0; i < event->schema->n_fields; i++) {
        if (strcmp(event->schema->fields[i].name, name) == 0) {
            return &event->values[i];
        }
    }
    return NULL;
}

static void text_copy(const struct norm_value *value, char out[TEXT_MAX])
{
    if (value != NULL && !value->is_null) {
        assert_true(value->as.bytes.len_bytes < TEXT_MAX);
        memcpy(out, value->as.bytes.data, value->as.bytes.len_bytes);
    }
}

static int64_t long_copy(const struct norm_value *value)
{
    return value == NULL || value->is_null ? -1 : value->as.number;
}

static void keep(void *ctx, const struct norm_event *event)
{
    struct keeper *keeper = ctx;

    assert_true(keeper->n_events < EVENTS_MAX);
    struct kept *kept = &keeper->events[keeper->n_events++];
    const struct norm_value *raw = value_of(event, "raw");

    *kept = (struct kept){.schema = event->schema,
                          .counter_value = long_copy(value_of(event, "counter_value")),
                          .loss_records = long_copy(value_of(event, "loss_records")),
                          .raw_bytes = raw == NULL || raw->is_null ? 0 : raw->as.bytes.len_bytes,
                          .record_seq = long_copy(value_of(event, "record_seq")),
                          .record_index = event->record_index,
                          .output_index = event->output_index};
    memcpy(kept->event_id, event->values[NORM_EVENT_ID].as.bytes.data, NORM_UUID_CHARS);
    memcpy(kept->key, event->key.data, event->key.len_bytes);
    text_copy(value_of(event, "kind"), kept->kind);
    text_copy(value_of(event, "counter_name"), kept->counter_name);
    text_copy(value_of(event, "loss_reason"), kept->loss_reason);
}

/* A payload under construction. */
struct payload {
    uint8_t bytes[8192];
    struct hr_writer writer;
};

static void payload_start(struct payload *payload)
{
    payload->writer = hr_writer_over(payload->bytes, sizeof(payload->bytes));
}

static void raw_add(struct payload *payload, const void *bytes, size_t len_bytes)
{
    hr_write_varint32(&payload->writer, (uint32_t)len_bytes);
    hr_write_raw(&payload->writer, bytes, len_bytes);
}

static void record_add(struct payload *payload, const struct edge_record *record)
{
    uint8_t bytes[EDGE_RECORD_MAX_BYTES];
    size_t len_bytes;

    assert_true(hr_is_ok(edge_record_encode(record, bytes, sizeof(bytes), &len_bytes)));
    raw_add(payload, bytes, len_bytes);
}

static const struct ledger_batch batch = {
    .leaf = 7,
    .device_id = 0x0123456789ABCDEF,
    .stream = 2,
    .seq = 5,
    .received_utc_ms = 1700000000000,
    .digest = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA,
               0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xF0, 0xE1, 0xD2, 0xC3, 0xB4, 0xA5,
               0x96, 0x87, 0x78, 0x69, 0x5A, 0x4B, 0x3C, 0x2D, 0x1E, 0x0F},
};

static struct norm_input input_of(const struct payload *payload)
{
    return (struct norm_input){
        .batch = &batch,
        .envelope = {.header = {.boot_id = 9, .base_uptime_ms = 1000000, .first_record_seq = 100},
                     .payload = hr_bytes_of(payload->bytes, payload->writer.at)},
        .tenant = "north",
    };
}

static void a_time_near_its_anchor_is_anchored_and_farther_away_extrapolated(void **state)
{
    (void)state;
    struct payload payload;
    struct edge_time_anchor anchor = {
        .boot_id = 9, .uptime_ms = 1000000, .utc_ms = 1600000000000, .err_ms = 40};

    payload_start(&payload);
    struct norm_input input = input_of(&payload);

    input.anchor = &anchor;
    struct norm_time at_anchor = norm_time_of(&input, 0);

    assert_int_equal(at_anchor.occurred_at_us, INT64_C(1600000000000000));
    assert_int_equal(at_anchor.error_ms, 40);
    assert_int_equal(at_anchor.quality, NORM_TIME_ANCHORED);

    struct norm_time later = norm_time_of(&input, 600000);

    assert_int_equal(later.occurred_at_us, INT64_C(1600000600000000));
    assert_int_equal(later.error_ms, 40 + 60);
    assert_int_equal(later.quality, NORM_TIME_ANCHORED);
    assert_int_equal(norm_time_of(&input, 600001).quality, NORM_TIME_EXTRAPOLATED);
    assert_int_equal(norm_time_of(&input, 600001).error_ms, 40 + 61);

    anchor.uptime_ms = 1600001; /* the record is from before the anchor */
    struct norm_time earlier = norm_time_of(&input, 0);

    assert_int_equal(earlier.occurred_at_us, INT64_C(1600000000000000) - INT64_C(600001000));
    assert_int_equal(earlier.quality, NORM_TIME_EXTRAPOLATED);
}

static void a_time_without_a_usable_anchor_is_the_time_of_receipt(void **state)
{
    (void)state;
    struct payload payload;

    payload_start(&payload);
    const struct edge_time_anchor anchors[] = {
        {.boot_id = 8, .uptime_ms = 1000000, .utc_ms = 1600000000000},           /* of another boot */
        {.boot_id = 9, .uptime_ms = 1000000, .utc_ms = UINT64_MAX},              /* no time */
        {.boot_id = 9, .uptime_ms = UINT64_C(1) << 48, .utc_ms = 1600000000000}, /* no uptime */
    };

    for (size_t i = 0; i <= HR_ARRAY_LEN(anchors); i++) {
        struct norm_input input = input_of(&payload);

        input.anchor = i == HR_ARRAY_LEN(anchors) ? NULL : &anchors[i];
        struct norm_time when = norm_time_of(&input, 5);

        assert_int_equal(when.occurred_at_us, INT64_C(1700000000000000));
        assert_int_equal(when.error_ms, -1);
        assert_int_equal(when.quality, NORM_TIME_RECEIVED_ONLY);
    }
    /* dt_ms saturates; its end is no time. */
    struct norm_input input = input_of(&payload);
    const struct edge_time_anchor good = {.boot_id = 9, .uptime_ms = 1000000, .utc_ms = 1600000000000};

    input.anchor = &good;
    assert_int_equal(norm_time_of(&input, UINT32_MAX).quality, NORM_TIME_RECEIVED_ONLY);
    assert_int_equal(norm_time_of(&input, UINT32_MAX - 1).quality, NORM_TIME_EXTRAPOLATED);
}

static void an_event_id_is_a_uuid_of_the_batch_the_record_and_the_output(void **state)
{
    (void)state;
    char id[NORM_UUID_CHARS + 1] = {0};
    char trace[NORM_TRACEPARENT_CHARS + 1];

    /* By hand: version 8 in the 13th digit, variant 10 in the 17th, then the indexes. */
    norm_event_id(batch.digest, 0x1234, 0x0056, id);
    assert_string_equal(id, "00112233-4455-8677-8899-aabb12340056");
    norm_event_id(batch.digest, 0x1234, 0x30201, id);
    assert_string_equal(id, "00112233-4455-8677-8899-aab812340201"); /* bb, and 3 by exclusive or */
    norm_traceparent(batch.digest, 0x1234, trace);
    assert_string_equal(trace, "00-f0e1d2c3b4a5968778695a4b3c2d1e0f-c455667700001234-01");
}

static void records_go_to_who_takes_them_and_each_event_names_its_source(void **state)
{
    (void)state;
    static struct payload payload;
    static struct keeper keeper;
    static struct norm_ais ais;
    const struct normalizer *normalizers[] = {&ais.normalizer, norm_device()};
    const struct norm_emit emit = {keep, &keeper};
    struct edge_record record = {.kind = EDGE_AIS, .as.ais = {.payload_chars = 28, .talker = {'A', 'I'}}};

    memset(&keeper, 0, sizeof(keeper));
    norm_ais_init(&ais);
    payload_start(&payload);
    record.as.ais.payload[0] = 1 << 2; /* type 1, MMSI 0 */
    record_add(&payload, &record);
    record = (struct edge_record){
        .kind = EDGE_LOSS,
        .as.loss = {.from_seq = 3, .to_seq = 4, .n_records = 77, .reason = EDGE_LOSS_OVERFLOW}};
    record_add(&payload, &record);
    record = (struct edge_record){.kind = EDGE_STATS,
                                  .as.stats = {.source = "ais",
                                               .n_counters = 2,
                                               .counter = {{"messages", 12}, {"bad_checksum", UINT64_MAX}}}};
    record_add(&payload, &record);

    const struct norm_input input = input_of(&payload);
    struct norm_batch_result result = norm_batch(normalizers, HR_ARRAY_LEN(normalizers), &input, &emit);

    assert_int_equal(result.n_records, 3);
    assert_int_equal(result.n_events, 4);
    assert_int_equal(result.n_malformed + result.n_unrouted, 0);
    assert_ptr_equal(keeper.events[0].schema, &norm_ais_schema);
    assert_string_equal(keeper.events[0].key, "000000000");
    assert_string_equal(keeper.events[0].event_id, "00112233-4455-8677-8899-aabb00000000");
    assert_int_equal(keeper.events[0].record_seq, 100);

    assert_ptr_equal(keeper.events[1].schema, &norm_device_schema);
    assert_string_equal(keeper.events[1].key, "0123456789abcdef");
    assert_string_equal(keeper.events[1].kind, "loss");
    assert_string_equal(keeper.events[1].loss_reason, "overflow");
    assert_int_equal(keeper.events[1].loss_records, 77);
    assert_int_equal(keeper.events[1].record_seq, 101);

    assert_string_equal(keeper.events[2].counter_name, "messages");
    assert_int_equal(keeper.events[2].counter_value, 12);
    assert_string_equal(keeper.events[3].counter_name, "bad_checksum");
    assert_int_equal(keeper.events[3].counter_value, INT64_MAX);
    assert_int_equal(keeper.events[3].output_index, 1);
    assert_string_equal(keeper.events[3].event_id, "00112233-4455-8677-8899-aabb00020001");
}

static void every_control_record_becomes_a_device_event(void **state)
{
    (void)state;
    const struct edge_record records[] = {
        {.kind = EDGE_BOOT, .as.boot = {.boot_id = 9, .reason = EDGE_BOOT_UNCLEAN, .version = "1.0"}},
        {.kind = EDGE_EVENT, .as.event = {.code = 3, .text = "clock set"}},
        {.kind = EDGE_TIME_ANCHOR,
         .as.time_anchor =
             {.boot_id = 9, .uptime_ms = 5, .utc_ms = 1600000000000, .source = EDGE_ANCHOR_ACK}},
        {.kind = EDGE_KEY_SWITCH, .as.key_switch = {.from_epoch = 1, .to_epoch = 2, .switch_seq = 10}},
        {.kind = EDGE_STATS, .as.stats = {.source = "spool"}},
    };
    static const char *const kinds[] = {"boot", "event", "time_anchor", "key_switch", "stats"};
    const struct normalizer *device = norm_device();

    for (size_t i = 0; i < HR_ARRAY_LEN(records); i++) {
        static struct payload payload;
        static struct keeper keeper;
        const struct norm_emit emit = {keep, &keeper};

        memset(&keeper, 0, sizeof(keeper));
        payload_start(&payload);
        record_add(&payload, &records[i]);
        const struct norm_input input = input_of(&payload);

        assert_int_equal(norm_batch(&device, 1, &input, &emit).n_events, 1);
        assert_string_equal(keeper.events[0].kind, kinds[i]);
    }
}

static void count_batch(void *ctx, const struct norm_input *input)
{
    assert_non_null(input);
    (*(uint32_t *)ctx)++;
}

static void a_normalizer_hears_of_batches_that_have_nothing_for_it(void **state)
{
    (void)state;
    static struct payload payload;
    static struct keeper keeper;
    uint32_t n_batches = 0;
    struct normalizer listener = *norm_device();
    const struct normalizer *const normalizers[] = {norm_device(), &listener};
    const struct norm_emit emit = {keep, &keeper};
    const struct edge_record event = {.kind = EDGE_EVENT, .as.event = {.code = 3}};

    listener.batch = count_batch;
    listener.ctx = &n_batches;
    for (uint32_t n_records = 0; n_records < 3; n_records++) {
        payload_start(&payload);
        for (uint32_t i = 0; i < n_records; i++) {
            record_add(&payload, &event);
        }
        const struct norm_input input = input_of(&payload);
        (void)norm_batch(normalizers, HR_ARRAY_LEN(normalizers), &input, &emit);
        assert_int_equal(n_batches, n_records + 1);
    }
}

static void nothing_that_is_not_understood_is_lost_silently(void **state)
{
    (void)state;
    static struct payload payload;
    static struct keeper keeper;
    const struct normalizer *device = norm_device();
    const struct norm_emit emit = {keep, &keeper};
    static const uint8_t unknown_body[] = {0xFA, 0x01, 0x01, 0x55}; /* field 31, one byte */
    static const uint8_t garbage[] = {0xFF, 0xFF, 0xFF};
    const struct edge_record sample = {.kind = EDGE_SAMPLE, .as.sample = {.channel = 1, .value = 2}};

    memset(&keeper, 0, sizeof(keeper));
    payload_start(&payload);
    raw_add(&payload, garbage, sizeof(garbage));
    raw_add(&payload, unknown_body, sizeof(unknown_body));
    record_add(&payload, &sample);
    hr_write_u8(&payload.writer, 0x7F); /* framing that runs over the end */
    hr_write_u8(&payload.writer, 0x01);

    const struct norm_input input = input_of(&payload);
    struct norm_batch_result result = norm_batch(&device, 1, &input, &emit);

    assert_int_equal(result.n_records, 4);
    assert_int_equal(result.n_events, 4);
    assert_int_equal(result.n_malformed, 2);
    assert_int_equal(result.n_unrouted, 2);
    assert_string_equal(keeper.events[0].kind, "malformed_record");
    assert_int_equal(keeper.events[0].raw_bytes, sizeof(garbage));
    assert_string_equal(keeper.events[1].kind, "unknown_record");
    assert_int_equal(keeper.events[1].raw_bytes, sizeof(unknown_body));
    assert_string_equal(keeper.events[2].kind, "unrouted_record");
    assert_string_equal(keeper.events[3].kind, "malformed_record");
    assert_int_equal(keeper.events[3].raw_bytes, 2);
    assert_int_equal(keeper.events[3].record_index, 3);
}

static void the_same_batch_gives_the_same_events_again(void **state)
{
    (void)state;
    static struct payload payload;
    static struct keeper first;
    static struct keeper second;
    const struct normalizer *device = norm_device();
    const struct norm_emit emits[] = {{keep, &first}, {keep, &second}};
    struct edge_record record = {.kind = EDGE_EVENT};

    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    payload_start(&payload);
    for (uint32_t i = 0; i < EVENTS_MAX; i++) {
        record.as.event.code = i;
        record_add(&payload, &record);
    }
    const struct norm_input input = input_of(&payload);

    for (size_t i = 0; i < HR_ARRAY_LEN(emits); i++) {
        assert_int_equal(norm_batch(&device, 1, &input, &emits[i]).n_events, EVENTS_MAX);
    }
    assert_memory_equal(&first, &second, sizeof(first));
    for (uint32_t i = 1; i < EVENTS_MAX; i++) {
        assert_string_not_equal(first.events[i].event_id, first.events[i - 1].event_id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_near_its_anchor_is_anchored_and_farther_away_extrapolated),
        cmocka_unit_test(a_time_without_a_usable_anchor_is_the_time_of_receipt),
        cmocka_unit_test(an_event_id_is_a_uuid_of_the_batch_the_record_and_the_output),
        cmocka_unit_test(records_go_to_who_takes_them_and_each_event_names_its_source),
        cmocka_unit_test(every_control_record_becomes_a_device_event),
        cmocka_unit_test(a_normalizer_hears_of_batches_that_have_nothing_for_it),
        cmocka_unit_test(nothing_that_is_not_understood_is_lost_silently),
        cmocka_unit_test(the_same_batch_gives_the_same_events_again),
    };

    return cmocka_run_group_tests_name("normalize", tests, NULL, NULL);
}
