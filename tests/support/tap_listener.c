/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/tap_listener.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

static void hear(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    struct listener *listener = ctx;
    assert_int_equal(uptime_ms, listener->uptime_ms);
    assert_true(listener->n_heard < LISTENER_HEARD_MAX);
    char channel[2] = {ais->channel == 0 ? '-' : ais->channel, '\0'};
    char *text = listener->heard[listener->n_heard++];
    int at = snprintf(text, LISTENER_TEXT_MAX, "%s %c%c %s %u %u %lld %s ", channel, ais->talker[0],
                      ais->talker[1], ais->own_ship ? "VDO" : "VDM", ais->payload_chars, ais->fill_bits,
                      (long long)ais->source_time_ms, ais->station[0] == '\0' ? "-" : ais->station);
    for (size_t i = 0; i < (ais->payload_chars * 6U + 7) / 8; i++) {
        at += snprintf(text + at, LISTENER_TEXT_MAX - (size_t)at, "%02x", ais->payload[i]);
    }
    listener->last = *ais;
}

void listener_start_with(struct listener *listener, const struct tap_ais_config *config)
{
    const struct tap_ais_sink sink = {hear, listener};
    tap_ais_init(&listener->tap, config, &sink);
    tap_ais_stream_init(&listener->stream[0], 0);
    tap_ais_stream_init(&listener->stream[1], 1);
    listener->uptime_ms = 1000;
    listener->n_heard = 0;
}

void listener_start(struct listener *listener)
{
    listener_start_with(listener, &(struct tap_ais_config){0});
}

void listener_feed(struct listener *listener, size_t stream, const char *bytes, size_t len_bytes,
                   size_t piece_bytes)
{
    for (size_t at = 0; at < len_bytes; at += piece_bytes) {
        size_t len = len_bytes - at < piece_bytes ? len_bytes - at : piece_bytes;
        tap_ais_feed(&listener->tap, &listener->stream[stream], hr_bytes_of(bytes + at, len),
                     listener->uptime_ms);
        if (len < piece_bytes) {
            return;
        }
    }
}

uint64_t listener_count(const struct listener *listener, const char *name)
{
    struct edge_stats stats;
    tap_ais_stats(&listener->tap, &stats);
    for (size_t i = 0; i < stats.n_counters; i++) {
        if (strcmp(stats.counter[i].name, name) == 0) {
            return stats.counter[i].value;
        }
    }
    fail_msg("no counter %s", name);
    return 0;
}
