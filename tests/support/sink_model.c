/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sink_model.h"

#include "aggregator/normalize/norm.h"
#include "proto/base/assert.h"

#include <string.h>

static bool rolls(struct sink_model *model, uint32_t of_1000)
{
    return test_random_below(model->random, 1000) < of_1000;
}

bool sink_model_dies(struct sink_model *model)
{
    if (!model->is_dead && rolls(model, model->trouble / 4)) {
        model->is_dead = true;
        model->n_crashes++;
    }
    return model->is_dead;
}

/* Ends the open transaction: the first n of its records are committed. */
static void settle(struct sink_model *model, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        model->records[model->open_at + i].is_committed = true;
    }
    model->open_at = model->n_records;
    model->is_open = false;
}

/* The transaction is left open: it will be aborted, or a late EndTxn ends it in the middle. */
static struct hr_status fail(struct sink_model *model)
{
    size_t n_open = model->n_records - model->open_at;
    if (model->is_open && n_open > 0 && rolls(model, 400)) {
        model->n_torn++;
        settle(model, 1 + test_random_below(model->random, (uint32_t)n_open));
    } else if (model->is_open) {
        model->n_aborted++;
        settle(model, 0);
    }
    model->is_alive = false;
    return hr_status_of(HR_AGAIN);
}

static bool is_at_or_before(struct model_place place, struct model_place other)
{
    return place.leaf < other.leaf || (place.leaf == other.leaf && place.index <= other.index);
}

static void read_tails(struct sink_model *model)
{
    memset(model->tails, 0, sizeof model->tails);
    for (size_t i = 0; i < model->n_records; i++) {
        const struct model_record *record = &model->records[i];
        if (record->is_committed && record->replay != 0) {
            model->tails[record->partition] = (struct model_tail){.is_known = true,
                                                                  .has_place = record->has_live,
                                                                  .place = record->live,
                                                                  .replay = record->replay,
                                                                  .replay_place = record->place};
        } else if (record->is_committed) {
            model->tails[record->partition] =
                (struct model_tail){.is_known = true, .has_place = true, .place = record->place};
        }
    }
}

static struct hr_status model_recover(void *ctx, const struct sink_log *log, uint32_t timeout_ms,
                                      struct sink_found *found)
{
    (void)timeout_ms;
    struct sink_model *model = ctx;
    if (model->is_open) {
        hr_ignore(fail(model)); /* init_transactions settles what was open */
    }
    if (sink_model_dies(model) || rolls(model, model->trouble)) {
        return hr_status_of(HR_AGAIN);
    }
    read_tails(model);
    uint64_t past_tail = 0;
    uint64_t replay = 0;
    uint64_t reach = 0;
    for (size_t i = 0; i < MODEL_PARTITIONS; i++) {
        const struct model_tail *tail = &model->tails[i];
        if (tail->has_place && tail->place.leaf + 1 > past_tail) {
            past_tail = tail->place.leaf + 1;
        }
        if (tail->replay > replay) {
            replay = tail->replay;
            reach = 0;
        }
        if (tail->replay != 0 && tail->replay == replay && tail->replay_place.leaf + 1 > reach) {
            reach = tail->replay_place.leaf + 1;
        }
    }
    HR_ASSERT(past_tail <= log->size);
    *found = (struct sink_found){.cursor = model->cursor};
    if (!model->has_cursor) {
        uint64_t max_batches = model->transaction_max_batches;
        found->cursor.next_leaf = past_tail > max_batches ? past_tail - max_batches : log->first_leaf;
    }
    if (replay > found->cursor.replay) {
        found->cursor.replay = replay;
        found->cursor.replay_next_leaf = 0;
    }
    found->replay_reach =
        replay == found->cursor.replay && reach > found->cursor.replay_next_leaf ? reach : 0;
    found->reach = past_tail > found->cursor.next_leaf ? past_tail : 0;
    model->is_skipping = found->reach != 0 || found->replay_reach != 0;
    model->is_alive = true;
    return hr_ok();
}

static struct hr_status model_begin(void *ctx, uint64_t first_leaf)
{
    (void)first_leaf;
    struct sink_model *model = ctx;
    if (!model->is_alive || sink_model_dies(model)) {
        return hr_status_of(HR_AGAIN);
    }
    model->open_at = model->n_records;
    model->is_open = true;
    return hr_ok();
}

static struct hr_status put(struct sink_model *model, struct model_record record)
{
    if (!model->is_alive || !model->is_open || sink_model_dies(model)) {
        return hr_status_of(HR_AGAIN);
    }
    if (rolls(model, model->trouble / 8)) {
        return fail(model);
    }
    struct model_tail *tail = &model->tails[record.partition];
    bool is_there = record.replay == 0
                        ? tail->has_place && is_at_or_before(record.place, tail->place)
                        : tail->replay == record.replay && is_at_or_before(record.place, tail->replay_place);
    if (model->is_skipping && is_there) {
        model->n_skipped++;
        return hr_ok();
    }
    if (record.replay == 0) {
        tail->has_place = true;
        tail->place = record.place;
    } else {
        record.has_live = tail->has_place;
        record.live = tail->place;
    }
    HR_ASSERT(model->n_records < MODEL_MAX_RECORDS);
    record.offset = model->next_offset[record.partition]++;
    model->records[model->n_records++] = record;
    return hr_ok();
}

static uint8_t partition_of(struct hr_bytes key)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < key.len_bytes; i++) {
        sum = sum * 31 + key.data[i];
    }
    return (uint8_t)(sum % MODEL_RAW_PARTITION);
}

static struct hr_status model_put_event(void *ctx, const struct norm_event *event, uint8_t *value,
                                        size_t len_bytes, const struct sink_origin *origin)
{
    (void)value, (void)len_bytes;
    const struct norm_value *last = &event->values[event->schema->n_fields - 1];
    HR_ASSERT(event->values[NORM_REVISION].as.number >= origin->revision); /* it may have its own besides */
    return put(ctx,
               (struct model_record){
                   .partition = partition_of(event->key),
                   .feed = event->schema->topic,
                   .is_event = true,
                   .slot = origin->slot,
                   .revision = origin->revision,
                   .record = origin->record_index,
                   .output = origin->output_index,
                   .replay = origin->replay,
                   .place = {origin->leaf, ((uint64_t)origin->record_index + 1) << 32 | origin->output_index},
                   .occurred_at_us = event->occurred_at_us,
                   .value = last->is_null ? INT64_MIN : last->as.number,
               });
}

static struct hr_status model_put_raw(void *ctx, const char *topic, const struct ledger_batch *batch,
                                      const struct sink_origin *origin)
{
    (void)batch;
    uint8_t partition = MODEL_RAW_PARTITION + (strstr(topic, ".observed.") != NULL ? 1 : 0);
    return put(
        ctx, (struct model_record){.partition = partition, .slot = SINK_NO_SLOT, .place = {origin->leaf, 0}});
}

static struct hr_status model_commit(void *ctx, const struct sink_cursor *cursor)
{
    struct sink_model *model = ctx;
    if (!model->is_alive || !model->is_open || sink_model_dies(model)) {
        return hr_status_of(HR_AGAIN);
    }
    if (rolls(model, model->trouble)) {
        return fail(model);
    }
    model->committed_at = model->open_at;
    settle(model, model->n_records - model->open_at);
    model->has_cursor = true;
    model->cursor = *cursor;
    if (rolls(model, model->trouble)) {
        model->n_lost_answers++;
        model->is_alive = false;
        return hr_status_of(HR_AGAIN);
    }
    return sink_model_dies(model) ? hr_status_of(HR_AGAIN) : hr_ok();
}

static void model_positions(void *ctx, void (*each)(void *each_ctx, const struct sink_position *position),
                            void *each_ctx)
{
    struct sink_model *model = ctx;
    for (size_t i = model->committed_at; i < model->n_records; i++) {
        const struct model_record *record = &model->records[i];
        if (record->slot != SINK_NO_SLOT) {
            const struct sink_position position = {.slot = record->slot,
                                                   .partition = record->partition,
                                                   .first_offset = record->offset,
                                                   .last_offset = record->offset,
                                                   .n_records = 1};
            each(each_ctx, &position);
        }
    }
}

static void model_close(void *ctx)
{
    (void)ctx;
}

void sink_model_init(struct sink_model *model, struct test_random *random)
{
    *model = (struct sink_model){.random = random};
    model->records = calloc(MODEL_MAX_RECORDS, sizeof *model->records);
    HR_ASSERT(model->records != NULL);
    model->sink = (struct sink){.name = "kafka",
                                .recover = model_recover,
                                .begin = model_begin,
                                .put_event = model_put_event,
                                .put_raw = model_put_raw,
                                .commit = model_commit,
                                .positions = model_positions,
                                .close = model_close,
                                .ctx = model};
}

void sink_model_free(struct sink_model *model)
{
    free(model->records);
}

void sink_model_restart(struct sink_model *model)
{
    model->is_dead = false;
    model->is_alive = false;
}
