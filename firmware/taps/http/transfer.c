/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/http/http_internal.h"
#include "proto/base/wipe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- what comes ---- */

/* Of what is no document only the beginning is kept; that is decided once the beginning is there. */
static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *transfer = ctx;
    struct tap_http *tap = transfer->tap;
    size_t len_bytes = size * n;
    size_t room_bytes = TAP_DOCUMENT_FIRST_BYTES - tap_document_first(&transfer->document).len_bytes;
    size_t kept_bytes = len_bytes < room_bytes ? len_bytes : room_bytes;
    transfer->len_bytes += len_bytes;
    if (transfer->len_bytes > tap->feeds[transfer->task.feed].feed->limits.max_bytes) {
        transfer->is_too_long = true;
        return 0; /* libcurl gives the request up */
    }
    struct hr_bytes bytes = hr_bytes_of((const uint8_t *)data, len_bytes);
    if (tap->feeds[transfer->task.feed].feed->has_pages) {
        poll_total_see(&transfer->total, bytes);
    }
    struct hr_status status = tap_document_add(&transfer->document, hr_bytes_of(bytes.data, kept_bytes));
    if (hr_is_ok(status) && kept_bytes < len_bytes) {
        if (!transfer->is_judged) {
            transfer->is_judged = true;
            transfer->is_cut = !http_answer_is_document(tap, transfer);
        }
        bytes = hr_bytes_of(bytes.data + kept_bytes, transfer->is_cut ? 0 : len_bytes - kept_bytes);
        status = tap_document_add(&transfer->document, bytes);
    }
    transfer->store_errno = hr_is_ok(status) ? 0 : errno;
    return hr_is_ok(status) ? len_bytes : 0;
}

static void keep_header(const char *line, size_t len, const char *name, char *out, size_t capacity_bytes)
{
    size_t name_len = strlen(name);
    if (len <= name_len || strncasecmp(line, name, name_len) != 0) {
        return;
    }
    line += name_len;
    len -= name_len;
    while (len > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' ')) {
        len--;
    }
    /* One that is cut is worth nothing: a validator must come back as it was. */
    if (len < capacity_bytes) {
        memcpy(out, line, len);
        out[len] = '\0';
    }
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * n;
    keep_header(data, len, "ETag:", transfer->etag, sizeof transfer->etag - 1);
    keep_header(data, len, "Last-Modified:", transfer->last_modified, sizeof transfer->last_modified - 1);
    keep_header(data, len, "Retry-After:", transfer->retry_after, sizeof transfer->retry_after);
    return len;
}

/* ---- what goes ---- */

static bool add_header(struct tap_http *tap, struct transfer *transfer, const char *line)
{
    struct curl_slist *longer = tap->curl.slist_append(transfer->headers, line);
    transfer->headers = longer != NULL ? longer : transfer->headers;
    return longer != NULL;
}

static bool add_conditions(struct tap_http *tap, struct transfer *transfer)
{
    char line[128];
    const struct poll_feed *feed = &tap->feeds[transfer->task.feed];
    const struct poll_answer *known = poll_memory_find(&feed->memory, poll_request_hash(transfer->url));
    bool added = true;
    if (known != NULL && known->etag[0] != '\0') {
        (void)snprintf(line, sizeof line, "If-None-Match: %s", known->etag);
        added = add_header(tap, transfer, line);
    }
    if (known != NULL && known->last_modified[0] != '\0') {
        (void)snprintf(line, sizeof line, "If-Modified-Since: %s", known->last_modified);
        added = added && add_header(tap, transfer, line);
    }
    return added;
}

static struct hr_status secret_line(const struct tap_http *tap, const struct feeds_header *header,
                                    char out[HEADER_LINE_CAPACITY])
{
    char value[SECRET_CAPACITY];
    struct hr_status status = http_secret_value(tap, header->credential, value);
    if (hr_is_ok(status)) {
        status = http_secret_line(header, value, out);
    }
    hr_wipe(value, sizeof value);
    return status;
}

static struct hr_status add_secrets(struct tap_http *tap, struct transfer *transfer)
{
    const struct feeds_feed *feed = tap->feeds[transfer->task.feed].feed;
    for (uint32_t i = 0; i < feed->n_headers; i++) {
        char line[HEADER_LINE_CAPACITY];
        struct hr_status status = secret_line(tap, &feed->headers[i], line);
        bool added = hr_is_ok(status) && add_header(tap, transfer, line);
        hr_wipe(line, sizeof line);
        if (!added) {
            (void)snprintf(transfer->fault, sizeof transfer->fault, "credential %s %s",
                           feed->headers[i].credential,
                           hr_is(status, HR_DENIED) ? "may be read by others than its owner and group"
                                                    : "is not there, or not one line of text");
            return hr_status_of(HR_DENIED);
        }
    }
    return hr_ok();
}

static struct hr_status make_headers(struct tap_http *tap, struct transfer *transfer)
{
    char line[128];
    const struct feeds_feed *feed = tap->feeds[transfer->task.feed].feed;
    if (feed->accept[0] != '\0') {
        (void)snprintf(line, sizeof line, "Accept: %s", feed->accept);
        if (!add_header(tap, transfer, line)) {
            return hr_status_of(HR_IO);
        }
    }
    if (!add_conditions(tap, transfer)) {
        return hr_status_of(HR_IO);
    }
    return add_secrets(tap, transfer);
}

#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (tap->curl.easy_setopt(transfer->easy, (option), (value)) != CURLE_OK) {                          \
            return false;                                                                                    \
        }                                                                                                    \
    } while (0)

static bool set_options(struct tap_http *tap, struct transfer *transfer)
{
    const struct feeds_feed *feed = tap->feeds[transfer->task.feed].feed;
    SET(CURLOPT_URL, transfer->url);
    SET(CURLOPT_PROTOCOLS_STR, strncmp(transfer->url, "https:", 6) == 0 ? "https" : "http");
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    SET(CURLOPT_USERAGENT, tap->config.user_agent);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)feed->limits.connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)feed->limits.timeout_ms);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (tap->config.ca_path != NULL) {
        SET(CURLOPT_CAINFO, tap->config.ca_path);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (tap->connect_to != NULL) {
        SET(CURLOPT_CONNECT_TO, tap->connect_to);
    }
    SET(CURLOPT_ERRORBUFFER, transfer->fault);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)transfer);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)transfer);
    SET(CURLOPT_PRIVATE, (void *)transfer);
    return true;
}

struct hr_status http_transfer_begin(struct tap_http *tap, struct transfer *transfer)
{
    transfer->len_bytes = 0;
    transfer->is_judged = false;
    transfer->is_cut = false;
    transfer->is_too_long = false;
    transfer->store_errno = 0;
    transfer->tap = tap;
    poll_total_begin(&transfer->total, tap->feeds[transfer->task.feed].feed->pages.total);
    tap_document_free(&transfer->document); /* of the answer that redirected */
    tap_document_begin(&transfer->document, tap->config.folder, tap->config.hash);
    transfer->etag[0] = '\0';
    transfer->last_modified[0] = '\0';
    transfer->retry_after[0] = '\0';
    transfer->fault[0] = '\0';
    HR_TRY(make_headers(tap, transfer));
    transfer->easy = tap->curl.easy_init();
    if (transfer->easy == NULL || !set_options(tap, transfer) ||
        tap->curl.multi_add_handle(tap->multi, transfer->easy) != CURLM_OK) {
        (void)snprintf(transfer->fault, sizeof transfer->fault, "libcurl does not take the request");
        return hr_status_of(HR_IO);
    }
    transfer->state = TRANSFER_RUNNING;
    return hr_ok();
}

void http_transfer_stop(struct tap_http *tap, struct transfer *transfer)
{
    if (transfer->easy != NULL) {
        (void)tap->curl.multi_remove_handle(tap->multi, transfer->easy);
        tap->curl.easy_cleanup(transfer->easy);
        transfer->easy = NULL;
    }
    for (struct curl_slist *line = transfer->headers; line != NULL; line = line->next) {
        hr_wipe(line->data, strlen(line->data));
    }
    tap->curl.slist_free_all(transfer->headers);
    transfer->headers = NULL;
}

void http_transfer_free(struct transfer *transfer)
{
    tap_document_free(&transfer->document);
    *transfer = (struct transfer){.state = TRANSFER_IDLE};
}
