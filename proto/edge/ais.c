/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/cursor.h"
#include "proto/edge/internal.h"

#include <string.h>

/* Protobuf tag bytes (field << 3 | wire type) of record.proto that this codec knows. */
enum {
    TAG_DT_MS = 1 << 3 | 0,
    TAG_AIS_A = 2 << 3 | 2,
    TAG_AIS_B = 3 << 3 | 2,
    TAG_AIS = 4 << 3 | 2,
    TAG_PAYLOAD = 1 << 3 | 2,
    TAG_PAYLOAD_CHARS = 2 << 3 | 0,
    TAG_FILL_BITS = 3 << 3 | 0,
    TAG_CHANNEL = 4 << 3 | 0,
    TAG_TALKER = 5 << 3 | 0,
    TAG_OWN_SHIP = 6 << 3 | 0,
    TAG_SOURCE_TIME = 7 << 3 | 0,
    TAG_STATION = 8 << 3 | 2,
};

enum { PAYLOAD_MAX_CHARS = EDGE_AIS_PAYLOAD_MAX_BYTES * 8 / 6 };

static size_t payload_len(uint32_t payload_chars)
{
    return ((size_t)payload_chars * 6 + 7) / 8;
}

static bool is_graphic(uint32_t character)
{
    return character > 0x20 && character < 0x7F;
}

struct edge_ais_view edge_ais_view_of(const struct edge_ais *ais)
{
    /* An array without its NUL, or a length beyond the payload, is left for the range check to refuse. */
    size_t station_len = strnlen(ais->station, sizeof ais->station);
    return (struct edge_ais_view){
        .payload = hr_bytes_of(ais->payload, payload_len(ais->payload_chars)),
        .payload_chars = ais->payload_chars,
        .fill_bits = ais->fill_bits,
        .channel = (uint8_t)ais->channel,
        .talker = (uint32_t)(uint8_t)ais->talker[0] << 8 | (uint8_t)ais->talker[1],
        .own_ship = ais->own_ship,
        .source_time_ms = ais->source_time_ms,
        .station = hr_bytes_of(ais->station, station_len),
    };
}

bool edge_ais_view_in_range(const struct edge_ais_view *view)
{
    if (view->payload_chars < 1 || view->payload_chars > PAYLOAD_MAX_CHARS ||
        view->payload.len_bytes != payload_len(view->payload_chars) || view->fill_bits > 5) {
        return false;
    }
    size_t padding_bits = view->payload.len_bytes * 8 - (size_t)view->payload_chars * 6;
    uint32_t padding_mask = (1u << padding_bits) - 1u;
    if ((view->payload.data[view->payload.len_bytes - 1] & padding_mask) != 0) {
        return false;
    }
    return (view->channel == 0 || is_graphic(view->channel)) && is_graphic(view->talker >> 8) &&
           is_graphic(view->talker & 0xFFu) && view->source_time_ms >= 0 &&
           (uint64_t)view->source_time_ms < EDGE_LIMIT_48 &&
           view->station.len_bytes <= EDGE_AIS_STATION_MAX_CHARS && edge_text_ok(view->station);
}

bool edge_ais_view_is_common(const struct edge_ais_view *view)
{
    return (view->channel == 'A' || view->channel == 'B') && view->talker == EDGE_TALKER_AI &&
           !view->own_ship && view->fill_bits == 0 && view->payload_chars % 4 == 0 &&
           view->source_time_ms == 0 && view->station.len_bytes == 0;
}

struct edge_ais_view edge_ais_view_of_common(struct hr_bytes payload, char channel)
{
    /* Octets that are no whole number of characters give a count that the range check finds not to fit them.
     */
    return (struct edge_ais_view){
        .payload = payload,
        .payload_chars = payload.len_bytes % 3 == 0 ? (uint32_t)(payload.len_bytes * 8 / 6) : 0,
        .channel = (uint8_t)channel,
        .talker = EDGE_TALKER_AI,
    };
}

void edge_ais_fill(const struct edge_ais_view *view, struct edge_ais *out)
{
    HR_ASSERT(view->payload.len_bytes <= sizeof out->payload);
    HR_ASSERT(view->station.len_bytes < sizeof out->station);
    memcpy(out->payload, view->payload.data, view->payload.len_bytes);
    memset(out->payload + view->payload.len_bytes, 0, sizeof out->payload - view->payload.len_bytes);
    out->payload_chars = (uint16_t)view->payload_chars;
    out->fill_bits = (uint8_t)view->fill_bits;
    out->channel = (char)view->channel;
    out->talker[0] = (char)(view->talker >> 8);
    out->talker[1] = (char)(view->talker & 0xFFu);
    out->own_ship = view->own_ship;
    out->source_time_ms = view->source_time_ms;
    memset(out->station, 0, sizeof out->station);
    if (view->station.len_bytes > 0) {
        memcpy(out->station, view->station.data, view->station.len_bytes);
    }
}

static void write_varint64(struct hr_writer *writer, uint64_t value)
{
    for (; value >= 0x80u; value >>= 7) {
        hr_write_u8(writer, (uint8_t)(value | 0x80u));
    }
    hr_write_u8(writer, (uint8_t)value);
}

static void write_number(struct hr_writer *writer, uint8_t tag, uint64_t value)
{
    if (value != 0) {
        hr_write_u8(writer, tag);
        write_varint64(writer, value);
    }
}

static void write_bytes(struct hr_writer *writer, uint8_t tag, struct hr_bytes bytes)
{
    if (bytes.len_bytes > 0) {
        hr_write_u8(writer, tag);
        hr_write_varint32(writer, (uint32_t)bytes.len_bytes);
        hr_write_raw(writer, bytes.data, bytes.len_bytes);
    }
}

static struct hr_bytes write_message(const struct edge_ais_view *view, uint8_t out[EDGE_AIS_RECORD_MAX_BYTES])
{
    struct hr_writer writer = hr_writer_over(out, EDGE_AIS_RECORD_MAX_BYTES);
    write_bytes(&writer, TAG_PAYLOAD, view->payload);
    write_number(&writer, TAG_PAYLOAD_CHARS, view->payload_chars);
    write_number(&writer, TAG_FILL_BITS, view->fill_bits);
    write_number(&writer, TAG_CHANNEL, view->channel);
    write_number(&writer, TAG_TALKER, view->talker == EDGE_TALKER_AI ? 0 : view->talker);
    write_number(&writer, TAG_OWN_SHIP, view->own_ship ? 1 : 0);
    /* Zigzag of a number that is never negative. */
    write_number(&writer, TAG_SOURCE_TIME, (uint64_t)view->source_time_ms << 1);
    write_bytes(&writer, TAG_STATION, view->station);
    HR_ASSERT(hr_writer_ok(&writer));
    return hr_bytes_of(out, writer.at);
}

struct hr_status edge_ais_encode(const struct edge_record *record, uint8_t *out, size_t capacity_bytes,
                                 size_t *len_bytes)
{
    struct edge_ais_view view = edge_ais_view_of(&record->as.ais);
    bool terminated = memchr(record->as.ais.station, '\0', sizeof record->as.ais.station) != NULL;
    if (!terminated || !edge_ais_view_in_range(&view)) {
        return hr_status_of(HR_MALFORMED);
    }
    struct hr_writer writer = hr_writer_over(out, capacity_bytes);
    write_number(&writer, TAG_DT_MS, record->dt_ms);
    if (edge_ais_view_is_common(&view)) {
        write_bytes(&writer, view.channel == 'A' ? TAG_AIS_A : TAG_AIS_B, view.payload);
    } else {
        uint8_t message[EDGE_AIS_RECORD_MAX_BYTES];
        write_bytes(&writer, TAG_AIS, write_message(&view, message));
    }
    if (!hr_writer_ok(&writer)) {
        return hr_status_of(HR_FULL);
    }
    *len_bytes = writer.at;
    return hr_ok();
}

/* A varint in its shortest form; any other fails the reader, and nanopb is asked. */
static uint64_t read_varint64(struct hr_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint8_t byte = hr_read_u8(reader);
        value |= (uint64_t)(byte & 0x7Fu) << shift;
        if ((byte & 0x80u) == 0) {
            reader->failed = reader->failed || (byte == 0 && shift > 0);
            return value;
        }
    }
    reader->failed = true;
    return 0;
}

/* The number under `tag` when it comes next, 0 (which is how protobuf writes a 0) when another field does. */
static uint64_t read_number(struct hr_reader *reader, uint8_t tag)
{
    if (hr_reader_left(reader) == 0 || reader->data[reader->at] != tag) {
        return 0;
    }
    reader->at++;
    return read_varint64(reader);
}

static uint32_t read_number32(struct hr_reader *reader, uint8_t tag)
{
    uint64_t value = read_number(reader, tag);
    reader->failed = reader->failed || value > UINT32_MAX;
    return (uint32_t)value;
}

static struct hr_bytes read_bytes(struct hr_reader *reader, uint8_t tag)
{
    if (hr_reader_left(reader) == 0 || reader->data[reader->at] != tag) {
        return hr_bytes_of(NULL, 0);
    }
    reader->at++;
    return hr_read_slice(reader, hr_read_varint32(reader));
}

static bool read_message(struct hr_bytes message, struct edge_ais_view *view)
{
    struct hr_reader reader = hr_reader_over(message);
    view->payload = read_bytes(&reader, TAG_PAYLOAD);
    view->payload_chars = read_number32(&reader, TAG_PAYLOAD_CHARS);
    view->fill_bits = read_number32(&reader, TAG_FILL_BITS);
    view->channel = read_number32(&reader, TAG_CHANNEL);
    view->talker = read_number32(&reader, TAG_TALKER);
    view->talker = view->talker == 0 ? EDGE_TALKER_AI : view->talker;
    view->own_ship = read_number32(&reader, TAG_OWN_SHIP) != 0;
    uint64_t zigzag = read_number(&reader, TAG_SOURCE_TIME);
    view->source_time_ms = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1u);
    view->station = read_bytes(&reader, TAG_STATION);
    return hr_reader_ok(&reader) && hr_reader_left(&reader) == 0;
}

struct hr_status edge_ais_decode(struct hr_bytes bytes, struct edge_record *out)
{
    struct hr_reader reader = hr_reader_over(bytes);
    uint32_t dt_ms = read_number32(&reader, TAG_DT_MS);
    uint8_t tag = hr_read_u8(&reader);
    if (tag != TAG_AIS_A && tag != TAG_AIS_B && tag != TAG_AIS) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct hr_bytes body = hr_read_slice(&reader, hr_read_varint32(&reader));
    if (!hr_reader_ok(&reader) || hr_reader_left(&reader) != 0) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct edge_ais_view view = edge_ais_view_of_common(body, tag == TAG_AIS_A ? 'A' : 'B');
    if (tag == TAG_AIS && !read_message(body, &view)) {
        return hr_status_of(HR_NOT_FOUND);
    }
    if (!edge_ais_view_in_range(&view)) {
        return hr_status_of(HR_MALFORMED);
    }
    out->dt_ms = dt_ms;
    out->kind = EDGE_AIS;
    edge_ais_fill(&view, &out->as.ais);
    return hr_ok();
}
