/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/feeds_rows.h"

#include "proto/base/assert.h"
#include "tools/cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WHERE_CHARS = 160, WHAT_CHARS = 96, LENGTH_CHARS = 24 };

static void print_time(int64_t utc_s)
{
    struct norm_clock clock = norm_clock_of(utc_s);
    (void)printf("%04d-%02u-%02uT%02u:%02u:%02uZ", (int)clock.date.year, clock.date.month, clock.date.day,
                 clock.hour, clock.minute, clock.second);
}

/* Adds bytes to a text, others than printable ones as '?'; what has no room is left out. */
static void add_bytes(char *text, size_t capacity, struct hr_bytes bytes)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < bytes.len_bytes && len + 1 < capacity; i++) {
        text[len++] = bytes.data[i] < 0x20 || bytes.data[i] == 0x7F ? '?' : (char)bytes.data[i];
    }
    text[len] = '\0';
}

static void add(char *text, size_t capacity, const char *chars)
{
    add_bytes(text, capacity, hr_bytes_of(chars, strlen(chars)));
}

static bool is_same(struct hr_bytes a, struct hr_bytes b)
{
    return a.len_bytes == b.len_bytes && (a.len_bytes == 0 || memcmp(a.data, b.data, a.len_bytes) == 0);
}

/* "zone 61757 CAPITL", "node AEC (SPP)" */
static void say_where(const struct norm_iso_row *row, char where[WHERE_CHARS])
{
    where[0] = '\0';
    add(where, WHERE_CHARS, norm_iso_location_name(row->location_type));
    add(where, WHERE_CHARS, " ");
    add_bytes(where, WHERE_CHARS, row->location_id);
    if (row->location_name.len_bytes > 0 && !is_same(row->location_id, row->location_name)) {
        add(where, WHERE_CHARS, " ");
        add_bytes(where, WHERE_CHARS, row->location_name);
    }
    if (row->region.len_bytes > 0) {
        add(where, WHERE_CHARS, " (");
        add_bytes(where, WHERE_CHARS, row->region);
        add(where, WHERE_CHARS, ")");
    }
}

/* "energy price", "shadow_price", "generation.wind forecast" */
static void say_what(const struct norm_iso_row *row, char what[WHAT_CHARS])
{
    bool is_constraint = row->feed->product == NORM_ISO_CONSTRAINT;
    what[0] = '\0';
    add(what, WHAT_CHARS, row->subject);
    if (!is_constraint) {
        add(what, WHAT_CHARS, " ");
        add(what, WHAT_CHARS, row->curve_role);
    }
}

static void say_length(const struct norm_iso_row *row, char length[LENGTH_CHARS])
{
    int64_t length_s = row->end_s - row->start_s;
    if (length_s == 0) {
        (void)snprintf(length, LENGTH_CHARS, "instant");
    } else {
        (void)snprintf(length, LENGTH_CHARS, "%" PRId64 " min", length_s / NORM_MINUTE_S);
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
    print_part("limit (MW)", row->limit_mw, (row->has & NORM_ISO_HAS_LIMIT) != 0);
    if (row->contingency.len_bytes > 0) {
        char contingency[WHERE_CHARS] = "";
        add_bytes(contingency, sizeof contingency, row->contingency);
        (void)printf("  for %s", contingency);
    }
    if ((row->has & NORM_ISO_HAS_PUBLISHED) != 0) {
        (void)printf("  made ");
        print_time(row->published_s);
    }
    if ((row->has & NORM_ISO_HAS_VERSION) != 0) {
        (void)printf("  version %" PRId64, row->version);
    }
}

void cli_feed_rows_print(void *ctx, const struct norm_iso_row *row)
{
    struct cli_feed_rows *rows = ctx;
    char where[WHERE_CHARS];
    char what[WHAT_CHARS];
    char length[LENGTH_CHARS];
    char market[LENGTH_CHARS] = "";
    rows->first_s = rows->n_rows == 0 || row->start_s < rows->first_s ? row->start_s : rows->first_s;
    rows->last_s = rows->n_rows == 0 || row->end_s > rows->last_s ? row->end_s : rows->last_s;
    if ((rows->n_rows++ >= rows->limit && rows->limit != 0) || rows->is_places) {
        return;
    }
    say_where(row, where);
    say_what(row, what);
    say_length(row, length);
    add_bytes(market, sizeof market, row->market);
    if (rows->n_rows == 1) {
        (void)printf("%-20s  %8s  %-14s  %-32s  %12s %-7s  where\n", "start", "length", "market", "what",
                     "value", "unit");
    }
    print_time(row->start_s);
    (void)printf("  %8s  %-14s  %-32s", length, market, what);
    if ((row->has & NORM_ISO_HAS_VALUE) != 0) {
        (void)printf("  %12.10g %-7s", row->value, row->unit);
    } else {
        (void)printf("  %12s %-7s", "", "");
    }
    (void)printf("  %s", where);
    print_rest(row);
    (void)putchar('\n');
}

void cli_feed_rows_print_place(void *ctx, const struct norm_iso_place *place)
{
    struct cli_feed_rows *rows = ctx;
    char id[WHERE_CHARS] = "";
    char name[WHERE_CHARS] = "";
    char zone[WHERE_CHARS] = "";
    const bool is_wanted = rows->is_places || !place->has_valid_from; /* a list has nothing else */
    if (!is_wanted || (rows->n_places++ >= rows->limit && rows->limit != 0)) {
        return;
    }
    if (rows->n_places == 1) {
        (void)printf("%-20s  %-9s  %-24s  %-32s  zone\n", "valid from", "type", "id", "name");
    }
    if (place->has_valid_from) {
        print_time(place->valid_from_s);
    } else {
        (void)printf("%-20s", "-");
    }
    add_bytes(id, sizeof id, place->id);
    add_bytes(name, sizeof name, place->name);
    add_bytes(zone, sizeof zone, place->zone);
    (void)printf("  %-9s  %-24s  ", norm_iso_location_name(place->type), id);
    (void)printf(zone[0] != '\0' ? "%-32s  %s\n" : "%s%s\n", name, zone);
}

void cli_feed_rows_print_anomaly(void *ctx, const struct norm_iso_anomaly *anomaly)
{
    (void)ctx;
    (void)printf("! %s", norm_iso_finding_name(anomaly->finding));
    if (anomaly->record > 0) {
        (void)printf(" in record %" PRIu64, anomaly->record);
    }
    (void)printf(": %s\n", anomaly->text);
}

void cli_feed_rows_print_breach(void *ctx, const struct norm_quality_breach *breach)
{
    (void)ctx;
    char where[WHERE_CHARS] = "";
    add_bytes(where, sizeof where, breach->location);
    (void)printf("! %s of row %" PRIu64 ", %s at ", norm_quality_rule_name(breach->rule), breach->nth, where);
    print_time(breach->start_s);
    (void)printf(": %s\n", breach->text);
}

/* ---- in all ---- */

void cli_feed_rows_print_rules(const struct norm_quality_counts *counts)
{
    (void)printf("rules:");
    for (size_t i = 0; i < NORM_QUALITY_RULE_COUNT; i++) {
        (void)printf("%s %" PRIu64 " %s", i == 0 ? "" : ",", counts->n_breaches[i],
                     norm_quality_rule_name((enum norm_quality_rule)i));
    }
    (void)printf(" broken in %" PRIu64 " rows\n", counts->n_rows);
}

static void print_count(uint64_t n, const char *what)
{
    if (n > 0) {
        (void)printf(", %" PRIu64 " %s", n, what);
    }
}

static void print_counts(const struct cli_feed_rows *rows, const struct norm_iso_result *result)
{
    (void)printf("%s of %s: %" PRIu64 " records, %" PRIu64 " rows", result->form, result->feed->name,
                 result->n_records, result->n_rows);
    if (rows->n_rows > 0) {
        (void)printf(" from ");
        print_time(rows->first_s);
        (void)printf(" to ");
        print_time(rows->last_s);
    }
    (void)printf(", %" PRIu64 " records rejected", result->n_rejected);
    print_count(result->n_places, "places");
    print_count(result->n_blank, "values left empty by the operator");
    print_count(result->n_superseded, "records not current any more");
    print_count(result->n_repeated, "repeated");
    print_count(result->n_findings[NORM_ISO_IDENTITY_BREACH],
                "prices that their components do not add up to");
    print_count(result->n_findings[NORM_ISO_CONFLICT], "conflicts: the first value was taken");
    print_count(result->n_findings[NORM_ISO_NAME_MISMATCH], "names of another interval");
    (void)putchar('\n');
}

/* What a document that no rows are made of is. */
static const char *meaning_of(enum norm_iso_kind kind)
{
    switch (kind) {
    case NORM_ISO_NO_DATA:
        return "the operator says that there is nothing for what was asked";
    case NORM_ISO_THROTTLED:
        return "the operator was asked too often, and wants to be asked again later";
    case NORM_ISO_NOT_FOUND:
        return "there is no such document, or not yet";
    case NORM_ISO_LISTING:
        return "a list of documents: fetch one of them";
    case NORM_ISO_OTHER:
        return "known, but of nothing that there is a feed for";
    case NORM_ISO_UNKNOWN:
        return "no form that is known; is it an error page, or has the operator changed its columns?";
    case NORM_ISO_DATA:
    case NORM_ISO_REFERENCE:
    case NORM_ISO_KIND_COUNT:
        break;
    }
    return "";
}

static void advise(const struct norm_iso_feed *asked, const struct norm_iso_result *result)
{
    if (result->code == HR_AGAIN) {
        (void)printf("  There was no memory to read it; the document may be sound.\n");
    } else if (result->failed_at > 0) {
        (void)printf("  Reading ended at byte %" PRIu64
                     " of the document, unpacked: look there, or fetch it again.\n",
                     result->failed_at);
    } else if (result->code == HR_NOT_FOUND && asked != NULL) {
        (void)printf("  `headrace feeds test auto` reads it as what it is; `headrace feeds lint` checks a "
                     "feed's file.\n");
    } else if (result->code != HR_NOT_FOUND) {
        (void)printf("  Fetch it again.\n");
    }
}

int cli_feed_rows_conclude(const struct cli_feed_rows *rows, const struct norm_iso_feed *asked,
                           const struct norm_iso_result *result)
{
    uint64_t n = rows->n_places > 0 ? rows->n_places : rows->n_rows;
    if (rows->limit != 0 && n > rows->limit) {
        (void)printf("... %" PRIu64 " more; --limit 0 prints all\n", n - rows->limit);
    }
    if (result->code != HR_OK) {
        (void)printf("%s: no row was made of it.\n", result->form);
        advise(asked, result);
        return CLI_FAILED;
    }
    if (result->kind == NORM_ISO_REFERENCE) {
        (void)printf("%s: a list of locations, and no observations: %" PRIu64 " places, %" PRIu64
                     " records rejected\n",
                     result->form, result->n_places, result->n_rejected);
        return CLI_INCOMPLETE;
    }
    if (result->kind != NORM_ISO_DATA) {
        (void)printf("%s: %s\n", result->form, meaning_of(result->kind));
        return CLI_INCOMPLETE;
    }
    print_counts(rows, result);
    return CLI_OK;
}
