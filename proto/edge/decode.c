/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/cursor.h"
#include "proto/edge/internal.h"

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
    view->payload = read_bytes(&reader, EDGE_TAG_PAYLOAD);
    view->payload_chars = read_number32(&reader, EDGE_TAG_PAYLOAD_CHARS);
    view->fill_bits = read_number32(&reader, EDGE_TAG_FILL_BITS);
    view->channel = read_number32(&reader, EDGE_TAG_CHANNEL);
    view->talker = read_number32(&reader, EDGE_TAG_TALKER);
    view->talker = view->talker == 0 ? EDGE_TALKER_AI : view->talker;
    view->own_ship = read_number32(&reader, EDGE_TAG_OWN_SHIP) != 0;
    uint64_t zigzag = read_number(&reader, EDGE_TAG_SOURCE_TIME);
    view->source_time_ms = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1u);
    view->station = read_bytes(&reader, EDGE_TAG_STATION);
    return hr_reader_ok(&reader) && hr_reader_left(&reader) == 0;
}

struct hr_status edge_ais_decode(struct hr_bytes bytes, struct edge_record *out)
{
    struct hr_reader reader = hr_reader_over(bytes);
    uint32_t dt_ms = read_number32(&reader, EDGE_TAG_DT_MS);
    uint8_t tag = hr_read_u8(&reader);
    if (tag != EDGE_TAG_AIS_A && tag != EDGE_TAG_AIS_B && tag != EDGE_TAG_AIS) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct hr_bytes body = hr_read_slice(&reader, hr_read_varint32(&reader));
    if (!hr_reader_ok(&reader) || hr_reader_left(&reader) != 0) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct edge_ais_view view = edge_ais_view_of_common(body, tag == EDGE_TAG_AIS_A ? 'A' : 'B');
    if (tag == EDGE_TAG_AIS && !read_message(body, &view)) {
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

struct hr_status edge_record_decode(struct hr_bytes bytes, struct edge_record *out)
{
    struct hr_status status = edge_ais_decode(bytes, out);
    return hr_is(status, HR_NOT_FOUND) ? edge_nanopb_decode(bytes, out) : status;
}
