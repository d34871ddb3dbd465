/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/telemetry/telemetry.h"

#include "aggregator/normalize/iso/anomaly.h"
#include "aggregator/normalize/telemetry/symbol.h"
#include "proto/base/assert.h"

#include <string.h>

#define PRODUCER "headrace/plant/1"
#define FEED     "plant_telemetry"

/* Which totals there are is configured: behind the first 100 versions stands by what. */
enum { VERSION = 1, MOST_VERSIONS = 100, TEXT_CHARS = 128 };

/* A record on its way to events. */
struct delivery {
    struct norm_telemetry *telemetry;
    const struct norm_input *input;
    struct norm_subject subject;
    const struct norm_emit *emit;
    const struct norm_site *site; /* NULL: none */
};

/* What a record makes of the five minutes that it ends. */
struct ended {
    size_t n_totals;
    struct norm_site_total totals[NORM_SITE_TECHNOLOGIES];
    int64_t end_s;
};

static struct norm_value name_value(const char *const *names, size_t n_names, uint32_t number)
{
    const char *name = number < n_names && names[number] != NULL ? names[number] : "other";
    return norm_chars(name, strlen(name));
}

/* key: empty for the collector's id. */
static void give_keyed(struct delivery *delivery, const struct norm_schema *schema, struct norm_value *values,
                       struct hr_bytes key)
{
    struct norm_common_text text;
    delivery->subject.schema = schema;
    struct norm_time when = norm_common_fill(&delivery->subject, &text, values);
    const struct norm_event event = {.schema = schema,
                                     .values = values,
                                     .key = key.len_bytes > 0 ? key : values[NORM_DEVICE_ID].as.bytes,
                                     .occurred_at_us = when.occurred_at_us,
                                     .record_index = delivery->subject.record_index,
                                     .output_index = delivery->subject.output_index};
    delivery->subject.output_index++;
    delivery->emit->event(delivery->emit->ctx, &event);
}

static void give(struct delivery *delivery, const struct norm_schema *schema, struct norm_value *values)
{
    give_keyed(delivery, schema, values, hr_bytes_of(NULL, 0));
}

/* ---- totals ---- */

static int64_t interval_of(int64_t time_us)
{
    return time_us / 1000000 / NORM_SITE_TOTAL_S;
}

/* Takes note of the record's time, and of the totals if it is the first behind the end of an interval. What
 * they are is what was said before the record. */
static void end_interval(struct delivery *delivery, struct ended *ended)
{
    const struct norm_input *input = delivery->input;
    struct norm_time now = norm_time_of(input, delivery->subject.dt_ms);
    uint64_t uptime_ms = input->envelope.header.base_uptime_ms + delivery->subject.dt_ms;
    uint64_t former_ms = 0;
    bool has_former = norm_channels_sampled(delivery->telemetry->channels, input, uptime_ms, &former_ms);
    ended->n_totals = 0;
    if (!has_former || delivery->site == NULL || !delivery->site->has_node ||
        now.quality == NORM_TIME_RECEIVED_ONLY) {
        return;
    }
    int64_t former_us = now.occurred_at_us - ((int64_t)uptime_ms - (int64_t)former_ms) * 1000;
    if (interval_of(former_us) < interval_of(now.occurred_at_us)) {
        ended->end_s = (interval_of(former_us) + 1) * NORM_SITE_TOTAL_S;
        ended->n_totals =
            norm_site_totals(delivery->site, delivery->telemetry->channels, input, ended->totals);
    }
}

/* Behind the samples, so that a site more or less moves no event_id of theirs. */
static void give_totals(struct delivery *delivery, const struct ended *ended)
{
    struct norm_value values[NORM_ISO_EVENT_FIELDS_MAX];
    char key[NORM_ISO_KEY_CHARS];
    const struct norm_site *site = delivery->site;
    for (size_t i = 0; i < ended->n_totals; i++) {
        const struct norm_schema *schema =
            norm_site_values(site, &ended->totals[i], ended->end_s, key, values);
        delivery->telemetry->counts.totals++;
        give_keyed(delivery, schema, values, hr_bytes_of(site->node, strlen(site->node)));
    }
}

/* ---- a sample that nobody explains ---- */

static void put_text(char out[TEXT_CHARS], const char *text)
{
    size_t at = strlen(out);
    size_t len = strlen(text);
    HR_ASSERT(at + len < TEXT_CHARS);
    memcpy(out + at, text, len + 1);
}

static void put_number(char out[TEXT_CHARS], uint64_t number)
{
    char digits[21] = "";
    size_t at = sizeof digits - 1;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put_text(out, digits + at);
}

static void give_unknown(struct delivery *delivery, const struct norm_channels_sample *sample)
{
    struct norm_value values[NORM_ANOMALY_FIELDS_MAX];
    char text[TEXT_CHARS] = "no dictionary in reach explains channel ";
    put_number(text, sample->channel);
    put_text(text, ": value ");
    put_text(text, sample->value < 0 ? "-" : "");
    put_number(text, sample->value < 0 ? 0 - (uint64_t)sample->value : (uint64_t)sample->value);
    put_text(text, ", quality ");
    put_number(text, sample->quality);
    const struct norm_anomaly anomaly = {
        .feed = FEED, .finding = "unknown_channel", .text = hr_bytes_of(text, strlen(text))};
    norm_anomaly_values(&anomaly, values);
    delivery->telemetry->counts.unknown++;
    give(delivery, &norm_anomaly_schema, values);
}

/* ---- a sample ---- */

static void fill_channel(const struct delivery *delivery, const struct edge_channel *what,
                         struct norm_value *values)
{
    static const char *const kinds[] = {[EDGE_CHANNEL_MEASUREMENT] = "measurement",
                                        [EDGE_CHANNEL_ACCUMULATOR] = "accumulator",
                                        [EDGE_CHANNEL_ENUMERATION] = "enumeration",
                                        [EDGE_CHANNEL_BITFIELD] = "bitfield"};
    const struct norm_site *site = delivery->site;
    const char *model = norm_symbol_model(what);
    values[NORM_TELEMETRY_SITE] = site != NULL ? norm_text_or_null(site->name) : norm_null();
    values[NORM_TELEMETRY_DEVICE] = norm_chars(what->device, strlen(what->device));
    values[NORM_TELEMETRY_MODEL] = what->model != 0 ? norm_long(what->model) : norm_null();
    values[NORM_TELEMETRY_MODEL_NAME] = model != NULL ? norm_text_or_null(model) : norm_null();
    values[NORM_TELEMETRY_POINT] = norm_chars(what->point, strlen(what->point));
    values[NORM_TELEMETRY_CHANNEL] = norm_long(what->channel);
    values[NORM_TELEMETRY_KIND] = name_value(kinds, HR_ARRAY_LEN(kinds), what->kind);
    values[NORM_TELEMETRY_UNIT] = norm_text_or_null(what->unit);
    values[NORM_TELEMETRY_SCALE] = norm_long(what->scale);
    values[NORM_TELEMETRY_DEAD_BAND] =
        what->dead_band != 0 ? norm_real(norm_telemetry_scaled((int64_t)what->dead_band, what->scale, true))
                             : norm_null();
}

static void fill_delta(const struct delivery *delivery, const struct norm_channel *channel,
                       const struct norm_channels_sample *sample, struct norm_value *values)
{
    static const char *const names[] = {[NORM_TELEMETRY_STEADY] = "steady",
                                        [NORM_TELEMETRY_WRAPPED] = "wrapped",
                                        [NORM_TELEMETRY_RESET] = "reset"};
    uint64_t delta = 0;
    enum norm_telemetry_step step = NORM_TELEMETRY_NO_STEP;
    if (channel->what.kind == EDGE_CHANNEL_ACCUMULATOR && sample->quality == EDGE_QUALITY_GOOD &&
        norm_channels_has_value(channel, delivery->input)) {
        step = norm_telemetry_delta(channel->what.width_bits, (uint64_t)channel->value,
                                    (uint64_t)sample->value, &delta);
    }
    bool is_known = step != NORM_TELEMETRY_NO_STEP;
    values[NORM_TELEMETRY_DELTA] =
        is_known ? norm_real(norm_telemetry_scaled((int64_t)delta, channel->what.scale, true)) : norm_null();
    values[NORM_TELEMETRY_DELTA_KIND] = is_known ? name_value(names, HR_ARRAY_LEN(names), step) : norm_null();
}

static struct norm_value symbol_value(const struct edge_channel *what, int64_t value,
                                      char text[NORM_SYMBOL_CHARS])
{
    if (what->kind != EDGE_CHANNEL_ENUMERATION && what->kind != EDGE_CHANNEL_BITFIELD) {
        return norm_null();
    }
    size_t len = norm_symbol(what, value, text);
    return len == SIZE_MAX ? norm_null() : norm_chars(text, len);
}

static void give_sample(void *ctx, const struct norm_channels_sample *sample)
{
    static const char *const qualities[] = {[EDGE_QUALITY_GOOD] = "good",
                                            [EDGE_QUALITY_STALE] = "stale",
                                            [EDGE_QUALITY_NOT_IMPLEMENTED] = "not_implemented",
                                            [EDGE_QUALITY_COMMS_ERROR] = "comms_error",
                                            [EDGE_QUALITY_OUT_OF_RANGE] = "out_of_range"};
    struct delivery *delivery = ctx;
    struct norm_telemetry *telemetry = delivery->telemetry;
    struct norm_value values[NORM_TELEMETRY_FIELD_COUNT];
    char symbol[NORM_SYMBOL_CHARS];
    const struct norm_channel *channel =
        norm_channels_find(telemetry->channels, delivery->input, sample->channel);
    if (channel == NULL) {
        give_unknown(delivery, sample);
        norm_channels_remember(telemetry->channels, delivery->input, sample);
        return;
    }
    /* Of these qualities the value is that of the device, now or before. */
    bool has_value = sample->quality == EDGE_QUALITY_GOOD || sample->quality == EDGE_QUALITY_STALE ||
                     sample->quality == EDGE_QUALITY_COMMS_ERROR;
    const struct edge_channel *what = &channel->what;
    bool is_unsigned = what->kind == EDGE_CHANNEL_ACCUMULATOR || what->kind == EDGE_CHANNEL_BITFIELD;
    fill_channel(delivery, what, values);
    fill_delta(delivery, channel, sample, values);
    values[NORM_TELEMETRY_VALUE] =
        has_value ? norm_real(norm_telemetry_scaled(sample->value, what->scale, is_unsigned)) : norm_null();
    values[NORM_TELEMETRY_QUALITY] = name_value(qualities, HR_ARRAY_LEN(qualities), sample->quality);
    values[NORM_TELEMETRY_SYMBOL] = has_value ? symbol_value(what, sample->value, symbol) : norm_null();
    values[NORM_TELEMETRY_RAW_VALUE] = norm_long(sample->value);
    telemetry->counts.samples++;
    telemetry->counts.bad += sample->quality == EDGE_QUALITY_GOOD ? 0 : 1;
    give(delivery, &norm_telemetry_schema, values);
    norm_channels_remember(telemetry->channels, delivery->input, sample);
}

/* ---- the normalizer ---- */

static const struct norm_site *site_of(const struct norm_telemetry_config *config, uint64_t collector)
{
    for (size_t i = 0; i < config->n_sites; i++) {
        if (config->sites[i].collector == collector) {
            return &config->sites[i];
        }
    }
    return NULL;
}

static void telemetry_batch(void *ctx, const struct norm_input *input)
{
    struct norm_telemetry *telemetry = ctx;
    norm_channels_batch(telemetry->channels, input);
}

static void telemetry_record(void *ctx, const struct norm_input *input, const struct edge_record *record,
                             uint32_t record_index, const struct norm_emit *emit)
{
    struct norm_telemetry *telemetry = ctx;
    if (!norm_channels_open(telemetry->channels, input)) {
        return; /* nothing of this batch is used */
    }
    if (record->kind == EDGE_CHANNEL) {
        norm_channels_define(telemetry->channels, input, &record->as.channel);
        return;
    }
    struct delivery delivery = {.telemetry = telemetry,
                                .input = input,
                                .subject = {.input = input,
                                            .producer = PRODUCER,
                                            .record_index = record_index,
                                            .dt_ms = record->dt_ms},
                                .emit = emit,
                                .site = site_of(&telemetry->config, input->batch->device_id)};
    struct ended ended;
    end_interval(&delivery, &ended);
    norm_channels_samples(record, give_sample, &delivery);
    give_totals(&delivery, &ended);
}

static uint64_t telemetry_needs_from(void *ctx, uint64_t since)
{
    const struct norm_telemetry *telemetry = ctx;
    return norm_channels_needs(telemetry->channels, since);
}

static bool telemetry_takes(enum edge_kind kind)
{
    return kind == EDGE_CHANNEL || kind == EDGE_SAMPLES || kind == EDGE_SAMPLE;
}

size_t norm_telemetry_memory_bytes(void)
{
    return sizeof(struct norm_channels);
}

void norm_telemetry_init(struct norm_telemetry *telemetry, const struct norm_telemetry_config *config)
{
    static const struct norm_schema *const schemas[] = {&norm_telemetry_schema};
    memset(telemetry, 0, sizeof *telemetry);
    telemetry->config = *config;
    telemetry->channels = config->memory;
    telemetry->normalizer = (struct normalizer){
        .source = "plant",
        .version = VERSION + MOST_VERSIONS * norm_site_version(config->sites, config->n_sites),
        .schemas = schemas,
        .n_schemas = HR_ARRAY_LEN(schemas),
        .takes = telemetry_takes,
        .batch = telemetry_batch,
        .record = telemetry_record,
        .needs_from = telemetry_needs_from,
        .ctx = telemetry};
}
