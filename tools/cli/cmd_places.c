/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace feeds places`: the places that documents of the operators tell of, kept as they were and are. It
 * reads the log beside a running aggregator, as `headrace ledger fsck` does. */
#include "proto/base/assert.h"
#include "tools/cli/ledger_open.h"
#include "tools/cli/options.h"
#include "tools/cli/places.h"
#include "tools/cli/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VERB "feeds places"

enum option { INTO, CONFIG, LIMIT, SKIP, FROM, ISO, KIND, ID, AT, JSON };
enum { MS_PER_S = 1000 };

static const struct cli_option options[] = {
    [INTO] = {"--into", "FILE", false, 0,
              "Reads the ledger into this SQLite file, from where it was left off."},
    [CONFIG] = {"--config", "YAML", false, 0, "The aggregator's configuration, which names the ledger."},
    [LIMIT] = {"--limit", "N", false, 0, "Reads so many leaves; default: to the end of the log."},
    [SKIP] = {"--skip", NULL, false, 0, "Passes over leaves that retention took before they were read."},
    [FROM] = {"--from", "FILE", false, 0, "Prints the rows of such a file."},
    [ISO] = {"--iso", "ISO", false, 0, "Of this operator, such as caiso."},
    [KIND] = {"--kind", "KIND", false, 0, "hub, zone, node, interface, reserve, system or facility."},
    [ID] = {"--id", "ID", false, 0, "Of this place."},
    [AT] = {"--at", "TIME", false, 0, "As of 2026-06-01T05:00:00Z, or now; default: of all times."},
    [JSON] = {"--json", NULL, false, 0, "JSON instead of a table."},
};

static const struct cli_usage usage = {
    .verb = VERB,
    .positional = "[LEDGER]",
    .options = options,
    .n_options = HR_ARRAY_LEN(options),
    .help =
        "With --into: reads the documents in a ledger (the SQLite file LEDGER, or --config) and keeps the\n"
        "hubs, zones, nodes, interfaces and facilities that they tell of: a row for each time that a name "
        "or\n"
        "zone changed, with the document that said so. Run it as often as you like: it goes on behind the\n"
        "last leaf that it read. With --from: prints them. Exit code 0: done, 1: it could not be done, or "
        "the\n"
        "file is of another log, 2: leaves are missing, 3: wrong use.",
};

/* ---- into ---- */

static void report(const struct cli_places_read *read)
{
    const struct cli_places_counts *counts = &read->counts;
    (void)printf("%" PRIu64 " leaves read, up to %" PRIu64 "; %" PRIu64 " documents told of %" PRIu64
                 " places: %" PRIu64 " new, %" PRIu64 " changed, %" PRIu64 " unchanged, %" PRIu64
                 " of an earlier time than is known\n",
                 read->n_leaves, read->places->next_leaf, counts->n_documents, counts->n_told, counts->n_new,
                 counts->n_changed, counts->n_unchanged, counts->n_late);
    if (read->n_skipped > 0) {
        (void)printf("%" PRIu64 " leaves were gone by retention and passed over\n", read->n_skipped);
    }
    if (read->n_cut > 0) {
        (void)printf("%" PRIu64 " documents could not be read: retention took their beginning\n",
                     read->n_cut);
    }
}

static int run_into(const struct cli_arguments *arguments, const char *path, uint64_t limit)
{
    struct ledger ledger;
    struct cli_places places;
    int code =
        cli_ledger_open_reader(VERB, arguments->positional, cli_option_or(arguments, CONFIG, NULL), &ledger);
    if (code != CLI_OK) {
        return code;
    }
    code = CLI_FAILED;
    if (hr_is_ok(cli_places_open(VERB, path, true, &places))) {
        struct cli_places_read read = {.ledger = &ledger,
                                       .places = &places,
                                       .max_leaves = limit,
                                       .may_skip = arguments->n_values[SKIP] > 0};
        code = cli_places_read(&read);
        report(&read);
        cli_places_close(&places);
    }
    ledger.close(ledger.ctx);
    return code;
}

/* ---- from ---- */

struct printing {
    bool is_json;
    uint64_t n_rows;
};

static void print_field(const char *name, const char *text)
{
    (void)printf("\"%s\": ", name);
    cli_print_json_text(text);
    (void)printf(", ");
}

static void print_row_json(const struct printing *printing, const struct cli_place_row *row, const char *from,
                           const char *to)
{
    const struct cli_place_said *said = &row->said;
    (void)printf("%s{", printing->n_rows == 0 ? "[" : ",\n ");
    print_field("iso", said->iso);
    print_field("kind", said->kind);
    print_field("id", said->id);
    print_field("name", said->name);
    print_field("zone", said->zone);
    print_field("valid_from", from);
    (void)printf(row->is_current ? "\"valid_to\": null, " : "\"valid_to\": \"%s\", ", to);
    print_field("feed", said->feed);
    (void)printf("\"leaf\": %" PRIu64 ", \"document\": \"%s\"}", said->leaf, said->document_sha256);
}

static void print_row(void *ctx, const struct cli_place_row *row)
{
    struct printing *printing = ctx;
    const struct cli_place_said *said = &row->said;
    char from[CLI_TIME_TEXT_CHARS];
    char to[CLI_TIME_TEXT_CHARS] = "";
    (void)cli_time_text(said->from_s * MS_PER_S, from);
    if (!row->is_current) {
        (void)cli_time_text(row->to_s * MS_PER_S, to);
    }
    if (printing->is_json) {
        print_row_json(printing, row, from, to);
    } else {
        (void)printf("%-6s %-9s  %-28s  %-32s  %-12s  %-24s  %-24s  %-20s %8" PRIu64 "  %.12s\n", said->iso,
                     said->kind, said->id, said->name, said->zone, from, to, said->feed, said->leaf,
                     said->document_sha256);
    }
    printing->n_rows++;
}

static int run_from(const struct cli_arguments *arguments, const char *path)
{
    const struct cli_places_wanted wanted = {.iso = cli_option_or(arguments, ISO, NULL),
                                             .kind = cli_option_or(arguments, KIND, NULL),
                                             .id = cli_option_or(arguments, ID, NULL),
                                             .at = cli_option_or(arguments, AT, NULL)};
    struct printing printing = {.is_json = arguments->n_values[JSON] > 0};
    struct cli_places places;
    if (!hr_is_ok(cli_places_open(VERB, path, false, &places))) {
        return CLI_FAILED;
    }
    if (!printing.is_json) {
        (void)printf("%-6s %-9s  %-28s  %-32s  %-12s  %-24s  %-24s  %-20s %8s  %s\n", "ISO", "KIND", "ID",
                     "NAME", "ZONE", "VALID FROM", "VALID TO", "FEED", "LEAF", "DOCUMENT");
    }
    struct hr_status status = cli_places_each(&places, &wanted, print_row, &printing);
    cli_places_close(&places);
    if (hr_is(status, HR_MALFORMED)) {
        (void)fprintf(stderr, "headrace " VERB ": --at is a time such as 2026-06-01T05:00:00Z\n");
        return CLI_USAGE;
    }
    (void)printf(!printing.is_json ? "" : printing.n_rows > 0 ? "]\n" : "[]\n");
    return hr_is_ok(status) ? CLI_OK : CLI_FAILED;
}

int cli_feeds_places(int argc, char **argv)
{
    struct cli_arguments arguments;
    uint64_t limit = 0;
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    const char *into = cli_option_or(&arguments, INTO, NULL);
    const char *from = cli_option_or(&arguments, FROM, NULL);
    bool has_ledger = arguments.positional != NULL || arguments.n_values[CONFIG] > 0;
    if ((into == NULL) == (from == NULL) || (from != NULL && has_ledger)) {
        (void)fputs("headrace " VERB ": give --into FILE and a ledger, or --from FILE alone\n", stderr);
        return CLI_USAGE;
    }
    if (!cli_number(cli_option_or(&arguments, LIMIT, "0"), UINT32_MAX, &limit)) {
        (void)fputs("headrace " VERB ": --limit is a number\n", stderr);
        return CLI_USAGE;
    }
    return into != NULL ? run_into(&arguments, into, limit) : run_from(&arguments, from);
}
