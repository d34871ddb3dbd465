/* SPDX-License-Identifier: Apache-2.0
 *
 * What a feed is: which document of a market operator is asked for, at which address, for which window of
 * time, how often at most, and where its rows go. A feed is data (schemas/feeds/<name>.yaml; file/file.h
 * reads it); collectors ask by it and the aggregator normalizes by it. Times are Unix milliseconds in UTC.
 * Everything is by value, nothing is allocated. [any] */
#ifndef FEEDS_FEEDS_H
#define FEEDS_FEEDS_H

#include "proto/base/status.h"
#include "proto/feeds/rules.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FEEDS_NAME_MAX_CHARS = 47, /* as Document.feed */
    FEEDS_URL_MAX_CHARS = 511,
    FEEDS_REQUEST_MAX_CHARS = 255, /* an expanded URL, as Document.request */
    FEEDS_MAX_HEADERS = 4,
    FEEDS_MAX_VISITS = 16, /* of a window: 1 + until / every */
    FEEDS_TEXT_MAX_CHARS = 63,
};

enum feeds_iso {
    FEEDS_CAISO,
    FEEDS_MISO,
    FEEDS_SPP,
    FEEDS_PJM,
    FEEDS_ERCOT,
    FEEDS_ISONE,
    FEEDS_NYISO,
};

enum feeds_product {
    FEEDS_RT_LMP,
    FEEDS_DA_LMP,
    FEEDS_DA_SCHEDULE,
    FEEDS_LOAD,
    FEEDS_FUEL_MIX,
    FEEDS_WIND_SOLAR,
    FEEDS_OUTAGE,
    FEEDS_CONSTRAINT,
};

enum feeds_window_kind {
    FEEDS_SNAPSHOT, /* the newest, whatever it is: every schedule.every_ms */
    FEEDS_INTERVAL, /* window.length_ms, which divides an hour, from the full hour on */
    FEEDS_DAY,      /* a day of the feed's zone: 23, 24 or 25 hours */
};

/* What a body looks like: an error page in place of a document is told by its first bytes. */
enum feeds_expect { FEEDS_ANY, FEEDS_ZIP, FEEDS_JSON, FEEDS_CSV, FEEDS_XML };

enum feeds_encoding { FEEDS_PLAIN, FEEDS_BASE64 };

/* A request header whose value is prefix and a secret. The name of the secret is told, the secret never is.
 */
struct feeds_header {
    char name[FEEDS_TEXT_MAX_CHARS + 1];
    char prefix[16];
    char credential[FEEDS_TEXT_MAX_CHARS + 1];
    enum feeds_encoding encoding;
};

/* An answer that comes in pages, each of which is a request and a document of its own. */
struct feeds_pages {
    char parameter[24]; /* of the request: "page"; added to the URL as its last one */
    char total[24];     /* the number in the JSON answer that tells how much there is: "totalPages" */
    uint32_t rows;      /* of a page, and then total and parameter count rows; 0: they count pages */
    uint32_t first;     /* what the parameter is of the first page */
    uint32_t max;       /* pages that are asked for at most */
};

/* A bearer token that is made of a user's name and password (RFC 6749, 4.3). */
struct feeds_token {
    char credential[FEEDS_TEXT_MAX_CHARS + 1]; /* the name under which headers have it */
    char url[FEEDS_REQUEST_MAX_CHARS + 1];
    char username[FEEDS_TEXT_MAX_CHARS + 1]; /* names of secrets */
    char password[FEEDS_TEXT_MAX_CHARS + 1];
    char client_id[FEEDS_TEXT_MAX_CHARS + 1];
    char scope[2 * FEEDS_TEXT_MAX_CHARS + 1];
    char answer[16]; /* which member of the answer it is */
};

struct feeds_schedule {
    uint32_t lag_ms;   /* a window is asked for so long after its end, */
    uint32_t lead_ms;  /* or so long before its start when this is not 0, */
    uint32_t every_ms; /* and again this often (0: once), */
    uint32_t until_ms; /* until so long after the first time: later publications replace earlier ones */
    uint32_t catch_up; /* windows before the newest that a start asks for */
};

struct feeds_quota {
    uint32_t host_every_ms; /* between two requests to the host, of all feeds: the longest of them counts */
    uint32_t host_burst;    /* requests that may go at once after a pause */
    uint32_t requests_per_hour;
    uint64_t bytes_per_hour; /* bodies as received, before they are unpacked */
    uint32_t records_per_hour;
};

struct feeds_limits {
    uint64_t max_bytes; /* of a body, after decoding */
    uint32_t connect_timeout_ms;
    uint32_t timeout_ms;
    uint32_t redirects;
};

struct feeds_retry {
    uint32_t attempts; /* further ones after a failure, before the window is left to its next regular time */
    uint32_t base_ms;
    uint32_t cap_ms;
};

struct feeds_feed {
    char name[FEEDS_NAME_MAX_CHARS + 1];
    uint32_t version;
    enum feeds_iso iso;
    char market[16];
    enum feeds_product product;
    bool enabled;
    char owner[FEEDS_TEXT_MAX_CHARS + 1];
    char timezone[FEEDS_TEXT_MAX_CHARS + 1];
    char format[FEEDS_TEXT_MAX_CHARS + 1]; /* of the documents: names the parser */
    enum feeds_expect expect;
    char url[FEEDS_URL_MAX_CHARS + 1];     /* a template: url.h */
    char accept[FEEDS_TEXT_MAX_CHARS + 1]; /* empty: anything */
    struct {
        enum feeds_window_kind kind;
        uint32_t length_ms;
    } window;
    struct feeds_schedule schedule;
    uint32_t n_headers;
    struct feeds_header headers[FEEDS_MAX_HEADERS];
    bool has_pages;
    struct feeds_pages pages;
    bool has_token;
    struct feeds_token token;
    struct feeds_quota quota;
    struct feeds_limits limits;
    struct feeds_retry retry;
    char topic[FEEDS_TEXT_MAX_CHARS + 1];
    char schema[FEEDS_TEXT_MAX_CHARS + 1];
    uint32_t freshness_ms;
    struct feeds_rules rules; /* all zeros: none */
};

/* "caiso", "rt_lmp" ... ; never NULL. */
const char *feeds_iso_name(enum feeds_iso iso);
const char *feeds_expect_name(enum feeds_expect expect);

/* Whether a body may be such a document: a zip file begins with PK, JSON with { or [, XML with <, CSV with
 * none of these; an empty body is none of them. */
bool feeds_body_is(enum feeds_expect expect, const void *body, size_t len_bytes);

const char *feeds_product_name(enum feeds_product product);

#endif
