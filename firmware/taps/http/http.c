/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/http/http_internal.h"
#include "proto/base/assert.h"
#include "proto/feeds/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

enum { RECORDS_A_TURN = 64, BLIND_WAIT_MS = 100 };

struct poll_now http_now(const struct tap_http *tap)
{
    return (struct poll_now){port_uptime_ms(tap->config.clock), tap->config.utc_ms()};
}

/* ---- opening and closing ---- */

static bool take_connect_to(struct tap_http *tap)
{
    for (const char *const *entry = tap->config.connect_to; entry != NULL && *entry != NULL; entry++) {
        struct curl_slist *longer = tap->curl.slist_append(tap->connect_to, *entry);
        if (longer == NULL) {
            return false;
        }
        tap->connect_to = longer;
    }
    return true;
}

static bool start_curl(struct tap_http *tap)
{
    if (tap->curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return false;
    }
    tap->multi = tap->curl.multi_init();
    return tap->multi != NULL && take_connect_to(tap);
}

struct hr_status tap_http_open(const struct tap_http_config *config, struct tap_http **out)
{
    struct tap_http *tap = calloc(1, sizeof *tap);
    const char *why = "libcurl does not start";
    if (tap == NULL) {
        return hr_status_of(HR_IO);
    }
    tap->config = *config;
    if (!hr_is_ok(http_curl_load(&tap->curl, &why)) || !start_curl(tap)) {
        PORT_LOG(config->log, PORT_LOG_ERROR, "http_not_opened", {"reason", why, 0});
        tap_http_close(tap);
        return hr_status_of(HR_IO);
    }
    poll_plan_init(&tap->plan, tap->feeds, TAP_HTTP_MAX_FEEDS, tap->hosts, TAP_HTTP_MAX_HOSTS,
                   config->breaker_ms, config->random);
    if (config->has_vault) {
        http_errand_open(tap);
    }
    *out = tap;
    return hr_ok();
}

struct hr_status tap_http_add(struct tap_http *tap, const struct feeds_feed *feed,
                              const struct feeds_zone *zone)
{
    HR_TRY(http_errand_add(tap, feed));
    return poll_plan_add(&tap->plan, feed, zone, http_now(tap));
}

struct hr_status tap_http_backfill(struct tap_http *tap, const char *feed, int64_t from_ms, int64_t to_ms)
{
    for (uint32_t i = 0; i < tap->plan.n_feeds; i++) {
        if (strcmp(tap->feeds[i].feed->name, feed) == 0) {
            tap->wake_ms = 0;
            return poll_plan_backfill(&tap->plan, i, from_ms, to_ms);
        }
    }
    return hr_status_of(HR_NOT_FOUND);
}

void tap_http_close(struct tap_http *tap)
{
    if (tap == NULL) {
        return;
    }
    for (uint32_t i = 0; i < TAP_HTTP_TRANSFERS; i++) {
        if (tap->transfers[i].state != TRANSFER_IDLE) {
            http_transfer_stop(tap, &tap->transfers[i]);
            http_transfer_free(&tap->transfers[i]);
        }
    }
    if (tap->multi != NULL) {
        http_errand_close(tap);
        tap->curl.slist_free_all(tap->connect_to);
        (void)tap->curl.multi_cleanup(tap->multi);
        tap->curl.global_cleanup();
    }
    free(tap); /* libcurl stays loaded: its libraries have work to do when the process ends */
}

void tap_http_forget(struct tap_http *tap)
{
    for (uint32_t i = 0; i < tap->plan.n_feeds; i++) {
        tap->feeds[i].memory = (struct poll_memory){.next = 0};
    }
}

/* ---- a request's life ---- */

/* The request is over; its records follow. */
static void finish(struct tap_http *tap, struct transfer *transfer, const struct poll_outcome *outcome)
{
    struct poll_now now = http_now(tap);
    const struct edge_document *head = &transfer->document.head;
    http_transfer_stop(tap, transfer);
    poll_plan_end(&tap->plan, &transfer->task, outcome, now);
    const struct poll_feed *feed = &tap->feeds[transfer->task.feed];
    bool is_walked = transfer->task.class_ == POLL_BACKFILL &&
                     feed->backfill.window.start_ms != transfer->task.window.start_ms;
    transfer->walked_to_ms = is_walked ? feed->backfill.window.start_ms : 0;
    http_tell_breaker(tap, tap->feeds[transfer->task.feed].host);
    transfer->document.head.document_id = ++tap->next_document_id;
    transfer->ended_ms = now.uptime_ms;
    transfer->state = TRANSFER_GIVING;
    tap->wake_ms = 0;
    if (outcome->result == POLL_DENIED) {
        http_errand_doubt(tap, feed->feed);
    }
    bool is_beyond = feed->feed->has_pages && outcome->n_pages > feed->feed->pages.max;
    if (is_beyond && transfer->task.page + 1 == feed->feed->pages.max) {
        PORT_LOG(tap->config.log, PORT_LOG_WARN, "http_pages", {"feed", feed->feed->name, 0},
                 {"pages", NULL, outcome->n_pages}, {"asked_for", NULL, feed->feed->pages.max});
    }
    bool is_good = outcome->result == POLL_GOT;
    PORT_LOG(tap->config.log, is_good ? PORT_LOG_DEBUG : PORT_LOG_WARN, "http_answer",
             {"feed", head->feed, 0}, {"status", NULL, head->http_status},
             {"bytes", NULL, (int64_t)head->len_bytes}, {"unchanged", NULL, outcome->is_unchanged},
             {"error", head->error, 0});
}

static void launch(struct tap_http *tap, struct transfer *transfer)
{
    struct poll_outcome outcome;
    struct hr_status status = http_transfer_begin(tap, transfer);
    if (!hr_is_ok(status)) {
        http_answer_refused(tap, transfer, hr_is(status, HR_DENIED) ? POLL_DENIED : POLL_FAILED, &outcome);
        finish(tap, transfer, &outcome);
    }
}

/* A redirect that is followed: within the host, to the same scheme, and not too many. */
static bool is_followed(struct tap_http *tap, struct transfer *transfer, const char **target)
{
    char here[POLL_HOST_CAPACITY];
    char there[POLL_HOST_CAPACITY];
    const struct feeds_feed *feed = tap->feeds[transfer->task.feed].feed;
    *target = NULL;
    (void)tap->curl.easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, target);
    if (*target == NULL || transfer->redirects >= feed->limits.redirects ||
        strlen(*target) > FEEDS_REQUEST_MAX_CHARS) {
        return false;
    }
    feeds_url_host(transfer->url, here, sizeof here);
    feeds_url_host(*target, there, sizeof there);
    size_t scheme = strcspn(transfer->url, ":");
    return strcmp(here, there) == 0 && strncmp(transfer->url, *target, scheme + 1) == 0;
}

static void follow(struct tap_http *tap, struct transfer *transfer, const char *target)
{
    struct poll_now now = http_now(tap);
    const struct poll_host *host = &tap->hosts[tap->feeds[transfer->task.feed].host];
    (void)snprintf(transfer->url, sizeof transfer->url, "%s", target);
    transfer->redirects++;
    transfer->resume_ms = now.uptime_ms + host->bucket.every_ms;
    http_transfer_stop(tap, transfer);
    poll_plan_redirected(&tap->plan, &transfer->task, now);
    transfer->state = TRANSFER_REDIRECTED;
}

static void take_ended(struct tap_http *tap)
{
    int n_left = 0;
    for (const CURLMsg *message = tap->curl.multi_info_read(tap->multi, &n_left); message != NULL;
         message = tap->curl.multi_info_read(tap->multi, &n_left)) {
        void *private = NULL;
        CURLcode code = message->data.result;
        (void)tap->curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        if (http_errand_is(tap, private)) {
            http_errand_end(tap, code);
            continue;
        }
        struct transfer *transfer = private;
        const char *target = NULL;
        HR_ASSERT(transfer != NULL && transfer->state == TRANSFER_RUNNING);
        if (code == CURLE_OK && is_followed(tap, transfer, &target)) {
            follow(tap, transfer, target);
            continue;
        }
        struct poll_outcome outcome;
        http_answer_read(tap, transfer, code, &outcome);
        if (target != NULL && outcome.result == POLL_ABSENT) {
            char text[sizeof transfer->document.head.error];
            (void)snprintf(text, sizeof text, "redirect not followed: %.50s", target);
            tap_text_copy(transfer->document.head.error, sizeof transfer->document.head.error, text);
        }
        finish(tap, transfer, &outcome);
    }
}

static void resume_redirected(struct tap_http *tap, uint64_t now_ms)
{
    for (uint32_t i = 0; i < TAP_HTTP_TRANSFERS; i++) {
        struct transfer *transfer = &tap->transfers[i];
        if (transfer->state == TRANSFER_REDIRECTED && transfer->resume_ms <= now_ms) {
            launch(tap, transfer);
        }
    }
}

static struct transfer *find_idle(struct tap_http *tap)
{
    for (uint32_t i = 0; i < TAP_HTTP_TRANSFERS; i++) {
        if (tap->transfers[i].state == TRANSFER_IDLE) {
            return &tap->transfers[i];
        }
    }
    return NULL;
}

static void begin_due(struct tap_http *tap)
{
    struct transfer *transfer = find_idle(tap);
    while (transfer != NULL && http_now(tap).uptime_ms >= tap->wake_ms) {
        struct poll_now now = http_now(tap);
        uint32_t wait_ms = 0;
        struct poll_task task;
        bool is_found = poll_plan_begin(&tap->plan, now, &task, &wait_ms);
        http_tell_quotas(tap);
        if (!is_found) {
            tap->wake_ms = wait_ms == POLL_NEVER_MS ? UINT64_MAX : now.uptime_ms + wait_ms;
            return;
        }
        const struct poll_feed *feed = &tap->feeds[task.feed];
        *transfer = (struct transfer){.state = TRANSFER_RUNNING, .task = task};
        http_tell_breaker(tap, feed->host);
        const char *wrong =
            feeds_url_expand(feed->feed->url, &feed->zone, task.window, now.utc_ms, transfer->url);
        bool is_whole = wrong == NULL && (!feed->feed->has_pages ||
                                          feeds_url_add_page(&feed->feed->pages, task.page, transfer->url));
        HR_ASSERT(is_whole); /* the feed's file was checked */
        launch(tap, transfer);
        transfer = find_idle(tap);
    }
}

/* ---- records ---- */

static struct hr_status give(struct tap_http *tap, struct transfer *transfer, uint32_t *n_records)
{
    while (*n_records < RECORDS_A_TURN) {
        uint32_t given = transfer->document.n_given;
        struct hr_status next = tap_document_next(&transfer->document, &tap->scratch);
        if (hr_is(next, HR_CLOSED)) {
            if (transfer->walked_to_ms != 0) {
                tap->config.walked(tap->config.ctx, tap->feeds[transfer->task.feed].feed->name,
                                   transfer->walked_to_ms);
            }
            http_transfer_free(transfer);
            return hr_ok();
        }
        HR_TRY(next);
        struct hr_status status = tap->config.offer(tap->config.ctx, &tap->scratch, transfer->ended_ms);
        if (!hr_is_ok(status)) {
            transfer->document.n_given = given;
            return status;
        }
        (*n_records)++;
    }
    return hr_ok();
}

/* One answer after the other, so that a Document's chunks follow it without others between them. */
static struct hr_status give_records(struct tap_http *tap, bool *more)
{
    uint32_t n_records = 0;
    *more = false;
    while (n_records < RECORDS_A_TURN) {
        struct transfer *oldest = NULL;
        for (uint32_t i = 0; i < TAP_HTTP_TRANSFERS; i++) {
            struct transfer *transfer = &tap->transfers[i];
            bool is_older =
                oldest == NULL || transfer->document.head.document_id < oldest->document.head.document_id;
            if (transfer->state == TRANSFER_GIVING && is_older) {
                oldest = transfer;
            }
        }
        if (oldest == NULL) {
            return hr_ok();
        }
        HR_TRY(give(tap, oldest, &n_records));
    }
    *more = true;
    return hr_ok();
}

/* ---- the loop ---- */

size_t tap_http_fds(struct tap_http *tap, struct pollfd *fds, size_t capacity)
{
    fd_set reads;
    fd_set writes;
    fd_set errors;
    int last = -1;
    size_t n_fds = 0;
    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_ZERO(&errors);
    if (tap->curl.multi_fdset(tap->multi, &reads, &writes, &errors, &last) != CURLM_OK) {
        return 0;
    }
    for (int fd = 0; fd <= last && n_fds < capacity && n_fds < TAP_HTTP_FDS; fd++) {
        bool is_read = FD_ISSET(fd, &reads);
        bool is_written = FD_ISSET(fd, &writes);
        if (is_read || is_written) {
            fds[n_fds++] = (struct pollfd){
                .fd = fd, .events = (short)((is_read ? POLLIN : 0) | (is_written ? POLLOUT : 0))};
        }
    }
    return n_fds;
}

/* Until libcurl wants to be called; it may be looking a name up without a descriptor to wait for. */
static uint32_t curl_wait_ms(struct tap_http *tap, int n_running)
{
    long timeout_ms = -1;
    if (n_running == 0) {
        return POLL_NEVER_MS;
    }
    if (tap->curl.multi_timeout(tap->multi, &timeout_ms) != CURLM_OK || timeout_ms < 0 ||
        timeout_ms > BLIND_WAIT_MS) {
        return BLIND_WAIT_MS;
    }
    return (uint32_t)timeout_ms;
}

static uint32_t plan_wait_ms(const struct tap_http *tap, uint64_t now_ms)
{
    uint64_t wake_ms = tap->wake_ms;
    bool has_room = false;
    for (uint32_t i = 0; i < TAP_HTTP_TRANSFERS; i++) {
        has_room = has_room || tap->transfers[i].state == TRANSFER_IDLE;
    }
    wake_ms = has_room ? wake_ms : UINT64_MAX;
    for (uint32_t i = 0; i < TAP_HTTP_TRANSFERS; i++) {
        const struct transfer *transfer = &tap->transfers[i];
        bool is_sooner = transfer->state == TRANSFER_REDIRECTED && transfer->resume_ms < wake_ms;
        wake_ms = is_sooner ? transfer->resume_ms : wake_ms;
    }
    uint64_t left_ms = wake_ms > now_ms ? wake_ms - now_ms : 0;
    return left_ms < POLL_NEVER_MS ? (uint32_t)left_ms : POLL_NEVER_MS;
}

struct hr_status tap_http_pump(struct tap_http *tap, bool hold, uint32_t *wait_ms)
{
    int n_running = 0;
    bool more = false;
    (void)tap->curl.multi_perform(tap->multi, &n_running);
    take_ended(tap);
    resume_redirected(tap, port_uptime_ms(tap->config.clock));
    uint32_t vault_ms = http_errand_pump(tap);
    if (!hold) {
        HR_TRY(give_records(tap, &more));
    }
    if (!hold && !http_errand_blocks(tap)) {
        begin_due(tap);
    }
    (void)tap->curl.multi_perform(tap->multi, &n_running);
    uint32_t plan_ms = hold || http_errand_blocks(tap) ? POLL_NEVER_MS
                                                       : plan_wait_ms(tap, port_uptime_ms(tap->config.clock));
    uint32_t curl_ms = curl_wait_ms(tap, n_running);
    plan_ms = plan_ms < vault_ms ? plan_ms : vault_ms;
    *wait_ms = more ? 0 : plan_ms < curl_ms ? plan_ms : curl_ms;
    return hr_ok();
}
