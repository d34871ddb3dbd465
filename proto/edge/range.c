/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/edge/internal.h"

#include <string.h>

/* Bytes of the well-formed UTF-8 character at the start of text (RFC 3629 section 4), 0 for none. */
static size_t utf8_char_len(struct hr_bytes text)
{
    static const struct {
        uint8_t lead_first, lead_last, second_first, second_last, len_bytes;
    } table[] = {
        {0x20, 0x7E, 0x00, 0x00, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (size_t row = 0; row < HR_ARRAY_LEN(table); row++) {
        if (text.data[0] < table[row].lead_first || text.data[0] > table[row].lead_last) {
            continue;
        }
        size_t len_bytes = table[row].len_bytes;
        bool whole = len_bytes <= text.len_bytes;
        for (size_t i = 1; whole && i < len_bytes; i++) {
            uint8_t first = i == 1 ? table[row].second_first : 0x80;
            uint8_t last = i == 1 ? table[row].second_last : 0xBF;
            whole = text.data[i] >= first && text.data[i] <= last;
        }
        return whole ? len_bytes : 0;
    }
    return 0;
}

bool edge_text_ok(struct hr_bytes text)
{
    while (text.len_bytes > 0) {
        size_t len_bytes = utf8_char_len(text);
        /* U+0080 to U+009F are the control characters that take two bytes. */
        bool control = len_bytes == 2 && text.data[0] == 0xC2 && text.data[1] < 0xA0;
        if (len_bytes == 0 || control) {
            return false;
        }
        text = hr_bytes_of(text.data + len_bytes, text.len_bytes - len_bytes);
    }
    return true;
}

bool edge_text_array_ok(const char *text, size_t capacity_bytes)
{
    const char *end = memchr(text, '\0', capacity_bytes);
    return end != NULL && edge_text_ok(hr_bytes_of(text, (size_t)(end - text)));
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
