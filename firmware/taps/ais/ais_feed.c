/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/ais/ais_internal.h"

#include "proto/base/assert.h"

#include <string.h>

static const char *const COUNTER_NAME[] = {
    [TAP_AIS_SENTENCES] = "sentences",
    [TAP_AIS_MESSAGES] = "messages",
    [TAP_AIS_OTHER_SENTENCES] = "other_sentences",
    [TAP_AIS_OTHER_LINES] = "other_lines",
    [TAP_AIS_LEADING_GARBAGE] = "leading_garbage",
    [TAP_AIS_LINE_TOO_LONG] = "line_too_long",
    [TAP_AIS_BAD_CHECKSUM] = "bad_checksum",
    [TAP_AIS_MISSING_CHECKSUM] = "missing_checksum",
    [TAP_AIS_MALFORMED_FIELDS] = "malformed_fields",
    [TAP_AIS_EMPTY_PAYLOAD] = "empty_payload",
    [TAP_AIS_BAD_ARMOR] = "bad_armor",
    [TAP_AIS_BAD_FILL] = "bad_fill",
    [TAP_AIS_ODD_FILL] = "odd_fill",
    [TAP_AIS_OVERSIZE_MESSAGE] = "oversize_message",
    [TAP_AIS_BAD_TAG_CHECKSUM] = "bad_tag_checksum",
    [TAP_AIS_MALFORMED_TAG] = "malformed_tag",
    [TAP_AIS_PART_OUT_OF_ORDER] = "part_out_of_order",
    [TAP_AIS_PART_DUPLICATE] = "part_duplicate",
    [TAP_AIS_ASSEMBLY_RESTARTED] = "assembly_restarted",
    [TAP_AIS_ASSEMBLY_ABANDONED] = "assembly_abandoned",
    [TAP_AIS_ASSEMBLY_EVICTED] = "assembly_evicted",
    [TAP_AIS_SUPPRESSED_DUPLICATE] = "suppressed_duplicate",
    [TAP_AIS_SUPPRESSED_DOWNSAMPLED] = "suppressed_downsampled",
    [TAP_AIS_FILTER_TABLE_FULL] = "filter_table_full",
};
_Static_assert(HR_ARRAY_LEN(COUNTER_NAME) == TAP_AIS_N_COUNTERS, "each counter has a name");
_Static_assert((int)TAP_AIS_N_COUNTERS <= (int)EDGE_STATS_MAX_COUNTERS, "the counters fit one Stats record");

static void init_filter(const struct tap_ais_filter *filter)
{
    if (filter->period_ms == 0) {
        return;
    }
    HR_ASSERT(filter->n_seen >= 4 && (filter->n_seen & (filter->n_seen - 1)) == 0);
    memset(filter->seen, 0, filter->n_seen * sizeof filter->seen[0]);
}

void tap_ais_init(struct tap_ais *tap, const struct tap_ais_config *config, const struct tap_ais_sink *sink)
{
    memset(tap, 0, sizeof *tap);
    tap->config = *config;
    tap->sink = *sink;
    if (tap->config.assembly_timeout_ms == 0) {
        tap->config.assembly_timeout_ms = TAP_AIS_ASSEMBLY_TIMEOUT_MS;
    }
    init_filter(&tap->config.duplicates);
    init_filter(&tap->config.downsample);
}

void tap_ais_stream_init(struct tap_ais_stream *stream, uint8_t id)
{
    memset(stream, 0, sizeof *stream);
    stream->id = id;
}

/* NMEA 4.10 names the source and time of a group once, in its first line. */
static void inherit_from_group(struct tap_ais *tap, struct tap_ais_stream *stream, struct tap_ais_tag *tag,
                               uint64_t uptime_ms)
{
    if (tag->group_id == 0) {
        return;
    }
    if (tag->group_number == 1) {
        stream->group = *tag;
        stream->group_until_ms = uptime_ms + tap->config.assembly_timeout_ms;
        return;
    }
    if (stream->group.group_id != tag->group_id || stream->group.group_total != tag->group_total ||
        stream->group_until_ms <= uptime_ms) {
        return;
    }
    if (tag->source_time_ms == 0) {
        tag->source_time_ms = stream->group.source_time_ms;
    }
    if (tag->station[0] == '\0') {
        memcpy(tag->station, stream->group.station, sizeof tag->station);
    }
}

/* Reads the TAG blocks at the head of the line; returns where the rest begins. */
static const uint8_t *take_tags(struct tap_ais *tap, struct tap_ais_stream *stream, const uint8_t *at,
                                const uint8_t *end, struct tap_ais_tag *tag, uint64_t uptime_ms)
{
    while (at < end && *at == '\\') {
        const uint8_t *behind = tap_ais_read_tag(tap, at, end, tag);
        if (behind == NULL) {
            memset(tag, 0, sizeof *tag);
            return at + 1;
        }
        at = behind;
    }
    inherit_from_group(tap, stream, tag, uptime_ms);
    return at;
}

static void count_other(struct tap_ais *tap, const uint8_t *at, const uint8_t *end)
{
    if (at == end) {
        return; /* a TAG block alone */
    }
    tap->counter[*at == '$' || *at == '!' ? TAP_AIS_OTHER_SENTENCES : TAP_AIS_OTHER_LINES]++;
}

static void take_line(struct tap_ais *tap, struct tap_ais_stream *stream, struct hr_bytes line,
                      uint64_t uptime_ms)
{
    static const struct tap_ais_tag NO_TAG;
    const uint8_t *at = line.data;
    const uint8_t *end = line.data + line.len_bytes;
    struct tap_ais_tag read;
    const struct tap_ais_tag *tag = &NO_TAG;

    if (line.len_bytes == 0) {
        return; /* between CR and LF */
    }
    if (*at == '#') {
        tap->counter[TAP_AIS_OTHER_LINES]++;
        return;
    }
    const uint8_t *found = tap_ais_find_sentence(at, end);
    const uint8_t *head_end = found == NULL ? end : found;
    if (*at != '!' && *at != '$') {
        /* IEC 61162-450 puts "UdPbC" and a NUL before the TAG block. */
        const uint8_t *backslash = memchr(at, '\\', (size_t)(head_end - at));
        if (backslash != NULL) {
            memset(&read, 0, sizeof read);
            at = take_tags(tap, stream, backslash, head_end, &read, uptime_ms);
            tag = &read;
        }
    }
    if (found == NULL) {
        count_other(tap, at, end);
        return;
    }
    tap->counter[TAP_AIS_LEADING_GARBAGE] += found != at;
    while (found != NULL) {
        struct tap_ais_sentence sentence;
        enum tap_ais_counter verdict = tap_ais_read_sentence(found, end, &sentence);
        tap->counter[verdict]++;
        if (verdict == TAP_AIS_SENTENCES) {
            tap_ais_take_sentence(tap, stream->id, &sentence, tag, uptime_ms);
            return;
        }
        /* Cut off, perhaps, and followed by another, which the TAG block doesn't speak of. */
        found = tap_ais_find_sentence(found + 1, end);
        tag = &NO_TAG;
    }
}

/* Bytes before the first CR or LF; len_bytes when there is none. */
static size_t line_len(const uint8_t *bytes, size_t len_bytes)
{
    const uint8_t *lf = memchr(bytes, '\n', len_bytes);
    size_t len = lf == NULL ? len_bytes : (size_t)(lf - bytes);
    const uint8_t *cr = memchr(bytes, '\r', len);
    return cr == NULL ? len : (size_t)(cr - bytes);
}

static void keep_for_later(struct tap_ais_stream *stream, struct hr_bytes bytes)
{
    if (stream->overlong || bytes.len_bytes > (size_t)TAP_AIS_LINE_MAX_BYTES - stream->line_len_bytes) {
        stream->overlong = true;
        return;
    }
    memcpy(stream->line + stream->line_len_bytes, bytes.data, bytes.len_bytes);
    stream->line_len_bytes = (uint16_t)(stream->line_len_bytes + bytes.len_bytes);
}

void tap_ais_end_line(struct tap_ais *tap, struct tap_ais_stream *stream, uint64_t uptime_ms)
{
    struct hr_bytes line = hr_bytes_of(stream->line, stream->line_len_bytes);
    bool overlong = stream->overlong;
    stream->line_len_bytes = 0;
    stream->overlong = false;
    if (overlong) {
        tap->counter[TAP_AIS_LINE_TOO_LONG]++;
        return;
    }
    take_line(tap, stream, line, uptime_ms);
}

void tap_ais_feed(struct tap_ais *tap, struct tap_ais_stream *stream, struct hr_bytes bytes,
                  uint64_t uptime_ms)
{
    size_t at = 0;
    while (at < bytes.len_bytes) {
        /* A longer search could only find a line that is too long anyway. */
        size_t left = bytes.len_bytes - at;
        size_t window = left > TAP_AIS_LINE_MAX_BYTES ? TAP_AIS_LINE_MAX_BYTES + 1 : left;
        size_t len = line_len(bytes.data + at, window);
        struct hr_bytes piece = hr_bytes_of(bytes.data + at, len);
        if (len == window) {
            keep_for_later(stream, piece);
            at += len;
            continue;
        }
        if (stream->line_len_bytes == 0 && !stream->overlong) {
            take_line(tap, stream, piece, uptime_ms);
        } else {
            keep_for_later(stream, piece);
            tap_ais_end_line(tap, stream, uptime_ms);
        }
        at += len + 1;
    }
}

void tap_ais_end_stream(struct tap_ais *tap, struct tap_ais_stream *stream, uint64_t uptime_ms)
{
    tap_ais_end_line(tap, stream, uptime_ms);
    tap_ais_abandon_stream(tap, stream->id);
    tap_ais_stream_init(stream, stream->id);
}

const char *tap_ais_counter_name(enum tap_ais_counter counter)
{
    HR_ASSERT((unsigned)counter < TAP_AIS_N_COUNTERS);
    return COUNTER_NAME[counter];
}

void tap_ais_stats(const struct tap_ais *tap, struct edge_stats *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->source, "ais", sizeof "ais");
    out->n_counters = TAP_AIS_N_COUNTERS;
    for (size_t i = 0; i < TAP_AIS_N_COUNTERS; i++) {
        size_t len = strlen(COUNTER_NAME[i]);
        HR_ASSERT(len <= EDGE_STATS_NAME_MAX_CHARS);
        memcpy(out->counter[i].name, COUNTER_NAME[i], len + 1);
        out->counter[i].value = tap->counter[i];
    }
}
