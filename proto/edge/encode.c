/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/cursor.h"
#include "proto/edge/internal.h"

#include <string.h>

enum { TAGGED_MAX_BYTES = 11 }; /* a tag and the longest varint */

static size_t put_varint(uint8_t *out, uint64_t value)
{
    size_t n = 0;
    for (; value >= 0x80u; value >>= 7) {
        out[n++] = (uint8_t)(value | 0x80u);
    }
    out[n++] = (uint8_t)value;
    return n;
}

/* A tag and a varint behind it, put together first: a call for each byte is what such small fields cost most.
 */
static void write_tagged(struct hr_writer *writer, uint8_t tag, uint64_t value)
{
    uint8_t bytes[TAGGED_MAX_BYTES] = {tag};
    hr_write_raw(writer, bytes, 1 + put_varint(bytes + 1, value));
}

static void write_varint(struct hr_writer *writer, uint64_t value)
{
    uint8_t bytes[TAGGED_MAX_BYTES];
    hr_write_raw(writer, bytes, put_varint(bytes, value));
}

static void write_number(struct hr_writer *writer, uint8_t tag, uint64_t value)
{
    if (value != 0) {
        write_tagged(writer, tag, value);
    }
}

static void write_bytes(struct hr_writer *writer, uint8_t tag, struct hr_bytes bytes)
{
    if (bytes.len_bytes > 0) {
        write_tagged(writer, tag, bytes.len_bytes);
        hr_write_raw(writer, bytes.data, bytes.len_bytes);
    }
}

/* A message goes straight to its place, with one byte for its length; a longer length moves it by a byte. */
static size_t begin_message(struct hr_writer *writer, uint8_t tag)
{
    hr_write_u8(writer, tag);
    hr_write_u8(writer, 0);
    return writer->at;
}

static void end_message(struct hr_writer *writer, size_t start)
{
    if (!hr_writer_ok(writer)) {
        return;
    }
    size_t len_bytes = writer->at - start;
    size_t more_bytes = hr_varint32_len((uint32_t)len_bytes) - 1;
    for (size_t i = 0; i < more_bytes; i++) {
        hr_write_u8(writer, 0);
    }
    if (!hr_writer_ok(writer)) {
        return;
    }
    memmove(writer->data + start + more_bytes, writer->data + start, len_bytes);
    struct hr_writer length = hr_writer_over(writer->data + start - 1, 1 + more_bytes);
    hr_write_varint32(&length, (uint32_t)len_bytes);
}

/* ---- AIS ---- */

static void write_ais(struct hr_writer *writer, const struct edge_ais_view *view)
{
    if (edge_ais_view_is_common(view)) {
        write_bytes(writer, view->channel == 'A' ? EDGE_TAG_AIS_A : EDGE_TAG_AIS_B, view->payload);
        return;
    }
    size_t start = begin_message(writer, EDGE_TAG_AIS);
    write_bytes(writer, EDGE_TAG_PAYLOAD, view->payload);
    write_number(writer, EDGE_TAG_PAYLOAD_CHARS, view->payload_chars);
    write_number(writer, EDGE_TAG_FILL_BITS, view->fill_bits);
    write_number(writer, EDGE_TAG_CHANNEL, view->channel);
    write_number(writer, EDGE_TAG_TALKER, view->talker == EDGE_TALKER_AI ? 0 : view->talker);
    write_number(writer, EDGE_TAG_OWN_SHIP, view->own_ship ? 1 : 0);
    /* Zigzag of a number that is never negative. */
    write_number(writer, EDGE_TAG_SOURCE_TIME, (uint64_t)view->source_time_ms << 1);
    write_bytes(writer, EDGE_TAG_STATION, view->station);
    end_message(writer, start);
}

/* ---- the other kinds, from tables ---- */

enum form {
    NUMBER,       /* uint32_t or uint64_t */
    ZIGZAG,       /* int32_t or int64_t */
    TEXT,         /* char array with its NUL */
    FIXED,        /* all bytes of the array */
    FIXED_OR_NOT, /* the same, left out when all are zero */
    CHUNK_DATA,   /* len_bytes of a struct edge_chunk */
    COUNTERS,     /* n_counters messages of a struct edge_stats */
    SKIPS,        /* n_values packed numbers of a struct edge_samples, left out when all are zero */
    QUALITIES,    /* the same */
    VALUES,       /* n_values packed zigzag numbers of a struct edge_samples */
};

struct field {
    uint8_t number;
    uint8_t form;
    uint16_t offset;
    uint16_t size_bytes;
};

struct message {
    uint8_t number; /* of the body in Record */
    uint8_t n_fields;
    const struct field *fields; /* in the order of their numbers */
};

#define FIELD(number, form, type, member)                                                                    \
    {(number), (form), (uint16_t)offsetof(struct type, member), (uint16_t)sizeof(((struct type *)0)->member)}
#define MESSAGE(number, fields) {(number), (uint8_t)HR_ARRAY_LEN(fields), (fields)}

static const struct field sample_fields[] = {
    FIELD(1, NUMBER, edge_sample, channel),
    FIELD(2, ZIGZAG, edge_sample, value),
    FIELD(3, NUMBER, edge_sample, quality),
};

static const struct field document_fields[] = {
    FIELD(1, NUMBER, edge_document, document_id),
    FIELD(2, TEXT, edge_document, feed),
    FIELD(3, TEXT, edge_document, request),
    FIELD(4, NUMBER, edge_document, http_status),
    FIELD(5, TEXT, edge_document, etag),
    FIELD(6, TEXT, edge_document, last_modified),
    FIELD(7, FIXED_OR_NOT, edge_document, sha256),
    FIELD(8, NUMBER, edge_document, len_bytes),
    FIELD(9, NUMBER, edge_document, n_chunks),
    FIELD(10, NUMBER, edge_document, encoding),
    FIELD(11, TEXT, edge_document, error),
    FIELD(12, ZIGZAG, edge_document, window_start_ms),
    FIELD(13, ZIGZAG, edge_document, window_end_ms),
};

static const struct field chunk_fields[] = {
    FIELD(1, NUMBER, edge_chunk, document_id),
    FIELD(2, NUMBER, edge_chunk, index),
    FIELD(3, CHUNK_DATA, edge_chunk, data),
};

static const struct field time_anchor_fields[] = {
    FIELD(1, NUMBER, edge_time_anchor, boot_id), FIELD(2, NUMBER, edge_time_anchor, uptime_ms),
    FIELD(3, NUMBER, edge_time_anchor, utc_ms),  FIELD(4, NUMBER, edge_time_anchor, err_ms),
    FIELD(5, NUMBER, edge_time_anchor, source),
};

static const struct field key_switch_fields[] = {
    FIELD(1, NUMBER, edge_key_switch, from_epoch), FIELD(2, NUMBER, edge_key_switch, to_epoch),
    FIELD(3, FIXED, edge_key_switch, spki),        FIELD(4, NUMBER, edge_key_switch, switch_seq),
    FIELD(5, FIXED, edge_key_switch, proof),
};

static const struct field loss_fields[] = {
    FIELD(1, NUMBER, edge_loss, from_seq),         FIELD(2, NUMBER, edge_loss, to_seq),
    FIELD(3, NUMBER, edge_loss, first_record_seq), FIELD(4, NUMBER, edge_loss, n_records),
    FIELD(5, NUMBER, edge_loss, reason),           FIELD(6, FIXED, edge_loss, last_digest),
};

static const struct field boot_fields[] = {
    FIELD(1, NUMBER, edge_boot, boot_id),
    FIELD(2, NUMBER, edge_boot, reason),
    FIELD(3, TEXT, edge_boot, version),
    FIELD(4, NUMBER, edge_boot, previous_stream),
    FIELD(5, NUMBER, edge_boot, recovered_records),
};

static const struct field stats_fields[] = {
    FIELD(1, TEXT, edge_stats, source),
    FIELD(2, COUNTERS, edge_stats, counter),
};

static const struct field counter_fields[] = {
    FIELD(1, TEXT, edge_counter, name),
    FIELD(2, NUMBER, edge_counter, value),
};

static const struct field event_fields[] = {
    FIELD(1, NUMBER, edge_event, code),
    FIELD(2, TEXT, edge_event, text),
};

static const struct field channel_fields[] = {
    FIELD(1, NUMBER, edge_channel, channel),     FIELD(2, TEXT, edge_channel, device),
    FIELD(3, NUMBER, edge_channel, model),       FIELD(4, TEXT, edge_channel, point),
    FIELD(5, TEXT, edge_channel, unit),          FIELD(6, ZIGZAG, edge_channel, scale),
    FIELD(7, NUMBER, edge_channel, kind),        FIELD(8, NUMBER, edge_channel, width_bits),
    FIELD(9, NUMBER, edge_channel, interval_ms), FIELD(10, NUMBER, edge_channel, silence_ms),
    FIELD(11, NUMBER, edge_channel, dead_band),  FIELD(12, TEXT, edge_channel, symbols),
};

static const struct field samples_fields[] = {
    FIELD(1, NUMBER, edge_samples, first_channel),
    FIELD(2, SKIPS, edge_samples, skip),
    FIELD(3, VALUES, edge_samples, value),
    FIELD(4, QUALITIES, edge_samples, quality),
};

static const struct message messages[] = {
    [EDGE_SAMPLE] = MESSAGE(5, sample_fields),
    [EDGE_DOCUMENT] = MESSAGE(6, document_fields),
    [EDGE_CHUNK] = MESSAGE(7, chunk_fields),
    [EDGE_TIME_ANCHOR] = MESSAGE(8, time_anchor_fields),
    [EDGE_KEY_SWITCH] = MESSAGE(9, key_switch_fields),
    [EDGE_LOSS] = MESSAGE(10, loss_fields),
    [EDGE_BOOT] = MESSAGE(11, boot_fields),
    [EDGE_STATS] = MESSAGE(12, stats_fields),
    [EDGE_EVENT] = MESSAGE(13, event_fields),
    [EDGE_CHANNEL] = MESSAGE(14, channel_fields),
    [EDGE_SAMPLES] = MESSAGE(15, samples_fields),
};

static const struct message counter_message = MESSAGE(0, counter_fields);

static uint64_t number_at(const uint8_t *at, size_t size_bytes)
{
    uint32_t half = 0;
    uint64_t whole = 0;
    if (size_bytes == sizeof half) {
        memcpy(&half, at, sizeof half);
        return half;
    }
    HR_ASSERT(size_bytes == sizeof whole);
    memcpy(&whole, at, sizeof whole);
    return whole;
}

static uint64_t zigzag(int64_t number)
{
    return (uint64_t)number << 1 ^ (0 - ((uint64_t)number >> 63));
}

static int64_t signed_at(const uint8_t *at, size_t size_bytes)
{
    uint64_t number = number_at(at, size_bytes);
    return size_bytes == sizeof(int32_t) ? (int32_t)(uint32_t)number : (int64_t)number;
}

static bool is_zero(const uint8_t *at, size_t size_bytes)
{
    return at[0] == 0 && memcmp(at, at + 1, size_bytes - 1) == 0;
}

static void write_scalar(struct hr_writer *writer, const struct field *field, const uint8_t *at)
{
    uint8_t tag_number = (uint8_t)((unsigned)field->number << 3);
    uint8_t tag_bytes = (uint8_t)(tag_number | 2u);
    switch ((enum form)field->form) {
    case NUMBER:
        write_number(writer, tag_number, number_at(at, field->size_bytes));
        return;
    case ZIGZAG:
        write_number(writer, tag_number, zigzag(signed_at(at, field->size_bytes)));
        return;
    case TEXT:
        write_bytes(writer, tag_bytes, hr_bytes_of(at, strlen((const char *)at)));
        return;
    case FIXED:
        write_bytes(writer, tag_bytes, hr_bytes_of(at, field->size_bytes));
        return;
    case FIXED_OR_NOT:
        write_bytes(writer, tag_bytes,
                    hr_bytes_of(at, is_zero(at, field->size_bytes) ? 0 : field->size_bytes));
        return;
    case CHUNK_DATA:
    case COUNTERS:
    case SKIPS:
    case QUALITIES:
    case VALUES:
        break;
    }
    HR_ASSERT(false && "a field of parts is not a scalar");
}

static void write_scalars(struct hr_writer *writer, const struct message *message, const void *from)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        write_scalar(writer, &message->fields[i], (const uint8_t *)from + message->fields[i].offset);
    }
}

static void write_counters(struct hr_writer *writer, uint8_t tag, const struct edge_stats *stats)
{
    for (size_t i = 0; i < stats->n_counters; i++) {
        size_t start = begin_message(writer, tag);
        write_scalars(writer, &counter_message, &stats->counter[i]);
        end_message(writer, start);
    }
}

static uint64_t packed_number(const struct edge_samples *samples, enum form form, size_t i)
{
    if (form == VALUES) {
        return zigzag(samples->value[i]);
    }
    return form == SKIPS ? samples->skip[i] : samples->quality[i];
}

static void write_packed(struct hr_writer *writer, uint8_t tag, const struct edge_samples *samples,
                         enum form form)
{
    uint64_t any = form == VALUES ? 1 : 0;
    for (size_t i = 0; i < samples->n_values; i++) {
        any |= packed_number(samples, form, i);
    }
    if (any == 0) {
        return;
    }
    size_t start = begin_message(writer, tag);
    for (size_t i = 0; i < samples->n_values; i++) {
        write_varint(writer, packed_number(samples, form, i));
    }
    end_message(writer, start);
}

static void write_body(struct hr_writer *writer, const struct edge_record *record)
{
    HR_ASSERT((size_t)record->kind < HR_ARRAY_LEN(messages) && messages[record->kind].n_fields > 0);
    const struct message *message = &messages[record->kind];
    size_t start = begin_message(writer, (uint8_t)((unsigned)message->number << 3 | 2u));
    for (size_t i = 0; i < message->n_fields; i++) {
        const struct field *field = &message->fields[i];
        uint8_t tag = (uint8_t)((unsigned)field->number << 3 | 2u);
        if (field->form == CHUNK_DATA) {
            write_bytes(writer, tag, hr_bytes_of(record->as.chunk.data, record->as.chunk.len_bytes));
        } else if (field->form == COUNTERS) {
            write_counters(writer, tag, &record->as.stats);
        } else if (field->form >= SKIPS) {
            write_packed(writer, tag, &record->as.samples, (enum form)field->form);
        } else {
            write_scalar(writer, field, (const uint8_t *)&record->as + field->offset);
        }
    }
    end_message(writer, start);
}

static struct hr_status end_record(const struct hr_writer *writer, size_t *len_bytes)
{
    if (!hr_writer_ok(writer)) {
        return hr_status_of(HR_FULL);
    }
    *len_bytes = writer->at;
    return hr_ok();
}

struct hr_status edge_ais_encode(const struct edge_ais *ais, uint32_t dt_ms, uint8_t *out,
                                 size_t capacity_bytes, size_t *len_bytes)
{
    struct edge_ais_view view = edge_ais_view_of(ais);
    if (!edge_ais_view_in_range(&view)) {
        return hr_status_of(HR_MALFORMED);
    }
    struct hr_writer writer = hr_writer_over(out, capacity_bytes);
    write_number(&writer, EDGE_TAG_DT_MS, dt_ms);
    write_ais(&writer, &view);
    return end_record(&writer, len_bytes);
}

struct hr_status edge_record_encode(const struct edge_record *record, uint8_t *out, size_t capacity_bytes,
                                    size_t *len_bytes)
{
    HR_ASSERT(record->kind != EDGE_NONE);
    if (record->kind == EDGE_AIS) {
        return edge_ais_encode(&record->as.ais, record->dt_ms, out, capacity_bytes, len_bytes);
    }
    if (!edge_record_in_range(record)) {
        return hr_status_of(HR_MALFORMED);
    }
    struct hr_writer writer = hr_writer_over(out, capacity_bytes);
    write_number(&writer, EDGE_TAG_DT_MS, record->dt_ms);
    write_body(&writer, record);
    return end_record(&writer, len_bytes);
}
