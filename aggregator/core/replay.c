/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/replay.h"

#include "aggregator/core/replay_internal.h"
#include "proto/base/assert.h"
#include "proto/base/failpoint.h"

#include <stddef.h>
#include <string.h>

enum { CHUNK_EVENTS = 8192, CHUNK_SPANS = 64 };

void agg_replay_init(struct agg_replay *replay)
{
    memset(replay, 0, offsetof(struct agg_replay, span_bytes));
    atomic_init(&replay->is_asked, true);
}

void agg_replay_ask(struct agg_replay *replay)
{
    atomic_store(&replay->is_asked, true);
}

static bool is_at_hand(const struct agg_replay *replay)
{
    return replay != NULL && replay->row.id != 0;
}

static void take_unfinished(void *ctx, const struct feed_replay *row)
{
    struct feed_replay *first = ctx;
    if (first->id == 0 && (row->state == FEED_PENDING || row->state == FEED_RUNNING)) {
        *first = *row;
    }
}

static struct hr_status load_next(struct agg_publish *publish)
{
    struct agg_replay *replay = publish->config.replay;
    const struct ledger *ledger = publish->config.ledger;
    replay->row.id = 0;
    replay->reach = 0;
    replay->unknown_until = 0;
    atomic_store(&replay->is_asked, false);
    struct hr_status loaded =
        ledger->feeds->replays(ledger->ctx, publish->config.sink->name, take_unfinished, &replay->row);
    if (!hr_is_ok(loaded)) {
        agg_replay_ask(replay);
        return loaded;
    }
    if (replay->row.id != 0 && replay->row.dry_run && replay->row.state == FEED_RUNNING) {
        replay->row.next_leaf = replay->row.first_leaf; /* it leaves nothing behind: from the beginning */
        replay->row.n_events = replay->row.n_changed = 0;
    }
    return hr_ok();
}

static void add_remark(struct feed_replay *row, const char *text)
{
    size_t len = strlen(text);
    HR_ASSERT(len < sizeof row->reason);
    memcpy(row->reason, text, len + 1);
}

/* Stores the row as it stands, at once. */
static struct hr_status store_row(struct agg_publish *publish)
{
    agg_fold_set_replay(publish->config.fold, &publish->config.replay->row);
    return agg_fold_store(publish->config.fold, true);
}

/* The end of a replay; until it is stored the replay stays at hand, and in the cursor. */
static struct hr_status end_replay(struct agg_publish *publish, enum feed_state state)
{
    struct agg_replay *replay = publish->config.replay;
    replay->row.state = state;
    HR_TRY(store_row(publish));
    HR_FAILPOINT("replay_ended");
    publish->stats.replays++;
    replay->row.id = 0;
    replay->reach = 0;
    agg_replay_ask(replay); /* for the next one */
    return hr_ok();
}

/* ---- the beginning ---- */

struct range {
    uint64_t first_leaf;
    uint64_t end_leaf;
};

static void widen(void *ctx, const struct feed_entry *entry)
{
    struct range *range = ctx;
    range->first_leaf = entry->first_leaf < range->first_leaf ? entry->first_leaf : range->first_leaf;
    range->end_leaf = entry->last_leaf + 1 > range->end_leaf ? entry->last_leaf + 1 : range->end_leaf;
}

static bool find_feed(struct agg_publish *publish)
{
    struct agg_replay *replay = publish->config.replay;
    const struct agg_fold *fold = publish->config.fold;
    replay->feed = 0;
    while (replay->feed < fold->n_feeds &&
           strcmp(fold->feeds[replay->feed].schema->topic, replay->row.feed) != 0) {
        replay->feed++;
    }
    return replay->feed < fold->n_feeds;
}

/* Where the window's batches are. Everything that was published stands in entries by now. */
static struct hr_status find_range(struct agg_publish *publish)
{
    struct feed_replay *row = &publish->config.replay->row;
    const struct ledger *ledger = publish->config.ledger;
    const struct feed_query query = {
        .sink = publish->config.sink->name, .feed = row->feed, .from_ms = row->from_ms, .to_ms = row->to_ms};
    struct range range = {.first_leaf = UINT64_MAX};
    uint64_t kept_from = 0;
    HR_TRY(ledger->feeds->entries(ledger->ctx, &query, widen, &range));
    HR_TRY(ledger->first_leaf(ledger->ctx, &kept_from));
    if (range.end_leaf > 0 && range.first_leaf < kept_from) {
        add_remark(row, "retention has deleted the batches at the beginning of the window");
        range.first_leaf = kept_from;
    }
    row->first_leaf = range.first_leaf < range.end_leaf ? range.first_leaf : range.end_leaf;
    row->next_leaf = row->first_leaf;
    row->end_leaf = range.end_leaf;
    return hr_ok();
}

static struct hr_status begin_row(struct agg_publish *publish)
{
    struct agg_fold *fold = publish->config.fold;
    struct feed_replay *row = &publish->config.replay->row;
    HR_TRY(agg_fold_store(fold, true));
    HR_TRY(find_range(publish));
    row->state = FEED_RUNNING;
    memcpy(row->normalizers, fold->normalizers, sizeof row->normalizers);
    struct hr_status stored = store_row(publish);
    row->state = hr_is_ok(stored) ? FEED_RUNNING : FEED_PENDING;
    HR_FAILPOINT("replay_begun");
    return stored;
}

bool agg_replay_wants(struct agg_publish *publish)
{
    struct agg_replay *replay = publish->config.replay;
    const struct agg_fold *fold = publish->config.fold;
    if (replay == NULL || fold->next_leaf != publish->next_leaf) {
        return is_at_hand(replay) && replay->reach != 0;
    }
    if (!is_at_hand(replay) && atomic_load(&replay->is_asked)) {
        hr_ignore(load_next(publish)); /* it is asked for again */
    }
    if (!is_at_hand(replay)) {
        return false;
    }
    if (!find_feed(publish)) {
        add_remark(&replay->row, "the normalizers of this build have no such feed");
        hr_ignore(end_replay(publish, FEED_FAILED)); /* what is not stored is tried again */
        return false;
    }
    if (replay->row.state == FEED_COMPLETED || replay->row.state == FEED_FAILED) {
        hr_ignore(end_replay(publish, replay->row.state));
        return false;
    }
    return replay->row.state == FEED_RUNNING || hr_is_ok(begin_row(publish));
}

/* ---- chunks ---- */

bool agg_replay_is_torn(const struct agg_publish *publish)
{
    return is_at_hand(publish->config.replay) && publish->config.replay->reach != 0;
}

void agg_replay_begin(struct agg_publish *publish)
{
    if (publish->config.replay != NULL) {
        publish->config.replay->kept = publish->config.replay->row;
    }
}

void agg_replay_chunk(struct agg_transaction *transaction)
{
    struct agg_publish *publish = transaction->publish;
    struct agg_replay *replay = publish->config.replay;
    struct feed_replay *row = &replay->row;
    enum agg_replay_mode mode = row->dry_run ? AGG_REPLAY_COUNT : AGG_REPLAY_PUBLISH;
    uint32_t wanted = publish->config.replay_chunk_events;
    uint64_t enough_events = row->n_events + (wanted > 0 ? wanted : CHUNK_EVENTS);
    bool has_room = agg_fold_has_room(publish->config.fold);
    for (uint32_t i = 0; hr_is_ok(transaction->status) && row->next_leaf < row->end_leaf && has_room; i++) {
        bool is_enough = i == CHUNK_SPANS || row->n_events >= enough_events;
        if (is_enough && row->next_leaf >= replay->reach) {
            break;
        }
        agg_replay_span(transaction, mode);
        has_room = agg_fold_has_room(publish->config.fold);
    }
}

void agg_replay_cursor(const struct agg_publish *publish, struct sink_cursor *cursor)
{
    const struct agg_replay *replay = publish->config.replay;
    if (is_at_hand(replay) && !replay->row.dry_run && replay->row.state != FEED_PENDING) {
        cursor->replay = replay->row.id;
        cursor->replay_next_leaf = replay->row.next_leaf;
    }
}

struct hr_status agg_replay_commit(struct agg_publish *publish)
{
    struct agg_replay *replay = publish->config.replay;
    if (!is_at_hand(replay) || replay->row.state != FEED_RUNNING) {
        return hr_ok();
    }
    const struct feed_replay *row = &replay->row;
    publish->stats.replayed += row->n_events - replay->kept.n_events;
    publish->stats.revisions += row->dry_run ? 0 : row->n_changed - replay->kept.n_changed;
    if (replay->reach != 0 && row->next_leaf >= replay->reach) {
        replay->reach = 0;
        memcpy(replay->row.normalizers, publish->config.fold->normalizers, sizeof row->normalizers);
    }
    bool is_done = row->next_leaf >= row->end_leaf;
    if (row->next_leaf != replay->kept.next_leaf && !row->dry_run) {
        agg_fold_set_replay(publish->config.fold, row);
    }
    HR_FAILPOINT("replay_chunk_done");
    return is_done ? end_replay(publish, FEED_COMPLETED) : hr_ok();
}

void agg_replay_abort(struct agg_publish *publish)
{
    if (is_at_hand(publish->config.replay)) {
        publish->config.replay->row = publish->config.replay->kept;
    }
}

/* ---- after the sink was recovered ---- */

static struct hr_status apply_until(struct agg_publish *publish, uint64_t next_leaf)
{
    struct agg_fold *fold = publish->config.fold;
    struct feed_replay *row = &publish->config.replay->row;
    bool is_known = strcmp(row->normalizers, fold->normalizers) == 0;
    while (row->next_leaf < next_leaf) {
        struct agg_transaction transaction = {.publish = publish, .is_folding = true, .status = hr_ok()};
        if (!agg_fold_has_room(fold)) {
            HR_TRY(agg_fold_store(fold, true));
        }
        agg_replay_begin(publish);
        agg_fold_begin(fold);
        agg_replay_span(&transaction, is_known ? AGG_REPLAY_APPLY : AGG_REPLAY_UNKNOWN);
        if (!hr_is_ok(transaction.status)) {
            agg_fold_abort(fold);
            agg_replay_abort(publish);
            return transaction.status;
        }
        agg_fold_commit(fold);
        agg_fold_set_replay(fold, row);
    }
    return hr_ok();
}

/* From here on the replay is one of the normalizers of this build: once that is stored, lest what they
 * publish be taken for that of the former ones after a crash. */
static struct hr_status take_over(struct agg_publish *publish)
{
    struct feed_replay *row = &publish->config.replay->row;
    char former[sizeof row->normalizers];
    memcpy(former, row->normalizers, sizeof former);
    memcpy(row->normalizers, publish->config.fold->normalizers, sizeof row->normalizers);
    struct hr_status stored = store_row(publish);
    if (!hr_is_ok(stored)) {
        memcpy(row->normalizers, former, sizeof former);
    }
    return stored;
}

struct hr_status agg_replay_recover(struct agg_publish *publish, const struct sink_found *found)
{
    struct agg_replay *replay = publish->config.replay;
    if (replay == NULL) {
        return hr_ok();
    }
    if (!replay->is_loaded) {
        HR_TRY(load_next(publish));
        replay->is_loaded = true;
    }
    replay->reach = 0;
    struct feed_replay *row = &replay->row;
    if (row->id == 0 || row->state != FEED_RUNNING || !find_feed(publish)) {
        return hr_ok();
    }
    if (found->cursor.replay == row->id && !row->dry_run) {
        HR_TRY(apply_until(publish, found->cursor.replay_next_leaf));
        replay->reach = found->replay_reach > row->next_leaf ? found->replay_reach : 0;
    }
    bool is_known = strcmp(row->normalizers, publish->config.fold->normalizers) == 0;
    replay->unknown_until = is_known ? 0 : replay->reach;
    return is_known || replay->reach != 0 ? hr_ok() : take_over(publish);
}
