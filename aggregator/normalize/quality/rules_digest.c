/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/quality/inspect.h"
#include "proto/base/digest.h"

/* Statistics are left out: what they say is no part of an event's content. */
static uint64_t add_rules(uint64_t digest, const struct feeds_rules *rules)
{
    digest = hr_digest_number(digest, rules->n_required);
    for (uint32_t i = 0; i < rules->n_required; i++) {
        digest = hr_digest_text(digest, rules->required[i]);
    }
    digest = hr_digest_number(digest, rules->n_ranges);
    for (uint32_t i = 0; i < rules->n_ranges; i++) {
        digest = hr_digest_text(digest, feeds_field_name(rules->ranges[i].field));
        digest = hr_digest_real(digest, rules->ranges[i].min);
        digest = hr_digest_real(digest, rules->ranges[i].max);
    }
    digest = hr_digest_number(digest, rules->n_allowed);
    for (uint32_t i = 0; i < rules->n_allowed; i++) {
        const struct feeds_allowed *allowed = &rules->allowed[i];
        uint32_t field = (uint32_t)FEEDS_FIELD_FIRST_TEXT + allowed->nth_text;
        digest = hr_digest_text(digest, feeds_field_name((enum feeds_field)field));
        digest = hr_digest_number(digest, allowed->n_values);
        for (uint32_t k = 0; k < allowed->n_values; k++) {
            digest = hr_digest_text(digest, allowed->values[k]);
        }
    }
    digest = hr_digest_number(digest, rules->is_monotone);
    digest = hr_digest_number(digest, rules->complete.every_ms);
    return hr_digest_number(digest, rules->complete.is_growing);
}

uint64_t norm_inspect_digest(const struct norm_inspect_config *config)
{
    size_t n_feeds = 0;
    const struct norm_iso_feed *feeds = norm_iso_feeds(&n_feeds);
    uint64_t digest = HR_DIGEST_START;
    for (size_t i = 0; i < n_feeds; i++) {
        digest = hr_digest_text(digest, feeds[i].name);
        digest = add_rules(digest, config->rules_of(config->rules_ctx, feeds[i].name));
    }
    return digest;
}
