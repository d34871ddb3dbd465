/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAP_HTTP_INTERNAL_H
#define TAP_HTTP_INTERNAL_H

#include "firmware/taps/document/document.h"
#include "firmware/taps/http/curl_api.h"
#include "firmware/taps/http/tap_http.h"
#include "firmware/taps/poll/plan.h"
#include "firmware/taps/poll/total.h"
#include "firmware/taps/secret/grant.h"
#include "firmware/taps/secret/vault.h"

#include <curl/curl.h>

enum { HEADER_LINE_CAPACITY = 5632, SECRET_CAPACITY = SECRET_VALUE_CAPACITY };

enum transfer_state {
    TRANSFER_IDLE,
    TRANSFER_RUNNING,
    TRANSFER_REDIRECTED, /* waits for its host's pace */
    TRANSFER_GIVING,     /* ended; its records are offered */
};

struct transfer {
    enum transfer_state state;
    struct poll_task task;
    CURL *easy;
    struct curl_slist *headers;
    char url[FEEDS_REQUEST_MAX_CHARS + 1];
    uint32_t redirects;
    uint64_t resume_ms;
    uint64_t ended_ms;
    int64_t walked_to_ms; /* 0, or how far the backfill is with this answer */
    uint64_t len_bytes;   /* of the body so far, kept or not */
    bool is_judged;       /* whether more than the body's beginning is kept was decided: */
    bool is_cut;          /* no, as it is no document */
    bool is_too_long;
    struct poll_total total; /* of a feed with pages */
    int store_errno;         /* not 0: why the body could not be kept */
    char retry_after[64];
    char etag[POLL_ETAG_CAPACITY + 1];
    char last_modified[POLL_DATE_CAPACITY + 1];
    char fault[CURL_ERROR_SIZE];
    struct tap_document document;
    struct tap_http *tap;
};

/* A token that feeds name, and who asks for it. */
struct http_grant {
    const struct feeds_token *token;
    struct secret_grant grant;
};

/* A request to Vault, or for a token. Wiped whole when it is over. */
struct http_errand {
    CURL *easy;
    struct secret_grant *grant; /* NULL: to Vault */
    struct curl_slist *headers;
    struct secret_request request;
    size_t len_bytes;
    uint8_t answer[SECRET_ANSWER_MAX_BYTES];
    char fault[CURL_ERROR_SIZE];
};

struct tap_http {
    struct tap_http_config config;
    struct http_curl curl;
    CURLM *multi;
    struct curl_slist *connect_to;
    uint32_t next_document_id;
    uint64_t wake_ms; /* when the plan is to be asked again */
    struct poll_plan plan;
    struct poll_feed feeds[TAP_HTTP_MAX_FEEDS];
    struct poll_host hosts[TAP_HTTP_MAX_HOSTS];
    enum poll_breaker_state told[TAP_HTTP_MAX_HOSTS]; /* what the log knows */
    bool told_held[TAP_HTTP_MAX_FEEDS];
    struct transfer transfers[TAP_HTTP_TRANSFERS];
    struct secret_vault vault;
    struct http_errand errand;
    uint32_t n_grants;
    struct http_grant grants[TAP_HTTP_MAX_TOKENS];
    struct edge_record scratch;
};

struct poll_now http_now(const struct tap_http *tap);

/* transfer.c: libcurl. Starts the request of transfer->task to transfer->url. HR_DENIED: a credential can't
 * be read, and transfer->fault says which. HR_IO: libcurl refuses; fault says why. */
HR_MUST_USE struct hr_status http_transfer_begin(struct tap_http *tap, struct transfer *transfer);
/* Takes the request out of libcurl and wipes its secrets; body and answer stay. */
void http_transfer_stop(struct tap_http *tap, struct transfer *transfer);
void http_transfer_free(struct transfer *transfer);

/* answer.c: whether the answer that comes is a document, by its status and its first bytes. */
bool http_answer_is_document(const struct tap_http *tap, const struct transfer *transfer);
/* What an answer means. Fills document.head but its id, and the outcome. */
void http_answer_read(struct tap_http *tap, struct transfer *transfer, CURLcode code,
                      struct poll_outcome *outcome);
/* A request that did not leave. */
void http_answer_refused(struct tap_http *tap, struct transfer *transfer, enum poll_result result,
                         struct poll_outcome *outcome);

/* counts.c: tells the log of a breaker, and of quotas, that changed since. */
void http_tell_breaker(struct tap_http *tap, uint32_t host);
void http_tell_quotas(struct tap_http *tap);

/* secret.c: the value of a header with its secret, as it goes over the line. HR_NOT_FOUND: no such file, or
 * not a line of text; HR_DENIED: others may read it. Wipe `out`. */
HR_MUST_USE struct hr_status http_secret_header(const char *folder, const struct feeds_header *header,
                                                char out[HEADER_LINE_CAPACITY]);
/* The first half of it: the file's line with a zero. is_private: others must not read it. */
HR_MUST_USE struct hr_status http_secret_file(const char *path, bool is_private, char *out,
                                              size_t capacity_bytes);
/* The second half: a value that is there. HR_NOT_FOUND: it is not a line of text. */
HR_MUST_USE struct hr_status http_secret_line(const struct feeds_header *header, const char *value,
                                              char out[HEADER_LINE_CAPACITY]);

/* The value of a secret, from wherever it comes. HR_NOT_FOUND, HR_DENIED as http_secret_header. Wipe `out`.
 */
HR_MUST_USE struct hr_status http_secret_value(const struct tap_http *tap, const char *name,
                                               char out[SECRET_CAPACITY]);

/* errand.c: what Vault, and those who make tokens, are asked. add: a feed's token, HR_FULL. open readies it;
 * pump begins what is due and returns when to call again at the latest; blocks: documents wait for secrets
 * that were never asked for yet. */
void http_errand_open(struct tap_http *tap);
HR_MUST_USE struct hr_status http_errand_add(struct tap_http *tap, const struct feeds_feed *feed);
/* The operator refused what this feed brought. */
void http_errand_doubt(struct tap_http *tap, const struct feeds_feed *feed);
uint32_t http_errand_pump(struct tap_http *tap);
bool http_errand_is(const struct tap_http *tap, const void *handle);
void http_errand_end(struct tap_http *tap, CURLcode code);
bool http_errand_blocks(const struct tap_http *tap);
void http_errand_close(struct tap_http *tap);

#endif
