/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of the build's feeds before a publisher's documents, and what they found as metrics. */
#ifndef APP_QUALITY_H
#define APP_QUALITY_H

#include "aggregator/normalize/quality/inspect.h"

#include <stdatomic.h>

/* What a metric counts of a feed: rows that break a rule, and behind the rules rows in quarantine. */
enum { APP_QUALITY_QUARANTINED = NORM_QUALITY_RULE_COUNT, APP_QUALITY_N_KINDS };

struct app_quality {
    void *memory;
    struct norm_inspect *inspect;
    _Atomic uint64_t figures[NORM_INSPECT_FEEDS_MAX][APP_QUALITY_N_KINDS];
};

/* Not beside another call of it. HR_IO: no memory, or the build's feeds can't be read, which is logged.
 * app_quality_free either way. */
HR_MUST_USE struct hr_status app_quality_init(struct app_quality *quality, const struct norm_zones *zones);
void app_quality_free(struct app_quality *quality);

/* Shows what was counted so far. [the publisher's thread] */
void app_quality_show(struct app_quality *quality);
/* [any thread] */
uint64_t app_quality_figure(const struct app_quality *quality, size_t feed, size_t kind);
/* Whether the feed has such a rule, or statistics. */
bool app_quality_has(size_t feed, size_t kind);
/* "required", ..., "quarantine"; static storage. */
const char *app_quality_kind_name(size_t kind);

#endif
