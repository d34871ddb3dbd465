/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/telemetry/channel_table.h"
#include "proto/base/assert.h"

#include <string.h>

/* ---- entries ---- */

static uint32_t slot_of(uint32_t stream, uint32_t number)
{
    uint64_t hash = ((uint64_t)stream << 32 | number) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 40) % NORM_CHANNELS_ENTRIES;
}

struct norm_channel *norm_channel_entry_at(struct norm_channels *channels, uint32_t stream, uint32_t number)
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
void norm_channel_clear(struct norm_channels *channels, struct norm_channels_stream *stream)
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
    norm_channel_clear(channels, oldest);
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

static uint64_t add_number(uint64_t hash, uint32_t number)
{
    return (hash ^ number) * UINT64_C(0x100000001B3);
}

/* With its NUL, so that texts don't run into each other. */
static uint64_t add_text(uint64_t hash, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i <= len; i++) {
        hash = add_number(hash, (uint8_t)text[i]);
    }
    return hash;
}

static uint64_t identity_of(const struct edge_channel *what)
{
    uint64_t hash = add_number(UINT64_C(0xCBF29CE484222325), what->model);
    hash = add_number(hash, (uint32_t)what->scale);
    hash = add_number(add_number(hash, what->kind), what->width_bits);
    hash = add_text(hash, what->device);
    hash = add_text(hash, what->point);
    hash = add_text(hash, what->unit);
    return hash == 0 ? 1 : hash;
}

void norm_channel_define(struct norm_channels *channels, struct norm_channels_stream *stream, uint32_t seq,
                         const struct edge_channel *what)
{
    uint32_t stream_number = (uint32_t)(stream - channels->streams);
    struct norm_channel *entry = norm_channel_entry_at(channels, stream_number, what->channel);
    if (entry == NULL) {
        entry = add_entry(channels, stream, what->channel);
    }
    entry->what = *what;
    entry->what_seq = seq;
    entry->identity = identity_of(what);
}

bool norm_channel_is_known(const struct norm_channel *entry, uint32_t seq)
{
    return entry->identity != 0 && seq - entry->what_seq <= NORM_CHANNELS_REACH_BATCHES;
}

void norm_channel_remember(struct norm_channels *channels, struct norm_channels_stream *stream, uint32_t seq,
                           const struct norm_channels_sample *sample)
{
    uint32_t stream_number = (uint32_t)(stream - channels->streams);
    struct norm_channel *entry = norm_channel_entry_at(channels, stream_number, sample->channel);
    if (entry == NULL) {
        return;
    }
    entry->is_good = sample->quality == EDGE_QUALITY_GOOD;
    if (entry->is_good) {
        entry->value = sample->value;
        entry->value_seq = seq;
        entry->value_identity = norm_channel_is_known(entry, seq) ? entry->identity : 0;
    }
}
