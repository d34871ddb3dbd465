/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/text.h"
#include "proto/edge/internal.h"

#include <string.h>

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
    const char *station_end = memchr(ais->station, '\0', sizeof ais->station);
    size_t station_len = station_end == NULL ? sizeof ais->station : (size_t)(station_end - ais->station);
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
           view->station.len_bytes <= EDGE_AIS_STATION_MAX_CHARS && hr_text_ok(view->station);
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
