/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/file/file.h"

#include "proto/feeds/file/pages.h"
#include "proto/feeds/file/rules.h"
#include "proto/feeds/file/token.h"
#include "proto/feeds/url.h"

#include <string.h>

enum { HOUR_MS = 3600000 };

/* ---- what a field alone can't tell ---- */

static const char *check_word(const char *text)
{
    bool is_word = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
    return is_word ? NULL : "takes lower case letters, digits and _ only";
}

static const char *check_topic(const char *text)
{
    bool is_topic = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == strlen(text);
    return is_topic ? NULL : "is no name of a topic: lower case letters, digits, dots, - and _";
}

static const char *check_header(const char *text)
{
    bool is_token =
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
    return is_token ? NULL : "is no name of a request header";
}

static const char *check_prefix(const char *text)
{
    return strpbrk(text, "\r\n") == NULL ? NULL : "holds a line end";
}

static void check_name(const struct feeds_feed *feed, struct conf_place *place)
{
    const char *iso = feeds_iso_name(feed->iso);
    size_t len = strlen(iso);
    if (strncmp(feed->name, iso, len) != 0 || feed->name[len] != '_') {
        conf_complain(place, "name", "\"%s\" does not begin with %s_, as a feed of that operator does",
                      feed->name, iso);
    }
}

static void check_window(const struct feeds_feed *feed, struct conf_place *place)
{
    const struct feeds_schedule *schedule = &feed->schedule;
    if (feed->window.kind == FEEDS_SNAPSHOT) {
        if (feed->window.length_ms != 0) {
            conf_complain(place, "window", "a snapshot has no length; schedule.every says how often");
        }
        if (schedule->every_ms == 0) {
            conf_complain(place, "schedule", "a snapshot needs every");
        }
        if (schedule->lag_ms != 0 || schedule->lead_ms != 0 || schedule->until_ms != 0 ||
            schedule->catch_up != 0) {
            conf_complain(place, "schedule",
                          "a snapshot has no lag, lead, until or catch_up: nothing older "
                          "than the newest can be asked for");
        }
        return;
    }
    if (feed->window.kind == FEEDS_INTERVAL &&
        (feed->window.length_ms == 0 || HOUR_MS % feed->window.length_ms != 0)) {
        conf_complain(place, "window", "length must divide an hour: 5m, 15m, 30m, 1h");
    }
    if (feed->window.kind == FEEDS_DAY && feed->window.length_ms != 0) {
        conf_complain(place, "window", "a day has no length: it has 23, 24 or 25 hours");
    }
    if (schedule->lag_ms != 0 && schedule->lead_ms != 0) {
        conf_complain(place, "schedule", "either lag (after the window's end) or lead (before its start)");
    }
    if (schedule->every_ms != 0 && schedule->until_ms / schedule->every_ms >= FEEDS_MAX_VISITS) {
        conf_complain(place, "schedule",
                      "asks for a window more than %d times; a longer every, or less until",
                      FEEDS_MAX_VISITS);
    }
    if ((schedule->every_ms == 0) != (schedule->until_ms == 0)) {
        conf_complain(place, "schedule", "every and until go together: again each `every`, `until` then");
    }
}

/* Requests that the schedule makes in an hour when nothing fails. */
static uint64_t requests_per_hour(const struct feeds_feed *feed)
{
    const struct feeds_schedule *schedule = &feed->schedule;
    uint64_t polls = schedule->every_ms == 0 ? 1 : 1 + (uint64_t)schedule->until_ms / schedule->every_ms;
    switch (feed->window.kind) {
    case FEEDS_SNAPSHOT:
        return (HOUR_MS + schedule->every_ms - 1) / schedule->every_ms;
    case FEEDS_INTERVAL:
        return polls * (HOUR_MS / feed->window.length_ms);
    case FEEDS_DAY:
        break;
    }
    return schedule->every_ms == 0 ? 1 : 1 + HOUR_MS / schedule->every_ms;
}

static bool is_consistent(const struct feeds_feed *feed)
{
    return feed->window.kind == FEEDS_SNAPSHOT
               ? feed->schedule.every_ms != 0
               : feed->window.kind == FEEDS_DAY || feed->window.length_ms != 0;
}

static void check_feed(const void *section, struct conf_place *place)
{
    const struct feeds_feed *feed = section;
    check_name(feed, place);
    check_window(feed, place);
    const char *wrong = feeds_url_check(feed->url);
    if (wrong != NULL) {
        conf_complain(place, "url", "%s", wrong);
    }
    if (is_consistent(feed)) {
        unsigned long long needed = requests_per_hour(feed);
        if (needed > feed->quota.requests_per_hour) {
            conf_complain(place, "quota",
                          "requests_per_hour is %u, and window and schedule make %llu: allow more, or ask "
                          "less often",
                          (unsigned)feed->quota.requests_per_hour, needed);
        }
    }
    if (feed->limits.max_bytes > feed->quota.bytes_per_hour) {
        conf_complain(place, "quota", "bytes_per_hour is below limits.max_bytes: one body would exceed it");
    }
    if (feed->rules.complete.every_ms != 0 && feed->window.kind == FEEDS_INTERVAL) {
        conf_complain(place, "rules", "complete is of a market day, and a document of this window has less");
    }
    feeds_pages_check(feed, place);
    if (feed->retry.cap_ms < feed->retry.base_ms) {
        conf_complain(place, "retry", "cap is below base");
    }
}

/* ---- the tables ---- */

static const char *const isos[] = {"caiso", "miso", "spp", "pjm", "ercot", "isone", "nyiso", NULL};
static const char *const products[] = {"rt_lmp",     "da_lmp", "da_schedule", "load", "fuel_mix",
                                       "wind_solar", "outage", "constraint",  NULL};
static const char *const kinds[] = {"snapshot", "interval", "day", NULL};
static const char *const expectations[] = {"any", "zip", "json", "csv", "xml", NULL};
static const char *const encodings[] = {"plain", "base64", NULL};

static const struct conf_field window_fields[] = {
    {.key = "kind",
     .type = CONF_ENUM,
     CONF_AT(struct feeds_feed, window.kind),
     .required = true,
     .names = kinds,
     .help = "snapshot: the newest; interval: length of it; day: a local day."},
    {.key = "length",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_feed, window.length_ms),
     .max = HOUR_MS,
     .help = "Of an interval; divides an hour."},
};
static const struct conf_table window_table = {CONF_FIELDS(window_fields)};

#define DAYS_MS(n) ((uint64_t)(n) * 24 * HOUR_MS)

static const struct conf_field schedule_fields[] = {
    {.key = "lag",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_schedule, lag_ms),
     .max = DAYS_MS(40),
     .help = "A window is asked for so long after its end."},
    {.key = "lead",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_schedule, lead_ms),
     .max = DAYS_MS(10),
     .help = "Instead of lag: so long before its start."},
    {.key = "every",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_schedule, every_ms),
     .max = DAYS_MS(7),
     .help = "Again this often, because later publications replace earlier ones."},
    {.key = "until",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_schedule, until_ms),
     .max = DAYS_MS(40),
     .help = "For so long after the first time."},
    {.key = "catch_up",
     .type = CONF_UINT,
     CONF_AT(struct feeds_schedule, catch_up),
     .fallback = "0",
     .max = 1000,
     .help = "Windows before the newest that a start asks for, behind everything else."},
};
static const struct conf_table schedule_table = {CONF_FIELDS(schedule_fields)};

static const struct conf_field header_fields[] = {
    {.key = "header",
     .type = CONF_STRING,
     CONF_AT(struct feeds_header, name),
     .required = true,
     .min = 1,
     .check_text = check_header,
     .help = "Name of the request header."},
    {.key = "prefix",
     .type = CONF_STRING,
     CONF_AT(struct feeds_header, prefix),
     .check_text = check_prefix,
     .help = "Before the secret, such as \"Bearer \"."},
    {.key = "credential",
     .type = CONF_STRING,
     CONF_AT(struct feeds_header, credential),
     .required = true,
     .min = 1,
     .check_text = check_word,
     .help = "Name of the secret: a file of that name in the collector's credentials folder."},
    {.key = "encoding",
     .type = CONF_ENUM,
     CONF_AT(struct feeds_header, encoding),
     .fallback = "plain",
     .names = encodings,
     .help = "base64: for HTTP Basic, whose file holds user:password."},
};
static const struct conf_table header_table = {CONF_FIELDS(header_fields)};

static const struct conf_field quota_fields[] = {
    {.key = "host_every",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_quota, host_every_ms),
     .required = true,
     .min = 1,
     .max = HOUR_MS,
     .help = "Between two requests to the host, whichever feeds make them."},
    {.key = "host_burst",
     .type = CONF_UINT,
     CONF_AT(struct feeds_quota, host_burst),
     .fallback = "1",
     .min = 1,
     .max = 100,
     .help = "Requests to the host that may go at once after a pause."},
    {.key = "requests_per_hour",
     .type = CONF_UINT,
     CONF_AT(struct feeds_quota, requests_per_hour),
     .required = true,
     .min = 1,
     .max = 1000000,
     .help = "Of this feed, failures included."},
    {.key = "bytes_per_hour",
     .type = CONF_SIZE,
     CONF_AT(struct feeds_quota, bytes_per_hour),
     .required = true,
     .min = 1024,
     .help = "Of bodies of this feed, as they come over the line."},
    {.key = "records_per_hour",
     .type = CONF_UINT,
     CONF_AT(struct feeds_quota, records_per_hour),
     .required = true,
     .min = 1,
     .max = UINT32_MAX,
     .help = "Documents and chunks of this feed."},
};
static const struct conf_table quota_table = {CONF_FIELDS(quota_fields)};

static const struct conf_field limits_fields[] = {
    {.key = "max_bytes",
     .type = CONF_SIZE,
     CONF_AT(struct feeds_limits, max_bytes),
     .fallback = "64MiB",
     .min = 1024,
     .max = UINT64_C(256) << 20,
     .help = "Of a body; a longer one is given up."},
    {.key = "connect_timeout",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_limits, connect_timeout_ms),
     .fallback = "10s",
     .min = 100,
     .max = 120000,
     .help = "For name, connection and handshake."},
    {.key = "timeout",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_limits, timeout_ms),
     .fallback = "60s",
     .min = 100,
     .max = 900000,
     .help = "For the whole request."},
    {.key = "redirects",
     .type = CONF_UINT,
     CONF_AT(struct feeds_limits, redirects),
     .fallback = "3",
     .max = 10,
     .help = "That are followed, https to https only."},
};
static const struct conf_table limits_table = {CONF_FIELDS(limits_fields)};

static const struct conf_field retry_fields[] = {
    {.key = "attempts",
     .type = CONF_UINT,
     CONF_AT(struct feeds_retry, attempts),
     .fallback = "5",
     .max = 100,
     .help = "After a failure, before the next regular time."},
    {.key = "base",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_retry, base_ms),
     .fallback = "5s",
     .min = 1,
     .max = HOUR_MS,
     .help = "The first pause is between 0 and this, each next one up to twice as long."},
    {.key = "cap",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_retry, cap_ms),
     .fallback = "10m",
     .min = 1,
     .max = DAYS_MS(1),
     .help = "No pause is longer."},
};
static const struct conf_table retry_table = {CONF_FIELDS(retry_fields)};

static const struct conf_field output_fields[] = {
    {.key = "topic",
     .type = CONF_STRING,
     CONF_AT(struct feeds_feed, topic),
     .required = true,
     .min = 1,
     .check_text = check_topic,
     .help = "Where the rows go."},
    {.key = "schema",
     .type = CONF_STRING,
     CONF_AT(struct feeds_feed, schema),
     .required = true,
     .min = 1,
     .check_text = check_word,
     .help = "What they are, in schemas/avro."},
};
static const struct conf_table output_table = {CONF_FIELDS(output_fields)};

#define SECTION_HERE                                                                                         \
    .offset_bytes = 0, .size_bytes = sizeof(struct feeds_feed), .capacity = 1,                               \
    .count_offset_bytes = CONF_NOWHERE

static const struct conf_field fields[] = {
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct feeds_feed, name),
     .required = true,
     .min = 1,
     .check_text = check_word,
     .help = "The name of the file without .yaml; it begins with the operator."},
    {.key = "version",
     .type = CONF_UINT,
     CONF_AT(struct feeds_feed, version),
     .required = true,
     .min = 1,
     .max = 1000000,
     .help = "Raised by whoever changes what is asked for."},
    {.key = "iso",
     .type = CONF_ENUM,
     CONF_AT(struct feeds_feed, iso),
     .required = true,
     .names = isos,
     .help = "The market operator."},
    {.key = "market",
     .type = CONF_STRING,
     CONF_AT(struct feeds_feed, market),
     .required = true,
     .min = 1,
     .help = "DAM, RTM ..."},
    {.key = "product",
     .type = CONF_ENUM,
     CONF_AT(struct feeds_feed, product),
     .required = true,
     .names = products,
     .help = "What the rows tell."},
    {.key = "enabled",
     .type = CONF_BOOL,
     CONF_AT(struct feeds_feed, enabled),
     .fallback = "true",
     .help = "false: no collector asks for it."},
    {.key = "owner",
     .type = CONF_STRING,
     CONF_AT(struct feeds_feed, owner),
     .required = true,
     .min = 1,
     .help = "Who is asked when it is late."},
    {.key = "timezone",
     .type = CONF_STRING,
     CONF_AT(struct feeds_feed, timezone),
     .required = true,
     .min = 1,
     .help = "IANA name of the market's zone."},
    {.key = "format",
     .type = CONF_STRING,
     CONF_AT(struct feeds_feed, format),
     .required = true,
     .min = 1,
     .check_text = check_word,
     .help = "Of the documents: the parser that takes them."},
    {.key = "expect",
     .type = CONF_ENUM,
     CONF_AT(struct feeds_feed, expect),
     .fallback = "any",
     .names = expectations,
     .help = "What its first bytes must look like; anything else is an error page."},
    {.key = "url",
     .type = CONF_STRING,
     CONF_AT(struct feeds_feed, url),
     .required = true,
     .min = 1,
     .help = "With {start:utc:%Y%m%d} and the like for times."},
    {.key = "accept",
     .type = CONF_STRING,
     CONF_AT(struct feeds_feed, accept),
     .check_text = check_prefix,
     .help = "The Accept header, if the operator needs one."},
    {.key = "window",
     .type = CONF_SECTION,
     SECTION_HERE,
     .table = &window_table,
     .required = true,
     .help = "What one request covers."},
    {.key = "pages",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct feeds_feed, pages, has_pages),
     .table = &feeds_pages_table,
     .help = "Of an operator that answers in pages; each is a document of its own."},
    {.key = "schedule",
     .type = CONF_SECTION,
     CONF_AT(struct feeds_feed, schedule),
     .table = &schedule_table,
     .required = true,
     .help = "When a window is asked for."},
    {.key = "auth",
     .type = CONF_LIST,
     CONF_LIST_AT(struct feeds_feed, headers, n_headers),
     .table = &header_table,
     .help = "Headers with a secret."},
    {.key = "token",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct feeds_feed, token, has_token),
     .table = &feeds_token_table,
     .help = "A bearer token for a user's name and password."},
    {.key = "quota",
     .type = CONF_SECTION,
     CONF_AT(struct feeds_feed, quota),
     .table = &quota_table,
     .required = true,
     .help = "What is never exceeded."},
    {.key = "limits",
     .type = CONF_SECTION,
     CONF_AT(struct feeds_feed, limits),
     .table = &limits_table,
     .help = "Of one request."},
    {.key = "retry",
     .type = CONF_SECTION,
     CONF_AT(struct feeds_feed, retry),
     .table = &retry_table,
     .help = "After failures: exponential pauses with full jitter."},
    {.key = "output",
     .type = CONF_SECTION,
     SECTION_HERE,
     .table = &output_table,
     .required = true,
     .help = "Where the rows go, and as what."},
    {.key = "freshness",
     .type = CONF_DURATION,
     CONF_AT(struct feeds_feed, freshness_ms),
     .required = true,
     .min = 1000,
     .max = DAYS_MS(40),
     .help = "Rows older than this, when they are published, are late."},
    {.key = "rules",
     .type = CONF_SECTION,
     CONF_AT(struct feeds_feed, rules),
     .table = &feeds_rules_table,
     .help = "What the rows must be; one that is not is told as an anomaly, and goes on."},
};
static const struct conf_table table = {CONF_FIELDS(fields), .size_bytes = sizeof(struct feeds_feed),
                                        .check = check_feed};

/* ---- reading ---- */

static struct hr_status check_stem(const char *path, const struct feeds_feed *feed,
                                   struct conf_report *report)
{
    const char *base = strrchr(path, '/');
    base = base == NULL ? path : base + 1;
    size_t len = strlen(feed->name);
    if (strncmp(base, feed->name, len) == 0 && strcmp(base + len, ".yaml") == 0) {
        return hr_ok();
    }
    struct conf_error *error = &report->errors[0];
    report->n_errors = 1;
    *error = (struct conf_error){.line = 0, .key = "name"};
    (void)snprintf(error->message, sizeof error->message, "is %s, so that the file is to be named %s.yaml",
                   feed->name, feed->name);
    return hr_status_of(HR_MALFORMED);
}

static struct hr_status finish(struct hr_status status, const char *path, struct feeds_feed *feed,
                               struct conf_report *report)
{
    if (hr_is_ok(status)) {
        status = check_stem(path, feed, report);
    }
    if (!hr_is_ok(status)) {
        *feed = (struct feeds_feed){.version = 0};
    }
    return status;
}

struct hr_status feeds_file_load(const char *path, struct feeds_feed *out, struct conf_report *report)
{
    return finish(conf_load(path, &table, out, report), path, out, report);
}

struct hr_status feeds_file_parse(const char *name, struct hr_bytes text, struct feeds_feed *out,
                                  struct conf_report *report)
{
    return finish(conf_parse(name, text, &table, out, report), name, out, report);
}

void feeds_file_print_schema(FILE *out)
{
    conf_print_schema(&table, "headrace feed", out);
}
