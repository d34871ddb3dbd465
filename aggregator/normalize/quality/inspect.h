/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules and the statistics as the inspector of the operators' normalizer: breaches become findings of a
 * document, and rows are marked as quarantined. Findings follow from the document, the rules of the build and
 * the zones; marks follow from the rows since the start too, which is why nothing else depends on them. */
#ifndef NORM_INSPECT_H
#define NORM_INSPECT_H

#include "aggregator/normalize/iso/normalizer.h"
#include "aggregator/normalize/quality/quality.h"
#include "aggregator/normalize/quality/stats.h"

enum { NORM_INSPECT_FEEDS_MAX = 128, NORM_INSPECT_SERIES = 4096 /* that statistics are kept of */ };

struct norm_inspect_config {
    const struct norm_zones *zones; /* kept, as are the others */
    /* Never NULL: what the rows of the feed must be. */
    const struct feeds_rules *(*rules_of)(void *ctx, const char *feed);
    void *rules_ctx;
    void *memory; /* norm_inspect_bytes(), all zeros, aligned as malloc's; untouched pages are best */
};

/* Of one feed since start; documents that are published again count again. */
struct norm_inspect_counts {
    struct norm_quality_counts quality;
    uint64_t n_quarantined;
};

struct norm_inspect;

/* Some 18 MB of address space. */
size_t norm_inspect_bytes(void);
/* Of the rules of all feeds that a finding can follow from; memory and zones are not looked at. */
uint64_t norm_inspect_digest(const struct norm_inspect_config *config);
/* Makes an inspector in config->memory. One thread, that of the normalizer. */
struct norm_inspect *norm_inspect_init(const struct norm_inspect_config *config);
/* For struct norm_iso_config; borrowed from it. */
const struct norm_iso_inspector *norm_inspect_inspector(struct norm_inspect *inspect);
/* By the number of the feed in norm_iso_feeds; borrowed. */
const struct norm_inspect_counts *norm_inspect_counts_of(const struct norm_inspect *inspect, size_t feed);

#endif
