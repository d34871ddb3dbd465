/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/publish.h"

#include "aggregator/core/publish_internal.h"
#include "aggregator/core/replay_internal.h"
#include "proto/base/assert.h"
#include "proto/base/failpoint.h"

#include <string.h>

enum { IDLE_WAIT_MS = 1000, RETRY_FIRST_MS = 100, CATCH_UP_BATCHES = 256, MAX_DOUBTS = 5 };

void agg_publish_init(struct agg_publish *publish, const struct agg_publish_config *config)
{
    HR_ASSERT(config->n_normalizers > 0 && config->n_normalizers <= AGG_PUBLISH_MAX_NORMALIZERS);
    HR_ASSERT(config->transaction_max_batches > 0 && config->transaction_max_bytes > 0);
    HR_ASSERT((config->fold == NULL) == (config->replay == NULL));
    memset(publish, 0, sizeof *publish);
    publish->config = *config;
    publish->phase = AGG_PUBLISH_RECOVERING;
    publish->retry_wait_ms = RETRY_FIRST_MS;
}

static void halt(struct agg_publish *publish, const char *reason)
{
    publish->phase = AGG_PUBLISH_HALTED;
    publish->halt_reason = reason;
}

static void recover_later(struct agg_publish *publish)
{
    publish->stats.failures++;
    publish->phase = AGG_PUBLISH_RECOVERING;
    publish->retry_at_us = publish->config.clock->monotonic_us(publish->config.clock->ctx) +
                           (uint64_t)publish->retry_wait_ms * 1000u;
    publish->retry_wait_ms *= 2;
    if (publish->retry_wait_ms > publish->config.retry_max_ms) {
        publish->retry_wait_ms = publish->config.retry_max_ms;
    }
}

/* What the feed ledger says when it is written. False: never again, and publishing has halted. */
static bool may_go_on(struct agg_publish *publish, struct hr_status stored)
{
    if (hr_is(stored, HR_DENIED) || hr_is(stored, HR_IO) || hr_is(stored, HR_CORRUPT)) {
        halt(publish, "the feed ledger can't be written; the ledger's own lines say why");
    }
    return publish->phase != AGG_PUBLISH_HALTED;
}

/* The sink has more than the ledger had when it was asked. A publisher that was taken over may have sent,
 * until it was fenced, what was committed since; it ends within a second or two. */
static struct hr_status doubt_size(struct agg_publish *publish, uint64_t size)
{
    const struct ledger *ledger = publish->config.ledger;
    uint64_t size_now = 0;
    HR_TRY(ledger->size(ledger->ctx, &size_now));
    bool may_be_late = size_now > size && publish->n_doubts < MAX_DOUBTS;
    publish->n_doubts++;
    return hr_status_of(may_be_late ? HR_AGAIN : HR_CORRUPT);
}

static void see_digest(void *ctx, const struct ledger_batch *batch)
{
    memcpy(ctx, batch->digest, WIRE_DIGEST_BYTES);
}

/* Learns which batch stands before the cursor. HR_CORRUPT: another one than the sink has there. */
static struct hr_status compare_last(struct agg_publish *publish, const struct sink_log *log,
                                     const struct sink_cursor *cursor)
{
    const struct agg_publish_config *config = &publish->config;
    publish->has_last = false;
    if (cursor->next_leaf <= log->first_leaf || cursor->next_leaf > log->size) {
        return hr_ok();
    }
    struct hr_status read =
        config->ledger->read(config->ledger->ctx, cursor->next_leaf - 1, 1, config->transaction_max_bytes,
                             see_digest, publish->last_digest);
    if (hr_is(read, HR_NOT_FOUND)) {
        return hr_ok(); /* retention took it just now */
    }
    HR_TRY(read);
    publish->has_last = true;
    bool is_same =
        !cursor->has_digest || memcmp(publish->last_digest, cursor->last_digest, WIRE_DIGEST_BYTES) == 0;
    return hr_status_of(is_same ? HR_OK : HR_CORRUPT);
}

static struct hr_status recover_all(struct agg_publish *publish, struct sink_found *found, uint64_t *size)
{
    const struct agg_publish_config *config = &publish->config;
    struct sink_log log = {.origin = config->ledger->origin(config->ledger->ctx)};
    HR_TRY(config->ledger->size(config->ledger->ctx, &log.size));
    if (config->ledger->first_leaf != NULL) {
        HR_TRY(config->ledger->first_leaf(config->ledger->ctx, &log.first_leaf));
    }
    *size = log.size;
    HR_FAILPOINT("publish_sized");
    struct hr_status recovered =
        config->sink->recover(config->sink->ctx, &log, config->recover_timeout_ms, found);
    if (hr_is(recovered, HR_CORRUPT)) {
        return doubt_size(publish, log.size);
    }
    HR_TRY(recovered);
    if (found->cursor.next_leaf < log.first_leaf) {
        halt(publish, "the sink asks for batches that retention has deleted");
        return hr_ok();
    }
    HR_TRY(compare_last(publish, &log, &found->cursor));
    HR_FAILPOINT("publish_recovered");
    publish->next_leaf = found->cursor.next_leaf;
    agg_publish_entries_reset(publish, found->cursor.n_entries);
    if (config->fold == NULL) {
        return hr_ok();
    }
    struct hr_status loaded = agg_fold_load(config->fold, found);
    loaded = hr_is_ok(loaded) ? agg_replay_recover(publish, found) : loaded;
    return may_go_on(publish, loaded) ? loaded : hr_ok();
}

static uint32_t step_recover(struct agg_publish *publish)
{
    const struct agg_publish_config *config = &publish->config;
    uint64_t now_us = config->clock->monotonic_us(config->clock->ctx);
    if (now_us < publish->retry_at_us) {
        return (uint32_t)((publish->retry_at_us - now_us + 999) / 1000);
    }
    uint64_t size = 0;
    struct sink_found found = {.cursor = {0}};
    struct hr_status status = recover_all(publish, &found, &size);
    if (hr_is(status, HR_CORRUPT) || (hr_is_ok(status) && found.cursor.next_leaf > size)) {
        halt(publish, "the sink holds what the ledger does not: the ledger was rolled back, "
                      "or the sink is another log's");
        publish->is_behind = true;
    }
    if (publish->phase == AGG_PUBLISH_HALTED) {
        return UINT32_MAX;
    }
    if (!hr_is_ok(status)) {
        recover_later(publish);
        return publish->retry_wait_ms;
    }
    publish->n_doubts = 0;
    publish->stats.recoveries++;
    publish->stats.next_leaf = publish->next_leaf;
    publish->retry_wait_ms = RETRY_FIRST_MS;
    publish->phase = AGG_PUBLISH_RUNNING;
    return 0;
}

/* ---- one transaction ---- */

/* Reads batches into it. HR_NOT_FOUND: there are none. */
static struct hr_status read_batches(struct agg_transaction *transaction, uint64_t from, uint32_t max_batches)
{
    const struct agg_publish_config *config = &transaction->publish->config;
    transaction->next_leaf = from;
    struct hr_status read =
        config->ledger->read(config->ledger->ctx, from, max_batches, config->transaction_max_bytes,
                             agg_publish_batch, transaction);
    if (!hr_is_ok(read) && !hr_is(read, HR_NOT_FOUND) && hr_is_ok(transaction->status)) {
        transaction->status = read;
    }
    return read;
}

static void count(struct agg_publish *publish, const struct agg_transaction *transaction)
{
    publish->stats.next_leaf = publish->next_leaf;
    publish->stats.batches += transaction->n_batches;
    publish->stats.records += transaction->n_records;
    publish->stats.events += transaction->n_events;
    publish->stats.entries += transaction->n_entries;
    publish->stats.transactions++;
}

/* Ends the sink's transaction, and on its word that of the fold. */
static struct hr_status commit(struct agg_transaction *transaction)
{
    struct agg_publish *publish = transaction->publish;
    const struct agg_publish_config *config = &publish->config;
    const struct agg_publish_entries *entries = &publish->entries;
    struct sink_cursor cursor = {.next_leaf = transaction->next_leaf,
                                 .n_entries = entries->n_seen > entries->n_delivered ? entries->n_seen
                                                                                     : entries->n_delivered,
                                 .has_digest = publish->has_last};
    memcpy(cursor.last_digest, publish->last_digest, WIRE_DIGEST_BYTES);
    agg_replay_cursor(publish, &cursor);
    HR_FAILPOINT("publish_before_commit");
    HR_TRY(config->sink->commit(config->sink->ctx, &cursor));
    HR_FAILPOINT("publish_after_commit");
    if (transaction->is_folding && config->sink->positions != NULL) {
        config->sink->positions(config->sink->ctx, agg_fold_place, config->fold);
    }
    publish->next_leaf = transaction->next_leaf;
    publish->entries.n_delivered = cursor.n_entries;
    count(publish, transaction);
    if (transaction->n_batches < config->transaction_max_batches) {
        publish->linger_until_us =
            config->clock->monotonic_us(config->clock->ctx) + (uint64_t)config->linger_ms * 1000u;
    }
    if (config->writer != NULL) {
        /* The hint only saves a reader of the database some work; the cursor in the sink is what counts. */
        hr_ignore(config->writer->set_hint(config->writer->ctx, config->sink->name, transaction->next_leaf));
        HR_FAILPOINT("publish_hinted");
    }
    return hr_ok();
}

/* What is live, and a chunk of a replay behind it. */
static void fill(struct agg_transaction *transaction)
{
    struct agg_publish *publish = transaction->publish;
    const struct agg_publish_config *config = &publish->config;
    bool is_torn = agg_replay_is_torn(publish);
    transaction->next_leaf = publish->next_leaf;
    if (!is_torn) {
        hr_ignore(read_batches(transaction, publish->next_leaf, config->transaction_max_batches));
    }
    bool is_full = transaction->is_ended || transaction->n_batches == config->transaction_max_batches;
    if (hr_is_ok(transaction->status) && transaction->is_folding && !is_full && config->replay->row.id != 0 &&
        config->replay->row.state == FEED_RUNNING) {
        agg_replay_chunk(transaction);
    }
    if (hr_is_ok(transaction->status) && !is_torn) {
        agg_publish_entries(transaction);
    }
}

/* Gives back whether there was anything to do. */
static bool run_transaction(struct agg_publish *publish, bool has_replay)
{
    const struct agg_publish_config *config = &publish->config;
    struct agg_transaction transaction = {.publish = publish, .is_live = true, .status = hr_ok()};
    transaction.is_folding = config->fold != NULL && agg_fold_has_room(config->fold) &&
                             (config->fold->next_leaf == publish->next_leaf || agg_replay_is_torn(publish));
    if (transaction.is_folding) {
        agg_fold_begin(config->fold);
        agg_replay_begin(publish);
    }
    fill(&transaction);
    if (transaction.corrupt) {
        halt(publish, "the ledger holds a leaf out of order or bytes that are no envelope");
    }
    struct hr_status status = transaction.status;
    if (hr_is_ok(status) && transaction.is_begun) {
        status = commit(&transaction);
    }
    if (!hr_is_ok(status)) {
        if (transaction.is_folding) {
            agg_fold_abort(config->fold);
            agg_replay_abort(publish);
        }
        if (publish->phase != AGG_PUBLISH_HALTED) {
            recover_later(publish);
        }
        return true;
    }
    if (transaction.is_folding) {
        agg_fold_commit(config->fold);
        (void)may_go_on(publish, agg_replay_commit(publish));
    }
    return transaction.n_batches + transaction.n_entries > 0 || (has_replay && transaction.is_folding);
}

/* ---- the fold behind the sink ---- */

/* Brings the fold a step nearer to what is published. Gives back whether it did something. */
static bool catch_up(struct agg_publish *publish)
{
    const struct agg_publish_config *config = &publish->config;
    struct agg_fold *fold = config->fold;
    if (fold == NULL || fold->next_leaf >= publish->next_leaf || !agg_fold_has_room(fold)) {
        return false;
    }
    uint64_t behind = publish->next_leaf - fold->next_leaf;
    struct agg_transaction transaction = {.publish = publish, .is_folding = true, .status = hr_ok()};
    agg_fold_begin(fold);
    struct hr_status read = read_batches(&transaction, fold->next_leaf,
                                         behind < CATCH_UP_BATCHES ? (uint32_t)behind : CATCH_UP_BATCHES);
    if (hr_is_ok(read) && hr_is_ok(transaction.status)) {
        agg_fold_commit(fold);
        return true;
    }
    agg_fold_abort(fold);
    if (transaction.corrupt || hr_is(read, HR_NOT_FOUND)) {
        halt(publish, "the ledger does not hold what the feed ledger has yet to see");
    }
    return false;
}

static uint64_t needed_by_normalizers(const struct agg_publish_config *config, uint64_t since)
{
    uint64_t needed = since;
    for (uint16_t i = 0; i < config->n_normalizers; i++) {
        const struct normalizer *normalizer = config->normalizers[i];
        uint64_t from =
            normalizer->needs_from != NULL ? normalizer->needs_from(normalizer->ctx, since) : since;
        needed = from < needed ? from : needed;
    }
    return needed;
}

/* What a crash now would ask for again. */
static void note_needs(struct agg_publish *publish)
{
    const struct agg_fold *fold = publish->config.fold;
    const struct agg_replay *replay = publish->config.replay;
    uint64_t needed = publish->next_leaf;
    if (fold != NULL) {
        publish->stats.feed_leaf = fold->stored_leaf;
        publish->stats.unnoted = fold->notes.n_beyond;
        needed = fold->stored_leaf < needed ? fold->stored_leaf : needed;
        bool has_replay = replay->row.id != 0 && replay->row.state == FEED_RUNNING;
        if (has_replay && fold->replay_is_dirty) {
            return; /* its progress is not stored: what was needed before still is */
        }
        needed = has_replay && replay->row.next_leaf < needed ? replay->row.next_leaf : needed;
    }
    publish->stats.needed_leaf = needed_by_normalizers(&publish->config, needed);
}

static uint32_t step_publish(struct agg_publish *publish)
{
    const struct agg_publish_config *config = &publish->config;
    uint64_t now_us = config->clock->monotonic_us(config->clock->ctx);
    if (!publish->has_recalled) {
        if (!hr_is_ok(agg_publish_recall(publish))) {
            recover_later(publish);
        }
        return 0;
    }
    if (config->fold != NULL) {
        bool must_store = !agg_fold_has_room(config->fold);
        if (!may_go_on(publish, agg_fold_store(config->fold, must_store))) {
            return UINT32_MAX;
        }
    }
    bool has_caught_up = catch_up(publish);
    if (has_caught_up && config->fold->config.recall != NULL &&
        config->fold->next_leaf < publish->next_leaf) {
        note_needs(publish);
        return 0; /* what is live may ask what was said before it */
    }
    bool has_replay = agg_replay_wants(publish);
    uint64_t linger_us = now_us < publish->linger_until_us ? publish->linger_until_us - now_us : 0;
    bool has_published = linger_us == 0 && run_transaction(publish, has_replay);
    note_needs(publish);
    if (publish->phase == AGG_PUBLISH_HALTED) {
        return UINT32_MAX;
    }
    if (has_caught_up || has_published) {
        return 0;
    }
    return linger_us > 0 ? (uint32_t)((linger_us + 999) / 1000) : IDLE_WAIT_MS;
}

uint32_t agg_publish_step(struct agg_publish *publish)
{
    switch (publish->phase) {
    case AGG_PUBLISH_RECOVERING:
        return step_recover(publish);
    case AGG_PUBLISH_RUNNING:
        return step_publish(publish);
    case AGG_PUBLISH_HALTED:
        break;
    }
    return UINT32_MAX;
}

void agg_publish_end(struct agg_publish *publish)
{
    if (publish->config.fold != NULL && publish->config.fold->is_loaded) {
        hr_ignore(agg_fold_store(publish->config.fold, true));
    }
}
