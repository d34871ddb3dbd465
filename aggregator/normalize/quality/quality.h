/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the rows of a document are what their feed's rules (proto/feeds/rules.h) say. A breach is told with
 * its row; no row is changed or held back by it. A pure function of the document's rows in their order, the
 * rules and the time zones, in fixed memory. [any] */
#ifndef NORM_QUALITY_H
#define NORM_QUALITY_H

#include "aggregator/normalize/iso/iso.h"
#include "proto/feeds/rules.h"

enum {
    NORM_QUALITY_SERIES_MAX =
        65536, /* in one document, for the rules about time; of `complete`: series and days */
    NORM_QUALITY_TOLD_MAX = 100,   /* breaches of one rule in one document; further ones are counted */
    NORM_QUALITY_TEXT_CHARS = 128, /* of a breach's text, with its NUL */
    NORM_QUALITY_LOCATION_CHARS = 48,
};

enum norm_quality_rule {
    NORM_QUALITY_REQUIRED,
    NORM_QUALITY_RANGE,
    NORM_QUALITY_ALLOWED,
    NORM_QUALITY_MONOTONE,
    NORM_QUALITY_COMPLETE,
    NORM_QUALITY_RULE_COUNT,
};

/* "required", ...; static storage. */
const char *norm_quality_rule_name(enum norm_quality_rule rule);

/* Borrowed during the call. */
struct norm_quality_breach {
    enum norm_quality_rule rule;
    enum feeds_field field;         /* that is wrong; FEEDS_FIELD_COUNT: the row's time, or its series */
    const struct norm_iso_row *row; /* NULL: a series in a market day, told at the document's end */
    struct hr_bytes location;       /* the row's; of a series at most NORM_QUALITY_LOCATION_CHARS - 1 bytes */
    uint64_t nth;                   /* row of the document, from 1; of a series: its first */
    int64_t start_s;                /* of the row; of a series: of the first interval that is missing */
    const char *text;               /* what is wrong, for a person */
};

struct norm_quality_sink {
    void (*breach)(void *ctx, const struct norm_quality_breach *breach);
    void *ctx;
};

/* What was found in all documents that a caller keeps one of these for; it zeroes it. */
struct norm_quality_counts {
    uint64_t n_documents;
    uint64_t n_rows;
    uint64_t n_breaches[NORM_QUALITY_RULE_COUNT]; /* told or not */
    uint64_t
        n_unwatched; /* rows of series beyond NORM_QUALITY_SERIES_MAX: no rule about time looked at them */
};

/* Memory of one thread: some 10 MB, of which a document touches what its series need, and nothing when no
 * rule is about time (pages that the system has not given yet are best: calloc). Nothing to close. */
struct norm_quality;

size_t norm_quality_bytes(void);
/* `memory` has norm_quality_bytes(), all zeros, aligned as malloc's is. */
struct norm_quality *norm_quality_in(void *memory);

/* Begins a document. rules, zones, counts and sink are kept until norm_quality_end. sink->breach may be NULL:
 * breaches are only counted. */
void norm_quality_begin(struct norm_quality *quality, const struct feeds_rules *rules,
                        const struct norm_zones *zones, const struct norm_quality_sink *sink,
                        struct norm_quality_counts *counts);
/* The rows of the document in their order; borrowed. */
void norm_quality_row(struct norm_quality *quality, const struct norm_iso_row *row);
/* Ends it: tells what its series lack. A document that failed is not ended; the next one is begun. */
void norm_quality_end(struct norm_quality *quality);

/* Names the series that a row belongs to: all that names the observation but its interval. Two of 65,536
 * series share a name once in 8 thousand million documents. */
uint64_t norm_quality_series(const struct norm_iso_row *row);

#endif
