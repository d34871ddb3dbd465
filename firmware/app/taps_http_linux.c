/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/backfill.h"
#include "firmware/app/taps_http.h"
#include "firmware/crypto/hash_stream.h"
#include "firmware/ports/linux/host.h"
#include "firmware/ports/linux/resident.h"
#include "firmware/ports/linux/zone.h"
#include "firmware/taps/http/tap_http.h"
#include "proto/base/assert.h"
#include "proto/feeds/file/file.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCES_LEFT_FOR_OTHERS = 2, LARGE_BLOCK_BYTES = 131072 };

/* For one host's counters. */
struct host_source {
    struct app_http *http;
    uint32_t host;
};

struct app_http {
    struct fw_collector *collector;
    struct tap_http *tap;
    uint64_t losses; /* of the collector, as they were */
    uint32_t n_feeds;
    struct feeds_feed feeds[TAP_HTTP_MAX_FEEDS];
    struct host_source hosts[TAP_HTTP_MAX_HOSTS];
    const char *connect_to[APP_MAX_CONNECT_TO + 1];
    struct app_tap config; /* kept: paths point into it */
    char folder[APP_PATH_MAX_CHARS + 1];
    char backfill_folder[APP_BACKFILL_FOLDER_CAPACITY];
    struct app_backfills *backfills;
};

/* ---- feeds ---- */

static bool is_wanted(const struct app_tap *tap, const char *name)
{
    for (uint32_t i = 0; i < tap->n_only; i++) {
        if (strcmp(tap->only[i], name) == 0) {
            return true;
        }
    }
    return tap->n_only == 0;
}

/* Reads the feeds that are wanted. `place` is where mistakes are told; without it there are none, as they
 * were told before. */
struct feed_list {
    struct feeds_paths paths;
    struct conf_report report;
    struct feeds_feed feed;
};

typedef bool take_feed(void *ctx, const struct feeds_feed *feed);

static void complain(struct conf_place *place, const struct conf_report *report)
{
    for (uint32_t i = 0; place != NULL && i < report->n_errors && i < CONF_MAX_ERRORS; i++) {
        const struct conf_error *error = &report->errors[i];
        conf_complain(place, "feeds", "%.100s:%u:%.40s: %s", report->file, (unsigned)error->line, error->key,
                      error->message);
    }
}

static struct hr_status read_feeds(const struct app_tap *tap, struct conf_place *place, take_feed *take,
                                   void *ctx)
{
    struct feed_list *list = calloc(1, sizeof *list);
    if (list == NULL) {
        return hr_status_of(HR_IO);
    }
    struct hr_status status = feeds_paths_add(&list->paths, tap->path);
    if (!hr_is_ok(status) && place != NULL) {
        conf_complain(place, "feeds", "%s: %s", tap->path,
                      hr_is(status, HR_FULL) ? "too many files" : strerror(errno));
    }
    for (size_t i = 0; hr_is_ok(status) && i < list->paths.n_paths; i++) {
        const char *base = strrchr(list->paths.paths[i], '/');
        char name[FEEDS_NAME_MAX_CHARS + 1];
        (void)snprintf(name, sizeof name, "%.*s",
                       (int)strcspn(base == NULL ? list->paths.paths[i] : base + 1, "."),
                       base == NULL ? list->paths.paths[i] : base + 1);
        if (!is_wanted(tap, name)) {
            continue;
        }
        if (!hr_is_ok(feeds_file_load(list->paths.paths[i], &list->feed, &list->report))) {
            complain(place, &list->report);
        } else if (!take(ctx, &list->feed)) {
            status = hr_status_of(HR_FULL);
        }
    }
    free(list);
    return status;
}

static struct hr_status zone_of(const struct feeds_feed *feed, struct feeds_zone *out)
{
    char rule[PORT_LINUX_ZONE_RULE_MAX_CHARS + 1];
    HR_TRY(port_linux_zone_rule(feed->timezone, rule));
    return feeds_zone_parse(rule, out);
}

struct search {
    const char *name;
    struct feeds_feed *out;
    bool is_found;
};

static bool take_named(void *ctx, const struct feeds_feed *feed)
{
    struct search *search = ctx;
    if (feed->enabled && strcmp(feed->name, search->name) == 0) {
        *search->out = *feed;
        search->is_found = true;
    }
    return true;
}

struct hr_status app_http_find(const struct app_tap *tap, const char *name, struct feeds_feed *out,
                               struct feeds_zone *zone)
{
    struct search search = {name, out, false};
    HR_TRY(read_feeds(tap, NULL, take_named, &search));
    return search.is_found ? zone_of(out, zone) : hr_status_of(HR_NOT_FOUND);
}

struct check {
    struct conf_place *place;
    const char *credentials;
    bool has_vault;
    uint32_t n_enabled;
};

static const char *credentials_of(const struct app_tap *tap)
{
    return tap->credentials[0] != '\0' ? tap->credentials : getenv("CREDENTIALS_DIRECTORY");
}

static bool check_feed(void *ctx, const struct feeds_feed *feed)
{
    struct check *check = ctx;
    struct feeds_zone zone;
    check->n_enabled += feed->enabled ? 1 : 0;
    if (!hr_is_ok(zone_of(feed, &zone))) {
        conf_complain(check->place, "feeds", "%s: the host has no zone %s; install tzdata", feed->name,
                      feed->timezone);
    }
    if (feed->enabled && feed->n_headers > 0 && check->credentials == NULL && !check->has_vault) {
        conf_complain(check->place, "credentials", "%s needs a secret: name the folder that holds it",
                      feed->name);
    }
    return true;
}

void app_http_check(const struct app_tap *tap, struct conf_place *place)
{
    struct check check = {place, credentials_of(tap), tap->has_vault, 0};
    struct hr_status status = read_feeds(tap, place, check_feed, &check);
    if (hr_is_ok(status) && (check.n_enabled == 0 || check.n_enabled > TAP_HTTP_MAX_FEEDS)) {
        conf_complain(place, "feeds", "%u of its feeds are enabled and wanted; 1 to %d may be",
                      (unsigned)check.n_enabled, TAP_HTTP_MAX_FEEDS);
    }
}

/* ---- opening ---- */

static struct hr_status offer(void *ctx, struct edge_record *record, uint64_t uptime_ms)
{
    struct app_http *http = ctx;
    if (!fw_collector_is_ready(http->collector)) {
        return hr_status_of(HR_AGAIN);
    }
    struct hr_status status = fw_collector_offer(http->collector, record, uptime_ms);
    /* A record that fits no batch is counted there; the others go on. */
    return hr_is(status, HR_MALFORMED) ? hr_ok() : status;
}

static void walked(void *ctx, const char *feed, int64_t next_ms)
{
    struct app_http *http = ctx;
    app_backfills_walked(http->backfills, feed, next_ms);
}

static bool keep_feed(void *ctx, const struct feeds_feed *feed)
{
    struct app_http *http = ctx;
    if (feed->enabled && http->n_feeds < TAP_HTTP_MAX_FEEDS) {
        http->feeds[http->n_feeds++] = *feed;
    }
    return true;
}

static struct hr_status add_feeds(struct app_http *http, const struct port_log *log)
{
    for (uint32_t i = 0; i < http->n_feeds; i++) {
        struct feeds_zone zone;
        struct hr_status status = zone_of(&http->feeds[i], &zone);
        if (hr_is_ok(status)) {
            status = tap_http_add(http->tap, &http->feeds[i], &zone);
        }
        if (!hr_is_ok(status)) {
            PORT_LOG(log, PORT_LOG_ERROR, "http_feed_refused", {"feed", http->feeds[i].name, 0},
                     {"status", hr_code_name(status.code), 0});
            return hr_status_of(HR_IO);
        }
    }
    PORT_LOG(log, PORT_LOG_INFO, "http_opened", {"feeds", NULL, http->n_feeds});
    return hr_ok();
}

static void totals(void *ctx, struct edge_stats *out)
{
    const struct app_http *http = ctx;
    tap_http_stats(http->tap, out);
}

static void host_stats(void *ctx, struct edge_stats *out)
{
    const struct host_source *source = ctx;
    bool is_there = tap_http_host_stats(source->http->tap, source->host, out);
    HR_ASSERT(is_there);
}

static void add_sources(struct app_http *http)
{
    struct edge_stats stats;
    fw_collector_add_source(http->collector, (struct fw_stats_source){totals, http});
    for (uint32_t i = 0; i < TAP_HTTP_MAX_HOSTS; i++) {
        http->hosts[i] = (struct host_source){http, i};
        bool has_room = http->collector->n_sources + SOURCES_LEFT_FOR_OTHERS < FW_COLLECTOR_MAX_SOURCES;
        if (has_room && tap_http_host_stats(http->tap, i, &stats)) {
            fw_collector_add_source(http->collector, (struct fw_stats_source){host_stats, &http->hosts[i]});
        }
    }
}

static void set_vault(const struct app_tap *config, struct tap_http_config *out)
{
    static const enum secret_auth auths[] = {[APP_VAULT_TOKEN] = SECRET_AUTH_TOKEN,
                                             [APP_VAULT_APPROLE] = SECRET_AUTH_APPROLE,
                                             [APP_VAULT_KUBERNETES] = SECRET_AUTH_KUBERNETES};
    const struct app_vault *vault = &config->vault;
    const char *auth_mount = vault->auth == APP_VAULT_APPROLE ? "approle" : "kubernetes";
    out->has_vault = config->has_vault;
    out->vault_ca_path = vault->ca[0] != '\0' ? vault->ca : NULL;
    out->vault_files[SECRET_FILE_TOKEN] = vault->token_file;
    out->vault_files[SECRET_FILE_ROLE_ID] = vault->role_id_file;
    out->vault_files[SECRET_FILE_SECRET_ID] = vault->secret_id_file;
    out->vault_files[SECRET_FILE_JWT] = vault->jwt_file;
    out->vault = (struct secret_vault_config){
        .address = vault->address,
        .mount = vault->mount,
        .path = vault->path,
        .name_space = vault->name_space,
        .auth_mount = vault->auth_mount[0] != '\0' ? vault->auth_mount : auth_mount,
        .role = vault->role,
        .auth = auths[vault->auth],
        .refresh_ms = vault->refresh_ms,
    };
}

static void folder_of(const char *path, char out[APP_PATH_MAX_CHARS + 1])
{
    const char *end = strrchr(path, '/');
    int len = end == NULL || end == path ? 1 : (int)(end - path);
    (void)snprintf(out, APP_PATH_MAX_CHARS + 1, "%.*s", len, end == NULL ? "." : path);
}

struct hr_status app_http_open(const struct app_tap *config, const char *spool_path,
                               struct fw_collector *collector, const struct port_clock *clock,
                               const struct port_log *log, struct app_http **out)
{
    struct app_http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return hr_status_of(HR_IO);
    }
    *out = http;
    /* glibc keeps what was freed once blocks of that size have been; what packs a body is to go back. If it
     * does not, the process is larger and nothing else. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
    http->collector = collector;
    http->config = *config;
    folder_of(spool_path, http->folder);
    app_backfill_folder(spool_path, http->backfill_folder);
    const char *credentials = credentials_of(config);
    for (uint32_t i = 0; i < http->config.n_connect_to; i++) {
        http->connect_to[i] = http->config.connect_to[i];
    }
    struct tap_http_config tap = {
        .clock = clock,
        .random = port_linux_random(),
        .log = log,
        .hash = crypto_hash_stream(),
        .folder = http->folder,
        .utc_ms = port_linux_wall_ms,
        .user_agent = "headrace-collector/" APP_VERSION,
        .ca_path = config->ca[0] != '\0' ? http->config.ca : NULL,
        .credentials = credentials,
        .connect_to = http->connect_to,
        .breaker_ms = config->breaker_ms,
        .offer = offer,
        .walked = walked,
        .ctx = http,
    };
    set_vault(&http->config, &tap);
    HR_TRY(tap_http_open(&tap, &http->tap));
    (void)port_linux_give_back_code(); /* what only the loading of libcurl and its 30 libraries used */
    HR_TRY(read_feeds(config, NULL, keep_feed, http));
    HR_TRY(add_feeds(http, log));
    add_sources(http);
    const struct app_backfills_config backfills = {http->backfill_folder, clock, log, collector, http->tap};
    return app_backfills_open(&backfills, &http->backfills);
}

void app_http_close(struct app_http *http)
{
    if (http != NULL) {
        app_backfills_close(http->backfills);
        tap_http_close(http->tap);
        free(http);
    }
}

/* ---- the loop ---- */

size_t app_http_fds(struct app_http *http, struct pollfd *fds, size_t capacity)
{
    return tap_http_fds(http->tap, fds, capacity);
}

struct hr_status app_http_pump(struct app_http *http, bool hold, uint32_t *wait_ms)
{
    /* What the spool lost may be the document that an unchanged one would point to. */
    uint64_t losses = http->collector->counters.losses;
    if (losses != http->losses) {
        http->losses = losses;
        tap_http_forget(http->tap);
    }
    uint32_t backfill_wait_ms = 0;
    app_backfills_pump(http->backfills, &backfill_wait_ms);
    struct hr_status status = tap_http_pump(http->tap, hold, wait_ms);
    *wait_ms = *wait_ms < backfill_wait_ms ? *wait_ms : backfill_wait_ms;
    if (hr_is(status, HR_AGAIN)) {
        *wait_ms = 0;
        return hr_ok();
    }
    return status;
}
