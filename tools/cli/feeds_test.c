/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace feeds test`: what a document of an operator would become, without sending it anywhere. */
#include "aggregator/normalize/iso/iso.h"
#include "aggregator/normalize/quality/quality.h"
#include "aggregator/zoneinfo/zoneinfo.h"
#include "proto/base/assert.h"
#include "proto/feeds/file/book.h"
#include "tools/cli/cli.h"
#include "tools/cli/feeds_rows.h"
#include "tools/cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAYLOAD, LIMIT, NAME, PLACES, RULES };
enum { PAYLOAD_MAX_BYTES = 256 << 20 };

static const struct cli_option options[] = {
    [PAYLOAD] = {"--payload", "FILE", true, 0, "The document as it was received."},
    [LIMIT] = {"--limit", "N", false, 0, "Print so many rows; 0: all. Default 40."},
    [PLACES] = {"--places", NULL, false, 0,
                "Print the places that the document tells of instead: hubs, zones, nodes, facilities."},
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
    struct cli_feed_rows rows;
    const struct feeds_book *book;
    const struct norm_zones *zones;
    struct norm_quality *quality;
    struct norm_quality_sink breaches;
    struct norm_quality_counts counts;
};

static void print_row(void *ctx, const struct norm_iso_row *row)
{
    struct printer *printer = ctx;
    cli_feed_rows_print(&printer->rows, row);
    if (printer->rows.is_places) {
        return;
    }
    /* Only the row tells the feed when it was asked for as auto. */
    if (printer->rows.n_rows == 1) {
        norm_quality_begin(printer->quality, feeds_book_rules(printer->book, row->feed->name), printer->zones,
                           &printer->breaches, &printer->counts);
    }
    norm_quality_row(printer->quality, row);
}

static void print_anomaly(void *ctx, const struct norm_iso_anomaly *anomaly)
{
    struct printer *printer = ctx;
    cli_feed_rows_print_anomaly(&printer->rows, anomaly);
}

static void print_place(void *ctx, const struct norm_iso_place *place)
{
    struct printer *printer = ctx;
    cli_feed_rows_print_place(&printer->rows, place);
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

static int conclude(struct printer *printer, const struct norm_iso_feed *asked,
                    const struct norm_iso_result *result)
{
    const bool has_rules = printer->rows.n_rows > 0 && !printer->rows.is_places;
    if (has_rules) {
        norm_quality_end(printer->quality);
    }
    int code = cli_feed_rows_conclude(&printer->rows, asked, result);
    if (has_rules) {
        cli_feed_rows_print_rules(&printer->counts);
    }
    return code;
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
    const struct norm_iso_sink sink = {
        .row = print_row, .anomaly = print_anomaly, .place = print_place, .ctx = printer};
    document->body = hr_bytes_of(bytes, len);
    norm_iso_document(norm_iso_work_in(work), document, &sink, &result);
    free(bytes);
    return conclude(printer, document->feed, &result);
}

static int run(struct norm_iso_document *document, const char *path, const char *rules,
               struct cli_feed_rows rows)
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
    struct printer printer = {.rows = rows,
                              .book = &book,
                              .zones = &zones,
                              .quality = quality == NULL ? NULL : norm_quality_in(quality),
                              .breaches = {.breach = cli_feed_rows_print_breach}};
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
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
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
    return run(&document, path, cli_option_or(&arguments, RULES, NULL),
               (struct cli_feed_rows){.limit = limit, .is_places = arguments.n_values[PLACES] > 0});
}
