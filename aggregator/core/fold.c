/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/fold_internal.h"
#include "aggregator/core/text.h"

#include <stddef.h>
#include <string.h>

#define EARLIEST_MS (INT64_C(400) * 24 * AGG_HOUR_MS)
#define LATEST_MS   (24 * AGG_HOUR_MS)

/* "ais/1 iso/2+z1a2b3c4d+r5e6f7a8b device/1 revisions/1080h": for how long revisions are told changes what is
 * published too. */
static void name_normalizers(struct agg_fold *fold)
{
    for (uint16_t i = 0; i < fold->config.n_normalizers; i++) {
        const struct normalizer *normalizer = fold->config.normalizers[i];
        agg_text_add(fold->normalizers, sizeof fold->normalizers, i > 0 ? " " : "");
        agg_text_add(fold->normalizers, sizeof fold->normalizers, normalizer->source);
        agg_text_add(fold->normalizers, sizeof fold->normalizers, "/");
        agg_text_add_number(fold->normalizers, sizeof fold->normalizers, normalizer->version);
        if (normalizer->basis != NULL) {
            agg_text_add(fold->normalizers, sizeof fold->normalizers, "+");
            agg_text_add(fold->normalizers, sizeof fold->normalizers, normalizer->basis);
        }
    }
    if (fold->config.recall != NULL) {
        agg_text_add(fold->normalizers, sizeof fold->normalizers, " revisions/");
        agg_text_add_number(fold->normalizers, sizeof fold->normalizers,
                            fold->config.recall->config.retention_h);
        agg_text_add(fold->normalizers, sizeof fold->normalizers, "h");
    }
}

static void list_feeds(struct agg_fold *fold)
{
    for (uint16_t i = 0; i < fold->config.n_normalizers; i++) {
        const struct normalizer *normalizer = fold->config.normalizers[i];
        for (uint16_t k = 0; k < normalizer->n_schemas; k++) {
            HR_ASSERT(fold->n_feeds < AGG_FOLD_MAX_FEEDS);
            struct agg_fold_feed *feed = &fold->feeds[fold->n_feeds++];
            feed->schema = normalizer->schemas[k];
            feed->normalizer = i;
            feed->id = agg_feed_id(feed->schema->topic);
            for (uint16_t other = 0; other + 1u < fold->n_feeds; other++) {
                HR_ASSERT(fold->feeds[other].id != feed->id);
            }
        }
    }
}

void agg_fold_init(struct agg_fold *fold, const struct agg_fold_config *config)
{
    memset(fold, 0, offsetof(struct agg_fold, notes_bytes));
    fold->config = *config;
    fold->notes.out = hr_writer_over(fold->notes_bytes, sizeof fold->notes_bytes);
    list_feeds(fold);
    name_normalizers(fold);
}

uint16_t agg_fold_feed_of(const struct agg_fold *fold, const struct norm_schema *schema)
{
    uint16_t feed = 0;
    while (feed < fold->n_feeds && fold->feeds[feed].schema != schema) {
        feed++;
    }
    HR_ASSERT(feed < fold->n_feeds); /* every event comes from one of the schemas that normalizers name */
    return feed;
}

bool agg_fold_has_room(const struct agg_fold *fold)
{
    uint32_t may_need = (uint32_t)fold->n_feeds * (AGG_FOLD_BATCH_HOURS + 1);
    bool may_recall = fold->config.recall == NULL || agg_recall_has_room(fold->config.recall);
    return may_recall && AGG_FOLD_SLOTS - (uint32_t)fold->n_used >= may_need &&
           fold->n_spans + 1 < AGG_FOLD_SPANS &&
           sizeof fold->notes_bytes - fold->notes.out.at >= AGG_FOLD_BATCH_NOTES_BYTES;
}

void agg_fold_begin(struct agg_fold *fold)
{
    HR_ASSERT(!fold->is_open);
    fold->is_open = true;
    fold->open_leaf = fold->next_leaf;
    fold->n_touched = 0;
    fold->open_spans = fold->n_spans;
    fold->open_notes = fold->notes.out.at;
    fold->kept_span = fold->n_spans > 0 ? fold->spans[fold->n_spans - 1] : (struct agg_fold_span){0};
    if (fold->config.recall != NULL) {
        agg_recall_begin(fold->config.recall);
    }
    for (uint16_t i = 0; i < fold->n_feeds; i++) {
        fold->feeds[i].kept_watermark_ms = fold->feeds[i].watermark_ms;
    }
}

/* ---- spans of leaves that follow each other ---- */

static void open_span(struct agg_fold *fold, uint64_t leaf)
{
    const struct agg_fold_span *last = fold->n_spans > 0 ? &fold->spans[fold->n_spans - 1] : NULL;
    bool takes_more = last != NULL && !last->is_replacement && last->len_bytes < AGG_FOLD_SPAN_BYTES;
    if (!takes_more || last->first_leaf + last->n_leaves != leaf) {
        agg_fold_span_begin(fold, leaf);
    }
}

void agg_fold_span_begin(struct agg_fold *fold, uint64_t first_leaf)
{
    HR_ASSERT(fold->n_spans < AGG_FOLD_SPANS);
    fold->spans[fold->n_spans++] = (struct agg_fold_span){.first_leaf = first_leaf, .at = fold->notes.out.at};
}

void agg_fold_span_end(struct agg_fold *fold, uint32_t n_leaves)
{
    struct agg_fold_span *span = &fold->spans[fold->n_spans - 1];
    span->n_leaves = n_leaves;
    span->len_bytes = fold->notes.out.at - span->at;
    span->is_replacement = true;
}

void agg_fold_span_drop(struct agg_fold *fold)
{
    fold->n_spans--;
    fold->notes.out.at = fold->spans[fold->n_spans].at;
}

/* ---- a batch ---- */

void agg_fold_batch(struct agg_fold *fold, const struct ledger_batch *batch)
{
    HR_ASSERT(fold->is_open && batch->leaf == fold->open_leaf);
    fold->batch = batch;
    open_span(fold, batch->leaf);
    agg_notes_begin(&fold->notes);
    for (uint16_t i = 0; i < fold->n_feeds; i++) {
        fold->feeds[i].n_slots = 0;
    }
}

const struct norm_known *agg_fold_memory(struct agg_fold *fold, const struct ledger_batch *batch)
{
    uint64_t folded = fold->is_open ? fold->open_leaf : fold->next_leaf;
    return fold->config.recall == NULL ? NULL
                                       : agg_recall_batch(fold->config.recall, batch, batch->leaf <= folded);
}

static int64_t hour_of(const struct ledger_batch *batch, int64_t occurred_ms)
{
    int64_t received_ms = batch->received_utc_ms;
    bool is_sane = occurred_ms <= received_ms + LATEST_MS && occurred_ms >= received_ms - EARLIEST_MS;
    int64_t at_ms = is_sane ? occurred_ms : received_ms;
    return at_ms < 0 ? 0 : at_ms / AGG_HOUR_MS;
}

static void join_batch(struct agg_fold *fold, struct agg_fold_feed *feed, uint16_t slot)
{
    struct agg_fold_slot *it = &fold->slots[slot];
    if (!it->in_batch) {
        it->in_batch = true;
        it->last_record = UINT32_MAX;
        it->n_records = 0;
        it->n_events = 0;
        it->latest_ms = INT64_MIN;
        feed->slots[feed->n_slots++] = slot;
    }
}

/* The entry of this time, or that of the receipt when the batch is in too many. */
static uint16_t place_event(struct agg_fold *fold, uint16_t feed_index, int64_t occurred_ms)
{
    struct agg_fold_feed *feed = &fold->feeds[feed_index];
    int64_t hour = hour_of(fold->batch, occurred_ms);
    for (uint16_t i = feed->n_slots; i > 0; i--) {
        if (fold->slots[feed->slots[i - 1]].hour == hour) {
            return feed->slots[i - 1];
        }
    }
    if (feed->n_slots >= AGG_FOLD_BATCH_HOURS) {
        hour = hour_of(fold->batch, fold->batch->received_utc_ms);
    }
    uint16_t slot = AGG_FOLD_NO_SLOT;
    if (!hr_is_ok(agg_fold_slot_of(fold, feed_index, hour, true, &slot))) {
        fold->is_unreadable = true;
        return AGG_FOLD_NO_SLOT;
    }
    join_batch(fold, feed, slot);
    return slot;
}

uint16_t agg_fold_event(struct agg_fold *fold, uint16_t feed, const struct norm_event *event,
                        uint64_t content)
{
    int64_t occurred_ms = event->occurred_at_us / 1000;
    uint16_t slot = place_event(fold, feed, occurred_ms);
    if (slot == AGG_FOLD_NO_SLOT) {
        return slot;
    }
    struct agg_fold_slot *it = &fold->slots[slot];
    it->n_events++;
    it->n_records += event->record_index != it->last_record ? 1 : 0;
    it->last_record = event->record_index;
    it->latest_ms = occurred_ms > it->latest_ms ? occurred_ms : it->latest_ms;
    const struct agg_note note = {.feed = fold->feeds[feed].id,
                                  .record = (uint16_t)event->record_index,
                                  .output = event->output_index,
                                  .content =
                                      fold->batch->leaf >= fold->known_from ? content : AGG_CONTENT_UNKNOWN};
    agg_notes_add(&fold->notes, &note);
    return slot;
}

/* ---- the end of a batch ---- */

static void close_slot(struct agg_fold *fold, struct agg_fold_slot *it)
{
    const struct ledger_batch *batch = fold->batch;
    struct feed_entry *entry = &it->entry;
    entry->n_late += entry->state == FEED_COMPLETED ? 1 : 0;
    entry->n_batches++;
    entry->n_records += it->n_records;
    entry->n_events += it->n_events;
    entry->first_leaf = entry->first_leaf == UINT64_MAX ? batch->leaf : entry->first_leaf;
    entry->last_leaf = batch->leaf;
    const struct hr_bytes parts[] = {hr_bytes_of(entry->content, sizeof entry->content),
                                     hr_bytes_of(batch->digest, sizeof batch->digest)};
    uint8_t content[WIRE_DIGEST_BYTES];
    wire_sha256(fold->config.hash, parts, 2, content);
    memcpy(entry->content, content, sizeof content);
    int64_t latest_ms = it->latest_ms < batch->received_utc_ms ? it->latest_ms : batch->received_utc_ms;
    entry->watermark_ms = latest_ms > entry->watermark_ms ? latest_ms : entry->watermark_ms;
    it->in_batch = false;
}

/* Hours whose end the feed's watermark has passed. */
static void complete_hours(struct agg_fold *fold, uint16_t feed, int64_t watermark_ms)
{
    for (uint32_t i = 0; i < AGG_FOLD_SLOTS; i++) {
        struct agg_fold_slot *it = &fold->slots[i];
        if (it->is_used && it->feed == feed && it->entry.state == FEED_RUNNING &&
            it->entry.to_ms <= watermark_ms) {
            agg_fold_touch(fold, (uint16_t)i);
            it->entry.state = FEED_COMPLETED;
        }
    }
}

static void close_feed(struct agg_fold *fold, uint16_t feed_index)
{
    struct agg_fold_feed *feed = &fold->feeds[feed_index];
    int64_t watermark_ms = feed->watermark_ms;
    for (uint16_t i = 0; i < feed->n_slots; i++) {
        struct agg_fold_slot *it = &fold->slots[feed->slots[i]];
        agg_fold_touch(fold, feed->slots[i]);
        close_slot(fold, it);
        watermark_ms = it->entry.watermark_ms > watermark_ms ? it->entry.watermark_ms : watermark_ms;
    }
    feed->n_slots = 0;
    if (watermark_ms / AGG_HOUR_MS > feed->watermark_ms / AGG_HOUR_MS) {
        complete_hours(fold, feed_index, watermark_ms);
    }
    feed->watermark_ms = watermark_ms;
}

struct hr_status agg_fold_batch_end(struct agg_fold *fold)
{
    struct agg_fold_span *span = &fold->spans[fold->n_spans - 1];
    struct hr_status ended = agg_notes_end(&fold->notes);
    HR_ASSERT(hr_is_ok(ended)); /* notes end at AGG_LEAF_NOTES_MAX_BYTES, and has_room was asked for more */
    span->n_leaves++;
    span->len_bytes = fold->notes.out.at - span->at;
    for (uint16_t i = 0; i < fold->n_feeds; i++) {
        close_feed(fold, i);
    }
    fold->open_leaf++;
    if (fold->config.recall != NULL) {
        HR_ASSERT(fold->config.recall->leaf == fold->batch->leaf); /* agg_fold_memory was asked for it */
        agg_recall_keep(fold->config.recall);
    }
    return hr_status_of(fold->is_unreadable ? HR_IO : HR_OK);
}

/* ---- the end of a transaction ---- */

void agg_fold_place(void *ctx, const struct sink_position *position)
{
    struct agg_fold *fold = ctx;
    HR_ASSERT(fold->is_open && position->slot < AGG_FOLD_SLOTS);
    if (fold->n_positions == AGG_FOLD_POSITIONS) {
        return; /* the entry shows that some are not known */
    }
    agg_fold_touch(fold, position->slot);
    fold->slots[position->slot].entry.n_placed += position->n_records;
    for (uint32_t i = 0; i < fold->n_positions; i++) {
        struct agg_fold_position *known = &fold->positions[i];
        if (known->slot == position->slot && known->sink_partition == position->partition) {
            known->last_offset = position->last_offset;
            return;
        }
    }
    fold->positions[fold->n_positions++] = (struct agg_fold_position){.slot = position->slot,
                                                                      .sink_partition = position->partition,
                                                                      .first_offset = position->first_offset,
                                                                      .last_offset = position->last_offset};
}

static void mark_dirty(struct agg_fold *fold)
{
    if (fold->dirty_since_us == 0) {
        fold->dirty_since_us = fold->config.clock->monotonic_us(fold->config.clock->ctx);
    }
}

void agg_fold_commit(struct agg_fold *fold)
{
    HR_ASSERT(fold->is_open);
    for (uint16_t i = 0; i < fold->n_touched; i++) {
        fold->slots[fold->touched[i]].is_touched = false;
        fold->slots[fold->touched[i]].was_used = true;
    }
    if (fold->next_leaf != fold->open_leaf || fold->n_touched > 0 || fold->n_spans != fold->open_spans) {
        mark_dirty(fold);
    }
    fold->next_leaf = fold->open_leaf;
    fold->is_open = false;
}

void agg_fold_abort(struct agg_fold *fold)
{
    if (!fold->is_open) {
        return;
    }
    for (uint16_t i = 0; i < fold->n_touched; i++) {
        struct agg_fold_slot *it = &fold->slots[fold->touched[i]];
        it->entry = it->kept;
        it->is_dirty = it->was_dirty;
        it->is_touched = false;
    }
    for (uint32_t i = 0; i < AGG_FOLD_SLOTS; i++) {
        fold->slots[i].in_batch = false;
        fold->slots[i].is_used = fold->slots[i].is_used && fold->slots[i].was_used;
    }
    agg_fold_reindex(fold);
    for (uint16_t i = 0; i < fold->n_feeds; i++) {
        fold->feeds[i].watermark_ms = fold->feeds[i].kept_watermark_ms;
    }
    fold->n_spans = fold->open_spans;
    if (fold->n_spans > 0) {
        fold->spans[fold->n_spans - 1] = fold->kept_span;
    }
    fold->notes.out.at = fold->open_notes;
    fold->is_unreadable = false;
    fold->is_open = false;
    if (fold->config.recall != NULL) {
        agg_recall_abort(fold->config.recall);
    }
}

/* ---- replays ---- */

struct hr_status agg_fold_revise(struct agg_fold *fold, uint16_t feed, const struct ledger_batch *batch,
                                 int64_t occurred_at_us, uint16_t revision, uint16_t *slot)
{
    HR_ASSERT(fold->is_open);
    HR_TRY(agg_fold_slot_of(fold, feed, hour_of(batch, occurred_at_us / 1000), false, slot));
    if (*slot == AGG_FOLD_NO_SLOT) {
        HR_TRY(agg_fold_slot_of(fold, feed, hour_of(batch, batch->received_utc_ms), false, slot));
    }
    if (*slot != AGG_FOLD_NO_SLOT) {
        agg_fold_touch(fold, *slot);
        struct feed_entry *entry = &fold->slots[*slot].entry;
        entry->n_revised++;
        entry->revision = revision > entry->revision ? revision : entry->revision;
    }
    return hr_ok();
}

void agg_fold_set_replay(struct agg_fold *fold, const struct feed_replay *replay)
{
    fold->replay = *replay;
    fold->replay_is_dirty = true;
    mark_dirty(fold);
}
