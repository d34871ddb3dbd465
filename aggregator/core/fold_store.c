/* SPDX-License-Identifier: Apache-2.0
 *
 * The fold and the ledger: reading where it stands, storing what waits. */
#include "aggregator/core/fold_internal.h"
#include "proto/base/failpoint.h"

#include <string.h>

enum { STORE_DIRTY_SLOTS = AGG_FOLD_SLOTS / 2 };

/* ---- loading ---- */

struct head_search {
    const struct agg_fold *fold;
    bool is_found;
    uint64_t next_leaf;
};

static void take_head(void *ctx, const struct feed_head *head)
{
    struct head_search *search = ctx;
    if (strcmp(head->sink, search->fold->config.sink) == 0) {
        search->is_found = true;
        search->next_leaf = head->next_leaf;
    }
}

static void take_version(void *ctx, const struct feed_version *version)
{
    *(struct feed_version *)ctx = *version; /* the last one stays */
}

static void take_entry(void *ctx, const struct feed_entry *entry)
{
    struct agg_fold *fold = ctx;
    for (uint16_t feed = 0; feed < fold->n_feeds; feed++) {
        if (strcmp(fold->feeds[feed].schema->topic, entry->feed) != 0) {
            continue;
        }
        struct agg_fold_feed *it = &fold->feeds[feed];
        it->watermark_ms = entry->watermark_ms > it->watermark_ms ? entry->watermark_ms : it->watermark_ms;
        if (entry->state == FEED_RUNNING && fold->n_used < AGG_FOLD_SLOTS / 2) {
            agg_fold_take_entry(fold, feed, entry);
        }
    }
}

static struct hr_status load_cursor(struct agg_fold *fold)
{
    const struct ledger *reader = fold->config.reader;
    struct head_search search = {.fold = fold};
    HR_TRY(reader->feeds->heads(reader->ctx, take_head, &search));
    if (!search.is_found) {
        HR_TRY(reader->first_leaf(reader->ctx, &search.next_leaf));
    }
    fold->next_leaf = search.next_leaf;
    fold->stored_leaf = search.next_leaf;
    return hr_ok();
}

static struct hr_status load_versions(struct agg_fold *fold, const struct sink_found *found)
{
    uint64_t from = found->reach > found->cursor.next_leaf ? found->reach : found->cursor.next_leaf;
    const struct ledger *reader = fold->config.reader;
    struct feed_version newest = {.normalizers = ""};
    HR_TRY(reader->feeds->versions(reader->ctx, fold->config.sink, take_version, &newest));
    if (strcmp(newest.normalizers, fold->normalizers) == 0) {
        fold->known_from = newest.from_leaf;
        return hr_ok();
    }
    const struct feed_change change = {.sink = fold->config.sink,
                                       .from_leaf = fold->stored_leaf,
                                       .next_leaf = fold->stored_leaf,
                                       .normalizers = fold->normalizers,
                                       .normalizers_from = from};
    HR_TRY(fold->config.writer->feeds->write(fold->config.writer->ctx, &change));
    fold->known_from = from;
    return hr_ok();
}

struct hr_status agg_fold_load(struct agg_fold *fold, const struct sink_found *found)
{
    if (fold->is_loaded) {
        return hr_ok();
    }
    const struct ledger *reader = fold->config.reader;
    const struct feed_query all = {.sink = fold->config.sink};
    HR_TRY(load_cursor(fold));
    HR_TRY(load_versions(fold, found));
    memset(fold->slots, 0, sizeof fold->slots);
    agg_fold_reindex(fold);
    HR_TRY(reader->feeds->entries(reader->ctx, &all, take_entry, fold));
    fold->is_loaded = true;
    HR_FAILPOINT("feed_loaded");
    return hr_ok();
}

/* ---- storing ---- */

static size_t gather_entries(struct agg_fold *fold)
{
    size_t n = 0;
    for (uint32_t i = 0; i < AGG_FOLD_SLOTS; i++) {
        if (fold->slots[i].is_used && fold->slots[i].is_dirty) {
            fold->store_at[i] = (uint32_t)n;
            fold->store_entries[n++] = fold->slots[i].entry;
        }
    }
    return n;
}

static struct hr_status write_all(struct agg_fold *fold)
{
    const struct agg_recall *recall = fold->config.recall;
    for (uint32_t i = 0; i < fold->n_positions; i++) {
        const struct agg_fold_position *from = &fold->positions[i];
        HR_ASSERT(fold->slots[from->slot].is_dirty);
        fold->store_positions[i] = (struct feed_position){.sink_partition = from->sink_partition,
                                                          .first_offset = from->first_offset,
                                                          .last_offset = from->last_offset};
    }
    for (uint32_t i = 0; i < fold->n_spans; i++) {
        const struct agg_fold_span *from = &fold->spans[i];
        fold->store_spans[i] =
            (struct feed_span){.first_leaf = from->first_leaf,
                               .n_leaves = from->n_leaves,
                               .notes = hr_bytes_of(fold->notes_bytes + from->at, from->len_bytes)};
    }
    const struct feed_change change = {.sink = fold->config.sink,
                                       .from_leaf = fold->stored_leaf,
                                       .next_leaf = fold->next_leaf,
                                       .entries = fold->store_entries,
                                       .n_entries = gather_entries(fold),
                                       .positions = fold->store_positions,
                                       .n_positions = fold->n_positions,
                                       .spans = fold->store_spans,
                                       .n_spans = fold->n_spans,
                                       .facts = recall != NULL ? recall->waiting : NULL,
                                       .n_facts = recall != NULL ? recall->n_waiting : 0,
                                       .replay = fold->replay_is_dirty ? &fold->replay : NULL};
    for (uint32_t i = 0; i < fold->n_positions; i++) {
        fold->store_positions[i].entry = fold->store_at[fold->positions[i].slot];
    }
    HR_FAILPOINT("feed_gathered");
    HR_TRY(fold->config.writer->feeds->write(fold->config.writer->ctx, &change));
    HR_FAILPOINT("feed_stored");
    return hr_ok();
}

/* What is stored and needn't be at hand makes room. */
static void drop_clean(struct agg_fold *fold)
{
    for (uint32_t i = 0; i < AGG_FOLD_SLOTS; i++) {
        struct agg_fold_slot *it = &fold->slots[i];
        it->is_used = it->is_used && it->entry.state == FEED_RUNNING;
    }
    agg_fold_reindex(fold);
}

static bool is_due(const struct agg_fold *fold, bool now, uint64_t now_us)
{
    bool is_much = fold->notes.out.at >= AGG_FOLD_NOTES_DUE_BYTES || fold->n_used > STORE_DIRTY_SLOTS ||
                   fold->n_positions > AGG_FOLD_POSITIONS / 2 || fold->n_spans > AGG_FOLD_SPANS / 2 ||
                   (fold->config.recall != NULL && agg_recall_is_due(fold->config.recall));
    return now || is_much || now_us - fold->dirty_since_us >= (uint64_t)fold->config.store_every_ms * 1000u;
}

struct hr_status agg_fold_store(struct agg_fold *fold, bool now)
{
    HR_ASSERT(!fold->is_open);
    uint64_t now_us = fold->config.clock->monotonic_us(fold->config.clock->ctx);
    if (fold->dirty_since_us == 0 || !is_due(fold, now, now_us)) {
        return hr_ok();
    }
    if (now_us < fold->retry_at_us) {
        return hr_status_of(HR_AGAIN);
    }
    fold->retry_at_us = now_us + (uint64_t)fold->config.store_every_ms * 1000u;
    HR_TRY(write_all(fold));
    fold->retry_at_us = 0;
    for (uint32_t i = 0; i < AGG_FOLD_SLOTS; i++) {
        fold->slots[i].is_dirty = false;
    }
    fold->stored_leaf = fold->next_leaf;
    fold->n_positions = 0;
    fold->n_spans = 0;
    fold->notes.out.at = 0;
    fold->replay_is_dirty = false;
    fold->dirty_since_us = 0;
    if (fold->config.recall != NULL) {
        agg_recall_stored(fold->config.recall);
    }
    if (fold->n_used > STORE_DIRTY_SLOTS) {
        drop_clean(fold);
    }
    return hr_ok();
}
