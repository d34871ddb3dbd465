/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/telemetry/channels.h"

#include "proto/base/assert.h"

#include <string.h>

enum {
    FIRST_SEARCH_BATCHES = 16,
    REACH = NORM_CHANNELS_REACH_BATCHES,
    /* The value before is at most REACH back, and what it was of at most REACH before it. */
    LOAD_BATCHES = 2 * REACH,
};

/* ---- entries ---- */

static uint32_t slot_of(uint32_t stream, uint32_t number)
{
    uint64_t hash = ((uint64_t)stream << 32 | number) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 40) % NORM_CHANNELS_ENTRIES;
}

static struct norm_channel *entry_of(struct norm_channels *channels, uint32_t stream, uint32_t number)
{
    uint32_t at = channels->slots[slot_of(stream, number)];
    while (at != 0) {
        struct norm_channel *entry = &channels->entries[at - 1];
        if (entry->stream == stream && entry->what.channel == number) {
            return entry;
        }
        at = entry->next_of_slot;
    }
    return NULL;
}

static void unlink_entry(struct norm_channels *channels, const struct norm_channel *entry)
{
    uint32_t number = (uint32_t)(entry - channels->entries) + 1;
    uint32_t *link = &channels->slots[slot_of(entry->stream, entry->what.channel)];
    while (*link != number) {
        HR_ASSERT(*link != 0);
        link = &channels->entries[*link - 1].next_of_slot;
    }
    *link = entry->next_of_slot;
}

/* Forgets what the channels of a stream are. */
static void clear_stream(struct norm_channels *channels, struct norm_channels_stream *stream)
{
    stream->has_sampled = false;
    while (stream->first != 0) {
        struct norm_channel *entry = &channels->entries[stream->first - 1];
        uint32_t number = stream->first;
        unlink_entry(channels, entry);
        stream->first = entry->next_of_stream;
        entry->next_of_stream = channels->free;
        channels->free = number;
    }
}

/* The stream other than `but` that was not asked for longest gives its channels away. */
static void clear_oldest(struct norm_channels *channels, const struct norm_channels_stream *but)
{
    struct norm_channels_stream *oldest = NULL;
    for (size_t i = 0; i < NORM_CHANNELS_STREAMS; i++) {
        struct norm_channels_stream *stream = &channels->streams[i];
        bool is_candidate = stream->first != 0 && stream != but;
        if (is_candidate && (oldest == NULL || stream->used_at < oldest->used_at)) {
            oldest = stream;
        }
    }
    HR_ASSERT(oldest != NULL); /* one stream alone has fewer channels than there are entries */
    clear_stream(channels, oldest);
    oldest->is_loaded = false;
}

static struct norm_channel *add_entry(struct norm_channels *channels, struct norm_channels_stream *stream,
                                      uint32_t number)
{
    if (channels->free == 0 && channels->n_entries == NORM_CHANNELS_ENTRIES) {
        clear_oldest(channels, stream);
    }
    uint32_t at = channels->free;
    if (at != 0) {
        channels->free = channels->entries[at - 1].next_of_stream;
    } else {
        at = ++channels->n_entries;
    }
    uint32_t stream_number = (uint32_t)(stream - channels->streams);
    uint32_t *slot = &channels->slots[slot_of(stream_number, number)];
    struct norm_channel *entry = &channels->entries[at - 1];
    *entry = (struct norm_channel){.what = {.channel = number},
                                   .next_of_slot = *slot,
                                   .next_of_stream = stream->first,
                                   .stream = stream_number};
    *slot = at;
    stream->first = at;
    return entry;
}

/* ---- what channels are ---- */

static uint64_t add_hash(uint64_t hash, const void *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001B3);
    }
    return hash;
}

static uint64_t identity_of(const struct edge_channel *what)
{
    const uint32_t numbers[] = {what->model, (uint32_t)what->scale, what->kind, what->width_bits};
    uint64_t hash = add_hash(UINT64_C(0xCBF29CE484222325), numbers, sizeof numbers);
    hash = add_hash(hash, what->device, strlen(what->device) + 1);
    hash = add_hash(hash, what->point, strlen(what->point) + 1);
    hash = add_hash(hash, what->unit, strlen(what->unit) + 1);
    return hash == 0 ? 1 : hash;
}

static void define(struct norm_channels *channels, struct norm_channels_stream *stream, uint32_t seq,
                   const struct edge_channel *what)
{
    uint32_t stream_number = (uint32_t)(stream - channels->streams);
    struct norm_channel *entry = entry_of(channels, stream_number, what->channel);
    if (entry == NULL) {
        entry = add_entry(channels, stream, what->channel);
    }
    entry->what = *what;
    entry->what_seq = seq;
    entry->identity = identity_of(what);
}

static bool is_known(const struct norm_channel *entry, uint32_t seq)
{
    return entry->identity != 0 && seq - entry->what_seq <= REACH;
}

static void remember(struct norm_channels *channels, struct norm_channels_stream *stream, uint32_t seq,
                     const struct norm_channels_sample *sample)
{
    uint32_t stream_number = (uint32_t)(stream - channels->streams);
    struct norm_channel *entry = entry_of(channels, stream_number, sample->channel);
    if (entry == NULL) {
        return;
    }
    entry->is_good = sample->quality == EDGE_QUALITY_GOOD;
    if (entry->is_good) {
        entry->value = sample->value;
        entry->value_seq = seq;
        entry->value_identity = is_known(entry, seq) ? entry->identity : 0;
    }
}

static void note_sampled(struct norm_channels_stream *stream, uint32_t seq, uint64_t uptime_ms)
{
    stream->has_sampled = true;
    stream->sampled_seq = seq;
    stream->sampled_ms = uptime_ms;
}

void norm_channels_samples(const struct edge_record *record,
                           void (*each)(void *ctx, const struct norm_channels_sample *sample), void *ctx)
{
    if (record->kind == EDGE_SAMPLE) {
        const struct edge_sample *from = &record->as.sample;
        const struct norm_channels_sample sample = {from->channel, from->value, from->quality};
        each(ctx, &sample);
        return;
    }
    HR_ASSERT(record->kind == EDGE_SAMPLES);
    const struct edge_samples *samples = &record->as.samples;
    uint32_t number = samples->first_channel;
    for (size_t i = 0; i < samples->n_values; i++) {
        number += samples->skip[i];
        const struct norm_channels_sample sample = {number++, samples->value[i], samples->quality[i]};
        each(ctx, &sample);
    }
}

/* ---- streams ---- */

static struct norm_channels_stream *ways_of(struct norm_channels *channels, const struct norm_input *input)
{
    uint64_t hash =
        (input->batch->device_id ^ (uint64_t)input->batch->stream << 32) * UINT64_C(0x9E3779B97F4A7C15);
    uint64_t n_sets = NORM_CHANNELS_STREAMS / NORM_CHANNELS_WAYS;
    return &channels->streams[(hash >> 32) % n_sets * NORM_CHANNELS_WAYS];
}

static struct norm_channels_stream *find_stream(struct norm_channels *channels,
                                                const struct norm_input *input)
{
    struct norm_channels_stream *ways = ways_of(channels, input);
    for (size_t i = 0; i < NORM_CHANNELS_WAYS; i++) {
        if (ways[i].is_used && ways[i].device_id == input->batch->device_id &&
            ways[i].stream == input->batch->stream) {
            return &ways[i];
        }
    }
    return NULL;
}

static struct norm_channels_stream *make_stream(struct norm_channels *channels,
                                                const struct norm_input *input)
{
    struct norm_channels_stream *ways = ways_of(channels, input);
    struct norm_channels_stream *made = &ways[0];
    for (size_t i = 0; i < NORM_CHANNELS_WAYS && made->is_used; i++) {
        if (!ways[i].is_used || ways[i].used_at < made->used_at) {
            made = &ways[i];
        }
    }
    clear_stream(channels, made);
    *made = (struct norm_channels_stream){.is_used = true,
                                          .device_id = input->batch->device_id,
                                          .stream = input->batch->stream,
                                          .seq = input->batch->seq};
    return made;
}

static void mark(struct norm_channels_stream *stream, uint32_t seq, uint64_t leaf)
{
    if (stream->n_marks > 0 &&
        seq < stream->marks[stream->n_marks - 1].seq + (uint32_t)NORM_CHANNELS_MARK_BATCHES) {
        return;
    }
    if (stream->n_marks == NORM_CHANNELS_MARKS) {
        memmove(stream->marks, stream->marks + 1, (NORM_CHANNELS_MARKS - 1) * sizeof stream->marks[0]);
        stream->n_marks--;
    }
    stream->marks[stream->n_marks++] = (struct norm_channels_mark){leaf, seq};
}

void norm_channels_batch(struct norm_channels *channels, const struct norm_input *input)
{
    const struct ledger_batch *batch = input->batch;
    struct norm_channels_stream *stream = find_stream(channels, input);
    channels->n_batches++;
    channels->current = 0;
    if (stream == NULL) {
        return; /* nobody asked for it yet */
    }
    channels->current = (uint32_t)(stream - channels->streams) + 1;
    if (stream->is_loaded && batch->seq == stream->seq + 1) {
        if (stream->boot_id != input->envelope.header.boot_id) {
            clear_stream(channels, stream);
        }
        mark(stream, batch->seq, batch->leaf);
    } else {
        /* The batch once more, another moment of the log, or a hole: what memory holds is not what is before.
         */
        stream->is_loaded = false;
    }
    stream->boot_id = input->envelope.header.boot_id;
    stream->seq = batch->seq;
    stream->leaf = batch->leaf;
}

/* ---- the past ---- */

struct loading {
    struct norm_channels *channels;
    struct norm_channels_stream *stream;
    uint32_t seq;
    uint32_t from_seq; /* first batch behind the last one of another boot */
};

static void look_for_boot(void *ctx, const struct ledger_batch *batch)
{
    struct loading *loading = ctx;
    struct wire_envelope envelope;
    if (!hr_is_ok(wire_envelope_split(batch->envelope, &envelope)) ||
        envelope.header.boot_id != loading->stream->boot_id) {
        loading->from_seq = batch->seq + 1;
    }
}

static void load_sample(void *ctx, const struct norm_channels_sample *sample)
{
    struct loading *loading = ctx;
    remember(loading->channels, loading->stream, loading->seq, sample);
}

static void load_batch(void *ctx, const struct ledger_batch *batch)
{
    struct loading *loading = ctx;
    struct wire_envelope envelope;
    struct edge_record *record = &loading->channels->record;
    struct hr_bytes raw;
    if (!hr_is_ok(wire_envelope_split(batch->envelope, &envelope))) {
        return;
    }
    loading->seq = batch->seq;
    mark(loading->stream, batch->seq, batch->leaf);
    struct hr_reader payload = hr_reader_over(envelope.payload);
    while (hr_is_ok(wire_record_next(&payload, &raw))) {
        if (!hr_is_ok(edge_record_decode(raw, record))) {
            continue;
        }
        if (record->kind == EDGE_CHANNEL) {
            define(loading->channels, loading->stream, batch->seq, &record->as.channel);
        } else if (record->kind == EDGE_SAMPLES || record->kind == EDGE_SAMPLE) {
            norm_channels_samples(record, load_sample, loading);
            note_sampled(loading->stream, batch->seq, envelope.header.base_uptime_ms + record->dt_ms);
        }
    }
}

/* First backwards to where the boot began, in steps that grow, since most who ask have just booted; then what
 * is behind it forwards. */
static bool load(struct norm_channels *channels, struct norm_channels_stream *stream,
                 const struct norm_input *input)
{
    const struct norm_past *past = input->past;
    uint32_t seq = input->batch->seq;
    uint32_t last = seq > LOAD_BATCHES ? seq - LOAD_BATCHES : 0;
    struct loading loading = {.channels = channels, .stream = stream, .from_seq = last};
    uint32_t n_batches = FIRST_SEARCH_BATCHES;
    clear_stream(channels, stream);
    stream->n_marks = 0;
    for (uint32_t to = seq; past != NULL && to > last && loading.from_seq == last; n_batches *= 4) {
        uint32_t from = to - last > n_batches ? to - n_batches : last;
        if (!past->read(past->ctx, input->batch, from, to - 1, look_for_boot, &loading)) {
            return false;
        }
        to = from;
    }
    if (past != NULL && loading.from_seq < seq &&
        !past->read(past->ctx, input->batch, loading.from_seq, seq - 1, load_batch, &loading)) {
        return false;
    }
    mark(stream, seq, input->batch->leaf);
    return true;
}

bool norm_channels_open(struct norm_channels *channels, const struct norm_input *input)
{
    if (channels->current == 0) {
        struct norm_channels_stream *made = make_stream(channels, input);
        made->boot_id = input->envelope.header.boot_id;
        made->leaf = input->batch->leaf;
        channels->current = (uint32_t)(made - channels->streams) + 1;
    }
    struct norm_channels_stream *stream = &channels->streams[channels->current - 1];
    stream->used_at = channels->n_batches;
    if (!stream->is_loaded) {
        stream->is_loaded = load(channels, stream, input);
    }
    return stream->is_loaded;
}

/* ---- the batch at hand ---- */

static struct norm_channels_stream *open_stream(struct norm_channels *channels,
                                                const struct norm_input *input)
{
    HR_ASSERT(channels->current != 0);
    struct norm_channels_stream *stream = &channels->streams[channels->current - 1];
    HR_ASSERT(stream->is_loaded && stream->seq == input->batch->seq);
    return stream;
}

void norm_channels_define(struct norm_channels *channels, const struct norm_input *input,
                          const struct edge_channel *what)
{
    define(channels, open_stream(channels, input), input->batch->seq, what);
}

struct norm_channel *norm_channels_find(struct norm_channels *channels, const struct norm_input *input,
                                        uint32_t number)
{
    struct norm_channels_stream *stream = open_stream(channels, input);
    struct norm_channel *entry = entry_of(channels, (uint32_t)(stream - channels->streams), number);
    return entry != NULL && is_known(entry, input->batch->seq) ? entry : NULL;
}

bool norm_channels_has_value(const struct norm_channel *channel, const struct norm_input *input)
{
    return channel->value_identity == channel->identity && input->batch->seq - channel->value_seq <= REACH;
}

void norm_channels_remember(struct norm_channels *channels, const struct norm_input *input,
                            const struct norm_channels_sample *sample)
{
    remember(channels, open_stream(channels, input), input->batch->seq, sample);
}

bool norm_channels_sampled(struct norm_channels *channels, const struct norm_input *input, uint64_t uptime_ms,
                           uint64_t *former_ms)
{
    struct norm_channels_stream *stream = open_stream(channels, input);
    bool has_former = stream->has_sampled && input->batch->seq - stream->sampled_seq <= REACH;
    *former_ms = has_former ? stream->sampled_ms : 0;
    note_sampled(stream, input->batch->seq, uptime_ms);
    return has_former;
}

void norm_channels_each(struct norm_channels *channels, const struct norm_input *input,
                        void (*each)(void *ctx, const struct norm_channel *channel, bool has_value),
                        void *ctx)
{
    const struct norm_channels_stream *stream = open_stream(channels, input);
    for (uint32_t at = stream->first; at != 0; at = channels->entries[at - 1].next_of_stream) {
        const struct norm_channel *entry = &channels->entries[at - 1];
        if (is_known(entry, input->batch->seq)) {
            each(ctx, entry, entry->is_good && norm_channels_has_value(entry, input));
        }
    }
}

/* ---- what retention must leave ---- */

static uint64_t needs_of(const struct norm_channels_stream *stream, uint64_t since)
{
    uint32_t next = 0;
    while (next < stream->n_marks && stream->marks[next].leaf < since) {
        next++;
    }
    /* What may come once more begins behind mark next - 1. */
    uint32_t seq = stream->marks[next > 0 ? next - 1 : 0].seq;
    uint32_t first = 0;
    while (first + 1 < stream->n_marks && stream->marks[first + 1].seq + (uint32_t)LOAD_BATCHES <= seq) {
        first++;
    }
    return stream->marks[first].leaf;
}

uint64_t norm_channels_needs(const struct norm_channels *channels, uint64_t since)
{
    uint64_t needed = UINT64_MAX;
    for (size_t i = 0; i < NORM_CHANNELS_STREAMS; i++) {
        const struct norm_channels_stream *stream = &channels->streams[i];
        bool is_needed =
            stream->is_used && stream->n_marks > 0 && since <= stream->leaf + NORM_CHANNELS_PATIENCE_LEAVES;
        uint64_t from = is_needed ? needs_of(stream, since) : UINT64_MAX;
        needed = from < needed ? from : needed;
    }
    return needed;
}
