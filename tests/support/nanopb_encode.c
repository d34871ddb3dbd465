/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/nanopb_encode.h"

#include "proto/base/assert.h"
#include "proto/edge/internal.h"
#include "proto/edge/record.pb.h"

#include <pb_encode.h>
#include <string.h>

/* nanopb gives every bytes field a type of its own, so these work on its two members. */
#define PUT_TEXT(field, text) put_text(&(field).size, (field).bytes, (text))
#define PUT_FIXED(field, in)  put_bytes(&(field).size, (field).bytes, hr_bytes_of((in), sizeof(in)))

static void put_bytes(pb_size_t *size, uint8_t *bytes, struct hr_bytes from)
{
    *size = (pb_size_t)from.len_bytes;
    if (from.len_bytes > 0) {
        memcpy(bytes, from.data, from.len_bytes);
    }
}

static void put_text(pb_size_t *size, uint8_t *bytes, const char *text)
{
    put_bytes(size, bytes, hr_bytes_of(text, strlen(text)));
}

static bool put_ais(const struct edge_ais *ais, edge_Record *message)
{
    struct edge_ais_view view = edge_ais_view_of(ais);
    if (memchr(ais->station, '\0', sizeof ais->station) == NULL || !edge_ais_view_in_range(&view)) {
        return false;
    }
    if (edge_ais_view_is_common(&view)) {
        bool on_a = view.channel == 'A';
        message->which_body = on_a ? edge_Record_ais_a_tag : edge_Record_ais_b_tag;
        if (on_a) {
            put_bytes(&message->body.ais_a.size, message->body.ais_a.bytes, view.payload);
        } else {
            put_bytes(&message->body.ais_b.size, message->body.ais_b.bytes, view.payload);
        }
        return true;
    }
    message->which_body = edge_Record_ais_tag;
    edge_Ais *to = &message->body.ais;
    put_bytes(&to->payload.size, to->payload.bytes, view.payload);
    to->payload_chars = view.payload_chars;
    to->fill_bits = view.fill_bits;
    to->channel = view.channel;
    to->talker = view.talker == EDGE_TALKER_AI ? 0 : view.talker;
    to->own_ship = view.own_ship;
    to->source_time_ms = view.source_time_ms;
    put_bytes(&to->station.size, to->station.bytes, view.station);
    return true;
}

static void put_document(const struct edge_document *document, edge_Document *to)
{
    static const uint8_t none[sizeof document->sha256];
    to->document_id = document->document_id;
    PUT_TEXT(to->feed, document->feed);
    PUT_TEXT(to->request, document->request);
    to->http_status = document->http_status;
    PUT_TEXT(to->etag, document->etag);
    PUT_TEXT(to->last_modified, document->last_modified);
    if (memcmp(document->sha256, none, sizeof none) != 0) {
        PUT_FIXED(to->sha256, document->sha256);
    }
    to->len_bytes = document->len_bytes;
    to->n_chunks = document->n_chunks;
    to->encoding = document->encoding;
    PUT_TEXT(to->error, document->error);
    to->window_start_ms = document->window_start_ms;
    to->window_end_ms = document->window_end_ms;
}

static void put_loss(const struct edge_loss *loss, edge_Loss *to)
{
    to->from_seq = loss->from_seq;
    to->to_seq = loss->to_seq;
    to->first_record_seq = loss->first_record_seq;
    to->n_records = loss->n_records;
    to->reason = loss->reason;
    PUT_FIXED(to->last_digest, loss->last_digest);
}

static void put_key_switch(const struct edge_key_switch *key_switch, edge_KeySwitch *to)
{
    to->from_epoch = key_switch->from_epoch;
    to->to_epoch = key_switch->to_epoch;
    PUT_FIXED(to->spki, key_switch->spki);
    to->switch_seq = key_switch->switch_seq;
    PUT_FIXED(to->proof, key_switch->proof);
}

static void put_boot(const struct edge_boot *boot, edge_Boot *to)
{
    to->boot_id = boot->boot_id;
    to->reason = boot->reason;
    PUT_TEXT(to->version, boot->version);
    to->previous_stream = boot->previous_stream;
    to->recovered_records = boot->recovered_records;
}

static void put_stats(const struct edge_stats *stats, edge_Stats *to)
{
    PUT_TEXT(to->source, stats->source);
    to->counter_count = stats->n_counters;
    for (size_t i = 0; i < stats->n_counters; i++) {
        PUT_TEXT(to->counter[i].name, stats->counter[i].name);
        to->counter[i].value = stats->counter[i].value;
    }
}

static void put_channel(const struct edge_channel *channel, edge_Channel *to)
{
    to->channel = channel->channel;
    PUT_TEXT(to->device, channel->device);
    to->model = channel->model;
    PUT_TEXT(to->point, channel->point);
    PUT_TEXT(to->unit, channel->unit);
    to->scale = channel->scale;
    to->kind = channel->kind;
    to->width_bits = channel->width_bits;
    to->interval_ms = channel->interval_ms;
    to->silence_ms = channel->silence_ms;
    to->dead_band = channel->dead_band;
    PUT_TEXT(to->symbols, channel->symbols);
}

static void put_samples(const struct edge_samples *samples, edge_Samples *to)
{
    bool is_skipping = false;
    bool is_good = true;
    to->first_channel = samples->first_channel;
    to->value_count = samples->n_values;
    for (pb_size_t i = 0; i < samples->n_values; i++) {
        to->value[i] = samples->value[i];
        to->skip[i] = samples->skip[i];
        to->quality[i] = samples->quality[i];
        is_skipping = is_skipping || samples->skip[i] != 0;
        is_good = is_good && samples->quality[i] == 0;
    }
    to->skip_count = is_skipping ? samples->n_values : 0;
    to->quality_count = is_good ? 0 : samples->n_values;
}

static void put_body(const struct edge_record *record, edge_Record *message)
{
    switch (record->kind) {
    case EDGE_SAMPLE:
        message->which_body = edge_Record_sample_tag;
        message->body.sample =
            (edge_Sample){record->as.sample.channel, record->as.sample.value, record->as.sample.quality};
        return;
    case EDGE_DOCUMENT:
        message->which_body = edge_Record_document_tag;
        put_document(&record->as.document, &message->body.document);
        return;
    case EDGE_CHUNK:
        message->which_body = edge_Record_chunk_tag;
        message->body.chunk.document_id = record->as.chunk.document_id;
        message->body.chunk.index = record->as.chunk.index;
        put_bytes(&message->body.chunk.data.size, message->body.chunk.data.bytes,
                  hr_bytes_of(record->as.chunk.data, record->as.chunk.len_bytes));
        return;
    case EDGE_TIME_ANCHOR:
        message->which_body = edge_Record_time_anchor_tag;
        message->body.time_anchor = (edge_TimeAnchor){
            record->as.time_anchor.boot_id, record->as.time_anchor.uptime_ms, record->as.time_anchor.utc_ms,
            record->as.time_anchor.err_ms,  record->as.time_anchor.source,
        };
        return;
    case EDGE_KEY_SWITCH:
        message->which_body = edge_Record_key_switch_tag;
        put_key_switch(&record->as.key_switch, &message->body.key_switch);
        return;
    case EDGE_LOSS:
        message->which_body = edge_Record_loss_tag;
        put_loss(&record->as.loss, &message->body.loss);
        return;
    case EDGE_BOOT:
        message->which_body = edge_Record_boot_tag;
        put_boot(&record->as.boot, &message->body.boot);
        return;
    case EDGE_STATS:
        message->which_body = edge_Record_stats_tag;
        put_stats(&record->as.stats, &message->body.stats);
        return;
    case EDGE_EVENT:
        message->which_body = edge_Record_event_tag;
        message->body.event.code = record->as.event.code;
        PUT_TEXT(message->body.event.text, record->as.event.text);
        return;
    case EDGE_CHANNEL:
        message->which_body = edge_Record_channel_tag;
        put_channel(&record->as.channel, &message->body.channel);
        return;
    case EDGE_SAMPLES:
        message->which_body = edge_Record_samples_tag;
        put_samples(&record->as.samples, &message->body.samples);
        return;
    case EDGE_AIS:
    case EDGE_NONE:
        break;
    }
    HR_ASSERT(false && "a kind without a message");
}

struct hr_status nanopb_encode(const struct edge_record *record, uint8_t *out, size_t capacity_bytes,
                               size_t *len_bytes)
{
    edge_Record message = edge_Record_init_zero;
    message.dt_ms = record->dt_ms;
    bool in_range =
        record->kind == EDGE_AIS ? put_ais(&record->as.ais, &message) : edge_record_in_range(record);
    if (!in_range) {
        return hr_status_of(HR_MALFORMED);
    }
    if (record->kind != EDGE_AIS) {
        memset(&message.body, 0, sizeof message.body);
        put_body(record, &message);
    }
    pb_ostream_t stream = pb_ostream_from_buffer(out, capacity_bytes);
    if (!pb_encode(&stream, edge_Record_fields, &message)) {
        return hr_status_of(HR_FULL);
    }
    *len_bytes = stream.bytes_written;
    return hr_ok();
}
