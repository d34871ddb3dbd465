/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/ais/ais_internal.h"

#include <string.h>

enum {
    MAX_CHARS = EDGE_AIS_PAYLOAD_MAX_BYTES * 8 / 6,
    MAX_FILL_BITS = 5,
};

static void name_source(struct edge_ais *ais, const struct tap_ais_sentence *sentence,
                        const struct tap_ais_tag *tag)
{
    ais->talker[0] = sentence->talker[0];
    ais->talker[1] = sentence->talker[1];
    ais->channel = sentence->channel;
    ais->own_ship = sentence->own_ship;
    ais->source_time_ms = tag->source_time_ms;
    memcpy(ais->station, tag->station, sizeof ais->station);
}

/* Brings a message whose bits don't come as whole characters with 0 to 5 fill bits into that form: the bits
 * that carry something are kept, and what is behind them is made zero. */
static void regularize(struct edge_ais *ais, uint32_t n_bits, uint32_t fill_bits)
{
    uint32_t n_used = n_bits > fill_bits ? n_bits - fill_bits : 0;
    uint32_t n_chars = (n_used + 5) / 6;
    uint32_t n_bytes = (n_chars * 6 + 7) / 8;
    uint32_t at = n_used / 8;
    if (at < n_bytes) {
        ais->payload[at] = (uint8_t)(ais->payload[at] & ~(0xFFU >> (n_used % 8)));
        memset(ais->payload + at + 1, 0, n_bytes - at - 1);
    }
    ais->payload_chars = (uint16_t)n_chars;
    ais->fill_bits = (uint8_t)(n_chars * 6 - n_used);
}

/* n_bits includes the fill bits of the last part. */
static void deliver(struct tap_ais *tap, struct edge_ais *ais, uint32_t n_bits, uint32_t fill_bits,
                    uint64_t uptime_ms)
{
    if (n_bits % 6 == 0 && fill_bits <= MAX_FILL_BITS) {
        ais->payload_chars = (uint16_t)(n_bits / 6);
        ais->fill_bits = (uint8_t)fill_bits;
    } else {
        regularize(ais, n_bits, fill_bits);
    }
    if (ais->payload_chars == 0) {
        tap->counter[TAP_AIS_EMPTY_PAYLOAD]++;
        return;
    }
    if (tap_ais_passes(tap, ais, uptime_ms)) {
        tap->counter[TAP_AIS_MESSAGES]++;
        tap->sink.message(tap->sink.ctx, ais, uptime_ms);
    }
}

/* Whether a part of this sentence and TAG block can belong to the message in the place. A group or station
 * that only one of them names says nothing. */
static bool belongs(const struct tap_ais_assembly *place, uint8_t stream_id,
                    const struct tap_ais_sentence *sentence, const struct tap_ais_tag *tag)
{
    const struct edge_ais *ais = &place->message;
    if (place->total != sentence->total || place->sequence != sentence->sequence ||
        place->stream_id != stream_id || ais->channel != sentence->channel ||
        ais->own_ship != sentence->own_ship ||
        memcmp(ais->talker, sentence->talker, sizeof ais->talker) != 0) {
        return false;
    }
    if (place->group_id != 0 && tag->group_id != 0 && place->group_id != tag->group_id) {
        return false;
    }
    return ais->station[0] == '\0' || tag->station[0] == '\0' || strcmp(ais->station, tag->station) == 0;
}

static struct tap_ais_assembly *find_place(struct tap_ais *tap, uint8_t stream_id,
                                           const struct tap_ais_sentence *sentence,
                                           const struct tap_ais_tag *tag)
{
    for (size_t i = 0; i < TAP_AIS_ASSEMBLIES; i++) {
        if (tap->assembly[i].total != 0 && belongs(&tap->assembly[i], stream_id, sentence, tag)) {
            return &tap->assembly[i];
        }
    }
    return NULL;
}

static struct tap_ais_assembly *free_place(struct tap_ais *tap)
{
    struct tap_ais_assembly *oldest = &tap->assembly[0];
    for (size_t i = 0; i < TAP_AIS_ASSEMBLIES; i++) {
        struct tap_ais_assembly *place = &tap->assembly[i];
        if (place->total == 0) {
            return place;
        }
        if (place->started_ms < oldest->started_ms) {
            oldest = place;
        }
    }
    tap->counter[TAP_AIS_ASSEMBLY_EVICTED]++;
    oldest->total = 0;
    return oldest;
}

/* The first part came again, bit for bit, before the second. Receivers that hear a repeater do this. */
static bool is_repeat(const struct tap_ais *tap, const struct tap_ais_assembly *place,
                      const struct tap_ais_sentence *sentence)
{
    uint32_t n_bits = (uint32_t)sentence->payload.len_bytes * 6 - sentence->fill_bits;
    return place->next == 2 && place->n_bits == n_bits &&
           memcmp(place->message.payload, tap->message.payload, n_bits / 8) == 0;
}

static void append(struct tap_ais *tap, struct tap_ais_assembly *place,
                   const struct tap_ais_sentence *sentence, uint64_t uptime_ms)
{
    uint32_t n_bits = place->n_bits + (uint32_t)sentence->payload.len_bytes * 6;
    if (n_bits > MAX_CHARS * 6) {
        tap->counter[TAP_AIS_OVERSIZE_MESSAGE]++;
        place->total = 0;
        return;
    }
    if (!tap_ais_dearmor(place->message.payload, place->n_bits, sentence->payload)) {
        tap->counter[TAP_AIS_BAD_ARMOR]++;
        place->total = 0;
        return;
    }
    bool is_last = sentence->number == sentence->total;
    tap->counter[TAP_AIS_ODD_FILL] += sentence->fill_bits > (is_last ? MAX_FILL_BITS : 0);
    if (is_last) {
        place->total = 0;
        deliver(tap, &place->message, n_bits, sentence->fill_bits, uptime_ms);
        return;
    }
    place->n_bits = (uint16_t)(n_bits - sentence->fill_bits);
    place->next++;
}

static void take_first(struct tap_ais *tap, uint8_t stream_id, const struct tap_ais_sentence *sentence,
                       const struct tap_ais_tag *tag, uint64_t uptime_ms)
{
    if (sentence->payload.len_bytes > MAX_CHARS) {
        tap->counter[TAP_AIS_OVERSIZE_MESSAGE]++;
        return;
    }
    if (!tap_ais_dearmor(tap->message.payload, 0, sentence->payload)) {
        tap->counter[TAP_AIS_BAD_ARMOR]++;
        return;
    }
    struct tap_ais_assembly *place = find_place(tap, stream_id, sentence, tag);
    if (place != NULL && is_repeat(tap, place, sentence)) {
        tap->counter[TAP_AIS_PART_DUPLICATE]++;
        return;
    }
    tap->counter[TAP_AIS_ASSEMBLY_RESTARTED] += place != NULL;
    if (place == NULL) {
        place = free_place(tap);
    }
    name_source(&place->message, sentence, tag);
    place->started_ms = uptime_ms;
    place->group_id = tag->group_id;
    place->n_bits = 0;
    place->stream_id = stream_id;
    place->total = sentence->total;
    place->next = 1;
    place->sequence = sentence->sequence;
    append(tap, place, sentence, uptime_ms);
}

/* Parts are joined in order only. Sequence ids are used again after ten messages, and a part that waited for
 * its forerunner would sooner or later be joined to another message's, a mistake that no checksum shows. */
static void take_next(struct tap_ais *tap, uint8_t stream_id, const struct tap_ais_sentence *sentence,
                      const struct tap_ais_tag *tag, uint64_t uptime_ms)
{
    struct tap_ais_assembly *place = find_place(tap, stream_id, sentence, tag);
    if (place == NULL) {
        tap->counter[TAP_AIS_PART_OUT_OF_ORDER]++;
        return;
    }
    if (sentence->number < place->next) {
        tap->counter[TAP_AIS_PART_DUPLICATE]++;
        return;
    }
    if (sentence->number > place->next) {
        tap->counter[TAP_AIS_PART_OUT_OF_ORDER]++;
        place->total = 0;
        return;
    }
    append(tap, place, sentence, uptime_ms);
}

void tap_ais_take_sentence(struct tap_ais *tap, uint8_t stream_id, const struct tap_ais_sentence *sentence,
                           const struct tap_ais_tag *tag, uint64_t uptime_ms)
{
    if (sentence->total > 1) {
        tap_ais_tick(tap, uptime_ms);
        if (sentence->number == 1) {
            take_first(tap, stream_id, sentence, tag, uptime_ms);
        } else {
            take_next(tap, stream_id, sentence, tag, uptime_ms);
        }
        return;
    }
    if (sentence->payload.len_bytes > MAX_CHARS) {
        tap->counter[TAP_AIS_OVERSIZE_MESSAGE]++;
        return;
    }
    if (!tap_ais_dearmor(tap->message.payload, 0, sentence->payload)) {
        tap->counter[TAP_AIS_BAD_ARMOR]++;
        return;
    }
    tap->counter[TAP_AIS_ODD_FILL] += sentence->fill_bits > MAX_FILL_BITS;
    name_source(&tap->message, sentence, tag);
    deliver(tap, &tap->message, (uint32_t)sentence->payload.len_bytes * 6, sentence->fill_bits, uptime_ms);
}

void tap_ais_abandon_stream(struct tap_ais *tap, uint8_t stream_id)
{
    for (size_t i = 0; i < TAP_AIS_ASSEMBLIES; i++) {
        struct tap_ais_assembly *place = &tap->assembly[i];
        if (place->total != 0 && place->stream_id == stream_id) {
            place->total = 0;
            tap->counter[TAP_AIS_ASSEMBLY_ABANDONED]++;
        }
    }
}

void tap_ais_tick(struct tap_ais *tap, uint64_t uptime_ms)
{
    for (size_t i = 0; i < TAP_AIS_ASSEMBLIES; i++) {
        struct tap_ais_assembly *place = &tap->assembly[i];
        if (place->total != 0 && uptime_ms - place->started_ms >= tap->config.assembly_timeout_ms) {
            place->total = 0;
            tap->counter[TAP_AIS_ASSEMBLY_ABANDONED]++;
        }
    }
}
