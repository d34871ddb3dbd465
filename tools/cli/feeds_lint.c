/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace feeds lint`: every mistake of feeds' files, before a collector or an aggregator finds them. */
#include "aggregator/normalize/iso/event.h"
#include "firmware/ports/linux/zone.h"
#include "proto/base/assert.h"
#include "proto/feeds/file/file.h"
#include "proto/feeds/url.h"
#include "tools/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_FOLDER "schemas/feeds"

enum { MAX_HOSTS = 128, HOST_CAPACITY = 128 };

struct lint {
    struct feeds_paths paths;
    struct conf_report report;
    uint32_t n_feeds;
    uint32_t n_mistakes;
    uint32_t n_hosts;
    struct {
        char host[HOST_CAPACITY];
        uint32_t every_ms;
        char first[FEEDS_NAME_MAX_CHARS + 1];
    } hosts[MAX_HOSTS];
};

static void complain(struct lint *lint, const char *path, const char *key, const char *text)
{
    lint->n_mistakes++;
    (void)fprintf(stderr, "%s:%s: %s\n", path, key, text);
}

static void check_zone(struct lint *lint, const char *path, const struct feeds_feed *feed)
{
    char rule[PORT_LINUX_ZONE_RULE_MAX_CHARS + 1];
    struct feeds_zone zone;
    if (!hr_is_ok(port_linux_zone_rule(feed->timezone, rule))) {
        complain(lint, path, "timezone",
                 "is no zone of this host; give an IANA name such as America/Chicago, and install tzdata");
    } else if (!hr_is_ok(feeds_zone_parse(rule, &zone))) {
        complain(lint, path, "timezone", "has clock changes of a kind that no market operator has");
    }
}

/* A host counts the requests of all feeds together, so they must agree how often it may be asked. */
static void check_host(struct lint *lint, const char *path, const struct feeds_feed *feed)
{
    char host[HOST_CAPACITY];
    feeds_url_host(feed->url, host, sizeof host);
    for (uint32_t i = 0; i < lint->n_hosts; i++) {
        if (strcmp(lint->hosts[i].host, host) == 0) {
            if (lint->hosts[i].every_ms != feed->quota.host_every_ms) {
                char text[256];
                (void)snprintf(text, sizeof text, "%u ms for %s, and %s says %u ms: make them the same",
                               (unsigned)feed->quota.host_every_ms, host, lint->hosts[i].first,
                               (unsigned)lint->hosts[i].every_ms);
                complain(lint, path, "quota.host_every", text);
            }
            return;
        }
    }
    if (lint->n_hosts < MAX_HOSTS) {
        (void)snprintf(lint->hosts[lint->n_hosts].host, HOST_CAPACITY, "%s", host);
        (void)snprintf(lint->hosts[lint->n_hosts].first, FEEDS_NAME_MAX_CHARS + 1, "%s", feed->name);
        lint->hosts[lint->n_hosts++].every_ms = feed->quota.host_every_ms;
    }
}

static enum norm_iso iso_of(enum feeds_iso iso)
{
    static const enum norm_iso ISOS[] = {
        [FEEDS_CAISO] = NORM_CAISO, [FEEDS_MISO] = NORM_MISO,   [FEEDS_SPP] = NORM_SPP,
        [FEEDS_PJM] = NORM_PJM,     [FEEDS_ERCOT] = NORM_ERCOT, [FEEDS_ISONE] = NORM_ISONE,
        [FEEDS_NYISO] = NORM_NYISO};
    HR_ASSERT((size_t)iso < HR_ARRAY_LEN(ISOS));
    return ISOS[iso];
}

static enum norm_iso_product product_of(enum feeds_product product)
{
    static const enum norm_iso_product PRODUCTS[] = {
        [FEEDS_RT_LMP] = NORM_ISO_RT_LMP,           [FEEDS_DA_LMP] = NORM_ISO_DA_LMP,
        [FEEDS_DA_SCHEDULE] = NORM_ISO_DA_SCHEDULE, [FEEDS_LOAD] = NORM_ISO_TELEMETRY,
        [FEEDS_FUEL_MIX] = NORM_ISO_TELEMETRY,      [FEEDS_WIND_SOLAR] = NORM_ISO_TELEMETRY,
        [FEEDS_OUTAGE] = NORM_ISO_OUTAGE,           [FEEDS_CONSTRAINT] = NORM_ISO_CONSTRAINT};
    HR_ASSERT((size_t)product < HR_ARRAY_LEN(PRODUCTS));
    return PRODUCTS[product];
}

/* The aggregator makes rows of documents whose form it knows, and only of feeds that such documents are of.
 */
static void check_format(struct lint *lint, const char *path, const struct feeds_feed *feed)
{
    char text[2048];
    const char *names[NORM_ISO_FORM_NAMES_MAX];
    const enum norm_iso iso = iso_of(feed->iso);
    enum norm_iso_fit fit = norm_iso_form_fits(feed->format, iso, product_of(feed->product));
    if (fit == NORM_ISO_FITS) {
        return;
    }
    size_t n_names = norm_iso_form_names(iso, names, HR_ARRAY_LEN(names));
    int len = snprintf(text, sizeof text, "%s is %s; of %s there is", feed->format,
                       fit == NORM_ISO_NO_SUCH_FORM ? "no form of document that rows are made of"
                                                    : "not about this product of this operator",
                       norm_iso_code(iso));
    for (size_t i = 0; i < n_names && len > 0 && (size_t)len < sizeof text; i++) {
        len += snprintf(text + len, sizeof text - (size_t)len, "%s %s", i > 0 ? "," : "", names[i]);
    }
    complain(lint, path, "format", text);
}

static void check_output(struct lint *lint, const char *path, const struct feeds_feed *feed)
{
    const struct norm_schema *schema = norm_iso_schema(iso_of(feed->iso), product_of(feed->product));
    char text[160];
    if (strcmp(feed->topic, schema->topic) != 0 || strcmp(feed->schema, schema->name) != 0) {
        (void)snprintf(text, sizeof text, "rows of this product go to %s as %s", schema->topic, schema->name);
        complain(lint, path, "output", text);
    }
}

static void check_file(struct lint *lint, const char *path)
{
    struct feeds_feed feed;
    lint->n_feeds++;
    if (!hr_is_ok(feeds_file_load(path, &feed, &lint->report))) {
        lint->n_mistakes += lint->report.n_errors;
        conf_report_print(&lint->report, stderr);
        return;
    }
    check_zone(lint, path, &feed);
    check_host(lint, path, &feed);
    check_format(lint, path, &feed);
    check_output(lint, path, &feed);
}

static int usage(FILE *out, int code)
{
    (void)fputs("usage: headrace feeds lint [FILE|FOLDER ...]\n"
                "       headrace feeds lint --schema\n\n"
                "Checks feeds (" DEFAULT_FOLDER " when nothing is named) and tells every mistake as\n"
                "file:line:key: message. --schema prints the JSON Schema of the files, for editors.\n"
                "Exit codes: 0 good, 1 mistakes were found, 3 wrong usage.\n",
                out);
    return code;
}

int cli_feeds_lint(int argc, char **argv)
{
    static struct lint lint;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return usage(stdout, CLI_OK);
        }
        if (strcmp(argv[i], "--schema") == 0) {
            feeds_file_print_schema(stdout);
            return CLI_OK;
        }
        if (argv[i][0] == '-') {
            return usage(stderr, CLI_USAGE);
        }
    }
    static char folder[] = DEFAULT_FOLDER;
    char *fallback[] = {argv[0], folder};
    char **words = argc > 1 ? argv : fallback;
    for (int i = 1; i < (argc > 1 ? argc : 2); i++) {
        struct hr_status added = feeds_paths_add(&lint.paths, words[i]);
        if (!hr_is_ok(added)) {
            (void)fprintf(stderr, "headrace feeds lint: %s: %s\n", words[i],
                          hr_is(added, HR_FULL) ? "too many files, or too long a path" : strerror(errno));
            return CLI_FAILED;
        }
    }
    for (size_t i = 0; i < lint.paths.n_paths; i++) {
        check_file(&lint, lint.paths.paths[i]);
    }
    (void)printf("%u feeds, %u mistakes\n", (unsigned)lint.n_feeds, (unsigned)lint.n_mistakes);
    return lint.n_feeds > 0 && lint.n_mistakes == 0 ? CLI_OK : CLI_FAILED;
}
