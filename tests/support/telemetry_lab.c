/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/telemetry_lab.h"
#include "proto/base/assert.h"

#include "tests/support/test_cmocka.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_BYTES = 1 << 20 };

struct telemetry_lab telemetry_lab;

void telemetry_lab_end(void)
{
    for (uint32_t i = 0; i < telemetry_lab.n_batches; i++) {
        free(telemetry_lab.batches[i].bytes);
    }
    free(telemetry_lab.events);
    memset(&telemetry_lab, 0, sizeof telemetry_lab);
}

void telemetry_lab_start(void)
{
    static const uint8_t none[WIRE_DIGEST_BYTES];
    telemetry_lab_end();
    telemetry_lab.events = malloc(EVENTS_BYTES);
    assert_non_null(telemetry_lab.events);
    batch_maker_start(&telemetry_lab.maker, TELEMETRY_LAB_DEVICE, 0, none);
    telemetry_lab.maker.boot_id = 1;
}

void telemetry_lab_seal(const struct edge_record *records, uint16_t n_records)
{
    static struct made_batch made;
    assert_true(telemetry_lab.n_batches < TELEMETRY_LAB_BATCHES);
    struct telemetry_lab_batch *batch = &telemetry_lab.batches[telemetry_lab.n_batches++];
    batch_maker_next(&telemetry_lab.maker, records, n_records, 0, &made);
    *batch = (struct telemetry_lab_batch){
        .leaf = telemetry_lab.next_leaf++, .bytes = malloc(made.len_bytes), .len_bytes = made.len_bytes};
    assert_non_null(batch->bytes);
    memcpy(batch->bytes, made.bytes, made.len_bytes);
    memcpy(batch->digest, made.digest, sizeof batch->digest);
}

static struct ledger_batch batch_at(uint32_t seq)
{
    const struct telemetry_lab_batch *from = &telemetry_lab.batches[seq];
    struct ledger_batch batch = {.leaf = from->leaf,
                                 .device_id = TELEMETRY_LAB_DEVICE,
                                 .seq = seq,
                                 .received_utc_ms = 1700000000000 + (int64_t)from->leaf,
                                 .envelope = hr_bytes_of(from->bytes, from->len_bytes)};
    memcpy(batch.digest, from->digest, sizeof batch.digest);
    return batch;
}

static bool read_past(void *ctx, const struct ledger_batch *of, uint32_t from_seq, uint32_t to_seq,
                      void (*each)(void *each_ctx, const struct ledger_batch *batch), void *each_ctx)
{
    (void)ctx;
    assert_true(from_seq <= to_seq && to_seq < of->seq);
    for (uint32_t seq = from_seq; seq <= to_seq && !telemetry_lab.is_away; seq++) {
        struct ledger_batch batch = batch_at(seq);
        if (!telemetry_lab.batches[seq].is_lost && batch.leaf >= telemetry_lab.first_leaf) {
            telemetry_lab.n_read++;
            each(each_ctx, &batch);
        }
    }
    return !telemetry_lab.is_away;
}

struct norm_telemetry *telemetry_lab_reader(const struct norm_site *site)
{
    struct norm_telemetry *reader = malloc(sizeof *reader);
    const struct norm_telemetry_config config = {
        .sites = site, .n_sites = site != NULL ? 1 : 0, .memory = calloc(1, norm_telemetry_memory_bytes())};
    assert_true(reader != NULL && config.memory != NULL);
    norm_telemetry_init(reader, &config);
    return reader;
}

void telemetry_lab_close(struct norm_telemetry *reader)
{
    free(reader->config.memory);
    free(reader);
}

/* ---- events ---- */

/* "|name=value" */
static void put(const char *name, const void *value, size_t len)
{
    const struct hr_bytes parts[] = {hr_bytes_of("|", 1), hr_bytes_of(name, strlen(name)),
                                     hr_bytes_of("=", 1), hr_bytes_of(value, len)};
    for (size_t i = 0; i < HR_ARRAY_LEN(parts); i++) {
        assert_true(parts[i].len_bytes + 1 < EVENTS_BYTES - telemetry_lab.events_len);
        if (parts[i].len_bytes > 0) {
            memcpy(telemetry_lab.events + telemetry_lab.events_len, parts[i].data, parts[i].len_bytes);
        }
        telemetry_lab.events_len += parts[i].len_bytes;
    }
    telemetry_lab.events[telemetry_lab.events_len] = '\0';
}

static void keep_event(void *ctx, const struct norm_event *event)
{
    char number[40];
    (void)ctx;
    put("schema", event->schema->name, strlen(event->schema->name));
    for (uint16_t i = 0; i < event->schema->n_fields; i++) {
        const struct norm_field *field = &event->schema->fields[i];
        const struct norm_value *value = &event->values[i];
        assert_true(field->nullable || !value->is_null);
        if (value->is_null) {
            put(field->name, "null", 4);
        } else if (field->type == NORM_LONG) {
            int n = snprintf(number, sizeof number, "%" PRId64, value->as.number);
            put(field->name, number, (size_t)n);
        } else if (field->type == NORM_DOUBLE) {
            int n = snprintf(number, sizeof number, "%.17g", value->as.real);
            put(field->name, number, (size_t)n);
        } else {
            put(field->name, (const char *)value->as.bytes.data, value->as.bytes.len_bytes);
        }
    }
    put("end", "|\n", 2);
    telemetry_lab.n_events++;
}

const char *telemetry_lab_text(uint32_t index, const char *field)
{
    static char out[TELEMETRY_LAB_TEXT];
    char wanted[64];
    const char *line = telemetry_lab.events != NULL ? telemetry_lab.events : "";
    assert_true(index < telemetry_lab.n_events);
    for (; index > 0; index--) {
        const char *end = strchr(line, '\n');
        line = end != NULL ? end + 1 : "";
    }
    (void)snprintf(wanted, sizeof wanted, "|%s=", field);
    const char *at = strstr(line, wanted);
    bool is_found = at != NULL && at < strchr(line, '\n');
    assert_true(is_found);
    at = is_found ? at + strlen(wanted) : "";
    size_t len = strcspn(at, "|");
    assert_true(len < sizeof out);
    memcpy(out, at, len);
    out[len] = '\0';
    return out;
}

void telemetry_lab_take(struct norm_telemetry *reader, uint32_t seq)
{
    static const struct norm_past past = {.read = read_past};
    static struct edge_record record;
    const struct norm_emit emit = {.event = keep_event};
    struct ledger_batch batch = batch_at(seq);
    struct norm_input input = {
        .batch = &batch, .tenant = "acme", .anchor = telemetry_lab.anchor, .past = &past};
    struct hr_bytes raw;
    assert_false(telemetry_lab.batches[seq].is_lost);
    assert_true(hr_is_ok(wire_envelope_split(batch.envelope, &input.envelope)));
    struct hr_reader payload = hr_reader_over(input.envelope.payload);
    telemetry_lab.events_len = 0;
    telemetry_lab.events[0] = '\0';
    telemetry_lab.n_events = 0;
    reader->normalizer.batch(reader, &input);
    for (uint32_t index = 0; hr_is_ok(wire_record_next(&payload, &raw)); index++) {
        assert_true(hr_is_ok(edge_record_decode(raw, &record)));
        if (reader->normalizer.takes(record.kind)) {
            reader->normalizer.record(reader, &input, &record, index, &emit);
        }
    }
}

/* ---- records ---- */

struct edge_record telemetry_lab_channel(uint32_t channel, uint32_t model, const char *point, uint32_t kind)
{
    struct edge_record record = {.kind = EDGE_CHANNEL};
    struct edge_channel *what = &record.as.channel;
    *what = (struct edge_channel){.channel = channel, .device = "inverter-1", .model = model, .kind = kind};
    assert_true(strlen(point) < sizeof what->point);
    memcpy(what->point, point, strlen(point) + 1);
    what->width_bits = kind == EDGE_CHANNEL_ACCUMULATOR ? 32 : 0;
    return record;
}

struct edge_record telemetry_lab_sample(uint32_t channel, int64_t value, uint8_t quality)
{
    struct edge_record record = {.kind = EDGE_SAMPLES};
    record.as.samples = (struct edge_samples){
        .first_channel = channel, .n_values = 1, .quality = {quality}, .value = {value}};
    return record;
}

int telemetry_lab_setup(void **state, const struct norm_site *site)
{
    telemetry_lab_start();
    *state = telemetry_lab_reader(site);
    return 0;
}

int telemetry_lab_teardown(void **state)
{
    telemetry_lab_close(*state);
    telemetry_lab_end();
    return 0;
}
