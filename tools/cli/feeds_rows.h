/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonical rows as a table that a person reads, to stdout: one line each, and what they are in all. */
#ifndef CLI_FEEDS_ROWS_H
#define CLI_FEEDS_ROWS_H

#include "aggregator/normalize/iso/iso.h"
#include "aggregator/normalize/quality/quality.h"

/* Begins as {.limit = ..., .is_places = ...}. */
struct cli_feed_rows {
    uint64_t limit; /* of rows to print; 0: none */
    bool is_places; /* places are printed, and rows are not; those of a list of locations always are */
    uint64_t n_rows;
    uint64_t n_places;
    int64_t first_s; /* the earliest start and the latest end, once there is a row */
    int64_t last_s;
};

/* For struct norm_iso_sink; ctx is a struct cli_feed_rows. */
void cli_feed_rows_print(void *ctx, const struct norm_iso_row *row);
void cli_feed_rows_print_place(void *ctx, const struct norm_iso_place *place);
void cli_feed_rows_print_anomaly(void *ctx, const struct norm_iso_anomaly *anomaly);

/* What became of the document, and what to do about it. `asked` NULL: of whatever feed it is. Returns the
 * exit code: CLI_OK, CLI_FAILED when it can't be read, CLI_INCOMPLETE when nothing in it is for a feed. */
int cli_feed_rows_conclude(const struct cli_feed_rows *rows, const struct norm_iso_feed *asked,
                           const struct norm_iso_result *result);

/* A row that breaks a rule of its feed; ctx is not looked at. */
void cli_feed_rows_print_breach(void *ctx, const struct norm_quality_breach *breach);
void cli_feed_rows_print_rules(const struct norm_quality_counts *counts);

#endif
