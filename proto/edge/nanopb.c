/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/text.h"
#include "proto/edge/internal.h"
#include "proto/edge/record.pb.h"

#include <pb_decode.h>
#include <string.h>

_Static_assert(edge_Record_size <= EDGE_RECORD_MAX_BYTES, "the largest record must fit its declared bound");

/* nanopb gives every bytes field a type of its own, so these work on its two members. */
#define GET_TEXT(field, text) get_text((field).bytes, (field).size, (text), sizeof(text))
#define GET_FIXED(field, out) get_fixed((field).bytes, (field).size, (out), sizeof(out))

static bool get_text(const uint8_t *bytes, pb_size_t size, char *text, size_t capacity_bytes)
{
    /* nanopb bounds a field by the size of its struct, which padding may make one byte more than max_size. */
    if (size >= capacity_bytes) {
        return false;
    }
    memcpy(text, bytes, size);
    memset(text + size, 0, capacity_bytes - size);
    return hr_text_ok(hr_bytes_of(bytes, size));
}

static bool get_fixed(const uint8_t *bytes, pb_size_t size, uint8_t *out, size_t len_bytes)
{
    if (size != len_bytes) {
        return false;
    }
    memcpy(out, bytes, len_bytes);
    return true;
}

static bool get_ais(const edge_Record *message, struct edge_ais *out)
{
    struct edge_ais_view view;
    if (message->which_body == edge_Record_ais_a_tag) {
        view = edge_ais_view_of_common(hr_bytes_of(message->body.ais_a.bytes, message->body.ais_a.size), 'A');
    } else if (message->which_body == edge_Record_ais_b_tag) {
        view = edge_ais_view_of_common(hr_bytes_of(message->body.ais_b.bytes, message->body.ais_b.size), 'B');
    } else {
        const edge_Ais *from = &message->body.ais;
        view = (struct edge_ais_view){
            .payload = hr_bytes_of(from->payload.bytes, from->payload.size),
            .payload_chars = from->payload_chars,
            .fill_bits = from->fill_bits,
            .channel = from->channel,
            .talker = from->talker == 0 ? EDGE_TALKER_AI : from->talker,
            .own_ship = from->own_ship,
            .source_time_ms = from->source_time_ms,
            .station = hr_bytes_of(from->station.bytes, from->station.size),
        };
    }
    if (!edge_ais_view_in_range(&view)) {
        return false;
    }
    edge_ais_fill(&view, out);
    return true;
}

static bool get_document(const edge_Document *from, struct edge_document *out)
{
    *out = (struct edge_document){
        .document_id = from->document_id,
        .http_status = from->http_status,
        .len_bytes = from->len_bytes,
        .n_chunks = from->n_chunks,
        .encoding = from->encoding,
        .window_start_ms = from->window_start_ms,
        .window_end_ms = from->window_end_ms,
    };
    return GET_TEXT(from->feed, out->feed) && GET_TEXT(from->request, out->request) &&
           GET_TEXT(from->etag, out->etag) && GET_TEXT(from->last_modified, out->last_modified) &&
           GET_TEXT(from->error, out->error) &&
           (from->sha256.size == 0 || GET_FIXED(from->sha256, out->sha256));
}

static bool get_chunk(const edge_Chunk *from, struct edge_chunk *out)
{
    out->document_id = from->document_id;
    out->index = from->index;
    out->len_bytes = from->data.size;
    memcpy(out->data, from->data.bytes, from->data.size);
    return true;
}

static bool get_loss(const edge_Loss *from, struct edge_loss *out)
{
    *out = (struct edge_loss){
        .from_seq = from->from_seq,
        .to_seq = from->to_seq,
        .first_record_seq = from->first_record_seq,
        .n_records = from->n_records,
        .reason = from->reason,
    };
    return GET_FIXED(from->last_digest, out->last_digest);
}

static bool get_key_switch(const edge_KeySwitch *from, struct edge_key_switch *out)
{
    out->from_epoch = from->from_epoch;
    out->to_epoch = from->to_epoch;
    out->switch_seq = from->switch_seq;
    return GET_FIXED(from->spki, out->spki) && GET_FIXED(from->proof, out->proof);
}

static bool get_boot(const edge_Boot *from, struct edge_boot *out)
{
    out->boot_id = from->boot_id;
    out->reason = from->reason;
    out->previous_stream = from->previous_stream;
    out->recovered_records = from->recovered_records;
    return GET_TEXT(from->version, out->version);
}

static bool get_stats(const edge_Stats *from, struct edge_stats *out)
{
    bool clean = GET_TEXT(from->source, out->source);
    out->n_counters = from->counter_count;
    for (size_t i = 0; i < from->counter_count; i++) {
        out->counter[i].value = from->counter[i].value;
        clean = GET_TEXT(from->counter[i].name, out->counter[i].name) && clean;
    }
    return clean;
}

static bool get_channel(const edge_Channel *from, struct edge_channel *out)
{
    out->channel = from->channel;
    out->model = from->model;
    out->scale = from->scale;
    out->kind = from->kind;
    out->width_bits = from->width_bits;
    out->interval_ms = from->interval_ms;
    out->silence_ms = from->silence_ms;
    out->dead_band = from->dead_band;
    return GET_TEXT(from->device, out->device) && GET_TEXT(from->point, out->point) &&
           GET_TEXT(from->unit, out->unit) && GET_TEXT(from->symbols, out->symbols);
}

static bool get_samples(const edge_Samples *from, struct edge_samples *out)
{
    *out = (struct edge_samples){.first_channel = from->first_channel, .n_values = from->value_count};
    memcpy(out->value, from->value, from->value_count * sizeof from->value[0]);
    memcpy(out->skip, from->skip, from->skip_count * sizeof from->skip[0]);
    memcpy(out->quality, from->quality, from->quality_count * sizeof from->quality[0]);
    return (from->skip_count == 0 || from->skip_count == from->value_count) &&
           (from->quality_count == 0 || from->quality_count == from->value_count);
}

/* Fills out->kind and the body. False: a field is not what record.h says. */
static bool get_body(const edge_Record *message, struct edge_record *out)
{
    switch (message->which_body) {
    case edge_Record_ais_a_tag:
    case edge_Record_ais_b_tag:
    case edge_Record_ais_tag:
        out->kind = EDGE_AIS;
        return get_ais(message, &out->as.ais);
    case edge_Record_sample_tag:
        out->kind = EDGE_SAMPLE;
        out->as.sample = (struct edge_sample){message->body.sample.channel, message->body.sample.value,
                                              message->body.sample.quality};
        return true;
    case edge_Record_document_tag:
        out->kind = EDGE_DOCUMENT;
        return get_document(&message->body.document, &out->as.document);
    case edge_Record_chunk_tag:
        out->kind = EDGE_CHUNK;
        return get_chunk(&message->body.chunk, &out->as.chunk);
    case edge_Record_time_anchor_tag:
        out->kind = EDGE_TIME_ANCHOR;
        out->as.time_anchor = (struct edge_time_anchor){
            message->body.time_anchor.boot_id, message->body.time_anchor.uptime_ms,
            message->body.time_anchor.utc_ms,  message->body.time_anchor.err_ms,
            message->body.time_anchor.source,
        };
        return true;
    case edge_Record_key_switch_tag:
        out->kind = EDGE_KEY_SWITCH;
        return get_key_switch(&message->body.key_switch, &out->as.key_switch);
    case edge_Record_loss_tag:
        out->kind = EDGE_LOSS;
        return get_loss(&message->body.loss, &out->as.loss);
    case edge_Record_boot_tag:
        out->kind = EDGE_BOOT;
        return get_boot(&message->body.boot, &out->as.boot);
    case edge_Record_stats_tag:
        out->kind = EDGE_STATS;
        return get_stats(&message->body.stats, &out->as.stats);
    case edge_Record_event_tag:
        out->kind = EDGE_EVENT;
        out->as.event.code = message->body.event.code;
        return GET_TEXT(message->body.event.text, out->as.event.text);
    case edge_Record_channel_tag:
        out->kind = EDGE_CHANNEL;
        return get_channel(&message->body.channel, &out->as.channel);
    case edge_Record_samples_tag:
        out->kind = EDGE_SAMPLES;
        return get_samples(&message->body.samples, &out->as.samples);
    default:
        out->kind = EDGE_NONE;
        return true;
    }
}

struct hr_status edge_nanopb_decode(struct hr_bytes bytes, struct edge_record *out)
{
    edge_Record message = edge_Record_init_zero;
    pb_istream_t stream = pb_istream_from_buffer(bytes.data, bytes.len_bytes);
    if (!pb_decode(&stream, edge_Record_fields, &message)) {
        return hr_status_of(HR_MALFORMED);
    }
    struct edge_record record;
    record.dt_ms = message.dt_ms;
    bool in_range = get_body(&message, &record);
    bool checked = record.kind == EDGE_AIS || record.kind == EDGE_NONE;
    if (!in_range || !(checked || edge_record_in_range(&record))) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = record;
    return hr_ok();
}
