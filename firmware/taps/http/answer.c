/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/http/http_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CODE_NOT_MODIFIED = 304, CODE_UNAUTHORIZED = 401, CODE_FORBIDDEN = 403, CODE_TOO_MANY = 429 };

static const struct feeds_feed *feed_of(const struct tap_http *tap, const struct transfer *transfer)
{
    return tap->feeds[transfer->task.feed].feed;
}

static void describe(struct tap_http *tap, struct transfer *transfer)
{
    struct edge_document *head = &transfer->document.head;
    const struct feeds_feed *feed = feed_of(tap, transfer);
    *head = (struct edge_document){.window_start_ms = transfer->task.window.start_ms,
                                   .window_end_ms = transfer->task.window.end_ms};
    if (feed->window.kind == FEEDS_SNAPSHOT) {
        head->window_end_ms = head->window_start_ms;
    }
    tap_text_copy(head->feed, sizeof head->feed, feed->name);
    tap_text_copy(head->request, sizeof head->request, transfer->url);
    tap_text_copy(head->etag, sizeof head->etag, transfer->etag);
    tap_text_copy(head->last_modified, sizeof head->last_modified, transfer->last_modified);
}

static void blame(struct transfer *transfer, const char *text)
{
    tap_text_copy(transfer->document.head.error, sizeof transfer->document.head.error, text);
}

/* Which of the results a status code is. */
static enum poll_result result_of(uint32_t status)
{
    switch (status) {
    case CODE_UNAUTHORIZED:
    case CODE_FORBIDDEN:
        return POLL_DENIED;
    case CODE_TOO_MANY:
        return POLL_THROTTLED;
    case 408:
    case 425:
        return POLL_FAILED;
    default:
        break;
    }
    if (status >= 200 && status < 300) {
        return POLL_GOT;
    }
    return status >= 500 || status < 200 ? POLL_FAILED : POLL_ABSENT;
}

static void blame_store(struct transfer *transfer, int why)
{
    char text[96];
    (void)snprintf(text, sizeof text, "the body can't be kept: %.60s", strerror(why));
    blame(transfer, text);
}

/* Completes what was kept of the body. False: that failed, and with it the request. */
static bool is_kept(struct transfer *transfer, struct poll_outcome *outcome)
{
    if (hr_is_ok(tap_document_end(&transfer->document))) {
        return true;
    }
    outcome->result = POLL_FAILED;
    transfer->document.head.n_chunks = 0;
    blame_store(transfer, errno);
    return false;
}

/* Content that is new goes whole; the same again leaves its hash and length. */
static void take_document(struct tap_http *tap, struct transfer *transfer, struct poll_outcome *outcome)
{
    struct edge_document *head = &transfer->document.head;
    struct poll_answer answer = {.request = poll_request_hash(transfer->url)};
    if (!is_kept(transfer, outcome)) {
        return;
    }
    const struct feeds_feed *feed = feed_of(tap, transfer);
    answer.n_pages = feed->has_pages ? poll_total_pages(&transfer->total, &feed->pages) : 0;
    answer.len_bytes = head->len_bytes;
    memcpy(answer.sha256, head->sha256, sizeof answer.sha256);
    memcpy(answer.etag, head->etag, sizeof answer.etag);
    memcpy(answer.last_modified, head->last_modified, sizeof answer.last_modified);
    outcome->n_pages = answer.n_pages;
    outcome->is_unchanged = poll_memory_take(&tap->feeds[transfer->task.feed].memory, &answer);
    if (outcome->is_unchanged) {
        head->n_chunks = 0;
        head->encoding = TAP_AS_RECEIVED;
    }
}

static void take_not_modified(struct tap_http *tap, struct transfer *transfer, struct poll_outcome *outcome)
{
    struct edge_document *head = &transfer->document.head;
    const struct poll_answer *known =
        poll_memory_find(&tap->feeds[transfer->task.feed].memory, poll_request_hash(transfer->url));
    if (known == NULL) {
        outcome->result = POLL_FAILED;
        blame(transfer, "304 to a request without conditions");
        return;
    }
    outcome->result = POLL_GOT;
    outcome->is_unchanged = true;
    outcome->n_pages = known->n_pages;
    memcpy(head->sha256, known->sha256, sizeof head->sha256);
    head->len_bytes = known->len_bytes;
}

/* An error page is evidence: its beginning is kept. */
static void take_error_page(struct transfer *transfer, struct poll_outcome *outcome)
{
    if (transfer->len_bytes > 0 && is_kept(transfer, outcome) && transfer->is_cut &&
        transfer->document.head.error[0] == '\0') {
        blame(transfer, "only the first 4096 bytes of this page are kept");
    }
}

static void read_transport(struct tap_http *tap, struct transfer *transfer, CURLcode code,
                           struct poll_outcome *outcome)
{
    outcome->result = POLL_FAILED;
    if (transfer->is_too_long) {
        char text[64];
        (void)snprintf(text, sizeof text, "longer than %" PRIu64 " bytes",
                       feed_of(tap, transfer)->limits.max_bytes);
        outcome->result = POLL_ABSENT;
        blame(transfer, text);
        return;
    }
    if (transfer->store_errno != 0) {
        blame_store(transfer, transfer->store_errno);
        return;
    }
    blame(transfer, transfer->fault[0] != '\0' ? transfer->fault : tap->curl.easy_strerror(code));
}

static bool is_expected(const struct feeds_feed *feed, const struct transfer *transfer)
{
    struct hr_bytes first = tap_document_first(&transfer->document);
    return feeds_body_is(feed->expect, first.data, first.len_bytes);
}

bool http_answer_is_document(const struct tap_http *tap, const struct transfer *transfer)
{
    long status = 0;
    (void)tap->curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300 && is_expected(feed_of(tap, transfer), transfer);
}

static void read_page(struct tap_http *tap, struct transfer *transfer, struct poll_outcome *outcome)
{
    const struct feeds_feed *feed = feed_of(tap, transfer);
    uint32_t status = transfer->document.head.http_status;
    if (status == CODE_NOT_MODIFIED) {
        take_not_modified(tap, transfer, outcome);
        return;
    }
    outcome->result = result_of(status);
    if (outcome->result == POLL_GOT && is_expected(feed, transfer)) {
        take_document(tap, transfer, outcome);
        return;
    }
    if (outcome->result == POLL_GOT) {
        const char *type = NULL;
        char text[EDGE_STATS_NAME_MAX_CHARS + 64];
        (void)tap->curl.easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
        (void)snprintf(text, sizeof text, "%s is expected; this is %s%.40s", feeds_expect_name(feed->expect),
                       transfer->len_bytes == 0 ? "empty, " : "", type != NULL ? type : "of no type");
        outcome->result = POLL_ABSENT;
        blame(transfer, text);
    }
    uint32_t wait_ms = 0;
    if (poll_retry_after_ms(transfer->retry_after, http_now(tap).utc_ms, &wait_ms)) {
        outcome->has_retry_after = true;
        outcome->retry_after_ms = wait_ms;
    }
    take_error_page(transfer, outcome);
}

void http_answer_read(struct tap_http *tap, struct transfer *transfer, CURLcode code,
                      struct poll_outcome *outcome)
{
    long status = 0;
    curl_off_t received = 0;
    *outcome = (struct poll_outcome){.result = POLL_FAILED};
    describe(tap, transfer);
    (void)tap->curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)tap->curl.easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    transfer->document.head.http_status = status > 0 && status < 1000 ? (uint32_t)status : 0;
    if (code != CURLE_OK) {
        read_transport(tap, transfer, code, outcome);
    } else {
        read_page(tap, transfer, outcome);
    }
    outcome->bytes = received > 0 ? (uint64_t)received : 0;
    outcome->records = 1 + (uint64_t)transfer->document.head.n_chunks;
}

void http_answer_refused(struct tap_http *tap, struct transfer *transfer, enum poll_result result,
                         struct poll_outcome *outcome)
{
    *outcome = (struct poll_outcome){.result = result, .records = 1};
    describe(tap, transfer);
    blame(transfer, transfer->fault);
}
