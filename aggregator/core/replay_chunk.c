/* SPDX-License-Identifier: Apache-2.0
 *
 * One span of leaves compared with what was published of them. */
#include "aggregator/core/replay_internal.h"
#include "aggregator/core/text.h"
#include "aggregator/normalize/norm.h"
#include "proto/base/assert.h"
#include "proto/base/failpoint.h"

#include <string.h>

/* What the comparison of a span needs to know. */
struct comparison {
    struct agg_transaction *transaction;
    struct agg_replay *replay;
    enum agg_replay_mode mode;
    struct hr_reader notes; /* of the span */
    uint64_t leaf;          /* that comes next in them */
    uint32_t n_known;       /* notes of the leaf at hand, in order; behind them stand those that are new */
    const struct ledger_batch *batch;
    struct sink_origin origin;
    uint64_t n_changed;
};

/* Has the sink something that nobody can say any more what it is? */
static bool is_unknown(const struct comparison *it)
{
    return it->mode == AGG_REPLAY_UNKNOWN || it->batch->leaf < it->replay->unknown_until;
}

static bool is_writing(const struct comparison *it)
{
    return it->mode != AGG_REPLAY_COUNT;
}

static struct agg_publish *publish_of(const struct comparison *it)
{
    return it->transaction->publish;
}

/* The note of this event, or NULL: it was never published. */
static struct agg_note *find_note(struct comparison *it, uint32_t feed, const struct norm_event *event)
{
    const struct agg_note wanted = {
        .feed = feed, .record = (uint16_t)event->record_index, .output = event->output_index};
    return agg_notes_find(it->replay->notes, it->n_known, &wanted);
}

static struct agg_note *add_note(struct comparison *it, uint32_t feed, const struct norm_event *event)
{
    struct agg_replay *replay = it->replay;
    if (replay->n_notes == AGG_LEAF_MAX_NOTES) {
        return NULL;
    }
    struct agg_note *note = &replay->notes[replay->n_notes++];
    *note = (struct agg_note){.feed = feed,
                              .record = (uint16_t)event->record_index,
                              .output = event->output_index,
                              .content = AGG_CONTENT_UNKNOWN};
    return note;
}

static void put_revision(struct comparison *it, const struct norm_event *event, uint16_t revision)
{
    struct agg_publish *publish = publish_of(it);
    const struct agg_publish_config *config = &publish->config;
    struct agg_replay *replay = it->replay;
    struct norm_event revised = *event;
    size_t len_bytes = 0;
    HR_ASSERT(event->schema->n_fields <= AGG_REPLAY_MAX_FIELDS);
    memcpy(replay->values, event->values, event->schema->n_fields * sizeof replay->values[0]);
    replay->values[NORM_REVISION].as.number += revision; /* to that of its observation */
    revised.values = replay->values;
    agg_publish_encode(publish, &revised, &len_bytes, NULL);
    struct sink_origin *origin = &it->origin;
    origin->record_index = event->record_index;
    origin->output_index = event->output_index;
    origin->revision = revision;
    origin->replay = replay->row.id;
    origin->normalizer_version = config->normalizers[config->fold->feeds[replay->feed].normalizer]->version;
    norm_traceparent(origin->batch_digest, event->record_index, origin->traceparent);
    struct hr_status *status = &it->transaction->status;
    *status = agg_transaction_begin(it->transaction);
    if (hr_is_ok(*status)) {
        *status = config->sink->put_event(config->sink->ctx, &revised, publish->value + SINK_ROOM_BYTES,
                                          len_bytes, origin);
    }
    HR_FAILPOINT("replay_put");
}

static void revise(struct comparison *it, const struct norm_event *event, struct agg_note *note,
                   uint64_t content)
{
    it->n_changed++;
    it->replay->row.n_changed++;
    if (!is_writing(it) || note == NULL) {
        return;
    }
    note->content = is_unknown(it) ? AGG_CONTENT_UNKNOWN : content;
    note->revision = (uint16_t)(note->revision + (note->revision < UINT16_MAX ? 1 : 0));
    struct agg_fold *fold = publish_of(it)->config.fold;
    it->transaction->status = agg_fold_revise(fold, it->replay->feed, it->batch, event->occurred_at_us,
                                              note->revision, &it->origin.slot);
    if (it->mode == AGG_REPLAY_PUBLISH && hr_is_ok(it->transaction->status)) {
        put_revision(it, event, note->revision);
    }
}

static void compare_event(void *ctx, const struct norm_event *event)
{
    struct comparison *it = ctx;
    struct agg_replay *replay = it->replay;
    const struct agg_fold *fold = publish_of(it)->config.fold;
    const struct agg_fold_feed *feed = &fold->feeds[replay->feed];
    int64_t occurred_ms = event->occurred_at_us / 1000;
    if (!hr_is_ok(it->transaction->status) || event->schema != feed->schema ||
        occurred_ms < replay->row.from_ms || occurred_ms >= replay->row.to_ms) {
        return;
    }
    size_t len_bytes = 0;
    uint64_t content = AGG_CONTENT_UNKNOWN;
    agg_publish_encode(publish_of(it), event, &len_bytes, &content);
    replay->row.n_events++;
    struct agg_note *note = find_note(it, feed->id, event);
    bool is_same = note != NULL && note->content == content && !is_unknown(it);
    if (!is_same) {
        revise(it, event, note != NULL || !is_writing(it) ? note : add_note(it, feed->id, event), content);
    }
}

static void write_notes(struct comparison *it)
{
    struct agg_notes_writer *writer = &publish_of(it)->config.fold->notes;
    if (!is_writing(it)) {
        return;
    }
    agg_notes_begin(writer);
    for (uint32_t i = 0; i < it->replay->n_notes; i++) {
        agg_notes_add(writer, &it->replay->notes[i]);
    }
    struct hr_status ended = agg_notes_end(writer);
    if (!hr_is_ok(ended)) {
        it->transaction->status = ended;
    }
}

/* ---- the edge of retention; for norm_edge ---- */

static bool edge_is_there(void *ctx)
{
    struct agg_publish *publish = ctx;
    const struct ledger *ledger = publish->config.ledger;
    uint64_t first_leaf = 0;
    struct hr_status read = ledger->first_leaf(ledger->ctx, &first_leaf);
    publish->past_read = hr_is_ok(publish->past_read) ? read : publish->past_read;
    return hr_is_ok(read) && first_leaf > 0;
}

static void edge_cut(void *ctx, const struct ledger_batch *batch, uint32_t document_id, bool is_first)
{
    const struct agg_publish *publish = ctx;
    struct feed_replay *row = &publish->config.replay->row;
    (void)batch, (void)document_id, (void)is_first;
    row->reason[0] = '\0';
    agg_text_add(row->reason, sizeof row->reason,
                 "retention has deleted the beginning of documents, which were passed over");
}

static const struct norm_edge edge = {edge_is_there, edge_cut};

/* Leaves that retention has deleted keep their notes. */
static void skip_to(struct comparison *it, uint64_t leaf)
{
    for (; it->leaf < leaf && hr_is_ok(it->transaction->status); it->leaf++) {
        it->transaction->status = agg_notes_next(&it->notes, it->replay->notes, &it->replay->n_notes);
        if (hr_is_ok(it->transaction->status)) {
            write_notes(it);
        }
    }
}

static void compare_batch(void *ctx, const struct ledger_batch *batch)
{
    struct comparison *it = ctx;
    struct agg_publish *publish = publish_of(it);
    const struct agg_publish_config *config = &publish->config;
    struct norm_input input;
    struct edge_time_anchor anchor;
    if (batch->leaf >= it->replay->span.first_leaf + it->replay->span.n_leaves) {
        return; /* retention left fewer of the span than were asked for */
    }
    skip_to(it, batch->leaf);
    struct hr_status *status = &it->transaction->status;
    *status = hr_is_ok(*status) ? agg_publish_input(publish, batch, &input, &anchor) : *status;
    *status =
        hr_is_ok(*status) ? agg_notes_next(&it->notes, it->replay->notes, &it->replay->n_notes) : *status;
    if (!hr_is_ok(*status)) {
        return;
    }
    publish->past.edge = &edge;
    it->leaf++;
    agg_notes_sort(it->replay->notes, it->replay->n_notes);
    it->n_known = it->replay->n_notes;
    it->batch = batch;
    agg_publish_origin(&input, &it->origin);
    struct norm_emit emit = {compare_event, it};
    (void)norm_batch(config->normalizers, config->n_normalizers, &input, &emit);
    *status = hr_is_ok(*status) ? agg_publish_asked(publish) : *status;
    agg_notes_sort(it->replay->notes, it->replay->n_notes);
    write_notes(it);
}

static void take_span(void *ctx, const struct feed_span *span)
{
    struct agg_replay *replay = ctx;
    replay->span = *span;
    if (span->notes.len_bytes <= sizeof replay->span_bytes) {
        memcpy(replay->span_bytes, span->notes.data, span->notes.len_bytes);
        replay->span.notes = hr_bytes_of(replay->span_bytes, span->notes.len_bytes);
    } else {
        replay->span.notes = hr_bytes_of(NULL, 0); /* no notes of ours: corrupt when they are read */
    }
}

static void compare_span(struct agg_transaction *transaction, enum agg_replay_mode mode)
{
    struct agg_publish *publish = transaction->publish;
    struct agg_replay *replay = publish->config.replay;
    const struct ledger *ledger = publish->config.ledger;
    struct agg_fold *fold = publish->config.fold;
    struct comparison it = {.transaction = transaction,
                            .replay = replay,
                            .mode = mode,
                            .notes = hr_reader_over(replay->span.notes),
                            .leaf = replay->span.first_leaf};
    uint64_t end_leaf = replay->span.first_leaf + replay->span.n_leaves;
    if (is_writing(&it)) {
        agg_fold_span_begin(fold, replay->span.first_leaf);
    }
    struct hr_status read = ledger->read(ledger->ctx, replay->span.first_leaf, replay->span.n_leaves,
                                         SIZE_MAX, compare_batch, &it);
    if (!hr_is_ok(read) && !hr_is(read, HR_NOT_FOUND)) {
        transaction->status = read;
    }
    skip_to(&it, end_leaf);
    if (is_writing(&it) && it.n_changed > 0) {
        agg_fold_span_end(fold, replay->span.n_leaves);
    } else if (is_writing(&it)) {
        agg_fold_span_drop(fold);
    }
    replay->row.next_leaf = end_leaf;
}

void agg_replay_span(struct agg_transaction *transaction, enum agg_replay_mode mode)
{
    struct agg_publish *publish = transaction->publish;
    struct agg_replay *replay = publish->config.replay;
    const struct ledger *ledger = publish->config.ledger;
    struct hr_status found = ledger->feeds->span(ledger->ctx, publish->config.sink->name,
                                                 replay->row.next_leaf, take_span, replay);
    if (hr_is(found, HR_NOT_FOUND) || (hr_is_ok(found) && replay->span.first_leaf >= replay->row.end_leaf)) {
        replay->row.next_leaf = replay->row.end_leaf;
        return;
    }
    if (!hr_is_ok(found)) {
        transaction->status = found;
        return;
    }
    compare_span(transaction, mode);
}
