/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks market operators for documents as their feeds say, and makes records of the answers: each request that
 * ended leaves a Document, whatever came (proto/SPEC.md section 3), and new content follows it in Chunks.
 * When requests go is firmware/taps/poll's; this is libcurl and the bytes.
 *
 * HTTPS is verified and TLS is 1.2 or newer. Redirects are followed within the host only, each at the host's
 * pace. Bodies wait in files without a name until their chunks were offered: at most TAP_HTTP_TRANSFERS at
 * once, each of its feed's limits.max_bytes at most.
 * Secrets are read from their files for each request, or come from Vault (firmware/taps/secret); they go
 * into headers only, and are wiped. Single-threaded
 * but for libcurl's own look-up of names; nothing blocks. [loop] */
#ifndef TAP_HTTP_H
#define TAP_HTTP_H

#include "firmware/port/port_clock.h"
#include "firmware/port/port_log.h"
#include "firmware/port/port_random.h"
#include "firmware/taps/secret/vault.h"
#include "proto/edge/record.h"
#include "proto/feeds/feeds.h"
#include "proto/feeds/zone.h"
#include "proto/wire/hash_stream.h"

#include <poll.h>

enum {
    TAP_HTTP_TRANSFERS = 4,
    TAP_HTTP_MAX_FEEDS = 128,
    TAP_HTTP_MAX_HOSTS = 32,
    TAP_HTTP_FDS = 16,
    TAP_HTTP_MAX_TOKENS = 4,
    TAP_HTTP_CONNECT_MAX_CHARS = 255,
};

struct tap_http_config {
    const struct port_clock *clock;
    const struct port_random *random;
    const struct port_log *log;
    const struct wire_hash_stream *hash;
    const char *folder;      /* where bodies wait. Kept */
    int64_t (*utc_ms)(void); /* the wall clock; windows are found by it */
    const char *user_agent;  /* kept */
    const char *ca_path;     /* PEM of authorities instead of the system's; NULL: the system's. Kept */
    const char *credentials; /* the folder of secrets; NULL: there is none. Kept */
    bool has_vault;          /* secrets are Vault's, and files' where it has none of that name */
    struct secret_vault_config vault; /* but `read` and `ctx` */
    const char *vault_files[4];       /* by enum secret_file: those that its `auth` wants. Kept */
    const char *vault_ca_path;        /* PEM of authorities for it; NULL: as ca_path. Kept */
    const char *const *connect_to; /* NULL, or HOST:PORT:OTHER-HOST:OTHER-PORT each, ending in NULL. Kept */
    uint32_t breaker_ms;           /* how long a host that fails is left alone at first */
    /* Takes a record that came at uptime_ms. HR_AGAIN: the same again later. Other failures end the pump. */
    struct hr_status (*offer)(void *ctx, struct edge_record *record, uint64_t uptime_ms);
    /* All records of a feed's backfill were offered up to the window that begins at next_ms. */
    void (*walked)(void *ctx, const char *feed, int64_t next_ms);
    void *ctx;
};

struct tap_http;

/* Copies the configuration and loads libcurl. HR_IO: there is no libcurl, or memory failed; it was logged. */
HR_MUST_USE struct hr_status tap_http_open(const struct tap_http_config *config, struct tap_http **out);

/* Adds a feed, which is kept. HR_FULL: there are too many feeds, hosts or tokens; nothing changed. */
HR_MUST_USE struct hr_status tap_http_add(struct tap_http *tap, const struct feeds_feed *feed,
                                          const struct feeds_zone *zone);

/* Has the windows from that of from_ms to that before to_ms asked for, behind everything else (poll/plan.h).
 * HR_NOT_FOUND: there is no such feed. HR_FULL: a backfill of it is under way. HR_MALFORMED: the feed has
 * snapshots, or from_ms is not before to_ms. */
HR_MUST_USE struct hr_status tap_http_backfill(struct tap_http *tap, const char *feed, int64_t from_ms,
                                               int64_t to_ms);

/* Descriptors to be polled, at most capacity. */
size_t tap_http_fds(struct tap_http *tap, struct pollfd *fds, size_t capacity);

/* Does what is due. While `hold` is set no request begins and no record is offered: there is little room for
 * them, and they can wait. *wait_ms: call again then at the latest. A failure is that of offer, or HR_IO: a
 * body can't be read again. */
HR_MUST_USE struct hr_status tap_http_pump(struct tap_http *tap, bool hold, uint32_t *wait_ms);

/* What was answered before may be lost: content that is the same as before is sent again. */
void tap_http_forget(struct tap_http *tap);

/* Counters of all feeds, and of one host; false: there is no such host. */
void tap_http_stats(const struct tap_http *tap, struct edge_stats *out);
bool tap_http_host_stats(const struct tap_http *tap, uint32_t host, struct edge_stats *out);

void tap_http_close(struct tap_http *tap);

#endif
