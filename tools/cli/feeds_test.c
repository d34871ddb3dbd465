/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace feeds test`: what a document of an operator would become, without sending it anywhere. */
#include "aggregator/normalize/iso/iso.h"
#include "aggregator/normalize/quality/quality.h"
#include "aggregator/zoneinfo/zoneinfo.h"
#include "proto/base/assert.h"
#include "proto/feeds/file/book.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAYLOAD, LIMIT, NAME, RULES };
enum { PAYLOAD_MAX_BYTES = 256 << 20 };

static const struct cli_option options[] = {
    [PAYLOAD] = {"--payload", "FILE", true, 0, "The document as it was received."},
    [LIMIT] = {"--limit", "N", false, 0, "Print so many rows; 0: all. Default 40."},
    [NAME] = {"--name", "NAME", false, 0, "What the operator called it; default: the name of the file."},
    [RULES] = {"--rules", "FOLDER", false, 0, "Feeds whose rules hold; default: those of this build."},
};
static const struct cli_usage usage = {
    .verb = "feeds test",
    .positional = "FEED",
    .options = options,
    .n_options = HR_ARRAY_LEN(options),
    .help =
        "Prints the canonical rows that a document of the feed gives, and what is wrong with it. FEED is a\n"
        "name such as caiso_da_lmp, or auto: what such a document usually is of. Prices are energy +\n"
        "congestion + loss, whatever sign the operator prints; times are UTC. Rows that break a rule of\n"
        "their feed are told behind them. Exit code 1: the document can't be read, 2: nothing in it is for\n"
        "a feed.",
};

struct printer {
    uint64_t limit; /* of rows; 0: none */
    uint64_t n_rows;
    const struct feeds_book *book;
    const struct norm_zones *zones;
    struct norm_quality *quality;
    struct norm_quality_sink breaches;
    struct norm_quality_counts counts;
};

static void print_time(int64_t utc_s)
{
    struct norm_clock clock = norm_clock_of(utc_s);
    (void)printf("%04d-%02u-%02uT%02u:%02u:%02uZ", (int)clock.date.year, clock.date.month, clock.date.day,
                 clock.hour, clock.minute, clock.second);
}

static void print_bytes(struct hr_bytes bytes)
{
    for (size_t i = 0; i < bytes.len_bytes; i++) {
        (void)putchar(bytes.data[i] < 0x20 || bytes.data[i] == 0x7F ? '?' : bytes.data[i]);
    }
}

static void print_part(const char *name, double value, bool is_there)
{
    if (is_there) {
        (void)printf("  %s %.10g", name, value);
    }
}

static void print_rest(const struct norm_iso_row *row)
{
    print_part("energy", row->energy, (row->has & NORM_ISO_HAS_ENERGY) != 0);
    print_part("congestion", row->congestion, (row->has & NORM_ISO_HAS_CONGESTION) != 0);
    print_part("loss", row->loss, (row->has & NORM_ISO_HAS_LOSS) != 0);
    print_part("ghg", row->ghg, (row->has & NORM_ISO_HAS_GHG) != 0);
    print_part("limit", row->limit_mw, (row->has & NORM_ISO_HAS_LIMIT) != 0);
    if (row->contingency.len_bytes > 0) {
        (void)printf("  for ");
        print_bytes(row->contingency);
    }
    if ((row->has & NORM_ISO_HAS_PUBLISHED) != 0) {
        (void)printf("  made ");
        print_time(row->published_s);
    }
    if ((row->has & NORM_ISO_HAS_VERSION) != 0) {
        (void)printf("  version %" PRId64, row->version);
    }
}

static void print_breach(void *ctx, const struct norm_quality_breach *breach)
{
    (void)ctx;
    (void)printf("! %s of row %" PRIu64 ", ", norm_quality_rule_name(breach->rule), breach->nth);
    print_bytes(breach->location);
    (void)printf(" at ");
    print_time(breach->start_s);
    (void)printf(": %s\n", breach->text);
}

static void print_fields(const struct norm_iso_row *row)
{
    print_time(row->start_s);
    (void)printf("  %4" PRId64 " min  ", (row->end_s - row->start_s) / NORM_MINUTE_S);
    print_bytes(row->market);
    (void)printf("  %s ", norm_iso_location_name(row->location_type));
    print_bytes(row->location_id);
    if (row->region.len_bytes > 0) {
        (void)printf(" (");
        print_bytes(row->region);
        (void)printf(")");
    }
    (void)printf("  %s %s", row->subject, row->curve_role);
    if ((row->has & NORM_ISO_HAS_VALUE) != 0) {
        (void)printf("  %.10g %s", row->value, row->unit);
    }
    print_rest(row);
    (void)putchar('\n');
}

static void print_row(void *ctx, const struct norm_iso_row *row)
{
    struct printer *printer = ctx;
    if (printer->n_rows++ < printer->limit || printer->limit == 0) {
        print_fields(row);
    }
    /* Only the row tells the feed when it was asked for as auto. */
    if (printer->n_rows == 1) {
        norm_quality_begin(printer->quality, feeds_book_rules(printer->book, row->feed->name), printer->zones,
                           &printer->breaches, &printer->counts);
    }
    norm_quality_row(printer->quality, row);
}

static void print_anomaly(void *ctx, const struct norm_iso_anomaly *anomaly)
{
    (void)ctx;
    (void)printf("! %s", norm_iso_finding_name(anomaly->finding));
    if (anomaly->record > 0) {
        (void)printf(" in record %" PRIu64, anomaly->record);
    }
    (void)printf(": %s\n", anomaly->text);
}

static bool read_payload(const char *path, uint8_t **bytes, size_t *len_bytes)
{
    struct stat facts;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    bool is_fit =
        fstat(fileno(file), &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size <= PAYLOAD_MAX_BYTES;
    size_t len = is_fit ? (size_t)facts.st_size : 0;
    uint8_t *buffer = is_fit ? malloc(len + 1) : NULL;
    bool is_read = buffer != NULL && fread(buffer, 1, len, file) == len;
    (void)fclose(file);
    if (!is_read) {
        free(buffer);
        return false;
    }
    *bytes = buffer;
    *len_bytes = len;
    return true;
}

static void print_counts(const struct norm_quality_counts *counts)
{
    (void)printf("; rows that break rules:");
    for (size_t i = 0; i < NORM_QUALITY_RULE_COUNT; i++) {
        (void)printf("%s %" PRIu64 " %s", i == 0 ? "" : ",", counts->n_breaches[i],
                     norm_quality_rule_name((enum norm_quality_rule)i));
    }
}

static int conclude(struct printer *printer, const struct norm_iso_result *result)
{
    if (printer->n_rows > 0) {
        norm_quality_end(printer->quality);
    }
    if (printer->limit != 0 && printer->n_rows > printer->limit) {
        (void)printf("... %" PRIu64 " more; --limit 0 prints all\n", printer->n_rows - printer->limit);
    }
    (void)printf("%s: %s, feed %s: %" PRIu64 " records, %" PRIu64 " rows, %" PRIu64 " rejected, %" PRIu64
                 " empty values, %" PRIu64 " repeated, %" PRIu64 " identity breaches, %" PRIu64 " conflicts",
                 result->form, norm_iso_kind_name(result->kind),
                 result->feed != NULL ? result->feed->name : "none", result->n_records, result->n_rows,
                 result->n_rejected, result->n_blank, result->n_repeated,
                 result->n_findings[NORM_ISO_IDENTITY_BREACH], result->n_findings[NORM_ISO_CONFLICT]);
    if (printer->n_rows > 0) {
        print_counts(&printer->counts);
    }
    (void)putchar('\n');
    if (result->code != HR_OK) {
        return CLI_FAILED;
    }
    return result->kind == NORM_ISO_DATA ? CLI_OK : CLI_INCOMPLETE;
}

/* Reads the document and prints what it gives; `work` is memory for it, or NULL. */
static int print_document(struct norm_iso_document *document, const char *path, void *work,
                          struct printer *printer)
{
    struct norm_iso_result result;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (work == NULL || printer->quality == NULL || !read_payload(path, &bytes, &len)) {
        (void)fprintf(stderr, "headrace feeds test: %s can't be read\n", path);
        return CLI_FAILED;
    }
    const struct norm_iso_sink sink = {.row = print_row, .anomaly = print_anomaly, .ctx = printer};
    document->body = hr_bytes_of(bytes, len);
    norm_iso_document(norm_iso_work_in(work), document, &sink, &result);
    free(bytes);
    return conclude(printer, &result);
}

static int run(struct norm_iso_document *document, const char *path, const char *rules, uint64_t limit)
{
    static struct norm_zones zones;
    static struct feeds_book book;
    static struct conf_report report;
    char message[ZONEINFO_MESSAGE_CHARS];
    if (!hr_is_ok(zoneinfo_load(NULL, &zones, message))) {
        (void)fprintf(stderr, "headrace feeds test: %s\n", message);
        return CLI_FAILED;
    }
    if (!hr_is_ok(feeds_book_fill(&book, rules, &report))) {
        conf_report_print(&report, stderr);
        return CLI_FAILED;
    }
    void *work = calloc(1, norm_iso_work_bytes());
    void *quality = calloc(1, norm_quality_bytes());
    struct printer printer = {.limit = limit,
                              .book = &book,
                              .zones = &zones,
                              .quality = quality == NULL ? NULL : norm_quality_in(quality),
                              .breaches = {.breach = print_breach}};
    document->zones = &zones;
    int code = print_document(document, path, work, &printer);
    free(work);
    free(quality);
    return code;
}

static int no_such_feed(const char *name)
{
    size_t n = 0;
    const struct norm_iso_feed *feeds = norm_iso_feeds(&n);
    (void)fprintf(stderr, "headrace feeds test: no feed %s; there is auto", name);
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(stderr, ", %s", feeds[i].name);
    }
    (void)fputc('\n', stderr);
    return CLI_USAGE;
}

int cli_feeds_test(int argc, char **argv)
{
    struct cli_arguments arguments;
    uint64_t limit = 0;
    switch (cli_options_parse(&usage, argc, argv, &arguments)) {
    case CLI_HELPED:
        return CLI_OK;
    case CLI_MISUSED:
        return CLI_USAGE;
    case CLI_PARSED:
        break;
    }
    if (!cli_number(cli_option_or(&arguments, LIMIT, "40"), UINT32_MAX, &limit)) {
        (void)fputs("headrace feeds test: --limit is a number\n", stderr);
        return CLI_USAGE;
    }
    const char *feed_name = arguments.positional;
    const struct norm_iso_feed *feed = norm_iso_feed_of(hr_bytes_of(feed_name, strlen(feed_name)));
    if (feed == NULL && strcmp(feed_name, "auto") != 0) {
        return no_such_feed(feed_name);
    }
    const char *path = cli_option_or(&arguments, PAYLOAD, "");
    const char *slash = strrchr(path, '/');
    const char *name = cli_option_or(&arguments, NAME, slash != NULL ? slash + 1 : path);
    struct norm_iso_document document = {.feed = feed, .name = hr_bytes_of(name, strlen(name))};
    return run(&document, path, cli_option_or(&arguments, RULES, NULL), limit);
}
