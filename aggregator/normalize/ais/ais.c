/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/ais/ais.h"

#include "aggregator/normalize/ais/layout.h"
#include "proto/base/assert.h"

#include <string.h>

enum {
    HEADER_BITS = 38,
    MMSI_CHARS = 10, /* 30 bits hold up to 1,073,741,823 */
    TEXT_MAX_CHARS = 34,
    TEXTS_MAX = 4, /* message 5 has three */
    AID_NAME_AT_BIT = 43,
    AID_NAME_CHARS = 20,
    AID_EXTENSION_AT_BIT = 272,
    AID_EXTENSION_MAX_CHARS = 14,
    MOTHERSHIP_AT_BIT = 132,
};

/* One message while it is decoded; values and the key borrow from it. */
struct decoding {
    const struct edge_ais *ais;
    uint32_t len_bits;
    enum norm_ais_status status;
    uint32_t message_type; /* 0 without a header */
    uint32_t mmsi;
    uint32_t n_invalid;
    uint32_t n_texts;
    char texts[TEXTS_MAX][TEXT_MAX_CHARS];
    char payload[(EDGE_AIS_PAYLOAD_MAX_BYTES * 4 + 2) / 3];
    char mmsi_text[MMSI_CHARS];
    struct norm_common_text common;
    struct norm_value values[AIS_FIELD_COUNT];
};

/* The len_bits (1 to 32) bits from bit `at` on, big-endian. The array behind payload is longer than any
 * layout, so eight bytes can always be loaded; whether the bits were received is the caller's question. */
static uint32_t bits_at(const struct edge_ais *ais, uint32_t at, uint32_t len_bits)
{
    const uint8_t *p = ais->payload + at / 8;
    uint64_t word = (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
                    (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 | (uint64_t)p[6] << 8 |
                    (uint64_t)p[7];

    return (uint32_t)((word << (at % 8)) >> (64 - len_bits));
}

static int32_t signed_bits_at(const struct edge_ais *ais, uint32_t at, uint32_t len_bits)
{
    uint32_t raw = bits_at(ais, at, len_bits);
    uint32_t sign = 1u << (len_bits - 1);

    return (int32_t)(raw ^ sign) - (int32_t)sign;
}

/* Appends 6-bit characters to text; stops before '@', which ends a text. False: it met one. */
static bool text_append(const struct edge_ais *ais, uint32_t at, uint32_t n_chars, char *text,
                        size_t *len_chars)
{
    for (uint32_t i = 0; i < n_chars; i++) {
        uint32_t six = bits_at(ais, at + 6 * i, 6);

        if (six == 0) {
            return false;
        }
        HR_ASSERT(*len_chars < TEXT_MAX_CHARS);
        text[(*len_chars)++] = (char)(six < 32 ? six + 64 : six);
    }
    return true;
}

static struct norm_value text_value(const char *text, size_t len_chars)
{
    while (len_chars > 0 && text[len_chars - 1] == ' ') {
        len_chars--;
    }
    return len_chars == 0 ? norm_null() : norm_chars(text, len_chars);
}

static void invalid(struct decoding *decoding, uint32_t field)
{
    decoding->values[field] = norm_null();
    decoding->n_invalid++;
}

/* ROT_AIS = 4.733 * sqrt(degrees a minute), rounded, with its sign. +-127 says only "faster than 5 degrees in
 * 30 s, no turn indicator": a direction without a rate. */
static void rot_put(struct decoding *decoding, uint32_t field, int32_t indicator)
{
    if (indicator == -128) {
        return;
    }
    decoding->values[field] = norm_long(indicator);
    if (indicator != 127 && indicator != -127) {
        double root = (double)indicator / 4.733;

        decoding->values[field + 1] = norm_real(indicator < 0 ? -(root * root) : root * root);
    }
}

static void row_put(struct decoding *decoding, const struct layout_row *row)
{
    const struct edge_ais *ais = decoding->ais;
    struct norm_value *value = &decoding->values[row->field];

    if (row->as == LAYOUT_TEXT) {
        char *text = decoding->texts[decoding->n_texts++];
        size_t len_chars = 0;

        (void)text_append(ais, row->at, row->len_bits / 6u, text, &len_chars);
        *value = text_value(text, len_chars);
        return;
    }
    bool is_signed = row->as == LAYOUT_SIGNED_REAL || row->as == LAYOUT_ROT;
    int32_t raw = is_signed ? signed_bits_at(ais, row->at, row->len_bits)
                            : (int32_t)bits_at(ais, row->at, row->len_bits);

    if (raw == row->null_raw) {
        return;
    }
    if (raw > row->max_raw || (row->as == LAYOUT_SIGNED_REAL && raw < -row->max_raw)) {
        invalid(decoding, row->field);
        return;
    }
    switch ((enum layout_as)row->as) {
    case LAYOUT_NUMBER:
        *value = norm_long(raw);
        break;
    case LAYOUT_REAL:
    case LAYOUT_SIGNED_REAL:
        *value = norm_real((double)raw / (double)row->per_unit);
        break;
    case LAYOUT_FLAG:
        *value = norm_flag(raw != 0);
        break;
    case LAYOUT_FLAG_INVERTED:
        *value = norm_flag(raw == 0);
        break;
    case LAYOUT_ROT:
        rot_put(decoding, row->field, raw);
        break;
    case LAYOUT_SECOND:
        decoding->values[row->field + (raw > 60 ? 1 : 0)] = norm_long(raw);
        break;
    case LAYOUT_TEXT:
        break;
    }
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to 1 March of `year`, in the proleptic Gregorian calendar, year >= 1. */
static int64_t days_to_march(int64_t year)
{
    return 365 * year + year / 4 - year / 100 + year / 400 - 719468;
}

/* UTC of a base station. Each part has its own "not available"; a date with a part missing is no time, and
 * one that can't be (30 February) is invalid. */
static void station_time_put(struct decoding *decoding)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const uint16_t days_since_march[] = {306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275};
    const struct edge_ais *ais = decoding->ais;
    int64_t year = bits_at(ais, 38, 14);
    uint32_t month = bits_at(ais, 52, 4);
    uint32_t day = bits_at(ais, 56, 5);
    uint32_t hour = bits_at(ais, 61, 5);
    uint32_t minute = bits_at(ais, 66, 6);
    uint32_t second = bits_at(ais, 72, 6);

    if (year == 0 || month == 0 || day == 0 || hour == 24 || minute == 60 || second == 60) {
        return;
    }
    if (year > 9999 || month > 12 || hour > 23 || minute > 59 || second > 59 ||
        day > month_days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u)) {
        invalid(decoding, AIS_STATION_TIME);
        return;
    }
    int64_t days = days_to_march(month < 3 ? year - 1 : year) + days_since_march[month - 1] + day - 1;
    int64_t seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;

    decoding->values[AIS_STATION_TIME] = norm_long(seconds * 1000000);
}

static void dimensions_check(struct norm_value *values)
{
    int64_t sum = 0;

    for (uint32_t field = AIS_TO_BOW_M; field <= AIS_TO_STARBOARD_M; field++) {
        if (values[field].is_null) {
            return;
        }
        sum += values[field].as.number;
    }
    for (uint32_t field = AIS_TO_BOW_M; sum == 0 && field <= AIS_TO_STARBOARD_M; field++) {
        values[field] = norm_null();
    }
}

static void mothership_put(struct decoding *decoding)
{
    if (decoding->mmsi / 10000000 != 98) {
        return;
    }
    for (uint32_t field = AIS_TO_BOW_M; field <= AIS_TO_STARBOARD_M; field++) {
        decoding->values[field] = norm_null();
    }
    uint32_t mothership = bits_at(decoding->ais, MOTHERSHIP_AT_BIT, 30);

    decoding->values[AIS_MOTHERSHIP_MMSI] = mothership == 0 ? norm_null() : norm_long(mothership);
}

static void aid_name_put(struct decoding *decoding)
{
    char *text = decoding->texts[decoding->n_texts++];
    size_t len_chars = 0;

    if (text_append(decoding->ais, AID_NAME_AT_BIT, AID_NAME_CHARS, text, &len_chars) &&
        decoding->len_bits > AID_EXTENSION_AT_BIT) {
        uint32_t n_chars = (decoding->len_bits - AID_EXTENSION_AT_BIT) / 6;

        n_chars = n_chars > AID_EXTENSION_MAX_CHARS ? AID_EXTENSION_MAX_CHARS : n_chars;
        (void)text_append(decoding->ais, AID_EXTENSION_AT_BIT, n_chars, text, &len_chars);
    }
    decoding->values[AIS_AID_NAME] = text_value(text, len_chars);
}

static enum norm_ais_status status_of(const struct layout *layout, uint32_t len_bits)
{
    if (len_bits < layout->min_bits) {
        return NORM_AIS_BAD_LENGTH;
    }
    if (len_bits < layout->full_bits) {
        return NORM_AIS_SHORT;
    }
    return len_bits > layout->longest_bits + 7u ? NORM_AIS_LONG : NORM_AIS_OK;
}

static void message_decode(struct decoding *decoding)
{
    const struct edge_ais *ais = decoding->ais;

    if (decoding->len_bits < HEADER_BITS) {
        decoding->status = NORM_AIS_NO_HEADER;
        return;
    }
    decoding->message_type = bits_at(ais, 0, 6);
    decoding->mmsi = bits_at(ais, 8, 30);
    decoding->values[AIS_MESSAGE_TYPE] = norm_long(decoding->message_type);
    decoding->values[AIS_REPEAT_INDICATOR] = norm_long(bits_at(ais, 6, 2));
    decoding->values[AIS_MMSI] = norm_long(decoding->mmsi);

    uint32_t part_number = decoding->len_bits < HEADER_BITS + 2 ? 0 : bits_at(ais, HEADER_BITS, 2);
    const struct layout *layout = norm_ais_layout(decoding->message_type, part_number);

    decoding->status = layout == NULL ? NORM_AIS_KEPT : status_of(layout, decoding->len_bits);
    if (decoding->status == NORM_AIS_KEPT || decoding->status == NORM_AIS_BAD_LENGTH) {
        return;
    }
    for (uint16_t i = 0; i < layout->n_rows; i++) {
        if ((uint32_t)layout->rows[i].at + layout->rows[i].len_bits <= decoding->len_bits) {
            row_put(decoding, &layout->rows[i]);
        }
    }
    if (layout->also & LAYOUT_ALSO_STATION_TIME) {
        station_time_put(decoding);
    }
    if (layout->also & LAYOUT_ALSO_MOTHERSHIP) {
        mothership_put(decoding);
    }
    if (layout->also & LAYOUT_ALSO_DIMENSIONS) {
        dimensions_check(decoding->values);
    }
    if (layout->also & LAYOUT_ALSO_NAME_EXTENSION) {
        aid_name_put(decoding);
    }
}

/* Six bits a character, as NMEA 0183 armors them: 0 to 39 from '0' on, 40 to 63 from '`' on. */
static void payload_put(struct decoding *decoding)
{
    static const char armor[] = "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVW`abcdefghijklmnopqrstuvw";
    const struct edge_ais *ais = decoding->ais;
    const uint8_t *in = ais->payload;
    char *out = decoding->payload;
    uint32_t left_chars = ais->payload_chars;

    for (; left_chars >= 4; left_chars -= 4, in += 3, out += 4) {
        out[0] = armor[in[0] >> 2];
        out[1] = armor[(in[0] & 3) << 4 | in[1] >> 4];
        out[2] = armor[(in[1] & 15) << 2 | in[2] >> 6];
        out[3] = armor[in[2] & 63];
    }
    if (left_chars > 0) {
        out[0] = armor[in[0] >> 2];
    }
    if (left_chars > 1) {
        out[1] = armor[(in[0] & 3) << 4 | in[1] >> 4];
    }
    if (left_chars > 2) {
        out[2] = armor[(in[1] & 15) << 2 | in[2] >> 6];
    }
    decoding->values[AIS_PAYLOAD] = norm_chars(decoding->payload, ais->payload_chars);
}

static void sentence_put(struct decoding *decoding)
{
    const struct edge_ais *ais = decoding->ais;
    struct norm_value *values = decoding->values;
    const char *status = norm_ais_status_name(decoding->status);

    values[AIS_CHANNEL] = ais->channel == 0 ? norm_null() : norm_chars(&ais->channel, 1);
    values[AIS_TALKER] = norm_chars(ais->talker, sizeof(ais->talker));
    values[AIS_OWN_SHIP] = norm_flag(ais->own_ship);
    values[AIS_SOURCE_TIME] = ais->source_time_ms == 0 ? norm_null() : norm_long(ais->source_time_ms * 1000);
    values[AIS_STATION] = norm_text_or_null(ais->station);
    values[AIS_FILL_BITS] = norm_long(ais->fill_bits);
    values[AIS_DECODE_STATUS] = norm_chars(status, strlen(status));
    values[AIS_INVALID_FIELDS] = norm_long(decoding->n_invalid);
    payload_put(decoding);
}

static struct hr_bytes key_put(struct decoding *decoding)
{
    uint32_t n_chars = decoding->mmsi > 999999999 ? 10 : 9;
    uint32_t rest = decoding->mmsi;

    if (decoding->status == NORM_AIS_NO_HEADER) {
        return hr_bytes_of(decoding->common.device_id, sizeof(decoding->common.device_id));
    }
    for (uint32_t i = n_chars; i-- > 0; rest /= 10) {
        decoding->mmsi_text[i] = (char)('0' + rest % 10);
    }
    return hr_bytes_of(decoding->mmsi_text, n_chars);
}

/* One thread writes, so no read-modify-write is needed: readers only must never see half a number. */
static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static void ais_record(void *ctx, const struct norm_input *input, const struct edge_record *record,
                       uint32_t record_index, const struct norm_emit *emit)
{
    struct norm_ais_counters *counters = ctx;
    const struct norm_subject subject = {
        .input = input,
        .schema = &norm_ais_schema,
        .producer = "headrace/ais/1",
        .record_index = record_index,
        .dt_ms = record->dt_ms,
    };
    struct decoding decoding;

    HR_ASSERT(record->kind == EDGE_AIS);
    decoding.ais = &record->as.ais;
    decoding.len_bits = 6u * decoding.ais->payload_chars - decoding.ais->fill_bits;
    decoding.message_type = 0;
    decoding.mmsi = 0;
    decoding.n_invalid = 0;
    decoding.n_texts = 0;
    for (uint32_t field = NORM_COMMON_COUNT; field < AIS_FIELD_COUNT; field++) {
        decoding.values[field].is_null = true;
    }
    message_decode(&decoding);
    sentence_put(&decoding);

    struct norm_time when = norm_common_fill(&subject, &decoding.common, decoding.values);
    const struct norm_event event = {
        .schema = &norm_ais_schema,
        .values = decoding.values,
        .key = key_put(&decoding),
        .occurred_at_us = when.occurred_at_us,
        .record_index = record_index,
    };

    count(&counters->by_status[decoding.status], 1);
    count(&counters->by_type[decoding.message_type], 1);
    if (decoding.n_invalid > 0) {
        count(&counters->invalid_fields, decoding.n_invalid);
    }
    emit->event(emit->ctx, &event);
}

static bool ais_takes(enum edge_kind kind)
{
    return kind == EDGE_AIS;
}

const char *norm_ais_status_name(enum norm_ais_status status)
{
    static const char *const names[NORM_AIS_STATUS_COUNT] = {
        [NORM_AIS_OK] = "ok",     [NORM_AIS_SHORT] = "short",           [NORM_AIS_LONG] = "long",
        [NORM_AIS_KEPT] = "kept", [NORM_AIS_BAD_LENGTH] = "bad_length", [NORM_AIS_NO_HEADER] = "no_header",
    };

    return names[status];
}

void norm_ais_init(struct norm_ais *ais)
{
    static const struct norm_schema *const schemas[] = {&norm_ais_schema};

    memset(ais, 0, sizeof(*ais));
    ais->normalizer = (struct normalizer){
        .source = "ais",
        .version = 1,
        .schemas = schemas,
        .n_schemas = HR_ARRAY_LEN(schemas),
        .takes = ais_takes,
        .record = ais_record,
        .ctx = &ais->counters,
    };
}
