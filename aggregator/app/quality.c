/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/quality.h"

#include "aggregator/app/log.h"
#include "proto/base/assert.h"
#include "proto/feeds/file/book.h"

#include <stdlib.h>

/* The same for all publishers; filled by the first. */
static struct feeds_book book;

static const struct feeds_rules *rules_of(void *ctx, const char *feed)
{
    return feeds_book_rules(ctx, feed);
}

static struct hr_status fill_book(void)
{
    static struct conf_report report;
    if (book.n_feeds > 0) {
        return hr_ok();
    }
    struct hr_status filled = feeds_book_fill(&book, NULL, &report);
    if (!hr_is_ok(filled)) {
        APP_LOG(APP_ERROR, "feeds", app_text("key", report.errors[0].key),
                app_text("text", report.errors[0].message));
        return hr_status_of(HR_IO);
    }
    return hr_ok();
}

struct hr_status app_quality_init(struct app_quality *quality, const struct norm_zones *zones)
{
    HR_TRY(fill_book());
    /* Touched page by page as series need it. */
    quality->memory = calloc(1, norm_inspect_bytes());
    if (quality->memory == NULL) {
        return hr_status_of(HR_IO);
    }
    const struct norm_inspect_config config = {
        .zones = zones, .rules_of = rules_of, .rules_ctx = &book, .memory = quality->memory};
    quality->inspect = norm_inspect_init(&config);
    return hr_ok();
}

void app_quality_free(struct app_quality *quality)
{
    free(quality->memory);
    quality->memory = NULL;
}

void app_quality_show(struct app_quality *quality)
{
    size_t n_feeds = 0;
    (void)norm_iso_feeds(&n_feeds);
    for (size_t feed = 0; feed < n_feeds; feed++) {
        const struct norm_inspect_counts *counts = norm_inspect_counts_of(quality->inspect, feed);
        for (size_t rule = 0; rule < NORM_QUALITY_RULE_COUNT; rule++) {
            atomic_store_explicit(&quality->figures[feed][rule], counts->quality.n_breaches[rule],
                                  memory_order_relaxed);
        }
        atomic_store_explicit(&quality->figures[feed][APP_QUALITY_QUARANTINED], counts->n_quarantined,
                              memory_order_relaxed);
    }
}

uint64_t app_quality_figure(const struct app_quality *quality, size_t feed, size_t kind)
{
    HR_ASSERT(feed < NORM_INSPECT_FEEDS_MAX && kind < APP_QUALITY_N_KINDS);
    return atomic_load_explicit(&quality->figures[feed][kind], memory_order_relaxed);
}

bool app_quality_has(size_t feed, size_t kind)
{
    size_t n_feeds = 0;
    const struct feeds_rules *rules = feeds_book_rules(&book, norm_iso_feeds(&n_feeds)[feed].name);
    const bool has[APP_QUALITY_N_KINDS] = {
        [NORM_QUALITY_REQUIRED] = rules->n_required > 0,
        [NORM_QUALITY_RANGE] = rules->n_ranges > 0,
        [NORM_QUALITY_ALLOWED] = rules->n_allowed > 0,
        [NORM_QUALITY_MONOTONE] = rules->is_monotone,
        [NORM_QUALITY_COMPLETE] = rules->complete.every_ms > 0,
        [APP_QUALITY_QUARANTINED] = rules->statistics.floor > 0,
    };
    return has[kind];
}

const char *app_quality_kind_name(size_t kind)
{
    return kind == APP_QUALITY_QUARANTINED ? "quarantine"
                                           : norm_quality_rule_name((enum norm_quality_rule)kind);
}
