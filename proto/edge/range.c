/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/text.h"
#include "proto/edge/internal.h"

#include <string.h>

bool edge_text_array_ok(const char *text, size_t capacity_bytes)
{
    const char *end = memchr(text, '\0', capacity_bytes);
    return end != NULL && hr_text_ok(hr_bytes_of(text, (size_t)(end - text)));
}

static bool time_ok(int64_t time_ms)
{
    return time_ms >= 0 && (uint64_t)time_ms < EDGE_LIMIT_48;
}

static bool document_ok(const struct edge_document *document)
{
    return edge_text_array_ok(document->feed, sizeof document->feed) &&
           edge_text_array_ok(document->request, sizeof document->request) &&
           edge_text_array_ok(document->etag, sizeof document->etag) &&
           edge_text_array_ok(document->last_modified, sizeof document->last_modified) &&
           edge_text_array_ok(document->error, sizeof document->error) &&
           time_ok(document->window_start_ms) && time_ok(document->window_end_ms);
}

static bool stats_ok(const struct edge_stats *stats)
{
    if (stats->n_counters > EDGE_STATS_MAX_COUNTERS ||
        !edge_text_array_ok(stats->source, sizeof stats->source)) {
        return false;
    }
    for (size_t i = 0; i < stats->n_counters; i++) {
        const char *name = stats->counter[i].name;
        if (name[0] == '\0' || !edge_text_array_ok(name, sizeof stats->counter[i].name)) {
            return false;
        }
    }
    return true;
}

static bool channel_ok(const struct edge_channel *channel)
{
    bool has_width = channel->width_bits >= 1 && channel->width_bits <= 64;
    return channel->channel >= 1 && channel->channel <= EDGE_CHANNEL_MAX && channel->model <= UINT16_MAX &&
           channel->device[0] != '\0' && edge_text_array_ok(channel->device, sizeof channel->device) &&
           channel->point[0] != '\0' && edge_text_array_ok(channel->point, sizeof channel->point) &&
           edge_text_array_ok(channel->unit, sizeof channel->unit) &&
           edge_text_array_ok(channel->symbols, sizeof channel->symbols) &&
           channel->scale >= -EDGE_SCALE_MOST && channel->scale <= EDGE_SCALE_MOST &&
           channel->kind >= EDGE_CHANNEL_MEASUREMENT && channel->kind <= EDGE_CHANNEL_BITFIELD &&
           (channel->kind == EDGE_CHANNEL_ACCUMULATOR ? has_width : channel->width_bits == 0);
}

static bool samples_ok(const struct edge_samples *samples)
{
    if (samples->n_values < 1 || samples->n_values > EDGE_SAMPLES_MAX || samples->first_channel < 1 ||
        samples->first_channel > EDGE_CHANNEL_MAX) {
        return false;
    }
    uint32_t last = samples->first_channel + samples->n_values - 1;
    for (size_t i = 0; i < samples->n_values; i++) {
        last += samples->skip[i];
    }
    return last <= EDGE_CHANNEL_MAX;
}

bool edge_record_in_range(const struct edge_record *record)
{
    switch (record->kind) {
    case EDGE_DOCUMENT:
        return document_ok(&record->as.document);
    case EDGE_CHUNK:
        return record->as.chunk.len_bytes <= EDGE_CHUNK_MAX_BYTES;
    case EDGE_TIME_ANCHOR:
        return record->as.time_anchor.uptime_ms < EDGE_LIMIT_48 &&
               record->as.time_anchor.utc_ms < EDGE_LIMIT_48;
    case EDGE_LOSS:
        return record->as.loss.to_seq >= record->as.loss.from_seq &&
               record->as.loss.first_record_seq < EDGE_LIMIT_48;
    case EDGE_BOOT:
        return edge_text_array_ok(record->as.boot.version, sizeof record->as.boot.version);
    case EDGE_STATS:
        return stats_ok(&record->as.stats);
    case EDGE_EVENT:
        return edge_text_array_ok(record->as.event.text, sizeof record->as.event.text);
    case EDGE_CHANNEL:
        return channel_ok(&record->as.channel);
    case EDGE_SAMPLES:
        return samples_ok(&record->as.samples);
    case EDGE_SAMPLE:
    case EDGE_KEY_SWITCH:
        return true;
    case EDGE_AIS:
    case EDGE_NONE:
        break;
    }
    HR_ASSERT(false && "EDGE_AIS has edge_ais_view_in_range, EDGE_NONE nothing to check");
    return false;
}
