/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/quality/inspect.h"

#include "aggregator/normalize/quality/row.h"
#include "proto/base/assert.h"

#include <string.h>

enum {
    KEPT_MAX = NORM_QUALITY_RULE_COUNT * NORM_QUALITY_TOLD_MAX,
    TEXT_CHARS = NORM_QUALITY_TEXT_CHARS + NORM_QUALITY_LOCATION_CHARS + 4,
    MEMORY_ALIGN = 64,
};

/* A breach until its document has ended. */
struct kept {
    enum norm_quality_rule rule;
    bool has_key;
    size_t text_len;
    char text[TEXT_CHARS];
    char key[NORM_ISO_KEY_CHARS];
};

struct norm_inspect {
    struct norm_inspect_config config;
    struct norm_iso_inspector inspector;
    struct norm_quality_sink sink;
    struct norm_quality *quality;
    struct norm_stats *stats;
    const struct feeds_rules *rules;    /* of the document at hand; likewise: */
    struct norm_inspect_counts *counts; /* of its feed */
    uint64_t n_before[NORM_QUALITY_RULE_COUNT];
    size_t n_kept;
    struct kept kept[KEPT_MAX];
    struct norm_inspect_counts by_feed[NORM_INSPECT_FEEDS_MAX];
};

static size_t rounded(size_t n_bytes)
{
    return (n_bytes + MEMORY_ALIGN - 1) / MEMORY_ALIGN * MEMORY_ALIGN;
}

size_t norm_inspect_bytes(void)
{
    return rounded(sizeof(struct norm_inspect)) + rounded(norm_quality_bytes()) +
           norm_stats_bytes(NORM_INSPECT_SERIES);
}

/* ---- a document ---- */

static void keep(void *ctx, const struct norm_quality_breach *breach)
{
    struct norm_inspect *inspect = ctx;
    HR_ASSERT(inspect->n_kept < KEPT_MAX); /* of each rule so many are told */
    struct kept *kept = &inspect->kept[inspect->n_kept++];
    size_t len = strlen(breach->text);
    size_t at = 0;
    kept->rule = breach->rule;
    kept->has_key = breach->row != NULL;
    if (breach->row != NULL) {
        norm_iso_key(breach->row, kept->key);
    } else {
        /* A series has no key: its location stands before the text. */
        memcpy(kept->text, breach->location.data, breach->location.len_bytes);
        at = breach->location.len_bytes;
        kept->text[at++] = ':';
        kept->text[at++] = ' ';
    }
    HR_ASSERT(at + len <= sizeof kept->text);
    memcpy(kept->text + at, breach->text, len);
    kept->text_len = at + len;
}

static void begin(void *ctx, const struct norm_iso_feed *feed)
{
    struct norm_inspect *inspect = ctx;
    size_t n_feeds = 0;
    size_t number = (size_t)(feed - norm_iso_feeds(&n_feeds));
    HR_ASSERT(number < n_feeds && n_feeds <= NORM_INSPECT_FEEDS_MAX);
    inspect->counts = &inspect->by_feed[number];
    inspect->rules = inspect->config.rules_of(inspect->config.rules_ctx, feed->name);
    inspect->n_kept = 0;
    memcpy(inspect->n_before, inspect->counts->quality.n_breaches, sizeof inspect->n_before);
    norm_quality_begin(inspect->quality, inspect->rules, inspect->config.zones, &inspect->sink,
                       &inspect->counts->quality);
}

static bool is_watched(const struct feeds_rules *rules, const struct norm_iso_row *row)
{
    const char *type = norm_iso_location_name(row->location_type);
    bool is_named = rules->statistics.n_locations == 0;
    for (uint32_t i = 0; i < rules->statistics.n_locations; i++) {
        is_named = is_named || strcmp(rules->statistics.locations[i], type) == 0;
    }
    return is_named && rules->statistics.floor > 0;
}

static const char *row(void *ctx, const struct norm_iso_row *row)
{
    struct norm_inspect *inspect = ctx;
    struct norm_stats_verdict verdict = {.known = 0};
    norm_quality_row(inspect->quality, row);
    if (is_watched(inspect->rules, row)) {
        /* A row without a value, or of a series that found no room, is not judged: the verdict says nothing.
         */
        hr_ignore(norm_stats_judge(inspect->stats, inspect->config.zones, row,
                                   inspect->rules->statistics.floor, &verdict));
    }
    inspect->counts->n_quarantined += verdict.is_quarantined ? 1 : 0;
    return norm_stats_reason(&verdict);
}

static void tell_more(const struct norm_inspect *inspect, enum norm_quality_rule rule,
                      void (*tell)(void *tell_ctx, const struct norm_iso_found *found), void *tell_ctx)
{
    uint64_t n = inspect->counts->quality.n_breaches[rule] - inspect->n_before[rule];
    struct quality_text text = {.len = 0};
    if (n <= NORM_QUALITY_TOLD_MAX) {
        return;
    }
    norm_quality_put_number(&text, (double)(n - NORM_QUALITY_TOLD_MAX), 0);
    norm_quality_put(&text, " more in this document");
    tell(tell_ctx, &(struct norm_iso_found){.finding = norm_quality_rule_name(rule),
                                            .text = hr_bytes_of(text.chars, text.len)});
}

static void end(void *ctx, void (*tell)(void *tell_ctx, const struct norm_iso_found *found), void *tell_ctx)
{
    struct norm_inspect *inspect = ctx;
    norm_quality_end(inspect->quality);
    for (size_t i = 0; i < inspect->n_kept; i++) {
        const struct kept *kept = &inspect->kept[i];
        tell(tell_ctx, &(struct norm_iso_found){.finding = norm_quality_rule_name(kept->rule),
                                                .text = hr_bytes_of(kept->text, kept->text_len),
                                                .observation_key = kept->has_key ? kept->key : NULL});
    }
    for (int rule = 0; rule < NORM_QUALITY_RULE_COUNT; rule++) {
        tell_more(inspect, (enum norm_quality_rule)rule, tell, tell_ctx);
    }
}

struct norm_inspect *norm_inspect_init(const struct norm_inspect_config *config)
{
    uint8_t *memory = config->memory;
    struct norm_inspect *inspect = config->memory;
    size_t quality_at = rounded(sizeof *inspect);
    inspect->config = *config;
    inspect->sink = (struct norm_quality_sink){keep, inspect};
    inspect->quality = norm_quality_in(memory + quality_at);
    inspect->stats = norm_stats_in(memory + quality_at + rounded(norm_quality_bytes()), NORM_INSPECT_SERIES);
    inspect->inspector = (struct norm_iso_inspector){begin, row, end, norm_inspect_digest(config), inspect};
    return inspect;
}

const struct norm_iso_inspector *norm_inspect_inspector(struct norm_inspect *inspect)
{
    return &inspect->inspector;
}

const struct norm_inspect_counts *norm_inspect_counts_of(const struct norm_inspect *inspect, size_t feed)
{
    HR_ASSERT(feed < NORM_INSPECT_FEEDS_MAX);
    return &inspect->by_feed[feed];
}
