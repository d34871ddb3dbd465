/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/taps.h"

#include "firmware/app/taps_http.h"
#include "firmware/app/taps_modbus.h"
#include "firmware/core/counters.h"
#include "firmware/ports/linux/source.h"
#include "firmware/taps/ais/tap_ais.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 16384,
    CHUNKS_A_TURN = 4,     /* of each tap, so that the uplink and the others get their turn */
    FILTER_PLACES = 16384, /* messages or vessels that a filter remembers; a quarter of a megabyte each */
};

struct ais_tap {
    const struct app_taps *owner;
    uint32_t number;
    bool can_wait; /* a recording: it stays where it is */
    bool ended;
    struct port_linux_source source;
    struct tap_ais_config filters; /* their tables are owned here */
    struct tap_ais framer;
    struct tap_ais_stream streams[PORT_LINUX_SOURCE_STREAMS];
};

struct app_taps {
    struct fw_collector *collector;
    const struct port_clock *clock;
    uint32_t n_taps;
    struct ais_tap taps[APP_MAX_TAPS];
    struct app_modbus *modbus; /* NULL: there is none; the same below */
    struct app_http *http;
    struct hr_status offered; /* the first failure of an offer in this turn */
    uint8_t chunk[CHUNK_BYTES];
};

/* ---- records ---- */

static void on_message(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    struct app_taps *taps = ctx;
    struct hr_status status = fw_collector_offer_ais(taps->collector, ais, uptime_ms);
    if (hr_is_ok(taps->offered) && hr_is(status, HR_IO)) {
        taps->offered = status;
    }
}

/* The second and further taps of a kind are told apart by a number: ais, ais1, ais2. */
static void name_stats(struct edge_stats *stats, const char *name, uint32_t number)
{
    (void)snprintf(stats->source, sizeof stats->source, number == 0 ? "%s" : "%s%u", name, (unsigned)number);
}

static void framer_stats(void *ctx, struct edge_stats *out)
{
    const struct ais_tap *tap = ctx;
    tap_ais_stats(&tap->framer, out);
    name_stats(out, "ais", tap->number);
}

static void source_stats(void *ctx, struct edge_stats *out)
{
    static const struct fw_counter table[] = {
        {"opened", offsetof(struct port_linux_source_counts, opened)},
        {"lost", offsetof(struct port_linux_source_counts, lost)},
        {"failed", offsetof(struct port_linux_source_counts, failed)},
        {"refused", offsetof(struct port_linux_source_counts, refused)},
        {"cut_datagrams", offsetof(struct port_linux_source_counts, cut_datagrams)},
    };
    const struct ais_tap *tap = ctx;
    fw_counters_to_stats("", table, HR_ARRAY_LEN(table), &tap->source.counts, out);
    name_stats(out, "ais_source", tap->number);
}

/* ---- opening ---- */

static struct hr_status make_filter(uint32_t period_ms, struct tap_ais_filter *out)
{
    *out = (struct tap_ais_filter){.period_ms = period_ms};
    if (period_ms != 0) {
        out->n_seen = FILTER_PLACES;
        out->seen = calloc(FILTER_PLACES, sizeof *out->seen);
    }
    return period_ms == 0 || out->seen != NULL ? hr_ok() : hr_status_of(HR_IO);
}

static struct hr_status open_source(struct ais_tap *tap, const struct app_tap *config,
                                    const struct port_log *log)
{
    static const enum port_linux_source_kind kinds[] = {
        [APP_SOURCE_TCP_CLIENT] = PORT_LINUX_SOURCE_TCP_CLIENT,
        [APP_SOURCE_TCP_SERVER] = PORT_LINUX_SOURCE_TCP_SERVER,
        [APP_SOURCE_UDP] = PORT_LINUX_SOURCE_UDP,
        [APP_SOURCE_SERIAL] = PORT_LINUX_SOURCE_SERIAL,
        [APP_SOURCE_FILE] = PORT_LINUX_SOURCE_FILE,
        [APP_SOURCE_STDIN] = PORT_LINUX_SOURCE_STDIN,
    };
    struct port_linux_source_config source = {
        .kind = kinds[config->source], .port = config->port, .baud = config->baud};
    (void)snprintf(source.path, sizeof source.path, "%s", config->path);
    (void)snprintf(source.host, sizeof source.host, "%s", config->host);
    HR_TRY(port_linux_source_open(&tap->source, &source, log, port_uptime_ms(tap->owner->clock)));
    uint16_t port = port_linux_source_port(&tap->source);
    if (port != 0) {
        PORT_LOG(log, PORT_LOG_INFO, "tap_listens", {"tap", NULL, tap->number}, {"port", NULL, port});
    }
    return hr_ok();
}

static struct hr_status open_tap(struct app_taps *taps, const struct app_tap *config,
                                 const struct port_log *log)
{
    struct ais_tap *tap = &taps->taps[taps->n_taps];
    tap->owner = taps;
    tap->number = taps->n_taps;
    tap->can_wait = config->source == APP_SOURCE_FILE || config->source == APP_SOURCE_STDIN;
    HR_TRY(make_filter(config->duplicate_window_ms, &tap->filters.duplicates));
    HR_TRY(make_filter(config->downsample_ms, &tap->filters.downsample));
    const struct tap_ais_sink sink = {on_message, taps};
    tap_ais_init(&tap->framer, &tap->filters, &sink);
    for (uint32_t i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        tap_ais_stream_init(&tap->streams[i], (uint8_t)i);
    }
    HR_TRY(open_source(tap, config, log));
    taps->n_taps++;
    fw_collector_add_source(taps->collector, (struct fw_stats_source){framer_stats, tap});
    fw_collector_add_source(taps->collector, (struct fw_stats_source){source_stats, tap});
    return hr_ok();
}

struct hr_status app_taps_open(const struct app_config *config, struct fw_collector *collector,
                               const struct port_clock *clock, const struct port_log *log,
                               struct app_taps **out)
{
    struct app_taps *taps = calloc(1, sizeof *taps);
    if (taps == NULL) {
        return hr_status_of(HR_IO);
    }
    taps->collector = collector;
    taps->clock = clock;
    *out = taps;
    for (uint32_t i = 0; i < config->n_taps; i++) {
        if (config->taps[i].type == APP_TAP_AIS) {
            HR_TRY(open_tap(taps, &config->taps[i], log));
        }
    }
    for (uint32_t i = 0; i < config->n_taps; i++) {
        if (config->taps[i].type == APP_TAP_MODBUS) {
            HR_TRY(app_modbus_open(&config->taps[i], collector, clock, log, &taps->modbus));
        }
    }
    for (uint32_t i = 0; i < config->n_taps; i++) {
        if (config->taps[i].type == APP_TAP_HTTP) {
            HR_TRY(app_http_open(&config->taps[i], config->spool.path, collector, clock, log, &taps->http));
        }
    }
    return hr_ok();
}

void app_taps_close(struct app_taps *taps)
{
    if (taps == NULL) {
        return;
    }
    for (uint32_t i = 0; i < APP_MAX_TAPS; i++) {
        if (i < taps->n_taps) {
            port_linux_source_close(&taps->taps[i].source);
        }
        free(taps->taps[i].filters.duplicates.seen);
        free(taps->taps[i].filters.downsample.seen);
    }
    app_modbus_close(taps->modbus);
    app_http_close(taps->http);
    free(taps);
}

/* ---- the loop ---- */

static bool rests(const struct ais_tap *tap, bool hold_recordings)
{
    return tap->ended || (tap->can_wait && hold_recordings);
}

size_t app_taps_fds(struct app_taps *taps, bool hold_recordings, struct pollfd *fds, size_t capacity)
{
    uint64_t now_ms = port_uptime_ms(taps->clock);
    size_t n_fds = 0;
    for (uint32_t i = 0; i < taps->n_taps; i++) {
        if (!rests(&taps->taps[i], hold_recordings) && capacity - n_fds >= PORT_LINUX_SOURCE_FDS) {
            n_fds += port_linux_source_fds(&taps->taps[i].source, now_ms, fds + n_fds);
        }
    }
    if (taps->modbus != NULL) {
        n_fds += app_modbus_fds(taps->modbus, fds + n_fds, capacity - n_fds);
    }
    if (taps->http != NULL) {
        n_fds += app_http_fds(taps->http, fds + n_fds, capacity - n_fds);
    }
    return n_fds;
}

static void feed(struct app_taps *taps, struct ais_tap *tap, const struct port_linux_source_chunk *chunk,
                 uint64_t now_ms)
{
    struct tap_ais_stream *stream = &tap->streams[chunk->stream];
    switch (chunk->event) {
    case PORT_LINUX_SOURCE_BYTES:
        tap_ais_feed(&tap->framer, stream, hr_bytes_of(taps->chunk, chunk->len_bytes), now_ms);
        break;
    case PORT_LINUX_SOURCE_DATAGRAM:
        tap_ais_feed(&tap->framer, stream, hr_bytes_of(taps->chunk, chunk->len_bytes), now_ms);
        tap_ais_end_line(&tap->framer, stream, now_ms);
        break;
    case PORT_LINUX_SOURCE_ENDED:
        tap_ais_end_stream(&tap->framer, stream, now_ms);
        break;
    }
}

/* True: there may be more. */
static bool pump_tap(struct app_taps *taps, struct ais_tap *tap)
{
    for (uint32_t turn = 0; turn < CHUNKS_A_TURN; turn++) {
        struct port_linux_source_chunk chunk;
        uint64_t now_ms = port_uptime_ms(taps->clock);
        struct hr_status status =
            port_linux_source_read(&tap->source, now_ms, taps->chunk, sizeof taps->chunk, &chunk);
        if (!hr_is_ok(status)) {
            tap->ended |= hr_is(status, HR_CLOSED);
            tap_ais_tick(&tap->framer, now_ms);
            return false;
        }
        feed(taps, tap, &chunk, now_ms);
    }
    return true;
}

struct hr_status app_taps_pump(struct app_taps *taps, bool hold_recordings, uint32_t *wait_ms)
{
    *wait_ms = FW_NEVER_MS;
    taps->offered = hr_ok();
    for (uint32_t i = 0; i < taps->n_taps; i++) {
        struct ais_tap *tap = &taps->taps[i];
        if (rests(tap, hold_recordings)) {
            continue;
        }
        bool more = pump_tap(taps, tap);
        uint32_t source_wait_ms = port_linux_source_wait_ms(&tap->source, port_uptime_ms(taps->clock));
        uint32_t tap_wait_ms = more ? 0 : tap->ended ? FW_NEVER_MS : source_wait_ms;
        *wait_ms = tap_wait_ms < *wait_ms ? tap_wait_ms : *wait_ms;
    }
    if (taps->modbus != NULL) {
        uint32_t modbus_wait_ms = 0;
        HR_TRY(app_modbus_pump(taps->modbus, &modbus_wait_ms));
        *wait_ms = modbus_wait_ms < *wait_ms ? modbus_wait_ms : *wait_ms;
    }
    if (taps->http != NULL) {
        uint32_t http_wait_ms = 0;
        HR_TRY(app_http_pump(taps->http, hold_recordings, &http_wait_ms));
        *wait_ms = http_wait_ms < *wait_ms ? http_wait_ms : *wait_ms;
    }
    return taps->offered;
}

bool app_taps_have_ended(const struct app_taps *taps)
{
    for (uint32_t i = 0; i < taps->n_taps; i++) {
        if (!taps->taps[i].ended) {
            return false;
        }
    }
    return taps->http == NULL && taps->modbus == NULL;
}
